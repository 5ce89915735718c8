"""The notices of a recording: what they say, and that they never have the words of a transcript."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.notices.models import NoticeType
from shared.notices.webhook import build_body
from shared.recordings.context import Context
from shared.recordings.failures import EMPTY, Failure
from shared.recordings.keys import SHORT_NAME
from shared.recordings.notices import build_done_notice, build_failed_notice, count_speakers, count_words
from shared.transcript import RecordingRef, Sentence, Transcript, Word
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET, FakeCloud
from tests.helpers.fakes import build_test_context
from tests.helpers.receipts import RECORDING, build_receipt

RECEIPT = build_receipt(RECORDING._replace(bucket=INPUT_BUCKET), job_id="s1")
WORDS = (Word("very", 0, 100), Word("secret", 100, 200), Word(".", 200, 200))


@pytest.fixture
def ctx() -> Context:
    return build_test_context(FakeCloud())


def build_transcript(*sentences: Sentence, **members: Any) -> Transcript:
    ref = RecordingRef(INPUT_BUCKET, "ap-chengdu", RECORDING.key, RECORDING.etag, RECORDING.size)
    return Transcript(ref, "16k_zh", "s1", 61_000, 1, sentences, **members)


def test_done_notice_says_what_was_written_but_no_word_of_it(ctx: Context) -> None:
    sentence = Sentence(0, 1000, "very secret.", speaker=1, words=WORDS)
    transcript = build_transcript(sentence, title="very secret title", speaker_names=("very secret name",))
    notice = build_done_notice(ctx, RECEIPT, transcript)
    assert notice.type is NoticeType.DONE
    assert (notice.duration_ms, notice.words, notice.speakers) == (61_000, 2, 1)
    assert notice.output_bucket == OUTPUT_BUCKET
    assert notice.output_keys == tuple(f"transcripts/calls/会议.mp3.{name}" for name in ctx.settings.formats)
    assert "secret" not in build_body(notice).decode()
    assert "secret" not in json.dumps(notice.as_document())


def test_keys_are_those_of_the_outputs_with_short_names_too() -> None:
    ctx = build_test_context(FakeCloud(), formats=("txt", "podcast"))
    notice = build_done_notice(ctx, RECEIPT._replace(output_name=SHORT_NAME), build_transcript())
    assert notice.output_keys == ("transcripts/calls/会议.txt", "transcripts/calls/会议.podcast.json")


def test_failed_notice_has_what_the_error_object_says(ctx: Context) -> None:
    notice = build_failed_notice(ctx, RECEIPT, Failure(EMPTY, code="Empty"))
    assert notice.type is NoticeType.FAILED
    assert notice.output_keys == ("transcripts/calls/会议.mp3.error.json",)
    assert notice.error["message_zh"] == EMPTY.message_zh
    assert notice.error["next_step"] == EMPTY.next_step
    assert notice.error["code"] == "Empty"
    assert "recording" not in notice.error


def test_same_job_has_the_same_notice_id_later(ctx: Context) -> None:
    first = build_failed_notice(ctx, RECEIPT, Failure(EMPTY))
    later = build_failed_notice(ctx, RECEIPT._replace(attempt=3), Failure(EMPTY))
    assert first.build_id("webhook") == later.build_id("webhook")


@pytest.mark.parametrize(
    ("sentences", "expected"),
    [
        ((), 0),
        ((Sentence(0, 1, "说"),), None),
        ((Sentence(0, 1, "a", words=WORDS), Sentence(1, 2, "b", words=(Word("，", 1, 1),))), 2),
    ],
)
def test_words_are_those_of_the_engine_without_punctuation(
    sentences: tuple[Sentence, ...], expected: int | None
) -> None:
    assert count_words(build_transcript(*sentences)) == expected


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [((), None), ((None,), None), ((1, 2, 1), 2), ((3,), 1)],
)
def test_speakers_are_counted_if_they_were_separated(
    numbers: tuple[int | None, ...], expected: int | None
) -> None:
    by_speaker = [Sentence(0, 1, "a", speaker=number) for number in numbers]
    by_channel = [Sentence(0, 1, "a", channel=number) for number in numbers]
    assert count_speakers(build_transcript(*by_speaker)) == expected
    assert count_speakers(build_transcript(*by_channel)) == expected
