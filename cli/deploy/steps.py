"""The steps of a deployment: what each one changes, and how. One function for each kind of step builds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any

from cli.cloud.cam import SCF_SERVICE, RoleInfo, ServiceRole, ServiceRoleState
from cli.cloud.client import ApiError
from cli.cloud.scf import MAX_RETRY_CONFIG, FunctionInfo, RetryConfig, find_public_url
from cli.config import CALLBACK_URL_NAME, SINCE_NAME, TOKEN_NAME, Commands, save_since, save_token
from cli.deploy.clients import Clients
from cli.deploy.receipts import MovedReceipts, copy_missing_receipts, copy_open_notices
from cli.deploy.state import DENIED
from cli.errors import OperatorError
from cli.language import _
from cli.manifest.models import (
    FunctionSpec,
    create_function_payload,
    update_configuration_payload,
)
from cli.policy.diff import Permission, allowed_permissions, missing_permissions
from cli.redaction import is_target_secret
from shared.errors import AlreadyExists, RequestRejected

SUBMITTING_FUNCTIONS = ("upload", "sweep")
NEW_QUEUE_TIMEOUT_S = 30.0  # until a new queue or a new address is visible

_SECRETS = frozenset({TOKEN_NAME, CALLBACK_URL_NAME})  # the address ends with the token


class Action(Enum):
    """What a step does. The value is its sign in a plan."""

    CREATE = "+"
    CHANGE = "~"
    DELETE = "-"


@dataclass(frozen=True, slots=True)
class Change:
    """A field that changes from one value to another; "" is no value."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a plan: what it is about, what will be different (without secrets), and the function that does it.

    Description and fields are for people, in their language. `new_bucket` is the bucket that the step creates.
    `apply` can be called again after an interruption. It raises OperatorError (StepSkipped among them), CloudError.
    """

    action: Action
    description: str
    changes: tuple[Change, ...]
    apply: Callable[[Clients], None] = field(repr=False)
    new_bucket: str = ""


class StepSkipped(OperatorError):
    """A step could not be applied, but the others can. The message says who can do it."""


class StepOmitted(StepSkipped):
    """A step has nothing to do, because an earlier one could not be applied, and said so."""


@dataclass(frozen=True, slots=True)
class PackageRef:
    """The package to upload. `label` is the description of a function that runs it.

    `read_zip` returns the bytes of the zip. It is called only for an upload: compiling the bytecode takes seconds.
    """

    label: str
    read_zip: Callable[[], bytes] = field(repr=False)


def diff_fields(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Change, ...]:
    """The fields that differ. Of a secret only whether it is set, or changes, is shown."""
    names = [*after, *(name for name in before if name not in after)]
    return tuple(
        _describe_change(name, before.get(name, ""), after.get(name, ""))
        for name in names
        if before.get(name, "") != after.get(name, "")
    )


def _describe_change(name: str, before: str, after: str) -> Change:
    if name not in _SECRETS and not is_target_secret(name):
        return Change(name, before, after)
    if not after:
        return Change(name, _("set"), "")
    return Change(name, _("set") if before else "", _("another value") if before else _("set"))


# This machine


def save_callback_token(env_file: Path, token: str) -> Step:
    """Save a new callback token, for the next run and other machines, before anything in the cloud uses it."""
    return Step(
        Action.CREATE,
        _("callback token in {file}", file=env_file),
        diff_fields({}, {TOKEN_NAME: token}),
        lambda _clients: save_token(env_file, token),
    )


def save_first_since(env_file: Path, since: str) -> Step:
    """Save SINCE for the next run. It is not lost if that is impossible: the functions hold it too."""

    def apply(_clients: Clients) -> None:
        try:
            save_since(env_file, since)
        except OperatorError as error:
            raise StepSkipped(_("{error}; until then the deployed functions keep it", error=error)) from None

    description = _("{name} in {file}", name=SINCE_NAME, file=env_file)
    return Step(Action.CREATE, description, diff_fields({}, {SINCE_NAME: since}), apply)


# Buckets and roles


def create_bucket(bucket: str, region: str) -> Step:
    """Create a bucket, private as every bucket is by default."""

    def apply(clients: Clients) -> None:
        try:
            clients.cos(region).create_bucket(bucket)
        except AlreadyExists as error:
            if not error.possibly_own_write:
                # The name of a bucket exists in one region only.
                raise OperatorError(
                    _(
                        "bucket {bucket} exists in another region than {region}: set another name, or its region",
                        bucket=bucket,
                        region=region,
                    )
                ) from None

    changes = diff_fields({}, {_("region"): region, _("access"): _("private")})
    description = _("bucket {bucket}", bucket=bucket)
    return Step(Action.CREATE, description, changes, apply, new_bucket=bucket)


def ensure_role(name: str, document: Mapping[str, Any], current: RoleInfo | None, commands: Commands) -> Step:
    """Create a role, or update what it allows. A key that may not do that suffices if the role exists."""

    def apply(clients: Clients) -> None:
        try:
            clients.cam.ensure_role(name, document)
        except ApiError as error:
            if not error.is_denied:
                raise
            if not current or not current.trusts_scf:
                raise OperatorError(
                    _(
                        "role {role} is missing and this key may not create it ({code}): ask an administrator of CAM "
                        "to run `{command}` with the same settings, then try again",
                        role=name,
                        code=error.code,
                        command=commands.create_roles,
                    )
                ) from None
            raise StepSkipped(
                _(
                    "role {role} was not changed, because this key may not change it: ask an administrator of CAM to "
                    "run `{command}` with the same settings, then try again",
                    role=name,
                    command=commands.create_roles,
                )
            ) from None

    action = Action.CHANGE if current else Action.CREATE
    return Step(action, _("role {role}", role=name), _diff_role(document, current, commands), apply)


def _diff_role(
    document: Mapping[str, Any], current: RoleInfo | None, commands: Commands
) -> tuple[Change, ...]:
    if not current:
        allowed = _(
            "{number} permissions, listed by `{command}`",
            number=len(allowed_permissions(document)),
            command=commands.line("policy"),
        )
        return (Change(_("allows"), "", allowed),)
    trust = () if current.trusts_scf else (Change(_("trusts"), "", SCF_SERVICE),)
    return (
        *trust,
        *(Change(_("allows"), "", str(new)) for new in missing_permissions(document, current.documents)),
        *(Change(_("allows"), str(old), "") for old in extra_permissions(current, document)),
    )


def extra_permissions(current: RoleInfo, document: Mapping[str, Any]) -> list[Permission]:
    """What the role's own policy allows beyond the document. Its other policies are not ours."""
    allowed = {
        permission
        for name, attached in zip(current.policies, current.documents, strict=True)
        if name == current.name
        for permission in allowed_permissions(attached)
    }
    return sorted(allowed - allowed_permissions(document))


