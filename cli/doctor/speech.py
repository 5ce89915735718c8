"""Does Cloud Infinite take jobs, and does it tell the callback function when they end?"""

from __future__ import annotations

from collections.abc import Iterator

from cli.doctor.case import Case
from cli.doctor.finding import Finding, fine, note, wrong
from cli.doctor.telling import complaint, shown, token_of

DEPLOY = "scribe deploy"


def service(case: Case) -> Iterator[Finding]:
    """GET /asrbucket: is speech recognition switched on?"""
    for place in case.input_places:
        if place not in case.places_there:
            continue
        if place.bucket in case.speaking_buckets:
            yield fine("speech recognition is on", about=place.bucket)
        else:
            yield wrong("speech recognition is not switched on", mend=DEPLOY, about=place.bucket)


def content_recognition(case: Case) -> Iterator[Finding]:
    """GET /ai_bucket: the AI content recognition, which Scribe does not need; on or off, both are fine."""
    buckets = case.settings.input_buckets
    page = case.hands.speech(case.wanted.region).list_ai_buckets(regions=(case.wanted.region,), names=buckets)
    enabled = {one.bucket for one in page.buckets}
    for bucket in buckets:
        yield fine(
            f"AI content recognition is {'on' if bucket in enabled else 'off'}; Scribe does not need it",
            about=bucket,
        )


def queue(case: Case) -> Iterator[Finding]:
    """GET /asrqueue: is there a queue, the one that QUEUE_ID names, and does it run?"""
    wanted_id = case.settings.queue_id
    for bucket in case.speaking_buckets:
        found = case.queues.get(bucket)
        if found is None:
            what = f"queue {wanted_id} of QUEUE_ID" if wanted_id else "speech queue"
            yield wrong(
                f"it has no {what}",
                mend="empty QUEUE_ID, then scribe deploy" if wanted_id else DEPLOY,
                about=bucket,
            )
        elif found.state != "Active":
            yield wrong(
                f"queue {found.queue_id} is {found.state}: jobs wait and nothing is transcribed",
                mend=DEPLOY,
                about=bucket,
            )
        else:
            yield fine(f"queue {found.queue_id} is active", about=bucket)


def notification(case: Case) -> Iterator[Finding]:
    """Does the queue tell the callback function, at its address of today and with a token that it knows?"""
    for bucket, found in case.queues.items():
        told = found.notification
        astray = complaint(told, case.address, case.settings.callback_tokens)
        if astray:
            yield wrong(f"{astray}; transcripts wait for the sweep", mend=DEPLOY, about=bucket)
        elif token_of(told) != case.settings.callback_tokens[0]:
            yield note(
                "the queue still uses a later token of CALLBACK_TOKEN, not the first",
                mend=DEPLOY,
                about=bucket,
            )
        else:
            yield fine(f"the queue tells {shown(told.url)}", about=bucket)
