"""What Tencent's documents say about each engine of CI's speech recognition. An engine that is not here may exist.

Sources: "Create speech recognition template" (1045/50303, 1045/73387, 460/84498), the same names in cos-java-sdk-v5
`ciModel/job/v2/SpeechRecognition` and the demo of cos-nodejs-sdk-v5.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Engine(NamedTuple):
    """What one engine takes.

    `has_filters`: FilterDirty, FilterModal, FilterPunc and SentenceMaxLength, which are for Mandarin. `has_speakers`:
    SpeakerDiarization of a mono recording. `has_two_channels`: None is an engine for telephone calls which the
    documents do not name for two channels.
    """

    has_filters: bool
    has_speakers: bool = False
    has_two_channels: bool | None = False
    has_flash: bool = False
    is_flash_only: bool = False


_MANDARIN, _OTHER = Engine(has_filters=True), Engine(has_filters=False)

ENGINES: Mapping[str, Engine] = MappingProxyType(
    {
        "8k_zh": Engine(has_filters=True, has_speakers=True, has_two_channels=True, has_flash=True),
        "8k_zh_s": _MANDARIN,  # separates the speakers of a mono recording by itself
        # CI's documents: two channels "only 8k_zh". Those of the speech product behind CI: any telephone engine.
        "8k_en": Engine(has_filters=False, has_two_channels=None),
        "16k_zh": Engine(has_filters=True, has_speakers=True, has_flash=True),
        "16k_zh_video": Engine(has_filters=True, has_speakers=True, has_flash=True),
        "16k_zh_edu": _MANDARIN,
        "16k_zh_medical": _MANDARIN,
        "16k_zh_dialect": Engine(has_filters=True, has_flash=True),
        "16k_en": Engine(has_filters=False, has_flash=True),
        "16k_en_edu": _OTHER,
        "16k_ca": _OTHER,
        "16k_ja": _OTHER,
        "16k_th": _OTHER,
        # In the newer lists, among the engines of flash recognition only.
        "16k_ms": Engine(has_filters=False, has_flash=True, is_flash_only=True),
        "16k_zh-PY": Engine(has_filters=True, has_flash=True, is_flash_only=True),
    }
)
SEPARATING_ENGINE = "8k_zh_s"


def list_engines(member: str) -> tuple[str, ...]:
    """List the engines for which a member of `Engine` is true, in the order of the table."""
    return tuple(name for name, engine in ENGINES.items() if getattr(engine, member))
