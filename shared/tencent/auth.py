"""Credentials of an invocation, and the request signature of COS and CI (COS document 436/7778, header form).

COS and CI share the signature. Names are signed in lower case and percent-encoded, values percent-encoded, the path as
decoded text: a key that contains `%20` is signed as `%20` although it is sent as `%2520`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from shared.errors import SettingsError

# SCF's own spelling; the cloud SDK reads other names (SCF document "environment variables").
ID_NAME, KEY_NAME, TOKEN_NAME = (
    "TENCENTCLOUD_SECRETID",
    "TENCENTCLOUD_SECRETKEY",
    "TENCENTCLOUD_SESSIONTOKEN",
)

INVALID_CREDENTIAL = "contains a blank, a line break or another character that no key of Tencent Cloud has"
_CREDENTIAL = re.compile(r"[!-~]*")  # printable ASCII: it becomes part of a header

# The headers that the official client signs (cos-python-sdk-v5, cos_auth.py), and Date, as in the document's samples.
SIGNED_HEADERS = frozenset({
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "expect",
    "expires",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "origin",
    "range",
    "transfer-encoding",
    "pic-operations",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Credentials:
    """The key that signs requests. Its parts never appear in a printed form."""

    secret_id: str = field(repr=False)
    secret_key: str = field(repr=False)
    token: str = field(default="", repr=False)


def load_credentials(context: Mapping[str, Any], environ: Mapping[str, str]) -> Credentials:
    """Load the credentials of this invocation: from `context['environment']` (JSON text), else from the environment.

    Read on each invocation, because temporary credentials rotate. Raises SettingsError if neither has them: the
    function has no execution role. Also if a part holds what no key does, such as a line break from a copied text: the
    errors of HTTP libraries would quote it.
    """
    for source in (_parse_context_environment(context), environ):
        if source.get(ID_NAME) and source.get(KEY_NAME):
            names = [
                name for name in (ID_NAME, KEY_NAME, TOKEN_NAME) if not is_credential(source.get(name, ""))
            ]
            if names:
                raise SettingsError([f"{name} {INVALID_CREDENTIAL}" for name in names])
            return Credentials(source[ID_NAME], source[KEY_NAME], source.get(TOKEN_NAME, ""))
    raise SettingsError(
        [f"{ID_NAME} and {KEY_NAME} are missing: give the function an execution role (or set both)"]
    )


def is_credential(text: str) -> bool:
    """Check that a part of a key holds nothing but printable ASCII."""
    return bool(_CREDENTIAL.fullmatch(text))


def _parse_context_environment(context: Mapping[str, Any]) -> Mapping[str, str]:
    """Read the environment that SCF passes with the event; that of the process may be an older copy."""
    raw = context.get("environment")
    if not isinstance(raw, str):
        return {}
    try:
        parsed = json.loads(raw)
    except ValueError:
        return {}
    if not isinstance(parsed, dict):
        return {}
    return {name: value for name, value in parsed.items() if isinstance(value, str)}


def sign_request(
    method: str,
    path: str,
    parameters: Iterable[tuple[str, str]],
    headers: Mapping[str, str],
    *,
    secret_id: str,
    secret_key: str,
    starts_s: int,
    ends_s: int,
) -> str:
    """Return the Authorization header of one request, valid from `starts_s` to `ends_s` (Unix seconds).

    `path` is decoded and begins with `/`. `headers` are all headers that will be sent; those that count are selected
    here.
    """
    key_time = f"{starts_s};{ends_s}"
    sign_key = _hmac_sha1(secret_key, key_time)
    parameter_list, parameter_line = _canonicalize(parameters)
    header_list, header_line = _canonicalize(
        (name, value) for name, value in headers.items() if _is_signed(name.lower())
    )
    http_string = f"{method.lower()}\n{path}\n{parameter_line}\n{header_line}\n"
    digest = hashlib.sha1(http_string.encode()).hexdigest()  # noqa: S324 - the protocol requires SHA-1
    signature = _hmac_sha1(sign_key, f"sha1\n{key_time}\n{digest}\n")
    return (
        f"q-sign-algorithm=sha1&q-ak={secret_id}&q-sign-time={key_time}&q-key-time={key_time}"
        f"&q-header-list={header_list}&q-url-param-list={parameter_list}&q-signature={signature}"
    )


def _is_signed(name: str) -> bool:
    return name in SIGNED_HEADERS or name.startswith(("x-cos-", "x-ci-"))


def _canonicalize(pairs: Iterable[tuple[str, str]]) -> tuple[str, str]:
    """Return the list of names and the line of `name=value`, both sorted by name."""
    encoded = sorted((_encode_name(name), _encode(value)) for name, value in pairs)
    names = ";".join(name for name, _ in encoded)
    line = "&".join(f"{name}={value}" for name, value in encoded)
    return names, line


@lru_cache(maxsize=256)  # the same few names are in every request
def _encode_name(name: str) -> str:
    return _encode(name).lower()


def _encode(text: str) -> str:
    """Percent-encode everything except `A-Z a-z 0-9 - _ . ~`, in upper case, as UTF-8."""
    return quote(text, safe="-_.~")


def _hmac_sha1(key: str, message: str) -> str:
    return hmac.digest(
        key.encode(), message.encode(), "sha1"
    ).hex()  # in one call, which is faster than hmac.new
