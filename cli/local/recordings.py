"""A user's own recordings: the files and folders that were passed to `scribe demo`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from cli.errors import OperatorError
from cli.language import _, ngettext
from cli.local.emulator import LOCAL_SETTINGS
from cli.local.samples import SIDECAR_SUFFIX, Upload

# Of a file name there may be 255; the names of its results and of the text beside it are longer.
MAX_NAME_BYTES = 255 - len(SIDECAR_SUFFIX)


class InvalidArguments(OperatorError):
    """Some of the files and folders cannot be transcribed; the message has a line for each of them."""


class OwnRecordings(NamedTuple):
    """The uploads, and a line for each folder in which files were left out."""

    uploads: list[Upload]
    notes: list[str]


class _Candidate(NamedTuple):
    path: Path
    key: str


def load_own_recordings(paths: Sequence[Path]) -> OwnRecordings:
    """Build the uploads of files, and of all recordings below folders.

    A key is the name of the file, or its path below the folder that was passed. The second file of one key gets `-2`,
    so that it overwrites nothing. Raises InvalidArguments with everything that is wrong.
    """
    candidates: list[_Candidate] = []
    problems: list[str] = []
    notes: list[str] = []
    has_wrong_name = False
    for path in paths:
        try:
            if path.is_dir():
                recordings, left_out = _list_folder(path)
                candidates += recordings
                note = format_left_out(left_out)
                if not recordings:
                    nothing = _("no recordings in this folder")
                    problem = _("{problem}; {detail}", problem=nothing, detail=note) if note else nothing
                    problems.append(_format_problem(path, problem))
                elif note:
                    notes.append(_format_problem(path, note))
            elif problem := _find_file_problem(path):
                problems.append(_format_problem(path, problem))
                has_wrong_name |= path.is_file() and bool(_find_reason(path))
            else:
                candidates.append(_Candidate(path, path.name))
        except OSError as error:
            problems.append(_format_problem(error.filename or path, error.strerror))
    if problems:
        if has_wrong_name:
            extensions = _(", ").join(LOCAL_SETTINGS.input_extensions)
            problems.append(_("Recordings end in {extensions}.", extensions=extensions))
        raise InvalidArguments("\n".join(problems))
    return OwnRecordings(_build_uploads(candidates), notes)


def _format_problem(path: object, problem: object) -> str:
    return _("{name}: {problem}", name=path, problem=problem)


def _find_file_problem(path: Path) -> str:
    if not path.exists():
        return _("no such file or folder")
    if not path.is_file():
        return _("neither a file nor a folder")
    if reason := _find_reason(path):
        return _("not a recording by its name ({reason})", reason=reason)
    return "" if os.access(path, os.R_OK) else _("no permission to read it")


def _find_reason(path: Path) -> str:
    """Return why a file is no recording; empty if it is one."""
    if path.name.endswith(SIDECAR_SUFFIX):
        return SIDECAR_SUFFIX
    has_extension = LOCAL_SETTINGS.has_recording_extension(path.name)
    if not has_extension:
        return _("without an extension") if has_extension is None else path.suffix or _("hidden")
    try:
        name_bytes = len(path.name.encode())
    except UnicodeEncodeError:
        return _("with a name that is not UTF-8")
    if name_bytes > MAX_NAME_BYTES:
        return _("with a name longer than {limit} bytes", limit=MAX_NAME_BYTES)
    return ""


def _list_folder(folder: Path) -> tuple[list[_Candidate], Counter[str]]:
    """List the recordings below a folder, in the order of their paths; count the other files by reason."""
    candidates: list[_Candidate] = []
    left_out: Counter[str] = Counter()
    for path in _iter_paths(folder):
        if path.name.startswith("."):
            left_out[_("hidden")] += 1
        elif reason := _find_reason(path):
            left_out[reason] += 1
        elif not os.access(path, os.R_OK):
            left_out[_("without permission to read them")] += 1
        else:
            candidates.append(_Candidate(path, path.relative_to(folder).as_posix()))
    return candidates, left_out


def _iter_paths(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, and its hidden folders, whose content is not looked at. Raises OSError."""

    def fail(error: OSError) -> None:
        raise error

    for parent, folders, names in os.walk(folder, onerror=fail):
        hidden = [name for name in folders if name.startswith(".")]
        folders[:] = sorted(set(folders) - set(hidden))
        yield from (Path(parent, name) for name in sorted([*names, *hidden]))


def format_left_out(reasons: Counter[str]) -> str:
    """Format counts of files by reason: `5 files left out (3 .jpg, 2 hidden)`."""
    total = sum(reasons.values())
    if not total:
        return ""
    parts = _(", ").join(
        _("{number} {reason}", number=count, reason=reason) for reason, count in reasons.most_common()
    )
    return ngettext(
        "{count} file left out ({parts})", "{count} files left out ({parts})", total, parts=parts, count=total
    )


def _build_uploads(candidates: Iterable[_Candidate]) -> list[Upload]:
    uploads: list[Upload] = []
    keys: set[str] = set()
    for path, wanted_key in candidates:
        key, number = wanted_key, 2
        while key in keys:
            folder, slash, name = wanted_key.rpartition("/")
            key = f"{folder}{slash}{Path(name).stem}-{number}{path.suffix}"
            number += 1
        keys.add(key)
        uploads.append(Upload(path=path, key=key))
    return uploads
