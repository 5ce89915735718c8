"""The step that keeps a new callback token, before anything in the cloud knows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cli.config import TOKEN_NAME, save_token
from cli.deploy.hands import Hands
from cli.deploy.steps import Change, Mark, differences


@dataclass(frozen=True, slots=True)
class KeepToken:
    """Nobody chose a token and no function has one: a new one, for the next run and for other machines."""

    env_file: Path
    token: str = field(repr=False)
    mark: Mark = field(default="+", init=False)

    @property
    def title(self) -> str:
        """Where it is kept."""
        return f"a callback token, kept in {self.env_file}"

    @property
    def changes(self) -> tuple[Change, ...]:
        """That it is set."""
        return differences({}, {TOKEN_NAME: self.token})

    def carry_out(self, hands: Hands) -> None:  # noqa: ARG002 - it is kept on this machine
        """Writes the file."""
        save_token(self.env_file, self.token)
