"""The targets of notices, from the settings NOTIFY_*.

    NOTIFY_WEBHOOK=https://...       the target `webhook`; NOTIFY_WECOM, NOTIFY_FEISHU and NOTIFY_DINGTALK likewise
    NOTIFY_FEISHU_SALES=https://...  a further target, `feishu-sales`, for recordings whose option `notify` names it
    ..._SECRET                       of a webhook `whsec_...`, several with spaces between; of a robot its own
    ..._ON                           which notices this target gets; NOTIFY_ON says it for all
    NOTIFY_LANGUAGE                  of the robots' messages, zh or en

No message contains an address or a secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qs, urlsplit

from shared.errors import SettingsError
from shared.messages import message
from shared.notices import dingtalk, feishu, wecom
from shared.notices.addresses import is_loopback_host, is_public
from shared.notices.models import NoticeType, Target, TargetKind
from shared.notices.webhook import MAX_SECRET_BYTES, MIN_SECRET_BYTES, parse_secret

PREFIX = "NOTIFY_"
ON, LANGUAGE = "NOTIFY_ON", "NOTIFY_LANGUAGE"
MAX_TARGETS = 10
MAX_URL_LENGTH = 1000
MAX_NAME_LENGTH = 40
LANGUAGES = ("zh", "en")
DEFAULT_ON = "failed"

_UNSET = "undefined"  # what Tencent's CLI writes for a variable that is not set
_TYPES = {"done": NoticeType.DONE, "failed": NoticeType.FAILED}
_KINDS = {kind.name: kind for kind in TargetKind}
_NAME = re.compile(r"[A-Z]+(?:_[A-Z0-9]+)*")
_SECRET = re.compile(r"[!-~]{4,200}")
_LAST_PORT = 65535
_HOST = re.compile(r"[0-9a-z_:-]+(?:\.[0-9a-z_:-]+)*")  # no empty label, and no dot at the end
_ROBOT_ADDRESSES = {
    TargetKind.WECOM: ((wecom.HOST,), wecom.PATH, "key"),
    TargetKind.FEISHU: ((feishu.FEISHU_HOST, feishu.LARK_HOST), feishu.PATH, ""),
    TargetKind.DINGTALK: ((dingtalk.HOST,), dingtalk.PATH, "access_token"),
}
_ROBOT_EXAMPLES = {
    TargetKind.WECOM: f"https://{wecom.HOST}{wecom.PATH}?key=...",
    TargetKind.FEISHU: f"https://{feishu.FEISHU_HOST}{feishu.PATH}...",
    TargetKind.DINGTALK: f"https://{dingtalk.HOST}{dingtalk.PATH}?access_token=...",
}


class TargetSettings(NamedTuple):
    """The targets that are set, in the order of their names, and every mistake in the settings."""

    targets: tuple[Target, ...]
    mistakes: tuple[str, ...]


def load_targets(environ: Mapping[str, str]) -> tuple[Target, ...]:
    """Return the targets. Raises SettingsError with one message that names every mistake."""
    settings = read_targets(environ)
    if settings.mistakes:
        raise SettingsError(list(settings.mistakes))
    return settings.targets


def has_targets(environ: Mapping[str, str]) -> bool:
    """Check whether anything about notices is set."""
    return any(name.startswith(PREFIX) and value.strip() for name, value in environ.items())


def read_targets(environ: Mapping[str, str]) -> TargetSettings:
    """Read the targets and every mistake. Loopback addresses are allowed if CLOUD_ENDPOINT is set."""
    reader = _TargetReader(environ)
    targets = reader.read()
    return TargetSettings(tuple(targets), tuple(reader.mistakes))


class _TargetReader:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self.mistakes: list[str] = []
        self._allows_loopback = bool(environ.get("CLOUD_ENDPOINT", "").strip())
        self._values = {
            name: value.strip()
            for name, value in sorted(environ.items())
            if name.startswith(PREFIX) and value.strip()
        }

    def read(self) -> list[Target]:
        self.mistakes += [
            message(
                "{name} {mistake}", name=name, mistake=message("was not set when the function was deployed")
            )
            for name, value in self._values.items()
            if value == _UNSET
        ]
        self._values = {name: value for name, value in self._values.items() if value != _UNSET}
        default_types = self._read_types(ON, DEFAULT_ON)
        language = self._read_language()
        targets = []
        for variable in self._list_address_variables():
            name = variable.removeprefix(PREFIX)
            targets.append(self._read_target(name, default_types, language))
        self._check_leftovers({f"{PREFIX}{target.name.upper().replace('-', '_')}" for target in targets})
        if len(targets) > MAX_TARGETS:
            self.mistakes.append(
                message(
                    "{count} targets of notices are set; {limit} is the maximum",
                    count=len(targets),
                    limit=MAX_TARGETS,
                )
            )
        return targets

    def _list_address_variables(self) -> list[str]:
        """Return the variables with an address. Of the others, those that are not a setting are mistakes."""
        variables = []
        for variable in self._values:
            if variable in {ON, LANGUAGE}:
                continue
            name, kind = _get_target_name(variable), _get_kind(variable)
            if kind is None:
                self.mistakes.append(_describe_unknown(variable))
            elif not _NAME.fullmatch(name) or len(name) > MAX_NAME_LENGTH:
                self.mistakes.append(
                    message(
                        "{name} has a name that cannot be used: capital letters, digits and single `_`, at most "
                        "{limit} characters after {prefix}",
                        name=variable,
                        limit=MAX_NAME_LENGTH,
                        prefix=PREFIX,
                    )
                )
            elif variable == PREFIX + name:
                variables.append(variable)
        return variables

    def _check_leftovers(self, address_variables: set[str]) -> None:
        """Find settings of a target that has no address."""
        for variable in self._values:
            address_variable = PREFIX + _get_target_name(variable)
            if variable in {ON, LANGUAGE} or _get_kind(variable) is None:
                continue
            if address_variable not in address_variables and variable != address_variable:
                self.mistakes.append(
                    message(
                        "{name} is set, but not the address {address}",
                        name=variable,
                        address=address_variable,
                    )
                )

    def _read_target(self, name: str, default_types: frozenset[NoticeType], language: str) -> Target:
        variable = PREFIX + name
        kind = _KINDS[name.partition("_")[0]]
        url = self._values[variable]
        mistake = self._check_url(kind, url)
        if mistake:
            self.mistakes.append(message("{name} {mistake}", name=variable, mistake=mistake))
        own_types = f"{variable}_ON"
        return Target(
            name=name.lower().replace("_", "-"),
            kind=kind,
            url=url,
            secrets=self._read_secrets(f"{variable}_SECRET", kind),
            types=self._read_types(own_types, "") if own_types in self._values else default_types,
            language=language or ("en" if _get_host(url) == feishu.LARK_HOST else "zh"),
            is_default="_" not in name,
        )

    def _check_url(self, kind: TargetKind, url: str) -> str:
        """Return what is wrong with an address, without the address itself."""
        mistake = _check_text(url, MAX_URL_LENGTH)
        parts = _split(url)
        if mistake or parts is None:
            return mistake or message("is not an address such as https://hooks.example.com/scribe")
        host = parts.hostname or ""
        if self._allows_loopback and is_loopback_host(host) and parts.scheme in {"http", "https"}:
            return ""
        if parts.scheme != "https":
            return message("does not begin with https://")
        if kind.is_robot:
            return _check_robot_address(kind, parts)
        if is_loopback_host(host) or ("." not in host) or (_is_ip_address(host) and not is_public(host)):
            return message("is not a public address: notices go to the internet only, by IPv4")
        return ""

    def _read_secrets(self, variable: str, kind: TargetKind) -> tuple[str, ...]:
        text = self._values.get(variable, "")
        if kind is TargetKind.WEBHOOK:
            return self._read_webhook_secrets(variable, text)
        if not text:
            return ()
        if kind is TargetKind.WECOM:
            self.mistakes.append(
                message(
                    "{name} is set, but a WeCom robot has no secret: its address is secret", name=variable
                )
            )
        elif not _SECRET.fullmatch(text):
            self.mistakes.append(
                message(
                    "{name} is not the secret of a robot: one word of 4 to 200 ASCII characters",
                    name=variable,
                )
            )
        return (text,)

    def _read_webhook_secrets(self, variable: str, text: str) -> tuple[str, ...]:
        secrets = tuple(text.split())
        if not secrets:
            self.mistakes.append(
                message(
                    "{name} is missing: set it to whsec_ and {least} to {most} random bytes in Base64, such as from: "
                    "{command}",
                    name=variable,
                    least=MIN_SECRET_BYTES,
                    most=MAX_SECRET_BYTES,
                    command="echo whsec_$(openssl rand -base64 32)",
                )
            )
        elif not all(map(parse_secret, secrets)):
            self.mistakes.append(
                message(
                    "{name} holds a secret that is not whsec_ and {least} to {most} bytes in Base64; several secrets "
                    "have spaces between them",
                    name=variable,
                    least=MIN_SECRET_BYTES,
                    most=MAX_SECRET_BYTES,
                )
            )
        return secrets

    def _read_types(self, variable: str, default: str) -> frozenset[NoticeType]:
        names = [name.strip() for name in self._values.get(variable, default).split(",")]
        if not _TYPES.keys() >= set(names):
            self.mistakes.append(
                message("{name} has another value than done, failed, or both with a comma", name=variable)
            )
        return frozenset(_TYPES[name] for name in names if name in _TYPES)

    def _read_language(self) -> str:
        language = self._values.get(LANGUAGE, "")
        if language and language not in LANGUAGES:
            self.mistakes.append(message("{name} has another value than zh or en", name=LANGUAGE))
        return language


def _get_target_name(variable: str) -> str:
    """Return the part of a variable that names its target: `FEISHU_SALES` of `NOTIFY_FEISHU_SALES_SECRET`."""
    name = variable.removeprefix(PREFIX)
    for ending in ("_SECRET", "_ON"):
        if name.endswith(ending):
            return name.removesuffix(ending)
    return name


def _get_kind(variable: str) -> TargetKind | None:
    return _KINDS.get(variable.removeprefix(PREFIX).partition("_")[0])


def _describe_unknown(variable: str) -> str:
    if variable.startswith("NOTIFY_LARK"):
        return message(
            "{name} is not a setting: NOTIFY_FEISHU takes the addresses of Lark, too", name=variable
        )
    return message(
        "{name} is not a setting: a target is NOTIFY_WEBHOOK, NOTIFY_WECOM, NOTIFY_FEISHU or NOTIFY_DINGTALK, "
        "a further one has a name at its end, such as NOTIFY_FEISHU_SALES",
        name=variable,
    )


def _check_text(url: str, max_length: int) -> str:
    wrong = next((character for character in url if not "!" <= character <= "~"), "")
    if wrong:
        return message("has the character {character}, which an address cannot have", character=repr(wrong))
    if len(url) > max_length:
        return message("has {count} characters; {limit} is the maximum", count=len(url), limit=max_length)
    if {"'", '"', "`"} & {url[0], url[-1]}:
        return message("has quotes around it; write it without")
    return ""


def _split(url: str) -> SplitResult | None:
    """Split an address; None if it has no host, or has parts that a request does not carry: a user, a fragment."""
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        return None
    is_port = port is None or 0 < port <= _LAST_PORT
    is_whole = not {"#", "\\"} & set(url) and "@" not in parts.netloc
    return parts if host and _HOST.fullmatch(host) and is_port and is_whole else None


def _get_host(url: str) -> str:
    parts = _split(url)
    return (parts.hostname or "") if parts else ""


def _check_robot_address(kind: TargetKind, parts: SplitResult) -> str:
    host = parts.hostname or ""
    for other, (hosts, _, _) in _ROBOT_ADDRESSES.items():
        if other is not kind and host in hosts:
            return message("is the address of another robot: set {name}", name=PREFIX + other.name)
    hosts, path, parameter = _ROBOT_ADDRESSES[kind]
    has_path = parts.path == path if parameter else re.fullmatch(re.escape(path) + r"[\w-]+", parts.path)
    has_key = not parameter or bool(parse_qs(parts.query).get(parameter))
    if host in hosts and parts.port in {None, 443} and has_path and has_key:
        return ""
    return message("is not the address of such a robot: {example}", example=_ROBOT_EXAMPLES[kind])


def _is_ip_address(host: str) -> bool:
    """Check whether a host is a number in one of the forms that are resolved without DNS, or IPv6."""
    return ":" in host or bool(
        re.fullmatch(r"(?:0[xX][0-9a-fA-F]*|[0-9]+)(?:\.(?:0[xX][0-9a-fA-F]*|[0-9]+))*", host)
    )
