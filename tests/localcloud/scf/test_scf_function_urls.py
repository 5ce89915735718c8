"""Function URLs: what the function sees and what the caller gets."""

import json
from typing import Any

import pytest

from localcloud.runtime.registry import FunctionRegistry
from localcloud.runtime.urls import UrlRequest, UrlResponse

pytestmark = pytest.mark.process

ECHO = "def main_handler(event, context):\n    return event\n"


def returning(expression: str) -> str:
    return f"def main_handler(event, context):\n    return {expression}\n"


def test_the_event_has_the_documented_members_and_no_others(house: Any) -> None:
    house.add("callback", ECHO)
    house.on_url("callback")
    answer = house.call(
        "callback",
        "<Response>会议</Response>".encode(),
        path="/t0ken",
        query=(("token", "a"), ("empty", ""), ("token", "b")),
        headers={"content-type": "application/xml", "host": "h"},
    )
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert json.loads(answer.body) == {
        "body": "<Response>会议</Response>",
        "headers": {"x-scf-remote-addr": "127.0.0.1", "content-type": "application/xml", "host": "h"},
        "httpMethod": "POST",
        "path": "/t0ken",
        "queryString": {"token": "b", "empty": ""},
    }


def test_a_body_that_is_not_text_arrives_as_base64_without_a_word(house: Any) -> None:
    house.add("callback", ECHO)
    house.on_url("callback")
    event = json.loads(house.call("callback", b"\xff\x00\x80").body)
    assert event["body"] == "/wCA"
    assert "isBase64Encoded" not in event


@pytest.mark.parametrize(
    ("result", "status", "content_type", "body"),
    [
        ("None", 200, "application/json", b"null"),
        ("'text'", 200, "application/json", b'"text"'),
        ("{'ok': True}", 200, "application/json", b'{"ok": true}'),
        ("{'statusCode': 403}", 403, None, b""),
        (
            "{'statusCode': 201, 'headers': {'Content-Type': 'text/plain'}, 'body': '好'}",
            201,
            "text/plain",
            "好".encode(),
        ),
        ("{'statusCode': 200, 'isBase64Encoded': True, 'body': '/wCA'}", 200, None, b"\xff\x00\x80"),
    ],
)
def test_the_result_becomes_the_answer(
    house: Any, result: str, status: int, content_type: str | None, body: bytes
) -> None:
    house.add("callback", returning(result))
    house.on_url("callback")
    answer = house.call("callback")
    assert (answer.status, answer.headers.get("content-type"), answer.body) == (status, content_type, body)


@pytest.mark.parametrize(
    "result",
    [
        "{'statusCode': '200'}",
        "{'statusCode': True}",
        "{'statusCode': 99}",
        "{'statusCode': 200, 'body': {'not': 'a string'}}",
        "{'statusCode': 200, 'headers': []  or 'x'}",
        "{'statusCode': 200, 'isBase64Encoded': True, 'body': '!'}",
    ],
)
def test_a_result_of_the_wrong_shape_is_the_functions_fault(house: Any, result: str) -> None:
    house.add("callback", returning(result))
    house.on_url("callback")
    answer = house.call("callback")
    assert answer.status == 502
    assert json.loads(answer.body)["errorMessage"]


def test_an_exception_is_answered_with_the_platforms_error_and_never_tried_again(house: Any) -> None:
    house.add("callback", "def main_handler(event, context):\n    raise ValueError('bad token')\n")
    house.on_url("callback")

    async def use(functions: FunctionRegistry) -> tuple[UrlResponse, int]:
        host = functions.urls["callback"].removeprefix("https://")
        answer = await functions.call_url(f"{host.upper()}:443", UrlRequest("POST", "/", (), {}, b""))
        assert await functions.wait_idle(5)
        return answer, len(functions.invocations())

    answer, attempts = house.run(use)
    assert attempts == 1
    assert answer.status == 500
    error = json.loads(answer.body)
    assert error["errorCode"] == 430
    assert error["errorMessage"] == "ValueError: bad token"
    assert "Traceback" in error["stackTrace"]
    assert error["requestId"] == answer.headers["x-scf-request-id"]


def test_a_timeout_is_answered_too(house: Any) -> None:
    house.add("callback", "import time\ndef main_handler(event, context):\n    time.sleep(30)\n", timeout=1)
    house.on_url("callback")
    answer = house.call("callback")
    assert (answer.status, json.loads(answer.body)["errorCode"]) == (500, 433)


def test_a_body_over_6_mb_is_refused_before_the_function(house: Any) -> None:
    house.add("callback", ECHO)
    house.on_url("callback")
    assert house.call("callback", b"x" * (6 * 1024 * 1024 + 1)).status == 413


def test_a_url_that_wants_a_signature_refuses_unsigned_calls(house: Any) -> None:
    house.add("callback", ECHO)
    house.on_url("callback", authType="CAM")
    assert house.call("callback").status == 403


def test_addresses_stay_the_same(house: Any) -> None:
    house.add("callback", ECHO)
    house.add("closed", ECHO)
    house.on_url("callback")
    house.on_url("closed", enable=False)
    first, again = house.load().urls, house.load().urls
    assert first == again
    assert list(first) == ["callback"]
    assert first["callback"].startswith("https://1250000000-")
    assert first["callback"].endswith(".ap-guangzhou.tencentscf.com")
    assert not house.load().owns_host("1250000000-other.ap-guangzhou.tencentscf.com")
