"""The doctor's checks of the triggers: closed, extra, overlapping, and loops."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from cli.cloud.scf import cos_rules
from cli.doctor.models import Status
from tests.helpers.doctor import (
    INPUT,
    OUTPUT,
    Deployment,
    describe,
    list_wrong,
)

pytestmark = pytest.mark.process


def test_closed_trigger_is_found(deployment: Deployment) -> None:
    name = deployment.name("upload")
    trigger = next(
        trigger for trigger in deployment.scf.list_triggers(name, "default") if trigger.type == "cos"
    )
    naming = {"FunctionName": name, "TriggerName": trigger.name, "Type": "cos", "Qualifier": "$DEFAULT"}
    closing = {**naming, "TriggerDesc": trigger.raw_description, "Enable": "CLOSE"}
    deployment.api.call("scf", "UpdateTriggerStatus", closing)
    findings = deployment.findings()
    deployment.scf.enable_trigger(name, "default", trigger)
    assert list_wrong(findings) == {"trigger"}
    assert "upload cos" in describe(findings, "trigger")
    assert "closed" in describe(findings, "trigger")


def test_forgotten_function_url_is_found(deployment: Deployment) -> None:
    name = deployment.name("sweep")
    network = {"EnableExtranet": True, "EnableIntranet": False}
    params = {"FunctionName": name, "TriggerName": "url-trigger", "Type": "http", "Qualifier": "$DEFAULT"}
    desc = json.dumps({"AuthType": "NONE", "NetConfig": network})
    deployment.scf.create_trigger({**params, "TriggerDesc": desc, "Enable": "OPEN"})
    findings = deployment.findings()
    [extra] = [trigger for trigger in deployment.scf.list_triggers(name, "default") if trigger.type == "http"]
    deployment.scf.delete_trigger(name, "default", extra)
    assert list_wrong(findings) == {"extra-trigger"}
    assert "sweep http" in describe(findings, "extra-trigger")


def test_overlapping_rule_of_another_function_is_found(deployment: Deployment) -> None:
    with deployment.foreign_function(INPUT, "music/", ".mp3") as name:
        findings = deployment.findings(INPUT_PREFIX="music/live/")
    assert "overlap" in list_wrong(findings)
    assert name in describe(findings, "overlap")
    assert "music/*.mp3" in describe(findings, "overlap")


def test_loop_by_another_function_on_the_receipts_is_found(deployment: Deployment) -> None:
    with deployment.foreign_function(OUTPUT, "") as name:
        findings = deployment.findings()
    assert list_wrong(findings) == {"loop"}
    assert name in describe(findings, "loop")


def test_another_function_on_the_transcripts_is_only_a_note(deployment: Deployment) -> None:
    with deployment.foreign_function(OUTPUT, "transcripts/", ".json") as name:
        findings = deployment.findings()
    assert list_wrong(findings) == set()
    assert name in describe(findings, "loop", Status.NOTE)


def test_loop_by_different_settings_of_the_functions_is_found(
    deployment: Deployment,
) -> None:
    """Upload is invoked below calls/ and has transcripts/ as output prefix; callback writes below calls/."""
    manifest = deployment.manifest()
    callback = manifest.functions["callback"]
    wrong_variables = {
        **callback.variables,
        "OUTPUT_BUCKET": INPUT,
        "INPUT_PREFIX": "",
        "OUTPUT_PREFIX": "calls/",
    }
    deployment.set_variables(callback.name, wrong_variables)
    findings = deployment.findings()
    deployment.set_variables(callback.name, dict(callback.variables))
    assert list_wrong(findings) == {"variables", "loop"}
    assert "calls/" in describe(findings, "loop")


def test_transcripts_that_invoke_upload_are_a_note(deployment: Deployment) -> None:
    manifest = deployment.manifest()
    variables = {key: dict(spec.variables) for key, spec in manifest.functions.items()}
    for key, spec in manifest.functions.items():
        deployment.set_variables(
            spec.name, {**variables[key], "OUTPUT_BUCKET": INPUT, "OUTPUT_PREFIX": "calls/t/"}
        )
    findings = deployment.findings(OUTPUT_BUCKET=INPUT, OUTPUT_PREFIX="calls/t/")
    for key, spec in manifest.functions.items():
        deployment.set_variables(spec.name, variables[key])
    assert "loop" not in list_wrong(findings)
    assert "ignores them" in describe(findings, "loop", Status.NOTE)


class DeletedWhileReading(set[tuple[str, str]]):
    """The functions to leave out; another function is deleted in the moment in which it is compared."""

    def __init__(self, delete: Callable[[str, str], None]) -> None:
        super().__init__()
        self.delete = delete

    def __contains__(self, function: object) -> bool:
        match function:
            case ("music-player", str(namespace)):
                self.delete("music-player", namespace)
        return False


def test_function_deleted_while_rules_are_read_is_ignored(deployment: Deployment) -> None:
    with deployment.foreign_function(INPUT, "music/") as name:
        own = DeletedWhileReading(deployment.scf.delete_function)
        triggers = deployment.scf.list_triggers_of_others(own)
    owners = {rule.owner for owner in triggers for rule in cos_rules(owner, triggers[owner])}
    assert deployment.name("upload") in owners
    assert name not in owners
