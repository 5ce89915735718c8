"""What the local cloud itself cannot do ends in an error object that says so, and names no support of Tencent."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers.flow import Flow
from tests.helpers.loopback import open_client
from tests.helpers.pipeline import running_pipeline
from tests.localcloud.stand_in import SAMPLES

pytestmark = pytest.mark.process

SUPPORT = ("support", "腾讯云支持")


@pytest.fixture(scope="module")
def sphinx_flow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """A pipeline that recognises English for real."""
    with (
        running_pipeline(tmp_path_factory.mktemp("cloud"), ["--speech", "pocketsphinx"]) as pipeline,
        open_client(base_url=pipeline.emulator.endpoint, timeout=60) as client,
    ):
        yield Flow(pipeline, client)


def upload_and_get_error(flow: Flow, key: str, body: bytes, **metadata: str) -> dict[str, object]:
    flow.upload(key, body, **metadata)
    flow.settle()
    return flow.error(key)


def assert_is_own_limit(error: dict[str, object], code: str) -> None:
    assert error["code"] == code
    assert error["kind"] == "settings"
    assert error["retryable"] is True
    for name in ("message", "next_step"):
        assert "local cloud on this machine" in str(error[name])
    for name in ("message_zh", "next_step_zh"):
        assert "本地模拟云" in str(error[name])
    texts = " ".join(str(error[name]) for name in ("message", "next_step", "next_step_zh", "cloud_message"))
    assert not any(word in texts.lower() for word in SUPPORT)


def test_chinese_engine_without_whisper_says_what_to_start(sphinx_flow: Flow) -> None:
    audio = (SAMPLES / "welcome.wav").read_bytes()
    error = upload_and_get_error(sphinx_flow, "chinese.wav", audio, engine="16k_zh")
    assert_is_own_limit(error, "LocalCloud.EnglishOnly")
    assert "--speech whisper" in str(error["cloud_message"])


def test_transcript_in_gbk_says_to_save_it_as_utf8(flow: Flow) -> None:
    flow.upload("gbk.wav.transcript.txt", "会议".encode("gbk"))
    error = upload_and_get_error(flow, "gbk.wav", b"speech " * 300)
    assert_is_own_limit(error, "LocalCloud.InvalidSidecar")
    assert "UTF-8" in str(error["cloud_message"])


def test_text_file_gets_the_advice_for_recordings(flow: Flow) -> None:
    error = upload_and_get_error(flow, "text.wav", b"NOT AUDIO at all")
    assert (error["code"], error["kind"]) == ("FailedOperation.ErrorRecognize", "recording")
    assert "is it audio in a common format" in str(error["next_step"])


def test_mono_recording_with_two_channels_keeps_the_code_of_cloud_infinite(sphinx_flow: Flow) -> None:
    audio = (SAMPLES / "welcome.wav").read_bytes()
    error = upload_and_get_error(sphinx_flow, "mono.wav", audio, engine="8k_en", channels="2")
    assert (error["code"], error["kind"]) == ("FailedOperation.ErrorRecognize", "recording")
    assert "one channel only" in str(error["cloud_message"])
