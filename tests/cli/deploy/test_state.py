"""What is read of an account before a deployment."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace

import pytest

from cli.deploy.clients import Clients
from cli.deploy.state import CurrentState
from cli.manifest.models import (
    Manifest,
    create_function_payload,
)
from shared.tencent.auth import Credentials
from tests.helpers.account import (
    REGION,
    Account,
    build_deployer_policy,
    load_upload_settings,
)

pytestmark = pytest.mark.process


def in_namespace(manifest: Manifest, namespace: str) -> Manifest:
    functions = {key: replace(spec, namespace=namespace) for key, spec in manifest.functions.items()}
    return replace(manifest, functions=functions)


def test_missing_namespace_is_found_with_narrow_permissions(
    account: Account,
) -> None:
    manifest = in_namespace(account.manifest(), "nowhere")
    policy = build_deployer_policy(manifest)
    for statement in policy["statement"]:
        statement["action"] = [action for action in statement["action"] if action != "scf:GetFunction"]
    own = "qcs::scf:ap-guangzhou:uin/100000000001:namespace/nowhere/function/*"
    policy["statement"].append({"effect": "allow", "action": ["scf:GetFunction"], "resource": [own]})
    key_variables = account.create_key(policy)
    key = Credentials(
        *(key_variables[f"TENCENTCLOUD_{name}"] for name in ("SECRET_ID", "SECRET_KEY", "TOKEN"))
    )
    clients = Clients.create(key, REGION, account.emulator.endpoint)
    state = CurrentState(clients, manifest, load_upload_settings(manifest))
    state.load_for_deployment()
    assert state.functions == {}
    assert state.missing_namespaces == {"nowhere"}
    assert state.other_namespaces == dict.fromkeys(manifest.functions, "default")


def test_nothing_else_is_read_of_a_function_whose_creation_failed(account: Account) -> None:
    manifest = account.manifest({"SCRIBE_STAGE": "fail"})
    broken = replace(manifest.functions["sweep"], handler="missing.main_handler")
    payload = {name: value for name, value in create_function_payload(broken).items() if name != "Role"}
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as file:
        file.writestr("index.py", "")
    account.clients.scf.create_function(payload, code.getvalue())
    try:
        since = account.last_request()
        sweep_only = replace(manifest, functions={"sweep": broken})
        state = CurrentState(account.clients, sweep_only, load_upload_settings(manifest), require_stable=True)
        state.load_for_deployment()
        assert state.functions["sweep"].status == "CreateFailed"
        actions = {row["action"] for row in account.admin("GET", f"requests?since={since}")}
        assert "scf:GetFunction" in actions
        assert not actions & {"scf:ListTriggers", "scf:GetFunctionEventInvokeConfig"}
    finally:
        account.clients.scf.delete_function(broken.name, broken.namespace)
