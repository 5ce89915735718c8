"""Hot-word tables: kept and given back; this stand-in's recognisers do not use them."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass

from localcloud.ci.errors import CiProblem, invalid
from localcloud.store import Store
from localcloud.xml import Node, node

_SCHEMA = """
CREATE TABLE IF NOT EXISTS hot_word_tables (
    table_id TEXT PRIMARY KEY, bucket TEXT NOT NULL, contents TEXT NOT NULL
)
"""


@dataclass(frozen=True, slots=True)
class HotWords:
    """One table: words with their weights, as texts."""

    table_id: str
    name: str
    description: str
    words: tuple[tuple[str, str], ...]
    words_text: str


class HotWordTables:
    """The tables of all buckets, kept over restarts."""

    def __init__(self, store: Store) -> None:
        self._db = store.db
        store.create(_SCHEMA)

    def put(self, bucket: str, body: Node, *, replaces: bool) -> HotWords:
        """Make a table, or replace the one that the body names. Raises InvalidArgument, ResourceNotFound."""
        table_id = body.value("TableId") if replaces else secrets.token_hex(16)
        if replaces:
            self.named(bucket, table_id)
        words = tuple(
            (item.value("Vocabulary"), item.value("Weight")) for item in body.find_all("VocabularyWeights")
        )
        made = HotWords(
            table_id,
            body.value("TableName"),
            body.value("TableDescription"),
            words,
            body.value("VocabularyWeightStr"),
        )
        if not made.name or not (made.words or made.words_text):
            raise invalid("A hot-word table has a TableName and VocabularyWeights or VocabularyWeightStr.")
        self._db.execute(
            "INSERT OR REPLACE INTO hot_word_tables VALUES (?, ?, ?)",
            (table_id, bucket, json.dumps(asdict(made))),
        )
        return made

    def all(self, bucket: str) -> list[HotWords]:
        """A bucket's tables."""
        rows = self._db.execute(
            "SELECT contents FROM hot_word_tables WHERE bucket = ? ORDER BY rowid", (bucket,)
        )
        tables = [json.loads(row[0]) for row in rows]
        return [HotWords(words=tuple((w, v) for w, v in table.pop("words")), **table) for table in tables]

    def named(self, bucket: str, table_id: str) -> HotWords:
        """One table. Raises ResourceNotFound."""
        found = next((table for table in self.all(bucket) if table.table_id == table_id), None)
        if found is None:
            raise CiProblem(400, "ResourceNotFound", f"The bucket has no hot-word table {table_id}.")
        return found

    def delete(self, bucket: str, table_id: str) -> None:
        """Delete one. Raises ResourceNotFound."""
        self.named(bucket, table_id)
        self._db.execute("DELETE FROM hot_word_tables WHERE table_id = ?", (table_id,))


def table_node(table: HotWords) -> Node:
    """A VocabularyTable element."""
    return node(
        "VocabularyTable",
        node("TableId", table.table_id),
        node("TableName", table.name),
        node("TableDescription", table.description),
        *(
            node("VocabularyWeights", node("Vocabulary", word), node("Weight", weight))
            for word, weight in table.words
        ),
        node("VocabularyWeightStr", table.words_text),
    )
