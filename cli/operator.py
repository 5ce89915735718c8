"""The operator's hands on a cloud, through our own clients."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from cli.standin import Standin
from shared.errors import AlreadyExists
from shared.tencent.auth import Credentials
from shared.tencent.client import TencentClient
from shared.tencent.cos import CosClient
from shared.tencent.speech import SpeechClient


@dataclass(frozen=True, slots=True)
class Operator:
    """COS and CI with the operator's own key."""

    cos: CosClient
    speech: SpeechClient

    @classmethod
    def of(cls, standin: Standin) -> Operator:
        """At a stand-in cloud."""
        wire = TencentClient(Credentials(standin.secret_id, standin.secret_key), endpoint=standin.endpoint)
        return cls(CosClient(wire, standin.region), SpeechClient(wire, standin.region))

    def make_bucket(self, bucket: str) -> None:
        """Makes a bucket, or finds it made."""
        with suppress(AlreadyExists):
            self.cos.create_bucket(bucket)
