"""What to do about a failed request, by the code of the error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cli.cloud.cam import OPEN_GRANT_PAGE, SCF_SERVICE_ROLE
from cli.cloud.client import ApiError
from cli.config import Commands
from cli.errors import OperatorError
from cli.language import N_, _, format_exception
from cli.output import escape_line
from shared.errors import CloudError

_UNAUTHORIZED, _FORBIDDEN = 401, 403
_NETWORK = N_(
    "no usable response arrived: check the connection of this machine; with CLOUD_ENDPOINT, check that `scribe local` "
    "is running"
)
_CONCURRENT = N_(
    "another deployment may be running, or it was created in the meantime: wait a minute, then run the same command "
    "again"
)
# Both are codes of CreateTrigger (SCF error codes). A workflow of Cloud Infinite is one such other product.
_TAKEN_RULE = N_(
    "something else already receives the events of this bucket: a workflow of Cloud Infinite (COS console, the bucket, "
    "data processing, workflows), another product's rule (COS console, the bucket, event notifications and function "
    "service), or a function in another region or account. Remove that rule, narrow it to other keys, or use another "
    "INPUT_PREFIX or bucket; then run the same command again"
)
_ROLE = N_(
    "if the role was created a moment ago, wait a minute; else ask an administrator of CAM to run `{create_roles}`"
)
_BUSY = N_("the function is still busy with another change: wait a minute")
_NO_BALANCE = N_("the balance of the account is used up: top up")

# Prefixes of codes, longer ones first where one is the prefix of another (SCF and CAM error codes). The texts are
# translated where they are shown.
_BY_CODE = (
    ("AuthFailure.SignatureExpire", N_("set the clock of this machine")),
    ("AuthFailure.TokenFailure", N_("the temporary key has expired: get a new one")),
    (
        "AuthFailure",
        N_(
            "the key is unknown or its secret is wrong: check TENCENT_SECRET_ID and TENCENT_SECRET_KEY in {env_file}"
        ),
    ),
    ("ClientNetworkError", _NETWORK),
    ("ServerNetworkError", _NETWORK),
    ("NoConnection", _NETWORK),
    ("NoAnswer", _NETWORK),
    ("FailedOperation.FunctionStatusError", _BUSY),
    ("FailedOperation.FunctionNameStatusError", _BUSY),
    ("FailedOperation.OperationConflict", N_("another change is in progress: wait a minute")),
    (
        "UnauthorizedOperation.Role",
        N_(
            "SCF may not use the account's buckets: open {grant_url} as the account's owner or an administrator, and "
            "agree"
        ),
    ),
    (
        "UnauthorizedOperation.Region",
        N_("SCF does not serve this account in this region: set another REGION"),
    ),
    (
        "UnauthorizedOperation.NotMC",
        N_("SCF allows this in its console only: do it there, then run the command again"),
    ),
    (
        "UnauthorizedOperation.FunctionStatus",
        N_(
            "the state of the function does not allow it: wait a minute, or check the function in the SCF console"
        ),
    ),
    ("FailedOperation.UnOpenedService", N_("open SCF once in its console")),
    ("FailedOperation.QcsRoleNotFound", OPEN_GRANT_PAGE),
    ("FailedOperation.InsufficientBalance", _NO_BALANCE),
    ("ResourceUnavailable.InsufficientBalance", _NO_BALANCE),
    ("ResourceNotFound.Role", _ROLE),
    ("InvalidParameter.RoleCheck", _ROLE),
    (
        "LimitExceeded",
        N_("a quota of the account is used up: delete what is not needed, or ask Tencent for more"),
    ),
    ("RequestLimitExceeded", N_("too many requests at once: wait a minute")),
    ("ResourceInUse.Cos", _TAKEN_RULE),
    ("InvalidParameterValue.CosNotifyRuleConflict", _TAKEN_RULE),
    ("ResourceInUse", _CONCURRENT),
    ("InvalidParameter.RoleNameInUse", _CONCURRENT),
    ("FailedOperation.PolicyNameInUse", _CONCURRENT),
    (
        "UnsupportedRegion",
        N_("the region does not exist, or SCF is not available there: correct REGION in {env_file}"),
    ),
    ("InternalError", N_("the service has a problem: wait a minute")),
)


class DeployError(OperatorError):
    """A failed request, with what to do about it."""


def add_hint(error: Exception, commands: Commands) -> str:
    """The message of the error, followed by what to do if the message does not say it."""
    if isinstance(error, OSError):
        reason = error.strerror or str(error)
        return f"{error.filename}: {reason}" if error.filename else reason
    hint = _permission_hint(error, commands) or _code_hint(error, commands)
    # The cloud's message may quote a name with a line break.
    message = escape_line(format_exception(error))
    return _("{message}. What to do: {hint}", message=message, hint=hint) if hint else message


@contextmanager
def error_hints(commands: Commands) -> Iterator[None]:
    """Convert ApiError and CloudError to DeployError with a hint."""
    try:
        yield
    except (ApiError, CloudError) as error:
        raise DeployError(add_hint(error, commands)) from None


def _permission_hint(error: Exception, commands: Commands) -> str:
    policy = commands.show_deployer_policy
    if isinstance(error, ApiError) and error.is_denied:
        return _(
            "this key lacks the permission {permission}; `{policy}` prints the permissions that this key needs",
            permission=f"{error.service}:{error.action}",
            policy=policy,
        )
    # Cloud Infinite answers a wrong signature with the same code as a missing permission (seen in production, 2026).
    if isinstance(error, CloudError) and error.status == _UNAUTHORIZED and error.code in {"", "AccessDenied"}:
        return _(
            "this answer has one of two causes: this key lacks the permission, or the signature is wrong because of "
            "this machine's clock or a wrong secret, which `{doctor}` checks; `{policy}` prints the permissions that "
            "this key needs",
            doctor=commands.doctor,
            policy=policy,
        )
    # The response to HEAD has no body, and so no code.
    if isinstance(error, CloudError) and error.status == _FORBIDDEN and error.code in {"", "AccessDenied"}:
        return _(
            "check that it belongs to the account of this key, and that the key has the permission; `{policy}` prints "
            "the permissions that this key needs",
            policy=policy,
        )
    return ""


def _code_hint(error: Exception, commands: Commands) -> str:
    code = error.code if isinstance(error, ApiError | CloudError) else ""
    hint = next((hint for prefix, hint in _BY_CODE if code.startswith(prefix)), "")
    if not hint:
        return ""
    return _(
        hint,
        env_file=commands.env_file,
        create_roles=commands.create_roles,
        grant_url=SCF_SERVICE_ROLE.grant_url,
    )
