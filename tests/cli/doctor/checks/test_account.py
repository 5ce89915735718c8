"""The doctor's checks of the clock, the key, the account, the region and the roles."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from cli.cloud.cam import SCF_ROLE, CamClient
from cli.doctor.command import doctor
from cli.doctor.models import Status
from cli.policy.permissions import CI_ROLE
from shared.tencent.auth import Credentials
from tests.helpers.doctor import (
    APPID,
    OUTPUT,
    REGION,
    Deployment,
    describe,
    list_wrong,
)

pytestmark = pytest.mark.process


@pytest.mark.parametrize(
    ("ahead_s", "state"), [(-100, Status.NOTE), (100, Status.NOTE), (400, Status.WRONG), (-400, Status.WRONG)]
)
def test_wrong_clock_is_found(deployment: Deployment, ahead_s: float, state: Status) -> None:
    clients = deployment.clients()
    findings = deployment.findings(clients=replace(clients, now=lambda: clients.now() + ahead_s))
    assert "clock" in describe(findings, "clock", state)
    assert ("ahead of" if ahead_s > 0 else "behind") in describe(findings, "clock", state)
    assert ("depends on `clock`" in describe(findings, "key", Status.SKIPPED)) == (state is Status.WRONG)


def test_expired_temporary_key_is_found_and_the_rest_is_skipped(deployment: Deployment) -> None:
    key = deployment.admin("POST", "keys?lifetime=-10")
    expired = Credentials(key["secret_id"], key["secret_key"], key["token"])
    findings = deployment.findings(clients=deployment.clients(expired))
    assert list_wrong(findings) == {"key"}
    assert "expired" in describe(findings, "key")
    assert {finding.status for finding in findings if finding.name not in {"clock", "key"}} == {
        Status.SKIPPED
    }
    assert "depends on `key`" in describe(findings, "notification", Status.SKIPPED)


@pytest.mark.parametrize(
    ("secret_id", "secret_key", "message"),
    [("AKIDnobody", "", "no key has this SecretId"), ("", "not-its-secret", "does not belong")],
)
def test_unknown_key_and_wrong_secret_have_different_messages(
    deployment: Deployment, secret_id: str, secret_key: str, message: str
) -> None:
    credentials = Credentials(secret_id or deployment.emulator.secret_id, secret_key or "something")
    findings = deployment.findings(clients=deployment.clients(credentials))
    assert list_wrong(findings) == {"key"}
    assert message in describe(findings, "key")
    assert "not-its-secret" not in str(findings)


def test_key_without_permissions_is_pointed_to_the_policy(deployment: Deployment) -> None:
    allowed = {"effect": "allow", "action": ["sts:GetCallerIdentity", "scf:*"], "resource": "*"}
    limited = deployment.create_key({"version": "2.0", "statement": [allowed]})
    findings = deployment.findings(clients=deployment.clients(limited))
    assert "scribe policy deployer" in describe(findings, "role", Status.SKIPPED)
    assert "scribe policy deployer" in describe(findings, "speech-service", Status.SKIPPED)
    assert "is active" in describe(findings, "function", Status.OK)


def test_buckets_of_another_account_are_found(deployment: Deployment) -> None:
    findings = deployment.findings(OUTPUT_BUCKET="transcripts-1259999999")
    assert "transcripts-1259999999" in describe(findings, "account")
    assert f"appid {APPID}" in describe(findings, "account")
    for name in ("bucket", "versioning", "role", "speech-service", "notification"):
        assert "depends on `account`" in describe(findings, name, Status.SKIPPED)
    assert list_wrong(findings) == {"account"}
    assert "is active" in describe(findings, "function", Status.OK)


def test_region_without_scf_is_one_finding_that_names_the_setting(deployment: Deployment) -> None:
    output = io.StringIO()
    assert not doctor(Console(file=output), deployment.context(REGION="ap-beijing"), as_json=True)
    findings = json.loads(output.getvalue())["findings"]
    [region] = [finding for finding in findings if finding["status"] == "wrong"]
    assert region["name"] == "region"
    assert f"correct REGION in {deployment.folder / 'none.env'}" in region["fix"]
    assert {finding["message"] for finding in findings if finding["status"] == "skipped"} == {
        "depends on `region`"
    }
    assert {"bucket", "role", "function", "queue"} <= {
        finding["name"] for finding in findings if finding["status"] == "skipped"
    }


def test_missing_permission_is_reported_with_action_and_resource(deployment: Deployment) -> None:
    role = deployment.manifest().functions["callback"].role
    cam = CamClient(deployment.api)
    before = cam.get_role(role)
    assert before
    [document] = before.documents
    reduced = json.loads(json.dumps(document))
    for statement in reduced["statement"]:
        statement["action"] = [
            action for action in statement["action"] if not action.endswith("cos:PutObject")
        ]
    reduced["statement"] = [statement for statement in reduced["statement"] if statement["action"]]
    cam.ensure_role(role, reduced)
    findings = deployment.findings()
    cam.ensure_role(role, document)
    assert list_wrong(findings) == {"role"}
    assert "cos:PutObject" in describe(findings, "role")
    assert f"{OUTPUT}/.scribe/" in describe(findings, "role")
    assert "scribe policy --create-role" in describe(findings, "role")


def test_role_from_before_notices_is_reported(deployment: Deployment) -> None:
    """Notices were switched on after the last deployment, so the roles do not allow them yet."""
    url = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=made-up"
    findings = deployment.findings(NOTIFY_WECOM=url)
    assert f"cos:PutObject on qcs::cos:{REGION}:uid/{APPID}:{OUTPUT}/.scribe/notices/" in describe(
        findings, "role"
    )
    assert "scribe policy --create-role" in describe(findings, "role")
    assert "made-up" not in str(findings)


@pytest.mark.parametrize(("role", "check"), [(CI_ROLE, "ci-role"), (SCF_ROLE, "scf-role")])
def test_service_role_that_is_missing_or_has_no_policy_is_found(
    deployment: Deployment, role: str, check: str
) -> None:
    call = deployment.api.call
    before = call("cam", "GetRole", {"RoleName": role})["RoleInfo"]
    attached = call("cam", "ListAttachedRolePolicies", {"RoleName": role, "Page": 1, "Rp": 20})["List"]
    assert attached
    call("cam", "DeleteRole", {"RoleName": role})
    findings = deployment.findings()
    again = {"RoleName": role, "PolicyDocument": before["PolicyDocument"], "Description": "as before"}
    call("cam", "CreateRole", again)
    bare = deployment.findings()
    for policy in attached:
        call("cam", "AttachRolePolicy", {"AttachRoleName": role, "PolicyId": policy["PolicyId"]})
    assert list_wrong(findings) == {check}
    assert f"https://console.cloud.tencent.com/cam/role/grant?roleName={role}" in describe(findings, check)
    assert "scribe deploy" in describe(findings, check)
    if role == CI_ROLE:
        assert list_wrong(bare) == set()
        assert "no policy attached" in describe(bare, check, Status.NOTE)
    else:
        assert list_wrong(bare) == {check}
        assert "lacks the policy QcloudAccessForScfRole" in describe(bare, check)
