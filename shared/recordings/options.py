"""The options of a recording: chosen from the settings, the rules of the package, its metadata and its sidecar."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import shared
from shared.options.check import check_options, find_unknown_targets
from shared.options.choose import choose_options, select_sources
from shared.options.model import InvalidOption, RecordingOptions, list_changes
from shared.recordings.context import Context
from shared.recordings.failures import EMPTY, TOO_LARGE, FailureReason, invalid_options
from shared.recordings.receipt import Recording
from shared.recordings.sidecars import Sidecar, read_sidecar
from shared.tencent.cos import ObjectMetadata

if TYPE_CHECKING:  # most deployments have no rules, and a cold start should not load them
    from shared.options.rules import Rule

MAX_RECORDING_BYTES = 512 * 1024 * 1024  # CI document 1045/73385: normal recognition, 512 MB and 5 hours
PACKAGE_RULES = Path(shared.__file__).parent.parent / "rules.json"  # beside the handlers

_PRIVATE_VALUES = frozenset({"title", "speaker-names"})  # words of people, which no log has


class OptionChoice(NamedTuple):
    """The options of a recording with their places (only rules, metadata and sidecar), by name.

    `invalid` is the reason if the recording cannot be submitted with them; the options are then those of the settings.
    """

    options: RecordingOptions
    sources: Mapping[str, str] = MappingProxyType({})
    invalid: FailureReason | None = None
    sidecar: Sidecar = Sidecar()


def load_package_rules() -> tuple[Rule, ...]:
    """Load the compiled rules; without them nothing is imported. Raises SettingsError."""
    if not PACKAGE_RULES.exists():
        return ()
    from shared.options.rules import load_rules  # noqa: PLC0415 - no rules, nothing to load

    return load_rules(PACKAGE_RULES)


def choose_for_recording(ctx: Context, recording: Recording, head: ObjectMetadata) -> OptionChoice:
    """Choose the options of a recording whose metadata were just read. One request, for the sidecar.

    Raises CloudError, and SettingsError if the rules of the package cannot be read.
    """
    default = RecordingOptions(ctx.settings.engine)
    if wrong_size := check_size(recording.size):
        return OptionChoice(default, invalid=wrong_size)
    rules = load_package_rules() if ctx.rules is None else ctx.rules
    sidecar = Sidecar()
    try:
        sidecar = read_sidecar(ctx, recording)
        chosen = choose_options(
            ctx.settings, rules, recording.bucket, recording.key, head.metadata, sidecar.body
        )
    except InvalidOption as error:
        return OptionChoice(
            default, invalid=invalid_options(error.message, error.message_zh), sidecar=sidecar
        )
    refusals, warnings = check_options(chosen, recording.key, recording.size)
    if refusals:
        reason = invalid_options(refusals[0].reason, refusals[0].reason_zh)
        return OptionChoice(default, invalid=reason, sidecar=sidecar)
    if warnings:
        ctx.log.info("unconfirmed_options", key=recording.key, warnings=list(warnings))
    target_names = [target.name for target in ctx.settings.targets]
    if unknown := find_unknown_targets(chosen.options.notify, target_names):
        ctx.log.warning(
            "notice_target_unknown", bucket=recording.bucket, key=recording.key, targets=list(unknown)
        )
    return OptionChoice(chosen.options, select_sources(chosen), sidecar=sidecar)


def check_size(size: int) -> FailureReason | None:
    """Return why a recording of this many bytes cannot be submitted; None if it can."""
    if size == 0:
        return EMPTY
    return TOO_LARGE if size > MAX_RECORDING_BYTES else None


def log_choice(ctx: Context, key: str, choice: OptionChoice) -> None:
    """Log the options that differ from the defaults, and where they come from; titles and names without values."""
    changes = list_changes(choice.options)
    if changes or choice.sources:
        options = {name: value if name not in _PRIVATE_VALUES else "..." for name, value in changes.items()}
        ctx.log.info("options_chosen", key=key, options=options, sources=dict(choice.sources))
