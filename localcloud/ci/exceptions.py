"""What CI refuses, with its codes and its error document."""

from __future__ import annotations

from localcloud.access.documents import Need
from localcloud.asked import Problem
from localcloud.signature import Reason
from localcloud.xml import node, serialize


class CiError(Problem):
    """A refusal by CI."""


# CI error codes 460/42867: whatever is wrong with the signature is a 401.
_SIGNATURE_CODES = {
    Reason.MISSING: "MissingAuthorization",
    Reason.MALFORMED: "InvalidAuthorization",
    Reason.UNKNOWN_KEY: "SecretidNotExist",
    Reason.EXPIRED: "SignatureExpired",
    Reason.TOO_EARLY: "SignatureExpired",
    Reason.TOKEN_EXPIRED: "SignatureExpired",
    Reason.BAD_TOKEN: "InvalidAuthorization",
    Reason.BAD_SIGNATURE: "InvalidAuthorization",
}


def signature_error(reason: Reason, message: str) -> CiError:
    """The problem for a signature that does not hold."""
    return CiError(401, _SIGNATURE_CODES[reason], message)


def access_denied(denied: Need) -> CiError:
    """401 (460/42867): the signature holds, its key may not do this. The message is the stand-in's own."""
    return CiError(401, "AccessDenied", f"No policy grants {denied.action} on {denied.resource}.")


def error_body(problem: Problem, request_id: str) -> bytes:
    """The error document: CI has no Resource node, so the Python SDK calls every code of it "Unknown"."""
    return serialize(
        node(
            "Error",
            node("Code", problem.code),
            node("Message", problem.message),
            node("RequestId", request_id),
            node("TraceId", f"trace-{request_id}"),
        )
    )


def invalid_argument(message: str) -> CiError:
    """400: some parameter is wrong."""
    return CiError(400, "InvalidArgument", message)
