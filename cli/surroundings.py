"""Where a command finds what the operator chose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Surroundings:
    """`folder` holds serverless.yml, `home` the SDK's profile; `process` is the process environment."""

    folder: Path
    env_file: Path
    process: Mapping[str, str] = field(repr=False)  # may hold the key
    home: Path
