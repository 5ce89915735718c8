"""Options of one recording and of a folder, from the upload to every transcript."""

from __future__ import annotations

import json
import re
from urllib.parse import quote

import pytest

from tests.helpers.flow import Flow

pytestmark = pytest.mark.process

SPEECH = b"speech of a recording " * 400
CALL = "[0] 您好，这里是客服中心。\n[1] 我想改一下预约时间。\n[0] 没问题，请问改到哪一天？\n[1] 星期四。\n"


def read_outputs(flow: Flow, key: str, *formats: str) -> dict[str, str]:
    return {name: flow.output(f"transcripts/{key}.{name}").decode() for name in formats}


def list_formats(flow: Flow, key: str) -> list[str]:
    prefix = f"transcripts/{key}."
    return sorted(output.removeprefix(prefix) for output in flow.outputs(prefix))


def test_mono_recording_with_two_named_speakers(flow: Flow) -> None:
    key = "interviews/采访.mp3"
    options = {
        "speakers": 2,
        "title": "采访：预约改期",
        "speaker-names": ["李老师", "王同学"],
        "engine": "16k_zh",
    }
    flow.upload(key + ".transcript.txt", CALL.encode())
    metadata = {
        f"scribe-{name}": quote(",".join(value) if isinstance(value, list) else str(value), safe=",")
        for name, value in options.items()
    }
    flow.upload(key, SPEECH, **metadata)
    flow.settle()
    outputs = read_outputs(flow, key, "txt", "srt", "vtt", "json")
    assert outputs["txt"].startswith("采访：预约改期\n\n李老师: 您好，这里是客服中心。\n\n王同学: 我想改")
    names = ["李老师", "王同学", "李老师", "王同学"]
    assert re.findall(r"^(.{3}): ", outputs["srt"], re.MULTILINE) == names
    assert outputs["vtt"].startswith("WEBVTT - 采访：预约改期\n")
    assert re.findall("<v (.+?)>", outputs["vtt"]) == names
    document = json.loads(outputs["json"])
    assert (document["title"], document["speaker_names"]) == ("采访：预约改期", ["李老师", "王同学"])
    assert [sentence["speaker"] for sentence in document["sentences"]] == [1, 2, 1, 2]
    assert document["options"]["speakers"]["value"] == "2"


def test_recording_without_speakers_has_no_labels(flow: Flow) -> None:
    key = "interviews/plain.mp3"
    flow.upload(key + ".transcript.txt", CALL.encode())
    flow.upload(key, SPEECH)
    flow.settle()
    assert ": " not in flow.output(f"transcripts/{key}.txt").decode()
    assert flow.transcript(key)["options"] == {}
    assert list_formats(flow, key) == ["json", "srt", "txt", "vtt"]


def test_recording_gets_its_own_formats(flow: Flow) -> None:
    key = "formats/a.mp3"
    flow.upload(key, SPEECH, **{"scribe-formats": "vtt, json"})
    flow.settle()
    assert list_formats(flow, key) == ["json", "vtt"]
    source = "x-cos-meta-scribe-formats"
    assert flow.transcript(key)["options"] == {"formats": {"value": ["vtt", "json"], "source": source}}
