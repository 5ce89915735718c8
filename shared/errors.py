"""Every exception that Scribe raises on purpose.

    ScribeError
    ├── SettingsError         the settings cannot work; the message lists every mistake
    ├── EventError            an event or a notification does not have a published shape
    ├── DeadlineExceeded      the function's time limit is too near to start another request
    └── CloudError            COS or CI returned an error, or did not respond
        ├── RequestRejected   permanent: the same request gets the same response
        │   ├── NotFound        the bucket, object, job or queue does not exist
        │   └── AlreadyExists   a create-only write met an existing object
        ├── Throttled         the request was not executed; the same request can succeed later
        │   └── QueueFull       the speech queue accepts no more jobs for now
        └── OutcomeUnknown    the response was lost or unreadable: the request may have been executed

Permanent: SettingsError, EventError, RequestRejected. Retryable: DeadlineExceeded, Throttled, and OutcomeUnknown for
idempotent requests; after any other request, check first whether it was executed.
"""

from __future__ import annotations


class ScribeError(Exception):
    """The root. `retryable`: the same call can succeed later."""

    retryable = False


class SettingsError(ScribeError):
    """The settings in the environment cannot work. One message names every mistake."""

    def __init__(self, mistakes: list[str]) -> None:
        self.mistakes = tuple(mistakes)
        count = "1 setting is" if len(mistakes) == 1 else f"{len(mistakes)} settings are"
        super().__init__(f"{count} wrong: " + "; ".join(mistakes))


class EventError(ScribeError):
    """An event or a notification cannot be read. `status` is the matching HTTP status."""

    def __init__(self, message: str, status: int = 400) -> None:
        self.status = status
        super().__init__(message)


class DeadlineExceeded(ScribeError):
    """Too little of the function's time limit remains for another request."""

    retryable = True


class CloudError(ScribeError):
    """A request to COS or CI failed.

    `resource` is what the request was for: `bucket/key`, a job, a queue. `status` is 0 if there was no response.
    """

    def __init__(
        self,
        *,
        resource: str,
        status: int = 0,
        code: str = "",
        message: str = "",
        request_id: str = "",
    ) -> None:
        self.resource = resource
        self.status = status
        self.code = code
        self.message = message
        self.request_id = request_id
        response = f"{status} {code}".strip() if status else code or "no response"
        suffix = f" (request {request_id})" if request_id else ""
        super().__init__(f"{resource}: {response}{': ' + message if message else ''}{suffix}")


class RequestRejected(CloudError):
    """The service rejects the request permanently; something must be changed first."""


class NotFound(RequestRejected):
    """The bucket, object, job or queue does not exist."""


class AlreadyExists(RequestRejected):
    """A create-only write met an existing object.

    `possibly_own_write`: the write was retried after a lost response, so the first try may have created the object.
    """

    possibly_own_write = False


class Throttled(CloudError):
    """The service asked to slow down, or there was no connection: the request was not executed."""

    retryable = True


class QueueFull(Throttled):
    """The speech queue holds as many jobs as it may."""


class OutcomeUnknown(CloudError):
    """The connection broke or the response was unreadable: the request may have been executed."""

    retryable = True


def safe_error_message(error: Exception) -> str:
    """Return an error message that is safe to log.

    Only Scribe's own messages are known to contain no secret and no word of a transcript.
    """
    return str(error) if isinstance(error, ScribeError) else type(error).__name__
