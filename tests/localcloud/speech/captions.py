"""The captions that Scribe writes of a recognition, and the words that are broken in them."""

from __future__ import annotations

from collections.abc import Sequence

from localcloud.ci.models import RecognitionParams
from localcloud.ci.serializers import build_details
from localcloud.ci.text_options import format_sentences
from localcloud.speech.models import Recognition
from localcloud.speech.segmenter import is_punctuation
from localcloud.xml import node, serialize
from shared.tencent import xml
from shared.transcript.caption_limits import CaptionLimits
from shared.transcript.captions import build_cues
from shared.transcript.models import RecordingRef
from shared.transcript.parser import build_transcript, parse_sentence
from shared.transcript.text import display_width

PARAMS = RecognitionParams(
    # As Scribe submits its jobs.
    (("EngineModelType", "16k_zh"), ("ResTextFormat", "2"), ("ConvertNumMode", "1"))
)


def build_captions(recognition: Recognition) -> list[str]:
    """Return the captions of a result, through CI's XML and Scribe's parser; with line feeds inside."""
    document = serialize(node("Result", *build_details(PARAMS, recognition)))
    details = xml.as_list(xml.as_mapping(xml.parse(document)["Result"])["ResultDetail"])
    transcript = build_transcript(
        recording=RecordingRef("media-1250000000", "ap-guangzhou", "a.mp3", "0" * 32),
        engine="16k_zh",
        job_id="s1",
        channels=1,
        audio_time=str(recognition.duration_ms / 1000),
        details=[sentence for sentence in map(parse_sentence, details) if sentence],
        lines="",
        flash=[],
    )
    return [part.text for cue in build_cues(transcript) for part in cue.parts]


def find_word_edges(words: Sequence[str]) -> set[int]:
    """Return where words begin or end, as offsets into the text without white space."""
    edges, offset = {0}, 0
    for word in words:
        # A word that is wider than a line has to be broken; punctuation may be beside a break.
        if display_width(word) > CaptionLimits().cjk_width or is_punctuation(word):
            edges.update(range(offset, offset + len(word)))
        offset += len(word)
        edges.add(offset)
    return edges


def find_broken_words(recognition: Recognition, captions: Sequence[str]) -> list[str]:
    """Return the lines of captions that end inside a word; the captions have the whole text."""
    pieces = [piece for caption in captions for piece in caption.split("\n")]
    words = [word.text for item in format_sentences(PARAMS, recognition) for word in item.words]
    assert "".join("".join(piece.split()) for piece in pieces) == "".join(words)
    edges, offset = find_word_edges(words), 0
    broken = []
    for piece in pieces:
        offset += len("".join(piece.split()))
        if offset not in edges:
            broken.append(piece)
    return broken
