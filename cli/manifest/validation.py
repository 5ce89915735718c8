"""The form of serverless.yml, by the schema beside this file: each fault said in words and not in terms of schemas."""

from __future__ import annotations

import ast
import difflib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import jsonschema

from cli.config import KEY_VARIABLES, EnvFileValue
from cli.manifest.errors import ErrorCollector, YamlPath
from cli.manifest.models import FunctionSpec, TriggerSpec
from shared.errors import SettingsError
from shared.settings import Settings, load_settings


def validate_schema(document: Any, unset: Mapping[YamlPath, str], mistakes: ErrorCollector) -> None:
    """Writes down what has not the form that `scribe deploy` and Tencent's component read.

    `unset` names the variable of each place that is empty because nobody chose it.
    """
    for error in jsonschema.Draft202012Validator(_schema()).iter_errors(document):
        place = tuple(error.absolute_path)
        if error.instance is None and (place in unset or mistakes.is_told(place)):
            if place in unset:
                mistakes.need(unset[place], place)
            continue
        for where, text in _explain(error, place):
            mistakes.add(where, text)


@cache
def _schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(__file__).with_name("serverless.schema.json").read_text("utf-8"))
    return found


def _explain(error: jsonschema.ValidationError, place: YamlPath) -> Iterator[tuple[YamlPath, str]]:
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
        yield place, f"{_format_value(error.instance, place)}; write {_description(schema)}"


