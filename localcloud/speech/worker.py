"""The process that listens: `python -m localcloud.speech.worker`, one question at a time.

PocketSphinx holds the interpreter for a whole utterance, so it never runs in the server's own process.
Questions and answers are JSON, each preceded by its length in four bytes, on stdin and stdout. The first
answer is `{"ready": true}`, once the model is loaded. The process ends when its stdin is closed, even in
the middle of a recording, so that it cannot outlive the server.
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
from localcloud.speech.models import RecognitionError

LENGTH = struct.Struct(">I")


def main() -> None:
    """Load the model, say so, then answer until stdin ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not fall among the answers
    questions: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_listen, args=(questions,), daemon=True).start()
    engine = PocketSphinxEngine()
    _write(answers, {"ready": True})
    while True:
        _write(answers, _answer(engine, questions.get()))


def _listen(questions: "queue.Queue[dict[str, Any]]") -> None:
    while True:
        header = sys.stdin.buffer.read(LENGTH.size)
        if len(header) < LENGTH.size:
            os._exit(0)
        questions.put(json.loads(sys.stdin.buffer.read(LENGTH.unpack(header)[0])))


def _answer(engine: PocketSphinxEngine, question: dict[str, Any]) -> dict[str, Any]:
    sidecar = question["sidecar"]
    try:
        recognition = engine.recognise(
            Path(question["recording"]),
            channels=question["channels"],
            sidecar=Path(sidecar) if sidecar else None,
        )
    except RecognitionError as failure:
        return {"code": failure.code, "message": failure.message}
    except OSError as failure:
        return {"code": "InternalError", "message": f"the recording could not be read: {failure.strerror}"}
    except Exception as failure:  # noqa: BLE001 -- one odd recording must not cost the model's next load
        traceback.print_exc()
        return {
            "code": "InternalError",
            "message": f"the recogniser failed: {type(failure).__name__}: {failure}",
        }
    return {"recognition": asdict(recognition)}


def _write(answers: BinaryIO, answer: dict[str, Any]) -> None:
    data = json.dumps(answer).encode()
    answers.write(LENGTH.pack(len(data)) + data)
    answers.flush()


if __name__ == "__main__":
    main()
