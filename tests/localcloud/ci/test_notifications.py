"""Queues notify about the end of every job."""

# ruff: noqa: S314 - only the stand-in's own notifications are parsed here
from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest

from tests.localcloud.speech_queue import MakeQueue, SpeechQueue
from tests.localcloud.stand_in import Receiver, eventually

pytestmark = pytest.mark.process


def test_notification_is_xml_by_default(queue: SpeechQueue, receiver: Receiver) -> None:
    queue.update(url=receiver.url)
    job_id = queue.submit(user_data="receipt-7")
    headers, body = receiver.next()
    root = ET.fromstring(body)
    assert headers["content-type"] == "application/xml"
    assert (root.tag, root.findtext("EventName")) == ("Response", "TaskFinish")
    assert root.findtext("JobsDetail/JobId") == job_id
    assert root.findtext("JobsDetail/State") == "Success"
    assert root.findtext("JobsDetail/Operation/UserData") == "receipt-7"
    assert root.find("JobsDetail/Operation/SpeechRecognition") is None
    assert root.findtext("JobsDetail/Operation/SpeechRecognitionResult/ObjectName") == "out.txt"


def test_notification_is_json_on_request(queue: SpeechQueue, receiver: Receiver) -> None:
    queue.update(url=receiver.url, form="JSON", event="TransCodingFinish")
    job_id = queue.submit()
    headers, body = receiver.next()
    notification = json.loads(body)
    assert headers["content-type"] == "application/json"
    job = notification["JobsDetail"][0]
    assert (notification["EventName"], job["JobId"], job["State"]) == ("TaskFinish", job_id, "Success")
    assert job["Operation"]["JobLevel"] == 0
    details = job["Operation"]["SpeechRecognitionResult"]["ResultDetail"]
    assert isinstance(details, list)
    assert isinstance(details[0]["Words"], list)


def test_failed_job_is_notified(queue: SpeechQueue, receiver: Receiver) -> None:
    queue.update(url=receiver.url, form="JSON")
    queue.put_object("notes.txt", b"NOT AUDIO")
    queue.submit(key="notes.txt")
    job = receiver.next_job()
    assert job["State"] == "Failed"
    assert job["Message"]


def test_job_can_set_own_callback_or_none(queue: SpeechQueue, receiver: Receiver) -> None:
    queue.update(url="http://127.0.0.1:9/unused", form="JSON")
    own = queue.submit(request=f"<CallBack>{receiver.url}</CallBack>")
    assert ET.fromstring(receiver.next()[1]).findtext("JobsDetail/JobId") == own
    queue.update(url=receiver.url)
    queue.submit(request="<CallBack>no</CallBack>")
    queue.cloud.wait_idle()
    assert receiver.arrived.empty()
    queue.submit(request="<CallBackFormat>JSON</CallBackFormat>")
    assert receiver.next()[1].startswith(b"{")


def test_queue_without_notification_sends_nothing(queue: SpeechQueue, receiver: Receiver) -> None:
    queue.update(url=receiver.url)
    queue.update()
    queue.submit()
    queue.cloud.wait_idle()
    assert receiver.arrived.empty()


def test_failed_notification_is_retried_twice(queue: SpeechQueue, receiver: Receiver) -> None:
    queue.update(url=receiver.url, form="JSON")
    receiver.statuses[:] = [500, 302, 200]
    queue.submit()
    bodies = {receiver.next()[1] for _ in range(3)}
    assert len(bodies) == 1, "the same body each time"
    queue.cloud.wait_idle()
    receiver.statuses[:] = [500] * 9
    queue.submit()
    for _ in range(3):
        receiver.next()
    queue.cloud.wait_idle()
    assert receiver.arrived.empty()


def test_nothing_is_sent_to_other_machines(queue: SpeechQueue) -> None:
    queue.update(url="https://example.com/hook?token=secret")
    job_id = queue.submit()
    queue.cloud.wait_idle()
    (line,) = [line for line in queue.cloud.log().splitlines() if job_id in line]
    assert "example.com is neither a function of this cloud nor this machine" in line
    assert "secret" not in line


def test_undelivered_notification_survives_restart(make_queue: MakeQueue, receiver: Receiver) -> None:
    queue = make_queue("--retry-delay", "60")
    queue.update(url=receiver.url, form="JSON")
    receiver.statuses[:] = [503]
    job_id = queue.submit()
    receiver.next()
    eventually(lambda: "is tried again" in queue.cloud.log())
    assert queue.cloud.stop() == 0
    second_queue = make_queue()
    assert receiver.next_job()["JobId"] == job_id
    second_queue.cloud.wait_idle()
