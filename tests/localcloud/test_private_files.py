"""What the stand-in writes is for its owner only, whatever the umask: keys, recordings, code, logs."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.local.emulator import deploy_local_pipeline
from cli.local.samples import Upload
from localcloud.private_files import make_private_folder, write_private_text
from tests.localcloud.clients import MakeApiClient, MakeRaw
from tests.localcloud.scf.client import Scf
from tests.localcloud.speech_queue import SpeechQueue
from tests.localcloud.stand_in import QUICK_OPTIONS, StandIn, get_start_error


def list_paths_for_others(folder: Path) -> list[str]:
    """Everything in a folder, and the folder, that has a permission for its group or for other users."""
    return [
        f"{stat.filemode(path.lstat().st_mode)} {path}"
        for path in (folder, *folder.rglob("*"))
        if path.lstat().st_mode & 0o077
    ]


@contextmanager
def open_umask() -> Iterator[None]:
    """A umask that forbids nothing."""
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)


@pytest.mark.process
def test_only_the_owner_can_use_the_data_folder(
    tmp_path: Path, make_raw: MakeRaw, make_api_client: MakeApiClient
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o777)
    (folder / "ready.json").write_text("{}")
    (folder / "ready.json").chmod(0o666)
    cloud = StandIn.start(folder, *QUICK_OPTIONS, "--versioned", "v", umask=0)
    try:
        queue = SpeechQueue(make_raw(cloud))
        queue.submit()
        queue.put_object("con/odd:name?")
        scf = Scf(cloud, make_api_client(cloud))
        name = scf.create()
        assert scf.call("Invoke", FunctionName=name)["Result"]["InvokeResult"] == 0
        cloud.wait_idle()
        (folder / "stderr.log").chmod(0o600)  # the test's own
        names = {path.name for path in folder.rglob("*")}
        assert {"ready.json", "state.db", "out.txt", "index.py"} <= names
        assert any(path.suffix == ".log" for path in (folder / "functions" / "logs").iterdir())
        assert list_paths_for_others(folder) == []
    finally:
        assert cloud.stop() == 0


@pytest.mark.process
def test_only_the_owner_can_use_what_scribe_local_writes(tmp_path: Path) -> None:
    recording = tmp_path / "a.wav"
    recording.write_bytes(b"speech " * 300)
    recording.with_name("a.wav.transcript.txt").write_text("what it says")
    folder = tmp_path / "parent" / "local"
    with open_umask(), deploy_local_pipeline(folder, ["--speech", "scripted"]) as pipeline:
        pipeline.upload(Upload(recording, "a.wav"))
        names = {path.name for path in folder.iterdir()}
        assert {".env", "deploy.log", "localcloud.log", "ready.json"} <= names
        assert list_paths_for_others(folder.parent) == []
        assert pipeline.emulator.admin_secret not in repr(pipeline.emulator)


@pytest.mark.process
def test_data_folder_that_cannot_be_used_is_one_line_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    error = get_start_error(tmp_path / "file" / "data")
    assert error.startswith("localcloud cannot start: ")
    assert error.count("\n") == 1


def test_folder_of_another_user_is_refused() -> None:
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)  # the folder / is root's
    try:
        with pytest.raises(OSError, match="/"):
            make_private_folder(Path("/"))
    finally:
        if is_root:
            os.seteuid(0)


def test_file_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    file = tmp_path / "ready.json"
    other = tmp_path / "other"
    other.write_text("kept")
    file.symlink_to(other)
    with open_umask():
        write_private_text(file, "keys")
    assert (other.read_text(), file.read_text()) == ("kept", "keys")
    assert (file.is_symlink(), stat.S_IMODE(file.stat().st_mode)) == (False, 0o600)


@pytest.mark.parametrize("umask", [0, 0o022, 0o777])
def test_new_folders_have_the_same_permissions_with_every_umask(tmp_path: Path, umask: int) -> None:
    tmp_path.chmod(0o755)
    before = os.umask(umask)
    try:
        make_private_folder(tmp_path / "a" / "b")
    finally:
        os.umask(before)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b")] == [0o700, 0o700]
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
