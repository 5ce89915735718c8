"""Five hours of speech: 90,000 words. The limits are wide: they detect quadratic time, not a few percent."""

import time
import tracemalloc

from shared.transcript import FORMATS, Sentence, parse_sentence
from shared.transcript.formats.context import RenderContext
from tests.helpers.transcripts import build_test_transcript

SENTENCES, WORDS = 7_500, 12


def parse_five_hours() -> list[Sentence]:
    sentences = []
    for number in range(SENTENCES):
        words = [f"word{number * WORDS + index}" for index in range(WORDS)]
        items = [
            {"Word": word, "OffsetStartMs": str(index * 190), "OffsetEndMs": str(index * 190 + 180)}
            for index, word in enumerate(words)
        ]
        times = {"StartMs": str(number * 2_400), "EndMs": str(number * 2_400 + 2_300)}
        sentence = parse_sentence(
            {**times, "FinalSentence": f"{' '.join(words)}.", "SpeakerId": "0", "Words": items}
        )
        assert sentence is not None
        sentences.append(sentence)
    return sentences


def test_five_hours_are_rendered_in_seconds() -> None:
    started_s = time.process_time()
    transcript = build_test_transcript(details=parse_five_hours(), audio_time="18000")
    for form in FORMATS.values():
        form.render(transcript)
    assert time.process_time() - started_s < 20


def test_sentence_of_five_hours_is_rendered_in_seconds() -> None:
    transcript = build_test_transcript(lines="[0:0.000,300:0.000] " + "这是一条语音测试信息" * 8_000)
    started_s = time.process_time()
    FORMATS["srt"].render(transcript)
    assert time.process_time() - started_s < 20


def test_rendering_json_needs_less_than_twice_the_file() -> None:
    context = RenderContext(build_test_transcript(details=parse_five_hours(), audio_time="18000"))
    assert context.cues  # SRT and VTT need them, too
    tracemalloc.start()
    try:
        size = len(FORMATS["json"].write(context))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size > 5_000_000
    assert peak < 1.5 * size


def test_sentences_of_one_voice_that_all_overlap_are_captions_in_seconds() -> None:
    sentences = [Sentence(number, 100_000_000, f"hello world {number}.") for number in range(20_000)]
    transcript = build_test_transcript(details=sentences, audio_time="100000")
    started_s = time.process_time()
    assert FORMATS["srt"].render(transcript).count(b"-->") > 10_000
    assert time.process_time() - started_s < 20


def test_thousands_of_voices_are_captions_in_seconds() -> None:
    sentences = [
        Sentence(number * 1_000, number * 1_000 + 900, "hello", speaker=number + 1)
        for number in range(20_000)
    ]
    transcript = build_test_transcript(details=sentences, audio_time="20000")
    started_s = time.process_time()
    assert FORMATS["srt"].render(transcript).count(b"-->") == 20_000
    assert time.process_time() - started_s < 20
