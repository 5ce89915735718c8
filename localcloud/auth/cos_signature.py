"""Strict verification of `q-sign-*` signatures, in the Authorization header or in a presigned URL.

Source of every rule: COS "Request Signature" 436/7778; golden vectors of PUT, GET and CI calls are in the tests.
The signed names are taken from q-header-list and q-url-param-list; the rest of the request is not covered.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from localcloud.auth.credentials import Credential, CredentialStore
from localcloud.http.forms import Form
from localcloud.http.hosts import strip_port

_FIELDS = (
    "q-sign-algorithm",
    "q-ak",
    "q-sign-time",
    "q-key-time",
    "q-header-list",
    "q-url-param-list",
    "q-signature",
)
_WINDOW = re.compile(r"([0-9]{1,15});([0-9]{1,15})")
COS_TOKEN_HEADERS = ("x-cos-security-token",)
# The SDKs disagree on the header's name for CI, and PHP sends both.
CI_TOKEN_HEADERS = ("x-cos-security-token", "x-ci-security-token")


class SignatureErrorReason(Enum):
    """Why a signature is rejected; COS and CI each have their own codes for these."""

    MISSING = "no signature"
    MALFORMED = "the signature does not have the documented form"
    UNKNOWN_KEY = "unknown secret id"
    EXPIRED = "the signature has expired"
    TOO_EARLY = "the signature is not valid yet"
    TOKEN_EXPIRED = "the temporary key has expired"
    BAD_TOKEN = "the security token is missing, wrong or not signed"
    BAD_SIGNATURE = "the signature does not match"


class SignatureError(Exception):
    """The signature of a request is not valid."""

    def __init__(self, reason: SignatureErrorReason, detail: str = "") -> None:
        super().__init__(f"{reason.value}{': ' + detail if detail else ''}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """The parts that a signature can cover: decoded path, decoded query pairs, headers with lower-case names."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: tuple[tuple[str, str], ...]

    def header(self, name: str) -> str | None:
        """Return the first value of a header."""
        return next((value for key, value in self.headers if key == name), None)

    def parameter(self, name: str) -> str | None:
        """Return the first value of a query parameter."""
        return next((value for key, value in self.query if key == name), None)


@lru_cache(maxsize=4096)  # hosts, tokens and names repeat in every request
def percent_encode(text: str) -> str:
    """Percent-encode a name or a value: all but letters, digits and `-_.~`, in upper-case hex."""
    return quote(text, safe="-_.~")


def _canonicalize(pairs: Iterable[tuple[str, str]], signed_names: set[str]) -> str | None:
    """Build the `k=v&k=v` line of the signed names, or None if one of them was not sent."""
    values_by_name: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in pairs:
        if (encoded_name := percent_encode(name).lower()) in signed_names:
            values_by_name[encoded_name].append(percent_encode(value))
    if len(values_by_name) < len(signed_names):
        return None
    # Repeated names keep all their values, in order of the values (the Go SDK's rule).
    return "&".join(
        f"{name}={value}" for name in sorted(signed_names) for value in sorted(values_by_name[name])
    )


def compute_signature(
    request: SignedRequest,
    secret_key: str,
    key_time: str,
    sign_time: str,
    header_names: set[str],
    parameter_names: set[str],
) -> str | None:
    """Compute the hex signature over the named headers and parameters; None if one of them was not sent."""
    parameter_line = _canonicalize(request.query, parameter_names)
    header_line = _canonicalize(request.headers, header_names)
    if parameter_line is None or header_line is None:
        return None
    http_string = f"{request.method.lower()}\n{request.path}\n{parameter_line}\n{header_line}\n"
    digest = hashlib.sha1(http_string.encode()).hexdigest()
    sign_key = hmac.new(secret_key.encode(), key_time.encode(), hashlib.sha1).hexdigest()
    return hmac.new(sign_key.encode(), f"sha1\n{sign_time}\n{digest}\n".encode(), hashlib.sha1).hexdigest()


def _parse_signature_fields(request: SignedRequest) -> tuple[Mapping[str, str], bool]:
    """Return the seven q-* fields and whether they were in the query (a presigned URL)."""
    header = request.header("authorization")
    if header:
        pairs = [part.partition("=")[::2] for part in header.strip().split("&")]
        is_presigned = False
    else:
        pairs = [(name, value) for name, value in request.query if name in _FIELDS]
        is_presigned = True
    if not pairs:
        raise SignatureError(SignatureErrorReason.MISSING)
    fields = dict(pairs)
    if set(fields) != set(_FIELDS) or len(pairs) != len(_FIELDS) or fields["q-sign-algorithm"] != "sha1":
        raise SignatureError(
            SignatureErrorReason.MALFORMED,
            "seven q-* fields are needed, each once, with q-sign-algorithm=sha1",
        )
    return fields, is_presigned


def _check_window(window: str, now_s: float) -> None:
    match = _WINDOW.fullmatch(window)
    if match is None:
        raise SignatureError(SignatureErrorReason.MALFORMED, "a time must be <start>;<end> in Unix seconds")
    # Whether the service tolerates some minutes before the start, as S3 does, is unconfirmed.
    if int(match[1]) > now_s:
        raise SignatureError(SignatureErrorReason.TOO_EARLY)
    if int(match[2]) < now_s:
        raise SignatureError(SignatureErrorReason.EXPIRED)


def _parse_names(text: str) -> set[str]:
    return {name.lower() for name in text.split(";") if name}


