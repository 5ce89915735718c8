"""All checks in order: what each needs, and what becomes of those whose need failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from cli.config import Commands
from cli.deploy.state import CurrentState
from cli.doctor.checks import account, functions, recordings, speech, storage, triggers
from cli.doctor.models import (
    EXPECTED_ERRORS,
    CheckContext,
    Finding,
    Status,
    finding_from_error,
    skip_dependent,
)


@dataclass(frozen=True, slots=True)
class Check:
    """A check. `name` is the same in every version: scripts read it.

    `needs` names the checks without which it is skipped. `subjects_from` names the check that reports why there may be
    nothing to check.
    """

    name: str
    run: Callable[[CheckContext], Iterator[Finding]]
    needs: tuple[str, ...] = ("key",)
    subjects_from: str = ""


ADDRESS, OLD_RECORDINGS = "address", "old-recordings"
_REGION = ("key", "region")
_ACCOUNT = ("key", "account", "region")  # with a key of another account these checks say nothing
_SPEECH = (*_ACCOUNT, "binding")  # an unbound bucket has no queue either
_BUCKET = (*_ACCOUNT, "bucket")  # with a wrong bucket name these would each report the same cause

CHECKS = (
    Check("clock", account.check_clock, needs=()),
    Check("key", account.check_key, needs=("clock",)),
    Check("account", account.check_account),
    Check("region", account.check_region),
    Check("bucket", storage.check_buckets, needs=_ACCOUNT),
    Check("versioning", storage.check_versioning, needs=_ACCOUNT, subjects_from="bucket"),
    Check("role", account.check_roles, needs=_BUCKET),
    Check("scf-role", account.check_scf_role),
    Check("ci-role", account.check_ci_role),
    Check("binding", speech.check_binding, needs=_ACCOUNT, subjects_from="bucket"),
    Check("speech-service", speech.check_service, needs=_SPEECH, subjects_from="bucket"),
    Check("content-recognition", speech.check_content_recognition, needs=_ACCOUNT),
    Check("queue", speech.check_queues, needs=_SPEECH, subjects_from="speech-service"),
    Check("function", functions.check_functions, needs=_REGION),
    Check("configuration", functions.check_configuration, needs=_REGION, subjects_from="function"),
    Check("variables", functions.check_variables, needs=_BUCKET, subjects_from="function"),
    Check("retries", functions.check_retries, needs=_REGION, subjects_from="function"),
    Check("package", functions.check_package, needs=_REGION, subjects_from="function"),
    Check("trigger", triggers.check_triggers, needs=_BUCKET, subjects_from="function"),
    Check("extra-trigger", triggers.check_extra_triggers, needs=_BUCKET, subjects_from="function"),
    Check("overlap", triggers.check_overlap, needs=_REGION),
    Check("loop", triggers.check_loops, needs=_REGION),
    Check(ADDRESS, functions.check_address, needs=_REGION, subjects_from="trigger"),
    Check("notification", speech.check_notifications, needs=_SPEECH, subjects_from="queue"),
    Check("unheard-recordings", recordings.check_missing_receipts, needs=_ACCOUNT, subjects_from="bucket"),
    Check("hidden-recordings", recordings.check_hidden_recordings, needs=_ACCOUNT, subjects_from="bucket"),
    Check(OLD_RECORDINGS, recordings.check_old_recordings, needs=_ACCOUNT, subjects_from="bucket"),
)


def run_checks(state: CurrentState, label: str, commands: Commands) -> Iterator[Finding]:
    """Run all checks; yields each finding at once. Changes nothing.

    `label` is that of the package of this checkout, as in the description of a function; "" if none was built. Raises
    no error of the cloud: a check that fails is a finding too.
    """
    context = CheckContext(state, label, commands)
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
