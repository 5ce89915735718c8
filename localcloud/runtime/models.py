"""Functions and the triggers that start them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from localcloud.runtime.cron import Cron


class DeploymentError(Exception):
    """serverless.yml cannot be deployed; `errors` holds every error in it."""

    def __init__(self, file: Path, errors: Sequence[str]) -> None:
        super().__init__("\n  - ".join([f"{file.name} cannot be deployed:", *errors]))
        self.errors = tuple(errors)


@dataclass(frozen=True, slots=True)
class Function:
    """One function. `key` is its name on this machine, `name` its full name in the cloud.

    `folder` holds its code and is its working directory; `role` is the CAM role of its credentials, None for none.
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
    """Starts a function for matching events of one bucket (`name-appid`)."""

    function: str
    bucket: str
    region: str
    event_pattern: str
    prefix: str
    suffix: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class HttpTrigger:
    """Gives a function its URL. `auth` is NONE or CAM; without a `url_id` the host is derived from the name."""

    function: str
    auth: str
    enabled: bool
    url_id: str | None = None


@dataclass(frozen=True, slots=True)
class TimerTrigger:
    """Starts a function at the times of a cron expression; `argument` becomes the event's Message."""

    function: str
    name: str
    cron: Cron
    argument: str
    enabled: bool


Trigger = CosTrigger | HttpTrigger | TimerTrigger


@dataclass(frozen=True, slots=True)
class DeploymentSpec:
    """The functions and triggers of a serverless.yml."""

    functions: Mapping[str, Function]
    triggers: tuple[Trigger, ...]
