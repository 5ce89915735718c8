from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import EventError
from shared.events import (
    AUDIT,
    RECONCILE,
    InvalidRecord,
    ObjectEvent,
    parse_cos_event,
    parse_http_event,
    parse_timer_event,
)

HOST = "audio-in-1250000000.cos.ap-chengdu.myqcloud.com"

keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200).filter(
    lambda key: len(key.encode()) <= 850
)
# Characters that URLs, paths and form decoders treat in different ways; random text rarely has two of them.
tricky_keys = st.lists(
    st.sampled_from([*"/%?#+&=;:@\\ \t\n\"'<>[]{}|^~.", "%2F", "%25", "..", "//", "://", "会议", "🎙", "a"]),
    min_size=1,
    max_size=30,
).map("".join)


def build_record(
    *, url: str | None = None, key: str | None = None, bucket: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A record in the shape of the published sample, with the members that real logs add."""
    cos_object: dict[str, Any] = {"meta": {"x-cos-request-id": "NjA1"}, "vid": "", "size": 1024}
    if url is not None:
        cos_object["url"] = url
    if key is not None:
        cos_object["key"] = key
    return {
        "cos": {
            "cosSchemaVersion": "1.0",
            "cosObject": cos_object,
            "cosBucket": {"region": "cd", "name": "audio-in", "appid": "1250000000", **(bucket or {})},
            "cosNotificationId": "unkown",
        },
        "event": {"eventName": "cos:ObjectCreated:Put", "eventTime": 1_794_300_000, "reqid": 0},
    }


def parse_record(event_record: Any) -> ObjectEvent:
    (parsed,) = parse_cos_event({"Records": [event_record]})
    assert isinstance(parsed, ObjectEvent)
    return parsed


def build_published_record(key: str) -> dict[str, Any]:
    return build_record(url=f"http://{HOST}/{quote(key)}", key=f"/1250000000/audio-in/{key}")


@given(key=keys | tricky_keys)
@settings(max_examples=250, deadline=None)
def test_key_is_read_exactly_from_url_and_raw_key(key: str) -> None:
    assert parse_record(build_published_record(key)) == ObjectEvent(
        "audio-in-1250000000", "ap-chengdu", key, "cos:ObjectCreated:Put"
    )


@given(key=keys | tricky_keys)
@settings(max_examples=120, deadline=None)
def test_key_is_read_exactly_from_raw_key(key: str) -> None:
    read = parse_record(build_record(key=f"/1250000000/audio-in/{key}"))
    assert (read.bucket, read.key) == ("audio-in-1250000000", key)


@given(key=keys | tricky_keys)
@settings(max_examples=120, deadline=None)
def test_key_is_read_exactly_from_fully_encoded_url(key: str) -> None:
    encoded = "".join(f"%{byte:02x}" for byte in key.encode())
    assert parse_record(build_record(url=f"http://{HOST}/{encoded}")).key == key


@pytest.mark.parametrize(
    ("url", "region"),
    [
        (f"https://{HOST}/a.mp3", "ap-chengdu"),
        ("http://audio-in-1250000000.cos-internal.ap-chengdu.tencentcos.cn/a.mp3", "ap-chengdu"),
        ("http://audio-in-1250000000.cos.ap-chengdu.tencentcos.cn:80/a.mp3", "ap-chengdu"),
        ("http://voice.example.com/a.mp3", ""),
        ("http://audio-in-1250000000.cos.accelerate.myqcloud.com/a.mp3", ""),
        ("http://audio-in-1250000000.cos-internal.accelerate.tencentcos.cn/a.mp3", ""),
    ],
)
@pytest.mark.parametrize("own_region", ["ap-shanghai", "", "accelerate", "evil.example/x?"])
def test_bucket_and_region_are_read_from_every_domain(url: str, region: str, own_region: str) -> None:
    read = parse_record(build_record(url=url, bucket={"cosRegion": own_region}))
    expected = own_region if own_region == "ap-shanghai" else region
    assert (read.bucket, read.region, read.key) == ("audio-in-1250000000", expected, "a.mp3")


def test_short_region_code_is_not_used() -> None:
    assert parse_record(build_record(key="/1250000000/audio-in/a.mp3")).region == ""


def test_region_is_read_without_url() -> None:
    assert parse_record(build_record(key="/a.mp3", bucket={"s3Region": "ap-chengdu"})).region == "ap-chengdu"


def test_appid_may_be_a_number() -> None:
    read = parse_record(build_record(key="/1250000000/audio-in/a.mp3", bucket={"appid": 1_250_000_000}))
    assert (read.bucket, read.key) == ("audio-in-1250000000", "a.mp3")


def test_key_of_old_sample_has_leading_slash_only() -> None:
    assert parse_record(build_record(key="/calls/a.mp3")).key == "calls/a.mp3"


def test_url_wins_over_raw_key() -> None:
    read = parse_record(
        build_record(url="http://other-1250000001.cos.ap-beijing.myqcloud.com/b.mp3", key="/x/y/a.mp3")
    )
    assert (read.bucket, read.region, read.key) == ("other-1250000001", "ap-beijing", "b.mp3")


def test_invalid_utf8_in_url_falls_back_to_raw_key() -> None:
    assert (
        parse_record(build_record(url=f"http://{HOST}/%ff%fe", key="/1250000000/audio-in/a.mp3")).key
        == "a.mp3"
    )


def test_records_are_parsed_separately() -> None:
    read = parse_cos_event(
        {
            "Records": [
                build_published_record("a.mp3"),
                {"cos": None},
                "?",
                None,
                build_published_record("b.mp3"),
            ]
        }
    )
    assert [getattr(item, "key", None) for item in read] == ["a.mp3", None, None, None, "b.mp3"]
    assert all(isinstance(item, InvalidRecord) and item.reason for item in read[1:4])


@pytest.mark.parametrize("event", [None, "", [], {}, {"Records": []}, {"Records": {}}, {"Records": None}, 7])
def test_event_without_records_is_rejected(event: Any) -> None:
    with pytest.raises(EventError, match="Records"):
        parse_cos_event(event)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["cos", "event", "cosObject", "cosBucket", "url", "key", "name", "appid", "eventName"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(value=json_values)
@settings(max_examples=120, deadline=None)
def test_any_record_leaves_the_others_intact(value: Any) -> None:
    read = parse_cos_event({"Records": [value, build_published_record("a.mp3")]})
    assert len(read) == 2
    assert isinstance(read[1], ObjectEvent)


def build_request(**members: Any) -> dict[str, Any]:
    return {"httpMethod": "POST", "path": "/token", "headers": {}, "body": "<x/>", **members}


def test_function_url_request_is_parsed() -> None:
    read = parse_http_event(build_request(body="会议"))
    assert (read.method, read.path, read.body) == ("POST", "/token", "会议".encode())


def test_method_of_old_gateway_is_read_from_context() -> None:
    event = {"path": "/t", "requestContext": {"httpMethod": "post", "stage": "release"}}
    assert parse_http_event(event).method == "POST"


@pytest.mark.parametrize("members", [{}, {"body": None}, {"body": ""}])
def test_missing_body_is_empty(members: dict[str, Any]) -> None:
    assert parse_http_event({"httpMethod": "GET", "path": "/", **members}).body == b""


@pytest.mark.parametrize("mark", [True, "true", "True"])
@given(body=st.binary(max_size=64))
@settings(max_examples=30, deadline=None)
def test_base64_body_is_decoded(mark: object, body: bytes) -> None:
    assert (
        parse_http_event(build_request(body=base64.b64encode(body).decode(), isBase64Encoded=mark)).body
        == body
    )


@pytest.mark.parametrize("mark", [False, None, "false", 0])
def test_unflagged_body_is_not_decoded(mark: object) -> None:
    assert parse_http_event(build_request(body="QUJD", isBase64Encoded=mark)).body == b"QUJD"


@pytest.mark.parametrize(
    "event",
    [
        None, [], "POST", {}, {"path": None}, {"path": 7},
        build_request(body={"EventName": "TaskFinish"}), build_request(body=7), build_request(body=["x"]),
        build_request(body="QUJD!!!!", isBase64Encoded=True),
        build_request(body="QUJ", isBase64Encoded=True), build_request(body="会", isBase64Encoded=True),
    ],
)  # fmt: skip
def test_other_event_is_rejected_with_client_error(event: Any) -> None:
    with pytest.raises(EventError) as caught:
        _ = parse_http_event(event).body
    assert 400 <= caught.value.status < 500


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({"Type": "Timer", "TriggerName": "t", "Time": "2026-01-01T00:00:00Z", "Message": "audit"}, AUDIT),
        ({"Message": " Audit\n"}, AUDIT),
        ({"Message": "reconcile"}, RECONCILE),
        ({"Message": ""}, RECONCILE),
        ({"Message": None}, RECONCILE),
        ({}, RECONCILE),
        (None, RECONCILE),
    ],
)
def test_timer_message_selects_the_work(event: Any, message: str) -> None:
    assert parse_timer_event(event) == message


def test_unknown_timer_message_is_rejected_and_shortened() -> None:
    with pytest.raises(EventError, match="reconcile or audit") as caught:
        parse_timer_event({"Message": "delete" * 1000})
    assert len(str(caught.value)) < 200


def test_key_with_surrogate_is_an_invalid_record() -> None:
    record = {
        "cos": {
            "cosObject": {"key": "/1250000000/in/a\ud800"},
            "cosBucket": {"name": "in", "appid": "1250000000"},
        }
    }
    assert isinstance(parse_cos_event({"Records": [record]})[0], InvalidRecord)


ACCELERATED = [
    "audio-in-1250000000.cos.accelerate.myqcloud.com",
    "audio-in-1250000000.cos-internal.accelerate.tencentcos.cn",
    "audio-in-1250000000.cos.accelerate-overseas.myqcloud.com",
]
REGION_NAMES = st.from_regex(r"[a-z]{2,3}-[a-z0-9]{2,12}", fullmatch=True)


@pytest.mark.parametrize("host", ACCELERATED)
@given(region=REGION_NAMES)
@settings(max_examples=20, deadline=None)
def test_region_of_the_record_is_used_whatever_the_host_says(host: str, region: str) -> None:
    for name in ("cosRegion", "s3Region"):
        event = parse_record(build_record(url=f"http://{host}/acc.wav", bucket={name: region}))
        assert (event.bucket, event.region, event.key) == ("audio-in-1250000000", region, "acc.wav")


@pytest.mark.parametrize("host", ACCELERATED)
def test_host_of_global_acceleration_alone_names_no_region(host: str) -> None:
    assert parse_record(build_record(url=f"http://{host}/acc.wav")).region == ""


def test_own_region_wins_over_the_host() -> None:
    event = parse_record(build_record(url=f"http://{HOST}/a.wav", bucket={"cosRegion": "ap-shanghai"}))
    assert event.region == "ap-shanghai"


@given(
    text=st.text(max_size=30)
    | st.sampled_from(["evil.example/x?", "ap-x/../y", "ap-guangzhou\n", "Ap-x1", "gz"])
)
@settings(max_examples=200, deadline=None)
def test_only_the_form_of_a_region_becomes_one(text: str) -> None:
    event = parse_record(build_record(key="/1250000000/audio-in/a.wav", bucket={"cosRegion": text}))
    assert event.region in {"", text}
    assert all(
        character.isascii() and (character.isalnum() or character == "-") for character in event.region
    )


@given(key=tricky_keys)
@settings(max_examples=150, deadline=None)
def test_key_that_the_url_encodes_in_another_way_is_kept_beside_it(key: str) -> None:
    event = parse_record(
        build_record(url=f"http://{HOST}/{quote_plus(key)}", key=f"/1250000000/audio-in/{key}")
    )
    assert {event.key, event.raw_key or event.key} == {quote_plus_key(key), key}


def quote_plus_key(key: str) -> str:
    """Return what is read from a URL in which a blank is a plus sign."""
    return key.replace(" ", "+")


@pytest.mark.parametrize("url", ["http://[::1/a.wav", "http://", "no address", "http://h/%FF"])
def test_url_that_cannot_be_read_leaves_the_raw_key(url: str) -> None:
    event = parse_record(build_record(url=url, key="/1250000000/audio-in/a.wav"))
    assert (event.bucket, event.key, event.raw_key) == ("audio-in-1250000000", "a.wav", "")
