"""What git says of a file: whether its contents get into a repository."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

_YES, _NO = 0, 1  # the exit statuses of check-ignore and ls-files --error-unmatch; any other is no answer


@dataclass(frozen=True, slots=True)
class Git:
    """Its answer. `said` is why there is none; then neither of the others is true."""

    ignores: bool
    tracks: bool
    said: str = ""

    @classmethod
    def of(cls, file: Path) -> Git:
        """Asked of the nearest checkout above `file`, an absolute path that need not exist. Outside of one: ignored.

        git is asked in the checkout's own folder: from a folder that is another file system it does not look further
        up, though the checkout can hold that folder's files.
        """
        root = next((folder for folder in file.parents if (folder / ".git").exists()), None)
        if root is None:
            return cls(ignores=True, tracks=False)
        path = str(file.relative_to(root))
        ignored, said = _ask(root, "check-ignore", "--quiet", "--", path)
        if ignored not in {_YES, _NO}:
            return cls(ignores=False, tracks=False, said=said)
        tracked, _ = _ask(root, "ls-files", "--error-unmatch", "--", path)
        return cls(ignores=ignored == _YES, tracks=tracked == _YES)


def _ask(root: Path, *words: str) -> tuple[int, str]:
    """The exit status, and the first line of what git complains of."""
    try:
        answer = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)  # noqa: S603, S607 - our own words
    except OSError as error:
        return -1, f"git: {error.strerror}"
    return answer.returncode, answer.stderr.strip().partition("\n")[0] or f"exit status {answer.returncode}"
