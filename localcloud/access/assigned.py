"""Policies that the command line gives to functions: a JSON object, function -> policy document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from localcloud.access.documents import Document, DocumentError, document_of

Assigned = Mapping[str, tuple[Document, ...]]


class AssignedError(Exception):
    """The file cannot be used; the message says why."""


def assigned_in(file: Path) -> Assigned:
    """Read the file. Raises AssignedError."""
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AssignedError(f"{file} cannot be read: {error}") from error
    if not isinstance(raw, dict):
        raise AssignedError(f"{file} holds a JSON object: function -> policy document")
    try:
        return {function: (document_of(document),) for function, document in raw.items()}
    except DocumentError as error:
        raise AssignedError(f"{file} holds a document that CAM does not take: {error}") from error
