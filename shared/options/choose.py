"""All places together: what the settings, the rules, the metadata and the sidecar choose for one recording.

The functions and `scribe explain` use it, so both see the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from shared.options.check import SETTINGS_SOURCE
from shared.options.combine import DEFAULT_SOURCE, ChosenOptions, combine
from shared.options.parse import METADATA_PREFIX, Choice, parse_metadata
from shared.options.sidecar import is_sidecar_key, parse_sidecar

if TYPE_CHECKING:  # most deployments have no rules
    from shared.options.rules import Rule


class OptionSettings(Protocol):
    """The settings that are options: `Settings` has them."""

    @property
    def engine(self) -> str:
        """ENGINE."""

    @property
    def formats(self) -> tuple[str, ...]:
        """FORMATS."""

    @property
    def options(self) -> Mapping[str, Choice]:
        """OPTIONS."""


def settings_choices(settings: OptionSettings) -> dict[str, Choice]:
    """Return what ENGINE, FORMATS and OPTIONS choose."""
    return {
        "engine": Choice(settings.engine, SETTINGS_SOURCE),
        "formats": Choice(settings.formats, SETTINGS_SOURCE),
        **settings.options,
    }


def choose_options(
    settings: OptionSettings,
    rules: Iterable[Rule],
    bucket: str,
    key: str,
    metadata: Mapping[str, str],
    sidecar: bytes | None = None,
) -> ChosenOptions:
    """Choose the options of a recording; the nearer place wins, name by name. Raises InvalidOption.

    `metadata` as HEAD returns it, without `x-cos-meta-`; `sidecar` is its content, None if there is none.
    """
    places: list[Mapping[str, Choice]] = [settings_choices(settings)]
    if rules:
        from shared.options.rules import match_rules  # noqa: PLC0415 - no rules, nothing to load

        places += [rule.choices for rule in match_rules(rules, bucket, key)]
    places.append(parse_metadata(metadata))
    if sidecar is not None:
        places.append(parse_sidecar(sidecar, key))
    return combine(*places)


def select_sources(chosen: ChosenOptions) -> Mapping[str, str]:
    """Return the places of the options that rules, metadata or the sidecar chose, by name."""
    return MappingProxyType(
        {
            name: source
            for name, source in chosen.sources.items()
            if source not in {DEFAULT_SOURCE, SETTINGS_SOURCE}
        }
    )


def is_uploaders_source(source: str) -> bool:
    """Check whether a place is the uploader's, who chose the option with this recording: its metadata or sidecar."""
    return source.startswith(METADATA_PREFIX) or is_sidecar_key(source)
