"""The handlers as the platform calls them, with wrong settings and wrong events."""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest

from shared.errors import SettingsError

HANDLERS = ("upload", "callback", "sweep")
GOOD = {
    "INPUT_BUCKETS": "recordings-1250000000",
    "CALLBACK_TOKEN": "a-token-of-some-length",
    "REGION": "ap-guangzhou",
    "TENCENTCLOUD_SECRETID": "AKIDEXAMPLE",
    "TENCENTCLOUD_SECRETKEY": "example",
    "CLOUD_ENDPOINT": "http://127.0.0.1:9",
}
CONTEXT = {"request_id": "r1", "time_limit_in_ms": 4000}


def handler(name: str) -> Any:
    return importlib.import_module(f"handlers.{name}").main_handler


@pytest.fixture
def good_settings(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The process environment is where SCF puts settings: setting it is giving input, not patching code."""
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.parametrize("name", HANDLERS)
def test_invalid_settings_stop_every_function_with_one_message(
    good_settings: pytest.MonkeyPatch, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    good_settings.setenv("INPUT_BUCKETS", "no-appid")
    good_settings.setenv("CALLBACK_TOKEN", "short")
    good_settings.setenv("FORMATS", "json,docx")
    good_settings.setenv("CLOUD_ENDPOINT", "http://example.com")
    with pytest.raises(SettingsError) as caught:
        handler(name)({}, CONTEXT)
    for setting in ("INPUT_BUCKETS", "CALLBACK_TOKEN", "FORMATS", "CLOUD_ENDPOINT"):
        assert setting in str(caught.value)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["level"] for line in lines] == ["error"]
    assert "short" not in lines[0]["error"]


def test_missing_credentials_are_reported(good_settings: pytest.MonkeyPatch) -> None:
    good_settings.delenv("TENCENTCLOUD_SECRETKEY")
    with pytest.raises(SettingsError, match="execution role"):
        handler("upload")({}, CONTEXT)


def test_credentials_are_loaded_on_each_invocation(good_settings: pytest.MonkeyPatch) -> None:
    good_settings.delenv("TENCENTCLOUD_SECRETKEY")
    fresh = {"TENCENTCLOUD_SECRETID": "AKIDFRESH", "TENCENTCLOUD_SECRETKEY": "fresh"}
    context = {**CONTEXT, "environment": json.dumps(fresh)}
    answer = handler("callback")({"path": "/nobody", "httpMethod": "POST"}, context)
    assert answer["statusCode"] == 403


@pytest.mark.parametrize("event", [None, [], {}, {"path": 5}, "x"])
def test_callback_responds_to_unknown_event(good_settings: pytest.MonkeyPatch, event: Any) -> None:
    assert handler("callback")(event, CONTEXT)["statusCode"] == 400


def test_callback_shows_no_stack_trace_without_network(
    good_settings: pytest.MonkeyPatch,
) -> None:
    body = json.dumps({"JobsDetail": [{"JobId": "s01"}]})
    event = {"path": "/a-token-of-some-length", "httpMethod": "POST", "body": body}
    answer = handler("callback")(event, CONTEXT)
    assert answer["statusCode"] == 503
    assert json.loads(answer["body"]) == {"message": "not finished, try again"}


def test_upload_raises_without_network_so_the_platform_retries(
    good_settings: pytest.MonkeyPatch,
) -> None:
    url = "http://recordings-1250000000.cos.ap-guangzhou.myqcloud.com/a.mp3"
    event = {"Records": [{"cos": {"cosObject": {"url": url}}}]}
    with pytest.raises(Exception, match="NoConnection"):
        handler("upload")(event, CONTEXT)
