"""The fault plan: the kinds of faults, their rates, and the request at which an instance is killed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt, ValidationError, model_validator

KINDS = (
    # notifications of finished jobs
    "duplicate_notification",
    "late_notification",
    "lost_notification",
    "forged_notification",
    "early_notification",
    # COS events for functions
    "duplicate_event",
    "late_event",
    "lost_event",
    "accelerate_event",
    "plus_in_url_event",
    # requests signed with a temporary credential
    "throttled",
    "server_error_before",
    "server_error_after",
    "cut_before",
    "cut_after",
    "slow_answer",
    "drip",
    "head_without_etag",
    "head_weak_etag",
    "head_upper_etag",
    "head_without_last_modified",
    # speech jobs
    "queue_full",
    "refused_account",
    "job_failed",
    "job_failed_no_money",
    "submit_without_code",
    "success_without_result",
    "bad_member",
    "drip_member",
    "empty_page_with_token",
    # instances of functions
    "killed_before_request",
    "killed_after_request",
    # objects
    "racy_create_only",
)
_MAX_DELAY_MS = 600_000


class FaultPlanError(ValueError):
    """The plan is not valid; the message lists every error in it."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("the fault plan is not valid: " + "; ".join(errors))
        self.errors = tuple(errors)


def _check_kind(kind: str) -> str:
    if kind not in KINDS:
        raise ValueError(f"there is no such kind of fault; the kinds are {', '.join(KINDS)}")
    return kind


def _drop_zeros(rates: dict[str, float]) -> dict[str, float]:
    return {kind: rate for kind, rate in rates.items() if rate}


def _check_delay(delay_ms: tuple[int, int]) -> tuple[int, int]:
    if not 0 <= delay_ms[0] <= delay_ms[1] <= _MAX_DELAY_MS:
        raise ValueError(f"must be [shortest, longest], from 0 to {_MAX_DELAY_MS}")
    return delay_ms


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, members: Any) -> Any:
        if not isinstance(members, dict):
            return members
        return {name: value for name, value in members.items() if value is not None}


class KillRule(_Model):
    """Kill the instance at the n-th request (from 1) of an invocation of `function`, in up to `times` invocations.

    `before`: the request has no effect; `after`: it has its effect, but the instance gets no response.
    """

    function: Annotated[str, Field(min_length=1)]
    request: Annotated[int, Field(ge=1)]
    when: Literal["before", "after"] = "before"
    times: Annotated[int, Field(ge=1)] = 1


class FaultPlan(_Model):
    """The faults to inject. `rates` holds kinds with a probability above 0.

    `until`: each kind is injected in its first `until` events only. `delay_ms`: shortest and longest delay of the late
    and slow kinds, and of the second of two deliveries. `jobs`: if not empty, only jobs of recordings with these keys
    get bad_member, drip_member and success_without_result. `looks`: how often a function looks at a job until
    success_without_result ends for it. `clock_skew_s`: how far the cloud's clock is ahead.
    """

    seed: int = 0
    rates: Annotated[
        dict[
            Annotated[str, AfterValidator(_check_kind)],
            Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)],
        ],
        AfterValidator(_drop_zeros),
    ] = Field(default_factory=dict)
    until: Annotated[int, Field(ge=0)] | None = None
    delay_ms: Annotated[tuple[StrictInt, StrictInt], Field(strict=False), AfterValidator(_check_delay)] = (
        50,
        500,
    )
    kill: KillRule | None = None
    jobs: Annotated[tuple[str, ...], Field(strict=False)] = ()
    looks: Annotated[int, Field(ge=1)] = 2
    clock_skew_s: Annotated[float, Field(allow_inf_nan=False)] = 0.0

    @property
    def can_inject(self) -> bool:
        """Whether there is any fault to inject."""
        return bool(self.rates) or self.kill is not None

    @property
    def is_empty(self) -> bool:
        """Whether the plan changes nothing."""
        return not self.can_inject and not self.clock_skew_s

    def as_json(self) -> dict[str, Any]:
        """Return the plan in the form that `parse_plan` reads; an empty one is `{}`."""
        return {} if self.is_empty else self.model_dump(mode="json", exclude_none=True)


def load_plan(option: str) -> FaultPlan:
    """Load the plan of the command line: JSON text, or the name of a file that holds it. Raises FaultPlanError."""
    text = option
    if not option.lstrip().startswith("{"):
        try:
            text = Path(option).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise FaultPlanError([f"{option} cannot be read ({error})"]) from error
    try:
        return parse_plan(json.loads(text))
    except json.JSONDecodeError as error:
        raise FaultPlanError([f"it is not JSON ({error})"]) from error


def parse_plan(raw: object) -> FaultPlan:
    """Parse a plan from JSON values. Raises FaultPlanError with all errors."""
    try:
        return FaultPlan.model_validate({} if raw is None else raw)
    except ValidationError as error:
        raise FaultPlanError(
            [
                f"{'.'.join(map(str, item['loc'])) or 'the plan'}: {item['msg']}, not {item['input']!r}"
                for item in error.errors(include_url=False)
            ]
        ) from None
