"""What CI refuses because of the account: switches of the admin side, and kinds of the fault plan."""

# ruff: noqa: S314 - only the stand-in's own responses are parsed here
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.localcloud.clients import MakeRaw, MakeSdk, RawClient
from tests.localcloud.speech_queue import build_job_body
from tests.localcloud.stand_in import StandIn, StartCloud

pytestmark = pytest.mark.process


@dataclass
class Submitter:
    """Submits jobs in a bucket of its own, as the operator or as a function does."""

    cloud: StandIn
    raw: RawClient
    bucket: str

    def __post_init__(self) -> None:
        self.host = self.cloud.ci_host(self.bucket)
        self.key = self.cloud.admin("POST", "keys")

    def submit(self, *, as_function: bool = False) -> Any:
        body = build_job_body(self.bucket)
        if not as_function:
            return self.raw.send("POST", self.host, "/asr_jobs", body=body)
        signing = {name: self.key[name] for name in ("secret_id", "secret_key")}
        headers = {"x-ci-security-token": self.key["token"]}
        return self.raw.send("POST", self.host, "/asr_jobs", None, headers, body, **signing)

    def refuse(self, **members: Any) -> list[dict[str, Any]]:
        refusals: list[dict[str, Any]] = self.cloud.admin("PUT", "refuse", members)
        return refusals

    def find_job(self, response: Any) -> dict[str, Any]:
        job_id = ET.fromstring(response.content).findtext("JobsDetail/JobId", "")
        return next(job for job in self.cloud.admin("GET", "jobs") if job["job_id"] == job_id)

    def run(self, **how: Any) -> dict[str, Any]:
        """Submit a job and return it after its end."""
        response = self.submit(**how)
        assert response.status_code == 200, response.text
        self.cloud.wait_idle()
        return self.find_job(response)


@pytest.fixture
def submitter(cloud: StandIn, raw: RawClient, speech_bucket: str) -> Iterator[Submitter]:
    yield Submitter(cloud, raw, speech_bucket)
    cloud.admin("DELETE", "refuse")
    cloud.admin("DELETE", "fail_jobs")
    cloud.admin("PUT", "faults", {})


def test_refusal_holds_until_it_is_ended(submitter: Submitter) -> None:
    message = "Due to your account is arrears, it is unavailable until you recharge."
    refusals = submitter.refuse(status=451, code="UnavailableForLegalReasons", message=message)
    assert [(refusal["operation"], refusal["status"]) for refusal in refusals] == [("submit", 451)]
    for as_function in (False, True, False):
        response = submitter.submit(as_function=as_function)
        root = ET.fromstring(response.content)
        assert (response.status_code, root.findtext("Code")) == (451, "UnavailableForLegalReasons")
        assert root.findtext("Message") == message
    assert submitter.raw.send("GET", submitter.host, "/asrqueue").status_code == 200
    assert submitter.cloud.admin("DELETE", "refuse") == []
    assert submitter.submit().status_code == 200


@pytest.mark.parametrize(
    ("members", "content_type", "content"),
    [
        ({"body": "empty"}, None, ""),
        ({"body": "html"}, "text/html", "<html><head><title>403</title>"),
        ({}, "application/xml", "<Code/><Message/>"),
        ({"code": "Odd"}, "application/xml", "<Code>Odd</Code><Message/>"),
    ],
)
def test_refusal_has_any_code_and_body(
    submitter: Submitter, members: dict[str, str], content_type: str | None, content: str
) -> None:
    submitter.refuse(status=403, **members)
    response = submitter.submit()
    assert response.status_code == 403
    assert (response.headers.get("content-type") or "").partition(";")[0] == (content_type or "")
    assert content in response.text
    assert content or not response.content
    (row,) = [row for row in submitter.cloud.admin("GET", "requests") if row["status"] == 403][-1:]
    assert (row["action"], row["code"]) == ("ci:CreateAsrJobs", members.get("code", ""))


