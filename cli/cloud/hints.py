"""What to do about a failed request, by the code of the error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cli.cloud.cam import CREATE_SCF_ROLE
from cli.cloud.client import ApiError
from cli.config import Commands
from cli.errors import OperatorError
from cli.output import escape_line
from shared.errors import CloudError

_UNAUTHORIZED, _FORBIDDEN = 401, 403
_NETWORK = (
    "no usable response arrived: check the connection of this machine; with CLOUD_ENDPOINT, check that `scribe local` "
    "is running"
)
_CONCURRENT = (
    "another deployment may be running, or it was created in the meantime: wait a minute, then run the same command "
    "again"
)
# Both are codes of CreateTrigger (SCF error codes). A workflow of Cloud Infinite is one such other product.
_TAKEN_RULE = (
    "something else already receives the events of this bucket: a workflow of Cloud Infinite (COS console, the bucket, "
    "data processing, workflows), another product's rule (COS console, the bucket, event notifications and function "
    "service), or a function in another region or account. Remove that rule, narrow it to other keys, or use another "
    "INPUT_PREFIX or bucket; then run the same command again"
)
_ROLE = "if the role was created a moment ago, wait a minute; else ask an administrator of CAM to run `{create_roles}`"
_BUSY = "the function is still busy with another change: wait a minute"
_NO_BALANCE = "the balance of the account is used up: top up"

# Prefixes of codes, longer ones first where one is the prefix of another (SCF and CAM error codes).
_BY_CODE = (
    ("AuthFailure.SignatureExpire", "set the clock of this machine"),
    ("AuthFailure.TokenFailure", "the temporary key has expired: get a new one"),
    (
        "AuthFailure",
        "the key is unknown or its secret is wrong: check TENCENT_SECRET_ID and TENCENT_SECRET_KEY in {env_file}",
    ),
    ("ClientNetworkError", _NETWORK),
    ("ServerNetworkError", _NETWORK),
    ("NoConnection", _NETWORK),
    ("NoAnswer", _NETWORK),
    ("FailedOperation.FunctionStatusError", _BUSY),
    ("FailedOperation.FunctionNameStatusError", _BUSY),
    ("FailedOperation.OperationConflict", "another change is in progress: wait a minute"),
    ("UnauthorizedOperation.Role", f"SCF may not use the account's buckets: {CREATE_SCF_ROLE}"),
    ("UnauthorizedOperation.Region", "SCF does not serve this account in this region: set another REGION"),
    (
        "UnauthorizedOperation.NotMC",
        "SCF allows this in its console only: do it there, then run the command again",
    ),
    (
        "UnauthorizedOperation.FunctionStatus",
        "the state of the function does not allow it: wait a minute, or check the function in the SCF console",
    ),
    ("FailedOperation.UnOpenedService", "open SCF once in its console"),
    ("FailedOperation.QcsRoleNotFound", CREATE_SCF_ROLE),
    ("FailedOperation.InsufficientBalance", _NO_BALANCE),
    ("ResourceUnavailable.InsufficientBalance", _NO_BALANCE),
    ("ResourceNotFound.Role", _ROLE),
    ("InvalidParameter.RoleCheck", _ROLE),
    (
        "LimitExceeded",
        "a quota of the account is used up: delete what is not needed, or ask Tencent for more",
    ),
    ("RequestLimitExceeded", "too many requests at once: wait a minute"),
    ("ResourceInUse.Cos", _TAKEN_RULE),
    ("InvalidParameterValue.CosNotifyRuleConflict", _TAKEN_RULE),
    ("ResourceInUse", _CONCURRENT),
    ("InvalidParameter.RoleNameInUse", _CONCURRENT),
    ("FailedOperation.PolicyNameInUse", _CONCURRENT),
    (
        "UnsupportedRegion",
        "the region does not exist, or SCF is not available there: correct REGION in {env_file}",
    ),
    ("InternalError", "the service has a problem: wait a minute"),
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
    message = escape_line(str(error))
    return f"{message}. What to do: {hint}" if hint else message


@contextmanager
def error_hints(commands: Commands) -> Iterator[None]:
    """Convert ApiError and CloudError to DeployError with a hint."""
    try:
        yield
    except (ApiError, CloudError) as error:
        raise DeployError(add_hint(error, commands)) from None


def _permission_hint(error: Exception, commands: Commands) -> str:
    needed = f"`{commands.show_deployer_policy}` prints the permissions that this key needs"
    if isinstance(error, ApiError) and error.is_denied:
        return f"this key lacks the permission {error.service}:{error.action}; {needed}"
    # Cloud Infinite answers a wrong signature with the same code as a missing permission (seen in production, 2026).
    if isinstance(error, CloudError) and error.status == _UNAUTHORIZED and error.code in {"", "AccessDenied"}:
        return (
            "this answer has one of two causes: this key lacks the permission, or the signature is wrong because of "
            f"this machine's clock or a wrong secret, which `{commands.doctor}` checks; {needed}"
        )
    # The response to HEAD has no body, and so no code.
    if isinstance(error, CloudError) and error.status == _FORBIDDEN and error.code in {"", "AccessDenied"}:
        return (
            f"check that it belongs to the account of this key, and that the key has the permission; {needed}"
        )
    return ""


def _code_hint(error: Exception, commands: Commands) -> str:
    code = error.code if isinstance(error, ApiError | CloudError) else ""
    hint = next((hint for prefix, hint in _BY_CODE if code.startswith(prefix)), "")
    return hint.format(env_file=commands.env_file, create_roles=commands.create_roles)
