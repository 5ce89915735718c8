"""The callback's URL is public: a stranger gets the same answer whatever is wrong in the deployment."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from handlers.callback import main_handler

TOKEN = "a-token-of-some-length"
GOOD = {
    "INPUT_BUCKETS": "recordings-1250000000",
    "CALLBACK_TOKEN": TOKEN,
    "REGION": "ap-guangzhou",
    "TENCENTCLOUD_SECRETID": "AKIDEXAMPLE",
    "TENCENTCLOUD_SECRETKEY": "example",
    "CLOUD_ENDPOINT": "http://127.0.0.1:9",
}
# What differs from GOOD; None: the variable is missing.
DEPLOYMENTS: dict[str, dict[str, str | None]] = {
    "good": {},
    "a wrong engine": {"ENGINE": "16k zh"},
    "a wrong bucket": {"INPUT_BUCKETS": "a-secret-name"},
    "a wrong endpoint": {"CLOUD_ENDPOINT": "http://user:secret@example.com"},
    "a wrong callback URL": {"CALLBACK_URL": f"https://example.com/another-{TOKEN}"},
    "no region": {"REGION": None},
    "no role": {"TENCENTCLOUD_SECRETID": None, "TENCENTCLOUD_SECRETKEY": None},
    "one malformed token of two": {"CALLBACK_TOKEN": f"short,{TOKEN}"},
    "nothing but the token": dict.fromkeys(set(GOOD) - {"CALLBACK_TOKEN"}),
}
WITHOUT_A_TOKEN: dict[str, dict[str, str | None]] = {
    "no token": {"CALLBACK_TOKEN": None},
    "an empty token": {"CALLBACK_TOKEN": " , "},
    "a short token": {"CALLBACK_TOKEN": "short"},
    "a malformed token": {"CALLBACK_TOKEN": "a token with blanks and 会议"},
    "a token that was not set": {"CALLBACK_TOKEN": "undefined"},
    "nothing at all": dict.fromkeys(GOOD),
}
WRONG_SETTINGS = sorted(set(DEPLOYMENTS) - {"good", "no role"})
CONTEXT = {"request_id": "r1", "time_limit_in_ms": 4000}
FORBIDDEN = (
    '{"isBase64Encoded": false, "statusCode": 403, "headers": {"Content-Type": "application/json"},'
    ' "body": "{\\"message\\": \\"forbidden\\"}"}'
)
UNFINISHED = FORBIDDEN.replace("403", "503").replace("forbidden", "not finished, try again")

TEXT = st.text(st.characters(), max_size=40)  # lone surrogates, too
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.binary(max_size=10),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(TEXT, values, max_size=3),
    max_leaves=6,
)
PATHS = TEXT.map(lambda text: f"/{text}") | st.sampled_from(
    [
        "/short",
        "/undefined",
        "/",
        f"/{TOKEN}x",
        f"/{TOKEN}/x",
        f"/{TOKEN[:-1]}",
        f"/short,{TOKEN}",
        f"/{TOKEN.upper()}",
    ]
)
MEMBERS = {
    "httpMethod": st.sampled_from(["GET", "POST", "PUT", "OPTIONS", "POST "]) | VALUES,
    "body": VALUES
    | st.sampled_from(["<!DOCTYPE x>", '{"JobsDetail": {"JobId": "s1"}}', "{" * 3000, "[" * 3000]),
    "isBase64Encoded": VALUES,
    "headers": VALUES,
    "requestContext": VALUES,
}
REQUESTS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries({}, optional=MEMBERS)
ODD_EVENTS = VALUES | st.builds(lambda event, path: {**event, "path": path}, REQUESTS, PATHS | VALUES)


@contextmanager
def deployed(changes: Mapping[str, str | None]) -> Iterator[io.StringIO]:
    """Put the settings into the environment, as SCF does. Yields what the function writes to its log."""
    environ = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    with patch.dict(os.environ, environ, clear=True), redirect_stdout(io.StringIO()) as log:
        yield log


def read_log(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


@given(
    event=ODD_EVENTS,
    context=VALUES | st.just(CONTEXT),
    name=st.sampled_from(sorted(DEPLOYMENTS | WITHOUT_A_TOKEN)),
)
@limits(max_examples=400, deadline=None)
def test_request_without_a_token_always_gets_the_same_answer(event: Any, context: Any, name: str) -> None:
    with deployed((DEPLOYMENTS | WITHOUT_A_TOKEN)[name]) as log:
        assert json.dumps(main_handler(event, context)) == FORBIDDEN
    assert [(line["level"], line["event"]) for line in read_log(log)] == [("warning", "callback_rejected")]


@given(event=REQUESTS, context=VALUES | st.just(CONTEXT), name=st.sampled_from(WRONG_SETTINGS))
@limits(max_examples=200, deadline=None)
def test_wrong_setting_is_one_answer_to_any_request_with_a_token(event: Any, context: Any, name: str) -> None:
    with deployed(DEPLOYMENTS[name]) as log:
        assert json.dumps(main_handler({**event, "path": f"/{TOKEN}"}, context)) == UNFINISHED
    assert [line["event"] for line in read_log(log)] == ["invalid_configuration"]


@given(event=REQUESTS)
@limits(max_examples=200, deadline=None)
def test_no_request_with_a_token_raises(event: Any) -> None:
    with deployed({}):
        response = main_handler({**event, "path": f"/{TOKEN}"}, CONTEXT)
    assert response["statusCode"] in {400, 405, 413, 503}
    assert json.loads(response["body"]).keys() == {"message"}


@pytest.mark.parametrize("name", sorted(WITHOUT_A_TOKEN))
def test_token_that_is_no_token_opens_nothing(name: str) -> None:
    value = WITHOUT_A_TOKEN[name].get("CALLBACK_TOKEN") or ""
    with deployed(WITHOUT_A_TOKEN[name]) as log:
        assert json.dumps(main_handler({"path": f"/{value}", "httpMethod": "POST"}, CONTEXT)) == FORBIDDEN
    assert "CALLBACK_TOKEN" in read_log(log)[0]["reason"]


@pytest.mark.parametrize("name", WRONG_SETTINGS)
def test_reason_of_an_unfinished_notification_is_in_the_log_only(name: str) -> None:
    body = json.dumps({"JobsDetail": [{"JobId": "s01"}]})
    with deployed(DEPLOYMENTS[name]) as log:
        response = main_handler({"path": f"/{TOKEN}", "httpMethod": "POST", "body": body}, CONTEXT)
    assert json.dumps(response) == UNFINISHED
    (line,) = read_log(log)
    assert "wrong" in line["error"]
    assert not any(str(value) in json.dumps(response) for value in DEPLOYMENTS[name].values() if value)


@pytest.mark.parametrize("path", ["/", f"/{TOKEN}"])
def test_answer_is_the_same_if_the_log_cannot_be_written(path: str) -> None:
    closed = io.StringIO()
    closed.close()
    event = {"path": path, "httpMethod": "GET"}
    for changes in DEPLOYMENTS.values():
        with deployed(changes):
            usual = main_handler(event, CONTEXT)
            with redirect_stdout(closed):
                assert main_handler(event, CONTEXT) == usual


class Interrupted(BaseException):
    """What ends a process, such as KeyboardInterrupt."""


def test_what_ends_the_process_is_not_held_back() -> None:
    class Log(io.StringIO):
        def write(self, text: str) -> int:
            raise Interrupted

    with deployed({}), redirect_stdout(Log()), pytest.raises(Interrupted):
        main_handler({"path": "/"}, CONTEXT)
