"""Configuration of the `scribe` command: the file .env, the process environment, the key, and where files are.

A variable of the process environment wins over the same one in .env. The callback token is created here and saved in
.env when it is not set; it is never written to a file that git tracks.
"""

from __future__ import annotations

import configparser
import io
import os
import re
import shlex
import string
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from dotenv.parser import parse_stream

from cli.errors import OperatorError
from cli.language import N_, _
from cli.redaction import SECRETS, is_target_variable
from shared.tencent.auth import Credentials

PROJECT_FOLDER = Path(__file__).resolve().parents[1]  # holds serverless.yml
ENV_FILE = Path(".env")  # the default of --env-file

TOKEN_NAME = "CALLBACK_TOKEN"  # noqa: S105 - the name, not the token
SINCE_NAME, CALLBACK_URL_NAME, CALLBACK_CHOICE_NAME = "SINCE", "CALLBACK_URL", "SCRIBE_CALLBACK"
TOKEN_LENGTH = 24  # of 62 characters: 142 bits. The whole notification address has at most 100 characters
DEFAULT_STAGE = "prod"

# Id, key, token. Three spellings are in use: by Tencent's SDK, by SCF itself, by Tencent's command line.
KEY_VARIABLES = (
    ("TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY", "TENCENTCLOUD_TOKEN"),
    ("TENCENTCLOUD_SECRETID", "TENCENTCLOUD_SECRETKEY", "TENCENTCLOUD_SESSIONTOKEN"),
    ("TENCENT_SECRET_ID", "TENCENT_SECRET_KEY", "TENCENT_TOKEN"),
)
SECRET_NAMES = (TOKEN_NAME, *(name for _, *secrets in KEY_VARIABLES for name in secrets))
_CREDENTIAL_NAMES = frozenset({TOKEN_NAME, *(name for names in KEY_VARIABLES for name in names)})

