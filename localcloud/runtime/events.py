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
class CosEvent:
    """An object was written or restored.

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
    storage_class: str = "STANDARD"
    time_s: float = 0.0


def build_cos_event(event: CosEvent, *, function_name: str, namespace: str) -> dict[str, Any]:
    """Build the event of a COS trigger: one record, as in real logs of 2021 and 2022, not as in the documents' sample.

    The `key` is raw, the path of the `url` is percent-encoded.
    """
    name, _, appid = event.bucket.rpartition("-")
    host = f"{event.bucket}.cos.{event.region}.myqcloud.com"
    return {
        "Records": [
            {
                "cos": {
                    "cosSchemaVersion": "1.0",
                    "cosObject": {
                        "url": f"http://{host}/{quote(event.key, safe='/')}",
                        "meta": {
                            "x-cos-request-id": event.request_id,
                            "Content-Type": event.content_type,
                            "ETag": f'"{event.etag}"',
                            "x-cos-storage-class": event.storage_class,
                            **event.metadata,
                        },
                        "vid": event.version_id,
                        "key": f"/{appid}/{name}/{event.key}",
                        "size": event.size,
                    },
                    "cosBucket": {
                        "region": _SHORT_REGIONS.get(event.region, event.region.rpartition("-")[2][:2]),
                        "cosRegion": event.region,
                        "s3Region": event.region,
                        "name": name,
                        "appid": appid,
                    },
                    "cosNotificationId": "unkown",  # COS itself writes this text, with this spelling
                },
                "event": {
                    "eventName": event.event_name,
                    "eventVersion": "1.0",
                    "eventTime": int(event.time_s),
                    "eventSource": "qcs::cos",
                    "requestParameters": {
                        "requestSourceIP": "127.0.0.1",
                        # Real events contain the uploader's signature: never log whole events.
                        "requestHeaders": {"Authorization": "q-sign-algorithm=sha1&q-ak=AKIDofTheUploader"},
                    },
                    "eventQueue": (
                        f"qcs:0:scf:{event.region}:appid/{appid}:{namespace}.{function_name}.$DEFAULT"
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


def matches(trigger: CosTrigger, event: CosEvent) -> bool:
    """Whether an event starts the trigger's function: bucket, event name, literal prefix and suffix. 583/9707"""
    return (
        trigger.enabled
        and trigger.bucket == event.bucket
        and trigger.region == event.region
        and event_names_overlap(trigger.event_pattern, event.event_name)
        and event.key.startswith(trigger.prefix)
        and event.key.endswith(trigger.suffix)
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
