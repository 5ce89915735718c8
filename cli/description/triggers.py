"""The triggers of serverless.yml, in the API's terms."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from itertools import combinations
from typing import Any

from cli.description.cron import wrong_cron
from cli.description.mistakes import Mistakes, Place
from cli.description.wanted import WantedTrigger

URL_TRIGGER = "url-trigger"  # as Tencent's toolkit calls it; the cloud gives a name of its own
_HOST = re.compile(r"(.+)\.cos\.([a-z0-9-]+)\.myqcloud\.com")


def read_triggers(
    listed: list[Mapping[str, Any]], functions: Collection[str], region: str, mistakes: Mistakes
) -> tuple[WantedTrigger, ...]:
    """Every trigger. A cos trigger whose bucket is a comma list, as INPUT_BUCKETS may be, is one for each bucket."""
    triggers: list[WantedTrigger] = []
    for number, item in enumerate(listed):
        place: Place = ("inputs", "triggers", number)
        if item["function"] not in functions:
            mistakes.add(
                (*place, "function"), f"is {item['function']!r}; write one of {', '.join(functions)}"
            )
        triggers += _READERS[item["type"]](item["function"], item["parameters"], region, place, mistakes)
    _check_together(triggers, functions, mistakes)
    return tuple(triggers)


def bucket_of(trigger: WantedTrigger) -> str:
    """The full name of a cos trigger's bucket."""
    return trigger.name.partition(".")[0]


def rule_of(trigger: WantedTrigger) -> tuple[str, str, str]:
    """What wakes a cos trigger: event, prefix, suffix."""
    rule = json.loads(trigger.description)
    return rule["event"], rule["filter"]["Prefix"], rule["filter"]["Suffix"]


def _cos(
    function: str, given: Mapping[str, Any], region: str, place: Place, mistakes: Mistakes
) -> Iterator[WantedTrigger]:
    host = _HOST.fullmatch(given["bucket"])
    if host is None:  # the schema has the same pattern
        return
    if host[2] != region:
        mistakes.add(
            (*place, "parameters", "bucket"),
            f"lies in {host[2]}, but the functions run in {region}; COS triggers reach no other region: write "
            "${env:REGION} in both",
        )
    wanted = given.get("filter", {})
    rule = {
        "event": given["events"],
        "filter": {"Prefix": wanted.get("prefix") or "", "Suffix": wanted.get("suffix") or ""},
    }
    for bucket in dict.fromkeys(filter(None, (part.strip() for part in host[1].split(",")))):
        yield WantedTrigger(
            function=function,
            type="cos",
            name=f"{bucket}.cos.{host[2]}.myqcloud.com",
            description=_compact(rule),
            qualifier=given["qualifier"],
            is_open=given["enable"],
        )


def _http(
    function: str, given: Mapping[str, Any], _region: str, _place: Place, _mistakes: Mistakes
) -> Iterator[WantedTrigger]:
    net = given["netConfig"]
    reach = {"EnableIntranet": net["enableIntranet"], "EnableExtranet": net["enableExtranet"]}
    yield WantedTrigger(
        function=function,
        type="http",
        name=URL_TRIGGER,
        description=_compact({"AuthType": given["authType"], "NetConfig": reach}),
        qualifier=given["qualifier"],
        is_open=given["enable"],
    )


def _timer(
    function: str, given: Mapping[str, Any], _region: str, place: Place, mistakes: Mistakes
) -> Iterator[WantedTrigger]:
    wrong = wrong_cron(given["cronExpression"])
    if wrong:
        mistakes.add((*place, "parameters", "cronExpression"), wrong)
    yield WantedTrigger(
        function=function,
        type="timer",
        name=given["name"],
        description=given["cronExpression"],
        qualifier=given["qualifier"],
        is_open=given["enable"],
        argument=given["argument"],
    )


_READERS = {"cos": _cos, "http": _http, "timer": _timer}


def _compact(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _check_together(triggers: list[WantedTrigger], functions: Collection[str], mistakes: Mistakes) -> None:
    place: Place = ("inputs", "triggers")
    for function in functions:
        if not any(trigger.function == function for trigger in triggers):
            mistakes.add(place, f"never wake {function}; write a trigger for it or take the function out")
    urls = sum(trigger.type == "http" for trigger in triggers)
    if urls != 1:
        mistakes.add(place, f"hold {urls} of type http; write one, the address that Cloud Infinite notifies")
    for one, other in combinations(triggers, 2):
        if one.type == other.type == "timer" and one.name == other.name:
            mistakes.add(place, f"hold two timers called {one.name}; write another name for one of them")
        if one.type == other.type == "cos" and _overlap(one, other):
            mistakes.add(
                place,
                f"hold two rules for the same uploads to {bucket_of(one)}, and COS takes one; take one of them out",
            )


def _overlap(one: WantedTrigger, other: WantedTrigger) -> bool:
    """Whether one upload could match both. SCF document 583/9707: such a rule belongs to one function only."""
    (event, prefix, suffix), (other_event, other_prefix, other_suffix) = rule_of(one), rule_of(other)
    return (
        one.name == other.name
        and (event == other_event or event.endswith("*") or other_event.endswith("*"))
        and (prefix.startswith(other_prefix) or other_prefix.startswith(prefix))
        and (suffix.endswith(other_suffix) or other_suffix.endswith(suffix))
    )
