"""Names without the recording's extension (OUTPUT_NAMES=short): no recording overwrites the outputs of another."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import permutations, product
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.recordings.keys import (
    DISTINCT_NAME,
    ERROR_EXTENSION,
    FULL_NAME,
    NAME_KINDS,
    SHORT_NAME,
    TRANSCRIPT_EXTENSIONS,
    get_stem,
    is_output_key,
    transcript_key,
)
from shared.recordings.models import Status
from shared.recordings.output_names import choose_output_name, find_output_name
from shared.recordings.receipt import InvalidReceipt, Receipt
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET, FakeCloud, Killed
from tests.helpers.in_memory_pipeline import InMemoryPipeline
from tests.helpers.interleaving import run_interleaved
from tests.helpers.receipts import build_receipt

A, B = b"words of a", b"words of b"
NOT_AUDIO = b"NOT AUDIO"
ENDINGS = (*TRANSCRIPT_EXTENSIONS, ERROR_EXTENSION)
KINDS = ["unversioned", "versioned", "suspended"]
ANY_KIND = pytest.mark.parametrize("kind", KINDS)


def build_pipeline(kind: str = "unversioned", **changes: Any) -> InMemoryPipeline:
    cloud = FakeCloud()
    if kind != "unversioned":
        cloud.versioned.add(OUTPUT_BUCKET)
    if kind == "suspended":
        cloud.suspended.add(OUTPUT_BUCKET)
    return InMemoryPipeline(cloud, **{"output_names": "short", "formats": ("json", "txt"), **changes})


def upload(pipeline: InMemoryPipeline, key: str, body: bytes = A) -> None:
    """Upload a recording, which is one by its name or its Content-Type."""
    pipeline.upload(key, body)
    pipeline.cloud.change_object(INPUT_BUCKET, key, content_type="audio/mpeg")


def transcribe(pipeline: InMemoryPipeline, key: str, body: bytes = A) -> None:
    upload(pipeline, key, body)
    pipeline.ingest(key)
    pipeline.settle()


def list_outputs(pipeline: InMemoryPipeline) -> list[str]:
    return sorted(key.removeprefix("transcripts/") for key in pipeline.list_keys("transcripts/"))


def read_words(pipeline: InMemoryPipeline, name: str) -> str:
    return pipeline.cloud.buckets[OUTPUT_BUCKET][f"transcripts/{name}.txt"].body.decode().strip()


def test_outputs_have_the_name_without_the_extension() -> None:
    pipeline = build_pipeline()
    transcribe(pipeline, "calls/talk.mp3")
    assert list_outputs(pipeline) == ["calls/talk.json", "calls/talk.txt"]
    assert read_words(pipeline, "calls/talk") == A.decode()
    transcribe(pipeline, "calls/bad.mp3", NOT_AUDIO)
    assert list_outputs(pipeline) == ["calls/bad.error.json", "calls/talk.json", "calls/talk.txt"]


@ANY_KIND
@pytest.mark.parametrize("order", list(permutations(["talk.mp3", "talk.m4a", "talk", "talk.mp3.m4a"])))
def test_recordings_of_one_stem_have_files_of_their_own(kind: str, order: Sequence[str]) -> None:
    pipeline = build_pipeline(kind)
    for key in order:
        transcribe(pipeline, key, key.encode())
    with_stem = [key for key in order if key != "talk.mp3.m4a"]
    expected = {key: key for key in order}
    if with_stem[0] != "talk":
        expected["talk"] = transcript_key(pipeline.ctx.settings, INPUT_BUCKET, "talk", "", DISTINCT_NAME)[
            12:-1
        ]
    expected[with_stem[0]] = "talk"
    for key, name in expected.items():
        assert read_words(pipeline, name) == key, list_outputs(pipeline)
    assert len(list_outputs(pipeline)) == 2 * len(order)


PARTS = ["a", "b", ".", "/", ".mp3", ".m4a", ".error", ".json", ".podcast", "~0123456789abcdef", " ", "会"]
KEYS = st.builds("".join, st.lists(st.sampled_from(PARTS), min_size=1, max_size=5))


@given(
    keys=st.lists(KEYS, min_size=2, max_size=5, unique=True),
    names=st.lists(st.sampled_from(["full", "short"]), min_size=5, max_size=5),
)
@example(keys=["talk.mp3", "talk.mp3.m4a"], names=["full", "short"] * 2 + ["full"])
@example(keys=["talk", "talk.mp3"], names=["full", "short"] * 2 + ["full"])
@example(keys=["talk.mp3", "talk"], names=["short", "full"] * 2 + ["full"])
@example(keys=["a.error.mp3", "a.mp3"], names=["short"] * 5)
@settings(max_examples=150, deadline=None)
def test_no_two_recordings_share_an_output(keys: list[str], names: list[str]) -> None:
    """Also if the setting changes from one to the next."""
    pipeline = build_pipeline()
    ctx = pipeline.ctx
    chosen = {}
    for key, setting in zip(keys, names, strict=False):
        ctx.settings = replace(ctx.settings, output_names=setting)
        chosen[key] = choose_output_name(ctx, INPUT_BUCKET, key)
        receipt = pipeline.build_receipt(key, A)
        pipeline.cloud.put_object(OUTPUT_BUCKET, f".scribe/done/{receipt.id}", receipt.to_json())
    outputs = [
        transcript_key(ctx.settings, INPUT_BUCKET, key, ending, name)
        for key, name in chosen.items()
        for ending in ENDINGS
    ]
    assert len(outputs) == len(set(outputs)), chosen
    assert all(is_output_key(ctx.settings, OUTPUT_BUCKET, key) for key in outputs)
    ctx.settings = replace(ctx.settings, output_names="short")
    for key, name in chosen.items():
        if name != FULL_NAME:
            assert choose_output_name(ctx, INPUT_BUCKET, key) == name


@given(KEYS, KEYS, st.sampled_from(ENDINGS), st.sampled_from(ENDINGS))
@settings(max_examples=300, deadline=None)
def test_full_name_is_never_the_short_one_of_another_recording(
    first: str, second: str, ending: str, other: str
) -> None:
    """Unless its key is the other's stem: that is claimed."""
    ctx = InMemoryPipeline().ctx
    short = transcript_key(ctx.settings, INPUT_BUCKET, first, ending, SHORT_NAME) if get_stem(first) else ""
    full = transcript_key(ctx.settings, INPUT_BUCKET, second, other)
    distinct = transcript_key(ctx.settings, INPUT_BUCKET, second, other, DISTINCT_NAME)
    assert short != distinct
    assert short != full or (get_stem(first) == second and ending == other)


