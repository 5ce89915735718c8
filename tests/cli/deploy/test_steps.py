"""The step that sets the notification of a queue waits for the address and for the queue."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from cli.cloud.client import MAX_PAUSE_S, Poller
from cli.cloud.scf import TriggerInfo
from cli.deploy.speech_steps import configure_notification
from cli.deploy.steps import NEW_QUEUE_TIMEOUT_S, Step
from cli.errors import OperatorError
from cli.manifest.models import (
    FunctionSpec,
    TriggerSpec,
    create_trigger_payload,
)
from tests.helpers.account import (
    REGION,
    Account,
)

pytestmark = pytest.mark.process


def test_step_waits_for_a_new_address_and_queue(account: Account) -> None:
    sweep, bucket = account.manifest().functions["sweep"], "slow-1250000000"
    clients = account.clients
    clients.cos(REGION).create_bucket(bucket)
    network = {"EnableExtranet": True, "EnableIntranet": False}
    description = json.dumps({"AuthType": "NONE", "NetConfig": network}, sort_keys=True)
    url = TriggerSpec("sweep", "http", "url", description, "$DEFAULT", is_open=True)

    def list_http_triggers() -> list[TriggerInfo]:
        triggers = clients.scf.list_triggers(sweep.name, "default")
        return [trigger for trigger in triggers if trigger.type == "http"]

    def sleep(_seconds: float) -> None:
        if not (triggers := list_http_triggers()):
            clients.scf.create_trigger(create_trigger_payload(sweep.name, "default", url))
        elif triggers[0].url:
            clients.speech.enable_bucket(bucket)
        time.sleep(0.05)

    poller = Poller(now=lambda: 0.0, sleep=sleep)
    build_notification_step(bucket, sweep, "a-token-of-its-own").apply(replace(clients, poller=poller))
    [queue] = clients.speech.list_queues(bucket).queues
    [trigger] = list_http_triggers()
    clients.scf.delete_trigger(sweep.name, "default", trigger)
    assert queue.notification.url == f"{trigger.url.rstrip('/')}/a-token-of-its-own"


def build_notification_step(bucket: str, function: FunctionSpec, token: str) -> Step:
    return configure_notification(
        bucket, "", function, qualifier="$DEFAULT", token=token, callback_url="", current=None
    )


def test_waiting_for_a_new_address_ends(account: Account) -> None:
    pauses: list[float] = []
    poller = Poller(now=lambda: sum(pauses), sleep=lambda seconds: pauses.append(10 * seconds))
    step = build_notification_step("any-1250000000", account.manifest().functions["sweep"], "token")
    with pytest.raises(OperatorError, match="no public address; run the command again"):
        step.apply(replace(account.clients, poller=poller))
    assert NEW_QUEUE_TIMEOUT_S <= sum(pauses) < NEW_QUEUE_TIMEOUT_S + 10 * MAX_PAUSE_S
