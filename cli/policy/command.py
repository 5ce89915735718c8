"""`scribe policy`: print the policies and the reason for each permission, or create the roles of the functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from cli.cloud.cam import CamClient
from cli.cloud.client import ApiClient, get_caller_identity
from cli.cloud.hints import add_hint, error_hints
from cli.config import CliContext
from cli.errors import OperatorError
from cli.language import _
from cli.manifest.loader import load_manifest
from cli.manifest.models import Manifest
from cli.output import escape_markup, print_json
from cli.policy.documents import deployer_policy, function_policy, operator_policy, role_admin_policy
from cli.policy.operator import OPERATOR, operator_grants
from cli.policy.permissions import FUNCTIONS, Grant, grants_for, load_function_settings, scope_for_function

DEPLOYER, ROLE_ADMIN = "deployer", "roles"
NAMES = (*FUNCTIONS, DEPLOYER, ROLE_ADMIN, OPERATOR)
UNKNOWN_UIN = "YOUR-ACCOUNT-UIN"

# No policy contains the token, and there may be none yet.
_ANY_TOKEN = {"CALLBACK_TOKEN": "not-chosen-by-anybody-yet"}


@dataclass(frozen=True, slots=True)
class PolicyOptions:
    """The arguments of the command. `name` is one of NAMES, or "" for all."""

    name: str = ""
    as_json: bool = False
    create_role: bool = False


@dataclass(frozen=True, slots=True)
class _NamedPolicy:
    name: str
    title: str
    document: Mapping[str, Any]
    reasons: tuple[str, ...] = ()


def policy(console: Console, stderr: Console, options: PolicyOptions, context: CliContext) -> None:
    """Print the policies to `console`, and what has to be filled in to `stderr`; or create the roles.

    Raises OperatorError for an unknown name, invalid settings, or (with `create_role`) a rejected request.
    """
    if options.name and options.name not in NAMES:
        raise OperatorError(
            _(
                "unknown policy {name}; the policies are {names}",
                name=repr(options.name),
                names=_(", ").join(NAMES),
            )
        )
    config = context.load_config()
    manifest = load_manifest(context.folder, {**_ANY_TOKEN, **config}, context.env_file)
    if options.create_role:
        with error_hints(context.commands):
            _create_roles(console, options.name, manifest, _create_client(config, manifest, context))
        return
    uin = _get_account_uin(stderr, config, manifest, context)
    policies = [each for each in _build_policies(manifest, uin) if options.name in {"", each.name}]
    if options.as_json:
        documents = {each.name: each.document for each in policies}
        print_json(console, documents.get(options.name) or documents)
        return
    for each in policies:
        _print_policy(console, each)


def _build_policies(manifest: Manifest, uin: str) -> Iterator[_NamedPolicy]:
    for key in FUNCTIONS:
        scope = scope_for_function(manifest, key, uin)
        reasons = _list_reasons(grants_for(key, scope))
        title = _("{role}, the role of {function}", role=manifest.functions[key].role, function=key)
        yield _NamedPolicy(key, title, function_policy(key, scope), reasons)
    scope = scope_for_function(manifest, FUNCTIONS[0], uin)
    yield _NamedPolicy(
        DEPLOYER,
        _("for the key that runs scribe deploy, doctor and remove"),
        deployer_policy(scope, manifest.functions.values()),
    )
    yield _NamedPolicy(
        ROLE_ADMIN,
        _(
            "in addition, for the key that runs scribe policy --create-role: amounts to full control of the account"
        ),
        role_admin_policy(),
    )
    yield _NamedPolicy(
        OPERATOR,
        _(
            "for the key that runs the commands of every day: list, why, retry, backfill, forget, cost, open, link, "
            "console"
        ),
        operator_policy(scope),
        _list_reasons(operator_grants(scope)),
    )


def _list_reasons(grants: Iterable[Grant]) -> tuple[str, ...]:
    return tuple(
        _(
            "{action} on {resource}: {reason}",
            action=grant.action,
            resource=_(grant.on.value),
            reason=_(grant.reason),
        )
        for grant in grants
    )


def _create_client(config: Mapping[str, str], manifest: Manifest, context: CliContext) -> ApiClient:
    """Raises OperatorError if there is no key, SettingsError if CLOUD_ENDPOINT is not a loopback address."""
    variables = manifest.functions[FUNCTIONS[0]].variables
    settings = load_function_settings(manifest.region, variables, config.get("CLOUD_ENDPOINT", ""))
    return ApiClient(context.load_credentials(config), manifest.region, settings.cloud_endpoint.rstrip("/"))


def _get_account_uin(
    stderr: Console, config: Mapping[str, str], manifest: Manifest, context: CliContext
) -> str:
    """The account's own id, or a placeholder: the policies can be printed without an account."""
    try:
        return get_caller_identity(_create_client(config, manifest, context)).owner_uin
    except OperatorError as error:
        reason = add_hint(error, context.commands)
        stderr.print(
            _(
                "Replace {placeholder} by the id of the account, which could not be read: {reason}",
                placeholder=UNKNOWN_UIN,
                reason=reason,
            ),
            soft_wrap=True,
            markup=False,
        )
        return UNKNOWN_UIN


def _create_roles(console: Console, name: str, manifest: Manifest, api: ApiClient) -> None:
    if name in {DEPLOYER, ROLE_ADMIN, OPERATOR}:
        raise OperatorError(
            _(
                "{name} is not a role but the policy of a user: print it and attach it to their user in the CAM "
                "console",
                name=name,
            )
        )
    uin = get_caller_identity(api).owner_uin
    cam = CamClient(api)
    for key in [name] if name else FUNCTIONS:
        role_name = manifest.functions[key].role
        changed = cam.ensure_role(role_name, function_policy(key, scope_for_function(manifest, key, uin)))
        text = _("{role}: created or updated") if changed else _("{role}: unchanged")
        console.print(text.format(role=escape_markup(role_name)), soft_wrap=True)
        role = cam.get_role(role_name)
        others = [policy for policy in role.policies if policy != role_name] if role else []
        if others:
            text = _("other policies of the role, unchanged: {names}", names=_(", ").join(others))
            console.print(f"  {escape_markup(text)}", soft_wrap=True)


def _print_policy(console: Console, printed: _NamedPolicy) -> None:
    heading = _("{name}: {title}", name=f"[bold]{printed.name}[/]", title=escape_markup(printed.title))
    console.print(heading, soft_wrap=True)
    for reason in printed.reasons:
        console.print(f"  {escape_markup(reason)}", soft_wrap=True)
    print_json(console, printed.document)
