from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import SettingsError
from shared.settings import FORMATS, Settings, load_settings

TOKEN = "invented-token-0001"
LEAST = {"INPUT_BUCKETS": "media-1250000000", "CALLBACK_TOKEN": TOKEN, "REGION": "ap-chengdu"}

# One wrong value for each name, and a piece of what the message must say about it.
WRONG = {
    "INPUT_BUCKETS": ("media", "'media'"),
    "CALLBACK_TOKEN": ("too-short", "9 characters"),
    "REGION": ("Chengdu!", "'Chengdu!'"),
    "INPUT_PREFIX": ("/calls/", "slash"),
    "OUTPUT_BUCKET": ("texts", "'texts'"),
    "OUTPUT_REGION": ("gz", "'gz'"),
    "OUTPUT_PREFIX": ("/out/", "slash"),
    "STATE_PREFIX": ("/state/", "slash"),
    "FORMATS": ("json,docx", "'docx'"),
    "ENGINE": ("16k zh", "'16k zh'"),
    "QUEUE_ID": ("p 1", "'p 1'"),
    "SWEEP_AFTER": ("soon", "'soon'"),
    "JOBS_PATH": ("tasks", "'tasks'"),
    "CLOUD_ENDPOINT": ("http://198.51.100.7", "loopback"),
}


def mistakes_of(environ: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    assert all(mistake in str(caught.value) for mistake in caught.value.mistakes)
    return caught.value.mistakes


def test_three_settings_are_enough_and_the_rest_has_the_published_defaults() -> None:
    assert load_settings(LEAST) == Settings(
        input_buckets=("media-1250000000",),
        callback_tokens=(TOKEN,),
        region="ap-chengdu",
        input_prefix="",
        output_bucket="",
        output_region="",
        output_prefix="transcripts/",
        state_prefix=".scribe/",
        formats=("json", "txt", "srt", "vtt"),
        engine="16k_zh",
        queue_id="",
        sweep_after_s=300,
        jobs_path="asr_jobs",
        cloud_endpoint="",
    )


def test_an_empty_environment_is_told_every_required_name_at_once() -> None:
    mistakes = mistakes_of({})
    assert sorted(mistake.split()[0] for mistake in mistakes) == ["CALLBACK_TOKEN", "INPUT_BUCKETS", "REGION"]
    assert all("missing" in mistake for mistake in mistakes)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_named_with_its_setting(name: str) -> None:
    value, said = WRONG[name]
    mistakes = mistakes_of({**LEAST, name: value})
    assert [mistake.split()[0] for mistake in mistakes] == [name]
    assert said in mistakes[0]


@given(names=st.sets(st.sampled_from(sorted(WRONG)), min_size=1))
@settings(max_examples=60, deadline=None)
def test_every_wrong_setting_is_named_in_one_message(names: set[str]) -> None:
    mistakes = mistakes_of(LEAST | {name: WRONG[name][0] for name in names})
    assert names <= {mistake.split()[0] for mistake in mistakes}


@pytest.mark.parametrize("name", sorted(WRONG))
def test_a_variable_that_was_unset_at_deployment_is_told_as_such(name: str) -> None:
    mistakes = mistakes_of({**LEAST, name: "undefined"})
    assert any(name in mistake and "deployed" in mistake for mistake in mistakes)


@given(
    token=st.text(min_size=1, max_size=60)
    .map(lambda text: "Zq" + text.replace(",", ""))
    .filter(lambda token: token.strip() == token)
)
@settings(max_examples=200, deadline=None)
def test_a_token_is_quoted_neither_in_a_message_nor_in_the_printed_settings(token: str) -> None:
    try:
        shown = repr(load_settings({**LEAST, "CALLBACK_TOKEN": token}))
    except SettingsError as error:
        shown = f"{error} {error!r} {error.mistakes}"
    assert token not in shown


def test_no_token_is_quoted_when_another_setting_is_wrong_too() -> None:
    shown = str(mistakes_of({**LEAST, "CALLBACK_TOKEN": f"{TOKEN},s p a c e d   t o k e n", "REGION": "?"}))
    assert TOKEN not in shown
    assert "s p a c e d" not in shown


def test_tokens_may_be_several_while_they_are_rotated() -> None:
    chosen = load_settings({**LEAST, "CALLBACK_TOKEN": f" {TOKEN} , {'b' * 16},,{TOKEN}"})
    assert chosen.callback_tokens == (TOKEN, "b" * 16)


@pytest.mark.parametrize("token", ["a" * 15, "a" * 15 + "/", "a" * 15 + "%", "a" * 15 + "钥", "a b" * 8])
def test_a_token_that_is_short_or_that_a_url_would_change_is_refused(token: str) -> None:
    assert mistakes_of({**LEAST, "CALLBACK_TOKEN": token})


def test_several_input_buckets_keep_their_order_and_lose_doubles() -> None:
    chosen = load_settings({**LEAST, "INPUT_BUCKETS": "b-1250000000, a-1250000000,b-1250000000,"})
    assert chosen.input_buckets == ("b-1250000000", "a-1250000000")


def test_the_region_of_the_platform_stands_in_for_region() -> None:
    environ = {**LEAST, "TENCENTCLOUD_REGION": "ap-beijing"}
    assert load_settings(environ).region == "ap-chengdu"
    del environ["REGION"]
    assert load_settings(environ).region == "ap-beijing"


@pytest.mark.parametrize("text", ["", "  ", ",", " , ,"])
def test_formats_never_come_down_to_none_without_a_word(text: str) -> None:
    """A job that is paid for and writes nothing is the one reading that no operator means."""
    try:
        chosen = load_settings({**LEAST, "FORMATS": text}).formats
    except SettingsError as error:
        assert "FORMATS" in str(error)  # noqa: PT017 - either answer is right, silence is not
    else:
        assert chosen == FORMATS


def test_formats_can_be_fewer() -> None:
    assert load_settings({**LEAST, "FORMATS": "vtt, json"}).formats == ("vtt", "json")


@pytest.mark.parametrize(("text", "seconds"), [("0", 0), ("45", 45), (" 900 ", 900), ("", 300)])
def test_sweep_after_is_read_in_seconds_and_zero_means_zero(text: str, seconds: int) -> None:
    assert load_settings({**LEAST, "SWEEP_AFTER": text}).sweep_after_s == seconds


@pytest.mark.parametrize("text", ["-1", "1.5", "5m", "１２", "1_000", "9" * 5000, "undefined"])
def test_sweep_after_that_is_no_whole_number_is_a_mistake_like_any_other(text: str) -> None:
    assert any("SWEEP_AFTER" in mistake for mistake in mistakes_of({**LEAST, "SWEEP_AFTER": text}))


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:9000", "http://127.0.0.1", "http://127.9.9.9:80/", "http://localhost:9000",
        "http://[::1]:9000",
    ],
)  # fmt: skip
def test_a_loopback_endpoint_is_taken(address: str) -> None:
    assert load_settings({**LEAST, "CLOUD_ENDPOINT": address}).cloud_endpoint == address


