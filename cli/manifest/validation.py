"""Validation of serverless.yml: pydantic errors in plain words, then the checks that concern several parts."""

from __future__ import annotations

import ast
import difflib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from cli.config import KEY_VARIABLES, EnvFileValue
from cli.language import N_, _, ngettext, translate
from cli.manifest.errors import ErrorCollector, Variables, YamlPath
from cli.manifest.models import (
    CosTrigger,
    EnvironmentVariable,
    FunctionSpec,
    HttpTrigger,
    Inputs,
    Manifest,
    ManifestFile,
    TimerTrigger,
    TriggerSpec,
)
from cli.redaction import is_target_variable
from shared.errors import SettingsError
from shared.settings import NOTICES_PREFIX, Settings, load_settings

URL_TRIGGER = "url-trigger"  # as in Tencent's toolkit; the cloud assigns another name

_HOST = re.compile(r"(.+)\.cos\.([a-z0-9-]+)\.myqcloud\.com")
_MAX_NAME_LENGTH = 60  # FunctionName of CreateFunction
MAX_VARIABLE_BYTES = 4096  # SCF document 583/11637
_MAX_NAMED_SIZES = 3
_LOCAL_VARIABLES = ("CLOUD_ENDPOINT",)
_COMMAND_VARIABLES = (
    "SCRIBE_STAGE",
    "SCF_ROLE_NAME",
    "SCRIBE_CALLBACK",
    "PRICE_PER_HOUR",
    "PRICE_CURRENCY",
    *_LOCAL_VARIABLES,
)  # read by the command itself
_ENVIRONMENTS: YamlPath = ("inputs", "environments")
_OBJECT_CREATED = "cos:ObjectCreated:"
_TRIGGERS: YamlPath = ("inputs", "triggers")
_NO_VARIABLES = Variables((), is_whole=False)
_MISSING: Any = object()


class _Mistake(NamedTuple):
    """A wrong value, e.g. `is 'ap'` and `write a region such as ap-guangzhou`."""

    path: YamlPath
    value: Any
    problem: str
    advice: str


class _PartialInputs(Inputs):
    """The valid part of `inputs`: a field that is missing or wrong has no attribute."""

    model_config = ConfigDict(validate_assignment=True)


def validate(
    document: Mapping[str, Any],
    folder: Path,
    sources: Mapping[YamlPath, Variables],
    errors: ErrorCollector,
    config: Mapping[str, str],
) -> Manifest | None:
    """Validate the file and convert it; None when its form is wrong, and `errors` says why.

    `folder` has the handlers; `sources` are the variables that filled in the text at each path; `config` may have
    targets of notices that the file does not name. The checks of several
    parts run on the parts that are valid, so that one run finds as many mistakes as possible.
    """
    file = _validate_form(document, sources, errors)
    inputs = file.inputs if file else _validate_fields(document.get("inputs"))
    region: str = getattr(inputs, "region", "")
    variables: dict[str, str] = {}
    settings = None
    if hasattr(inputs, "environments"):
        variables = build_environment(inputs.environments, errors)
        add_named_targets(variables, inputs.environments, config)
        if excess := describe_excess(variables):
            errors.add(_ENVIRONMENTS, excess)
        settings = parse_settings(variables, region, errors, config.get("CLOUD_ENDPOINT", ""))
    functions: dict[str, FunctionSpec] = {}
    if hasattr(inputs, "functions") and all(errors.is_valid(key) for key in ("app", "stage", "name")):
        prefix = f"{document['name']}-{document['stage']}-{document['app']}"
        functions = build_functions(inputs, prefix, variables)
        check_functions(functions.values(), folder, errors)
    triggers: tuple[TriggerSpec, ...] = ()
    if hasattr(inputs, "functions") and hasattr(inputs, "triggers") and region:
        check_trigger_entries(inputs, errors)
        triggers = build_triggers(inputs.triggers)
        check_triggers(triggers, inputs.functions, errors)
    if settings and triggers:
        check_consistency(settings, functions, triggers, errors)
    return Manifest(file.app, file.stage, file.name, region, functions, triggers) if file else None


