"""The error that the `scribe` command prints as one line instead of a stack trace."""

from __future__ import annotations


class OperatorError(Exception):
    """The operator must know or fix something. The message says what happened, to what, and what to do next."""
