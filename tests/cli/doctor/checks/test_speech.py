"""The doctor's checks of the speech service, its queue and its notifications."""

from __future__ import annotations

import pytest

from cli.doctor.models import Status
from shared.tencent.client import Request
from tests.helpers.doctor import (
    INPUT,
    OTHER_TOKEN,
    REGION,
    TOKEN,
    Deployment,
    describe,
    list_wrong,
)
from tests.helpers.pipeline import enable_speech

pytestmark = pytest.mark.process


def test_speech_recognition_that_is_off_is_found(deployment: Deployment) -> None:
    url = deployment.queue.notification.url
    client = deployment.operator.cos.client
    client.send(Request("DELETE", f"{INPUT}.ci.{REGION}.myqcloud.com", "/asrbucket", INPUT))
    findings = deployment.findings()
    enable_speech(deployment.operator, INPUT, url)
    assert list_wrong(findings) == {"speech-service"}
    assert INPUT in describe(findings, "speech-service")


def test_paused_queue_is_found(deployment: Deployment) -> None:
    with deployment.broken_queue(lambda queue: queue._replace(state="Paused")):
        findings = deployment.findings()
    assert list_wrong(findings) == {"queue"}
    assert "Paused" in describe(findings, "queue")
    assert "scribe deploy --resume-queue" in describe(findings, "queue")


def test_unknown_queue_id_is_found(deployment: Deployment) -> None:
    findings = deployment.findings(QUEUE_ID="p00000000000000000000000000000000")
    assert "QUEUE_ID" in describe(findings, "queue")


def test_notification_that_is_off_is_found(deployment: Deployment) -> None:
    off = deployment.queue.notification._replace(state="Off")
    with deployment.broken_queue(lambda queue: queue._replace(notification=off)):
        findings = deployment.findings()
    assert list_wrong(findings) == {"notification"}
    assert "notification of the queue is off" in describe(findings, "notification")
    assert "scribe deploy" in describe(findings, "notification")


def test_wrong_token_is_found_and_no_token_is_shown(deployment: Deployment) -> None:
    url = deployment.queue.notification.url.replace(TOKEN, OTHER_TOKEN)
    other = deployment.queue.notification._replace(url=url)
    with deployment.broken_queue(lambda queue: queue._replace(notification=other)):
        findings = deployment.findings()
    assert list_wrong(findings) == {"notification"}
    assert "token" in describe(findings, "notification")
    assert TOKEN not in str(findings)
    assert OTHER_TOKEN not in str(findings)


def test_notification_to_another_address_is_found(deployment: Deployment) -> None:
    moved = deployment.queue.notification._replace(url=f"https://old.example.com/{TOKEN}")
    with deployment.broken_queue(lambda queue: queue._replace(notification=moved)):
        findings = deployment.findings()
    assert list_wrong(findings) == {"notification"}
    assert "https://old.example.com/..." in describe(findings, "notification")


def test_old_token_in_the_queue_is_a_note_during_rotation(deployment: Deployment) -> None:
    findings = deployment.findings(CALLBACK_TOKEN=f"{OTHER_TOKEN},{TOKEN}")
    assert "later token" in describe(findings, "notification", Status.NOTE)
    assert "notification" not in list_wrong(findings)


def test_jobs_that_notify_another_address_are_found(deployment: Deployment) -> None:
    findings = deployment.findings(job_callback=True)
    assert "the jobs of upload notify no one" in describe(findings, "notification")
    name = deployment.name("sweep")
    variables = deployment.manifest().functions["sweep"].variables
    for url, words in (
        (f"https://old.example.com/{TOKEN}", "https://old.example.com/..."),
        (f"{deployment.callback_url}/{OTHER_TOKEN}", "is not in CALLBACK_TOKEN"),
        (f"{deployment.callback_url}/{TOKEN}", ""),
    ):
        deployment.set_variables(name, {**variables, "CALLBACK_URL": url})
        findings = deployment.findings(job_callback=True)
        text = describe(findings, "notification")
        assert (words in text) if words else ("sweep:" not in text)
        assert TOKEN not in text
    deployment.set_variables(name, variables)


def test_bucket_that_is_not_bound_is_found(deployment: Deployment) -> None:
    deployment.admin("PUT", "ci_buckets", {"bucket": INPUT, "status": "unbinding"})
    findings = deployment.findings()
    deployment.admin("PUT", "ci_buckets", {"bucket": INPUT, "status": "on"})
    assert list_wrong(findings) == {"binding"}
    assert "CIStatus is unbinding" in describe(findings, "binding")
    assert "scribe deploy" in describe(findings, "binding")
