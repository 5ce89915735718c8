"""Loads serverless.yml (`component: multi-scf`) for `--functions`: the functions that run here, and their triggers.

Rejects what cannot run here. The limits of the platform are checked by `scribe deploy` and by the SCF API.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.alias_generators import to_camel

from localcloud.runtime.cron import Cron
from localcloud.runtime.events import is_cos_event, rules_overlap
from localcloud.runtime.models import (
    CosTrigger,
    DeploymentError,
    DeploymentSpec,
    Function,
    HttpTrigger,
    TimerTrigger,
    Trigger,
)

# Settings of `component: scf` and `multi-scf` that have no meaning here, 1154/39271 and 1154/129052
_IGNORED_SETTINGS = frozenset(
    "region description diskSize publicAccess eip vpc vpcConfig cfs layers cls tags deadLetter asyncRunEnable"  # noqa: SIM905 -- readable
    " traceEnable msgTTL retryNum installDependency src publish publishDescription traffic aliasName"
    " provisionedNum qualifier ignoreTriggers".split()
)
_SHARED_ONLY = frozenset(("functions", "triggers", "isAutoPublish"))
_ENV_REFERENCE = re.compile(r"\$\{env:(\w+)\}")
_HANDLER = re.compile(r"([A-Za-z][\w-]{0,58}[A-Za-z0-9])\.([A-Za-z][\w-]{0,58}[A-Za-z0-9])", re.ASCII)
_TARGET = re.compile(r"NOTIFY_(WEBHOOK|WECOM|FEISHU|DINGTALK)(_[A-Z0-9]+)+")
_BUCKET_HOST = re.compile(r"([a-z0-9][a-z0-9-]*-(\d+))\.cos\.([a-z0-9-]+)\.myqcloud\.com")


def load_manifest(folder: Path, *, environ: Mapping[str, str], region: str, appid: str) -> DeploymentSpec:
    """Load `folder`/serverless.yml for a region and an account. Raises DeploymentError with every error in it."""
    file = folder / "serverless.yml"
    try:
        raw = yaml.safe_load(file.read_text("utf-8"))
    except FileNotFoundError:
        raise DeploymentError(file, [f"there is no such file in {folder}"]) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DeploymentError(file, [f"not YAML: {' '.join(str(error).split())}"]) from None
    if not isinstance(raw, dict):
        raise DeploymentError(file, ["the file must be a map"])
    document: dict[str, Any] = _map_strings(raw, lambda text: _interpolate_env(text, environ))
    document["stage"] = document.get("stage") or "dev"
    own = {name: str(document.get(name)) for name in ("app", "name", "stage")}
    document = _map_strings(document, lambda text: _interpolate_self(text, own))
    errors: list[str] = []
    _parse(_Manifest, document, "", errors)
    inputs = document["inputs"] if isinstance(document.get("inputs"), dict) else {}
    if inputs.get("region") not in (None, region):
        errors.append(f"inputs.region: is {inputs['region']!r}, but the services run in {region}")
    _add_named_targets(inputs, environ)
    functions = _parse_functions(inputs, folder, f"{own['name']}-{own['stage']}-{own['app']}", errors)
    triggers = _parse_triggers(inputs, region, appid, errors)
    _check_overlap(triggers, errors)
    if errors:
        raise DeploymentError(file, errors)
    return DeploymentSpec(functions, tuple(triggers))


def _add_named_targets(inputs: dict[str, Any], environ: Mapping[str, str]) -> None:
    """Add the targets of notices that have a name of their own, such as NOTIFY_FEISHU_SALES, as a deployment does.

    The file cannot list them.
    """
    entries = inputs.get("environments")
    if isinstance(entries, list):
        listed = {entry.get("key") for entry in entries if isinstance(entry, dict)}
        named = {name: value for name, value in environ.items() if _TARGET.fullmatch(name) and value}
        entries += [{"key": name, "value": value} for name, value in named.items() if name not in listed]


def _map_strings(value: Any, convert: Callable[[str], str | None]) -> Any:
    """Convert every string of a parsed YAML value."""
    if isinstance(value, dict):
        return {key: _map_strings(item, convert) for key, item in value.items()}
    if isinstance(value, list):
        return [_map_strings(item, convert) for item in value]
    return convert(value) if isinstance(value, str) else value


def _interpolate_env(text: str, environ: Mapping[str, str]) -> str | None:
    """Replace `${env:NAME}`, as Tencent's command line does.

    A missing variable is not an error: as a whole string it becomes None, inside a longer one the text
    `undefined`. (Behaviour of serverless-cloud-framework's platform client 2.1.1.)
    """
    reference = _ENV_REFERENCE.fullmatch(text)
    if reference:
        return environ.get(reference[1])
    return _ENV_REFERENCE.sub(lambda match: environ.get(match[1], "undefined"), text)


def _interpolate_self(text: str, variables: Mapping[str, str]) -> str:
    """Replace `${app}`, `${stage}` and `${name}`, whose values are in the file itself."""
    for name, value in variables.items():
        text = text.replace(f"${{{name}}}", value)
    return text


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)


_M = TypeVar("_M", bound=_Model)


def _parse(model: type[_M], raw: Any, place: str, errors: list[str]) -> _M | None:
    """Validate a part of the file; its errors are added to `errors` with their place."""
    try:
        return model.model_validate({} if raw is None else raw)
    except ValidationError as error:
        for item in error.errors(include_url=False):
            path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in item["loc"])
            errors.append(f"{(place + path).removeprefix('.') or 'the file'}: {_format_message(item)}")
        return None


def _format_message(error: Any) -> str:
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    if error["type"] == "extra_forbidden":
        return "there is no such setting"
    if error["type"] == "missing" or error["input"] in (None, ""):
        return "is missing, or its environment variable is not set"
    return f"{error['msg']}, not {error['input']!r}"


class _Inputs(BaseModel):
    # The shared settings of the functions are checked with each function.
    functions: dict[str, Any] = Field(min_length=1)
    triggers: list[Any] | None = None


class _Manifest(_Model):
    app: str = Field(min_length=1)
    name: str = Field(min_length=1)
    stage: str
    component: str
    inputs: _Inputs

    @field_validator("component")
    @classmethod
    def _check_component(cls, component: str) -> str:
        if component.partition("@")[0] != "multi-scf":
            raise ValueError("must be multi-scf, the form that holds several functions")
        return component


class _Variable(_Model):
    key: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{1,63}$")
    value: str | int | float | bool | None


class _FunctionSettings(_Model):
    """Defaults are those of the API; `initTimeout` is 3 to 300 s."""

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,58}[A-Za-z0-9]$")
    handler: str
    runtime: str = Field(pattern=r"^Python3\.\d+$")
    namespace: str | None = None
    type: Literal["event"] = "event"
    memory_size: int = Field(128, ge=64, le=3072)
    timeout: int = Field(3, ge=1, le=900)
    init_timeout: int = Field(65, ge=3, le=300)
    role: str | None = None
    environments: tuple[_Variable, ...] | None = None

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables; one whose own variable is not set is left out."""
        return {
            variable.key: str(variable.value).lower()
            if isinstance(variable.value, bool)
            else str(variable.value)
            for variable in self.environments or ()
            if variable.value is not None
        }


def _parse_functions(
    inputs: Mapping[str, Any], folder: Path, stem: str, errors: list[str]
) -> dict[str, Function]:
    """Parse `inputs.functions`; the settings of a function replace the shared ones."""
    shared = {name: value for name, value in inputs.items() if name not in _SHARED_ONLY}
    functions: dict[str, Function] = {}
    raw_functions = inputs.get("functions")
    for key, own in (raw_functions if isinstance(raw_functions, dict) else {}).items():
        place = f"functions.{key}"
        if not isinstance(own, dict):
            errors.append(f"{place}: must be a map")
            continue
        # A shallow merge: a function's own list of environments replaces the shared one.
        raw = {"name": f"{stem}-{key}", **shared, **own}
        settings = _parse(
            _FunctionSettings,
            {name: value for name, value in raw.items() if name not in _IGNORED_SETTINGS},
            place,
            errors,
        )
        if settings is not None:
            functions[key] = Function(
                key=key,
                name=settings.name,
                handler=settings.handler,
                folder=folder,
                module_file=_find_module_file(settings.handler, folder, f"{place}.handler", errors),
                runtime=settings.runtime,
                namespace=settings.namespace or "default",
                memory_mib=settings.memory_size,
                timeout_s=settings.timeout,
                init_timeout_s=settings.init_timeout,
                variables=settings.variables,
                role=(settings.role or "") if "role" in raw else None,
            )
    return functions


def _find_module_file(handler: str, folder: Path, place: str, errors: list[str]) -> Path:
    """Find the handler's module at the root, as in a built package, or in handlers/, as in the repository."""
    match = _HANDLER.fullmatch(handler)
    if not match:
        errors.append(f"{place}: {handler!r} must be module.function, each 2 to 60 letters, digits, - or _")
        return folder
    for candidate in (folder / f"{match[1]}.py", folder / "handlers" / f"{match[1]}.py"):
        if candidate.is_file():
            return candidate.resolve()
    errors.append(f"{place}: there is no {match[1]}.py, neither at the root nor in handlers/")
    return folder


class _Filter(_Model):
    prefix: str | None = None
    suffix: str | None = None


class _CosParameters(_Model):
    bucket: str
    events: str
    filter: _Filter | None = None
    qualifier: Any = None
    enable: Any = None

    @field_validator("bucket")
    @classmethod
    def _check_bucket(cls, host: str) -> str:
        if not _BUCKET_HOST.fullmatch(host):
            hint = " (an environment variable is not set)" if "undefined" in host else ""
            hint += " (one trigger takes one bucket)" if "," in host else ""
            raise ValueError(f"{host!r} must be <name>-<appid>.cos.<region>.myqcloud.com{hint}")
        return host

    @field_validator("events")
    @classmethod
    def _check_events(cls, events: str) -> str:
        if not is_cos_event(events):
            raise ValueError(f"{events!r} is not an event such as cos:ObjectCreated:*")
        return events


class _NetConfig(_Model):
    enable_extranet: Any = None
    enable_intranet: Any = None


class _HttpParameters(_Model):
    auth_type: Literal["NONE", "CAM"] = "NONE"
    net_config: _NetConfig = Field(_NetConfig(), validate_default=True)
    name: Any = None
    cors_config: Any = None
    qualifier: Any = None
    enable: Any = True

    @field_validator("net_config")
    @classmethod
    def _check_extranet(cls, net_config: _NetConfig) -> _NetConfig:
        if net_config.enable_extranet is not True:
            raise ValueError("without enableExtranet: true the URL cannot be reached")
        return net_config


class _TimerParameters(_Model):
    name: str = Field(min_length=1)
    cron_expression: str
    argument: str | None = None
    qualifier: Any = None
    enable: Any = None

    @field_validator("cron_expression")
    @classmethod
    def _check_cron(cls, expression: str) -> str:
        Cron.parse(expression)
        return expression


class _TriggerEntry(_Model):
    type: Literal["cos", "http", "timer"]
    function: str
    parameters: Any = None


def _parse_triggers(inputs: Mapping[str, Any], region: str, appid: str, errors: list[str]) -> list[Trigger]:
    """Parse `inputs.triggers`."""
    raw_triggers, raw_functions = inputs.get("triggers"), inputs.get("functions")
    names = sorted(raw_functions) if isinstance(raw_functions, dict) else []
    triggers: list[Trigger | None] = []
    for number, raw in enumerate(raw_triggers if isinstance(raw_triggers, list) else []):
        place = f"triggers[{number}]"
        entry = _parse(_TriggerEntry, raw, place, errors)
        if entry is None:
            continue
        if entry.function not in names:
            errors.append(f"{place}.function: {entry.function!r} is none of {', '.join(names)}")
        place = f"{place}.parameters"
        if entry.type == "cos":
            triggers.append(_parse_cos_trigger(entry, place, region, appid, errors))
        elif entry.type == "http":
            triggers.append(_parse_http_trigger(entry, place, errors))
        else:
            triggers.append(_parse_timer_trigger(entry, place, errors))
    return [trigger for trigger in triggers if trigger is not None]


def _parse_http_trigger(entry: _TriggerEntry, place: str, errors: list[str]) -> HttpTrigger | None:
    http = _parse(_HttpParameters, entry.parameters, place, errors)
    if http is None:
        return None
    return HttpTrigger(entry.function, http.auth_type, enabled=http.enable is True)


def _parse_timer_trigger(entry: _TriggerEntry, place: str, errors: list[str]) -> TimerTrigger | None:
    timer = _parse(_TimerParameters, entry.parameters, place, errors)
    if timer is None:
        return None
    cron = Cron.parse(timer.cron_expression)
    argument, enabled = timer.argument or "", timer.enable is True
    return TimerTrigger(entry.function, timer.name, cron, argument, enabled=enabled)


def _parse_cos_trigger(
    entry: _TriggerEntry, place: str, region: str, appid: str, errors: list[str]
) -> CosTrigger | None:
    parameters = _parse(_CosParameters, entry.parameters, place, errors)
    host = parameters and _BUCKET_HOST.fullmatch(parameters.bucket)
    if not parameters or not host:
        return None
    if host[3] != region:
        errors.append(f"{place}.bucket: is in {host[3]}, but the functions run in {region}")
    if host[2] != appid:
        errors.append(f"{place}.bucket: belongs to account {host[2]}, but this one is {appid}")
    return CosTrigger(
        function=entry.function,
        bucket=host[1],
        region=host[3],
        event_pattern=parameters.events,
        prefix=(parameters.filter and parameters.filter.prefix) or "",
        suffix=(parameters.filter and parameters.filter.suffix) or "",
        enabled=parameters.enable is True,  # missing means disabled: toolkit 2.27.6
    )


def _check_overlap(triggers: Sequence[Trigger], errors: list[str]) -> None:
    # COS rejects rules of one bucket that overlap. 583/9707
    rules = [trigger for trigger in triggers if isinstance(trigger, CosTrigger)]
    for first, second in combinations(rules, 2):
        if rules_overlap(first, second):
            functions = f"{first.function}, {second.function}"
            errors.append(f"triggers: two rules of bucket {first.bucket} overlap ({functions})")
