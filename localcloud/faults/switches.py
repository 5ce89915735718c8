"""Switches that the admin side sets, and that hold until it resets them or the cloud stops.

They are for what an account is, not for what happens by chance: in arrears, without permission, with a bucket that
another product uses. Rates of the fault plan have no part in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from starlette.responses import Response

from localcloud.ci.exceptions import error_body
from localcloud.http.errors import ServiceError
from localcloud.http.request import Request
from localcloud.http.response import XML_TYPE

# Calls of CI that can be refused; `other` includes templates and hot words, `all` is every call.
Operation = Literal[
    "submit", "describe", "list", "queues", "buckets", "templates", "hot_words", "other", "all"
]
BodyKind = Literal["xml", "html", "empty"]
RuleErrorCode = Literal["ResourceInUse.Cos", "InvalidParameterValue.CosNotifyRuleConflict"]
_OTHER: Operation = "other"
_ALL: Operation = "all"
_PARTS_OF_OTHER = ("templates", "hot_words")


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer to every call of one operation of CI. `code` and `message` may be empty."""

    operation: Operation
    status: int
    code: str
    message: str
    body: BodyKind

    def build_response(self, request: Request) -> Response:
        """Build the answer in the form of CI, as a proxy's HTML page, or without a body."""
        request.code = self.code
        if self.body == "empty":
            return Response(status_code=self.status)
        if self.body == "html":
            text = (
                f"<html><head><title>{self.status}</title></head><body><h1>{self.status}</h1></body></html>"
            )
            return Response(text, self.status, media_type="text/html")
        error = ServiceError(self.status, self.code, self.message)
        error.message = self.message  # not the code in its place
        return Response(error_body(error, request.request_id), self.status, media_type=XML_TYPE)


@dataclass(frozen=True, slots=True)
class JobFailure:
    """Code and message with which every job ends that runs while the switch is on."""

    code: str
    message: str


class Switches:
    """The switches of one cloud, in memory."""

    def __init__(self) -> None:
        self.job_failure: JobFailure | None = None
        self._refusals: dict[Operation, Refusal] = {}
        self._taken_rules: dict[str, RuleErrorCode] = {}

    def refuse(self, refusal: Refusal) -> None:
        """Refuse an operation of CI; an earlier refusal of the same operation is replaced."""
        self._refusals[refusal.operation] = refusal

    def accept_all(self) -> None:
        """End every refusal."""
        self._refusals.clear()

    def list_refusals(self) -> list[Refusal]:
        """List the refusals, in the order in which they were set."""
        return list(self._refusals.values())

    def find_refusal(self, operation: Operation) -> Refusal | None:
        """Find the refusal of an operation, else that of every operation."""
        refusal = self._refusals.get(operation)
        if refusal is None and operation in _PARTS_OF_OTHER:
            refusal = self._refusals.get(_OTHER)
        return refusal or self._refusals.get(_ALL)

    def take_rule(self, bucket: str, code: RuleErrorCode) -> None:
        """Give the notification rule of a bucket to another product: CreateTrigger answers with this code."""
        self._taken_rules[bucket] = code

    def release_rules(self) -> None:
        """Release the rules of all buckets."""
        self._taken_rules.clear()

    @property
    def taken_rules(self) -> Mapping[str, RuleErrorCode]:
        """The error codes by bucket."""
        return dict(self._taken_rules)
