"""The request signature of COS and CI (COS document 436/7778), header form.

The two services share it. Names are signed lower-case and percent-encoded, values percent-encoded, the path as
decoded text: a key that itself holds `%20` is signed as `%20` although it travels as `%2520`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from urllib.parse import quote

# What the official clients sign (cos-python-sdk-v5, cos_auth.py), and Date, which the document's own samples sign.
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


def authorization(
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
    """The Authorization header's value for one request, valid from `starts_s` to `ends_s` (Unix seconds).

    `path` is decoded and begins with `/`; `headers` are all that will be sent, those that count are picked here.
    """
    key_time = f"{starts_s};{ends_s}"
    sign_key = _hmac_sha1(secret_key, key_time)
    parameter_list, parameter_line = _canonical(parameters)
    header_list, header_line = _canonical(
        (name, value) for name, value in headers.items() if _is_signed(name.lower())
    )
    http_string = f"{method.lower()}\n{path}\n{parameter_line}\n{header_line}\n"
    digest = hashlib.sha1(http_string.encode()).hexdigest()  # noqa: S324 - the protocol's own choice
    signature = _hmac_sha1(sign_key, f"sha1\n{key_time}\n{digest}\n")
    return (
        f"q-sign-algorithm=sha1&q-ak={secret_id}&q-sign-time={key_time}&q-key-time={key_time}"
        f"&q-header-list={header_list}&q-url-param-list={parameter_list}&q-signature={signature}"
    )


def _is_signed(name: str) -> bool:
    return name in SIGNED_HEADERS or name.startswith(("x-cos-", "x-ci-"))


def _canonical(pairs: Iterable[tuple[str, str]]) -> tuple[str, str]:
    """The list of names and the line of `name=value`, both sorted by name."""
    encoded = sorted((_encode(name).lower(), _encode(value)) for name, value in pairs)
    names = ";".join(name for name, _ in encoded)
    line = "&".join(f"{name}={value}" for name, value in encoded)
    return names, line


def _encode(text: str) -> str:
    """Everything but `A-Z a-z 0-9 - _ . ~` as upper-case %XX of its UTF-8."""
    return quote(text, safe="-_.~")


def _hmac_sha1(key: str, message: str) -> str:
    return hmac.new(key.encode(), message.encode(), hashlib.sha1).hexdigest()
