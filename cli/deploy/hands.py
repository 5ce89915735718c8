"""What a deployment works with: the operator's key on SCF, CAM, COS and CI."""

from __future__ import annotations

from dataclasses import dataclass, field

from cli.cloud.control import Control
from cli.cloud.functions import Functions
from cli.cloud.waiting import Waiting
from cli.policy.roles import Roles
from shared.tencent.auth import Credentials
from shared.tencent.client import TencentClient
from shared.tencent.cos import CosClient
from shared.tencent.speech import SpeechClient


@dataclass(frozen=True, slots=True)
class Hands:
    """Everything that a deployment reads from the cloud and changes there."""

    control: Control
    functions: Functions
    roles: Roles
    speech: SpeechClient
    wire: TencentClient
    waiting: Waiting = field(default_factory=Waiting)

    @classmethod
    def of(cls, credentials: Credentials, region: str, endpoint: str = "") -> Hands:
        """With one key, in the region of the functions; `endpoint` takes every request, as CLOUD_ENDPOINT."""
        control = Control(credentials, region, endpoint)
        wire = TencentClient(credentials, endpoint)
        return cls(control, Functions(control), Roles(control), SpeechClient(wire, region), wire)

    def cos(self, region: str) -> CosClient:
        """The buckets of a region: the output bucket's may be another one than the functions'."""
        return CosClient(self.wire, region)
