"""How a sweep or an audit went."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.recordings.outcome import Step


@dataclass(slots=True)
class Tally:
    """How often each outcome, how many troubles, and whether it had to stop before the end."""

    outcomes: dict[str, int] = field(default_factory=dict)
    troubles: int = 0
    stopped_early: bool = False

    def count(self, step: Step) -> None:
        """Adds one."""
        self.outcomes[step.value] = self.outcomes.get(step.value, 0) + 1

    def trouble(self) -> None:
        """Adds one that could not be brought nearer to its end."""
        self.troubles += 1
