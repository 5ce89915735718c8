"""Which COS trigger an object's event fits. Rules: SCF documents, 583/9707."""

from localcloud.scf.deployment import CosTrigger
from localcloud.scf.events import ObjectCreated


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


def is_same_event(one: str, other: str) -> bool:
    """Compare event names, where `cos:ObjectCreated:*` stands for everything that creates an object."""
    if one.endswith("*") or other.endswith("*"):
        return one.rpartition(":")[0] == other.rpartition(":")[0]
    return one == other
