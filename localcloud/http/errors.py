"""Errors that end a request.

ServiceError             becomes an error response with a status and a code of the real service
  CosError, CiError      (in localcloud.cos and localcloud.ci)
InvalidEncoding          the request is not UTF-8; it gets a response before any service sees it
"""

from __future__ import annotations


class ServiceError(Exception):
    """A request is rejected with a status and a code of the real service."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(message or code)
        self.status = status
        self.code = code
        self.message = message or code


class InvalidEncoding(Exception):
    """The path or the query of a request is not UTF-8."""
