"""LibreOffice without a screen, which opens what Scribe writes for people who use an office program."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

OFFICE = shutil.which("soffice")
needs_libreoffice = pytest.mark.skipif(
    OFFICE is None,
    reason="LibreOffice is not installed (Debian: libreoffice-writer-nogui, libreoffice-calc-nogui)",
)

# Separators (comma, and semicolon as in German), quote, UTF-8, from the first line, no column types, language (zh-CN),
# no texts because of quotes, dates and times are recognised, contents as shown, no formulas exported, spaces kept, all
# sheets, and the last one: formulas are computed.
CSV_IMPORT = "CSV:{separators},34,76,1,,2052,false,true,false,false,false,0,true"
_COMMA, _SEMICOLON = "44", "59"
_TIMEOUT_S = 90

_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"


def convert(file: Path, target: str, *, import_filter: str = "") -> Path:
    """Open a file in LibreOffice and save it in another format; returns the new file, beside the old one."""
    assert OFFICE is not None
    command = [OFFICE, f"-env:UserInstallation={(file.parent / 'profile').as_uri()}", "--headless"]
    if import_filter:
        command.append(f"--infilter={import_filter}")
    command += ["--convert-to", target, "--outdir", str(file.parent), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    converted = file.with_suffix("." + target.partition(":")[0])
    assert converted.is_file(), done.stdout + done.stderr
    return converted


def read_sheet(file: Path, *, with_semicolon: bool = False) -> list[list[tuple[str, str]]]:
    """Open a CSV file as LibreOffice does and return the cells of each row: what they are, and their value or text.

    What they are is "string", "time" and so on, or "formula".
    """
    separators = f"{_COMMA}/{_SEMICOLON}" if with_semicolon else _COMMA
    sheet = convert(file, "ods", import_filter=CSV_IMPORT.format(separators=separators))
    content = ET.fromstring(zipfile.ZipFile(sheet).read("content.xml"))  # noqa: S314 - our own file
    return [
        [
            _read_cell(cell)
            for cell in row.iter(f"{_TABLE}table-cell")
            if cell.get(f"{_OFFICE}value-type")
            for _ in range(int(cell.get(f"{_TABLE}number-columns-repeated", "1")))
        ]
        for row in content.iter(f"{_TABLE}table-row")
    ]


def _read_cell(cell: ET.Element) -> tuple[str, str]:
    if cell.get(f"{_TABLE}formula"):
        return "formula", str(cell.get(f"{_TABLE}formula"))
    kind = str(cell.get(f"{_OFFICE}value-type"))
    return kind, cell.get(f"{_OFFICE}{kind}-value") or _read_text(cell)


def _read_text(element: ET.Element) -> str:
    parts = [element.text or ""]
    for child in element:
        if child.tag.endswith("}s"):  # several spaces
            parts.append(" " * int(next(iter(child.attrib.values()), "1")))
        parts += [_read_text(child), child.tail or ""]
    return "".join(parts)
