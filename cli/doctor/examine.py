"""All checks, one after the other: what each needs, what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from cli.description.wanted import Wanted
from cli.doctor import (
    address,
    buckets,
    clock,
    functions,
    key,
    meetings,
    recordings,
    roles,
    scf_role,
    speech,
    triggers,
)
from cli.doctor.case import Case
from cli.doctor.finding import Finding, State, skipped
from cli.doctor.hands import Hands
from cli.doctor.trouble import EXPECTED, finding_of


@dataclass(frozen=True, slots=True)
class Check:
    """One idea. `name` stays the same in every version: scripts read it. `needs` names checks that must be well."""

    name: str
    look: Callable[[Case], Iterator[Finding]]
    needs: tuple[str, ...] = ("key",)


ADDRESS = "address"

CHECKS = (
    Check("clock", clock.clock, needs=()),
    Check("key", key.key, needs=("clock",)),
    Check("account", key.account),
    Check("bucket", buckets.bucket),
    Check("versioning", buckets.versioning),
    Check("role", roles.role),
    Check("scf-role", scf_role.scf_role),
    Check("ci-role", roles.ci_role),
    Check("speech-service", speech.service),
    Check("content-recognition", speech.content_recognition),
    Check("queue", speech.queue),
    Check("function", functions.function),
    Check("configuration", functions.configuration),
    Check("variables", functions.variables),
    Check("retries", functions.retries),
    Check("package", functions.package),
    Check("trigger", triggers.trigger),
    Check("extra-trigger", triggers.extra_trigger),
    Check("overlap", meetings.overlap),
    Check("loop", meetings.loop),
    Check(ADDRESS, address.address),
    Check("notification", speech.notification),
    Check("unheard-recordings", recordings.unheard),
)


def examine(hands: Hands, wanted: Wanted, label: str = "") -> Iterator[Finding]:
    """Looks at a deployment and tells what it finds, as it finds it. Changes nothing.

    `label` names the package of this checkout as functions carry it in their description; "" where none was built.
    Raises nothing of the cloud's: what could not be looked at is a finding too.
    """
    case = Case(hands, wanted, label)
    roots: dict[str, str] = {}
    for check in CHECKS:
        root = next((roots[name] for name in check.needs if name in roots), "")
        for finding in [skipped(f"not looked at: first mend {root}")] if root else _findings(check, case):
            if finding.state in {State.WRONG, State.SKIPPED}:
                roots.setdefault(check.name, root or check.name)
            yield replace(finding, name=check.name)


def examine_again(name: str, hands: Hands, wanted: Wanted) -> list[Finding]:
    """What the check of this name finds now, with everything that it needs asked anew."""
    case = Case(hands, wanted, "")
    return [
        replace(finding, name=name)
        for check in CHECKS
        if check.name == name
        for finding in _findings(check, case)
    ]


def _findings(check: Check, case: Case) -> Iterator[Finding]:
    found = 0
    try:
        for finding in check.look(case):
            found += 1
            yield finding
    except EXPECTED as error:
        yield finding_of(error)
    else:
        if not found:
            yield skipped("nothing to look at yet: first mend what is wrong above")
