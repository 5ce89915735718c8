"""The least permissions that the flows work under: handed to each stand-in, compared with what was asked of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.local.emulator import SETTINGS
from cli.policy.documents import FUNCTIONS, Place, place_of, policy_of
from cli.policy.place import CI_ROLE
from cli.policy.statements import Permission, covers
from cli.policy.table import Row, resources_of, rows_of
from shared.settings import load_settings

UIN = "100000000001"  # the stand-in's account


def build_scope(settings: Mapping[str, str]) -> Place:
    """Where a pipeline of cli.local.emulator works under these settings."""
    return place_of(load_settings({**SETTINGS, **settings}), UIN)


def write_policies(folder: Path, place: Place, without: Iterable[tuple[str, str]] = ()) -> Path:
    """A file for the stand-in's --policies; `without` names (function, action) pairs that are left out."""
    documents = {function: policy_of(function, place) for function in FUNCTIONS}
    for function, action in without:
        kept = [
            {**one, "action": [name for name in one["action"] if name != action]}
            for one in documents[function]["statement"]
        ]
        assert kept != documents[function]["statement"], f"{function} has no {action} to take away"
        documents[function] = {**documents[function], "statement": [one for one in kept if one["action"]]}
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "policies.json"
    file.write_text(json.dumps(documents), "utf-8")
    return file


@dataclass
class UsedRows:
    """Which rows of the table were needed by some request, and the requests that no row speaks of."""

    rows: set[Row] = field(default_factory=set)
    beyond: list[str] = field(default_factory=list)

    def note(self, requests: Iterable[Mapping[str, Any]], place: Place) -> None:
        """Takes in the rows of a stand-in's /-/requests."""
        for request in requests:
            if request["function"] not in FUNCTIONS:
                continue
            done = [Permission(request["action"], request["resource"])]
            if request["action"] == "ci:CreateAsrJobs":
                # It needs another permission too; the stand-in's page names the first only.
                done.append(Permission("cam:PassRole", place.role(CI_ROLE)))
            needed = {
                row
                for row in rows_of(request["function"], place)
                if any(_speaks_of(row, place, one) for one in done)
            }
            self.rows |= needed
            if not needed or request["code"] == "AccessDenied":
                self.beyond.append(f"{request['function']}: {done[0]} -> {request['status']}")


def _speaks_of(row: Row, place: Place, done: Permission) -> bool:
    return any(covers(Permission(row.action, resource), done) for resource in resources_of(row, place))
