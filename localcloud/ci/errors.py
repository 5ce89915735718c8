"""What CI refuses, with its codes and its error document."""

from __future__ import annotations

from localcloud.access.documents import Need
from localcloud.asked import Problem
from localcloud.signature import Reason
from localcloud.xml import document, node


class CiProblem(Problem):
    """A refusal by CI."""


# CI error codes 460/42867: whatever is wrong with the signature is a 401.
_REFUSALS = {
    Reason.MISSING: "MissingAuthorization",
    Reason.MALFORMED: "InvalidAuthorization",
    Reason.UNKNOWN_KEY: "SecretidNotExist",
    Reason.EXPIRED: "SignatureExpired",
    Reason.TOO_EARLY: "SignatureExpired",
    Reason.TOKEN_EXPIRED: "SignatureExpired",
    Reason.BAD_TOKEN: "InvalidAuthorization",
    Reason.BAD_SIGNATURE: "InvalidAuthorization",
}


def refusal(reason: Reason, message: str) -> CiProblem:
    """The problem for a signature that does not hold."""
    return CiProblem(401, _REFUSALS[reason], message)


def access_denied(denied: Need) -> CiProblem:
    """401 (460/42867): the signature holds, its key may not do this. The message is the stand-in's own."""
    return CiProblem(401, "AccessDenied", f"No policy grants {denied.action} on {denied.resource}.")


def error_body(problem: Problem, request_id: str) -> bytes:
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
