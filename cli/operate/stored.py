"""Which recordings are named on the command line, and the kinds of objects that Scribe stores of them."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from cli.errors import OperatorError
from cli.language import N_, _
from shared.recordings.receipt import MAX_SORTABLE_BYTES, sortable_key


class Kind(Enum):
    """What an object is. The values are names in JSON; on the screen they are translated."""

    RECORDING = N_("recording")
    SIDECAR = N_("sidecar")
    TRANSCRIPT = N_("transcript")
    ERROR = N_("error object")
    LINK = N_("page of a link")
    NOTICE = N_("notice")
    RAW = N_("raw result")
    INDEX = N_("entry of the index")
    CURSOR = N_("position of a sweep")
    MARK = N_("mark of an earlier forget")
    PAGE = N_("page on this machine")
    OPEN = N_("open receipt")
    WAITING = N_("waiting receipt")
    CLAIM = N_("claim")
    DONE = N_("closed receipt")

    @property
    def is_receipt(self) -> bool:
        """Check whether it is a receipt, which is deleted last."""
        return self in {Kind.OPEN, Kind.WAITING, Kind.DONE}


class StoredObject(NamedTuple):
    """An object to delete. `bucket` is "" for a file on this machine."""

    bucket: str
    key: str
    kind: Kind


class Selector(NamedTuple):
    """A key, or a prefix that ends with a slash and stands for everything below it."""

    text: str
    is_prefix: bool

    @classmethod
    def parse(cls, argument: str) -> Selector:
        """Parse an argument. Raises OperatorError for what cannot be a key."""
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise OperatorError(_("a KEY is not UTF-8, as every key is")) from None
        if not argument:
            raise OperatorError(
                _("a KEY is empty: name a recording, such as calls/a.mp3, or a folder, such as calls/")
            )
        return cls(argument, argument.endswith("/"))

    def matches(self, key: str) -> bool:
        """Check whether a key is meant."""
        return key.startswith(self.text) if self.is_prefix else key == self.text

    @property
    def id_prefix(self) -> str:
        """What the ids of its receipts begin with, after the bucket. Others may begin alike where a key is long."""
        is_whole = not self.is_prefix and len(self.text.encode()) < MAX_SORTABLE_BYTES
        return sortable_key(self.text) + ("!" if is_whole else "")
