"""What CI refuses, with its codes and its error document."""

from __future__ import annotations

from localcloud.auth.cos_signature import SignatureErrorReason
from localcloud.auth.policy import RequiredPermission
from localcloud.http.errors import ServiceError
from localcloud.xml import document, node


class CiProblem(ServiceError):
    """A refusal by CI."""


# CI error codes 460/42867: whatever is wrong with the signature is a 401.
_REFUSALS = {
    SignatureErrorReason.MISSING: "MissingAuthorization",
    SignatureErrorReason.MALFORMED: "InvalidAuthorization",
    SignatureErrorReason.UNKNOWN_KEY: "SecretidNotExist",
    SignatureErrorReason.EXPIRED: "SignatureExpired",
    SignatureErrorReason.TOO_EARLY: "SignatureExpired",
    SignatureErrorReason.TOKEN_EXPIRED: "SignatureExpired",
    SignatureErrorReason.BAD_TOKEN: "InvalidAuthorization",
    SignatureErrorReason.BAD_SIGNATURE: "InvalidAuthorization",
}


def refusal(reason: SignatureErrorReason, message: str) -> CiProblem:
    """The problem for a signature that does not hold."""
    return CiProblem(401, _REFUSALS[reason], message)


def access_denied(denied: RequiredPermission) -> CiProblem:
    """401 (460/42867): the signature holds, its key may not do this. The message is the stand-in's own."""
    return CiProblem(401, "AccessDenied", f"No policy grants {denied.action} on {denied.resource}.")


def error_body(problem: ServiceError, request_id: str) -> bytes:
    """The error document: CI has no Resource node, so the Python SDK calls every code of it "Unknown"."""
    return document(
        node(
            "Error",
            node("Code", problem.code),
            node("Message", problem.message),
            node("RequestId", request_id),
            node("TraceId", f"trace-{request_id}"),
        )
    )


def invalid(message: str) -> CiProblem:
    """400: some parameter is wrong."""
    return CiProblem(400, "InvalidArgument", message)
