"""Why a recording has no transcript, from its error object; and which refusals concern every other one as well."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from cli.errors import OperatorError
from cli.language import _, choose_text, is_chinese, translate
from cli.operate.row import add_code
from cli.operate.text import end_sentence, join_sentences
from cli.operate.workspace import Workspace
from cli.output import escape_line
from shared.errors import CloudError, NotFound
from shared.recordings.context import Context
from shared.recordings.failures import FailureKind
from shared.recordings.keys import ERROR_EXTENSION, transcript_key
from shared.recordings.limiter import MAX_REFUSED_IN_ROW
from shared.recordings.models import Result, Status
from shared.recordings.receipt import Receipt

# 401 and 403: the key or a role. 402 and 451: the account.
ACCOUNT_STATUSES = frozenset({401, 402, 403, 451})
# It can be a rule of one object, which denies the speech service.
_OF_ONE_OBJECT = "ResourceAccessDenied"
_ABOUT_EVERY_RECORDING = frozenset({FailureKind.ACCOUNT.value, FailureKind.SETTINGS.value})
MAX_ERROR_BYTES = 64 * 1024


class StoredError(NamedTuple):
    """An error object, as far as the commands use it."""

    kind: str = ""
    message: str = ""
    next_step: str = ""
    code: str = ""
    job_id: str = ""
    message_zh: str = ""
    next_step_zh: str = ""

    @property
    def text(self) -> str:
        """The message in the language of the command."""
        return choose_text(self.message, self.message_zh)

    @property
    def advice(self) -> str:
        """The next step in the language of the command."""
        return choose_text(self.next_step, self.next_step_zh)


class Stopped(OperatorError):
    """What refused one recording refuses every other one as well."""


def read_error(ctx: Context, receipt: Receipt) -> StoredError | None:
    """Return the error object of a recording; None if there is none that can be read. One request."""
    bucket = ctx.settings.output_bucket_for(receipt.bucket)
    key = transcript_key(ctx.settings, receipt.bucket, receipt.key, ERROR_EXTENSION, receipt.output_name)
    try:
        document: Any = json.loads(ctx.output_cos.get(bucket, key, max_bytes=MAX_ERROR_BYTES).body)
        return StoredError(**{name: str(document.get(name, "")) for name in StoredError._fields})
    except (NotFound, ValueError, AttributeError, RecursionError):
        return None


class RefusalWatch:
    """Looks at the results and errors of many recordings, and stops when the next one would meet the same cause."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._in_row = 0

    def check_result(self, ctx: Context, result: Result, *, refusals_before: int = 0) -> StoredError | None:
        """Return why the submit of a deferred recording was refused; None if it was not.

        `refusals_before` is how often its receipt was refused before. Raises Stopped if the reason concerns every
        recording, or several were refused in a row.
        """
        receipt = None
        if result.status is Status.DEFERRED:
            receipt = ctx.receipts(result.bucket).get_open(result.receipt_id)
        if receipt is None or receipt.refusals <= refusals_before:
            self._in_row = 0
            return None
        error = read_error(ctx, receipt) or StoredError(FailureKind.SETTINGS.value, translate(result.reason))
        self._in_row += 1
        is_general = error.kind in _ABOUT_EVERY_RECORDING and error.code != _OF_ONE_OBJECT
        if is_general or self._in_row >= MAX_REFUSED_IN_ROW:
            raise Stopped(self._describe(result, error))
        return error

    def check_error(self, error: Exception) -> None:
        """Raise Stopped if an error of one recording concerns every other one, or the cloud does not respond."""
        self._in_row += 1
        if not isinstance(error, CloudError):
            return
        if error.status in ACCOUNT_STATUSES or self._in_row >= MAX_REFUSED_IN_ROW:
            raise Stopped(str(self._workspace.advise(error))) from None

    def _describe(self, result: Result, error: StoredError) -> str:
        advice = error.advice
        if error.kind != FailureKind.ACCOUNT.value:
            advice = _(
                "If the key of the account may not submit, `{command}` prints what it needs; otherwise its error "
                "object says what to do",
                command=self._workspace.commands.line("policy", "operator"),
            )
        reason = f"{error.message} ({error.code})" if error.code else error.message
        if is_chinese():
            reason = end_sentence(add_code(error.text, error.code))
        place = f"{result.bucket}/{result.key}"
        text = _("{name} was refused: {reason}", name=place, reason=reason)
        return escape_line(join_sentences(text, advice))
