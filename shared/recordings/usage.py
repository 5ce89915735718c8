"""How long a recording is likely to be, before anything has heard it: by its size and the extension of its name.

COS knows the size of an object, not its length. The bit rates below are those with which voice recorders, telephones
and meeting programs write speech; where a format is used with many, the lower ones: a recording is then rather taken
for too long than for too short, and a budget is passed by less. The speech service says the real length with the
result.
"""

from __future__ import annotations

import math
from types import MappingProxyType

MAX_SECONDS = 5 * 3600  # the speech service takes no longer recording
DEFAULT_KBIT_PER_S = 128  # also of a name without an extension: an hour is 58 MB
_USUAL_KBIT_PER_S = {
    # 8,000 samples of 16 bits in a second is a telephone call, 16,000 a recorder, 44,100 in stereo a studio.
    256: ("wav", "pcm"),
    # Lossless: about half of the 705 kbit/s of 44,100 samples in mono.
    350: ("flac",),
    128: ("mp3",),
    # The voice memos of telephones, and what browsers and chat programs record.
    64: ("m4a", "aac", "wma", "ogg", "oga"),
    32: ("opus", "speex", "spx", "silk"),
    # The highest mode of AMR has 12.2 kbit/s, that of AMR-WB 23.85.
    12: ("amr",),
    # Meetings and lessons: a screen that changes little. A film has ten times as much.
    500: ("mp4", "m4v", "mov", "mkv", "webm", "flv", "f4v", "wmv", "asf"),
    200: ("3gp",),
    1500: ("avi", "mpeg", "mpg"),
    10_000: ("mxf",),
}
KBIT_PER_S = MappingProxyType(
    {extension: rate for rate, extensions in _USUAL_KBIT_PER_S.items() for extension in extensions}
)


def estimate_seconds(key: str, size: int) -> int:
    """Estimate the length of a recording in whole seconds, from 1 to MAX_SECONDS. `size` in bytes."""
    name = key.rpartition("/")[2]
    extension = name.rpartition(".")[2].lower() if "." in name else ""
    kbit_per_s = KBIT_PER_S.get(extension, DEFAULT_KBIT_PER_S)
    return min(max(math.ceil(size * 8 / (kbit_per_s * 1000)), 1), MAX_SECONDS)
