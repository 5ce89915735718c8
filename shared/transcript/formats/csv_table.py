"""A table for spreadsheets: a row for each sentence, with its times, speaker and text.

A spreadsheet computes a cell that begins with `=`, `+`, `-` or `@`, and a formula can send what is in other cells to
someone else. Such a cell gets an apostrophe in front. So does such a text after a semicolon, because spreadsheets of
some countries take that for the end of a cell. Source: "CSV Injection" of OWASP, which also names the full-width forms.
"""

import csv
import re
from io import BytesIO, TextIOWrapper

from shared.transcript.captions import format_time
from shared.transcript.formats.context import RenderContext

HEADER = ("start", "end", "speaker", "text")

# What spreadsheets may skip before a formula: quotes, white space, and characters that are not visible. An apostrophe
# counts too, so that removing the first one gives back every text.
_SKIPPED = "\\s'\"\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
_FORMULA = re.compile(rf"(^|;)(?=[{_SKIPPED}]*[=+\-@＝＋－＠])")


def render(context: RenderContext) -> bytes:
    """Return CSV in UTF-8, with the byte-order mark that Excel needs, and with CRLF. Silence leaves the header.

    Times are `hh:mm:ss.mmm`, which spreadsheets read as times.
    """
    buffer = BytesIO()
    with TextIOWrapper(buffer, "utf-8-sig", newline="") as text:
        writer = csv.writer(text)
        writer.writerow(HEADER)
        for sentence in context.transcript.sentences:
            times = (format_time(sentence.start_ms, "."), format_time(sentence.end_ms, "."))
            speaker = context.transcript.get_label(sentence) or ""
            writer.writerow((*times, guard_cell(speaker), guard_cell(sentence.text)))
        text.flush()
        return buffer.getvalue()


def guard_cell(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return _FORMULA.sub(r"\1'", text)
