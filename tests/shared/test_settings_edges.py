"""Settings at their edges: values that are well formed and cannot work, and what is pasted from documents."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import SettingsError
from shared.settings import FULL_WIDTH, MAX_SWEEP_AFTER_S, load_callback_tokens, load_settings

TOKEN = "invented-token-0001"
BUCKET = "media-1250000000"
MINIMUM = {"INPUT_BUCKETS": BUCKET, "CALLBACK_TOKEN": TOKEN, "REGION": "ap-chengdu"}


def load_mistakes(**environ: str) -> list[str]:
    try:
        load_settings({**MINIMUM, **environ})
    except SettingsError as error:
        return list(error.mistakes)
    return []


def test_give_up_after_0_means_never() -> None:
    assert load_settings(MINIMUM).gives_up
    chosen = load_settings({**MINIMUM, "GIVE_UP_AFTER": "0"})
    assert (chosen.give_up_after_s, chosen.gives_up) == (0, False)


@pytest.mark.parametrize(
    ("sweep_after", "give_up_after", "is_valid"),
    [
        ("", "1", False), ("", "300", False), ("", "301", True), ("600", "600", False), ("600", "601", True),
        ("86400", "", False), ("86400", "0", True), ("0", "1", True), ("0", "0", True), ("1", "1", False),
        ("86401", "0", False), ("999999999", "0", False), ("300", "999999999", True),
    ],
)  # fmt: skip
def test_recording_cannot_fail_when_it_is_first_looked_at(
    sweep_after: str, give_up_after: str, is_valid: bool
) -> None:
    mistakes = load_mistakes(SWEEP_AFTER=sweep_after, GIVE_UP_AFTER=give_up_after)
    assert (mistakes == []) is is_valid
    assert all("AFTER" in mistake for mistake in mistakes)


@given(sweep_after_s=st.integers(0, 200_000), give_up_after_s=st.integers(0, 200_000))
@settings(max_examples=200, deadline=None)
def test_accepted_times_leave_time_for_a_result(sweep_after_s: int, give_up_after_s: int) -> None:
    mistakes = load_mistakes(SWEEP_AFTER=str(sweep_after_s), GIVE_UP_AFTER=str(give_up_after_s))
    can_work = give_up_after_s == 0 or give_up_after_s > sweep_after_s
    assert (mistakes == []) is (can_work and sweep_after_s <= MAX_SWEEP_AFTER_S)


def test_since_in_the_future_is_refused() -> None:
    now = datetime.now(timezone.utc)
    assert load_mistakes(SINCE=(now + timedelta(hours=1)).isoformat()) == []
    assert "in the future" in load_mistakes(SINCE=(now + timedelta(days=2)).isoformat())[0]
    assert "in the future" in load_mistakes(SINCE="9999-12-31T23:59:59-12:00")[0]
    assert load_mistakes(SINCE="0001-01-01T00:00:00+14:00") == []


def test_bucket_or_format_that_is_named_twice_counts_once() -> None:
    chosen = load_settings({**MINIMUM, "INPUT_BUCKETS": f"{BUCKET}, {BUCKET},", "FORMATS": "txt,txt"})
    assert (chosen.input_buckets, chosen.formats) == ((BUCKET,), ("txt",))


@pytest.mark.parametrize("output_bucket", ["", BUCKET])
def test_output_bucket_that_is_an_input_bucket_needs_other_prefixes(output_bucket: str) -> None:
    same = {"OUTPUT_BUCKET": output_bucket, "INPUT_PREFIX": "a/", "OUTPUT_PREFIX": "a/"}
    assert "every recording would count as an output" in load_mistakes(**same)[0]
    same = {"OUTPUT_BUCKET": output_bucket, "INPUT_PREFIX": "a/", "STATE_PREFIX": "a/"}
    assert "every recording would count as an output" in load_mistakes(**same)[0]


def test_receipts_cannot_be_below_the_transcripts() -> None:
    """A recording with the name of a receipt would have its transcript there."""
    for state_prefix in ("transcripts/", "transcripts/.scribe/"):
        mistakes = load_mistakes(STATE_PREFIX=state_prefix)
        assert any("OUTPUT_PREFIX" in mistake and "STATE_PREFIX" in mistake for mistake in mistakes)
    assert load_mistakes(STATE_PREFIX="transcripts-state/") == []


PASTED = [
    ("INPUT_BUCKETS", "a-1250000000，b-1250000000", "，"),
    ("INPUT_BUCKETS", "a-1250000000、b-1250000000", "、"),
    ("INPUT_BUCKETS", "“media-1250000000”", "“"),
    ("INPUT_BUCKETS", "media－1250000000", "－"),
    ("REGION", "ａp-guangzhou", "ａ"),
    ("FORMATS", "txt，srt", "，"),
    ("FORMATS", "txt；srt", "；"),
    ("INPUT_EXTENSIONS", "mp3，wav", "，"),
    ("ENGINE", "‘16k_zh’", "‘"),
    ("SWEEP_AFTER", "３００", "３"),
    ("GIVE_UP_AFTER", "８6400", "８"),
    ("CALLBACK_TOKEN", f"{TOKEN}，{TOKEN}", "，"),
    ("CALLBACK_URL", f"https：//example.com/{TOKEN}", "："),
    ("CLOUD_ENDPOINT", "http://127.0.0.1：9000", "："),
    ("JOBS_PATH", "jobs。", "。"),
    ("SINCE", "2026-11-01T00：00：00+08:00", "："),
    ("OUTPUT_PREFIX", "text／", "／"),
]


@pytest.mark.parametrize(("name", "value", "character"), PASTED)
def test_full_width_character_is_named(name: str, value: str, character: str) -> None:
    (mistake,) = load_mistakes(**{name: value})
    assert mistake.startswith(name)
    assert f"full-width character {character}" in mistake
    assert TOKEN not in mistake


@pytest.mark.parametrize("name", ["ENGINE", "REGION", "JOBS_PATH", "QUEUE_ID", "OUTPUT_BUCKET"])
def test_quotes_that_became_a_part_of_the_value_are_named(name: str) -> None:
    (mistake,) = load_mistakes(**{name: '"asr_jobs-12345"'})
    assert "without quotes" in mistake


@pytest.mark.parametrize("name", ["INPUT_PREFIX", "OUTPUT_PREFIX", "STATE_PREFIX"])
@pytest.mark.parametrize(
    "prefix",
    ['"calls/"', "“calls/”", "‘calls/", "'calls/", "calls/\n2026/", "calls\t/", "calls/\u200b/", "\ufeffcalls/",
     "calls/\ud800/", "calls/\x7f/", "../", "a/../b/", "./", "a/./"],
)  # fmt: skip
def test_prefix_that_cannot_be_meant_is_refused(name: str, prefix: str) -> None:
    assert load_mistakes(**{name: prefix})


@pytest.mark.parametrize(
    "prefix", ["会议（一）/", "录音，2026/", "with blank/", "…/", "a..b/", ".calls/", "it's/"]
)
def test_prefix_may_have_any_other_character(prefix: str) -> None:
    assert load_settings({**MINIMUM, "INPUT_PREFIX": prefix}).input_prefix == prefix
    assert load_settings({**MINIMUM, "OUTPUT_PREFIX": prefix}).output_prefix == prefix


@pytest.mark.parametrize(
    "url",
    [
        f"https://example.com/#/{TOKEN}", f"https://example.com/?/{TOKEN}", f"https://example.com/ /{TOKEN}",
        f"https://example.com/\n/{TOKEN}", f"https://例子.example/{TOKEN}",
    ],
)  # fmt: skip
def test_callback_address_has_only_what_is_sent(url: str) -> None:
    assert "CALLBACK_URL" in load_mistakes(CALLBACK_URL=url)[0]


@pytest.mark.parametrize("end", ["#", "#x", "?", "\n0", " ", "\u200b"])
def test_endpoint_is_an_address_and_nothing_else(end: str) -> None:
    assert "CLOUD_ENDPOINT" in load_mistakes(CLOUD_ENDPOINT=f"http://127.0.0.1:900{end}0")[0]


@given(
    tokens=st.text(max_size=60)
    | st.lists(st.sampled_from([TOKEN, "short", "b" * 16, " ", "x y" * 9])).map(",".join)
)
@settings(max_examples=200, deadline=None)
def test_tokens_are_the_same_with_and_without_the_other_settings(tokens: str) -> None:
    known = load_callback_tokens({"CALLBACK_TOKEN": tokens})
    try:
        assert load_settings({**MINIMUM, "CALLBACK_TOKEN": tokens}).callback_tokens == known
    except SettingsError:
        assert all(len(token) >= 16 and token.isascii() for token in known)


def test_full_width_characters_are_no_ascii() -> None:
    assert not any(character.isascii() for character in FULL_WIDTH)
