"""A pipeline on a stand-in cloud, seen from outside: objects, notifications, requests and logs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from cli.local import CALLBACK_TOKEN, INPUT_BUCKET, OUTPUT_BUCKET, Pipeline
from shared.errors import NotFound


@dataclass(frozen=True)
class Flow:
    """What a test does to the pipeline, and what it sees of it."""

    pipeline: Pipeline
    client: httpx.Client

    def upload(self, key: str, body: bytes, **metadata: str) -> None:
        self.pipeline.operator.cos.put(INPUT_BUCKET, key, body, metadata=metadata)

    def delete(self, key: str) -> None:
        self.pipeline.operator.cos.delete(INPUT_BUCKET, key)

    def output(self, key: str) -> bytes:
        return self.pipeline.operator.cos.get(OUTPUT_BUCKET, key).body

    def outputs(self, prefix: str = "") -> list[str]:
        return [item.key for item in self.pipeline.operator.cos.iter_objects(OUTPUT_BUCKET, prefix=prefix)]

    def has(self, key: str) -> bool:
        try:
            self.output(key)
        except NotFound:
            return False
        return True

    def transcript(self, key: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.output(f"transcripts/{key}.json"))
        return found

    def receipts(self, state: str) -> list[str]:
        return self.outputs(f".scribe/{state}/")

    def settle(self, seconds: float = 30.0) -> None:
        """Until no job is open, no notification due and no function at work."""
        answer = self.admin("GET", f"idle?timeout={seconds}")
        assert answer is True, "the pipeline did not come to rest"

    def queue(self, **changes: str) -> None:
        """Changes the state of the queue, or where it tells of finished jobs (`notify`: On or Off)."""
        speech = self.pipeline.operator.speech
        queue = speech.list_queues(INPUT_BUCKET).queues[0]
        notify_config = queue.notification._replace(state=changes.get("notify", queue.notification.state))
        speech.update_queue(
            INPUT_BUCKET, queue._replace(state=changes.get("state", queue.state), notification=notify_config)
        )

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.client.request(method, f"/-/{path}", json=body)
        assert answer.status_code < 300, answer.text
        return answer.json()

    @staticmethod
    def event_of(key: str, bucket: str = INPUT_BUCKET) -> dict[str, Any]:
        """The event of an upload, in the published shape."""
        short, _, appid = bucket.rpartition("-")
        url = f"http://{bucket}.cos.ap-guangzhou.myqcloud.com/{quote(key, safe='/')}"
        cos = {
            "cosObject": {"url": url, "key": f"/{appid}/{short}/{key}"},
            "cosBucket": {"region": "gz", "name": short, "appid": appid},
        }
        return {"Records": [{"cos": cos, "event": {"eventName": "cos:ObjectCreated:Put"}}]}

    def invoke(self, function: str, event: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.admin("POST", f"functions/{function}/invoke", event)
        return found

    def sweep(self, message: str = "reconcile") -> dict[str, Any]:
        event = {"Type": "Timer", "TriggerName": message, "Time": "2026-11-21T01:15:00Z", "Message": message}
        done = self.invoke("sweep", event)
        assert done["outcome"] == "ok", done
        return done

    def invocations(self, function: str, since: int = 0) -> list[dict[str, Any]]:
        found = self.admin("GET", f"invocations?since={since}")
        return [one for one in found if one["function"] == function]

    def last_number(self) -> int:
        found = self.admin("GET", "invocations?since=0")
        return max((one["number"] for one in found), default=0)

    def jobs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.admin("GET", "jobs")
        return found

    def notify(
        self, body: bytes | str, *, path: str = "/" + CALLBACK_TOKEN, method: str = "POST"
    ) -> httpx.Response:
        """A request to the callback function's public URL, as a stranger would send it."""
        host = httpx.URL(self.pipeline.standin.callback_url).host
        return self.client.request(method, path, content=body, headers={"Host": host})