def _validate_form(
    document: Any, sources: Mapping[YamlPath, Variables], errors: ErrorCollector
) -> ManifestFile | None:
    """Validate against the models. A wrong variable is reported once, though several texts may contain it."""
    file, mistakes = None, []
    try:
        file = ManifestFile.model_validate(document)
    except ValidationError as error:
        mistakes = [_explain(detail["type"], detail["loc"], document) for detail in error.errors()]
    wrong_variables: set[str] = set()
    # Values that are one variable come first: they say best what is wrong with it.
    for mistake in sorted(
        mistakes, key=lambda mistake: not sources.get(mistake.path, _NO_VARIABLES).is_whole
    ):
        source = sources.get(mistake.path, _NO_VARIABLES)
        if mistake.value is None and source.is_whole:
            errors.add_missing(source.names[0], mistake.path)
        elif mistake.value is None and errors.has_error_at(mistake.path):
            continue
        elif not wrong_variables.intersection(source.names):
            problem = mistake.problem
            if source.is_whole:
                problem = _("{problem} (from {variable})", problem=problem, variable=source.names[0])
            errors.add(mistake.path, _("{problem}; {advice}", problem=problem, advice=mistake.advice))
            wrong_variables.update(source.names if source.is_whole else ())
    return file


def _validate_fields(raw: Any) -> Inputs:
    """Validate every field of `inputs` by itself."""
    inputs = _PartialInputs.model_construct()
    for name, field in Inputs.model_fields.items():
        if isinstance(raw, dict) and field.alias in raw:
            with suppress(ValidationError):  # reported with the whole file
                setattr(inputs, name, raw[field.alias])
    return inputs


def _explain(kind: str, location: tuple[int | str, ...], document: Any) -> _Mistake:
    """Put an error of pydantic into words."""
    if kind in {
        "union_tag_invalid",
        "union_tag_not_found",
    }:  # pydantic names the union, which has the tag `type`
        location = (*location, "cos", "type")
    path, hint, names = _resolve(location)
    value = _get_value(document, path)
    if kind in {"extra_forbidden", "invalid_key"}:
        similar = difflib.get_close_matches(str(path[-1]), names, 1)
        advice = (
            _("did you mean {name}?", name=similar[0])
            if similar
            else _("the settings here are {names}", names=_(", ").join(names))
        )
        return _Mistake(path, _MISSING, _("is not a known setting"), advice)
    advice = _("write {expected}", expected=_(hint) if hint else "")
    if location[-1] == "[key]":
        return _Mistake(path[:-1], _MISSING, _("has the name {name!r}", name=path[-1]), advice)
    return _Mistake(path, value, _describe_value(value, path), advice)


def _resolve(location: tuple[int | str, ...]) -> tuple[YamlPath, str, list[str]]:
    """Follow the location of an error through the models.

    Return the path in the file, the description of what belongs there, and the names that the last map can have.
    """
    node: Any = ManifestFile
    path: list[int | str] = []
    hint, fields = N_("app, stage, component, name and inputs"), {}
    for step in location:
        if isinstance(node, type) and issubclass(node, BaseModel):
            fields = {str(field.alias): field for field in node.model_fields.values()}
            path.append(step)
            if step not in fields:
                break
            node, hint = fields[str(step)].annotation, fields[str(step)].description or ""
        elif get_origin(node) is list:
            path.append(step)
            node = get_args(node)[0]
        elif get_origin(node) is dict:
            path.append(step)
            key, node = get_args(node)
            if location[-1] == "[key]":  # the error is about the key itself
                _type, hint = _unwrap(key, hint)
                break
        else:  # a union: the step is the tag of the member
            node = next(member for member in get_args(node) if _get_tag(member) == step)
        node, hint = _unwrap(node, hint)
    return tuple(path), hint, list(fields)


def _unwrap(node: Any, hint: str) -> tuple[Any, str]:
    """Return the type and the description of an annotated type."""
    if get_origin(node) is not Annotated:
        return node, hint
    described = [item.description for item in get_args(node)[1:] if getattr(item, "description", "")]
    return get_args(node)[0], described[0] if described else hint


def _get_tag(member: type[BaseModel]) -> str:
    return str(get_args(member.model_fields["type"].annotation)[0])


def _get_value(document: Any, path: YamlPath) -> Any:
    value = document
    for step in path:
        try:
            value = value[step]
        except (KeyError, TypeError):  # it is missing, or the value is neither a map nor a list
            return _MISSING
    return value


def _describe_value(value: Any, path: YamlPath) -> str:
    """Describe a value. The value of an environment variable may be the token: it is never quoted."""
    if value is _MISSING:
        return _("is missing")
    if value is None:
        return _("is empty")
    if isinstance(value, (dict, list)):
        if isinstance(value, dict):
            return _("is a map") if value else _("is an empty map")
        return _("is a list") if value else _("is an empty list")
    if path[: len(_ENVIRONMENTS)] == _ENVIRONMENTS and path[-1] == "value":
        return _("is not text but {type}", type=type(value).__name__)
    shown = repr(value) if isinstance(value, str) else json.dumps(value, default=str)
    return _("is {value}", value=shown)


