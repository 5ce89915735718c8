"""Where the transcripts of each input bucket are, what moves with changed settings, and older ones outside.

With several input buckets and one OUTPUT_BUCKET each input bucket has a folder of its own below OUTPUT_PREFIX. Before,
the first one had none; and with one input bucket there are no folders. What was written before stays where it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from shared.recordings.keys import uses_bucket_folders
from shared.settings import Settings
from shared.tencent.cos import CosClient

MAX_PAGES = 10  # of 1,000 names


class OutputPlace(NamedTuple):
    """A bucket, and the prefix of the transcripts in it."""

    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"{self.bucket}/{self.prefix}"


class NameMove(NamedTuple):
    """The transcripts of an input bucket: where they are, and where new ones will be."""

    input_bucket: str
    current: OutputPlace
    new: OutputPlace


class OutputFolders(NamedTuple):
    """What is below OUTPUT_PREFIX: folders named like an input bucket, and an example of anything else ("" if none)."""

    buckets: frozenset[str] = frozenset()
    other: str = ""


def find_output_place(settings: Settings, input_bucket: str) -> OutputPlace:
    """Where the transcripts of a bucket's recordings go."""
    folder = f"{input_bucket}/" if uses_bucket_folders(settings) else ""
    return OutputPlace(settings.output_bucket_for(input_bucket), settings.output_prefix + folder)


def find_moves(previous: Sequence[Settings], new: Settings, folders: OutputFolders) -> Iterator[NameMove]:
    """Yield each bucket whose transcripts go to another place than before. `folders` is what the new place holds.

    An older version kept the first of several buckets without a folder. That it was deployed shows in the output
    bucket: there are transcripts outside of the folders, and no folder of the first bucket.
    """
    for settings in previous:
        for bucket in new.input_buckets:
            if bucket not in settings.input_buckets:
                continue
            current, place = find_output_place(settings, bucket), find_output_place(new, bucket)
            is_first = uses_bucket_folders(settings) and bucket == settings.input_buckets[0]
            is_same_folder = (current.bucket, settings.output_prefix) == (place.bucket, new.output_prefix)
            if is_first and is_same_folder and folders.other and bucket not in folders.buckets:
                current = OutputPlace(current.bucket, settings.output_prefix)
            if current != place:
                yield NameMove(bucket, current, place)


def read_output_folders(cos: CosClient, settings: Settings, bucket: str) -> OutputFolders:
    """List the first level below OUTPUT_PREFIX in an output bucket. Raises CloudError."""
    buckets, other, marker = set[str](), "", ""
    for _ in range(MAX_PAGES):
        page = cos.list_objects(bucket, prefix=settings.output_prefix, delimiter="/", marker=marker)
        names = [prefix.removeprefix(settings.output_prefix).rstrip("/") for prefix in page.prefixes]
        buckets.update(name for name in names if _is_bucket_name(name, settings))
        others = [
            *(item.key for item in page.objects if item.key != settings.output_prefix),
            *(
                prefix
                for prefix, name in zip(page.prefixes, names, strict=True)
                if name not in buckets and not settings.state_prefix.startswith(prefix)
            ),
        ]
        other = other or next(iter(others), "")
        if not page.next_marker:
            break
        marker = page.next_marker
    return OutputFolders(frozenset(buckets), other)


def _is_bucket_name(name: str, settings: Settings) -> bool:
    """Whether a folder is named like a bucket of this account: `<name>-<appid>`."""
    appids = {bucket.rpartition("-")[2] for bucket in settings.input_buckets}
    return name.rpartition("-")[2] in appids
