"""Two deployments at once: one of them stops, says who the other one is, and keeps no token."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from cli.config import Commands, load_config
from cli.deploy.command import DeployOptions
from cli.deploy.lock import (
    LOCK_LIFETIME_S,
    DeploymentLocked,
    Holder,
    LockPlace,
    StateLock,
    lock_folder,
)
from cli.deploy.state import BucketRef
from cli.policy.permissions import LOCK_FOLDER
from shared.errors import NotFound, OutcomeUnknown, RequestRejected
from tests.helpers.account import BUCKETS, REGION, ROOT, Account, build_deployer_policy
from tests.helpers.fake_cloud import OUTPUT_BUCKET, FakeCloud, raise_error
from tests.helpers.fakes import FakeCos

PLACE = LockPlace(BucketRef(OUTPUT_BUCKET, REGION), f".scribe/{LOCK_FOLDER}ap-guangzhou.default.callback/")
MAX_TRACED_LINES = 400
MAX_REQUESTS = 6  # of one attempt: write, up to some looks, who it is, delete


def create_lock(cloud: FakeCloud, name: str) -> StateLock:
    return StateLock(
        FakeCos(cloud), PLACE, Holder(f"{name} on a laptop", cloud.clock.now()), Commands(), name
    )


def list_locks(cloud: FakeCloud) -> list[str]:
    return [key.removeprefix(PLACE.prefix) for key in cloud.buckets[OUTPUT_BUCKET]]


@pytest.mark.parametrize("is_versioned", [False, True])
@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_second_deployment_stops_and_names_the_first(names: tuple[str, str], is_versioned: bool) -> None:
    cloud = FakeCloud(versioned={OUTPUT_BUCKET} if is_versioned else set())
    first, second = (create_lock(cloud, name) for name in names)
    with first.held():
        with pytest.raises(DeploymentLocked) as caught, second.held():
            pass
        assert f"{names[0]} on a laptop since 2026-11-" in str(caught.value)
        assert "run `scribe deploy` again" in str(caught.value)
        assert f"delete {OUTPUT_BUCKET}/{PLACE.prefix}{names[0]}" in str(caught.value)
        assert first.is_held
        assert not second.is_held
        assert list_locks(cloud) == [names[0]]
    assert list_locks(cloud) == []
    with create_lock(cloud, names[1]).held():
        assert list_locks(cloud) == [names[1]]


@pytest.mark.parametrize("number", range(MAX_REQUESTS))
@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_never_two_hold_it_whenever_the_other_one_begins(names: tuple[str, str], number: int) -> None:
    cloud = FakeCloud()
    first, second = (create_lock(cloud, name) for name in names)
    others = second.held()
    results: list[bool] = []

    def begin() -> None:
        try:
            others.__enter__()
        except DeploymentLocked:
            results.append(False)
        else:
            results.append(True)

    cloud.before("", "", begin, skip=number)
    try:
        with first.held():
            cloud.clear_hooks()
            assert True not in results
    except DeploymentLocked:
        assert results == [True]
        others.__exit__(None, None, None)
    assert list_locks(cloud) == []


def test_lock_of_a_killed_deployment_expires() -> None:
    cloud = FakeCloud()
    cloud.put_object(OUTPUT_BUCKET, PLACE.prefix + "dead", Holder("someone", cloud.clock.now()).as_json())
    cloud.clock.advance(LOCK_LIFETIME_S - 10)
    with pytest.raises(DeploymentLocked), create_lock(cloud, "a").held():
        pass
    cloud.clock.advance(10)
    with create_lock(cloud, "a").held():
        assert list_locks(cloud) == ["a"]


def test_other_deployments_in_the_bucket_are_independent() -> None:
    cloud = FakeCloud()
    cloud.put_object(OUTPUT_BUCKET, PLACE.prefix.replace("callback", "callback-2") + "a", b"{}")
    with create_lock(cloud, "b").held():
        assert cloud.buckets[OUTPUT_BUCKET]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OutcomeUnknown(resource="a")])
@pytest.mark.parametrize("method", ["PUT", "LIST"])
def test_interrupted_acquisition_leaves_no_lock(error: BaseException, method: str) -> None:
    cloud = FakeCloud()
    cloud.after(method, "", raise_error(error))
    with pytest.raises((KeyboardInterrupt, Exception)), create_lock(cloud, "a").held():
        pass
    assert list_locks(cloud) == []


def interrupt_at_line(number: int) -> Callable[[FrameType, str, object], Any]:
    """A trace function that raises KeyboardInterrupt before the line of this number in the acquisition."""
    lines = count()

    def trace(frame: FrameType, event: str, _: object) -> Any:
        code = frame.f_code
        is_acquisition = (
            code.co_filename == StateLock.release.__code__.co_filename and "acquire" in code.co_name
        )
        if not is_acquisition:
            return trace if event == "call" else None
        if event == "line" and next(lines) == number:
            raise KeyboardInterrupt
        return trace

    return trace


def test_interruption_before_any_line_of_the_acquisition_leaves_no_lock() -> None:
    interrupted = 0
    for number in range(MAX_TRACED_LINES):
        cloud = FakeCloud()
        previous = sys.gettrace()
        sys.settrace(interrupt_at_line(number))
        try:
            with create_lock(cloud, "a").held():
                sys.settrace(previous)
                break
        except KeyboardInterrupt:
            interrupted += 1
        finally:
            sys.settrace(previous)
        assert list_locks(cloud) == [], number
    assert 5 < interrupted < MAX_TRACED_LINES


@pytest.mark.parametrize("is_started", [False, True])
def test_interruption_while_the_renewal_starts_leaves_no_lock(
    is_started: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud, start = FakeCloud(), threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        if is_started:
            start(thread)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt), create_lock(cloud, "a").held():
        pass
    assert list_locks(cloud) == []


@pytest.mark.parametrize("error", [OutcomeUnknown(resource="a"), RuntimeError("the connection is broken")])
def test_broken_connection_does_not_keep_the_lock(error: Exception) -> None:
    cloud = FakeCloud()
    cloud.before("DELETE", "", raise_error(error))
    with pytest.raises(KeyboardInterrupt), create_lock(cloud, "a").held():
        raise KeyboardInterrupt
    assert list_locks(cloud) == []


def test_lock_that_cannot_be_deleted_is_marked_as_released() -> None:
    cloud = FakeCloud()
    with create_lock(cloud, "a").held():
        cloud.before("DELETE", "", raise_error(RequestRejected(resource="a", status=403)))
    assert list_locks(cloud) == ["a"]
    with create_lock(cloud, "b").held():
        assert list_locks(cloud) == ["b"]


def test_bucket_that_does_not_exist_needs_no_lock_and_one_that_is_refused_is_reported() -> None:
    cloud = FakeCloud()
    missing, refused = create_lock(cloud, "a"), create_lock(cloud, "b")
    cloud.before("PUT", "", raise_error(NotFound(resource="a", status=404)))
    with missing.held():
        missing.require()
        assert not missing.is_held
    cloud.before("PUT", "", raise_error(RequestRejected(resource="a", status=403)))
    with refused.held(), pytest.raises(RequestRejected):
        refused.require()


def test_unreadable_lock_still_locks() -> None:
    cloud = FakeCloud()
    cloud.put_object(OUTPUT_BUCKET, PLACE.prefix + "a", b"\xff not JSON")
    with pytest.raises(DeploymentLocked, match="an unknown user"), create_lock(cloud, "b").held():
        pass


def test_folder_is_locked_until_the_end_and_left_clean(tmp_path: Path) -> None:
    env_file = tmp_path / "prod.env"
    with lock_folder(env_file, Holder("ann", 1.0), Commands(env_file)):
        (lock_file,) = tmp_path.iterdir()
        assert lock_file.name == ".env.prod.env.lock"  # git ignores .env.*
        with (
            pytest.raises(DeploymentLocked, match="on this machine: ann since 1970-01-01 00:00:01 UTC"),
            lock_folder(env_file, Holder("bob", 2.0), Commands(env_file)),
        ):
            pass
    assert list(tmp_path.iterdir()) == []
    with lock_folder(env_file, Holder("bob", 2.0), Commands(env_file)):
        pass


def test_folder_that_cannot_be_written_has_no_lock(tmp_path: Path) -> None:
    with lock_folder(tmp_path / "missing" / ".env", Holder("ann", 1.0), Commands()):
        pass


def start_deploy(account: Account, folder: Path, **config: str) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    (folder / ".env").touch()
    return subprocess.Popen(
        [sys.executable, "-m", "cli.main", "deploy", "--env-file", str(folder / ".env")],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **account.environment(config)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )


STAGE = {"SCRIBE_STAGE": "twice", "SCF_ROLE_NAME": "scribe-twice", "INPUT_BUCKETS": "twice-1250000000"}


@pytest.mark.process
def test_two_machines_at_once_deploy_one_token(account: Account, tmp_path: Path) -> None:
    account.clients.cos(REGION).create_bucket(STAGE["INPUT_BUCKETS"])
    folders = [tmp_path / "one", tmp_path / "two"]
    processes = [start_deploy(account, folder, **STAGE) for folder in folders]
    try:
        outputs = [process.communicate(timeout=100) for process in processes]
        passed = [folder for folder, each in zip(folders, processes, strict=True) if each.returncode == 0]
        refused = [
            error for _, error in outputs if "another deployment to the same functions is running" in error
        ]
        assert len(passed) + len(refused) == 2, outputs
        assert passed
        deployed = account.call("GetFunction", FunctionName="scribe-twice-scribe-callback")
        variables = {pair["Key"]: pair["Value"] for pair in deployed["Environment"]["Variables"]}
        tokens = [
            load_config(folder / ".env", STAGE | {"REGION": REGION}).get("CALLBACK_TOKEN")
            for folder in folders
        ]
        assert [token for token in tokens if token] == [variables["CALLBACK_TOKEN"]]
    finally:
        account.remove(STAGE)


@pytest.mark.process
def test_deployment_is_refused_while_another_machine_deploys(restored: Account, tmp_path: Path) -> None:
    manifest = restored.manifest()
    bucket = BucketRef(BUCKETS["OUTPUT_BUCKET"], REGION)
    prefix = f".scribe/{LOCK_FOLDER}{REGION}.default.{manifest.functions['callback'].name}/"
    cos = restored.clients.cos(REGION)
    with StateLock(cos, LockPlace(bucket, prefix), Holder("ann on a laptop", time.time()), Commands()).held():
        since = restored.last_request()
        with pytest.raises(DeploymentLocked, match="ann on a laptop since "):
            restored.deploy(config={"SWEEP_AFTER": "900"}, env_file=tmp_path / ".env")
        assert restored.list_writes(since) == []
        assert list(tmp_path.iterdir()) == []
        passed, output = restored.deploy(DeployOptions(dry_run=True), {"SWEEP_AFTER": "900"})
        assert passed, output
    assert [item.key for item in cos.iter_objects(bucket.name, prefix=f".scribe/{LOCK_FOLDER}")] == []


@pytest.mark.process
def test_deployer_policy_allows_the_lock(restored: Account, tmp_path: Path) -> None:
    key = restored.create_key(build_deployer_policy(restored.manifest()))
    passed, output = restored.deploy(config=key, env_file=tmp_path / ".env")
    assert passed, output
    items = restored.clients.cos(REGION).iter_objects(
        BUCKETS["OUTPUT_BUCKET"], prefix=f".scribe/{LOCK_FOLDER}"
    )
    assert [item.key for item in items] == []


@pytest.mark.process
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted_deployment_releases_its_locks(
    restored: Account, tmp_path: Path, ending: signal.Signals
) -> None:
    cos, bucket = restored.clients.cos(REGION), BUCKETS["OUTPUT_BUCKET"]
    with start_deploy(restored, tmp_path) as process:
        deadline = time.monotonic() + 60
        while not (locks := list(cos.iter_objects(bucket, prefix=f".scribe/{LOCK_FOLDER}"))):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert f"process {process.pid}" in json.loads(cos.get(bucket, locks[0].key).body)["holder"]
        process.send_signal(ending)
        stdout, stderr = process.communicate(timeout=30)
    locks = list(cos.iter_objects(bucket, prefix=f".scribe/{LOCK_FOLDER}"))
    if ending is signal.SIGKILL:
        # The kernel released the lock of the folder; the one in the bucket expires.
        with lock_folder(tmp_path / ".env", Holder("ann", 1.0), Commands()):
            pass
        cos.delete(bucket, locks[0].key)
    else:
        assert process.returncode == 130, stdout + stderr
        assert locks == []
        assert not (tmp_path / ".env.lock").exists()