@pytest.mark.parametrize(
    ("key", "stem"),
    [
        ("talk.mp3", "talk"),
        ("calls/会议 一.MP3", "calls/会议 一"),
        ("talk", "talk"),
        ("Call at 14.30 with Li", "Call at 14.30 with Li"),
        ("talk.mp3.m4a", ""),
        ("v1.2.mp3", ""),
        ("a.error.mp3", ""),
        ("a.podcast.mp3", ""),
        (".mp3", ""),
        ("a/.mp3", ""),
        ("talk~0123456789abcdef.mp3", ""),
        ("a" * 179 + ".mp3", "a" * 179),
        ("a" * 180 + ".mp3", ""),
        ("会" * 60 + ".mp3", ""),
    ],
)
def test_stem(key: str, stem: str) -> None:
    assert get_stem(key) == stem


def test_recording_keeps_its_name_for_ever() -> None:
    pipeline = build_pipeline()
    transcribe(pipeline, "talk.mp3", A)
    transcribe(pipeline, "talk.m4a", B)
    for number in range(3):
        for key in ("talk.m4a", "talk.mp3"):
            pipeline.cloud.clock.advance(2)
            transcribe(pipeline, key, f"{key} {number}".encode())
        assert read_words(pipeline, "talk") == f"talk.mp3 {number}"
        assert read_words(pipeline, "talk.m4a") == f"talk.m4a {number}"
        assert len(list_outputs(pipeline)) == 4


def test_recording_of_before_keeps_the_name_without_extension() -> None:
    """`talk` has no extension and was transcribed with full names, which claim nothing."""
    pipeline = build_pipeline(output_names="full")
    transcribe(pipeline, "talk", A)
    pipeline.ctx = pipeline.build_context(output_names="short", formats=("json", "txt"))
    transcribe(pipeline, "talk.mp3", B)
    assert (read_words(pipeline, "talk"), read_words(pipeline, "talk.mp3")) == (A.decode(), B.decode())
    pipeline.cloud.clock.advance(2)
    transcribe(pipeline, "talk", b"later words")
    assert read_words(pipeline, "talk") == "later words"
    assert len(list_outputs(pipeline)) == 4


def test_changed_setting_moves_the_files_with_the_next_upload_only() -> None:
    pipeline = build_pipeline(output_names="full")
    transcribe(pipeline, "talk.mp3", A)
    transcribe(pipeline, "other.mp3", A)
    pipeline.ctx = pipeline.build_context(output_names="short", formats=("json", "txt"))
    pipeline.ingest("talk.mp3")
    pipeline.settle()
    before = ["other.mp3.json", "other.mp3.txt", "talk.mp3.json", "talk.mp3.txt"]
    assert list_outputs(pipeline) == before
    mine = "transcripts/talk.mp3.md"
    pipeline.cloud.put_object(OUTPUT_BUCKET, mine, b"a user's own file")
    pipeline.cloud.clock.advance(2)
    transcribe(pipeline, "talk.mp3", B)
    assert list_outputs(pipeline) == [*before[:2], "talk.json", "talk.mp3.md", "talk.txt"]
    assert pipeline.count_jobs() == 3


