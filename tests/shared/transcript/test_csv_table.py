"""The table for spreadsheets: times are times, and no text is computed. LibreOffice is one of the readers."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.transcript import FORMATS
from shared.transcript.formats.csv_table import guard_cell
from tests.helpers.format_readers import unguard
from tests.helpers.hostile_texts import HOSTILE_TEXTS, TEXTS, build_hostile_transcript
from tests.helpers.office import needs_libreoffice, read_sheet

# What a spreadsheet computes, or may: OWASP's list, and whether something before it is skipped.
FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(1)",
    "＝1+1",
    "＋1",
    "－1",
    "＠SUM(1)",
    "\t=1",
    "\r=1",
    " =1",
    '"=1',
    "\u200b=1",
]
FORMULA_START = re.compile('[\\s"\u200b\ufeff]*[=+\\-@＝＋－＠]')
ORDINARY = ["Hi.", "没问题。", "a=b", "10-3", "me@example.com", "'quoted'", "it; well", "🙂", ""]


def test_table_has_a_row_for_each_sentence() -> None:
    transcript = build_hostile_transcript(["您好，请讲。", 'He said "yes", twice.'], names=("客服", "Anna"))
    assert FORMATS["csv"].render(transcript).decode() == (
        "\ufeffstart,end,speaker,text\r\n"
        "00:00:00.000,00:00:01.900,客服,您好，请讲。\r\n"
        '00:00:02.000,00:00:03.900,Anna,"He said ""yes"", twice."\r\n'
    )


@pytest.mark.parametrize("text", FORMULAS)
def test_formula_begins_with_an_apostrophe(text: str) -> None:
    assert guard_cell(text) == "'" + text
    assert guard_cell(f"well;{text}") == f"well;'{text}"


@pytest.mark.parametrize("text", ORDINARY)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert guard_cell(text) == text


def test_speaker_named_like_a_formula_is_guarded() -> None:
    transcript = build_hostile_transcript(["One.", "Two."], names=("=1+1", "＠x"))
    assert re.findall(r",('.*),", FORMATS["csv"].render(transcript).decode()) == ["'=1+1", "'＠x"]


@settings(deadline=None)
@given(st.lists(TEXTS | st.text(st.sampled_from("=+-@＝;,\"' \ta\u200b"), max_size=12), max_size=6))
def test_no_cell_begins_a_formula_with_either_separator(texts: list[str]) -> None:
    data = FORMATS["csv"].render(build_hostile_transcript(texts, names=("a", "b"))).decode("utf-8-sig")
    for separator in ",;":
        rows = csv.reader(io.StringIO(data, newline=""), delimiter=separator)
        assert not [cell for row in rows for cell in row if FORMULA_START.match(cell)]


@settings(deadline=None)
@given(TEXTS | st.text(st.sampled_from("=+-@＝;,\"' \ta"), max_size=12))
def test_removing_the_apostrophes_gives_back_every_text(text: str) -> None:
    assert unguard(guard_cell(text)) == text


@pytest.mark.process
@needs_libreoffice
@pytest.mark.parametrize("with_semicolon", [False, True], ids=["comma", "comma and semicolon"])
def test_spreadsheet_computes_nothing_and_reads_times(tmp_path: Path, with_semicolon: bool) -> None:
    texts = [text for text in HOSTILE_TEXTS if len(text) < 1_000] + FORMULAS
    file = tmp_path / "a.mp3.csv"
    file.write_bytes(FORMATS["csv"].render(build_hostile_transcript(texts, names=("=1+1", "＠x"))))
    header, *rows = read_sheet(file, with_semicolon=with_semicolon)
    assert [text for _, text in header] == ["start", "end", "speaker", "text"]
    assert len(rows) > len(FORMULAS)
    for (start, _), (end, _), (speaker, name), *cells in rows:
        assert (start, end, speaker, name[0]) == ("time", "time", "string", "'")
        assert {kind for kind, _ in cells} == {"string"}
    assert rows[1][0] == ("time", "PT00H00M02S")
    assert rows[1][1] == ("time", "PT00H00M03.9S")


@pytest.mark.process
@needs_libreoffice
def test_spreadsheet_of_this_test_computes_formulas(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_bytes(b"=1+1,a;=2+2\r\n")
    assert [kind for kind, _ in read_sheet(file, with_semicolon=True)[0]] == ["formula", "string", "formula"]
