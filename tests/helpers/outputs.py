"""Processes with a standard output that is not UTF-8, or that cannot be written."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

ROOT = Path(__file__).resolve().parents[2]
FULL_DISK = Path("/dev/full")
ENCODINGS = ("ascii", "latin-1", "utf-8", "gbk")
BROKEN_OUTPUTS = ("closed", "full", "gone")


def run_python(
    code: str, *arguments: str, output: str = "utf-8", environ: Mapping[str, str] = MappingProxyType({})
) -> subprocess.CompletedProcess[bytes]:
    """Run code in a new process; `output` is one of ENCODINGS or BROKEN_OUTPUTS. It must not end with an error."""
    command = [sys.executable, "-c", code, *arguments]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **environ}
    if output in ENCODINGS:
        variables["PYTHONIOENCODING"] = output
        return _run(command, variables, subprocess.PIPE)
    if output == "closed":  # sys.stdout is None
        return _run(["/bin/sh", "-c", 'exec "$@" >&-', "sh", *command], variables, subprocess.PIPE)
    if output == "full":
        with FULL_DISK.open("wb") as file:
            return _run(command, variables, file.fileno())
    reader, writer = os.pipe()
    os.close(reader)  # nothing reads it any more
    try:
        return _run(command, variables, writer)
    finally:
        os.close(writer)


def _run(command: list[str], variables: Mapping[str, str], stdout: int) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command, env=variables, stdout=stdout, stderr=subprocess.PIPE, timeout=60, check=False, cwd=ROOT
    )