@ANY_KIND
@pytest.mark.parametrize("names", list(product(["full", "short"], repeat=4)))
def test_files_are_of_the_newest_content_under_the_name_that_holds_now(
    kind: str, names: Sequence[str]
) -> None:
    """The setting changes between the uploads, and content comes back that was transcribed before."""
    pipeline = build_pipeline(kind)
    mine = "transcripts/talk.md"
    pipeline.cloud.put_object(OUTPUT_BUCKET, mine, b"a user's own file")
    for name, body in zip(names, (A, B, A, B), strict=True):
        pipeline.ctx = pipeline.build_context(output_names=name, formats=("json", "txt"))
        transcribe(pipeline, "talk.mp3", body)
        pipeline.cloud.clock.advance(2)
        stem = "talk" if name == "short" else "talk.mp3"
        assert list_outputs(pipeline) == sorted([f"{stem}.json", f"{stem}.txt", "talk.md"])
        assert read_words(pipeline, stem) == body.decode()
    assert pipeline.count_jobs() == 2


@pytest.mark.parametrize("names", [("full", "short"), ("short", "full")])
@pytest.mark.parametrize("formats", [("json", "txt"), ("txt",)])
def test_files_of_a_job_that_is_forgotten_get_the_new_name(
    names: Sequence[str], formats: tuple[str, ...]
) -> None:
    pipeline = build_pipeline(output_names=names[0], formats=formats)
    transcribe(pipeline, "talk.mp3", A)
    words = {
        key.rpartition(".")[2]: pipeline.cloud.buckets[OUTPUT_BUCKET][f"transcripts/{key}"]
        for key in list_outputs(pipeline)
    }
    pipeline.cloud.jobs.clear()
    for key in pipeline.list_keys(".scribe/raw/"):
        del pipeline.cloud.buckets[OUTPUT_BUCKET][key]
    pipeline.ctx = pipeline.build_context(output_names=names[1], formats=formats)
    pipeline.touch("talk.mp3")
    assert pipeline.ingest("talk.mp3").status is Status.REOPENED
    pipeline.settle()
    stem = "talk" if names[1] == "short" else "talk.mp3"
    assert list_outputs(pipeline) == [f"{stem}.{extension}" for extension in formats]
    for extension, before in words.items():
        after = pipeline.cloud.buckets[OUTPUT_BUCKET][f"transcripts/{stem}.{extension}"]
        assert (after.body, after.content_type) == (before.body, before.content_type)


@pytest.mark.parametrize("names", [("full", "short"), ("short", "full")])
def test_title_of_a_job_that_is_forgotten_is_written_under_the_new_name(names: Sequence[str]) -> None:
    pipeline = build_pipeline(output_names=names[0])
    transcribe(pipeline, "talk.mp3", A)
    pipeline.cloud.jobs.clear()
    pipeline.ctx = pipeline.build_context(output_names=names[1], formats=("json", "txt"))
    pipeline.upload("talk.mp3", A, **{"scribe-title": "Monday"})
    pipeline.ingest("talk.mp3")
    pipeline.settle()
    stem = "talk" if names[1] == "short" else "talk.mp3"
    assert list_outputs(pipeline) == [f"{stem}.json", f"{stem}.txt"]
    assert read_words(pipeline, stem).startswith("Monday")


@pytest.mark.parametrize("owner", ["talk", "talk.m4a"])
def test_files_with_the_short_name_of_another_recording_stay(owner: str) -> None:
    pipeline = build_pipeline()
    transcribe(pipeline, owner, A)
    transcribe(pipeline, "talk.mp3", B)
    pipeline.ctx = pipeline.build_context(output_names="full", formats=("json", "txt"))
    for body in (b"words of c", B):
        pipeline.cloud.clock.advance(2)
        transcribe(pipeline, "talk.mp3", body)
        assert (read_words(pipeline, "talk"), read_words(pipeline, "talk.mp3")) == (A.decode(), body.decode())
    assert len(list_outputs(pipeline)) == 4


def test_short_files_are_found_among_more_than_one_response_lists() -> None:
    pipeline = build_pipeline()
    transcribe(pipeline, "talk.mp3", A)
    for number in range(1001):
        pipeline.cloud.put_object(OUTPUT_BUCKET, f"transcripts/talk.{number:04}.mp3.txt", b"")
    pipeline.ctx = pipeline.build_context(output_names="full", formats=("json", "txt"))
    transcribe(pipeline, "talk.mp3", B)
    assert list_outputs(pipeline)[1001:] == ["talk.mp3.json", "talk.mp3.txt"]