def delete_role(name: str) -> Step:
    """Delete a role that scribe created, with its policy. If the key may not, it stays: it costs nothing."""

    def apply(clients: Clients) -> None:
        try:
            clients.cam.delete_role(name)
        except ApiError as error:
            if not error.is_denied:
                raise
            raise StepSkipped(
                _(
                    "role {role} was not deleted, because this key may not delete it: ask an administrator of CAM to "
                    "delete it and the policy of the same name",
                    role=name,
                )
            ) from None

    return Step(Action.DELETE, _("role {role} and its policy", role=name), (), apply)


def ensure_service_role(role: ServiceRole, state: ServiceRoleState) -> Step:
    """Create the role that a service of Tencent needs, or complete it; else say where one click does that."""

    def apply(clients: Clients) -> None:
        try:
            clients.cam.ensure_service_role(role)
        except ApiError as error:
            if not error.is_denied:
                raise
            problem = _(
                "{problem}, and this key may not change that ({code}): {advice}",
                problem=state.describe_problem(role),
                code=error.code,
                advice=role.advice,
            )
            if state.is_usable:
                raise StepSkipped(problem) from None
            raise OperatorError(_("{problem}; then run this again", problem=problem)) from None

    trust = () if state.is_trusted else (Change(_("trusts"), "", role.service),)
    policies = tuple(Change(_("policy"), "", name) for name in state.missing_policies)
    action = Action.CHANGE if state.exists else Action.CREATE
    return Step(action, _("service role {role}", role=role.name), (*trust, *policies), apply)


