"""`scribe remove`: takes away what `scribe deploy` put there, and nothing that holds anybody's words."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rich.console import Console
from rich.text import Text

from cli.config import CliContext
from cli.deploy.act import act
from cli.deploy.advice import telling_what_to_do
from cli.deploy.found import Found, buckets_of, look
from cli.deploy.function_steps import DeleteFunction
from cli.deploy.intent import Intent, intent_of
from cli.deploy.role_steps import RemoveRole
from cli.deploy.show import show_plan
from cli.deploy.speech_steps import SilenceQueue, tells
from cli.deploy.steps import Step
from cli.deploy.trigger_steps import DeleteTrigger
from cli.manifest.models import CALLBACK


def remove(console: Console, around: CliContext, may: Callable[[], bool]) -> bool:
    """Lists what it will delete, asks `may`, and does it. True when it is gone. Raises OperatorError, ScribeError."""
    with telling_what_to_do(around.told):
        intent = intent_of(around)
        with console.status("Looking at what is there"):
            found = look(intent.hands, intent.wanted, intent.settings)
    steps = tuple(_steps(intent, found))
    if not steps:
        console.print("Nothing to remove: nothing of this deployment is there.")
    else:
        show_plan(console, steps)
        _show_what_stays(console, intent, found)
        if not may():
            console.print("Nothing was removed.")
            return False
        act(console, steps, intent.hands, "scribe remove", around.told)
    return True


def _steps(intent: Intent, found: Found) -> Iterator[Step]:
    """First what wakes the functions, so that nothing new begins; the roles when nobody works in them any more."""
    for key, wanted in intent.wanted.functions.items():
        for trigger in found.functions[key].triggers:
            if trigger.type != "http":  # an address goes with its function
                yield DeleteTrigger(wanted.name, wanted.namespace, trigger)
    address = found.functions[CALLBACK].address
    tokens = found.tokens.union(intent.settings.callback_tokens)
    for bucket, speech in (*found.speech.items(), *found.left.items()):
        if speech.queue and tells(speech.queue, address, tokens):
            yield SilenceQueue(bucket, speech.queue)
    for deployed in found.functions.values():
        if deployed.function:
            yield DeleteFunction(deployed.function)
    for name, role in found.roles.items():
        if role and role.is_ours:
            yield RemoveRole(name)


def _show_what_stays(console: Console, intent: Intent, found: Found) -> None:
    buckets = " and ".join(buckets_of(intent.settings))
    foreign = [name for name, role in found.roles.items() if role and not role.is_ours]
    console.print(
        f"\nWhat stays: the buckets ({buckets}) with recordings, transcripts and receipts; speech recognition, which "
        "costs nothing while nobody submits",
        soft_wrap=True,
    )
    for bucket in found.unreadable_left:
        console.print(
            Text(f"  the speech queue of {bucket}, a former input bucket, which this key may not look at"),
            soft_wrap=True,
        )
    for name in (*foreign, *found.unreadable_roles):
        console.print(Text(f"  role {name}, which scribe did not make or may not look at"), soft_wrap=True)
