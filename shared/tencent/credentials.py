"""The function's temporary credentials, read anew on each invocation because they rotate."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.errors import SettingsError

# SCF's own spelling; the cloud SDK reads other names (SCF document "environment variables").
ID_NAME, KEY_NAME, TOKEN_NAME = (
    "TENCENTCLOUD_SECRETID",
    "TENCENTCLOUD_SECRETKEY",
    "TENCENTCLOUD_SESSIONTOKEN",
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who signs. The secret parts stay out of every printed form."""

    secret_id: str = field(repr=False)
    secret_key: str = field(repr=False)
    token: str = field(default="", repr=False)


def credentials_of(context: Mapping[str, Any], environ: Mapping[str, str]) -> Credentials:
    """The credentials of this invocation: from `context['environment']` (a JSON text), else from the environment.

    Raises SettingsError when neither holds them: the function has no execution role.
    """
    for source in (_environment_of(context), environ):
        if source.get(ID_NAME) and source.get(KEY_NAME):
            return Credentials(source[ID_NAME], source[KEY_NAME], source.get(TOKEN_NAME, ""))
    raise SettingsError(
        [f"{ID_NAME} and {KEY_NAME} are missing: give the function an execution role (or set both)"]
    )


def _environment_of(context: Mapping[str, Any]) -> Mapping[str, str]:
    """What SCF puts beside the event; an older snapshot may lie in the process environment."""
    raw = context.get("environment")
    if not isinstance(raw, str):
        return {}
    try:
        parsed = json.loads(raw)
    except ValueError:
        return {}
    if not isinstance(parsed, dict):
        return {}
    return {name: value for name, value in parsed.items() if isinstance(value, str)}
