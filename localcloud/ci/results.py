"""What was recognised, in the forms CI gives it: bracket lines, sentence details, flash results, subtitles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from localcloud.ci.models import Job, Speech
from localcloud.speech.recognition import Recognition, Sentence, Word
from localcloud.xml import Node, node

_PUNCTUATION = "，。！？；、：,.!?;:…"
# Up to and with its punctuation; a point or comma inside a number is none.
_CLAUSE = re.compile(rf"(?:[^{_PUNCTUATION}]|(?<=\d)[.,:](?=\d))+[{_PUNCTUATION}]*")
_BY_CLAUSE = 3  # ResTextFormat: split at punctuation, for subtitles


def _clock(time_ms: int) -> str:
    """`m:ss.mmm` without zeros in front of the seconds (seeds: `0:0.000`)."""
    minutes, rest = divmod(time_ms, 60_000)
    return f"{minutes}:{rest // 1000}.{rest % 1000:03d}"


def _seconds(time_ms: int) -> str:
    return f"{time_ms / 1000:.3f}".rstrip("0").rstrip(".")


def _has_speakers(speech: Speech, recognition: Recognition) -> bool:
    return speech.is_diarised or recognition.channels > 1


def _sentences(speech: Speech, recognition: Recognition) -> list[Sentence]:
    if speech.text_format != _BY_CLAUSE:
        return list(recognition.sentences)
    return [clause for sentence in recognition.sentences for clause in _clauses(sentence)]


def _clauses(sentence: Sentence) -> Iterator[Sentence]:
    """A sentence cut behind its punctuation; each clause has the words whose letters it holds."""
    if not sentence.words:
        yield sentence
        return
    texts = [match.group().strip() for match in _CLAUSE.finditer(sentence.text)]
    words = list(sentence.words)
    for number, text in enumerate(texts):
        own: list[Word] = []
        letters = len(re.sub(r"\s", "", text))
        while words and (sum(len(word.text) for word in own) < letters or number == len(texts) - 1):
            own.append(words.pop(0))
        if own:
            yield replace(
                sentence, text=text, start_ms=own[0].start_ms, end_ms=own[-1].end_ms, words=tuple(own)
            )


def text_of(speech: Speech, recognition: Recognition) -> str:
    """The Result text: `[m:ss.mmm,m:ss.mmm]  words` lines; with speakers the channel is a third number."""
    lines = []
    for sentence in _sentences(speech, recognition):
        speaker = f",{sentence.channel}" if _has_speakers(speech, recognition) else ""
        lines.append(f"[{_clock(sentence.start_ms)},{_clock(sentence.end_ms)}{speaker}]  {sentence.text}")
    return "\n".join(lines)


def subtitles_of(recognition: Recognition) -> str:
    """OutputFileType srt."""

    def at(time_ms: int) -> str:
        hours, rest = divmod(time_ms, 3_600_000)
        minutes, rest = divmod(rest, 60_000)
        return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d},{rest % 1000:03d}"

    return "".join(
        f"{number}\n{at(sentence.start_ms)} --> {at(sentence.end_ms)}\n{sentence.text}\n\n"
        for number, sentence in enumerate(recognition.sentences, 1)
    )


def details_of(speech: Speech, recognition: Recognition) -> list[Node]:
    """One ResultDetail a sentence, its members in alphabetical order, word times relative to the sentence."""
    return [_detail(speech, sentence) for sentence in _sentences(speech, recognition)]


def _detail(speech: Speech, sentence: Sentence) -> Node:
    words = [
        word
        for word in sentence.words
        if speech.text_format != 1
        or word.text.strip(_PUNCTUATION)  # format 1: no punctuation among the words
    ]
    letters = len(re.sub(r"\W", "", sentence.text))
    length_s = max(sentence.end_ms - sentence.start_ms, 1) / 1000
    return node(
        "ResultDetail",
        node("EndMs", sentence.end_ms),
        node("FinalSentence", sentence.text),
        node("SliceSentence", " ".join(word.text for word in words)),
        node("SpeakerId", sentence.channel),
        node("SpeechSpeed", f"{letters / length_s:.1f}"),
        node("StartMs", sentence.start_ms),
        *(
            node(
                "Words",
                node("OffsetEndMs", word.end_ms - sentence.start_ms),
                node("OffsetStartMs", word.start_ms - sentence.start_ms),
                # The task callback's sample has a fourth member here; its name is unconfirmed.
                node("VoiceType", 0 if word.text.strip(_PUNCTUATION) else 1),
                node("Word", word.text),
            )
            for word in words
        ),
        node("WordsNum", len(words)),
    )


def flash_of(speech: Speech, recognition: Recognition) -> list[Node]:
    """One FlashResult a channel; lower-case names, times in milliseconds from the start of the recording."""
    channels = 1 if speech.value("FirstChannelOnly", "1") == "1" else recognition.channels
    return [_flash_channel(speech, recognition, channel) for channel in range(channels)]


def _flash_channel(speech: Speech, recognition: Recognition, channel: int) -> Node:
    sentences = [sentence for sentence in recognition.sentences if sentence.channel == channel]
    with_words = speech.value("WordInfo", "0") != "0"
    return node(
        "FlashResult",
        node("channel_id", channel),
        *(
            node(
                "sentence_list",
                node("end_time", sentence.end_ms),
                node("speaker_id", 0),
                node("start_time", sentence.start_ms),
                node("text", sentence.text),
                *(
                    node(
                        "word_list",
                        node("end_time", word.end_ms),
                        node("start_time", word.start_ms),
                        node("word", word.text),
                    )
                    for word in (sentence.words if with_words else ())
                ),
            )
            for sentence in sentences
        ),
        node("text", "".join(sentence.text for sentence in sentences)),
    )


def result_node(job: Job) -> Node | None:
    """SpeechRecognitionResult; None while there is nothing."""
    if job.recognition is None:
        return None
    speech, recognition = job.order.speech, job.recognition
    if speech.is_flash:
        content = flash_of(speech, recognition)
    else:
        # Details are filled in for the word-level formats only (seeds: <ResultDetail/> with ResTextFormat 0).
        details = details_of(speech, recognition) if speech.text_format else []
        content = [node("Result", text_of(speech, recognition)), *(details or [node("ResultDetail")])]
    return node(
        "SpeechRecognitionResult",
        node("AudioTime", _seconds(recognition.duration_ms)),
        node("DetailObjectName", f"{job.order.output.object}.detail"),
        node("ObjectName", job.order.output.object),
        *content,
    )
