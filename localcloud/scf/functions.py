"""The functions of one folder, running: what starts them, and what happens when they fail."""

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

from localcloud.scf import urls
from localcloud.scf.deployment import CosTrigger, Deployment, HttpTrigger, TimerTrigger
from localcloud.scf.environment import Surroundings, TemporaryKey
from localcloud.scf.events import ObjectCreated, cos_event, timer_event
from localcloud.scf.invocations import Invocation, Journal
from localcloud.scf.matching import fits
from localcloud.scf.runner import Attempt, Runner
from localcloud.scf.serverless_yml import load_deployment
from localcloud.scf.urls import UrlAnswer, UrlRequest

_ATTEMPTS = 3  # RetryNum 2, the default. SCF documents, 583/41138
_MAX_ASYNC_EVENT_BYTES = 128 * 1024  # 583/11637
_MAX_SYNC_EVENT_BYTES = 6 * 1024 * 1024
_TOO_LARGE = 406  # 583/42611
_NO_URLIDS: Mapping[str, str] = {}
# What carries an event from COS to a function: it is told what the event is about, and calls what delivers it.
Carrier = Callable[[str, Callable[[], None]], None]

_log = logging.getLogger(__name__)


class Functions:
    """The functions that a serverless.yml describes, run on this machine as SCF runs them in the cloud.

    Asynchronous events live in memory: one that is still queued, or waits for another try, is lost when this closes.
    """

    def __init__(
        self,
        deployment: Deployment,
        where: Surroundings,
        runner: Runner,
        journal: Journal,
        *,
        retry_delay_s: float,
        urlids: Mapping[str, str],
        carry: Carrier,
    ) -> None:
        self._functions = deployment.functions
        self._cos_triggers = [each for each in deployment.triggers if isinstance(each, CosTrigger)]
        self._timer_triggers = [each for each in deployment.triggers if isinstance(each, TimerTrigger)]
        self._hosts: dict[str, HttpTrigger] = {}
        for trigger in deployment.triggers:
            if isinstance(trigger, HttpTrigger) and trigger.is_open:
                name, urlid = self._functions[trigger.function].name, urlids.get(trigger.function)
                host = urls.url_host(name, appid=where.appid, region=where.region, urlid=urlid)
                self._hosts[host] = trigger
        self._runner = runner
        self._journal = journal
        self._retry_delay_s = retry_delay_s
        self._carry = carry
        self._deliveries: set[asyncio.Task[None]] = set()
        self._timers: list[asyncio.Task[None]] = []

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        environ: Mapping[str, str],
        endpoint: str,
        region: str,
        appid: str,
        state_folder: Path,
        issue_key: Callable[[str, str], TemporaryKey],
        requests_of: Callable[[str], list[str]],
        retry_delay_s: float = 1.0,
        urlids: Mapping[str, str] = _NO_URLIDS,
        max_instances: int = 4,
        carry: Carrier = lambda _about, deliver: deliver(),
    ) -> "Functions":
        """Read FOLDER/serverless.yml and get its functions ready; no process starts before the first event.

        `environ` is what `${env:NAME}` in the file refers to; the functions themselves see nothing else of
        it. `endpoint` becomes their CLOUD_ENDPOINT. `issue_key` (function, request id) makes the credentials
        of one invocation, `requests_of` (request id) tells what was asked of the cloud with them. A failed
        asynchronous event is tried again after `retry_delay_s` (a minute in the cloud). `urlids` (by
        function) keeps addresses from before. `max_instances` of a function run at once; more events wait. Raises
        DeploymentError, which lists every mistake.
        """
        folder = folder.resolve()
        deployment = load_deployment(folder, environ=environ, region=region, appid=appid)
        home = state_folder.resolve() / "home"
        home.mkdir(parents=True, exist_ok=True)
        where = Surroundings(folder, home, endpoint, region, appid)
        journal = Journal(state_folder / "logs")
        runner = Runner(
            deployment.functions,
            where,
            journal=journal,
            issue_key=issue_key,
            requests_of=requests_of,
            max_instances=max_instances,
        )
        return cls(
            deployment, where, runner, journal, retry_delay_s=retry_delay_s, urlids=urlids, carry=carry
        )

    @property
    def urls(self) -> dict[str, str]:
        """The public address of every function that has one, by the function's key."""
        return {trigger.function: f"https://{host}" for host, trigger in self._hosts.items()}

    @property
    def timers(self) -> tuple[str, ...]:
        """The names of the timer triggers, open or not."""
        return tuple(trigger.name for trigger in self._timer_triggers)

    def owns_host(self, host: str) -> bool:
        """Say whether a Host header names one of the function URLs."""
        return _bare(host) in self._hosts

    async def start(self) -> None:
        """Let the timers run from now on. Everything else works without this."""
        for trigger in self._timer_triggers:
            if trigger.is_open:
                self._timers.append(asyncio.create_task(self._run_timer(trigger)))

    async def close(self) -> None:
        """Stop the timers, forget what waits and end every instance, also in the middle of an event."""
        tasks = [*self._timers, *self._deliveries]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._runner.close()

    async def object_created(self, event: ObjectCreated) -> None:
        """Queue the event for every function whose trigger fits; returns before any of them runs."""
        for trigger in self._cos_triggers:
            if fits(trigger, event):
                function = self._functions[trigger.function]
                raw = cos_event(event, function_name=function.name, namespace=function.namespace)
                about = f"{function.key} {event.bucket}/{event.key} {event.etag}"
                self._carry(about, partial(self._queue, function.key, "cos", raw))

    async def fire_timer(self, name: str) -> None:
        """Queue the event of the timer trigger called `name`, now. Raises KeyError if there is none."""
        for trigger in self._timer_triggers:
            if trigger.name == name:
                self._fire(trigger, datetime.now(timezone.utc))
                return
        raise KeyError(name)

    async def call_url(self, host: str, request: UrlRequest) -> UrlAnswer:
        """Call the function behind a URL and wait for it. Never tried again, whatever happens."""
        trigger = self._hosts.get(_bare(host))
        if trigger is None:
            return urls.failure(404, f"no function has the address {host}")
        if trigger.auth != "NONE":
            return urls.failure(403, "this function URL wants a CAM signature (AuthType CAM)")
        if len(request.body) > urls.MAX_BODY_BYTES:
            return urls.failure(413, f"a body has at most {urls.MAX_BODY_BYTES} bytes", code=_TOO_LARGE)
        event = json.dumps(urls.url_event(request), ensure_ascii=False)
        invocation = await self._runner.run(
            Attempt(self._functions[trigger.function], "http", event, _new_request_id())
        )
        request_id = invocation.request_id
        if invocation.outcome == "ok":
            answer = urls.url_answer(invocation.result)
        else:
            message, _, stack = invocation.error.partition("\n")
            answer = urls.failure(500, message, code=invocation.code, request_id=request_id, stack=stack)
        return replace(answer, headers={**answer.headers, "x-scf-request-id": request_id})

    async def invoke(self, name: str, event: object) -> Invocation:
        """Call a function, by its key or its full name, once, and wait for it.

        Raises KeyError if there is none, ValueError if the event is over 6 MB.
        """
        matching = (
            function for function in self._functions.values() if name in (function.key, function.name)
        )
        function = next(matching, None)
        if function is None:
            raise KeyError(name)
        text = json.dumps(event, ensure_ascii=False)
        if len(text.encode()) > _MAX_SYNC_EVENT_BYTES:
            raise ValueError(f"an event has at most {_MAX_SYNC_EVENT_BYTES} bytes")
        return await self._runner.run(Attempt(function, "invoke", text, _new_request_id()))

    def kill(self, secret_id: str) -> bool:
        """Kill the instance that serves an event with that key, now; False if there is none."""
        return self._runner.kill(secret_id)

    async def idle(self, timeout_s: float) -> bool:
        """Wait until no asynchronous event is queued, running or due for another try.

        Gives False if that takes longer than `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        while self._deliveries:
            remaining_s = deadline - time.monotonic()
            if remaining_s <= 0:
                return False
            await asyncio.wait(self._deliveries, timeout=remaining_s)
        return True

    def invocations(self, since: int = 0) -> list[Invocation]:
        """Give those of the last 10,000 whose number is above `since`, in the order in which they ended."""
        return self._journal.since(since)

    async def _run_timer(self, trigger: TimerTrigger) -> None:
        # The documents name no time zone; SCF's clock is UTC.
        moment = trigger.cron.next_after(datetime.now(timezone.utc))
        while moment is not None:
            await asyncio.sleep(max(0.0, (moment - datetime.now(timezone.utc)).total_seconds()))
            self._fire(trigger, moment)
            moment = trigger.cron.next_after(max(moment, datetime.now(timezone.utc)))

    def _fire(self, trigger: TimerTrigger, moment: datetime) -> None:
        self._queue(trigger.function, "timer", timer_event(trigger.name, moment, trigger.argument))

    def _queue(self, key: str, trigger: str, event: Mapping[str, Any]) -> None:
        """Accept an asynchronous event; SCF keeps its request id over all attempts, as its logs suggest."""
        text = json.dumps(event, ensure_ascii=False)
        attempt = Attempt(self._functions[key], trigger, text, _new_request_id())
        if len(text.encode()) > _MAX_ASYNC_EVENT_BYTES:
            error = f"an asynchronous event has at most {_MAX_ASYNC_EVENT_BYTES} bytes"
            self._runner.refuse(replace(attempt, is_last=True), _TOO_LARGE, error)
            return
        task = asyncio.create_task(self._deliver(attempt))
        self._deliveries.add(task)
        task.add_done_callback(self._delivered)

    def _delivered(self, task: "asyncio.Task[None]") -> None:
        self._deliveries.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("an event could not be delivered", exc_info=task.exception())

    async def _deliver(self, attempt: Attempt) -> None:
        """Run an asynchronous event until it succeeds or its attempts are used up."""
        for number in range(1, _ATTEMPTS + 1):
            if number > 1:
                await asyncio.sleep(self._retry_delay_s)
            is_last = number == _ATTEMPTS
            invocation = await self._runner.run(replace(attempt, number=number, is_last=is_last))
            if invocation.outcome == "ok":
                return


def _bare(host: str) -> str:
    return host.partition(":")[0].lower()


def _new_request_id() -> str:
    return str(uuid.uuid4())
