"""What a deployment works with: the operator's key on SCF, CAM, COS and CI."""

from __future__ import annotations

from dataclasses import dataclass, field

from cli.cloud.control import Control
from cli.cloud.functions import Functions
from cli.cloud.waiting import Waiting
from cli.policy.roles import Roles
from shared.tencent.cos import Cos
from shared.tencent.credentials import Credentials
from shared.tencent.speech import Speech
from shared.tencent.wire import Wire


@dataclass(frozen=True, slots=True)
class Hands:
    """Everything that a deployment reads from the cloud and changes there."""

    control: Control
    functions: Functions
    roles: Roles
    speech: Speech
    wire: Wire
    waiting: Waiting = field(default_factory=Waiting)

    @classmethod
    def of(cls, credentials: Credentials, region: str, endpoint: str = "") -> Hands:
        """With one key, in the region of the functions; `endpoint` takes every request, as CLOUD_ENDPOINT."""
        control = Control(credentials, region, endpoint)
        wire = Wire(credentials, endpoint)
        return cls(control, Functions(control), Roles(control), Speech(wire, region), wire)

    def cos(self, region: str) -> Cos:
        """The buckets of a region: the output bucket's may be another one than the functions'."""
        return Cos(self.wire, region)