@pytest.mark.parametrize(
    "address",
    [
        "https://127.0.0.1:9000",
        "127.0.0.1:9000",
        "http://0.0.0.0:9000",
        "http://10.0.0.1:9000",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://127.0.0.1@198.51.100.7",
        "http://user:secret@127.0.0.1",
        "http://198.51.100.7#@127.0.0.1",
        "http://198.51.100.7/127.0.0.1",
        "http://127.0.0.1:9000/elsewhere",
        "http://127.0.0.1:9000/?to=198.51.100.7",
        "http://127.0.0.1:port",
        "http://127.0.0.1:99999",
        "http://2130706433",
        "http://[::1",
        "http://",
        "file:///etc/passwd",
    ],
)
def test_credentials_cannot_leave_the_machine_by_the_endpoint(address: str) -> None:
    assert "CLOUD_ENDPOINT" in str(mistakes_of({**LEAST, "CLOUD_ENDPOINT": address}))


@pytest.mark.parametrize("output_bucket", ["", "media-1250000000"])
@pytest.mark.parametrize("name", ["OUTPUT_PREFIX", "STATE_PREFIX"])
def test_recordings_below_an_output_prefix_of_their_own_bucket_are_a_mistake(
    name: str, output_bucket: str
) -> None:
    environ = {**LEAST, "INPUT_PREFIX": "all/in/", name: "all/", "OUTPUT_BUCKET": output_bucket}
    assert any("INPUT_PREFIX" in mistake and name in mistake for mistake in mistakes_of(environ))


def test_the_same_prefixes_are_fine_in_two_buckets() -> None:
    environ = {
        **LEAST,
        "INPUT_PREFIX": "all/in/",
        "OUTPUT_PREFIX": "all/",
        "OUTPUT_BUCKET": "text-1250000000",
    }
    assert load_settings(environ).input_prefix == "all/in/"


def test_transcripts_among_the_receipts_are_a_mistake() -> None:
    mistakes = mistakes_of({**LEAST, "OUTPUT_PREFIX": "x/out/", "STATE_PREFIX": "x/"})
    assert any("OUTPUT_PREFIX" in mistake and "STATE_PREFIX" in mistake for mistake in mistakes)


def test_transcripts_go_to_the_recordings_own_bucket_unless_another_is_named() -> None:
    assert load_settings(LEAST).output_bucket_for("media-1250000000") == "media-1250000000"
    chosen = load_settings({**LEAST, "OUTPUT_BUCKET": "text-1250000000"})
    assert chosen.output_bucket_for("media-1250000000") == "text-1250000000"


@given(environ=st.dictionaries(st.sampled_from(sorted(WRONG)), st.text(max_size=40)))
@settings(max_examples=200, deadline=None)
def test_no_environment_whatever_raises_anything_but_the_one_message(environ: dict[str, str]) -> None:
    try:
        load_settings({**LEAST, **environ})
    except SettingsError as error:
        assert error.mistakes  # noqa: PT017 - accepting the environment is right as well


def test_an_output_region_apart_from_the_own_bucket_is_a_contradiction() -> None:
    mistakes = mistakes_of({**LEAST, "OUTPUT_REGION": "ap-shanghai"})
    assert [mistake.split()[0] for mistake in mistakes] == ["OUTPUT_REGION"]
    assert load_settings({**LEAST, "OUTPUT_REGION": "ap-shanghai", "OUTPUT_BUCKET": "out-1250000000"})
