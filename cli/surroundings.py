"""Where a command finds what the operator chose, and how it is told to be typed again there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ENV_FILE = Path(".env")  # the one that is read when none is named

_COMMAND = re.compile(r"\bscribe (?:deploy|doctor|policy|remove)\b(?! --env-file)")
_FILE = re.compile(r"(?<![\w./-])\.env(?!\.?[\w-])")  # not .env.example


@dataclass(frozen=True, slots=True)
class Surroundings:
    """`folder` holds serverless.yml, `home` the SDK's profile; `process` is the process environment."""

    folder: Path
    env_file: Path
    process: Mapping[str, str] = field(repr=False)  # may hold the key
    home: Path

    def told(self, text: str) -> str:
        """A text for the operator, in which every command, and `.env`, is as it has to be typed with this file."""
        if self.env_file == ENV_FILE:
            return text
        file = shlex.quote(str(self.env_file))
        named = _FILE.sub(lambda _found: str(self.env_file), text)
        return _COMMAND.sub(lambda found: f"{found[0]} --env-file {file}", named)
