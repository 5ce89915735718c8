"""Speech templates: named sets of SpeechRecognition parameters."""

from __future__ import annotations

import json
import re
import secrets
import time
from dataclasses import dataclass

from localcloud.ci.errors import CiProblem, invalid
from localcloud.ci.models import TAG, Speech, timestamp
from localcloud.ci.speech_settings import speech_of
from localcloud.store import Store
from localcloud.xml import Node, node

_SCHEMA = """
CREATE TABLE IF NOT EXISTS templates (
    template_id TEXT PRIMARY KEY, bucket TEXT NOT NULL, name TEXT NOT NULL, speech TEXT NOT NULL,
    created_s REAL NOT NULL, updated_s REAL NOT NULL
)
"""
_NAME = re.compile(r"[\w*-]{1,64}")  # D-TPL: Chinese, letters, digits, _ - *


@dataclass(frozen=True, slots=True)
class Template:
    """One template; times in Unix seconds."""

    template_id: str
    bucket: str
    name: str
    speech: Speech
    created_s: float
    updated_s: float


class Templates:
    """The templates of all buckets, kept over restarts."""

    def __init__(self, store: Store) -> None:
        self._db = store.db
        store.create(_SCHEMA)

    def put(self, bucket: str, body: Node, template_id: str = "") -> Template:
        """Make a template, or replace one. Raises InvalidArgument, TemplateNotFound, TemplateNameDuplicate."""
        if template_id and self.get(bucket, template_id) is None:
            raise CiProblem(400, "TemplateNotFound", f"The bucket has no template {template_id}.")
        name, given = body.value("Name"), body.find("SpeechRecognition")
        if body.value("Tag") != TAG or given is None or not _NAME.fullmatch(name):
            raise invalid(
                f"A template has the Tag {TAG}, a Name of at most 64 characters, and SpeechRecognition."
            )
        if any(other.name == name and other.template_id != template_id for other in self.all(bucket)):
            raise CiProblem(400, "TemplateNameDuplicate", f"The bucket has a template named {name} already.")
        now = time.time()
        before = self.get(bucket, template_id) if template_id else None
        made = Template(
            template_id or f"t{secrets.token_hex(16)}",
            bucket,
            name,
            speech_of(given),
            before.created_s if before else now,
            now,
        )
        self._db.execute(
            "INSERT OR REPLACE INTO templates VALUES (?, ?, ?, ?, ?, ?)",
            (made.template_id, bucket, name, json.dumps(made.speech.parameters), made.created_s, now),
        )
        return made

    def all(self, bucket: str) -> list[Template]:
        """A bucket's templates, oldest first."""
        rows = self._db.execute("SELECT * FROM templates WHERE bucket = ? ORDER BY created_s", (bucket,))
        return [
            Template(
                template_id,
                of_bucket,
                name,
                Speech(tuple(map(tuple, json.loads(speech)))),
                created_s,
                updated_s,
            )
            for template_id, of_bucket, name, speech, created_s, updated_s in rows
        ]

    def get(self, bucket: str, template_id: str) -> Template | None:
        """One template of a bucket."""
        return next((found for found in self.all(bucket) if found.template_id == template_id), None)

    def delete(self, bucket: str, template_id: str) -> bool:
        """Whether there was one to delete."""
        gone = self._db.execute(
            "DELETE FROM templates WHERE bucket = ? AND template_id = ?", (bucket, template_id)
        )
        return gone.rowcount == 1


def template_node(name: str, template: Template) -> Node:
    """A Template or TemplateList element."""
    return node(
        name,
        node("TemplateId", template.template_id),
        node("Name", template.name),
        node("State", "Normal"),
        node("Tag", TAG),
        node("CreateTime", timestamp(template.created_s)),
        node("UpdateTime", timestamp(template.updated_s)),
        node("BucketId", template.bucket),
        node("Category", "Custom"),
        node("SpeechRecognition", *(node(key, value) for key, value in sorted(template.speech.parameters))),
    )
