"""What the operator means: every choice read and checked, before the cloud is asked anything but the token."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cli.config import TOKEN_NAME, CliContext, generate_token, load_config, load_operator_credentials
from cli.deploy.hands import Hands
from cli.deploy.token_step import KeepToken
from cli.manifest.loader import load_manifest
from cli.manifest.models import CALLBACK, FunctionSpec, Manifest
from cli.policy.documents import place_of, policy_of
from shared.settings import Settings, load_settings
from shared.tencent.auth import Credentials


@dataclass(frozen=True, slots=True)
class Intent:
    """A description that can work, its settings, and the key to carry it out with.

    `token_step` is there when nobody has a callback token yet.
    """

    wanted: Manifest
    settings: Settings
    credentials: Credentials = field(repr=False)
    hands: Hands
    token_step: KeepToken | None = None

    def documents(self, owner_uin: str) -> dict[str, Mapping[str, Any]]:
        """What each role must allow, by its name. Functions that share a role share what it allows."""
        documents: dict[str, dict[str, Any]] = {}
        for key, function in self.wanted.functions.items():
            document = policy_of(key, place_of(_settings(self.wanted, function, ""), owner_uin))
            shared = documents.setdefault(function.role, {**document, "statement": []})
            shared["statement"] = [*shared["statement"], *document["statement"]]
        return dict(documents)


def intent_of(around: CliContext) -> Intent:
    """Reads `.env`, the environment and serverless.yml, then looks who has a token: they, or the deployed callback.

    Raises OperatorError and SettingsError with every mistake, ControlError.
    """
    choices = load_config(around.env_file, around.process)
    fresh = "" if choices.get(TOKEN_NAME) else generate_token(random.SystemRandom())
    # With a token that nobody has yet everything else is checked, and the function that may have one is named.
    wanted = load_manifest(around.folder, {**choices, TOKEN_NAME: fresh or choices[TOKEN_NAME]})
    settings = _settings(wanted, wanted.functions[CALLBACK], choices.get("CLOUD_ENDPOINT", ""))
    credentials = load_operator_credentials(choices, around.home)
    hands = Hands.of(credentials, wanted.region, settings.cloud_endpoint.rstrip("/"))
    if not fresh:
        return Intent(wanted, settings, credentials, hands)
    callback = wanted.functions[CALLBACK]
    deployed = hands.functions.find(callback.name, callback.namespace)
    token = deployed.variables.get(TOKEN_NAME, "") if deployed else ""
    if not token:
        return Intent(wanted, settings, credentials, hands, KeepToken(around.env_file, fresh))
    wanted = load_manifest(around.folder, {**choices, TOKEN_NAME: token})
    settings = _settings(wanted, wanted.functions[CALLBACK], choices.get("CLOUD_ENDPOINT", ""))
    return Intent(wanted, settings, credentials, hands)


def _settings(wanted: Manifest, function: FunctionSpec, endpoint: str) -> Settings:
    """The settings as the function reads them, and CLOUD_ENDPOINT, which is never deployed. Raises SettingsError."""
    return load_settings({"REGION": wanted.region, **function.variables, "CLOUD_ENDPOINT": endpoint})
