"""A recognised sentence with a character that XML cannot hold: results have it as a reference."""

from __future__ import annotations

import json

import pytest

from localcloud.xml import XmlError, node, parse, recognised_node, serialize
from tests.localcloud.clients import CosSdk, RawClient
from tests.localcloud.speech_queue import build_job_body
from tests.localcloud.stand_in import Receiver, StandIn

SENTENCE = "first part\x0bsecond part"


@pytest.mark.process
def test_result_has_the_character_as_a_reference(
    cloud: StandIn, raw: RawClient, sdk: CosSdk, speech_bucket: str, receiver: Receiver
) -> None:
    sdk.put_object(speech_bucket, SENTENCE.encode(), "call.mp3.transcript.txt")
    host = cloud.ci_host(speech_bucket)

    def run(body_format: str) -> bytes:
        """Run a job and return its notification."""
        body = build_job_body(
            speech_bucket,
            speech="<EngineModelType>16k_en</EngineModelType><ResTextFormat>2</ResTextFormat>",
            request=f"<CallBack>{receiver.url}</CallBack><CallBackFormat>{body_format}</CallBackFormat>",
        )
        assert raw.send("POST", host, "/asr_jobs", body=body).status_code == 200
        return bytes(receiver.next()[1])

    notification = run("XML")
    listed = raw.send("GET", host, "/asr_jobs").content
    for document in (notification, listed):
        assert b"<FinalSentence>first part&#11;second part</FinalSentence>" in document
        assert b"]  first part&#11;second part</Result>" in document
        with pytest.raises(XmlError):
            parse(document)
    (job,) = json.loads(run("JSON"))["JobsDetail"]
    detail = job["Operation"]["SpeechRecognitionResult"]["ResultDetail"][0]
    assert detail["FinalSentence"] == SENTENCE
    assert SENTENCE.encode() in raw.send("GET", cloud.bucket_host(speech_bucket), "/out.txt").content


def test_only_recognised_text_keeps_control_characters() -> None:
    assert b"<a>x&#11;y&amp;#11;&#27;</a>" in serialize(recognised_node("a", "x\x0by&#11;\x1b"))
    assert parse(serialize(node("a", "x\x0by"))).text == "x\ufffdy"
    assert parse(serialize(recognised_node("a", "x\ufffe<\r>"))).text == "x\ufffd<\r>"
