"""What every command of the operator works with: settings, rules, the key of the account, and the buckets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from cli.config import TOKEN_NAME, CliContext, Commands
from cli.errors import OperatorError
from cli.language import _
from cli.manifest.loader import load_manifest
from cli.manifest.models import CALLBACK
from cli.operate.text import end_sentence, join_sentences
from cli.output import escape_line
from cli.policy.permissions import FUNCTIONS, load_settings_without_notices
from cli.rules.loader import load_context_rules
from shared.errors import CloudError
from shared.logger import Logger
from shared.recordings.context import Context, build_operator_context, format_deployment
from shared.settings import Settings
from shared.tencent.client import TencentClient

PARALLEL_REQUESTS = 16  # as many as COS answers without slowing down, and a small machine can sign
_DENIED_STATUSES = (401, 403)
_NETWORK_CODES = frozenset({"NoConnection", "NoAnswer"})
_KEY_CODES = frozenset(
    {"SignatureDoesNotMatch", "InvalidAccessKeyId", "SecretidNotExist", "RequestTimeTooSkewed"}
)
_EXPIRED_CODES = frozenset({"ExpiredToken", "AuthFailure.TokenFailure"})
# Of a new checkout; nothing that these commands do depends on the token.
_ANY_TOKEN = {TOKEN_NAME: "not-chosen-by-anybody-yet"}

Item = TypeVar("Item")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Workspace:
    """Settings, clients and buckets of one command. `config` is .env and the environment."""

    ctx: Context
    commands: Commands
    config: dict[str, str]

    @property
    def settings(self) -> Settings:
        """The settings as the functions read them."""
        return self.ctx.settings

    @property
    def state_buckets(self) -> tuple[str, ...]:
        """The buckets with receipts, each once."""
        return tuple(dict.fromkeys(map(self.settings.output_bucket_for, self.settings.input_buckets)))

    def choose_bucket(self, name: str) -> str:
        """Return the input bucket of this name, or the only one. Raises OperatorError."""
        buckets = self.settings.input_buckets
        if name and name not in buckets:
            raise OperatorError(
                _(
                    "{name} is not in INPUT_BUCKETS, which has {buckets}",
                    name=escape_line(name),
                    buckets=_(", ").join(buckets),
                )
            )
        if not name and len(buckets) > 1:
            raise OperatorError(
                _(
                    "INPUT_BUCKETS has several buckets: say which one with --bucket {buckets}",
                    buckets=_(" or ").join(buckets),
                )
            )
        return name or buckets[0]

    def advise(self, error: CloudError) -> OperatorError:
        """Build the error that a command ends with after an error of the cloud: what, to what, and what to do."""
        advice = ""
        endpoint = self.settings.cloud_endpoint
        if error.code in _NETWORK_CODES:
            advice = _("Check the network of this machine")
            if endpoint:
                advice = _(
                    "nothing answers at {endpoint} (CLOUD_ENDPOINT): start `scribe local --port {port}`",
                    endpoint=endpoint,
                    port=endpoint.rpartition(":")[2],
                )
        elif error.code in _KEY_CODES:
            advice = _(
                "The id and the secret of the key do not belong together, or the clock of this machine is wrong: "
                "check TENCENT_SECRET_ID and TENCENT_SECRET_KEY in {env_file}",
                env_file=self.commands.env_file,
            )
        elif error.code in _EXPIRED_CODES:
            advice = _(
                "The temporary key has expired: put a new one in {env_file}, or where it comes from",
                env_file=self.commands.env_file,
            )
        elif (
            error.status in _DENIED_STATUSES
            and not error.code
            and self.ctx.input_cos.client.credentials.token
        ):
            # The response to HEAD has no code.
            advice = _(
                "The temporary key may have expired: put a new one in {env_file}, or where it comes from. Else "
                "`{command}` prints what the key of the account needs",
                env_file=self.commands.env_file,
                command=self.commands.line("policy", "operator"),
            )
        elif error.status in _DENIED_STATUSES:
            advice = _(
                "`{command}` prints what the key of the account needs",
                command=self.commands.line("policy", "operator"),
            )
        text = join_sentences(end_sentence(str(error)), advice) if advice else str(error)
        return OperatorError(escape_line(text))


def open_workspace(context: CliContext) -> Workspace:
    """Read .env, serverless.yml, rules.yml and the operator's key.

    Raises OperatorError and SettingsError for wrong settings, CredentialsNotFound without a key.
    """
    config = context.load_config()
    manifest = load_manifest(context.folder, {**_ANY_TOKEN, **config}, context.env_file)
    endpoint = config.get("CLOUD_ENDPOINT", "")
    variables = {
        **manifest.functions[CALLBACK].variables,
        **({"CLOUD_ENDPOINT": endpoint} if endpoint else {}),
    }
    settings = load_settings_without_notices(manifest.region, variables)
    file = load_context_rules(context, settings)
    upload = manifest.functions[FUNCTIONS[0]]
    client = TencentClient(
        context.load_credentials(config), endpoint.rstrip("/"), hidden=settings.callback_tokens
    )
    ctx = build_operator_context(
        client,
        settings,
        Logger(write=lambda _: None),
        file.rules if file else (),
        format_deployment(manifest.region, upload.namespace, upload.name),
    )
    return Workspace(ctx, context.commands, config)


def run_in_parallel(
    work: Callable[[Item], Value], items: Iterable[Item], *, workers: int = PARALLEL_REQUESTS
) -> Iterator[tuple[Item, Value]]:
    """Yield each item with the result of `work`, in the order of the items; up to `workers` run at once.

    Memory does not grow with the items. The first error of `work` is raised; what has begun is waited for.
    """
    iterator = iter(items)
    with ThreadPoolExecutor(workers) as pool:
        while batch := list(islice(iterator, workers * 4)):
            yield from zip(batch, pool.map(work, batch), strict=True)
