"""The command line: run one stand-in cloud on 127.0.0.1 until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import uvicorn

from localcloud.admin import create_admin_app
from localcloud.app import Cloud, CloudOptions
from localcloud.auth.authorize import CI_PERMISSION_READINGS
from localcloud.auth.policy import PolicyFileError
from localcloud.ci.backend import CiOptions
from localcloud.cos.backend import CosOptions
from localcloud.faults.plan import FaultPlanError, load_plan
from localcloud.http.server import HttpProtocol
from localcloud.private_files import make_new_files_private, make_private_folder, write_private_text
from localcloud.runtime.models import DeploymentError
from localcloud.speech import RECOGNISERS, SpeechSetupError
from localcloud.speech.whisper_model import prepare_model

_PROPAGATION_DELAY_MS = 200
_CLOCK_OPTION = "--function-clock-offsets"
_MAX_CLOCK_OFFSET_S = 10 * 365 * 86_400
_SHUTDOWN_TIMEOUT_S = 3  # for requests that are still being handled when the cloud stops


def _parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m localcloud",
        description="A stand-in for Tencent COS, Cloud Infinite speech recognition and SCF on this machine.",
    )
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 takes a free one (default)")
    parser.add_argument(
        "--data", type=Path, required=True, help="folder for objects and state; kept over restarts"
    )
    parser.add_argument(
        "--speech",
        choices=tuple(RECOGNISERS),
        default="pocketsphinx",
        help="pocketsphinx: real, English (default); whisper: real, 99 languages; scripted: invented words",
    )
    parser.add_argument(
        "--speech-model",
        default="",
        metavar="DIR",
        help="folder of a Whisper model for faster-whisper, or the name of one to download (small); default: the base"
        " model, installed or downloaded",
    )
    parser.add_argument("--functions", type=Path, nargs="?", const=Path(), help="folder with serverless.yml")
    parser.add_argument(
        "--policies",
        type=Path,
        metavar="FILE",
        help="JSON object: function -> CAM policy; what each of these functions may do",
    )
    parser.add_argument(
        "--timers", action="store_true", help="run the functions' timer triggers by the clock"
    )
    parser.add_argument(
        "--until-stdin-closes",
        action="store_true",
        help="stop also when standard input is closed: with the program that started it",
    )
    parser.add_argument("--region", default="ap-guangzhou")
    parser.add_argument("--appid", default="1250000000")
    parser.add_argument("--secret-id", default="", help="generated and kept if omitted, like the key")
    parser.add_argument("--secret-key", default="")
    parser.add_argument("--job-delay-ms", type=int, default=0, help="minimum duration of every speech job")
    parser.add_argument(
        "--max-concurrent", type=int, default=10, help="jobs that a new queue runs at the same time"
    )
    parser.add_argument("--max-size", type=int, default=10_000, help="maximum of open jobs of a new queue")
    parser.add_argument(
        "--versioned", nargs="+", default=[], metavar="BUCKET", help="create these buckets, with versioning"
    )
    parser.add_argument(
        "--suspended",
        nargs="+",
        default=[],
        metavar="BUCKET",
        help="create these buckets, with versioning that was enabled and is suspended",
    )
    parser.add_argument(
        "--suspended-version-id",
        choices=("null", "absent"),
        default="null",
        help="x-cos-version-id of a null version while versioning is suspended: the word null (default), or no"
        " such header",
    )
    parser.add_argument(
        "--restore-delay-ms", type=int, default=300, help="how long the restore of an archived object takes"
    )
    parser.add_argument(
        "--retry-delay",
        type=float,
        default=1.0,
        help="seconds before a failed event or notification is retried",
    )
    parser.add_argument(
        "--max-instances",
        type=int,
        default=4,
        help="instances of each function at the same time; further events wait",
    )
    parser.add_argument(
        _CLOCK_OPTION,
        type=_parse_offsets,
        default=(0.0,),
        metavar="SECONDS,...",
        help="how far the clock of each new instance of a function is ahead (-240,0,240), in turn",
    )
    parser.add_argument(
        "--deploy-delay-ms", type=int, default=300, help="how long a function is Creating or Updating"
    )
    parser.add_argument(
        "--settle-ms",
        type=int,
        help="how long new roles, policies, queues and URLs are not yet known everywhere, and deleted functions"
        " still partly exist (200; 0 with --functions)",
    )
    parser.add_argument(
        "--bare-account",
        action="store_true",
        help="a new data folder is an account in which nothing was set up: no bucket is bound to CI, and the service"
        " roles SCF_QcsRole and CI_QCSRole do not exist",
    )
    parser.add_argument(
        "--ci-permissions",
        choices=CI_PERMISSION_READINGS,
        default="documented",
        help="what GET /asr_jobs/<id> and GET /asr_jobs need: ci:DescribeAsrJob and ci:DescribeAsrJobs"
        " (documented, default), the two exchanged (swapped), or ci:DescribeMediaJob and"
        " ci:DescribeMediaJobs (media)",
    )
    parser.add_argument(
        "--ci-signature-error",
        choices=("access-denied", "invalid-authorization"),
        default="access-denied",
        help="code for a wrong or expired signature on a CI host: AccessDenied (default), or the documented"
        " InvalidAuthorization and SignatureExpired",
    )
    parser.add_argument("--faults", default="{}", help="fault injection plan: a JSON file, or JSON text")
    return parser.parse_args(_join_clock_option(sys.argv[1:] if arguments is None else arguments))


def _parse_offsets(text: str) -> tuple[float, ...]:
    try:
        offsets_s = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"not numbers of seconds with commas: {text!r}") from None
    if not all(abs(offset_s) <= _MAX_CLOCK_OFFSET_S for offset_s in offsets_s):
        raise argparse.ArgumentTypeError(f"an offset is at most {_MAX_CLOCK_OFFSET_S} seconds")
    return offsets_s


def _join_clock_option(arguments: Sequence[str]) -> list[str]:
    """Join the option for clocks with its value: argparse takes a value that begins with a minus for an option."""
    words = list(arguments)
    if _CLOCK_OPTION in words[:-1]:
        index = words.index(_CLOCK_OPTION)
        words[index : index + 2] = [f"{_CLOCK_OPTION}={words[index + 1]}"]
    return words


def _build_options(arguments: argparse.Namespace) -> CloudOptions:
    delay_ms = arguments.settle_ms
    if delay_ms is None:
        # With --functions the subject is what the functions do, not how they are deployed.
        delay_ms = _PROPAGATION_DELAY_MS if arguments.functions is None else 0
    propagation_delay_s = delay_ms / 1000
    return CloudOptions(
        data=arguments.data,
        region=arguments.region,
        appid=arguments.appid,
        secret_id=arguments.secret_id,
        secret_key=arguments.secret_key,
        speech=arguments.speech,
        speech_model=_find_speech_model(arguments.speech, arguments.speech_model),
        functions=arguments.functions,
        policies=arguments.policies,
        timers=arguments.timers,
        versioned=tuple(arguments.versioned),
        suspended=tuple(arguments.suspended),
        retry_delay_s=arguments.retry_delay,
        max_instances=max(1, arguments.max_instances),
        clock_offsets_s=arguments.function_clock_offsets,
        deploy_delay_s=arguments.deploy_delay_ms / 1000,
        propagation_delay_s=propagation_delay_s,
        faults=load_plan(arguments.faults),
        is_bare=arguments.bare_account,
        ci_permissions=arguments.ci_permissions,
        ci_signature_error=arguments.ci_signature_error,
        cos=CosOptions(
            restore_delay_s=arguments.restore_delay_ms / 1000,
            shows_null_version=arguments.suspended_version_id == "null",
        ),
        ci=CiOptions(
            arguments.job_delay_ms / 1000,
            arguments.max_size,
            arguments.max_concurrent,
            propagation_delay_s,
            is_bound=not arguments.bare_account,
        ),
    )


def _find_speech_model(speech: str, source: str) -> Path | None:
    if speech == "whisper":
        return prepare_model(source, lambda line: print(line, file=sys.stderr))  # noqa: T201 - takes long
    if source:
        raise SpeechSetupError("--speech-model is for --speech whisper")
    return None


class _Server(uvicorn.Server):
    """A server that reports when it listens; `serve` handles the signals, so that a stop is a normal return."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, then call `on_ready`."""
        await super().startup(sockets)
        self._on_ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def _format_ready_line(cloud: Cloud, endpoint: str) -> str:
    credential, options = cloud.credentials.permanent, cloud.options
    return json.dumps(
        {
            "endpoint": endpoint,
            "region": options.region,
            "appid": options.appid,
            "secret_id": credential.secret_id,
            "secret_key": credential.secret_key,
            "admin_secret": cloud.admin_secret,
            "functions": {name: {"url": url} for name, url in cloud.functions.urls.items()},
            "pid": os.getpid(),
        }
    )


