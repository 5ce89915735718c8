"""A day of an operator with 30 recordings: each question is answered by the command as it is typed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.local.emulator import CALLBACK_TOKEN, INPUT_BUCKET
from shared.tencent.client import Request
from tests.helpers.account import Account
from tests.helpers.flow import Flow, StartFlow, wait_for_next_second
from tests.helpers.permissions import build_scope, write_policies

# Commands as processes, one after the other: on a busy machine longer than other tests.
pytestmark = [pytest.mark.process, pytest.mark.timeout(400)]

DONE = [f"calls/{number:02}.wav" for number in range(10)] + [f"讲座/第{number}课.mp3" for number in range(10)]
BROKEN = ["calls/broken-1.wav", "calls/broken-2.wav", "讲座/坏文件.mp3"]
REFUSED = ["interviews/a.wav", "interviews/b.wav"]
QUEUED = ["queued/1.wav", "queued/2.wav", "queued/3.wav", "queued/4.wav"]
ARCHIVED = "old/archived.wav"
UNREADABLE = {"code": "FailedOperation.ErrorRecognize", "message": "Failed to decode the audio."}
WRONG_ROLE = {
    "status": 403,
    "code": "AccessDenied",
    "message": "no permission",
    "operation": "submit",
    "body": "xml",
}


def content(key: str) -> bytes:
    """Return content of its own for each key."""
    return f"speech in {key} ".encode() * 200


@dataclass(frozen=True)
class Day:
    """A pipeline, and the operator's folder with .env."""

    flow: Flow
    account: Account

    def run(self, *words: str, status: int = 0) -> str:
        """Run a command, check its exit status, and return what it printed."""
        finished = self.account.scribe(*words)
        assert finished.returncode == status, (words, finished.stdout, finished.stderr)
        assert "Traceback" not in finished.stderr
        return finished.stdout if status == 0 else finished.stdout + finished.stderr

    def ask(self, *words: str, status: int = 0) -> Any:
        """Run a command with --json and return its document."""
        finished = self.account.scribe(*words, "--json")
        assert finished.returncode == status, (words, finished.stdout, finished.stderr)
        return json.loads(finished.stdout)

    def states(self, *words: str) -> Counter[str]:
        """Count the states that `scribe list` shows."""
        return Counter(row["state"] for row in self.ask("list", *words))

    def jobs_of(self, key: str) -> list[dict[str, Any]]:
        """Return the jobs of a recording."""
        return [job for job in self.flow.jobs() if job["object"] == key]

    def upload(self, *keys: str) -> None:
        """Upload recordings and wait until nothing is running."""
        for key in keys:
            self.flow.upload(key, content(key))
        self.flow.settle()


@pytest.fixture
def day(start_flow: StartFlow, tmp_path: Path) -> Day:
    folder = tmp_path / "operator"
    folder.mkdir()
    (folder / ".env").write_text(
        f"CALLBACK_TOKEN={CALLBACK_TOKEN}\nSWEEP_AFTER=0\nPRICE_PER_HOUR=2\n", "utf-8"
    )
    # Policies of its own: a role that is refused on purpose does not count as using more than it is granted.
    policies = write_policies(tmp_path, build_scope({}))
    flow = start_flow("--policies", str(policies), "--restore-delay-ms", "0", SWEEP_AFTER="0")
    return Day(flow, Account(flow.pipeline.emulator, folder))


def spend_morning(day: Day) -> None:
    """Upload 30 recordings: 20 go well, 3 are broken, 1 is archived, 2 meet a wrong role, 4 a paused queue."""
    flow = day.flow
    day.upload(*DONE)
    flow.admin("PUT", "fail_jobs", UNREADABLE)
    day.upload(*BROKEN)
    flow.admin("DELETE", "fail_jobs")
    archived = Request(
        "PUT",
        f"{INPUT_BUCKET}.cos.ap-guangzhou.myqcloud.com",
        f"/{ARCHIVED}",
        resource=ARCHIVED,
        headers={"x-cos-storage-class": "ARCHIVE", "Content-Type": "audio/wav"},
        body=content(ARCHIVED),
    )
    flow.pipeline.clients.cos.client.send(archived)
    flow.settle()
    flow.admin("PUT", "refuse", WRONG_ROLE)
    day.upload(*REFUSED)
    flow.admin("DELETE", "refuse")
    flow.update_queue(state="Paused")
    day.upload(*QUEUED)


def test_each_question_of_a_day_is_answered_by_one_command(day: Day) -> None:
    spend_morning(day)
    check_list(day)
    check_why(day)
    check_cost(day)
    check_pages(day)
    retry_what_failed(day)
    end_day(day)
    forget_some(day)


