"""`scribe notify`: list the targets of notices with their state, send test notices, forget a target's failures."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from cli.config import TOKEN_NAME, CliContext, CredentialsNotFound, EnvFileValue
from cli.errors import OperatorError
from cli.manifest.loader import load_manifest
from cli.manifest.models import CALLBACK
from cli.notices.probe import ProbeResult, Send, build_test_notice, get_variable, send_test_notice
from cli.notices.states import (
    NO_NOTICES,
    Condition,
    NoticePlace,
    TargetNotices,
    find_deployment,
    format_time,
    get_host,
    read_notices,
    reset_target,
)
from cli.output import escape_line, escape_markup, print_json
from cli.policy.permissions import load_function_settings
from cli.redaction import is_target_variable
from shared.errors import CloudError
from shared.notices.models import Target
from shared.notices.sender import create_sender
from shared.notices.targets import LANGUAGE, ON, PREFIX, load_targets
from shared.settings import Settings
from shared.tencent.client import TencentClient
from shared.tencent.cos import CosClient

NO_TARGETS = (
    "No target of notices is set: set NOTIFY_WECOM, NOTIFY_FEISHU, NOTIFY_DINGTALK or NOTIFY_WEBHOOK in "
    "{env_file}"
)
WHEN_OPEN_NOTICES_GO_OUT = (
    "Open notices go out when their next attempt is due: within an hour, "
    "or after the pause that the target asked for."
)
NO_KEY = "Without a key of the account the state of the targets is not known."
_ANY_TOKEN = {TOKEN_NAME: "not-chosen-by-anybody-yet"}  # nothing here depends on it
_DENIED_STATUSES = (401, 403)


class WrongUse(Exception):
    """The arguments do not fit the settings. The command ends with the exit status 2."""


@dataclass(frozen=True, slots=True)
class NotifyOptions:
    """The arguments of the command. `target` is one name, or "" for all; `reset` names the target to reset."""

    test: bool = False
    target: str = ""
    reset: str = ""
    as_json: bool = False


def notify(
    console: Console,
    context: CliContext,
    options: NotifyOptions,
    confirm: Callable[[str], bool] | None = None,
    send: Send | None = None,
) -> bool:
    """List, test or reset targets. True if nothing failed. `confirm` asks before a reset; None does not ask.

    `send` makes one attempt, by default as the functions do. Raises WrongUse, OperatorError, SettingsError.
    """
    config = context.load_config()
    targets = load_context_targets(config)
    if options.reset:
        return _reset(console, context, config, options.reset, confirm)
    selected = _select(targets, options.target, context)
    if not options.test:
        return _list(console, context, config, selected, options)
    if not selected:
        raise WrongUse(NO_TARGETS.format(env_file=context.env_file))
    send = send or create_sender(allows_loopback=bool(config.get("CLOUD_ENDPOINT")))
    return _test(console, config, selected, send, as_json=options.as_json)


def load_context_targets(config: Mapping[str, str]) -> tuple[Target, ...]:
    """Load the targets from .env and the environment. Raises SettingsError, which names every mistake.

    Of the environment only names of targets count: a service manager sets NOTIFY_SOCKET there.
    """
    variables = {
        name: str(value)
        for name, value in config.items()
        if name.startswith(PREFIX)
        and (isinstance(value, EnvFileValue) or is_target_variable(name) or name in {ON, LANGUAGE})
    }
    return load_targets({**variables, "CLOUD_ENDPOINT": config.get("CLOUD_ENDPOINT", "")})


def _select(targets: Sequence[Target], name: str, context: CliContext) -> list[Target]:
    """Return the target with this name, or all. Raises WrongUse for an unknown name."""
    selected = [target for target in targets if name in {"", target.name}]
    if name and not selected:
        names = ", ".join(target.name for target in targets)
        known = f"Set are: {names}" if names else NO_TARGETS.format(env_file=context.env_file)
        raise WrongUse(f"{name!r} is not a target. {known}")
    return selected


def _test(
    console: Console, config: Mapping[str, str], targets: Sequence[Target], send: Send, *, as_json: bool
) -> bool:
    bucket = (config.get("INPUT_BUCKETS", "").split(",")[0]).strip()
    results = []
    for target in targets:
        notice = build_test_notice(bucket, config.get("REGION", ""), time.time())
        results.append(send_test_notice(target, notice, send))
        if not as_json:
            _print_result(console, results[-1])
    failed = sum(not result.passed for result in results)
    if as_json:
        document = {"ok": not failed, "results": [result.as_json() for result in results]}
        print_json(console, document)
    elif failed:
        console.print(f"\n{failed} of {len(results)} test notices were not taken.")
    else:
        console.print("\nEvery target took its test notice: look whether it is where you read it.")
    return not failed


def _print_result(console: Console, result: ProbeResult) -> None:
    name = f"[bold]{escape_markup(result.target.name)}[/] ({escape_markup(get_host(result.target))})"
    if result.passed:
        mark = "[green]✓[/]" if console.is_terminal else "ok    "
        console.print(f"{mark} {name}: taken in {result.seconds:.1f} s", soft_wrap=True)
        return
    mark = "[red]✗[/]" if console.is_terminal else "wrong "
    console.print(f"{mark} {name}: {escape_markup(result.outcome.reason)}", soft_wrap=True)
    console.print(f"    fix: {escape_markup(result.next_step)}", soft_wrap=True)


def _list(
    console: Console,
    context: CliContext,
    config: Mapping[str, str],
    targets: Sequence[Target],
    options: NotifyOptions,
) -> bool:
    places = _open_places(context, config)
    notices = None if places is None else _read(places, context)
    now_s = time.time()
    names = {target.name for target in targets}
    if options.as_json:
        print_json(
            console,
            {
                "state_read": notices is not None,
                "targets": [describe_target(target, notices, now_s) for target in targets],
                "unknown_targets": [
                    {"name": name, "open": found.open}
                    for name, found in sorted((notices or {}).items())
                    if name not in names and found.open and not options.target
                ],
            },
        )
        return True
    if not targets:
        console.print(escape_markup(NO_TARGETS.format(env_file=context.env_file) + "."), soft_wrap=True)
    for target in targets:
        _print_target(console, context, target, describe_target(target, notices, now_s))
    if targets and notices is None:
        console.print(f"\n{NO_KEY}")
    if targets:
        console.print(f"\n`{escape_markup(context.commands.line('notify', '--test'))}` sends one to each.")
    return True


def describe_target(
    target: Target, notices: Mapping[str, TargetNotices] | None, now_s: float
) -> dict[str, Any]:
    """Return what is known of a target as a JSON value. No address and no secret is in it."""
    found = (notices or {}).get(target.name, NO_NOTICES)
    document = {
        "name": target.name,
        "kind": target.kind.value,
        "host": get_host(target),
        "types": sorted(kind.value for kind in target.types),
        "is_default": target.is_default,
        "is_signed": bool(target.secrets),
        "variable": get_variable(target),
    }
    if notices is None:
        return {**document, "state": "unknown"}
    condition = found.describe(target, now_s)
    return {
        **document,
        "state": condition.value,
        "open": found.open,
        "open_is_complete": found.is_complete,
        "oldest": format_time(found.oldest_s),
        "next_attempt": format_time(found.next_s),
        "failures_in_row": found.state.failures_in_row,
        "paused_until": format_time(found.state.paused_until_s) if condition is Condition.PAUSED else "",
        "given_up": found.state.given_up,
        "reason": found.state.reason,
    }


def _print_target(console: Console, context: CliContext, target: Target, document: Mapping[str, Any]) -> None:
    types = ", ".join(each.rpartition(".")[2] for each in document["types"])
    use = "" if target.is_default else ", for recordings whose option notify names it"
    console.print(
        f"[bold]{escape_markup(target.name)}[/]  {escape_markup(document['host'])}  {types}{use}",
        soft_wrap=True,
    )
    lines = [f"state {document['state']}"]
    if "open" in document:
        bound = "" if document["open_is_complete"] else "more than "
        waiting = f", the oldest since {document['oldest']}" if document["oldest"] else ""
        lines.append(f"open notices: {bound}{document['open']:,}{waiting}")
    if document.get("paused_until"):
        lines.append(f"paused until {document['paused_until']}, as the target asked")
    if document.get("failures_in_row"):
        lines.append(
            f"failed attempts in a row: {document['failures_in_row']:,}, the last: {document['reason']}"
        )
    if document.get("given_up"):
        lines.append(f"given up after three days, or because the target is stopped: {document['given_up']:,}")
    if document["state"] == Condition.STOPPED.value or document.get("given_up"):
        lines.append(f"when this is settled: {context.commands.line('notify', '--reset', target.name)}")
    for line in lines:
        console.print(f"    {escape_markup(line)}", soft_wrap=True)


def _reset(
    console: Console,
    context: CliContext,
    config: Mapping[str, str],
    name: str,
    confirm: Callable[[str], bool] | None,
) -> bool:
    known = {target.name for target in load_context_targets(config)}
    places = _open_places(context, config)
    if places is None:
        raise OperatorError(f"{NO_KEY} Set it in {context.env_file}")
    notices = _read(places, context)
    if name not in known | set(notices):
        raise WrongUse(f"{name!r} is not a target, and the bucket knows none of that name")
    state = notices.get(name, NO_NOTICES).state
    if state.is_clear:
        console.print(f"Nothing to reset: {escape_markup(name)} has no failure.")
        return True
    question = (
        f"Forget {state.failures_in_row:,} failed attempts and {state.given_up:,} notices given up of {name}?"
    )
    if confirm and not confirm(question):
        console.print("Nothing was changed.")
        return False
    try:
        reset_target(places, name)
    except CloudError as error:
        raise _explain(error, context) from None
    console.print(
        f"{escape_markup(name)} is as if no attempt had failed. {WHEN_OPEN_NOTICES_GO_OUT}", soft_wrap=True
    )
    return True


def _read(places: Sequence[NoticePlace], context: CliContext) -> dict[str, TargetNotices]:
    try:
        return read_notices(places)
    except CloudError as error:
        raise _explain(error, context) from None


def _explain(error: CloudError, context: CliContext) -> OperatorError:
    hint = ""
    if error.status in _DENIED_STATUSES:
        hint = f". `{context.commands.show_deployer_policy}` prints what the key of the account needs"
    return OperatorError(escape_line(f"{error}{hint}"))


def _open_places(context: CliContext, config: Mapping[str, str]) -> list[NoticePlace] | None:
    """Return the buckets with notices; None without a key of the account. Raises OperatorError, SettingsError."""
    manifest = load_manifest(context.folder, {**_ANY_TOKEN, **config}, context.env_file)
    variables = manifest.functions[CALLBACK].variables
    settings = load_function_settings(manifest.region, variables, config.get("CLOUD_ENDPOINT", ""))
    try:
        credentials = context.load_credentials(config)
    except CredentialsNotFound:
        return None
    client = TencentClient(credentials, settings.cloud_endpoint.rstrip("/"))
    return list_places(client, settings, find_deployment(manifest))


def list_places(client: TencentClient, settings: Settings, deployment: str) -> list[NoticePlace]:
    """Return the buckets in which the functions keep notices."""
    cos = CosClient(client, settings.output_region or settings.region)
    buckets = dict.fromkeys(settings.output_bucket_for(bucket) for bucket in settings.input_buckets)
    return [NoticePlace(cos, bucket, settings.state_prefix, deployment) for bucket in buckets]
