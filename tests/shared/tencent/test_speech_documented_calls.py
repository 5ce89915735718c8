"""Every endpoint of the published documents: the request as it is sent, and the response as it is documented.

Elements and their order are those of the documents (2020: asrbucket, asr_jobs, asrqueue; 2025: asrbucket, ai_bucket);
names and values are invented.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx
import pytest

from shared.tencent.client import TencentClient
from shared.tencent.speech import SpeechClient
from shared.tencent.speech_models import (
    BucketPage,
    Job,
    JobFilter,
    JobLookup,
    JobPage,
    JobRequest,
    JobResult,
    NotifyConfig,
    Queue,
    QueuePage,
    SpeechBucket,
)
from tests.helpers.fake_server import FakeServer, MakeClient

REGION = "ap-chengdu"
BUCKET = "media-1250000000"
BUCKET_HOST = f"{BUCKET}.ci.{REGION}.myqcloud.com"
SERVICE_HOST = f"ci.{REGION}.myqcloud.com"
JOB_ID = "s0000000000000000000000000000000a"
QUEUE_ID = "p0000000000000000000000000000000b"
CREATED = "2026-01-02T03:04:05+0800"
ENDED = "2026-01-02T03:04:29+0800"

DECLARATION = '<?xml version="1.0" encoding="utf-8"?>\n'

ENABLED = f"""{DECLARATION}<Response>
\t<RequestId>NjA1aaaa</RequestId>
\t<AsrBucket>
\t\t<Name>{BUCKET}</Name>
\t\t<CreateTime>{CREATED}</CreateTime>
\t\t<Region>{REGION}</Region>
\t\t<AliasBucketId/>
\t\t<BucketId>{BUCKET}</BucketId>
\t</AsrBucket>
</Response>
"""

OPERATION = f"""
    <Output>
      <Bucket>text-1250000000</Bucket>
      <Object>raw/1.txt</Object>
      <Region>{REGION}</Region>
    </Output>
    <SpeechRecognition>
      <ChannelNum>1</ChannelNum>
      <ConvertNumMode>1</ConvertNumMode>
      <EngineModelType>16k_zh</EngineModelType>
      <FilterDirty>0</FilterDirty>
      <FilterModal>0</FilterModal>
      <ResTextFormat>0</ResTextFormat>
    </SpeechRecognition>"""


def details(*, state: str, end: str, result: str = "") -> str:
    return f"""
<JobsDetail>
  <Code>Success</Code>
  <CreationTime>{CREATED}</CreationTime>
  <EndTime>{end}</EndTime>
  <Input>
    <Object>calls/1.mp3</Object>
  </Input>
  <JobId>{JOB_ID}</JobId>
  <Message/>
  <Operation>{OPERATION}{result}
  </Operation>
  <QueueId>{QUEUE_ID}</QueueId>
  <State>{state}</State>
  <Tag>SpeechRecognition</Tag>
</JobsDetail>"""


RESULT = """
    <SpeechRecognitionResult>
      <AudioTime>8.04</AudioTime>
      <Result>[0:0.000,0:7.980]  早上好，这里是前台</Result>
      <ResultDetail/>
    </SpeechRecognitionResult>"""

SUBMITTED_JOB = Job(
    job_id=JOB_ID,
    state="Submitted",
    code="Success",
    tag="SpeechRecognition",
    queue_id=QUEUE_ID,
    created=CREATED,
    input_key="calls/1.mp3",
    engine="16k_zh",
    channels=1,
    output_bucket="text-1250000000",
    output_key="raw/1.txt",
)
FINISHED_JOB = Job(
    job_id=JOB_ID,
    state="Success",
    code="Success",
    tag="SpeechRecognition",
    queue_id=QUEUE_ID,
    created=CREATED,
    ended=ENDED,
    input_key="calls/1.mp3",
    engine="16k_zh",
    channels=1,
    output_bucket="text-1250000000",
    output_key="raw/1.txt",
    result=JobResult(
        audio_seconds="8.04", lines="[0:0.000,0:7.980]  早上好，这里是前台", details=(), flash=()
    ),
)


def queue_element(name: str, notify: str, queue_id: str = QUEUE_ID) -> str:
    return f"""
<{name}>
  <QueueId>{queue_id}</QueueId>
  <Name>queue-speech-1</Name>
  <State>Active</State>
  <NotifyConfig>{notify}</NotifyConfig>
  <MaxSize>10000</MaxSize>
  <MaxConcurrent>10</MaxConcurrent>
  <CreateTime>{CREATED}</CreateTime>
  <UpdateTime>{ENDED}</UpdateTime>
  <BucketId>{BUCKET}</BucketId>
  <Category>Speeching</Category>
