"""The actions about triggers. Which types each one takes, and what it wants beside the name: sdk, models.py."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from localcloud.control.calls import Refusal
from localcloud.control.scf import answers, trigger_settings
from localcloud.control.scf.catalogue import Catalogue, qualifier
from localcloud.control.scf.deployments import STATUS_ERROR, Deployments, check_active
from localcloud.control.scf.given import Given
from localcloud.control.scf.records import Deployed, Trigger
from localcloud.control.scf.trigger_settings import Region
from localcloud.scf.deployment import CosTrigger
from localcloud.scf.matching import overlap

_MOST_OF_A_TYPE = 10  # 583/11637
_PAGE = 20
_NAMED = ("FunctionName", "Namespace", "TriggerName", "Type", "Qualifier", "TriggerDesc")
_FILTERS: Mapping[str, Callable[[Trigger], str]] = {
    "Type": lambda trigger: trigger.type,
    "Qualifier": lambda trigger: trigger.qualifier,
    "TriggerName": lambda trigger: trigger.name,
    "Description": lambda trigger: trigger.note,
}


class TriggerCalls:
    """Creates, changes, shows and deletes triggers."""

    def __init__(
        self,
        catalogue: Catalogue,
        deployments: Deployments,
        where: Region,
        *,
        has_bucket: Callable[[str], bool],
        cos_rules: Callable[[], Sequence[CosTrigger]],
        may_write_buckets: Callable[[], bool],
        settle_s: float,
    ) -> None:
        """`has_bucket` takes `name-appid`; `cos_rules` gives those of all functions of the account.

        `may_write_buckets`: whether SCF has the role by which it writes rules to buckets.
        """
        self._catalogue = catalogue
        self._deployments = deployments
        self._where = where
        self._has_bucket = has_bucket
        self._cos_rules = cos_rules
        self._may_write_buckets = may_write_buckets
        self._settle_s = settle_s

    async def create(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """CreateTrigger. That one without Enable is open is unconfirmed."""
        given = Given(fields, (*_NAMED, "Enable", "CustomArgument", "Description"))
        function = check_active(self._catalogue.named(given), "FailedOperation.CreateTrigger")
        kind, name = given.text("Type"), given.text("TriggerName")
        now_s = time.time()
        new = Trigger(
            type=kind,
            # The server names a URL itself, and gives each new one another address. 583/96099
            name=f"url-{secrets.token_hex(4)}" if kind == "http" else name,
            description=trigger_settings.accepted(kind, name, given.text("TriggerDesc"), self._where),
            qualifier=qualifier(given),
            is_open=_is_open(given, default=True),
            argument=trigger_settings.argument(kind, given.text("CustomArgument", "")),
            note=given.text("Description", ""),
            urlid=secrets.token_hex(5) if kind == "http" else "",
            added_s=now_s,
            modified_s=now_s,
            addressed_s=now_s + self._settle_s,
        )
        self._check_beside_others(function, new)
        self._deployments.change(replace(function, triggers=(*function.triggers, new)))
        return {"TriggerInfo": answers.trigger(function, new, self._where)}

    async def update(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """UpdateTrigger: timer and http; what is absent stays."""
        given = Given(fields, (*_NAMED, "Enable", "CustomArgument", "Description"))
        kind = given.text("Type")
        if kind not in ("timer", "http"):
            raise Refusal("UnsupportedOperation.Trigger", f"A trigger of type {kind} cannot be updated.")
        function, before = self._trigger(given, by_desc=False)
        desc = before.description
        if given.has("TriggerDesc"):
            desc = trigger_settings.accepted(kind, before.name, given.text("TriggerDesc"), self._where)
        after = replace(
            before,
            description=desc,
            is_open=_is_open(given, default=before.is_open),
            argument=trigger_settings.argument(kind, given.text("CustomArgument", before.argument)),
            note=given.text("Description", before.note),
            modified_s=time.time(),
        )
        self._replace(function, before, after)
        return {}

    async def update_status(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """UpdateTriggerStatus: timer and cos; a function URL is opened and closed by UpdateTrigger."""
        given = Given(fields, (*_NAMED, "Enable"))
        kind = given.text("Type")
        if kind not in ("timer", "cos"):
            raise Refusal(
                "UnsupportedOperation.Trigger", f"The status of a trigger of type {kind} cannot be set."
            )
        given.text("Enable")
        function, before = self._trigger(given, by_desc=True)
        is_open = _is_open(given, default=before.is_open)
        self._replace(function, before, replace(before, is_open=is_open, modified_s=time.time()))
        return {}

    async def delete(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """DeleteTrigger: of a cos trigger TriggerDesc must be repeated."""
        function, gone = self._trigger(
            Given(fields, _NAMED), by_desc=True, busy="FailedOperation.DeleteTrigger"
        )
        self._deployments.change(
            replace(function, triggers=tuple(each for each in function.triggers if each != gone))
        )
        return {}

    async def list(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """ListTriggers, the one that was changed last first."""
        given = Given(fields, ("FunctionName", "Namespace", "Offset", "Limit", "OrderBy", "Order", "Filters"))
        function = self._catalogue.named(given)
        found = sorted(function.triggers, key=lambda each: each.modified_s, reverse=True)
        for wanted in given.each("Filters", ("Name", "Values"), code="InvalidParameterValue.Filters"):
            name = wanted.text("Name")
            if name not in _FILTERS:
                raise Refusal("InvalidParameterValue.Filters", f"There is no filter {name}.")
            values = wanted.texts("Values", code="InvalidParameterValue.Filters")
            found = [each for each in found if _FILTERS[name](each) in values]
        start, length = given.whole("Offset", 0), given.whole("Limit", _PAGE)
        page = found[start : start + length]
        shown = [answers.listed_trigger(function, each, self._where) for each in page]
        return {"TotalCount": len(found), "Triggers": shown}

    def _trigger(self, given: Given, *, by_desc: bool, busy: str = STATUS_ERROR) -> tuple[Deployed, Trigger]:
        function = check_active(self._catalogue.named(given), busy)
        kind, name, version = given.text("Type"), given.text("TriggerName"), qualifier(given)
        found = [
            each
            for each in function.triggers
            if (each.type, each.name, each.qualifier) == (kind, name, version)
        ]
        if kind == "cos" and by_desc:
            desc = trigger_settings.accepted(kind, name, given.text("TriggerDesc"), self._where)
            found = [each for each in found if each.description == desc]
        if not found:
            raise Refusal(
                "ResourceNotFound.Trigger", f"{function.name} has no {kind} trigger {name} on {version}."
            )
        return function, found[0]

    def _replace(self, function: Deployed, before: Trigger, after: Trigger) -> None:
        triggers = tuple(after if each == before else each for each in function.triggers)
        self._deployments.change(replace(function, triggers=triggers))

    def _check_beside_others(self, function: Deployed, new: Trigger) -> None:
        others = [each for each in function.triggers if each.type == new.type]
        if len(others) >= _MOST_OF_A_TYPE:
            raise Refusal("LimitExceeded.Trigger", f"A function has at most {_MOST_OF_A_TYPE} of one type.")
        # One function URL for each version or alias. 583/96099
        if any(new.type == "http" and each.qualifier == new.qualifier for each in others):
            raise Refusal(
                "ResourceInUse.Trigger", f"{function.name} has a function URL on {new.qualifier} already."
            )
        if any(new.type == "timer" and each.name == new.name for each in others):
            raise Refusal("ResourceInUse.Trigger", f"{function.name} has a timer {new.name} already.")
        if new.type == "cos":
            self._check_rule(trigger_settings.running(function, new))

    def _check_rule(self, rule: Any) -> None:
        if not self._may_write_buckets():
            raise Refusal(
                "UnauthorizedOperation.Role", "SCF has no access to COS: the account has no role SCF_QcsRole."
            )
        if not self._has_bucket(rule.bucket):
            raise Refusal("ResourceNotFound.Cos", f"There is no bucket {rule.bucket}.")
        for other in self._cos_rules():
            if overlap(rule, other):
                raise Refusal(
                    "InvalidParameterValue.CosNotifyRuleConflict",
                    f"A rule of bucket {rule.bucket} for {other.function} overlaps with this one.",
                )


def _is_open(given: Given, *, default: bool) -> bool:
    found = given.text("Enable", "OPEN" if default else "CLOSE")
    if found not in ("OPEN", "CLOSE"):
        raise Refusal("InvalidParameterValue.Enable", f"Enable is OPEN or CLOSE, not {found!r}.")
    return found == "OPEN"
