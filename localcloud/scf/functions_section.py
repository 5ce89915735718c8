"""The functions of a serverless.yml: shared settings, their own, and the limits of the platform."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from localcloud.scf.deployment import Function
from localcloud.scf.mistakes import Mistakes

# Settings of `component: scf` and `multi-scf`, 1154/39271 and 1154/129052
_SETTINGS = frozenset(
    (
        *(
            "name",
            "namespace",
            "region",
            "description",
            "type",
            "handler",
            "runtime",
            "memorySize",
            "timeout",
        ),
        *("initTimeout", "diskSize", "environments", "environment", "role", "publicAccess", "eip", "vpc"),
        *(
            "vpcConfig",
            "cfs",
            "layers",
            "cls",
            "tags",
            "deadLetter",
            "asyncRunEnable",
            "traceEnable",
            "msgTTL",
        ),
        *("retryNum", "installDependency", "src", "publish", "publishDescription", "traffic", "aliasName"),
        *("provisionedNum", "qualifier", "ignoreTriggers"),
    )
)
_SHARED_ONLY = frozenset(("functions", "triggers", "isAutoPublish"))

_HANDLER = re.compile(r"([A-Za-z][\w-]{0,58}[A-Za-z0-9])\.([A-Za-z][\w-]{0,58}[A-Za-z0-9])", re.ASCII)
_NAME = re.compile(r"[A-Za-z][\w-]{0,58}[A-Za-z0-9]", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]{1,63}")
_RESERVED = ("SCF_", "QCLOUD_", "TENCENTCLOUD_")
_RUNTIME = re.compile(r"Python3\.\d+")

# 583/11637
_MEMORY_STEP_MIB, _SMALLEST_MEMORY_MIB, _LARGEST_MEMORY_MIB = 128, 64, 3072
_MAX_TIMEOUT_S = 900
_MAX_VARIABLES_BYTES = 4096
# API defaults; `initTimeout` is 3 to 300 s. scf.md 1.7
_TIMEOUT_S, _INIT_TIMEOUT_S, _MAX_INIT_TIMEOUT_S, _MEMORY_MIB = 3, 65, 300, 128


def read_functions(
    inputs: Mapping[str, Any], folder: Path, name_stem: str, mistakes: Mistakes
) -> dict[str, Function]:
    """Read `inputs.functions`, each laid over the shared settings. Mistakes are written down, not raised."""
    shared = {key: value for key, value in inputs.items() if key not in _SHARED_ONLY}
    mistakes.known(shared, _SETTINGS, "inputs")
    functions: dict[str, Function] = {}
    for key, own in mistakes.mapping(inputs.get("functions"), "inputs.functions").items():
        place = f"functions.{key}"
        settings = mistakes.mapping(own, place)
        mistakes.known(settings, _SETTINGS, place)
        # A shallow merge: a function's own list of environments replaces the shared one.
        functions[key] = _read(
            str(key), {**shared, "name": f"{name_stem}-{key}", **settings}, folder, place, mistakes
        )
    if not functions:
        mistakes.add("inputs.functions", "there is no function")
    return functions


def _read(key: str, settings: Mapping[str, Any], folder: Path, place: str, mistakes: Mistakes) -> Function:
    name = mistakes.text(settings["name"], f"{place}.name")
    if name and not _NAME.fullmatch(name):
        mistakes.add(f"{place}.name", f"{name!r} must have 2 to 60 letters, digits, - or _")
    if settings.get("type", "event") != "event":
        mistakes.add(f"{place}.type", "only event functions can run here")
    runtime = mistakes.text(settings.get("runtime"), f"{place}.runtime")
    if runtime and not _RUNTIME.fullmatch(runtime):
        mistakes.add(f"{place}.runtime", f"{runtime!r} is no Python 3 runtime, such as Python3.10")
    handler = mistakes.text(settings.get("handler"), f"{place}.handler")
    return Function(
        key=key,
        name=name,
        handler=handler,
        folder=folder,
        module_file=_module_file(handler, folder, f"{place}.handler", mistakes) if handler else folder,
        runtime=runtime,
        namespace=settings.get("namespace") or "default",
        memory_mib=_memory(settings.get("memorySize", _MEMORY_MIB), f"{place}.memorySize", mistakes),
        timeout_s=mistakes.whole(
            settings.get("timeout", _TIMEOUT_S), f"{place}.timeout", lowest=1, highest=_MAX_TIMEOUT_S
        ),
        init_timeout_s=mistakes.whole(
            settings.get("initTimeout", _INIT_TIMEOUT_S),
            f"{place}.initTimeout",
            lowest=3,
            highest=_MAX_INIT_TIMEOUT_S,
        ),
        variables=_variables(settings, place, mistakes),
        role=str(settings["role"] or "") if "role" in settings else None,
    )


def _module_file(handler: str, folder: Path, place: str, mistakes: Mistakes) -> Path:
    """Find the handler's module at the root, as in a built package, or in handlers/, as in the checkout."""
    parts = _HANDLER.fullmatch(handler)
    if not parts:
        mistakes.add(place, f"{handler!r} must be module.function, each 2 to 60 letters, digits, - or _")
        return folder
    for candidate in (folder / f"{parts[1]}.py", folder / "handlers" / f"{parts[1]}.py"):
        if candidate.is_file():
            return candidate.resolve()
    mistakes.add(place, f"there is no {parts[1]}.py, neither at the root nor in handlers/")
    return folder


def _memory(value: Any, place: str, mistakes: Mistakes) -> int:
    memory = mistakes.whole(value, place, lowest=_SMALLEST_MEMORY_MIB, highest=_LARGEST_MEMORY_MIB)
    if memory % _MEMORY_STEP_MIB and memory != _SMALLEST_MEMORY_MIB:
        mistakes.add(place, f"must be 64 or a multiple of 128 MB, not {memory}")
    return memory


def _variables(settings: Mapping[str, Any], place: str, mistakes: Mistakes) -> dict[str, str]:
    """Read the `environments` list. A value whose variable is not set is left out."""
    if "environment" in settings:
        mistakes.add(f"{place}.environment", "multi-scf overwrites it; write the list `environments` instead")
    variables: dict[str, str] = {}
    place = f"{place}.environments"
    for item in mistakes.items(settings.get("environments"), place):
        pair = mistakes.mapping(item, place)
        name, value = pair.get("key"), pair.get("value")
        if set(pair) - {"key", "value"} or not isinstance(name, str) or isinstance(value, (dict, list)):
            mistakes.add(place, f"every item has a key and a value, not {item!r}")
        elif not _VARIABLE.fullmatch(name):
            mistakes.add(place, f"{name!r} must be 2 to 64 letters, digits or _, a letter first")
        elif name.startswith(_RESERVED):
            mistakes.add(place, f"{name!r} begins like the platform's own variables ({', '.join(_RESERVED)})")
        elif name in variables:
            mistakes.add(place, f"{name!r} is there twice")
        elif value is not None:
            variables[name] = str(value).lower() if isinstance(value, bool) else str(value)
    size = sum(len(name.encode()) + len(value.encode()) for name, value in variables.items())
    if size > _MAX_VARIABLES_BYTES:
        mistakes.add(place, f"{size} bytes of variables are more than {_MAX_VARIABLES_BYTES}")
    return variables