def check_list(day: Day) -> None:
    assert day.states() == {"done": 20, "failed": 3, "waiting": 1, "open": 6}
    assert {row["key"] for row in day.ask("list", "--state", "failed")} == set(BROKEN)
    assert {row["key"] for row in day.ask("list", "讲座/")} == {
        key for key in DONE + BROKEN if key.startswith("讲座/")
    }
    rows = day.ask("list", "--state", "open")
    assert {row["key"] for row in rows} == {*REFUSED, *QUEUED}
    assert all(row["bucket"] == INPUT_BUCKET for row in rows)
    text = day.run("list")
    for key in (*REFUSED, *QUEUED, *BROKEN, ARCHIVED):
        assert key in text
    assert day.ask("list", "nothing/") == []
    assert "nothing/" in day.run("list", "nothing/")
    assert day.ask("list", "--since", "1h", "--state", "waiting")[0]["key"] == ARCHIVED


def check_why(day: Day) -> None:
    broken = day.ask("why", BROKEN[2])
    assert (broken["state"], broken["error"]["code"]) == ("failed", UNREADABLE["code"])
    assert "scribe retry" in day.run("why", BROKEN[2])
    assert "estore" in day.run("why", ARCHIVED)
    refused = day.run("why", REFUSED[0])
    assert "CreateAsrJobs" in refused
    assert day.ask("why", REFUSED[0])["state"] == "open"
    assert day.ask("why", QUEUED[0])["job"]["state"] == "Pause"
    done = day.ask("why", DONE[0])
    assert done["state"] == "done"
    assert f"transcripts/{DONE[0]}.txt" in {output["key"] for output in done["outputs"]}
    unknown = day.run("why", "calls/no-such.wav", status=1)
    assert "calls/no-such.wav" in unknown


def check_cost(day: Day) -> None:
    report = day.ask("cost")
    assert report["recordings"] == len(DONE)
    assert {row["folder"]: row["recordings"] for row in report["folders"]} == {"calls": 10, "讲座": 10}
    assert report["seconds"] == sum(row["seconds"] for row in report["folders"])
    assert "讲座" in day.run("cost", "--csv")
    assert "2" in day.run("cost")
    assert "future" in day.run("cost", "--month", "2099-01", status=2)
    assert "2026-13" in day.run("cost", "--month", "2026-13", status=2)


def check_pages(day: Day) -> None:
    page = Path(day.ask("open", DONE[-1], "--no-open")["file"])
    page = page if page.is_absolute() else day.account.folder / page
    assert 'data-testid="transcript"' in page.read_text("utf-8")
    link = day.ask("link", DONE[-1], "--for", "2h")
    assert link["url"].startswith("http")
    assert link["key"] == DONE[-1]
    day.run("open", ARCHIVED, "--no-open", status=1)


def retry_what_failed(day: Day) -> None:
    flow = day.flow
    flow.update_queue(state="Active")
    flow.settle()
    assert "nothing was changed" in day.run(
        "retry", "--failed", status=1
    )  # it asks, and there is no terminal
    day.run("retry", "--failed", "--yes")
    flow.settle()
    day.run("retry", *REFUSED, "--yes")
    flow.settle()
    assert day.states() == {"done": 29, "waiting": 1}
    for key in BROKEN:
        assert [job["state"] for job in day.jobs_of(key)] == ["Failed", "Success"]
        assert not flow.has(f"transcripts/{key}.error.json")
    day.run("retry", *BROKEN, *QUEUED, "--yes")  # they are done: nothing is paid
    flow.settle()
    assert {key: len(day.jobs_of(key)) for key in QUEUED} == dict.fromkeys(QUEUED, 1)
    assert {key: len(day.jobs_of(key)) for key in BROKEN} == dict.fromkeys(BROKEN, 2)


def end_day(day: Day) -> None:
    restore = Request(
        "POST",
        f"{INPUT_BUCKET}.cos.ap-guangzhou.myqcloud.com",
        f"/{ARCHIVED}",
        resource=ARCHIVED,
        parameters=(("restore", ""),),
        body=b"<RestoreRequest><Days>1</Days></RestoreRequest>",
    )
    day.flow.pipeline.clients.cos.client.send(restore)
    day.flow.settle()
    assert day.states() == {"done": 30}
    assert day.ask("cost")["recordings"] == 30


