"""Errors of the local cloud itself: their codes, and commands that work in this environment."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from localcloud.speech import install_hint
from localcloud.speech.audio import count_channels
from localcloud.speech.errors import (
    build_english_only_error,
    build_missing_decoder_error,
    build_recogniser_ended_error,
    build_recogniser_failed_error,
    build_sidecar_error,
    build_unreadable_recording_error,
)
from localcloud.speech.models import RecognitionError
from tests.localcloud.stand_in import SAMPLES

ROOT = Path(__file__).resolve().parents[3]
ERRORS = [
    build_english_only_error("16k_zh"),
    build_missing_decoder_error("mp4 or m4a"),
    build_sidecar_error(),
    build_recogniser_ended_error(2),
    build_recogniser_failed_error(ValueError("odd")),
    build_unreadable_recording_error(PermissionError(13, "Permission denied")),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.code)
def test_own_error_has_own_code_and_one_line(error: RecognitionError) -> None:
    assert re.fullmatch(r"LocalCloud\.[A-Z][A-Za-z]+", error.code)
    assert "\n" not in error.message
    assert "scribe-cos" not in error.message, "no package of this name is on PyPI"


def test_own_errors_have_different_codes() -> None:
    assert len({error.code for error in ERRORS}) == len(ERRORS)


def test_english_only_error_proposes_whisper_and_the_sidecar() -> None:
    message = build_english_only_error("16k_zh").message
    for proposal in ("16k_zh is not English", "--speech whisper", "<recording>.transcript.txt", "16k_en"):
        assert proposal in message


def test_whisper_is_not_installed_twice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "faster_whisper.py"
    package.write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "install" not in build_english_only_error("16k_zh").message


def test_format_without_its_decoder_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "localcloud.speech.audio_av", None)  # as if PyAV were not installed
    recording = tmp_path / "object"
    recording.write_bytes(b"\0\0\0\x20ftypM4A \0\0\0\0 cut off")
    with pytest.raises(RecognitionError, match=r"mp4 or m4a.*\[av\]") as caught:
        count_channels(recording)
    assert caught.value.code == "LocalCloud.MissingPackage"


def test_text_file_keeps_the_code_of_cloud_infinite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "localcloud.speech.audio_av", None)
    with pytest.raises(RecognitionError, match="could not be decoded as audio") as caught:
        count_channels(SAMPLES / "not-audio.mp3")
    assert caught.value.code == "FailedOperation.ErrorRecognize"


@pytest.mark.skipif(sys.prefix == sys.base_prefix, reason="tests run without a virtual environment")
def test_clone_is_named_by_its_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / ".venv" / "bin"
    folder.mkdir(parents=True)
    (folder / "pip").write_text("")
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.chdir(ROOT)
    assert install_hint.describe_install("whisper") == f"{folder}/pip install -e '.[whisper]'"
    monkeypatch.chdir(tmp_path)
    assert install_hint.describe_install("av") == f".venv/bin/pip install -e '{ROOT}[av]'"


@pytest.mark.parametrize(
    ("is_on_path", "expected"),
    [(True, "python -m pip install faster-whisper"), (False, "{python} -m pip install faster-whisper")],
)
def test_installed_program_names_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_on_path: bool, expected: str
) -> None:
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.touch(mode=0o755)
    monkeypatch.setattr(install_hint, "_ROOT", tmp_path)  # no pyproject.toml beside the packages
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setenv("PATH", str(python.parent) if is_on_path else str(tmp_path))
    assert install_hint.describe_install("whisper") == expected.format(python=python)
