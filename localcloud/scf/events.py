"""What functions are called with: the raw events of the cloud, field by field as real logs show them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

# Short names as seen in events; others are not known, and no caller may rely on them.
_SHORT_REGIONS = {
    "ap-guangzhou": "gz",
    "ap-shanghai": "sh",
    "ap-beijing": "bj",
    "ap-chengdu": "cd",
}


@dataclass(frozen=True, slots=True)
class ObjectCreated:
    """An object was written, by whomever.

    `event_name` is the concrete one, such as `cos:ObjectCreated:Put`; `bucket` is `name-appid`; `size` in
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


def cos_event(created: ObjectCreated, *, function_name: str, namespace: str) -> dict[str, Any]:
    """Build the event of a COS trigger: one record, as in real logs rather than in the documents' sample.

    The `key` is raw, the path of the `url` percent-encoded. scf.md 2.3, from logs of 2021 and 2022
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
                    "cosNotificationId": "unkown",  # misspelt by COS itself, and no id
                },
                "event": {
                    "eventName": created.event_name,
                    "eventVersion": "1.0",
                    "eventTime": int(created.time_s),
                    "eventSource": "qcs::cos",
                    "requestParameters": {
                        "requestSourceIP": "127.0.0.1",
                        # The uploader's signature really is in the event: nobody should log events whole.
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


def timer_event(name: str, moment: datetime, argument: str) -> dict[str, str]:
    """Build the event of a timer trigger; `moment` is UTC. SCF documents, 583/9708"""
    return {
        "Type": "Timer",
        "TriggerName": name,
        "Time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "Message": argument,
    }
