"""What is said about one key: Explanation, and State with what the bucket says."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from shared.options.combine import ChosenOptions
from shared.options.model import Value
from shared.options.parse import Choice


class MatchingRule(NamedTuple):
    """A rule that matches the key: its place, its patterns, and the options that it sets, by name."""

    source: str
    patterns: tuple[str, ...]
    options: Mapping[str, Value]


class Problem(NamedTuple):
    """Why nothing would be submitted, in English and Chinese. `nearest`: the change that makes it valid, by name."""

    reason: str
    reason_zh: str
    nearest: Mapping[str, Value] = MappingProxyType({})


class State(NamedTuple):
    """What the bucket says about the recording.

    `receipt` is the state of its receipt, "" if it has none. `on_upload` is what an upload of the same content now
    would do: the status in the function's response. `changed` are the options that differ from those of the receipt, by
    name. `message` says it all in words. `modified`: ISO 8601, UTC.
    """

    exists: bool
    message: str
    on_upload: str
    size: int = 0
    modified: str = ""
    has_sidecar: bool = False
    receipt: str = ""
    job_id: str = ""
    changed: tuple[str, ...] = ()


class Explanation(NamedTuple):
    """What would happen to a key, and why.

    `is_recording` is None if only the Content-Type could say it, which is not known. `options` are the engine, and what
    a place sets; of the settings only what differs from the default. `job` has the members of the request as Cloud
    Infinite gets them; it is empty if nothing would be submitted. `state` is None without access to the bucket.
    `chosen` has every option; it is None if a place cannot be read.
    """

    bucket: str
    key: str
    is_recording: bool | None
    reason: str = ""
    options: Mapping[str, Choice] = MappingProxyType({})
    rules: tuple[MatchingRule, ...] = ()
    warnings: tuple[str, ...] = ()
    refusals: tuple[Problem, ...] = ()
    job: Mapping[str, Any] = MappingProxyType({})
    output_bucket: str = ""
    outputs: tuple[str, ...] = ()
    state: State | None = None
    chosen: ChosenOptions | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the document for programs. No member is ever missing."""
        return {
            "bucket": self.bucket,
            "key": self.key,
            "is_recording": self.is_recording,
            "reason": self.reason,
            "options": {name: choice._asdict() for name, choice in self.options.items()},
            "rules": [rule._asdict() | {"options": dict(rule.options)} for rule in self.rules],
            "warnings": list(self.warnings),
            "refusals": [each._asdict() | {"nearest": dict(each.nearest)} for each in self.refusals],
            "job": dict(self.job),
            "output_bucket": self.output_bucket,
            "outputs": list(self.outputs),
            "state": self.state._asdict() | {"changed": list(self.state.changed)} if self.state else None,
        }