# Receipts


def copy_receipts_step(move: MovedReceipts, count: int | None) -> Step:
    """Copy the receipts to where the new settings look for them; those that are there already stay."""
    number = () if count is None else (Change(_("finished recordings"), "", f"{count:,}"),)
    description = _("copies of the receipts of {bucket}", bucket=move.new.input_bucket)
    return _copy_step(description, move, number, copy_missing_receipts)


def copy_late_receipts_step(move: MovedReceipts) -> Step:
    """Copy what the functions wrote in the old place until their settings changed, and the notices to be sent."""

    def copy(clients: Clients, move: MovedReceipts) -> int:
        return copy_missing_receipts(clients, move) + copy_open_notices(clients, move)

    description = _("copies of the last receipts of {bucket}", bucket=move.new.input_bucket)
    return _copy_step(description, move, (), copy)


def _copy_step(
    description: str,
    move: MovedReceipts,
    more: tuple[Change, ...],
    copy: Callable[[Clients, MovedReceipts], int],
) -> Step:
    changes = (Change(_("from"), "", str(move.current)), Change(_("to"), "", str(move.new)), *more)

    def apply(clients: Clients) -> None:
        try:
            copy(clients, move)
        except RequestRejected as error:
            if error.status not in DENIED:
                raise
            raise OperatorError(
                _(
                    "{error}; to copy the receipts, this key must be allowed cos:GetObject below {current} and "
                    "cos:PutObject below {new}",
                    error=error,
                    current=f"{move.current.bucket}/{move.current.state_prefix}",
                    new=f"{move.new.bucket}/{move.new.state_prefix}",
                )
            ) from None

    return Step(Action.CREATE, description, changes, apply)


# Functions


def create_function(spec: FunctionSpec, package: PackageRef, failed: FunctionInfo | None = None) -> Step:
    """Create a function. One whose creation `failed` is deleted first: SCF would reject the name."""

    def apply(clients: Clients) -> None:
        if failed:
            clients.scf.delete_function(spec.name, spec.namespace)
        payload = {**create_function_payload(spec), "Description": package.label}
        clients.scf.create_function(payload, package.read_zip())
        clients.scf.wait_until_active(spec.name, spec.namespace)

    fields = {
        _("package"): package.label,
        _("handler"): spec.handler,
        **_describe_configuration(spec),
    }
    changes = diff_fields({}, fields)
    if failed:
        reason = _("{status} ({reason})", status=failed.status, reason=failed.status_reason)
        changes = (Change(_("status"), reason, "Active"), *changes)
    return Step(Action.CREATE, _("function {function}", function=spec.name), changes, apply)


def update_code(spec: FunctionSpec, current: FunctionInfo, package: PackageRef) -> Step:
    """Upload another package or set another handler, or repeat an update that failed.

    The label changes with the configuration, after the code.
    """

    def apply(clients: Clients) -> None:
        clients.scf.update_code(spec.name, spec.namespace, spec.handler, package.read_zip())
        clients.scf.wait_until_active(spec.name, spec.namespace)

    status = current.status if current.status.endswith("Failed") else "Active"
    changes = diff_fields(
        {_("package"): current.description, _("handler"): current.handler, _("status"): status},
        {_("package"): package.label, _("handler"): spec.handler, _("status"): "Active"},
    )
    return Step(Action.CHANGE, _("code of {function}", function=spec.name), changes, apply)


