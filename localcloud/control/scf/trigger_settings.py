"""TriggerDesc of each type: what a caller may write, what starts a function here, and how it is read back.

Shapes: 583/39901 and 583/100227; the answers' differ from what was sent (bucketUrl, cron, the URLs).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.control.calls import Refusal
from localcloud.control.scf.given import Given
from localcloud.control.scf.records import Deployed, Trigger
from localcloud.scf import deployment, urls
from localcloud.scf.cron import Cron
from localcloud.scf.matching import is_event

_BAD_DESC, _BAD_NAME = "InvalidParameterValue.TriggerDesc", "InvalidParameterValue.TriggerName"
_HOST = re.compile(r"([a-z0-9][a-z0-9-]*-(\d+))\.cos\.([a-z0-9-]+)\.myqcloud\.com")
_TIMER_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")  # sdk, CreateTriggerRequest
_MOST_ARGUMENT_BYTES = 4096
_SWITCHES = ("EnableIntranet", "EnableExtranet")
_ADDRESSES = tuple(
    f"{kind}{side}{end}"
    for side in ("Intranet", "Extranet")
    for kind, end in (("", "Url"), ("", "HTTPUrl"), ("Wss", "Url"), ("Ws", "Url"))
)


@dataclass(frozen=True, slots=True)
class Region:
    """Where the functions run, and whose they are."""

    name: str
    appid: str


def accepted(kind: str, name: str, desc: str, where: Region) -> str:
    """A TriggerDesc as it is kept; two that mean the same are equal. Raises Refusal."""
    if kind == "cos":
        parts = _HOST.fullmatch(name)
        if parts is None:
            raise Refusal(_BAD_NAME, f"{name!r} is no <name>-<appid>.cos.<region>.myqcloud.com.")
        if (parts[2], parts[3]) != (where.appid, where.name):
            raise Refusal(
                "InvalidParameterValue.Cos",
                f"The bucket of {name} is not of account {where.appid} in {where.name}, as the function is.",
            )
        return _compact(_cos(desc))
    if kind == "timer":
        if not _TIMER_NAME.fullmatch(name):
            raise Refusal(_BAD_NAME, f"{name!r} must be 1 to 100 letters, digits, - or _.")
        return _cron(desc)
    if kind == "http":
        return _compact(_http(desc))
    raise Refusal(
        "InvalidParameterValue.Type", f"A trigger of type {kind!r} cannot run here; cos, timer, http can."
    )


def argument(kind: str, text: str) -> str:
    """A CustomArgument. Raises Refusal."""
    if text and (kind != "timer" or len(text.encode()) > _MOST_ARGUMENT_BYTES):
        raise Refusal(
            "InvalidParameterValue.CustomArgument",
            f"Only a timer takes a CustomArgument, of at most {_MOST_ARGUMENT_BYTES} bytes.",
        )
    return text


def running(function: Deployed, trigger: Trigger) -> deployment.Trigger:
    """As it starts the function here."""
    key = function.name
    if trigger.type == "timer":
        cron = Cron.parse(trigger.description)
        return deployment.TimerTrigger(key, trigger.name, cron, trigger.argument, is_open=trigger.is_open)
    desc = json.loads(trigger.description)
    if trigger.type == "http":
        is_open = trigger.is_open and desc["NetConfig"]["EnableExtranet"]
        return deployment.HttpTrigger(key, desc["AuthType"], is_open=is_open, urlid=trigger.urlid)
    bucket, _, region = trigger.name.removesuffix(".myqcloud.com").rpartition(".cos.")
    wanted = desc["filter"]
    return deployment.CosTrigger(
        key, bucket, region, desc["event"], wanted["Prefix"], wanted["Suffix"], is_open=trigger.is_open
    )


def read_back(function: Deployed, trigger: Trigger, where: Region) -> str:
    """TriggerDesc as GetFunction and ListTriggers show it."""
    if trigger.type == "timer":
        return _compact({"cron": trigger.description})
    desc = json.loads(trigger.description)
    if trigger.type == "cos":
        return _compact({"bucketUrl": trigger.name, **desc})
    desc["NetConfig"].update(_addresses(function, trigger, where, desc["NetConfig"]))
    return _compact(desc)


def _addresses(
    function: Deployed, trigger: Trigger, where: Region, switches: Mapping[str, bool]
) -> Mapping[str, str]:
    """Those that NetConfig holds in the CLI's example of ListTriggers; of WebSocket there is none here."""
    outside = urls.url_host(function.name, appid=where.appid, region=where.name, urlid=trigger.urlid)
    hosts = {"Extranet": outside, "Intranet": outside.replace(f".{where.name}.", f".in.{where.name}.")}
    found = dict.fromkeys(_ADDRESSES, "")
    for side, host in hosts.items():
        # A new address is not known at once.
        if switches[f"Enable{side}"] and time.time() >= trigger.addressed_s:
            found[f"{side}Url"], found[f"{side}HTTPUrl"] = f"https://{host}", f"http://{host}"
    return found


def _cos(text: str) -> dict[str, Any]:
    given = Given(_json(text), ("event", "filter", "bucketUrl"), "TriggerDesc.")
    event = given.text("event", code=_BAD_DESC)
    if not is_event(event):
        raise Refusal(_BAD_DESC, f"{event!r} is no event; cos:ObjectCreated:* is.")
    wanted = given.inner("filter", ("Prefix", "Suffix"), code=_BAD_DESC)
    prefix, suffix = (wanted.text(name, "", code=_BAD_DESC) for name in ("Prefix", "Suffix"))
    if "*" in prefix + suffix or (suffix and not suffix.startswith(".")):
        raise Refusal(_BAD_DESC, "Prefix and Suffix know no wildcards, and a Suffix begins with a dot.")
    return {"event": event, "filter": {"Prefix": prefix, "Suffix": suffix}}


def _cron(text: str) -> str:
    # As it is sent, or as it was read back.
    expression = Given(_json(text), ("cron",)).text("cron", code=_BAD_DESC) if text.startswith("{") else text
    try:
        Cron.parse(expression)
    except ValueError as error:
        raise Refusal(_BAD_DESC, f"{error}.") from None
    return " ".join(expression.split())


def _http(text: str) -> dict[str, Any]:
    # ApiGwCompatible and EnableSimpleMode are seen in public projects; nothing says what they mean.
    desc = _json(text)
    given = Given(
        desc, ("AuthType", "NetConfig", "CorsConfig", "ApiGwCompatible", "EnableSimpleMode"), "TriggerDesc."
    )
    auth = given.text("AuthType", code=_BAD_DESC)
    if auth not in ("NONE", "CAM"):
        raise Refusal(_BAD_DESC, f"AuthType is NONE or CAM, not {auth!r}.")
    net = desc.get("NetConfig") or {}
    given.inner("NetConfig", (*_SWITCHES, *_ADDRESSES), code=_BAD_DESC)
    switches = {name: net.get(name, False) for name in _SWITCHES}
    if not all(isinstance(value, bool) for value in switches.values()):
        raise Refusal(_BAD_DESC, "EnableIntranet and EnableExtranet are true or false.")
    return {**desc, "AuthType": auth, "NetConfig": switches}


def _json(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Refusal(_BAD_DESC, "TriggerDesc is no JSON object.")
    return found


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
