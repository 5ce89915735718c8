"""Function URLs: the event of the function and the response for the caller."""

import json

import pytest

from localcloud.runtime.registry import FunctionRegistry
from localcloud.runtime.urls import UrlRequest, UrlResponse
from tests.localcloud.functions import ECHO, returning
from tests.localcloud.runtime.project import Project

pytestmark = pytest.mark.process


def test_url_event_has_only_documented_members(project: Project) -> None:
    project.add("callback", ECHO)
    project.on_url("callback")
    response = project.call(
        "callback",
        "<Response>会议</Response>".encode(),
        path="/t0ken",
        query=(("token", "a"), ("empty", ""), ("token", "b")),
        headers={"content-type": "application/xml", "host": "h"},
    )
    assert response.status == 200
    assert response.headers["content-type"] == "application/json"
    assert json.loads(response.body) == {
        "body": "<Response>会议</Response>",
        "headers": {"x-scf-remote-addr": "127.0.0.1", "content-type": "application/xml", "host": "h"},
        "httpMethod": "POST",
        "path": "/t0ken",
        "queryString": {"token": "b", "empty": ""},
    }


def test_binary_body_becomes_base64_without_a_flag(project: Project) -> None:
    project.add("callback", ECHO)
    project.on_url("callback")
    event = json.loads(project.call("callback", b"\xff\x00\x80").body)
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
def test_result_becomes_the_response(
    project: Project, result: str, status: int, content_type: str | None, body: bytes
) -> None:
    project.add("callback", returning(result))
    project.on_url("callback")
    response = project.call("callback")
    assert (response.status, response.headers.get("content-type"), response.body) == (
        status,
        content_type,
        body,
    )


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
def test_invalid_result_becomes_502(project: Project, result: str) -> None:
    project.add("callback", returning(result))
    project.on_url("callback")
    response = project.call("callback")
    assert response.status == 502
    assert json.loads(response.body)["errorMessage"]


def test_exception_of_url_call_becomes_500_without_retry(project: Project) -> None:
    project.add("callback", "def main_handler(event, context):\n    raise ValueError('bad token')\n")
    project.on_url("callback")

    async def use(functions: FunctionRegistry) -> tuple[UrlResponse, int]:
        host = functions.urls["callback"].removeprefix("https://")
        response = await functions.call_url(f"{host.upper()}:443", UrlRequest("POST", "/", (), {}, b""))
        assert await functions.wait_idle(5)
        return response, len(functions.invocations())

    response, attempts = project.run(use)
    assert attempts == 1
    assert response.status == 500
    error = json.loads(response.body)
    assert error["errorCode"] == 430
    assert error["errorMessage"] == "ValueError: bad token"
    assert "Traceback" in error["stackTrace"]
    assert error["requestId"] == response.headers["x-scf-request-id"]


def test_timeout_of_url_call_becomes_500(project: Project) -> None:
    project.add("callback", "import time\ndef main_handler(event, context):\n    time.sleep(30)\n", timeout=1)
    project.on_url("callback")
    response = project.call("callback")
    assert (response.status, json.loads(response.body)["errorCode"]) == (500, 433)


def test_body_over_6_mb_is_rejected(project: Project) -> None:
    project.add("callback", ECHO)
    project.on_url("callback")
    assert project.call("callback", b"x" * (6 * 1024 * 1024 + 1)).status == 413


def test_url_with_cam_auth_rejects_unsigned_calls(project: Project) -> None:
    project.add("callback", ECHO)
    project.on_url("callback", authType="CAM")
    assert project.call("callback").status == 403


def test_url_is_stable(project: Project) -> None:
    project.add("callback", ECHO)
    project.add("closed", ECHO)
    project.on_url("callback")
    project.on_url("closed", enable=False)
    first, second = project.load().urls, project.load().urls
    assert first == second
    assert list(first) == ["callback"]
    assert first["callback"].startswith("https://1250000000-")
    assert first["callback"].endswith(".ap-guangzhou.tencentscf.com")
    assert not project.load().owns_host("1250000000-other.ap-guangzhou.tencentscf.com")
