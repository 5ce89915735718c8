"""How much memory the stand-in and the function instances hold, from /proc. Linux only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

_PROC = Path("/proc")


@dataclass(slots=True)
class Memory:
    """Samples of resident memory in MiB: of the stand-in, and of the largest function instance."""

    pid: int
    emulator: list[float] = field(default_factory=list)
    instance: list[float] = field(default_factory=list)

    def sample(self) -> None:
        """Looks once."""
        self.emulator.append(_resident_mib(self.pid))
        instances = [_resident_mib(child) for child in _children(self.pid)]
        self.instance.append(max(instances, default=0.0))


@dataclass(frozen=True, slots=True)
class Course:
    """How memory went, in MiB: when the work was under way, at its end, and at the highest."""

    early: float
    late: float
    peak: float

    @property
    def growth(self) -> float:
        """From early to late."""
        return round(self.late - self.early, 1)


def course_of(samples: Sequence[float]) -> Course:
    """Early is the median of the third fifth's samples, when caches and journals are warm; late that of the last."""
    fifth = max(1, len(samples) // 5)
    early = samples[2 * fifth : 3 * fifth] or samples
    return Course(round(median(early), 1), round(median(samples[-fifth:]), 1), round(max(samples), 1))


def _children(pid: int) -> Iterator[int]:
    for place in _PROC.glob("[0-9]*"):
        if _status(int(place.name)).get("PPid") == str(pid):
            yield int(place.name)


def _resident_mib(pid: int) -> float:
    return int(_status(pid).get("VmRSS", "0 kB").split()[0]) / 1024


def _status(pid: int) -> dict[str, str]:
    """What the kernel says of a process; nothing of one that has ended."""
    try:
        text = (_PROC / str(pid) / "status").read_text("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}
