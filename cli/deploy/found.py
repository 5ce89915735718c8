"""What is there before a deployment, read once. Nothing is written here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

from cli.cloud.control import ControlError
from cli.cloud.functions import FoundFunction, Retries
from cli.cloud.triggers import FoundTrigger
from cli.deploy.before import former_buckets, settings_before
from cli.deploy.hands import Hands
from cli.deploy.speech_steps import address_among, queue_of
from cli.doctor.places import DENIED, Place
from cli.doctor.places import region_of as region_with
from cli.doctor.scf_role import complaint_about_scf_role
from cli.manifest.models import FunctionSpec, Manifest
from cli.policy.roles import FoundRole
from shared.errors import NotFound, RequestRejected
from shared.settings import Settings
from shared.tencent.speech_models import Queue

Names = Mapping[str, frozenset[str]]  # of all functions, by namespace

ALWAYS_THERE = "default"  # SCF's own namespace
_REDIRECTED = (301, 307)  # a bucket of another region


@dataclass(frozen=True, slots=True)
class Deployed:
    """One function with its triggers.

    `namespace_instead` names another namespace that holds one of its name. `lacks_namespace`: there is none of the
    name of the function's.
    """

    function: FoundFunction | None = None
    triggers: tuple[FoundTrigger, ...] = ()
    retries: Retries | None = None
    namespace_instead: str = ""
    lacks_namespace: bool = False

    @property
    def address(self) -> str:
        """Its public URL; "" where it has none."""
        return next((one.url.rstrip("/") for one in self.triggers if one.type == "http" and one.url), "")

    def address_of(self, qualifier: str) -> str:
        """The public URL of one version or alias; "" where it has none."""
        return address_among(self.triggers, qualifier)


@dataclass(frozen=True, slots=True)
class SpeechOf:
    """The speech service of one input bucket."""

    is_on: bool = False
    queue: Queue | None = field(default=None, repr=False)  # it holds the callback's token


@dataclass(frozen=True, slots=True)
class Found:
    """What is there: functions by their keys, roles by name (None: not there), buckets, speech by bucket.

    `unreadable_roles` are those that this key may not look at, `absent_roles` those that somebody else was to make.
    `missing_buckets` are not in their region; each with the region where it is, "" if nowhere. `before` are the
    deployed functions' settings. `left` is the speech service of buckets that were input buckets; `unreadable_left`
    are those of them at whose queue this key may not look. `scf_role` says what is wrong with SCF's own role; "" too
    where this key may not look at it.
    """

    functions: Mapping[str, Deployed] = field(default_factory=dict)
    roles: Mapping[str, FoundRole | None] = field(default_factory=dict)
    unreadable_roles: tuple[str, ...] = ()
    absent_roles: tuple[str, ...] = ()
    missing_buckets: Mapping[str, str] = field(default_factory=dict)
    speech: Mapping[str, SpeechOf] = field(default_factory=dict)
    before: tuple[Settings, ...] = field(default=(), repr=False)
    left: Mapping[str, SpeechOf] = field(default_factory=dict)
    unreadable_left: tuple[str, ...] = ()
    scf_role: str = ""

    @property
    def tokens(self) -> frozenset[str]:
        """The callback tokens that the deployed functions know."""
        return frozenset(token for one in self.before for token in one.callback_tokens)


def look(hands: Hands, wanted: Manifest, settings: Settings, *, with_roles: bool = True) -> Found:
    """Reads all that a deployment may change. Raises OperatorError, CloudError."""
    missing = {
        bucket: region_with(hands.wire, bucket)
        for bucket in buckets_of(settings)
        if not _is_there(hands, bucket, settings)
    }
    roles, unreadable = _roles(hands, wanted)

    @cache
    def names() -> Names:
        return {one: frozenset(hands.functions.names(one)) for one in hands.functions.namespaces()}

    functions = {key: _deployed(hands, one, names) for key, one in wanted.functions.items()}
    before = settings_before((one.function for one in functions.values()), wanted.region)
    triggers = [trigger for one in functions.values() for trigger in one.triggers]
    left, unreadable_left = _left(hands, former_buckets(before, triggers, settings))
    return Found(
        functions=functions,
        roles=roles if with_roles else {},
        unreadable_roles=unreadable if with_roles else (),
        absent_roles=() if with_roles else tuple(name for name, role in roles.items() if not role),
        missing_buckets=missing,
        speech={
            bucket: _speech(hands, bucket, settings.queue_id)
            for bucket in settings.input_buckets
            if bucket not in missing
        },
        before=before,
        left=left,
        unreadable_left=unreadable_left,
        scf_role=_scf_role(hands),
    )


def buckets_of(settings: Settings) -> tuple[str, ...]:
    """Every bucket that the settings name, each once."""
    return tuple(dict.fromkeys(filter(None, (*settings.input_buckets, settings.output_bucket))))


def region_of(bucket: str, settings: Settings) -> str:
    """Input buckets lie beside the functions; the output bucket may not."""
    return settings.region if bucket in settings.input_buckets else settings.output_region or settings.region


def _is_there(hands: Hands, bucket: str, settings: Settings) -> bool:
    try:
        Place(bucket, region_of(bucket, settings)).ask(hands.wire, "HEAD")
    except NotFound:
        return False
    except RequestRejected as error:
        if error.status in _REDIRECTED:
            return False
        raise
    return True


def _roles(hands: Hands, wanted: Manifest) -> tuple[dict[str, FoundRole | None], tuple[str, ...]]:
    found: dict[str, FoundRole | None] = {}
    unreadable = []
    for name in dict.fromkeys(one.role for one in wanted.functions.values()):
        try:
            found[name] = hands.roles.find(name)
        except ControlError as error:
            if not error.is_denied:
                raise
            unreadable.append(name)
    return found, tuple(unreadable)


def _scf_role(hands: Hands) -> str:
    try:
        return complaint_about_scf_role(hands.control)
    except ControlError as error:
        if not error.is_denied:
            raise
        return ""


def _deployed(hands: Hands, wanted: FunctionSpec, names: Callable[[], Names]) -> Deployed:
    name, namespace = wanted.name, wanted.namespace
    function = hands.functions.settled(name, namespace)
    if not function:
        # By its listed names: GetFunction may be granted for this deployment's functions only.
        others = (one for one, listed in names().items() if one != namespace and name in listed)
        return Deployed(
            namespace_instead=next(others, ""),
            lacks_namespace=namespace != ALWAYS_THERE and namespace not in names(),
        )
    if function.status == "CreateFailed":
        return Deployed(function)  # made anew, so the rest of it, which SCF may not tell, is not looked at
    return Deployed(
        function, hands.functions.triggers(name, namespace), hands.functions.retries(name, namespace)
    )


def _left(hands: Hands, buckets: tuple[str, ...]) -> tuple[dict[str, SpeechOf], tuple[str, ...]]:
    left = {}
    unreadable = []
    for bucket in buckets:
        try:
            left[bucket] = _speech(hands, bucket, "")
        except NotFound:
            continue  # the bucket is gone, and its queue with it
        except RequestRejected as error:
            if error.status not in DENIED:
                raise
            unreadable.append(bucket)
    return left, tuple(unreadable)


def _speech(hands: Hands, bucket: str, queue_id: str) -> SpeechOf:
    # The answer may name other buckets too: the one meant is looked for.
    listed = hands.speech.list_buckets(names=(bucket,)).buckets
    if bucket not in {one.bucket for one in listed}:
        return SpeechOf()
    return SpeechOf(is_on=True, queue=queue_of(hands, bucket, queue_id))
