"""The same content uploaded again: do other options make it new work?

A recording that was transcribed costs nothing more, whatever happens to the object, unless its uploader chose other
options for the job: a restore, a copy to another storage class and a lost event come without a choice, and a setting or
a rule that the operator changed counts only for what is uploaded afterwards.
"""

from __future__ import annotations

from typing import NamedTuple

from shared.options.choose import is_uploaders_source
from shared.options.model import OPTIONS, RecordingOptions
from shared.options.sidecar import is_sidecar_key
from shared.recordings.options import OptionChoice
from shared.recordings.receipt import Receipt

# Options that change what is written, but not the job that is paid for.
LAYOUT_OPTIONS = ("caption-width", "caption-lines", "caption-seconds", "times")
TEXT_OPTIONS = ("formats", "title", "speaker-names", *LAYOUT_OPTIONS)
JOB_OPTIONS = tuple(name for name, option in OPTIONS.items() if option.element and name != "priority")


class Difference(NamedTuple):
    """The names of the options that differ from those of the receipt: of the job, and of what is written."""

    job: tuple[str, ...]
    text: tuple[str, ...]


NO_DIFFERENCE = Difference((), ())


def compare_options(receipt: Receipt, choice: OptionChoice, *, is_upload: bool) -> Difference:
    """Compare the options of a receipt with those chosen now.

    `is_upload`: the object was uploaded a moment ago, so a difference counts wherever it comes from. Otherwise only one
    that metadata made, then or now, or the sidecar that is there now.
    """
    names = [
        name
        for name in (*JOB_OPTIONS, *TEXT_OPTIONS)
        if _get_value(receipt.recording_options, receipt.sources.get(name, ""), name)
        != _get_value(choice.options, choice.sources.get(name, ""), name)
        and _counts(receipt.sources.get(name, ""), choice, name, is_upload=is_upload)
    ]
    return Difference(
        tuple(name for name in names if name in JOB_OPTIONS),
        tuple(name for name in names if name in TEXT_OPTIONS),
    )


def _get_value(options: RecordingOptions, source: str, name: str) -> object:
    """Return the value of an option; None for formats that the settings chose, which a receipt does not have."""
    return None if name == "formats" and not source else getattr(options, OPTIONS[name].field)


def _counts(source_before: str, choice: OptionChoice, name: str, *, is_upload: bool) -> bool:
    if is_sidecar_key(source_before) and choice.sidecar.body is None:
        # It may be there, but hidden from the role; or it was removed when it had served.
        return is_upload and not choice.sidecar.is_denied
    return (
        is_upload or is_uploaders_source(source_before) or is_uploaders_source(choice.sources.get(name, ""))
    )


def take_text_options(receipt: Receipt, choice: OptionChoice) -> Receipt:
    """Return the receipt with the options chosen now that change what is written; those of its job stay."""
    fields = {OPTIONS[name].field for name in (*TEXT_OPTIONS, "notify")}
    options = receipt.recording_options._replace(
        **{field: getattr(choice.options, field) for field in fields}
    )
    sources = {
        name: source
        for name in OPTIONS
        if (source := (choice if OPTIONS[name].field in fields else receipt).sources.get(name))
    }
    return receipt.with_options(options, sources)
