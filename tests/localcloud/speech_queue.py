"""Jobs of Cloud Infinite's speech service over raw HTTP."""

# ruff: noqa: S314 - only the stand-in's own responses are parsed here
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from tests.localcloud.clients import RawClient, Signing

IssuedKey: TypeAlias = Mapping[str, str]


def build_job_body(
    bucket: str,
    *,
    tag: str = "SpeechRecognition",
    input_xml: str = "<Object>call.mp3</Object>",
    speech: str = "<EngineModelType>16k_zh</EngineModelType><ChannelNum>1</ChannelNum>",
    output: str | None = None,
    operation: str = "",
    request: str = "",
) -> bytes:
    """The body of a submission; each part can be replaced."""
    if output is None:
        output = build_output(bucket, "out.txt")
    return (
        f"<Request><Tag>{tag}</Tag><Input>{input_xml}</Input><Operation><SpeechRecognition>{speech}</SpeechRecognition>"
        f"<Output>{output}</Output>{operation}</Operation>{request}</Request>"
    ).encode()


def build_output(bucket: str, key: str) -> str:
    return f"<Region>ap-guangzhou</Region><Bucket>{bucket}</Bucket><Object>{key}</Object>"


class SpeechQueue:
    """A bucket with the recording `call.mp3` and a speech queue, on one stand-in."""

    def __init__(self, raw: RawClient, name: str = "queue") -> None:
        self.raw, self.cloud = raw, raw.cloud
        self.bucket = f"{name}-{self.cloud.appid}"
        self.host = self.cloud.ci_host(self.bucket)
        raw.send("PUT", self.cloud.bucket_host(self.bucket))
        self.put_object("call.mp3")
        raw.send("POST", self.host, "/asrbucket")
        self.queue_id = self.request("GET", "/asrqueue").findtext("QueueList/QueueId", "")

    def put_object(self, key: str, content: bytes = b"some seconds of speech") -> None:
        self.raw.send("PUT", self.cloud.bucket_host(self.bucket), f"/{key}", body=content)

    def request(self, method: str, path: str, body: bytes = b"") -> ET.Element:
        """Send a request to CI; returns the root of the response."""
        response = self.raw.send(method, self.host, path, body=body)
        return ET.fromstring(response.content or b"<Nothing/>")

    def update(self, state: str = "Active", url: str = "", form: str = "", event: str = "TaskFinish") -> None:
        """Change the state of the queue and where it notifies; no URL switches notifications off."""
        notify = (
            f"<State>{'On' if url else 'Off'}</State><Type>Url</Type><Url>{url}</Url><Event>{event}</Event>"
        )
        notify += f"<ResultFormat>{form}</ResultFormat>" if form else ""
        body = f"<Request><Name>q</Name><State>{state}</State><NotifyConfig>{notify}</NotifyConfig></Request>"
        response = self.request("PUT", f"/asrqueue/{self.queue_id}", body.encode())
        assert response.find("Queue") is not None

    def submit(
        self,
        *,
        key: str = "call.mp3",
        output_key: str = "out.txt",
        level: int = 0,
        user_data: str = "",
        request: str = "",
        issued_key: IssuedKey | None = None,
    ) -> str:
        """Submit a job, with an issued key or the operator's; returns its id, or the error code."""
        body = build_job_body(
            self.bucket,
            input_xml=f"<Object>{escape(key)}</Object>",
            speech="<EngineModelType>16k_en</EngineModelType><ResTextFormat>1</ResTextFormat>",
            output=build_output(self.bucket, output_key),
            operation=f"<JobLevel>{level}</JobLevel><UserData>{user_data}</UserData>",
            request=request,
        )
        signing: Signing = {}
        headers = {}
        if issued_key is not None:
            signing = {"secret_id": issued_key["secret_id"], "secret_key": issued_key["secret_key"]}
            headers = {"x-ci-security-token": issued_key["token"]}
        response = self.raw.send("POST", self.host, "/asr_jobs", headers=headers, body=body, **signing)
        root = ET.fromstring(response.content)
        return root.findtext("JobsDetail/JobId", "") or root.findtext("Code", "")

    def get_states(self) -> dict[str, str]:
        """The states of all jobs of the cloud."""
        return {job["job_id"]: job["state"] for job in self.cloud.admin("GET", "jobs")}

    def get_state(self, job_id: str) -> str:
        return self.request("GET", f"/asr_jobs/{job_id}").findtext("JobsDetail/State", "")


MakeQueue: TypeAlias = Callable[..., SpeechQueue]