def build_environment(entries: Sequence[EnvironmentVariable], errors: ErrorCollector) -> dict[str, str]:
    """Build the variables of every function. A variable without a value is left out: the functions have a default."""
    variables: dict[str, str] = {}
    names: set[str] = set()
    for number, entry in enumerate(entries):
        path = (*_ENVIRONMENTS, number, "key")
        if entry.key in _LOCAL_VARIABLES:
            errors.add(
                path, _("is {name}, which is for the local cloud only; remove the entry", name=entry.key)
            )
        elif entry.key in names:
            errors.add(path, _("is {name} a second time; remove one of them", name=entry.key))
        elif entry.value:
            variables[entry.key] = entry.value
        names.add(entry.key)
    return variables


def add_named_targets(
    variables: dict[str, str], entries: Sequence[EnvironmentVariable], config: Mapping[str, str]
) -> None:
    """Add the targets of notices whose names are the operator's own, such as NOTIFY_FEISHU_SALES.

    serverless.yml cannot name them. Of .env every name of this form counts, so that a wrong one is reported.
    """
    listed = {entry.key for entry in entries}
    for name, value in sorted(config.items()):
        is_meant = isinstance(value, EnvFileValue) and name.startswith(NOTICES_PREFIX)
        if name not in listed and value and (is_meant or is_target_variable(name)):
            variables[name] = str(value)


def describe_excess(variables: Mapping[str, str]) -> str:
    """Return by how much the variables of a function are too long for SCF, and which are the longest; or ""."""
    sizes = {name: len(name.encode()) + len(value.encode()) for name, value in variables.items()}
    total = sum(sizes.values())
    if total <= MAX_VARIABLE_BYTES:
        return ""
    longest = sorted(sizes, key=lambda name: -sizes[name])[:_MAX_NAMED_SIZES]
    return _(
        "has {total} bytes; SCF accepts {limit}: shorten the longest, which are {variables}",
        total=total,
        limit=MAX_VARIABLE_BYTES,
        variables=_(", ").join(f"{name} {sizes[name]}" for name in longest),
    )


def parse_settings(
    variables: Mapping[str, str], region: str, errors: ErrorCollector, endpoint: str
) -> Settings | None:
    """Parse the settings as the functions will; None when they would not start.

    Without a valid `region`, which is a mistake of its own, mistakes about the region are left out. `endpoint` is the
    operator's CLOUD_ENDPOINT: with it, notices may go to this machine.
    """
    local = {"CLOUD_ENDPOINT": endpoint} if endpoint else {}
    try:
        return load_settings({**variables, **local, "TENCENTCLOUD_REGION": region})
    except SettingsError as error:
        for mistake in error.mistakes:
            name, _space, rest = mistake.partition(" ")
            if "REGION" in name and not region:
                continue
            if rest != "is missing":  # not translated
                errors.add_config_error(
                    _("{mistake}: change it in {file}", mistake=translate(mistake), file=errors.env_file)
                )
            elif not errors.is_missing(name):
                errors.add_config_error(
                    _(
                        "{mistake}: add it to {file}, see .env.example",
                        mistake=translate(mistake),
                        file=errors.env_file,
                    )
                )
        return None


def check_unknown_variables(
    config: Mapping[str, str], used_names: Collection[str], errors: ErrorCollector
) -> None:
    """Report each name in .env that neither serverless.yml (`used_names`) nor the command reads: mostly a typo.

    The process environment has many other names; only an EnvFileValue counts. The settings of notices report theirs.
    """
    known = {*used_names, *_COMMAND_VARIABLES, *(name for names in KEY_VARIABLES for name in names)}
    for name, value in config.items():
        if isinstance(value, EnvFileValue) and name not in known and not name.startswith(NOTICES_PREFIX):
            similar = difflib.get_close_matches(name.upper(), sorted(known), n=1)
            advice = (
                _("did you mean {name}?", name=similar[0])
                if similar
                else _("the settings are in .env.example.")
            )
            errors.add_config_error(
                _(
                    "{name} is not a setting; {advice} Correct or remove it in {file}",
                    name=name,
                    advice=advice,
                    file=errors.env_file,
                )
            )


