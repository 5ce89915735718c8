"""What COS refuses, with its codes and its error document."""

from __future__ import annotations

from localcloud.auth.cos_signature import SignatureErrorReason
from localcloud.auth.policy import RequiredPermission
from localcloud.http.errors import ServiceError
from localcloud.xml import document, node


class CosProblem(ServiceError):
    """A refusal by COS."""


# COS error codes 436/7730: AccessDenied is also the answer to a missing or expired signature.
_REFUSALS = {
    SignatureErrorReason.MISSING: (403, "AccessDenied"),
    SignatureErrorReason.MALFORMED: (403, "AccessDenied"),
    SignatureErrorReason.UNKNOWN_KEY: (403, "InvalidAccessKeyId"),
    SignatureErrorReason.EXPIRED: (403, "AccessDenied"),
    SignatureErrorReason.TOO_EARLY: (403, "RequestTimeTooSkewed"),
    SignatureErrorReason.TOKEN_EXPIRED: (403, "ExpiredToken"),
    SignatureErrorReason.BAD_TOKEN: (403, "AccessDenied"),
    SignatureErrorReason.BAD_SIGNATURE: (403, "SignatureDoesNotMatch"),
}


def refusal(reason: SignatureErrorReason, message: str) -> CosProblem:
    """The problem for a signature that does not hold."""
    status, code = _REFUSALS[reason]
    return CosProblem(status, code, message)


def error_body(problem: ServiceError, resource: str, request_id: str) -> bytes:
    """The error document. The Python SDK reads a code only when all of these nodes hold something."""
    return document(
        node(
            "Error",
            node("Code", problem.code),
            node("Message", problem.message),
            node("Resource", resource),
            node("RequestId", request_id),
            node("TraceId", f"trace-{request_id}"),
        )
    )


def access_denied(denied: RequiredPermission) -> CosProblem:
    """403: the signature holds, its key may not do this. The message is the stand-in's own, to find what is missing."""
    return CosProblem(403, "AccessDenied", f"No policy grants {denied.action} on {denied.resource}.")


def no_such_bucket() -> CosProblem:
    """404: no bucket of that name in that region."""
    return CosProblem(404, "NoSuchBucket", "The specified bucket does not exist.")


def no_such_key() -> CosProblem:
    """404: the bucket is there, the object is not."""
    return CosProblem(404, "NoSuchKey", "The specified key does not exist.")


def no_such_upload() -> CosProblem:
    """404: unknown, completed or aborted upload id."""
    return CosProblem(404, "NoSuchUpload", "The specified multipart upload does not exist.")


def invalid(message: str) -> CosProblem:
    """400: a parameter or header has an impossible value."""
    return CosProblem(400, "InvalidArgument", message)


def not_implemented(what: str) -> CosProblem:
    """501: the real service can do it, this stand-in cannot."""
    return CosProblem(501, "NotImplemented", f"This stand-in does not offer {what}.")
