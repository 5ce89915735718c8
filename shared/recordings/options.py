"""How one recording is to be transcribed: the settings, and what its own metadata says otherwise.

`x-cos-meta-engine: 16k_en` picks the engine; `x-cos-meta-channels: 2` says that a telephone recording has one party on
each channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from shared.settings import is_valid_engine


class WrongOption(ValueError):
    """The recording's metadata asks for what cannot be; the message is for whoever uploaded it."""


class Options(NamedTuple):
    """The choices that go into the job."""

    engine: str
    channels: int


def options_for(default_engine: str, metadata: Mapping[str, str]) -> Options:
    """The options of a recording with this metadata. Raises WrongOption."""
    engine = metadata.get("engine", "").strip() or default_engine
    if not is_valid_engine(engine):
        raise WrongOption(f"x-cos-meta-engine is {engine[:60]!r}, not an engine such as 16k_zh or 16k_en")
    channels = metadata.get("channels", "").strip() or "1"
    if channels not in {"1", "2"}:
        raise WrongOption(f"x-cos-meta-channels is {channels[:20]!r}; it is 1 or 2")
    if channels == "2" and (not engine.startswith("8k_") or engine == "8k_zh_s"):
        # CI document "Create speech recognition template": two channels only with the telephone engines, and not with
        # the one that separates speakers.
        raise WrongOption(f"x-cos-meta-channels is 2, which needs an engine of the 8k_ family, not {engine}")
    return Options(engine, int(channels))
