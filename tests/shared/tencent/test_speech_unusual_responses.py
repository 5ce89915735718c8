"""Responses of CI where sources disagree, where parts are absent, and where nothing can be read."""

from __future__ import annotations

import itertools

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import OutcomeUnknown
from shared.tencent.auth import Credentials
from shared.tencent.client import TencentClient
from shared.tencent.speech import SpeechClient
from shared.tencent.speech_models import JobFilter, JobLookup, JobRequest, NotifyConfig
from tests.helpers.fake_server import FakeServer

BUCKET = "media-1250000000"
JOB = JobRequest("in/a.mp3", BUCKET, "ap-chengdu", "raw/a.txt", "16k_zh")


@pytest.fixture
def speech(client: TencentClient) -> SpeechClient:
    return SpeechClient(client, "ap-chengdu")


def set_response(server: FakeServer, body: str) -> None:
    server.replies = [httpx.Response(200, text=f"<Response>{body}</Response>")]


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
    speech: SpeechClient, server: FakeServer, order: tuple[str, ...]
) -> None:
    set_response(server, "<NonExistJobIds>s2</NonExistJobIds>" + job(*order))
    lookup = speech.get_jobs(BUCKET, ["s1", "s2"])
    (read,) = lookup.jobs
    assert (read.job_id, read.state, read.input_key, read.user_data) == ("s1", "Success", "/in/a.mp3", "u")
    assert read.result is not None
    assert (read.result.audio_seconds, read.result.lines, read.result.details) == ("1.5", "x", ())
    assert lookup.unknown == ("s2",)


def test_lists_may_be_absent_single_or_many(speech: SpeechClient, server: FakeServer) -> None:
    for count in (0, 1, 3):
        set_response(server, "".join(job(f"<JobId>s{i}</JobId>") for i in range(count)))
        assert [item.job_id for item in speech.get_jobs(BUCKET, ["s0"]).jobs] == [
            f"s{i}" for i in range(count)
        ]
        set_response(server, "".join(f"<QueueList><QueueId>p{i}</QueueId></QueueList>" for i in range(count)))
        assert [queue.queue_id for queue in speech.list_queues(BUCKET).queues] == [
            f"p{i}" for i in range(count)
        ]
        set_response(
            server, "".join(f"<AsrBucketList><Name>b{i}</Name></AsrBucketList>" for i in range(count))
        )
        assert [item.bucket for item in speech.list_buckets().buckets] == [f"b{i}" for i in range(count)]


@pytest.mark.parametrize(
    "empty", ["<JobsDetail/>", "<JobsDetail></JobsDetail>", "<JobsDetail> \n </JobsDetail>"]
)
def test_empty_list_element_is_no_job(speech: SpeechClient, server: FakeServer, empty: str) -> None:
    set_response(server, empty)
    assert speech.get_jobs(BUCKET, ["s1"]) == JobLookup((), ())


@pytest.mark.parametrize(
    ("body", "unknown"),
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
    speech: SpeechClient, server: FakeServer, body: str, unknown: tuple[str, ...]
) -> None:
    set_response(server, body)
    assert speech.get_jobs(BUCKET, ["s1", "s2"]).unknown == unknown


@pytest.mark.parametrize(
    ("body", "unknown"),
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
    speech: SpeechClient, server: FakeServer, body: str, unknown: tuple[str, ...]
) -> None:
    set_response(server, f"<TotalCount>0</TotalCount>{body}")
    assert speech.list_queues(BUCKET, queue_ids=["p1", "p2"]).unknown == unknown


@pytest.mark.parametrize("name", ["QueueId", "QueueID"])
def test_queue_id_is_read_in_both_spellings(speech: SpeechClient, server: FakeServer, name: str) -> None:
    element = f"<{name}>p1</{name}><Name>n</Name><State>Paused</State>"
    set_response(server, f"<QueueList>{element}</QueueList>")
    (queue,) = speech.list_queues(BUCKET).queues
    assert (queue.queue_id, queue.state, queue.notification) == ("p1", "Paused", NotifyConfig())
    set_response(server, f"<Queue>{element}</Queue>")
    assert speech.update_queue(BUCKET, queue).queue_id == "p1"


def test_unknown_notify_members_are_ignored(speech: SpeechClient, server: FakeServer) -> None:
    notify = "<MqName/><KafkaConfig><Region>r</Region></KafkaConfig><ResultFormat>JSON</ResultFormat><State>On</State>"
    set_response(server, f"<QueueList><QueueId>p1</QueueId><NotifyConfig>{notify}</NotifyConfig></QueueList>")
    assert speech.list_queues(BUCKET).queues[0].notification == NotifyConfig("On", "", "", "", "JSON")


def test_unreached_time_is_empty(speech: SpeechClient, server: FakeServer) -> None:
    times = (
        "<CreationTime>2026-01-02T03:04:05+0800</CreationTime><StartTime>-</StartTime><EndTime>-</EndTime>"
    )
    set_response(server, job("<JobId>s1</JobId><State>Submitted</State>", times))
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
    speech: SpeechClient, server: FakeServer, result: str, lines: str
) -> None:
    inner = f"<SpeechRecognitionResult><AudioTime>2</AudioTime>{result}</SpeechRecognitionResult>"
    set_response(server, job("<JobId>s1</JobId>", f"<Operation>{inner}</Operation>"))
    read = speech.get_jobs(BUCKET, ["s1"]).jobs[0].result
    assert read is not None
    assert read.lines == lines