def _check_token(
    request: SignedRequest,
    credential: Credential,
    signed_headers: set[str],
    token_headers: tuple[str, ...],
    now_s: float,
) -> None:
    headers = [(name, value) for name, value in request.headers if name in token_headers]
    parameter = request.parameter("x-cos-security-token")
    if not credential.token and not headers and parameter is None:
        return
    tokens = [value for _, value in headers] + ([parameter] if parameter is not None else [])
    expected = credential.token.encode()
    if not tokens or not all(hmac.compare_digest(token.encode(), expected) for token in tokens):
        raise SignatureError(SignatureErrorReason.BAD_TOKEN)
    if any(name not in signed_headers for name, _ in headers):
        raise SignatureError(
            SignatureErrorReason.BAD_TOKEN, "the token header must be one of the signed headers"
        )
    if credential.expires_s is not None and credential.expires_s < now_s:
        raise SignatureError(SignatureErrorReason.TOKEN_EXPIRED)


def verify_signature(
    request: SignedRequest,
    credentials: CredentialStore,
    now_s: float,
    token_headers: tuple[str, ...] = CI_TOKEN_HEADERS,
) -> Credential:
    """Return the credential that signed a request; its token may be in any of these headers. Raises SignatureError."""
    fields, is_presigned = _parse_signature_fields(request)
    credential = credentials.get(fields["q-ak"])
    if credential is None:
        raise SignatureError(SignatureErrorReason.UNKNOWN_KEY)
    for window in {fields["q-sign-time"], fields["q-key-time"]}:
        _check_window(window, now_s)
    header_names, parameter_names = (
        _parse_names(fields["q-header-list"]),
        _parse_names(fields["q-url-param-list"]),
    )
    _check_token(request, credential, header_names, token_headers, now_s)
    query = tuple(pair for pair in request.query if not (is_presigned and pair[0] in _FIELDS))
    for headers in _header_variants(request):
        expected = compute_signature(
            SignedRequest(request.method, request.path, query, headers),
            credential.secret_key,
            fields["q-key-time"],
            fields["q-sign-time"],
            header_names,
            parameter_names,
        )
        if expected is not None and hmac.compare_digest(expected.encode(), fields["q-signature"].encode()):
            return credential
    raise SignatureError(SignatureErrorReason.BAD_SIGNATURE)


def verify_form_signature(form: Form, bucket: str, credentials: CredentialStore, now_s: float) -> Credential:
    """Return the credential that signed the policy of POST Object, which has a signature of its own (436/14690).

    Raises SignatureError, also when the policy has expired or does not hold for the form.
    """
    fields = form.fields
    if "policy" not in fields or "q-signature" not in fields:
        raise SignatureError(SignatureErrorReason.MISSING)
    credential = credentials.get(fields.get("q-ak", ""))
    if credential is None:
        raise SignatureError(SignatureErrorReason.UNKNOWN_KEY)
    _check_window(fields.get("q-key-time", ""), now_s)
    if not hmac.compare_digest(fields.get("x-cos-security-token", "").encode(), credential.token.encode()):
        raise SignatureError(SignatureErrorReason.BAD_TOKEN)
    if credential.expires_s is not None and credential.expires_s < now_s:
        raise SignatureError(SignatureErrorReason.TOKEN_EXPIRED)
    try:
        text = base64.b64decode(fields["policy"], validate=True)
        policy = json.loads(text)
        expiration = datetime.fromisoformat(str(policy["expiration"]).replace("Z", "+00:00"))
        conditions = [_parse_condition(condition) for condition in policy["conditions"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SignatureError(SignatureErrorReason.MALFORMED, "the policy is not valid") from error
    sign_key = hmac.new(
        credential.secret_key.encode(), fields["q-key-time"].encode(), hashlib.sha1
    ).hexdigest()
    digest = hashlib.sha1(text).hexdigest()
    expected = hmac.new(sign_key.encode(), digest.encode(), hashlib.sha1).hexdigest()
    if not hmac.compare_digest(expected.encode(), fields["q-signature"].encode()):
        raise SignatureError(SignatureErrorReason.BAD_SIGNATURE)
    if expiration.timestamp() < now_s:
        raise SignatureError(SignatureErrorReason.EXPIRED)
    # The condition on q-sign-time is on the field q-key-time.
    values = {**fields, "bucket": bucket, "key": form.key, "q-sign-time": fields["q-key-time"]}
    for operator, name, text_value in conditions:
        value = values.get(name.lower(), "")
        if not (value.startswith(text_value) if operator == "starts-with" else value == text_value):
            raise SignatureError(SignatureErrorReason.MALFORMED, f"the policy does not allow this {name}")
    return credential


def _parse_condition(condition: Any) -> tuple[str, str, str]:
    """Parse `{name: value}` or `[operator, "$name", value]`; a range of lengths is not checked."""
    if isinstance(condition, dict):
        ((name, value),) = condition.items()
        return "eq", str(name), str(value)
    operator, name, value = condition
    if operator == "content-length-range":
        return "starts-with", "", ""
    return str(operator), str(name).removeprefix("$"), str(value)


def _header_variants(request: SignedRequest) -> Iterable[tuple[tuple[str, str], ...]]:
    """Yield the headers as sent, then with Host without its port: the Python SDK sends both but signs the name only."""
    yield request.headers
    yield tuple((name, strip_port(value) if name == "host" else value) for name, value in request.headers)
