"""A function's settings as CreateFunction and UpdateFunctionConfiguration take them, within the platform's limits."""

from __future__ import annotations

import re
from dataclasses import replace

from localcloud.control.calls import Refusal
from localcloud.control.scf.given import Given
from localcloud.control.scf.records import Settings

# Fields of both actions that mean something here. Others of the API are refused, so that nobody relies on them.
FIELDS = frozenset(
    (
        *("FunctionName", "Namespace", "Description", "MemorySize", "Timeout", "Runtime", "Environment"),
        *("Role", "PublicNetConfig", "InitTimeout"),
    )
)
# Name and handler: sdk, CreateFunctionRequest. Limits: 583/11637
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,58}[A-Za-z0-9]")
_PART = r"[A-Za-z][A-Za-z0-9_-]{0,58}[A-Za-z]"
_HANDLER = re.compile(rf"{_PART}\.{_PART}")
_DESCRIPTION = re.compile(r"[A-Za-z0-9 ,.\n\u3001\u3002\u4e00-\u9fff\uff0c]{0,1000}")
_VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]{1,63}")
_RESERVED = ("SCF_", "QCLOUD_", "TENCENTCLOUD_")
_RESERVED_TAGS = ("qcs:", "project", "\u9879\u76ee", "qcloud", "tencent")  # 651/13354 and 597/33355
_RUNTIMES = ("Python3.6", "Python3.7", "Python3.9", "Python3.10")
_MOST_VARIABLES_BYTES = 4096
_SMALLEST_MIB, _STEP_MIB, _LARGEST_MIB = 64, 128, 3072
_LONGEST_S = 900
_SHORTEST_INIT_S, _LONGEST_INIT_S = 3, 300


def function_name(given: Given) -> str:
    """The name of a new function. Raises Refusal."""
    name = given.text("FunctionName")
    if not _NAME.fullmatch(name):
        raise Refusal(
            "InvalidParameter.FunctionName",
            f"{name!r} must be 2 to 60 letters, digits, - or _, a letter first.",
        )
    return name


def handler(given: Given, default: str | None = None) -> str:
    """The handler. Raises Refusal."""
    found = given.text("Handler", default, code="InvalidParameterValue.Handler")
    if not _HANDLER.fullmatch(found):
        raise Refusal(
            "InvalidParameterValue.Handler", f"{found!r} must be file.function, with a letter at each end."
        )
    return found


def changed(before: Settings, given: Given) -> Settings:
    """The settings with what is given laid over them; what is absent stays as it was. Raises Refusal."""
    memory = given.whole("MemorySize", before.memory_mib, code="InvalidParameterValue.MemorySize")
    if memory != _SMALLEST_MIB and (memory % _STEP_MIB or not _STEP_MIB <= memory <= _LARGEST_MIB):
        raise Refusal(
            "InvalidParameterValue.Memory", f"MemorySize is 64, or 128 to 3072 in steps of 128, not {memory}."
        )
    timeout_s = given.whole("Timeout", before.timeout_s)
    if not 1 <= timeout_s <= _LONGEST_S:
        raise Refusal("LimitExceeded.Timeout", f"Timeout is 1 to {_LONGEST_S} seconds, not {timeout_s}.")
    init_s = given.whole("InitTimeout", before.init_timeout_s)
    if not _SHORTEST_INIT_S <= init_s <= _LONGEST_INIT_S:
        raise Refusal("LimitExceeded.InitTimeout", f"InitTimeout is 3 to 300 seconds, not {init_s}.")
    return replace(
        before,
        runtime=_runtime(given, before.runtime),
        description=_description(given, before.description),
        memory_mib=memory,
        timeout_s=timeout_s,
        init_timeout_s=init_s,
        public_network=_public_network(given, before=before.public_network),
        role=given.text("Role", before.role),
        variables=_variables(given) if given.has("Environment") else before.variables,
    )


def tags(given: Given) -> dict[str, str]:
    """The tags of a new function. Raises Refusal.

    SCF's own list has no code for a reserved key; this is the tag service's, and CAM's.
    """
    found = {tag.text("Key"): tag.text("Value") for tag in given.each("Tags", ("Key", "Value"))}
    for key in found:
        if key.startswith(_RESERVED_TAGS):
            raise Refusal(
                "InvalidParameter.ReservedTagKey", f"The tag key {key!r} is reserved by the system."
            )
    return found


def _runtime(given: Given, before: str) -> str:
    found = given.text("Runtime", before)
    if found not in _RUNTIMES or found != (before or found):
        raise Refusal(
            "InvalidParameterValue.Runtime",
            f"Runtime {found!r}: one of {', '.join(_RUNTIMES)} can run here, and none can be changed later.",
        )
    return found


def _description(given: Given, before: str) -> str:
    found = given.text("Description", before)
    if not _DESCRIPTION.fullmatch(found):
        raise Refusal(
            "InvalidParameterValue.Description",
            "Description takes at most 1000 letters, digits, blanks, commas and full stops.",
        )
    return found


def _public_network(given: Given, *, before: bool) -> bool:
    code = "InvalidParameterValue.PublicNetConfig"
    inner = given.inner("PublicNetConfig", ("PublicNetStatus", "EipConfig"), code=code)
    inner.inner("EipConfig", ("EipStatus",), code=code)
    found = inner.text("PublicNetStatus", "ENABLE" if before else "DISABLE", code=code)
    if found not in ("ENABLE", "DISABLE"):
        raise Refusal(code, f"PublicNetStatus is ENABLE or DISABLE, not {found!r}.")
    return found == "ENABLE"


def _variables(given: Given) -> dict[str, str]:
    code = "InvalidParameterValue.Environment"
    variables: dict[str, str] = {}
    pairs = given.inner("Environment", ("Variables",), code=code).each(
        "Variables", ("Key", "Value"), code=code
    )
    for pair in pairs:
        name = pair.text("Key", code=code)
        if name.startswith(_RESERVED):
            raise Refusal(
                "InvalidParameterValue.EnvironmentSystemProtect", f"{name} is a name of the platform."
            )
        if not _VARIABLE.fullmatch(name) or name in variables:
            raise Refusal(
                code, f"The variable {name!r} is there twice, or is no name of 2 to 64 letters, digits or _."
            )
        variables[name] = pair.text("Value", code=code)
    size = sum(len(name.encode()) + len(value.encode()) for name, value in variables.items())
    if size > _MOST_VARIABLES_BYTES:
        raise Refusal(
            "InvalidParameterValue.EnvironmentExceededLimit", f"The variables have {size} bytes, over 4096."
        )
    return variables