def _wait_for_end_of_stdin() -> None:
    """Stop when the program that started this one has ended, however it ended."""
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


async def serve(options: CloudOptions, listener: socket.socket, *, until_stdin_closes: bool = False) -> None:
    """Run a cloud on a listening socket until SIGTERM or SIGINT, or until standard input is closed.

    Raises DeploymentError, PolicyFileError, SpeechSetupError.
    """
    endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
    cloud = Cloud(options, endpoint, create_admin_app)
    ready_file = options.data / "ready.json"

    def announce() -> None:
        line = _format_ready_line(cloud, endpoint)
        write_private_text(ready_file, line + "\n")
        print(line, flush=True)  # noqa: T201 - the only output on stdout

    server = _Server(
        uvicorn.Config(
            cloud,
            http=HttpProtocol,
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=_SHUTDOWN_TIMEOUT_S,
        ),
        announce,
    )
    loop, starting = asyncio.get_running_loop(), asyncio.create_task(cloud.start())

    def stop(*_: object) -> None:
        server.should_exit = True
        loop.call_soon_threadsafe(starting.cancel)  # loading a speech model takes seconds

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    if until_stdin_closes:
        threading.Thread(target=_wait_for_end_of_stdin, daemon=True).start()
    try:
        with suppress(asyncio.CancelledError):
            await starting
        if not server.should_exit:
            await server.serve([listener])
    finally:
        ready_file.unlink(missing_ok=True)
        await cloud.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns 0 after a clean stop, 1 if the cloud cannot start."""
    parsed = _parse_arguments(arguments)
    make_new_files_private()
    try:
        options = _build_options(parsed)
    except (FaultPlanError, SpeechSetupError) as error:
        print(f"localcloud cannot start: {error}", file=sys.stderr)  # noqa: T201 - the command's message
        return 1
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    for name in ("httpx", "httpcore", "uvicorn"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # asyncio disables Nagle's algorithm only if the protocol is IPPROTO_TCP; otherwise a response takes 44 ms.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            make_private_folder(options.data)
            listener.bind(("127.0.0.1", parsed.port))
            asyncio.run(serve(options, listener, until_stdin_closes=parsed.until_stdin_closes))
        except (DeploymentError, PolicyFileError, SpeechSetupError, OSError) as error:
            print(f"localcloud cannot start: {error}", file=sys.stderr)  # noqa: T201 - the command's message
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
