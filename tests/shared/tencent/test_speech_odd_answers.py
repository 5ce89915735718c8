"""CI's answers where sources disagree, where parts are absent, and where they make no sense."""

from __future__ import annotations

import itertools
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import OutcomeUnknown
from shared.tencent.auth import Credentials
from shared.tencent.client import TencentClient
from shared.tencent.speech import SpeechClient
from shared.tencent.speech_models import JobFilter, JobLookup, JobRequest, NotifyConfig

BUCKET = "media-1250000000"
JOB = JobRequest("in/a.mp3", BUCKET, "ap-chengdu", "raw/a.txt", "16k_zh")


@pytest.fixture
def speech(wire: TencentClient) -> SpeechClient:
    return SpeechClient(wire, "ap-chengdu")


def answer(far_end: Any, body: str) -> None:
    far_end.replies = [httpx.Response(200, text=f"<Response>{body}</Response>")]


def job(*children: str) -> str:
    return f"<JobsDetail>{''.join(children)}</JobsDetail>"


RESULT = "<ResultDetail/><Result>x</Result><AudioTime>1.5</AudioTime>"
PARTS = (
    "<JobId>s1</JobId>",
    "<State>Success</State>",
    "<Input><Region>r</Region><Object>/in/a.mp3</Object><BucketId>b</BucketId></Input>",
    f"<Operation><SpeechRecognitionResult>{RESULT}</SpeechRecognitionResult><UserData>u</UserData></Operation>",
    "<Workflow><RunId>i1</RunId></Workflow><Workflow><RunId>i2</RunId></Workflow>",
)


@pytest.mark.parametrize("order", list(itertools.permutations(PARTS, 5))[::7])
def test_order_of_children_does_not_matter(
    speech: SpeechClient, far_end: Any, order: tuple[str, ...]
) -> None:
    answer(far_end, "<NonExistJobIds>s2</NonExistJobIds>" + job(*order))
    found = speech.get_jobs(BUCKET, ["s1", "s2"])
    (read,) = found.jobs
    assert (read.job_id, read.state, read.input_key, read.user_data) == ("s1", "Success", "/in/a.mp3", "u")
    assert read.result is not None
    assert (read.result.audio_seconds, read.result.lines, read.result.details) == ("1.5", "x", ())
    assert found.unknown == ("s2",)


def test_lists_may_be_absent_single_or_many(speech: SpeechClient, far_end: Any) -> None:
    for count in (0, 1, 3):
        answer(far_end, "".join(job(f"<JobId>s{i}</JobId>") for i in range(count)))
        assert [one.job_id for one in speech.get_jobs(BUCKET, ["s0"]).jobs] == [f"s{i}" for i in range(count)]
        answer(far_end, "".join(f"<QueueList><QueueId>p{i}</QueueId></QueueList>" for i in range(count)))
        assert [one.queue_id for one in speech.list_queues(BUCKET).queues] == [f"p{i}" for i in range(count)]
        answer(far_end, "".join(f"<AsrBucketList><Name>b{i}</Name></AsrBucketList>" for i in range(count)))
        assert [one.bucket for one in speech.list_buckets().buckets] == [f"b{i}" for i in range(count)]


@pytest.mark.parametrize(
    "empty", ["<JobsDetail/>", "<JobsDetail></JobsDetail>", "<JobsDetail> \n </JobsDetail>"]
)
def test_empty_list_element_is_no_job(speech: SpeechClient, far_end: Any, empty: str) -> None:
    answer(far_end, empty)
    assert speech.get_jobs(BUCKET, ["s1"]) == JobLookup((), ())


