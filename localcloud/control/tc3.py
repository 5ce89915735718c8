"""Strict verification of `TC3-HMAC-SHA256`, the signature of API 3.0.

Source of every rule: "Signature v3", 598/33161 (the same page stands in each product's API documents, with one worked
example that the tests repeat); codes: "Common error codes", 598/33169.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from localcloud.control.calls import Refusal
from localcloud.keys import Key, Keys

_LONGEST_DRIFT_S = 300
_HEADER = re.compile(
    r"TC3-HMAC-SHA256 Credential=(?P<id>[^/,\s]+)/(?P<date>\d{4}-\d\d-\d\d)/(?P<product>[a-z0-9]+)/tc3_request,"
    r"\s*SignedHeaders=(?P<headers>[a-z0-9;-]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class SignedCall:
    """What the signature can cover; header names in lower case."""

    method: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        """The first value of a header; empty when it was not sent."""
        return next((value for key, value in self.headers if key == name), "")


def signature_of(call: SignedCall, signed_headers: str, timestamp: str, scope: str, secret_key: str) -> str:
    """The hex signature; `scope` is `<date>/<product>/tc3_request`, `signed_headers` a list with semicolons."""
    # Names and values of headers are signed in lower case and without blanks around them.
    lines = "".join(
        f"{name}:{call.header(name).strip().lower()}\n" for name in sorted(signed_headers.split(";"))
    )
    body = call.body
    if call.header("x-tc-content-sha256") == "UNSIGNED-PAYLOAD":
        body = b"UNSIGNED-PAYLOAD"
    canonical = "\n".join(
        (call.method, call.path, call.query, lines, signed_headers, hashlib.sha256(body).hexdigest())
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"TC3{secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    text = f"TC3-HMAC-SHA256\n{timestamp}\n{scope}\n{digest}"
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def verify(call: SignedCall, product: str, keys: Keys, now_s: float) -> Key:
    """The key that signed a call to that product (scf, cam, sts). Raises Refusal with an AuthFailure code."""
    fields = _HEADER.fullmatch(call.header("authorization").strip())
    if fields is None:
        raise Refusal(
            "AuthFailure.InvalidAuthorization", "The Authorization header is missing or not of the form TC3."
        )
    if not {"content-type", "host"} <= set(fields["headers"].split(";")):
        raise Refusal(
            "AuthFailure.InvalidAuthorization", "SignedHeaders has to name content-type and host at least."
        )
    timestamp = call.header("x-tc-timestamp")
    _check_time(timestamp, fields["date"], now_s)
    key = keys.find(fields["id"])
    if key is None:
        raise Refusal(
            "AuthFailure.SecretIdNotFound", "The SecretId is not found, please ensure that it is correct."
        )
    _check_token(call.header("x-tc-token"), key, now_s)
    scope = f"{fields['date']}/{fields['product']}/tc3_request"
    expected = signature_of(call, fields["headers"], timestamp, scope, key.secret_key)
    if fields["product"] != product or not hmac.compare_digest(expected, fields["signature"]):
        raise Refusal(
            "AuthFailure.SignatureFailure",
            "The provided credentials could not be validated. Please check your signature is correct.",
        )
    return key


def _check_time(timestamp: str, date: str, now_s: float) -> None:
    if not re.fullmatch(r"[0-9]{1,12}", timestamp):
        raise Refusal("InvalidParameter", "X-TC-Timestamp is the Unix time in seconds.")
    if abs(int(timestamp) - now_s) > _LONGEST_DRIFT_S:
        raise Refusal(
            "AuthFailure.SignatureExpire",
            "The signature has expired: X-TC-Timestamp is more than five minutes from the server's time.",
        )
    # The date of the scope has to be that of the timestamp, in UTC.
    if datetime.fromtimestamp(int(timestamp), timezone.utc).strftime("%Y-%m-%d") != date:
        raise Refusal("AuthFailure.SignatureFailure", "The date in Credential is not that of X-TC-Timestamp.")


def _check_token(token: str, key: Key, now_s: float) -> None:
    if not hmac.compare_digest(token.encode(), key.token.encode()):
        raise Refusal("AuthFailure.TokenFailure", "The token is missing or wrong.")
    if key.expires_s is not None and key.expires_s < now_s:
        raise Refusal("AuthFailure.TokenFailure", "The token has expired.")
