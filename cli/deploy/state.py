"""The current state of a deployment in the cloud, read when it is needed. Nothing is changed here."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

from cli.cloud.cam import SERVICE_ROLES, RoleInfo, ServiceRole, ServiceRoleState
from cli.cloud.client import ApiError, Identity, get_caller_identity, suggest_name
from cli.cloud.scf import (
    DEFAULT_NAMESPACE,
    CosTriggerRule,
    FunctionInfo,
    RetryConfig,
    TriggerInfo,
    cos_rules,
    find_public_url,
)
from cli.deploy.clients import Clients
from cli.deploy.hot_words import (
    NO_HOT_WORDS,
    HotWordsState,
    HotWordsTarget,
    ObjectPlace,
    find_places,
    read_hot_words,
)
from cli.deploy.outputs import NameMove, OutputFolders, find_moves, read_output_folders
from cli.deploy.receipts import (
    MovedReceipts,
    OpenReceipts,
    ReceiptCount,
    ReceiptPlace,
    count_missing_receipts,
    count_open_receipts,
    count_other_receipts,
    read_open_receipts,
)
from cli.deploy.recordings import RecordingCount, count_old_recordings, count_recordings, is_recording
from cli.language import _
from cli.manifest.models import CALLBACK, Manifest, TriggerSpec
from cli.policy.permissions import load_settings_without_notices
from shared.errors import CloudError, NotFound, RequestRejected, SettingsError
from shared.settings import ALL_EXTENSIONS, Settings
from shared.tencent import xml
from shared.tencent.client import HttpResponse, Request, TencentClient
from shared.tencent.clock import parse_timestamp
from shared.tencent.cos import ObjectSummary
from shared.tencent.hosts import COS_SERVICE_HOST, build_cos_host
from shared.tencent.speech_models import Queue

DENIED = (401, 403)  # statuses of CI and COS
BUSY_TIMEOUT_S = 30.0  # of a function that was changed a moment ago; some seconds are usual
EVENT_TYPES = frozenset({"cos", "timer"})  # triggers whose events SCF retries

_READ_FOR_REMOVAL = (
    "identity",
    "missing_buckets",
    "roles",
    "functions",
    "triggers",
    "former_queues",
    "queues",
    "hot_words",
)
_READ_FOR_DEPLOYMENT = (
    *_READ_FOR_REMOVAL,
    "retry_configs",
    "missing_namespaces",
    "other_namespaces",
    "service_roles",
    "ci_statuses",
    "old_recordings",
    "missing_receipts",
    "added_recordings",
    "name_moves",
    "abandoned_receipts",
)
_FOLDER_SETTINGS = ("OUTPUT_PREFIX", "STATE_PREFIX")
_AUDIT = "audit"  # the argument of the timer
_REDIRECTED = (301, 307)  # a bucket in another region


class BucketRef(NamedTuple):
    """A bucket, by its full name, and the region that it should be in."""

    name: str
    region: str

    @property
    def host(self) -> str:
        """Its host on COS. Raises RequestRejected for a name or a region of another form."""
        return build_cos_host(self.name, self.region)

    def request(self, client: TencentClient, method: str, parameter: str = "") -> HttpResponse:
        """Send a request about the bucket itself. Raises CloudError."""
        parameters = ((parameter, ""),) if parameter else ()
        return client.send(Request(method, self.host, "/", resource=self.name, parameters=parameters))


class BucketState(NamedTuple):
    """The region that a bucket is in, "" if it does not exist. `error` is set if that could not be read."""

    region: str
    error: RequestRejected | None = None

    @property
    def is_denied(self) -> bool:
        """Whether it exists but belongs to another account, or the key may not read it."""
        return self.error is not None and self.error.status in DENIED


class CurrentState:
    """The deployment as it is in the cloud. Each part is read on first access and kept.

    Functions, triggers and retry configurations are by the function's key in serverless.yml, roles and buckets by name.
    With `require_stable` a function that stays busy is an error (FunctionNotActive); without, it is returned as it is
    after half a minute. `job_callback`: each job carries the address to notify, not the queue. `hot_words_target` is
    what rules.yml needs, None if it has a mistake; then nothing about hot words is read. Everything that reads raises
    ApiError or CloudError.
    """

    def __init__(
        self,
        clients: Clients,
        manifest: Manifest,
        settings: Settings,
        *,
        require_stable: bool = False,
        job_callback: bool = False,
        hot_words_target: HotWordsTarget | None = NO_HOT_WORDS,
    ) -> None:
        self.clients, self.manifest, self.settings = clients, manifest, settings
        self.job_callback = job_callback
        self.hot_words_target = hot_words_target
        self._require_stable = require_stable
        self._roles: dict[str, RoleInfo | None] = {}

    # Account

    @cached_property
    def owner_uin(self) -> str:
        """The id of the account, from STS alone: every working key may ask for it."""
        return str(self.clients.api.call("sts", "GetCallerIdentity").get("AccountId") or "")

    @cached_property
    def identity(self) -> Identity:
        """The account behind the key."""
        return get_caller_identity(self.clients.api)

    # Functions

    @cached_property
    def functions(self) -> Mapping[str, FunctionInfo]:
        """The functions that exist."""
        functions = {key: self._read_function(key) for key in self.manifest.functions}
        return {key: function for key, function in functions.items() if function}

    def get_usable_function(self, key: str) -> FunctionInfo | None:
        """A function that does not have to be created first."""
        function = self.functions.get(key)
        return None if function and function.creation_failed else function

    @cached_property
    def triggers(self) -> Mapping[str, tuple[TriggerInfo, ...]]:
        """The triggers of the usable functions."""
        return {
            key: self.clients.scf.list_triggers(function.name, function.namespace)
            for key, function in self._usable_functions()
        }

    @cached_property
    def retry_configs(self) -> Mapping[str, RetryConfig]:
        """The retry configuration of the usable functions with events that SCF retries."""
        with_events = {trigger.function for trigger in self.manifest.triggers if trigger.type in EVENT_TYPES}
        return {
            key: self.clients.scf.get_retry_config(function.name, function.namespace)
            for key, function in self._usable_functions()
            if key in with_events
        }

    @property
    def callback_url(self) -> str:
        """The public URL of the callback function; "" if it has none."""
        return find_public_url(self.triggers.get(CALLBACK, ()))

    def find_trigger(self, spec: TriggerSpec) -> TriggerInfo | None:
        """The trigger of a spec by its name and event; for http the only one, because SCF names it."""
        for trigger in self.triggers.get(spec.function, ()):
            if trigger.type == spec.type and (
                spec.type == "http" or (trigger.name, trigger.event) == (spec.name, spec.event)
            ):
                return trigger
        return None

    @cached_property
    def missing_namespaces(self) -> frozenset[str]:
        """The namespaces of missing functions that do not exist."""
        namespaces = {self.manifest.functions[key].namespace for key in self._missing_functions()}
        return frozenset(
            namespace
            for namespace in namespaces
            if namespace != DEFAULT_NAMESPACE and namespace not in self._function_names
        )

    @cached_property
    def other_namespaces(self) -> Mapping[str, str]:
        """By the key of a missing function, another namespace with a function of its name."""
        # By the listed names: GetFunction may be granted for this deployment's functions only.
        other_namespaces = {}
        for key in self._missing_functions():
            spec = self.manifest.functions[key]
            for namespace, names in self._function_names.items():
                if namespace != spec.namespace and spec.name in names:
                    other_namespaces[key] = namespace
                    break
        return other_namespaces

    @cached_property
    def foreign_triggers(self) -> Mapping[str, tuple[TriggerInfo, ...]]:
        """The triggers of every other function of the region, by the function's name."""
        own = {(spec.name, spec.namespace) for spec in self.manifest.functions.values()}
        return self.clients.scf.list_triggers_of_others(own)

    @property
    def foreign_rules(self) -> tuple[CosTriggerRule, ...]:
        """The COS rules of every other function of the region."""
        return tuple(
            rule for owner, triggers in self.foreign_triggers.items() for rule in cos_rules(owner, triggers)
        )

    @property
    def foreign_urls(self) -> Mapping[str, str]:
        """The name of the function by public URL, of every other function of the region."""
        return {
            trigger.url.rstrip("/"): owner
            for owner, triggers in self.foreign_triggers.items()
            for trigger in triggers
            if trigger.type == "http" and trigger.url
        }

    # Roles

    def get_role(self, name: str) -> RoleInfo | None:
        """A role of the account, or None if it does not exist."""
        if name not in self._roles:
            self._roles[name] = self.clients.cam.get_role(name)
        return self._roles[name]

    @cached_property
    def roles(self) -> Mapping[str, RoleInfo | None]:
        """The roles of the functions, None for a missing one; without those that the key may not read."""
        roles = {}
        for name in dict.fromkeys(spec.role for spec in self.manifest.functions.values()):
            try:
                roles[name] = self.get_role(name)
            except ApiError as error:
                if not error.is_denied:
                    raise
        return roles

    @property
    def unreadable_roles(self) -> tuple[str, ...]:
        """The roles of the functions that the key may not read."""
        names = dict.fromkeys(spec.role for spec in self.manifest.functions.values())
        return tuple(name for name in names if name not in self.roles)

    @cached_property
    def service_roles(self) -> Mapping[ServiceRole, ServiceRoleState]:
        """The roles that SCF and Cloud Infinite need, without those that the key may not read."""
        states = {}
        for role in SERVICE_ROLES:
            try:
                states[role] = self.clients.cam.get_service_role(role)
            except ApiError as error:
                if not error.is_denied:
                    raise
        return states

    # Buckets

    @cached_property
    def input_buckets(self) -> tuple[BucketRef, ...]:
        """The buckets of the recordings. A COS trigger works only in the region of its function (583/9707)."""
        return tuple(BucketRef(name, self.settings.region) for name in self.settings.input_buckets)

    @cached_property
    def state_buckets(self) -> tuple[BucketRef, ...]:
        """The buckets of the transcripts and receipts."""
        settings = self.settings
        if not settings.output_bucket:
            return self.input_buckets
        if settings.output_bucket in settings.input_buckets:
            return (BucketRef(settings.output_bucket, settings.region),)
        return (BucketRef(settings.output_bucket, settings.output_region or settings.region),)

    @cached_property
    def all_buckets(self) -> tuple[BucketRef, ...]:
        """All buckets, each once."""
        return tuple(dict.fromkeys((*self.input_buckets, *self.state_buckets)))

    @cached_property
    def buckets(self) -> Mapping[BucketRef, BucketState]:
        """Whether each bucket exists, and where."""
        return {bucket: self._read_bucket(bucket) for bucket in self.all_buckets}

    @cached_property
    def account_buckets(self) -> tuple[BucketRef, ...]:
        """Every bucket of the account; empty if the key may not list them."""
        return list_account_buckets(self.clients.tencent)

    def suggest_bucket(self, name: str) -> str:
        """The advice for a bucket that does not exist: the account's bucket with the nearest name, if one is near."""
        similar = difflib.get_close_matches(name, [bucket.name for bucket in self.account_buckets], 1, 0.8)
        return suggest_name(similar[0]) if similar else ""

    @property
    def existing_buckets(self) -> frozenset[BucketRef]:
        """The buckets that exist in their region, those included that the key may not read."""
        return frozenset(
            bucket
            for bucket, state in self.buckets.items()
            if state.region == bucket.region or state.is_denied
        )

    @cached_property
    def missing_buckets(self) -> Mapping[str, str]:
        """The buckets that are not in their region, with the region that they are in, or "".

        Raises RequestRejected if one could not be read.
        """
        missing = {}
        for bucket, state in self.buckets.items():
            if state.error:
                raise state.error
            if state.region != bucket.region:
                missing[bucket.name] = state.region
        return missing

    # Recordings

    @cached_property
    def old_recordings(self) -> Mapping[str, RecordingCount]:
        """What the audit leaves alone because of SINCE, by input bucket; without buckets that cannot be listed."""
        counts = {}
        for bucket in self.input_buckets:
            if bucket in self.existing_buckets:
                with suppress(RequestRejected):
                    counts[bucket.name] = count_old_recordings(
                        self.clients.cos(bucket.region), self.settings, bucket.name
                    )
        return counts

    # Transcripts and receipts

    @cached_property
    def output_folders(self) -> OutputFolders:
        """What is below OUTPUT_PREFIX of the output bucket; nothing without one, or if it cannot be listed."""
        place = self.state_buckets[0]
        if self.settings.output_bucket and place in self.existing_buckets:
            with suppress(RequestRejected):
                return read_output_folders(self.clients.cos(place.region), self.settings, place.name)
        return OutputFolders()

    @cached_property
    def name_moves(self) -> tuple[NameMove, ...]:
        """The input buckets whose transcripts go to another place than those of the deployed functions."""
        moves = find_moves(self.previous_settings, self.settings, self.output_folders)
        return tuple(dict.fromkeys(moves))

    @cached_property
    def open_receipts(self) -> Mapping[str, OpenReceipts]:
        """The open receipts by input bucket; without buckets that cannot be listed."""
        return {
            bucket.name: read_open_receipts(self.clients, _find_receipts(self.settings, bucket.name))
            for bucket in self.input_buckets
            if self._state_bucket_for(bucket) in self.existing_buckets
        }

    @cached_property
    def other_receipts(self) -> Mapping[BucketRef, Mapping[str, ReceiptCount]]:
        """By bucket of receipts, the numbers of those of input buckets that are not this deployment's."""
        return {
            bucket: count_other_receipts(
                self.clients,
                bucket.name,
                bucket.region,
                self.settings.state_prefix,
                self.settings.input_buckets if self.settings.output_bucket else (bucket.name,),
            )
            for bucket in self.state_buckets
            if bucket in self.existing_buckets
        }

    def _state_bucket_for(self, bucket: BucketRef) -> BucketRef:
        return self.state_buckets[0] if self.settings.output_bucket else bucket

    # Speech recognition

    @cached_property
    def ci_statuses(self) -> Mapping[str, str]:
        """Whether each input bucket is bound to Cloud Infinite: on, off or unbinding.

        Without buckets that do not exist, and those of which the key may not read it.
        """
        statuses = {}
        for bucket in self.input_buckets:
            if bucket in self.existing_buckets:
                try:
                    statuses[bucket.name] = self.clients.ci_buckets.get_status(bucket.name)
                except RequestRejected as error:
                    if error.status not in DENIED:
                        raise
        return statuses

    @cached_property
    def speech_buckets(self) -> tuple[str, ...]:
        """The input buckets with speech recognition on."""
        names = tuple(bucket.name for bucket in self.input_buckets if bucket in self.existing_buckets)
        if not names:
            return ()
        page = self.clients.speech.list_buckets(regions=(self.manifest.region,), names=names)
        # The response may name other buckets too.
        enabled = {bucket.bucket for bucket in page.buckets}
        return tuple(name for name in names if name in enabled)

    @cached_property
    def queues(self) -> Mapping[str, Queue]:
        """The queue for the jobs of each bucket with speech recognition."""
        queues = {}
        for bucket in self.speech_buckets:
            if queue := get_queue(self.clients, bucket, self.settings.queue_id):
                queues[bucket] = queue
        return queues

    @property
    def hot_words_places(self) -> tuple[ObjectPlace, ...]:
        """The objects in which the functions look for templates."""
        if not self.hot_words_target:
            return ()
        regions = {bucket.name: bucket.region for bucket in self.state_buckets}
        return find_places(self.hot_words_target, self.settings, regions)

    @cached_property
    def hot_words(self) -> HotWordsState:
        """The tables, templates and objects of hot words."""
        if not self.hot_words_target:
            return HotWordsState()
        places = self.hot_words_places
        return read_hot_words(self.clients, self.hot_words_target, places, self.speech_buckets)

    @property
    def has_audit(self) -> bool:
        """Whether a timer of the manifest runs the audit, which submits recordings without a receipt."""
        return any(
            trigger.type == "timer" and trigger.argument == _AUDIT for trigger in self.manifest.triggers
        )

    # The previous deployment

    @cached_property
    def previous_settings(self) -> tuple[Settings, ...]:
        """The settings of the deployed functions, each once; after an interrupted deployment they may differ.

        Invalid ones are left out: such a function did nothing.
        """
        return tuple(dict.fromkeys(self._parse_deployed_settings()))

    @property
    def is_first(self) -> bool:
        """Whether no function of this deployment did anything before."""
        return not self.previous_settings

    @property
    def callback_tokens(self) -> frozenset[str]:
        """The callback tokens that the deployed functions know."""
        return frozenset(token for settings in self.previous_settings for token in settings.callback_tokens)

    @property
    def removed_buckets(self) -> tuple[str, ...]:
        """The former input buckets. After an interrupted deployment only a trigger may still name one."""
        names = [bucket for settings in self.previous_settings for bucket in settings.input_buckets]
        for triggers in self.triggers.values():
            names += [trigger.name.partition(".")[0] for trigger in triggers if trigger.type == "cos"]
        return tuple(name for name in dict.fromkeys(names) if name not in self.settings.input_buckets)

    @cached_property
    def abandoned_receipts(self) -> Mapping[str, int | None]:
        """By former input bucket, the number of its open receipts if there are any; None if they cannot be listed."""
        counts: dict[str, int | None] = {}
        for previous in self.previous_settings:
            for bucket in self.removed_buckets:
                if bucket in previous.input_buckets and bucket not in counts:
                    try:
                        counts[bucket] = count_open_receipts(self.clients, _find_receipts(previous, bucket))
                    except RequestRejected:
                        counts[bucket] = None
        return {bucket: count for bucket, count in counts.items() if count != 0}

    @cached_property
    def former_queues(self) -> Mapping[str, Queue | None]:
        """The queues of former input buckets, without those that the key may not read."""
        queues = {}
        for bucket in self.removed_buckets:
            try:
                queues[bucket] = self._read_former_queue(bucket)
            except NotFound:
                queues[bucket] = None  # the bucket was deleted, and its queue with it
            except RequestRejected as error:
                if error.status not in DENIED:
                    raise
        return queues

    @property
    def unreadable_former_buckets(self) -> tuple[str, ...]:
        """The former input buckets whose queues the key may not read."""
        return tuple(bucket for bucket in self.removed_buckets if bucket not in self.former_queues)

    @property
    def moved_receipts(self) -> tuple[MovedReceipts, ...]:
        """Every bucket of which the receipts will be looked for in another place."""
        moved = [
            MovedReceipts(_find_receipts(previous, bucket), _find_receipts(self.settings, bucket))
            for previous in self.previous_settings
            for bucket in self.settings.input_buckets
            if bucket in previous.input_buckets
        ]
        return tuple(move for move in dict.fromkeys(moved) if move.current != move.new)

    @cached_property
    def missing_receipts(self) -> Mapping[MovedReceipts, int | None]:
        """By move, the number of finished recordings without a receipt in the new place; None if it is unknown.

        Without the moves after which none is missing.
        """
        counts: dict[MovedReceipts, int | None] = {}
        for move in self.moved_receipts:
            try:
                count: int | None = count_missing_receipts(self.clients, move)
            except RequestRejected:  # no permission to list
                count = None
            if count != 0:
                counts[move] = count
        return counts

    @cached_property
    def added_recordings(self) -> Mapping[str, RecordingCount]:
        """What the audit submits with the new settings, and not with the deployed ones, by input bucket.

        Those are recordings that are there already: a setting makes the audit look at more buckets or keys, or further
        back. For a first deployment, all that SINCE includes. Recordings that have a receipt are counted too.
        """
        counts = {}
        if self.has_audit and self.settings.since_s < self.clients.now():
            for bucket in self.input_buckets:
                if bucket in self.existing_buckets and self._is_widened(bucket.name):
                    with suppress(RequestRejected):
                        counts[bucket.name] = self._count_added_recordings(bucket)
        return {name: count for name, count in counts.items() if count.number or not count.is_complete}

    def _is_widened(self, bucket: str) -> bool:
        """Whether the audit may look at more in this bucket than before."""
        new = self.settings
        return self.is_first or not all(
            bucket in previous.input_buckets
            and new.since_s >= previous.since_s
            and new.input_prefix.startswith(previous.input_prefix)
            and (
                ALL_EXTENSIONS in previous.input_extensions
                or set(new.input_extensions) <= set(previous.input_extensions)
            )
            for previous in self.previous_settings
        )

    def _count_added_recordings(self, bucket: BucketRef) -> RecordingCount:
        def is_added(item: ObjectSummary) -> bool:
            modified_s = parse_timestamp(item.modified)
            return modified_s >= self.settings.since_s and (
                self.is_first
                or not all(
                    is_recording(previous, bucket.name, item.key) and modified_s >= previous.since_s
                    for previous in self.previous_settings
                )
            )

        return count_recordings(self.clients.cos(bucket.region), self.settings, bucket.name, is_added)

    def load_for_deployment(self) -> None:
        """Read everything that the planner and the preflight checks use, so that the planner sends no request."""
        for name in _READ_FOR_DEPLOYMENT:
            getattr(self, name)

    def load_for_removal(self) -> None:
        """The same for a removal."""
        for name in _READ_FOR_REMOVAL:
            getattr(self, name)

    # Helpers

    def _usable_functions(self) -> Iterator[tuple[str, FunctionInfo]]:
        """Of a function whose creation failed SCF may not return the rest."""
        return ((key, function) for key, function in self.functions.items() if not function.creation_failed)

    def _missing_functions(self) -> Iterator[str]:
        return (key for key in self.manifest.functions if key not in self.functions)

    def _read_function(self, key: str) -> FunctionInfo | None:
        spec, scf = self.manifest.functions[key], self.clients.scf
        if self._require_stable:
            return scf.wait_until_stable(spec.name, spec.namespace)
        return scf.get_when_stable(spec.name, spec.namespace, BUSY_TIMEOUT_S)

    @cached_property
    def _function_names(self) -> Mapping[str, frozenset[str]]:
        """The names of all functions, by namespace."""
        scf = self.clients.scf
        return {namespace: frozenset(scf.list_functions(namespace)) for namespace in scf.list_namespaces()}

    def _read_bucket(self, bucket: BucketRef) -> BucketState:
        client = self.clients.tencent
        try:
            response = bucket.request(client, "HEAD")
        except NotFound:
            return BucketState(self._find_bucket_region(bucket.name))
        except RequestRejected as error:
            if error.status in _REDIRECTED:
                return BucketState(self._find_bucket_region(bucket.name) or _("another region"))
            return BucketState("", error)
        return BucketState(response.headers.get("x-cos-bucket-region", "") or bucket.region)

    def _find_bucket_region(self, name: str) -> str:
        """The region of a bucket of the account; "" if it is not listed, or the key may not list."""
        return next((bucket.region for bucket in self.account_buckets if bucket.name == name), "")

    def _read_former_queue(self, bucket: str) -> Queue | None:
        listed = self.clients.speech.list_buckets(names=(bucket,)).buckets
        if bucket not in {each.bucket for each in listed}:
            return None
        return get_queue(self.clients, bucket, "")

    def _parse_deployed_settings(self) -> Iterator[Settings]:
        for function in self.functions.values():
            with suppress(SettingsError):
                yield _load_deployed_settings(self.manifest.region, function.variables)