@pytest.mark.parametrize(
    ("told", "unknown"),
    [
        ("", ()),
        ("<NonExistJobIds/>", ()),
        ("<NonExistJobIds>s1</NonExistJobIds>", ("s1",)),
        ("<NonExistJobIds>s1,s2</NonExistJobIds>", ("s1", "s2")),
        ("<NonExistJobIds> s1 , s2 ,</NonExistJobIds>", ("s1", "s2")),
        ("<NonExistJobIds>s1</NonExistJobIds><NonExistJobIds>s2</NonExistJobIds>", ("s1", "s2")),
        ("<NonExistJobIds/><NonExistJobIds>s2</NonExistJobIds>", ("s2",)),
    ],
)
def test_unknown_jobs_are_read_from_every_shape(
    speech: SpeechClient, far_end: Any, told: str, unknown: tuple[str, ...]
) -> None:
    answer(far_end, told)
    assert speech.get_jobs(BUCKET, ["s1", "s2"]).unknown == unknown


@pytest.mark.parametrize(
    ("told", "unknown"),
    [
        ("", ()),
        ("<NonExistPIDs/>", ()),
        ("<NonExistPIDs><QueueID/></NonExistPIDs>", ()),
        ("<NonExistPIDs><QueueID>p1</QueueID></NonExistPIDs>", ("p1",)),
        ("<NonExistPIDs><QueueId>p1</QueueId></NonExistPIDs>", ("p1",)),
        ("<NonExistPIDs><QueueID>p1</QueueID><QueueID>p2</QueueID></NonExistPIDs>", ("p1", "p2")),
        ("<NonExistPIDs>p1</NonExistPIDs>", ("p1",)),
        ("<NonExistPIDs>p1</NonExistPIDs><NonExistPIDs>p2</NonExistPIDs>", ("p1", "p2")),
        ("<NonExistPIDs><QueueID>p1</QueueID></NonExistPIDs><NonExistPIDs>p2</NonExistPIDs>", ("p1", "p2")),
    ],
)
def test_unknown_queues_are_read_from_every_shape(
    speech: SpeechClient, far_end: Any, told: str, unknown: tuple[str, ...]
) -> None:
    answer(far_end, f"<TotalCount>0</TotalCount>{told}")
    assert speech.list_queues(BUCKET, queue_ids=["p1", "p2"]).unknown == unknown


@pytest.mark.parametrize("name", ["QueueId", "QueueID"])
def test_queue_id_is_read_in_both_spellings(speech: SpeechClient, far_end: Any, name: str) -> None:
    element = f"<{name}>p1</{name}><Name>n</Name><State>Paused</State>"
    answer(far_end, f"<QueueList>{element}</QueueList>")
    (queue,) = speech.list_queues(BUCKET).queues
    assert (queue.queue_id, queue.state, queue.notification) == ("p1", "Paused", NotifyConfig())
    answer(far_end, f"<Queue>{element}</Queue>")
    assert speech.update_queue(BUCKET, queue).queue_id == "p1"


def test_unknown_notify_members_are_ignored(speech: SpeechClient, far_end: Any) -> None:
    notify = "<MqName/><KafkaConfig><Region>r</Region></KafkaConfig><ResultFormat>JSON</ResultFormat><State>On</State>"
    answer(far_end, f"<QueueList><QueueId>p1</QueueId><NotifyConfig>{notify}</NotifyConfig></QueueList>")
    assert speech.list_queues(BUCKET).queues[0].notification == NotifyConfig("On", "", "", "", "JSON")


def test_unreached_time_is_empty(speech: SpeechClient, far_end: Any) -> None:
    times = (
        "<CreationTime>2026-01-02T03:04:05+0800</CreationTime><StartTime>-</StartTime><EndTime>-</EndTime>"
    )
    answer(far_end, job("<JobId>s1</JobId><State>Submitted</State>", times))
    (read,) = speech.get_jobs(BUCKET, ["s1"]).jobs
    assert (read.created, read.started, read.ended) == ("2026-01-02T03:04:05+0800", "", "")


