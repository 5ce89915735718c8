"""Lists of jobs and queues, page by page: an end that is not one would mean that a job is paid for twice."""

from __future__ import annotations

import httpx
import pytest

from shared.errors import OutcomeUnknown
from shared.tencent.client import TencentClient
from shared.tencent.speech import MAX_JOB_PAGES, MAX_QUEUE_PAGES, SpeechClient
from shared.tencent.speech_models import JobFilter
from tests.helpers.fake_server import FakeServer

BUCKET = "media-1250000000"


@pytest.fixture
def speech(client: TencentClient) -> SpeechClient:
    return SpeechClient(client, "ap-chengdu")


def job_page(*ids: str, token: str = "") -> httpx.Response:
    jobs = "".join(f"<JobsDetail><JobId>{job_id}</JobId></JobsDetail>" for job_id in ids)
    return httpx.Response(200, text=f"<Response>{jobs}<NextToken>{token}</NextToken></Response>")


def queue_page(*ids: str, total: int | None = None) -> httpx.Response:
    queues = "".join(f"<QueueList><QueueId>{queue_id}</QueueId></QueueList>" for queue_id in ids)
    count = "" if total is None else f"<TotalCount>{total}</TotalCount>"
    return httpx.Response(200, text=f"<Response>{count}{queues}</Response>")


def get_parameters(server: FakeServer, name: str) -> list[str]:
    return [
        httpx.URL(f"http://h{request.extensions['target'].decode()}").params.get(name, "")
        for request in server.requests
    ]


def test_jobs_of_all_pages_are_listed(speech: SpeechClient, server: FakeServer) -> None:
    server.replies = [job_page("s1", "s2", token="2"), job_page("s3", token="3"), job_page("s4")]
    assert [job.job_id for job in speech.iter_jobs(BUCKET, JobFilter())] == ["s1", "s2", "s3", "s4"]
    assert get_parameters(server, "nextToken") == ["", "2", "3"]


def test_empty_page_is_not_the_end_of_the_jobs(speech: SpeechClient, server: FakeServer) -> None:
    server.replies = [job_page("s1", token="2"), job_page(token="3"), job_page(token="4"), job_page("s2")]
    assert [job.job_id for job in speech.iter_jobs(BUCKET, JobFilter())] == ["s1", "s2"]


def test_first_page_may_be_empty(speech: SpeechClient, server: FakeServer) -> None:
    server.replies = [job_page(token="2"), job_page("s1", token="0")]
    assert [job.job_id for job in speech.iter_jobs(BUCKET, JobFilter())] == ["s1"]


def test_next_page_is_requested_when_it_is_needed(speech: SpeechClient, server: FakeServer) -> None:
    server.replies = [job_page("s1", token="2"), job_page("s2")]
    assert next(speech.iter_jobs(BUCKET, JobFilter())).job_id == "s1"
    assert len(server.requests) == 1


@pytest.mark.parametrize("tokens", [("2", "2"), ("2", "3", "2")])
def test_repeated_page_of_jobs_is_no_end(
    speech: SpeechClient, server: FakeServer, tokens: tuple[str, ...]
) -> None:
    server.replies = [job_page("s1", token=token) for token in tokens]
    with pytest.raises(OutcomeUnknown, match="not complete") as caught:
        list(speech.iter_jobs(BUCKET, JobFilter()))
    assert (caught.value.code, len(server.requests)) == ("BadListing", len(tokens))


@pytest.mark.parametrize("max_pages", [3, MAX_JOB_PAGES])
def test_too_many_pages_of_jobs_are_no_end(speech: SpeechClient, server: FakeServer, max_pages: int) -> None:
    server.replies = [job_page(f"s{number}", token=f"t{number}") for number in range(max_pages + 1)]
    with pytest.raises(OutcomeUnknown, match=f"more than {max_pages} pages") as caught:
        list(speech.iter_jobs(BUCKET, JobFilter(), max_pages=max_pages))
    assert (caught.value.code, len(server.requests)) == ("TooManyJobs", max_pages)


def test_last_allowed_page_of_jobs_may_be_the_end(speech: SpeechClient, server: FakeServer) -> None:
    server.replies = [job_page("s1", token="2"), job_page("s2")]
    assert len(list(speech.iter_jobs(BUCKET, JobFilter(), max_pages=2))) == 2


