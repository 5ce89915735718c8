"""The minimal policies of the functions: given to the local cloud, and compared with the requests it received."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.local.emulator import SETTINGS
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
from tests.helpers.fake_cloud import FakeRequest

UIN = "100000000001"  # the account of the local cloud
_ACTIONS = {"HEAD": "HeadObject", "GET": "GetObject", "PUT": "PutObject", "DELETE": "DeleteObject"}


def build_scope(settings: Mapping[str, str]) -> ResourceScope:
    """Build the resources of a local pipeline with these settings. They may name addresses of this machine."""
    environ = {**SETTINGS, **settings, "CLOUD_ENDPOINT": "http://127.0.0.1:1"}
    return scope_from_settings(load_settings(environ), UIN)


def write_policies(folder: Path, scope: ResourceScope, without: Iterable[tuple[str, str]] = ()) -> Path:
    """Write a file for the local cloud's --policies; `without` are (function, action) pairs to leave out."""
    documents = {function: function_policy(function, scope) for function in FUNCTIONS}
    for function, action in without:
        reduced = [
            {**statement, "action": [name for name in statement["action"] if name != action]}
            for statement in documents[function]["statement"]
        ]
        assert reduced != documents[function]["statement"], f"{function} has no {action} to remove"
        documents[function] = {
            **documents[function],
            "statement": [statement for statement in reduced if statement["action"]],
        }
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "policies.json"
    file.write_text(json.dumps(documents), "utf-8")
    return file


def build_permission(request: FakeRequest, scope: ResourceScope) -> Permission:
    """Build the permission that a request to the fake cloud needs."""
    appid = request.bucket.rpartition("-")[2]
    if request.key.startswith("/asr_jobs"):
        resource = f"qcs::ci:{scope.region}:uid/{appid}:bucket/{request.bucket}/*"
        return Permission("ci:DescribeAsrJob", resource)
    action, path = _ACTIONS.get(request.method, "GetBucket"), request.key
    if request.key == "?versioning":
        action, path = "GetBucketVersioning", ""
    if request.method == "LIST":
        path = ""
    return Permission(f"cos:{action}", f"qcs::cos:{scope.region}:uid/{appid}:{request.bucket}/{path}")


@dataclass
class UsedGrants:
    """The grants that requests needed, and the requests that no grant allows."""

    grants: set[Grant] = field(default_factory=set)
    beyond: list[str] = field(default_factory=list)

    def add(self, requests: Iterable[Mapping[str, Any]], scope: ResourceScope) -> None:
        """Add the requests of a local cloud's /-/requests."""
        for request in requests:
            if request["function"] not in FUNCTIONS:
                continue
            permissions = [Permission(request["action"], request["resource"])]
            if request["action"] == "ci:CreateAsrJobs":
                # It needs another permission too; the local cloud's page has the first one only.
                permissions.append(Permission("cam:PassRole", scope.role_resource(CI_ROLE)))
            needed = {
                grant
                for grant in grants_for(request["function"], scope)
                if any(_allows(grant, scope, permission) for permission in permissions)
            }
            self.grants |= needed
            if not needed or request["code"] == "AccessDenied":
                self.beyond.append(f"{request['function']}: {permissions[0]} -> {request['status']}")


def _allows(grant: Grant, scope: ResourceScope, permission: Permission) -> bool:
    return any(covers(Permission(grant.action, resource), permission) for resource in grant.resources(scope))
