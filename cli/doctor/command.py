"""`scribe doctor`: load the configuration, run the checks, print a line for each finding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.markup import escape

from cli.config import TOKEN_NAME, CliContext
from cli.deploy.clients import Clients
from cli.deploy.hot_words import HotWordsTarget
from cli.deploy.state import CurrentState
from cli.deploy.target import (
    DeployedChoices,
    complete_callback_url,
    complete_config,
    load_hot_words_target,
    load_manifest_settings,
    parse_callback_choice,
    read_deployed_choices,
    uses_job_callback,
)
from cli.doctor.checks import RULES
from cli.doctor.models import Finding, Status, describe_dependence, fail, ok
from cli.doctor.runner import run_checks
from cli.errors import OperatorError
from cli.language import N_, _, format_exception, translate
from cli.manifest.loader import load_manifest
from cli.manifest.models import Manifest
from cli.output import escape_markup, print_json
from cli.package import PackageError, compute_label
from cli.rules.compiler import compile_rules
from cli.rules.loader import load_context_rules
from cli.rules.models import RulesError, RulesFile
from shared.errors import ScribeError
from shared.options.check import describe_source
from shared.settings import Settings

# Without a token, here or deployed, everything else can still be checked.
_NO_TOKEN = "not-chosen-by-anybody-yet"  # noqa: S105 - not a secret

SETTINGS = "settings"  # the check of the configuration, before all others
_WITH_LINES = (SETTINGS, RULES)

_ICONS = {
    Status.OK: "[green]✓[/]",
    Status.WRONG: "[red]✗[/]",
    Status.NOTE: "[yellow]![/]",
    Status.SKIPPED: "[dim]-[/]",
}
# For people; in JSON the status is in English in every language.
_WORDS = {
    Status.OK: N_("ok"),
    Status.WRONG: N_("wrong"),
    Status.NOTE: N_("note"),
    Status.SKIPPED: N_("skipped"),
}


def doctor(console: Console, context: CliContext, *, as_json: bool) -> bool:
    """Print the findings, with `as_json` as one JSON object. True if no check failed. Changes nothing."""
    if as_json:
        findings = list(run_doctor(context))
        passed = all(finding.status is not Status.WRONG for finding in findings)
        document = {"ok": passed, "findings": [finding.as_json() for finding in findings]}
        print_json(console, document)
        return passed
    count = print_findings(console, run_doctor(context))
    passed = not count[Status.WRONG]
    numbers = _(", ").join(
        _("{count} {status}", count=count[status], status=_(_WORDS[status]))
        for status in Status
        if count[status]
    )
    summary = (
        _("No check failed: {numbers}.", numbers=numbers)
        if passed
        else _("Some checks failed: {numbers}.", numbers=numbers)
    )
    console.print(f"\n{summary}")
    return passed


def run_doctor(context: CliContext) -> Iterator[Finding]:
    """Check the configuration first: without it there is nothing to compare with."""
    commands = context.commands
    try:
        config = context.load_config()
        choice = parse_callback_choice(config, "", context.env_file)
        manifest = load_manifest(context.folder, {TOKEN_NAME: _NO_TOKEN, **config}, context.env_file)
        settings = load_manifest_settings(manifest, config)
    except (OperatorError, ScribeError) as error:
        fix = _("correct {file} or serverless.yml", file=context.env_file)
        yield replace(fail(format_exception(error), fix=fix), name=SETTINGS)
        return
    yield replace(ok(_("serverless.yml and the settings are valid")), name=SETTINGS)
    try:
        credentials = context.load_credentials(config)
    except OperatorError as error:
        fix = _("create a key at https://console.cloud.tencent.com/cam/capi")
        yield replace(fail(format_exception(error), fix=fix), name="key")
        return
    clients = Clients.create(credentials, manifest.region, settings.cloud_endpoint.rstrip("/"))
    try:
        deployed = read_deployed_choices(clients, manifest)
    except OperatorError:
        deployed = DeployedChoices()  # a check reports why the functions cannot be read
    completed = {TOKEN_NAME: _NO_TOKEN, **complete_config(config, deployed)}
    manifest = load_manifest(context.folder, completed, context.env_file)
    settings = load_manifest_settings(manifest, config)
    job_callback = uses_job_callback(config, choice, deployed)
    if job_callback:
        manifest = complete_callback_url(manifest, deployed.callback_url, settings.callback_tokens[0])
    rules: RulesFile | RulesError | None
    try:
        rules = load_context_rules(context, settings)
        label = _build_label(compile_rules(rules))
    except RulesError as error:
        rules, label = error, ""
    state = CurrentState(
        clients,
        manifest,
        settings,
        job_callback=job_callback,
        hot_words_target=_load_hot_words(context, rules, manifest, settings),
    )
    yield from run_checks(state, label, commands, rules)


def _load_hot_words(
    context: CliContext, rules: RulesFile | RulesError | None, manifest: Manifest, settings: Settings
) -> HotWordsTarget | None:
    """Load what the rules need; None if they or a file have a mistake, which a check reports."""
    with suppress(OperatorError):
        if not isinstance(rules, RulesError):
            return load_hot_words_target(context.folder, rules, manifest, settings)
    return None


def print_findings(
    console: Console, findings: Iterable[Finding], *, hide_ok: bool = False
) -> Counter[Status]:
    """Print each finding at once, and at the end one line for all checks that were skipped for the same cause.

    Returns the number of findings by status.
    """
    count = Counter[Status]()
    dependents: dict[str, list[str]] = {}
    for finding in findings:
        count[finding.status] += 1
        if finding.depends_on:
            dependents.setdefault(finding.depends_on, []).append(finding.name)
        elif finding.status is not Status.OK or not hide_ok:
            _print_finding(console, finding)
    for cause, names in dependents.items():
        finding = Finding(_(", ").join(names), Status.SKIPPED, describe_dependence(cause))
        _print_finding(console, finding)
    return count


def _print_finding(console: Console, finding: Finding) -> None:
    """Print an icon, or the status in words if the output is not a terminal, then the fix."""
    mark = _ICONS[finding.status] if console.is_terminal else _format_status(finding.status)
    # A rule is named by its line, in the language of the reader.
    name = translate(describe_source(finding.subject))
    subject = f" {escape_markup(name)}" if name else ""
    # The mistakes in serverless.yml, .env and rules.yml have a line each.
    message = escape(finding.message) if finding.name in _WITH_LINES else escape_markup(finding.message)
    check = f"{mark} [bold]{finding.name}[/]{subject}"
    console.print(_("{check}: {message}", check=check, message=message), soft_wrap=True)
    if finding.fix and finding.status is not Status.OK:
        console.print(_("    fix: {fix}", fix=escape_markup(finding.fix)), soft_wrap=True)


def _format_status(status: Status) -> str:
    """Format a status in words, as wide as the longest of them."""
    return set_cell_size(_(_WORDS[status]), max(cell_len(_(word)) for word in _WORDS.values()))


def _build_label(rules: bytes) -> str:
    """The label of this checkout's package, which does not depend on bytecode; "" if it cannot be built."""
    try:
        return compute_label(rules)
    except PackageError:
        return ""
