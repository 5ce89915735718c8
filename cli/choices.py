"""What the operator chose: the file .env under the process environment; and the callback token that nobody chose."""

from __future__ import annotations

import io
import os
import re
import string
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from random import Random

from dotenv.parser import parse_stream

from cli.errors import OperatorError

TOKEN_NAME = "CALLBACK_TOKEN"  # noqa: S105 - the name, not the token
TOKEN_LENGTH = 24  # of 62 characters: 142 bits. The whole notification address has at most 100 characters
DEFAULT_STAGE = "prod"

_TOKEN_CHARACTERS = string.ascii_letters + string.digits
_EMPTY_TOKEN = re.compile(rf"^(\s*(?:export\s+)?{TOKEN_NAME}\s*=)\s*(?:''|\"\")?\s*(?:#.*)?$")


def choices_from(env_file: Path, process: Mapping[str, str]) -> dict[str, str]:
    """Every name that was given a value, the process environment before `env_file`, which need not exist.

    An empty variable of the process hides nothing. `SCRIBE_STAGE` is `prod` and `SCF_ROLE_NAME` is `scribe-<stage>`
    where nobody said otherwise. Raises OperatorError when the file cannot be read; it quotes nothing of it.
    """
    chosen = {**_lines_of(env_file), **_filled(process)}
    chosen.setdefault("SCRIBE_STAGE", DEFAULT_STAGE)
    chosen.setdefault("SCF_ROLE_NAME", f"scribe-{chosen['SCRIBE_STAGE']}")
    return chosen


def new_token(random: Random) -> str:
    """A callback token that needs no quoting in a URL. `random` is the system's own in earnest."""
    return "".join(random.choice(_TOKEN_CHARACTERS) for _ in range(TOKEN_LENGTH))


def keep_token(env_file: Path, token: str) -> None:
    """Writes the token into `env_file`: where CALLBACK_TOKEN= stands empty, or at the end; for its owner alone to read.

    Raises OperatorError when git would track the file: a token in a repository is one that everybody knows.
    """
    env_file = env_file.resolve()
    _refuse_tracked(env_file)
    lines = _text_of(env_file).splitlines()
    at = next((number for number, line in enumerate(lines) if _EMPTY_TOKEN.match(line)), len(lines))
    lines[at : at + 1] = [f"{TOKEN_NAME}={token}"]
    # A file of mode 0600 takes the old one's place: nothing is lost if this is interrupted.
    handle, made = tempfile.mkstemp(dir=env_file.parent, prefix=env_file.name)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    Path(made).replace(env_file)


def _lines_of(env_file: Path) -> dict[str, str]:
    """The file's variables as they stand there: nothing in a value stands for another variable."""
    found: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(_text_of(env_file))):
        if binding.error or (binding.key is not None and binding.value is None):
            text = binding.original.string  # with the empty lines before it
            line = binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")
            raise OperatorError(
                f"{env_file}, line {line} cannot be read: write NAME=value, and the value in quotes "
                "if it holds blanks or #"
            )
        if binding.key is not None:
            found[binding.key] = binding.value or ""
    return _filled(found)


def _filled(variables: Mapping[str, str]) -> dict[str, str]:
    # Blanks around a value go, as they do in the functions: what a trigger says must be what they read.
    return {name: value.strip() for name, value in variables.items() if value.strip()}


def _text_of(env_file: Path) -> str:
    try:
        return env_file.read_text("utf-8-sig")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        raise OperatorError(f"{env_file} is not UTF-8: save it again as UTF-8") from None


def _refuse_tracked(env_file: Path) -> None:
    if not any((folder / ".git").exists() for folder in env_file.parents):
        return
    command = ["git", "check-ignore", "--quiet", "--", env_file.name]
    try:
        answer = subprocess.run(command, cwd=env_file.parent, capture_output=True, check=False)  # noqa: S603 - our own words
    except OSError:
        answer = None
    if answer is None or answer.returncode != 0:  # tracked, or git is not there to say so
        raise OperatorError(
            f"{env_file} would get the callback token, but git does not ignore it: add {env_file.name} to .gitignore "
            f"(and `git rm --cached` it if it is tracked), or choose a {TOKEN_NAME} yourself"
        )
