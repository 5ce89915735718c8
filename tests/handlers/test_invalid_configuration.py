"""The handlers as the platform calls them, with wrong settings and wrong events."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from shared.errors import SettingsError

HANDLERS = ("upload", "sweep")  # the callback's URL is public: tests/handlers/test_callback_for_strangers.py
GOOD = {
    "INPUT_BUCKETS": "recordings-1250000000",
    "CALLBACK_TOKEN": "a-token-of-some-length",
    "REGION": "ap-guangzhou",
    "TENCENTCLOUD_SECRETID": "AKIDEXAMPLE",
    "TENCENTCLOUD_SECRETKEY": "example",
    "CLOUD_ENDPOINT": "http://127.0.0.1:9",
}
CONTEXT = {"request_id": "r1", "time_limit_in_ms": 4000}


def get_handler(name: str) -> Callable[[Any, Any], dict[str, Any]]:
    handler: Callable[[Any, Any], dict[str, Any]] = importlib.import_module(f"handlers.{name}").main_handler
    return handler


@pytest.fixture
def good_settings(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """SCF puts settings into the environment of the process: these are input, not patched code."""
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.parametrize("name", HANDLERS)
def test_invalid_settings_stop_every_function_with_one_message(
    good_settings: pytest.MonkeyPatch, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    good_settings.setenv("INPUT_BUCKETS", "no-appid")
    good_settings.setenv("CALLBACK_TOKEN", "short")
    good_settings.setenv("FORMATS", "json,pdf")
    good_settings.setenv("CLOUD_ENDPOINT", "http://example.com")
    with pytest.raises(SettingsError) as caught:
        get_handler(name)({}, CONTEXT)
    for setting in ("INPUT_BUCKETS", "CALLBACK_TOKEN", "FORMATS", "CLOUD_ENDPOINT"):
        assert setting in str(caught.value)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["level"] for line in lines] == ["error"]
    assert "short" not in lines[0]["error"]


def test_missing_credentials_are_reported(good_settings: pytest.MonkeyPatch) -> None:
    good_settings.delenv("TENCENTCLOUD_SECRETKEY")
    with pytest.raises(SettingsError, match="execution role"):
        get_handler("upload")({}, CONTEXT)


def test_credentials_are_loaded_on_each_invocation(good_settings: pytest.MonkeyPatch) -> None:
    good_settings.delenv("TENCENTCLOUD_SECRETKEY")
    fresh = {"TENCENTCLOUD_SECRETID": "AKIDFRESH", "TENCENTCLOUD_SECRETKEY": "fresh"}
    context = {**CONTEXT, "environment": json.dumps(fresh)}
    response = get_handler("callback")({"path": "/unknown", "httpMethod": "POST"}, context)
    assert response["statusCode"] == 403


def test_callback_shows_no_stack_trace_without_network(
    good_settings: pytest.MonkeyPatch,
) -> None:
    body = json.dumps({"JobsDetail": [{"JobId": "s01"}]})
    event = {"path": "/a-token-of-some-length", "httpMethod": "POST", "body": body}
    response = get_handler("callback")(event, CONTEXT)
    assert response["statusCode"] == 503
    assert json.loads(response["body"]) == {"message": "not finished, try again"}


def test_upload_raises_without_network_so_the_platform_retries(
    good_settings: pytest.MonkeyPatch,
) -> None:
    url = "http://recordings-1250000000.cos.ap-guangzhou.myqcloud.com/a.mp3"
    event = {"Records": [{"cos": {"cosObject": {"url": url}}}]}
    with pytest.raises(Exception, match="NoConnection"):
        get_handler("upload")(event, CONTEXT)
