"""Who speaks: CI's one number per sentence becomes a channel, a speaker, or nothing."""

from collections.abc import Sequence

from shared.transcript.model import Sentence


def tell_voices_apart(sentences: Sequence[Sentence], channels: int) -> tuple[Sentence, ...]:
    """Turn CI's numbers into numbers from 1.

    SpeakerId is the channel where there are two, the speaker with diarization, and a meaningless 0 otherwise, so a mono
    recording with one number has no speakers at all. Speakers are numbered in the order in which they first speak.
    """
    heard = dict.fromkeys(sentence.speaker for sentence in sentences if sentence.speaker is not None)
    if channels > 1:
        # Samples count from 0, no document says so: without a 0, a number that exceeds the last index counts from 1.
        first = 1 if heard and 0 not in heard and max(heard) >= channels else 0
        return tuple(
            sentence
            if sentence.speaker is None
            else sentence._replace(speaker=None, channel=sentence.speaker - first + 1)
            for sentence in sentences
        )
    if len(heard) > 1:
        numbers = {number: place for place, number in enumerate(heard, start=1)}
        return tuple(
            sentence if sentence.speaker is None else sentence._replace(speaker=numbers[sentence.speaker])
            for sentence in sentences
        )
    return tuple(
        sentence if sentence.speaker is None else sentence._replace(speaker=None) for sentence in sentences
    )