def forget_some(day: Day) -> None:
    secret = "讲座/第3课.mp3"
    name = secret.partition("/")[2].removesuffix(".mp3")
    day.run("forget", secret, status=1)  # it asks
    assert day.flow.has(f"transcripts/{secret}.txt")
    day.run("forget", secret, "--yes")
    left = [
        key
        for key in day.flow.outputs()
        if name in key or name.encode() in day.flow.output(key) or _escaped(name) in key
    ]
    assert left == []
    day.flow.sweep("audit")
    day.flow.settle()
    assert len(day.jobs_of(secret)) == 1
    assert day.ask("cost")["recordings"] == 30
    day.run("forget", "calls/", "--recording", "--yes")
    assert day.states("calls/") == {}
    assert list(day.flow.pipeline.clients.cos.iter_objects(INPUT_BUCKET, prefix="calls/")) == []
    kept = [
        key
        for key in (*DONE, *BROKEN, *REFUSED, *QUEUED, ARCHIVED)
        if not key.startswith("calls/") and key != secret
    ]
    assert {row["key"] for row in day.ask("list")} == set(kept)


def _escaped(name: str) -> str:
    return "".join(f"~{byte:02X}" for byte in name.encode())


def test_backfill_killed_again_and_again_takes_each_recording_once(day: Day) -> None:
    flow = day.flow
    flow.admin("PUT", "faults", {"seed": 1, "rates": {"lost_event": 1.0}})
    keys = [f"archive/{number:02}.wav" for number in range(20)]
    day.upload(*keys)
    flow.admin("PUT", "faults", {})
    flow.upload("archive/notes.txt", b"not a recording")
    requests = len(flow.admin("GET", "requests?since=0"))
    plan = day.ask("backfill", "archive/")
    assert plan["found"] == len(keys)
    assert not [
        row
        for row in flow.admin("GET", "requests?since=0")[requests:]
        if row["method"] in {"PUT", "POST", "DELETE"}
    ]
    assert flow.jobs() == []
    for wait_s in (0.6, 0.7, 0.8, 0.9, 1.0):
        process = _start(day.account, "backfill", "archive/", "--yes")
        try:
            process.wait(wait_s)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
    day.run("backfill", "archive/", "--yes")
    flow.settle()
    for _ in range(10):  # what a killed attempt had begun, when its lease has ended
        flow.sweep()
        flow.settle()
        if not day.states("archive/")["open"]:
            break
    assert Counter(job["object"] for job in flow.jobs()) == dict.fromkeys(keys, 1)
    assert day.states("archive/") == {"done": len(keys)}
    assert day.ask("backfill", "archive/")["found"] == 0


def test_missed_uploads_are_taken_now(day: Day) -> None:
    flow = day.flow
    flow.admin("PUT", "faults", {"seed": 1, "rates": {"lost_event": 1.0}})
    day.upload("missed.wav")
    flow.admin("PUT", "faults", {})
    wait_for_next_second()
    assert day.states() == {}
    day.run("backfill", "--missed", "--yes")
    flow.settle()
    assert day.states() == {"done": 1}
    assert len(flow.jobs()) == 1


@pytest.mark.parametrize(
    "faults",
    [{"server_error_after": 0.1, "cut_after": 0.2}, {"throttled": 0.1, "cut_before": 0.1}],
    ids=["lost responses", "refused requests"],
)
def test_retry_under_faults_of_the_service_never_pays_twice(day: Day, faults: dict[str, float]) -> None:
    flow = day.flow
    flow.admin("PUT", "fail_jobs", UNREADABLE)
    keys = [f"storm/{number}.wav" for number in range(4)]
    day.upload(*keys)
    flow.admin("DELETE", "fail_jobs")
    key = day.account.create_key(
        json.loads(day.run("policy", "operator", "--json"))
    )  # faults concern temporary keys
    flow.admin("PUT", "faults", {"seed": 3, "rates": faults})
    for _ in range(2):
        day.account.scribe("retry", "--failed", "--yes", environment=key)
    flow.admin("PUT", "faults", {})
    day.account.scribe("retry", "--failed", "--yes", environment=key)  # those that the faults kept from it
    for _ in range(3):
        flow.settle()
        flow.sweep()
    flow.settle()
    assert Counter(job["state"] for job in flow.jobs()) == {"Failed": 4, "Success": 4}
    assert day.states() == {"done": 4}


def _start(account: Account, *words: str) -> subprocess.Popen[bytes]:
    """Start a command as it is typed, without waiting for it."""
    return subprocess.Popen(
        [sys.executable, "-m", "cli.main", *words, "--env-file", str(account.folder / ".env")],
        cwd=account.folder,
        env=account.process_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
