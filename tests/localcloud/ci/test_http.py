"""Cloud Infinite over plain HTTP: requests from the seeds, errors, results."""

from __future__ import annotations

import re
import time
from typing import Protocol
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import pytest

from tests.localcloud.clients import RawClient, Signing, parse_error, parse_xml, relative_to_now
from tests.localcloud.speech_queue import build_job_body
from tests.localcloud.stand_in import StandIn, eventually

pytestmark = pytest.mark.process


class RunJob(Protocol):
    """Submits a job for new content of `call.mp3`; returns its JobsDetail after its end."""

    def __call__(self, content: bytes = b"some seconds of speech", **parts: str) -> ET.Element: ...


@pytest.fixture
def run_job(cloud: StandIn, raw: RawClient, speech_bucket: str) -> RunJob:
    host = cloud.ci_host(speech_bucket)

    def run(content: bytes = b"some seconds of speech", **parts: str) -> ET.Element:
        raw.send("PUT", cloud.bucket_host(speech_bucket), "/call.mp3", body=content)
        response = raw.send("POST", host, "/asr_jobs", body=build_job_body(speech_bucket, **parts))
        job_id = parse_xml(response).findtext("JobsDetail/JobId", "")
        assert job_id, response.text

        def find_ended() -> ET.Element | None:
            job = parse_xml(raw.send("GET", host, f"/asr_jobs/{job_id}")).find("JobsDetail")
            assert job is not None
            return job if job.findtext("State") in ("Success", "Failed") else None

        return eventually(find_ended)

    return run


def get_result(job: ET.Element, name: str = "Result") -> str:
    return job.findtext(f"Operation/SpeechRecognitionResult/{name}", "")


def test_requests_of_2020_still_work(cloud: StandIn, raw: RawClient, bucket: str) -> None:
    host, xml = cloud.ci_host(bucket), {"content-type": "application/xml"}
    opened = raw.send(
        "POST",
        host,
        "/asrbucket",
        {},
        xml,
        b'<?xml version="1.0" encoding="UTF-8" ?>\n<Request><Bucket>x</Bucket></Request>',
    )
    assert parse_xml(opened).findtext("AsrBucket/Name") == bucket
    assert parse_xml(opened).find("AsrBucket/AliasBucketId") is not None
    queues = raw.send("GET", host, "/asrqueue", {"pageNumber": "1", "pageSize": "5"}, xml)
    queue_id = parse_xml(queues).findtext("QueueList/QueueId", "")
    update = (
        b"<Request><QueueId>p5275b560c7fd498db9a36e5e202827b6</QueueId><State>Active</State><Name>test</Name>"
        b"<NotifyConfig><Url>http://google.com/</Url><State>On</State><Type>Url</Type>"
        b"<Event>TransCodingFinish</Event></NotifyConfig></Request>"
    )
    changed = parse_xml(raw.send("PUT", host, f"/asrqueue/{queue_id}", {}, xml, update))
    assert (changed.findtext("Queue/Name"), changed.findtext("Queue/NotifyConfig/Event")) == (
        "test",
        "TransCodingFinish",
    )
    raw.send("PUT", cloud.bucket_host(bucket), "/1.mp3", body=b"speech")
    submit = (
        "<Request><Input><Object>1.mp3</Object></Input><Operation><Output><Region>ap-guangzhou</Region>"
        f"<Object>1.mp3</Object><Bucket>{bucket}</Bucket></Output><SpeechRecognition><ChannelNum>1</ChannelNum>"
        "<EngineModelType>16k_zh</EngineModelType></SpeechRecognition></Operation><Tag>SpeechRecognition</Tag>"
        f"<QueueId>{queue_id}</QueueId></Request>"
    ).encode()
    job_id = parse_xml(raw.send("POST", host, "/asr_jobs", {}, xml, b"\n" + submit)).findtext(
        "JobsDetail/JobId", ""
    )
    empty = dict.fromkeys(("size", "states", "queueId", "startCreationTime", "endCreationTime"), "")

    def find_success() -> ET.Element | None:
        listed = parse_xml(raw.send("GET", host, "/asr_jobs", empty, xml, submit))
        return listed if listed.findtext("JobsDetail/State") == "Success" else None

    listed = eventually(find_success)
    assert listed.findtext("JobsDetail/JobId") == job_id
    assert listed.find("JobsDetail/Operation/SpeechRecognitionResult/ResultDetail") is not None
    buckets = raw.send("GET", f"ci.{cloud.region}.myqcloud.com", "/asrbucket", {}, {**xml})
    assert bucket in [node.text for node in parse_xml(buckets).findall("AsrBucketList/BucketId")] or (
        int(parse_xml(buckets).findtext("TotalCount", "0")) > 10
    )


