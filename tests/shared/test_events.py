from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

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
# Characters at which URLs, paths and form decoders part; plain text rarely holds two of them.
tricky_keys = st.lists(
    st.sampled_from([*"/%?#+&=;:@\\ \t\n\"'<>[]{}|^~.", "%2F", "%25", "..", "//", "://", "会议", "🎙", "a"]),
    min_size=1,
    max_size=30,
).map("".join)


def record(
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
        "event": {"eventName": "cos:ObjectEvent:Put", "eventTime": 1_794_300_000, "reqid": 0},
    }


def only(event_record: Any) -> Any:
    (read,) = parse_cos_event({"Records": [event_record]})
    return read


def published(key: str) -> dict[str, Any]:
    return record(url=f"http://{HOST}/{quote(key)}", key=f"/1250000000/audio-in/{key}")


@given(key=keys | tricky_keys)
@settings(max_examples=250, deadline=None)
def test_key_is_read_exactly_from_url_and_raw_key(key: str) -> None:
    assert only(published(key)) == ObjectEvent(
        "audio-in-1250000000", "ap-chengdu", key, "cos:ObjectEvent:Put"
    )


@given(key=keys | tricky_keys)
@settings(max_examples=120, deadline=None)
def test_key_is_read_exactly_from_raw_key(key: str) -> None:
    read = only(record(key=f"/1250000000/audio-in/{key}"))
    assert (read.bucket, read.key) == ("audio-in-1250000000", key)


@given(key=keys | tricky_keys)
@settings(max_examples=120, deadline=None)
def test_key_is_read_exactly_from_fully_encoded_url(key: str) -> None:
    encoded = "".join(f"%{byte:02x}" for byte in key.encode())
    assert only(record(url=f"http://{HOST}/{encoded}")).key == key


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
    read = only(record(url=url, bucket={"cosRegion": own_region}))
    expected = own_region if own_region == "ap-shanghai" else region
    assert (read.bucket, read.region, read.key) == ("audio-in-1250000000", expected, "a.mp3")


def test_short_region_code_is_not_used() -> None:
    assert only(record(key="/1250000000/audio-in/a.mp3")).region == ""


def test_region_is_read_without_url() -> None:
    assert only(record(key="/a.mp3", bucket={"s3Region": "ap-chengdu"})).region == "ap-chengdu"


def test_appid_may_be_a_number() -> None:
    read = only(record(key="/1250000000/audio-in/a.mp3", bucket={"appid": 1_250_000_000}))
    assert (read.bucket, read.key) == ("audio-in-1250000000", "a.mp3")


def test_key_of_old_sample_has_leading_slash_only() -> None:
    assert only(record(key="/calls/a.mp3")).key == "calls/a.mp3"


def test_url_wins_over_raw_key() -> None:
    read = only(record(url="http://other-1250000001.cos.ap-beijing.myqcloud.com/b.mp3", key="/x/y/a.mp3"))
    assert (read.bucket, read.region, read.key) == ("other-1250000001", "ap-beijing", "b.mp3")


def test_invalid_utf8_in_url_falls_back_to_raw_key() -> None:
    assert only(record(url=f"http://{HOST}/%ff%fe", key="/1250000000/audio-in/a.mp3")).key == "a.mp3"


def test_records_are_parsed_separately() -> None:
    read = parse_cos_event({"Records": [published("a.mp3"), {"cos": None}, "?", None, published("b.mp3")]})
    assert [getattr(one, "key", None) for one in read] == ["a.mp3", None, None, None, "b.mp3"]
    assert all(isinstance(one, InvalidRecord) and one.reason for one in read[1:4])


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
    read = parse_cos_event({"Records": [value, published("a.mp3")]})
    assert len(read) == 2
    assert isinstance(read[1], ObjectEvent)


def posted(**members: Any) -> dict[str, Any]:
    return {"httpMethod": "POST", "path": "/token", "headers": {}, "body": "<x/>", **members}


def test_function_url_request_is_parsed() -> None:
    read = parse_http_event(posted(body="会议"))
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
    assert parse_http_event(posted(body=base64.b64encode(body).decode(), isBase64Encoded=mark)).body == body


@pytest.mark.parametrize("mark", [False, None, "false", 0])
def test_unflagged_body_is_not_decoded(mark: object) -> None:
    assert parse_http_event(posted(body="QUJD", isBase64Encoded=mark)).body == b"QUJD"


@pytest.mark.parametrize(
    "event",
    [
        None, [], "POST", {}, {"path": None}, {"path": 7},
        posted(body={"EventName": "TaskFinish"}), posted(body=7), posted(body=["x"]),
        posted(body="QUJD!!!!", isBase64Encoded=True),
        posted(body="QUJ", isBase64Encoded=True), posted(body="会", isBase64Encoded=True),
    ],
)  # fmt: skip
def test_other_event_is_rejected_with_client_error(event: Any) -> None:
    with pytest.raises(EventError) as caught:
        _ = parse_http_event(event).body
    assert 400 <= caught.value.status < 500


@pytest.mark.parametrize(
    ("event", "asked"),
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
def test_timer_message_selects_the_work(event: Any, asked: str) -> None:
    assert parse_timer_event(event) == asked


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
