"""The states of a receipt: every state with every transition, against a table that is written here a second time."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from shared.recordings.receipt import (
    DEFERRED,
    FAILED,
    SUBMITTED,
    SUBMITTING,
    SUPERSEDED,
    TRANSCRIBED,
    TRANSITIONS,
    WAITING,
    InvalidReceipt,
    InvalidTransition,
    Receipt,
    ReceiptState,
)
from tests.helpers.receipts import build_receipt

NOW_S = 1_794_300_600.5
OPEN_STATES = (SUBMITTING, DEFERRED, SUBMITTED)
CLOSED_STATES = (TRANSCRIBED, FAILED, SUPERSEDED, WAITING)

EMPTY = build_receipt()
RECEIPTS = {
    SUBMITTING: EMPTY,
    DEFERRED: EMPTY._replace(deferred=True, lease_expires_s=1_794_300_010.0),
    SUBMITTED: EMPTY._replace(job_id="s1"),
    TRANSCRIBED: EMPTY._replace(job_id="s1", outcome="transcribed", finished_s=1_794_300_300.0),
    FAILED: EMPTY._replace(job_id="s1", outcome="failed", finished_s=1_794_300_300.0),
    SUPERSEDED: EMPTY._replace(job_id="s1", outcome="superseded", finished_s=1_794_300_300.0),
    WAITING: EMPTY._replace(outcome="waiting", finished_s=1_794_300_300.0),
}

METHODS: dict[str, Callable[[Receipt], Receipt]] = {
    "with_job": lambda receipt: receipt.with_job("s2"),
    "select_job": lambda receipt: receipt.select_job("s2"),
    "defer": lambda receipt: receipt.defer(NOW_S),
    "next_attempt": lambda receipt: receipt.next_attempt("n2", 2, NOW_S + 120),
    "transcribe": lambda receipt: receipt.close(TRANSCRIBED, NOW_S),
    "fail": lambda receipt: receipt.close(FAILED, NOW_S),
    "wait": lambda receipt: receipt.close(WAITING, NOW_S),
    "defer_until": lambda receipt: receipt.defer_until(NOW_S + 300, NOW_S, "AccountProblem"),
    "supersede": lambda receipt: receipt.close(SUPERSEDED, NOW_S),
    "reopen": lambda receipt: receipt.reopen(1_794_300_500.0, NOW_S),
    "restart": lambda receipt: receipt.restart(1_794_300_500.0, NOW_S),
}

# The state after each method; a state that is missing does not allow it.
EXPECTED: dict[str, dict[ReceiptState, ReceiptState]] = {
    "with_job": {
        SUBMITTING: SUBMITTED,
        DEFERRED: SUBMITTED,
        SUBMITTED: SUBMITTED,
        TRANSCRIBED: TRANSCRIBED,
        FAILED: FAILED,
        SUPERSEDED: SUPERSEDED,
        WAITING: WAITING,
    },
    "select_job": {
        SUBMITTING: SUBMITTED,
        DEFERRED: SUBMITTED,
        SUBMITTED: SUBMITTED,
        TRANSCRIBED: TRANSCRIBED,
        FAILED: FAILED,
        SUPERSEDED: SUPERSEDED,
        WAITING: WAITING,
    },
    "wait": dict.fromkeys((SUBMITTING, DEFERRED), WAITING),
    "defer_until": {SUBMITTING: DEFERRED, DEFERRED: DEFERRED},
    "defer": {SUBMITTING: DEFERRED, DEFERRED: DEFERRED},
    "next_attempt": {SUBMITTING: SUBMITTING, DEFERRED: SUBMITTING},
    "transcribe": {SUBMITTED: TRANSCRIBED, FAILED: TRANSCRIBED},
    "fail": dict.fromkeys(OPEN_STATES, FAILED),
    "supersede": dict.fromkeys((*OPEN_STATES, FAILED), SUPERSEDED),
    "reopen": {TRANSCRIBED: SUBMITTED, SUBMITTED: SUBMITTED, FAILED: SUBMITTED},
    "restart": dict.fromkeys((*OPEN_STATES, FAILED), DEFERRED),
}
CASES = [(method, state) for method in METHODS for state in ReceiptState]


def identify(value: object) -> str:
    return value.value if isinstance(value, ReceiptState) else str(value)


@pytest.mark.parametrize(("method", "state"), CASES, ids=identify)
def test_method_leads_to_its_state_or_is_rejected(method: str, state: ReceiptState) -> None:
    receipt = RECEIPTS[state]
    expected_state = EXPECTED[method].get(state)
    if expected_state is None:
        with pytest.raises(InvalidTransition, match=rf"from {state.value} to .*{receipt.id}"):
            METHODS[method](receipt)
    else:
        assert METHODS[method](receipt).state is expected_state


@pytest.mark.parametrize(("method", "state"), CASES, ids=identify)
def test_every_change_of_state_is_in_the_table(method: str, state: ReceiptState) -> None:
    try:
        new_state = METHODS[method](RECEIPTS[state]).state
    except InvalidTransition:
        assert state not in EXPECTED[method]
    else:
        assert new_state is state or new_state in TRANSITIONS[state]


def test_every_transition_of_the_table_has_a_method() -> None:
    possible = {(state, new) for states in EXPECTED.values() for state, new in states.items()}
    listed = {(state, new_state) for state, new_states in TRANSITIONS.items() for new_state in new_states}
    assert listed <= possible


@pytest.mark.parametrize("state", OPEN_STATES, ids=identify)
@pytest.mark.parametrize("outcome", OPEN_STATES, ids=identify)
def test_receipt_is_not_closed_with_an_open_state(state: ReceiptState, outcome: ReceiptState) -> None:
    with pytest.raises(InvalidTransition):
        RECEIPTS[state].close(outcome, NOW_S)


EXPECTED_STATES = [
    # outcome, job_id, deferred -> state
    ("", "", False, SUBMITTING),
    ("", "", True, DEFERRED),
    ("", "s1", False, SUBMITTED),
    ("", "s1", True, SUBMITTED),
    *(
        (outcome, job_id, deferred, ReceiptState(outcome))
        for outcome in ("transcribed", "failed", "superseded")
        for job_id in ("", "s1")
        for deferred in (False, True)
    ),
]


@pytest.mark.parametrize(("outcome", "job_id", "deferred", "state"), EXPECTED_STATES, ids=identify)
def test_members_decide_the_state(outcome: str, job_id: str, deferred: bool, state: ReceiptState) -> None:
    receipt = EMPTY._replace(outcome=outcome, job_id=job_id, deferred=deferred)
    assert receipt.state is state
    assert receipt.is_open is (state in OPEN_STATES)


@pytest.mark.parametrize("state", ReceiptState, ids=identify)
def test_receipt_of_every_state_survives_json(state: ReceiptState) -> None:
    receipt = RECEIPTS[state]
    read = Receipt.from_json(receipt.to_json())
    assert read == receipt
    assert read.state is state


@pytest.mark.parametrize("outcome", ["lost", "submitted", "deferred", "submitting", "Failed"])
def test_outcome_that_closes_nothing_is_no_receipt(outcome: str) -> None:
    raw = json.loads(EMPTY.to_json())
    with pytest.raises(InvalidReceipt):
        Receipt.from_json(json.dumps({**raw, "outcome": outcome}).encode())


def changes(before: Receipt, after: Receipt) -> dict[str, object]:
    """Return the members that differ, with their new values."""
    return {name: value for name, value in after._asdict().items() if getattr(before, name) != value}


def test_with_job_records_the_job_and_ends_the_wait() -> None:
    assert changes(RECEIPTS[DEFERRED], RECEIPTS[DEFERRED].with_job("s2")) == {
        "job_id": "s2",
        "deferred": False,
    }


def test_with_job_changes_only_the_job_of_a_closed_receipt() -> None:
    assert changes(RECEIPTS[FAILED], RECEIPTS[FAILED].with_job("s2")) == {"job_id": "s2"}


def test_defer_ends_the_lease_now() -> None:
    assert changes(EMPTY, EMPTY.defer(NOW_S)) == {"deferred": True, "lease_expires_s": NOW_S}


def test_next_attempt_takes_nonce_number_and_lease() -> None:
    assert changes(RECEIPTS[DEFERRED], RECEIPTS[DEFERRED].next_attempt("n2", 2, NOW_S + 120)) == {
        "nonce": "n2",
        "earlier_nonces": ("n1",),
        "attempt": 2,
        "lease_expires_s": NOW_S + 120,
        "deferred": False,
    }


@pytest.mark.parametrize("outcome", [TRANSCRIBED, FAILED, SUPERSEDED], ids=identify)
def test_close_keeps_the_job_and_records_when_it_ended(outcome: ReceiptState) -> None:
    assert changes(RECEIPTS[SUBMITTED], RECEIPTS[SUBMITTED].close(outcome, NOW_S)) == {
        "outcome": outcome.value,
        "finished_s": NOW_S,
    }


def test_reopen_keeps_the_paid_job() -> None:
    reopened = RECEIPTS[TRANSCRIBED].reopen(1_794_300_500.0, NOW_S)
    assert changes(RECEIPTS[TRANSCRIBED], reopened) == {
        "outcome": "",
        "finished_s": 0.0,
        "modified_s": 1_794_300_500.0,
        "created_s": NOW_S,
        "waits_since_s": NOW_S,
    }


def test_restart_keeps_the_earlier_jobs_as_superseded() -> None:
    receipt = RECEIPTS[FAILED]._replace(superseded_job_ids=("s0",))
    restarted = receipt.restart(1_794_300_500.0, NOW_S)
    assert changes(receipt, restarted) == {
        "job_id": "",
        "superseded_job_ids": ("s0", "s1"),
        "nonce": "",
        "modified_s": 1_794_300_500.0,
        "created_s": NOW_S,
        "waits_since_s": NOW_S,
        "lease_expires_s": NOW_S,
        "deferred": True,
        "outcome": "",
        "finished_s": 0.0,
    }


def test_select_job_keeps_every_other_job_as_superseded() -> None:
    receipt = RECEIPTS[SUBMITTED]._replace(superseded_job_ids=("s0", "s2"))
    assert changes(receipt, receipt.select_job("s2")) == {"job_id": "s2", "superseded_job_ids": ("s0", "s1")}
    assert changes(receipt, receipt.select_job("s1")) == {}


def test_all_jobs_are_listed_oldest_first() -> None:
    receipt = RECEIPTS[SUBMITTED]._replace(superseded_job_ids=("s0",))
    assert receipt.all_job_ids == ("s0", "s1")
    assert EMPTY.all_job_ids == ()
