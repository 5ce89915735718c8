"""The parameters of SCF's actions, and the limits of the platform.

Parameters that have no meaning here are rejected, so that callers do not rely on them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from localcloud.api3.models import ApiError, ApiParams, parse_params
from localcloud.runtime.cron import Cron
from localcloud.runtime.events import is_cos_event
from localcloud.scf.models import NAMESPACE, FunctionSettings

# Name and handler: sdk, CreateFunctionRequest. Limits: 583/11637
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,58}[A-Za-z0-9]")
_HANDLER_PART = r"[A-Za-z][A-Za-z0-9_-]{0,58}[A-Za-z]"
_HANDLER = re.compile(rf"{_HANDLER_PART}\.{_HANDLER_PART}")
_DESCRIPTION = re.compile(r"[A-Za-z0-9 ,.\n\u3001\u3002\u4e00-\u9fff\uff0c]{0,1000}")
_VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]{1,63}")
_RESERVED_PREFIXES = ("SCF_", "QCLOUD_", "TENCENTCLOUD_")
_RESERVED_TAG_PREFIXES = ("qcs:", "project", "\u9879\u76ee", "qcloud", "tencent")  # 651/13354 and 597/33355
_RUNTIMES = ("Python3.6", "Python3.7", "Python3.9", "Python3.10")
_MAX_VARIABLES_BYTES = 4096
_MIN_MEMORY_MIB, _MEMORY_STEP_MIB, _MAX_MEMORY_MIB = 64, 128, 3072
_MAX_TIMEOUT_S = 900
_MIN_INIT_TIMEOUT_S, _MAX_INIT_TIMEOUT_S = 3, 300
_DEFAULT_PAGE_SIZE = 20

_BAD_DESC, _BAD_NAME = "InvalidParameterValue.TriggerDesc", "InvalidParameterValue.TriggerName"
_BUCKET_HOST = re.compile(r"([a-z0-9][a-z0-9-]*-(\d+))\.cos\.([a-z0-9-]+)\.myqcloud\.com")
_TIMER_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")  # sdk, CreateTriggerRequest
_MAX_ARGUMENT_BYTES = 4096

_Count = Annotated[int, Field(ge=0)]


class NamespaceParams(ApiParams):
    """Parameters of an action in a namespace."""

    namespace: str = NAMESPACE

    def check_namespace(self) -> None:
        """Raise ApiError if the namespace does not exist."""
        if self.namespace != NAMESPACE:
            raise ApiError("ResourceNotFound.Namespace", f"There is no namespace {self.namespace}.")


class FunctionParams(NamespaceParams):
    """Parameters of an action on a function."""

    function_name: str


class QualifiedParams(FunctionParams):
    """Parameters of an action on a version or alias of a function."""

    qualifier: str = "$LATEST"

    def check_qualifier(self) -> str:
        """Return the qualifier; versions are never published here. Raises ApiError."""
        if self.qualifier not in ("$LATEST", "$DEFAULT"):
            raise ApiError("ResourceNotFound.Qualifier", f"There is no version or alias {self.qualifier}.")
        return self.qualifier


class _KeyValue(ApiParams):
    key: str
    value: str


class _Environment(ApiParams):
    variables: list[_KeyValue] = Field(default_factory=list)


class _EipConfig(ApiParams):
    eip_status: Any = None


class _PublicNetConfig(ApiParams):
    public_net_status: str | None = None
    eip_config: _EipConfig | None = None


class _Code(ApiParams):
    zip_file: str | None = None


class UpdateConfigurationParams(FunctionParams):
    """Parameters of UpdateFunctionConfiguration."""

    description: str | None = None
    memory_size: _Count | None = None
    timeout: _Count | None = None
    init_timeout: _Count | None = None
    runtime: str | None = None
    role: str | None = None
    environment: _Environment | None = None
    public_net_config: _PublicNetConfig | None = None

    invalid_codes: ClassVar[Mapping[str, str]] = {
        "Handler": "InvalidParameterValue.Handler",
        "MemorySize": "InvalidParameterValue.MemorySize",
        "Environment": "InvalidParameterValue.Environment",
        "PublicNetConfig": "InvalidParameterValue.PublicNetConfig",
        "Code": "InvalidParameterValue.Code",
    }


class CreateFunctionParams(UpdateConfigurationParams):
    """Parameters of CreateFunction."""

    handler: str
    code: _Code | None = None
    code_source: str = "ZipFile"
    type: str = "Event"
    tags: list[_KeyValue] = Field(default_factory=list)


class UpdateCodeParams(FunctionParams):
    """Parameters of UpdateFunctionCode."""

    handler: str | None = None
    code: _Code | None = None
    code_source: str = "ZipFile"
    zip_file: str | None = None

    invalid_codes: ClassVar[Mapping[str, str]] = {
        "Handler": "InvalidParameterValue.Handler",
        "Code": "InvalidParameterValue.Code",
    }


class GetFunctionParams(QualifiedParams):
    """Parameters of GetFunction."""

    show_code: Any = None


class ListFunctionsParams(NamespaceParams):
    """Parameters of ListFunctions."""

    offset: _Count = 0
    limit: _Count = _DEFAULT_PAGE_SIZE
    search_key: str = ""


class ListNamespacesParams(ApiParams):
    """Parameters of ListNamespaces."""

    limit: Any = None
    offset: Any = None
    orderby: Any = None
    order: Any = None
    search_key: Any = None


class TriggerParams(QualifiedParams):
    """Parameters that identify a trigger; a cos trigger also needs its TriggerDesc."""

    type: str
    trigger_name: str
    trigger_desc: str | None = None


class UpdateTriggerStatusParams(TriggerParams):
    """Parameters of UpdateTriggerStatus."""

    enable: str


class UpdateTriggerParams(TriggerParams):
    """Parameters of UpdateTrigger."""

    enable: str | None = None
    custom_argument: str | None = None
    description: str | None = None


class CreateTriggerParams(UpdateTriggerParams):
    """Parameters of CreateTrigger."""

    trigger_desc: str


class _Filter(ApiParams):
    name: str
    values: list[str] = Field(default_factory=list)


class ListTriggersParams(FunctionParams):
    """Parameters of ListTriggers."""

    offset: _Count = 0
    limit: _Count = _DEFAULT_PAGE_SIZE
    order_by: Any = None
    order: Any = None
    filters: list[_Filter] = Field(default_factory=list)

    invalid_codes: ClassVar[Mapping[str, str]] = {"Filters": "InvalidParameterValue.Filters"}


class InvokeParams(QualifiedParams):
    """Parameters of Invoke."""

    invocation_type: str = "RequestResponse"
    client_context: str = "{}"
    log_type: str = "None"


class _RetryConfig(ApiParams):
    retry_num: _Count | None = None


class _AsyncTriggerConfig(ApiParams):
    retry_config: list[_RetryConfig] = Field(default_factory=list)
    msg_ttl: _Count | None = Field(default=None, alias="MsgTTL")


class UpdateInvokeConfigParams(FunctionParams):
    """Parameters of UpdateFunctionEventInvokeConfig."""

    async_trigger_config: _AsyncTriggerConfig | None = None

    invalid_codes: ClassVar[Mapping[str, str]] = {
        "AsyncTriggerConfig": "InvalidParameterValue.AsyncTriggerConfig"
    }


def check_function_name(name: str) -> None:
    """Check the name of a new function. Raises ApiError."""
    if not _NAME.fullmatch(name):
        raise ApiError(
            "InvalidParameter.FunctionName",
            f"{name!r} must be 2 to 60 letters, digits, - or _, a letter first.",
        )


def check_handler(handler: str) -> str:
    """Return the handler. Raises ApiError."""
    if not _HANDLER.fullmatch(handler):
        raise ApiError(
            "InvalidParameterValue.Handler", f"{handler!r} must be file.function, with a letter at each end."
        )
    return handler


def apply_changes(settings: FunctionSettings, params: UpdateConfigurationParams) -> FunctionSettings:
    """Apply parameters to settings; what is absent stays as it was. Raises ApiError."""
    memory_mib = _get(params.memory_size, settings.memory_mib)
    if memory_mib != _MIN_MEMORY_MIB and (
        memory_mib % _MEMORY_STEP_MIB or not _MEMORY_STEP_MIB <= memory_mib <= _MAX_MEMORY_MIB
    ):
        raise ApiError(
            "InvalidParameterValue.Memory",
            f"MemorySize must be 64, or 128 to 3072 in steps of 128, not {memory_mib}.",
        )
    timeout_s = _get(params.timeout, settings.timeout_s)
    if not 1 <= timeout_s <= _MAX_TIMEOUT_S:
        raise ApiError(
            "LimitExceeded.Timeout", f"Timeout must be 1 to {_MAX_TIMEOUT_S} seconds, not {timeout_s}."
        )
    init_timeout_s = _get(params.init_timeout, settings.init_timeout_s)
    if not _MIN_INIT_TIMEOUT_S <= init_timeout_s <= _MAX_INIT_TIMEOUT_S:
        raise ApiError(
            "LimitExceeded.InitTimeout", f"InitTimeout must be 3 to 300 seconds, not {init_timeout_s}."
        )
    return replace(
        settings,
        runtime=_check_runtime(params, settings.runtime),
        description=_check_description(params, settings.description),
        memory_mib=memory_mib,
        timeout_s=timeout_s,
        init_timeout_s=init_timeout_s,
        public_network=_check_public_network(params, default=settings.public_network),
        role=_get(params.role, settings.role),
        variables=settings.variables if params.environment is None else _check_variables(params.environment),
    )


def _get(value: Any, default: Any) -> Any:
    return default if value is None else value


def check_tags(params: CreateFunctionParams) -> dict[str, str]:
    """Return the tags of a new function. Raises ApiError.

    SCF's own list has no code for a reserved key; this one is the tag service's, and CAM's.
    """
    tags = {tag.key: tag.value for tag in params.tags}
    for key in tags:
        if key.startswith(_RESERVED_TAG_PREFIXES):
            raise ApiError(
                "InvalidParameter.ReservedTagKey", f"The tag key {key!r} is reserved by the system."
            )
    return tags


def _check_runtime(params: UpdateConfigurationParams, before: str) -> str:
    runtime: str = _get(params.runtime, before)
    if runtime not in _RUNTIMES or runtime != (before or runtime):
        raise ApiError(
            "InvalidParameterValue.Runtime",
            f"Runtime {runtime!r}: one of {', '.join(_RUNTIMES)} can run here, and none can be changed later.",
        )
    return runtime


def _check_description(params: UpdateConfigurationParams, before: str) -> str:
    description: str = _get(params.description, before)
    if not _DESCRIPTION.fullmatch(description):
        raise ApiError(
            "InvalidParameterValue.Description",
            "Description takes at most 1000 letters, digits, blanks, commas and full stops.",
        )
    return description


def _check_public_network(params: UpdateConfigurationParams, *, default: bool) -> bool:
    config = params.public_net_config
    if config is None or config.public_net_status is None:
        return default
    if config.public_net_status not in ("ENABLE", "DISABLE"):
        raise ApiError(
            "InvalidParameterValue.PublicNetConfig",
            f"PublicNetStatus must be ENABLE or DISABLE, not {config.public_net_status!r}.",
        )
    return config.public_net_status == "ENABLE"


def _check_variables(environment: _Environment) -> dict[str, str]:
    variables: dict[str, str] = {}
    for pair in environment.variables:
        if pair.key.startswith(_RESERVED_PREFIXES):
            raise ApiError(
                "InvalidParameterValue.EnvironmentSystemProtect", f"{pair.key} is a name of the platform."
            )
        if not _VARIABLE.fullmatch(pair.key) or pair.key in variables:
            raise ApiError(
                "InvalidParameterValue.Environment",
                f"The variable {pair.key!r} is repeated, or is not a name of 2 to 64 letters, digits or _.",
            )
        variables[pair.key] = pair.value
    size = sum(len(name.encode()) + len(value.encode()) for name, value in variables.items())
    if size > _MAX_VARIABLES_BYTES:
        raise ApiError(
            "InvalidParameterValue.EnvironmentExceededLimit", f"The variables have {size} bytes, over 4096."
        )
    return variables


def get_zip(params: CreateFunctionParams | UpdateCodeParams) -> str:
    """Return the base64 text of Code.ZipFile. Raises ApiError."""
    if params.code_source != "ZipFile":
        raise ApiError("InvalidParameterValue.CodeSource", "This stand-in takes code as a ZipFile only.")
    if params.code is None or params.code.zip_file is None:
        raise ApiError("MissingParameter.Code", "The code is missing: Code.ZipFile.")
    return params.code.zip_file


@dataclass(frozen=True, slots=True)
class Region:
    """The region and the account of the functions."""

    name: str
    appid: str


class _TriggerDesc(ApiParams):
    invalid_code: ClassVar[str] = _BAD_DESC


class _CosFilter(_TriggerDesc):
    prefix: str = ""
    suffix: str = ""


class _CosDesc(_TriggerDesc):
    model_config = ConfigDict(alias_generator=to_camel)

    event: str
    filter: _CosFilter | None = None
    bucket_url: Any = None


class _TimerDesc(_TriggerDesc):
    model_config = ConfigDict(alias_generator=to_camel)

    cron: str


class _NetConfig(_TriggerDesc):
    """The switches, and the URLs that ListTriggers shows: they may be sent back and are ignored."""

    enable_intranet: bool = False
    enable_extranet: bool = False
    intranet_url: Any = None
    intranet_http_url: Any = Field(default=None, alias="IntranetHTTPUrl")
    wss_intranet_url: Any = None
    ws_intranet_url: Any = None
    extranet_url: Any = None
    extranet_http_url: Any = Field(default=None, alias="ExtranetHTTPUrl")
    wss_extranet_url: Any = None
    ws_extranet_url: Any = None


class _HttpDesc(_TriggerDesc):
    """ApiGwCompatible and EnableSimpleMode are used in public projects; their meaning is not documented."""

    auth_type: str
    net_config: _NetConfig | None = None
    cors_config: Any = None
    api_gw_compatible: Any = None
    enable_simple_mode: Any = None


def validate_trigger_desc(kind: str, name: str, desc: str, region: Region) -> str:
    """Validate and normalize a TriggerDesc: two with the same meaning become equal. Raises ApiError.

    Shapes: 583/39901 and 583/100227.
    """
    if kind == "cos":
        match = _BUCKET_HOST.fullmatch(name)
        if match is None:
            raise ApiError(_BAD_NAME, f"{name!r} is not <name>-<appid>.cos.<region>.myqcloud.com.")
        if (match[2], match[3]) != (region.appid, region.name):
            raise ApiError(
                "InvalidParameterValue.Cos",
                f"The bucket of {name} is not of account {region.appid} in {region.name}, as the function is.",
            )
        return to_compact_json(_parse_cos_desc(desc))
    if kind == "timer":
        if not _TIMER_NAME.fullmatch(name):
            raise ApiError(_BAD_NAME, f"{name!r} must be 1 to 100 letters, digits, - or _.")
        return _parse_timer_desc(desc)
    if kind == "http":
        return to_compact_json(_parse_http_desc(desc))
    raise ApiError(
        "InvalidParameterValue.Type", f"A trigger of type {kind!r} cannot run here; cos, timer, http can."
    )


def check_argument(kind: str, argument: str) -> str:
    """Return a CustomArgument. Raises ApiError."""
    if argument and (kind != "timer" or len(argument.encode()) > _MAX_ARGUMENT_BYTES):
        raise ApiError(
            "InvalidParameterValue.CustomArgument",
            f"Only a timer takes a CustomArgument, of at most {_MAX_ARGUMENT_BYTES} bytes.",
        )
    return argument


def parse_enable(value: str | None, *, default: bool) -> bool:
    """Parse Enable, which is OPEN or CLOSE. Raises ApiError."""
    if value is None:
        return default
    if value not in ("OPEN", "CLOSE"):
        raise ApiError("InvalidParameterValue.Enable", f"Enable must be OPEN or CLOSE, not {value!r}.")
    return value == "OPEN"


def to_compact_json(value: Any) -> str:
    """Serialize without blanks, as TriggerDesc is stored and shown."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _parse_cos_desc(text: str) -> dict[str, Any]:
    desc = parse_params(_CosDesc, _parse_object(text), "TriggerDesc.")
    if not is_cos_event(desc.event):
        raise ApiError(_BAD_DESC, f"{desc.event!r} is not an event such as cos:ObjectCreated:*.")
    rule = desc.filter or _CosFilter()
    prefix, suffix = rule.prefix, rule.suffix
    if "*" in prefix + suffix or (suffix and not suffix.startswith(".")):
        raise ApiError(_BAD_DESC, "Prefix and Suffix cannot have wildcards, and a Suffix begins with a dot.")
    return {"event": desc.event, "filter": {"Prefix": prefix, "Suffix": suffix}}


def _parse_timer_desc(text: str) -> str:
    # The expression itself, or the form in which it is shown.
    is_json = text.startswith("{")
    expression = parse_params(_TimerDesc, _parse_object(text)).cron if is_json else text
    try:
        Cron.parse(expression)
    except ValueError as error:
        raise ApiError(_BAD_DESC, f"{error}.") from None
    return " ".join(expression.split())


def _parse_http_desc(text: str) -> dict[str, Any]:
    raw = _parse_object(text)
    desc = parse_params(_HttpDesc, raw, "TriggerDesc.")
    if desc.auth_type not in ("NONE", "CAM"):
        raise ApiError(_BAD_DESC, f"AuthType must be NONE or CAM, not {desc.auth_type!r}.")
    net = desc.net_config or _NetConfig()
    switches = {"EnableIntranet": net.enable_intranet, "EnableExtranet": net.enable_extranet}
    return {**raw, "AuthType": desc.auth_type, "NetConfig": switches}


def _parse_object(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ApiError(_BAD_DESC, "TriggerDesc is not a JSON object.")
    return value
