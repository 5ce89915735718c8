"""The functions that can run at this moment, and what starts them. Both may change while it runs."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TypeVar

from localcloud.scf import urls
from localcloud.scf.deliveries import TOO_LARGE, Deliveries, Retries
from localcloud.scf.deployment import CosTrigger, Deployment, Function, HttpTrigger, TimerTrigger, Trigger
from localcloud.scf.environment import Surroundings, TemporaryKey
from localcloud.scf.events import ObjectCreated, cos_event, timer_event
from localcloud.scf.invocations import Invocation, Journal
from localcloud.scf.matching import fits
from localcloud.scf.runner import Attempt, Runner, new_request_id
from localcloud.scf.timers import Timers
from localcloud.scf.urls import UrlAnswer, UrlRequest

MAX_SYNC_EVENT_BYTES = 6 * 1024 * 1024  # 583/11637
_DEFAULT_RETRIES = Retries()
# What carries an event from COS to a function: it is told what the event is about, and calls what delivers it.
Carrier = Callable[[str, Callable[[], None]], None]
_Kind = TypeVar("_Kind", CosTrigger, HttpTrigger, TimerTrigger)


class Functions:
    """Functions and their triggers, run on this machine as SCF runs them in the cloud.

    Asynchronous events live in memory: one that is still queued, or waits for another try, is lost when this closes.
    """

    def __init__(
        self,
        *,
        endpoint: str,
        region: str,
        appid: str,
        state_folder: Path,
        issue_key: Callable[[str, str], TemporaryKey],
        requests_of: Callable[[str], list[str]],
        retry_delay_s: float = 1.0,
        max_instances: int = 4,
        carry: Carrier = lambda _about, deliver: deliver(),
    ) -> None:
        """None at first; no process starts before a function's first event.

        `endpoint` becomes the functions' CLOUD_ENDPOINT. `issue_key` (function, request id) makes the credentials
        of one invocation, `requests_of` (request id) tells what was asked of the cloud with them. A failed
        asynchronous event is tried again after `retry_delay_s` (a minute in the cloud). `max_instances` of a
        function run at once; more events wait.
        """
        home = state_folder.resolve() / "home"
        home.mkdir(parents=True, exist_ok=True)
        self._where = Surroundings(home, endpoint, region, appid)
        self._journal = Journal(state_folder / "logs")
        self._runner = Runner(
            self._where,
            journal=self._journal,
            issue_key=issue_key,
            requests_of=requests_of,
            max_instances=max_instances,
        )
        self._triggers: dict[str, tuple[Trigger, ...]] = {}
        self._retries: dict[str, Retries] = {}
        self._hosts: dict[str, HttpTrigger] = {}
        self._carry = carry
        self._deliveries = Deliveries(
            self._runner, lambda key: self._retries.get(key, _DEFAULT_RETRIES), retry_delay_s
        )
        self._timers = Timers(self._fire)

    def deploy(self, deployment: Deployment) -> None:
        """Run everything that a serverless.yml describes."""
        for key, function in deployment.functions.items():
            self.put(function)
            self.set_triggers(key, [each for each in deployment.triggers if each.function == key])

    def put(self, function: Function) -> None:
        """Run this function, instead of what had its key before; its triggers stay."""
        self._runner.put(function)

    def set_triggers(self, key: str, triggers: Iterable[Trigger]) -> None:
        """Let a function be started by these, and no others."""
        self._triggers[key] = tuple(triggers)
        self._look_at_triggers()

    def set_retries(self, key: str, retries: Retries) -> None:
        """Try a function's failed events again by this rule."""
        self._retries[key] = retries

    def remove(self, key: str) -> None:
        """Forget a function and its triggers; an event under way ends."""
        self._runner.remove(key)
        self._triggers.pop(key, None)
        self._retries.pop(key, None)
        self._look_at_triggers()

    def _look_at_triggers(self) -> None:
        self._hosts = {
            self.host_of(trigger): trigger for trigger in self._all(HttpTrigger) if trigger.is_open
        }
        self._timers.follow(self._all(TimerTrigger))

    def _all(self, kind: type[_Kind]) -> list[_Kind]:
        return [each for triggers in self._triggers.values() for each in triggers if isinstance(each, kind)]

    def host_of(self, trigger: HttpTrigger) -> str:
        """The host of a function's URL, whether it is open or not."""
        name = self.function(trigger.function).name
        return urls.url_host(name, appid=self._where.appid, region=self._where.region, urlid=trigger.urlid)

    def function(self, name: str) -> Function:
        """A function by its key or its full name. Raises KeyError."""
        functions = self._runner.functions
        return functions.get(name) or {each.name: each for each in functions.values()}[name]

    @property
    def keys(self) -> tuple[str, ...]:
        """Every function that can run now."""
        return tuple(self._runner.functions)

    @property
    def names(self) -> frozenset[str]:
        """What cannot be the name of another function: the keys and the full names."""
        functions = self._runner.functions
        return frozenset(functions) | {each.name for each in functions.values()}

    @property
    def cos_triggers(self) -> list[CosTrigger]:
        """Every rule that COS has for a function, open or not."""
        return self._all(CosTrigger)

    @property
    def urls(self) -> dict[str, str]:
        """The public address of every function that has one, by the function's key."""
        return {trigger.function: f"https://{host}" for host, trigger in self._hosts.items()}

    @property
    def timers(self) -> tuple[str, ...]:
        """The names of the timer triggers, open or not."""
        return tuple(trigger.name for trigger in self._all(TimerTrigger))

    def owns_host(self, host: str) -> bool:
        """Say whether a Host header names one of the function URLs."""
        return _bare(host) in self._hosts

    async def start(self) -> None:
        """Let the timers run from now on. Everything else works without this."""
        self._timers.start(self._all(TimerTrigger))

    async def close(self) -> None:
        """Stop the timers, forget what waits and end every instance, also in the middle of an event."""
        await self._timers.close()
        await self._deliveries.close()
        await self._runner.close()

    async def object_created(self, event: ObjectCreated) -> None:
        """Queue the event for every function whose trigger fits; returns before any of them runs."""
        for trigger in self.cos_triggers:
            if fits(trigger, event):
                function = self.function(trigger.function)
                raw = cos_event(event, function_name=function.name, namespace=function.namespace)
                about = f"{function.key} {event.bucket}/{event.key} {event.etag}"
                self._carry(about, partial(self._deliveries.add, function.key, "cos", raw))

    async def fire_timer(self, name: str) -> None:
        """Queue the event of every timer trigger called `name`, now. Raises KeyError if there is none."""
        found = [trigger for trigger in self._all(TimerTrigger) if trigger.name == name]
        if not found:
            raise KeyError(name)
        for trigger in found:
            self._fire(trigger, datetime.now(timezone.utc))

    async def call_url(self, host: str, request: UrlRequest) -> UrlAnswer:
        """Call the function behind a URL and wait for it. Never tried again, whatever happens."""
        trigger = self._hosts.get(_bare(host))
        if trigger is None:
            return urls.failure(404, f"no function has the address {host}")
        if trigger.auth != "NONE":
            return urls.failure(403, "this function URL wants a CAM signature (AuthType CAM)")
        if len(request.body) > urls.MAX_BODY_BYTES:
            return urls.failure(413, f"a body has at most {urls.MAX_BODY_BYTES} bytes", code=TOO_LARGE)
        event = json.dumps(urls.url_event(request), ensure_ascii=False)
        invocation = await self._runner.run(Attempt(trigger.function, "http", event, new_request_id()))
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
        function = self.function(name)
        text = json.dumps(event, ensure_ascii=False)
        if len(text.encode()) > MAX_SYNC_EVENT_BYTES:
            raise ValueError(f"an event has at most {MAX_SYNC_EVENT_BYTES} bytes")
        return await self._runner.run(Attempt(function.key, "invoke", text, new_request_id()))

    def queue(self, key: str, event: str) -> str:
        """Accept an asynchronous event, which is JSON text, from the API; its request id."""
        return self._deliveries.add_text(key, "invoke", event)

    def kill(self, secret_id: str) -> bool:
        """Kill the instance that serves an event with that key, now; False if there is none."""
        return self._runner.kill(secret_id)

    async def idle(self, timeout_s: float) -> bool:
        """Wait until no asynchronous event is queued, running or due for another try.

        Gives False if that takes longer than `timeout_s`.
        """
        return await self._deliveries.idle(timeout_s)

    def invocations(self, since: int = 0) -> list[Invocation]:
        """Give those of the last 10,000 whose number is above `since`, in the order in which they ended."""
        return self._journal.since(since)

    def _fire(self, trigger: TimerTrigger, moment: datetime) -> None:
        self._deliveries.add(trigger.function, "timer", timer_event(trigger.name, moment, trigger.argument))


def _bare(host: str) -> str:
    return host.partition(":")[0].lower()
