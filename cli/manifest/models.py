"""The form of serverless.yml as pydantic models, and what should run in the cloud as specs.

`ManifestFile` follows the file, for component multi-scf, as far as Scribe uses it; a text of None is a variable that is
not set. The description of each field completes the sentence "write ..." in an error message; it is translated there.

`Manifest` and its specs are what `cli.deploy` compares with the cloud: in the terms of the SCF API, version 2018-04-16.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from cli.language import N_

CALLBACK = "callback"  # the key of the function that has the URL
EVERY_UPLOAD = "cos:ObjectCreated:*"  # the usual event of a cos trigger

_NET = "{ enableExtranet: true, enableIntranet: false }"  # not translated
_NAME = N_("small letters, digits and hyphens, a letter first")
_MEMORY_STEP_MIB, _MIN_MEMORY_MIB, _MAX_MEMORY_MIB = 128, 64, 3072


def _check_memory(value: int) -> int:
    is_step = value % _MEMORY_STEP_MIB == 0 and _MEMORY_STEP_MIB <= value <= _MAX_MEMORY_MIB
    if value != _MIN_MEMORY_MIB and not is_step:
        raise ValueError(value)
    return value


def _check_exclude(value: list[str]) -> list[str]:
    if ".env*" not in value:  # .env holds keys
        raise ValueError(value)
    return value


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*\Z", description=_NAME)]
Role = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9+=,.@_-]{1,128}\Z", description=N_("the name of a role, such as scribe-upload")
    ),
]
MemoryMib = Annotated[
    int, AfterValidator(_check_memory), Field(description=N_("64, or a multiple of 128 up to 3072 (MB)"))
]
TimeoutS = Annotated[int, Field(ge=1, le=900, description=N_("1 to 900 (seconds)"))]
InitTimeoutS = Annotated[int, Field(ge=3, le=300, description=N_("3 to 300 (seconds)"))]
Qualifier = Annotated[
    Literal["$DEFAULT"], Field(description=N_("$DEFAULT: otherwise the trigger calls another version"))
]
Enabled = Annotated[
    Literal[True], Field(description=N_("true: otherwise the trigger is created but disabled"))
]


class _Section(BaseModel):
    """A part of the file. Numbers and booleans must be written without quotes; names are in camelCase."""

    model_config = ConfigDict(strict=True, extra="forbid", alias_generator=to_camel, regex_engine="python-re")


class EnvironmentVariable(_Section):
    """An entry of `environments`."""

    key: str = Field(
        pattern=r"^(?!SCF_|QCLOUD_|TENCENTCLOUD_)[A-Za-z][A-Za-z0-9_]{1,63}\Z",
        description=N_(
            "2 to 64 letters, digits or _, a letter first, and not SCF_, QCLOUD_ or TENCENTCLOUD_, which are "
            "reserved by the platform"
        ),
    )
    value: str | None = Field(description=N_("text in quotes"))


class Tag(_Section):
    """An entry of `tags`. Reserved keys: tag document 651/13354; CAM's ReservedTagKey for qcloud and tencent."""

    key: str = Field(
        pattern=r"^(?!qcs:|project|项目|qcloud|tencent).{1,127}\Z",
        description=N_(
            "1 to 127 characters in quotes that do not begin with qcs:, project, 项目, qcloud or tencent, "
            "which are reserved by the platform"
        ),
    )
    value: str = Field(max_length=255, description=N_("at most 255 characters in quotes"))


class Source(_Section):
    """How Tencent's own command line makes the package."""

    src: str = Field(description=N_("the folder of the sources, ./"))
    hook: str = Field(description=N_("the command that makes the package"))
    dist: str = Field(description=N_("the folder that the hook makes"))
    exclude: Annotated[
        list[Annotated[str, Field(description=N_("a file pattern in quotes"))]],
        AfterValidator(_check_exclude),
        Field(description=N_("a list of what stays out, with '.env*' in it: that file holds keys")),
    ]


class FunctionEntry(_Section):
    """An entry of `functions`. What is None is taken from `inputs`."""

    handler: str = Field(
        pattern=r"^[A-Za-z][A-Za-z0-9_]{0,58}[A-Za-z0-9]\.[A-Za-z][A-Za-z0-9_]{0,58}[A-Za-z0-9]\Z",
        description=N_("module.function, such as upload.main_handler"),
    )
    role: Role = ""
    memory_size: MemoryMib = 0
    timeout: TimeoutS = 0
    init_timeout: InitTimeoutS = 0


