"""Where a deployment works: what its policies' resources are made of."""

from __future__ import annotations

from dataclasses import dataclass

from shared.settings import Settings

CI_ROLE = "CI_QCSRole"


@dataclass(frozen=True, slots=True)
class Place:
    """The region, the account and the parts of its buckets that one deployment works in.

    `uin` is the account's own id (the owner's, not that of a user below it). `output_bucket` is "" where each
    recording's transcripts lie in its own bucket. Prefixes as the settings have them.
    """

    region: str
    uin: str
    input_buckets: tuple[str, ...]
    input_prefix: str
    output_bucket: str
    output_region: str
    output_prefix: str
    state_prefix: str
    jobs_path: str = "asr_jobs"

    @property
    def output_buckets(self) -> tuple[str, ...]:
        """Every bucket that transcripts and receipts are written to."""
        return (self.output_bucket,) if self.output_bucket else self.input_buckets

    def recordings(self) -> tuple[str, ...]:
        """The objects that may be recordings."""
        return tuple(_cos(self.region, bucket, self.input_prefix) for bucket in self.input_buckets)

    def input_listings(self) -> tuple[str, ...]:
        """Listing the input buckets; COS documents show it granted on the whole bucket only (436/8276)."""
        return tuple(_cos(self.region, bucket, "") for bucket in self.input_buckets)

    def transcripts(self) -> tuple[str, ...]:
        """Transcripts and error objects."""
        return self._outputs(self.output_prefix)

    def receipts(self, folder: str) -> tuple[str, ...]:
        """What lies below this name in the state prefix: `open/`, `done/`, `claim/`, or one object."""
        return self._outputs(self.state_prefix + folder)

    def output_listings(self) -> tuple[str, ...]:
        """Listing the buckets that hold the receipts."""
        return self._outputs("")

    def speech(self) -> tuple[str, ...]:
        """The speech service of the input buckets (CI document 1045/49896)."""
        return tuple(
            f"qcs::ci:{self.region}:uid/{_appid(bucket)}:bucket/{bucket}/*" for bucket in self.input_buckets
        )

    def buckets(self) -> tuple[str, ...]:
        """Every bucket as a whole."""
        return tuple(dict.fromkeys((*self.input_listings(), *self.output_listings())))

    def role(self, name: str) -> str:
        """A role of the account (`roleName/`, as in the pages on cam:PassRole, e.g. CKafka 597)."""
        return f"qcs::cam::uin/{self.uin}:roleName/{name}"

    def _outputs(self, prefix: str) -> tuple[str, ...]:
        return tuple(_cos(self.output_region, bucket, prefix) for bucket in self.output_buckets)


def place_of(settings: Settings, uin: str) -> Place:
    """The place that the functions' settings speak of; `uin` is the account's own id."""
    return Place(
        region=settings.region,
        uin=uin,
        input_buckets=settings.input_buckets,
        input_prefix=settings.input_prefix,
        output_bucket=settings.output_bucket,
        output_region=settings.output_region or settings.region,
        output_prefix=settings.output_prefix,
        state_prefix=settings.state_prefix,
        jobs_path=settings.jobs_path,
    )


def _cos(region: str, bucket: str, prefix: str) -> str:
    """COS document 436/30580: the path after the bucket is the key as it is, not encoded."""
    return f"qcs::cos:{region}:uid/{_appid(bucket)}:{bucket}/{prefix}*"


def _appid(bucket: str) -> str:
    return bucket.rpartition("-")[2]
