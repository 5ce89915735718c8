"""Another user of the same account: what they may do is a policy, and everything they do is signed with their key."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cli.local.emulator import APPID, INPUT_BUCKET, OUTPUT_BUCKET, REGION
from cli.policy.permissions import CI_ROLE, FUNCTIONS
from shared.tencent.auth import Credentials
from shared.tencent.client import TencentClient
from shared.tencent.cos import CosClient
from shared.tencent.speech import SpeechClient
from shared.tencent.speech_models import Job, JobFilter, JobRequest
from tests.helpers.flow import Flow
from tests.helpers.permissions import UIN

_INPUT = f"qcs::cos:{REGION}:uid/{APPID}:{INPUT_BUCKET}/*"
_OUTPUT = f"qcs::cos:{REGION}:uid/{APPID}:{OUTPUT_BUCKET}/*"
_SPEECH = f"qcs::ci:{REGION}:uid/{APPID}:bucket/{INPUT_BUCKET}/*"
_ROLE = f"qcs::cam::uin/{UIN}:roleName/{CI_ROLE}"

MAY_UPLOAD = (("cos:PutObject", _INPUT),)
# Submits, lists and reads jobs, and sees the names of all objects; cannot read the output bucket.
MAY_SUBMIT = (
    *MAY_UPLOAD,
    ("cos:GetBucket", _INPUT),
    ("cos:GetBucket", _OUTPUT),
    ("ci:CreateAsrJobs", _SPEECH),
    ("ci:DescribeAsrJobs", _SPEECH),
    ("ci:DescribeAsrJob", _SPEECH),
    ("cam:PassRole", _ROLE),
)


@dataclass(frozen=True)
class Neighbour:
    """A user with a key of their own."""

    cos: CosClient
    speech: SpeechClient

    @classmethod
    def create(cls, flow: Flow, permissions: Iterable[tuple[str, str]]) -> Neighbour:
        """Create a key that has these permissions, as (action, resource)."""
        statements = [
            {"effect": "allow", "action": [action], "resource": [resource]}
            for action, resource in permissions
        ]
        key: dict[str, Any] = flow.admin(
            "POST", "keys", {"policies": [{"version": "2.0", "statement": statements}]}
        )
        credentials = Credentials(key["secret_id"], key["secret_key"], key["token"])
        client = TencentClient(credentials, endpoint=flow.pipeline.emulator.endpoint)
        return cls(CosClient(client, REGION), SpeechClient(client, REGION))

    def submit(self, request: JobRequest) -> str:
        """Submit a job in the input bucket; return its id."""
        return self.speech.create_job(INPUT_BUCKET, request).job_id

    def find_job(self, key: str) -> Job:
        """Find the oldest job of a recording in the list of jobs, which shows what it was asked to do."""
        page = self.speech.list_jobs(INPUT_BUCKET, JobFilter(newest_first=False))
        return next(job for job in page.jobs if job.input_key.removeprefix("/") == key)

    def copy_request(self, key: str) -> JobRequest:
        """Build the request of that job again."""
        job = self.find_job(key)
        return JobRequest(
            input_key=key,
            output_bucket=job.output_bucket or OUTPUT_BUCKET,
            output_region=REGION,
            output_key=job.output_key,
            engine=job.engine,
            channels=job.channels,
            user_data=job.user_data,
        )


def count_own_submits(flow: Flow) -> int:
    """Count the jobs that the functions submitted, which is what they pay for."""
    rows = flow.admin("GET", "requests?since=0")
    return sum(
        row["action"] == "ci:CreateAsrJobs"
        and row["function"] in FUNCTIONS
        and (row["status"] == 200 or row["fault"] == "killed_after_request")
        for row in rows
    )


def list_hosts(flow: Flow) -> set[str]:
    """List the hosts of all requests, also of those that the stand-in has no such host for, except function URLs."""
    hosts = {row["host"] for row in flow.admin("GET", "requests?since=0")}
    return {host for host in hosts if not host.endswith(".tencentscf.com")}
