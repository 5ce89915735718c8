"""The program inside an instance: loads one handler and calls it for one event after the other.

Started as a plain script in a clean environment, so it imports nothing of the stand-in. Arguments: the
number of the open socket to the platform, the mark that ends the output of an invocation, the module's file,
the function's name, how many seconds its clock is ahead. Messages on the socket are JSON, each preceded by its length
in four bytes.
"""

import importlib.util
import json
import logging
import os
import resource
import socket
import struct
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

LENGTH = struct.Struct(">I")
MAX_RESULT_BYTES = 6 * 1024 * 1024
# SCF status codes, 583/42611
USER_ERROR, BAD_HANDLER, EXITED, NOT_LOADED, TOO_LARGE = 430, 437, 439, 443, 407

Handler = Callable[[Any, Any], Any]


def main(platform: socket.socket, mark: bytes, module_file: Path, function: str) -> None:
    """Load the handler, report the result, then handle events until the platform closes the socket."""
    messages = platform.makefile("rb")
    _configure_logging()
    handler, error = _load(module_file, function)
    _send(platform, mark, error or {"ready": True})
    if handler is None:
        return
    while header := messages.read(LENGTH.size):
        request = json.loads(messages.read(LENGTH.unpack(header)[0]))
        response = _call(handler, request["event"], request["context"])
        _send(platform, mark, response)
        if response.get("code") == EXITED:
            return


def _configure_logging() -> None:
    """Add a handler to the root logger at DEBUG, as the platform does: basicConfig in user code then does nothing."""
    output = logging.StreamHandler(sys.stdout)
    output.setFormatter(logging.Formatter("[%(levelname)s] %(message)s"))
    logging.getLogger().addHandler(output)
    logging.getLogger().setLevel(logging.DEBUG)


def _load(module_file: Path, function: str) -> tuple[Handler | None, dict[str, Any]]:
    try:
        spec = importlib.util.spec_from_file_location(module_file.stem, module_file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    except BaseException as error:  # noqa: BLE001 -- the platform reports every exception of an import
        return None, _build_error(NOT_LOADED, error)
    handler = getattr(module, function, None)
    if not callable(handler):
        return None, _build_error(
            BAD_HANDLER, AttributeError(f"{module_file.name} has no function {function!r}")
        )
    return handler, {}


def _call(handler: Handler, event: Any, context: dict[str, Any]) -> dict[str, Any]:
    # Temporary credentials differ for each event. The platform's own bootstrap does the same.
    os.environ.update(json.loads(context["environment"]))
    try:
        result = json.dumps(handler(event, context), ensure_ascii=False)
        size = len(result.encode())
    except SystemExit as error:
        return _build_error(EXITED, error)
    except BaseException as error:  # noqa: BLE001 -- the platform reports every exception and continues
        return _build_error(USER_ERROR, error)
    if size > MAX_RESULT_BYTES:
        return _build_error(
            TOO_LARGE, ValueError(f"the result has {size} bytes, more than {MAX_RESULT_BYTES}")
        )
    return {"result": result, "memory_kib": _memory_kib()}


def _build_error(code: int, error: BaseException) -> dict[str, Any]:
    message = f"{type(error).__name__}: {error}"
    stack = "".join(traceback.format_exception(error))
    return {"code": code, "error": message, "stack": stack, "memory_kib": _memory_kib()}


def _memory_kib() -> int:
    """Return the peak memory of this process. Linux's ru_maxrss also counts the parent's memory at the start."""
    try:
        with Path("/proc/self/status").open(encoding="ascii") as status:
            return int(next(line for line in status if line.startswith("VmHWM:")).split()[1])
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 1024 if sys.platform == "darwin" else peak  # macOS counts bytes


def _send(platform: socket.socket, mark: bytes, response: dict[str, Any]) -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.write(1, mark + b"\n")  # all output so far belongs to this invocation
    data = json.dumps(response).encode()
    platform.sendall(LENGTH.pack(len(data)) + data)


def _shift_clock(offset_s: float) -> None:
    """Let this process read its clock `offset_s` seconds ahead. Clocks that only measure durations stay."""
    real_time, real_time_ns, real_clock = time.time, time.time_ns, time.clock_gettime
    offset_ns = round(offset_s * 1e9)

    def clock_gettime(clock: int) -> float:
        return real_clock(clock) + (offset_s if clock == time.CLOCK_REALTIME else 0)

    shifted: dict[str, Callable[..., Any]] = {
        "time": lambda: real_time() + offset_s,
        "time_ns": lambda: real_time_ns() + offset_ns,
        "clock_gettime": clock_gettime,
        **{name: _with_own_time(getattr(time, name)) for name in ("gmtime", "localtime", "ctime")},
    }
    for name, function in shifted.items():
        setattr(time, name, function)
    _shift_datetime()


def _with_own_time(convert: Callable[[float], Any]) -> Callable[..., Any]:
    """Let a conversion that has the current time as its default use time.time."""
    return lambda seconds=None: convert(time.time() if seconds is None else seconds)


def _shift_datetime() -> None:
    """Replace the classes of the module `datetime` by ones whose current time is that of time.time."""
    import datetime as dt  # noqa: PLC0415 - an instance without an offset starts without it

    real_datetime, real_date = dt.datetime, dt.date

    class AnyDatetime(type):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, real_datetime)

    class AnyDate(type):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, real_date)

    class ShiftedDatetime(dt.datetime, metaclass=AnyDatetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Any:
            return cls.fromtimestamp(time.time(), tz)

        @classmethod
        def utcnow(cls) -> Any:
            return cls.fromtimestamp(time.time(), dt.timezone.utc).replace(tzinfo=None)

        @classmethod
        def today(cls) -> Any:
            return cls.fromtimestamp(time.time())

    class ShiftedDate(dt.date, metaclass=AnyDate):
        @classmethod
        def today(cls) -> Any:
            return cls.fromtimestamp(time.time())

    for name, shifted in (("datetime", ShiftedDatetime), ("date", ShiftedDate)):
        shifted.__name__ = shifted.__qualname__ = name
        setattr(dt, name, shifted)


if __name__ == "__main__":
    del sys.path[0]  # this script's own folder, whose modules are not the user's
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
    sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
    _platform = socket.socket(fileno=int(sys.argv[1]))
    _platform.set_inheritable(False)
    os.register_at_fork(after_in_child=_platform.close)  # so that the socket closes when the instance ends
    _module_file, _function = Path(sys.argv[3]), sys.argv[4]
    _offset_s = float(sys.argv[5]) if len(sys.argv) > 5 else 0.0  # noqa: PLR2004
    if _offset_s:
        _shift_clock(_offset_s)
    main(_platform, b"\0" + sys.argv[2].encode(), _module_file, _function)
