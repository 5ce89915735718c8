"""An account in which nothing was set up: what is refused, and which roles and policies end that."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.localcloud.clients import MakeRaw, MakeSdk
from tests.localcloud.scf.client import MakeScf, Scf
from tests.localcloud.speech_queue import build_job_body
from tests.localcloud.stand_in import StartCloud

pytestmark = pytest.mark.process

CREATED = {"event": "cos:ObjectCreated:*", "filter": {"Prefix": "in/", "Suffix": ""}}
SCF_POLICY = "QcloudAccessForScfRole"
CI_POLICIES = ("QcloudCOSDataFullControl", "QcloudAccessForCIRole", "QcloudPartAccessForCIRole")
JOB = build_job_body("audio-1250000000")


@pytest.fixture
def bare(start_cloud: StartCloud, make_scf: MakeScf) -> Any:
    return make_scf(start_cloud("--bare-account", "--deploy-delay-ms", "0"))


def create_role(scf: Scf, name: str, service: str) -> None:
    statement = {
        "action": "name/sts:AssumeRole",
        "effect": "allow",
        "principal": {"service": [service]},
    }
    document = json.dumps({"version": "2.0", "statement": [statement]})
    scf.api_client.call("cam", "CreateRole", {"RoleName": name, "PolicyDocument": document})


def attach(scf: Scf, role: str, policy: str) -> None:
    scf.api_client.call("cam", "AttachRolePolicy", {"AttachRoleName": role, "PolicyName": policy})


def test_functions_need_the_role_of_scf(bare: Scf) -> None:
    with pytest.raises(Exception, match=r"UnauthorizedOperation\.Role"):
        bare.create(wait=False)
    create_role(bare, "SCF_QcsRole", "scf.qcloud.com")
    bare.create()


def test_cos_trigger_needs_the_policy_of_the_role(bare: Scf, make_sdk: MakeSdk) -> None:
    bucket = f"audio-{bare.cloud.appid}"
    make_sdk(bare.cloud).create_bucket(bucket)
    create_role(bare, "SCF_QcsRole", "scf.qcloud.com")
    name, host = bare.create(), bare.cloud.bucket_host(bucket)
    params = {"FunctionName": name, "Type": "cos", "TriggerName": host, "TriggerDesc": json.dumps(CREATED)}
    assert bare.error_code("CreateTrigger", **params) == "UnauthorizedOperation.Role"
    attach(bare, "SCF_QcsRole", SCF_POLICY)
    bare.create_trigger(name, "cos", host, CREATED)


def test_jobs_need_the_role_of_ci_and_its_policies(bare: Scf, make_sdk: MakeSdk, make_raw: MakeRaw) -> None:
    sdk, raw, bucket = make_sdk(bare.cloud), make_raw(bare.cloud), f"audio-{bare.cloud.appid}"
    host = bare.cloud.ci_host(bucket)
    sdk.create_bucket(bucket)
    sdk.put_object(bucket, b"words", "call.mp3")
    assert "<CIStatus>off</CIStatus>" in raw.send("GET", host, "/").text
    assert "<Code>CIRoleNotExist</Code>" in raw.send("POST", host, "/asr_jobs", body=JOB).text
    create_role(bare, "CI_QCSRole", "ci.qcloud.com")
    assert "<Code>AsrBucketUnBinded</Code>" in raw.send("POST", host, "/asr_jobs", body=JOB).text
    sdk.ci_open_asr_bucket(bucket)
    assert "<Code>ResourceAccessDenied</Code>" in raw.send("POST", host, "/asr_jobs", body=JOB).text
    for policy in CI_POLICIES:
        attach(bare, "CI_QCSRole", policy)
    assert raw.send("POST", host, "/asr_jobs", body=JOB).status_code == 200


def test_account_stays_as_it_was_over_a_restart(
    bare: Scf, start_cloud: StartCloud, make_scf: MakeScf, make_raw: MakeRaw
) -> None:
    create_role(bare, "CI_QCSRole", "ci.qcloud.com")
    assert bare.cloud.stop() == 0
    again = make_scf(start_cloud())
    roles = again.api_client.call("cam", "DescribeRoleList", {"Page": 1, "Rp": 20})["List"]
    assert [role["RoleName"] for role in roles] == ["CI_QCSRole"]
    host, raw = again.cloud.bucket_host(f"b-{again.cloud.appid}"), make_raw(again.cloud)
    raw.send("PUT", host, "/")
    assert "<CIStatus>off</CIStatus>" in raw.send("GET", host.replace(".cos.", ".ci."), "/").text
