"""Do the functions run, and are they the ones that serverless.yml and this checkout describe?"""

from __future__ import annotations

from collections.abc import Iterator

from cli.cloud.functions import MOST_RETRIES, FoundFunction, Functions
from cli.doctor.case import Case
from cli.doctor.finding import Finding, fine, skipped, wrong
from cli.manifest.models import FunctionSpec

DEPLOY = "scribe deploy"


def function(case: Case) -> Iterator[Finding]:
    """Is each there and Active?"""
    for key, wanted in case.wanted.functions.items():
        found = case.functions.get(key)
        if found is None:
            yield wrong(f"there is no function {wanted.name}", mend=DEPLOY, about=key)
        elif found.status != "Active":
            reason = f": {found.status_reason}" if found.status_reason else ""
            yield wrong(f"{wanted.name} is {found.status}, not Active{reason}", mend=DEPLOY, about=key)
        else:
            yield fine(f"{wanted.name} is active", about=key)


def configuration(case: Case) -> Iterator[Finding]:
    """Is each configured as serverless.yml says?"""
    for key, wanted, found in case.pairs:
        differing = [
            f"{name} is {there or 'not set'}, not {here}"
            for name, here, there in _fields(wanted, found)
            if here != there
        ]
        if differing:
            yield wrong("; ".join(differing), mend=DEPLOY, about=key)
        else:
            yield fine("configured as serverless.yml says", about=key)


def _fields(wanted: FunctionSpec, found: FoundFunction) -> list[tuple[str, str, str]]:
    return [
        ("the runtime", wanted.runtime, found.runtime),
        ("the handler", wanted.handler, found.handler),
        ("the role", wanted.role, found.role),
        ("the memory", f"{wanted.memory_mib} MB", f"{found.memory_mib} MB"),
        ("the time limit", f"{wanted.timeout_s} s", f"{found.timeout_s} s"),
        ("the time limit of its start", f"{wanted.init_timeout_s} s", f"{found.init_timeout_s} s"),
        ("access to the public network", _on(wanted.public_network), _on(found.public_network)),
        ("the type", "Event", found.type),
    ]


def _on(switch: bool) -> str:
    return "on" if switch else "off"


def variables(case: Case) -> Iterator[Finding]:
    """Do the functions have the settings of today? Names only: one of the values is the callback's token."""
    for key, wanted, found in case.pairs:
        names = sorted({*wanted.variables, *found.variables})
        differing = [name for name in names if wanted.variables.get(name) != found.variables.get(name)]
        if differing:
            yield wrong(f"deployed with other values: {', '.join(differing)}", mend=DEPLOY, about=key)
        else:
            yield fine("deployed with the settings of today", about=key)


def retries(case: Case) -> Iterator[Finding]:
    """Does SCF try again when an event's function fails? What is called by URL has no such setting."""
    asked = Functions(case.hands.control)
    waking = {trigger.function for trigger in case.wanted.triggers if trigger.type in {"cos", "timer"}}
    for key, wanted, _ in case.pairs:
        if key not in waking:
            continue
        found = asked.retries(wanted.name, wanted.namespace)
        if found == MOST_RETRIES:
            yield fine(f"{found.attempts} more tries, within {found.lifetime_s} s", about=key)
        else:
            yield wrong(
                f"a failed event gets {found.attempts} more tries within {found.lifetime_s} s, "
                f"not {MOST_RETRIES.attempts} within {MOST_RETRIES.lifetime_s}",
                mend=DEPLOY,
                about=key,
            )


def package(case: Case) -> Iterator[Finding]:
    """Is what runs the package of this checkout? `scribe deploy` leaves its label in the function's description."""
    for key, _, found in case.pairs:
        if not case.label:
            yield skipped(
                "no package could be built here to compare with", mend="make package (it says why)", about=key
            )
        elif case.label not in found.description:
            yield wrong(
                f"it runs {found.description or 'a package without a label'}, here lies {case.label}",
                mend=DEPLOY,
                about=key,
            )
        else:
            yield fine(f"it runs {case.label}", about=key)
