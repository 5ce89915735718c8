"""How Scribe is deployed in a run: the output bucket, its versioning, and the prefixes, which may change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import NamedTuple

from cli.local.emulator import INPUT_BUCKET, OUTPUT_BUCKET
from shared.settings import DEFAULT_EXTENSIONS
from tests.chaos.cloud import FAST_OPTIONS

ENABLED, SUSPENDED = "Enabled", "Suspended"
_VERSIONINGS = ("", ENABLED, SUSPENDED)
# Jobs take a moment and wait for each other, so that others see them, copy them, and can cancel their own.
_QUEUE_OPTIONS = ("--job-delay-ms", "300", "--max-concurrent", "8")
# So that outputs of the old prefixes would be recordings if only their names decided.
_EXTENSIONS_OF_OUTPUTS = ("json", "txt", "srt", "vtt", "html", "detail", "error")


class Place(NamedTuple):
    """Where the transcripts and the receipts are."""

    output_prefix: str
    state_prefix: str


FIRST_PLACE, SECOND_PLACE = Place("transcripts/", ".scribe/"), Place("text/", ".state/")


@dataclass(frozen=True, slots=True)
class Deployment:
    """The deployment of a run. `versioning` is that of the output bucket: "" if it never had any.

    `moves`: outputs are in the input bucket, and the prefixes change in the middle; the receipts are copied along.
    `clocks_apart_s`: how far the clocks of instances of the functions are behind and ahead.
    """

    versioning: str = ""
    moves: bool = False
    clocks_apart_s: int = 0

    @property
    def output_bucket(self) -> str:
        """Return the bucket with the transcripts and receipts."""
        return INPUT_BUCKET if self.moves else OUTPUT_BUCKET

    @property
    def places(self) -> tuple[Place, ...]:
        """Return the place at the end, then the one before it."""
        return (SECOND_PLACE, FIRST_PLACE) if self.moves else (FIRST_PLACE,)

    @property
    def input_extensions(self) -> tuple[str, ...]:
        """Return INPUT_EXTENSIONS."""
        return (*DEFAULT_EXTENSIONS, *_EXTENSIONS_OF_OUTPUTS) if self.moves else DEFAULT_EXTENSIONS

    def build_settings(self, place: Place, since_s: float) -> dict[str, str]:
        """Build the settings that differ from the usual ones."""
        return {
            "OUTPUT_BUCKET": "" if self.moves else OUTPUT_BUCKET,
            "OUTPUT_PREFIX": place.output_prefix,
            "STATE_PREFIX": place.state_prefix,
            "INPUT_EXTENSIONS": ",".join(self.input_extensions),
            "SINCE": datetime.fromtimestamp(since_s, timezone.utc).isoformat(),
        }

    def build_arguments(self) -> Sequence[str]:
        """Build the options of the local cloud."""
        options = {
            ENABLED: ("--versioned", self.output_bucket),
            SUSPENDED: ("--suspended", self.output_bucket, "--suspended-version-id", "absent"),
        }
        offsets = (f"--function-clock-offsets=-{self.clocks_apart_s},0,{self.clocks_apart_s}",)
        return (
            *FAST_OPTIONS,
            *_QUEUE_OPTIONS,
            *options.get(self.versioning, ()),
            *(offsets if self.clocks_apart_s else ()),
        )


def choose_deployment(seed: int) -> Deployment:
    """Choose the deployment of a seed: six in turn."""
    return Deployment(_VERSIONINGS[seed % len(_VERSIONINGS)], moves=seed % 2 == 0)
