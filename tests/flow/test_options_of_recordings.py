"""Options of one recording and of a folder, from the upload to every transcript."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import quote

import pytest

from cli.config import PROJECT_FOLDER
from cli.rules.compiler import compile_rules
from cli.rules.loader import load_rules_file
from tests.helpers.flow import Flow, StartFlow, wait_for_next_second

pytestmark = pytest.mark.process

SPEECH = b"speech of a recording " * 400
CALL = "[0] 您好，这里是客服中心。\n[1] 我想改一下预约时间。\n[0] 没问题，请问改到哪一天？\n[1] 星期四。\n"


def read_outputs(flow: Flow, key: str, *formats: str) -> dict[str, str]:
    return {name: flow.output(f"transcripts/{key}.{name}").decode() for name in formats}


def list_formats(flow: Flow, key: str) -> list[str]:
    prefix = f"transcripts/{key}."
    return sorted(output.removeprefix(prefix) for output in flow.outputs(prefix))


def test_mono_recording_with_two_named_speakers_by_its_sidecar(flow: Flow) -> None:
    key = "interviews/采访.mp3"
    options = {
        "speakers": 2,
        "title": "采访：预约改期",
        "speaker-names": ["李老师", "王同学"],
        "engine": "16k_zh",
    }
    flow.upload(key + ".transcript.txt", CALL.encode())
    flow.upload(key + ".scribe.json", json.dumps(options, ensure_ascii=False).encode())
    flow.upload(key, SPEECH)
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
    assert document["options"]["speakers"] == {"value": "2", "source": "采访.mp3.scribe.json"}
    assert not flow.has(f"transcripts/{key}.scribe.json.error.json")


RULES = """
rules:
  - match: calls/
    engine: 8k_zh
    channels: 2
    speaker-names: [客服, 客户]
    formats: [txt, json]
  - match: "*.draft.wav"
    title: 草稿
