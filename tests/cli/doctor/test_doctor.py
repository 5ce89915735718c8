"""`scribe doctor` on a healthy deployment, on none, and what it prints."""

from __future__ import annotations

import io
import json
from types import ModuleType

import pytest
from rich.console import Console

from cli.doctor import checks
from cli.doctor.checks import CHECKS
from cli.doctor.command import doctor
from cli.doctor.models import Status
from cli.policy.documents import deployer_policy
from cli.policy.permissions import load_function_settings, scope_from_settings
from tests.helpers.doctor import (
    OWNER,
    REGION,
    TOKEN,
    Deployment,
    describe,
    list_wrong,
)

pytestmark = pytest.mark.process


def test_healthy_deployment_has_nothing_wrong_or_skipped(deployment: Deployment) -> None:
    findings = deployment.findings()
    assert [finding for finding in findings if finding.status in {Status.WRONG, Status.SKIPPED}] == []
    assert [finding.name for finding in findings if finding.status is Status.NOTE] == [
        "account"
    ]  # a key of the account itself
    assert {finding.name for finding in findings} == {check.name for check in CHECKS}


def test_checks_change_nothing(deployment: Deployment) -> None:
    before = max(row["number"] for row in deployment.admin("GET", "requests"))
    deployment.findings()
    rows = [row for row in deployment.admin("GET", f"requests?since={before}") if not row.get("function")]
    reading = ("Get", "Head", "List", "Describe")
    writing = [row for row in rows if not row["action"].partition(":")[2].startswith(reading)]
    assert len(rows) > 20
    assert [row for row in writing if row["action"]] == []


def test_deployer_policy_suffices_for_every_check(deployment: Deployment) -> None:
    manifest = deployment.manifest()
    scope = scope_from_settings(load_function_settings(REGION, manifest.functions["upload"].variables), OWNER)
    deployer = deployment.create_key(deployer_policy(scope, manifest.functions.values()))
    findings = deployment.findings(clients=deployment.clients(deployer))
    assert [finding for finding in findings if finding.status is not Status.OK] == []


def test_stage_that_was_never_deployed_is_reported(deployment: Deployment) -> None:
    findings = deployment.findings(SCRIBE_STAGE="test", SCF_ROLE_NAME="scribe-test")
    assert list_wrong(findings) == {"role", "function", "overlap", "notification"}
    assert "scribe-test-scribe-upload" in describe(findings, "function")
    assert deployment.name("upload") in describe(findings, "overlap")
    assert "depends on `function`" in describe(findings, "trigger", Status.SKIPPED)


def test_command_prints_json_or_lines(deployment: Deployment) -> None:
    output = io.StringIO()
    assert doctor(Console(file=output, width=40), deployment.context(), as_json=True)
    document = json.loads(output.getvalue())
    assert document["ok"] is True
    assert {"name", "subject", "status", "message", "fix"} == set(document["findings"][0])
    assert {finding["status"] for finding in document["findings"]} == {"ok", "note"}
    output = io.StringIO()
    # Without a token in the settings, that of the deployed function is used.
    context = deployment.context(CALLBACK_TOKEN="", ENGINE="16k_en")
    assert not doctor(Console(file=output, width=40), context, as_json=False)
    assert (
        "wrong   variables upload: deployed with other values: ENGINE\n    fix: scribe deploy --env-file "
        in output.getvalue()
    )
    assert "wrong   notification" not in output.getvalue()
    assert "Some checks failed: " in output.getvalue()
    for secret in (TOKEN, deployment.emulator.secret_key):
        assert secret not in output.getvalue()


def test_every_check_function_is_listed() -> None:
    modules = [module for module in vars(checks).values() if isinstance(module, ModuleType)]
    defined = {name for module in modules for name in vars(module) if name.startswith("check_")}
    assert len(modules) > 4
    assert defined == {check.run.__name__ for check in CHECKS}