def build_functions(inputs: Inputs, prefix: str, variables: Mapping[str, str]) -> dict[str, FunctionSpec]:
    """Build the functions; each takes from `inputs` what it does not set itself."""
    tags = {tag.key: tag.value for tag in inputs.tags}
    return {
        key: FunctionSpec(
            key=key,
            name=f"{prefix}-{key}",
            handler=entry.handler,
            runtime=getattr(inputs, "runtime", ""),
            namespace=inputs.namespace,
            role=entry.role or inputs.role,
            memory_mib=entry.memory_size or inputs.memory_size,
            timeout_s=entry.timeout or inputs.timeout,
            init_timeout_s=entry.init_timeout or inputs.init_timeout,
            public_network=inputs.public_access,
            variables=variables,
            tags=tags,
        )
        for key, entry in inputs.functions.items()
    }


def check_functions(functions: Collection[FunctionSpec], folder: Path, errors: ErrorCollector) -> None:
    """Check names, roles, and that each handler is in `folder`/handlers."""
    for function in functions:
        path = ("inputs", "functions", function.key)
        if len(function.name) > _MAX_NAME_LENGTH:
            errors.add(
                path,
                _(
                    "becomes {name}, which has {length} characters; SCF accepts {limit}: choose a shorter SCRIBE_STAGE",
                    name=function.name,
                    length=len(function.name),
                    limit=_MAX_NAME_LENGTH,
                ),
            )
        if not function.role:
            role = f"${{env:SCF_ROLE_NAME}}-{function.key}"
            message = _("is missing; write {role}", role=role)
            errors.add((*path, "role"), message)
        if mistake := _check_handler(function.handler, folder):
            message = _("is {handler}, but {mistake}", handler=function.handler, mistake=mistake)
            errors.add((*path, "handler"), message)


def _check_handler(handler: str, folder: Path) -> str:
    """Return why SCF would not find the handler in the package, or "". Modules of handlers/ are at the package root."""
    module, _dot, function = handler.partition(".")
    file = folder / "handlers" / f"{module}.py"
    try:
        names = set(_list_names(ast.parse(file.read_bytes())))
    except FileNotFoundError:
        return _("there is no {file}; write the name of a module in handlers/", file=file)
    except (SyntaxError, ValueError) as error:
        return _("{file} is not Python: {reason}", file=file, reason=error.args[0])
    if function in names:
        return ""
    return _("{file} defines no {function}; write one of its functions", file=file, function=function)


def _list_names(module: ast.Module) -> Iterator[str]:
    """List what a module defines or imports at its top level, without running it."""
    for statement in module.body:
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            yield statement.name
        elif isinstance(statement, ast.Assign):
            yield from (target.id for target in statement.targets if isinstance(target, ast.Name))
        elif isinstance(statement, ast.ImportFrom):
            yield from (name.asname or name.name for name in statement.names)


def check_trigger_entries(inputs: Inputs, errors: ErrorCollector) -> None:
    """Check each trigger: its function, the region of its bucket, its cron expression."""
    for number, trigger in enumerate(inputs.triggers):
        path = (*_TRIGGERS, number)
        if trigger.function not in inputs.functions:
            message = _(
                "is {function!r}; write one of {functions}",
                function=trigger.function,
                functions=_(", ").join(inputs.functions),
            )
            errors.add((*path, "function"), message)
        if isinstance(trigger, CosTrigger):
            _bucket, region = _split_host(trigger.parameters.bucket)
            if region != inputs.region:
                errors.add(
                    (*path, "parameters", "bucket"),
                    _(
                        "is in {region}, but the functions run in {expected}, and COS triggers work in one region "
                        "only: write {variable} in both",
                        region=region,
                        expected=inputs.region,
                        variable="${env:REGION}",
                    ),
                )
        elif isinstance(trigger, TimerTrigger) and (
            mistake := check_cron(trigger.parameters.cron_expression)
        ):
            errors.add((*path, "parameters", "cronExpression"), mistake)


def build_triggers(
    entries: Sequence[CosTrigger | HttpTrigger | TimerTrigger],
) -> tuple[TriggerSpec, ...]:
    """Build the triggers. A cos trigger with a comma list of buckets, as in INPUT_BUCKETS, becomes one per bucket."""
    triggers: list[TriggerSpec] = []
    for entry in entries:
        if isinstance(entry, CosTrigger):
            triggers += _build_cos_triggers(entry)
        elif isinstance(entry, HttpTrigger):
            triggers.append(_build_url_trigger(entry))
        else:
            triggers.append(_build_timer(entry))
    return tuple(triggers)


