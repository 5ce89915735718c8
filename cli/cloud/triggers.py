"""What wakes a function, as the control plane tells it, and whether that is what was asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cli.manifest.models import TriggerSpec

# How the names of what the service adds to an http trigger's NetConfig end: ExtranetUrl and more (583/100227), of which
# there are more than the documents name, such as ExtranetHTTPUrl and WsIntranetUrl.
_ADDRESS = "url"


@dataclass(frozen=True, slots=True)
class FoundTrigger:
    """One trigger. `description` is the cron expression of a timer, else compact JSON with its keys in order.

    `url` is the public address of an http trigger, "" where there is none. `sent_description` is the service's own
    text, which a change or deletion of a COS trigger has to repeat.
    """

    type: str
    name: str
    description: str
    qualifier: str
    is_open: bool
    argument: str = ""
    url: str = ""
    sent_description: str = field(default="", repr=False, compare=False)

    def matches(self, wanted: TriggerSpec) -> bool:
        """Whether this does what is wanted, apart from being open.

        The service adds members of its own (addresses, defaults): only what is asked for is compared.
        """
        if (self.type, self.qualifier) != (wanted.type, wanted.qualifier):
            return False
        if self.type == "timer":
            told = (self.name, " ".join(self.description.split()), self.argument)
            return told == (wanted.name, " ".join(wanted.description.split()), wanted.argument)
        # The service names http triggers itself (SCF document 583/100227).
        return (self.type == "http" or self.name == wanted.name) and _holds(
            _members(self.description), _members(wanted.description)
        )


def found_trigger(told: Mapping[str, Any]) -> FoundTrigger:
    """A trigger from a `TriggerInfo` of ListTriggers or GetFunction."""
    kind = str(told.get("Type") or "")
    sent = str(told.get("TriggerDesc") or "")
    members = _members(sent)
    network = members.get("NetConfig")
    url = str(network.get("ExtranetUrl") or "") if isinstance(network, dict) else ""
    return FoundTrigger(
        type=kind,
        name=str(told.get("TriggerName") or ""),
        description=_description(kind, sent, members),
        qualifier=str(told.get("Qualifier") or ""),
        # The API tells 1 or 0, and takes OPEN or CLOSE.
        is_open=told.get("Enable") in {1, "1", "OPEN"},
        argument=str(told.get("CustomArgument") or ""),
        url=url,
        sent_description=sent,
    )


def _description(kind: str, sent: str, members: Mapping[str, Any]) -> str:
    if kind == "timer":
        # Sent as a bare expression, told as {"cron": "..."}.
        return str(members.get("cron") or sent)
    if not members:
        return sent
    kept = {name: value for name, value in members.items() if name != "bucketUrl"}  # the trigger's name again
    if isinstance(kept.get("NetConfig"), dict):
        kept["NetConfig"] = {
            name: value for name, value in kept["NetConfig"].items() if not name.lower().endswith(_ADDRESS)
        }
    return json.dumps(kept, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _members(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _holds(found: Any, wanted: Any) -> bool:
    """Whether everything wanted is found. An empty text equals one that is left out: prefix and suffix of COS."""
    if isinstance(wanted, dict):
        there = found if isinstance(found, dict) else {}
        return all(_holds(there.get(name), value) for name, value in wanted.items())
    return bool(found == wanted) or (wanted == "" and found is None)
