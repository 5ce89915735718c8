"""Reading a parsed yml with every mistake written down, instead of stopping at the first."""

from collections.abc import Collection, Mapping
from typing import Any


class Mistakes:
    """The mistakes found so far, each with the place where it stands."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, place: str, text: str) -> None:
        """Write one down."""
        self.found.append(f"{place}: {text}")

    def mapping(self, value: Any, place: str) -> Mapping[str, Any]:
        """Read a map; nothing at all counts as an empty one."""
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.add(place, "must be a map")
            return {}
        return value

    def items(self, value: Any, place: str) -> list[Any]:
        """Read a list; nothing at all counts as an empty one."""
        if value is None:
            return []
        if not isinstance(value, list):
            self.add(place, "must be a list")
            return []
        return value

    def text(self, value: Any, place: str) -> str:
        """Read a string that has to be there."""
        if isinstance(value, str) and value:
            return value
        why = (
            "is missing, or its environment variable is not set"
            if value in (None, "")
            else "must be a string"
        )
        self.add(place, why)
        return ""

    def whole(self, value: Any, place: str, *, lowest: int, highest: int) -> int:
        """Read a whole number within limits. An environment variable gives it as text."""
        number = int(value) if isinstance(value, str) and value.isdigit() else value
        if not isinstance(number, int) or isinstance(number, bool) or not lowest <= number <= highest:
            self.add(place, f"must be a whole number from {lowest} to {highest}, not {value!r}")
            return lowest
        return number

    def known(self, keys: Collection[Any], allowed: Collection[str], place: str) -> None:
        """Refuse settings that the component does not have: a misspelt one would be ignored in silence."""
        for key in keys:
            if key not in allowed:
                self.add(place, f"there is no setting {key!r}")
