"""The desired state: configuration, serverless.yml and package, loaded and validated."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from cli.account import credentials_from
from cli.choices import TOKEN_NAME, choices_from, new_token
from cli.commands import Commands
from cli.deploy.clients import Clients
from cli.deploy.steps import PackageRef
from cli.description.read import wanted_from
from cli.description.wanted import CALLBACK, Wanted
from cli.errors import OperatorError
from cli.policy.documents import role_policies
from cli.policy.permissions import load_function_settings
from cli.surroundings import Surroundings
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class Configuration:
    """A manifest that can work, the settings in it, and the clients to deploy it with.

    `new_token` is set if neither the operator nor the deployed function has a callback token yet.
    """

    manifest: Wanted
    settings: Settings
    clients: Clients
    new_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class DeployTarget:
    """What a deployment is to achieve: manifest, settings, package, and the policy document of each role by name."""

    manifest: Wanted
    settings: Settings
    package: PackageRef
    documents: Mapping[str, Mapping[str, Any]]
    commands: Commands


def load_configuration(context: Surroundings) -> Configuration:
    """Load `.env`, the environment and serverless.yml; take a missing token from the deployed callback function.

    Raises OperatorError and SettingsError with every mistake, ApiError.
    """
    with name_env_file(context):
        config = choices_from(context.env_file, context.process)
        generated = "" if config.get(TOKEN_NAME) else new_token(random.SystemRandom())
        # With the generated token everything else is validated, and the name of the callback function is known.
        manifest = wanted_from(context.folder, {**config, TOKEN_NAME: generated or config[TOKEN_NAME]})
        settings = load_manifest_settings(manifest, config)
        credentials = credentials_from(config, context.home)
    clients = Clients.create(credentials, manifest.region, settings.cloud_endpoint.rstrip("/"))
    if not generated:
        return Configuration(manifest, settings, clients)
    token = get_deployed_token(clients, manifest)
    if not token:
        return Configuration(manifest, settings, clients, generated)
    manifest = wanted_from(context.folder, {**config, TOKEN_NAME: token})
    return Configuration(manifest, load_manifest_settings(manifest, config), clients)


def load_manifest_settings(manifest: Wanted, config: Mapping[str, str]) -> Settings:
    """The settings of the functions, with the operator's CLOUD_ENDPOINT. Raises SettingsError."""
    variables = manifest.functions[CALLBACK].variables
    return load_function_settings(manifest.region, variables, config.get("CLOUD_ENDPOINT", ""))


def get_deployed_token(clients: Clients, manifest: Wanted) -> str:
    """The token of the deployed callback function; "" if it does not exist. Raises ApiError."""
    callback = manifest.functions[CALLBACK]
    function = clients.scf.get_function(callback.name, callback.namespace)
    return function.variables.get(TOKEN_NAME, "") if function else ""


def build_target(
    configuration: Configuration, package: PackageRef, owner_uin: str, commands: Commands
) -> DeployTarget:
    """Add the package and the policy documents. Raises PolicyTooLong."""
    documents = role_policies(configuration.manifest, owner_uin)
    return DeployTarget(configuration.manifest, configuration.settings, package, documents, commands)


@contextmanager
def name_env_file(context: Surroundings) -> Iterator[None]:
    """Let errors of the configuration name the file that was read."""
    try:
        yield
    except OperatorError as error:
        error.args = (context.told(str(error)),)
        raise
