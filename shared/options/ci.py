"""Options as the members of a speech job, exactly as CI gets them.

Sources: "Create speech recognition template" (1045/73387, 460/84498) and "Submit a task" (1045/73385); cos-java-sdk-v5
`ciModel/job/v2/SpeechRecognition` for ResTextFormat 3 and SentenceMaxLength. The documents disagree about the defaults
of ChannelNum, ResTextFormat and ConvertNumMode, so these are always sent; any other member only if it is not CI's
default.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from shared.options.model import RecordingOptions

WORDS: Mapping[str, str] = MappingProxyType({"none": "0", "words": "1", "punctuation": "2", "subtitles": "3"})
PUNCTUATION: Mapping[str, str] = MappingProxyType({"keep": "0", "no-final": "1", "none": "2"})
FILLERS: Mapping[str, str] = MappingProxyType({"keep": "0", "some": "1", "none": "2"})
DIRTY_WORDS: Mapping[str, str] = MappingProxyType({"keep": "0", "drop": "1", "mask": "2"})
NUMBERS: Mapping[str, str] = MappingProxyType({"chinese": "0", "arabic": "1", "math": "3"})

# `Format` of flash recognition, by the extension of the key.
FLASH_FORMATS: Mapping[str, str] = MappingProxyType(
    {
        **{name: name for name in ("wav", "pcm", "speex", "silk", "mp3", "m4a", "aac")},
        **dict.fromkeys(("ogg", "opus", "oga"), "ogg-opus"),
        "spx": "speex",
    }
)


class JobMembers(NamedTuple):
    """What the options make of a job: the members of SpeechRecognition, or a template; and JobLevel.

    CI ignores SpeechRecognition beside TemplateId, so only one of the two is there.
    """

    speech: Mapping[str, str]
    template_id: str = ""
    job_level: int = 0


def get_flash_format(key: str) -> str:
    """Return `Format` for flash recognition of this recording; "" if its extension says none."""
    stem, _, extension = key.rpartition("/")[2].rpartition(".")
    return FLASH_FORMATS.get(extension.lower(), "") if stem else ""


def build_job_members(options: RecordingOptions, key: str) -> JobMembers:
    """Build the members of the job for options that `check_options` does not refuse."""
    if options.template:
        return JobMembers(MappingProxyType({}), options.template, options.priority)
    speech = {"EngineModelType": options.engine}
    if not options.flash:
        speech |= {"ChannelNum": str(options.channels), "ResTextFormat": WORDS[options.words]}
    speech["ConvertNumMode"] = NUMBERS[options.numbers]
    if options.speakers:
        speech["SpeakerDiarization"] = "1"
        if not options.flash:  # flash recognition always counts the speakers itself
            speech["SpeakerNumber"] = "0" if options.speakers == "auto" else options.speakers
    further = {
        "FilterPunc": PUNCTUATION[options.punctuation],
        "FilterModal": FILLERS[options.fillers],
        "FilterDirty": DIRTY_WORDS[options.dirty_words],
        "SentenceMaxLength": str(options.line_length),
    }
    speech |= {name: value for name, value in further.items() if value != "0"}
    if options.flash:
        speech |= {"FlashAsr": "true", "Format": get_flash_format(key), "WordInfo": WORDS[options.words]}
    return JobMembers(MappingProxyType(speech), "", options.priority)
