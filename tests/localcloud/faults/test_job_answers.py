"""Odd answers to a function's submits and queries of jobs; the operator's requests never get them."""

# ruff: noqa: S314 - only the stand-in's own responses are parsed here
from __future__ import annotations

import time
from collections.abc import Sequence
from xml.etree import ElementTree as ET

import httpx
import pytest

from tests.localcloud.clients import MakeRaw
from tests.localcloud.speech_queue import SpeechQueue, build_job_body, build_output
from tests.localcloud.stand_in import StartCloud

pytestmark = pytest.mark.process

RESULT = "JobsDetail/Operation/SpeechRecognitionResult"
CUT = (httpx.RemoteProtocolError, httpx.ReadError)


class JobClient:
    """Asks CI for jobs with a temporary credential, as a function does."""

    def __init__(self, queue: SpeechQueue) -> None:
        self.queue, self.cloud = queue, queue.cloud
        self.key = self.cloud.admin("POST", "keys")

    def send(
        self, method: str, path: str, query: dict[str, str] | None = None, body: bytes = b""
    ) -> httpx.Response:
        return self.queue.raw.send(
            method,
            self.queue.host,
            path,
            query,
            {"x-ci-security-token": self.key["token"]},
            body,
            secret_id=self.key["secret_id"],
            secret_key=self.key["secret_key"],
        )

    def submit(self, key: str) -> str:
        """Submit a job of a new recording as the operator; returns its id when it has ended."""
        self.queue.put_object(key)
        job_id = self.queue.submit(key=key, output_key=f"{key}.txt")
        self.cloud.wait_idle()
        return job_id

    def describe(self, *job_ids: str) -> httpx.Response:
        return self.send("GET", f"/asr_jobs/{','.join(job_ids)}")

    def status(self, *job_ids: str) -> int:
        """The status of a query; 0 for an aborted connection."""
        try:
            return self.describe(*job_ids).status_code
        except CUT:
            return 0

    def list_pages(self, size: int, order: str) -> list[list[str]]:
        """The job ids of every page."""
        pages: list[list[str]] = []
        token: str | None = ""
        while token is not None:
            query = {"size": str(size), "orderByTime": order} | ({"nextToken": token} if token else {})
            root = ET.fromstring(self.send("GET", "/asr_jobs", query).content)
            pages.append([job.findtext("JobId", "") for job in root.findall("JobsDetail")])
            token = root.findtext("NextToken")
            assert len(pages) < 20
        return pages

    def faults(self) -> list[str]:
        return [row["fault"] for row in self.cloud.admin("GET", "requests") if row["fault"]]


@pytest.fixture
def client(start_cloud: StartCloud, make_raw: MakeRaw) -> JobClient:
    return JobClient(SpeechQueue(make_raw(start_cloud())))


def list_result_names(response: httpx.Response) -> list[str] | None:
    """The elements of the result of the only job; None without a result."""
    root = ET.fromstring(response.content)
    assert root.findtext("JobsDetail/State") == "Success"
    result = root.find(RESULT)
    return None if result is None else [child.tag for child in result]


def test_success_has_no_result_for_the_first_looks(client: JobClient) -> None:
    variants = set()
    for number in range(8):
        job_id = client.submit(f"{number}.wav")
        client.cloud.set_faults(rates={"success_without_result": 1.0}, looks=3)
        looks = [list_result_names(client.describe(job_id)) for _ in range(5)]
        assert "Result" in (looks[3] or ())
        assert (
            looks[3]
            == looks[4]
            == list_result_names(client.queue.raw.send("GET", client.queue.host, f"/asr_jobs/{job_id}"))
        )
        assert looks[0] == looks[1] == looks[2]
        variants.add(None if looks[0] is None else tuple(looks[0]))
        assert client.cloud.injected_faults() == {"success_without_result": 1}
    assert variants == {None, ("AudioTime", "ObjectName")}
    assert client.faults() == ["success_without_result"] * 24


def test_pages_of_the_list_are_no_looks(client: JobClient) -> None:
    job_id = client.submit("a.wav")
    client.cloud.set_faults(rates={"success_without_result": 1.0}, looks=1)
    for _ in range(3):
        assert "Result" not in (list_result_names(client.send("GET", "/asr_jobs")) or ())
    assert "Result" not in (list_result_names(client.describe(job_id)) or ())
    assert "Result" in (list_result_names(client.send("GET", "/asr_jobs")) or ())


def test_only_jobs_of_named_recordings_are_chosen(client: JobClient) -> None:
    job_ids = [client.submit(f"{name}.wav") for name in "ab"]
    kinds = ("success_without_result", "bad_member")
    for kind in kinds:
        client.cloud.set_faults(rates={kind: 1.0}, jobs=["b.wav"])
        assert "Result" in (list_result_names(client.describe(job_ids[0])) or ())
        assert client.faults() == []
    assert client.status(job_ids[1]) in {0, 400, 500, 502}