@pytest.mark.parametrize("inner", ["", "<SpeechRecognitionResult/>", "<UserData>u</UserData>"])
def test_job_without_result_has_none(speech: SpeechClient, server: FakeServer, inner: str) -> None:
    set_response(server, job("<JobId>s1</JobId><State>Running</State>", f"<Operation>{inner}</Operation>"))
    assert speech.get_jobs(BUCKET, ["s1"]).jobs[0].result is None


def test_details_are_parsed_in_order(speech: SpeechClient, server: FakeServer) -> None:
    details = "<ResultDetail/>" + "".join(
        f"<ResultDetail><EndMs>{i + 1}</EndMs><New>?</New><StartMs>{i}</StartMs></ResultDetail>"
        for i in range(3)
    )
    result = f"<SpeechRecognitionResult>{details}</SpeechRecognitionResult>"
    set_response(server, job("<JobId>s1</JobId>", f"<Operation>{result}</Operation>"))
    lookup = speech.get_jobs(BUCKET, ["s1"], detail_parser=lambda raw: int(raw["StartMs"]))
    assert lookup.jobs[0].result is not None
    assert lookup.jobs[0].result.details == (0, 1, 2)


def test_flash_results_and_object_names_are_read(speech: SpeechClient, server: FakeServer) -> None:
    flash = "".join(
        f"<FlashResult><channel_id>{i}</channel_id><text>t{i}</text></FlashResult>" for i in range(2)
    )
    names = "<ObjectName>/raw/a.txt</ObjectName><DetailObjectName>/raw/a.txt.detail</DetailObjectName>"
    result = f"<SpeechRecognitionResult>{flash}{names}</SpeechRecognitionResult>"
    set_response(server, job("<JobId>s1</JobId>", f"<Operation>{result}</Operation>"))
    read = speech.get_jobs(BUCKET, ["s1"]).jobs[0].result
    assert read is not None
    assert [dict(item) for item in read.flash] == [
        {"channel_id": "0", "text": "t0"},
        {"channel_id": "1", "text": "t1"},
    ]
    assert (read.object_name, read.detail_object_name) == ("/raw/a.txt", "/raw/a.txt.detail")


def test_failed_job_has_its_exact_code_and_message(speech: SpeechClient, server: FakeServer) -> None:
    reason = "<Code>FailedOperation.ErrorDownFile</Code><Message>cannot read &lt;file&gt;</Message>"
    set_response(server, job("<JobId>s1</JobId><State>Failed</State>", reason))
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
        (job("<JobId>s1</JobId>") + "<NextToken>21</NextToken>", "21"),  # the token of this page
        ("<NextToken>22</NextToken>", "22"),  # an empty page that is not the last
    ],
)
def test_last_page_of_jobs_is_recognised(
    speech: SpeechClient, server: FakeServer, body: str, token: str
) -> None:
    set_response(server, body)
    assert speech.list_jobs(BUCKET, JobFilter(), token="21").next_token == token


UNREADABLE = ["", "ok", "<Response>", "<html><body>busy</body></html>", "<Error><Code>X</Code></Error>", "{}"]


@pytest.mark.parametrize("body", UNREADABLE)
def test_unreadable_submit_response_is_outcome_unknown(
    speech: SpeechClient, server: FakeServer, body: str
) -> None:
    server.replies = [httpx.Response(200, text=body)]
    with pytest.raises(OutcomeUnknown, match=r"in/a\.mp3"):
        speech.create_job(BUCKET, JOB)
    assert len(server.requests) == 1


@pytest.mark.parametrize("reply", [httpx.ReadTimeout("slow"), httpx.Response(500), httpx.Response(503)])
def test_submit_is_sent_once_and_reads_are_retried(
    speech: SpeechClient, server: FakeServer, reply: httpx.Response | Exception
) -> None:
    server.replies = [reply]
    with pytest.raises(OutcomeUnknown):
        speech.create_job(BUCKET, JOB)
    assert len(server.requests) == 1
    with pytest.raises(OutcomeUnknown):
        speech.get_jobs(BUCKET, ["s1"])
    assert len(server.requests) > 2


@pytest.mark.parametrize("body", ["<Response/>", f"<Response>{job('<JobId/>')}</Response>"])
def test_submit_response_without_job_id_is_outcome_unknown(
    speech: SpeechClient, server: FakeServer, body: str
) -> None:
    server.replies = [httpx.Response(200, text=body)]
    with pytest.raises(OutcomeUnknown):
        speech.create_job(BUCKET, JOB)


@pytest.mark.parametrize("body", UNREADABLE)
def test_unreadable_response_is_not_an_empty_job_list(
    speech: SpeechClient, server: FakeServer, body: str
) -> None:
    """After a lost submit, an empty list would mean that there is no job yet: a second one would be paid for."""
    server.replies = [httpx.Response(200, text=body)]
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
