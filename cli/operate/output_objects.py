"""Finds the transcripts and error objects of recordings, under every name that they may have.

Only what has Scribe's mark counts: a file of the user's below OUTPUT_PREFIX is not touched. A short name (`a.txt`)
could be that of `a.mp3`, `a.m4a` or `a`; the claims on it (output_names.py) say whose it is. So could a name without or
with the folder of the bucket, from before INPUT_BUCKETS changed: there, the job in the mark has to be its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple, Protocol

from cli.operate.stored import Kind, Selector, StoredObject
from cli.operate.workspace import run_in_parallel
from shared.errors import NotFound
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
    name_claim_key,
    name_claim_prefix,
    transcript_folder,
    transcript_key,
)
from shared.recordings.receipt import Receipt
from shared.settings import Settings

_EXTENSIONS = (*TRANSCRIPT_EXTENSIONS, ERROR_EXTENSION)
_MAX_LISTED_BYTES = 700  # of a prefix: names that are longer may have been cut
_MAX_ERROR_BYTES = 65_536


class Found(Protocol):
    """What is known of a recording, where its outputs are added."""

    objects: list[StoredObject]
    receipts: list[Receipt]

    @property
    def job_ids(self) -> frozenset[str]:
        """The ids of its jobs."""


class _Name(NamedTuple):
    """A name that the outputs of a recording may have, without the extension. `is_current`: as the settings are now."""

    base: str
    output_name: str
    is_current: bool


class OutputFinder:
    """Finds the outputs of recordings of one bucket. Methods raise CloudError."""

    def __init__(self, ctx: Context, bucket: str, selectors: Collection[Selector]) -> None:
        self._ctx = ctx
        self._bucket = bucket
        self._output_bucket = ctx.settings.output_bucket_for(bucket)
        self._selectors = selectors
        self._claims: dict[str, frozenset[str]] = {}

    @cached_property
    def _variants(self) -> tuple[Settings, ...]:
        """The settings now, and those with which outputs have no folder of their bucket, or have one."""
        settings = self._ctx.settings
        others = ((self._bucket,), (self._bucket, self._bucket + "0"))
        return (settings, *(replace(settings, input_buckets=buckets) for buckets in others))

    def add_outputs(
        self, keys: Collection[str], found: Mapping[str, Found], get: Callable[[str], Found]
    ) -> None:
        """Add the outputs of what was `found`, of these other keys, and of everything below a prefix."""
        named = {selector.text for selector in self._selectors if not selector.is_prefix}
        marks = self._read_marks()
        bases: dict[str, list[str]] = {}
        for output in marks:
            for extension in _EXTENSIONS:
                if output.endswith("." + extension):
                    bases.setdefault(output[: -len(extension) - 1], []).append(output)
        left = dict(marks)
        for key in sorted({*keys, *found, *named}):
            for name in self._iter_names(key):
                for output in bases.get(name.base, ()):
                    if output in left and self._is_own(found.get(key), key, name, output, marks[output]):
                        self._add(get(key), output, left.pop(output))
        self._add_orphans(left, found, get)

    def _add_orphans(
        self, left: Mapping[str, str], found: Mapping[str, Found], get: Callable[[str], Found]
    ) -> None:
        """Add outputs below a prefix that no receipt explains: the key of their recording is below it too."""
        candidates = {name.base for key in found for name in self._iter_names(key)}
        for output, mark in left.items():
            extension = max((each for each in _EXTENSIONS if output.endswith("." + each)), key=len)
            base = output[: -len(extension) - 1]
            if base in candidates:
                continue  # perhaps of a recording whose job is in flight
            for selector in self._selectors:
                folder = transcript_folder(self._ctx.settings, self._bucket, selector.text)
                if selector.is_prefix and output.startswith(folder + selector.text):
                    self._add(get(base.removeprefix(folder)), output, mark)
                    break

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
                prefixes |= {name.base + ".": True for name in self._iter_names(selector.text)}
        yield from prefixes

    def _list_keys(self, prefix: str) -> Iterator[str]:
        return (item.key for item in self._ctx.output_cos.iter_objects(self._output_bucket, prefix=prefix))

    def _read_mark(self, key: str) -> str:
        try:
            return self._ctx.output_cos.head(self._output_bucket, key).metadata.get(OUTPUT_MARK, "")
        except NotFound:
            return ""

    def _iter_names(self, key: str) -> Iterator[_Name]:
        """Yield the names that the outputs of a recording may have, each once."""
        stem = get_stem(key)
        kinds = (FULL_NAME, *((SHORT_NAME,) if stem else ()), *((DISTINCT_NAME,) if stem == key else ()))
        seen = set()
        for settings in self._variants:
            for kind in kinds:
                base = transcript_key(settings, self._bucket, key, "", kind)[:-1]
                if base not in seen:
                    seen.add(base)
                    yield _Name(base, kind, is_current=settings is self._variants[0])

    def _is_own(self, found: Found | None, key: str, name: _Name, output: str, mark: str) -> bool:
        """Check whether an output under this name is of this recording and of no other."""
        if name.is_current and self._is_name_own(found, key, name):
            return True
        if mark.startswith(TRANSCRIPT_MARK):
            job_id = mark.removeprefix(TRANSCRIPT_MARK).strip()
            return found is not None and job_id in found.job_ids
        return self._is_error_of(key, output)

    def _is_name_own(self, found: Found | None, key: str, name: _Name) -> bool:
        """Check whether no other recording has its outputs under a name of the settings now."""
        stem = get_stem(key)
        if not stem or name.output_name == DISTINCT_NAME or (name.output_name == FULL_NAME and stem != key):
            return True
        settings = self._ctx.settings
        claims = self._list_claims(stem)
        own = name_claim_key(settings, self._bucket, key, stem, "")
        if stem == key:  # its full name is its short one
            return not any(claim.endswith(".owns") and claim != own + "owns" for claim in claims)
        has_short_name = found is not None and any(r.output_name == SHORT_NAME for r in found.receipts)
        return has_short_name or (own + "owns" in claims and own + "distinct" not in claims)

    def _list_claims(self, stem: str) -> frozenset[str]:
        if stem not in self._claims:
            prefix = name_claim_prefix(self._ctx.settings, self._bucket, stem)
            self._claims[stem] = frozenset(self._list_keys(prefix))
        return self._claims[stem]

    def _is_error_of(self, key: str, output: str) -> bool:
        """Check whether an error object names this recording."""
        try:
            body = self._ctx.output_cos.get(self._output_bucket, output, max_bytes=_MAX_ERROR_BYTES).body
            recording = json.loads(body)["recording"]
            return bool((recording["bucket"], recording["key"]) == (self._bucket, key))
        except (NotFound, ValueError, KeyError, TypeError):
            return False