def test_request_with_nothing_signed_is_accepted(cloud: StandIn, raw: RawClient, speech_bucket: str) -> None:
    host = f"ci.{cloud.region}.myqcloud.com"
    authorization = raw.sign("GET", "/asrbucket", {}, {})
    response = raw.target(
        "GET", f"/asrbucket?bucketNames={speech_bucket}", {"host": host, "authorization": authorization}
    )
    assert parse_xml(response).findtext("TotalCount") == "1"
    assert response.headers["server"] == "tencent-ci"
    assert response.headers["x-ci-request-id"] == parse_xml(response).findtext("RequestId")


def test_ai_bucket_is_listed_once_enabled(cloud: StandIn, raw: RawClient, bucket: str) -> None:
    host, query = f"ci.{cloud.region}.myqcloud.com", {"bucketNames": bucket}
    assert parse_xml(raw.send("GET", host, "/ai_bucket", query)).findtext("TotalCount") == "0"
    cloud.admin("POST", f"ai_bucket/{bucket}")
    listed = parse_xml(raw.send("GET", host, "/ai_bucket", query))
    assert [node.text for node in listed.findall("AiBucketList/BucketId")] == [bucket]


@pytest.mark.parametrize(
    ("authorization", "code"), [("", "MissingAuthorization"), ("x", "InvalidAuthorization")]
)
def test_invalid_authorization_is_401(
    cloud: StandIn, raw: RawClient, speech_bucket: str, authorization: str, code: str
) -> None:
    response = raw.send("GET", cloud.ci_host(speech_bucket), "/asrqueue", authorization=authorization)
    assert parse_error(response) == (401, code)
    assert [node.tag for node in parse_xml(response)] == ["Code", "Message", "RequestId", "TraceId"]


@pytest.mark.parametrize(
    ("signing", "code"),
    [
        ({"secret_key": "x"}, "AccessDenied"),
        ({"secret_id": "x"}, "SecretidNotExist"),
        ({"window": (-99, -9)}, "AccessDenied"),
    ],
)
def test_invalid_signature_is_401(
    cloud: StandIn, raw: RawClient, speech_bucket: str, signing: Signing, code: str
) -> None:
    response = raw.send("GET", cloud.ci_host(speech_bucket), "/asrqueue", **relative_to_now(signing))
    assert parse_error(response) == (401, code)


TWO_CHANNELS = "<EngineModelType>16k_zh</EngineModelType><ChannelNum>2</ChannelNum>"
LONG = "x" * 1025


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"tag": "Transcode"}, "InvalidArgument"),
        ({"input_xml": "<Object>missing.mp3</Object>"}, "ResourceNotFound"),
        ({"input_xml": ""}, "InvalidArgument"),
        ({"input_xml": "<Url>https://example.com/a.mp3</Url>"}, "ResourceDownloadFailed"),
        ({"speech": ""}, "InvalidArgument"),
        ({"speech": "<EngineModelType>klingon</EngineModelType>"}, "InvalidArgument"),
        ({"speech": TWO_CHANNELS}, "InvalidArgument"),
        ({"speech": TWO_CHANNELS.replace("2", "3")}, "InvalidArgument"),
        (
            {"speech": "<EngineModelType>16k_zh</EngineModelType><ResTextFormat>4</ResTextFormat>"},
            "InvalidArgument",
        ),
        ({"speech": "<EngineModelType>16k_zh</EngineModelType><FlashAsr>true</FlashAsr>"}, "InvalidArgument"),
        (
            {
                "speech": "<EngineModelType>16k_zh</EngineModelType><ResTextFormat>3</ResTextFormat>"
                "<OutputFileType>srt</OutputFileType>"
            },
            "InvalidArgument",
        ),
        ({"output": "<Region>ap-guangzhou</Region><Bucket>b-1</Bucket>"}, "InvalidArgument"),
        ({"output": "<Bucket>b-1</Bucket><Object>o</Object>"}, "InvalidArgument"),
        ({"operation": "<UserData>中文</UserData>"}, "InvalidArgument"),
        ({"operation": f"<UserData>{LONG}</UserData>"}, "InvalidArgument"),
        ({"operation": "<JobLevel>3</JobLevel>"}, "InvalidArgument"),
        ({"operation": "<TemplateId>t0</TemplateId>"}, "TemplateNotFound"),
        ({"request": "<QueueId>p0</QueueId>"}, "QueueNotFound"),
        ({"request": "<CallBack>ftp://x</CallBack>"}, "InvalidArgument"),
        ({"request": "<CallBackFormat>YAML</CallBackFormat>"}, "InvalidArgument"),
        ({"request": "<CallBackType>TDMQ</CallBackType>"}, "InvalidArgument"),
    ],
)
def test_invalid_submission_is_rejected(
    cloud: StandIn, raw: RawClient, speech_bucket: str, parts: dict[str, str], code: str
) -> None:
    response = raw.send(
        "POST", cloud.ci_host(speech_bucket), "/jobs", body=build_job_body(speech_bucket, **parts)
    )
    assert parse_error(response) == (400, code)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "MissingContent"),
        (b"  \n", "MissingContent"),
        (b"<Request>", "InvalidContent"),
        (b"<Other/>", "InvalidContent"),
        (b'{"Tag": "SpeechRecognition"}', "InvalidContent"),
        (b"<Request>\x01</Request>", "InvalidContent"),
        (b"<a>" * 50_000, "InvalidContent"),
        (b"<Request>" + b"x" * 600_000 + b"</Request>", "InvalidContent"),
        (b'<!DOCTYPE Request [<!ENTITY a "b">]><Request>&a;</Request>', "InvalidContent"),
    ],
)
def test_malformed_body_is_rejected_quickly(
    cloud: StandIn, raw: RawClient, speech_bucket: str, body: bytes, code: str
) -> None:
    start = time.monotonic()
    assert parse_error(raw.send("POST", cloud.ci_host(speech_bucket), "/asr_jobs", body=body)) == (400, code)
    assert time.monotonic() - start < 2


