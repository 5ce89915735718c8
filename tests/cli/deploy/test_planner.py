"""What a plan contains, in which order, and that it shows no secret; preflight checks; the executor. No requests."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from cli.cloud.cam import CI_SERVICE_ROLE, SCF_SERVICE_ROLE, CamClient, ServiceRoleState
from cli.cloud.client import ApiError
from cli.cloud.scf import TriggerInfo
from cli.config import Commands
from cli.deploy.command import print_plan
from cli.deploy.executor import ExecutionFailed, execute_plan
from cli.deploy.notifications import build_notify_config, notification_problem
from cli.deploy.planner import create_plan, list_plan_warnings
from cli.deploy.preflight import PreflightFailed, check_preconditions
from cli.deploy.steps import Action, Change, Step
from cli.deploy.target import complete_callback_url
from cli.policy.diff import missing_permissions
from shared.errors import RequestRejected
from shared.tencent.speech_models import NotifyConfig
from tests.helpers.deployment import (
    CALLBACK_URL,
    CONFIG,
    INPUT_BUCKET,
    build_queue,
    build_target,
    create_offline_clients,
    deployed_state,
    empty_state,
    with_function,
    with_role,
    with_token,
    with_triggers,
    with_values,
)

NOTIFY = build_notify_config(f"{CALLBACK_URL}/{CONFIG['CALLBACK_TOKEN']}")
TARGET = build_target()
MISSING_ROLE = ServiceRoleState(exists=False, is_trusted=False, missing_policies=("Some",))
CREATION_FAILED = {"status": "CreateFailed", "status_reason": "no room"}


@dataclass(frozen=True)
class RecordingCamClient(CamClient):
    """Keeps the documents that a step gives to roles; sends nothing."""

    documents: list[Mapping[str, Any]] = field(default_factory=list)

    def ensure_role(self, role_name: str, document: Mapping[str, Any]) -> bool:
        self.documents.append(document)
        return True


def get_role_document(step: Step) -> Mapping[str, Any]:
    cam = RecordingCamClient(create_offline_clients().api)
    step.apply(replace(create_offline_clients(), cam=cam))
    [document] = cam.documents
    return dict(document)


def format_plan(steps: Sequence[Step]) -> str:
    output = io.StringIO()
    print_plan(Console(file=output, width=80), steps)
    return output.getvalue()


def list_steps(steps: Sequence[Step]) -> list[str]:
    return [f"{step.action.value} {step.description}" for step in steps]


def test_unchanged_deployment_needs_no_step() -> None:
    assert create_plan(TARGET, deployed_state(TARGET)) == ()
    assert list_plan_warnings(TARGET, deployed_state(TARGET)) == []


def test_in_an_empty_account_triggers_come_last() -> None:
    lines = list_steps(create_plan(TARGET, empty_state(TARGET)))
    queue = lines.index("~ speech queue of recordings-1250000000")
    assert [line.split()[1] for line in lines[queue + 1 :]] == ["cos", "cos", "timer", "timer"]
    assert lines.index("+ address of scribe-prod-scribe-callback") < queue
    assert lines.index("+ function scribe-prod-scribe-callback") < lines.index(
        "+ address of scribe-prod-scribe-callback"
    )


@settings(max_examples=30, deadline=None)
@given(
    old=st.text("abcdefghijklm", min_size=20, max_size=36),
    new=st.text("0123456789-", min_size=20, max_size=36),
)
def test_plan_shows_no_token(old: str, new: str) -> None:
    target = with_token(TARGET, new)
    state = with_values(deployed_state(with_token(TARGET, old)), roles={})  # roles contain no token
    steps = create_plan(target, state)
    output = format_plan(steps)
    assert output.count("CALLBACK_TOKEN: set -> another value") == 4
    from_nothing = format_plan(create_plan(target, with_values(empty_state(target), roles={})))
    for text in (output, repr(steps), repr(target), repr(state), from_nothing):
        assert old not in text
        assert new not in text


def test_package_is_uploaded_before_its_label_is_set() -> None:
    state = with_function(
        deployed_state(TARGET), "sweep", description="Scribe 0.0.9, package fedcba9876543210"
    )
    assert list_steps(create_plan(TARGET, state)) == [
        "~ code of scribe-prod-scribe-sweep",
        "~ function scribe-prod-scribe-sweep",
    ]


def test_unknown_variable_is_removed_without_showing_its_value() -> None:
    variables = {**TARGET.manifest.functions["upload"].variables, "DB_PASSWORD": "a secret"}
    steps = create_plan(TARGET, with_function(deployed_state(TARGET), "upload", variables=variables))
    assert [step.changes for step in steps] == [(Change("DB_PASSWORD", "set", ""),)]


def test_function_whose_creation_failed_is_created_again_with_triggers() -> None:
    first, *others = create_plan(TARGET, with_function(deployed_state(TARGET), "sweep", **CREATION_FAILED))
    assert list_steps([first]) == ["+ function scribe-prod-scribe-sweep"]
    assert "status: CreateFailed (no room) -> Active" in format_plan([first])
    assert [line.partition(" of ")[0] for line in list_steps(others)[1:]] == [
        "+ timer trigger reconcile",
        "+ timer trigger audit",
    ]
    functions = {
        key: replace(spec, tags={"app": "scribe"}) for key, spec in TARGET.manifest.functions.items()
    }
    tagged = replace(TARGET, manifest=replace(TARGET.manifest, functions=functions))
    failed = with_function(deployed_state(tagged), "sweep", **CREATION_FAILED, tags={})
    assert list_plan_warnings(tagged, failed) == []


def test_changed_address_keeps_its_url_and_changed_rule_is_replaced() -> None:
    target = build_target(INPUT_PREFIX="calls/")
    state = deployed_state(TARGET)
    address = state.triggers["callback"][0]
    private = replace(address, description=address.description.replace('"NONE"', '"CAM"'))
    steps = create_plan(target, with_triggers(state, "callback", private))
    actions = [step.action for step in steps if step.description.startswith(("address", "cos"))]
    assert actions == [Action.CHANGE, Action.CHANGE, Action.CHANGE]


def test_trigger_for_restores_is_added_beside_that_for_uploads() -> None:
    state = deployed_state(TARGET)
    uploads, restores = state.triggers["upload"]
    assert (uploads.name, uploads.event) == (restores.name, "cos:ObjectCreated:*")
    host = f"{INPUT_BUCKET}.cos.ap-guangzhou.myqcloud.com"
    assert list_steps(create_plan(TARGET, with_triggers(state, "upload", uploads))) == [
        f"+ cos trigger {host} (cos:ObjectRestore:Completed) of scribe-prod-scribe-upload"
    ]
    other = replace(restores, description=restores.description.replace('"Prefix":""', '"Prefix":"x/"'))
    assert list_steps(create_plan(TARGET, with_triggers(state, "upload", other, uploads))) == [
        f"~ cos trigger {host} (cos:ObjectRestore:Completed) of scribe-prod-scribe-upload"
    ]


def test_unknown_trigger_is_deleted_and_one_of_another_type_is_kept() -> None:
    state = deployed_state(TARGET)
    extra = TriggerInfo("timer", "hourly", "0 0 * * * * *", "$DEFAULT", is_open=True)
    log = TriggerInfo("cls", "logs", "{}", "$DEFAULT", is_open=True)
    state = with_triggers(state, "sweep", *state.triggers["sweep"], extra, log)
    assert list_steps(create_plan(TARGET, state)) == ["- timer trigger hourly of scribe-prod-scribe-sweep"]
    assert list_plan_warnings(TARGET, state) == [
        "scribe-prod-scribe-sweep also has a cls trigger logs, which is not changed"
    ]


def test_foreign_notification_is_shown_without_its_secret() -> None:
    config = build_notify_config("https://hooks.example.com/someone/their-own-secret")
    queue = build_queue(config._replace(state="Off"), "Paused")
    state = with_values(deployed_state(TARGET), queues={INPUT_BUCKET: queue})
    output = format_plan(create_plan(TARGET, state, resume_queues=True))
    assert "state: Paused -> Active" in output
    assert "notification: Off -> On" in output
    assert "their-own-secret" not in output
    assert "state: Paused" not in format_plan(create_plan(TARGET, state))


def test_paused_queue_stays_paused_unless_it_is_to_be_resumed() -> None:
    queue = build_queue(NOTIFY, "Paused")
    state = with_values(deployed_state(TARGET), queues={INPUT_BUCKET: queue})
    assert create_plan(TARGET, state) == ()
    [warning] = list_plan_warnings(TARGET, state)
    assert "stays paused" in warning
    assert "`scribe deploy --resume-queue`" in warning
    [step] = create_plan(TARGET, state, resume_queues=True)
    assert step.changes == (Change("state", "Paused", "Active"),)
    assert list_plan_warnings(TARGET, state, resume_queues=True) == []


def build_policy(*actions: str) -> dict[str, Any]:
    return {"version": "2.0", "statement": [{"effect": "allow", "action": list(actions), "resource": "*"}]}


def test_role_gains_permissions_before_functions_change_and_loses_after() -> None:
    target = build_target(OUTPUT_BUCKET="texts-1250000000", SWEEP_AFTER="600")
    name = "scribe-prod-callback"
    first, *others, last = [
        step
        for step in create_plan(target, with_role(deployed_state(TARGET), name, TARGET.documents[name]))
        if name in step.description or not step.description.startswith("role ")
    ]
    assert [step.description for step in others] == [
        f"function {spec.name}" for spec in target.manifest.functions.values()
    ]
    for document in (TARGET.documents[name], target.documents[name]):
        assert missing_permissions(document, [get_role_document(first)]) == []
    assert len(first.changes) > 1
    assert not any(change.before for change in first.changes)
    assert get_role_document(last) == target.documents[name]
    assert len(last.changes) > 1
    assert not any(change.after for change in last.changes)


def test_role_that_only_allows_too_much_is_reduced_last() -> None:
    target = build_target(SWEEP_AFTER="600")
    name = "scribe-prod-upload"
    statements = [*target.documents[name]["statement"], *build_policy("cos:*")["statement"]]
    wide = {**target.documents[name], "statement": statements}
    *functions, role = create_plan(target, with_role(deployed_state(TARGET), name, wide))
    assert len(functions) == 3
    assert role.description == f"role {name}"
    assert role.changes == (Change("allows", "cos:* on *", ""),)


def test_permissions_too_long_together_change_at_once_with_a_warning() -> None:
    name = "scribe-prod-upload"
    policy = build_policy(*(f"cos:Some{number}" for number in range(500)))
    state = with_role(deployed_state(TARGET), name, policy)
    (step,) = create_plan(TARGET, state)
    assert get_role_document(step) == TARGET.documents[name]
    assert any(change.before for change in step.changes)
    assert any(change.after for change in step.changes)
    (warning,) = list_plan_warnings(TARGET, state)
    assert f"role {name}" in warning
    assert "exceed the length that CAM accepts" in warning


def test_address_of_another_version_is_recreated_and_the_queue_updated() -> None:
    state = deployed_state(TARGET)
    other = replace(state.triggers["callback"][0], qualifier="$LATEST")
    assert list_steps(create_plan(TARGET, with_triggers(state, "callback", other))) == [
        f"- address of scribe-prod-scribe-callback ({CALLBACK_URL}, cannot be restored)",
        "+ address of scribe-prod-scribe-callback",
        "~ speech queue of recordings-1250000000",
    ]


@pytest.mark.parametrize(
    "config",
    [
        NOTIFY._replace(type="", format=""),
        NOTIFY._replace(type="URL", event="taskfinish", format="xml"),
        NOTIFY._replace(event="WorkflowFinish, TaskFinish"),
        NOTIFY._replace(event="TransCodingFinish", format="JSON"),
    ],
)
def test_equivalent_notification_is_neither_changed_nor_wrong(config: NotifyConfig) -> None:
    state = with_values(deployed_state(TARGET), queues={INPUT_BUCKET: build_queue(config)})
    assert create_plan(TARGET, state) == ()
    assert notification_problem(config, CALLBACK_URL, TARGET.settings.callback_tokens) == ""


@pytest.mark.parametrize(
    "config",
    [
        NOTIFY._replace(state="Off"),
        NOTIFY._replace(type="Mq"),
        NOTIFY._replace(event="WorkflowFinish"),
        NOTIFY._replace(format="YAML"),
        NOTIFY._replace(url=f"{CALLBACK_URL}/another-token"),
    ],
)
def test_wrong_notification_is_changed_and_shown(config: NotifyConfig) -> None:
    state = with_values(deployed_state(TARGET), queues={INPUT_BUCKET: build_queue(config)})
    (step,) = create_plan(TARGET, state)
    assert step.changes
    assert notification_problem(config, CALLBACK_URL, TARGET.settings.callback_tokens)


def test_unbound_bucket_and_missing_service_roles_are_set_up_first() -> None:
    roles = dict.fromkeys((SCF_SERVICE_ROLE, CI_SERVICE_ROLE), MISSING_ROLE)
    state = with_values(deployed_state(TARGET), service_roles=roles, ci_statuses={INPUT_BUCKET: "off"})
    assert list_steps(create_plan(TARGET, state)) == [
        "+ service role SCF_QcsRole",
        "+ service role CI_QCSRole",
        f"+ binding of {INPUT_BUCKET} to Cloud Infinite",
    ]
    assert list_plan_warnings(TARGET, state) == []
    assert len(list_plan_warnings(TARGET, state, with_roles=False)) == 2
    unreadable = with_values(deployed_state(TARGET), ci_statuses={})
    assert create_plan(TARGET, unreadable) == ()


def test_jobs_get_the_address_once_it_is_known() -> None:
    target = replace(TARGET, job_callback=True)
    lines = list_steps(create_plan(target, empty_state(target)))
    start = lines.index("+ address of scribe-prod-scribe-callback")
    assert lines[start + 1 : start + 3] == [
        "~ notification of the jobs of scribe-prod-scribe-upload",
        "~ notification of the jobs of scribe-prod-scribe-sweep",
    ]
    assert not [line for line in lines if "speech queue" in line]
    complete = replace(
        target, manifest=complete_callback_url(target.manifest, CALLBACK_URL, CONFIG["CALLBACK_TOKEN"])
    )
    foreign = build_queue(build_notify_config("https://hooks.example.com/their-own-secret-token"))
    state = with_values(deployed_state(complete), queues={INPUT_BUCKET: foreign})
    assert create_plan(complete, state) == ()
    steps = create_plan(complete, with_values(deployed_state(TARGET), queues={INPUT_BUCKET: foreign}))
    assert [step.changes for step in steps] == [(Change("CALLBACK_URL", "", "set"),)] * 2


def test_other_tags_are_ignored_and_a_missing_tag_is_a_warning() -> None:
    tags = {"app": "scribe"}
    functions = {key: replace(spec, tags=tags) for key, spec in TARGET.manifest.functions.items()}
    target = replace(TARGET, manifest=replace(TARGET.manifest, functions=functions))
    state = with_function(deployed_state(target), "sweep", tags={**tags, "costs": "someone's"})
    assert list_plan_warnings(target, state) == []
    state = with_function(state, "sweep", tags={"costs": "someone's"})
    assert "other tags" in str(list_plan_warnings(target, state))


def test_preflight_reports_every_problem_with_its_solution() -> None:
    target = build_target(QUEUE_ID="q-of-another-bucket", CALLBACK_TOKEN="x" * 60)
    state = with_function(deployed_state(target), "upload", runtime="Python3.9")
    state = with_values(
        state,
        functions={key: function for key, function in state.functions.items() if key != "sweep"},
        other_namespaces={"sweep": "old"},
        missing_namespaces=frozenset({"default"}),
        missing_buckets={"transcripts-1250000000": "ap-shanghai"},
        service_roles={SCF_SERVICE_ROLE: MISSING_ROLE},
        queues={},
    )
    with pytest.raises(PreflightFailed) as caught:
        check_preconditions(target, state, create_buckets=True, with_roles=False)
    for word in (
        "Python3.9",
        "namespace old",
        "ap-shanghai",
        "QUEUE_ID",
        "18 characters shorter",
        "namespace default does",
        "roleName=SCF_QcsRole",
    ):
        assert sum(word in problem for problem in caught.value.problems) == 1, caught.value
    assert len(caught.value.problems) == 7


def failing_step(error: BaseException, description: str = "something") -> Step:
    def apply(_: object) -> None:
        raise error

    return Step(Action.CREATE, description, (), apply)


def run_steps(output: io.StringIO, *steps: Step) -> None:
    execute_plan(Console(file=output), steps, create_offline_clients(), "scribe deploy", Commands())


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("UnauthorizedOperation.CAM", "lacks the permission scf:CreateFunction"),
        ("UnauthorizedOperation.Role", "roleName=SCF_QcsRole"),
        ("UnauthorizedOperation.Region", "another REGION"),
        ("UnauthorizedOperation.NotMC", "console only"),
        ("UnauthorizedOperation.FunctionStatus", "wait a minute"),
        ("AuthFailure.SignatureExpire", "clock"),
        ("AuthFailure.TokenFailure", "get a new one"),
        ("AuthFailure.SecretIdNotFound", "check TENCENT_SECRET_ID"),
        ("FailedOperation.FunctionStatusError", "wait a minute"),
        ("ResourceNotFound.Role", "scribe policy --create-role"),
        ("ClientNetworkError", "connection"),
        ("LimitExceeded.Function", "quota"),
        ("ResourceInUse.Function", "then run the same command again"),
        ("ResourceInUse.Cos", "a workflow of Cloud Infinite"),
        ("InvalidParameterValue.CosNotifyRuleConflict", "a workflow of Cloud Infinite"),
        ("UnsupportedRegion", "correct REGION"),
    ],
)
def test_failed_step_gives_a_hint_by_the_code_of_the_error(code: str, hint: str) -> None:
    output = io.StringIO()
    error = ApiError("CreateFunction", code, "it says no", "r-1", service="scf")
    with pytest.raises(ExecutionFailed, match=re.escape(hint)) as caught:
        run_steps(output, failing_step(error))
    assert "it says no" in str(caught.value)
    assert "Resume with: scribe deploy" in output.getvalue()


def test_hint_for_a_refusal_of_cloud_infinite_names_both_causes() -> None:
    error = RequestRejected(resource="b", status=401, code="AccessDenied", message="denied")
    with pytest.raises(ExecutionFailed, match=r"lacks the permission, or the signature is wrong .*clock"):
        run_steps(io.StringIO(), failing_step(error))


def test_full_disk_stops_a_deployment_like_any_other_failure() -> None:
    output = io.StringIO()
    error = OSError(28, "No space left on device", "/home/operator/.env")
    with pytest.raises(ExecutionFailed, match=r"something: /home/operator/.env: No space left on device"):
        run_steps(output, failing_step(error))
    assert "Stopped after 0 of 1 steps." in output.getvalue()
    assert "Resume with: scribe deploy" in output.getvalue()


def test_ctrl_c_prints_the_remaining_steps() -> None:
    output = io.StringIO()
    with pytest.raises(KeyboardInterrupt):
        run_steps(output, failing_step(KeyboardInterrupt()), failing_step(KeyboardInterrupt(), "the rest"))
    assert (
        "Stopped after 0 of 2 steps. Remaining:\n  + something\n  + the rest\nCompleted steps are kept."
        in output.getvalue()
    )