def test_short_name_replaces_an_error_of_before() -> None:
    pipeline = build_pipeline(output_names="full")
    transcribe(pipeline, "talk.mp3", NOT_AUDIO)
    assert list_outputs(pipeline) == ["talk.mp3.error.json"]
    pipeline.ctx = pipeline.build_context(output_names="short", formats=("json", "txt"))
    pipeline.cloud.clock.advance(2)
    transcribe(pipeline, "talk.mp3", A)
    assert list_outputs(pipeline) == ["talk.json", "talk.txt"]


@ANY_KIND
@pytest.mark.parametrize("first", ["talk.mp3", "talk"])
def test_upload_killed_at_any_request_ends_in_files_of_its_own(kind: str, first: str) -> None:
    """The other recording is uploaded before the platform repeats the event of the first."""
    for number in range(40):
        pipeline = build_pipeline(kind)
        upload(pipeline, first, A)
        upload(pipeline, "talk.m4a", B)
        pipeline.cloud.kill_before(number)
        try:
            pipeline.ingest(first)
        except Killed:
            pass
        else:
            break
        pipeline.cloud.clear_hooks()
        pipeline.ingest("talk.m4a")
        pipeline.cloud.clock.advance(130)
        pipeline.ingest(first)
        pipeline.settle()
        words = [read_words(pipeline, name[:-4]) for name in list_outputs(pipeline) if name.endswith(".txt")]
        assert sorted(words) == [A.decode(), B.decode()], number
        assert len(list_outputs(pipeline)) == 4, number
        assert pipeline.count_jobs() == 2, number
    assert number > 10


@ANY_KIND
@given(order=st.lists(st.integers(0, 3), max_size=40), first=st.sampled_from(["talk.mp3", "talk"]))
@settings(max_examples=80, deadline=None)
def test_uploads_at_once_have_files_of_their_own(kind: str, order: list[int], first: str) -> None:
    """Of the first recording the platform sends two events at once. Perhaps no one gets the short name."""
    pipeline = build_pipeline(kind)
    bodies = {first: A, "talk.m4a": B, "talk.wav": b"words of c"}
    for key, body in bodies.items():
        upload(pipeline, key, body)
    keys = [first, first, "talk.m4a", "talk.wav"]
    run_interleaved(pipeline.cloud, order, *(partial(pipeline.ingest, key) for key in keys))
    pipeline.cloud.clock.advance(130)
    for key in bodies:  # where two events gave way to each other, the platform repeats them
        pipeline.ingest(key)
    pipeline.settle()
    words = [read_words(pipeline, name[:-4]) for name in list_outputs(pipeline) if name.endswith(".txt")]
    assert sorted(words) == sorted(body.decode() for body in bodies.values())
    assert pipeline.count_jobs() == 3
    names = [receipt.output_name for receipt in pipeline.list_done()]
    assert names.count(SHORT_NAME) <= 1
    pipeline.cloud.clock.advance(2)
    for key in bodies:
        transcribe(pipeline, key, key.encode())
    assert len(list_outputs(pipeline)) == 6, list_outputs(pipeline)


def test_requests_are_six_more_for_a_new_recording_and_one_for_an_old_one() -> None:
    pipeline, full = build_pipeline(), build_pipeline(output_names="full")
    counts = []
    for each in (full, pipeline):
        upload(each, "talk.mp3")
        each.take_requests()
        each.ingest("talk.mp3")
        first = len(each.take_requests())
        each.settle()
        each.cloud.clock.advance(2)
        upload(each, "talk.mp3", B)
        each.take_requests()
        each.ingest("talk.mp3")
        counts.append((first, len(each.take_requests())))
    assert counts == [(8, 8), (14, 9)]


def test_lookup_claims_nothing_and_says_what_an_upload_gets() -> None:
    pipeline = build_pipeline()
    ctx = pipeline.ctx

    def look_up(key: str) -> str:
        return find_output_name(ctx.output_cos, ctx.settings, INPUT_BUCKET, key)

    names = [look_up(key) for key in ("talk.mp3", "talk.m4a", "v1.2.mp3")]
    assert names == [SHORT_NAME, SHORT_NAME, FULL_NAME]
    assert pipeline.list_keys() == []
    choose_output_name(ctx, INPUT_BUCKET, "talk.mp3")
    names = [look_up(key) for key in ("talk.mp3", "talk.m4a", "talk")]
    assert names == [SHORT_NAME, FULL_NAME, DISTINCT_NAME]


def test_receipt_has_its_name_and_refuses_another() -> None:
    for name in NAME_KINDS:
        receipt = build_receipt(output_name=name)
        assert Receipt.from_json(receipt.to_json()) == receipt
    assert "output_name" not in json.loads(build_receipt().to_json())
    document = json.loads(build_receipt().to_json()) | {"output_name": "../x"}
    with pytest.raises(InvalidReceipt):
        Receipt.from_json(json.dumps(document).encode())
