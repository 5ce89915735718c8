"""Create-only writes that race: the check of the second may not see the first."""

from __future__ import annotations

from localcloud.faults.dice import Dice

_RACE_S = 0.05


class ObjectFaults:
    """What may go wrong where objects are written."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice

    def overlooks(self, about: str, age_s: float) -> bool:
        """Whether a create-only write does not see the object that is there, because it is under 50 ms old."""
        return age_s < _RACE_S and self._dice.strikes(
            "racy_create_only", self._dice.opportunity(f"race {about}")
        )
