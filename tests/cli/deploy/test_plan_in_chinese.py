"""A Chinese operator reads a plan, its warnings and its problems without an English sentence. No requests."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from rich.console import Console

from cli.cloud.cam import CI_SERVICE_ROLE, SCF_SERVICE_ROLE, ServiceRoleState
from cli.cloud.client import ApiError
from cli.cloud.hints import add_hint
from cli.deploy.clients import Clients
from cli.deploy.command import print_plan
from cli.deploy.executor import ExecutionFailed, execute_plan
from cli.deploy.lock import Holder
from cli.deploy.notifications import build_notify_config
from cli.deploy.planner import create_plan, list_costs, list_losses, list_plan_warnings
from cli.deploy.preflight import PreflightFailed, check_preconditions
from cli.deploy.receipts import MovedReceipts, ReceiptPlace
from cli.deploy.recordings import RecordingCount
from cli.deploy.state import CurrentState
from cli.deploy.steps import Step, create_function
from cli.language import CHINESE, ENGLISH, use_language
from shared.errors import RequestRejected
from shared.tencent.hosts import build_cos_host
from tests.helpers.deployment import (
    CALLBACK_URL,
    CONFIG,
    INPUT_BUCKET,
    OUTPUT_BUCKET,
    build_queue,
    build_target,
    create_offline_clients,
    deployed_state,
    empty_state,
    with_function,
    with_role,
    with_values,
)

TARGET = build_target()
MISSING_ROLE = ServiceRoleState(exists=False, is_trusted=False, missing_policies=("QcloudAccessForScfRole",))
MOVE = MovedReceipts(
    ReceiptPlace(INPUT_BUCKET, OUTPUT_BUCKET, CONFIG["REGION"], "old/"),
    ReceiptPlace(INPUT_BUCKET, OUTPUT_BUCKET, CONFIG["REGION"], ".scribe/"),
)
COMMAND = re.compile(r"`[^`]*`")
SENTENCE = re.compile(r"[a-z]{2,},? [a-z]{2,}")


@pytest.fixture(autouse=True)
def _chinese() -> Iterator[None]:
    use_language(CHINESE)
    yield
    use_language(ENGLISH)


def list_english(text: str) -> list[str]:
    """The lines with an English sentence. Command lines are typed as they are."""
    return [line for line in text.splitlines() if SENTENCE.search(COMMAND.sub("", line))]


def format_plan(steps: tuple[Step, ...]) -> str:
    output = io.StringIO()
    print_plan(Console(file=output, width=80), steps)
    return output.getvalue()


def reject(_clients: Clients) -> None:
    raise ApiError("CreateFunction", "UnauthorizedOperation", "no", "r-1", service="scf")


def changed_state() -> CurrentState:
    """A deployment of which everything is different, so that the plan has every kind of change."""
    old = replace(TARGET.settings, input_buckets=("former-1250000000",), state_prefix="old/")
    config = build_notify_config(f"{CALLBACK_URL}/another-token")
    state = with_function(deployed_state(TARGET), "upload", status="CreateFailed", status_reason="SysError")
    state = with_function(
        state, "sweep", memory_mib=64, handler="other", tags={}, variables={"EXTRA": "1"}, description="other"
    )
    role = "scribe-prod-sweep"
    [statement, *_] = TARGET.documents[role]["statement"]
    state = with_role(state, role, {"version": "2.0", "statement": [{**statement, "resource": ["*"]}]})
    return with_values(
        state,
        triggers={
            **state.triggers,
            "sweep": tuple(replace(each, is_open=False) for each in state.triggers["sweep"]),
        },
        previous_settings=(old,),
        queues={INPUT_BUCKET: build_queue(config, "Paused")},
        former_queues={"former-1250000000": build_queue(config)},
        missing_receipts={MOVE: 1},
        added_recordings={INPUT_BUCKET: RecordingCount(12, 3_400_000)},
        old_recordings={INPUT_BUCKET: RecordingCount(100_000, 5_000_000_000, is_complete=False)},
        abandoned_receipts={"former-1250000000": 2, "gone-1250000000": None},
        service_roles={SCF_SERVICE_ROLE: MISSING_ROLE, CI_SERVICE_ROLE: MISSING_ROLE},
    )


def test_first_plan_has_no_english_sentence() -> None:
    roles = {SCF_SERVICE_ROLE: MISSING_ROLE, CI_SERVICE_ROLE: MISSING_ROLE}
    missing = {INPUT_BUCKET: CONFIG["REGION"], OUTPUT_BUCKET: CONFIG["REGION"]}
    state = with_values(empty_state(TARGET), missing_buckets=missing, service_roles=roles)
    text = format_plan(create_plan(replace(TARGET, job_callback=True), state))
    assert f"+ 存储桶 {INPUT_BUCKET}\n    地域：ap-guangzhou\n    访问权限：私有读写\n" in text
    assert "+ 函数 scribe-prod-scribe-sweep 的定时触发器 audit\n" in text
    assert list_english(text) == []


def test_changed_plan_and_all_that_is_said_about_it_has_no_english_sentence() -> None:
    state = changed_state()
    text = format_plan(create_plan(TARGET, state, resume_queues=True, copy_receipts=True))
    assert "    内存：64 MB -> 256 MB\n" in text
    assert "    状态：已停用 -> 已启用\n" in text
    said = [
        *list_costs(TARGET, state, copy_receipts=False),
        *list_losses(TARGET, state),
        *list_plan_warnings(TARGET, state),
        *list_plan_warnings(TARGET, state, with_roles=False),
    ]
    assert "1 条已完成的录音" in said[0]
    assert "最多：12 条录音（3.4 MB）" in said[1]
    assert "它还有 2 条录音未处理完" in said[2]
    assert list_english("\n".join([text, *said])) == []


def test_problems_and_the_rest_of_an_interrupted_deployment_have_no_english_sentence() -> None:
    target = build_target(QUEUE_ID="q-of-another-bucket", CALLBACK_TOKEN="x" * 60)
    state = with_values(
        with_function(deployed_state(target), "upload", runtime="Python3.9"),
        missing_buckets={OUTPUT_BUCKET: "ap-shanghai"},
        missing_namespaces=frozenset({"default"}),
        queues={},
    )
    with pytest.raises(PreflightFailed) as problems:
        check_preconditions(target, state, create_buckets=True, with_roles=True)
    output = io.StringIO()
    step = replace(create_function(TARGET.manifest.functions["upload"], TARGET.package), apply=reject)
    with pytest.raises(ExecutionFailed) as failed:
        execute_plan(
            Console(file=output, width=80),
            (step,),
            create_offline_clients(),
            "scribe deploy",
            TARGET.commands,
        )
    text = f"{problems.value}\n{failed.value}\n{output.getvalue()}"
    assert "已完成的步骤会保留。继续执行：scribe deploy" in text
    assert (
        "CreateFunction: UnauthorizedOperation: no（请求 ID：r-1）。处理办法：该密钥缺少权限 scf:CreateFunction"
        in text
    )
    assert list_english(text.replace("scribe deploy", "")) == []


def test_error_of_cos_keeps_only_the_words_of_the_cloud() -> None:
    error = RequestRejected(
        resource=INPUT_BUCKET, status=403, code="AccessDenied", message="Access Denied.", request_id="r-2"
    )
    text = add_hint(error, TARGET.commands)
    assert text.startswith(
        f"{INPUT_BUCKET}：403 AccessDenied：Access Denied.（请求 ID：r-2）。处理办法：请确认它属于"
    )
    with pytest.raises(RequestRejected) as caught:
        build_cos_host("recordings", "ap-guangzhou")
    assert list_english(add_hint(caught.value, TARGET.commands)) == []


def test_holder_of_a_lock_is_shown_in_the_language_of_the_reader() -> None:
    holder = Holder.parse(Holder("dev on build-7 (process 42)", 1_800_000_000.0).as_json())
    assert str(holder) == "build-7 上的 dev（进程 42），开始于 2027-01-15 08:00:00 UTC"
    assert str(Holder.parse(b"?")) == "未知用户"
