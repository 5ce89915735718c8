"""The transcript of one recording as plain values. Times are whole milliseconds from the start of the recording."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from shared.options.parse import Choice


class RecordingRef(NamedTuple):
    """The recording that was transcribed; size in bytes, or None where it is unknown."""

    bucket: str
    region: str
    key: str
    etag: str
    size: int | None = None


class Word(NamedTuple):
    """One word as the engine split the text. Times count from the start of the recording, not of the sentence."""

    text: str
    start_ms: int
    end_ms: int


class Sentence(NamedTuple):
    """A piece of speech by one speaker. The text is one line, never empty, without control characters.

    Speaker and channel count from 1. Speaker is None unless a mono recording has several speakers; channel is None
    unless the recording has several channels. Words are empty where the engine returned none.
    """

    start_ms: int
    end_ms: int
    text: str
    speaker: int | None = None
    channel: int | None = None
    chars_per_second: float | None = None
    words: tuple[Word, ...] = ()

    @property
    def label(self) -> str | None:
        """What is shown for a speaker without a name: "Channel 2", "Speaker 1", or None where there is only one."""
        if self.channel is not None:
            return f"Channel {self.channel}"
        if self.speaker is not None:
            return f"Speaker {self.speaker}"
        return None


class Layout(NamedTuple):
    """How transcripts are laid out: the options of a recording that only its files show.

    `caption_width` in columns, where a Chinese character takes two; 0 is 42, and 32 where a line is mostly Chinese.
    `caption_lines` of a cue, `caption_seconds` of the longest one. `has_times`: in TXT, paragraphs begin with a time.
    """

    caption_width: int = 0
    caption_lines: int = 2
    caption_seconds: int = 7
    has_times: bool = False


DEFAULT_LAYOUT = Layout()


class Transcript(NamedTuple):
    """The sentences of a recording in order of start time. It depends on the job's result and the options only.

    `title` is "" without one. `speaker_names` has the name of speaker or channel 1 first, and may have too few or too
    many. `options` are those that a rule, the metadata or the sidecar chose, by name.
    """

    recording: RecordingRef
    engine: str
    job_id: str
    duration_ms: int | None
    channels: int
    sentences: tuple[Sentence, ...]
    title: str = ""
    speaker_names: tuple[str, ...] = ()
    options: Mapping[str, Choice] = MappingProxyType({})
    layout: Layout = DEFAULT_LAYOUT

    def get_label(self, sentence: Sentence) -> str | None:
        """Return what is shown for the speaker of a sentence: a name, the label without one, or None."""
        number = sentence.channel or sentence.speaker
        if number is None or number > len(self.speaker_names):
            return sentence.label
        return self.speaker_names[number - 1] or sentence.label
