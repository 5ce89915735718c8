"""What the bucket says about a key: metadata, sidecar, receipt. Reads with the functions' own code; writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone

from cli.explain.explain import Upload, explain_key
from cli.explain.models import Explanation, State
from shared.errors import NotFound
from shared.logger import Logger
from shared.recordings.content import head_content
from shared.recordings.context import Context, build_context
from shared.recordings.models import FAILED, SUPERSEDED, TRANSCRIBED, Receipt, Recording, Status
from shared.settings import Settings
from shared.tencent.auth import Credentials
from shared.tencent.client import TencentClient
from shared.tencent.cos import ObjectMetadata


class BucketReader:
    """Reads what the bucket says about one key."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    @classmethod
    def create(cls, credentials: Credentials, settings: Settings) -> BucketReader:
        """Create a reader with this key. The functions' log lines are dropped."""
        client = TencentClient(credentials, settings.cloud_endpoint.rstrip("/"))
        return cls(build_context(client, settings, Logger(write=lambda _: None)))

    def explain(
        self,
        bucket: str,
        key: str,
        metadata: Mapping[str, str] | None,
        sidecar: bytes | None,
        size: int | None,
    ) -> Explanation:
        """Explain a key with what is in the bucket, where the arguments do not replace it. Raises CloudError."""
        settings = self._ctx.settings
        explanation = explain_key(settings, bucket, key, Upload(metadata or {}, sidecar, size))
        if explanation.is_recording is False:
            return explanation  # by its key alone
        try:
            head = head_content(self._ctx, bucket, key)
        except NotFound:
            state = State(False, "Not in the bucket. An upload would be submitted.", Status.SUBMITTED.value)
            return explanation._replace(state=_if_refused(state, explanation))
        upload = Upload(
            head.metadata if metadata is None else metadata,
            sidecar,
            head.size if size is None else size,
            head.content_type,
        )
        explanation = explain_key(settings, bucket, key, upload)
        if not explanation.is_recording:
            return explanation
        return explanation._replace(state=_if_refused(self._read_state(bucket, key, head), explanation))

    def _read_state(self, bucket: str, key: str, head: ObjectMetadata) -> State:
        store = self._ctx.receipts(bucket)
        recording = Recording(bucket, key, head.etag, head.size)
        done, in_flight = store.get_done(recording.id), store.get_open(recording.id)
        status, message = _describe(done, in_flight)
        receipt = in_flight or done
        modified = datetime.fromtimestamp(head.modified_s, timezone.utc)
        return State(
            exists=True,
            message=message,
            on_upload=status.value,
            size=head.size,
            modified=modified.strftime("%Y-%m-%dT%H:%M:%SZ"),
            receipt=receipt.state.value if receipt else "",
            job_id=receipt.job_id if receipt else "",
        )


def _describe(done: Receipt | None, in_flight: Receipt | None) -> tuple[Status, str]:
    """Return what an upload of the same content now would do, and the state in words."""
    if in_flight:
        return Status.IN_PROGRESS, "Its job is in flight. The same content uploaded now changes nothing."
    if done is None:
        return Status.SUBMITTED, "Not submitted yet. The upload's event, or the audit, submits it."
    if done.state is FAILED:
        return (
            Status.SUBMITTED,
            "It failed; the error object says why. The same content uploaded again is submitted.",
        )
    if done.state is SUPERSEDED:
        return (
            Status.SUBMITTED,
            "Other content was uploaded under this key. This content uploaded again is submitted.",
        )
    assert done.state is TRANSCRIBED
    return Status.ALREADY_DONE, "Transcribed."


def _if_refused(state: State, explanation: Explanation) -> State:
    """Return the state with what an upload does whose options are refused."""
    if not explanation.refusals or (state.receipt and state.on_upload != Status.SUBMITTED.value):
        return state
    message = "An upload would not be submitted: its options are refused."
    return state._replace(message=message, on_upload=Status.FAILED.value)
