from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import SettingsError
from shared.notices.models import TargetKind
from shared.notices.targets import load_targets
from shared.settings import ALL_QUOTES, DEFAULT_EXTENSIONS, DEFAULT_FORMATS, Settings, load_settings
from shared.transcript import FORMATS
from tests.helpers.notices import SECRET, URLS

TOKEN = "invented-token-0001"
MINIMUM = {"INPUT_BUCKETS": "media-1250000000", "CALLBACK_TOKEN": TOKEN, "REGION": "ap-chengdu"}

# One wrong value for each name, and a part of the message.
WRONG = {
    "INPUT_BUCKETS": ("media", "'media'"),
    "CALLBACK_TOKEN": ("too-short", "9 characters"),
    "REGION": ("Chengdu!", "'Chengdu!'"),
    "INPUT_PREFIX": ("/calls/", "slash"),
    "OUTPUT_BUCKET": ("texts", "'texts'"),
    "OUTPUT_REGION": ("gz", "'gz'"),
    "INPUT_EXTENSIONS": ("mp3,.wav", "'.wav'"),
    "SINCE": ("yesterday", "'yesterday'"),
    "OUTPUT_PREFIX": ("/out/", "slash"),
    "STATE_PREFIX": ("/state/", "slash"),
    "GIVE_UP_AFTER": ("-1", "'-1'"),
    "MAX_IN_FLIGHT": ("1e3", "'1e3'"),
    "MONTHLY_MINUTES": ("0", "is 0: leave it empty"),
    "CALLBACK_URL": (f"http://example.com/{TOKEN}", "https://"),
    "FORMATS": ("json,pdf", "'pdf'"),
    "ENGINE": ("16k zh", "'16k zh'"),
    "QUEUE_ID": ("p 1", "'p 1'"),
    "SWEEP_AFTER": ("soon", "'soon'"),
    "JOBS_PATH": ("tasks", "'tasks'"),
    "CLOUD_ENDPOINT": ("http://198.51.100.7", "loopback"),
    "OPTIONS": ("speakers=1", "speakers in settings is '1'; it is off, auto or 2 to 10"),
}

PAST = datetime(2025, 1, 1)  # noqa: DTZ001 - a time in any zone


