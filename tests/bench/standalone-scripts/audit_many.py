"""Audit a bucket until a round is complete; print the runs as JSON. Arguments: recordings, seconds of a run.

A function replaces the network, below the client that the sweep uses: it makes each page of a listing when it is
requested, so that a million recordings need no disk. The clock is simulated: every request takes REQUEST_S, and the
processor time of this process counts as it is, without that of the function.
"""

import hashlib
import json
import sys
import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
from peak_memory import peak_mib

from shared.logger import Logger
from shared.recordings.audit import audit
from shared.recordings.context import RESPONSE_MARGIN_S, build_context
from shared.recordings.keys import audit_cursor_key, done_prefix
from shared.recordings.receipt import sortable_key
from shared.recordings.sweep import reconcile
from shared.settings import Settings
from shared.tencent.auth import Credentials
from shared.tencent.client import TencentClient

REQUEST_S = 0.1
NAMES_PER_PAGE = 1_000
NOW_S = 1_794_300_000.0
UPLOADED, DONE = "2026-10-01T08:00:00.000Z", "2026-10-01T08:05:00.000Z"
RECORDINGS, TRANSCRIPTS = "recordings-1250000000", "transcripts-1250000000"
FOLDER, EXTENSION = "calls/", ".wav"
SETTINGS = Settings((RECORDINGS,), ("",), "ap-guangzhou", output_bucket=TRANSCRIPTS)
RECEIPTS_FOLDER = f"{done_prefix(SETTINGS)}{RECORDINGS}/"
RECEIPT_START = RECEIPTS_FOLDER + sortable_key(FOLDER)
RECEIPT_END = sortable_key(EXTENSION)


class Cloud:
    """COS with `count` recordings and their receipts. `requests` and `pages` count what it answered."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.requests = self.pages = 0
        self.processor_s = 0.0
        self.cursor = b""

    def answer(self, request: httpx.Request) -> httpx.Response:
        start_s = time.process_time()
        response = self._answer(request)
        self.requests += 1
        self.processor_s += time.process_time() - start_s
        return response

    def _answer(self, request: httpx.Request) -> httpx.Response:
        target = urlsplit(request.extensions["target"].decode())
        if target.query:
            self.pages += 1
            return httpx.Response(200, stream=Page(self, target.query))
        if not target.path.endswith(audit_cursor_key(SETTINGS)):
            return httpx.Response(404)  # the sweep's cursor
        if request.method == "GET":
            return httpx.Response(200 if self.cursor else 404, stream=httpx.ByteStream(self.cursor))
        self.cursor = request.read() if request.method == "PUT" else b""
        return httpx.Response(200)

    def list_names(self, query: str) -> bytes:
        start_s = time.process_time()
        body = self._list(query)
        self.processor_s += time.process_time() - start_s
        return body

    def _list(self, query: str) -> bytes:
        parameters = {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}
        prefix, marker = parameters["prefix"], parameters["marker"]
        if prefix not in {"", RECEIPTS_FOLDER}:
            return b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
        first = 0
        if marker:
            start = len(RECEIPT_START if prefix else FOLDER)
            # A marker without the digest comes from the cursor: the receipt of that key is listed again.
            first = int(marker[start : start + 7]) + (not prefix or "!" in marker)
        numbers = range(first, min(first + NAMES_PER_PAGE, self.count))
        entries = map(build_receipt if prefix else build_recording, numbers)
        is_truncated = "true" if numbers.stop < self.count else "false"
        return (
            f"<ListBucketResult><IsTruncated>{is_truncated}</IsTruncated>{''.join(entries)}</ListBucketResult>"
        ).encode()


class Page(httpx.SyncByteStream):
    """A page that is made while it is read: like a socket, it does not keep what was read."""

    def __init__(self, cloud: Cloud, query: str) -> None:
        self._cloud = cloud
        self._query = query

    def __iter__(self) -> Iterator[bytes]:
        yield self._cloud.list_names(self._query)


def build_recording(number: int) -> str:
    return (
        f"<Contents><Key>{FOLDER}{number:07}{EXTENSION}</Key><LastModified>{UPLOADED}</LastModified>"
        f'<ETag>"{number:032x}"</ETag><Size>960000</Size><Owner><ID>1250000000</ID>'
        "<DisplayName>1250000000</DisplayName></Owner><StorageClass>STANDARD</StorageClass></Contents>"
    )


def build_receipt(number: int) -> str:
    identity = f"{RECORDINGS}\n{FOLDER}{number:07}{EXTENSION}\n{number:032x}"
    digest = hashlib.sha256(identity.encode()).hexdigest()[:32]
    return (
        f"<Contents><Key>{RECEIPT_START}{number:07}{RECEIPT_END}!{digest}</Key><LastModified>{DONE}</LastModified>"
        '<ETag>"0123456789abcdef0123456789abcdef"</ETag><Size>600</Size><Owner><ID>1250000000</ID>'
        "<DisplayName>1250000000</DisplayName></Owner><StorageClass>STANDARD</StorageClass></Contents>"
    )


class Clock:
    """The seconds of one invocation."""

    def __init__(self, cloud: Cloud, limit_s: float) -> None:
        self._cloud = cloud
        self._limit_s = limit_s - RESPONSE_MARGIN_S
        self._requests = cloud.requests
        self._processor_s = time.process_time() - cloud.processor_s

    def processor_s(self) -> float:
        return time.process_time() - self._cloud.processor_s - self._processor_s

    def elapsed_s(self) -> float:
        return (self._cloud.requests - self._requests) * REQUEST_S + self.processor_s()

    def remaining_s(self) -> float:
        return self._limit_s - self.elapsed_s()


def run_audit(cloud: Cloud, limit_s: float) -> dict[str, object]:
    """Run the sweep function's work for an audit, as `handlers/sweep.py` does."""
    requests, pages = cloud.requests, cloud.pages
    clock = Clock(cloud, limit_s)
    client = TencentClient(
        Credentials("AKIDEXAMPLE", "example"),
        remaining_s=clock.remaining_s,
        http_client=lambda: http_client,
    )
    ctx = build_context(client, SETTINGS, Logger({}, lambda _: None))
    ctx.now = lambda: NOW_S
    reconcile(ctx)
    summary = audit(ctx)
    return {
        "requests": cloud.requests - requests,
        "pages": cloud.pages - pages,
        "seconds": clock.elapsed_s(),
        "processor_s": clock.processor_s(),
        "is_last": not summary.stopped_early,
        "errors": summary.errors,
        "missing": sum(summary.counts.values()),
    }


cloud = Cloud(int(sys.argv[1]))
http_client = httpx.Client(transport=httpx.MockTransport(cloud.answer))
runs = [run_audit(cloud, float(sys.argv[2]))]
while not runs[-1]["is_last"]:
    if len(runs) > 1 + cloud.count // NAMES_PER_PAGE:
        sys.exit("the runs are too short to look at a recording")
    runs.append(run_audit(cloud, float(sys.argv[2])))
sys.stdout.write(json.dumps({"request_s": REQUEST_S, "runs": runs, "mib": peak_mib()}))
