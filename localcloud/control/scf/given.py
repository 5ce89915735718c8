"""The fields of one call, read with the API's own refusals."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from localcloud.control.calls import Refusal


class Given:
    """The JSON body of a call. Fields that the action does not have are refused (common error UnknownParameter)."""

    def __init__(self, fields: Mapping[str, Any], known: Collection[str], where: str = "") -> None:
        self._fields = fields
        self._where = where
        for name in fields:
            if name not in known:
                raise Refusal("UnknownParameter", f"The parameter `{where}{name}` is not recognized.")

    def has(self, name: str) -> bool:
        """Whether it is there and not null."""
        return self._fields.get(name) is not None

    def text(self, name: str, default: str | None = None, *, code: str = "InvalidParameterValue") -> str:
        """A string; without a default it has to be there."""
        found = self._fields.get(name)
        if found is None:
            if default is None:
                raise Refusal("MissingParameter", f"The parameter `{self._where}{name}` is missing.")
            return default
        if not isinstance(found, str):
            raise Refusal(code, f"`{self._where}{name}` must be a string.")
        return found

    def whole(self, name: str, default: int, *, code: str = "InvalidParameterValue") -> int:
        """A whole number, 0 or more."""
        found = self._fields.get(name)
        if found is None:
            return default
        if not isinstance(found, int) or isinstance(found, bool) or found < 0:
            raise Refusal(code, f"`{self._where}{name}` must be a whole number.")
        return found

    def inner(self, name: str, known: Collection[str], *, code: str = "InvalidParameterValue") -> Given:
        """The fields of a structure; an absent one has none."""
        found = self._fields.get(name) or {}
        if not isinstance(found, dict):
            raise Refusal(code, f"`{self._where}{name}` must be an object.")
        return Given(found, known, f"{self._where}{name}.")

    def each(self, name: str, known: Collection[str], *, code: str = "InvalidParameterValue") -> list[Given]:
        """The structures of a list; an absent one has none."""
        found = self._fields.get(name) or []
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise Refusal(code, f"`{self._where}{name}` must be a list of objects.")
        return [Given(item, known, f"{self._where}{name}.{at}.") for at, item in enumerate(found)]

    def texts(self, name: str, *, code: str = "InvalidParameterValue") -> list[str]:
        """A list of strings; an absent one is empty."""
        found = self._fields.get(name) or []
        if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
            raise Refusal(code, f"`{self._where}{name}` must be a list of strings.")
        return found