QUEUE = "<Name>q</Name><State>Active</State><NotifyConfig>{}</NotifyConfig>"
ON = "<State>On</State><Type>Url</Type><Url>https://example.com/{}</Url><Event>TaskFinish</Event>"


@pytest.mark.parametrize(
    "body",
    [
        "<Name>q</Name><State>Active</State>",
        "<State>Active</State><NotifyConfig/>",
        "<Name>q!</Name><State>Active</State><NotifyConfig/>",
        f"<Name>{'x' * 129}</Name><State>Active</State><NotifyConfig/>",
        "<Name>q</Name><State>Off</State><NotifyConfig/>",
        QUEUE.format("<State>Maybe</State>"),
        QUEUE.format("<State>On</State>"),
        QUEUE.format(ON.format("x" * 100)),
        QUEUE.format(ON.format("a").replace("TaskFinish", "Nothing")),
        QUEUE.format(ON.format("a").replace("https", "ftp")),
        QUEUE.format(ON.format("a") + "<ResultFormat>YAML</ResultFormat>"),
        QUEUE.format(ON.format("a").replace("<Type>Url", "<Type>TDMQ")),
    ],
)
def test_invalid_queue_settings_change_nothing(
    cloud: StandIn, raw: RawClient, speech_bucket: str, body: str
) -> None:
    host = cloud.ci_host(speech_bucket)
    before = parse_xml(raw.send("GET", host, "/asrqueue")).find("QueueList")
    assert before is not None
    queue_id = before.findtext("QueueId")
    response = raw.send("PUT", host, f"/asrqueue/{queue_id}", body=f"<Request>{body}</Request>".encode())
    assert parse_error(response) == (400, "InvalidArgument")
    after = parse_xml(raw.send("GET", host, "/asrqueue")).find("QueueList")
    assert after is not None
    assert ET.tostring(after) == ET.tostring(before)


def test_notification_url_can_have_100_characters(cloud: StandIn, raw: RawClient, speech_bucket: str) -> None:
    host = cloud.ci_host(speech_bucket)
    queue_id = parse_xml(raw.send("GET", host, "/asrqueue")).findtext("QueueList/QueueId")
    url = "https://example.com/".ljust(100, "x")
    body = QUEUE.format(ON.replace("https://example.com/{}", url))
    response = raw.send("PUT", host, f"/asrqueue/{queue_id}", body=f"<Request>{body}</Request>".encode())
    assert parse_xml(response).findtext("Queue/NotifyConfig/Url") == url


