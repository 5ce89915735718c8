"""The example in docs/transcript.md is the output of the code, and the schema accepts it."""

import io
import json
import re
from pathlib import Path

import docx
import jsonschema
import pytest

from shared.options.model import OPTIONS
from shared.options.parse import Choice
from shared.transcript import (
    FORMATS,
    Layout,
    RecordingRef,
    Sentence,
    Transcript,
    build_transcript,
    parse_sentence,
)

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "transcript.md").read_text(encoding="utf-8")


def parse_detail(
    speaker: str, start_ms: int, end_ms: int, text: str, words: list[tuple[int, int, str]]
) -> Sentence:
    items = [{"OffsetStartMs": str(a), "OffsetEndMs": str(b), "Word": word} for a, b, word in words]
    times = {"StartMs": str(start_ms), "EndMs": str(end_ms)}
    sentence = parse_sentence(
        {**times, "SpeakerId": speaker, "SpeechSpeed": "4.6", "FinalSentence": text, "Words": items}
    )
    assert sentence
    return sentence


def build_example(title: str = "", speaker_names: tuple[str, ...] = ()) -> Transcript:
    late = "Hi. I would like to move my appointment from Tuesday to Thursday, if that is still possible."
    return build_transcript(
        recording=RecordingRef(
            "calls-1250000000", "ap-guangzhou", "2026/11/desk 4.mp3", "5d41402abc4b2a76", 181_440
        ),
        engine="16k_zh",
        job_id="s8988119ee2c911eab2cdd3817d4d5e64",
        channels=1,
        audio_time="11.34",
        details=[
            parse_detail("0", 620, 1_480, "Front desk?", [(0, 430, "Front"), (430, 860, "desk")]),
            parse_detail("1", 1_900, 8_300, late, []),
            parse_detail("0", 8_900, 9_700, "没问题。", [(0, 800, "没问题")]),
        ],
        lines="",
        flash=[],
        title=title,
        speaker_names=speaker_names,
        options={"speakers": Choice("auto", "x-cos-meta-scribe-speakers")},
    )


def read_shown_text(name: str, data: bytes) -> str:
    """Return what the page has for a file: its text, or what Word shows of a document."""
    if name == "docx":
        return "".join(f"{paragraph.text}\n" for paragraph in docx.Document(io.BytesIO(data)).paragraphs)
    if name == "csv":
        return data.decode("utf-8-sig").replace("\r\n", "\n")  # the page itself has other line ends
    if name == "html":  # the part with the transcript, without the style, the controls and the script
        before, separator, after = data.decode().partition("<main")
        return f"{separator}{after.partition('</main>')[0]}</main>\n" if before else ""
    return data.decode()


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_example_in_the_page_is_what_the_code_writes(name: str) -> None:
    block = re.search(rf"^```{name}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert block is not None, f"docs/transcript.md has no {name} block"
    assert block[1] == read_shown_text(name, FORMATS[name].render(build_example()))


def test_example_with_times_is_what_the_code_writes() -> None:
    block = re.search(r"^```text times\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert block is not None
    example = build_example()._replace(layout=Layout(has_times=True))
    assert FORMATS["txt"].render(example).decode().startswith(block[1])
    assert block[1].count("[00:00:0") == 2


@pytest.mark.parametrize(("language", "name"), [("text", "txt"), ("vtt", "vtt")])
def test_example_with_title_and_names_is_what_the_code_writes(language: str, name: str) -> None:
    block = re.search(rf"^```{language} title\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert block is not None, f"docs/transcript.md has no {language} block with a title"
    written = FORMATS[name].render(build_example("预约改期", ("前台", "Anna"))).decode()
    assert written.startswith(block[1])
    assert block[1].count("\n") > 3


def test_schema_has_every_option() -> None:
    schema = json.loads((DOCS / "transcript.schema.json").read_text(encoding="utf-8"))
    assert schema["properties"]["options"]["propertyNames"]["enum"] == list(OPTIONS)


def test_schema_is_valid_and_accepts_the_example() -> None:
    schema = json.loads((DOCS / "transcript.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(FORMATS["json"].render(build_example())), schema)


@pytest.mark.parametrize("level", ["document", "recording", "option", "captions", "sentence", "word"])
def test_schema_rejects_missing_and_unknown_members(level: str) -> None:
    schema = json.loads((DOCS / "transcript.schema.json").read_text(encoding="utf-8"))
    document = json.loads(FORMATS["json"].render(build_example()))
    sentence = document["sentences"][0]
    objects = {
        "document": document,
        "recording": document["recording"],
        "option": document["options"]["speakers"],
        "captions": document["captions"],
        "sentence": sentence,
        "word": sentence["words"][0],
    }
    target = objects[level]
    for name in list(target):
        value = target.pop(name)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(document, schema)
        target[name] = value
    jsonschema.validate(document, schema)
    target["surplus"] = 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema)
