"""The triggers of a serverless.yml, and whether they can live beside each other."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import combinations
from typing import Any

from localcloud.scf.cron import Cron
from localcloud.scf.deployment import CosTrigger, HttpTrigger, TimerTrigger, Trigger
from localcloud.scf.matching import is_event, overlap
from localcloud.scf.mistakes import Mistakes

_BUCKET_HOST = re.compile(r"([a-z0-9][a-z0-9-]*-(\d+))\.cos\.([a-z0-9-]+)\.myqcloud\.com")
_TIMER_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")
_MAX_ARGUMENT_BYTES = 4096
_MAX_TRIGGERS_OF_A_TYPE = 10
_PARAMETERS: Mapping[str, frozenset[str]] = {
    "cos": frozenset(("qualifier", "bucket", "events", "filter", "enable")),
    "http": frozenset(("qualifier", "name", "authType", "netConfig", "corsConfig", "enable")),
    "timer": frozenset(("name", "qualifier", "cronExpression", "argument", "enable")),
}


def read_triggers(
    listed: Any, functions: Collection[str], *, region: str, appid: str, mistakes: Mistakes
) -> tuple[Trigger, ...]:
    """Read `inputs.triggers`. Mistakes are written down, not raised."""
    triggers: list[Trigger] = []
    for number, item in enumerate(mistakes.items(listed, "inputs.triggers")):
        place = f"triggers[{number}]"
        entry = mistakes.mapping(item, place)
        mistakes.known(entry, ("type", "function", "parameters"), place)
        kind, function = entry.get("type"), entry.get("function")
        if not isinstance(function, str) or function not in functions:
            mistakes.add(f"{place}.function", f"{function!r} is none of {', '.join(sorted(functions))}")
            function = ""
        if not isinstance(kind, str) or kind not in _PARAMETERS:
            mistakes.add(f"{place}.type", f"{kind!r} cannot run here; cos, http and timer can")
            continue
        place = f"{place}.parameters"
        given = mistakes.mapping(entry.get("parameters"), place)
        mistakes.known(given, _PARAMETERS[kind], place)
        if kind == "cos":
            triggers.append(_cos(function, given, place, region=region, appid=appid, mistakes=mistakes))
        elif kind == "http":
            triggers.append(_http(function, given, place, mistakes))
        else:
            triggers.extend(_timer(function, given, place, mistakes))
    _check_together(triggers, mistakes)
    return tuple(triggers)


def _cos(
    function: str, given: Mapping[str, Any], place: str, *, region: str, appid: str, mistakes: Mistakes
) -> CosTrigger:
    host = mistakes.text(given.get("bucket"), f"{place}.bucket")
    parts = _BUCKET_HOST.fullmatch(host)
    if host and not parts:
        hint = " (an environment variable is not set)" if "undefined" in host else ""
        hint += " (one trigger takes one bucket)" if "," in host else ""
        mistakes.add(f"{place}.bucket", f"{host!r} must be <name>-<appid>.cos.<region>.myqcloud.com{hint}")
    if parts and parts[3] != region:
        mistakes.add(f"{place}.bucket", f"lies in {parts[3]}, but the functions run in {region}")
    if parts and parts[2] != appid:
        mistakes.add(f"{place}.bucket", f"belongs to account {parts[2]}, but this one is {appid}")
    pattern = mistakes.text(given.get("events"), f"{place}.events")
    if pattern and not is_event(pattern):
        mistakes.add(f"{place}.events", f"{pattern!r} is no event; cos:ObjectCreated:* is")
    wanted = mistakes.mapping(given.get("filter"), f"{place}.filter")
    mistakes.known(wanted, ("prefix", "suffix"), f"{place}.filter")
    prefix, suffix = wanted.get("prefix") or "", wanted.get("suffix") or ""
    if "*" in prefix + suffix:
        mistakes.add(f"{place}.filter", "prefix and suffix know no wildcards")
    if suffix and not suffix.startswith("."):
        mistakes.add(f"{place}.filter.suffix", f"{suffix!r} must begin with a dot")
    return CosTrigger(
        function=function,
        bucket=parts[1] if parts else "",
        region=parts[3] if parts else "",
        event_pattern=pattern,
        prefix=prefix,
        suffix=suffix,
        is_open=given.get("enable") is True,  # missing means closed: toolkit 2.27.6
    )


def _http(function: str, given: Mapping[str, Any], place: str, mistakes: Mistakes) -> HttpTrigger:
    auth = given.get("authType", "NONE")
    if auth not in ("NONE", "CAM"):
        mistakes.add(f"{place}.authType", f"{auth!r} is neither NONE nor CAM")
    net = mistakes.mapping(given.get("netConfig"), f"{place}.netConfig")
    mistakes.known(net, ("enableExtranet", "enableIntranet"), f"{place}.netConfig")
    if net.get("enableExtranet") is not True:
        mistakes.add(f"{place}.netConfig", "without enableExtranet: true the URL cannot be reached")
    return HttpTrigger(function, auth, is_open=given.get("enable", True) is True)


def _timer(function: str, given: Mapping[str, Any], place: str, mistakes: Mistakes) -> Sequence[TimerTrigger]:
    name = mistakes.text(given.get("name"), f"{place}.name")
    if name and not _TIMER_NAME.fullmatch(name):
        mistakes.add(f"{place}.name", f"{name!r} must have 1 to 60 letters, digits, - or _")
    argument = given.get("argument") or ""
    if not isinstance(argument, str) or len(argument.encode()) > _MAX_ARGUMENT_BYTES:
        mistakes.add(f"{place}.argument", f"must be a string of at most {_MAX_ARGUMENT_BYTES} bytes")
    expression = mistakes.text(given.get("cronExpression"), f"{place}.cronExpression")
    try:
        cron = Cron.parse(expression)
    except ValueError as error:
        if expression:
            mistakes.add(f"{place}.cronExpression", str(error))
        return ()
    return (TimerTrigger(function, name, cron, str(argument), is_open=given.get("enable") is True),)


def _check_together(triggers: Sequence[Trigger], mistakes: Mistakes) -> None:
    counts = Counter((trigger.function, type(trigger)) for trigger in triggers)
    for (function, kind), count in counts.items():
        most = 1 if kind is HttpTrigger else _MAX_TRIGGERS_OF_A_TYPE
        if count > most:
            mistakes.add(f"functions.{function}", f"{count} triggers of one type are more than {most}")
    timers = Counter(trigger.name for trigger in triggers if isinstance(trigger, TimerTrigger))
    for name, count in timers.items():
        if count > 1:
            mistakes.add("triggers", f"{count} timers are called {name!r}")
    # One rule of a bucket can belong to one function only; rules that overlap are refused. 583/9707
    rules = [trigger for trigger in triggers if isinstance(trigger, CosTrigger)]
    for one, other in combinations(rules, 2):
        if overlap(one, other):
            mistakes.add(
                "triggers", f"two rules of bucket {one.bucket} overlap ({one.function}, {other.function})"
            )
