"""What a recording costs in requests, counted on the wire by the stand-in for each invocation."""

from __future__ import annotations

import json

import pytest

from tests.helpers.flow import Flow, StartFlow

pytestmark = pytest.mark.process


def test_new_recording_costs_eight_requests_and_seven_plus_formats(start_flow: StartFlow) -> None:
    """A process that has not looked at the output bucket for five minutes asks once whether it has versioning.

    The jobs take longer than the upload function: it would read a receipt again that does not note its job yet.
    """
    own_flow = start_flow("--job-delay-ms", "1000")
    for number in range(2):
        own_flow.upload(f"count-{number}.wav", b"speech " * 300 + bytes([number]))
        own_flow.settle()
    uploads = own_flow.invocations("upload")
    callbacks = own_flow.invocations("callback")
    cold = [invocation["cold"] for invocation in uploads]
    assert [len(invocation["requests"]) for invocation in uploads] == [8 + is_cold for is_cold in cold]
    assert cold == [True, False]
    assert [len(invocation["requests"]) for invocation in callbacks] == [7 + 5, 7 + 5]


def test_redelivered_event_costs_at_most_three_requests(own_flow: Flow) -> None:
    own_flow.upload("again.wav", b"speech " * 300)
    own_flow.settle()
    again = own_flow.invoke("upload", own_flow.build_event("again.wav"))
    assert len(again["requests"]) <= 3, again


def test_failed_job_costs_callback_at_most_nine_requests(own_flow: Flow) -> None:
    own_flow.upload("bad.wav", b"NOT AUDIO")
    own_flow.settle()
    assert all(len(invocation["requests"]) <= 9 for invocation in own_flow.invocations("callback"))


def test_idle_sweep_costs_two_requests(own_flow: Flow) -> None:
    assert len(own_flow.sweep()["requests"]) == 2


def test_sweep_cost_is_independent_of_finished_work(eager_flow: Flow) -> None:
    for number in range(6):
        eager_flow.upload(f"done-{number}.wav", b"speech " * 300 + bytes([number]))
    eager_flow.settle()
    assert len(eager_flow.receipts("done")) == 6
    assert len(eager_flow.sweep()["requests"]) == 2


def test_lost_notifications_cost_one_query_and_one_read_per_receipt(
    eager_flow: Flow,
) -> None:
    """For three jobs: the sweep's own two, one to read each receipt, one query for all, and then as callback."""
    eager_flow.update_queue(notify="Off")
    for number in range(3):
        eager_flow.upload(f"lost-{number}.wav", b"speech " * 300 + bytes([number]))
    eager_flow.settle()
    invocation = eager_flow.sweep()
    assert invocation["result"]["reconciled"] == {"transcribed": 3}
    requests_per_job = 1 + 1 + 5 + 1 + 2  # HEAD, the index, the formats, the error object away, done and open
    assert len(invocation["requests"]) == 2 + 3 + 1 + 3 * requests_per_job


def test_redelivered_event_costs_at_most_four_requests_while_the_job_runs(own_flow: Flow) -> None:
    own_flow.update_queue(state="Paused")
    own_flow.upload("runs.wav", b"speech " * 300)
    own_flow.settle()
    again = own_flow.invoke("upload", own_flow.build_event("runs.wav"))
    own_flow.update_queue(state="Active")
    assert len(again["requests"]) <= 4, again


def test_sidecar_costs_at_most_three_requests_and_its_recording_no_more(own_flow: Flow) -> None:
    own_flow.upload("talk.wav.scribe.json", b'{"title": "talk"}')
    own_flow.settle()
    own_flow.upload("talk.wav", b"speech " * 300)
    own_flow.settle()
    late = own_flow.invoke("upload", own_flow.build_event("talk.wav.scribe.json"))
    before, recording, *_ = own_flow.invocations("upload")
    assert len(before["requests"]) == 1
    assert len(recording["requests"]) == 9, recording  # the first that asks whether the bucket has versioning
    assert len(late["requests"]) <= 3


def test_budget_costs_four_requests_more_for_an_upload_and_two_for_a_transcript(
    start_flow: StartFlow,
) -> None:
    flow = start_flow(SWEEP_AFTER="0", MONTHLY_MINUTES="10")
    flow.upload("a.wav", b"speech " * 300)
    flow.settle()
    flow.upload("long.mp3", b"speech " * 2_000_000)
    flow.settle()
    flow.upload("warned.mp3", b"speech " * 1_150_000)  # 504 s: more than 80 % are used then
    flow.settle()
    submitted, held, warned = flow.invocations("upload")
    transcribed, _ = flow.invocations("callback")
    assert len(submitted["requests"]) == 8 + 4 + submitted["cold"]
    assert len(transcribed["requests"]) == 7 + 5 + 2
    assert held["result"]["recordings"][0]["status"] == "waiting"
    assert json.loads(flow.output("transcripts/long.mp3.error.json"))["code"] == "BudgetReached"
    assert len(warned["requests"]) == 8 + 4 + 3
    assert len(flow.jobs()) == 2
    assert flow.outputs(".scribe/index/reserved/") == []
