"""The context of one invocation: settings, clients, logger, clock and source of secrets."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.errors import RequestRejected, SettingsError
from shared.logger import Logger
from shared.recordings.proof import create_secret
from shared.recordings.receipt_store import ReceiptStore
from shared.settings import Settings, load_settings
from shared.tencent.auth import load_credentials
from shared.tencent.client import TencentClient
from shared.tencent.clock import parse_timestamp
from shared.tencent.cos import CosClient
from shared.tencent.speech import SpeechClient

if TYPE_CHECKING:  # most deployments have no targets: a cold start does not load what sends notices
    from shared.options.rules import Rule
    from shared.recordings.announcer import Announcer

DEFAULT_TIME_LIMIT_MS = 60_000
VERSIONING_TTL_S = 300.0  # after this time a bucket is checked again
RESPONSE_MARGIN_S = 1.5  # to respond and log before the platform ends the process


class VersionedBuckets:
    """Remembers which buckets have or had versioning, for `VERSIONING_TTL_S` seconds: it belongs to the process."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, bool]] = {}

    def check(self, cos: CosClient, bucket: str, now_s: float) -> bool:
        """Check a bucket. One that the role may not check counts as versioned, for every process of that role.

        Raises other errors: two processes with different answers would not see each other's claims.
        """
        checked_s, is_versioned = self._known.get(bucket, (-math.inf, True))
        if not 0 <= now_s - checked_s < VERSIONING_TTL_S:
            try:
                is_versioned = cos.has_versioning(bucket)
            except RequestRejected:
                is_versioned = True
            self._known[bucket] = (now_s, is_versioned)
        return is_versioned


_VERSIONED_BUCKETS = VersionedBuckets()


class KnownTemplates(NamedTuple):
    """The ids of the templates with hot words, by input bucket and key, when they were read (Unix seconds).

    `problem` is why they could not be read.
    """

    read_s: float
    ids: Mapping[tuple[str, str], str]
    problem: str = ""


# By bucket and key of the object that has them; hot_words.py. They belong to the process.
_KNOWN_TEMPLATES: dict[tuple[str, str], KnownTemplates] = {}


class Context:
    """What every step of an invocation uses.

    `input_cos` and `speech` work in the functions' region, `output_cos` in OUTPUT_REGION. `now` returns Unix seconds.
    `deployment` is what the functions of one deployment have in common; "" if the platform does not say it.
    `announcer` is None if no notices are sent. `rules` are None where the package has them: in the functions.
    """

    def __init__(
        self,
        settings: Settings,
        input_cos: CosClient,
        output_cos: CosClient,
        speech: SpeechClient,
        log: Logger,
        now: Callable[[], float] = time.time,
        create_secret: Callable[[], str] = create_secret,
        versioned_buckets: VersionedBuckets = _VERSIONED_BUCKETS,
        deployment: str = "",
        known_templates: dict[tuple[str, str], KnownTemplates] | None = None,
        announcer: Announcer | None = None,
        rules: Sequence[Rule] | None = None,
    ) -> None:
        self.settings = settings
        self.input_cos = input_cos
        self.output_cos = output_cos
        self.speech = speech
        self.log = log
        self.now = now
        self.create_secret = create_secret
        self.versioned_buckets = versioned_buckets
        self.deployment = deployment
        self.known_templates = _KNOWN_TEMPLATES if known_templates is None else known_templates
        self.announcer = announcer
        self.rules = rules

    def remaining_s(self) -> float:
        """Return what is left of the function's time limit, in seconds."""
        return self.output_cos.client.remaining_s()

    def receipts(self, bucket: str) -> ReceiptStore:
        """Return the store with the receipts of this input bucket."""
        return self.receipts_in(self.settings.output_bucket_for(bucket))

    def receipts_in(self, state_bucket: str) -> ReceiptStore:
        """Return the store with the receipts in this output bucket."""
        return ReceiptStore(self.output_cos, self.settings, state_bucket, self._check_versioning)

    def _check_versioning(self, bucket: str) -> bool:
        return self.versioned_buckets.check(self.output_cos, bucket, self.now())

    def for_region(self, region: str) -> Context:
        """Return a context for an input bucket in this region.

        COS triggers stay in one region, but events may differ.
        """
        if region in {"", self.input_cos.region}:
            return self
        own_bucket = not self.settings.output_bucket
        return Context(
            self.settings,
            self.input_cos.for_region(region),
            self.output_cos.for_region(region) if own_bucket else self.output_cos,
            self.speech.for_region(region),
            self.log,
            self.now,
            self.create_secret,
            self.versioned_buckets,
            self.deployment,
            self.known_templates,
            self.announcer,
            self.rules,
        )

    def send_notices(self) -> None:
        """Make the first attempt at each notice of this invocation, at its end. Raises nothing."""
        if self.announcer:
            self.announcer.send_pending(self)

    def is_due(self, modified: str) -> bool:
        """Check whether something written at this time (ISO 8601, UTC) is at least SWEEP_AFTER seconds old."""
        return self.now() - parse_timestamp(modified) >= self.settings.sweep_after_s

    def is_expired(self, created_s: float) -> bool:
        """Check whether work that began at this time (Unix seconds) is older than GIVE_UP_AFTER. 0 means never."""
        return self.settings.gives_up and self.now() - created_s > self.settings.give_up_after_s


