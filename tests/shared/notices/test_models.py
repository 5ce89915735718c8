"""Notices: their ids, their stored form, and what is never printed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.notices.models import InvalidNotice, Notice, NoticeType, select_error_members
from shared.recordings.failures import EMPTY, Failure, render_error_object
from tests.helpers.notices import (
    ROBOT_SECRET,
    ROBOTS,
    SECRET,
    URLS,
    build_failed_notice,
    build_notice,
    build_target,
)
from tests.helpers.receipts import build_receipt


def test_same_outcome_has_the_same_id_for_a_target() -> None:
    first = build_notice()
    again = build_notice(time_s=first.time_s + 60, words=1, speakers=None)
    assert first.build_id("webhook") == again.build_id("webhook")
    assert first.build_id("webhook").startswith("msg_")
    assert "." not in first.build_id("webhook")  # the signature has dots between its parts


@pytest.mark.parametrize(
    "other",
    [
        build_notice(receipt_id="media-1250000000/other!0123456789abcdef0123456789abcdef"),
        build_notice(type=NoticeType.FAILED),
        build_notice(job_id="s2"),
        build_notice(output_keys=()),
        build_notice(variant="0123"),
    ],
    ids=["recording", "outcome", "job", "outputs", "options"],
)
def test_other_outcome_has_another_id(other: Notice) -> None:
    assert other.build_id("webhook") != build_notice().build_id("webhook")


def test_failure_after_a_wait_has_another_id_than_the_wait() -> None:
    failed = build_failed_notice()
    waits = build_failed_notice(error={**failed.error, "retried_automatically": True})
    assert waits.build_id("webhook") != failed.build_id("webhook")


@pytest.mark.parametrize("change", [{"code": "Other"}, {"message": "Another reason."}])
def test_failure_for_another_reason_has_another_id(change: dict[str, Any]) -> None:
    failed = build_failed_notice()
    other = build_failed_notice(error={**failed.error, **change})
    assert other.build_id("webhook") != failed.build_id("webhook")


def test_failure_of_another_attempt_or_upload_has_another_id_if_there_is_no_job() -> None:
    failed = build_failed_notice(job_id="")
    other_attempt = failed._replace(error={**failed.error, "attempts": 2})
    other_upload = failed._replace(time_s=failed.time_s + 60)
    assert len({each.build_id("webhook") for each in (failed, other_attempt, other_upload)}) == 3


def test_same_failure_with_another_request_id_has_the_same_id() -> None:
    failed = build_failed_notice()
    again = build_failed_notice(error={**failed.error, "request_id": "r2", "cloud_message": "r2: no"})
    assert again.build_id("webhook") == failed.build_id("webhook")


def test_each_target_has_an_id_of_its_own() -> None:
    assert build_notice().build_id("webhook") != build_notice().build_id("webhook-crm")


@pytest.mark.parametrize(
    "notice", [build_notice(variant="0123"), build_failed_notice(), build_notice(key="a\ud800.mp3")]
)
def test_stored_notice_is_read_back(notice: Notice) -> None:
    stored = json.loads(json.dumps(notice.as_document()))
    assert Notice.from_document(stored) == notice


@pytest.mark.parametrize(
    "change",
    [
        {"type": "transcript.other"},
        {"time_s": "soon"},
        {"time_s": 1e300},
        {"time_s": float("nan")},
        {"duration_ms": 10**400},
        {"words": -1},
        {"words": "many"},
        {"output_keys": None},
        {"error": None},
        {"error": []},
        {"size": None},
    ],
)
def test_document_of_another_form_is_no_notice(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidNotice):
        Notice.from_document(build_notice().as_document() | change)


@pytest.mark.parametrize("raw", [None, [], "text", 1, {}])
def test_other_json_is_no_notice(raw: Any) -> None:
    with pytest.raises(InvalidNotice):
        Notice.from_document(raw)


def test_error_has_the_members_of_the_error_object_but_not_the_recording() -> None:
    error_object = json.loads(render_error_object(build_receipt(), Failure(EMPTY, cloud_message="x" * 9999)))
    members = select_error_members(error_object)
    assert members["message"] == error_object["message"]
    assert members["next_step_zh"] == error_object["next_step_zh"]
    assert set(error_object) - set(members) == {"schema", "version", "recording", "job_id"}
    assert len(members["cloud_message"]) == 500


def test_target_is_printed_without_address_and_secrets() -> None:
    for kind in URLS:
        text = repr(build_target(kind))
        assert URLS[kind] not in text
        assert SECRET not in text
        assert ROBOT_SECRET not in text
        assert kind.is_robot == (kind in ROBOTS)


def test_fingerprint_shows_a_changed_address_only() -> None:
    target = build_target()
    assert target.fingerprint == build_target(secrets=()).fingerprint
    assert target.fingerprint != build_target(url=target.url + "2").fingerprint
    assert target.fingerprint not in target.url