def get_queue(clients: Clients, bucket: str, queue_id: str) -> Queue | None:
    """The queue for a bucket's jobs: the one of QUEUE_ID, else the first."""
    queues = clients.speech.list_queues(bucket, queue_ids=(queue_id,) if queue_id else ()).queues
    return queues[0] if queues else None


def list_account_buckets(client: TencentClient) -> tuple[BucketRef, ...]:
    """Every bucket of the account, from GET Service; empty if the key may not list them."""
    with suppress(CloudError, xml.XmlError):
        resource = "the list of buckets"  # not translated: its errors are not shown
        response = client.send(Request("GET", COS_SERVICE_HOST, "/", resource=resource))
        members = xml.parse_response(response.body, "ListAllMyBucketsResult")
        return tuple(
            BucketRef(xml.as_text(bucket.get("Name")), xml.as_text(bucket.get("Location")))
            for bucket in _list_bucket_elements(members)
        )
    return ()


def _list_bucket_elements(members: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    return map(xml.as_mapping, xml.as_list(xml.as_mapping(members.get("Buckets")).get("Bucket")))


def _find_receipts(settings: Settings, bucket: str) -> ReceiptPlace:
    output_bucket = settings.output_bucket_for(bucket)
    is_input = output_bucket in settings.input_buckets
    region = settings.region if is_input else settings.output_region or settings.region
    return ReceiptPlace(bucket, output_bucket, region, settings.state_prefix)


def _load_deployed_settings(region: str, variables: Mapping[str, str]) -> Settings:
    """The settings of a deployed function. An older version accepted prefixes without a slash at their end.

    Raises SettingsError.
    """
    try:
        return load_settings_without_notices(region, variables)
    except SettingsError:
        prefixes = {name: variables[name] for name in _FOLDER_SETTINGS if variables.get(name)}
        completed = {name: prefix.rstrip("/") + "/" for name, prefix in prefixes.items()}
        settings = load_settings_without_notices(region, {**variables, **completed})
        return replace(
            settings,
            output_prefix=prefixes.get("OUTPUT_PREFIX", settings.output_prefix),
            state_prefix=prefixes.get("STATE_PREFIX", settings.state_prefix),
        )