def create_logger(function: str, context: Any) -> Logger:
    """Create the invocation's logger: every line has the function's name and the request id."""
    request_id = context.get("request_id") if isinstance(context, Mapping) else None
    return Logger({"function": function, "request_id": str(request_id or "")})


def create_context(context: Any, log: Logger) -> Context:
    """Create the context of an invocation from SCF's `context` argument and the environment.

    Settings and credentials are read on each invocation; connections belong to the process. Raises SettingsError, after
    logging it, with one message that names every mistake.
    """
    scf_context: Mapping[str, Any] = context if isinstance(context, Mapping) else {}
    try:
        settings = load_settings(os.environ)
        credentials = load_credentials(scf_context, os.environ)
    except SettingsError as error:
        log.error("invalid_configuration", error=str(error))
        raise
    client = TencentClient(
        credentials,
        settings.cloud_endpoint.rstrip("/"),
        _start_countdown(scf_context),
        hidden=settings.callback_tokens,
    )
    return build_context(client, settings, log, deployment=_get_deployment(scf_context, settings.region))


def _get_deployment(scf_context: Mapping[str, Any], region: str) -> str:
    """Return what the functions of this deployment have in common: `<region>/<namespace>/<name before the last part>`.

    Their names differ in the last part (serverless.yml); "" if the platform does not say the name.
    """
    namespace, name = scf_context.get("namespace"), scf_context.get("function_name")
    if not isinstance(namespace, str) or not isinstance(name, str):
        return ""
    return format_deployment(region, namespace, name)


def format_deployment(region: str, namespace: str, function_name: str) -> str:
    """Return the name of the deployment of a function."""
    return f"{region}/{namespace}/{function_name.removesuffix(function_name.rpartition('-')[2])}"


def build_operator_context(
    client: TencentClient, settings: Settings, log: Logger, rules: Sequence[Rule], deployment: str
) -> Context:
    """Build a context for a command of the operator: it has the rules of rules.yml, and sends no notices."""
    ctx = build_context(client, settings, log, deployment=deployment)
    ctx.rules, ctx.announcer = rules, None
    return ctx


def build_context(client: TencentClient, settings: Settings, log: Logger, *, deployment: str = "") -> Context:
    """Build a context whose requests go through this client."""
    return Context(
        settings=settings,
        input_cos=CosClient(client, settings.region),
        output_cos=CosClient(client, settings.output_region or settings.region),
        speech=SpeechClient(client, settings.region, settings.jobs_path),
        log=log,
        deployment=deployment,
        now=client.now,
        announcer=_create_announcer(settings) if settings.targets else None,
    )


def _create_announcer(settings: Settings) -> Announcer:
    """Create what sends the notices of an invocation. Loopback is allowed with CLOUD_ENDPOINT only."""
    from shared.notices.sender import create_sender  # noqa: PLC0415 - see TYPE_CHECKING above
    from shared.recordings.announcer import Announcer  # noqa: PLC0415

    return Announcer(settings.targets, create_sender(allows_loopback=bool(settings.cloud_endpoint)))


def _start_countdown(scf_context: Mapping[str, Any]) -> Callable[[], float]:
    """Return a function for the remaining seconds. SCF sends the time limit but not what is left of it."""
    limit_ms = scf_context.get("time_limit_in_ms")
    if not isinstance(limit_ms, (int, float)) or limit_ms <= 0:
        limit_ms = DEFAULT_TIME_LIMIT_MS
    deadline = time.monotonic() + limit_ms / 1000 - RESPONSE_MARGIN_S
    return lambda: deadline - time.monotonic()
