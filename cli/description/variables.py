"""`${env:NAME}`, `${app}`, `${stage}` and `${name}` in serverless.yml, filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cli.description.mistakes import Mistakes, Place

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_OWN = ("app", "stage", "name")  # what Tencent's engine resolves from the file itself


class Filling:
    """Fills a parsed file. A whole text whose variable nobody chose becomes None; `unset` knows which it was.

    `named` are the variables that the file asks for.
    """

    def __init__(self, choices: Mapping[str, str], document: Mapping[str, Any], mistakes: Mistakes) -> None:
        self._choices, self._mistakes = choices, mistakes
        self.unset: dict[Place, str] = {}
        self.named: set[str] = set()
        self._own: dict[str, Any] = {}
        self._own = {key: self.filled(document.get(key), (key,)) for key in _OWN}

    def filled(self, value: Any, place: Place = ()) -> Any:
        """The value with its variables replaced. In one pass: what a variable holds is never read as one again."""
        if isinstance(value, dict):
            return {key: self.filled(item, (*place, str(key))) for key, item in value.items()}
        if isinstance(value, list):
            return [self.filled(item, (*place, number)) for number, item in enumerate(value)]
        if not isinstance(value, str):
            return value
        names = _VARIABLE.findall(value)
        texts = {name: self._text(name, place) for name in names}
        absent = [name for name in names if texts[name] is None]
        if not absent:
            return _VARIABLE.sub(lambda found: texts[found[1]] or "", value)
        for name in absent:
            variable = name.removeprefix("env:")
            if name == variable:  # said already, where it stands itself or as an unknown form
                continue
            if value == f"${{{name}}}":
                self.unset[place] = variable
            else:
                self._mistakes.need(variable, place)
        return None

    def _text(self, name: str, place: Place) -> str | None:
        if name.startswith("env:"):
            self.named.add(name.removeprefix("env:"))
            return self._choices.get(name.removeprefix("env:")) or None
        if name in self._own:
            return str(self._own[name] or "")
        self._mistakes.add(
            place, f"holds ${{{name}}}; write ${{env:NAME}}, ${{app}}, ${{stage}} or ${{name}}"
        )
        return None
