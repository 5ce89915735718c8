"""What the bucket says about notices: how many are open, since when, and how a target does."""

from __future__ import annotations

import pytest

from cli.notices.states import Condition, NoticePlace, TargetNotices, read_notices, reset_target
from shared.notices.delivery import Delivery, TargetState, delivery_key, target_state_key
from shared.notices.models import TargetKind
from tests.helpers.fake_cloud import OUTPUT_BUCKET, FakeCloud
from tests.helpers.fakes import FakeCos
from tests.helpers.notices import NOW_S, build_notice, build_target

PREFIX, DEPLOYMENT = ".scribe/", "ap-chengdu/default/scribe-prod-"
WEBHOOK, WECOM = build_target(), build_target(TargetKind.WECOM)


class Bucket:
    """A state bucket in memory."""

    def __init__(self) -> None:
        self.cos = FakeCos(FakeCloud())
        self.places = [NoticePlace(self.cos, OUTPUT_BUCKET, PREFIX, DEPLOYMENT)]

    def put(
        self,
        number: int,
        target: str = "webhook",
        due_s: float = 0.0,
        created_s: float = NOW_S,
        deployment: str = DEPLOYMENT,
    ) -> None:
        notice = build_notice(receipt_id=f"media-1250000000/{number}")
        delivery = Delivery(notice, target, created_s, due_s, deployment=deployment)
        self.cos.put(OUTPUT_BUCKET, delivery_key(PREFIX, delivery), delivery.to_json())

    def put_state(self, target: str, state: TargetState) -> None:
        self.cos.put(OUTPUT_BUCKET, target_state_key(PREFIX, target, DEPLOYMENT), state.to_json())


def test_open_notices_and_states_are_read_by_target() -> None:
    bucket = Bucket()
    for number in range(3):
        bucket.put(number, due_s=NOW_S + 60 * number, created_s=NOW_S - number)
    bucket.put(9, "wecom-support")
    failing = TargetState(failures_in_row=4, reason="status 500", changed_s=NOW_S)
    bucket.put_state("webhook", failing)
    bucket.put_state("wecom", TargetState(given_up=2))
    notices = read_notices(bucket.places)
    assert notices["webhook"] == TargetNotices(3, True, NOW_S - 2, NOW_S, failing)
    assert notices["wecom-support"].open == 1
    assert notices["wecom"].state.given_up == 2
    assert notices["webhook"].describe(WEBHOOK, NOW_S) is Condition.FAILING


def test_what_another_deployment_has_in_the_bucket_does_not_count() -> None:
    bucket = Bucket()
    other = "ap-chengdu/default/scribe-test-"
    bucket.put(1)
    bucket.put(2, deployment=other)
    bucket.put(3, "wecom", deployment="")  # not known whose
    state = TargetState(failures_in_row=9, given_up=4)
    for deployment in (other, ""):
        bucket.cos.put(OUTPUT_BUCKET, target_state_key(PREFIX, "webhook", deployment), state.to_json())
    notices = read_notices(bucket.places)
    assert (notices["webhook"].open, notices["webhook"].state) == (1, TargetState())
    assert notices["wecom"].open == 1


def test_several_buckets_are_added_up() -> None:
    first, second = Bucket(), Bucket()
    first.put(1, created_s=NOW_S)
    second.put(2, created_s=NOW_S - 50)
    first.put_state("webhook", TargetState(failures_in_row=3, changed_s=NOW_S - 9, given_up=1))
    second.put_state("webhook", TargetState(changed_s=NOW_S, given_up=4))
    found = read_notices([*first.places, *second.places])["webhook"]
    assert (found.open, found.oldest_s, found.state.given_up) == (2, NOW_S - 50, 5)
    assert found.state.failures_in_row == 0


def test_too_many_notices_are_counted_up_to_a_limit() -> None:
    bucket = Bucket()
    for number in range(1100):
        bucket.put(number)
    bucket.put(1, "wecom")
    notices = read_notices(bucket.places, max_pages=1)
    assert (notices["webhook"].open, notices["webhook"].is_complete) == (1000, False)
    assert notices["webhook"].open_text == "more than 1,000 notices are open"
    assert notices["wecom"].open_text == "1 notice is open"


def test_objects_that_are_no_notices_count_for_nothing() -> None:
    bucket = Bucket()
    for key in ("notices/readme.txt", "notices/a/b.json", "notices/webhook/0000000000-msg_x"):
        bucket.cos.put(OUTPUT_BUCKET, PREFIX + key, b"{}")
    assert read_notices(bucket.places) == {}


@pytest.mark.parametrize(
    ("state", "condition"),
    [
        (TargetState(), Condition.READY),
        (TargetState(given_up=3), Condition.READY),
        (TargetState(failures_in_row=1), Condition.FAILING),
        (TargetState(failures_in_row=1, paused_until_s=NOW_S + 5), Condition.PAUSED),
        (TargetState(failures_in_row=1, paused_until_s=NOW_S - 5), Condition.FAILING),
        (TargetState(failures_in_row=1, stopped_fingerprint=WECOM.fingerprint), Condition.STOPPED),
        (TargetState(failures_in_row=1, stopped_fingerprint=WEBHOOK.fingerprint), Condition.FAILING),
    ],
)
def test_state_of_a_target_is_one_word(state: TargetState, condition: Condition) -> None:
    assert TargetNotices(state=state).describe(WECOM, NOW_S) is condition


def test_reset_clears_the_state_and_keeps_the_notices() -> None:
    bucket = Bucket()
    bucket.put(1)
    bucket.put_state("webhook", TargetState(failures_in_row=9, stopped_fingerprint="x"))
    reset_target(bucket.places, "webhook")
    found = read_notices(bucket.places)["webhook"]
    assert (found.open, found.state) == (1, TargetState())
