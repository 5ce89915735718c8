"""What the `scribe` command tells its user in one line, instead of a stack trace."""

from __future__ import annotations


class OperatorError(Exception):
    """Something the operator has to know or mend. The message says what happened, to what, and what to do next."""
