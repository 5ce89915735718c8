"""Who may use the stand-in's own pages: anyone who has the secret of the ready line, and no page of a web browser.

The loopback address is open to every user of the machine, and to the scripts of every page in a browser. A script can
send requests to it, and with a host name of its own that leads here (DNS rebinding) it could read the answers.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping

SECRET_HEADER = "x-localcloud-secret"
_BEARER = "bearer"
# `none`: the user typed the address. `same-site` is no better than `cross-site`: another port has the same site.
_OWN_FETCH_SITES = ("same-origin", "none")

Headers = Iterable[tuple[str, str]]


def has_secret(headers: Headers, secret: str) -> bool:
    """Whether a request has the secret, as `x-localcloud-secret` or as `Authorization: Bearer`, and no other one.

    Names of headers are in lower case. The time that this takes does not depend on how much of a value is right.
    """
    matches = [hmac.compare_digest(value.encode(), secret.encode()) for value in _list_secrets(headers)]
    return bool(matches) and all(matches)


def _list_secrets(headers: Headers) -> list[str]:
    values = []
    for name, value in headers:
        if name == SECRET_HEADER:
            values.append(value)
        elif name == "authorization":
            scheme, _, parameter = value.strip().partition(" ")
            if scheme.lower() == _BEARER:
                values.append(parameter.strip())
    return values


def sign_page(path: str, secret: str, expires_s: int) -> str:
    """Return path and query of a page that may be read without the secret until that Unix time."""
    return f"{path}?expires={expires_s}&signature={_compute_page_signature(path, secret, str(expires_s))}"


def has_page_signature(path: str, parameters: Mapping[str, str], secret: str, now_s: float) -> bool:
    """Whether `sign_page` made the query for this path, and it has not expired."""
    expires, signature = parameters.get("expires", ""), parameters.get("signature", "")
    expected = _compute_page_signature(path, secret, expires)
    return hmac.compare_digest(signature.encode(), expected.encode()) and int(expires) >= now_s


def _compute_page_signature(path: str, secret: str, expires: str) -> str:
    return hmac.new(secret.encode(), f"{path}\n{expires}".encode(), "sha256").hexdigest()


def is_from_web_page(headers: Headers, own_origins: Iterable[str]) -> bool:
    """Whether a browser says that a page of another origin sends the request. Names of headers are in lower case."""
    origins = frozenset(own_origins)
    return any(
        (name == "origin" and value not in origins)
        or (name == "sec-fetch-site" and value.strip().lower() not in _OWN_FETCH_SITES)
        for name, value in headers
    )
