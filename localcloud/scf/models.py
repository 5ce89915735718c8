"""Deployed functions: their records, the store that keeps them over restarts, and their uploaded code."""

from __future__ import annotations

import base64
import binascii
import calendar
import hashlib
import io
import json
import os
import secrets
import shutil
import stat
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from localcloud.api3.models import ApiError
from localcloud.runtime.models import Function
from localcloud.runtime.runner import RetryConfig
from localcloud.store import Store

NAMESPACE = "default"  # the only one here; 583/11637 allows five, each made by CreateNamespace

# Values of Status, intl 583/37883. The documents' Deleting and Publishing take no time here.
CREATING, CREATE_FAILED, ACTIVE = "Creating", "CreateFailed", "Active"
UPDATING, UPDATE_FAILED = "Updating", "UpdateFailed"
# Shown as Active, but already busy: public deploy tools see Updating only a moment after a write.
UPDATE_PENDING = "UpdatePending"

_SCHEMA = "CREATE TABLE IF NOT EXISTS scf_functions (name TEXT PRIMARY KEY, record TEXT NOT NULL)"
_MAX_ZIP_BYTES = 50 * 1024 * 1024  # 583/11637
_MAX_UNPACKED_BYTES = 500 * 1024 * 1024  # 583/11637
_BAD_ZIP = "InvalidParameterValue.ZipFile"


@dataclass(frozen=True, slots=True)
class FunctionSettings:
    """What CreateFunction and UpdateFunctionConfiguration set. Without a role `role` is empty."""

    handler: str
    runtime: str
    description: str = ""
    memory_mib: int = 128
    timeout_s: int = 3
    init_timeout_s: int = 65
    public_network: bool = True
    role: str = ""
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class CodePackage:
    """One uploaded zip: the name of its folder, and the hash and the size of the zip."""

    folder: str
    sha256: str
    zip_bytes: int


@dataclass(frozen=True, slots=True)
class TriggerRecord:
    """One trigger. `desc` is the validated TriggerDesc, `url_id` the id in the URL of an http trigger.

    `url_visible_s` is the Unix time from which that URL is shown.
    """

    type: str
    name: str
    desc: str
    qualifier: str
    enabled: bool
    argument: str
    description: str
    url_id: str
    added_s: float
    modified_s: float
    url_visible_s: float = 0.0


@dataclass(frozen=True, slots=True)
class FunctionRecord:
    """One function with everything that belongs to it."""

    name: str
    namespace: str
    function_id: str
    settings: FunctionSettings
    code: CodePackage
    tags: Mapping[str, str]
    added_s: float
    modified_s: float
    status: str = CREATING
    reason: str = ""
    reason_code: str = ""
    triggers: tuple[TriggerRecord, ...] = ()
    retry_config: RetryConfig = field(default_factory=RetryConfig)

    @property
    def is_deploying(self) -> bool:
        """Whether it is being created or updated; most actions are rejected in that time."""
        return self.status in (CREATING, UPDATE_PENDING, UPDATING)

    @property
    def shown_status(self) -> str:
        """Its Status in responses."""
        return ACTIVE if self.status == UPDATE_PENDING else self.status

    @property
    def module(self) -> str:
        """The file of the handler."""
        return self.settings.handler.partition(".")[0] + ".py"

    def to_runtime(self, code_folder: Path) -> Function:
        """Convert it to a function that runs from the folder of its unpacked zip."""
        settings = self.settings
        return Function(
            key=self.name,
            name=self.name,
            handler=settings.handler,
            folder=code_folder,
            module_file=code_folder / self.module,
            runtime=settings.runtime,
            namespace=self.namespace,
            memory_mib=settings.memory_mib,
            timeout_s=settings.timeout_s,
            init_timeout_s=settings.init_timeout_s,
            variables=settings.variables,
            role=settings.role or None,
        )

    def to_json(self) -> str:
        """Serialize it for the data folder."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> FunctionRecord:
        """Parse the result of `to_json`."""
        fields: dict[str, Any] = json.loads(text)
        fields["settings"] = FunctionSettings(**fields["settings"])
        fields["code"] = CodePackage(**fields["code"])
        fields["triggers"] = tuple(TriggerRecord(**trigger) for trigger in fields["triggers"])
        fields["retry_config"] = RetryConfig(**fields["retry_config"])
        return cls(**fields)


class FunctionStore:
    """Every deployed function, in memory and in the database of the data folder."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.create(_SCHEMA)
        rows = store.db.execute("SELECT record FROM scf_functions ORDER BY name").fetchall()
        self._records = {record.name: record for record in (FunctionRecord.from_json(row[0]) for row in rows)}

    def all(self) -> list[FunctionRecord]:
        """Return every function, by name."""
        return sorted(self._records.values(), key=lambda record: record.name)

    def get(self, name: str) -> FunctionRecord | None:
        """Return the function of that name."""
        return self._records.get(name)

    def require(self, name: str) -> FunctionRecord:
        """Return the function of that name. Raises ApiError."""
        if name not in self._records:
            raise ApiError("ResourceNotFound.Function", f"There is no function {name} in {NAMESPACE}.")
        return self._records[name]

    def put(self, record: FunctionRecord) -> None:
        """Save a function, or replace the one of its name."""
        self._records[record.name] = record
        self._store.db.execute(
            "INSERT OR REPLACE INTO scf_functions VALUES (?, ?)", (record.name, record.to_json())
        )

    def remove(self, name: str) -> None:
        """Remove a function."""
        del self._records[name]
        self._store.db.execute("DELETE FROM scf_functions WHERE name = ?", (name,))