@pytest.mark.parametrize("order", ["Desc", "Asc"])
@pytest.mark.parametrize("size", [2, 10])
def test_empty_page_has_a_token_for_the_rest(client: JobClient, order: str, size: int) -> None:
    job_ids = [client.submit(f"{number}.wav") for number in range(5)]
    client.cloud.set_faults(rates={"empty_page_with_token": 1.0})
    pages = client.list_pages(size, order)
    listed = [job_id for page in pages for job_id in page]
    assert listed == (job_ids[::-1] if order == "Desc" else job_ids)
    assert ([] in pages) == (order == "Desc" or size == 2)
    assert pages[-1]
    assert ("empty_page_with_token" in client.faults()) == ([] in pages)


def test_page_without_jobs_is_the_end(client: JobClient) -> None:
    client.cloud.set_faults(rates={"empty_page_with_token": 1.0})
    assert client.list_pages(10, "Desc") == [[]]


def test_query_that_names_a_bad_job_fails_and_its_neighbours_answer(client: JobClient) -> None:
    job_ids = [client.submit(f"{number}.wav") for number in range(30)]
    client.cloud.set_faults(rates={"bad_member": 0.4}, seed=3)
    statuses = {job_id: client.status(job_id) for job_id in job_ids}
    good = [job_id for job_id, status in statuses.items() if status == 200]
    bad = [job_id for job_id, status in statuses.items() if status != 200]
    assert {statuses[job_id] for job_id in bad} == {0, 400, 500, 502}
    assert 3 < len(bad) < 27
    assert client.status(*good) == 200
    for job_id in bad:
        assert client.status(*good[:3], job_id) == statuses[job_id]
        assert client.status(job_id) == statuses[job_id]
    assert set(client.faults()) == {"bad_member"}
    assert client.cloud.injected_faults() == {"bad_member": len(bad)}
    raw, host = client.queue.raw, client.queue.host
    assert raw.send("GET", host, f"/asr_jobs/{','.join(job_ids)}").status_code == 200
    client.cloud.set_faults()
    assert client.status(*job_ids) == 200


def test_submit_gets_an_answer_without_code_and_no_job(client: JobClient) -> None:
    client.cloud.set_faults(rates={"submit_without_code": 1.0})
    statuses = set()
    for number in range(40):
        key = f"{number}.wav"
        client.queue.put_object(key)
        body = build_job_body(
            client.queue.bucket,
            input_xml=f"<Object>{key}</Object>",
            output=build_output(client.queue.bucket, "x"),
        )
        response = client.send("POST", "/asr_jobs", body=body)
        statuses.add(response.status_code)
        assert "<Code>" not in response.text
        assert ("location" in response.headers) == (response.status_code == 307)
    assert statuses == {307, 404, 405, 409, 421, 425}
    assert client.queue.get_states() == {}
    assert client.faults() == ["submit_without_code"] * 40
    assert client.queue.submit() in client.queue.get_states()


def _time_bytes(client: JobClient, paths: Sequence[str], max_bytes: int) -> list[int]:
    """How many bytes of each answer arrive within two and a half seconds; at most `max_bytes` are read."""
    counts = []
    for path in paths:
        headers = {"host": client.queue.host, "x-ci-security-token": client.key["token"]}
        raw = client.queue.raw
        headers["authorization"] = raw.sign(
            "GET", path, {}, headers, secret_id=client.key["secret_id"], secret_key=client.key["secret_key"]
        )
        started_s, count = time.monotonic(), 0
        with raw.client.stream(
            "GET", client.cloud.endpoint, headers=headers, extensions={"target": path.encode()}
        ) as response:
            for chunk in response.iter_raw():
                if count >= max_bytes or time.monotonic() - started_s > 2.5:
                    break
                count += len(chunk)
        counts.append(count)
    return counts


def test_answer_drips_for_a_chosen_job_only(client: JobClient) -> None:
    slow, quick = client.submit("slow.wav"), client.submit("quick.wav")
    client.cloud.set_faults(rates={"drip_member": 1.0}, jobs=["slow.wav"])
    size = len(client.describe(quick).content)
    counts = _time_bytes(
        client, [f"/asr_jobs/{slow}", f"/asr_jobs/{quick},{slow}", f"/asr_jobs/{quick}"], size
    )
    assert counts[0] in (2, 3)
    assert counts[1] in (2, 3)
    assert counts[2] == size
    # The connection was closed early: the cloud answers others, and stops at once.
    client.cloud.set_faults()
    assert client.status(slow, quick) == 200
    assert client.cloud.stop() == 0
    assert client.cloud.log() == ""
