"""What the control plane knows of a deployed function."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from localcloud.scf.deliveries import Retries
from localcloud.scf.deployment import Function

# Values of Status, intl 583/37883. The documents' Deleting and Publishing take no time here.
CREATING, CREATE_FAILED, ACTIVE = "Creating", "CreateFailed", "Active"
UPDATING, UPDATE_FAILED = "Updating", "UpdateFailed"
# Shown as Active, and no longer free: public deploy tools see Updating only a moment after a write.
ABOUT_TO_UPDATE = "AboutToUpdate"


@dataclass(frozen=True, slots=True)
class Settings:
    """What CreateFunction and UpdateFunctionConfiguration set. Without a role `role` is empty."""

    handler: str
    runtime: str
    description: str = ""
    memory_mib: int = 128
    timeout_s: int = 3
    init_timeout_s: int = 65
    public_network: bool = True
    role: str = ""
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Code:
    """One uploaded zip: the name of its folder, the hash and the size of the zip itself."""

    folder: str
    sha256: str
    zip_bytes: int


@dataclass(frozen=True, slots=True)
class Trigger:
    """One trigger. `description` is TriggerDesc as it was accepted, `urlid` the id in an http trigger's address.

    `addressed_s` is the Unix second from which that address is told.
    """

    type: str
    name: str
    description: str
    qualifier: str
    is_open: bool
    argument: str
    note: str
    urlid: str
    added_s: float
    modified_s: float
    addressed_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Deployed:
    """One function with everything that belongs to it."""

    name: str
    namespace: str
    function_id: str
    settings: Settings
    code: Code
    tags: Mapping[str, str]
    added_s: float
    modified_s: float
    status: str = CREATING
    reason: str = ""
    reason_code: str = ""
    triggers: tuple[Trigger, ...] = ()
    retries: Retries = field(default_factory=Retries)

    @property
    def is_deploying(self) -> bool:
        """Whether it is being made or changed; most calls are refused meanwhile."""
        return self.status in (CREATING, ABOUT_TO_UPDATE, UPDATING)

    @property
    def shown_status(self) -> str:
        """Its Status as the API tells it."""
        return ACTIVE if self.status == ABOUT_TO_UPDATE else self.status

    @property
    def module(self) -> str:
        """The file that the handler names."""
        return self.settings.handler.partition(".")[0] + ".py"

    def running(self, code_folder: Path) -> Function:
        """As it runs here, from the folder that its zip was unpacked to."""
        settings = self.settings
        return Function(
            key=self.name,
            name=self.name,
            handler=settings.handler,
            folder=code_folder,
            module_file=code_folder / self.module,
            runtime=settings.runtime,
            namespace=self.namespace,
            memory_mib=settings.memory_mib,
            timeout_s=settings.timeout_s,
            init_timeout_s=settings.init_timeout_s,
            variables=settings.variables,
            role=settings.role or None,
        )

    def as_json(self) -> str:
        """For the data folder."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Deployed:
        """What `as_json` wrote."""
        found: dict[str, Any] = json.loads(text)
        found["settings"] = Settings(**found["settings"])
        found["code"] = Code(**found["code"])
        found["triggers"] = tuple(Trigger(**each) for each in found["triggers"])
        found["retries"] = Retries(**found["retries"])
        return cls(**found)
