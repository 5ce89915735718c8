"""`python -m cli.catalogue`: write the catalogue of Chinese texts from the code again, and compile it. Needs Babel.

One file for each area of the command, cli/locale/zh_CN/AREA.po, and all of them compiled as LC_MESSAGES/scribe.mo,
which the command reads. A new message gets an empty translation, for which a test fails; one that is gone is removed.
"""

from __future__ import annotations

import ast
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from typer.main import get_command

from cli.help import add_language_option, iter_help_texts
from cli.language import DOMAIN, LOCALE_FOLDER
from cli.main import app

PACKAGE = Path(__file__).parent
FOLDER = LOCALE_FOLDER / "zh_CN"
COMPILED = FOLDER / "LC_MESSAGES" / f"{DOMAIN}.mo"
# In the compiled catalogue. Babel's own is the time of now, which would change the file each time.
CREATED = datetime(2026, 11, 26, tzinfo=timezone.utc)
COMMANDS = "commands"  # the area of the modules at the top of cli/, and of the help texts
# Babel's own has a date and its version, which would change the file each time.
_HEADER = r"""# Chinese texts of the command `scribe`. Written by `python -m cli.catalogue`; fill in the empty ones.
msgid ""
msgstr ""
"Language: zh_CN\n"
"Plural-Forms: nplurals=1; plural=0;\n"
"Content-Type: text/plain; charset=utf-8\n"
"Content-Transfer-Encoding: 8bit\n"

"""
SHARED = "shared"  # the area of the texts in shared/, which the functions have too
# How many texts each call begins with.
_KEYWORDS = {"_": 1, "N_": 1, "ngettext": 2}
_SHARED_KEYWORDS = {"message": 1}
_AREAS = {"typer_texts.py": "typer"}
# Not part of the command: it writes pages, which have their own Chinese texts.
_SKIPPED = frozenset({"catalogue.py", "notice_settings.py", "settings_docs.py", "settings_docs_zh.py"})


def find_area(path: Path) -> str:
    """Return the area of a module, by its folder."""
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else _AREAS.get(path.name, COMMANDS)


def list_modules() -> list[Path]:
    """Return every module of the command."""
    return sorted(path for path in PACKAGE.rglob("*.py") if path.name not in _SKIPPED)


def extract_messages() -> dict[str, Catalog]:
    """Return the messages of each area, without translations."""
    catalogs: dict[str, Catalog] = {}
    for path in list_modules():
        for message in _find_messages(path, _KEYWORDS):
            catalogs.setdefault(find_area(path), _create_catalog()).add(message)
    for area, text in iter_other_messages():
        catalogs.setdefault(area, _create_catalog()).add(text)
    return catalogs


def iter_other_messages() -> Iterator[tuple[str, str]]:
    """Yield texts that are translated but not written as `_("...")`, with their area: help texts, and shared/'s."""
    for path in sorted((PACKAGE.parent / SHARED).rglob("*.py")):
        for message in _find_messages(path, _SHARED_KEYWORDS):
            yield SHARED, str(message)
    group = get_command(app)
    add_language_option(group)
    for text in iter_help_texts(group):
        yield COMMANDS, text


def _find_messages(path: Path, keywords: Mapping[str, int]) -> Iterator[str | tuple[str, ...]]:
    """Yield the texts of calls in a module. Raises ValueError for an f-string, which cannot be looked up.

    Babel's own extractor warns of every f-string among the values, too.
    """
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in keywords:
            texts = node.args[: keywords[node.func.id]]
            if any(isinstance(text, ast.JoinedStr) for text in texts):
                raise ValueError(f"{path}:{node.lineno}: an f-string cannot be translated")
            found = tuple(
                text.value for text in texts if isinstance(text, ast.Constant) and isinstance(text.value, str)
            )
            if found:  # not for a variable, whose text is marked with N_
                yield found if len(found) > 1 else found[0]


def read_catalogs() -> dict[str, Catalog]:
    """Read the translations of each area."""
    catalogs = {}
    for path in sorted(FOLDER.glob("*.po")):
        with path.open("rb") as file:
            catalogs[path.stem] = read_po(file, locale="zh_CN", domain=DOMAIN)
    return catalogs


def format_catalog(catalog: Catalog) -> bytes:
    """Format an area's file: sorted, so that it changes only where the messages do."""
    stream = io.BytesIO()
    write_po(stream, catalog, width=110, sort_output=True, no_location=True, omit_header=True)
    return _HEADER.encode() + stream.getvalue()


def merge_catalogs(catalogs: dict[str, Catalog]) -> Catalog:
    """Put the areas together: the same message may be in several, with one translation."""
    merged = _create_catalog()
    for catalog in catalogs.values():
        for message in catalog:
            if message.id and _is_complete(message.string):
                merged.add(message.id, message.string)
    return merged


def compile_catalogs(catalogs: dict[str, Catalog]) -> bytes:
    """Return the compiled catalogue."""
    stream = io.BytesIO()
    write_mo(stream, merge_catalogs(catalogs))
    return stream.getvalue()


def update() -> dict[str, Catalog]:
    """Return the areas with the messages of the code, and the translations that there are."""
    known = read_catalogs()
    elsewhere = merge_catalogs(known)  # a message has one translation, in whatever area it is
    updated = {}
    for area, messages in sorted(extract_messages().items()):
        catalog = known.get(area) or _create_catalog()
        catalog.update(messages, no_fuzzy_matching=True)
        catalog.obsolete.clear()
        for message in catalog:
            if message.id and not _is_complete(message.string) and (other := elsewhere.get(message.id)):
                message.string = other.string
        updated[area] = catalog
    return updated


def _create_catalog() -> Catalog:
    return Catalog(locale="zh_CN", domain=DOMAIN, creation_date=CREATED, fuzzy=False)


def main() -> None:
    """Write every file."""
    catalogs = update()
    COMPILED.parent.mkdir(parents=True, exist_ok=True)
    for path in FOLDER.glob("*.po"):
        if path.stem not in catalogs:
            path.unlink()
    missing = 0
    for area, catalog in catalogs.items():
        (FOLDER / f"{area}.po").write_bytes(format_catalog(catalog))
        missing += sum(not _is_complete(message.string) for message in catalog if message.id)
    COMPILED.write_bytes(compile_catalogs(catalogs))
    if missing:
        print(f"{missing} messages have no translation yet")
        sys.exit(1)


def _is_complete(string: str | Sequence[str] | None) -> bool:
    return bool(string) if isinstance(string, str) else bool(string) and all(string or ())


if __name__ == "__main__":
    main()
