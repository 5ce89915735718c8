"""The most memory that this process has held."""

from pathlib import Path


def peak_mib() -> float:
    """In MiB. Linux only."""
    status = Path("/proc/self/status").read_text("utf-8")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1]) / 1024
