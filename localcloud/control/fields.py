"""The members of a call's JSON body: none that the action does not have, all that it needs, of the right types.

Codes: "Common error codes", 598/33169.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.control.calls import Refusal

Types = Mapping[str, type]
_NO_TYPES: Types = {}


def check(given: Mapping[str, Any], required: Types = _NO_TYPES, optional: Types = _NO_TYPES) -> None:
    """Check it. Raises Refusal: UnknownParameter, MissingParameter, InvalidParameter."""
    known = {**required, **optional}
    for name, value in given.items():
        if name not in known:
            raise Refusal("UnknownParameter", f"The parameter `{name}` is not recognized.")
        # For JSON, true is no number; for Python it is.
        if not isinstance(value, known[name]) or (isinstance(value, bool) and known[name] is not bool):
            raise Refusal("InvalidParameter", f"The value type of parameter `{name}` is not valid.")
    for name in required:
        if name not in given:
            raise Refusal("MissingParameter", f"The request is missing a required parameter `{name}`.")
