"""What a recording is, and its identity: bucket, key and ETag.

The same content under the same name is the same recording, however often an event tells of it; new content is new
work.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

LONGEST_SORTING_BYTES = 180  # of the key, in the readable part of an id
DIGEST_LENGTH = 32

# Bytes that stand for themselves in an id. The escapes of all others begin with a character that sorts where the
# byte itself would, so ids sort exactly as the keys do in a COS listing: recordings and receipts can be merged.
_ESCAPES = ((b"0", "-"), (b"A", "="), (b"a", "_"))
_ID = re.compile(r"[a-z0-9-]{3,64}/[0-9A-Za-z=_~-]{1,600}![0-9a-f]{32}")


class Recording(NamedTuple):
    """An uploaded object as it is now. `size` in bytes, `etag` without quotes."""

    bucket: str
    key: str
    etag: str
    size: int

    @property
    def id(self) -> str:
        """The receipt's id: `<bucket>/<sortable form of the key>!<digest>`, printable ASCII, under 700 characters."""
        whole = f"{self.bucket}\n{self.key}\n{self.etag}".encode("utf-8", "surrogatepass")
        return f"{self.bucket}/{sortable(self.key)}!{hashlib.sha256(whole).hexdigest()[:DIGEST_LENGTH]}"


def sortable(key: str) -> str:
    """The head of a key in printable ASCII, in an order that agrees with the UTF-8 byte order of keys."""
    head = key.encode("utf-8", "surrogatepass")[:LONGEST_SORTING_BYTES]
    return "".join(map(_escape, head))


def _escape(byte: int) -> str:
    one = bytes((byte,))
    if one.isalnum():
        return one.decode()
    lead = next((lead for bound, lead in _ESCAPES if one < bound), "~")
    return f"{lead}{byte:02X}"


def is_id(text: str) -> bool:
    """Whether a text, such as a job's UserData, can be a receipt's id."""
    return bool(_ID.fullmatch(text))