def test_unknown_queue_or_path_is_rejected(
    cloud: StandIn, raw: RawClient, speech_bucket: str, bucket: str
) -> None:
    host = cloud.ci_host(speech_bucket)
    assert parse_error(raw.send("PUT", host, "/asrqueue/p0", body=b"<Request/>")) == (400, "QueueNotFound")
    assert raw.send("GET", host, "/nothing").status_code == 400
    assert raw.send("PUT", host, "/jobs/s0", body=b"").status_code == 400
    missing = cloud.ci_host(f"missing-{cloud.appid}")
    assert parse_error(raw.send("POST", missing, "/asrbucket")) == (404, "NoSuchBucket")


@pytest.mark.parametrize(
    "query", [{"size": "0"}, {"size": "101"}, {"states": "Done"}, {"startCreationTime": "today"}]
)
def test_invalid_list_parameter_is_rejected(
    cloud: StandIn, raw: RawClient, speech_bucket: str, query: dict[str, str]
) -> None:
    assert parse_error(raw.send("GET", cloud.ci_host(speech_bucket), "/asr_jobs", query)) == (
        400,
        "InvalidArgument",
    )


LINE = r"\[\d+:\d+\.\d{3},\d+:\d+\.\d{3}\]  \S.*"


def test_plain_result_has_bracket_lines_and_no_details(run_job: RunJob) -> None:
    job = run_job()
    assert all(re.fullmatch(LINE, line) for line in get_result(job).split("\n"))
    assert not list(job.iterfind("Operation/SpeechRecognitionResult/ResultDetail/*"))


@pytest.mark.parametrize("number", [1, 2, 3])
def test_word_level_result_has_details(
    cloud: StandIn, raw: RawClient, speech_bucket: str, run_job: RunJob, number: int
) -> None:
    sidecar = "你好，欢迎致电。请讲！\nHello, world.\n"
    raw.send("PUT", cloud.bucket_host(speech_bucket), "/call.mp3.transcript.txt", body=sidecar.encode())
    speech = f"<EngineModelType>16k_zh</EngineModelType><ResTextFormat>{number}</ResTextFormat>"
    job = run_job(speech=speech)
    details = job.findall("Operation/SpeechRecognitionResult/ResultDetail")
    sentences = [detail.findtext("FinalSentence") for detail in details]
    if number == 3:
        assert sentences == ["你好，", "欢迎致电。", "请讲！", "Hello,", "world."]
    else:
        assert sentences == ["你好，欢迎致电。请讲！", "Hello, world."]
    for detail in details:
        names = [child.tag for child in detail]
        assert names == sorted(names), "members are in alphabetical order"
        start, end = int(detail.findtext("StartMs", "")), int(detail.findtext("EndMs", ""))
        offsets = [int(node.text or "") for node in detail.iterfind("Words/OffsetEndMs")]
        assert offsets == sorted(offsets)
        assert offsets[-1] <= end - start


def test_sidecar_can_be_file_in_bucket_folder(cloud: StandIn, speech_bucket: str, run_job: RunJob) -> None:
    (cloud.folder / "buckets" / speech_bucket / "call.mp3.transcript.txt").write_text(
        "今天天气很好。\n", "utf-8"
    )
    assert get_result(run_job()).endswith("]  今天天气很好。")


def test_two_channels_have_two_speakers(
    cloud: StandIn, raw: RawClient, speech_bucket: str, run_job: RunJob
) -> None:
    job = run_job(
        speech="<EngineModelType>8k_zh</EngineModelType><ChannelNum>2</ChannelNum><ResTextFormat>1</ResTextFormat>"
    )
    if job.findtext("State") == "Failed":
        pytest.fail(job.findtext("Message", ""))
    speakers = {
        node.text for node in job.iterfind("Operation/SpeechRecognitionResult/ResultDetail/SpeakerId")
    }
    assert speakers == {"0", "1"}
    assert all(re.match(r"\[[^,]+,[^,]+,[01]\]  ", line) for line in get_result(job).split("\n"))