_REQUIRED = frozenset(
    {"REGION", "INPUT_BUCKETS"}
)  # the environment alone is enough when it sets one of these
_SDK_PROFILE = Path(".tencentcloud") / "credentials"  # an ini file; the SDK's ProfileCredential
_PROFILE_NAMES = ("secret_id", "secret_key", "token")
_CREDENTIAL_PROBLEMS = (
    (N_("a line break"), re.compile(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")),
    (N_("white space"), re.compile(r"\s")),
    (N_("a control character"), re.compile(r"[\x00-\x1f\x7f-\x9f]")),
    (N_("a character outside of ASCII"), re.compile(r"[^\x00-\x7f]")),
)
_TOKEN_CHARACTERS = string.ascii_letters + string.digits
_EMPTY_VALUE = r"^(\s*(?:export\s+)?{name}\s*=)\s*(?:''|\"\")?\s*(?:#.*)?$"
_YES, _NO = 0, 1  # exit statuses of git check-ignore and git ls-files --error-unmatch; any other is an error


class EnvFileValue(str):
    """A value from the .env file, where every name is meant for Scribe; the process environment has many others."""

    __slots__ = ()


class EnvFileNotFound(OperatorError):
    """The .env file does not exist."""

    def __init__(self, env_file: Path) -> None:
        super().__init__(
            _(
                "there is no file {file}: copy .env.example to that name and fill in its first lines, or run this in "
                "the folder that has it, usually the checkout",
                file=env_file.absolute(),
            )
        )


class CredentialsNotFound(OperatorError):
    """Nothing has a key of an account, not even a part of one."""


@dataclass(frozen=True, slots=True)
class Commands:
    """Builds command lines for messages. `env_file` is the .env file of this run."""

    env_file: Path = ENV_FILE

    def line(self, command: str, *arguments: str) -> str:
        """A command line to type, e.g. `scribe deploy --env-file test.env --no-roles`."""
        words = ["scribe", command]
        if self.env_file != ENV_FILE:
            words += ["--env-file", str(self.env_file)]
        return " ".join(shlex.quote(word) for word in [*words, *arguments])

    @property
    def deploy(self) -> str:
        """The command that fixes most differences."""
        return self.line("deploy")

    @property
    def copy_receipts(self) -> str:
        """The command that copies the receipts to their new place first."""
        return self.line("deploy", "--copy-receipts")

    @property
    def resume_queue(self) -> str:
        """The command that starts paused queues."""
        return self.line("deploy", "--resume-queue")

    @property
    def doctor(self) -> str:
        """The command that checks a deployment."""
        return self.line("doctor")

    @property
    def show_deployer_policy(self) -> str:
        """The command that prints the permissions of the deploying key."""
        return self.line("policy", "deployer")

    @property
    def create_roles(self) -> str:
        """The command that creates or updates the roles of the functions."""
        return self.line("policy", "--create-role")


@dataclass(frozen=True, slots=True)
class CliContext:
    """Where a command reads its input.

    `folder` holds serverless.yml, and rules.yml if there are rules; `home` the SDK's profile; `environ` is the process
    environment. Without `uses_rules`, rules.yml is as if it did not exist.
    """

    folder: Path
    env_file: Path
    environ: Mapping[str, str] = field(repr=False)  # may hold the key
    home: Path
    uses_rules: bool = True

    @property
    def commands(self) -> Commands:
        """The command lines for messages."""
        return Commands(self.env_file)

    def load_config(self) -> dict[str, str]:
        """Load .env and the environment, see `load_config`."""
        return load_config(self.env_file, self.environ)

    def load_credentials(self, config: Mapping[str, str]) -> Credentials:
        """Load the operator's key, see `load_operator_credentials`."""
        return load_operator_credentials(config, self.home, self.env_file)


def create_context(env_file: Path) -> CliContext:
    """Build the context of this process. Raises EnvFileNotFound when a file other than the default does not exist."""
    if env_file != ENV_FILE and not env_file.exists():
        raise EnvFileNotFound(env_file)
    return CliContext(PROJECT_FOLDER, env_file, os.environ, Path.home())


def load_config(env_file: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Load every variable that has a value: from `environ`, else from `env_file`, there as EnvFileValue.

    An empty variable in `environ` does not hide the one in the file. `SCRIBE_STAGE` defaults to `prod`,
    `SCF_ROLE_NAME` to `scribe-<stage>`. The token of a temporary key counts only where its key is set as well: one
    that an earlier login left in the shell is not sent with the key from the file. Raises EnvFileNotFound when there
    is no file and `environ` has neither REGION nor INPUT_BUCKETS, OperatorError when the file cannot be read or the
    callback token has white space; the message quotes nothing from the file. Secrets are hidden from now on.
    """
    SECRETS.add_variables(
        {
            name: value
            for name, value in environ.items()
            if name in _CREDENTIAL_NAMES or is_target_variable(name)
        }
    )
    SECRETS.add_variables({CALLBACK_URL_NAME: environ.get(CALLBACK_URL_NAME, "")})
    process_values, file_values = _strip_empty(environ), _read_env_file(env_file)
    if not env_file.exists() and not _REQUIRED & process_values.keys():
        raise EnvFileNotFound(env_file)
    config = {**{name: EnvFileValue(value) for name, value in file_values.items()}, **process_values}
    for id_name, key_name, token_name in KEY_VARIABLES:
        config.pop(token_name, None)
        sources = [source for source in (process_values, file_values) if {id_name, key_name} & source.keys()]
        if sources and {id_name, key_name, token_name} <= sources[0].keys():
            config[token_name] = sources[0][token_name]
    for number, token in enumerate(config.get(TOKEN_NAME, "").split(",")):
        # A space after a comma is usual.
        _check_credential(TOKEN_NAME, token.lstrip(" ") if number else token, env_file)
    config.setdefault("SCRIBE_STAGE", DEFAULT_STAGE)
    config.setdefault("SCF_ROLE_NAME", f"scribe-{config['SCRIBE_STAGE']}")
    return config


def load_operator_credentials(
    config: Mapping[str, str], home: Path, env_file: Path = ENV_FILE
) -> Credentials:
    """Load the operator's key: the first spelling with both id and key, else the SDK's profile below `home`.

    Nothing is stripped: a key with white space or control characters is refused. Raises OperatorError, which names the
    variables to set and `env_file`, and quotes no value; CredentialsNotFound if there is nothing of a key.
    """
    incomplete = []
    for names in KEY_VARIABLES:
        id_name, key_name, *_token = names
        values = [config.get(name, "") for name in names]
        has_id, has_key, has_token = (bool(value.strip()) for value in values)
        if has_id and has_key:
            for name, value in zip(names, values, strict=True):
                _check_credential(name, value if value.strip() else "", env_file)
            return _create_credentials(values[0], values[1], values[2] if has_token else "")
        if has_id or has_key:
            present, absent = (id_name, key_name) if has_id else (key_name, id_name)
            incomplete.append(_("{present} is set, but {absent} is not", present=present, absent=absent))
    credentials = _read_sdk_profile(home / _SDK_PROFILE)
    if credentials and not incomplete:  # half a key in .env means that account, not the one of the profile
        return credentials
    id_name, key_name, *_token = KEY_VARIABLES[-1]  # the spelling of .env.example and the documentation
    error = OperatorError if incomplete else CredentialsNotFound
    raise error(
        _(
            "{problem}: set {id_name} and {key_name} in {file} or in the environment, or write them as secret_id and "
            "secret_key under [default] in {profile}",
            problem=_("; ").join(incomplete) or _("There is no key of a Tencent Cloud account"),
            id_name=id_name,
            key_name=key_name,
            file=env_file,
            profile=home / _SDK_PROFILE,
        )
    )


def _read_sdk_profile(file: Path) -> Credentials | None:
    profile = configparser.ConfigParser(interpolation=None)
    try:
        profile.read_string(file.read_text("utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError, configparser.Error):  # the parser's own message quotes the line
        raise OperatorError(
            _(
                "{file} cannot be read: it must be a text file with [default] and below it secret_id = ..., "
                "secret_key = ...",
                file=file,
            )
        ) from None
    section = profile["default"] if profile.has_section("default") else {}
    # The parser strips each line; a value that continues on the next one keeps its line break.
    secret_id, secret_key, token = (section.get(name, "") for name in _PROFILE_NAMES)
    if not (secret_id and secret_key):
        return None
    for name, value in zip(_PROFILE_NAMES, (secret_id, secret_key, token), strict=True):
        _check_credential(name, value, file)
    return _create_credentials(secret_id, secret_key, token)


def _create_credentials(secret_id: str, secret_key: str, token: str) -> Credentials:
    """Build the key, whose parts are hidden from now on."""
    SECRETS.add_id(secret_id)
    SECRETS.add(secret_key)
    SECRETS.add(token)
    return Credentials(secret_id, secret_key, token)


def _check_credential(name: str, value: str, file: Path) -> None:
    """Raise OperatorError if a value holds what no key or token has; the message describes it without quoting.

    A line break at the end is the usual mistake with a pasted value. It is not stripped silently: other programs that
    read the same variable would fail.
    """
    for problem, pattern in _CREDENTIAL_PROBLEMS:
        if pattern.search(value):
            values = {"name": name, "problem": _(problem), "file": file}
            if pattern.search(value.rstrip()):
                raise OperatorError(
                    _(
                        "{name} has {problem} inside, which no key or token has (in {file} or in the environment): "
                        "remove it and copy the value again",
                        **values,
                    )
                )
            raise OperatorError(
                _(
                    "{name} has {problem} at its end, which no key or token has (in {file} or in the environment): "
                    "remove it and copy the value again",
                    **values,
                )
            )


def generate_token(random: Random) -> str:
    """Generate a callback token that needs no quoting in a URL. `random` is SystemRandom except in tests."""
    token = "".join(random.choice(_TOKEN_CHARACTERS) for _number in range(TOKEN_LENGTH))
    SECRETS.add(token)
    return token


def check_secrets_not_tracked(env_file: Path) -> str:
    """Return a warning when git tracks `env_file` and it holds a key or token; "" otherwise or when that is unknown."""
    with suppress(OperatorError):  # the command itself reports a file that cannot be read
        names = [name for name in SECRET_NAMES if name in _read_env_file(env_file)]
        if names and GitStatus.for_file(env_file.resolve()).is_tracked:
            return _(
                "git tracks {file}, which holds {names}: run `git rm --cached {file}`, add it to .gitignore, and "
                "replace the secrets: everybody with access to the repository can read them",
                file=env_file,
                names=_(", ").join(names),
            )
    return ""


def save_token(env_file: Path, token: str) -> None:
    """Write the token into `env_file` with mode 0600: on the line with an empty CALLBACK_TOKEN=, or at the end.

    Raises OperatorError when git tracks the file or would track it, because a repository is not a place for a secret;
    also when the file cannot be written, which leaves it unchanged.
    """
    _check_git_ignores(env_file.resolve())
    _save_value(env_file, TOKEN_NAME, token)


def save_since(env_file: Path, since: str) -> None:
    """Write SINCE into `env_file` like the token. Raises OperatorError when the file cannot be written."""
    _save_value(env_file, SINCE_NAME, since)


def _save_value(env_file: Path, name: str, value: str) -> None:
    env_file = env_file.resolve()
    lines = _read_text(env_file).splitlines()
    is_empty = re.compile(_EMPTY_VALUE.format(name=name)).match
    position = next((number for number, line in enumerate(lines) if is_empty(line)), len(lines))
    lines[position : position + 1] = [f"{name}={value}"]
    try:
        _replace_file(env_file, "\n".join(lines) + "\n")
    except OSError as error:
        raise OperatorError(
            _(
                "{name} could not be written to {file}, which is unchanged: {reason}. Free some disk space, or make "
                "the folder writable; or set {name} in the environment",
                name=name,
                file=env_file,
                reason=error.strerror,
            )
        ) from None


def _replace_file(env_file: Path, text: str) -> None:
    """Write a new file of mode 0600 and rename it, so that an interruption loses nothing."""
    handle, temporary = tempfile.mkstemp(dir=env_file.parent, prefix=".env.")  # .gitignore has .env.*
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).replace(env_file)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _read_env_file(env_file: Path) -> dict[str, str]:
    """Read the variables as they are written: a value never refers to another variable.

    dotenv_values() would only log a line that it cannot parse; here it is an error with the line's number.
    """
    values: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(_read_text(env_file))):
        if binding.error or (binding.key is not None and binding.value is None):
            text = binding.original.string  # includes the empty lines before it
            line = binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")
            raise OperatorError(
                _(
                    "{file}, line {line} cannot be read: write NAME=value, with quotes around a value that holds "
                    "spaces or #",
                    file=env_file,
                    line=line,
                )
            )
        if binding.key is not None:
            values[binding.key] = binding.value or ""
    SECRETS.add_variables(values)
    return _strip_empty(values)


def _strip_empty(variables: Mapping[str, str]) -> dict[str, str]:
    # The functions strip values too: a trigger must have the same text as the setting that they read. A credential is
    # kept as it is, so that the check sees its white space.
    return {
        name: value if name in _CREDENTIAL_NAMES else value.strip()
        for name, value in variables.items()
        if value.strip()
    }


def _read_text(env_file: Path) -> str:
    try:
        return env_file.read_text("utf-8-sig")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        raise OperatorError(_("{file} is not UTF-8: save it again as UTF-8", file=env_file)) from None
    except OSError as error:
        raise OperatorError(
            _(
                "{file} cannot be read: {reason}. Check that it is a file and that you may read it",
                file=env_file,
                reason=error.strerror,
            )
        ) from None


@dataclass(frozen=True, slots=True)
class GitStatus:
    """Whether a file can get into a repository. With an `error` both are False."""

    is_ignored: bool
    is_tracked: bool
    error: str = ""

    @classmethod
    def for_file(cls, file: Path) -> GitStatus:
        """Ask git about `file`, an absolute path that need not exist. Outside of a checkout it counts as ignored.

        git runs in the checkout's root: it does not search across file systems, and a folder inside the checkout can
        be a mount.
        """
        root = next((folder for folder in file.parents if (folder / ".git").exists()), None)
        if root is None:
            return cls(is_ignored=True, is_tracked=False)
        path = str(file.relative_to(root))
        ignored, error = _run_git(root, "check-ignore", "--quiet", "--", path)
        if ignored not in {_YES, _NO}:
            return cls(is_ignored=False, is_tracked=False, error=error)
        tracked, _error = _run_git(root, "ls-files", "--error-unmatch", "--", path)
        return cls(is_ignored=ignored == _YES, is_tracked=tracked == _YES)


def _run_git(root: Path, *arguments: str) -> tuple[int, str]:
    """Return the exit status and the first line of standard error."""
    command = ["git", *arguments]
    try:
        process = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    except OSError as error:
        return -1, f"git: {error.strerror}"
    first_line = process.stderr.strip().partition("\n")[0]
    return process.returncode, first_line or _("exit status {status}", status=process.returncode)


def _check_git_ignores(env_file: Path) -> None:
    status = GitStatus.for_file(env_file)
    if status.is_ignored:
        return
    if status.is_tracked:
        reason = _("git tracks it")
        fix = _("run `git rm --cached {file}` and add it to .gitignore", file=env_file)
    elif status.error:
        reason = _("git cannot say whether it ignores it ({error})", error=status.error)
        fix = _("fix that")
    else:
        reason, fix = _("git does not ignore it"), _("add {file} to .gitignore", file=env_file.name)
    raise OperatorError(
        _(
            "The callback token cannot be saved in {file}, because {reason}: {fix}, or set {name} yourself in the "
            "environment",
            file=env_file,
            reason=reason,
            fix=fix,
            name=TOKEN_NAME,
        )
    )
