"""The callback's URL while a setting is wrong: a stranger sees no difference."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from cli.local.emulator import CALLBACK_TOKEN
from tests.helpers.flow import Flow, render_notification
from tests.helpers.loopback import open_client
from tests.helpers.pipeline import running_pipeline

pytestmark = pytest.mark.process

STRANGERS = [
    ("POST", "/", b""),
    ("POST", "/wrong-token-of-some-length", render_notification("s01").encode()),
    ("POST", f"/{CALLBACK_TOKEN}/x", b"\xff\xfe not text"),
    ("GET", f"/?token={CALLBACK_TOKEN}", b""),
    ("PUT", "/会议", b"<!DOCTYPE x [<!ENTITY a 'b'>]>"),
    ("HEAD", "/undefined", b""),
    ("OPTIONS", f"/{CALLBACK_TOKEN},", b""),
]


def get_answer(response: httpx.Response) -> tuple[int, list[tuple[str, str]], bytes]:
    headers = [pair for pair in response.headers.items() if pair[0] not in {"date", "x-scf-request-id"}]
    return response.status_code, headers, response.content


def test_stranger_gets_the_same_answer_while_a_setting_is_wrong(flow: Flow, tmp_path: Path) -> None:
    wrong = {"ENGINE": "16k zh", "FORMATS": "a-secret-value"}
    with (
        running_pipeline(tmp_path / "cloud", settings=wrong) as pipeline,
        open_client(base_url=pipeline.emulator.endpoint, timeout=60) as client,
    ):
        broken = Flow(pipeline, client)
        for method, path, body in STRANGERS:
            answers = [get_answer(each.notify(body, path=path, method=method)) for each in (flow, broken)]
            assert answers[0] == answers[1]
            assert answers[0][0] == 403
        response = broken.notify(render_notification("s01"))
        calls = broken.invocations("callback")
    assert (response.status_code, response.json()) == (503, {"message": "not finished, try again"})
    assert {call["outcome"] for call in calls} == {"ok"}
    assert all(call["requests"] == [] for call in calls)
    assert "a-secret-value" in "\n".join(calls[-1]["log"])
