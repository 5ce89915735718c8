"""Five hours of speech: 90,000 words. The bounds are generous; they catch a change of order, not of percent."""

import time
import tracemalloc
from collections.abc import Callable

from shared.transcript import FORMATS, Sentence, Transcript, read_sentence

SENTENCES, WORDS = 7_500, 12


def five_hours() -> list[Sentence]:
    sentences = []
    for number in range(SENTENCES):
        words = [f"word{number * WORDS + place}" for place in range(WORDS)]
        spoken = [
            {"Word": word, "OffsetStartMs": str(place * 190), "OffsetEndMs": str(place * 190 + 180)}
            for place, word in enumerate(words)
        ]
        times = {"StartMs": str(number * 2_400), "EndMs": str(number * 2_400 + 2_300)}
        sentence = read_sentence(
            {**times, "FinalSentence": f"{' '.join(words)}.", "SpeakerId": "0", "Words": spoken}
        )
        assert sentence is not None
        sentences.append(sentence)
    return sentences


def test_five_hours_are_written_in_seconds(transcript_of: Callable[..., Transcript]) -> None:
    began = time.process_time()
    transcript = transcript_of(details=five_hours(), audio_time="18000")
    for form in FORMATS.values():
        form.render(transcript)
    assert time.process_time() - began < 20


def test_the_longest_single_sentence_is_written_in_seconds(transcript_of: Callable[..., Transcript]) -> None:
    transcript = transcript_of(lines="[0:0.000,300:0.000] " + "这是一条语音测试信息" * 8_000)
    began = time.process_time()
    FORMATS["srt"].render(transcript)
    assert time.process_time() - began < 20


def test_writing_json_takes_little_more_memory_than_the_file_twice(
    transcript_of: Callable[..., Transcript],
) -> None:
    transcript = transcript_of(details=five_hours(), audio_time="18000")
    tracemalloc.start()
    try:
        size = len(FORMATS["json"].render(transcript))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size > 5_000_000
    assert peak < 2.5 * size
