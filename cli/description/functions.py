"""The functions of serverless.yml, each laid over the shared settings."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cli.description.mistakes import Mistakes
from cli.description.wanted import WantedFunction

_LONGEST_NAME = 60  # FunctionName of CreateFunction
_MOST_VARIABLE_BYTES = 4096  # SCF document 583/11637
# The API's own where serverless.yml says nothing.
_MEMORY_MIB, _TIMEOUT_S, _INIT_TIMEOUT_S = 128, 3, 65
_ENVIRONMENTS = ("inputs", "environments")


def read_variables(listed: list[Mapping[str, Any]], mistakes: Mistakes) -> dict[str, str]:
    """The variables of every function. One that nobody chose is left out: the functions have a default for it."""
    variables: dict[str, str] = {}
    for number, item in enumerate(listed):
        place = (*_ENVIRONMENTS, number, "key")
        name = item["key"]
        if name == "CLOUD_ENDPOINT":
            mistakes.add(place, "is CLOUD_ENDPOINT, which is for this machine only; take the entry out")
        elif any(other["key"] == name for other in listed[:number]):
            mistakes.add(place, f"is {name} a second time; take one of them out")
        elif item["value"]:
            variables[name] = item["value"]
    size = sum(len(name.encode()) + len(value.encode()) for name, value in variables.items())
    if size > _MOST_VARIABLE_BYTES:
        mistakes.add(
            _ENVIRONMENTS,
            f"come to {size} bytes; SCF takes {_MOST_VARIABLE_BYTES}: choose shorter prefixes or fewer buckets",
        )
    return variables


def read_functions(
    document: Mapping[str, Any], variables: Mapping[str, str], folder: Path, mistakes: Mistakes
) -> dict[str, WantedFunction]:
    """Every function by its key; the handlers are looked for in `folder`/handlers."""
    inputs = document["inputs"]
    tags = {item["key"]: item["value"] for item in inputs.get("tags", [])}
    functions = {}
    for key, own in inputs["functions"].items():
        place = ("inputs", "functions", key)
        name = "-".join((document["name"], document["stage"], document["app"], key))
        if len(name) > _LONGEST_NAME:
            mistakes.add(
                place,
                f"becomes {name}, of {len(name)} characters; SCF takes {_LONGEST_NAME}: choose a shorter SCRIBE_STAGE",
            )
        if "role" not in own and "role" not in inputs:
            mistakes.add((*place, "role"), f"is missing; write ${{env:SCF_ROLE_NAME}}-{key}")
        wrong = _wrong_handler(own["handler"], folder)
        if wrong:
            mistakes.add((*place, "handler"), wrong)
        settings = {**inputs, **own}
        functions[key] = WantedFunction(
            key=key,
            name=name,
            handler=settings["handler"],
            runtime=settings["runtime"],
            namespace=settings.get("namespace", "default"),
            role=settings.get("role", ""),
            memory_mib=settings.get("memorySize", _MEMORY_MIB),
            timeout_s=settings.get("timeout", _TIMEOUT_S),
            init_timeout_s=settings.get("initTimeout", _INIT_TIMEOUT_S),
            public_network=settings.get("publicAccess", True),
            variables=variables,
            tags=tags,
        )
    return functions


def _wrong_handler(handler: str, folder: Path) -> str:
    """What keeps SCF from finding it in the package, at whose root the modules of handlers/ lie; "" if nothing."""
    module, _, function = handler.partition(".")
    file = folder / "handlers" / f"{module}.py"
    try:
        names = set(_names_of(ast.parse(file.read_bytes())))
    except FileNotFoundError:
        return f"is {handler}, but there is no {file}; write the name of a module in handlers/"
    except (SyntaxError, ValueError) as error:
        return f"is {handler}, but {file} is no Python: {error.args[0]}"
    return (
        "" if function in names else f"is {handler}, but {file} defines no {function}; write a function of it"
    )


def _names_of(module: ast.Module) -> Iterator[str]:
    """What a module defines or imports at its top level. It is read, not run."""
    for statement in module.body:
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            yield statement.name
        elif isinstance(statement, ast.Assign):
            yield from (target.id for target in statement.targets if isinstance(target, ast.Name))
        elif isinstance(statement, ast.ImportFrom):
            yield from (name.asname or name.name for name in statement.names)