class CodeStore:
    """One folder for each uploaded zip, with the zip beside it; kept until the next start: old code may still run."""

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True)

    def prune(self, packages: Collection[CodePackage]) -> None:
        """Delete everything except these packages."""
        kept = {package.folder for package in packages}
        for path in self._root.iterdir():
            if path.name.removesuffix(".zip") not in kept:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def folder(self, package: CodePackage) -> Path:
        """Return the folder of the unpacked zip."""
        return self._root / package.folder

    def zip_file(self, package: CodePackage) -> Path:
        """Return the zip as it was uploaded."""
        return self._root / f"{package.folder}.zip"

    def unpack(self, zip_base64: str) -> CodePackage:
        """Save and unpack a zip, which is base64 text. Too slow for the event loop. Raises ApiError."""
        if len(zip_base64) > -(-_MAX_ZIP_BYTES // 3) * 4:
            raise ApiError("InvalidParameter.RequestTooLarge", f"The zip has over {_MAX_ZIP_BYTES} bytes.")
        try:
            content = base64.b64decode(zip_base64, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ApiError(
                "InvalidParameterValue.ZipFileBase64BinasciiError", f"ZipFile is not base64: {error}."
            ) from None
        package = CodePackage(secrets.token_hex(8), hashlib.sha256(content).hexdigest(), len(content))
        folder = self.folder(package)
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                _check_entries(archive.infolist())
                folder.mkdir()
                for entry in archive.infolist():
                    _unpack_entry(archive, entry, folder)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise ApiError(_BAD_ZIP, f"The zip cannot be unpacked: {error}.") from None
        self.zip_file(package).write_bytes(content)
        return package


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    size = sum(entry.file_size for entry in entries)
    if size > _MAX_UNPACKED_BYTES:
        raise ApiError(_BAD_ZIP, f"The unpacked code has {size} bytes, more than {_MAX_UNPACKED_BYTES}.")
    for entry in entries:
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts:
            raise ApiError(_BAD_ZIP, f"The zip holds {entry.filename!r}, which is outside of its folder.")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise ApiError(_BAD_ZIP, f"The zip holds {entry.filename!r}, a link; links cannot be used here.")


def _unpack_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path) -> None:
    # Keep the times of the zip, as unzip does: Python compares the time of a module with that of its bytecode.
    modified_s = calendar.timegm((*entry.date_time, 0, 0, 0))
    os.utime(archive.extract(entry, folder), (modified_s, modified_s))
