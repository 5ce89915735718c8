"""The least permissions that the flows work under: handed to each stand-in, compared with what was asked of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.local import SETTINGS
from cli.policy.diff import Permission, covers
from cli.policy.documents import function_policy
from cli.policy.permissions import (
    CI_ROLE,
    FUNCTIONS,
    Grant,
    ResourceScope,
    grants_for,
    scope_from_settings,
)
from shared.settings import load_settings

UIN = "100000000001"  # the stand-in's account


def place_under(settings: Mapping[str, str]) -> ResourceScope:
    """Where a pipeline of cli.local works under these settings."""
    return scope_from_settings(load_settings({**SETTINGS, **settings}), UIN)


def policies_file(folder: Path, place: ResourceScope, without: Iterable[tuple[str, str]] = ()) -> Path:
    """A file for the stand-in's --policies; `without` names (function, action) pairs that are left out."""
    documents = {function: function_policy(function, place) for function in FUNCTIONS}
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
class Used:
    """Which rows of the table were needed by some request, and the requests that no row speaks of."""

    rows: set[Grant] = field(default_factory=set)
    beyond: list[str] = field(default_factory=list)

    def note(self, requests: Iterable[Mapping[str, Any]], place: ResourceScope) -> None:
        """Takes in the rows of a stand-in's /-/requests."""
        for request in requests:
            if request["function"] not in FUNCTIONS:
                continue
            done = [Permission(request["action"], request["resource"])]
            if request["action"] == "ci:CreateAsrJobs":
                # It needs another permission too; the stand-in's page names the first only.
                done.append(Permission("cam:PassRole", place.role_resource(CI_ROLE)))
            needed = {
                row
                for row in grants_for(request["function"], place)
                if any(_speaks_of(row, place, one) for one in done)
            }
            self.rows |= needed
            if not needed or request["code"] == "AccessDenied":
                self.beyond.append(f"{request['function']}: {done[0]} -> {request['status']}")


def _speaks_of(row: Grant, place: ResourceScope, done: Permission) -> bool:
    return any(covers(Permission(row.action, resource), done) for resource in row.resources(place))
