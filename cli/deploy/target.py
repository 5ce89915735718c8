"""The desired state: configuration, serverless.yml and package, loaded and validated."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cli.config import (
    TOKEN_NAME,
    CliContext,
    Commands,
    generate_token,
)
from cli.deploy.clients import Clients
from cli.deploy.steps import PackageRef
from cli.manifest.loader import load_manifest
from cli.manifest.models import CALLBACK, Manifest
from cli.policy.documents import role_policies
from cli.policy.permissions import load_function_settings
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class Configuration:
    """A manifest that can work, the settings in it, and the clients to deploy it with.

    `new_token` is set if neither the operator nor the deployed function has a callback token yet.
    """

    manifest: Manifest
    settings: Settings
    clients: Clients
    new_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class DeployTarget:
    """What a deployment is to achieve: manifest, settings, package, and the policy document of each role by name."""

    manifest: Manifest
    settings: Settings
    package: PackageRef
    documents: Mapping[str, Mapping[str, Any]]
    commands: Commands


def load_configuration(context: CliContext) -> Configuration:
    """Load `.env`, the environment and serverless.yml; take a missing token from the deployed callback function.

    Raises OperatorError and SettingsError with every mistake, ApiError.
    """
    config = context.load_config()
    generated = "" if config.get(TOKEN_NAME) else generate_token(random.SystemRandom())
    # With the generated token everything else is validated, and the name of the callback function is known.
    manifest = load_manifest(
        context.folder, {**config, TOKEN_NAME: generated or config[TOKEN_NAME]}, context.env_file
    )
    settings = load_manifest_settings(manifest, config)
    credentials = context.load_credentials(config)
    clients = Clients.create(credentials, manifest.region, settings.cloud_endpoint.rstrip("/"))
    if not generated:
        return Configuration(manifest, settings, clients)
    token = get_deployed_token(clients, manifest)
    if not token:
        return Configuration(manifest, settings, clients, generated)
    manifest = load_manifest(context.folder, {**config, TOKEN_NAME: token}, context.env_file)
    return Configuration(manifest, load_manifest_settings(manifest, config), clients)


def load_manifest_settings(manifest: Manifest, config: Mapping[str, str]) -> Settings:
    """The settings of the functions, with the operator's CLOUD_ENDPOINT. Raises SettingsError."""
    variables = manifest.functions[CALLBACK].variables
    return load_function_settings(manifest.region, variables, config.get("CLOUD_ENDPOINT", ""))


def get_deployed_token(clients: Clients, manifest: Manifest) -> str:
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
