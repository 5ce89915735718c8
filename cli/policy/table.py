"""Who may do what, and why: one row for each kind of request that a function makes. Policies are made from it.

Names of actions: COS documents 436/30580 and, for HEAD, 436/65661 (cos:HeadObject); CI document 1045/49896. The raw
text that the speech service writes below `raw/` is nobody's to read: results are asked for from the service itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from cli.policy.place import CI_ROLE, Place


class On(Enum):
    """What an action is done to."""

    RECORDING = "recordings"
    INPUT_LISTING = "the list of an input bucket"
    OPEN = "open receipts"
    DONE = "done receipts"
    CLAIM = "claims"
    CURSOR = "the sweep's cursor"
    OUTPUT_LISTING = "the list of the output bucket"
    TRANSCRIPT = "transcripts and error objects"
    SPEECH = "the input bucket's speech service"
    CI_ROLE = "the speech service's role"


@dataclass(frozen=True, slots=True)
class Row:
    """A function may do this to that. `jobs_path` is set where only that form of the speech API needs it."""

    function: str
    action: str
    on: On
    why: str
    jobs_path: str = ""


_RESOURCES: dict[On, Callable[[Place], tuple[str, ...]]] = {
    On.RECORDING: Place.recordings,
    On.INPUT_LISTING: Place.input_listings,
    On.OPEN: lambda place: place.receipts("open/"),
    On.DONE: lambda place: place.receipts("done/"),
    On.CLAIM: lambda place: place.receipts("claim/"),
    On.CURSOR: lambda place: place.receipts("sweep-cursor"),
    On.OUTPUT_LISTING: Place.output_listings,
    On.TRANSCRIPT: Place.transcripts,
    On.SPEECH: Place.speech,
    On.CI_ROLE: lambda place: (place.role(CI_ROLE),),
}

TABLE = (
    Row("upload", "cos:HeadObject", On.RECORDING, "its size, its content's mark, what its metadata asks for"),
    Row("upload", "cos:GetObject", On.DONE, "was this content done before"),
    Row("upload", "cos:PutObject", On.OPEN, "the receipt, before anything is paid; then the job's id"),
    Row("upload", "cos:GetObject", On.OPEN, "is the receipt this attempt's own"),
    Row("upload", "cos:DeleteObject", On.OPEN, "closes what cannot be submitted"),
    Row("upload", "cos:PutObject", On.DONE, "closes what cannot be submitted"),
    Row("upload", "cos:PutObject", On.TRANSCRIPT, "the error object of what cannot be submitted"),
    Row("upload", "ci:CreateAsrJobs", On.SPEECH, "submits the job"),
    Row("upload", "cam:PassRole", On.CI_ROLE, "the job is done in that role's name (CI document 1045/73385)"),
    Row("callback", "ci:DescribeAsrJob", On.SPEECH, "the truth about the job that was named"),
    Row("callback", "cos:GetObject", On.OPEN, "whose job it is"),
    Row("callback", "cos:GetObject", On.DONE, "is it done already"),
    Row("callback", "cos:HeadObject", On.RECORDING, "does the recording still hold the same content"),
    Row("callback", "cos:GetBucket", On.OUTPUT_LISTING, "was other content under this key meanwhile"),
    Row("callback", "cos:PutObject", On.TRANSCRIPT, "the transcripts, or the error object"),
    Row("callback", "cos:DeleteObject", On.TRANSCRIPT, "the error object that no longer holds"),
    Row("callback", "cos:PutObject", On.DONE, "closes the receipt"),
    Row("callback", "cos:DeleteObject", On.OPEN, "closes the receipt"),
    Row("callback", "cos:DeleteObject", On.CLAIM, "the claims of attempts that the closed receipt had"),
    Row("callback", "cos:PutObject", On.OPEN, "asks the sweep to submit once more"),
    Row("sweep", "cos:GetBucket", On.OUTPUT_LISTING, "which work is open"),
    Row("sweep", "cos:GetBucket", On.INPUT_LISTING, "recordings that no event told of"),
    Row("sweep", "cos:GetObject", On.CURSOR, "where the last sweep stopped"),
    Row("sweep", "cos:PutObject", On.CURSOR, "where this sweep stopped"),
    Row("sweep", "cos:DeleteObject", On.CURSOR, "it came to the end"),
    Row("sweep", "cos:GetObject", On.OPEN, "what is open"),
    Row("sweep", "cos:PutObject", On.OPEN, "as upload does"),
    Row("sweep", "cos:DeleteObject", On.OPEN, "as callback does"),
    Row("sweep", "cos:GetObject", On.DONE, "as upload does"),
    Row("sweep", "cos:PutObject", On.DONE, "as callback does"),
    Row("sweep", "cos:PutObject", On.CLAIM, "one taker for the work of a dead attempt"),
    Row("sweep", "cos:GetObject", On.CLAIM, "who took it"),
    Row("sweep", "cos:DeleteObject", On.CLAIM, "as callback does"),
    Row("sweep", "cos:HeadObject", On.RECORDING, "as callback does"),
    Row("sweep", "cos:PutObject", On.TRANSCRIPT, "as callback does"),
    Row("sweep", "cos:DeleteObject", On.TRANSCRIPT, "as callback does"),
    Row("sweep", "ci:DescribeAsrJob", On.SPEECH, "as callback does"),
    Row("sweep", "ci:DescribeAsrJobs", On.SPEECH, "did a dead attempt submit; how much is in the queue"),
    Row("sweep", "ci:DescribeAsrQueues", On.SPEECH, "how much the queue takes"),
    Row("sweep", "ci:CreateAsrJobs", On.SPEECH, "submits what had to wait"),
    Row("sweep", "cam:PassRole", On.CI_ROLE, "as upload does"),
    # Whether COS says "not found" of an object to a key that may not list its bucket is not documented; S3, which it
    # resembles, says "denied" then, and a receipt that is not there yet would stop every upload.
    Row("upload", "cos:GetBucket", On.OUTPUT_LISTING, "a receipt that is not there is told as such"),
    Row("upload", "cos:GetBucket", On.INPUT_LISTING, "a recording that is gone is told as such"),
    Row("callback", "cos:GetBucket", On.INPUT_LISTING, "a recording that is gone is told as such"),
    # JOBS_PATH=jobs asks by the paths of media jobs. The pages name both families of actions for those, so both are
    # granted.
    Row("upload", "ci:CreateMediaJobs", On.SPEECH, "submits the job", "jobs"),
    Row("callback", "ci:DescribeMediaJob", On.SPEECH, "the truth about the job", "jobs"),
    Row("sweep", "ci:DescribeMediaJob", On.SPEECH, "as callback does", "jobs"),
    Row("sweep", "ci:DescribeMediaJobs", On.SPEECH, "did a dead attempt submit", "jobs"),
    Row("sweep", "ci:CreateMediaJobs", On.SPEECH, "submits what had to wait", "jobs"),
)

FUNCTIONS = tuple(dict.fromkeys(row.function for row in TABLE))


def rows_of(function: str, place: Place) -> tuple[Row, ...]:
    """What one function may do at this place."""
    return tuple(row for row in TABLE if row.function == function and row.jobs_path in {"", place.jobs_path})


def resources_of(row: Row, place: Place) -> tuple[str, ...]:
    """The resources that a row speaks of, in the six parts of CAM."""
    return _RESOURCES[row.on](place)
