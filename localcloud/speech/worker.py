"""The recognition process: `python -m localcloud.speech.worker ENGINE [OPTIONS]`. Takes several recordings at a time.

A speech engine holds the GIL or all cores for seconds, so it never runs in the server's process. The worker always
goes on with the recording of which least has been done, so that a short one does not wait for a long one that was
there first.

Messages are JSON objects, each after its length in four bytes, on stdin and stdout. stdin has requests, each with an
`id`, and `{"cancel": id}`. stdout has first `{"ready": true}` or `{"error": text}`; then, each with the `id` of its
request, `{"begins": true}` before a step, and `{"progress": ...}`, `{"recognition": ...}` or `{"code", "message"}`
after it. The process ends when its stdin is closed, even in the middle of a step, so that it cannot outlive the server.
"""

import argparse
import json
import os
import queue
import struct
import threading
import traceback
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from localcloud.speech.errors import build_recogniser_failed_error, build_unreadable_recording_error
from localcloud.speech.models import Progress, Recognition, RecognitionError, SpeechSetupError
from localcloud.speech.recording import Engine, RecognitionRequest, recognise_in_steps

LENGTH = struct.Struct(">I")


@dataclass(slots=True)
class _OpenRecording:
    steps: Generator[Progress, None, Recognition]
    done_ms: int = 0


class RecognitionLoop:
    """Recognises the open recordings in turn, with one engine."""

    def __init__(self, engine: Engine, requests: "queue.Queue[dict[str, Any]]", output: BinaryIO) -> None:
        self._engine = engine
        self._requests = requests
        self._output = output
        self._recordings: dict[int, _OpenRecording] = {}  # in order of arrival

    def run(self) -> None:
        """Take requests and recognise, a step at a time; never returns."""
        while True:
            self.take_requests()
            self.run_step()

    def run_step(self) -> None:
        """Go on with the recording of which least has been done; of several, with the one that came first."""
        number, recording = min(self._recordings.items(), key=lambda item: item[1].done_ms)
        self._write(number, begins=True)
        self._run_step(number, recording)

    def take_requests(self) -> None:
        """Take every waiting request; wait for one if there is nothing to do."""
        while not self._requests.empty() or not self._recordings:
            request = self._requests.get()
            if "cancel" in request:
                cancelled = self._recordings.pop(request["cancel"], None)
                if cancelled:
                    cancelled.steps.close()
            else:
                self._recordings[request["id"]] = _OpenRecording(
                    recognise_in_steps(self._engine, _parse_request(request))
                )

    def _run_step(self, number: int, recording: _OpenRecording) -> None:
        try:
            progress = next(recording.steps)
        except StopIteration as end:
            self._end(number, recognition=asdict(end.value))
        except RecognitionError as error:
            self._fail(number, error)
        except OSError as error:
            self._fail(number, build_unreadable_recording_error(error))
        except Exception as error:  # noqa: BLE001 -- a new process would have to load the model again
            traceback.print_exc()
            self._fail(number, build_recogniser_failed_error(error))
        else:
            recording.done_ms = progress.done_ms
            self._write(number, progress=asdict(progress))

    def _fail(self, number: int, error: RecognitionError) -> None:
        self._end(number, code=error.code, message=error.message)

    def _end(self, number: int, **result: object) -> None:
        del self._recordings[number]
        self._write(number, **result)

    def _write(self, number: int, **members: object) -> None:
        write_message(self._output, {"id": number, **members})


def main() -> None:
    """Load the model, report that, then recognise until stdin ends."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints must not write between the messages
    requests: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_read_requests, args=(requests,), daemon=True).start()
    try:
        engine = _load_engine(_parse_arguments())
    except SpeechSetupError as error:
        write_message(output, {"error": str(error)})
        return
    write_message(output, {"ready": True})
    RecognitionLoop(engine, requests, output).run()


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m localcloud.speech.worker")
    parser.add_argument("engine", choices=("pocketsphinx", "whisper"))
    parser.add_argument("--model", type=Path, help="folder of the Whisper model")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def _load_engine(arguments: argparse.Namespace) -> Engine:
    # Each engine's packages are imported only by the worker that uses them.
    if arguments.engine == "whisper":
        from localcloud.speech.whisper import WhisperEngine  # noqa: PLC0415

        return WhisperEngine(arguments.model, threads=arguments.threads)
    from localcloud.speech.pocketsphinx import PocketSphinxEngine  # noqa: PLC0415

    return PocketSphinxEngine()


def _parse_request(request: dict[str, Any]) -> RecognitionRequest:
    sidecar = request["sidecar"]
    return RecognitionRequest(
        recording=Path(request["recording"]),
        engine=request["engine"],
        channels=request["channels"],
        sidecar=Path(sidecar) if sidecar else None,
    )


def _read_requests(requests: "queue.Queue[dict[str, Any]]") -> None:
    # Not sys.stdin: Python aborts at its end if a thread is reading from that.
    stdin = os.fdopen(os.dup(0), "rb")
    while True:
        header = stdin.read(LENGTH.size)
        if len(header) < LENGTH.size:
            os._exit(0)
        requests.put(json.loads(stdin.read(LENGTH.unpack(header)[0])))


def write_message(output: BinaryIO, message: dict[str, Any]) -> None:
    """Write one message with its length before it."""
    data = json.dumps(message).encode()
    output.write(LENGTH.pack(len(data)) + data)
    output.flush()


if __name__ == "__main__":
    main()