</{name}>"""


FRESH_NOTIFY = "<Url/><Event/><Type/><State>Off</State>"
FRESH_QUEUE = Queue(
    queue_id=QUEUE_ID,
    name="queue-speech-1",
    state="Active",
    notification=NotifyConfig(state="Off"),
    max_size=10000,
    max_concurrent=10,
    bucket=BUCKET,
    category="Speeching",
    created=CREATED,
    updated=ENDED,
)
HOOK = "https://1250000000-example.ap-chengdu.tencentscf.com/t?a=1&b=2"


@pytest.fixture
def speech(client: TencentClient) -> SpeechClient:
    return SpeechClient(client, REGION)


def parse_request(server: FakeServer) -> tuple[str, str, str, dict[str, str], Any]:
    """Return method, host, path, query and body of the last request. No parameter may be repeated."""
    request = server.last_request
    target = urlsplit(server.last_target)
    pairs = parse_qsl(target.query, keep_blank_values=True)
    assert len(dict(pairs)) == len(pairs)
    content = request.read()
    body = as_tree(ET.fromstring(content)) if content else None  # noqa: S314 - our own bytes
    return request.method, request.headers["host"], unquote(target.path), dict(pairs), body


def as_tree(element: ET.Element) -> Any:
    """Return the element's children by name, or its text. No name may be repeated."""
    if not len(element):
        return element.text or ""
    assert len({child.tag for child in element}) == len(element)
    return {child.tag: as_tree(child) for child in element}


def set_response(server: FakeServer, body: str) -> None:
    headers = {
        "Content-Type": "application/xml",
        "Server": "tencent-ci",
        "x-ci-request-id": "NjA1aaaa",
    }
    server.replies = [httpx.Response(200, text=body, headers=headers)]


def test_enable_bucket_matches_the_document(speech: SpeechClient, server: FakeServer) -> None:
    set_response(server, ENABLED)
    assert speech.enable_bucket(BUCKET) == SpeechBucket(BUCKET, REGION, CREATED)
    assert parse_request(server) == ("POST", BUCKET_HOST, "/asrbucket", {}, None)
    assert server.last_request.headers["content-length"] == "0"


def test_create_job_matches_the_document(speech: SpeechClient, server: FakeServer) -> None:
    set_response(server, f"{DECLARATION}<Response>{details(state='Submitted', end='-')}</Response>")
    job = JobRequest(
        input_key="calls/1 & <2>.mp3",
        output_bucket="text-1250000000",
        output_region=REGION,
        output_key="raw/1.txt",
        engine="16k_zh",
        queue_id=QUEUE_ID,
        user_data="media-1250000000/a!0",
    )
    assert speech.create_job(BUCKET, job) == SUBMITTED_JOB
    body = {
        "Tag": "SpeechRecognition",
        "QueueId": QUEUE_ID,
        "Input": {"Object": "calls/1 & <2>.mp3"},
        "Operation": {
            "SpeechRecognition": {
                "EngineModelType": "16k_zh",
                "ChannelNum": "1",
                "ResTextFormat": "2",
                "ConvertNumMode": "1",
            },
            "Output": {"Region": REGION, "Bucket": "text-1250000000", "Object": "raw/1.txt"},
            "UserData": "media-1250000000/a!0",
        },
    }
    assert parse_request(server) == ("POST", BUCKET_HOST, "/asr_jobs", {}, {**body})


def test_create_job_sends_callback_speakers_and_channels(speech: SpeechClient, server: FakeServer) -> None:
    set_response(server, f"<Response>{details(state='Submitted', end='-')}</Response>")
    speech.create_job(
        BUCKET,
        JobRequest(
            input_key="a.wav",
            output_bucket=BUCKET,
            output_region=REGION,
            output_key="a.txt",
            engine="8k_zh",
            channels=2,
            speech={
                "EngineModelType": "8k_zh",
                "ChannelNum": "2",
                "ResTextFormat": "3",
                "ConvertNumMode": "0",
                "SpeakerDiarization": "1",
                "SpeakerNumber": "0",
            },
            callback_url=HOOK,
            callback_format="JSON",
        ),
    )
    body = parse_request(server)[4]
    assert (body["CallBack"], body["CallBackFormat"]) == (HOOK, "JSON")
    assert "QueueId" not in body
    assert body["Operation"]["SpeechRecognition"] == {
        "EngineModelType": "8k_zh",
        "ChannelNum": "2",
        "ResTextFormat": "3",
        "ConvertNumMode": "0",
        "SpeakerDiarization": "1",
        "SpeakerNumber": "0",
    }


