"""Recognises one recording in steps: its channels, its segments of speech or its sidecar, for any engine."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from localcloud.speech.audio import (
    PcmStream,
    SpeechSegment,
    count_channels,
    iter_pcm,
    iter_speech_segments,
    read_duration_ms,
)
from localcloud.speech.models import Progress, Recognition, RecognitionError, Sentence
from localcloud.speech.sidecar import parse_sidecar

_STEREO = 2


class Step(NamedTuple):
    """The sentences of a part of one channel, and where that part ends in the recording (ms)."""

    sentences: tuple[Sentence, ...]
    end_ms: int


class Engine(Protocol):
    """A loaded speech model. It works on several recordings in turn, a step of one, then a step of another."""

    def recognise(self, segments: Iterator[SpeechSegment], engine: str, channel: int) -> Iterator[Step]:
        """Recognise the speech of one channel; each step takes seconds, not minutes.

        `engine` is the job's EngineModelType, which says the language. Raises RecognitionError.
        """


@dataclass(frozen=True, slots=True)
class RecognitionRequest:
    """What to recognise; see `Recogniser.recognise`."""

    recording: Path
    engine: str
    channels: int
    sidecar: Path | None


def recognise_in_steps(engine: Engine, request: RecognitionRequest) -> Generator[Progress, None, Recognition]:
    """Recognise a recording; yields after each step how much is done, and returns the result.

    Between two steps the recording is open and a few seconds of it are in memory, whatever its length. Raises
    RecognitionError if it is not audio, or mono where two channels are required.
    """
    channels = request.channels
    if count_channels(request.recording) < channels:
        raise RecognitionError(f"ChannelNum is {channels}, but the recording has one channel only")
    known_ms = read_duration_ms(request.recording)
    duration_ms = 0
    sentences: list[Sentence] = []
    for channel in range(channels):
        stream = PcmStream(iter_pcm(request.recording, channel=channel if channels == _STEREO else None))
        for step in _iter_steps(engine, request, stream, channel):
            sentences += step.sentences
            # Both channels are as long as the recording: after the first of two, half of the work is done.
            done_ms = (channel * duration_ms + step.end_ms) // channels
            yield Progress(done_ms, known_ms)
        duration_ms = max(duration_ms, stream.duration_ms)
    if not duration_ms:
        raise RecognitionError("the recording holds no sound at all")
    sentences.sort(key=lambda sentence: (sentence.start_ms, sentence.channel))
    return Recognition(duration_ms, channels, tuple(sentences))


def _iter_steps(
    engine: Engine, request: RecognitionRequest, stream: PcmStream, channel: int
) -> Iterator[Step]:
    segments = iter_speech_segments(stream)
    if request.sidecar is None:
        yield from engine.recognise(segments, request.engine, channel)
        return
    spans = [(segment.start_ms, segment.end_ms) for segment in segments]
    sentences = parse_sidecar(request.sidecar, spans or [(0, stream.duration_ms)], channel, request.channels)
    yield Step(tuple(sentences), stream.duration_ms)
