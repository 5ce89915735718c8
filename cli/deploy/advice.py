"""What to do about a failure, by its code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cli.cloud.control import ControlError
from cli.doctor.scf_role import MAKE_SCF_ROLE
from cli.errors import OperatorError
from shared.errors import CloudError

_FORBIDDEN = 403
_NETWORK = "no usable answer came: look at this machine's connection (and CLOUD_ENDPOINT)"
_PERMISSIONS = "`scribe policy deployer` prints all that this key needs"
_MEANWHILE = (
    "somebody else deploys this now, or it was made meanwhile: wait a minute, then the same command again"
)
_ROLE = (
    "if the role was made just now, wait a minute; else have somebody who may manage CAM run "
    "`scribe policy --create-role`"
)

# Beginnings of codes, the longer ones first where one begins with another (SCF and CAM error codes).
_BY_CODE = (
    ("AuthFailure.SignatureExpire", "set this machine's clock"),
    ("AuthFailure.TokenFailure", "the temporary key has expired: get a new one"),
    (
        "AuthFailure",
        "the key is unknown or its secret is wrong: look at TENCENTCLOUD_SECRET_ID and _SECRET_KEY",
    ),
    ("ClientNetworkError", _NETWORK),
    ("ServerNetworkError", _NETWORK),
    ("NoConnection", _NETWORK),
    ("NoAnswer", _NETWORK),
    ("FailedOperation.FunctionStatusError", "the function is still busy with another change: wait a minute"),
    (
        "FailedOperation.FunctionNameStatusError",
        "the function is still busy with another change: wait a minute",
    ),
    ("FailedOperation.OperationConflict", "somebody else is changing it: wait a minute"),
    ("UnauthorizedOperation.Role", f"SCF may not use the account's buckets: {MAKE_SCF_ROLE}"),
    ("UnauthorizedOperation.Region", "SCF does not serve this account in this region: choose another REGION"),
    ("UnauthorizedOperation.NotMC", "SCF takes this from its console only: do it there, then go on"),
    (
        "UnauthorizedOperation.FunctionStatus",
        "the function's state does not allow it: wait a minute, or see the function in the SCF console",
    ),
    ("FailedOperation.UnOpenedService", "open SCF once in its console"),
    ("FailedOperation.QcsRoleNotFound", MAKE_SCF_ROLE),
    ("FailedOperation.InsufficientBalance", "the account's balance is used up"),
    ("ResourceUnavailable.InsufficientBalance", "the account's balance is used up"),
    ("ResourceNotFound.Role", _ROLE),
    ("InvalidParameter.RoleCheck", _ROLE),
    ("LimitExceeded", "the account's quota is used up: delete what is not needed, or ask Tencent for more"),
    ("RequestLimitExceeded", "too many requests at once: wait a minute"),
    ("ResourceInUse", _MEANWHILE),
    ("InvalidParameter.RoleNameInUse", _MEANWHILE),
    ("FailedOperation.PolicyNameInUse", _MEANWHILE),
    ("UnsupportedRegion", "there is no such region, or SCF is not in it: look at REGION"),
    ("InternalError", "the service has trouble: wait a minute"),
)


class Explained(OperatorError):
    """A failure with what to do about it."""


def with_advice(error: Exception) -> str:
    """The error's message, and behind it what to do where its own words do not say it."""
    if isinstance(error, OSError):
        return _of_the_system(error)
    told = _permission(error) or _known(error)
    return f"{error}. What to do: {told}" if told else str(error)


@contextmanager
def telling_what_to_do(told: Callable[[str], str] = str) -> Iterator[None]:
    """Raises Explained in the stead of a failure of the cloud. `told` words what names a command or a file."""
    try:
        yield
    except (ControlError, CloudError) as error:
        raise Explained(told(with_advice(error))) from None
    except OperatorError as error:
        error.args = (told(str(error)),)
        raise


def _of_the_system(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename else reason


def _permission(error: Exception) -> str:
    if isinstance(error, ControlError) and error.is_denied:
        return f"this key lacks the permission {error.service}:{error.action}; {_PERMISSIONS}"
    # The answer to a HEAD has no body, and so no code.
    if isinstance(error, CloudError) and error.status == _FORBIDDEN and error.code in {"", "AccessDenied"}:
        return f"see that it belongs to this key's account, and that the key may do it; {_PERMISSIONS}"
    return ""


def _known(error: Exception) -> str:
    code = error.code if isinstance(error, ControlError | CloudError) else ""
    return next((told for start, told in _BY_CODE if code.startswith(start)), "")
