"""What COS refuses, with its codes and its error document."""

from __future__ import annotations

from localcloud.access.documents import Need
from localcloud.asked import Problem
from localcloud.signature import Reason
from localcloud.xml import node, serialize


class CosError(Problem):
    """A refusal by COS."""


# COS error codes 436/7730: AccessDenied is also the answer to a missing or expired signature.
_SIGNATURE_ERRORS = {
    Reason.MISSING: (403, "AccessDenied"),
    Reason.MALFORMED: (403, "AccessDenied"),
    Reason.UNKNOWN_KEY: (403, "InvalidAccessKeyId"),
    Reason.EXPIRED: (403, "AccessDenied"),
    Reason.TOO_EARLY: (403, "RequestTimeTooSkewed"),
    Reason.TOKEN_EXPIRED: (403, "ExpiredToken"),
    Reason.BAD_TOKEN: (403, "AccessDenied"),
    Reason.BAD_SIGNATURE: (403, "SignatureDoesNotMatch"),
}


def signature_error(reason: Reason, message: str) -> CosError:
    """The problem for a signature that does not hold."""
    status, code = _SIGNATURE_ERRORS[reason]
    return CosError(status, code, message)


def error_body(problem: Problem, resource: str, request_id: str) -> bytes:
    """The error document. The Python SDK reads a code only when all of these nodes hold something."""
    return serialize(
        node(
            "Error",
            node("Code", problem.code),
            node("Message", problem.message),
            node("Resource", resource),
            node("RequestId", request_id),
            node("TraceId", f"trace-{request_id}"),
        )
    )


def access_denied(denied: Need) -> CosError:
    """403: the signature holds, its key may not do this. The message is the stand-in's own, to find what is missing."""
    return CosError(403, "AccessDenied", f"No policy grants {denied.action} on {denied.resource}.")


def no_such_bucket() -> CosError:
    """404: no bucket of that name in that region."""
    return CosError(404, "NoSuchBucket", "The specified bucket does not exist.")


def no_such_key() -> CosError:
    """404: the bucket is there, the object is not."""
    return CosError(404, "NoSuchKey", "The specified key does not exist.")


def no_such_upload() -> CosError:
    """404: unknown, completed or aborted upload id."""
    return CosError(404, "NoSuchUpload", "The specified multipart upload does not exist.")


def invalid_argument(message: str) -> CosError:
    """400: a parameter or header has an impossible value."""
    return CosError(400, "InvalidArgument", message)


def not_implemented(what: str) -> CosError:
    """501: the real service can do it, this stand-in cannot."""
    return CosError(501, "NotImplemented", f"This stand-in does not offer {what}.")
