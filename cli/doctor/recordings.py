"""Recordings from before Scribe: the audit submits whatever has no receipt, and that costs money."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cli.doctor.case import Case
from cli.doctor.finding import Finding, fine, note
from cli.doctor.places import Place
from shared.recordings.context import parse_timestamp
from shared.recordings.ingest import check_skipped
from shared.recordings.keys import done_prefix, open_prefix
from shared.recordings.models import Recording
from shared.tencent.cos import ListPage

AUDIT = "audit"  # the argument of the timer


@dataclass(frozen=True, slots=True)
class Receipts:
    """The ids of the first receipts of one kind, in order; `is_all` says whether there are no more."""

    ids: Sequence[str]
    is_all: bool


@dataclass(frozen=True, slots=True)
class Unheard:
    """How many recordings have no receipt, among those that could be judged; `is_all` when that is all of them."""

    count: int
    is_all: bool


def unheard(case: Case) -> Iterator[Finding]:
    """Compares the first 1,000 objects of each input bucket with as many receipts: three requests for a bucket."""
    audited = any(one.type == "timer" and one.argument == AUDIT for one in case.wanted.triggers)
    for place in case.input_places:
        state_place = case.state_places[0] if case.settings.output_bucket else place
        if not {place, state_place} <= case.places_there:
            continue
        found = _look(case, place, state_place)
        if not found.count:
            yield fine("every recording looked at has its receipt", about=place.bucket)
        elif audited:
            yield note(
                f"{'' if found.is_all else 'at least '}{found.count} recordings have no receipt: the next audit "
                "submits them, which costs money",
                mend="if that is not wanted, set INPUT_PREFIX to a folder for new recordings and run scribe deploy",
                about=place.bucket,
            )
        else:
            yield fine("recordings without a receipt stay as they are: there is no audit", about=place.bucket)


def unheard_among(ids: Iterable[str], receipts: Sequence[Receipts]) -> Unheard:
    """Counts the ids of recordings, in the order of their keys, that no receipt bears.

    Receipts sort as keys do: from where the last one listed stands, nothing can be said any more.
    """
    known = {one for listed in receipts for one in listed.ids}
    ends = [_place_of(listed.ids[-1]) for listed in receipts if listed.ids and not listed.is_all]
    count = 0
    for one in ids:
        if any(_place_of(one) >= end for end in ends):
            return Unheard(count, is_all=False)
        count += one not in known
    return Unheard(count, is_all=True)


def _place_of(receipt_id: str) -> str:
    """The part that sorts; behind it stands a digest."""
    return receipt_id.rpartition("!")[0]


def _look(case: Case, place: Place, state_place: Place) -> Unheard:
    settings = case.settings
    objects = case.hands.cos(place.region).list_objects(place.bucket, prefix=settings.input_prefix)
    state_cos = case.hands.cos(state_place.region)
    pages = [
        (prefix, state_cos.list_objects(state_place.bucket, prefix=f"{prefix}{place.bucket}/"))
        for prefix in (open_prefix(settings), done_prefix(settings))
    ]
    receipts = [
        Receipts([item.key.removeprefix(prefix) for item in page.objects], is_all=not page.next_marker)
        for prefix, page in pages
    ]
    found = unheard_among(_due(case, place, objects), receipts)
    return Unheard(found.count, found.is_all and not objects.next_marker)


def _due(case: Case, place: Place, objects: ListPage) -> Iterator[str]:
    """The ids of what the audit would take in, unless there is a receipt."""
    for item in objects.objects:
        is_due = case.hands.now() - parse_timestamp(item.modified) >= case.settings.sweep_after_s
        if is_due and not check_skipped(case.settings, place.bucket, item.key):
            yield Recording(place.bucket, item.key, item.etag, item.size).id
