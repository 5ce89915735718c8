"""What is examined: what should run, and what was found so far. Each thing is asked of the cloud once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from cli.cloud.functions import FoundFunction, Functions
from cli.cloud.identity import Identity, identity
from cli.cloud.triggers import FoundTrigger
from cli.doctor.hands import Hands
from cli.doctor.places import Place, is_there
from cli.doctor.rules import Rule, rules_of_others
from cli.manifest.models import CALLBACK, FunctionSpec, Manifest, TriggerSpec
from shared.settings import Settings, load_settings
from shared.tencent.speech_models import Queue

LONGEST_CHANGE_S = 30.0  # of a function that was changed just now; some seconds are usual


class Case:
    """One deployment. `label` names the package built here, as it stands in a function's description; "" without one.

    What is looked up raises ControlError and CloudError.
    """

    def __init__(self, hands: Hands, wanted: Manifest, label: str) -> None:
        self.hands, self.wanted, self.label = hands, wanted, label

    @cached_property
    def settings(self) -> Settings:
        """The settings as the functions would read them. Raises SettingsError."""
        return self.settings_of(next(iter(self.wanted.functions.values())).variables)

    def settings_of(self, variables: Mapping[str, str]) -> Settings:
        """The settings of a function with these variables. Raises SettingsError."""
        return load_settings({"REGION": self.wanted.region, **variables})

    @cached_property
    def owner_uin(self) -> str:
        """The account's number, by STS alone: every working key may ask that."""
        return str(self.hands.control.call("sts", "GetCallerIdentity").get("AccountId") or "")

    @cached_property
    def identity(self) -> Identity:
        """Whose key this is."""
        return identity(self.hands.control)

    @cached_property
    def input_places(self) -> tuple[Place, ...]:
        """The buckets of the recordings."""
        return tuple(Place(bucket, self.wanted.region) for bucket in self.settings.input_buckets)

    @cached_property
    def state_places(self) -> tuple[Place, ...]:
        """The buckets of the transcripts and receipts."""
        settings = self.settings
        if settings.output_bucket:
            return (Place(settings.output_bucket, settings.output_region or self.wanted.region),)
        return self.input_places

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """All buckets, each once."""
        return tuple(dict.fromkeys((*self.input_places, *self.state_places)))

    @cached_property
    def places_there(self) -> frozenset[Place]:
        """The buckets that exist."""
        return frozenset(place for place in self.places if is_there(self.hands.wire, place))

    @cached_property
    def speaking_buckets(self) -> tuple[str, ...]:
        """The input buckets with speech recognition switched on."""
        buckets = self.settings.input_buckets
        page = self.hands.speech(self.wanted.region).list_buckets(
            regions=(self.wanted.region,), names=buckets
        )
        enabled = {one.bucket for one in page.buckets}
        return tuple(bucket for bucket in buckets if bucket in enabled)

    @cached_property
    def queues(self) -> Mapping[str, Queue]:
        """The queue that takes a bucket's jobs: the one of QUEUE_ID, else its first."""
        asked = (self.settings.queue_id,) if self.settings.queue_id else ()
        found = {}
        for bucket in self.speaking_buckets:
            queues = self.hands.speech(self.wanted.region).list_queues(bucket, queue_ids=asked).queues
            if queues:
                found[bucket] = queues[0]
        return found

    @cached_property
    def functions(self) -> Mapping[str, FoundFunction]:
        """The functions that are there, by their keys in serverless.yml. One that is being changed is waited for."""
        asked = Functions(self.hands.control)
        found = {
            key: asked.find_settled(one.name, one.namespace, LONGEST_CHANGE_S)
            for key, one in self.wanted.functions.items()
        }
        return {key: one for key, one in found.items() if one}

    @cached_property
    def triggers(self) -> Mapping[str, tuple[FoundTrigger, ...]]:
        """What wakes them, by the functions' keys."""
        asked = Functions(self.hands.control)
        return {key: asked.triggers(one.name, one.namespace) for key, one in self.functions.items()}

    @cached_property
    def other_rules(self) -> tuple[Rule, ...]:
        """The COS rules of every other function of the account in this region."""
        own = {(one.name, one.namespace) for one in self.wanted.functions.values()}
        return rules_of_others(self.hands.control, own)

    @property
    def pairs(self) -> list[tuple[str, FunctionSpec, FoundFunction]]:
        """The functions that are there: key, as wanted, as found."""
        return [(key, self.wanted.functions[key], found) for key, found in self.functions.items()]

    def found_for(self, trigger: TriggerSpec) -> FoundTrigger | None:
        """The trigger in the cloud that stands for a wanted one: the one of its name; for http the one there is."""
        for found in self.triggers.get(trigger.function, ()):
            if found.type == trigger.type and (trigger.type == "http" or found.name == trigger.name):
                return found
        return None

    @property
    def address(self) -> str:
        """The callback function's public URL; "" where it has none."""
        found = (one.url for one in self.triggers.get(CALLBACK, ()) if one.type == "http" and one.url)
        return next(found, "").rstrip("/")
