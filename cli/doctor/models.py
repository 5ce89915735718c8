"""What a check is, what it reads (its context) and reports (findings), and how errors become findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

import httpx

from cli.cloud.client import ApiError
from cli.config import Commands
from cli.deploy.clients import Clients
from cli.deploy.state import DENIED, CurrentState
from cli.errors import OperatorError
from cli.language import _, format_exception
from cli.rules.models import RulesError, RulesFile
from shared.errors import CloudError, ScribeError
from shared.tencent.xml import XmlError

EXPECTED_ERRORS = (OperatorError, ScribeError, httpx.HTTPError, XmlError)  # any other is a bug in a check

_NETWORK_CODES = frozenset({"ClientNetworkError", "ServerNetworkError", "NoConnection", "NoAnswer"})
_REGION_CODES = frozenset({"UnsupportedRegion", "UnauthorizedOperation.Region"})


class Status(Enum):
    """The result of a check. A `NOTE` is worth knowing and breaks nothing; `SKIPPED` could not be checked."""

    OK = "ok"
    WRONG = "wrong"
    NOTE = "note"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    `name` is that of the check, the same in every version. `subject` is what was checked if a check covers several
    things: a bucket, a function, a trigger. `fix` is the command or the console page that helps. `depends_on` names
    the check whose failure is the reason for a skipped one. A failure with `blocks` skips the checks that need it.
    """

    name: str
    status: Status
    message: str
    fix: str = ""
    subject: str = ""
    depends_on: str = ""
    blocks: bool = True

    def as_json(self) -> dict[str, str]:
        """The members of `scribe doctor --json`."""
        return {
            "name": self.name,
            "status": self.status.value,
            "message": self.message,
            "fix": self.fix,
            "subject": self.subject,
        }


@dataclass(frozen=True, slots=True)
class CheckContext:
    """What a check reads. `label` is that of the package built here, or ""; `commands` builds fixes.

    `rules` are those of rules.yml, or why it cannot be read; None without the file.
    """

    state: CurrentState
    label: str
    commands: Commands
    rules: RulesFile | RulesError | None = None

    @property
    def clients(self) -> Clients:
        """The clients of the state."""
        return self.state.clients


@dataclass(frozen=True, slots=True)
class Check:
    """A check. `name` is the same in every version: scripts read it.

    `needs` names the checks without which it is skipped. `subjects_from` names the check that reports why there may be
    nothing to check.
    """

    name: str
    run: Callable[[CheckContext], Iterator[Finding]]
    needs: tuple[str, ...] = ("key",)
    subjects_from: str = ""


def ok(message: str, *, subject: str = "") -> Finding:
    """Everything is as expected. The runner sets the name of the check, here and below."""
    return Finding("", Status.OK, message, "", subject)


def fail(message: str, *, fix: str, subject: str = "", blocks: bool = True) -> Finding:
    """Recordings are not transcribed, or cost too much, until this is fixed."""
    return Finding("", Status.WRONG, message, fix, subject, blocks=blocks)


def warn(message: str, *, fix: str = "", subject: str = "") -> Finding:
    """Worth knowing; nothing is broken."""
    return Finding("", Status.NOTE, message, fix, subject)


def skip(message: str, *, fix: str = "", subject: str = "") -> Finding:
    """It could not be checked; the message says why."""
    return Finding("", Status.SKIPPED, message, fix, subject)


def skip_dependent(name: str) -> Finding:
    """It was not checked because another check failed."""
    return Finding("", Status.SKIPPED, describe_dependence(name), depends_on=name)


def describe_dependence(name: str) -> str:
    """Say why a check was skipped: the check that it depends on."""
    return _("depends on `{check}`", check=name)


def advise_permissions(commands: Commands) -> str:
    """Advise for a key that lacks a permission."""
    return _("`{command}` prints the permissions that this key needs", command=commands.show_deployer_policy)


def finding_from_error(error: Exception, commands: Commands) -> Finding:
    """A finding for an error of a check: failed, or skipped if the key lacks a permission."""
    code = error.code if isinstance(error, ApiError | CloudError) else ""
    # The text of an HTTPError may contain the address, and with it the callback token.
    reason = type(error).__name__ if isinstance(error, httpx.HTTPError) else format_exception(error)
    if isinstance(error, httpx.HTTPError) or code in _NETWORK_CODES:
        return fail(
            _("no response from the cloud: {reason}", reason=reason),
            fix=_(
                "check the connection of this machine; with CLOUD_ENDPOINT, check that `scribe local` is running. Then "
                "run `{doctor}` again",
                doctor=commands.doctor,
            ),
        )
    if _is_denied(error):
        return skip(
            _("this key has no permission for it: {reason}", reason=reason), fix=advise_permissions(commands)
        )
    if code in _REGION_CODES:
        return fail(
            _("the region does not exist, or SCF is not available there: {reason}", reason=reason),
            fix=_(
                "correct REGION in {file}, then run `{doctor}` again",
                file=commands.env_file,
                doctor=commands.doctor,
            ),
        )
    return fail(
        _("the check did not complete: {reason}", reason=reason),
        fix=_("run `{doctor}` again in a minute", doctor=commands.doctor),
    )


def _is_denied(error: Exception) -> bool:
    if isinstance(error, ApiError):
        return error.is_denied
    return isinstance(error, CloudError) and error.status in DENIED
