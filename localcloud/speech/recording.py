"""Recognises one recording in steps: its channels, its segments of speech or its sidecar, for any engine."""

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from localcloud.speech.audio import (
    SAMPLE_RATE,
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


@dataclass(frozen=True, slots=True)
class Piece:
    """Speech that is recognised at once: segments and the pauses between them. `spans` are their times (ms)."""

    spans: tuple[tuple[int, int], ...]
    pcm: bytes

    @property
    def start_ms(self) -> int:
        """The start of the first segment."""
        return self.spans[0][0]

    @property
    def end_ms(self) -> int:
        """The end of the last segment."""
        return self.spans[-1][1]

    def cut(self, start_ms: int, end_ms: int) -> "Piece":
        """Return the speech between two times of the recording, as a segment of its own."""
        first, last = ((time_ms - self.start_ms) * SAMPLE_RATE // 1000 * 2 for time_ms in (start_ms, end_ms))
        return Piece(((start_ms, end_ms),), self.pcm[first:last])


class Session(Protocol):
    """The work of an engine on one recording."""

    def recognise(self, piece: Piece, channel: int) -> Iterable[Sentence]:
        """Recognise a piece; takes seconds, not minutes."""


class Engine(Protocol):
    """A loaded speech model. It works on several recordings in turn, a piece of one, then a piece of another."""

    max_piece_ms: int
    """The longest piece of several segments."""

    max_pause_ms: int
    """The longest pause inside a piece; 0 if each segment is recognised alone."""

    def open(self, engine: str) -> Session:
        """Begin a recording. `engine` is the job's EngineModelType, which says the language.

        Raises RecognitionError.
        """


@dataclass(frozen=True, slots=True)
class RecognitionRequest:
    """What to recognise; see `Recogniser.recognise`."""

    recording: Path
    engine: str
    channels: int
    sidecar: Path | None


def recognise_in_steps(engine: Engine, request: RecognitionRequest) -> Generator[Progress, None, Recognition]:
    """Recognise a recording; yields before each piece how much is done, and returns the result.

    Between two steps the recording is open and a few seconds of it are in memory, whatever its length. Raises
    RecognitionError if it is not audio, or mono where two channels are required.
    """
    channels = request.channels
    if count_channels(request.recording) < channels:
        raise RecognitionError(f"ChannelNum is {channels}, but the recording has one channel only")
    session = engine.open(request.engine) if request.sidecar is None else None
    known_ms = read_duration_ms(request.recording)
    duration_ms = 0
    sentences: list[Sentence] = []
    for channel in range(channels):
        stream = PcmStream(iter_pcm(request.recording, channel=channel if channels == _STEREO else None))
        segments = iter_speech_segments(stream)
        # Both channels are as long as the recording: after the first of two, half of the work is done.
        done_ms = channel * duration_ms
        yield Progress(done_ms // channels, known_ms)
        if session is None:
            sentences += _read_sidecar(request, segments, stream, channel)
        else:
            for piece in join_segments(segments, engine.max_piece_ms, engine.max_pause_ms):
                yield Progress(done_ms // channels, known_ms)
                sentences += session.recognise(piece, channel)
                done_ms = channel * duration_ms + piece.end_ms
        duration_ms = max(duration_ms, stream.duration_ms)
    if not duration_ms:
        raise RecognitionError("the recording holds no sound at all")
    sentences.sort(key=lambda sentence: (sentence.start_ms, sentence.channel))
    return Recognition(duration_ms, channels, tuple(sentences))


def join_segments(segments: Iterator[SpeechSegment], max_piece_ms: int, max_pause_ms: int) -> Iterator[Piece]:
    """Join segments with the pauses between them; a segment that is longer than a piece stays whole."""
    spans: list[tuple[int, int]] = []
    pcm = bytearray()
    for segment in segments:
        if spans and (
            segment.end_ms - spans[0][0] > max_piece_ms or segment.start_ms - spans[-1][1] >= max_pause_ms
        ):
            yield Piece(tuple(spans), bytes(pcm))
            spans, pcm = [], bytearray()
        if spans:
            pcm += bytes((segment.start_ms - spans[0][0]) * SAMPLE_RATE // 1000 * 2 - len(pcm))
        spans.append((segment.start_ms, segment.end_ms))
        pcm += segment.pcm
    if spans:
        yield Piece(tuple(spans), bytes(pcm))


def _read_sidecar(
    request: RecognitionRequest, segments: Iterator[SpeechSegment], stream: PcmStream, channel: int
) -> list[Sentence]:
    assert request.sidecar is not None
    spans = [(segment.start_ms, segment.end_ms) for segment in segments]
    return parse_sidecar(request.sidecar, spans or [(0, stream.duration_ms)], channel, request.channels)
