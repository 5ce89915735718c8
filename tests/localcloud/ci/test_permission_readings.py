"""What documents and a live record disagree on: the actions of queries, and the code of a wrong signature."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.localcloud.clients import MakeRaw, MakeSdk
from tests.localcloud.stand_in import StartCloud

pytestmark = pytest.mark.process

ONE, LIST = "/asr_jobs/s1", "/asr_jobs"


@pytest.mark.parametrize(
    ("options", "actions"),
    [
        ((), {ONE: "DescribeAsrJob", LIST: "DescribeAsrJobs"}),
        (("--ci-permissions", "documented"), {ONE: "DescribeAsrJob", LIST: "DescribeAsrJobs"}),
        (("--ci-permissions", "swapped"), {ONE: "DescribeAsrJobs", LIST: "DescribeAsrJob"}),
        (("--ci-permissions", "media"), {ONE: "DescribeMediaJob", LIST: "DescribeMediaJobs"}),
    ],
)
def test_queries_need_the_actions_of_the_reading(
    start_cloud: StartCloud,
    make_raw: MakeRaw,
    make_sdk: MakeSdk,
    options: tuple[str, ...],
    actions: dict[str, str],
) -> None:
    cloud = start_cloud(*options)
    raw, bucket = make_raw(cloud), f"b-{cloud.appid}"
    sdk = make_sdk(cloud)
    sdk.create_bucket(bucket)
    sdk.ci_open_asr_bucket(bucket)
    actions = actions | {"/jobs/s1": "DescribeMediaJob", "/jobs": "DescribeMediaJobs"}
    for action in set(actions.values()):
        statement = {"effect": "allow", "action": [f"ci:{action}"], "resource": ["*"]}
        key = cloud.admin("POST", "keys", {"policies": [{"version": "2.0", "statement": [statement]}]})
        signing = {name: key[name] for name in ("secret_id", "secret_key")}
        headers = {"x-ci-security-token": key["token"]}
        allowed = {
            path
            for path in actions
            if raw.send("GET", cloud.ci_host(bucket), path, None, headers, **signing).status_code == 200
        }
        assert allowed == {path for path in actions if actions[path] == action}


@pytest.mark.parametrize(
    ("options", "wrong", "expired"),
    [
        ((), "AccessDenied", "AccessDenied"),
        (("--ci-signature-error", "access-denied"), "AccessDenied", "AccessDenied"),
        (("--ci-signature-error", "invalid-authorization"), "InvalidAuthorization", "SignatureExpired"),
    ],
)
def test_code_of_a_wrong_signature_is_an_option(
    start_cloud: StartCloud,
    make_raw: MakeRaw,
    options: tuple[str, ...],
    wrong: str,
    expired: str,
) -> None:
    cloud = start_cloud(*options)
    raw, host, now = make_raw(cloud), cloud.ci_host(f"b-{cloud.appid}"), int(time.time())

    def get_code(**signing: Any) -> tuple[int, str]:
        response = raw.send("GET", host, "/asrqueue", **signing)
        return response.status_code, response.text.partition("<Code>")[2].partition("<")[0]

    assert get_code(secret_key="x") == (401, wrong)
    assert get_code(window=(now - 99, now - 9)) == (401, expired)
    assert get_code(authorization="") == (401, "MissingAuthorization")
    assert get_code(authorization="x") == (401, "InvalidAuthorization")
    assert get_code(secret_id="x") == (401, "SecretidNotExist")