def _build_cos_triggers(entry: CosTrigger) -> Iterator[TriggerSpec]:
    parameters = entry.parameters
    key_filter = {"Prefix": parameters.filter.prefix or "", "Suffix": parameters.filter.suffix}
    buckets, region = _split_host(parameters.bucket)
    for bucket in dict.fromkeys(filter(None, (part.strip() for part in buckets.split(",")))):
        yield TriggerSpec(
            function=entry.function,
            type=entry.type,
            name=f"{bucket}.cos.{region}.myqcloud.com",
            description=_compact_json({"event": parameters.events, "filter": key_filter}),
            qualifier=parameters.qualifier,
            is_open=parameters.enable,
        )


def _build_url_trigger(entry: HttpTrigger) -> TriggerSpec:
    net = entry.parameters.net_config
    net_config = {"EnableIntranet": net.enable_intranet, "EnableExtranet": net.enable_extranet}
    return TriggerSpec(
        function=entry.function,
        type=entry.type,
        name=URL_TRIGGER,
        description=_compact_json({"AuthType": entry.parameters.auth_type, "NetConfig": net_config}),
        qualifier=entry.parameters.qualifier,
        is_open=entry.parameters.enable,
    )


def _build_timer(entry: TimerTrigger) -> TriggerSpec:
    return TriggerSpec(
        function=entry.function,
        type=entry.type,
        name=entry.parameters.name,
        description=entry.parameters.cron_expression,
        qualifier=entry.parameters.qualifier,
        is_open=entry.parameters.enable,
        argument=entry.parameters.argument,
    )


def _split_host(host: str) -> tuple[str, str]:
    """Split a bucket's host into bucket and region. The model has the same pattern, so that it always matches."""
    match = _HOST.fullmatch(host)
    return (match[1], match[2]) if match else (host, "")


def _compact_json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def get_bucket(trigger: TriggerSpec) -> str:
    """Return the full name of a cos trigger's bucket."""
    return trigger.name.partition(".")[0]


def parse_cos_rule(trigger: TriggerSpec) -> tuple[str, str, str]:
    """Return event, prefix and suffix of a cos trigger."""
    rule = json.loads(trigger.description)
    return rule["event"], rule["filter"]["Prefix"], rule["filter"]["Suffix"]


def check_triggers(
    triggers: Sequence[TriggerSpec], functions: Collection[str], errors: ErrorCollector
) -> None:
    """Check that every function has a trigger, one has a URL, and no two triggers collide."""
    for function in functions:
        if not any(trigger.function == function for trigger in triggers):
            message = _(
                "never call {function}; write a trigger for it or remove the function", function=function
            )
            errors.add(_TRIGGERS, message)
    urls = sum(trigger.type == "http" for trigger in triggers)
    if urls != 1:
        message = ngettext(
            "has {count} of type http; write one, for the URL that Cloud Infinite notifies",
            "has {count} of type http; write one, for the URL that Cloud Infinite notifies",
            urls,
        )
        errors.add(_TRIGGERS, message)
    for first, second in combinations(triggers, 2):
        if first.type == second.type == "timer" and first.name == second.name:
            errors.add(_TRIGGERS, _("has two timers called {name}; rename one of them", name=first.name))
        if first.type == second.type == "cos" and _overlaps(first, second):
            errors.add(
                _TRIGGERS,
                _(
                    "has two rules for the same uploads to {bucket}, but COS accepts one; remove one of them",
                    bucket=get_bucket(first),
                ),
            )


def _overlaps(first: TriggerSpec, second: TriggerSpec) -> bool:
    """Whether one upload could match both. SCF document 583/9707: such a rule belongs to one function only."""
    (event, prefix, suffix), (event2, prefix2, suffix2) = parse_cos_rule(first), parse_cos_rule(second)
    return (
        first.name == second.name
        and _events_overlap(event, event2)
        and (prefix.startswith(prefix2) or prefix2.startswith(prefix))
        and (suffix.endswith(suffix2) or suffix2.endswith(suffix))
    )


def _events_overlap(event: str, other: str) -> bool:
    if event.endswith("*") or other.endswith("*"):
        return event.rpartition(":")[0] == other.rpartition(":")[0]
    return event == other


