"""The functions that can run at this moment and their triggers; both can change at run time."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import TypeVar

from localcloud.runtime import urls
from localcloud.runtime.events import CosEvent, build_cos_event, build_timer_event, matches
from localcloud.runtime.instances import RuntimeEnvironment, TemporaryCredentials
from localcloud.runtime.models import CosTrigger, DeploymentSpec, Function, HttpTrigger, TimerTrigger, Trigger
from localcloud.runtime.runner import (
    EVENT_TOO_LARGE,
    AsyncEventQueue,
    Invocation,
    InvocationAttempt,
    InvocationLog,
    InvocationRunner,
    RetryConfig,
    new_request_id,
)
from localcloud.runtime.timers import TimerScheduler
from localcloud.runtime.urls import UrlRequest, UrlResponse

MAX_SYNC_EVENT_BYTES = 6 * 1024 * 1024  # 583/11637
_DEFAULT_RETRY_CONFIG = RetryConfig()
# Changes the URL of an object in an event: takes a label of the event, and the URL.
ChangeUrl = Callable[[str, str], str]
# Delivers an event from COS to a function: takes a label of the event, and the callable that sends it.
Deliver = Callable[[str, Callable[[], None]], None]
_Kind = TypeVar("_Kind", CosTrigger, HttpTrigger, TimerTrigger)


class FunctionRegistry:
    """Functions and their triggers, run on this machine as SCF runs them in the cloud.

    Asynchronous events are in memory: one that is queued or waits for a retry is lost when the registry closes.
    """

    def __init__(
        self,
        *,
        endpoint: str,
        region: str,
        appid: str,
        state_folder: Path,
        issue_credentials: Callable[[str, str], TemporaryCredentials],
        requests_for: Callable[[str], list[str]],
        retry_delay_s: float = 1.0,
        max_instances: int = 4,
        clock_offsets_s: Sequence[float] = (0.0,),
        deliver: Deliver = lambda _label, send: send(),
        change_url: ChangeUrl = lambda _label, url: url,
    ) -> None:
        """Create an empty registry. No process starts before the first event of a function.

        `endpoint` becomes the functions' CLOUD_ENDPOINT. `issue_credentials` (function, request id) creates the
        credentials of one invocation, `requests_for` (request id) returns the requests that were sent with them. A
        failed asynchronous event is retried after `retry_delay_s` (a minute in the cloud). Up to `max_instances` of a
        function run at the same time; more events wait. `clock_offsets_s`: how far the clocks of new instances are
        ahead, in turn.
        """
        home = state_folder.resolve() / "home"
        home.mkdir(parents=True, exist_ok=True)
        next_clock_offset_s = cycle(clock_offsets_s).__next__
        self._runtime = RuntimeEnvironment(home, endpoint, region, appid, next_clock_offset_s)
        self._invocation_log = InvocationLog(state_folder / "logs")
        self._runner = InvocationRunner(
            self._runtime,
            invocation_log=self._invocation_log,
            issue_credentials=issue_credentials,
            requests_for=requests_for,
            max_instances=max_instances,
        )
        self._triggers: dict[str, tuple[Trigger, ...]] = {}
        self._retry_configs: dict[str, RetryConfig] = {}
        self._http_triggers: dict[str, HttpTrigger] = {}  # by host
        self._deliver = deliver
        self._change_url = change_url
        self._event_queue = AsyncEventQueue(
            self._runner, lambda key: self._retry_configs.get(key, _DEFAULT_RETRY_CONFIG), retry_delay_s
        )
        self._timers = TimerScheduler(self._fire)

    def deploy(self, spec: DeploymentSpec) -> None:
        """Add all functions of a serverless.yml."""
        for key, function in spec.functions.items():
            self.put(function)
            self.set_triggers(key, [trigger for trigger in spec.triggers if trigger.function == key])

    def put(self, function: Function) -> None:
        """Add a function, or replace the one with its key; its triggers stay."""
        self._runner.put(function)

    def set_triggers(self, key: str, triggers: Iterable[Trigger]) -> None:
        """Replace the triggers of a function."""
        self._triggers[key] = tuple(triggers)
        self._on_triggers_changed()

    def set_retry_config(self, key: str, config: RetryConfig) -> None:
        """Set how a function's failed events are retried."""
        self._retry_configs[key] = config

    def remove(self, key: str) -> None:
        """Remove a function and its triggers; a running event ends."""
        self._runner.remove(key)
        self._triggers.pop(key, None)
        self._retry_configs.pop(key, None)
        self._on_triggers_changed()

    def _on_triggers_changed(self) -> None:
        self._http_triggers = {
            self.url_host(trigger): trigger for trigger in self._list(HttpTrigger) if trigger.enabled
        }
        self._timers.sync(self._list(TimerTrigger))

    def _list(self, kind: type[_Kind]) -> list[_Kind]:
        return [
            trigger
            for triggers in self._triggers.values()
            for trigger in triggers
            if isinstance(trigger, kind)
        ]

    def url_host(self, trigger: HttpTrigger) -> str:
        """Return the host of a function's URL, also of a disabled one."""
        name = self.get(trigger.function).name
        runtime = self._runtime
        return urls.build_url_host(name, appid=runtime.appid, region=runtime.region, url_id=trigger.url_id)

    def get(self, name: str) -> Function:
        """Return a function by its key or its full name. Raises KeyError."""
        functions = self._runner.functions
        return functions.get(name) or {function.name: function for function in functions.values()}[name]

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of all functions that can run."""
        return tuple(self._runner.functions)

    @property
    def names(self) -> frozenset[str]:
        """The names that are in use: keys and full names."""
        functions = self._runner.functions
        return frozenset(functions) | {function.name for function in functions.values()}

    @property
    def cos_triggers(self) -> list[CosTrigger]:
        """Every COS trigger, also disabled ones."""
        return self._list(CosTrigger)

    @property
    def urls(self) -> dict[str, str]:
        """The public URL of every function that has one, by the function's key."""
        return {trigger.function: f"https://{host}" for host, trigger in self._http_triggers.items()}

    @property
    def timers(self) -> tuple[str, ...]:
        """The names of the timer triggers, also of disabled ones."""
        return tuple(trigger.name for trigger in self._list(TimerTrigger))

    def owns_host(self, host: str) -> bool:
        """Whether a Host header is that of a function URL."""
        return _strip_port(host) in self._http_triggers

    async def start(self) -> None:
        """Start the timers. Everything else works without this."""
        self._timers.start(self._list(TimerTrigger))

    async def close(self) -> None:
        """Stop the timers, drop the queued events and terminate every instance, also busy ones."""
        await self._timers.close()
        await self._event_queue.close()
        await self._runner.close()

    async def on_object_event(self, event: CosEvent) -> None:
        """Queue the event for every matching trigger; returns before the functions run."""
        for trigger in self.cos_triggers:
            if matches(trigger, event):
                function = self.get(trigger.function)
                document = build_cos_event(event, function_name=function.name, namespace=function.namespace)
                label = f"{function.key} {event.bucket}/{event.key} {event.etag}"
                stored = document["Records"][0]["cos"]["cosObject"]
                stored["url"] = self._change_url(label, stored["url"])
                self._deliver(label, partial(self._event_queue.enqueue, function.key, "cos", document))

    async def fire_timer(self, name: str) -> None:
        """Queue the event of every timer trigger of that name now. Raises KeyError if there is none."""
        triggers = [trigger for trigger in self._list(TimerTrigger) if trigger.name == name]
        if not triggers:
            raise KeyError(name)
        for trigger in triggers:
            self._fire(trigger, datetime.now(timezone.utc))

    async def call_url(self, host: str, request: UrlRequest) -> UrlResponse:
        """Call the function behind a URL and wait for it. A failed call is not retried."""
        trigger = self._http_triggers.get(_strip_port(host))
        if trigger is None:
            return urls.error_response(404, f"no function has the address {host}")
        if trigger.auth != "NONE":
            return urls.error_response(403, "this function URL needs a CAM signature (AuthType CAM)")
        if len(request.body) > urls.MAX_BODY_BYTES:
            return urls.error_response(
                413, f"a body has at most {urls.MAX_BODY_BYTES} bytes", code=EVENT_TOO_LARGE
            )
        event = json.dumps(urls.build_url_event(request), ensure_ascii=False)
        attempt = InvocationAttempt(trigger.function, "http", event, new_request_id())
        invocation = await self._runner.run(attempt)
        request_id = invocation.request_id
        if invocation.outcome == "ok":
            response = urls.build_url_response(invocation.result)
        else:
            message, _, stack = invocation.error.partition("\n")
            response = urls.error_response(
                500, message, code=invocation.code, request_id=request_id, stack=stack
            )
        return replace(response, headers={**response.headers, "x-scf-request-id": request_id})

    async def invoke(self, name: str, event: object) -> Invocation:
        """Invoke a function, by its key or its full name, once, and wait for it.

        Raises KeyError if it does not exist, ValueError if the event is over 6 MB.
        """
        function = self.get(name)
        text = json.dumps(event, ensure_ascii=False)
        if len(text.encode()) > MAX_SYNC_EVENT_BYTES:
            raise ValueError(f"an event has at most {MAX_SYNC_EVENT_BYTES} bytes")
        return await self._runner.run(InvocationAttempt(function.key, "invoke", text, new_request_id()))

    def invoke_async(self, key: str, event: str) -> str:
        """Accept an asynchronous event of the API, which is JSON text; returns its request id."""
        return self._event_queue.enqueue_json(key, "invoke", event)

    def stop_instances(self) -> None:
        """Let every function start a new instance for its next event; a running event ends in the old one."""
        for function in self._runner.functions.values():
            self._runner.put(function)

    def kill(self, secret_id: str) -> bool:
        """Kill the instance whose current invocation has that secret id; False if there is none."""
        return self._runner.kill(secret_id)

    async def wait_idle(self, timeout_s: float) -> bool:
        """Wait until no asynchronous event is queued, running or waiting for a retry; False after `timeout_s`."""
        return await self._event_queue.wait_idle(timeout_s)

    def invocations(self, since: int = 0) -> list[Invocation]:
        """Return those of the last 10,000 invocations whose number is above `since`, in the order of their ends."""
        return self._invocation_log.since(since)

    def _fire(self, trigger: TimerTrigger, moment: datetime) -> None:
        event = build_timer_event(trigger.name, moment, trigger.argument)
        self._event_queue.enqueue(trigger.function, "timer", event)


def _strip_port(host: str) -> str:
    return host.partition(":")[0].lower()