def test_queues_of_all_pages_are_listed(speech: SpeechClient, server: FakeServer) -> None:
    server.replies = [queue_page("p1", total=3), queue_page("p2", total=3), queue_page("p3", total=3)]
    assert [queue.queue_id for queue in speech.iter_queues(BUCKET)] == ["p1", "p2", "p3"]
    assert get_parameters(server, "pageNumber") == ["1", "2", "3"]


def test_bucket_with_one_queue_costs_one_request(speech: SpeechClient, server: FakeServer) -> None:
    server.replies = [queue_page("p1", total=1)]
    assert [queue.queue_id for queue in speech.iter_queues(BUCKET)] == ["p1"]
    assert len(server.requests) == 1


@pytest.mark.parametrize("reply", [queue_page(total=0), queue_page()])
def test_bucket_without_queues_has_none(
    speech: SpeechClient, server: FakeServer, reply: httpx.Response
) -> None:
    server.replies = [reply]
    assert list(speech.iter_queues(BUCKET)) == []
    assert len(server.requests) == 1


def test_list_of_queues_without_a_count_ends_with_a_short_page(
    speech: SpeechClient, server: FakeServer
) -> None:
    server.replies = [queue_page(*(f"p{number}" for number in range(100))), queue_page("q1")]
    assert len(list(speech.iter_queues(BUCKET))) == 101
    assert len(server.requests) == 2


@pytest.mark.parametrize("second", [(), ("p1",)])
def test_missing_queues_are_no_end(speech: SpeechClient, server: FakeServer, second: tuple[str, ...]) -> None:
    server.replies = [queue_page("p1", total=2), queue_page(*second, total=2)]
    with pytest.raises(OutcomeUnknown, match="1 of 2 queues") as caught:
        list(speech.iter_queues(BUCKET))
    assert (caught.value.code, len(server.requests)) == ("BadListing", 2)


def test_too_many_pages_of_queues_are_no_end(speech: SpeechClient, server: FakeServer) -> None:
    server.replies = [queue_page(f"p{number}", total=1000) for number in range(20)]
    with pytest.raises(OutcomeUnknown) as caught:
        list(speech.iter_queues(BUCKET))
    assert (caught.value.code, len(server.requests)) == ("TooManyQueues", MAX_QUEUE_PAGES)


def result_page(*children: str) -> httpx.Response:
    result = f"<SpeechRecognitionResult>{''.join(children)}</SpeechRecognitionResult>"
    job = f"<JobsDetail><JobId>s1</JobId><State>Success</State><Operation>{result}</Operation></JobsDetail>"
    return httpx.Response(200, text=f"<Response>{job}</Response>")


@pytest.mark.parametrize(
    ("children", "has_text"),
    [
        (("<AudioTime>1.5</AudioTime>",), False),
        (("<AudioTime>1.5</AudioTime>", "<ObjectName>raw/a.txt</ObjectName>"), False),
        (("<AudioTime>1.5</AudioTime>", "<Result/>"), True),
        (("<AudioTime>1.5</AudioTime>", "<Result></Result>"), True),
        (("<AudioTime>1.5</AudioTime>", "<Result> \n </Result>"), True),
        (("<AudioTime>1.5</AudioTime>", "<ResultDetail/>"), True),
        (("<AudioTime>1.5</AudioTime>", "<FlashResult/>"), True),
        (("<ResultDetail><FinalSentence>x</FinalSentence></ResultDetail>", "<AudioTime>1</AudioTime>"), True),
    ],
)
@pytest.mark.parametrize("is_streamed", [False, True])
def test_result_without_any_text_element_is_not_silence(
    speech: SpeechClient, server: FakeServer, children: tuple[str, ...], has_text: bool, is_streamed: bool
) -> None:
    server.replies = [result_page(*children)]
    parser = (lambda detail: detail) if is_streamed else None
    (job,) = speech.get_jobs(BUCKET, ["s1"], detail_parser=parser).jobs
    assert job.result is not None
    assert job.result.has_text is has_text


@pytest.mark.parametrize("children", [(), ("<SpeechRecognitionResult/>",)])
def test_job_without_a_result_element_has_no_result(
    speech: SpeechClient, server: FakeServer, children: tuple[str, ...]
) -> None:
    job = f"<JobsDetail><JobId>s1</JobId><Operation>{''.join(children)}</Operation></JobsDetail>"
    server.replies = [httpx.Response(200, text=f"<Response>{job}</Response>")]
    assert speech.get_jobs(BUCKET, ["s1"]).jobs[0].result is None