def check_consistency(
    settings: Settings,
    functions: Mapping[str, FunctionSpec],
    triggers: Collection[TriggerSpec],
    errors: ErrorCollector,
) -> None:
    """Compare the settings of the functions with their triggers: uploads that would be missed or refused."""
    rules = [trigger for trigger in triggers if trigger.type == "cos"]
    buckets = {get_bucket(rule) for rule in rules}
    upload_buckets = {get_bucket(rule) for rule in rules if rule.event.startswith(_OBJECT_CREATED)}
    for bucket in settings.input_buckets:
        if bucket not in upload_buckets:
            errors.add_config_error(
                _(
                    "INPUT_BUCKETS has {bucket}, but no cos trigger is for it: write {variable} into the bucket of the "
                    "trigger in serverless.yml",
                    bucket=bucket,
                    variable="${env:INPUT_BUCKETS}",
                )
            )
    for bucket in sorted(buckets - set(settings.input_buckets)):
        errors.add_config_error(
            _(
                "A cos trigger is for {bucket}, which INPUT_BUCKETS does not have: the function would refuse its "
                "events. Add it to INPUT_BUCKETS, or remove the trigger from serverless.yml",
                bucket=bucket,
            )
        )
    if len({bucket.rpartition("-")[2] for bucket in settings.input_buckets}) > 1:
        errors.add_config_error(
            _("INPUT_BUCKETS has buckets of more than one account: deploy once for each account")
        )
    for prefix in sorted({parse_cos_rule(rule)[1] for rule in rules} - {settings.input_prefix}):
        errors.add_config_error(
            _(
                "A cos trigger is for keys that begin with {prefix!r}, but INPUT_PREFIX is {expected!r}: write "
                "{variable} into its filter in serverless.yml",
                prefix=prefix,
                expected=settings.input_prefix,
                variable="${env:INPUT_PREFIX}",
            )
        )
    if not settings.sweep_after_s:  # 0 is for tests: the sweep then resumes every attempt at once
        return
    for key in sorted({rule.function for rule in rules} & set(functions)):
        if functions[key].timeout_s >= settings.lease_s:
            errors.add(
                ("inputs", "functions", key, "timeout"),
                _(
                    "is {seconds}; write less than {limit}: after that the sweep may submit the recording again",
                    seconds=functions[key].timeout_s,
                    limit=round(settings.lease_s),
                ),
            )


_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
# The fields of a timer in SCF (document 583/9708): name, minimum, maximum, names of values, other values.
_CRON_FIELDS: tuple[tuple[str, int, int, tuple[str, ...], str], ...] = (
    (N_("second"), 0, 59, (), "*"),
    (N_("minute"), 0, 59, (), "*"),
    (N_("hour"), 0, 23, (), "*"),
    (N_("day"), 1, 31, (), "*?LW"),
    (N_("month"), 1, 12, _MONTHS, "*"),
    (N_("weekday"), 0, 6, _WEEKDAYS, "*?L"),
    (N_("year"), 1970, 2099, (), "*"),
)
_CRON_ITEM = re.compile(r"(?P<span>[^/]+)(/(?P<step>[1-9][0-9]{0,3}))?")


def check_cron(expression: str) -> str:
    """Return what is wrong with a cron expression of SCF and what to write instead, or ""."""
    parts = expression.split()
    if len(parts) != len(_CRON_FIELDS):
        return ngettext(
            "has {count} fields; write seven, from second to year, such as '0 */5 * * * * *'",
            "has {count} fields; write seven, from second to year, such as '0 */5 * * * * *'",
            len(parts),
        )
    for part, (name, minimum, maximum, names, others) in zip(parts, _CRON_FIELDS, strict=True):
        if not all(_is_in_range(item, minimum, maximum, names, others) for item in part.split(",")):
            return _(
                "has {part!r} as its {field}; write * or numbers from {minimum} to {maximum}, such as */2 or 1,3-5",
                part=part,
                field=_(name),
                minimum=minimum,
                maximum=maximum,
            )
    return ""


def _is_in_range(item: str, minimum: int, maximum: int, names: tuple[str, ...], others: str) -> bool:
    match = _CRON_ITEM.fullmatch(item)
    if not match:
        return False
    span = match["span"]
    if span in others:
        return True
    values = [_parse_number(text, minimum, names) for text in span.split("-", 1)]
    return all(minimum <= value <= maximum for value in values) and values == sorted(values)


def _parse_number(text: str, minimum: int, names: tuple[str, ...]) -> int:
    if text.upper() in names:
        return names.index(text.upper()) + minimum
    return int(text) if re.fullmatch(r"[0-9]{1,4}", text) else minimum - 1
