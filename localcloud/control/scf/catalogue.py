"""The deployed functions by name, kept in the data folder."""

from __future__ import annotations

from localcloud.control.calls import Refusal
from localcloud.control.scf.given import Given
from localcloud.control.scf.records import Deployed
from localcloud.store import Store

NAMESPACE = "default"  # the only one here; 583/11637 allows five, each made by CreateNamespace
_SCHEMA = "CREATE TABLE IF NOT EXISTS deployed_functions (name TEXT PRIMARY KEY, record TEXT NOT NULL)"


class Catalogue:
    """Every deployed function, in memory and on disk."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.create(_SCHEMA)
        rows = store.db.execute("SELECT record FROM deployed_functions ORDER BY name").fetchall()
        self._found = {each.name: each for each in (Deployed.from_json(row[0]) for row in rows)}

    def all(self) -> list[Deployed]:
        """Every one, by name."""
        return sorted(self._found.values(), key=lambda each: each.name)

    def find(self, name: str) -> Deployed | None:
        """One, by its name."""
        return self._found.get(name)

    def known(self, name: str) -> Deployed:
        """One that is known to exist."""
        return self._found[name]

    def named(self, given: Given) -> Deployed:
        """The one that a call names. Raises Refusal."""
        check_namespace(given)
        name = given.text("FunctionName")
        if name not in self._found:
            raise Refusal("ResourceNotFound.Function", f"There is no function {name} in {NAMESPACE}.")
        return self._found[name]

    def put(self, deployed: Deployed) -> None:
        """Keep it, in place of what had its name."""
        self._found[deployed.name] = deployed
        self._store.db.execute(
            "INSERT OR REPLACE INTO deployed_functions VALUES (?, ?)", (deployed.name, deployed.as_json())
        )

    def remove(self, name: str) -> None:
        """Forget one."""
        del self._found[name]
        self._store.db.execute("DELETE FROM deployed_functions WHERE name = ?", (name,))


def qualifier(given: Given) -> str:
    """The version or alias that a call is about; no version is ever published here. Raises Refusal."""
    found = given.text("Qualifier", "$LATEST")
    if found not in ("$LATEST", "$DEFAULT"):
        raise Refusal("ResourceNotFound.Qualifier", f"There is no version or alias {found}.")
    return found


def check_namespace(given: Given) -> None:
    """Raises Refusal when a call is about a namespace that does not exist."""
    namespace = given.text("Namespace", NAMESPACE)
    if namespace != NAMESPACE:
        raise Refusal("ResourceNotFound.Namespace", f"There is no namespace {namespace}.")
