"""Peak memory of this process."""

from pathlib import Path


def peak_mib() -> float:
    """Return the peak memory so far in MiB. Linux only."""
    status = Path("/proc/self/status").read_text("utf-8")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1]) / 1024
