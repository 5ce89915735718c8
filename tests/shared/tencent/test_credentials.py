from __future__ import annotations

import json
from typing import Any

import pytest

from shared.errors import SettingsError
from shared.tencent.auth import Credentials, load_credentials

FROM_CONTEXT = {
    "TENCENTCLOUD_SECRETID": "id-c",
    "TENCENTCLOUD_SECRETKEY": "key-c",
    "TENCENTCLOUD_SESSIONTOKEN": "tok-c",
}
FROM_ENVIRONMENT = {
    "TENCENTCLOUD_SECRETID": "id-e",
    "TENCENTCLOUD_SECRETKEY": "key-e",
    "TENCENTCLOUD_SESSIONTOKEN": "tok-e",
}


def context(environment: Any) -> dict[str, Any]:
    return {"request_id": "r1", "environment": environment}


def test_context_credentials_win_over_environment() -> None:
    credentials = load_credentials(context(json.dumps(FROM_CONTEXT)), FROM_ENVIRONMENT)
    assert credentials == Credentials("id-c", "key-c", "tok-c")


@pytest.mark.parametrize(
    "environment",
    [
        None, "", "{", "[]", "null", '"text"', 7, {},
        '{"SCF_NAMESPACE":"default"}',
        '{"TENCENTCLOUD_SECRETID":"id-c"}',
        '{"TENCENTCLOUD_SECRETID":"id-c","TENCENTCLOUD_SECRETKEY":""}',
        '{"TENCENTCLOUD_SECRETID":1,"TENCENTCLOUD_SECRETKEY":2}',
    ],
)  # fmt: skip
def test_incomplete_context_falls_back_to_environment(environment: Any) -> None:
    assert load_credentials(context(environment), FROM_ENVIRONMENT) == Credentials("id-e", "key-e", "tok-e")
    assert load_credentials({}, FROM_ENVIRONMENT) == Credentials("id-e", "key-e", "tok-e")


def test_token_is_not_combined_with_another_key() -> None:
    pair = {name: value for name, value in FROM_CONTEXT.items() if "TOKEN" not in name}
    assert load_credentials(context(json.dumps(pair)), FROM_ENVIRONMENT) == Credentials("id-c", "key-c", "")


def test_permanent_key_needs_no_token() -> None:
    environ = {"TENCENTCLOUD_SECRETID": "id", "TENCENTCLOUD_SECRETKEY": "key"}
    assert load_credentials({}, environ).token == ""


def test_missing_credentials_message_says_what_to_do() -> None:
    with pytest.raises(SettingsError, match="execution role") as caught:
        load_credentials({}, {"TENCENTCLOUD_SECRETID": "id-alone"})
    assert "id-alone" not in str(caught.value)


def test_credentials_are_not_printed() -> None:
    credentials = load_credentials({}, FROM_ENVIRONMENT)
    shown = f"{credentials} {credentials!r} {[credentials]}"
    assert not any(value in shown for value in FROM_ENVIRONMENT.values())
