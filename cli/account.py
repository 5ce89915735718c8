"""The operator's own key: found wherever Tencent's tools keep it."""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from pathlib import Path

from cli.errors import OperatorError
from shared.tencent.auth import Credentials

# Id, key, token. Three spellings are about: of Tencent's SDK, of SCF itself, of Tencent's command line.
SPELLINGS = (
    ("TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY", "TENCENTCLOUD_TOKEN"),
    ("TENCENTCLOUD_SECRETID", "TENCENTCLOUD_SECRETKEY", "TENCENTCLOUD_SESSIONTOKEN"),
    ("TENCENT_SECRET_ID", "TENCENT_SECRET_KEY", "TENCENT_TOKEN"),
)
_PROFILE = Path(".tencentcloud") / "credentials"  # an ini file; the SDK's ProfileCredential


def credentials_from(environ: Mapping[str, str], home: Path) -> Credentials:
    """The operator's key: the first spelling of which both halves are there, else the SDK's profile below `home`.

    Raises OperatorError, which names what to set and quotes nothing.
    """
    halves = []
    for id_name, key_name, token_name in SPELLINGS:
        secret_id, secret_key = environ.get(id_name, "").strip(), environ.get(key_name, "").strip()
        if secret_id and secret_key:
            return Credentials(secret_id, secret_key, environ.get(token_name, "").strip())
        if secret_id or secret_key:
            present, absent = (id_name, key_name) if secret_id else (key_name, id_name)
            halves.append(f"{present} is set, but {absent} is not")
    found = _from_profile(home / _PROFILE)
    if found and not halves:  # half a key says whose account was meant; it is not for another one to step in
        return found
    id_name, key_name, _ = SPELLINGS[-1]  # as .env.example and the documents have it
    raise OperatorError(
        ("; ".join(halves) or "There is no key of a Tencent Cloud account")
        + f": set {id_name} and {key_name}, in the environment or in .env, or write them as secret_id and secret_key "
        f"under [default] in {home / _PROFILE}"
    )


def _from_profile(file: Path) -> Credentials | None:
    profile = configparser.ConfigParser(interpolation=None)
    try:
        profile.read_string(file.read_text("utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError, configparser.Error):  # the parser's own words quote the line
        raise OperatorError(
            f"{file} cannot be read: it is a text file with [default] and below it secret_id = ..., secret_key = ..."
        ) from None
    section = profile["default"] if profile.has_section("default") else {}
    secret_id, secret_key = section.get("secret_id", "").strip(), section.get("secret_key", "").strip()
    if not (secret_id and secret_key):
        return None
    return Credentials(secret_id, secret_key, section.get("token", "").strip())
