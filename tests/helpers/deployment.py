"""Targets and current states as values, for tests that send no request."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cli.cloud.cam import RoleInfo
from cli.cloud.client import Identity
from cli.cloud.scf import MAX_RETRY_CONFIG, FunctionInfo, TriggerInfo, parse_trigger
from cli.config import Commands
from cli.deploy.clients import Clients
from cli.deploy.notifications import build_notify_config
from cli.deploy.outputs import OutputFolders
from cli.deploy.state import EVENT_TYPES, CurrentState
from cli.deploy.steps import PackageRef
from cli.deploy.target import DeployTarget
from cli.manifest.loader import load_manifest
from cli.manifest.models import TriggerSpec
from cli.policy.documents import role_policies
from cli.policy.permissions import load_function_settings
from shared.tencent.auth import Credentials
from shared.tencent.speech_models import NotifyConfig, Queue

ROOT = Path(__file__).resolve().parents[2]
LABEL = "Scribe 0.1.0, package 0123456789abcdef"
CALLBACK_URL = "https://1250000000-abcdefghij.ap-guangzhou.tencentscf.com"
INPUT_BUCKET, OUTPUT_BUCKET = "recordings-1250000000", "transcripts-1250000000"
CONFIG = {
    "SCRIBE_STAGE": "prod",
    "SCF_ROLE_NAME": "scribe-prod",
    "REGION": "ap-guangzhou",
    "INPUT_BUCKETS": INPUT_BUCKET,
    "OUTPUT_BUCKET": OUTPUT_BUCKET,
    "CALLBACK_TOKEN": "a-made-up-token-of-24-ch",
}
OWNER = Identity(uin="100000000001", owner_uin="100000000001", appid="1250000000", is_root=True, arn="")
ROLES = ("scribe-prod-upload", "scribe-prod-callback", "scribe-prod-sweep")


def build_target(**config: str) -> DeployTarget:
    """The target for the settings of CONFIG, with some changed."""
    manifest = load_manifest(ROOT, {**CONFIG, **config})
    settings = load_function_settings(manifest.region, manifest.functions["callback"].variables)
    documents = role_policies(manifest, OWNER.owner_uin)
    return DeployTarget(manifest, settings, PackageRef(LABEL, lambda: b"zip"), documents, Commands())


def with_token(target: DeployTarget, token: str) -> DeployTarget:
    """The same target with another callback token."""
    functions = {
        key: replace(spec, variables={**spec.variables, "CALLBACK_TOKEN": token})
        for key, spec in target.manifest.functions.items()
    }
    return replace(
        target,
        manifest=replace(target.manifest, functions=functions),
        settings=replace(target.settings, callback_tokens=(token,)),
    )


def empty_state(target: DeployTarget) -> CurrentState:
    """An account with the buckets, and nothing else."""
    return _build_state(
        target,
        functions={},
        triggers={},
        retry_configs={},
        roles=dict.fromkeys(ROLES),
        speech_buckets=(),
        queues={},
    )


def deployed_state(target: DeployTarget) -> CurrentState:
    """An account in which everything is as in the target."""
    functions = {
        key: FunctionInfo(
            name=spec.name,
            namespace=spec.namespace,
            status="Active",
            status_reason="",
            description=LABEL,
            handler=spec.handler,
            runtime=spec.runtime,
            role=spec.role,
            memory_mib=spec.memory_mib,
            timeout_s=spec.timeout_s,
            init_timeout_s=spec.init_timeout_s,
            public_network=spec.public_network,
            variables=dict(spec.variables),
            tags=dict(spec.tags),
        )
        for key, spec in target.manifest.functions.items()
    }
    with_events = {trigger.function for trigger in target.manifest.triggers if trigger.type in EVENT_TYPES}
    config = build_notify_config(f"{CALLBACK_URL}/{target.settings.callback_tokens[0]}")
    return _build_state(
        target,
        functions=functions,
        triggers={
            key: tuple(map(as_returned, target.manifest.triggers_for(key)))
            for key in target.manifest.functions
        },
        retry_configs=dict.fromkeys(with_events, MAX_RETRY_CONFIG),
        roles={
            name: RoleInfo(name, (document,), True, (name,)) for name, document in target.documents.items()
        },
        speech_buckets=target.settings.input_buckets,
        queues={bucket: build_queue(config) for bucket in target.settings.input_buckets},
    )


def with_values(state: CurrentState, **values: Any) -> CurrentState:
    """A copy of the state in which these parts were read."""
    changed = copy.copy(state)
    for name, value in values.items():
        setattr(changed, name, value)
    return changed


def with_function(state: CurrentState, key: str, **changes: Any) -> CurrentState:
    """A copy in which a function differs. If its creation failed, the rest of it was not read."""
    function = replace(state.functions[key], **changes)
    changed = with_values(state, functions={**state.functions, key: function})
    if not function.creation_failed:
        return changed
    return with_values(
        changed,
        triggers={other: triggers for other, triggers in state.triggers.items() if other != key},
        retry_configs={other: retries for other, retries in state.retry_configs.items() if other != key},
    )


def with_triggers(state: CurrentState, key: str, *triggers: TriggerInfo) -> CurrentState:
    """A copy in which a function has these triggers."""
    return with_values(state, triggers={**state.triggers, key: triggers})


def with_role(state: CurrentState, name: str, document: Mapping[str, Any]) -> CurrentState:
    """A copy in which a role has this document."""
    return with_values(state, roles={**state.roles, name: RoleInfo(name, (document,), True, (name,))})


def build_queue(config: NotifyConfig, state: str = "Active") -> Queue:
    """A queue with this notification."""
    return Queue("q", "q", state, config)


def as_returned(trigger: TriggerSpec) -> TriggerInfo:
    """A trigger as SCF returns it: a timer as JSON, an address with its URL and a name of SCF's."""
    info = {"Type": trigger.type, "TriggerName": trigger.name, "Qualifier": trigger.qualifier, "Enable": 1}
    description = trigger.description
    if trigger.type == "timer":
        description = json.dumps({"cron": trigger.description})
    if trigger.type == "http":
        members = json.loads(description)
        members["NetConfig"]["ExtranetUrl"] = CALLBACK_URL
        members["CorsConfig"] = {"Enable": False}
        description, info["TriggerName"] = json.dumps(members), "abcdefghij"
    return parse_trigger({**info, "TriggerDesc": description, "CustomArgument": trigger.argument or None})


def create_offline_clients() -> Clients:
    """Create clients whose every request would fail."""
    return Clients.create(Credentials("AKIDEXAMPLE", "example"), CONFIG["REGION"], "http://127.0.0.1:9")


def _build_state(target: DeployTarget, **values: Any) -> CurrentState:
    state = CurrentState(create_offline_clients(), target.manifest, target.settings)
    defaults = {
        "identity": OWNER,
        "missing_buckets": {},
        "missing_namespaces": frozenset(),
        "other_namespaces": {},
        "former_queues": {},
        "service_roles": {},
        "ci_statuses": dict.fromkeys(target.settings.input_buckets, "on"),
        "old_recordings": {},
        "missing_receipts": {},
        "added_recordings": {},
        "output_folders": OutputFolders(),
        "abandoned_receipts": {},
    }
    return with_values(state, **defaults, **values)
