"""The lock of a deployment: of two `scribe deploy` at the same time, one stops and names the other one.

    FolderLock   beside .env, for two processes on one machine; the kernel releases it when the process ends
    StateLock    objects below STATE_PREFIX, for two machines

COS can create an object only if there is none, but not in a bucket that ever had versioning, and an expired lock could
not be replaced safely. So each deployment writes an object of its own name, and then lists all of them, as claims do in
`shared/recordings/receipt_store.py`: of two that each write before they list, at least one sees the other. It goes on
only after a listing without another live lock. The one with the lower name waits a moment for the other to give up.

The age of a lock is the difference between two times of COS, so a wrong clock of a machine does no harm. A deployment
renews its lock; that of a killed one expires.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import re
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from cli.cloud.hints import error_hints
from cli.config import Commands
from cli.deploy.clients import Clients
from cli.deploy.state import BucketRef
from cli.deploy.steps import Step
from cli.errors import OperatorError
from cli.language import N_, _
from cli.manifest.models import CALLBACK, Manifest
from cli.policy.permissions import LOCK_FOLDER
from shared.errors import CloudError, NotFound, RequestRejected
from shared.recordings.receipt_store import CONTENT_TYPE, STATE_METADATA
from shared.settings import Settings
from shared.tencent.clock import parse_timestamp
from shared.tencent.cos import CosClient

LOCK_LIFETIME_S = 15 * 60
RENEWAL_INTERVAL_S = 4 * 60.0  # three renewals may fail
MAX_LOOKS, LOOK_PAUSE_S = 6, 0.5
MAX_LOCK_BYTES = 4096

_UNKNOWN_USER = N_("an unknown user")
# A holder's name in a lock, in English whatever the language of its command.
_PROCESS = re.compile(r"(?P<user>.+) on (?P<machine>\S+) \(process (?P<process>\d+)\)")  # not translated


class DeploymentLocked(OperatorError):
    """Another deployment is running. Nothing was changed, and no token was saved."""


class Holder(NamedTuple):
    """Who deploys, in English words, and since when (Unix seconds)."""

    name: str
    since_s: float

    def as_json(self) -> bytes:
        """The content of a lock."""
        return json.dumps({"holder": self.name, "since_s": self.since_s}, ensure_ascii=False).encode()

    @classmethod
    def parse(cls, body: bytes) -> Holder:
        """Parse the content of a lock, which another version or person may have written."""
        try:
            document: Any = json.loads(body)
            return cls(str(document["holder"])[:200], float(document["since_s"]))
        except (ValueError, KeyError, TypeError):
            return cls(_UNKNOWN_USER, 0.0)

    def __str__(self) -> str:
        name = self._translate_name()
        return _("{name} since {time}", name=name, time=_format_time(self.since_s)) if self.since_s else name

    def _translate_name(self) -> str:
        parts = _PROCESS.fullmatch(self.name)
        if not parts:
            return _(_UNKNOWN_USER) if self.name == _UNKNOWN_USER else self.name
        user = _(_UNKNOWN_USER) if parts["user"] == _UNKNOWN_USER else parts["user"]
        return _(
            "{user} on {machine} (process {process})",
            user=user,
            machine=parts["machine"],
            process=parts["process"],
        )


def describe_process(now_s: float) -> Holder:
    """Name the user, the machine and this process."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = _UNKNOWN_USER
    return Holder(f"{user} on {socket.gethostname()} (process {os.getpid()})", now_s)  # not translated


def _format_time(time_s: float) -> str:
    try:
        return datetime.fromtimestamp(time_s, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return _("an unknown time")


@contextmanager
def lock_folder(env_file: Path, holder: Holder, commands: Commands) -> Iterator[None]:
    """Hold the lock of this .env on this machine. Raises DeploymentLocked.

    A folder that cannot be written, such as a mounted one, has none: the lock in the bucket is there too.
    """
    # git ignores .env.*
    file = env_file.parent / (
        f"{env_file.name}.lock" if env_file.name.startswith(".env") else f".env.{env_file.name}.lock"
    )
    try:
        handle = _open_locked(file)
    except BlockingIOError:
        with suppress(OSError):
            holder = Holder.parse(file.read_bytes()[:MAX_LOCK_BYTES])
        raise DeploymentLocked(
            _(
                "nothing was changed: another deployment with {env_file} is running on this machine: {holder}. Wait "
                "until it ends, or stop that process; then run `{command}` again",
                env_file=env_file,
                holder=holder,
                command=commands.deploy,
            )
        ) from None
    except OSError:
        yield
        return
    try:
        os.ftruncate(handle, 0)
        os.write(handle, holder.as_json())
        yield
    finally:
        with suppress(OSError):
            file.unlink()
        os.close(handle)


def _open_locked(file: Path) -> int:
    """Open and lock the file; raises BlockingIOError if another process holds it.

    A holder deletes the file before it releases it, so the opened file may not be the one in the folder any more.
    """
    while True:
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), file.stat()):
                    return handle
        except OSError:
            os.close(handle)
            raise
        os.close(handle)


