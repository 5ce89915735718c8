"""A hostile neighbour: another program in the account that may submit and list jobs in the same input bucket.

Its jobs carry UserData of Scribe's jobs: receipt ids, which it computes from bucket, key and ETag; nonces, which it
reads in the names of claims; or copies from jobs that it sees in the job list. It also posts to the callback's URL.
It may not write anything of Scribe's.
"""

from __future__ import annotations

import hashlib
import secrets
import string
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from random import Random
from typing import Any, NamedTuple
from urllib.parse import quote
from xml.sax.saxutils import escape

import httpx

from cli.local.emulator import APPID, CALLBACK_TOKEN, ENGINE, INPUT_BUCKET, REGION
from shared.errors import CloudError
from shared.tencent.auth import Credentials
from shared.tencent.client import Request, RetryPolicy, TencentClient
from shared.tencent.cos import CosClient
from shared.tencent.speech import SpeechClient
from shared.tencent.speech_models import JobFilter
from tests.chaos.cloud import CALL_TIMEOUT_S, Cloud
from tests.chaos.deployment import Place

BUCKET = f"neighbour-{APPID}"  # its own
FORGED_TEXT = "forged words of a neighbour"
_POLL_INTERVAL_S = 0.1
_MAX_QUEUE_WAIT_S = 0.2
_RETRY_PAUSE_S = 0.1
_JOBS_PER_CANCELLATION = 10  # more than run at once, so that the last ones still wait
_ALPHANUMERIC = string.ascii_letters + string.digits
_FORGE_RATE, _COPY_RATE, _POST_RATE = 0.4, 0.6, 0.3


class Target(NamedTuple):
    """A recording that it attacks."""

    key: str
    etag: str


class ForgedJob(NamedTuple):
    """How a forged job differs from Scribe's own, beside the output bucket, which is the neighbour's.

    `source` is where its recording comes from, `output` another key of the result.
    """

    source: str = "the recording"
    engine: str = ENGINE
    channels: int = 1
    output: str = ""
    fails: bool = False
    is_cancelled: bool = False


FORGED_JOBS = {
    "the same in everything": ForgedJob(),
    "other words": ForgedJob(source="its bucket"),
    "another object": ForgedJob(source="another recording"),
    "another engine": ForgedJob(engine="16k_zh"),
    "two channels": ForgedJob(engine="8k_en", channels=2),
    "another output": ForgedJob(source="its bucket", output="out/text.txt"),
    "one that fails": ForgedJob(fails=True),
    "one without audio": ForgedJob(source="its bucket without audio"),
    "one that is cancelled": ForgedJob(is_cancelled=True),
}
_WEIGHTS = {name: 1 if kind.is_cancelled else 6 for name, kind in FORGED_JOBS.items()} | {"other words": 12}


@dataclass(slots=True)
class Hostility:
    """What the neighbours did in a run.

    `jobs` and `posts` are counted by kind. `open_doors`: posts without the token that were not answered with 403.
    `planted`: objects below STATE_PREFIX by their name there, and `planted_ids` the receipt ids in and around them.
    """

    jobs: Counter[str] = field(default_factory=Counter)
    posts: Counter[str] = field(default_factory=Counter)
    open_doors: list[str] = field(default_factory=list)
    planted: dict[str, bytes] = field(default_factory=dict)
    planted_ids: set[str] = field(default_factory=set)

    def is_planted(self, name: str) -> bool:
        """Whether an object below STATE_PREFIX was planted, or continues what was planted."""
        return name in self.planted or name.partition("/")[2].partition(".")[0] in self.planted_ids


def compute_receipt_id(bucket: str, key: str, etag: str) -> str:
    """Compute a receipt's id as anyone can who reads docs/architecture.md; the product's own code is not used."""
    digest = hashlib.sha256(f"{bucket}\n{key}\n{etag}".encode()).hexdigest()[:32]
    return f"{bucket}/{''.join(map(_escape, key.encode()[:180]))}!{digest}"


