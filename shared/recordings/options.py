"""How one recording is transcribed: the settings, overridden by the recording's own metadata.

`x-cos-meta-engine: 16k_en` selects the engine; `x-cos-meta-channels: 2` marks a telephone recording with one party on
each channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from shared.settings import is_valid_engine


class InvalidOption(ValueError):
    """The recording's metadata cannot be used; the message is for the uploader."""


class RecordingOptions(NamedTuple):
    """The options of the job."""

    engine: str
    channels: int


def parse_options(default_engine: str, metadata: Mapping[str, str]) -> RecordingOptions:
    """Return the options of a recording with this metadata. Raises InvalidOption."""
    engine = metadata.get("engine", "").strip() or default_engine
    if not is_valid_engine(engine):
        raise InvalidOption(f"x-cos-meta-engine is {engine[:60]!r}, not an engine such as 16k_zh or 16k_en")
    channels = metadata.get("channels", "").strip() or "1"
    if channels not in {"1", "2"}:
        raise InvalidOption(f"x-cos-meta-channels is {channels[:20]!r}; it is 1 or 2")
    if channels == "2" and (not engine.startswith("8k_") or engine == "8k_zh_s"):
        # CI document "Create speech recognition template": two channels need a telephone engine, and not the one that
        # separates speakers.
        raise InvalidOption(
            f"x-cos-meta-channels is 2, which needs an engine of the 8k_ family, not {engine}"
        )
    return RecordingOptions(engine, int(channels))
