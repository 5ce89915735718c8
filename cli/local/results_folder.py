"""The folder with the results of `scribe demo`: results of an earlier run go, files of the user stay.

The folder keeps a list of the files that the demo wrote, with their digests. A file that is not in the list, or that
was changed since, is the user's.

Recordings are links beside their transcripts: the page of a transcript plays the file with the recording's name in its
own folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from cli.language import _

LIST_NAME = ".scribe-demo.json"
KEPT_SUFFIX = ".kept"


class SaveReport(NamedTuple):
    """What happened to files that were in the folder before.

    `removed` counts results of an earlier run; `renamed` are the new paths of files that were in the way; `others`
    counts the remaining files that are not of this run.
    """

    removed: int = 0
    renamed: tuple[Path, ...] = ()
    others: int = 0


class ResultsFolder:
    """Writes results below a folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder
        self._list = folder / LIST_NAME

    def create(self) -> None:
        """Create the folder. Raises OSError with a message that names --results."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(
                _(
                    "the folder {folder} cannot be created ({reason}); choose another one with --results",
                    folder=self.path,
                    reason=error.strerror,
                )
            ) from None

    def save(self, files: Mapping[str, bytes], links: Mapping[str, Path] | None = None) -> SaveReport:
        """Write files by their paths below the folder; remove what an earlier run wrote and this one does not.

        `links` are files elsewhere that get a name below the folder, unless there is a file of that name already.
        """
        earlier = self._load_list()
        removed = [name for name, digest in earlier.items() if self._remove(name, digest)]
        # Before the first file: after an interruption the next run knows every file.
        digests = {name: hashlib.sha256(body).hexdigest() for name, body in files.items()}
        self._write_list(digests)
        renamed = [self._write(name, body) for name, body in files.items()]
        linked = {name for name, target in (links or {}).items() if self._link(name, target)}
        digests |= {name: _compute_digest(self.path / name) for name in linked}
        self._write_list(digests)
        own = files.keys() | linked
        return SaveReport(
            sum(1 for name in removed if name not in own),
            tuple(path for path in renamed if path),
            sum(1 for name in self._list_siblings(files) if name not in own),
        )

    def _write_list(self, digests: Mapping[str, str]) -> None:
        self._list.write_text(json.dumps(digests, ensure_ascii=False, indent=1) + "\n", "utf-8")

    def _link(self, name: str, target: Path) -> bool:
        """Make a link to a file, or copy it where there are no links. False if a file has the name already."""
        path = self.path / name
        if path.exists() or path.is_symlink():
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.symlink_to(target.resolve())
        except OSError:
            shutil.copyfile(target, path)
        return True

    def _remove(self, name: str, digest: str) -> bool:
        """Remove a file of an earlier run unless it was changed, and the folders that are then empty."""
        path = self.path / name
        if _compute_digest(path) != digest:
            return False
        path.unlink()
        with suppress(OSError):  # not empty
            for parent in path.parents:
                if parent == self.path:
                    break
                parent.rmdir()
        return True

    def _write(self, name: str, body: bytes) -> Path | None:
        """Write one file. Return the new path of a user's file that was in its place."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        is_other = _compute_digest(path) not in {"", hashlib.sha256(body).hexdigest()}
        kept = _find_free_name(path) if is_other else None
        if kept:
            path.rename(kept)
        path.write_bytes(body)
        return kept

    def _list_siblings(self, files: Mapping[str, bytes]) -> list[str]:
        """List every file below the first folders of the results."""
        tops = {name.partition("/")[0] for name in files}
        paths = [path for top in tops for path in (self.path / top).rglob("*") if path.is_file()]
        return [path.relative_to(self.path).as_posix() for path in paths]

    def _load_list(self) -> dict[str, str]:
        try:
            document = json.loads(self._list.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        if not isinstance(document, dict):
            return {}
        # A list from elsewhere must not name a file outside of the folder.
        return {
            name: str(digest)
            for name, digest in document.items()
            if not Path(name).is_absolute() and ".." not in Path(name).parts
        }


def _compute_digest(path: Path) -> str:
    """Compute the SHA-256 of a file, of a link that of its target's path; empty if there is none."""
    try:
        if path.is_symlink():
            return hashlib.sha256(os.fsencode(path.readlink())).hexdigest()
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return ""


def _find_free_name(path: Path) -> Path:
    kept, number = path.with_name(path.name + KEPT_SUFFIX), 2
    while kept.exists():
        kept, number = path.with_name(f"{path.name}{KEPT_SUFFIX}-{number}"), number + 1
    return kept
