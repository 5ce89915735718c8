"""CI's errors: codes, and the error document.

ServiceError
  CiError      every error that CI responds with
"""

from __future__ import annotations

from localcloud.auth.cos_signature import SignatureErrorReason
from localcloud.auth.policy import RequiredPermission
from localcloud.http.errors import ServiceError
from localcloud.xml import node, serialize


class CiError(ServiceError):
    """An error of CI, with its status and code."""


# CI error codes 460/42867: every error of the signature is a 401.
_SIGNATURE_CODES = {
    SignatureErrorReason.MISSING: "MissingAuthorization",
    SignatureErrorReason.MALFORMED: "InvalidAuthorization",
    SignatureErrorReason.UNKNOWN_KEY: "SecretidNotExist",
    SignatureErrorReason.EXPIRED: "SignatureExpired",
    SignatureErrorReason.TOO_EARLY: "SignatureExpired",
    SignatureErrorReason.TOKEN_EXPIRED: "SignatureExpired",
    SignatureErrorReason.BAD_TOKEN: "InvalidAuthorization",
    SignatureErrorReason.BAD_SIGNATURE: "InvalidAuthorization",
}


# A production log of 2026-07-15 has 401 AccessDenied for a signature that did not match, where permissions and roles
# were right. That an expired signature gets the same code is unconfirmed.
_LIVE_ACCESS_DENIED = frozenset(_SIGNATURE_CODES) - {
    SignatureErrorReason.MISSING,
    SignatureErrorReason.MALFORMED,
    SignatureErrorReason.UNKNOWN_KEY,
}


def signature_error(reason: SignatureErrorReason, message: str, *, is_access_denied: bool = True) -> CiError:
    """Build the 401 for an invalid signature.

    `is_access_denied`: a wrong or expired one gets AccessDenied, as in the live record, not its code of the document.
    """
    if is_access_denied and reason in _LIVE_ACCESS_DENIED:
        return CiError(401, "AccessDenied", message)
    return CiError(401, _SIGNATURE_CODES[reason], message)


def access_denied(denied: RequiredPermission) -> CiError:
    """Build the 401 for a valid signature without permission (460/42867). The message is the stand-in's own."""
    return CiError(401, "AccessDenied", f"No policy grants {denied.action} on {denied.resource}.")


def error_body(error: ServiceError, request_id: str) -> bytes:
    """Render the error document. It has no Resource, so the Python SDK reports every code of CI as "Unknown"."""
    return serialize(
        node(
            "Error",
            node("Code", error.code),
            node("Message", error.message),
            node("RequestId", request_id),
            node("TraceId", f"trace-{request_id}"),
        )
    )


def invalid_argument(message: str) -> CiError:
    """Build the 400 for a wrong parameter."""
    return CiError(400, "InvalidArgument", message)
