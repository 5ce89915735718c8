"""How a message names a `scribe` command and the file of settings."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

DEFAULT_ENV_FILE = Path(".env")


@dataclass(frozen=True, slots=True)
class Commands:
    """Builds command lines for messages. `env_file` is the file of settings that this run uses."""

    env_file: Path = DEFAULT_ENV_FILE

    def line(self, command: str, *arguments: str) -> str:
        """A command line to type, e.g. `scribe deploy --env-file test.env --no-roles`."""
        words = ["scribe", command]
        if self.env_file != DEFAULT_ENV_FILE:
            words += ["--env-file", str(self.env_file)]
        return " ".join(shlex.quote(word) for word in [*words, *arguments])

    @property
    def deploy(self) -> str:
        """The command that fixes most differences."""
        return self.line("deploy")

    @property
    def doctor(self) -> str:
        """The command that checks a deployment."""
        return self.line("doctor")

    @property
    def show_deployer_policy(self) -> str:
        """The command that prints the permissions of the deploying key."""
        return self.line("policy", "deployer")

    @property
    def create_roles(self) -> str:
        """The command that creates or updates the roles of the functions."""
        return self.line("policy", "--create-role")
