"""What the deployed functions' own variables tell of the deployment before this one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cli.cloud.functions import FoundFunction
from cli.cloud.triggers import FoundTrigger
from shared.errors import SettingsError
from shared.recordings.keys import done_prefix
from shared.settings import Settings, load_settings


def settings_before(functions: Iterable[FoundFunction | None], region: str) -> tuple[Settings, ...]:
    """The settings that they have, each once; after a halt they may differ. Those that cannot work are left out."""
    return tuple(dict.fromkeys(_readable(functions, region)))


def former_buckets(
    before: Iterable[Settings], triggers: Iterable[FoundTrigger], settings: Settings
) -> tuple[str, ...]:
    """The input buckets that are none any more.

    The triggers are asked too: after a halt they are what still tells of a bucket.
    """
    told = [bucket for one in before for bucket in one.input_buckets]
    told += [one.name.partition(".")[0] for one in triggers if one.type == "cos"]
    return tuple(one for one in dict.fromkeys(told) if one not in settings.input_buckets)


def receipts_moved(before: Iterable[Settings], settings: Settings) -> list[tuple[str, str]]:
    """Where receipts of finished recordings lie and where they will be looked for, wherever that differs."""
    moved = [
        (_receipts(one, bucket), _receipts(settings, bucket))
        for one in before
        for bucket in settings.input_buckets
        if bucket in one.input_buckets
    ]
    return [pair for pair in dict.fromkeys(moved) if pair[0] != pair[1]]


def _readable(functions: Iterable[FoundFunction | None], region: str) -> Iterator[Settings]:
    for function in functions:
        if function:
            try:
                yield load_settings({"REGION": region, **function.variables})
            except SettingsError:
                continue  # such a function did nothing


def _receipts(settings: Settings, bucket: str) -> str:
    return f"{settings.output_bucket_for(bucket)}/{done_prefix(settings)}{bucket}/"
