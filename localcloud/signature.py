"""Strict verification of `q-sign-*` signatures, in the Authorization header or in a presigned URL.

Source of every rule: COS "Request Signature" 436/7778; golden vectors of PUT, GET and CI calls are in the tests.
What the client signed is taken from its own q-header-list and q-url-param-list; the rest of the request is not covered.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from urllib.parse import quote

from localcloud.hosts import without_port
from localcloud.keys import Key, Keys

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
_CLOCK_SKEW_S = 900  # commonly quoted as 15 minutes; unconfirmed


class Reason(Enum):
    """Why a request was refused; COS and CI each have their own codes for these."""

    MISSING = "no signature"
    MALFORMED = "the signature is not of the documented form"
    UNKNOWN_KEY = "unknown secret id"
    EXPIRED = "the signature has expired"
    TOO_EARLY = "the signature is not valid yet"
    TOKEN_EXPIRED = "the temporary key has expired"
    BAD_TOKEN = "the security token is missing, wrong or not signed"
    BAD_SIGNATURE = "the signature does not match"


class Refused(Exception):
    """A request whose signature does not hold."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason.value}{': ' + detail if detail else ''}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What a signature can cover: decoded path, decoded query pairs, headers with lower-case names."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: tuple[tuple[str, str], ...]

    def header(self, name: str) -> str | None:
        """The first value of a header."""
        return next((value for key, value in self.headers if key == name), None)

    def parameter(self, name: str) -> str | None:
        """The first value of a query parameter."""
        return next((value for key, value in self.query if key == name), None)


@lru_cache(maxsize=4096)  # hosts, tokens and names come again and again
def encoded(text: str) -> str:
    """Percent-encoding of names and values: all but letters, digits and `-_.~`, upper-case hex."""
    return quote(text, safe="-_.~")


def _canonical(pairs: Iterable[tuple[str, str]], listed: set[str]) -> str | None:
    """The `k=v&k=v` line of the listed names, or None when a listed one was not sent."""
    sent: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in pairs:
        if (name_sent := encoded(name).lower()) in listed:
            sent[name_sent].append(encoded(value))
    if len(sent) < len(listed):
        return None
    # Repeated names keep all their values, in order of the values (the Go SDK's rule).
    return "&".join(f"{name}={value}" for name in sorted(listed) for value in sorted(sent[name]))


def signature_of(
    request: SignedRequest,
    secret_key: str,
    key_time: str,
    sign_time: str,
    headers: set[str],
    parameters: set[str],
) -> str | None:
    """The hex signature of the listed headers and parameters; None when one of them was not sent."""
    parameter_line = _canonical(request.query, parameters)
    header_line = _canonical(request.headers, headers)
    if parameter_line is None or header_line is None:
        return None
    http_string = f"{request.method.lower()}\n{request.path}\n{parameter_line}\n{header_line}\n"
    digest = hashlib.sha1(http_string.encode()).hexdigest()
    sign_key = hmac.new(secret_key.encode(), key_time.encode(), hashlib.sha1).hexdigest()
    return hmac.new(sign_key.encode(), f"sha1\n{sign_time}\n{digest}\n".encode(), hashlib.sha1).hexdigest()


def _fields(request: SignedRequest) -> tuple[Mapping[str, str], bool]:
    """The seven q-* fields and whether they came in the query (a presigned URL)."""
    header = request.header("authorization")
    if header:
        pairs = [part.partition("=")[::2] for part in header.strip().split("&")]
        presigned = False
    else:
        pairs = [(name, value) for name, value in request.query if name in _FIELDS]
        presigned = True
    if not pairs:
        raise Refused(Reason.MISSING)
    fields = dict(pairs)
    if set(fields) != set(_FIELDS) or len(pairs) != len(_FIELDS) or fields["q-sign-algorithm"] != "sha1":
        raise Refused(Reason.MALFORMED, "seven q-* fields are needed, each once, with q-sign-algorithm=sha1")
    return fields, presigned


def _check_window(window: str, now_s: float) -> None:
    match = _WINDOW.fullmatch(window)
    if match is None:
        raise Refused(Reason.MALFORMED, "a time is written <start>;<end> in Unix seconds")
    if int(match[1]) > now_s + _CLOCK_SKEW_S:
        raise Refused(Reason.TOO_EARLY)
    if int(match[2]) < now_s:
        raise Refused(Reason.EXPIRED)


def _names(listed: str) -> set[str]:
    return {name.lower() for name in listed.split(";") if name}


def _check_token(
    request: SignedRequest, key: Key, signed_headers: set[str], token_headers: tuple[str, ...], now_s: float
) -> None:
    sent = [(name, value) for name, value in request.headers if name in token_headers]
    in_query = request.parameter("x-cos-security-token")
    if not key.token and not sent and in_query is None:
        return
    tokens = [value for _, value in sent] + ([in_query] if in_query is not None else [])
    if not tokens or not all(hmac.compare_digest(token.encode(), key.token.encode()) for token in tokens):
        raise Refused(Reason.BAD_TOKEN)
    if any(name not in signed_headers for name, _ in sent):
        raise Refused(Reason.BAD_TOKEN, "the token header has to be among the signed headers")
    if key.expires_s is not None and key.expires_s < now_s:
        raise Refused(Reason.TOKEN_EXPIRED)


def verify(
    request: SignedRequest, keys: Keys, now_s: float, token_headers: tuple[str, ...] = CI_TOKEN_HEADERS
) -> Key:
    """The key that signed this request; its token may come in any of the named headers. Raises Refused."""
    fields, presigned = _fields(request)
    key = keys.find(fields["q-ak"])
    if key is None:
        raise Refused(Reason.UNKNOWN_KEY)
    for window in {fields["q-sign-time"], fields["q-key-time"]}:
        _check_window(window, now_s)
    header_names, parameter_names = _names(fields["q-header-list"]), _names(fields["q-url-param-list"])
    _check_token(request, key, header_names, token_headers, now_s)
    query = tuple(pair for pair in request.query if not (presigned and pair[0] in _FIELDS))
    for headers in _host_forms(request):
        expected = signature_of(
            SignedRequest(request.method, request.path, query, headers),
            key.secret_key,
            fields["q-key-time"],
            fields["q-sign-time"],
            header_names,
            parameter_names,
        )
        if expected is not None and hmac.compare_digest(expected.encode(), fields["q-signature"].encode()):
            return key
    raise Refused(Reason.BAD_SIGNATURE)


def _host_forms(request: SignedRequest) -> Iterable[tuple[tuple[str, str], ...]]:
    """Host as it was sent, then without its port: the Python SDK signs the name alone but sends both."""
    yield request.headers
    yield tuple((name, without_port(value) if name == "host" else value) for name, value in request.headers)