@pytest.mark.parametrize(
    ("result", "lines"),
    [
        ("", ""),
        ("<Result/>", ""),
        ("<Result>[0:0.000,0:1.000] a</Result>", "[0:0.000,0:1.000] a"),
        ("<Result>[0:0.000,0:1.000] a&#10;[0:1.000,0:2.000]  b&#10;</Result>",
         "[0:0.000,0:1.000] a\n[0:1.000,0:2.000]  b"),
        ("<Result>[0:0.000,0:1.000] a\n[0:1.000,0:2.000]  b\n</Result>",
         "[0:0.000,0:1.000] a\n[0:1.000,0:2.000]  b"),
        ("<Result>[0:0.000,0:1.000] a</Result><Result>[0:1.000,0:2.000]  b</Result>",
         "[0:0.000,0:1.000] a\n[0:1.000,0:2.000]  b"),
    ],
)  # fmt: skip
def test_lines_come_as_one_text_or_several(
    speech: SpeechClient, far_end: Any, result: str, lines: str
) -> None:
    inner = f"<SpeechRecognitionResult><AudioTime>2</AudioTime>{result}</SpeechRecognitionResult>"
    answer(far_end, job("<JobId>s1</JobId>", f"<Operation>{inner}</Operation>"))
    read = speech.get_jobs(BUCKET, ["s1"]).jobs[0].result
    assert read is not None
    assert read.lines == lines


@pytest.mark.parametrize("inner", ["", "<SpeechRecognitionResult/>", "<UserData>u</UserData>"])
def test_job_without_result_has_none(speech: SpeechClient, far_end: Any, inner: str) -> None:
    answer(far_end, job("<JobId>s1</JobId><State>Running</State>", f"<Operation>{inner}</Operation>"))
    assert speech.get_jobs(BUCKET, ["s1"]).jobs[0].result is None


def test_details_are_parsed_in_order(speech: SpeechClient, far_end: Any) -> None:
    details = "<ResultDetail/>" + "".join(
        f"<ResultDetail><EndMs>{i + 1}</EndMs><New>?</New><StartMs>{i}</StartMs></ResultDetail>"
        for i in range(3)
    )
    result = f"<SpeechRecognitionResult>{details}</SpeechRecognitionResult>"
    answer(far_end, job("<JobId>s1</JobId>", f"<Operation>{result}</Operation>"))
    found = speech.get_jobs(BUCKET, ["s1"], detail_parser=lambda raw: int(raw["StartMs"]))
    assert found.jobs[0].result is not None
    assert found.jobs[0].result.details == (0, 1, 2)


def test_flash_results_and_object_names_are_read(speech: SpeechClient, far_end: Any) -> None:
    flash = "".join(
        f"<FlashResult><channel_id>{i}</channel_id><text>t{i}</text></FlashResult>" for i in range(2)
    )
    names = "<ObjectName>/raw/a.txt</ObjectName><DetailObjectName>/raw/a.txt.detail</DetailObjectName>"
    result = f"<SpeechRecognitionResult>{flash}{names}</SpeechRecognitionResult>"
    answer(far_end, job("<JobId>s1</JobId>", f"<Operation>{result}</Operation>"))
    read = speech.get_jobs(BUCKET, ["s1"]).jobs[0].result
    assert read is not None
    assert [dict(one) for one in read.flash] == [
        {"channel_id": "0", "text": "t0"},
        {"channel_id": "1", "text": "t1"},
    ]
    assert (read.object_name, read.detail_object_name) == ("/raw/a.txt", "/raw/a.txt.detail")


def test_failed_job_has_its_exact_code_and_message(speech: SpeechClient, far_end: Any) -> None:
    reason = "<Code>FailedOperation.ErrorDownFile</Code><Message>cannot read &lt;file&gt;</Message>"
    answer(far_end, job("<JobId>s1</JobId><State>Failed</State>", reason))
    (read,) = speech.get_jobs(BUCKET, ["s1"]).jobs
    assert (read.state, read.code, read.message) == (
        "Failed",
        "FailedOperation.ErrorDownFile",
        "cannot read <file>",
    )


