"""`scribe explain` for keys of every kind, without a network: text and JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from rich.cells import cell_len

from cli.explain.explain import Upload, explain_key
from cli.explain.render import print_explanation
from cli.local.emulator import Emulator, OperatorClients
from cli.output import SafeConsole
from cli.rules.loader import load_rules_file
from shared.options.model import OPTIONS
from tests.helpers.chinese import list_english, list_translations, speak_chinese
from tests.helpers.explain import INPUT_BUCKET, OUTPUT_BUCKET, ExplainFolder, find_controls, open_folder
from tests.helpers.fakes import build_test_settings

RULES = """\
rules:
  - match: calls/
    engine: 8k_zh
    channels: 2
  - match: in/课程/
    engine: 16k_zh_edu
    formats: [vtt]
  - match: "*.wav"
    speaker-names: [客服, 客户]
    fillers: none
  - match: in/studio/
    speakers: auto
    engine: 16k_studio_9
"""
NAMES = ("bucket", "key", "is_recording", "reason", "options", "rules", "warnings", "refusals", "job")
JOB = {"EngineModelType": "16k_zh", "ChannelNum": "1", "ResTextFormat": "2", "ConvertNumMode": "1"}


class KeyCase(NamedTuple):
    """A key, what is passed with it, and what is said. `options`: name -> value and place; `job`: of SpeechRecognition.

    `texts`: what the text output has, too.
    """

    key: str
    is_recording: bool | None = True
    reason: str = ""
    metadata: Mapping[str, str] | None = None
    sidecar: Any = None
    options: Mapping[str, tuple[Any, str]] = MappingProxyType({})
    rules: tuple[str, ...] = ()
    job: Mapping[str, str] = MappingProxyType(JOB)
    warnings: tuple[str, ...] = ()
    refusal: str = ""
    nearest: Mapping[str, Any] = MappingProxyType({})
    outputs: tuple[str, ...] = ("json", "txt", "srt", "vtt", "html")
    texts: tuple[str, ...] = ()


CASES = {
    "recording": KeyCase("in/a.mp3"),
    "Chinese name": KeyCase(
        "in/课程/第一讲 绪论.mp4",
        options={
            "engine": ("16k_zh_edu", "rules.yml line 5"),
            "formats": (["vtt"], "rules.yml line 5"),
        },
        rules=("rules.yml line 5",),
        job={**JOB, "EngineModelType": "16k_zh_edu"},
        outputs=("vtt",),
        texts=("transcripts/in/课程/第一讲 绪论.mp4.vtt",),
    ),
    "formats": KeyCase(
        "in/b.mp3",
        metadata={"scribe-formats": "docx,podcast"},
        options={"formats": (["docx", "podcast"], "x-cos-meta-scribe-formats")},
        outputs=("docx", "podcast.json"),
        texts=("transcripts/in/b.mp3.podcast.json",),
    ),
    "no extension": KeyCase(
        "in/Call at 14.30 with Li",
        is_recording=None,
        reason="no extension: it is a recording if its Content-Type is audio or video",
    ),
    "folder marker": KeyCase("in/folder/", is_recording=False, reason="a folder marker"),
    "output of Scribe": KeyCase(
        ".scribe/raw/recordings-1250000000/a!0123456789abcdef0123456789abcdef.txt",
        is_recording=False,
        reason="an output of Scribe",
    ),
    "outside INPUT_PREFIX": KeyCase("out/a.mp3", is_recording=False, reason="outside INPUT_PREFIX"),
    "rule": KeyCase(
        "in/calls/a.mp3",
        options={"engine": ("8k_zh", "rules.yml line 2"), "channels": (2, "rules.yml line 2")},
        rules=("rules.yml line 2",),
        job={**JOB, "EngineModelType": "8k_zh", "ChannelNum": "2"},
        texts=("rules.yml line 2  calls/  engine 8k_zh, channels 2",),
    ),
    "two rules": KeyCase(
        "in/calls/a.wav",
        options={
            "engine": ("8k_zh", "rules.yml line 2"),
            "channels": (2, "rules.yml line 2"),
            "fillers": ("none", "rules.yml line 8"),
            "speaker-names": (["客服", "客户"], "rules.yml line 8"),
        },
        rules=("rules.yml line 2", "rules.yml line 8"),
        job={**JOB, "EngineModelType": "8k_zh", "ChannelNum": "2", "FilterModal": "2"},
    ),
    "metadata over rule": KeyCase(
        "in/calls/a.mp3",
        metadata={"scribe-channels": "1", "scribe-title": "%E5%91%A8%E4%BC%9A"},
        options={
            "engine": ("8k_zh", "rules.yml line 2"),
            "channels": (1, "x-cos-meta-scribe-channels"),
            "title": ("周会", "x-cos-meta-scribe-title"),
        },
        rules=("rules.yml line 2",),
        job={**JOB, "EngineModelType": "8k_zh"},
    ),
    "sidecar over metadata": KeyCase(
        "in/a.mp3",
        metadata={"scribe-fillers": "some", "scribe-speakers": "2"},
        sidecar={"speakers": "auto", "recording": "a.mp3"},
        options={
            "fillers": ("some", "x-cos-meta-scribe-fillers"),
            "speakers": ("auto", "a.mp3.scribe.json"),
        },
        job={**JOB, "SpeakerDiarization": "1", "SpeakerNumber": "0", "FilterModal": "1"},
    ),
    "refused combination": KeyCase(
        "in/a.mp3",
        metadata={"scribe-engine": "16k_en", "scribe-speakers": "auto"},
        options={
            "engine": ("16k_en", "x-cos-meta-scribe-engine"),
            "speakers": ("auto", "x-cos-meta-scribe-speakers"),
        },
        job={},
        refusal="x-cos-meta-scribe-speakers is auto, which needs one of the engines",
        nearest={"speakers": ""},
        outputs=(),
        texts=("Refused: nothing would be submitted or paid", "最接近的可用选择：speakers off"),
    ),
    "unknown engine": KeyCase(
        "in/studio/a.mp3",
        options={
            "engine": ("16k_studio_9", "rules.yml line 11"),
            "speakers": ("auto", "rules.yml line 11"),
        },
        rules=("rules.yml line 11",),
        job={**JOB, "EngineModelType": "16k_studio_9", "SpeakerDiarization": "1", "SpeakerNumber": "0"},
        warnings=("engine is 16k_studio_9 (rules.yml line 11): Tencent's documents",),
    ),
    "sidecar itself": KeyCase("in/a.mp3.scribe.json", is_recording=False, reason="a sidecar"),
    "wrong value": KeyCase(
        "in/a.mp3",
        metadata={"scribe-speakers": "1"},
        job={},
        refusal="x-cos-meta-scribe-speakers is '1'; it is off, auto or 2 to 10",
        outputs=(),
    ),
    "option without scribe-": KeyCase(
        "in/a.mp3",
        metadata={"speakers": "2"},
        warnings=("x-cos-meta-speakers is not read; the option is x-cos-meta-scribe-speakers",),
    ),
}

each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> ExplainFolder:
    return ExplainFolder(tmp_path_factory.mktemp("checkout"), RULES)


@each_case
def test_json_says_what_would_happen(folder: ExplainFolder, case: KeyCase) -> None:
    explained = folder.run(case.key, case.metadata, sidecar=case.sidecar, as_json=True)
    document = explained.document
    assert tuple(document)[: len(NAMES)] == NAMES
    assert explained.passed is (not case.refusal)
    assert (document["bucket"], document["key"], document["state"]) == (INPUT_BUCKET, case.key, None)
    assert (document["is_recording"], document["reason"]) == (case.is_recording, case.reason)
    if case.is_recording is False:
        assert (document["options"], document["job"], document["outputs"]) == ({}, {}, [])
        return
    chosen = {name: (each["value"], each["source"]) for name, each in document["options"].items()}
    own = {name: choice for name, choice in chosen.items() if choice[1] != "settings"}
    assert own == dict(case.options)
    assert [rule["source"] for rule in document["rules"]] == list(case.rules)
    assert document["job"].get("SpeechRecognition", {}) == dict(case.job)
    assert [begins_with(each, case.warnings) for each in document["warnings"]] == [True] * len(case.warnings)
    assert [each["reason"].startswith(case.refusal) for each in document["refusals"]] == (
        [True] if case.refusal else []
    )
    assert [each["nearest"] for each in document["refusals"]] == (
        [dict(case.nearest)] if case.refusal else []
    )
    places = [f"transcripts/{case.key}.{extension}" for extension in case.outputs]
    assert document["outputs"] == places


@each_case
def test_text_says_the_same_on_80_columns(folder: ExplainFolder, case: KeyCase) -> None:
    explained = folder.run(case.key, case.metadata, sidecar=case.sidecar)
    assert explained.passed is (not case.refusal)
    lines = explained.output.splitlines()
    assert lines[:2] == [case.key, f"in {INPUT_BUCKET}"]
    assert max(map(cell_len, lines)) <= 80
    assert [line for line in lines if line != line.rstrip()] == []
    words = " ".join(explained.output.split())
    for text in (case.reason, case.refusal, *case.warnings):
        assert " ".join(text.split()) in words
    if case.is_recording is False:
        assert len(words) < 240  # no options, no job, no transcripts
        return
    for text in case.texts:
        assert text in explained.output
    for name, (_, source) in case.options.items():
        assert any(line.split()[:1] == [name] and line.endswith(source) for line in lines), name
    for name, value in case.job.items():
        assert any(line.split() == [name, value] for line in lines), name
    assert (f"Transcripts, in {OUTPUT_BUCKET}" in lines) is bool(case.outputs)


def test_text_in_chinese_has_no_english_sentence(folder: ExplainFolder) -> None:
    output = io.StringIO()
    settings = build_test_settings(input_prefix="in/")
    with speak_chinese():
        rules = load_rules_file(folder.folder / "rules.yml").rules
        for case in CASES.values():
            sidecar = None if case.sidecar is None else json.dumps(case.sidecar).encode()
            upload = Upload(case.metadata or {}, sidecar)
            explanation = explain_key(settings, rules, INPUT_BUCKET, case.key, upload)
            print_explanation(SafeConsole(file=output, width=80, highlight=False), explanation)
    text = output.getvalue()
    assert "  不是录音，不产生费用：目录标记。\n" in text
    assert "  engine    8k_zh  rules.yml 第 2 行\n" in text
    assert text.count("被拒绝：不会提交任务，也不产生费用") == 2
    assert max(cell_len(line) for line in text.splitlines() if "/" not in line) <= 80
    assert list_english(text, "Call at 14.30 with Li", *OPTIONS) == []
    assert list_english(list_translations("explain")) == []


@pytest.mark.process
@each_case
def test_bucket_says_the_same_as_the_arguments(
    emulator: Emulator, folder: ExplainFolder, tmp_path: Path, case: KeyCase
) -> None:
    """The metadata and the sidecar are in the bucket, where they were arguments before."""
    cos = OperatorClients.for_emulator(emulator).cos
    online = open_folder(tmp_path, emulator, RULES)
    sidecar_place = f"{case.key}.scribe.json"
    cos.put(INPUT_BUCKET, case.key, b"speech " * 9, content_type="audio/mpeg", metadata=case.metadata or {})
    if case.sidecar:
        cos.put(INPUT_BUCKET, sidecar_place, json.dumps(case.sidecar).encode())
    try:
        explained, text = online.run(case.key, as_json=True), online.run(case.key)
    finally:
        cos.delete(INPUT_BUCKET, case.key)
        cos.delete(INPUT_BUCKET, sidecar_place)
    offline = folder.run(case.key, case.metadata, sidecar=case.sidecar, as_json=True)
    document, expected = explained.document, offline.document
    assert explained.passed is text.passed is offline.passed
    state = document.pop("state")
    del expected["state"]
    if case.is_recording is None:
        expected |= {"is_recording": True, "reason": ""}
    assert document == expected
    if case.is_recording is False:
        assert state is None
        return
    assert state["on_upload"] == ("failed" if case.refusal else "submitted")
    assert (state["exists"], state["has_sidecar"], state["receipt"]) == (True, bool(case.sidecar), "")
    assert max(map(cell_len, text.output.splitlines())) <= 80
    assert "In the bucket" in text.output


def begins_with(text: str, starts: tuple[str, ...]) -> bool:
    return text.startswith(starts)


def test_columns_are_aligned_also_with_chinese(folder: ExplainFolder) -> None:
    metadata = {"scribe-title": "周会记录", "scribe-speakers": "auto", "scribe-speaker-names": "客服,客户"}
    lines = folder.run("in/a.mp3", metadata).output.splitlines()
    starts = {cell_len(line[: line.index("x-cos-meta-")]) for line in lines if "x-cos-meta-" in line}
    assert len(starts) == 1


def test_long_values_are_folded_inside_their_column(folder: ExplainFolder) -> None:
    names = ",".join(f"{number}号发言人的名字比较长一些" for number in range(1, 11))
    metadata = {"scribe-speaker-names": names, "scribe-speakers": "auto", "scribe-title": "标题" * 100}
    lines = folder.run("in/a.mp3", metadata).output.splitlines()
    assert max(map(cell_len, lines)) <= 80


def test_hostile_text_does_not_reach_the_terminal(folder: ExplainFolder) -> None:
    key = "in/\x1b]0;owned\x07\u202egpj.mp3"
    metadata = {"scribe-title": "a\x1b[2Jb", "x\x1b": "1", "scribe-\x9b": "2"}
    for as_json in (False, True):
        for each in ({"scribe-title": metadata["scribe-title"]}, {"scribe-\x9b2J": "2"}, {}):
            explained = folder.run(
                key, each, as_json=as_json, sidecar={"title\x1b": "\x07"} if each else None
            )
            assert find_controls(explained.output) == []
    assert folder.run(key, {}, as_json=True).document["key"] == key


def test_folder_without_rules_has_none(tmp_path: Path) -> None:
    document = ExplainFolder(tmp_path).run("in/calls/a.mp3", as_json=True).document
    assert document["rules"] == []
    assert document["options"]["engine"] == {"value": "16k_zh", "source": "settings"}


def test_settings_are_a_place_if_they_differ_from_the_default(tmp_path: Path) -> None:
    folder = ExplainFolder(tmp_path, ENGINE="16k_en", FORMATS="txt", OPTIONS="words=none; priority=1")
    document = folder.run("in/a.mp3", {"scribe-priority": "2"}, as_json=True).document
    assert document["options"] == {
        "engine": {"value": "16k_en", "source": "settings"},
        "words": {"value": "none", "source": "settings"},
        "priority": {"value": 2, "source": "x-cos-meta-scribe-priority"},
        "formats": {"value": ["txt"], "source": "settings"},
    }
    assert document["outputs"] == ["transcripts/in/a.mp3.txt"]
    assert document["job"]["JobLevel"] == "2"


def test_short_names_without_the_bucket(tmp_path: Path) -> None:
    folder = ExplainFolder(tmp_path, OUTPUT_NAMES="short", FORMATS="txt,podcast")
    outputs = folder.run("in/a.mp3", as_json=True).document["outputs"]
    assert outputs == ["transcripts/in/a.txt", "transcripts/in/a.podcast.json"]
    assert folder.run("in/v1.2.mp3", as_json=True).document["outputs"][0] == "transcripts/in/v1.2.mp3.txt"
