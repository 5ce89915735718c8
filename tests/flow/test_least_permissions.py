"""Every flow runs under the least policies, and every grant in them is used."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from cli.config import PROJECT_FOLDER
from cli.local.emulator import OUTPUT_BUCKET
from cli.policy.permissions import TABLE, Grant, ResourceKind
from tests.helpers.flow import Flow, StartFlow, wait_for_next_second
from tests.helpers.permissions import UsedGrants, build_scope, write_policies

pytestmark = pytest.mark.process

HERE = Path(__file__).parent
BODY = b"speech " * 300

# Granted beside what is used, where the documents leave open what the service asks for.
UNCONFIRMED = {
    ("upload", "cos:GetBucket"): "without it, a missing object may be answered as denied",
    ("callback", "cos:GetBucket"): "the same, of the input bucket",
    ("upload", "ci:CreateMediaJobs"): "POST /jobs: of media jobs by its path, of speech jobs by its Tag",
    ("sweep", "ci:CreateMediaJobs"): "POST /jobs: of media jobs by its path, of speech jobs by its Tag",
}


# No flow meets the moment in which the callback needs these: tests/cli/policy/test_callback_permissions.py does.
NEEDED_IN_A_RACE = {
    ("callback", "cos:GetBucketVersioning", ResourceKind.STATE_BUCKET),
    ("callback", "cos:PutObject", ResourceKind.CLAIM),
}


def test_newer_jobs_path_works_with_least_policies(
    start_flow: StartFlow,
) -> None:
    flow = start_flow(SWEEP_AFTER="0", JOBS_PATH="jobs")
    flow.upload("notified.wav", BODY)
    flow.settle()
    kill_before_job = {"function": "upload", "request": 7, "when": "before", "times": 1}
    flow.admin("PUT", "faults", {"seed": 1, "kill": kill_before_job})
    flow.upload("unpaid.wav", BODY + b"2")
    flow.settle()
    assert len(flow.jobs()) == 1
    flow.update_queue(notify="Off")
    flow.sweep()
    flow.settle()
    flow.sweep()
    for key in ("notified.wav", "unpaid.wav"):
        assert flow.transcript(key)["sentences"]


def test_callback_defers_job_that_may_have_read_other_content(eager_flow: Flow) -> None:
    eager_flow.update_queue(state="Paused")
    eager_flow.upload("flip.wav", BODY)
    eager_flow.settle()
    eager_flow.upload("flip.wav", BODY + b" and more")
    eager_flow.settle()
    wait_for_next_second()
    eager_flow.upload("flip.wav", BODY)
    eager_flow.settle()
    eager_flow.update_queue(state="Active")
    eager_flow.settle()
    assert len(eager_flow.receipts("open")) == 1
    eager_flow.sweep()
    eager_flow.settle()
    assert eager_flow.transcript("flip.wav")["sentences"]
    assert len(eager_flow.jobs()) == 3


def test_sweep_out_of_time_stores_cursor_and_next_continues(start_flow: StartFlow, tmp_path: Path) -> None:
    short = tmp_path / "short"
    short.mkdir()
    for name in ("handlers", "shared"):
        (short / name).symlink_to(PROJECT_FOLDER / name)
    yml = (PROJECT_FOLDER / "serverless.yml").read_text("utf-8")
    assert "timeout: 600" in yml
    (short / "serverless.yml").write_text(yml.replace("timeout: 600", "timeout: 16"), "utf-8")
    flow = start_flow("--functions", str(short), SWEEP_AFTER="0")
    cursor = ".scribe/sweep-cursor"
    flow.update_queue(notify="Off")
    flow.upload("late.wav", BODY)
    flow.settle()
    assert "sweep_stopped_early" in "\n".join(flow.sweep()["log"])
    assert flow.has(cursor)
    flow.pipeline.clients.cos.delete(OUTPUT_BUCKET, flow.outputs(".scribe/open/")[0])
    flow.pipeline.clients.cos.put(OUTPUT_BUCKET, cursor, b"recordings-1250000000/a")
    flow.sweep()
    assert not flow.has(cursor)


def test_missing_permission_is_named_in_error_object_and_log(start_flow: StartFlow, tmp_path: Path) -> None:
    lacking = [("upload", "ci:CreateAsrJobs"), ("sweep", "cos:GetBucket")]
    policies = write_policies(tmp_path / "less", build_scope({}), without=lacking)
    flow = start_flow("--policies", str(policies))
    flow.upload("refused.wav", BODY)
    flow.settle()
    assert not flow.jobs()
    document = json.loads(flow.output("transcripts/refused.wav.error.json"))
    assert "ci:CreateAsrJobs" in document["next_step"]
    assert "scribe policy --create-role" in document["next_step"]
    logged = "\n".join(flow.sweep()["log"])
    assert "This needs cos:GetBucket" in logged
    assert "scribe doctor" in logged


def test_granted_permissions_equal_used_permissions(
    flow: Flow, used_grants: UsedGrants, flows_run: set[tuple[str, str]]
) -> None:
    if _flows() - flows_run:
        pytest.skip("this concerns all of tests/flow, run in one process")
    used_grants.add(flow.admin("GET", "requests"), build_scope({}))
    assert used_grants.beyond == []
    unused = [
        grant
        for grant in TABLE
        if grant not in used_grants.grants
        and (grant.function, grant.action) not in UNCONFIRMED
        and (grant.function, grant.action, grant.on) not in NEEDED_IN_A_RACE
    ]
    assert not unused, "write a flow that needs it, or remove it from cli/policy/permissions.py: " + _lines(
        unused
    )


def _lines(grants: list[Grant]) -> str:
    return "; ".join(
        f"{grant.function}: {grant.action} on {grant.on.value} ({grant.reason})" for grant in grants
    )


def _flows() -> set[tuple[str, str]]:
    return {
        (path.name, node.name)
        for path in HERE.glob("test_*.py")
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