class CosFilter(_Section):
    """Which keys a cos trigger is for."""

    prefix: Annotated[
        str | None,
        Field(
            pattern=r"^[^*]*\Z", description=N_("the text that a key begins with; * has no special meaning")
        ),
    ] = None
    suffix: Annotated[
        str,
        Field(
            pattern=r"^\.[^*]*\Z",
            description=N_("an ending that begins with a dot, such as .mp3; * has no special meaning"),
        ),
    ] = ""


class CosParameters(_Section):
    """What a cos trigger waits for. `bucket` holds a comma list where INPUT_BUCKETS does."""

    qualifier: Qualifier
    bucket: str = Field(
        pattern=r"^.+\.cos\.[a-z0-9-]+\.myqcloud\.com\Z",
        description=N_("the bucket's host, <name>-<appid>.cos.<region>.myqcloud.com"),
    )
    events: str = Field(
        pattern=r"^cos:(ObjectCreated:(\*|Put|Post|Copy|CompleteMultipartUpload|Origin|Replication|Append)"
        r"|ObjectRestore:Completed)\Z",
        description=N_("'cos:ObjectCreated:*', for every way to upload, or 'cos:ObjectRestore:Completed'"),
    )
    filter: CosFilter = Field(default_factory=CosFilter, description=N_("prefix, and suffix if needed"))
    enable: Enabled


class NetConfig(_Section):
    """From where a function's URL can be reached."""

    enable_extranet: Literal[True] = Field(description=N_("true: otherwise the function has no public URL"))
    enable_intranet: bool = Field(description=N_("true or false, without quotes"))


class HttpParameters(_Section):
    """The URL of a function."""

    qualifier: Qualifier
    auth_type: Literal["NONE"] = Field(description=N_("NONE: Cloud Infinite does not sign its requests"))
    net_config: NetConfig = Field(description=_NET)
    enable: Enabled


class TimerParameters(_Section):
    """A timer."""

    name: str = Field(
        pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,59}\Z",
        description=N_("at most 60 letters, digits, - or _, a letter first"),
    )
    qualifier: Qualifier
    cron_expression: str = Field(description=N_("seven fields in quotes, such as '0 */5 * * * * *'"))
    argument: Literal["reconcile", "audit"] = Field(
        description=N_("reconcile or audit, what the sweep is to do")
    )
    enable: Enabled


_TYPE = N_("cos, http or timer")
_FUNCTION = N_("the name of a function under inputs.functions")
_PARAMETERS = N_("the parameters of the trigger")


class CosTrigger(_Section):
    """A trigger for uploads."""

    type: Literal["cos"] = Field(description=_TYPE)
    function: str = Field(description=_FUNCTION)
    parameters: CosParameters = Field(description=_PARAMETERS)


class HttpTrigger(_Section):
    """A trigger for requests to the function's URL."""

    type: Literal["http"] = Field(description=_TYPE)
    function: str = Field(description=_FUNCTION)
    parameters: HttpParameters = Field(description=_PARAMETERS)


class TimerTrigger(_Section):
    """A trigger for times."""

    type: Literal["timer"] = Field(description=_TYPE)
    function: str = Field(description=_FUNCTION)
    parameters: TimerParameters = Field(description=_PARAMETERS)


Trigger = Annotated[
    CosTrigger | HttpTrigger | TimerTrigger,
    Field(discriminator="type", description=N_("type, function and parameters")),
]
FunctionKey = Annotated[
    str,
    Field(
        pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?\Z",
        description=N_("small letters, digits and hyphens, a letter first and no hyphen last"),
    ),
]
_PAIR = "{ key: NAME, value: 'text' }"  # not translated
_PAIRS = N_("a list of { key: NAME, value: 'text' }")


class Inputs(_Section):
    """The settings of all functions, each function, and the triggers. Defaults are those of the API."""

    region: str = Field(
        pattern=r"^[a-z]{2,3}-[a-z0-9-]{2,24}\Z", description=N_("a region such as ap-guangzhou")
    )
    runtime: Literal["Python3.10"] = Field(description=N_("Python3.10: the package is made for it"))
    namespace: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,58}[A-Za-z0-9]\Z",
            description=N_("the name of a namespace, such as default"),
        ),
    ] = "default"
    type: Literal["event"] = Field(description=N_("event: the handlers are called with events"))
    memory_size: MemoryMib = 128
    timeout: TimeoutS = 3
    init_timeout: InitTimeoutS = 65
    role: Role = ""
    public_access: Annotated[bool, Field(description=N_("true or false, without quotes"))] = True
    src: Source = Field(description=N_("src, hook, dist and exclude"))
    environments: list[Annotated[EnvironmentVariable, Field(description=_PAIR)]] = Field(description=_PAIRS)
    tags: Annotated[list[Annotated[Tag, Field(description=_PAIR)]], Field(description=_PAIRS)] = []
    functions: dict[
        FunctionKey,
        Annotated[FunctionEntry, Field(description=N_("its settings, such as handler: upload.main_handler"))],
    ] = Field(min_length=1, description=N_("each function under its name"))
    triggers: list[Trigger] = Field(min_length=1, description=N_("a list of triggers"))


