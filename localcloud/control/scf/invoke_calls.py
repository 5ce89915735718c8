"""The actions about running a function: now, or later and again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from localcloud.control.calls import Refusal
from localcloud.control.scf import answers
from localcloud.control.scf.catalogue import Catalogue
from localcloud.control.scf.deployments import Deployments
from localcloud.control.scf.given import Given
from localcloud.control.scf.records import CREATE_FAILED, CREATING
from localcloud.scf import Functions
from localcloud.scf.deliveries import MAX_EVENT_BYTES, Retries
from localcloud.scf.functions import MAX_SYNC_EVENT_BYTES

# 583/41138 and 583/51666
_MOST_RETRIES, _SHORTEST_LIFETIME_S, _LONGEST_LIFETIME_S = 2, 60, 21_600


class InvokeCalls:
    """Invokes functions, and keeps the rule for events that fail."""

    def __init__(self, catalogue: Catalogue, deployments: Deployments, registry: Functions) -> None:
        self._catalogue = catalogue
        self._deployments = deployments
        self._registry = registry

    async def invoke(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """Invoke: RequestResponse waits for the result, Event queues. A function's failure is a result too."""
        given = Given(
            fields, ("FunctionName", "Namespace", "Qualifier", "InvocationType", "ClientContext", "LogType")
        )
        function = self._catalogue.named(given)
        # One that is being updated still answers with what it was. intl 583/37883
        if function.status in (CREATING, CREATE_FAILED):
            raise Refusal("FailedOperation.FunctionStatusError", f"{function.name} is {function.status}.")
        kind = given.text("InvocationType", "RequestResponse")
        if kind not in ("RequestResponse", "Event"):
            raise Refusal("InvalidParameterValue.InvokeType", f"There is no InvocationType {kind}.")
        text = given.text("ClientContext", "{}")
        most = MAX_EVENT_BYTES if kind == "Event" else MAX_SYNC_EVENT_BYTES
        if len(text.encode()) > most:
            raise Refusal(
                "InvalidParameter.RequestTooLarge", f"An event of this kind has at most {most} bytes."
            )
        try:
            event = json.loads(text)
        except ValueError:
            raise Refusal("InvalidParameterValue.Param", "ClientContext is no JSON.") from None
        if kind == "Event":
            return {"Result": answers.accepted_event(self._registry.queue(function.name, text))}
        invocation = await self._registry.invoke(function.name, event)
        return {"Result": answers.result(invocation, with_log=given.text("LogType", "None") == "Tail")}

    async def get_retries(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """GetFunctionEventInvokeConfig; the second entry, for errors of the system, is without end."""
        retries = self._catalogue.named(Given(fields, ("FunctionName", "Namespace", "Qualifier"))).retries
        numbers = [{"RetryNum": retries.attempts}, {"RetryNum": -1}]
        return {"AsyncTriggerConfig": {"MsgTTL": retries.lifetime_s, "RetryConfig": numbers}}

    async def set_retries(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """UpdateFunctionEventInvokeConfig: what is absent stays."""
        given = Given(fields, ("FunctionName", "Namespace", "AsyncTriggerConfig"))
        function = self._catalogue.named(given)
        code = "InvalidParameterValue.AsyncTriggerConfig"
        wanted = given.inner("AsyncTriggerConfig", ("RetryConfig", "MsgTTL"), code=code)
        attempts = function.retries.attempts
        for rule in wanted.each("RetryConfig", ("RetryNum",), code=code)[:1]:
            attempts = rule.whole("RetryNum", attempts, code=code)
        lifetime_s = wanted.whole("MsgTTL", function.retries.lifetime_s, code=code)
        if attempts > _MOST_RETRIES:
            raise Refusal("LimitExceeded.RetryNum", f"RetryNum is 0 to {_MOST_RETRIES}, not {attempts}.")
        if not _SHORTEST_LIFETIME_S <= lifetime_s <= _LONGEST_LIFETIME_S:
            raise Refusal("LimitExceeded.MsgTTL", f"MsgTTL is 60 to 21,600 seconds, not {lifetime_s}.")
        self._deployments.change(replace(function, retries=Retries(attempts, lifetime_s)))
        return {}