def load_mistakes(environ: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    assert all(mistake in str(caught.value) for mistake in caught.value.mistakes)
    return caught.value.mistakes


def test_three_settings_are_enough() -> None:
    assert load_settings(MINIMUM) == Settings(
        input_buckets=("media-1250000000",),
        callback_tokens=(TOKEN,),
        region="ap-chengdu",
        input_prefix="",
        output_bucket="",
        output_region="",
        output_prefix="transcripts/",
        state_prefix=".scribe/",
        formats=("json", "txt", "srt", "vtt", "html"),
        engine="16k_zh",
        queue_id="",
        sweep_after_s=300,
        jobs_path="asr_jobs",
        cloud_endpoint="",
    )


def test_empty_environment_reports_every_required_name() -> None:
    mistakes = load_mistakes({})
    assert sorted(mistake.split()[0] for mistake in mistakes) == ["CALLBACK_TOKEN", "INPUT_BUCKETS", "REGION"]
    assert all("missing" in mistake for mistake in mistakes)


@pytest.mark.parametrize("name", WRONG)
def test_invalid_value_is_reported_with_its_name(name: str) -> None:
    value, message = WRONG[name]
    mistakes = load_mistakes({**MINIMUM, name: value})
    assert [mistake.split()[0] for mistake in mistakes] == [name]
    assert message in mistakes[0]


@given(names=st.sets(st.sampled_from(sorted(WRONG)), min_size=1))
@settings(max_examples=60, deadline=None)
def test_every_mistake_is_in_one_message(names: set[str]) -> None:
    mistakes = load_mistakes(MINIMUM | {name: WRONG[name][0] for name in names})
    assert names <= {mistake.split()[0] for mistake in mistakes}


@pytest.mark.parametrize("name", sorted(WRONG))
def test_undefined_variable_is_reported(name: str) -> None:
    mistakes = load_mistakes({**MINIMUM, name: "undefined"})
    assert any(name in mistake and "deployed" in mistake for mistake in mistakes)


@given(
    token=st.text(min_size=1, max_size=60)
    .map(lambda text: "Zq" + text.replace(",", ""))
    .filter(lambda token: token.strip() == token)
)
@settings(max_examples=200, deadline=None)
def test_token_is_never_printed(token: str) -> None:
    try:
        shown = repr(load_settings({**MINIMUM, "CALLBACK_TOKEN": token}))
    except SettingsError as error:
        shown = f"{error} {error!r} {error.mistakes}"
    assert token not in shown


def test_token_is_not_printed_with_other_mistakes() -> None:
    shown = str(
        load_mistakes({**MINIMUM, "CALLBACK_TOKEN": f"{TOKEN},s p a c e d   t o k e n", "REGION": "?"})
    )
    assert TOKEN not in shown
    assert "s p a c e d" not in shown


def test_targets_of_notices_are_read() -> None:
    webhook = {"NOTIFY_WEBHOOK": URLS[TargetKind.WEBHOOK], "NOTIFY_WEBHOOK_SECRET": SECRET}
    sales = {"NOTIFY_FEISHU_SALES": URLS[TargetKind.FEISHU], "NOTIFY_ON": "done"}
    chosen = load_settings({**MINIMUM, **webhook, **sales})
    assert [target.name for target in chosen.targets] == ["feishu-sales", "webhook"]
    assert chosen.targets == load_targets(webhook | sales)
    assert hash(chosen) == hash(load_settings({**MINIMUM, **webhook, **sales}))
    assert not any(secret in repr(chosen) for secret in (SECRET, *URLS.values()))


def test_empty_variables_of_notices_make_no_target() -> None:
    assert load_settings({**MINIMUM, "NOTIFY_WEBHOOK": "", "NOTIFY_ON": " "}) == load_settings(MINIMUM)


def test_mistakes_of_notices_are_in_the_same_message() -> None:
    mistakes = load_mistakes(
        {**MINIMUM, "REGION": "?", "NOTIFY_WECOM": "http://qyapi.weixin.qq.com/x", "NOTIFY_ON": "never"}
    )
    assert [mistake.split()[0] for mistake in mistakes] == ["REGION", "NOTIFY_ON", "NOTIFY_WECOM"]


def test_several_tokens_are_read() -> None:
    chosen = load_settings({**MINIMUM, "CALLBACK_TOKEN": f" {TOKEN} , {'b' * 16},,{TOKEN}"})
    assert chosen.callback_tokens == (TOKEN, "b" * 16)


@pytest.mark.parametrize("token", ["a" * 15, "a" * 15 + "/", "a" * 15 + "%", "a" * 15 + "钥", "a b" * 8])
def test_short_or_unsafe_token_is_rejected(token: str) -> None:
    assert load_mistakes({**MINIMUM, "CALLBACK_TOKEN": token})


def test_input_buckets_keep_order_without_duplicates() -> None:
    chosen = load_settings({**MINIMUM, "INPUT_BUCKETS": "b-1250000000, a-1250000000,b-1250000000,"})
    assert chosen.input_buckets == ("b-1250000000", "a-1250000000")


def test_platform_region_is_the_default() -> None:
    environ = {**MINIMUM, "TENCENTCLOUD_REGION": "ap-beijing"}
    assert load_settings(environ).region == "ap-chengdu"
    del environ["REGION"]
    assert load_settings(environ).region == "ap-beijing"


@pytest.mark.parametrize("text", ["", "  ", ",", " , ,"])
def test_empty_formats_are_rejected(text: str) -> None:
    """A job that is paid for and writes nothing is the one reading that no operator means."""
    try:
        chosen = load_settings({**MINIMUM, "FORMATS": text}).formats
    except SettingsError as error:
        assert "FORMATS" in str(error)  # noqa: PT017 - either answer is right, silence is not
    else:
        assert chosen == DEFAULT_FORMATS


def test_fewer_formats_are_accepted() -> None:
    assert load_settings({**MINIMUM, "FORMATS": "vtt, json"}).formats == ("vtt", "json")


@pytest.mark.parametrize(("text", "seconds"), [("0", 0), ("45", 45), (" 900 ", 900), ("", 300)])
def test_sweep_after_is_seconds_and_may_be_zero(text: str, seconds: int) -> None:
    assert load_settings({**MINIMUM, "SWEEP_AFTER": text}).sweep_after_s == seconds


@pytest.mark.parametrize("text", ["-1", "1.5", "5m", "１２", "1_000", "9" * 5000, "undefined"])
def test_invalid_sweep_after_is_rejected(text: str) -> None:
    assert any("SWEEP_AFTER" in mistake for mistake in load_mistakes({**MINIMUM, "SWEEP_AFTER": text}))


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:9000", "http://127.0.0.1", "http://127.9.9.9:80/", "http://localhost:9000",
        "http://[::1]:9000",
    ],
)  # fmt: skip
def test_loopback_endpoint_is_accepted(address: str) -> None:
    assert load_settings({**MINIMUM, "CLOUD_ENDPOINT": address}).cloud_endpoint == address


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
def test_other_endpoint_is_rejected(address: str) -> None:
    assert "CLOUD_ENDPOINT" in str(load_mistakes({**MINIMUM, "CLOUD_ENDPOINT": address}))