def _escape(byte: int) -> str:
    char = chr(byte)
    if char in _ALPHANUMERIC:
        return char
    lead = "-" if char < "0" else "=" if char < "A" else "_" if char < "a" else "~"
    return f"{lead}{byte:02X}"


def build_policy(output_bucket: str) -> dict[str, Any]:
    """Build what the neighbour may do: its own bucket, jobs of the input bucket, names of both buckets of Scribe."""
    ci_actions = ("CreateAsrJobs", "DescribeAsrJobs", "DescribeAsrJob", "CancelMediaJob")
    return build_document(
        ([f"ci:{action}" for action in ci_actions], f"qcs::ci:{REGION}:uid/{APPID}:bucket/{INPUT_BUCKET}/*"),
        (["cam:PassRole"], "qcs::cam::uin/100000000001:roleName/CI_QCSRole"),
        (["cos:GetBucket"], build_cos_resource(INPUT_BUCKET)),
        (["cos:GetBucket"], build_cos_resource(output_bucket)),
        (["cos:*"], build_cos_resource(BUCKET)),
    )


def build_document(*statements: tuple[list[str], str]) -> dict[str, Any]:
    """Build a policy from actions and their resource."""
    return {
        "version": "2.0",
        "statement": [
            {"effect": "allow", "action": [f"name/{action}" for action in actions], "resource": [resource]}
            for actions, resource in statements
        ],
    }


def build_cos_resource(bucket: str, prefix: str = "") -> str:
    """Build the resource of all objects of a bucket below a prefix."""
    return f"qcs::cos:{REGION}:uid/{APPID}:{bucket}/{prefix}*"


def create_client(cloud: Cloud, policy: dict[str, Any]) -> TencentClient:
    """Create a client with a new key that may do only this."""
    key = cloud.issue_key(policy)
    credentials = Credentials(key["secret_id"], key["secret_key"], key["token"])
    return TencentClient(credentials, endpoint=cloud.pipeline.emulator.endpoint)


