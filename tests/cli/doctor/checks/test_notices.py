"""Targets of notices are checked without sending anything: addresses, what is open, what was given up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from cli.config import Commands
from cli.deploy.state import CurrentState
from cli.doctor.checks.notices import check_address, check_notices
from cli.doctor.models import CheckContext, Finding, Status
from cli.notices.states import find_deployment
from cli.policy.permissions import load_function_settings
from shared.notices.addresses import PublicResolver
from shared.notices.delivery import Delivery, TargetState, delivery_key, target_state_key
from shared.notices.models import Target, TargetKind
from tests.helpers.doctor import OUTPUT, REGION, Deployment
from tests.helpers.notices import OK, FixedResolver, build_notice, build_target, run_receiver

pytestmark = pytest.mark.process

PREFIX = ".scribe/"


@pytest.fixture
def clean(deployment: Deployment) -> Iterator[Deployment]:
    """The deployment; notices in its output bucket are deleted in the end."""
    yield deployment
    cos = deployment.operator.cos
    for item in list(cos.iter_objects(OUTPUT, prefix=f"{PREFIX}notices/")):
        cos.delete(OUTPUT, item.key)


def create_check_context(deployment: Deployment, *targets: Target) -> CheckContext:
    manifest = deployment.manifest()
    variables = manifest.functions["callback"].variables
    settings = load_function_settings(REGION, variables, deployment.emulator.endpoint)
    state = CurrentState(
        deployment.clients(), manifest, replace(settings, targets=targets), job_callback=False
    )
    return CheckContext(state, "", Commands())


def find(deployment: Deployment, *targets: Target) -> list[Finding]:
    return list(check_notices(create_check_context(deployment, *targets)))


def put_state(deployment: Deployment, target: Target, state: TargetState) -> None:
    key = target_state_key(PREFIX, target.name, find_deployment(deployment.manifest()))
    deployment.operator.cos.put(OUTPUT, key, state.to_json())


def put_notice(deployment: Deployment, target: str, age_s: float) -> None:
    delivery = Delivery(build_notice(), target, time.time() - age_s, time.time())
    deployment.operator.cos.put(OUTPUT, delivery_key(PREFIX, delivery), delivery.to_json())


def test_without_targets_nothing_is_wrong(clean: Deployment) -> None:
    [finding] = find(clean)
    assert (finding.status, finding.message) == (Status.OK, "no notices are sent: no target is set")


def test_nothing_is_sent_to_a_target_that_is_well(clean: Deployment) -> None:
    with run_receiver(lambda connection: connection.sendall(OK)) as receiver:
        target = build_target(url=f"http://127.0.0.1:{receiver.port}/secret-path")
        put_notice(clean, "webhook", age_s=60)
        [finding] = find(clean, target)
    assert (finding.status, finding.subject) == (Status.OK, "webhook")
    assert receiver.accepted == 0


@pytest.mark.parametrize(
    ("state", "status", "message", "fix"),
    [
        (
            TargetState(failures_in_row=3, reason="status 500"),
            Status.NOTE,
            "failed attempts in a row: 3; 0 notices are open: status 500",
            "`scribe notify --test --target webhook`",
        ),
        (
            TargetState(failures_in_row=1, reason="status 429", paused_until_s=4_000_000_000.0),
            Status.NOTE,
            "status 429; paused until 2096-10-02T07:06:40Z",
            "`scribe notify --test --target webhook`",
        ),
        (
            TargetState(given_up=2, reason="status 500"),
            Status.NOTE,
            "2 notices were never delivered; the reason of the last failure: status 500",
            "`scribe notify --reset webhook`",
        ),
    ],
)
def test_failures_are_notes_that_say_what_to_do(
    clean: Deployment, state: TargetState, status: Status, message: str, fix: str
) -> None:
    target = build_target(url="http://127.0.0.1:9/secret-path")
    put_state(clean, target, state)
    [finding] = find(clean, target)
    assert (finding.status, finding.subject) == (status, "webhook")
    assert message in finding.message
    assert fix in finding.fix


def test_target_that_wants_no_more_is_wrong_until_its_address_changes(clean: Deployment) -> None:
    target = build_target(url="http://127.0.0.1:9/secret-path")
    put_state(clean, target, TargetState(failures_in_row=1, stopped_fingerprint=target.fingerprint))
    [finding] = find(clean, target)
    assert (finding.status, finding.blocks) == (Status.WRONG, False)
    assert "wants no more notices (status 410)" in finding.message
    assert "set NOTIFY_WEBHOOK to another address, or run `scribe notify --reset webhook`" in finding.fix
    assert "secret-path" not in str(finding)


def test_old_open_notices_and_those_of_unknown_targets_are_notes(clean: Deployment) -> None:
    put_notice(clean, "webhook", age_s=7200)
    put_notice(clean, "wecom-support", age_s=60)
    waiting, unknown = find(clean, build_target(url="http://127.0.0.1:9/"))
    assert "1 notice is open, the oldest since 20" in waiting.message
    assert "timer of the sweep" in waiting.fix
    assert (unknown.subject, unknown.status) == ("wecom-support", Status.NOTE)
    assert "which is not set: given up after three days" in unknown.message


def test_open_notices_without_any_target_stay(clean: Deployment) -> None:
    put_notice(clean, "webhook", age_s=5 * 86_400)
    _, finding = find(clean)
    assert (finding.subject, finding.status) == ("webhook", Status.NOTE)
    assert "they stay there, because no target is set at all" in finding.message


def test_whole_doctor_reports_notices(clean: Deployment) -> None:
    findings = [finding for finding in clean.findings() if finding.name == "notices"]
    assert [finding.status for finding in findings] == [Status.OK]


@pytest.mark.parametrize("address", ["10.0.0.8", "169.254.0.23", "127.0.0.1"])
def test_name_with_a_private_address_is_wrong(clean: Deployment, address: str) -> None:
    context = create_check_context(clean)
    resolver = FixedResolver(["93.184.216.34", address])
    [finding] = check_address(context, build_target(TargetKind.WEBHOOK), PublicResolver(resolver))
    assert (finding.status, finding.blocks) == (Status.WRONG, False)
    assert f"hooks.example.com has the address {address}, which is not a public one" in finding.message
    assert "team=a" not in str(finding)
    assert resolver.names == ["hooks.example.com"]


def test_name_that_is_not_resolved_here_is_a_note(clean: Deployment) -> None:
    target = build_target(url="https://no-one.invalid/secret-path")
    [finding] = find(clean, target)
    assert finding.status is Status.NOTE
    assert "no-one.invalid has no address, as seen from this machine" in finding.message
    assert "`scribe notify --test --target webhook`" in finding.fix
