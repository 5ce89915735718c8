"""The secrets that this process knows, and how they are removed from a text.

A secret is read in few places (.env, the environment, the SDK's profile, a deployed function), and each of them adds it
to `SECRETS`. What the command prints passes `SECRETS.hide` in `cli/output.py`. Other libraries quote a value as repr,
JSON or a part of an address, and may cut it, so a text is compared with every such form, piece by piece.
"""

from __future__ import annotations

import html
import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import quote, quote_plus

from rich.markup import escape

HIDDEN = "***"
MIN_SECRET_LENGTH = 6  # characters; anything shorter is a part of ordinary words, and no key of the cloud
PIECE_LENGTH = 12  # characters in a row that are enough to be hidden; tokens have at least 16, keys 32
SHOWN_ID_LENGTH = 4  # of a SecretId, e.g. AKID

_BREAKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_ID_NAME = re.compile(r"SECRET_?ID$")
_SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSWORD")
_ADDRESS_NAME = "CALLBACK_URL"  # its address ends with the token
_TARGET_PREFIX, _WEBHOOK_PREFIX = "NOTIFY_", "NOTIFY_WEBHOOK"
_TARGET_KINDS = re.compile(r"NOTIFY_(?:WEBHOOK|WECOM|FEISHU|DINGTALK)(?:_|$)")
_ADDRESS = re.compile(r"\s*https?://(?:(?P<user>[^/?#@]*)@)?[^/?#]*(?P<rest>.*)", re.DOTALL)
_QUERY_VALUE = re.compile(r"=([^&#\s]*)")


def _quote_lower(text: str) -> str:
    return re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), _quote(text))


def _quote(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass")


# How libraries write a value into a message. The last two quotes make repr() escape both kinds of quotes.
_FORMS: tuple[Callable[[str], str], ...] = (
    str,
    lambda text: repr(text)[1:-1],
    lambda text: repr(text + "'\"")[1:-4],
    lambda text: ascii(text)[1:-1],
    lambda text: repr(text.encode("utf-8", "surrogatepass"))[2:-1],
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    _quote,
    _quote_lower,
    lambda text: quote(text, errors="surrogatepass"),
    lambda text: quote_plus(text, errors="surrogatepass"),
    html.escape,
    escape,  # rich's markup
    shlex.quote,
)


def list_forms(secret: str) -> frozenset[str]:
    """The secret as it may appear in a text: as it is, and in every form, also in a form of a form."""
    once = {form(secret) for form in _FORMS}
    return frozenset(once | {form(text) for text in once for form in _FORMS})


def is_target_variable(name: str) -> bool:
    """Check whether a variable is about a target of notices. NOTIFY_SOCKET, for example, is systemd's."""
    return bool(_TARGET_KINDS.match(name))


def is_target_secret(name: str) -> bool:
    """Check whether a variable has the address or the secret of a target of notices."""
    is_choice = name.endswith("_ON") or name == "NOTIFY_LANGUAGE"
    return name.startswith(_TARGET_PREFIX) and not is_choice


def list_address_secrets(name: str, address: str) -> list[str]:
    """List what to hide of the address of a target: of a webhook all but the host, of a robot its key.

    The rest of a robot's address is in Tencent's, Feishu's and DingTalk's documents, and in our own messages.
    """
    match = _ADDRESS.fullmatch(address)
    if not match:
        return [address]
    rest, user = match["rest"].strip(), match["user"] or ""
    if name.startswith(_WEBHOOK_PREFIX):
        # A shorter one is a word such as /scribe: the signature protects a webhook, not its path.
        return [user, rest if len(rest) >= PIECE_LENGTH else ""]
    return [user, *_QUERY_VALUE.findall(rest), rest.partition("?")[0].rpartition("/")[2]]


class SecretFilter:
    """Hides every added secret."""

    def __init__(self) -> None:
        self._forms: dict[str, frozenset[str]] = {}  # by secret
        self._pieces: frozenset[str] = frozenset()
        self._short: frozenset[str] = frozenset()
        self._is_current = True

    def add(self, value: str) -> None:
        """Hide a value, each part between its commas, and each part between its spaces and line breaks."""
        parts = [value, value.strip(), *value.split(","), *_BREAKS.split(value)]
        for part in parts:
            secret = part.strip() if part != value else part
            if len(secret.strip()) >= MIN_SECRET_LENGTH and secret not in self._forms:
                self._forms[secret] = list_forms(secret)
                self._is_current = False

    def add_id(self, secret_id: str) -> None:
        """Hide a SecretId except for its first characters."""
        self.add(secret_id.strip()[SHOWN_ID_LENGTH:])

    def add_variables(self, variables: Mapping[str, str]) -> None:
        """Hide the values of all variables whose names say that they hold a secret."""
        for name, value in variables.items():
            if _ID_NAME.search(name):
                self.add_id(value)
            elif _SECRET_NAME.search(name):
                self.add(value)
            elif is_target_secret(name):
                for secret in list_address_secrets(name, value):
                    self.add(secret)
            elif name == _ADDRESS_NAME:
                self.add(value.rpartition("/")[2])

    def remove(self, value: str) -> None:
        """Show a value again: the key of a cloud on this machine is printed for its user."""
        for secret in (value, value.strip()[SHOWN_ID_LENGTH:]):
            self._forms.pop(secret, None)
        self._is_current = False

    def hide(self, text: str) -> str:
        """Replace each known secret, and each long piece of one, by `***`."""
        if not self._is_current:
            self._update()
        parts: list[str] = []
        end = 0
        for start, stop in self._merge(sorted(self._find(text))):
            parts += [text[end:start], HIDDEN]
            end = stop
        return "".join([*parts, text[end:]]) if parts else text

    def _update(self) -> None:
        forms = frozenset().union(*self._forms.values())
        self._short = frozenset(form for form in forms if len(form) < PIECE_LENGTH)
        self._pieces = frozenset(
            form[start : start + PIECE_LENGTH]
            for form in forms
            for start in range(len(form) - PIECE_LENGTH + 1)
        )
        self._is_current = True

    def _find(self, text: str) -> Iterator[tuple[int, int]]:
        if not self._pieces and not self._short:
            return
        for start in range(len(text) - PIECE_LENGTH + 1):
            if text[start : start + PIECE_LENGTH] in self._pieces:
                yield start, start + PIECE_LENGTH
        for form in self._short:
            start = text.find(form)
            while start >= 0:
                yield start, start + len(form)
                start = text.find(form, start + 1)

    @staticmethod
    def _merge(spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """Join spans that touch or overlap."""
        merged: list[tuple[int, int]] = []
        for start, stop in spans:
            if merged and start <= merged[-1][1]:
                merged[-1] = merged[-1][0], max(stop, merged[-1][1])
            else:
                merged.append((start, stop))
        return iter(merged)


SECRETS = SecretFilter()  # of this process
