"""A pipeline on a stand-in cloud, seen from outside: objects, notifications, requests and logs."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

import httpx

from cli.local.emulator import CALLBACK_TOKEN, INPUT_BUCKET, OUTPUT_BUCKET, LocalPipeline
from shared.errors import NotFound
from shared.recordings.proof import compute_nonce, parse_user_data
from shared.recordings.receipt import Receipt, Recording
from tests.helpers.receipts import build_receipt

# Contents of a recording that a test replaces by each other.
CONTENT_A, CONTENT_B = b"speech of the first kind " * 120, b"quite another speech " * 130


@dataclass(frozen=True)
class Flow:
    """What a test does to the pipeline, and what it sees of it."""

    pipeline: LocalPipeline
    client: httpx.Client

    def upload(self, key: str, body: bytes, **metadata: str) -> None:
        self.pipeline.clients.cos.put(INPUT_BUCKET, key, body, content_type="audio/mpeg", metadata=metadata)

    def delete(self, key: str) -> None:
        self.pipeline.clients.cos.delete(INPUT_BUCKET, key)

    def output(self, key: str) -> bytes:
        return self.pipeline.clients.cos.get(OUTPUT_BUCKET, key).body

    def outputs(self, prefix: str = "") -> list[str]:
        return [item.key for item in self.pipeline.clients.cos.iter_objects(OUTPUT_BUCKET, prefix=prefix)]

    def has(self, key: str) -> bool:
        try:
            self.output(key)
        except NotFound:
            return False
        return True

    def transcript(self, key: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.output(f"transcripts/{key}.json"))
        return document

    def error(self, key: str) -> dict[str, Any]:
        """Return the error object of a recording."""
        document: dict[str, Any] = json.loads(self.output(f"transcripts/{key}.error.json"))
        return document

    def transcribe_text(self, body: bytes) -> str:
        """Upload a recording with this content as plain.wav and return the text of its transcript."""
        self.upload("plain.wav", body)
        self.settle()
        text: str = self.transcript("plain.wav")["text"]
        return text

    def receipts(self, state: str) -> list[str]:
        return self.outputs(f".scribe/{state}/")

    def settle(self, seconds: float = 30.0) -> None:
        """Wait until no job is open, no notification due and no function running."""
        is_idle = self.admin("GET", f"idle?timeout={seconds}")
        assert is_idle is True, f"the pipeline was not idle within {seconds} s"

    def update_queue(self, *, state: str = "", notify: str = "") -> None:
        """Change the state of the queue (Active, Paused) or of its notifications (On, Off)."""
        speech = self.pipeline.clients.speech
        queue = speech.list_queues(INPUT_BUCKET).queues[0]
        notify_config = queue.notification._replace(state=notify or queue.notification.state)
        speech.update_queue(
            INPUT_BUCKET, queue._replace(state=state or queue.state, notification=notify_config)
        )

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        response = self.client.request(
            method, f"/-/{path}", json=body, headers=self.pipeline.emulator.admin_headers
        )
        assert response.status_code < 300, response.text
        return response.json()

    @staticmethod
    def build_event(key: str, bucket: str = INPUT_BUCKET) -> dict[str, Any]:
        """Build the event of an upload, in the published shape."""
        short, _, appid = bucket.rpartition("-")
        url = f"http://{bucket}.cos.ap-guangzhou.myqcloud.com/{quote(key, safe='/')}"
        cos = {
            "cosObject": {"url": url, "key": f"/{appid}/{short}/{key}"},
            "cosBucket": {"region": "gz", "name": short, "appid": appid},
        }
        return {"Records": [{"cos": cos, "event": {"eventName": "cos:ObjectCreated:Put"}}]}

    def invoke(self, function: str, event: Any) -> dict[str, Any]:
        invocation: dict[str, Any] = self.admin("POST", f"functions/{function}/invoke", event)
        return invocation

    def sweep(self, message: str = "reconcile") -> dict[str, Any]:
        event = {"Type": "Timer", "TriggerName": message, "Time": "2026-11-21T01:15:00Z", "Message": message}
        invocation = self.invoke("sweep", event)
        assert invocation["outcome"] == "ok", invocation
        return invocation

    def invocations(self, function: str, since: int = 0) -> list[dict[str, Any]]:
        invocations = self.admin("GET", f"invocations?since={since}")
        return [invocation for invocation in invocations if invocation["function"] == function]

    def last_number(self) -> int:
        invocations = self.admin("GET", "invocations?since=0")
        return max((invocation["number"] for invocation in invocations), default=0)

    def jobs(self) -> list[dict[str, Any]]:
        jobs: list[dict[str, Any]] = self.admin("GET", "jobs")
        return jobs

    def notify(
        self, body: bytes | str, *, path: str = "/" + CALLBACK_TOKEN, method: str = "POST"
    ) -> httpx.Response:
        """Send a request to the callback function's public URL, as a stranger would."""
        host = httpx.URL(self.pipeline.emulator.callback_url).host
        return self.client.request(method, path, content=body, headers={"Host": host})

    def put_dead_attempt(self, key: str, body: bytes, *, lease_s: float) -> Receipt:
        """Store the receipt of an attempt that died an hour ago before it recorded its job, if it submitted one.

        Its lease expires in `lease_s` seconds.
        """
        etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        recording = Recording(INPUT_BUCKET, key, etag, len(body))
        now_s = time.time()
        receipt = build_receipt(
            recording,
            region="ap-guangzhou",
            engine="16k_en",
            nonce=self._find_nonce(recording.id),
            created_s=now_s - 3600,
            waits_since_s=now_s - 3600,
            lease_expires_s=now_s + lease_s,
            modified_s=0.0,
        )
        self.pipeline.clients.cos.put(OUTPUT_BUCKET, f".scribe/open/{receipt.id}", receipt.to_json())
        return receipt

    def _find_nonce(self, receipt_id: str) -> str:
        """Return the nonce of the attempt whose job has this receipt's id."""
        labels = [parse_user_data(job["user_data"]) for job in self.jobs()]
        secrets = [label.secret for label in labels if label and label.receipt_id == receipt_id]
        return compute_nonce(secrets[-1]) if secrets else "dead"


class StartFlow(Protocol):
    """Starts a pipeline with these options of the stand-in and settings of the functions."""

    def __call__(self, *arguments: str, **settings: str) -> Flow: ...


def render_notification(job_id: str, state: str = "Success", bucket: str = INPUT_BUCKET) -> str:
    """Render a notification in which everything but the job's id is forged."""
    return (
        f"<Response><EventName>TaskFinish</EventName><JobsDetail><JobId>{job_id}</JobId><State>{state}</State>"
        f"<Tag>SpeechRecognition</Tag><Input><BucketId>{bucket}</BucketId><Object>x.wav</Object></Input>"
        "<Operation><Output><Bucket>strangers-1250000000</Bucket><Object>stolen.txt</Object></Output>"
        "<SpeechRecognitionResult><Result>[0:0.0,0:1.0] forged words</Result></SpeechRecognitionResult>"
        "</Operation></JobsDetail></Response>"
    )


def wait_for_next_second() -> None:
    """Wait until what is written is later: COS has the times of objects in whole seconds."""
    now_s = int(time.time())
    while int(time.time()) == now_s:
        time.sleep(0.02)
