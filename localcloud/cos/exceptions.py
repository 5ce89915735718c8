"""COS's errors: codes, and the error document.

ServiceError
  CosError     every error that COS responds with
"""

from __future__ import annotations

from localcloud.auth.cos_signature import SignatureErrorReason
from localcloud.auth.policy import RequiredPermission
from localcloud.http.errors import ServiceError
from localcloud.xml import node, serialize


class CosError(ServiceError):
    """An error of COS, with its status and code."""


# COS error codes 436/7730: a missing or expired signature is an AccessDenied too.
_SIGNATURE_ERRORS = {
    SignatureErrorReason.MISSING: (403, "AccessDenied"),
    SignatureErrorReason.MALFORMED: (403, "AccessDenied"),
    SignatureErrorReason.UNKNOWN_KEY: (403, "InvalidAccessKeyId"),
    SignatureErrorReason.EXPIRED: (403, "AccessDenied"),
    SignatureErrorReason.TOO_EARLY: (403, "RequestTimeTooSkewed"),
    SignatureErrorReason.TOKEN_EXPIRED: (403, "ExpiredToken"),
    SignatureErrorReason.BAD_TOKEN: (403, "AccessDenied"),
    SignatureErrorReason.BAD_SIGNATURE: (403, "SignatureDoesNotMatch"),
}


def signature_error(reason: SignatureErrorReason, message: str) -> CosError:
    """Build the error for an invalid signature."""
    status, code = _SIGNATURE_ERRORS[reason]
    return CosError(status, code, message)


def error_body(error: ServiceError, resource: str, request_id: str) -> bytes:
    """Render the error document. The Python SDK reads the code only if none of these elements is empty."""
    return serialize(
        node(
            "Error",
            node("Code", error.code),
            node("Message", error.message),
            node("Resource", resource),
            node("RequestId", request_id),
            node("TraceId", f"trace-{request_id}"),
        )
    )


def access_denied(denied: RequiredPermission) -> CosError:
    """Build the 403 for a valid signature without permission. The message is the stand-in's own."""
    return CosError(403, "AccessDenied", f"No policy grants {denied.action} on {denied.resource}.")


def object_denied() -> CosError:
    """Build the 403 for one object that a policy denies, whatever else the credential may read."""
    return CosError(403, "AccessDenied", "Access Denied.")


def customer_key_needed() -> CosError:
    """Build the 400 for a read of an SSE-C object without its key, or with another one.

    The code is one of COS's list (as the public client flare has it); that it is the code of this case is unconfirmed.
    """
    return CosError(400, "SsecDecryptHeaderInvalid", "The object was stored with a key of the customer.")


def invalid_object_state(message: str) -> CosError:
    """Build the 403 for an archived object (436/7753)."""
    return CosError(403, "InvalidObjectState", message)


def no_such_bucket() -> CosError:
    """Build the 404 for a bucket that does not exist in that region."""
    return CosError(404, "NoSuchBucket", "The specified bucket does not exist.")


def no_such_key() -> CosError:
    """Build the 404 for an object that does not exist in an existing bucket."""
    return CosError(404, "NoSuchKey", "The specified key does not exist.")


def no_such_upload() -> CosError:
    """Build the 404 for an unknown, completed or aborted upload id."""
    return CosError(404, "NoSuchUpload", "The specified multipart upload does not exist.")


def invalid_argument(message: str) -> CosError:
    """Build the 400 for a parameter or header with an impossible value."""
    return CosError(400, "InvalidArgument", message)


def not_implemented(what: str) -> CosError:
    """Build the 501 for what the real service can do and this stand-in cannot."""
    return CosError(501, "NotImplemented", f"This stand-in does not offer {what}.")