class Neighbour:
    """Attacks each recording that is about to be uploaded, and each job that appears in the job list."""

    def __init__(
        self,
        cloud: Cloud,
        output_bucket: str,
        place: Place,
        seed: int,
        hostility: Hostility,
        record_step: Callable[[str, str], None],
    ) -> None:
        client = create_client(cloud, build_policy(output_bucket))
        self._cloud = cloud
        self._client = client
        self._cos = CosClient(client, REGION)
        self._speech = SpeechClient(client, REGION)
        self._output_bucket = output_bucket
        self._state_prefix = place.state_prefix
        self._seed = seed
        self._hostility = hostility
        self._record_step = record_step
        self._targets: SimpleQueue[Target] = SimpleQueue()
        self._keys: dict[str, str] = {}  # by receipt id, of the recordings so far
        self._own_jobs: set[str] = set()
        self._copied: set[str] = set()
        self._stop = threading.Event()

    def expect(self, key: str, etag: str) -> None:
        """Attack a recording that is about to be uploaded: its name and content can be guessed."""
        self._targets.put(Target(key, etag))

    @contextmanager
    def running(self) -> Iterator[None]:
        """Attack until the block ends; then finish the attacks on the recordings so far."""
        self._cloud.pipeline.clients.ensure_bucket(BUCKET)
        with ThreadPoolExecutor(2) as threads:
            futures = [threads.submit(self._attack_targets), threads.submit(self._copy_what_is_visible)]
            try:
                yield
            finally:
                self._stop.set()
            for future in futures:
                future.result()

    def _attack_targets(self) -> None:
        while True:
            try:
                target = self._targets.get(timeout=_MAX_QUEUE_WAIT_S)
            except Empty:
                if self._stop.is_set():
                    return
                continue
            random = Random(f"{self._seed} {target}")  # noqa: S311 - repeatable, not a secret
            receipt_id = compute_receipt_id(INPUT_BUCKET, *target)
            if random.random() < _FORGE_RATE:
                user_data = random.choice((receipt_id, receipt_id, f"{receipt_id}#{secrets.token_hex(16)}"))
                self._forge(random, target.key, user_data, "with a computed id")
            if random.random() < _POST_RATE:
                self._post(random, f"s{secrets.token_hex(16)}", target.key)
            self._keys[receipt_id] = target.key

    def _copy_what_is_visible(self) -> None:
        while not self._stop.wait(_POLL_INTERVAL_S):
            with suppress(CloudError):
                self._copy_jobs()
                self._copy_nonces()

    def _copy_jobs(self) -> None:
        """Submit jobs with the UserData of jobs that it sees, and post notifications about those."""
        for job in self._speech.list_jobs(INPUT_BUCKET, JobFilter()).jobs:
            if job.job_id in self._own_jobs | self._copied or not job.user_data:
                continue
            self._copied.add(job.job_id)
            random = Random(f"{self._seed} {job.input_key} {len(self._copied)}")  # noqa: S311
            if random.random() < _COPY_RATE and job.user_data.startswith(INPUT_BUCKET):
                self._forge(random, job.input_key, job.user_data, "with copied UserData")
            if random.random() < _POST_RATE:
                self._post(random, job.job_id, job.input_key)

    def _copy_nonces(self) -> None:
        """Submit jobs with the nonces in the names of claims: they are no secrets."""
        prefix = f"{self._state_prefix}claim/"
        for item in self._cos.iter_objects(self._output_bucket, prefix=prefix):
            name = item.key.removeprefix(prefix)
            receipt_id, nonce = name.partition(".")[0], name.rpartition("-")[2]
            if name in self._copied or receipt_id not in self._keys:
                continue
            self._copied.add(name)
            random = Random(f"{self._seed} {name}")  # noqa: S311 - repeatable, not a secret
            self._forge(random, self._keys[receipt_id], f"{receipt_id}#{nonce}", "with the nonce of a claim")

    def _forge(self, random: Random, key: str, user_data: str, how: str, tries: int = 3) -> None:
        """Submit one forged job, and sometimes post a notification about it."""
        name = random.choices(tuple(_WEIGHTS), tuple(_WEIGHTS.values()))[0]
        kind = FORGED_JOBS[name]
        try:
            body = self._prepare(random, kind, key, user_data)
            job_ids = [self._submit(body) for _ in range(_JOBS_PER_CANCELLATION if kind.is_cancelled else 1)]
            if kind.is_cancelled:
                self._cancel(job_ids[-1])
        except CloudError as error:  # such as an object that is not uploaded yet, or an injected fault
            if tries > 1 and not self._stop.wait(_RETRY_PAUSE_S):
                self._forge(random, key, user_data, how, tries - 1)
                return
            self._hostility.jobs[f"not accepted, {how}"] += 1
            self._record_step(key, f"forged job, {name}, {how}: {error}")
            return
        self._hostility.jobs[f"{name}, {how}"] += 1
        self._record_step(key, f"forged job, {name}, {how}: {' '.join(job_ids)} {user_data}")
        if random.random() < _POST_RATE:
            self._post(random, job_ids[-1], key)

    def _prepare(self, random: Random, kind: ForgedJob, key: str, user_data: str) -> bytes:
        """Store the neighbour's own recording, if it needs one, and build the body of the submit."""
        source = f"<Object>{_escape_xml(key)}</Object>"
        if kind.source == "another recording" and self._keys:
            source = f"<Object>{_escape_xml(random.choice(tuple(self._keys.values())))}</Object>"
        elif kind.source.startswith("its bucket"):
            is_audio = kind.source == "its bucket"
            self._cos.put(BUCKET, key, b"speech " * 50 if is_audio else b"NOT AUDIO")
            self._cos.put(BUCKET, f"{key}.transcript.txt", FORGED_TEXT.encode())
            url = f"https://{BUCKET}.cos.{REGION}.myqcloud.com/{quote(key)}"
            source = f"<Url>{_escape_xml(url)}</Url>"
        bucket = f"nowhere-{APPID}" if kind.fails else BUCKET
        # In its own bucket it may write the same name as Scribe's jobs do.
        output = kind.output or f"{self._state_prefix}raw/{user_data.partition('#')[0]}.txt"
        return (
            f"<Request><Tag>SpeechRecognition</Tag><Input>{source}</Input><Operation><SpeechRecognition>"
            f"<EngineModelType>{kind.engine}</EngineModelType><ChannelNum>{kind.channels}</ChannelNum>"
            "<ResTextFormat>2</ResTextFormat><ConvertNumMode>1</ConvertNumMode></SpeechRecognition>"
            f"<Output><Region>{REGION}</Region><Bucket>{bucket}</Bucket><Object>{output}</Object></Output>"
            f"<UserData>{_escape_xml(user_data)}</UserData></Operation></Request>"
        ).encode()

    def _submit(self, body: bytes) -> str:
        """Submit a job and return its id. Raises CloudError."""
        response = self._send("POST", "/asr_jobs", body=body)
        job_id = response.partition("<JobId>")[2].partition("</JobId>")[0]
        self._own_jobs.add(job_id)
        return job_id

    def _cancel(self, job_id: str) -> None:
        with suppress(CloudError):  # it runs already
            self._send("PUT", f"/jobs/{job_id}", parameters=(("cancel", ""),))
            self._hostility.jobs["cancelled in time"] += 1

    def _send(
        self, method: str, path: str, *, parameters: tuple[tuple[str, str], ...] = (), body: bytes = b""
    ) -> str:
        host = f"{INPUT_BUCKET}.ci.{REGION}.myqcloud.com"
        request = Request(method, host, path, path, parameters, body=body, retry=RetryPolicy.NON_IDEMPOTENT)
        return self._client.send(request).body.decode("utf-8", "replace")

    def _post(self, random: Random, job_id: str, key: str) -> None:
        """Post a notification with forged words to the callback's URL, with its token or without."""
        has_token = random.random() < 0.5
        wrong_paths = (
            "/",
            "/callback",
            f"/{CALLBACK_TOKEN[:-1]}",
            f"/{CALLBACK_TOKEN}/x",
            f"/?{CALLBACK_TOKEN}",
        )
        path = f"/{CALLBACK_TOKEN}" if has_token else random.choice(wrong_paths)
        body = (
            "<Response><EventName>TaskFinish</EventName><JobsDetail><Code>Success</Code>"
            f"<State>{random.choice(('Success', 'Failed', 'Cancel'))}</State><Tag>SpeechRecognition</Tag>"
            f"<JobId>{job_id}</JobId><Input><BucketId>{INPUT_BUCKET}</BucketId><Object>{_escape_xml(key)}</Object>"
            "</Input><Operation><SpeechRecognitionResult><AudioTime>1</AudioTime>"
            f"<Result>[0:0.000,0:1.000]  {FORGED_TEXT}</Result></SpeechRecognitionResult></Operation></JobsDetail>"
            "</Response>"
        )
        emulator = self._cloud.pipeline.emulator
        host = httpx.URL(emulator.callback_url).host
        response = self._cloud.client.post(path, content=body, headers={"Host": host}, timeout=CALL_TIMEOUT_S)
        self._hostility.posts["with the token" if has_token else "without the token"] += 1
        if not has_token and response.status_code != httpx.codes.FORBIDDEN:
            self._hostility.open_doors.append(f"{path} is answered with {response.status_code}")


def _escape_xml(text: str) -> str:
    return escape(text, {"\n": "&#10;"})
