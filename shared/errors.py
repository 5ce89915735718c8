"""Everything that Scribe raises on purpose.

    ScribeError
    ├── SettingsError       the operator's settings cannot work; lists every mistake
    ├── EventError          an event or a notification is not of the published shape
    ├── OutOfTime           the function's own time limit is too near to begin another request
    └── CloudError          COS or CI said no, or said nothing
        ├── Refused         for good: the same request gets the same answer
        │   ├── NotFound        no such bucket, object, job or queue
        │   └── AlreadyExists   create-only found an object of that name
        ├── Busy            throttled: nothing was done, the same request may succeed later
        │   └── QueueFull       the speech queue takes no more jobs for now
        └── OutcomeUnknown  the answer is lost or unreadable: it may have been done, or not

Permanent: SettingsError, EventError, Refused. Worth retrying: OutOfTime, Busy, and OutcomeUnknown where doing
it twice is harmless; where it is not, look first whether it was done.
"""

from __future__ import annotations


class ScribeError(Exception):
    """The root; `repeating_helps` says whether the same call can succeed later."""

    repeating_helps = False


class SettingsError(ScribeError):
    """The environment holds settings that cannot work. One message names every wrong one."""

    def __init__(self, mistakes: list[str]) -> None:
        self.mistakes = tuple(mistakes)
        count = "1 setting is" if len(mistakes) == 1 else f"{len(mistakes)} settings are"
        super().__init__(f"{count} wrong: " + "; ".join(mistakes))


class EventError(ScribeError):
    """An event or a notification cannot be read; `status` is the HTTP answer that fits it."""

    def __init__(self, message: str, status: int = 400) -> None:
        self.status = status
        super().__init__(message)


class OutOfTime(ScribeError):
    """Too little of the function's time limit is left for another request."""

    repeating_helps = True


class CloudError(ScribeError):
    """A request to COS or CI failed.

    `about` names what it was about: `bucket/key`, a job, a queue. `status` is 0 when no answer came.
    """

    def __init__(
        self,
        *,
        about: str,
        status: int = 0,
        code: str = "",
        message: str = "",
        request_id: str = "",
    ) -> None:
        self.about = about
        self.status = status
        self.code = code
        self.message = message
        self.request_id = request_id
        answer = f"{status} {code}".strip() if status else code or "no answer"
        trail = f" (request {request_id})" if request_id else ""
        super().__init__(f"{about}: {answer}{': ' + message if message else ''}{trail}")


class Refused(CloudError):
    """The service will not do it, now or later; something must be changed first."""


class NotFound(Refused):
    """No such bucket, object, job or queue."""


class AlreadyExists(Refused):
    """A create-only write found an object of that name.

    `maybe_own` says that the write was repeated after a lost answer: the object may be that of its first try.
    """

    maybe_own = False


class Busy(CloudError):
    """The service asked to slow down; it has done nothing."""

    repeating_helps = True


class QueueFull(Busy):
    """The speech queue holds as many jobs as it may."""


class OutcomeUnknown(CloudError):
    """The connection broke, or the answer made no sense: it may have been done."""

    repeating_helps = True


def described(error: Exception) -> str:
    """An error for a log line. Only our own texts are known to hold no secret and no word of a transcript."""
    return str(error) if isinstance(error, ScribeError) else type(error).__name__
