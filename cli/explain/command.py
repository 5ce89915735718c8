"""`scribe explain KEY`: read settings and, with a key of the account, the bucket; print what would happen and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from cli.config import TOKEN_NAME, CliContext, Commands, CredentialsNotFound
from cli.errors import OperatorError
from cli.explain.cloud import BucketReader
from cli.explain.explain import Upload, add_hot_words, explain_key, has_hot_words
from cli.explain.models import Explanation
from cli.explain.render import print_explanation
from cli.language import N_, _, format_exception
from cli.manifest.loader import load_manifest
from cli.manifest.models import CALLBACK, Manifest
from cli.output import escape_line, print_json
from cli.policy.permissions import FUNCTIONS, load_function_settings
from cli.rules.loader import load_context_rules
from shared.errors import CloudError
from shared.options.parse import METADATA_PREFIX, OPTION_PREFIX
from shared.options.rules import Rule
from shared.options.sidecar import MAX_SIDECAR_BYTES
from shared.recordings.context import format_deployment
from shared.settings import Settings

_DENIED_STATUSES = (401, 403)
NO_TEMPLATE_READ = N_("a template has them, which only the bucket names; it was not read")
# Nothing that is explained depends on the token, and there may be none yet.
_ANY_TOKEN = {TOKEN_NAME: "not-chosen-by-anybody-yet"}


@dataclass(frozen=True, slots=True)
class ExplainOptions:
    """The arguments of the command.

    `metadata` (without `x-cos-meta-`) are in place of the object's own; None: the object's own. `size` in bytes.
    """

    key: str
    bucket: str = ""
    metadata: Mapping[str, str] | None = None
    sidecar: Path | None = None
    size: int | None = None
    offline: bool = False
    as_json: bool = False


def explain(console: Console, context: CliContext, options: ExplainOptions) -> bool:
    """Print the explanation. True unless something is refused. Changes nothing.

    Raises OperatorError and SettingsError for wrong settings or arguments, and if the bucket cannot be read.
    """
    _check_key(options.key)
    config = context.load_config()
    manifest = load_manifest(context.folder, {**_ANY_TOKEN, **config}, context.env_file)
    variables = manifest.functions[CALLBACK].variables
    settings = load_function_settings(manifest.region, variables, config.get("CLOUD_ENDPOINT", ""))
    file = load_context_rules(context, settings)
    rules = file.rules if file else ()
    bucket = options.bucket or _choose_bucket(settings)
    reader = None if options.offline else _create_reader(context, config, settings, rules, manifest)
    try:
        explanation = _explain(settings, rules, bucket, options, reader)
    except CloudError as error:
        raise OperatorError(
            escape_line(
                _(
                    "{error}. {advice}",
                    error=format_exception(error),
                    advice=_advise(error, context.commands, options.key),
                )
            )
        ) from None
    if options.as_json:
        print_json(console, explanation.as_json())
    else:
        print_explanation(console, explanation)
    return not explanation.refusals


def parse_metadata_argument(argument: str) -> tuple[str, str]:
    """Parse NAME=VALUE into the name without `x-cos-meta-` and the value.

    A name without that prefix is the name of an option, with or without `scribe-`. Raises ValueError.
    """
    full_name, equals, value = argument.partition("=")
    name = full_name.strip().lower()
    if not equals or not name:
        raise ValueError(_("{argument!r} is not NAME=VALUE, such as speakers=auto", argument=argument))
    if name.startswith(METADATA_PREFIX):
        return name.removeprefix(METADATA_PREFIX), value
    return OPTION_PREFIX + name.removeprefix(OPTION_PREFIX), value


def _explain(
    settings: Settings,
    rules: Sequence[Rule],
    bucket: str,
    options: ExplainOptions,
    reader: BucketReader | None,
) -> Explanation:
    sidecar = _read_sidecar(options.sidecar) if options.sidecar else None
    if reader is None:
        upload = Upload(options.metadata or {}, sidecar, options.size)
        explanation = explain_key(settings, rules, bucket, options.key, upload)
        if not has_hot_words(explanation):
            return explanation
        return add_hot_words(explanation, "", _(NO_TEMPLATE_READ))
    return reader.explain(bucket, options.key, options.metadata, sidecar, options.size)


def _advise(error: CloudError, commands: Commands, key: str) -> str:
    """Say what to do if the bucket cannot be read."""
    offline = _(
        "`{command}` reads nothing from the bucket", command=commands.line("explain", key, "--offline")
    )
    if error.status in _DENIED_STATUSES:
        return _(
            "`{command}` prints what the key of the account needs; {offline}",
            command=commands.show_deployer_policy,
            offline=offline,
        )
    return offline


def _read_sidecar(path: Path) -> bytes:
    """Read a sidecar, or one byte more than it may have. Raises OSError."""
    with path.open("rb") as file:
        return file.read(MAX_SIDECAR_BYTES + 1)


def _check_key(key: str) -> None:
    """Raise OperatorError for what cannot be a key."""
    try:
        key.encode()
    except UnicodeEncodeError:
        raise OperatorError(_("KEY is not UTF-8, as every key is")) from None
    if not key:
        raise OperatorError(_("KEY is empty: name an object, such as calls/a.mp3"))


def _choose_bucket(settings: Settings) -> str:
    if len(settings.input_buckets) > 1:
        names = _(" or ").join(settings.input_buckets)
        raise OperatorError(
            _("INPUT_BUCKETS has several buckets: say which one with --bucket {names}", names=names)
        )
    return settings.input_buckets[0]


def _create_reader(
    context: CliContext,
    config: Mapping[str, str],
    settings: Settings,
    rules: Sequence[Rule],
    manifest: Manifest,
) -> BucketReader | None:
    """Create the reader, or None without a key of the account. Raises OperatorError for a wrong key."""
    try:
        credentials = context.load_credentials(config)
    except CredentialsNotFound:
        return None
    upload = manifest.functions[FUNCTIONS[0]]
    deployment = format_deployment(manifest.region, upload.namespace, upload.name)
    return BucketReader.create(credentials, settings, rules, deployment)
