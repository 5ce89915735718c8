"""A Chinese operator reads the doctor's findings and what to do without an English sentence. No requests."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest
from rich.console import Console

from cli.cloud.client import ApiError
from cli.cloud.scf import RetryConfig
from cli.config import Commands
from cli.deploy.clients import Clients
from cli.deploy.hot_words import HotWordsState
from cli.deploy.notifications import build_notify_config
from cli.deploy.outputs import OutputFolders
from cli.deploy.receipts import OpenReceipts, ReceiptCount
from cli.deploy.recordings import RecordingCount
from cli.deploy.state import BucketRef, BucketState, CurrentState
from cli.deploy.target import DeployTarget
from cli.doctor.checks import CHECKS
from cli.doctor.command import print_findings
from cli.doctor.models import CheckContext, Finding, Status, finding_from_error, skip_dependent, warn
from shared.errors import RequestRejected
from tests.helpers.chinese import list_english, list_translations, speak_chinese
from tests.helpers.deployment import (
    CALLBACK_URL,
    INPUT_BUCKET,
    LABEL,
    OUTPUT_BUCKET,
    OWNER,
    as_returned,
    build_queue,
    build_target,
    create_offline_clients,
    deployed_state,
    empty_state,
    with_function,
    with_role,
    with_triggers,
    with_values,
)
from tests.helpers.receipts import build_receipt

REGION = "ap-guangzhou"
BUCKETS = (BucketRef(INPUT_BUCKET, REGION), BucketRef(OUTPUT_BUCKET, REGION))
# Checks of what the state does not hold: they send requests with a key.
WITH_REQUESTS = {
    *("key", "region", "versioning", "scf-role", "ci-role", "content-recognition"),
    *("unheard-recordings", "hidden-recordings", "rules", "notices"),
}
UPLOADS = as_returned(build_target().manifest.triggers_for("upload")[0])
NAMES = (LABEL, "make package", "timedatectl set-ntp true", "scribe deploy")


@pytest.fixture(autouse=True)
def _chinese() -> Iterator[None]:
    with speak_chinese():
        yield


def create_clients(status: int = 200, ahead_s: float = 0.0) -> Clients:
    """Create clients for which everything answers with this status, at the same second."""

    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, headers={"date": "Thu, 01 Oct 2026 00:00:00 GMT"})

    http = httpx.Client(transport=httpx.MockTransport(answer))
    return replace(create_offline_clients(), http=lambda: http, now=lambda: 1_790_812_800.0 + ahead_s)


def list_findings(state: CurrentState, label: str = LABEL) -> list[Finding]:
    """Run the checks that read the state only."""
    context = CheckContext(state, label, Commands())
    return [
        replace(finding, name=check.name)
        for check in CHECKS
        if check.name not in WITH_REQUESTS
        for finding in check.run(context)
    ]


def list_texts(findings: list[Finding]) -> list[str]:
    return [text for finding in findings for text in (finding.message, finding.fix) if text]


def complete(state: CurrentState, **values: object) -> CurrentState:
    """Add what a deployment does not read."""
    defaults = {
        "clients": create_clients(),
        "buckets": {bucket: BucketState(bucket.region) for bucket in BUCKETS},
        "account_buckets": (),
        "owner_uin": OWNER.owner_uin,
        "_roles": dict(state.roles),
        "hot_words": HotWordsState(),
        "foreign_triggers": {},
        "open_receipts": {INPUT_BUCKET: OpenReceipts((), (), is_complete=True)},
        "other_receipts": {BUCKETS[1]: {}},
    }
    return with_values(state, **{**defaults, **values})


def break_cloud(target: DeployTarget) -> CurrentState:
    """Return a deployment in which something is wrong for every check."""
    state = deployed_state(target)
    upload = state.triggers["upload"][0]
    other = replace(state.functions["sweep"], variables={"ENGINE": "8k_zh"}, description="", role="")
    state = with_function(
        with_values(state, functions={**state.functions, "sweep": other}), "callback", status="Updating"
    )
    state = with_triggers(state, "upload", replace(upload, description="{}"), replace(upload, name="x.cos.y"))
    state = with_triggers(state, "sweep", *(replace(each, is_open=False) for each in state.triggers["sweep"]))
    waiting = build_receipt(waits_since_s=1.0, refusals=3, refusal_code="CIRoleNotExist")
    return complete(
        with_role(state, "scribe-prod-sweep", {"version": "2.0", "statement": []}),
        clients=create_clients(500, ahead_s=-100.0),
        identity=replace(OWNER, appid="1250000001"),
        retry_configs={"upload": RetryConfig(0, 60)},
        ci_statuses={INPUT_BUCKET: "off"},
        queues={INPUT_BUCKET: build_queue(build_notify_config(f"{CALLBACK_URL}/another-token"), "Paused")},
        foreign_triggers={"music-player": (UPLOADS,)},
        open_receipts={INPUT_BUCKET: OpenReceipts((waiting,), (".scribe/open/x",), is_complete=False)},
        other_receipts={BUCKETS[1]: {"former-1250000000": ReceiptCount(2, 10_000)}},
        old_recordings={INPUT_BUCKET: RecordingCount(100_000, 5_000_000_000, is_complete=False)},
        output_folders=OutputFolders(buckets=frozenset({INPUT_BUCKET})),
    )


def test_findings_of_a_deployment_without_a_fault_have_no_english_sentence() -> None:
    findings = list_findings(complete(deployed_state(build_target())))
    assert len({finding.name for finding in findings}) > 15
    assert list_english(list_texts(findings), *NAMES) == []


def test_findings_and_fixes_have_no_english_sentence() -> None:
    target = build_target()
    denied = RequestRejected(resource=INPUT_BUCKET, status=403, code="AccessDenied")
    states = [
        break_cloud(target),
        complete(
            empty_state(target),
            buckets={BUCKETS[0]: BucketState(""), BUCKETS[1]: BucketState("", denied)},
            clients=create_clients(ahead_s=400.0),
        ),
        complete(
            with_values(deployed_state(target), queues={}, hot_words_target=None),
            clients=create_clients(403),
            foreign_triggers={"archiver": (replace(UPLOADS, name=BUCKETS[1].host),)},
        ),
        complete(with_values(deployed_state(target), speech_buckets=())),
    ]
    findings = [finding for state in states for finding in list_findings(state, "another label")]
    texts = dict.fromkeys(list_texts(findings))
    checks = {finding.name for finding in findings if finding.status is not Status.OK}
    assert checks == {check.name for check in CHECKS} - WITH_REQUESTS
    assert list_english(list(texts), *NAMES, "another label") == []


def test_errors_of_the_cloud_are_findings_in_chinese() -> None:
    findings = [
        finding_from_error(error, Commands())
        for error in (
            httpx.ConnectError("refused"),
            ApiError("GetFunction", "UnauthorizedOperation", "no", "r-1", service="scf"),
            ApiError("ListNamespaces", "UnsupportedRegion", "no", "r-1", service="scf"),
            ApiError("GetFunction", "InternalError", "no", "r-1", service="scf"),
        )
    ]
    assert findings[0].message == "云端没有响应：ConnectError"
    assert list_english(list_texts(findings)) == []


def test_status_is_a_word_for_people_and_a_name_in_json() -> None:
    output = io.StringIO()
    findings = [
        replace(finding_from_error(httpx.ReadTimeout("slow"), Commands()), name="clock"),
        replace(skip_dependent("clock"), name="key"),
        replace(skip_dependent("clock"), name="account"),
        replace(warn("没有匹配到录音", subject="rules.yml line 5"), name="rules"),
    ]
    print_findings(Console(file=output, width=80), findings)
    first, fix, rule, last = output.getvalue().splitlines()
    assert first == "异常 clock：云端没有响应：ReadTimeout"
    assert fix.startswith("    处理办法：检查本机的网络连接")
    assert rule == "提示 rules rules.yml 第 5 行：没有匹配到录音"
    assert last == "跳过 key、account：依赖检查项 `clock`"
    assert [finding.as_json()["status"] for finding in findings] == ["wrong", "skipped", "skipped", "note"]


def test_every_text_of_the_doctor_is_translated() -> None:
    assert list_english(list_translations("doctor"), *NAMES) == []
