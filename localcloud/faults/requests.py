"""Requests signed with a temporary key: refused, broken off, answered late, or their sender killed.

The operator's permanent key is never struck, nor is a request whose signature does not hold.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable

from starlette.responses import Response

from localcloud.answers import drop
from localcloud.asked import Asked, Problem
from localcloud.faults.dice import Dice
from localcloud.faults.functions import Kills

_MOST_READ = 1024 * 1024  # bytes; a body is read before it is refused, so that the refusal arrives
_JOB_ID = re.compile(r"s[0-9a-f]{32}")
_Refusals = tuple[tuple[int, str, str], ...]
_SLOW_DOWN, _BUSY = "Reduce your request rate.", "Please try again later."
# COS error codes 436/7730 (SlowDown is a 503 there); CI's status for its own SlowDown is unconfirmed, so both occur.
_THROTTLED: _Refusals = ((503, "SlowDown", _SLOW_DOWN), (429, "SlowDown", _SLOW_DOWN))
_SERVER_ERRORS: _Refusals = ((500, "InternalError", _BUSY), (503, "ServiceUnavailable", _BUSY))


class Cut(Exception):
    """The connection ends here, without an answer."""


class RequestFaults:
    """Carries requests out, unless something goes wrong before or after."""

    def __init__(self, dice: Dice, kills: Kills, name_of_job: Callable[[str], str]) -> None:
        """`name_of_job` says what a job is about: its id is another in every run."""
        self._dice = dice
        self._kills = kills
        self._name_of_job = name_of_job

    async def around(self, asked: Asked, carry_out: Callable[[Asked], Awaitable[Response]]) -> Response:
        """Carry it out. Raises Cut, and Problem for a refusal or an error that this made up."""
        if not self._dice.plan.can_strike or asked.signer is None or not asked.signer.token:
            return await carry_out(asked)
        number = self._kills.arrived(asked.signer)
        about = await self._about(asked)
        await self._before(asked, number, about)
        try:
            response = await carry_out(asked)
        except Problem:
            await self._after(asked, number, about)
            raise
        try:
            await self._after(asked, number, about)
        except BaseException:
            drop(response)
            raise
        return response

    async def _before(self, asked: Asked, number: int, about: str) -> None:
        assert asked.signer is not None
        if self._kills.strikes("before", asked.signer, number, about):
            self._cut(asked, "killed_before_request")
        if self._dice.strikes("cut_before", about):
            self._cut(asked, "cut_before")
        for kind, problems in (("throttled", _THROTTLED), ("server_error_before", _SERVER_ERRORS)):
            if self._dice.strikes(kind, about):
                await asked.body(_MOST_READ)
                raise self._problem(asked, kind, problems[self._dice.choice(kind, about, len(problems))])

    async def _after(self, asked: Asked, number: int, about: str) -> None:
        assert asked.signer is not None
        if self._kills.strikes("after", asked.signer, number, about):
            self._cut(asked, "killed_after_request")
        if self._dice.strikes("slow_answer", about):
            asked.fault = "slow_answer"
            await asyncio.sleep(self._dice.delay_s("slow_answer", about))
        if self._dice.strikes("cut_after", about):
            self._cut(asked, "cut_after")
        if self._dice.strikes("server_error_after", about):
            raise self._problem(asked, "server_error_after", _SERVER_ERRORS[0])

    def _cut(self, asked: Asked, kind: str) -> None:
        asked.fault = kind
        raise Cut(kind)

    def _problem(self, asked: Asked, kind: str, of_service: tuple[int, str, str]) -> Problem:
        asked.fault = kind
        return Problem(*of_service)

    async def _about(self, asked: Asked) -> str:
        """What a request is, in words that are the same in every run: no ids of jobs, no times, no tokens."""
        path = _JOB_ID.sub(lambda found: self._name_of_job(found.group()), asked.path)
        content = ""
        if asked.place.is_ci and asked.method == "POST":
            content = hashlib.sha256(await asked.read_ahead(_MOST_READ)).hexdigest()
        return self._dice.opportunity(f"{asked.method} {asked.host_name} {path} {content}")
