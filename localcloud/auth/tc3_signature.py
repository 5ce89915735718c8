"""Strict verification of `TC3-HMAC-SHA256`, the signature of API 3.0.

Source of every rule: "Signature v3", 598/33161 (each product's API documents contain the same page, with one worked
example that the tests repeat); codes: "Common error codes", 598/33169.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from localcloud.api3.models import ApiError
from localcloud.auth.credentials import Credential, CredentialStore

_MAX_CLOCK_SKEW_S = 300
_HEADER = re.compile(
    r"TC3-HMAC-SHA256 Credential=(?P<id>[^/,\s]+)/(?P<date>\d{4}-\d\d-\d\d)/(?P<product>[a-z0-9]+)/tc3_request,"
    r"\s*SignedHeaders=(?P<headers>[a-z0-9;-]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class SignedApiRequest:
    """The parts that the signature can cover; header names in lower case."""

    method: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        """Return the first value of a header; empty if it was not sent."""
        return next((value for key, value in self.headers if key == name), "")


def compute_signature(
    request: SignedApiRequest, signed_headers: str, timestamp: str, scope: str, secret_key: str
) -> str:
    """Compute the hex signature.

    `scope` is `<date>/<product>/tc3_request`, `signed_headers` a list with semicolons.
    """
    # Names and values of headers are signed in lower case and without blanks around them.
    header_lines = "".join(
        f"{name}:{request.header(name).strip().lower()}\n" for name in sorted(signed_headers.split(";"))
    )
    body = request.body
    if request.header("x-tc-content-sha256") == "UNSIGNED-PAYLOAD":
        body = b"UNSIGNED-PAYLOAD"
    canonical_request = "\n".join(
        (
            request.method,
            request.path,
            request.query,
            header_lines,
            signed_headers,
            hashlib.sha256(body).hexdigest(),
        )
    )
    digest = hashlib.sha256(canonical_request.encode()).hexdigest()
    key = f"TC3{secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    string_to_sign = f"TC3-HMAC-SHA256\n{timestamp}\n{scope}\n{digest}"
    return hmac.new(key, string_to_sign.encode(), hashlib.sha256).hexdigest()


def verify_signature(
    request: SignedApiRequest, product: str, credentials: CredentialStore, now_s: float
) -> Credential:
    """Return the credential that signed a request to a product (scf, cam, sts).

    Raises ApiError with an AuthFailure code.
    """
    fields = _HEADER.fullmatch(request.header("authorization").strip())
    if fields is None:
        raise ApiError(
            "AuthFailure.InvalidAuthorization",
            "The Authorization header is missing or does not have the form of TC3.",
        )
    if not {"content-type", "host"} <= set(fields["headers"].split(";")):
        raise ApiError(
            "AuthFailure.InvalidAuthorization", "SignedHeaders must contain content-type and host."
        )
    timestamp = request.header("x-tc-timestamp")
    _check_time(timestamp, fields["date"], now_s)
    credential = credentials.get(fields["id"])
    if credential is None:
        raise ApiError(
            "AuthFailure.SecretIdNotFound", "The SecretId is not found, please ensure that it is correct."
        )
    _check_token(request.header("x-tc-token"), credential, now_s)
    scope = f"{fields['date']}/{fields['product']}/tc3_request"
    expected = compute_signature(request, fields["headers"], timestamp, scope, credential.secret_key)
    if fields["product"] != product or not hmac.compare_digest(expected, fields["signature"]):
        raise ApiError(
            "AuthFailure.SignatureFailure",
            "The provided credentials could not be validated. Please check your signature is correct.",
        )
    return credential


def _check_time(timestamp: str, date: str, now_s: float) -> None:
    if not re.fullmatch(r"[0-9]{1,12}", timestamp):
        raise ApiError("InvalidParameter", "X-TC-Timestamp must be the Unix time in seconds.")
    if abs(int(timestamp) - now_s) > _MAX_CLOCK_SKEW_S:
        raise ApiError(
            "AuthFailure.SignatureExpire",
            "The signature has expired: X-TC-Timestamp is more than five minutes from the server's time.",
        )
    # The date of the scope must be that of the timestamp, in UTC.
    if datetime.fromtimestamp(int(timestamp), timezone.utc).strftime("%Y-%m-%d") != date:
        raise ApiError(
            "AuthFailure.SignatureFailure", "The date in Credential is not that of X-TC-Timestamp."
        )


def _check_token(token: str, credential: Credential, now_s: float) -> None:
    if not hmac.compare_digest(token.encode(), credential.token.encode()):
        raise ApiError("AuthFailure.TokenFailure", "The token is missing or wrong.")
    if credential.expires_s is not None and credential.expires_s < now_s:
        raise ApiError("AuthFailure.TokenFailure", "The token has expired.")
