"""What a deployment cannot mend: told before anything is changed, all of it at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from cli.cloud.identity import Identity
from cli.deploy.found import Found, buckets_of, region_of
from cli.deploy.hands import Hands
from cli.deploy.plan import Aim
from cli.deploy.speech_steps import LONGEST_URL, TellCallback, is_at
from cli.deploy.steps import Step
from cli.deploy.trigger_steps import CreateTrigger, ReplaceTrigger
from cli.doctor.rules import addresses_of_others, rule_of, rules_of_others
from cli.doctor.scf_role import MAKE_SCF_ROLE
from cli.doctor.telling import shown, token_of
from cli.errors import OperatorError
from cli.manifest.models import CALLBACK


class CannotDeploy(OperatorError):
    """Something has to be decided or mended first. Nothing was changed."""

    def __init__(self, reasons: list[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("\n  ".join(["nothing was changed:", *reasons]))


def refuse(aim: Aim, found: Found, who: Identity, *, make_buckets: bool) -> None:
    """Raises CannotDeploy with every reason, but for those of `refuse_taken`."""
    reasons = [
        *([f"{found.scf_role}; {MAKE_SCF_ROLE}"] if found.scf_role else []),
        *_buckets(aim, found, who, make_buckets=make_buckets),
        *_functions(aim, found),
        *_queues(aim, found),
        *(
            f"role {name} does not exist, and --no-roles leaves it to others: have somebody who may manage CAM run "
            "`scribe policy --create-role` first"
            for name in found.absent_roles
        ),
    ]
    if reasons:
        raise CannotDeploy(reasons)


def refuse_taken(
    hands: Hands, aim: Aim, found: Found, steps: Sequence[Step], *, take_over: bool = False
) -> None:
    """What belongs to another deployment or function is not taken: raises CannotDeploy when it would be.

    Uploads, which SCF gives to one function only, and the notification of a bucket's queue, which has one address;
    the latter goes with `take_over`. Asks the cloud, and only where there is something to take. Raises ControlError.
    """
    own = {(one.name, one.namespace) for one in aim.wanted.functions.values()}
    reasons = list(_rules_taken(hands, own, steps))
    if not take_over:
        reasons += _queues_taken(hands, own, aim, found, steps)
    if reasons:
        raise CannotDeploy(reasons)


def _rules_taken(hands: Hands, own: Collection[tuple[str, str]], steps: Sequence[Step]) -> Iterator[str]:
    made = [
        one for one in steps if isinstance(one, CreateTrigger | ReplaceTrigger) and one.trigger.type == "cos"
    ]
    others = rules_of_others(hands.control, own) if made else ()
    for step in made:
        rule = rule_of(step.function.name, step.trigger.name, step.trigger.description, is_open=True)
        for owner in sorted({other.owner for other in others if rule.overlaps(other)}):
            yield (
                f"function {owner} already takes uploads to {step.trigger.name.partition('.')[0]}, and SCF gives an "
                "upload to one function only: delete its trigger in the SCF console, or name another bucket"
            )


def _queues_taken(
    hands: Hands, own: Collection[tuple[str, str]], aim: Aim, found: Found, steps: Sequence[Step]
) -> Iterator[str]:
    """An address that we do not have is ours still when it ends with our token and no other function has it."""
    tokens = found.tokens.union(aim.settings.callback_tokens)
    told = {
        one.bucket: one.found.notification for one in steps if isinstance(one, TellCallback) and one.found
    }
    elsewhere = {
        bucket: one
        for bucket, one in told.items()
        if one.state.lower() == "on" and one.url and not is_at(one, found.functions[CALLBACK].address)
    }
    addresses = addresses_of_others(hands.control, own) if elsewhere else {}
    for bucket, one in elsewhere.items():
        owner = next((name for address, name in addresses.items() if is_at(one, address)), "")
        if owner or token_of(one) not in tokens:
            whom = f"function {owner} at {shown(one.url)}" if owner else shown(one.url)
            yield (
                f"the speech queue of {bucket} notifies {whom}, which is not this deployment's, and a queue notifies "
                "one address only: give this deployment a bucket of its own, or switch that notification off in the "
                "Cloud Infinite console; if it is yours to take: `scribe deploy --take-over`"
            )


def _buckets(aim: Aim, found: Found, who: Identity, *, make_buckets: bool) -> Iterator[str]:
    foreign = [one for one in buckets_of(aim.settings) if who.appid and not who.has(one)]
    for bucket in foreign:
        yield (
            f"bucket {bucket} belongs to account {bucket.rpartition('-')[2]}, but this key to account {who.appid}: use "
            "that account's key, or correct the name"
        )
    for bucket, region in found.missing_buckets.items():
        wanted = region_of(bucket, aim.settings)
        if bucket in foreign:
            continue
        if region:
            yield f"bucket {bucket} is in {region}, not in {wanted}: correct REGION or OUTPUT_REGION"
        elif not make_buckets:
            yield (
                f"bucket {bucket} does not exist in {wanted}: correct the name or the region, or let --make-buckets "
                "make it"
            )


def _functions(aim: Aim, found: Found) -> Iterator[str]:
    lacking = {
        one.namespace for key, one in aim.wanted.functions.items() if found.functions[key].lacks_namespace
    }
    for namespace in sorted(lacking):
        yield (
            f"namespace {namespace} does not exist in {aim.wanted.region}: make it in the SCF console, or correct "
            "`namespace` in serverless.yml"
        )
    for key, wanted in aim.wanted.functions.items():
        there = found.functions[key]
        if there.namespace_instead:
            yield (
                f"function {wanted.name} is in namespace {there.namespace_instead}, not {wanted.namespace}, and cannot "
                f"move: write namespace: {there.namespace_instead}, or delete it there first"
            )
        if not there.function:
            continue
        pairs = (("runtime", there.function.runtime, wanted.runtime), ("type", there.function.type, "Event"))
        for what, is_now, should_be in pairs:
            if is_now != should_be:
                yield (
                    f"function {wanted.name} has {what} {is_now}, not {should_be}, which SCF cannot change: `scribe "
                    "remove` and deploy again (its address changes, recordings and transcripts stay), or choose "
                    "another SCRIBE_STAGE"
                )


def _queues(aim: Aim, found: Found) -> Iterator[str]:
    wanted = aim.settings.queue_id
    if wanted:
        for bucket, speech in found.speech.items():
            if speech.is_on and not speech.queue:
                yield f"bucket {bucket} has no speech queue {wanted}: correct QUEUE_ID, or leave it empty"
    address = found.functions[CALLBACK].address
    surplus = len(f"{address}/{aim.settings.callback_tokens[0]}") - LONGEST_URL
    if surplus > 0:
        yield (
            f"the notification address would be longer than the {LONGEST_URL} characters that a queue takes: choose "
            f"a CALLBACK_TOKEN that is {surplus} characters shorter"
        )
