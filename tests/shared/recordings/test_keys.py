from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from shared.options.model import FORMATS as OPTION_FORMATS
from shared.recordings.keys import (
    ERROR_EXTENSION,
    TRANSCRIPT_EXTENSIONS,
    done_prefix,
    get_extension,
    is_output_key,
    open_prefix,
    raw_result_key,
    transcript_key,
)
from shared.recordings.receipt import Recording
from shared.settings import Settings
from shared.transcript import FORMATS

BUCKET, SECOND, TEXTS = "media-1250000000", "phone-1250000000", "text-1250000000"
ALONE = Settings(input_buckets=(BUCKET,), callback_tokens=("t" * 16,), region="ap-chengdu")
ENDINGS = (*TRANSCRIPT_EXTENSIONS, ERROR_EXTENSION)

keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300).filter(
    lambda key: len(key.encode()) <= 850
)
# Long names that share all but their ends: what a cut would confuse.
long_keys = st.tuples(
    st.sampled_from(["k", "会", "é", "🎙"]), st.integers(790, 850), st.text("ab会", max_size=4)
).map(lambda parts: (parts[0] * (parts[1] // len(parts[0].encode())))[: 850 - 16] + parts[2])


@pytest.mark.parametrize(
    ("ending", "name"),
    [
        ("json", "transcripts/calls/a.mp3.json"),
        ("txt", "transcripts/calls/a.mp3.txt"),
        ("srt", "transcripts/calls/a.mp3.srt"),
        ("vtt", "transcripts/calls/a.mp3.vtt"),
        ("podcast.json", "transcripts/calls/a.mp3.podcast.json"),
        (ERROR_EXTENSION, "transcripts/calls/a.mp3.error.json"),
    ],
)
def test_transcript_key_has_the_whole_name(ending: str, name: str) -> None:
    assert transcript_key(ALONE, BUCKET, "calls/a.mp3", ending) == name


def test_output_prefix_is_used() -> None:
    assert transcript_key(replace(ALONE, output_prefix="t-"), BUCKET, "a.mp3", "txt") == "t-a.mp3.txt"


@given(key=keys | long_keys, ending=st.sampled_from(ENDINGS))
@example(key="k" * 850, ending=ERROR_EXTENSION)
@example(key="会" * 283, ending=ERROR_EXTENSION)
@example(key="/" * 850, ending="json")
@settings(max_examples=150, deadline=None)
def test_every_key_is_valid_in_cos(key: str, ending: str) -> None:
    name = transcript_key(ALONE, BUCKET, key, ending)
    assert len(name.encode("utf-8")) <= 850
    assert name.startswith("transcripts/")
    assert name.endswith("." + ending)


@given(first=keys | long_keys, second=keys | long_keys, ending=st.sampled_from(ENDINGS))
@example(first="k" * 849, second="k" * 850, ending="txt")
@example(first="k" * 826, second="k" * 827, ending="txt")
@example(first="会" * 275 + "a", second="会" * 275 + "b", ending="srt")
@settings(max_examples=150, deadline=None)
def test_two_recordings_have_two_transcripts(first: str, second: str, ending: str) -> None:
    assume(first != second)
    assert transcript_key(ALONE, BUCKET, first, ending) != transcript_key(ALONE, BUCKET, second, ending)


NAMED_LIKE_OUTPUTS = st.sampled_from(
    ["", "~b84991d81b77da3f", ".error", ".podcast", ".error.json", ".json", "~0"]
)


@given(
    key=keys | long_keys, endings=st.lists(NAMED_LIKE_OUTPUTS, max_size=3), ending=st.sampled_from(ENDINGS)
)
@example(key="calls/" + "a" * 830 + ".mp3", endings=[], ending="txt")
@settings(max_examples=200, deadline=None)
def test_recording_named_like_an_output_has_names_of_its_own(
    key: str, endings: list[str], ending: str
) -> None:
    """Anyone who may upload can compute the name of another recording's outputs, and choose that name."""
    taken = {
        transcript_key(ALONE, BUCKET, key, extension)
        for extension in (*TRANSCRIPT_EXTENSIONS, ERROR_EXTENSION)
    }
    stem = transcript_key(ALONE, BUCKET, key, "txt").removeprefix("transcripts/").removesuffix(".txt")
    for other in {stem, stem + "".join(endings), key + "".join(endings)} - {key}:
        for extension in (*TRANSCRIPT_EXTENSIONS, ERROR_EXTENSION):
            assert transcript_key(ALONE, BUCKET, other, extension) not in taken, (other, extension)


@given(key=keys | long_keys)
@settings(max_examples=100, deadline=None)
def test_outputs_of_one_recording_have_distinct_keys(key: str) -> None:
    names = {transcript_key(ALONE, BUCKET, key, ending) for ending in ENDINGS}
    assert len(names) == len(ENDINGS)
    stems = {
        name.removesuffix("." + ending) for name in names for ending in ENDINGS if name.endswith("." + ending)
    }
    assert transcript_key(ALONE, BUCKET, key, "txt").removesuffix(".txt") in stems


def test_short_name_is_kept() -> None:
    longest = "k" * (850 - len("transcripts/") - len(".podcast.json"))
    assert transcript_key(ALONE, BUCKET, longest, "txt") == f"transcripts/{longest}.txt"
    assert "~" in transcript_key(ALONE, BUCKET, longest + "k", "txt")


def test_buckets_with_one_output_bucket_have_distinct_keys() -> None:
    shared = replace(ALONE, input_buckets=(BUCKET, SECOND), output_bucket=TEXTS)
    assert transcript_key(shared, BUCKET, "a.mp3", "txt") == f"transcripts/{BUCKET}/a.mp3.txt"
    assert transcript_key(shared, SECOND, "a.mp3", "txt") == f"transcripts/{SECOND}/a.mp3.txt"


def test_order_of_the_buckets_changes_no_name() -> None:
    first = replace(ALONE, input_buckets=(BUCKET, SECOND), output_bucket=TEXTS)
    second = replace(first, input_buckets=(SECOND, BUCKET))
    for bucket in (BUCKET, SECOND):
        assert transcript_key(first, bucket, "a.mp3", "txt") == transcript_key(second, bucket, "a.mp3", "txt")


LISTS = [(BUCKET,), (SECOND,), (BUCKET, SECOND), (SECOND, BUCKET)]
bucket_keys = keys | long_keys | keys.map(f"{SECOND}/".__add__) | keys.map(f"{BUCKET}/".__add__)


@given(
    first=bucket_keys,
    second=bucket_keys,
    lists=st.tuples(st.sampled_from(LISTS), st.sampled_from(LISTS)),
    ending=st.sampled_from(ENDINGS),
)
@example(first=f"{SECOND}/x.mp3", second="x.mp3", lists=((BUCKET,), (BUCKET, SECOND)), ending="txt")
@example(first=f"{SECOND}/x.mp3", second="x.mp3", lists=((BUCKET, SECOND), (BUCKET, SECOND)), ending="txt")
@settings(max_examples=300, deadline=None)
def test_names_of_two_buckets_never_meet_whatever_the_list(
    first: str, second: str, lists: tuple[tuple[str, ...], tuple[str, ...]], ending: str
) -> None:
    """Also when the list of buckets changes between the two."""
    then, now = (replace(ALONE, input_buckets=buckets, output_bucket=TEXTS) for buckets in lists)
    if BUCKET in lists[0] and SECOND in lists[1] and (len(lists[0]) > 1 or len(lists[1]) > 1):
        assert transcript_key(then, BUCKET, first, ending) != transcript_key(now, SECOND, second, ending)


@pytest.mark.parametrize("folder", ["meeting-20261126", "call-1794300000", "2026-11", "a-1", "-1250000000x"])
def test_folders_that_are_no_bucket_of_the_account_are_kept_as_they_are(folder: str) -> None:
    assert transcript_key(ALONE, BUCKET, f"{folder}/a.mp3", "txt") == f"transcripts/{folder}/a.mp3.txt"


def test_every_format_has_an_extension_that_is_removed_with_the_others() -> None:
    assert {name: output_format.extension for name, output_format in FORMATS.items()} == {
        name: f".{get_extension(name)}" for name in OPTION_FORMATS
    }
    assert tuple(map(get_extension, OPTION_FORMATS)) == TRANSCRIPT_EXTENSIONS


def test_buckets_with_own_outputs_have_no_folders() -> None:
    apart = replace(ALONE, input_buckets=(BUCKET, SECOND))
    assert transcript_key(apart, SECOND, "a.mp3", "txt") == "transcripts/a.mp3.txt"


def all_keys(settings: Settings, bucket: str, key: str) -> list[str]:
    """Every name that a recording's life writes."""
    receipt_id = Recording(bucket, key, "e1", 1).id
    return [
        *(transcript_key(settings, bucket, key, ending) for ending in ENDINGS),
        open_prefix(settings) + receipt_id,
        done_prefix(settings) + receipt_id,
        raw_result_key(settings, receipt_id),
        raw_result_key(settings, receipt_id) + ".detail",
    ]


@given(key=keys | long_keys, output=st.sampled_from(["", BUCKET, TEXTS, SECOND]))
@settings(max_examples=150, deadline=None)
def test_outputs_are_not_recordings(key: str, output: str) -> None:
    settings = replace(ALONE, input_buckets=(BUCKET, SECOND), output_bucket=output)
    names = all_keys(settings, BUCKET, key)
    assert len(set(names)) == len(names)
    assert all(is_output_key(settings, settings.output_bucket_for(BUCKET), name) for name in names)


def test_same_keys_in_another_bucket_are_recordings() -> None:
    settings = replace(ALONE, output_bucket=TEXTS)
    assert not is_output_key(settings, BUCKET, "transcripts/a.mp3")
    assert is_output_key(settings, TEXTS, "transcripts/a.mp3")


@pytest.mark.parametrize(
    "key", ["a.mp3", "calls/transcripts/a.mp3", "transcript/a.mp3", "scribe/a", "Transcripts/a"]
)
def test_key_outside_the_output_prefixes_is_a_recording(key: str) -> None:
    assert not is_output_key(ALONE, BUCKET, key)


@given(key=keys)
@settings(max_examples=100, deadline=None)
def test_receipts_and_raw_results_have_distinct_keys(key: str) -> None:
    names = all_keys(ALONE, BUCKET, key)[-4:]
    prefixes = (open_prefix(ALONE), done_prefix(ALONE), ".scribe/raw/", ".scribe/raw/")
    assert all(name.startswith(prefix) for name, prefix in zip(names, prefixes, strict=True))


def test_key_that_ends_in_error_keeps_its_own_outputs() -> None:
    settings = Settings(("in-1250000000",), ("x" * 16,), "ap-guangzhou")
    transcript = transcript_key(settings, "in-1250000000", "a.mp3.error", "json")
    assert transcript != transcript_key(settings, "in-1250000000", "a.mp3", ERROR_EXTENSION)
    assert transcript.startswith("transcripts/a.mp3.error~")
