"""The command line: one stand-in cloud on 127.0.0.1 until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from localcloud.access.assigned import AssignedError
from localcloud.admin import admin_app
from localcloud.app import Cloud, Options
from localcloud.ci.backend import CiOptions
from localcloud.connection import Connection
from localcloud.faults import PlanError, plan_of_option
from localcloud.scf import DeploymentError

_SETTLE_MS = 200
_GRACE_S = 3  # how long a request under way may still take when the cloud stops


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m localcloud",
        description="A stand-in for Tencent COS, Cloud Infinite speech recognition and SCF on this machine.",
    )
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 takes a free one (default)")
    parser.add_argument(
        "--data", type=Path, required=True, help="folder for objects and state; kept over restarts"
    )
    parser.add_argument("--speech", choices=("pocketsphinx", "scripted"), default="pocketsphinx")
    parser.add_argument("--functions", type=Path, nargs="?", const=Path(), help="folder with serverless.yml")
    parser.add_argument(
        "--policies",
        type=Path,
        metavar="FILE",
        help="JSON: what each of these functions may do, function -> CAM policy",
    )
    parser.add_argument("--timers", action="store_true", help="let the functions' timers run by the clock")
    parser.add_argument("--region", default="ap-guangzhou")
    parser.add_argument("--appid", default="1250000000")
    parser.add_argument("--secret-id", default="", help="generated and kept when left out, like the key")
    parser.add_argument("--secret-key", default="")
    parser.add_argument(
        "--job-delay-ms", type=int, default=0, help="how long every speech job takes at least"
    )
    parser.add_argument("--max-concurrent", type=int, default=10, help="jobs that a new queue runs at once")
    parser.add_argument("--max-size", type=int, default=10_000, help="open jobs that a new queue takes")
    parser.add_argument(
        "--versioned", nargs="+", default=[], metavar="BUCKET", help="make these, with versioning"
    )
    parser.add_argument(
        "--retry-delay", type=float, default=1.0, help="seconds before a failed event or notification"
    )
    parser.add_argument(
        "--max-instances", type=int, default=4, help="of each function at once; further events wait"
    )
    parser.add_argument(
        "--deploy-delay-ms", type=int, default=300, help="how long a function is Creating or Updating"
    )
    parser.add_argument(
        "--settle-ms",
        type=int,
        help="how long new roles, policies, queues and addresses are not known everywhere, and deleted functions"
        " are not quite gone (200; 0 with --functions)",
    )
    parser.add_argument(
        "--faults", default="{}", help="what goes wrong on purpose: a JSON file, or JSON text"
    )
    return parser.parse_args(words)


def _options(given: argparse.Namespace) -> Options:
    settle_ms = given.settle_ms
    if settle_ms is None:
        # Whoever brings functions along tries them, not how they are deployed.
        settle_ms = _SETTLE_MS if given.functions is None else 0
    settle_s = settle_ms / 1000
    return Options(
        data=given.data,
        region=given.region,
        appid=given.appid,
        secret_id=given.secret_id,
        secret_key=given.secret_key,
        speech=given.speech,
        functions=given.functions,
        policies=given.policies,
        timers=given.timers,
        versioned=tuple(given.versioned),
        retry_delay_s=given.retry_delay,
        max_instances=max(1, given.max_instances),
        deploy_delay_s=given.deploy_delay_ms / 1000,
        settle_s=settle_s,
        faults=plan_of_option(given.faults),
        ci=CiOptions(given.job_delay_ms / 1000, given.max_size, given.max_concurrent, settle_s),
    )


class _Server(uvicorn.Server):
    """A server that says when it listens, and leaves the signals to `serve` so that a stop is an ordinary end."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def _ready_line(cloud: Cloud, endpoint: str) -> str:
    key, options = cloud.keys.permanent, cloud.options
    return json.dumps(
        {
            "endpoint": endpoint,
            "region": options.region,
            "appid": options.appid,
            "secret_id": key.secret_id,
            "secret_key": key.secret_key,
            "functions": {name: {"url": url} for name, url in cloud.functions.urls.items()},
            "pid": os.getpid(),
        }
    )


async def serve(options: Options, listener: socket.socket) -> None:
    """Run a cloud on a listening socket until SIGTERM or SIGINT. Raises DeploymentError, AssignedError."""
    endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
    cloud = Cloud(options, endpoint, admin_app)
    ready = options.data / "ready.json"

    def announce() -> None:
        line = _ready_line(cloud, endpoint)
        ready.write_text(line + "\n", encoding="utf-8")
        print(line, flush=True)  # noqa: T201 - the one line that stdout is for

    server = _Server(
        uvicorn.Config(
            cloud,
            http=Connection,
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=_GRACE_S,
        ),
        announce,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: setattr(server, "should_exit", True))
    try:
        await cloud.start()
        await server.serve([listener])
    finally:
        ready.unlink(missing_ok=True)
        await cloud.close()


def main(words: Sequence[str] | None = None) -> int:
    """Run; 0 after a clean stop, 1 when it cannot start."""
    given = _arguments(words)
    try:
        options = _options(given)
    except PlanError as error:
        print(f"localcloud cannot start: {error}", file=sys.stderr)  # noqa: T201 - the command's answer
        return 1
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    for chatty in ("httpx", "httpcore", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    options.data.mkdir(parents=True, exist_ok=True)
    # asyncio switches Nagle's algorithm off only where the protocol is named: 44 ms an answer otherwise.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", given.port))
            asyncio.run(serve(options, listener))
        except (DeploymentError, AssignedError, OSError) as error:
            print(f"localcloud cannot start: {error}", file=sys.stderr)  # noqa: T201 - the command's answer
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
