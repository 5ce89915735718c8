"""Finds the transcripts and error objects of recordings, under every name that they may have.

Only what has Scribe's mark counts: a file of the user's below OUTPUT_PREFIX is not touched. A name is no proof: a short
one (`a.txt`) could be that of `a.mp3`, `a.m4a` or `a`, and another deployment may write to the same folder. So the job
in the mark has to be one of the recording's own, or the JSON of that job, or the error object, has to name it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Protocol

from cli.operate.stored import Kind, Selector, StoredObject
from cli.operate.workspace import run_in_parallel
from shared.errors import NotFound, RequestRejected
from shared.recordings.context import Context
from shared.recordings.keys import (
    DISTINCT_NAME,
    ERROR_EXTENSION,
    ERROR_MARK,
    FULL_NAME,
    OUTPUT_MARK,
    SHORT_NAME,
    TRANSCRIPT_EXTENSIONS,
    TRANSCRIPT_MARK,
    get_stem,
    transcript_folder,
    transcript_key,
)
from shared.recordings.receipt import Receipt
from shared.settings import Settings
from shared.tencent.client import TOO_LARGE

_EXTENSIONS = (*TRANSCRIPT_EXTENSIONS, ERROR_EXTENSION)
_MAX_LISTED_BYTES = 700  # of a prefix: names that are longer may have been cut


class Found(Protocol):
    """What is known of a recording, where its outputs are added."""

    objects: list[StoredObject]
    receipts: list[Receipt]

    @property
    def job_ids(self) -> frozenset[str]:
        """The ids of its jobs."""


class OutputFinder:
    """Finds the outputs of recordings of one bucket. Methods raise CloudError."""

    def __init__(self, ctx: Context, bucket: str, selectors: Collection[Selector]) -> None:
        self._ctx = ctx
        self._bucket = bucket
        self._output_bucket = ctx.settings.output_bucket_for(bucket)
        self._selectors = selectors
        self._others: set[str] = set()  # outputs of other recordings, as they say themselves
        self.unexplained: tuple[str, ...] = ()

    @cached_property
    def _variants(self) -> tuple[Settings, ...]:
        """The settings now, and those with which outputs have no folder of their bucket, or have one."""
        settings = self._ctx.settings
        others = ((self._bucket,), (self._bucket, self._bucket + "0"))
        return (settings, *(replace(settings, input_buckets=buckets) for buckets in others))

    def add_outputs(
        self, keys: Collection[str], found: Mapping[str, Found], get: Callable[[str], Found]
    ) -> None:
        """Add the outputs of what was `found`, of these other keys, and of everything below a prefix.

        `unexplained` are then those that may be of them, but nothing shows it.
        """
        named = {selector.text for selector in self._selectors if not selector.is_prefix}
        marks = self._read_marks()
        bases: dict[str, list[str]] = {}
        for output in marks:
            for extension in _EXTENSIONS:
                if output.endswith("." + extension):
                    bases.setdefault(output[: -len(extension) - 1], []).append(output)
        left = dict(marks)
        named_outputs: set[str] = set()
        for key in sorted({*keys, *found, *named}):
            for base in self._iter_bases(key):
                for output in (each for each in bases.get(base, ()) if each in left):
                    named_outputs.add(output)
                    if key in found and _get_job_id(marks[output]) in found[key].job_ids:
                        self._add(get(key), output, left.pop(output))
        self._add_by_content(left, marks, get)
        self.unexplained = tuple(
            output
            for output in left
            if output not in self._others and (output in named_outputs or self._is_below(output))
        )

    def _add_by_content(
        self, left: dict[str, str], marks: Mapping[str, str], get: Callable[[str], Found]
    ) -> None:
        """Add outputs that no receipt explains, if they say themselves of which recording they are.

        Another deployment, with another input bucket, may write to the same folder: a name alone proves nothing.
        """
        sources = {
            output: [
                source for source in _list_sources(output, mark) if source in marks and marks[source] == mark
            ]
            for output, mark in left.items()
        }
        owners = dict(
            run_in_parallel(self._read_owner, sorted({each for some in sources.values() for each in some}))
        )
        for output, some in sources.items():
            bucket, key = next((owner for owner in map(owners.get, some) if owner), ("", ""))
            if not bucket:
                continue
            if bucket == self._bucket and any(selector.matches(key) for selector in self._selectors):
                self._add(get(key), output, left.pop(output))
            else:
                self._others.add(output)

    def _is_below(self, output: str) -> bool:
        """Check whether an output is where those of a prefix are, as the settings are now."""
        return any(
            output.startswith(transcript_folder(self._ctx.settings, self._bucket, each.text) + each.text)
            for each in self._selectors
            if each.is_prefix
        )

    def _add(self, found: Found, output: str, mark: str) -> None:
        kind = Kind.ERROR if mark == ERROR_MARK else Kind.TRANSCRIPT
        found.objects.append(StoredObject(self._output_bucket, output, kind))

    def _read_marks(self) -> dict[str, str]:
        """Return the marks of all objects that may be outputs and have one."""
        keys = sorted({key for prefix in self._iter_prefixes() for key in self._list_keys(prefix)})
        outputs = [key for key in keys if any(key.endswith("." + extension) for extension in _EXTENSIONS)]
        marks = dict(run_in_parallel(self._read_mark, outputs))
        return {key: mark for key, mark in marks.items() if mark.startswith((TRANSCRIPT_MARK, ERROR_MARK))}

    def _iter_prefixes(self) -> Iterator[str]:
        """Yield what the keys of outputs begin with, each once."""
        prefixes = {}
        for selector in self._selectors:
            if selector.is_prefix:
                for settings in self._variants:
                    folder = transcript_folder(settings, self._bucket, selector.text)
                    raw = (folder + selector.text).encode()[:_MAX_LISTED_BYTES]
                    prefixes[raw.decode("utf-8", "ignore")] = True
            else:
                prefixes |= {base + ".": True for base in self._iter_bases(selector.text)}
        yield from prefixes

    def _list_keys(self, prefix: str) -> Iterator[str]:
        return (item.key for item in self._ctx.output_cos.iter_objects(self._output_bucket, prefix=prefix))

    def _read_mark(self, key: str) -> str:
        try:
            return self._ctx.output_cos.head(self._output_bucket, key).metadata.get(OUTPUT_MARK, "")
        except NotFound:
            return ""

    def _iter_bases(self, key: str) -> Iterator[str]:
        """Yield the names that the outputs of a recording may have, without the extension, each once."""
        stem = get_stem(key)
        kinds = (FULL_NAME, *((SHORT_NAME,) if stem else ()), *((DISTINCT_NAME,) if stem == key else ()))
        bases = [
            transcript_key(settings, self._bucket, key, "", kind)[:-1]
            for settings in self._variants
            for kind in kinds
        ]
        yield from dict.fromkeys(bases)

    def _read_owner(self, output: str) -> tuple[str, str] | None:
        """Read of which recording a JSON transcript or an error object is: bucket and key. None if it says none."""
        try:
            recording = json.loads(self._ctx.output_cos.get(self._output_bucket, output).body)["recording"]
            return str(recording["bucket"]), str(recording["key"])
        except (NotFound, ValueError, KeyError, TypeError, RecursionError):
            return None
        except RequestRejected as error:
            if error.code != TOO_LARGE:
                raise
            return None


def _get_job_id(mark: str) -> str:
    """Return the id of the job in the mark of a transcript; "" for an error object."""
    return mark.removeprefix(TRANSCRIPT_MARK).strip() if mark.startswith(TRANSCRIPT_MARK) else ""


def _list_sources(output: str, mark: str) -> list[str]:
    """List what may say of which recording an output is: an error object itself, the JSON beside a transcript."""
    if mark == ERROR_MARK:
        return [output]
    # `a.podcast.json` is a format of `a`, or the JSON of `a.podcast`.
    endings = [f".{extension}" for extension in TRANSCRIPT_EXTENSIONS]
    return [f"{output.removesuffix(ending)}.json" for ending in endings if output.endswith(ending)]
