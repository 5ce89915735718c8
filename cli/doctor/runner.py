"""Runs the checks of `checks/__init__.py` in order, and skips those that need one that failed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from cli.config import Commands
from cli.deploy.state import CurrentState
from cli.doctor.checks import CHECKS
from cli.doctor.models import (
    EXPECTED_ERRORS,
    Check,
    CheckContext,
    Finding,
    Status,
    finding_from_error,
    skip_dependent,
)
from cli.rules.models import RulesError, RulesFile


def run_checks(
    state: CurrentState, label: str, commands: Commands, rules: RulesFile | RulesError | None = None
) -> Iterator[Finding]:
    """Run all checks; yields each finding at once. Changes nothing.

    `label` is that of the package of this checkout, as in the description of a function; "" if none was built. `rules`
    are those of rules.yml, or why it cannot be read. Raises no error of the cloud: a check that fails is a finding too.
    """
    context = CheckContext(state, label, commands, rules)
    causes: dict[str, str] = {}  # by failed or skipped check, the check that is the cause
    for check in CHECKS:
        cause = next((causes[name] for name in check.needs if name in causes), "")
        skipped = replace(skip_dependent(cause), name=check.name)
        findings = iter([skipped]) if cause else _run_check(check, context, causes)
        for finding in findings:
            if finding.depends_on:
                causes.setdefault(check.name, finding.depends_on)
            # A missing permission is no reason to skip other checks.
            elif finding.status is Status.WRONG and finding.blocks:
                causes.setdefault(check.name, check.name)
            yield finding


def rerun_check(name: str, state: CurrentState, commands: Commands) -> list[Finding]:
    """Run one check by its name."""
    context = CheckContext(state, "", commands)
    return [finding for check in CHECKS if check.name == name for finding in _run_check(check, context, {})]


def _run_check(check: Check, context: CheckContext, causes: dict[str, str]) -> Iterator[Finding]:
    count = 0
    try:
        for finding in check.run(context):
            count += 1
            yield replace(finding, name=check.name)
    except EXPECTED_ERRORS as error:
        yield replace(finding_from_error(error, context.commands), name=check.name)
    else:
        if not count:
            cause = causes.get(check.subjects_from, check.subjects_from)
            yield replace(skip_dependent(cause), name=check.name)