def update_configuration(spec: FunctionSpec, current: FunctionInfo, label: str) -> Step:
    """Set another configuration, or the label of another package. The handler changes with the code."""

    def apply(clients: Clients) -> None:
        clients.scf.update_configuration({**update_configuration_payload(spec), "Description": label})
        clients.scf.wait_until_active(spec.name, spec.namespace)

    # The value of a variable that serverless.yml does not have may be a password.
    variables = {
        name: value if name in spec.variables else _("set") for name, value in current.variables.items()
    }
    shown = replace(current, variables=variables)
    changes = diff_fields(
        {_("description"): current.description, **_describe_configuration(shown)},
        {_("description"): label, **_describe_configuration(spec)},
    )
    return Step(Action.CHANGE, _("function {function}", function=spec.name), changes, apply)


def add_callback_url(spec: FunctionSpec, url: str) -> FunctionSpec:
    """The function with the address, token included, that its jobs carry."""
    return replace(spec, variables={**spec.variables, CALLBACK_URL_NAME: url})


def set_callback_url(
    spec: FunctionSpec, label: str, callback: FunctionSpec, *, qualifier: str, token: str
) -> Step:
    """Give a function the address that its jobs carry, once the callback function has one."""

    def apply(clients: Clients) -> None:
        complete = add_callback_url(spec, f"{wait_for_url(clients, callback, qualifier)}/{token}")
        clients.scf.update_configuration({**update_configuration_payload(complete), "Description": label})
        clients.scf.wait_until_active(spec.name, spec.namespace)

    changes = diff_fields({}, {CALLBACK_URL_NAME: _("address of {function}", function=callback.name)})
    description = _("notification of the jobs of {function}", function=spec.name)
    return Step(Action.CHANGE, description, changes, apply)


def update_retry_config(spec: FunctionSpec, current: RetryConfig | None) -> Step:
    """Let SCF retry an event that failed as often and as long as it can."""

    def apply(clients: Clients) -> None:
        clients.scf.set_retry_config(spec.name, spec.namespace, MAX_RETRY_CONFIG)

    changes = diff_fields(_describe_retries(current), _describe_retries(MAX_RETRY_CONFIG))
    return Step(Action.CHANGE, _("retries of {function}", function=spec.name), changes, apply)


def wait_for_url(clients: Clients, callback: FunctionSpec, qualifier: str) -> str:
    """Wait for the address of a function. `qualifier` is the version or alias that has it. Raises OperatorError."""
    url = clients.poller.poll(
        lambda: find_public_url(clients.scf.list_triggers(callback.name, callback.namespace), qualifier),
        bool,
        NEW_QUEUE_TIMEOUT_S,
    )
    if not url:
        raise OperatorError(
            _("SCF gave {function} no public address; run the command again", function=callback.name)
        )
    return url


def delete_function(current: FunctionInfo) -> Step:
    """Delete a function, and its address with it."""

    def apply(clients: Clients) -> None:
        clients.scf.delete_function(current.name, current.namespace)

    return Step(Action.DELETE, _("function {function}", function=current.name), (), apply)


def _describe_configuration(function: FunctionSpec | FunctionInfo) -> dict[str, str]:
    """The configuration without the handler as texts, in the order to show it. Contains the callback token."""
    return {
        _("role"): function.role,
        _("memory"): f"{function.memory_mib} MB",
        _("timeout"): _format_seconds(function.timeout_s),
        _("initialization timeout"): _format_seconds(function.init_timeout_s),
        _("public network"): _("on") if function.public_network else _("off"),
        **function.variables,
    }


def _describe_retries(retries: RetryConfig | None) -> dict[str, str]:
    if not retries:
        return {}
    return {
        _("retries"): str(retries.attempts),
        _("maximum age of an event"): _format_seconds(retries.lifetime_s),
    }


def _format_seconds(seconds: int) -> str:
    return _("{seconds} s", seconds=seconds)
