"""The desired state: configuration, serverless.yml and package, loaded and validated."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from cli.cloud.scf import find_public_url
from cli.config import (
    CALLBACK_CHOICE_NAME,
    CALLBACK_URL_NAME,
    SINCE_NAME,
    TOKEN_NAME,
    CliContext,
    Commands,
    generate_token,
)
from cli.deploy.clients import Clients
from cli.deploy.hot_words import HotWordsTarget, build_hot_words_target, find_deployments
from cli.deploy.steps import SUBMITTING_FUNCTIONS, PackageRef, add_callback_url
from cli.errors import OperatorError
from cli.language import _, translate
from cli.manifest.loader import load_manifest
from cli.manifest.models import CALLBACK, Manifest
from cli.policy.documents import role_policies
from cli.policy.permissions import load_function_settings
from cli.rules.loader import load_context_rules
from cli.rules.models import RulesFile
from shared.errors import SettingsError
from shared.options.check import describe_targets, find_unknown_targets
from shared.options.choose import settings_choices
from shared.settings import Settings
from shared.tencent.clock import parse_timestamp

QUEUE_CALLBACK, JOB_CALLBACK = CALLBACK_CHOICES = ("queue", "job")


@dataclass(frozen=True, slots=True)
class Configuration:
    """A manifest that can work, the settings in it, and the clients to deploy it with.

    `new_token` and `new_since` are set if neither the operator nor a deployed function has a value yet. With
    `job_callback` each job carries the address to notify; without, the speech queue has it.
    """

    manifest: Manifest
    settings: Settings
    clients: Clients
    new_token: str = field(default="", repr=False)
    new_since: str = ""
    job_callback: bool = False


class DeployedChoices(NamedTuple):
    """What the deployed functions hold of choices that .env may leave open. `exists`: whether there is a function."""

    exists: bool = False
    token: str = ""
    since: str = ""
    job_callback: bool = False
    callback_url: str = ""


@dataclass(frozen=True, slots=True)
class DeployTarget:
    """What a deployment is to achieve: manifest, settings, package, and the policy document of each role by name.

    With `job_callback` the queues' notifications are left alone.
    """

    manifest: Manifest
    settings: Settings
    package: PackageRef
    documents: Mapping[str, Mapping[str, Any]]
    commands: Commands
    job_callback: bool = False


@dataclass(frozen=True, slots=True)
class LocalConfiguration:
    """What .env, the environment and serverless.yml say, before anything is read from the cloud.

    `generated_token` is in the manifest if .env has none: with it everything else is validated, and the names of the
    functions are known. `callback` is the choice of what notifies of jobs, "" if it is open.
    """

    context: CliContext
    config: Mapping[str, str] = field(repr=False)
    callback: str
    generated_token: str = field(repr=False)
    manifest: Manifest
    settings: Settings
    clients: Clients


def load_local_configuration(context: CliContext, callback: str = "") -> LocalConfiguration:
    """Load `.env`, the environment and serverless.yml. `callback` is queue, job, or "" as in .env.

    Raises OperatorError and SettingsError with every mistake.
    """
    config = context.load_config()
    choice = parse_callback_choice(config, callback, context.env_file)
    generated = "" if config.get(TOKEN_NAME) else generate_token(random.SystemRandom())
    manifest = load_manifest(context.folder, {TOKEN_NAME: generated, **config}, context.env_file)
    settings = load_manifest_settings(manifest, config)
    credentials = context.load_credentials(config)
    clients = Clients.create(credentials, manifest.region, settings.cloud_endpoint.rstrip("/"))
    return LocalConfiguration(context, config, choice, generated, manifest, settings, clients)


def complete_configuration(local: LocalConfiguration) -> Configuration:
    """Take what .env leaves open from the deployed functions: the callback token, SINCE, and what notifies of jobs.

    For a first deployment the token is the generated one, and SINCE is now. Raises OperatorError, SettingsError,
    ApiError.
    """
    context, config, clients = local.context, local.config, local.clients
    deployed = read_deployed_choices(clients, local.manifest)
    new_token = "" if deployed.token else local.generated_token
    new_since = "" if config.get(SINCE_NAME) or deployed.exists else _format_now(clients)
    completed = complete_config({TOKEN_NAME: new_token, SINCE_NAME: new_since, **config}, deployed)
    manifest = load_manifest(context.folder, completed, context.env_file)
    job_callback = uses_job_callback(config, local.callback, deployed)
    settings = load_manifest_settings(manifest, config)
    if job_callback:
        manifest = complete_callback_url(manifest, deployed.callback_url, settings.callback_tokens[0])
    return Configuration(manifest, settings, clients, new_token, new_since, job_callback)


def load_hot_words_target(
    folder: Path, rules: RulesFile | None, manifest: Manifest, settings: Settings
) -> HotWordsTarget:
    """Load what the rules and the settings need for their hot words; the files are in `folder`.

    Raises OperatorError with every mistake.
    """
    return build_hot_words_target(
        folder, rules.rules if rules else (), settings_choices(settings), manifest, settings
    )


def find_hot_words_to_remove(context: CliContext, manifest: Manifest, settings: Settings) -> HotWordsTarget:
    """The same for a removal, which needs no valid files."""
    try:
        rules = load_context_rules(context, settings)
        return load_hot_words_target(context.folder, rules, manifest, settings)
    except OperatorError:
        return HotWordsTarget(find_deployments(manifest))


def parse_callback_choice(config: Mapping[str, str], option: str, env_file: Path) -> str:
    """What is to notify of jobs: queue, job, or "" if the operator left it open. Raises OperatorError."""
    choice = option or config.get(CALLBACK_CHOICE_NAME, "")
    if choice not in {"", *CALLBACK_CHOICES}:
        name = "--callback" if option else _("{name} in {file}", name=CALLBACK_CHOICE_NAME, file=env_file)
        choices = _(" or ").join(CALLBACK_CHOICES)
        raise OperatorError(
            _("{name} is {value}; it is {choices}", name=name, value=repr(choice), choices=choices)
        )
    if choice == QUEUE_CALLBACK and config.get(CALLBACK_URL_NAME):
        raise OperatorError(
            _(
                "the queue is to notify of jobs, but {variable} is set in {file}: remove it there",
                variable=CALLBACK_URL_NAME,
                file=env_file,
            )
        )
    return choice


def read_deployed_choices(clients: Clients, manifest: Manifest) -> DeployedChoices:
    """Read the functions that exist, and the address of the callback function. Raises ApiError."""
    functions = {
        key: clients.scf.get_function(spec.name, spec.namespace) for key, spec in manifest.functions.items()
    }
    usable = {key: each for key, each in functions.items() if each and not each.creation_failed}
    callback = usable.get(CALLBACK)
    # After an interrupted deployment they may differ: the latest time is the one that costs least.
    times = [function.variables.get(SINCE_NAME, "") for function in usable.values()]
    job_callback = any(function.variables.get(CALLBACK_URL_NAME) for function in usable.values())
    triggers = clients.scf.list_triggers(callback.name, callback.namespace) if callback else ()
    return DeployedChoices(
        exists=bool(usable),
        token=callback.variables.get(TOKEN_NAME, "") if callback else "",
        since=max(times, key=lambda time: (parse_timestamp(time), time), default=""),
        job_callback=job_callback,
        callback_url=find_public_url(triggers),
    )


def complete_config(config: Mapping[str, str], deployed: DeployedChoices) -> dict[str, str]:
    """The configuration with the deployed token and SINCE where it has none.

    A deployment without SINCE is of an older version: it transcribes everything, and goes on like that.
    """
    adopted = {TOKEN_NAME: deployed.token, SINCE_NAME: deployed.since}
    chosen = {name: value for name, value in config.items() if value}
    return {**{name: value for name, value in adopted.items() if value}, **chosen}


def uses_job_callback(config: Mapping[str, str], choice: str, deployed: DeployedChoices) -> bool:
    """Whether each job carries the address to notify. If nothing is chosen, it stays as deployed."""
    if choice:
        return choice == JOB_CALLBACK
    return bool(config.get(CALLBACK_URL_NAME)) or deployed.job_callback


def with_callback_url(manifest: Manifest, url: str) -> Manifest:
    """The manifest with CALLBACK_URL, token included, for the functions that submit jobs."""
    return replace(
        manifest,
        functions={
            key: add_callback_url(spec, url) if key in SUBMITTING_FUNCTIONS else spec
            for key, spec in manifest.functions.items()
        },
    )


def complete_callback_url(manifest: Manifest, callback_url: str, token: str) -> Manifest:
    """The same for the address of the callback function; unchanged if there is none yet, or if the operator set one."""
    is_set = CALLBACK_URL_NAME in manifest.functions[CALLBACK].variables
    return manifest if is_set or not callback_url else with_callback_url(manifest, f"{callback_url}/{token}")


def load_manifest_settings(manifest: Manifest, config: Mapping[str, str]) -> Settings:
    """The settings of the functions, with the operator's CLOUD_ENDPOINT. Raises SettingsError."""
    variables = manifest.functions[CALLBACK].variables
    settings = load_function_settings(manifest.region, variables, config.get("CLOUD_ENDPOINT", ""))
    names = [target.name for target in settings.targets]
    # The functions only warn: a wrong name is no reason to transcribe nothing.
    choice = settings.options.get("notify")
    if choice and (unknown := find_unknown_targets(choice.value, names)):
        mistake = _(
            "OPTIONS: notify names {name}, which is not a target; {targets}",
            name=repr(unknown[0]),
            targets=translate(describe_targets(names)),
        )
        raise SettingsError([mistake])
    return settings


def _format_now(clients: Clients) -> str:
    """The time of the cloud, or of this machine if that cannot be read, rounded up to a second.

    COS knows the time of an upload in seconds: what was uploaded in this one was there before.
    """
    try:
        now_s = clients.read_cloud_time()
    except httpx.HTTPError:  # every other request will fail too, and say why
        now_s = None
    now = datetime.fromtimestamp(math.floor(now_s or clients.now()) + 1, timezone.utc)
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def build_target(
    configuration: Configuration, package: PackageRef, owner_uin: str, commands: Commands
) -> DeployTarget:
    """Add the package and the policy documents. Raises PolicyTooLong."""
    documents = role_policies(configuration.manifest, owner_uin)
    return DeployTarget(
        configuration.manifest,
        configuration.settings,
        package,
        documents,
        commands,
        configuration.job_callback,
    )
