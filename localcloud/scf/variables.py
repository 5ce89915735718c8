"""`${env:NAME}` in serverless.yml, resolved just as Tencent's command line does it."""

import re
from collections.abc import Mapping
from typing import Any

_VARIABLE = re.compile(r"\$\{env:(\w+)\}")


def substitute(value: Any, environ: Mapping[str, str]) -> Any:
    """Replace `${env:NAME}` everywhere in a parsed yml file.

    A missing variable is no error: as a whole string it becomes None, inside a longer one the text
    `undefined`. (Behaviour of serverless-cloud-framework's platform client 2.1.1.)
    """
    if isinstance(value, dict):
        return {key: substitute(item, environ) for key, item in value.items()}
    if isinstance(value, list):
        return [substitute(item, environ) for item in value]
    if not isinstance(value, str):
        return value
    whole = _VARIABLE.fullmatch(value)
    if whole:
        return environ.get(whole[1])
    return _VARIABLE.sub(lambda found: environ.get(found[1], "undefined"), value)


def resolve_own(value: Any, own: Mapping[str, str]) -> Any:
    """Replace `${app}`, `${stage}` and `${name}`, which Tencent's engine resolves from the file itself."""
    if isinstance(value, dict):
        return {key: resolve_own(item, own) for key, item in value.items()}
    if isinstance(value, list):
        return [resolve_own(item, own) for item in value]
    if not isinstance(value, str):
        return value
    for key, text in own.items():
        value = value.replace(f"${{{key}}}", text)
    return value