@dataclass(frozen=True, slots=True)
class LockPlace:
    """Where the locks of a deployment are: the bucket, and the prefix of their keys."""

    bucket: BucketRef
    prefix: str

    @classmethod
    def for_deployment(
        cls, manifest: Manifest, settings: Settings, buckets: tuple[BucketRef, ...]
    ) -> LockPlace:
        """The place by the name of a function, which differs between deployments that share a bucket.

        `buckets` are those of the receipts; the order of INPUT_BUCKETS makes no difference.
        """
        spec = manifest.functions[CALLBACK]
        name = f"{manifest.region}.{spec.namespace}.{spec.name}"
        return cls(min(buckets), f"{settings.state_prefix}{LOCK_FOLDER}{name}/")


class StateLock:
    """The lock in the bucket of the receipts. `name` is that of its object, which differs between deployments."""

    def __init__(
        self, cos: CosClient, place: LockPlace, holder: Holder, commands: Commands, name: str = ""
    ) -> None:
        self._cos, self._place, self._holder, self._commands = cos, place, holder, commands
        self._key = place.prefix + (name or secrets.token_hex(8))
        self._is_held = False
        self._is_ending = threading.Event()
        self._renewing = threading.Lock()
        self._is_written = False
        self._error: RequestRejected | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Acquire the lock, unless the bucket does not exist or cannot be written; release it in the end.

        For a bucket that is not there or not as expected the preflight checks have the better message: see `require`.
        Raises DeploymentLocked, DeployError.
        """
        try:
            with error_hints(self._commands):
                self._acquire_if_possible()
            yield
        finally:
            self.release()

    @property
    def is_held(self) -> bool:
        """Whether no other deployment can go on."""
        return self._is_held

    def require(self) -> None:
        """Raise the error that prevented writing the lock. Raises RequestRejected."""
        if self._error:
            raise self._error

    def acquire_after(self, step: Step) -> Step:
        """The step that creates the bucket, with the lock in it."""

        def apply(clients: Clients) -> None:
            step.apply(clients)
            if not self.is_held:
                self._acquire()

        return replace(step, apply=apply)

    def creates_bucket(self, step: Step) -> bool:
        """Whether a step creates the bucket of the lock."""
        return step.new_bucket == self._place.bucket.name

    def release(self) -> None:
        """Stop renewing the lock and delete it. One that cannot be deleted is marked, or expires."""
        self._is_ending.set()
        with self._renewing:  # waits for a renewal that is being written; there is none after it
            self._is_held = False
        if self._is_written:
            self._is_written = False
            self._delete()

    def _acquire_if_possible(self) -> None:
        try:
            self._acquire()
        except NotFound:
            self._is_written = False
        except RequestRejected as error:
            self._is_written, self._error = False, error

    def _acquire(self) -> None:
        self._is_written = True  # also after an interruption of the request
        self._write(self._holder.as_json())
        try:
            self._wait_for_others()
        except BaseException:
            self.release()
            raise
        threading.Thread(target=self._renew, daemon=True).start()
        self._is_held = True

    def _wait_for_others(self) -> None:
        """Return after a listing without another live lock. Raises DeploymentLocked."""
        bucket = self._place.bucket.name
        for look in range(MAX_LOOKS):
            times = {}
            for item in self._cos.iter_objects(bucket, prefix=self._place.prefix):
                times[item.key] = (
                    parse_timestamp(item.modified) if item.size else 0.0
                )  # an empty one is released
            now_s = times.get(self._key, 0.0)
            live = [
                key for key, time_s in times.items() if key != self._key and now_s - time_s < LOCK_LIFETIME_S
            ]
            for key in times.keys() - {self._key, *live}:
                with suppress(CloudError):
                    self._cos.delete(bucket, key)
            if not live and self._key in times:
                return
            if look + 1 == MAX_LOOKS or (live and min(live) < self._key):
                other = min(live, default=self._key)
                raise self._describe(other, times.get(other, 0.0))
            self._cos.client.sleep(LOOK_PAUSE_S)

    def _describe(self, key: str, written_s: float) -> DeploymentLocked:
        bucket = self._place.bucket.name
        holder = Holder(_UNKNOWN_USER, 0.0)
        with suppress(CloudError):
            holder = Holder.parse(self._cos.get(bucket, key).body[:MAX_LOCK_BYTES])
        return DeploymentLocked(
            _(
                "nothing was changed: another deployment to the same functions is running: {holder}. Wait until it "
                "ends, then run `{command}` again. If it was killed, its lock expires at {time}; if you are sure of "
                "that, you can delete {object}",
                holder=holder,
                command=self._commands.deploy,
                time=_format_time(written_s + LOCK_LIFETIME_S),
                object=f"{bucket}/{key}",
            )
        )

    def _write(self, body: bytes) -> None:
        self._cos.put(
            self._place.bucket.name, self._key, body, content_type=CONTENT_TYPE, metadata=STATE_METADATA
        )

    def _renew(self) -> None:
        while not self._is_ending.wait(RENEWAL_INTERVAL_S):
            with self._renewing, suppress(CloudError):
                if not self._is_ending.is_set():
                    self._write(self._holder.as_json())

    def _delete(self) -> None:
        """Delete the lock. The error that ends the deployment is the one to report, not one from here."""
        try:
            self._cos.delete(self._place.bucket.name, self._key)
        except RequestRejected:  # a key with the policy of an older version may write, but not delete
            with suppress(CloudError):
                self._write(b"")
        except Exception:  # noqa: BLE001 - the interrupted request may have left its connection in any state
            with suppress(Exception):
                self._cos.delete(self._place.bucket.name, self._key)
