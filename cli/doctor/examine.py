"""All checks, one after the other: what each needs, what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from cli.doctor import (
    address,
    buckets,
    clock,
    functions,
    key,
    meetings,
    recordings,
    region,
    roles,
    scf_role,
    speech,
    triggers,
)
from cli.doctor.case import Case
from cli.doctor.finding import Finding, State, skipped
from cli.doctor.hands import Hands
from cli.doctor.trouble import EXPECTED, finding_of
from cli.manifest.models import Manifest


@dataclass(frozen=True, slots=True)
class Check:
    """One idea. `name` stays the same in every version: scripts read it. `needs` names checks that must be well."""

    name: str
    look: Callable[[Case], Iterator[Finding]]
    needs: tuple[str, ...] = ("key",)


ADDRESS = "address"
_IN_REGION = ("key", "region")
_OF_ACCOUNT = ("key", "account", "region")  # what another account's key sees of these says nothing

CHECKS = (
    Check("clock", clock.clock, needs=()),
    Check("key", key.key, needs=("clock",)),
    Check("account", key.account),
    Check("region", region.region),
    Check("bucket", buckets.bucket, needs=_OF_ACCOUNT),
    Check("versioning", buckets.versioning, needs=_OF_ACCOUNT),
    Check("role", roles.role, needs=_OF_ACCOUNT),
    Check("scf-role", scf_role.scf_role),
    Check("ci-role", roles.ci_role),
    Check("speech-service", speech.service, needs=_OF_ACCOUNT),
    Check("content-recognition", speech.content_recognition, needs=_OF_ACCOUNT),
    Check("queue", speech.queue, needs=_OF_ACCOUNT),
    Check("function", functions.function, needs=_IN_REGION),
    Check("configuration", functions.configuration, needs=_IN_REGION),
    Check("variables", functions.variables, needs=_IN_REGION),
    Check("retries", functions.retries, needs=_IN_REGION),
    Check("package", functions.package, needs=_IN_REGION),
    Check("trigger", triggers.trigger, needs=_IN_REGION),
    Check("extra-trigger", triggers.extra_trigger, needs=_IN_REGION),
    Check("overlap", meetings.overlap, needs=_IN_REGION),
    Check("loop", meetings.loop, needs=_IN_REGION),
    Check(ADDRESS, address.address, needs=_IN_REGION),
    Check("notification", speech.notification, needs=_OF_ACCOUNT),
    Check("unheard-recordings", recordings.unheard, needs=_OF_ACCOUNT),
)


def examine(hands: Hands, wanted: Manifest, label: str = "") -> Iterator[Finding]:
    """Looks at a deployment and tells what it finds, as it finds it. Changes nothing.

    `label` names the package of this checkout as functions carry it in their description; "" where none was built.
    Raises nothing of the cloud's: what could not be looked at is a finding too.
    """
    case = Case(hands, wanted, label)
    roots: dict[str, str] = {}
    for check in CHECKS:
        root = next((roots[name] for name in check.needs if name in roots), "")
        for finding in [skipped(f"not looked at: first mend {root}")] if root else _findings(check, case):
            # What this key may not look at keeps nothing else from being looked at.
            if root or finding.state is State.WRONG:
                roots.setdefault(check.name, root or check.name)
            yield replace(finding, name=check.name)


def examine_again(name: str, hands: Hands, wanted: Manifest) -> list[Finding]:
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