"""


def build_package_with_rules(folder: Path) -> Path:
    """Link the functions into a folder that has compiled rules at its top, as a package has."""
    folder.mkdir()
    for name in ("handlers", "shared", "serverless.yml"):
        (folder / name).symlink_to(PROJECT_FOLDER / name)
    (folder / "rules.yml").write_text(RULES, "utf-8")
    (folder / "rules.json").write_bytes(compile_rules(load_rules_file(folder / "rules.yml")))
    return folder


def test_folder_of_telephone_calls_by_a_rule(start_flow: StartFlow, tmp_path: Path) -> None:
    flow = start_flow("--functions", str(build_package_with_rules(tmp_path / "package")))
    keys = ["calls/2026/热线 1.wav", "calls/2.wav", "talks/3.wav"]
    for key in keys:
        flow.upload(key + ".transcript.txt", CALL.encode())
        flow.upload(key, SPEECH)
    flow.settle()
    for key in keys[:2]:
        assert list_formats(flow, key) == ["json", "txt"]
        assert flow.output(f"transcripts/{key}.txt").decode().split(": ")[0] == "客服"
        document = flow.transcript(key)
        assert (document["engine"], document["channels"]) == ("8k_zh", 2)
        assert {sentence["channel"] for sentence in document["sentences"]} == {1, 2}
        assert document["speaker_names"] == ["客服", "客户"]
        assert document["options"]["channels"] == {"value": 2, "source": "rules.yml line 3"}
    assert list_formats(flow, keys[2]) == ["html", "json", "srt", "txt", "vtt"]
    assert (flow.transcript(keys[2])["channels"], flow.transcript(keys[2])["options"]) == (1, {})
    assert len(flow.jobs()) == 3


def test_speakers_named_by_metadata_of_any_client(flow: Flow) -> None:
    key = "interviews/metadata.mp3"
    names = quote("李老师,王同学", safe=",")
    flow.upload(key + ".transcript.txt", CALL.encode())
    flow.upload(
        key, SPEECH, **{"scribe-speakers": "auto", "scribe-engine": "16k_zh", "scribe-speaker-names": names}
    )
    flow.settle()
    assert re.findall("<v (.+?)>", flow.output(f"transcripts/{key}.vtt").decode())[:2] == ["李老师", "王同学"]


def test_forgotten_job_gets_names_and_another_format_without_a_second_job(eager_flow: Flow) -> None:
    flow, key = eager_flow, "talk.mp3"
    flow.upload(key, SPEECH)
    flow.settle()
    before = flow.transcript(key)["sentences"]
    flow.admin("DELETE", "jobs")
    wait_for_next_second()
    flow.upload(key, SPEECH, **{"scribe-title": "Later", "scribe-formats": "json,vtt"})
    flow.settle()
    flow.sweep()
    document = flow.transcript(key)
    assert (document["title"], document["sentences"]) == ("Later", before)
    assert any(sentence["words"] for sentence in before)
    assert list_formats(flow, key) == ["json", "vtt"]
    assert flow.output(f"transcripts/{key}.vtt").startswith(b"WEBVTT - Later\n")
    assert (len(flow.jobs()), flow.receipts("open")) == (1, [])


def test_recording_without_speakers_has_no_labels(flow: Flow) -> None:
    key = "interviews/plain.mp3"
    flow.upload(key + ".transcript.txt", CALL.encode())
    flow.upload(key, SPEECH)
    flow.settle()
    assert ": " not in flow.output(f"transcripts/{key}.txt").decode()
    assert flow.transcript(key)["options"] == {}
    assert list_formats(flow, key) == ["html", "json", "srt", "txt", "vtt"]


def test_recording_gets_its_own_formats(flow: Flow) -> None:
    key = "formats/a.mp3"
    flow.upload(key, SPEECH, **{"scribe-formats": "vtt, json"})
    flow.settle()
    assert list_formats(flow, key) == ["json", "vtt"]
    source = "x-cos-meta-scribe-formats"
    assert flow.transcript(key)["options"] == {"formats": {"value": ["vtt", "json"], "source": source}}


def test_wrong_language_is_put_right_by_uploading_again(own_flow: Flow) -> None:
    key = "wrong.mp3"
    own_flow.upload(key, SPEECH)
    own_flow.settle()
    first = own_flow.transcript(key)
    wait_for_next_second()
    own_flow.upload(key, SPEECH, **{"scribe-engine": "16k_zh"})
    own_flow.settle()
    second = own_flow.transcript(key)
    assert (first["engine"], second["engine"]) == ("16k_en", "16k_zh")
    assert first["job_id"] != second["job_id"]
    assert len(own_flow.jobs()) == 2
    assert list_formats(own_flow, key) == ["html", "json", "srt", "txt", "vtt"]
    source = "x-cos-meta-scribe-engine"
    assert second["options"] == {"engine": {"value": "16k_zh", "source": source}}
    again = own_flow.invoke("upload", own_flow.build_event(key))
    assert again["result"]["recordings"][0]["status"] == "already_done"


def test_sidecar_with_another_upload_while_the_job_waits_is_used(eager_flow: Flow) -> None:
    """The callback sees the later options, and leaves the new job to the sweep."""
    key = "later.mp3"
    eager_flow.update_queue(state="Paused")
    eager_flow.upload(key, SPEECH)
    eager_flow.settle()
    eager_flow.upload(key + ".scribe.json", json.dumps({"engine": "16k_zh", "title": "later"}).encode())
    eager_flow.settle()
    wait_for_next_second()
    eager_flow.upload(key, SPEECH)
    eager_flow.settle()
    eager_flow.update_queue(state="Active")
    eager_flow.settle()
    assert len(eager_flow.receipts("open")) == 1
    eager_flow.sweep()
    eager_flow.settle()
    transcript = eager_flow.transcript(key)
    assert (transcript["engine"], transcript["title"]) == ("16k_zh", "later")
    assert len(eager_flow.jobs()) == 2


def test_sidecar_is_read_by_the_audit_when_the_event_was_lost(eager_flow: Flow) -> None:
    key = "lost.mp3"
    eager_flow.upload(key + ".scribe.json", b'{"title": "lost"}')
    eager_flow.settle()
    eager_flow.admin("PUT", "faults", {"seed": 1, "rates": {"lost_event": 1.0}})
    eager_flow.upload(key, SPEECH)
    eager_flow.settle()
    eager_flow.admin("PUT", "faults", {})
    eager_flow.invoke("sweep", {"Message": "audit"})
    eager_flow.settle()
    assert eager_flow.transcript(key)["title"] == "lost"
