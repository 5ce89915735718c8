"""The form of serverless.yml, by the schema beside this file: each fault said in words and not in terms of schemas."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from cli.description.mistakes import Mistakes, Place


def check_form(document: Any, unset: Mapping[Place, str], mistakes: Mistakes) -> None:
    """Writes down what has not the form that `scribe deploy` and Tencent's component read.

    `unset` names the variable of each place that is empty because nobody chose it.
    """
    for error in jsonschema.Draft202012Validator(_schema()).iter_errors(document):
        place = tuple(error.absolute_path)
        if error.instance is None and (place in unset or mistakes.is_told(place)):
            if place in unset:
                mistakes.need(unset[place], place)
            continue
        for where, text in _told(error, place):
            mistakes.add(where, text)


@cache
def _schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(__file__).with_name("serverless.schema.json").read_text("utf-8"))
    return found


def _told(error: jsonschema.ValidationError, place: Place) -> Iterator[tuple[Place, str]]:
    schema: Any = error.schema
    instance: Any = error.instance
    if error.validator == "required":
        # One error for each member that is missing; only its text says which.
        for name in re.findall(r"^'(\w+)' is a required", error.message):
            yield (*place, name), f"is missing; write {_description(schema['properties'].get(name, {}))}"
    elif error.validator == "additionalProperties":
        known = list(schema["properties"])
        for name in instance:
            if name not in known:
                near = difflib.get_close_matches(str(name), known, 1)
                hint = f"write {near[0]}" if near else f"there are {', '.join(known)}"
                yield (*place, str(name)), f"is no setting that `scribe deploy` knows; {hint}"
    elif "propertyNames" in error.absolute_schema_path:
        yield place, f"holds the name {error.instance!r}; write {_description(schema)}"
    else:
        yield place, f"{_shown(error.instance, place)}; write {_description(schema)}"


def _description(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return _description(_schema()["$defs"][schema["$ref"].rpartition("/")[2]])
    text: str = schema["description"]
    return text


def _shown(value: Any, place: Place) -> str:
    """What stands there. A variable's value may be the token: it is never quoted."""
    if value is None:
        return "is empty"
    if isinstance(value, dict):
        return "is a map"
    if isinstance(value, list):
        return "is a list" if value else "is an empty list"
    if place[1:2] == ("environments",) and place[-1] == "value":
        return f"is no text but a {type(value).__name__}"
    return f"is {value!r}" if isinstance(value, str) else f"is {value}"