def _description(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return _description(_schema()["$defs"][schema["$ref"].rpartition("/")[2]])
    text: str = schema["description"]
    return text


def _format_value(value: Any, place: YamlPath) -> str:
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


_MAX_NAME_LENGTH = 60  # FunctionName of CreateFunction
_MAX_VARIABLE_BYTES = 4096  # SCF document 583/11637
# The API's own where serverless.yml says nothing.
_DEFAULT_MEMORY_MIB, _DEFAULT_TIMEOUT_S, _DEFAULT_INIT_TIMEOUT_S = 128, 3, 65
_ENVIRONMENTS = ("inputs", "environments")


def parse_environment(listed: list[Mapping[str, Any]], mistakes: ErrorCollector) -> dict[str, str]:
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
    if size > _MAX_VARIABLE_BYTES:
        mistakes.add(
            _ENVIRONMENTS,
            f"come to {size} bytes; SCF takes {_MAX_VARIABLE_BYTES}: choose shorter prefixes or fewer buckets",
        )
    return variables


def parse_functions(
    document: Mapping[str, Any], variables: Mapping[str, str], folder: Path, mistakes: ErrorCollector
) -> dict[str, FunctionSpec]:
    """Every function by its key; the handlers are looked for in `folder`/handlers."""
    inputs = document["inputs"]
    tags = {item["key"]: item["value"] for item in inputs.get("tags", [])}
    functions = {}
    for key, own in inputs["functions"].items():
        place = ("inputs", "functions", key)
        name = "-".join((document["name"], document["stage"], document["app"], key))
        if len(name) > _MAX_NAME_LENGTH:
            mistakes.add(
                place,
                f"becomes {name}, of {len(name)} characters; SCF takes {_MAX_NAME_LENGTH}: choose a shorter "
                "SCRIBE_STAGE",
            )
        if "role" not in own and "role" not in inputs:
            mistakes.add((*place, "role"), f"is missing; write ${{env:SCF_ROLE_NAME}}-{key}")
        wrong = _check_handler(own["handler"], folder)
        if wrong:
            mistakes.add((*place, "handler"), wrong)
        settings = {**inputs, **own}
        functions[key] = FunctionSpec(
            key=key,
            name=name,
            handler=settings["handler"],
            runtime=settings["runtime"],
            namespace=settings.get("namespace", "default"),
            role=settings.get("role", ""),
            memory_mib=settings.get("memorySize", _DEFAULT_MEMORY_MIB),
            timeout_s=settings.get("timeout", _DEFAULT_TIMEOUT_S),
            init_timeout_s=settings.get("initTimeout", _DEFAULT_INIT_TIMEOUT_S),
            public_network=settings.get("publicAccess", True),
            variables=variables,
            tags=tags,
        )
    return functions


def _check_handler(handler: str, folder: Path) -> str:
    """What keeps SCF from finding it in the package, at whose root the modules of handlers/ lie; "" if nothing."""
    module, _, function = handler.partition(".")
    file = folder / "handlers" / f"{module}.py"
    try:
        names = set(_top_level_names(ast.parse(file.read_bytes())))
    except FileNotFoundError:
        return f"is {handler}, but there is no {file}; write the name of a module in handlers/"
    except (SyntaxError, ValueError) as error:
        return f"is {handler}, but {file} is no Python: {error.args[0]}"
    return (
        "" if function in names else f"is {handler}, but {file} defines no {function}; write a function of it"
    )


def _top_level_names(module: ast.Module) -> Iterator[str]:
    """What a module defines or imports at its top level. It is read, not run."""
    for statement in module.body:
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            yield statement.name
        elif isinstance(statement, ast.Assign):
            yield from (target.id for target in statement.targets if isinstance(target, ast.Name))
        elif isinstance(statement, ast.ImportFrom):
            yield from (name.asname or name.name for name in statement.names)


URL_TRIGGER = "url-trigger"  # as Tencent's toolkit calls it; the cloud gives a name of its own
_HOST = re.compile(r"(.+)\.cos\.([a-z0-9-]+)\.myqcloud\.com")


def parse_triggers(
    listed: list[Mapping[str, Any]], functions: Collection[str], region: str, mistakes: ErrorCollector
) -> tuple[TriggerSpec, ...]:
    """Every trigger. A cos trigger whose bucket is a comma list, as INPUT_BUCKETS may be, is one for each bucket."""
    triggers: list[TriggerSpec] = []
    for number, item in enumerate(listed):
        place: YamlPath = ("inputs", "triggers", number)
        if item["function"] not in functions:
            mistakes.add(
                (*place, "function"), f"is {item['function']!r}; write one of {', '.join(functions)}"
            )
        triggers += _BUILDERS[item["type"]](item["function"], item["parameters"], region, place, mistakes)
    _check_all_triggers(triggers, functions, mistakes)
    return tuple(triggers)


def get_bucket(trigger: TriggerSpec) -> str:
    """The full name of a cos trigger's bucket."""
    return trigger.name.partition(".")[0]


def parse_cos_rule(trigger: TriggerSpec) -> tuple[str, str, str]:
    """What wakes a cos trigger: event, prefix, suffix."""
    rule = json.loads(trigger.description)
    return rule["event"], rule["filter"]["Prefix"], rule["filter"]["Suffix"]


def _build_cos_triggers(
    function: str, given: Mapping[str, Any], region: str, place: YamlPath, mistakes: ErrorCollector
) -> Iterator[TriggerSpec]:
    host = _HOST.fullmatch(given["bucket"])
    if host is None:  # the schema has the same pattern
        return
    if host[2] != region:
        mistakes.add(
            (*place, "parameters", "bucket"),
            f"lies in {host[2]}, but the functions run in {region}; COS triggers reach no other region: write "
            "${env:REGION} in both",
        )
    wanted = given.get("filter", {})
    rule = {
        "event": given["events"],
        "filter": {"Prefix": wanted.get("prefix") or "", "Suffix": wanted.get("suffix") or ""},
    }
    for bucket in dict.fromkeys(filter(None, (part.strip() for part in host[1].split(",")))):
        yield TriggerSpec(
            function=function,
            type="cos",
            name=f"{bucket}.cos.{host[2]}.myqcloud.com",
            description=_compact_json(rule),
            qualifier=given["qualifier"],
            is_open=given["enable"],
        )


def _build_url_trigger(
    function: str, given: Mapping[str, Any], _region: str, _place: YamlPath, _mistakes: ErrorCollector
) -> Iterator[TriggerSpec]:
    net = given["netConfig"]
    reach = {"EnableIntranet": net["enableIntranet"], "EnableExtranet": net["enableExtranet"]}
    yield TriggerSpec(
        function=function,
        type="http",
        name=URL_TRIGGER,
        description=_compact_json({"AuthType": given["authType"], "NetConfig": reach}),
        qualifier=given["qualifier"],
        is_open=given["enable"],
    )


def _build_timer(
    function: str, given: Mapping[str, Any], _region: str, place: YamlPath, mistakes: ErrorCollector
) -> Iterator[TriggerSpec]:
    wrong = check_cron(given["cronExpression"])
    if wrong:
        mistakes.add((*place, "parameters", "cronExpression"), wrong)
    yield TriggerSpec(
        function=function,
        type="timer",
        name=given["name"],
        description=given["cronExpression"],
        qualifier=given["qualifier"],
        is_open=given["enable"],
        argument=given["argument"],
    )


_BUILDERS = {"cos": _build_cos_triggers, "http": _build_url_trigger, "timer": _build_timer}


def _compact_json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _check_all_triggers(
    triggers: list[TriggerSpec], functions: Collection[str], mistakes: ErrorCollector
) -> None:
    place: YamlPath = ("inputs", "triggers")
    for function in functions:
        if not any(trigger.function == function for trigger in triggers):
            mistakes.add(place, f"never wake {function}; write a trigger for it or take the function out")
    urls = sum(trigger.type == "http" for trigger in triggers)
    if urls != 1:
        mistakes.add(place, f"hold {urls} of type http; write one, the address that Cloud Infinite notifies")
    for one, other in combinations(triggers, 2):
        if one.type == other.type == "timer" and one.name == other.name:
            mistakes.add(place, f"hold two timers called {one.name}; write another name for one of them")
        if one.type == other.type == "cos" and _overlaps(one, other):
            mistakes.add(
                place,
                f"hold two rules for the same uploads to {get_bucket(one)}, and COS takes one; take one of them out",
            )


def _overlaps(one: TriggerSpec, other: TriggerSpec) -> bool:
    """Whether one upload could match both. SCF document 583/9707: such a rule belongs to one function only."""
    (event, prefix, suffix), (other_event, other_prefix, other_suffix) = (
        parse_cos_rule(one),
        parse_cos_rule(other),
    )
    return (
        one.name == other.name
        and (event == other_event or event.endswith("*") or other_event.endswith("*"))
        and (prefix.startswith(other_prefix) or other_prefix.startswith(prefix))
        and (suffix.endswith(other_suffix) or other_suffix.endswith(suffix))
    )


def parse_settings(variables: Mapping[str, str], region: str, mistakes: ErrorCollector) -> Settings | None:
    """The settings as the functions will read them; None when they would not start.

    Without a `region`, which is another mistake, whatever depends on it is not told.
    """
    try:
        return load_settings({**variables, "TENCENTCLOUD_REGION": region})
    except SettingsError as error:
        for mistake in error.mistakes:
            name, _, rest = mistake.partition(" ")
            if "REGION" in name and not region:
                continue
            if rest != "is missing":
                mistakes.add_choice(f"{mistake}: change it in .env")
            elif not mistakes.is_needed(name):
                mistakes.add_choice(f"{mistake}: write it into .env, see .env.example")
        return None


def check_consistency(
    settings: Settings,
    functions: Mapping[str, FunctionSpec],
    triggers: Collection[TriggerSpec],
    mistakes: ErrorCollector,
) -> None:
    """Writes down uploads that would wake nothing, or wake it for nothing, and what could be done twice."""
    rules = [trigger for trigger in triggers if trigger.type == "cos"]
    buckets = {get_bucket(rule) for rule in rules}
    for bucket in settings.input_buckets:
        if bucket not in buckets:
            mistakes.add_choice(
                f"INPUT_BUCKETS names {bucket}, but no cos trigger waits for its uploads: write "
                "${env:INPUT_BUCKETS} into the bucket of the trigger in serverless.yml"
            )
    for bucket in sorted(buckets - set(settings.input_buckets)):
        mistakes.add_choice(
            f"A cos trigger waits for uploads to {bucket}, which INPUT_BUCKETS does not name: the function would "
            "refuse its events; name it there, or take the trigger out of serverless.yml"
        )
    if len({bucket.rpartition("-")[2] for bucket in settings.input_buckets}) > 1:
        mistakes.add_choice(
            "INPUT_BUCKETS names buckets of more than one account: deploy once for each account"
        )
    for prefix in sorted({parse_cos_rule(rule)[1] for rule in rules} - {settings.input_prefix}):
        mistakes.add_choice(
            f"A cos trigger waits for keys that begin with {prefix!r}, but INPUT_PREFIX is "
            f"{settings.input_prefix!r}: write ${{env:INPUT_PREFIX}} into its filter in serverless.yml"
        )
    if not settings.sweep_after_s:  # for tests: attempts are taken for dead at once
        return
    for key in sorted({rule.function for rule in rules} & set(functions)):
        if functions[key].timeout_s >= settings.lease_s:
            mistakes.add(
                ("inputs", "functions", key, "timeout"),
                f"is {functions[key].timeout_s}; write less than {settings.lease_s:.0f}, after which its work counts "
                "as abandoned and another may submit it again",
            )


# Read by the command itself, whatever serverless.yml names.
_COMMAND_VARIABLES = ("SCRIBE_STAGE", "SCF_ROLE_NAME", "CLOUD_ENDPOINT")


def check_unknown_variables(
    choices: Mapping[str, str], named: Collection[str], mistakes: ErrorCollector
) -> None:
    """Writes down each name of the file that neither serverless.yml (`named`) nor the command asks for.

    The process environment is full of such names, so that only what is FromFile counts.
    """
    known = {*named, *_COMMAND_VARIABLES, *(name for spelling in KEY_VARIABLES for name in spelling)}
    for name, value in choices.items():
        if isinstance(value, EnvFileValue) and name not in known:
            close = difflib.get_close_matches(name.upper(), sorted(known), n=1)
            meant = (
                f"; did you mean {close[0]}? Correct"
                if close
                else ": look for the right one in .env.example, correct"
            )
            mistakes.add_choice(f"{name} is no setting{meant} it in .env, or take the line out")


_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
# Name, lowest, highest, names for values, and what else the field may be.
_CRON_FIELDS: tuple[tuple[str, int, int, tuple[str, ...], str], ...] = (
    ("second", 0, 59, (), "*"),
    ("minute", 0, 59, (), "*"),
    ("hour", 0, 23, (), "*"),
    ("day", 1, 31, (), "*?LW"),
    ("month", 1, 12, _MONTHS, "*"),
    ("weekday", 0, 6, _WEEKDAYS, "*?L"),
    ("year", 1970, 2099, (), "*"),
)
_CRON_ITEM = re.compile(r"(?P<span>[^/]+)(/(?P<step>[1-9][0-9]{0,3}))?")


def check_cron(expression: str) -> str:
    """What is wrong with it and what to write instead; "" if nothing."""
    parts = expression.split()
    if len(parts) != len(_CRON_FIELDS):
        return f"has {len(parts)} fields; write seven, from second to year, such as '0 */5 * * * * *'"
    for part, (name, lowest, highest, names, others) in zip(parts, _CRON_FIELDS, strict=True):
        if not all(_is_in_range(item, lowest, highest, names, others) for item in part.split(",")):
            return f"has {part!r} as its {name}; write * or numbers from {lowest} to {highest}, such as */2 or 1,3-5"
    return ""


def _is_in_range(item: str, lowest: int, highest: int, names: tuple[str, ...], others: str) -> bool:
    found = _CRON_ITEM.fullmatch(item)
    if not found:
        return False
    span = found["span"]
    if span in others:
        return True
    values = [_parse_number(text, lowest, names) for text in span.split("-", 1)]
    return all(lowest <= value <= highest for value in values) and values == sorted(values)


def _parse_number(text: str, lowest: int, names: tuple[str, ...]) -> int:
    if text.upper() in names:
        return names.index(text.upper()) + lowest
    return int(text) if re.fullmatch(r"[0-9]{1,4}", text) else lowest - 1
