"""`scribe notify`: list the targets of notices with their state, send test notices, forget a target's failures."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from cli.config import TOKEN_NAME, CliContext, CredentialsNotFound, EnvFileValue
from cli.errors import OperatorError
from cli.language import N_, _
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
from cli.operate.text import end_sentence, join_sentences, pad
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

NO_TARGETS = N_(
    "No target of notices is set: set NOTIFY_WECOM, NOTIFY_FEISHU, NOTIFY_DINGTALK or NOTIFY_WEBHOOK in "
    "{env_file}"
)
WHEN_OPEN_NOTICES_GO_OUT = N_(
    "Open notices go out when their next attempt is due: within an hour, "
    "or after the pause that the target asked for."
)
NO_KEY = N_("Without a key of the account the state of the targets is not known.")
# The states of a target on the screen; in JSON the names stay.
_STATE_LINES = {
    Condition.READY.value: N_("state ready"),
    Condition.FAILING.value: N_("state failing"),
    Condition.PAUSED.value: N_("state paused"),
    Condition.STOPPED.value: N_("state stopped"),
    "unknown": N_("state unknown"),
}
_ANY_TOKEN = {TOKEN_NAME: "not-chosen-by-anybody-yet"}  # nothing here depends on it
_DENIED_STATUSES = (401, 403)
_MARK_WIDTH = 6


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
        raise WrongUse(_(NO_TARGETS, env_file=context.env_file))
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
        known = _("Set are: {names}", names=names) if names else _(NO_TARGETS, env_file=context.env_file)
        raise WrongUse(_("{name!r} is not a target. {known}", name=name, known=known))
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
        text = _("{number} of {total} test notices were not taken.", number=failed, total=len(results))
        console.print(f"\n{text}")
    else:
        text = _("Every target took its test notice: look whether it is where you read it.")
        console.print(f"\n{text}")
    return not failed


def _print_result(console: Console, result: ProbeResult) -> None:
    name = f"[bold]{escape_markup(result.target.name)}[/] ({escape_markup(get_host(result.target))})"
    if result.passed:
        mark = "[green]✓[/]" if console.is_terminal else pad(_("ok"), _MARK_WIDTH)
        text = _("{name}: taken in {seconds:.1f} s", name=name, seconds=result.seconds)
        console.print(f"{mark} {text}", soft_wrap=True)
        return
    mark = "[red]✗[/]" if console.is_terminal else pad(_("wrong"), _MARK_WIDTH)
    text = _("{name}: {reason}", name=name, reason=escape_markup(result.outcome.reason))
    console.print(f"{mark} {text}", soft_wrap=True)
    fix = _("fix: {next_step}", next_step=escape_markup(result.next_step))
    console.print(f"    {fix}", soft_wrap=True)


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
        text = end_sentence(_(NO_TARGETS, env_file=context.env_file))
        console.print(escape_markup(text), soft_wrap=True)
    for target in targets:
        _print_target(console, context, target, describe_target(target, notices, now_s))
    if targets and notices is None:
        console.print(f"\n{_(NO_KEY)}")
    if targets:
        line = escape_markup(context.commands.line("notify", "--test"))
        text = _("`{command}` sends one to each.", command=line)
        console.print(f"\n{text}")
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
    types = _(", ").join(each.rpartition(".")[2] for each in document["types"])
    if not target.is_default:
        types = _("{types}, for recordings whose option notify names it", types=types)
    console.print(
        f"[bold]{escape_markup(target.name)}[/]  {escape_markup(document['host'])}  {types}",
        soft_wrap=True,
    )
    lines = [_(_STATE_LINES[document["state"]])]
    if "open" in document:
        lines.append(_describe_open(document))
    if document.get("paused_until"):
        lines.append(_("paused until {time}, as the target asked", time=document["paused_until"]))
    if document.get("failures_in_row"):
        lines.append(
            _(
                "failed attempts in a row: {number:,}, the last: {reason}",
                number=document["failures_in_row"],
                reason=document["reason"],
            )
        )
    if document.get("given_up"):
        lines.append(
            _(
                "given up after three days, or because the target is stopped: {number:,}",
                number=document["given_up"],
            )
        )
    if document["state"] == Condition.STOPPED.value or document.get("given_up"):
        command = context.commands.line("notify", "--reset", target.name)
        lines.append(_("when this is settled: {command}", command=command))
    for line in lines:
        console.print(f"    {escape_markup(line)}", soft_wrap=True)


def _describe_open(document: Mapping[str, Any]) -> str:
    """Return how many notices are open, and since when."""
    number = f"{document['open']:,}"
    if not document["open_is_complete"]:
        number = _("more than {number}", number=number)
    if document["oldest"]:
        return _("open notices: {number}, the oldest since {time}", number=number, time=document["oldest"])
    return _("open notices: {number}", number=number)


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
        raise OperatorError(join_sentences(_(NO_KEY), _("Set it in {env_file}", env_file=context.env_file)))
    notices = _read(places, context)
    if name not in known | set(notices):
        raise WrongUse(_("{name!r} is not a target, and the bucket knows none of that name", name=name))
    state = notices.get(name, NO_NOTICES).state
    if state.is_clear:
        console.print(_("Nothing to reset: {name} has no failure.", name=escape_markup(name)))
        return True
    question = _(
        "Forget {failures:,} failed attempts and {given_up:,} notices given up of {name}?",
        failures=state.failures_in_row,
        given_up=state.given_up,
        name=name,
    )
    if confirm and not confirm(question):
        console.print(_("Nothing was changed."))
        return False
    try:
        reset_target(places, name)
    except CloudError as error:
        raise _explain(error, context) from None
    text = _("{name} is as if no attempt had failed.", name=escape_markup(name))
    console.print(join_sentences(text, _(WHEN_OPEN_NOTICES_GO_OUT)), soft_wrap=True)
    return True


def _read(places: Sequence[NoticePlace], context: CliContext) -> dict[str, TargetNotices]:
    try:
        return read_notices(places)
    except CloudError as error:
        raise _explain(error, context) from None


def _explain(error: CloudError, context: CliContext) -> OperatorError:
    text = str(error)
    if error.status in _DENIED_STATUSES:
        hint = _(
            "`{command}` prints what the key of the account needs",
            command=context.commands.show_deployer_policy,
        )
        text = join_sentences(end_sentence(text), hint)
    return OperatorError(escape_line(text))


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
