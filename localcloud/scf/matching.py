"""Which COS trigger an object's event fits. Rules: SCF documents, 583/9707."""

import re

from localcloud.scf.deployment import CosTrigger
from localcloud.scf.events import ObjectCreated

# 583/9707, and Append from an older notification document
_EVENTS = re.compile(
    r"cos:ObjectCreated:(\*|Put|Post|Copy|CompleteMultipartUpload|Origin|Replication|Append)"
    r"|cos:ObjectRemove:(\*|Delete|DeleteMarkerCreated)|cos:ObjectRestore:(\*|Post|Completed)"
)


def fits(trigger: CosTrigger, created: ObjectCreated) -> bool:
    """Say whether the event starts the trigger's function: bucket, event name, prefix and suffix, literally."""
    return (
        trigger.is_open
        and trigger.bucket == created.bucket
        and trigger.region == created.region
        and is_same_event(trigger.event_pattern, created.event_name)
        and created.key.startswith(trigger.prefix)
        and created.key.endswith(trigger.suffix)
    )


def overlap(one: CosTrigger, other: CosTrigger) -> bool:
    """Say whether some object's event could fit both: one bucket does not take two such rules. 583/9707"""
    return (
        one.bucket == other.bucket
        and is_same_event(one.event_pattern, other.event_pattern)
        and (one.prefix.startswith(other.prefix) or other.prefix.startswith(one.prefix))
        and (one.suffix.endswith(other.suffix) or other.suffix.endswith(one.suffix))
    )


def is_event(pattern: str) -> bool:
    """Say whether a trigger can name this event."""
    return bool(_EVENTS.fullmatch(pattern))


def is_same_event(one: str, other: str) -> bool:
    """Compare event names, where `cos:ObjectCreated:*` stands for everything that creates an object."""
    if one.endswith("*") or other.endswith("*"):
        return one.rpartition(":")[0] == other.rpartition(":")[0]
    return one == other
