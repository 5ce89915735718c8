"""What every step of a recording's life has at hand: settings, the cloud, a log, a clock, a source of nonces."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import NamedTuple

from shared.logger import Logger
from shared.recordings.ledger import Ledger
from shared.settings import Settings
from shared.tencent.cos import CosClient
from shared.tencent.speech import SpeechClient


def _nonce() -> str:
    return secrets.token_hex(8)


class Desk(NamedTuple):
    """One invocation's tools. `input_cos` and `speech` work in the functions' region, `output_cos` in OUTPUT_REGION."""

    settings: Settings
    input_cos: CosClient
    output_cos: CosClient
    speech: SpeechClient
    log: Logger
    now: Callable[[], float] = time.time
    nonce: Callable[[], str] = _nonce

    def seconds_left(self) -> float:
        """How much of the function's own time limit remains."""
        return self.output_cos.client.remaining_s()

    def ledger_for(self, bucket: str) -> Ledger:
        """The receipts of this bucket's recordings."""
        return Ledger(self.output_cos, self.settings, self.settings.output_bucket_for(bucket))

    def in_region(self, region: str) -> Desk:
        """The same desk for a bucket elsewhere. COS triggers reach no other region, but the event knows best."""
        if region in {"", self.input_cos.region}:
            return self
        own_bucket = not self.settings.output_bucket
        return self._replace(
            input_cos=self.input_cos.for_region(region),
            speech=self.speech.for_region(region),
            output_cos=self.output_cos.for_region(region) if own_bucket else self.output_cos,
        )