@pytest.mark.parametrize("output_bucket", ["", "media-1250000000"])
@pytest.mark.parametrize("name", ["OUTPUT_PREFIX", "STATE_PREFIX"])
def test_input_prefix_inside_output_prefix_is_rejected(name: str, output_bucket: str) -> None:
    environ = {**MINIMUM, "INPUT_PREFIX": "all/in/", name: "all/", "OUTPUT_BUCKET": output_bucket}
    assert any("INPUT_PREFIX" in mistake and name in mistake for mistake in load_mistakes(environ))


def test_same_prefixes_in_two_buckets_are_accepted() -> None:
    environ = {
        **MINIMUM,
        "INPUT_PREFIX": "all/in/",
        "OUTPUT_PREFIX": "all/",
        "OUTPUT_BUCKET": "text-1250000000",
    }
    assert load_settings(environ).input_prefix == "all/in/"


def test_output_prefix_inside_state_prefix_is_rejected() -> None:
    mistakes = load_mistakes({**MINIMUM, "OUTPUT_PREFIX": "x/out/", "STATE_PREFIX": "x/"})
    assert any("OUTPUT_PREFIX" in mistake and "STATE_PREFIX" in mistake for mistake in mistakes)


def test_output_bucket_defaults_to_input_bucket() -> None:
    assert load_settings(MINIMUM).output_bucket_for("media-1250000000") == "media-1250000000"
    chosen = load_settings({**MINIMUM, "OUTPUT_BUCKET": "text-1250000000"})
    assert chosen.output_bucket_for("media-1250000000") == "text-1250000000"


@given(environ=st.dictionaries(st.sampled_from(sorted(WRONG)), st.text(max_size=40)))
@settings(max_examples=200, deadline=None)
def test_any_environment_raises_only_settings_error(environ: dict[str, str]) -> None:
    try:
        load_settings({**MINIMUM, **environ})
    except SettingsError as error:
        assert error.mistakes  # noqa: PT017 - accepting the environment is right as well


def test_output_region_differs_from_own_bucket_is_rejected() -> None:
    mistakes = load_mistakes({**MINIMUM, "OUTPUT_REGION": "ap-shanghai"})
    assert [mistake.split()[0] for mistake in mistakes] == ["OUTPUT_REGION"]
    assert load_settings({**MINIMUM, "OUTPUT_REGION": "ap-shanghai", "OUTPUT_BUCKET": "out-1250000000"})


def test_default_formats_are_known_formats() -> None:
    assert set(DEFAULT_FORMATS) <= set(FORMATS)


def test_every_known_format_can_be_chosen() -> None:
    assert load_settings({**MINIMUM, "FORMATS": ",".join(FORMATS)}).formats == tuple(FORMATS)


@pytest.mark.parametrize("name", ["OUTPUT_PREFIX", "STATE_PREFIX"])
@given(prefix=st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20))
@settings(max_examples=100, deadline=None)
def test_prefix_that_is_no_folder_is_rejected_and_completed_in_the_message(name: str, prefix: str) -> None:
    prefix = prefix.strip().rstrip("/").replace("undefined", "") or "out"
    assert f"{prefix}/" in load_mistakes({**MINIMUM, name: prefix})[0]
    is_refused = prefix[0] in ALL_QUOTES or not {".", ".."}.isdisjoint(prefix.split("/"))
    if not prefix.startswith(("/", "transcripts", ".scribe")) and not is_refused:
        assert load_settings({**MINIMUM, name: f"{prefix}/"})


@pytest.mark.parametrize("prefix", ["/", "//", "/x/", "x" * 100 + "/", "会" * 34 + "/"])
def test_prefix_that_is_too_long_or_begins_with_a_slash_is_rejected(prefix: str) -> None:
    assert load_mistakes({**MINIMUM, "OUTPUT_PREFIX": prefix})


@pytest.mark.parametrize("text", ["", "all", " all "])
def test_since_may_be_everything(text: str) -> None:
    assert load_settings({**MINIMUM, "SINCE": text}).since_s == 0.0


