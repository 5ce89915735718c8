"""Names without the recording's extension, through the whole pipeline, under least permissions."""

from __future__ import annotations

import pytest

from tests.helpers.flow import CONTENT_A, CONTENT_B, StartFlow, wait_for_next_second

pytestmark = pytest.mark.process


def test_recordings_of_one_short_name_have_files_of_their_own(start_flow: StartFlow) -> None:
    flow = start_flow(OUTPUT_NAMES="short", FORMATS="json,srt")
    flow.upload("calls/talk.mp3", CONTENT_A)
    flow.settle()
    flow.upload("calls/talk.m4a", CONTENT_B)
    flow.upload("calls/会议 bad.mp3", b"NOT AUDIO")
    flow.settle()
    first = ["transcripts/calls/talk.json", "transcripts/calls/talk.srt"]
    second = ["transcripts/calls/talk.m4a.json", "transcripts/calls/talk.m4a.srt"]
    failed = "transcripts/calls/会议 bad.error.json"
    assert sorted(flow.outputs("transcripts/")) == sorted([*first, *second, failed])
    before = {key: flow.output(key) for key in second}
    wait_for_next_second()
    flow.upload("calls/talk.mp3", CONTENT_B)
    flow.settle()
    assert {key: flow.output(key) for key in second} == before
    assert sorted(flow.outputs("transcripts/")) == sorted([*first, *second, failed])
    assert flow.output(first[1]) == flow.output(second[1])
    assert [job["object"] for job in flow.jobs()].count("calls/talk.mp3") == 2
    assert len(flow.jobs()) == 4
