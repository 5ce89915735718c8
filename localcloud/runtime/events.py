"""The events of COS and timer triggers, field by field as in real logs, and the matching of COS triggers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from localcloud.runtime.models import CosTrigger

# Short names as seen in events; those of other regions are not known, and callers must not rely on them.
_SHORT_REGIONS = {
    "ap-guangzhou": "gz",
    "ap-shanghai": "sh",
    "ap-beijing": "bj",
    "ap-chengdu": "cd",
}


@dataclass(frozen=True, slots=True)
class ObjectCreated:
    """An object was written.

    `event_name` is the concrete name, such as `cos:ObjectCreated:Put`; `bucket` is `name-appid`; `size` in
    bytes; `etag` without quotes; `metadata` under its full `x-cos-meta-` names; `time_s` is Unix time.
    """

    event_name: str
    bucket: str
    region: str
    key: str
    size: int
    etag: str
    content_type: str = "application/octet-stream"
    metadata: Mapping[str, str] = field(default_factory=dict)
    request_id: str = ""
    version_id: str = ""
    time_s: float = 0.0


def build_cos_event(created: ObjectCreated, *, function_name: str, namespace: str) -> dict[str, Any]:
    """Build the event of a COS trigger: one record, as in real logs of 2021 and 2022, not as in the documents' sample.

    The `key` is raw, the path of the `url` is percent-encoded.
    """
    name, _, appid = created.bucket.rpartition("-")
    host = f"{created.bucket}.cos.{created.region}.myqcloud.com"
    return {
        "Records": [
            {
                "cos": {
                    "cosSchemaVersion": "1.0",
                    "cosObject": {
                        "url": f"http://{host}/{quote(created.key, safe='/')}",
                        "meta": {
                            "x-cos-request-id": created.request_id,
                            "Content-Type": created.content_type,
                            "ETag": f'"{created.etag}"',
                            "x-cos-storage-class": "STANDARD",
                            **created.metadata,
                        },
                        "vid": created.version_id,
                        "key": f"/{appid}/{name}/{created.key}",
                        "size": created.size,
                    },
                    "cosBucket": {
                        "region": _SHORT_REGIONS.get(created.region, created.region.rpartition("-")[2][:2]),
                        "cosRegion": created.region,
                        "s3Region": created.region,
                        "name": name,
                        "appid": appid,
                    },
                    "cosNotificationId": "unkown",  # COS itself writes this text, with this spelling
                },
                "event": {
                    "eventName": created.event_name,
                    "eventVersion": "1.0",
                    "eventTime": int(created.time_s),
                    "eventSource": "qcs::cos",
                    "requestParameters": {
                        "requestSourceIP": "127.0.0.1",
                        # Real events contain the uploader's signature: never log whole events.
                        "requestHeaders": {"Authorization": "q-sign-algorithm=sha1&q-ak=AKIDofTheUploader"},
                    },
                    "eventQueue": (
                        f"qcs:0:scf:{created.region}:appid/{appid}:{namespace}.{function_name}.$DEFAULT"
                    ),
                    "reservedInfo": "",
                    "reqid": 0,
                },
            }
        ]
    }


def build_timer_event(name: str, moment: datetime, argument: str) -> dict[str, str]:
    """Build the event of a timer trigger; `moment` is UTC. SCF documents, 583/9708"""
    return {
        "Type": "Timer",
        "TriggerName": name,
        "Time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "Message": argument,
    }


# 583/9707, and Append from an older notification document
_EVENTS = re.compile(
    r"cos:ObjectCreated:(\*|Put|Post|Copy|CompleteMultipartUpload|Origin|Replication|Append)"
    r"|cos:ObjectRemove:(\*|Delete|DeleteMarkerCreated)|cos:ObjectRestore:(\*|Post|Completed)"
)


def matches(trigger: CosTrigger, created: ObjectCreated) -> bool:
    """Whether an event starts the trigger's function: bucket, event name, literal prefix and suffix. 583/9707"""
    return (
        trigger.enabled
        and trigger.bucket == created.bucket
        and trigger.region == created.region
        and event_names_overlap(trigger.event_pattern, created.event_name)
        and created.key.startswith(trigger.prefix)
        and created.key.endswith(trigger.suffix)
    )


def rules_overlap(first: CosTrigger, second: CosTrigger) -> bool:
    """Whether some event could match both rules; COS rejects two such rules of one bucket. 583/9707"""
    return (
        first.bucket == second.bucket
        and event_names_overlap(first.event_pattern, second.event_pattern)
        and (first.prefix.startswith(second.prefix) or second.prefix.startswith(first.prefix))
        and (first.suffix.endswith(second.suffix) or second.suffix.endswith(first.suffix))
    )


def is_cos_event(pattern: str) -> bool:
    """Whether a trigger can have this event name or pattern."""
    return bool(_EVENTS.fullmatch(pattern))


def event_names_overlap(first: str, second: str) -> bool:
    """Compare event names; `cos:ObjectCreated:*` means every event that creates an object."""
    if first.endswith("*") or second.endswith("*"):
        return first.rpartition(":")[0] == second.rpartition(":")[0]
    return first == second
