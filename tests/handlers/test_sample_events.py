"""Every file in events/ is read by the function that it is for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.events import (
    ObjectEvent,
    parse_cos_event,
    parse_http_event,
    parse_notification,
    parse_timer_event,
)

EVENTS = Path(__file__).resolve().parents[2] / "events"
FILES = sorted(path.name for path in EVENTS.glob("*.json"))


def load_event(name: str) -> Any:
    return json.loads((EVENTS / name).read_text("utf-8"))


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("cos-")])
def test_sample_cos_event_names_its_object(name: str) -> None:
    for record in parse_cos_event(load_event(name)):
        assert isinstance(record, ObjectEvent)
        assert record.bucket == "recordings-1250000000"
        assert record.region == "ap-guangzhou"
        assert record.key


def test_chinese_key_is_parsed() -> None:
    (record,) = parse_cos_event(load_event("cos-chinese-key.json"))
    assert isinstance(record, ObjectEvent)
    assert record.key == "会议 recording 01.mp3"


def test_key_with_percent_escape_is_decoded_once() -> None:
    keys = [
        record.key
        for record in parse_cos_event(load_event("cos-several-records.json"))
        if isinstance(record, ObjectEvent)
    ]
    assert keys == ["welcome.wav", "folder/100%25 ready+go.wav", "silence.wav"]


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith(("url-", "gateway-"))])
def test_sample_notification_names_one_job(name: str) -> None:
    request = parse_http_event(load_event(name))
    assert request.method == "POST"
    assert request.path.endswith("/demo4f7c2a9e1b6d8053")
    assert len(parse_notification(request.body)) == 1


@pytest.mark.parametrize("message", ["reconcile", "audit"])
def test_sample_timer_event_has_known_message(message: str) -> None:
    assert parse_timer_event(load_event(f"timer-{message}.json")) == message


def test_sample_exists_for_every_kind_of_event() -> None:
    forms = [
        f"{carrier}-{ending}-{form}.json"
        for carrier in ("url", "gateway")
        for ending in ("success", "failure", "silence")
        for form in ("xml", "json")
    ]
    assert set(forms) <= set(FILES)