def test_list_jobs_sends_every_parameter(speech: SpeechClient, server: FakeServer) -> None:
    listed = f"{details(state='Success', end=ENDED, result=RESULT)}<NextToken>21</NextToken>"
    set_response(server, f"{DECLARATION}\n<Response> {listed} </Response>\n")
    job_filter = JobFilter(
        queue_id=QUEUE_ID,
        states=("Success", "Failed"),
        newest_first=False,
        created_from=CREATED,
        created_to=ENDED,
    )
    assert speech.list_jobs(BUCKET, job_filter, token="11", size=7) == JobPage(
        (FINISHED_JOB._replace(result=None),), "21"
    )
    query = {
        "tag": "SpeechRecognition",
        "queueId": QUEUE_ID,
        "orderByTime": "Asc",
        "states": "Success,Failed",
        "size": "7",
        "nextToken": "11",
        "startCreationTime": CREATED,
        "endCreationTime": ENDED,
    }
    assert parse_request(server) == ("GET", BUCKET_HOST, "/asr_jobs", query, None)
    assert "2026-01-02T03%3A04%3A05%2B0800" in server.last_target


def test_list_jobs_defaults_to_all_newest_first(speech: SpeechClient, server: FakeServer) -> None:
    set_response(server, "<Response/>")
    assert speech.list_jobs(BUCKET, JobFilter()) == JobPage((), "")
    query = {"tag": "SpeechRecognition", "orderByTime": "Desc", "states": "All", "size": "100"}
    assert parse_request(server) == ("GET", BUCKET_HOST, "/asr_jobs", query, None)


def test_get_one_job_matches_the_document(speech: SpeechClient, server: FakeServer) -> None:
    set_response(server, f"<Response>{details(state='Success', end=ENDED, result=RESULT)}</Response>")
    assert speech.get_jobs(BUCKET, [JOB_ID]) == JobLookup((FINISHED_JOB,), ())
    assert parse_request(server) == ("GET", BUCKET_HOST, f"/asr_jobs/{JOB_ID}", {}, None)


def test_get_several_jobs_in_one_request(speech: SpeechClient, server: FakeServer) -> None:
    jobs = details(state="Success", end=ENDED, result=RESULT) + details(state="Running", end="-")
    set_response(server, f"<Response>{jobs}<NonExistJobIds>s0z</NonExistJobIds></Response>")
    lookup = speech.get_jobs(BUCKET, [JOB_ID, "s0b", "s0z"])
    assert [job.state for job in lookup.jobs] == ["Success", "Running"]
    assert lookup.unknown == ("s0z",)
    assert parse_request(server)[2] == f"/asr_jobs/{JOB_ID},s0b,s0z"


def test_list_queues_matches_the_document(speech: SpeechClient, server: FakeServer) -> None:
    set_response(
        server,
        f"{DECLARATION}<Response><TotalCount>1</TotalCount><RequestId>NjA1</RequestId><PageNumber>1</PageNumber>"
        f"<PageSize>5</PageSize>{queue_element('QueueList', FRESH_NOTIFY)}</Response>",
    )
    assert speech.list_queues(BUCKET, page=1, page_size=5) == QueuePage(1, (FRESH_QUEUE,), ())
    assert parse_request(server) == (
        "GET",
        BUCKET_HOST,
        "/asrqueue",
        {"pageNumber": "1", "pageSize": "5"},
        None,
    )


def test_list_queues_by_id_and_state(speech: SpeechClient, server: FakeServer) -> None:
    set_response(server, "<Response><TotalCount>0</TotalCount></Response>")
    assert speech.list_queues(BUCKET, queue_ids=["p1", "p2"], state="Active") == QueuePage(0, (), ())
    query = {"queueIds": "p1,p2", "state": "Active", "pageNumber": "1", "pageSize": "10"}
    assert parse_request(server)[3] == query


def test_update_queue_replaces_the_whole_queue(speech: SpeechClient, server: FakeServer) -> None:
    url = HOOK.replace("&", "&amp;")
    notify_element = f"<Url>{url}</Url><Event>TaskFinish</Event><Type>Url</Type><State>On</State>"
    set_response(
        server, f"<Response><RequestId>NjA1</RequestId>{queue_element('Queue', notify_element)}</Response>"
    )
    notify_config = NotifyConfig("On", HOOK, "Url", "TaskFinish", "JSON")
    changed = speech.update_queue(BUCKET, Queue(QUEUE_ID, "queue-speech-1", "Active", notify_config))
    assert changed.notification == NotifyConfig("On", HOOK, "Url", "TaskFinish", "")
    assert (changed.queue_id, changed.name, changed.max_concurrent) == (QUEUE_ID, "queue-speech-1", 10)
    notify = {"Url": HOOK, "State": "On", "Type": "Url", "Event": "TaskFinish", "ResultFormat": "JSON"}
    body = {"QueueId": QUEUE_ID, "Name": "queue-speech-1", "State": "Active", "NotifyConfig": notify}
    assert parse_request(server) == ("PUT", BUCKET_HOST, f"/asrqueue/{QUEUE_ID}", {}, body)


