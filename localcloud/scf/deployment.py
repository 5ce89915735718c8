"""What runs where: functions and the triggers that start them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from localcloud.scf.cron import Cron


class DeploymentError(Exception):
    """serverless.yml cannot be deployed; `mistakes` holds every one that was found."""

    def __init__(self, file: Path, mistakes: Sequence[str]) -> None:
        super().__init__("\n  - ".join([f"{file.name} cannot be deployed:", *mistakes]))
        self.mistakes = tuple(mistakes)


@dataclass(frozen=True, slots=True)
class Function:
    """One function. `key` is its name on this machine, `name` its full name in the cloud.

    `folder` is where its code lies and where it runs; `role` the CAM role whose keys it gets, None for no keys.
    """

    key: str
    name: str
    handler: str
    folder: Path
    module_file: Path
    runtime: str
    namespace: str
    memory_mib: int
    timeout_s: int
    init_timeout_s: int
    variables: Mapping[str, str]
    role: str | None


@dataclass(frozen=True, slots=True)
class CosTrigger:
    """Starts a function for events of one bucket (`name-appid`) whose key fits."""

    function: str
    bucket: str
    region: str
    event_pattern: str
    prefix: str
    suffix: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class HttpTrigger:
    """Gives a function its URL. `auth` is NONE or CAM; without a `urlid` the address follows from the name."""

    function: str
    auth: str
    is_open: bool
    urlid: str | None = None


@dataclass(frozen=True, slots=True)
class TimerTrigger:
    """Starts a function whenever the clock fits; `argument` becomes the event's Message."""

    function: str
    name: str
    cron: Cron
    argument: str
    is_open: bool


Trigger = CosTrigger | HttpTrigger | TimerTrigger


@dataclass(frozen=True, slots=True)
class Deployment:
    """The whole file, checked."""

    functions: Mapping[str, Function]
    triggers: tuple[Trigger, ...]
