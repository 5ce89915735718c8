"""Memory of the local cloud and of the function instances, from /proc. Linux only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import NamedTuple

_PROC = Path("/proc")


@dataclass(slots=True)
class MemorySamples:
    """Samples of resident memory in MiB: of the local cloud, and of the largest function instance."""

    cloud_pid: int
    cloud: list[float] = field(default_factory=list)
    instance: list[float] = field(default_factory=list)

    def add(self) -> None:
        """Take one sample of each."""
        self.cloud.append(_read_resident_mib(self.cloud_pid))
        instances = [_read_resident_mib(pid) for pid in _find_children(self.cloud_pid)]
        self.instance.append(max(instances, default=0.0))


class MemoryTrend(NamedTuple):
    """Memory in MiB: in the middle of the work, at its end, and the peak."""

    early: float
    late: float
    peak: float

    @classmethod
    def from_samples(cls, samples: Sequence[float]) -> MemoryTrend:
        """Summarize samples. `early` is the median of the third fifth, when caches are full; `late` of the last."""
        fifth = max(1, len(samples) // 5)
        early = samples[2 * fifth : 3 * fifth] or samples
        return cls(round(median(early), 1), round(median(samples[-fifth:]), 1), round(max(samples), 1))

    @property
    def growth(self) -> float:
        """Return the growth from early to late."""
        return round(self.late - self.early, 1)


def _find_children(pid: int) -> Iterator[int]:
    for folder in _PROC.glob("[0-9]*"):
        if _read_status(int(folder.name)).get("PPid") == str(pid):
            yield int(folder.name)


def _read_resident_mib(pid: int) -> float:
    return int(_read_status(pid).get("VmRSS", "0 kB").split()[0]) / 1024


def _read_status(pid: int) -> dict[str, str]:
    """Read the status of a process; empty if it has ended."""
    try:
        text = (_PROC / str(pid) / "status").read_text("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}