class ManifestFile(_Section):
    """The whole file."""

    app: Name
    stage: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*\Z", description=N_("letters, digits and hyphens, such as prod")
    )
    component: str = Field(
        pattern=r"^multi-scf(@[0-9.]+)?\Z", description=N_("multi-scf, the form that holds several functions")
    )
    name: Name
    inputs: Inputs = Field(description=N_("the settings of the functions"))


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """One function that should exist. `key` is its name in serverless.yml (`upload`), `name` its name in the cloud."""

    key: str
    name: str
    handler: str
    runtime: str
    namespace: str
    role: str
    memory_mib: int
    timeout_s: int
    init_timeout_s: int
    public_network: bool
    variables: Mapping[str, str] = field(repr=False)  # holds the callback token
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TriggerSpec:
    """One trigger that should exist. `function` is the function's key; `type` cos, timer or http.

    A cos trigger is named by its bucket's host: those of one bucket differ in their `event`.

    `description` is the API's TriggerDesc: compact JSON for cos and http, the bare cron expression for a timer.
    `argument` is a timer's CustomArgument.
    """

    function: str
    type: str
    name: str
    description: str
    qualifier: str
    is_open: bool
    argument: str = ""

    @property
    def event(self) -> str:
        """The event of a cos trigger, e.g. `cos:ObjectCreated:*`; "" for others."""
        return parse_event(self.type, self.description)


def parse_event(kind: str, description: str) -> str:
    """Return the event in the description of a cos trigger; "" for another type, or if there is none."""
    if kind != "cos":
        return ""
    try:
        members = json.loads(description)
    except ValueError:
        return ""
    return str(members.get("event") or "") if isinstance(members, dict) else ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The whole of serverless.yml, validated, with every variable filled in."""

    app: str
    stage: str
    name: str
    region: str
    functions: Mapping[str, FunctionSpec]
    triggers: tuple[TriggerSpec, ...]

    def triggers_for(self, function: str) -> tuple[TriggerSpec, ...]:
        """Return the triggers of one function, by its key."""
        return tuple(trigger for trigger in self.triggers if trigger.function == function)


def create_function_payload(spec: FunctionSpec) -> dict[str, Any]:
    """Build CreateFunction without `Code` and `Description`, which depend on the package."""
    return {
        **update_configuration_payload(spec),
        "Type": "Event",
        "Handler": spec.handler,
        "Runtime": spec.runtime,
        "Tags": [{"Key": key, "Value": value} for key, value in spec.tags.items()],
    }


def update_configuration_payload(spec: FunctionSpec) -> dict[str, Any]:
    """Build UpdateFunctionConfiguration without `Description`. Its variables replace all existing ones."""
    return {
        "FunctionName": spec.name,
        "Namespace": spec.namespace,
        "Role": spec.role,
        "MemorySize": spec.memory_mib,
        "Timeout": spec.timeout_s,
        "InitTimeout": spec.init_timeout_s,
        "PublicNetConfig": {
            "PublicNetStatus": "ENABLE" if spec.public_network else "DISABLE",
            "EipConfig": {"EipStatus": "DISABLE"},
        },
        "Environment": {
            "Variables": [{"Key": name, "Value": value} for name, value in spec.variables.items()]
        },
    }


def create_trigger_payload(name: str, namespace: str, trigger: TriggerSpec) -> dict[str, Any]:
    """Build CreateTrigger; `name` is the function's name in the cloud."""
    payload = {
        "FunctionName": name,
        "Namespace": namespace,
        "Type": trigger.type,
        "TriggerName": trigger.name,
        "TriggerDesc": trigger.description,
        "Qualifier": trigger.qualifier,
        "Enable": "OPEN" if trigger.is_open else "CLOSE",
    }
    if trigger.argument:
        payload["CustomArgument"] = trigger.argument
    return payload
