"""What a CI request needs.

Actions and levels: CI "Authorization granularity" 1045/49896; the resource of a policy is
`qcs::ci:<region>:uid/<appid>:bucket/<bucket>/*`. Calls about all buckets are on the level of the API.
"""

from __future__ import annotations

from localcloud.access.control_needs import pass_role
from localcloud.access.documents import Need
from localcloud.asked import Asked
from localcloud.hosts import Service

SERVICE_ROLE = "CI_QCSRole"

_ABOUT_ALL = {"/asrbucket": "DescribeAsrBuckets", "/ai_bucket": "DescribeAiProcessBucket"}
# (method, first part of the path, whether more follows) -> action
_ABOUT_ONE = {
    ("POST", "asrbucket", False): "CreateAsrBucket",
    ("DELETE", "asrbucket", False): "DeleteAsrBucket",
    ("GET", "asrqueue", False): "DescribeAsrQueues",
    ("PUT", "asrqueue", True): "UpdateAsrQueue",
    ("GET", "queue", False): "DescribeMediaQueues",
    ("PUT", "queue", True): "UpdateMediaQueue",
    ("POST", "asr_jobs", False): "CreateAsrJobs",
    ("GET", "asr_jobs", False): "DescribeAsrJobs",
    ("GET", "asr_jobs", True): "DescribeAsrJob",
    ("POST", "jobs", False): "CreateAsrJobs",
    ("GET", "jobs", False): "DescribeMediaJobs",
    ("GET", "jobs", True): "DescribeMediaJob",
    ("PUT", "jobs", True): "CancelMediaJob",
    ("POST", "template", False): "CreateMediaTemplate",
    ("PUT", "template", True): "UpdateMediaTemplate",
    ("GET", "template", False): "DescribeMediaTemplates",
    ("DELETE", "template", True): "DeleteMediaTemplate",
}


def needs_of_ci(asked: Asked, appid: str) -> tuple[Need, ...]:
    """What it needs, the request itself first; whoever submits a job hands CI's own role to it (D-SUBMIT)."""
    if asked.place.service is Service.CI:
        name = _ABOUT_ALL.get(asked.path) if asked.method == "GET" else None
        return (Need(f"ci:{name or '*'}"),)
    _, first, *rest = asked.path.split("/", 2)
    # What the rest is called (the tables of hot words) is unconfirmed: only a grant of everything covers that.
    name = _ABOUT_ONE.get((asked.method, first, bool(rest and rest[0])), "*")
    resource = f"qcs::ci:{asked.place.region}:uid/{appid}:bucket/{asked.place.bucket}/"
    need = Need(f"ci:{name}", resource)
    return (need, pass_role(SERVICE_ROLE)) if name == "CreateAsrJobs" else (need,)
