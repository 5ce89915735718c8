"""What the operator chose: the file .env under the process environment; and the callback token that nobody chose."""

from __future__ import annotations

import io
import os
import re
import string
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from random import Random

from dotenv.parser import parse_stream

from cli.account import SPELLINGS
from cli.errors import OperatorError
from cli.tracked import Git

TOKEN_NAME = "CALLBACK_TOKEN"  # noqa: S105 - the name, not the token
TOKEN_LENGTH = 24  # of 62 characters: 142 bits. The whole notification address has at most 100 characters
DEFAULT_STAGE = "prod"
SECRET_NAMES = (TOKEN_NAME, *(name for _, *secrets in SPELLINGS for name in secrets))

_BASIC = frozenset({"REGION", "INPUT_BUCKETS"})  # without the file and both of these nobody chose anything
_TOKEN_CHARACTERS = string.ascii_letters + string.digits
_EMPTY_TOKEN = re.compile(rf"^(\s*(?:export\s+)?{TOKEN_NAME}\s*=)\s*(?:''|\"\")?\s*(?:#.*)?$")


class FromFile(str):
    """A value that stands in the file, where every name is meant for us; the process has many that are not."""

    __slots__ = ()


class NoSuchFile(OperatorError):
    """The file of choices is not where it was looked for."""

    def __init__(self, env_file: Path) -> None:
        super().__init__(
            f"there is no file {env_file.absolute()}: copy .env.example to that name and fill in its first lines, or "
            "go to the folder that has yours, as a rule the checkout"
        )


def choices_from(env_file: Path, process: Mapping[str, str]) -> dict[str, str]:
    """Every name that was given a value, the process environment before `env_file`, whose values are FromFile.

    An empty variable of the process hides nothing. `SCRIBE_STAGE` is `prod` and `SCF_ROLE_NAME` is `scribe-<stage>`
    where nobody said otherwise. A temporary key's token counts only beside its key: one that an earlier login left in
    the shell is not sent with the file's. Raises NoSuchFile when there is no file and the process chooses nothing
    either, OperatorError when the file cannot be read; it quotes nothing of it.
    """
    in_process, in_file = _filled(process), _lines_of(env_file)
    if not env_file.exists() and not _BASIC & in_process.keys():
        raise NoSuchFile(env_file)
    chosen = {**{name: FromFile(value) for name, value in in_file.items()}, **in_process}
    for id_name, key_name, token_name in SPELLINGS:
        chosen.pop(token_name, None)
        places = [place for place in (in_process, in_file) if {id_name, key_name} & place.keys()]
        if places and {id_name, key_name, token_name} <= places[0].keys():
            chosen[token_name] = places[0][token_name]
    chosen.setdefault("SCRIBE_STAGE", DEFAULT_STAGE)
    chosen.setdefault("SCF_ROLE_NAME", f"scribe-{chosen['SCRIBE_STAGE']}")
    return chosen


def new_token(random: Random) -> str:
    """A callback token that needs no quoting in a URL. `random` is the system's own in earnest."""
    return "".join(random.choice(_TOKEN_CHARACTERS) for _ in range(TOKEN_LENGTH))


def warning_of(env_file: Path) -> str:
    """What to tell whoever has a key or token in a file that git tracks; "" where all is well or nobody can say."""
    with suppress(OperatorError):  # a file that cannot be read is told by whoever needs it
        held = [name for name in SECRET_NAMES if name in _lines_of(env_file)]
        if held and Git.of(env_file.resolve()).tracks:
            return (
                f"git tracks {env_file}, which holds {', '.join(held)}: `git rm --cached {env_file}`, and name it in "
                ".gitignore; whoever has the repository has what it holds, so make that anew"
            )
    return ""


def keep_token(env_file: Path, token: str) -> None:
    """Writes the token into `env_file`: where CALLBACK_TOKEN= stands empty, or at the end; for its owner alone to read.

    Raises OperatorError when git would track the file: a token in a repository is one that everybody knows. Also when
    it cannot be written; then it is as it was.
    """
    env_file = env_file.resolve()
    _refuse_tracked(env_file)
    lines = _text_of(env_file).splitlines()
    at = next((number for number, line in enumerate(lines) if _EMPTY_TOKEN.match(line)), len(lines))
    lines[at : at + 1] = [f"{TOKEN_NAME}={token}"]
    try:
        _replace(env_file, "\n".join(lines) + "\n")
    except OSError as error:
        raise OperatorError(
            f"{env_file} could not be given a {TOKEN_NAME}, and is as it was: {error.strerror}. Make room on that "
            f"disk, or make the folder writable; or set {TOKEN_NAME} in the environment"
        ) from None


def _replace(env_file: Path, text: str) -> None:
    """A file of mode 0600 takes the old one's place: nothing is lost if this is interrupted."""
    handle, made = tempfile.mkstemp(dir=env_file.parent, prefix=".env.")  # a name that .gitignore has
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(made).replace(env_file)
    finally:
        Path(made).unlink(missing_ok=True)


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
    except OSError as error:
        raise OperatorError(
            f"{env_file} cannot be read: {error.strerror}. See what it is and whose"
        ) from None


def _refuse_tracked(env_file: Path) -> None:
    git = Git.of(env_file)
    if git.ignores:
        return
    if git.tracks:
        why, mend = "git tracks it", f"`git rm --cached {env_file}` and name it in .gitignore"
    elif git.said:
        why, mend = f"git does not say whether it ignores it ({git.said})", "mend that"
    else:
        why, mend = "git does not ignore it", f"add {env_file.name} to .gitignore"
    raise OperatorError(
        f"{env_file} would get the callback token, but {why}: {mend}, or set a {TOKEN_NAME} of your own in the "
        "environment"
    )
