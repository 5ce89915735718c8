"""The recognition process: `python -m localcloud.speech.worker`, one request at a time.

PocketSphinx holds the GIL for a whole utterance, so it never runs in the server's process.
Requests and responses are JSON, each after its length in four bytes, on stdin and stdout. The first response is
`{"ready": true}`, once the model is loaded. The process ends when its stdin is closed, even in the middle of a
recording, so that it cannot outlive the server.
"""

import json
import os
import queue
import struct
import sys
import threading
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from localcloud.speech.engine import PocketSphinxEngine
from localcloud.speech.errors import build_recogniser_failed_error, build_unreadable_recording_error
from localcloud.speech.models import RecognitionError

LENGTH = struct.Struct(">I")


def main() -> None:
    """Load the model, report that, then respond until stdin ends."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints must not write between the responses
    requests: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_read_requests, args=(requests,), daemon=True).start()
    engine = PocketSphinxEngine()
    _write(output, {"ready": True})
    while True:
        _write(output, _handle(engine, requests.get()))


def _read_requests(requests: "queue.Queue[dict[str, Any]]") -> None:
    while True:
        header = sys.stdin.buffer.read(LENGTH.size)
        if len(header) < LENGTH.size:
            os._exit(0)
        requests.put(json.loads(sys.stdin.buffer.read(LENGTH.unpack(header)[0])))


def _handle(engine: PocketSphinxEngine, request: dict[str, Any]) -> dict[str, Any]:
    sidecar = request["sidecar"]
    try:
        recognition = engine.recognise(
            Path(request["recording"]),
            channels=request["channels"],
            sidecar=Path(sidecar) if sidecar else None,
        )
    except RecognitionError as error:
        return _describe_error(error)
    except OSError as error:
        return _describe_error(build_unreadable_recording_error(error))
    except Exception as error:  # noqa: BLE001 -- a new process would have to load the model again
        traceback.print_exc()
        return _describe_error(build_recogniser_failed_error(error))
    return {"recognition": asdict(recognition)}


def _describe_error(error: RecognitionError) -> dict[str, Any]:
    return {"code": error.code, "message": error.message}


def _write(output: BinaryIO, response: dict[str, Any]) -> None:
    data = json.dumps(response).encode()
    output.write(LENGTH.pack(len(data)) + data)
    output.flush()


if __name__ == "__main__":
    main()
