"""Is each function woken by what serverless.yml says, and by nothing else?"""

from __future__ import annotations

from collections.abc import Iterator

from cli.cloud.triggers import FoundTrigger
from cli.doctor.case import Case
from cli.doctor.finding import Finding, fine, wrong
from cli.manifest.models import TriggerSpec

DEPLOY = "scribe deploy"


def trigger(case: Case) -> Iterator[Finding]:
    """Is every wanted trigger there, as described, and open?"""
    for wanted in case.wanted.triggers:
        if wanted.function not in case.functions:
            continue
        about = f"{wanted.function} {wanted.type} {wanted.name}".strip()
        found = case.found_for(wanted)
        if found is None:
            yield wrong("the trigger is not there", mend=DEPLOY, about=about)
        elif not found.matches(wanted):
            yield wrong(_difference(wanted, found), mend=DEPLOY, about=about)
        elif found.is_open != wanted.is_open:
            says = "the trigger is closed" if wanted.is_open else "the trigger is open, and should be closed"
            yield wrong(says, mend=DEPLOY, about=about)
        else:
            yield fine("open, as serverless.yml says", about=about)


def extra_trigger(case: Case) -> Iterator[Finding]:
    """Is there one that serverless.yml does not describe? A forgotten function URL would stand open."""
    for key in case.functions:
        expected = [case.found_for(wanted) for wanted in case.wanted.triggers_of(key)]
        extra = [found for found in case.triggers[key] if found not in expected]
        for found in extra:
            yield wrong(
                f"serverless.yml does not describe this trigger, which is {'open' if found.is_open else 'closed'}",
                mend=DEPLOY,
                about=f"{key} {found.type} {found.name}",
            )
        if not extra:
            yield fine("no other trigger", about=key)


def _difference(wanted: TriggerSpec, found: FoundTrigger) -> str:
    pairs = [
        ("is", wanted.description, found.description),
        ("has the argument", wanted.argument, found.argument),
        ("belongs to version", wanted.qualifier, found.qualifier),
    ]
    told = [f"it {verb} {there or 'empty'}, not {here}" for verb, here, there in pairs if here != there]
    return "; ".join(told)
