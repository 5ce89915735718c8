"""`scribe doctor`: reads what the operator chose, looks at the deployment, prints a line for each finding."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from cli.cloud.functions import Functions
from cli.config import TOKEN_NAME, CliContext, load_config, load_operator_credentials
from cli.doctor.examine import examine
from cli.doctor.finding import Finding, State, fine, wrong
from cli.doctor.hands import Hands
from cli.errors import OperatorError
from cli.manifest.loader import load_manifest
from cli.manifest.models import CALLBACK, Manifest
from cli.package import PackageError, build
from shared.errors import ScribeError
from shared.settings import load_settings

# With a token nobody chose here and nobody deployed, everything else can still be read.
_NO_TOKEN = "not-chosen-by-anybody-yet"  # noqa: S105 - it opens nothing

_MARKS = {
    State.OK: "[green]✓[/]",
    State.WRONG: "[red]✗[/]",
    State.NOTE: "[yellow]![/]",
    State.SKIPPED: "[dim]-[/]",
}


def doctor(console: Console, around: CliContext, *, as_json: bool) -> bool:
    """Prints what it finds, with `as_json` as one JSON object. True when nothing is wrong. Changes nothing."""
    found = []
    for finding in findings(around):
        found.append(finding)
        if not as_json:
            show(console, finding)
    counts = {state: sum(one.state is state for one in found) for state in State}
    is_well = not counts[State.WRONG]
    if as_json:
        lines = [{**asdict(one), "state": one.state.value} for one in found]
        console.out(json.dumps({"ok": is_well, "findings": lines}, ensure_ascii=False, indent=2))
    else:
        told = ", ".join(f"{count} {state.value}" for state, count in counts.items() if count)
        console.print(f"\n{'Nothing is wrong' if is_well else 'Something is wrong'}: {told}.")
    return is_well


def show(console: Console, finding: Finding) -> None:
    """One finding: a mark, or its state in words where the output is no terminal, then what to do about it."""
    mark = _MARKS[finding.state] if console.is_terminal else f"{finding.state.value:<7}"
    about = f" {escape(finding.about)}" if finding.about else ""
    console.print(f"{mark} [bold]{finding.name}[/]{about}: {escape(finding.says)}", soft_wrap=True)
    if finding.mend and finding.state is not State.OK:
        console.print(f"    mend: {escape(finding.mend)}", soft_wrap=True)


def findings(around: CliContext) -> Iterator[Finding]:
    """Each in the words for these surroundings."""
    for finding in _findings(around):
        yield reworded(finding, around)


def reworded(finding: Finding, around: CliContext) -> Finding:
    """With the commands in it as they have to be typed."""
    return replace(finding, says=around.told(finding.says), mend=around.told(finding.mend))


def _findings(around: CliContext) -> Iterator[Finding]:
    """The settings first: without them there is nothing to compare with."""
    try:
        choices = load_config(around.env_file, around.process)
        wanted = load_manifest(around.folder, {TOKEN_NAME: _NO_TOKEN, **choices})
        endpoint = _endpoint(wanted, choices)
    except (OperatorError, ScribeError) as error:
        mend = f"correct {around.env_file} or serverless.yml as it says"
        yield replace(wrong(str(error), mend=mend), name="settings")
        return
    yield replace(fine("serverless.yml and the settings can work"), name="settings")
    try:
        credentials = load_operator_credentials(choices, around.home)
    except OperatorError as error:
        mend = "make a key at https://console.cloud.tencent.com/cam/capi"
        yield replace(wrong(str(error), mend=mend), name="key")
        return
    hands = Hands.of(credentials, wanted.region, endpoint)
    if TOKEN_NAME not in choices:
        wanted = load_manifest(around.folder, {**choices, TOKEN_NAME: _deployed_token(hands, wanted)})
    yield from examine(hands, wanted, _label())


def _endpoint(wanted: Manifest, choices: Mapping[str, str]) -> str:
    """CLOUD_ENDPOINT, which is never deployed. Raises SettingsError unless it is of this machine."""
    variables = wanted.functions[CALLBACK].variables
    chosen = {"REGION": wanted.region, **variables, "CLOUD_ENDPOINT": choices.get("CLOUD_ENDPOINT", "")}
    return load_settings(chosen).cloud_endpoint.rstrip("/")


def _deployed_token(hands: Hands, wanted: Manifest) -> str:
    """The token of the deployed callback function: one was made for it, and kept on another machine perhaps."""
    callback = wanted.functions[CALLBACK]
    try:
        found = Functions(hands.control).find(callback.name, callback.namespace)
    except OperatorError:
        return _NO_TOKEN  # why the function cannot be looked at is told by the checks
    return (found.variables.get(TOKEN_NAME) if found else "") or _NO_TOKEN


def _label() -> str:
    """The label of this checkout's package; "" where it cannot be built. Bytecode does not count in it."""
    with tempfile.TemporaryDirectory(prefix="scribe-") as folder:
        try:
            return build(Path(folder) / "package", pythons=()).label
        except PackageError:
            return ""