@given(
    time=st.datetimes(max_value=PAST, timezones=st.timezones() | st.just(timezone.utc)),
    separator=st.sampled_from("T "),
    is_zulu=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_since_is_read_in_any_time_zone(time: datetime, separator: str, is_zulu: bool) -> None:
    time = time.astimezone(timezone.utc) if is_zulu else time
    text = time.isoformat(separator)
    if is_zulu:
        text = text.replace("+00:00", "Z")
    assert (
        load_settings({**MINIMUM, "SINCE": text}).since_s
        == datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    )


@pytest.mark.parametrize(
    "text", ["2026-11-01", "2026-11-01T00:00:00", "ALL", "1794300000", "2026-13-01T00:00:00Z", "*"]
)
def test_since_without_a_time_zone_or_a_form_is_rejected(text: str) -> None:
    assert "time zone" in load_mistakes({**MINIMUM, "SINCE": text})[0]


@pytest.mark.parametrize(
    ("text", "extensions"),
    [("*", ("*",)), ("mp3, WAV,,mp3", ("mp3", "WAV")), (" ", DEFAULT_EXTENSIONS), ("", DEFAULT_EXTENSIONS)],
)
def test_extensions_are_read(text: str, extensions: tuple[str, ...]) -> None:
    assert load_settings({**MINIMUM, "INPUT_EXTENSIONS": text}).input_extensions == extensions


@pytest.mark.parametrize("text", [",", ".mp3", "tar.gz", "m p", "*.mp3", "会议", "x" * 17])
def test_wrong_extension_is_rejected(text: str) -> None:
    assert "INPUT_EXTENSIONS" in load_mistakes({**MINIMUM, "INPUT_EXTENSIONS": text})[0]


CALLBACK_URLS = {
    f"https://1250000000-abc.ap-guangzhou.tencentscf.com/{TOKEN}": True,
    f"http://127.0.0.1:9000/x/{TOKEN}": True,
    f"http://localhost/{TOKEN}": True,
    "https://example.com/another-token-of-some-length": False,
    f"https://user@example.com/{TOKEN}": False,
    f"https://example.com/?q=1/{TOKEN}": False,
    f"https://[::1/{TOKEN}": False,
    f"https:///{TOKEN}": False,
    f"ftp://example.com/{TOKEN}": False,
    f"https://example.com:x/{TOKEN}": False,
}


@pytest.mark.parametrize("url", CALLBACK_URLS)
def test_callback_address_is_encrypted_and_ends_with_a_token(url: str) -> None:
    environ = {**MINIMUM, "CALLBACK_URL": url}
    if CALLBACK_URLS[url]:
        chosen = load_settings(environ)
        assert chosen.callback_url == url
        assert TOKEN not in repr(chosen)
    else:
        mistakes = load_mistakes(environ)
        assert all("CALLBACK_URL" in mistake and url not in mistake for mistake in mistakes)


def test_settings_can_be_members_of_a_set() -> None:
    settings = load_settings({**MINIMUM, "OPTIONS": "fillers=none"})
    assert len({settings, load_settings({**MINIMUM, "OPTIONS": "fillers=none"}), load_settings(MINIMUM)}) == 2


def test_options_of_every_recording_are_read() -> None:
    loaded = load_settings(
        {**MINIMUM, "OPTIONS": " speakers = auto ;fillers=none;; title=周会; hot-words=a.txt; notify=off; "}
    )
    assert {name: choice.value for name, choice in loaded.options.items()} == {
        "speakers": "auto",
        "fillers": "none",
        "title": "周会",
        "hot-words": "a.txt",
        "notify": False,
    }
    assert {choice.source for choice in loaded.options.values()} == {"settings"}
    assert load_settings({**MINIMUM, "OPTIONS": "template=t1"}).options["template"].value == "t1"
    assert load_settings({**MINIMUM, "OPTIONS": " ; "}).options == {}


@pytest.mark.parametrize(
    ("options", "messages"),
    [
        ("engine=16k_en", ["OPTIONS has engine: set ENGINE instead"]),
        ("formats=txt", ["OPTIONS has formats: set FORMATS instead"]),
        ("speakers", ["OPTIONS has 'speakers', which is not name=value"]),
        ("speaker=2", ["OPTIONS is wrong: 'speaker' in settings is not an option; did you mean speakers?"]),
        ("words=none;words=words", ["OPTIONS has words twice"]),
        ("words=all; flash=maybe; =x", ["words in settings is 'all'", "flash in settings is 'maybe'", "''"]),
        ("words=none；fillers=none", ["full-width character ；"]),
        ("undefined", ["OPTIONS was not set when the function was deployed"]),
        (
            "channels=2",
            ["channels is 2 (settings), which needs the engine 8k_zh, not 16k_zh (engine: settings)"],
        ),
        ("line-length=9", ["OPTIONS cannot be used: line-length is 9 (settings), which needs words"]),
    ],
)
def test_every_wrong_option_is_reported(options: str, messages: list[str]) -> None:
    mistakes = load_mistakes({**MINIMUM, "OPTIONS": options})
    assert len(mistakes) == len(messages)
    for mistake, message in zip(mistakes, messages, strict=True):
        assert mistake.startswith("OPTIONS ")
        assert message in mistake


def test_options_may_go_with_the_engine() -> None:
    loaded = load_settings({**MINIMUM, "ENGINE": "8k_zh", "OPTIONS": "channels=2"})
    assert loaded.options["channels"].value == 2
    assert len(load_mistakes({**MINIMUM, "ENGINE": "16k zh", "OPTIONS": "channels=2"})) == 1
