"""Comparison of the demo's results with what the samples hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.local.results import (
    SUFFIXES,
    UploadResult,
    compute_error_rate,
    count_words,
    find_mismatches,
    split_units,
)
from cli.local.samples import ExpectedTranscript, Upload, load_sample_uploads
from tests.helpers.demo_results import build_failure, build_result, build_transcript

WORDS = "one two three four five six seven eight nine ten"


@pytest.mark.parametrize(
    ("units", "expected", "rate"),
    [
        ("a b c d", "a b c d", 0.0),
        ("a x c d", "a b c d", 0.25),
        ("a c d", "a b c d", 0.25),
        ("a b b c d", "a b c d", 0.25),
        ("", "a b", 1.0),
        ("", "", 0.0),
        ("a b", "", 2.0),
    ],
)
def test_error_rate_counts_wrong_missing_and_extra_words(units: str, expected: str, rate: float) -> None:
    assert compute_error_rate(units.split(), expected.split()) == rate


def test_punctuation_and_capitals_are_no_difference() -> None:
    assert split_units("Hello, World! It's 9.", "en") == ["hello", "world", "it's", "9"]
    assert split_units("大家好，欢迎 来开会。", "zh") == list("大家好欢迎来开会")


def test_punctuation_marks_are_no_words() -> None:
    words = [{"text": text} for text in ("大家", "好", "，", "3.5", "元", "。")]
    assert count_words({"sentences": [{"words": words}, {"words": []}, {"words": [{"text": "……"}]}]}) == 6


def test_exact_comparison_accepts_no_wrong_word() -> None:
    expected = ExpectedTranscript(WORDS)
    assert find_mismatches(build_transcript("a.wav", WORDS, expected=expected)) == []
    wrong = build_transcript("a.wav", WORDS.replace("ten", "tin"), expected=expected)
    (mismatch,) = find_mismatches(wrong)
    assert mismatch == f"transcribed '{WORDS.replace('ten', 'tin')}', expected '{WORDS}'"


@pytest.mark.parametrize(("wrong_words", "is_accepted"), [(3, True), (4, False)])
def test_at_most_thirty_percent_of_the_words_may_be_wrong(wrong_words: int, is_accepted: bool) -> None:
    expected = ExpectedTranscript(WORDS, max_error_rate=0.3)
    heard = " ".join(["wrong"] * wrong_words + WORDS.split()[wrong_words:])
    mismatches = find_mismatches(build_transcript("a.wav", heard, expected=expected))
    assert (mismatches == []) is is_accepted
    if not is_accepted:
        assert mismatches[0].endswith("(at most 30% may be wrong)")


def test_chinese_is_compared_by_characters() -> None:
    expected = ExpectedTranscript("今天天气很好我们去公园", language="zh", max_error_rate=0.3)
    assert (
        find_mismatches(build_transcript("a.wav", "今天天汽很好，", "我们去公元。", expected=expected)) == []
    )
    (mismatch, *_) = find_mismatches(build_transcript("a.wav", "今天的天空", expected=expected))
    assert mismatch.startswith("transcribed '今天的天空', expected '今天天气很好我们去公园'")


def test_silence_has_no_words_whatever_the_recogniser() -> None:
    expected = ExpectedTranscript("", max_error_rate=0.3)
    assert find_mismatches(build_transcript("a.wav", expected=expected)) == []
    assert find_mismatches(build_transcript("a.wav", "thank you", expected=expected)) != []


def test_file_without_the_words_is_named() -> None:
    result = build_transcript("a.wav", WORDS, expected=ExpectedTranscript(WORDS), files={"vtt": "WEBVTT\n"})
    (mismatch,) = find_mismatches(result)
    assert mismatch.startswith("vtt lacks one, two")


def test_each_channel_is_compared() -> None:
    expected = ExpectedTranscript(channels=("hello", "good day"))
    right = build_transcript("a.wav", "hello", "good day", channels=(1, 2), expected=expected)
    swapped = build_transcript("a.wav", "hello", "good day", channels=(2, 1), expected=expected)
    assert find_mismatches(right) == []
    assert [mismatch[:9] for mismatch in find_mismatches(swapped)] == ["channel 1", "channel 2"]


def test_missing_result_and_error_object_are_mismatches() -> None:
    assert find_mismatches(build_result("a.wav", {"json": "{}"})) == ["no result in time"]
    assert find_mismatches(build_failure("a.wav", message="It failed.")) == ["It failed."]
    expected = ExpectedTranscript(fails=True)
    assert find_mismatches(build_failure("a.wav", expected=expected)) == []
    assert find_mismatches(build_transcript("a.wav", "words", expected=expected)) == [
        "an error object was expected"
    ]
    assert find_mismatches(build_failure("a.wav", next_step="", expected=expected)) == [
        "the error object has no next_step"
    ]


def test_only_an_upload_that_uses_its_sidecar_has_one(tmp_path: Path) -> None:
    recording = tmp_path / "a.mp3"
    assert Upload(recording, "a.mp3").sidecar is None
    sidecar = tmp_path / "a.mp3.transcript.txt"
    sidecar.touch()
    assert Upload(recording, "a.mp3").sidecar == sidecar
    assert Upload(recording, "a.mp3", uses_sidecar=False).sidecar is None


def test_recogniser_for_every_language_gets_no_sidecar_of_a_sample() -> None:
    for upload in load_sample_uploads(reads_every_language=True):
        assert upload.sidecar is None
        assert upload.expected
        assert upload.expected.max_error_rate == 0.3
    assert {u.expected.max_error_rate for u in load_sample_uploads() if u.expected} == {0.0}


def test_sample_has_the_language_and_engine_that_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = {
        "en.wav": {"words": "hello"},
        "zh.wav": {"words": "大家好", "language": "zh", "engine": "16k_zh"},
        "call.wav": {"channels": ["a", "b"]},
        "broken.wav": {"error": True},
    }
    (tmp_path / "expected.json").write_text(json.dumps(samples), "utf-8")
    monkeypatch.setattr("cli.local.samples.SAMPLES", tmp_path)
    uploads = {upload.key: upload for upload in load_sample_uploads()}
    assert {key: dict(upload.metadata) for key, upload in uploads.items()} == {
        "en.wav": {},
        "zh.wav": {"engine": "16k_zh"},
        "call.wav": {"engine": "8k_en", "channels": "2"},
        "broken.wav": {},
    }
    assert [upload.language for upload in uploads.values()] == ["en", "zh", "en", "en"]
    assert uploads["broken.wav"].expected == ExpectedTranscript(fails=True)


def test_recording_is_complete_with_the_files_of_its_own_formats() -> None:
    upload = Upload(Path("a.wav"), "a.wav", formats=("md", "podcast"))
    files = {
        "md": ("transcripts/a.wav.md", b"# a"),
        "podcast.json": ("transcripts/a.wav.podcast.json", b"{}"),
    }
    assert UploadResult(upload, 1.0, files).complete
    assert not UploadResult(upload, 1.0, {"md": files["md"]}).complete
    assert set(files) <= set(SUFFIXES)
