"""What came between the doctor and an answer: told as a finding, never as a stack trace."""

from __future__ import annotations

import httpx

from cli.cloud.control import ControlError
from cli.doctor.finding import Finding, skipped, wrong
from cli.doctor.places import DENIED
from cli.errors import OperatorError
from shared.errors import CloudError, ScribeError
from shared.tencent.xml import XmlError

EXPECTED = (OperatorError, ScribeError, httpx.HTTPError, XmlError)  # anything else is a mistake in the doctor

_NO_NETWORK = frozenset({"ClientNetworkError", "ServerNetworkError", "NoConnection", "NoAnswer"})

_NO_REGION = frozenset({"UnsupportedRegion", "UnauthorizedOperation.Region"})


def finding_of(error: Exception) -> Finding:
    """No connection and anything unexpected is wrong; what this key may not look at is skipped."""
    code = error.code if isinstance(error, ControlError | CloudError) else ""
    if isinstance(error, httpx.HTTPError) or code in _NO_NETWORK:
        return wrong(
            f"no answer from the cloud: {_short(error)}",
            mend="look at this machine's connection and at CLOUD_ENDPOINT; then run scribe doctor again",
        )
    if _is_denied(error):
        return skipped(
            f"this key may not look: {_short(error)}",
            mend="scribe policy deployer (prints the permissions that this key needs)",
        )
    if code in _NO_REGION:
        return wrong(
            f"there is no such region, or SCF is not in it: {_short(error)}",
            mend="look at REGION in .env, then run scribe doctor again",
        )
    return wrong(f"it could not be looked at: {_short(error)}", mend="run scribe doctor again in a minute")


def _is_denied(error: Exception) -> bool:
    if isinstance(error, ControlError):
        return error.is_denied
    return isinstance(error, CloudError) and error.status in DENIED


def _short(error: Exception) -> str:
    if isinstance(error, httpx.HTTPError):
        # Its text may hold the address, and with it the callback's token.
        return type(error).__name__
    return str(error)