@pytest.mark.parametrize("is_diarised", [True, False])
def test_mono_recording_has_speakers_only_if_the_job_separates_them(
    cloud: StandIn, raw: RawClient, speech_bucket: str, run_job: RunJob, *, is_diarised: bool
) -> None:
    sidecar = "[0] 您好。\n[1] 我想改时间。\n[0] 没问题。\n"
    raw.send("PUT", cloud.bucket_host(speech_bucket), "/call.mp3.transcript.txt", body=sidecar.encode())
    speakers = (
        "<SpeakerDiarization>1</SpeakerDiarization><SpeakerNumber>2</SpeakerNumber>" if is_diarised else ""
    )
    job = run_job(
        speech=f"<EngineModelType>16k_zh</EngineModelType><ChannelNum>1</ChannelNum><ResTextFormat>2</ResTextFormat>{speakers}"
    )
    details = job.findall("Operation/SpeechRecognitionResult/ResultDetail")
    expected = ["0", "1", "0"] if is_diarised else ["0", "0", "0"]
    assert [detail.findtext("SpeakerId") for detail in details] == expected
    assert [detail.findtext("FinalSentence") for detail in details] == ["您好。", "我想改时间。", "没问题。"]
    marks = [re.match(r"\[[^,]+,[^,\]]+(,\d)?\]  ", line) for line in get_result(job).split("\n")]
    assert [mark and mark[1] for mark in marks] == ([",0", ",1", ",0"] if is_diarised else [None] * 3)


def test_flash_result_has_lower_case_names_by_channel(run_job: RunJob) -> None:
    fast = "<FlashAsr>true</FlashAsr><Format>mp3</Format><WordInfo>1</WordInfo>"
    job = run_job(speech=f"<EngineModelType>16k_zh</EngineModelType>{fast}")
    result = job.find("Operation/SpeechRecognitionResult")
    assert result is not None
    assert result.find("Result") is None
    assert result.findtext("FlashResult/channel_id") == "0"
    sentence = result.findtext("FlashResult/sentence_list/text")
    assert sentence is not None
    assert sentence in result.findtext("FlashResult/text", "")
    assert result.find("FlashResult/sentence_list/word_list/word") is not None


def test_silence_succeeds_with_empty_text(
    cloud: StandIn, raw: RawClient, speech_bucket: str, run_job: RunJob
) -> None:
    job = run_job(b"SILENCE")
    assert (job.findtext("State"), get_result(job)) == ("Success", "")
    assert raw.send("GET", cloud.bucket_host(speech_bucket), "/out.txt").content == b""


def test_srt_is_written_on_request(
    cloud: StandIn, raw: RawClient, speech_bucket: str, run_job: RunJob
) -> None:
    run_job(speech="<EngineModelType>16k_zh</EngineModelType><OutputFileType>srt</OutputFileType>")
    text = raw.send("GET", cloud.bucket_host(speech_bucket), "/out.txt").text
    assert re.match(r"1\n\d\d:\d\d:\d\d,\d{3} --> \d\d:\d\d:\d\d,\d{3}\n.+\n\n", text)


def test_missing_output_bucket_fails_job(run_job: RunJob) -> None:
    job = run_job(output="<Region>ap-guangzhou</Region><Bucket>missing-1250000000</Bucket><Object>o</Object>")
    assert (job.findtext("State"), job.findtext("Code")) == ("Failed", "WriteTargetBucketDenied")


def test_odd_object_names_and_user_data_are_kept(
    cloud: StandIn, raw: RawClient, speech_bucket: str, run_job: RunJob
) -> None:
    key, data = "录音/a & b<1>.mp3", '~!@#$%^&*()_+{}|:"<>? ' + "x" * 900
    raw.send("PUT", cloud.bucket_host(speech_bucket), f"/{key}", body=b"speech")
    output = f"<Region>{cloud.region}</Region><Bucket>{speech_bucket}</Bucket><Object>/文/out.txt</Object>"
    job = run_job(
        input_xml=f"<Object>/{escape(key)}</Object>",
        output=output,
        operation=f"<UserData>{escape(data)}</UserData><JobLevel>2</JobLevel>",
    )
    assert job.findtext("Input/Object") == f"/{key}"
    assert job.findtext("Operation/UserData") == data
    assert get_result(job, "ObjectName") == "/文/out.txt"
    assert raw.send("GET", cloud.bucket_host(speech_bucket), "/文/out.txt").status_code == 200


def test_key_with_leading_slash_is_found(
    cloud: StandIn, raw: RawClient, run_job: RunJob, speech_bucket: str
) -> None:
    raw.send("PUT", cloud.bucket_host(speech_bucket), "//slash.mp3", body=b"speech")
    assert run_job(input_xml="<Object>/slash.mp3</Object>").findtext("State") == "Success"


def test_input_can_be_url_in_this_cloud(cloud: StandIn, speech_bucket: str, run_job: RunJob) -> None:
    url = f"https://{cloud.bucket_host(speech_bucket)}/call.mp3"
    job = run_job(input_xml=f"<Url>{url}</Url>")
    assert (job.findtext("State"), job.findtext("Input/Url")) == ("Success", url)
