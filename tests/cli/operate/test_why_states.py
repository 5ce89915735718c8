"""`scribe why` in each state: what it says that happened, what happens next and when, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import pytest
from rich.cells import cell_len

from tests.helpers.chinese import list_english, speak_chinese
from tests.helpers.fake_cloud import INPUT_BUCKET, NOT_AUDIO
from tests.helpers.operate import OperatedPipeline
from tests.helpers.recording_states import (
    KEY,
    archive,
    archive_and_delete,
    ask,
    begin_attempt,
    create_with_one_place,
    delete_recording,
    delete_transcripts,
    delete_while_running,
    end_job,
    fail_job_unnoticed,
    forget,
    give_up,
    give_up_too_early,
    hide_job,
    hold,
    hold_in_the_month_before,
    hold_without_error_object,
    lose_error_object,
    lose_job,
    pause_queue_after_submit,
    refuse,
    refuse_options_later,
    replace_content,
    run_job,
    submit,
    supersede,
    transcribe,
    upload_large,
    upload_long_ago,
    upload_only,
    upload_other_type,
)

QUOTED = f"'{KEY}'"
MEMBERS = (
    "bucket",
    "key",
    "state",
    "summary",
    "story",
    "job",
    "outputs",
    "error",
    "next",
    "notices",
    "receipts",
)


class Case(NamedTuple):
    """How a recording came into a state, and what is said then: parts of the sentences, and the time if it is known."""

    create: Callable[[], OperatedPipeline]
    state: str
    summary: str
    what: str
    at: str = ""
    to_do: str = ""
    key: str = KEY


RETRY = f"`scribe retry {QUOTED}`"
SINCE = MappingProxyType({"since_s": 1_794_400_000.0})
CASES: Mapping[str, Case] = {
    "not a recording": Case(
        upload_other_type,
        "not_a_recording",
        "Not a recording, so nothing is done and nothing is paid: its extension is not in INPUT_EXTENSIONS.",
        "Nothing by itself.",
        to_do="`scribe explain calls/notes.pdf` says which settings decide that.",
        key="calls/notes.pdf",
    ),
    "uploaded before SINCE": Case(
        lambda: upload_only(**SINCE),
        "not_submitted",
        "it was uploaded before SINCE (2026-11-11T12:26:40Z), and Scribe leaves such recordings alone",
        "Nothing by itself.",
        to_do=f"`scribe backfill {QUOTED} --yes` transcribes it.",
    ),
    "uploaded a moment ago": Case(
        upload_only,
        "not_submitted",
        "Uploaded 0 s ago, and not submitted yet.",
        "The event of its upload submits it",
        "2026-11-10T14:40:00Z",
    ),
    "event lost": Case(
        upload_long_ago,
        "not_submitted",
        "uploaded 2 h ago: the event of its upload did not arrive, or its function failed.",
        "The audit, which runs every six hours, finds and submits it.",
        "2026-11-10T16:40:00Z",
        "`scribe backfill --missed --yes` submits it now. `scribe doctor` says whether",
    ),
    "forgotten": Case(
        forget,
        "forgotten",
        "It was forgotten on purpose",
        "Nothing by itself.",
        to_do="Upload it again if its transcript is needed after all.",
    ),
    "too large": Case(
        upload_large,
        "failed",
        "larger than the 512 MB",
        "Nothing by itself.",
        to_do="Cut it into parts or compress it (mono, 16 kHz), then upload those.",
    ),
    "submitting": Case(
        begin_attempt,
        "open",
        "It is being submitted: attempt 1 is at work.",
        "Its job is submitted within seconds.",
        "2026-11-10T08:47:00Z",
    ),
    "interrupted": Case(
        lambda: begin_attempt(1000),
        "open",
        "Attempt 1 to submit it ended before it noted a job.",
        "The sweep looks for a job that it may have left, and submits one only if there is none.",
        "2026-11-10T09:01:40Z",
    ),
    "queue full": Case(
        create_with_one_place,
        "open",
        "It has no job yet: it waits for room in the speech queue. Nothing was paid.",
        "The next sweep submits it if the queue has room",
        "2026-11-10T08:50:00Z",
        "`scribe doctor` says whether the queue is full or MAX_IN_FLIGHT too small.",
    ),
    "queue paused": Case(
        lambda: create_with_one_place("Paused"),
        "open",
        "it waits for room in the speech queue",
        "The next sweep",
        "2026-11-10T08:50:00Z",
        'The speech queue "speech" is paused. `scribe deploy --resume-queue` starts it.',
    ),
    "refused": Case(
        refuse,
        "open",
        "refused once (ResourceAccessDenied), and nothing was paid. The speech service may not read the recording.",
        "The sweep tries again from 2026-11-10T08:45:00Z on.",
        "2026-11-10T08:50:00Z",
        f"Grant the service role CI_QCSRole access to the bucket; the recording is then submitted automatically, "
        f"within an hour: no one has to upload it again. When that is done, {RETRY} tries at once.",
    ),
    "refused again": Case(
        lambda: refuse(2),
        "open",
        "Its submit was refused 2 times",
        "The sweep tries again from 2026-11-10T08:55:01Z on.",
        "2026-11-10T09:00:01Z",
    ),
    "in the queue": Case(
        submit,
        "open",
        "Job s1 waits in the speech queue for its turn.",
        "without a result until 2026-11-11T08:40:00Z an error object says so",
        "2026-11-11T08:40:00Z",
    ),
    "in a queue that is paused": Case(
        pause_queue_after_submit,
        "open",
        "Job s1 waits in the speech queue",
        "When the job ends",
        "2026-11-11T08:40:00Z",
        "is paused. `scribe deploy --resume-queue` starts it.",
    ),
    "running": Case(
        run_job,
        "open",
        "Job s1 is running since 2026-11-10T08:40:00Z.",
        "When the job ends, its transcripts are written within a minute, or by the next sweep",
        "2026-11-11T08:40:00Z",
    ),
    "running, recording deleted": Case(
        delete_while_running,
        "open",
        "is running since 2026-11-10T08:40:00Z. The recording itself was deleted since; its job goes on.",
        "When the job ends",
        "2026-11-11T08:40:00Z",
    ),
    "ended, not written yet": Case(
        end_job,
        "open",
        "Job s1 has its result, which is not written to the bucket yet.",
        "The notification of the job, or the next sweep, writes it.",
        "2026-11-10T08:50:00Z",
    ),
    "job failed, not written yet": Case(
        fail_job_unnoticed,
        "open",
        "Job s1 ended with Failed (FailedOperation.Unlisted), which is not written to the bucket yet.",
        "the next sweep, writes it",
        "2026-11-10T08:50:00Z",
    ),
    "job unknown": Case(
        lose_job,
        "open",
        "Job s1 was submitted, and is not known to Cloud Infinite at the moment.",
        "Each sweep asks for it again; without a result until 2026-11-11T08:40:00Z",
        "2026-11-10T08:50:00Z",
    ),
    "job hidden": Case(
        hide_job,
        "open",
        f"Job s1 was submitted, and could not be looked at: {INPUT_BUCKET}: 403 AccessDenied.",
        "Each sweep asks",
        "2026-11-10T08:50:00Z",
        "`scribe doctor` checks why.",
    ),
    "job failed": Case(
        lambda: transcribe(NOT_AUDIO),
        "failed",
        "The speech service could not recognise this recording (FailedOperation.Unlisted).",
        "Nothing by itself.",
        to_do="Listen to it: is it audio in a common format",
    ),
    "failed, recording deleted": Case(
        lambda: delete_recording(NOT_AUDIO),
        "failed",
        "The recording itself was deleted since.",
        "Nothing by itself.",
    ),
    "failed, error object deleted": Case(
        lose_error_object,
        "failed",
        "It failed, and its error object is not there any more.",
        "Nothing by itself.",
        to_do=f"Or, without an upload: {RETRY}.",
    ),
    "gave up": Case(
        give_up,
        "failed",
        "Given up at 2026-11-11T09:40:00Z: There was no result within the time that GIVE_UP_AFTER allows.",
        "Nothing by itself. If the job still ends with a result, its notification has it written.",
        to_do=f"Then upload the recording again. Or: {RETRY} looks for the job first.",
    ),
    "gave up too early": Case(
        give_up_too_early,
        "failed",
        "Given up at",
        "Nothing by itself.",
        to_do=f"Its job has a result in the meantime: {RETRY} writes it without paying again.",
    ),
    "transcribed": Case(
        transcribe, "done", "Transcribed at 2026-11-10T08:40:00Z: 5 files are there.", "Nothing: it is done."
    ),
    "transcribed, recording deleted": Case(
        delete_recording,
        "done",
        "5 files are there. The recording itself was deleted since.",
        "Nothing: it is done.",
    ),
    "transcribed, uploaded with wrong options": Case(
        refuse_options_later,
        "done",
        "5 files are there. An upload after that was refused: The recording's options are wrong",
        "Nothing: it is done.",
        to_do="Correct it and upload again.",
    ),
    "some transcripts deleted": Case(
        lambda: delete_transcripts("txt", "srt"),
        "done",
        "Transcribed at 2026-11-10T08:40:00Z, but files are missing: txt, srt.",
        "Nothing by itself.",
        to_do=f"{RETRY} writes them again, without paying again.",
    ),
    "all transcripts deleted": Case(
        lambda: delete_transcripts("json", "txt", "srt", "vtt", "html"),
        "done",
        "Transcribed at 2026-11-10T08:40:00Z, but its transcripts were deleted since.",
        "Nothing by itself.",
        to_do=f"{RETRY} writes them again, without paying again.",
    ),
    "new content, event lost": Case(
        lambda: replace_content(is_submitted=False),
        "not_submitted",
        "uploaded 1 h ago: the event of its upload did not arrive",
        "The audit, which runs every six hours",
        "2026-11-10T16:40:00Z",
    ),
    "new content": Case(
        lambda: replace_content(is_submitted=True),
        "open",
        "Job s2 waits in the speech queue",
        "When the job ends",
        "2026-11-11T10:40:00Z",
    ),
    "content came back": Case(
        lambda: supersede(comes_back=True),
        "not_submitted",
        "other content was uploaded under this key in between, and this content came back",
        "The event of its upload, or the audit, submits it.",
        "2026-11-10T14:50:00Z",
        "`scribe backfill --missed --yes` submits it now.",
    ),
    "superseded and deleted": Case(
        lambda: supersede(comes_back=False),
        "superseded",
        "Other content was uploaded under this key before it was transcribed, and that was deleted.",
        "Nothing by itself.",
    ),
    "archived": Case(
        archive,
        "waiting",
        "The recording is in an archive and cannot be read before it is restored.",
        "Nothing before it is restored; then the event of the restore submits it",
        to_do="Restore it in the COS console.",
    ),
    "archived and restored": Case(
        lambda: archive(restore='ongoing-request="false"'),
        "waiting",
        "The recording was in an archive.",
        "It can be read again: the event of its restore, or the audit, submits it.",
        "2026-11-10T14:40:00Z",
        "`scribe backfill --missed --yes` submits it now.",
    ),
    "archived and deleted": Case(
        archive_and_delete, "waiting", "before it is restored. It was deleted since.", "Nothing by itself."
    ),
    "held by the budget": Case(
        hold,
        "waiting",
        "The budget of 2026-11 has no room for this recording: MONTHLY_MINUTES is 10",
        "The audit tries it again every six hours: it goes on in 2026-12",
        "2026-11-30T22:00:00Z",
        "within six hours after MONTHLY_MINUTES was raised",
    ),
    "longer than the budget": Case(
        lambda: hold(minutes=1),
        "waiting",
        "The budget of 2026-11 has no room for this recording: MONTHLY_MINUTES is 1",
        "Nothing before MONTHLY_MINUTES is raised; then the audit submits it, within six hours.",
        to_do="It is longer than the budget of a whole month.",
    ),
    "held, without a budget now": Case(
        lambda: hold(monthly_minutes=0),
        "waiting",
        "The budget of 2026-11 has no room",
        "The audit, which runs every six hours, tries it again",
        "2026-11-10T14:40:01Z",
    ),
    "held in the month before": Case(
        hold_in_the_month_before,
        "waiting",
        "The budget of 2026-11 has no room",
        "The audit, which runs every six hours, tries it again",
        "2026-12-10T14:40:01Z",
    ),
    "held, error object deleted": Case(
        hold_without_error_object,
        "waiting",
        "The budget of the month has no room for it: MONTHLY_MINUTES.",
        "it goes on in 2026-12",
        "2026-11-30T22:00:00Z",
        "Raise MONTHLY_MINUTES, then `scribe deploy`.",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_each_state_is_explained(case: Case) -> None:
    pipeline = case.create()
    pipeline.take_requests()
    document = ask(pipeline, case.key, as_json=True).document
    requests = pipeline.take_requests()
    # HEAD, four listings of receipts and notices, one of outputs; receipts, error object, job, queue, forgotten.
    assert len(requests) <= 11
    assert {request.method for request in requests} <= {"GET", "HEAD", "LIST"}
    assert tuple(document) == MEMBERS
    assert document["state"] == case.state
    assert case.summary in document["summary"]
    assert case.what in document["next"]["what"]
    assert document["next"]["at"] == case.at
    assert case.to_do in document["next"]["do"]
    text = ask(pipeline, case.key).output
    words = " ".join(text.split())
    assert all(part in words for part in (case.summary, case.what, case.to_do, case.at))
    assert all(cell_len(line) <= 80 for line in text.splitlines() if "transcripts/" not in line)
    assert ("What you can do" in text) == bool(document["next"]["do"])
    assert [line for line in text.splitlines() if line != line.rstrip()] == []
    with speak_chinese():
        chinese = ask(pipeline, case.key).output
    assert list_english(chinese, "scribe deploy") == []
    assert all(cell_len(line) <= 80 for line in chinese.splitlines() if "transcripts/" not in line)
    assert ("处理办法" in chinese) == bool(document["next"]["do"])