@pytest.mark.parametrize(
    ("body", "token"),
    [
        (job("<JobId>s1</JobId>") + "<NextToken>22</NextToken>", "22"),
        (job("<JobId>s1</JobId>") + "<NextToken/>", ""),
        (job("<JobId>s1</JobId>") + "<NextToken>0</NextToken>", ""),
        (job("<JobId>s1</JobId>"), ""),
        (job("<JobId>s1</JobId>") + "<NextToken>21</NextToken>", ""),  # the very token that was given
        ("<NextToken>22</NextToken>", ""),  # a page with nothing on it
    ],
)
def test_last_page_of_jobs_is_recognised(speech: SpeechClient, far_end: Any, body: str, token: str) -> None:
    answer(far_end, body)
    assert speech.list_jobs(BUCKET, JobFilter(), token="21").next_token == token


NO_SENSE = ["", "ok", "<Response>", "<html><body>busy</body></html>", "<Error><Code>X</Code></Error>", "{}"]


@pytest.mark.parametrize("body", NO_SENSE)
def test_unreadable_submit_response_is_outcome_unknown(speech: SpeechClient, far_end: Any, body: str) -> None:
    far_end.replies = [httpx.Response(200, text=body)]
    with pytest.raises(OutcomeUnknown, match=r"in/a\.mp3"):
        speech.create_job(BUCKET, JOB)
    assert len(far_end.requests) == 1


@pytest.mark.parametrize("reply", [httpx.ReadTimeout("slow"), httpx.Response(500), httpx.Response(503)])
def test_submit_is_sent_once_and_reads_are_retried(
    speech: SpeechClient, far_end: Any, reply: httpx.Response | Exception
) -> None:
    far_end.replies = [reply]
    with pytest.raises(OutcomeUnknown):
        speech.create_job(BUCKET, JOB)
    assert len(far_end.requests) == 1
    with pytest.raises(OutcomeUnknown):
        speech.get_jobs(BUCKET, ["s1"])
    assert len(far_end.requests) > 2


@pytest.mark.parametrize("body", ["<Response/>", f"<Response>{job('<JobId/>')}</Response>"])
def test_submit_response_without_job_id_is_outcome_unknown(
    speech: SpeechClient, far_end: Any, body: str
) -> None:
    far_end.replies = [httpx.Response(200, text=body)]
    with pytest.raises(OutcomeUnknown):
        speech.create_job(BUCKET, JOB)


@pytest.mark.parametrize("body", NO_SENSE)
def test_unreadable_response_is_not_an_empty_job_list(speech: SpeechClient, far_end: Any, body: str) -> None:
    """Whoever looks for the job of a lost submit, and is told that there is none, pays for a second one."""
    far_end.replies = [httpx.Response(200, text=body)]
    with pytest.raises(OutcomeUnknown):
        speech.list_jobs(BUCKET, JobFilter())
    with pytest.raises(OutcomeUnknown):
        speech.get_jobs(BUCKET, ["s1"])


elements = st.sampled_from(
    ["JobsDetail", "JobId", "Input", "Object", "Operation", "SpeechRecognitionResult", "Result", "ResultDetail",
     "FlashResult", "NonExistJobIds", "NextToken", "QueueList", "NotifyConfig", "NonExistPIDs", "QueueID", "Other"]
)  # fmt: skip
trees = st.recursive(
    st.sampled_from(["", "-", "text", "1"]),
    lambda inner: st.lists(st.tuples(elements, inner), max_size=4).map(
        lambda children: "".join(f"<{name}>{body}</{name}>" for name, body in children)
    ),
    max_leaves=15,
)


@given(body=trees)
@settings(max_examples=100, deadline=None)
def test_any_arrangement_of_known_elements_is_parsed(body: str) -> None:
    client = httpx.Client(
        transport=httpx.MockTransport(lambda _: httpx.Response(200, text=f"<Response>{body}</Response>"))
    )
    speech = SpeechClient(TencentClient(Credentials("id", "key"), http_client=lambda: client), "ap-chengdu")
    speech.get_jobs(BUCKET, ["s1"])
    speech.list_jobs(BUCKET, JobFilter())
    speech.list_queues(BUCKET)
