"""Notices of others in the bucket, and objects that are no notices."""

from __future__ import annotations

import pytest

from shared.errors import RequestRejected
from shared.notices.delivery import MAX_AGE_S, Delivery, delivery_key, target_state_key
from shared.notices.models import ERROR_MEMBERS, MAX_ERROR_TEXT_LENGTH, Target
from shared.options.model import FORMATS
from shared.recordings.outbox_sweep import NoticeCounts
from shared.tencent.cos import MAX_KEY_BYTES
from tests.helpers.fake_cloud import OUTPUT_BUCKET, raise_error
from tests.helpers.notices import build_failed_notice, build_notice
from tests.helpers.outbox import PREFIX, WEBHOOK, WECOM, Setup


def test_notice_of_a_target_that_is_not_set_is_kept_for_three_days() -> None:
    setup = Setup(WEBHOOK, WECOM)
    setup.outbox.store(build_notice())
    setup.outbox = setup.build(WECOM)
    assert setup.sweep() == NoticeCounts(delivered=1)
    assert len(setup.list_open()) == 1  # it may be another deployment's
    assert setup.sweep(MAX_AGE_S) == NoticeCounts(given_up=1)
    assert setup.list_keys() == []
    assert setup.lines[-1]["reason"] == "the target is not set"


def test_notice_of_another_deployment_is_left_alone() -> None:
    setup = Setup(deployment="ap-chengdu/default/scribe-prod-")
    setup.outbox.store(build_notice())
    setup.outbox = setup.build(WEBHOOK, deployment="ap-chengdu/default/scribe-test-")
    setup.cloud.requests.clear()
    assert setup.sweep() == NoticeCounts()
    assert setup.sweep(MAX_AGE_S) == NoticeCounts()
    assert len(setup.list_open()) == 1
    assert [request.method for request in setup.cloud.requests] == ["LIST"] * 2  # it is not read


def test_notice_without_the_deployment_in_its_key_is_read_and_left_alone() -> None:
    setup = Setup(deployment="ap-chengdu/default/scribe-test-")
    delivery = Delivery(build_notice(), "webhook", setup.cloud.clock.now(), deployment="")
    key = delivery_key(PREFIX, delivery)
    other = delivery._replace(deployment="ap-chengdu/default/scribe-prod-")
    setup.cloud.put_object(OUTPUT_BUCKET, key, other.to_json(), {})
    assert setup.sweep() == NoticeCounts()
    assert setup.list_open() == [key]


def test_same_notice_of_two_deployments_is_sent_by_each() -> None:
    setup = Setup(deployment="ap-chengdu/default/scribe-prod-")
    other = setup.build(WEBHOOK, deployment="ap-chengdu/default/scribe-test-")
    for outbox in (setup.outbox, other):
        outbox.store(build_notice())
    assert setup.sweep() == NoticeCounts(delivered=1)
    assert len(setup.list_open()) == 1
    setup.outbox = other
    assert setup.sweep() == NoticeCounts(delivered=1)
    assert setup.list_keys() == []


@pytest.mark.parametrize("target", [WEBHOOK, WECOM], ids=["same target", "unknown target"])
def test_notice_of_a_deployment_that_is_gone_is_deleted_in_the_end(target: Target) -> None:
    setup = Setup(deployment="ap-chengdu/default/scribe-prod-")
    setup.outbox.store(build_notice())
    setup.outbox = setup.build(target, deployment="ap-chengdu/default/scribe-test-")
    assert setup.sweep(MAX_AGE_S + 86_400) == NoticeCounts(given_up=1)
    assert setup.list_keys() == []
    assert setup.lines[-1]["reason"] == "its deployment is gone"


@pytest.mark.parametrize("body", [b"", b"{}", b"x" * 300_000])
def test_object_that_is_no_notice_holds_up_no_other(body: bytes) -> None:
    setup = Setup()
    (delivery,) = setup.outbox.store(build_notice())
    wrong = build_notice(job_id="other").build_id("webhook")
    key = f"{PREFIX}notices/webhook/0000000000-{wrong}"
    setup.cloud.put_object(OUTPUT_BUCKET, key, body, {})
    setup.cloud.put_object(OUTPUT_BUCKET, f"{PREFIX}notices/readme.txt", b"hello", {})
    setup.cloud.put_object(OUTPUT_BUCKET, key.replace(wrong, "msg_" + "0" * 32), delivery.to_json(), {})
    assert setup.sweep() == NoticeCounts(delivered=1)
    assert setup.list_events().count("notice_unreadable") == 2


@pytest.mark.parametrize("body", [b"{}", b"x" * 300_000], ids=["other JSON", "too large"])
def test_object_that_is_no_notice_is_deleted_after_four_days(body: bytes) -> None:
    setup = Setup()
    key = f"{PREFIX}notices/webhook/0000000000-{build_notice().build_id('webhook')}"
    setup.cloud.put_object(OUTPUT_BUCKET, key, body, {})
    setup.sweep(MAX_AGE_S)
    assert setup.list_open() == [key]
    setup.sweep(86_400)
    assert setup.list_open() == []
    assert setup.list_events() == ["notice_unreadable"] * 2
    assert setup.sweep() == NoticeCounts()


def test_notice_that_may_not_be_read_stays() -> None:
    setup = Setup()
    (delivery,) = setup.outbox.store(build_notice())
    denied = RequestRejected(resource="notices", status=403, code="AccessDenied")
    setup.cloud.before("GET", "msg_", raise_error(denied))
    setup.sweep(MAX_AGE_S + 86_400)
    assert setup.list_open() == [delivery_key(PREFIX, delivery)]
    assert setup.sweep() == NoticeCounts(delivered=1)


def test_notice_with_the_longest_keys_and_texts_is_delivered() -> None:
    setup = Setup()
    key = "\x01" * MAX_KEY_BYTES
    error = dict.fromkeys(ERROR_MEMBERS, "\x01" * MAX_ERROR_TEXT_LENGTH)
    output_keys = tuple(key for _ in FORMATS)
    setup.outbox.store(build_failed_notice(key=key, output_keys=output_keys, error=error))
    assert setup.sweep() == NoticeCounts(delivered=1)


def test_state_that_cannot_be_read_stops_nothing() -> None:
    setup = Setup()
    setup.cloud.put_object(OUTPUT_BUCKET, target_state_key(PREFIX, "webhook", ""), b"x" * 300_000, {})
    setup.store_and_send(build_notice())
    assert len(setup.network.delivered) == 1
    assert "notice_state_unreadable" in setup.list_events()


def test_notice_with_two_objects_is_sent_once() -> None:
    for target in (WEBHOOK, WECOM):
        setup = Setup(target)
        (delivery,) = setup.outbox.store(build_notice())
        moved = delivery._replace(due_s=setup.cloud.clock.now() + 1, attempts=1)
        setup.cloud.put_object(OUTPUT_BUCKET, delivery_key(PREFIX, moved), moved.to_json(), {})
        setup.sweep()
        assert len(setup.network.delivered) == 1
        assert setup.list_keys() == []


def test_stored_notice_says_which_deployment_it_is_of() -> None:
    setup = Setup(deployment="ap-chengdu/default/scribe-prod-")
    (delivery,) = setup.outbox.store(build_notice())
    stored = setup.cloud.buckets[OUTPUT_BUCKET][delivery_key(PREFIX, delivery)]
    assert Delivery.from_json(stored.body).deployment == "ap-chengdu/default/scribe-prod-"
    assert stored.metadata == {"scribe-output": "state"}