@pytest.mark.parametrize(
    ("operation", "refused"),
    [
        ("submit", {"submit"}),
        ("describe", {"describe"}),
        ("list", {"list"}),
        ("queues", {"queues"}),
        ("buckets", {"status", "buckets"}),
        ("templates", {"templates"}),
        ("hot_words", {"hot words"}),
        ("other", {"templates", "hot words"}),
        ("all", {"submit", "describe", "list", "queues", "status", "buckets", "templates", "hot words"}),
    ],
)
def test_refusal_is_for_one_operation_or_for_all(
    submitter: Submitter, operation: str, refused: set[str]
) -> None:
    submitter.refuse(status=402, operation=operation)
    send, host = submitter.raw.send, submitter.host
    responses = {
        "submit": submitter.submit(),
        "describe": send("GET", host, "/asr_jobs/s1"),
        "list": send("GET", host, "/asr_jobs"),
        "queues": send("GET", host, "/asrqueue"),
        "status": send("GET", host, "/"),
        "buckets": send("GET", f"ci.{submitter.cloud.region}.myqcloud.com", "/asrbucket"),
        "templates": send("GET", host, "/template"),
        "hot words": send("GET", host, "/asrhotvocabtable"),
    }
    assert {name for name, response in responses.items() if response.status_code == 402} == refused


def test_invalid_refusal_is_rejected(submitter: Submitter) -> None:
    for wrong in ({}, {"status": 200}, {"status": 451, "operation": "x"}, {"status": 451, "body": "json"}):
        assert submitter.cloud.send_admin("PUT", "refuse", json=wrong).status_code == 400
    assert submitter.cloud.admin("GET", "refuse") == []


def test_every_job_fails_while_the_switch_is_on(submitter: Submitter) -> None:
    assert submitter.cloud.admin("PUT", "fail_jobs", {})["code"] == "FailedOperation.UserHasNoAmount"
    failed = submitter.run()
    assert (failed["state"], failed["code"]) == ("Failed", "FailedOperation.UserHasNoAmount")
    other = {"code": "FailedOperation.ServiceIsolate", "message": "in arrears"}
    submitter.cloud.admin("PUT", "fail_jobs", other)
    failed = submitter.run()
    assert {name: failed[name] for name in other} == other
    assert submitter.cloud.admin("DELETE", "fail_jobs") is None
    assert submitter.run()["state"] == "Success"


def test_fault_plan_refuses_submits_of_functions_in_stretches(submitter: Submitter) -> None:
    submitter.cloud.admin("PUT", "faults", {"seed": 3, "rates": {"refused_account": 0.5}})
    statuses = [submitter.submit(as_function=True).status_code for _ in range(60)]
    stretches = [set(statuses[start : start + 5]) for start in range(0, 60, 5)]
    assert all(len(stretch) == 1 for stretch in stretches)
    assert set().union(*stretches) == {200, 402, 403, 451}
    assert {submitter.submit().status_code for _ in range(10)} == {200}
    injected = submitter.cloud.admin("GET", "faults")["struck"]
    assert injected == {"refused_account": sum(status != 200 for status in statuses)}


def test_fault_plan_fails_jobs_without_money(submitter: Submitter) -> None:
    submitter.cloud.admin("PUT", "faults", {"rates": {"job_failed_no_money": 1.0}})
    failed = submitter.run()
    assert (failed["state"], failed["code"]) == ("Failed", "FailedOperation.UserHasNoAmount")
    assert (failed["fault"], failed["paid"]) == ("job_failed_no_money", True)


def test_refusals_end_with_the_cloud(start_cloud: StartCloud, make_raw: MakeRaw, make_sdk: MakeSdk) -> None:
    first = start_cloud()
    first.admin("PUT", "refuse", {"status": 451})
    assert first.stop() == 0
    assert start_cloud().admin("GET", "refuse") == []