def test_queue_survives_read_and_update(speech: SpeechClient, server: FakeServer) -> None:
    set_response(server, f"<Response>{queue_element('Queue', FRESH_NOTIFY)}</Response>")
    assert speech.update_queue(BUCKET, FRESH_QUEUE) == FRESH_QUEUE
    assert parse_request(server)[4]["NotifyConfig"] == {"Url": "", "State": "Off", "Type": "", "Event": ""}


def enabled_list(element: str, *buckets: str, total: int) -> str:
    """Render a page of buckets in the form of 2025. `total` may exceed the number of buckets."""
    items = "".join(
        f"<{element}>\n<BucketId>{bucket}</BucketId>\n<Name>{bucket}</Name>\n<Region>{REGION}</Region>\n"
        f"<CreateTime>{CREATED}</CreateTime>\n</{element}>\n"
        for bucket in buckets
    )
    return (
        f"<Response>\n<RequestId>NjA1</RequestId>\n<TotalCount>{total}</TotalCount>\n"
        f"<PageNumber>1</PageNumber>\n<PageSize>10</PageSize>\n{items}</Response>\n"
    )


LIST_CALLS: dict[str, tuple[str, Callable[[SpeechClient], Callable[..., BucketPage]]]] = {
    "/asrbucket": ("AsrBucketList", lambda speech: speech.list_buckets),
    "/ai_bucket": ("AiBucketList", lambda speech: speech.list_ai_buckets),
}


@pytest.mark.parametrize("path", LIST_CALLS)
def test_list_buckets_uses_the_regional_host(speech: SpeechClient, server: FakeServer, path: str) -> None:
    element, get_method = LIST_CALLS[path]
    set_response(server, enabled_list(element, BUCKET, "media-1-1250000000", total=2))
    assert get_method(speech)() == BucketPage(
        total=2,
        number=1,
        size=10,
        buckets=(
            SpeechBucket(BUCKET, REGION, CREATED),
            SpeechBucket("media-1-1250000000", REGION, CREATED),
        ),
    )
    assert parse_request(server) == ("GET", SERVICE_HOST, path, {"pageNumber": "1", "pageSize": "100"}, None)


@pytest.mark.parametrize("path", LIST_CALLS)
def test_list_buckets_sends_every_parameter(speech: SpeechClient, server: FakeServer, path: str) -> None:
    element, get_method = LIST_CALLS[path]
    set_response(server, enabled_list(element, total=0))
    page = get_method(speech)(
        regions=["ap-beijing", REGION],
        names=[BUCKET, "b-1250000000"],
        name_prefix="med",
        page=3,
        page_size=20,
    )
    assert (page.total, page.buckets) == (0, ())
    assert parse_request(server)[3] == {
        "regions": f"ap-beijing,{REGION}",
        "bucketNames": f"{BUCKET},b-1250000000",
        "bucketName": "med",
        "pageNumber": "3",
        "pageSize": "20",
    }


@pytest.mark.parametrize("path", LIST_CALLS)
def test_total_is_independent_of_the_page(speech: SpeechClient, server: FakeServer, path: str) -> None:
    element, get_method = LIST_CALLS[path]
    set_response(server, enabled_list(element, BUCKET, total=5))
    page = get_method(speech)()
    assert (page.total, len(page.buckets)) == (5, 1)


def test_jobs_path_applies_to_jobs_only(make_client: MakeClient, server: FakeServer) -> None:
    speech = SpeechClient(make_client(), REGION, "jobs")
    set_response(server, f"<Response>{details(state='Submitted', end='-')}</Response>")
    speech.create_job(BUCKET, JobRequest("a.mp3", BUCKET, REGION, "a.txt", "16k_zh"))
    speech.get_jobs(BUCKET, [JOB_ID])
    speech.list_jobs(BUCKET, JobFilter())
    speech.list_queues(BUCKET)
    speech.list_buckets()
    paths = [urlsplit(request.extensions["target"]).path.decode() for request in server.requests]
    assert paths == ["/jobs", f"/jobs/{JOB_ID}", "/jobs", "/asrqueue", "/asrbucket"]


def test_requests_have_content_type_and_signed_host(speech: SpeechClient, server: FakeServer) -> None:
    set_response(server, "<Response/>")
    speech.list_queues(BUCKET)
    speech.list_buckets()
    for request in server.requests:
        assert request.headers["content-type"] == "application/xml"
        assert "q-header-list=content-type;host&" in request.headers["authorization"]
