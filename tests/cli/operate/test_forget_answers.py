"""What `scribe forget` prints: each object before it asks, what was deleted, and what is wrong with an argument."""

from __future__ import annotations

import json

import pytest

from cli.errors import OperatorError
from shared.errors import RequestRejected
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET, raise_error
from tests.helpers.forgotten import (
    WORDS,
    ForgottenPipeline,
    fill,
)


def test_every_object_is_listed_before_the_question() -> None:
    pipeline, key, neighbours = fill()
    before = pipeline.stored
    asked: list[str] = []

    def refuse(question: str) -> bool:
        asked.append(question)
        return False

    assert not pipeline.forget(key, confirm=refuse)
    assert pipeline.stored == before
    (question,) = asked
    assert question.startswith(
        "The recordings stay, and are transcribed again only if they are uploaded again. Delete"
    )
    own = pipeline.list_left(neighbours)
    assert [name for name in own if f"{OUTPUT_BUCKET}/{name}" not in pipeline.printed] == []
    assert [name for name in neighbours if f"{OUTPUT_BUCKET}/{name}\n" in pipeline.printed] == []
    assert "Nothing was changed." in pipeline.printed


def test_json_says_what_was_deleted() -> None:
    pipeline, key, _ = fill()
    assert pipeline.forget(key, "calls/geheim.mp3", as_json=True)
    document = json.loads(pipeline.printed)
    objects = [document["recordings"][number].pop("objects") for number in range(2)]
    assert {"bucket": OUTPUT_BUCKET, "key": f"transcripts/{key}.json", "kind": "transcript"} in objects[1]
    assert document == {
        "recordings": [
            {"bucket": INPUT_BUCKET, "key": name, "status": "forgotten", "reason": ""}
            for name in ("calls/geheim.mp3", key)
        ],
        "unexplained": [],
        "old_versions_stay_in": [],
        "versioning_unknown_in": [],
        "forgotten": 2,
        "in_flight": 0,
        "error": 0,
        "nothing": 0,
    }


def test_old_versions_are_not_called_gone() -> None:
    pipeline, key, _ = fill()
    pipeline.cloud.versioned.add(OUTPUT_BUCKET)
    assert pipeline.forget(key)
    assert f"They are NOT gone yet: {OUTPUT_BUCKET} has or had versioning" in pipeline.printed
    assert "lifecycle rule" in pipeline.printed


def test_versioning_that_may_not_be_asked_for_is_not_called_off() -> None:
    pipeline, key, _ = fill()
    denied = RequestRejected(resource=OUTPUT_BUCKET, status=403, code="AccessDenied")
    pipeline.cloud.before("GET", "?versioning", raise_error(denied))
    assert pipeline.forget(key)
    assert f"The key may not ask whether old versions stay in {OUTPUT_BUCKET}." in pipeline.printed
    assert "NOT gone" not in pipeline.printed


def test_unknown_key_names_what_is_close_to_it() -> None:
    pipeline, _, _ = fill()
    with pytest.raises(OperatorError) as caught:
        pipeline.forget("calls/geheimm.mp3")
    message = str(caught.value)
    assert message.startswith(f"nothing was changed: {INPUT_BUCKET}/calls/geheimm.mp3 is unknown")
    assert "Close to it: calls/geheim.mp3" in message


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("keys", [("calls/", "王芳.wav"), ("calls/geheim.mp3", "calls/geheimm.mp3")])
def test_one_unknown_name_of_several_changes_nothing(keys: tuple[str, ...], as_json: bool) -> None:
    pipeline, _, _ = fill()
    before = pipeline.stored
    with pytest.raises(OperatorError, match=f"{keys[1]} is unknown") as caught:
        pipeline.forget(*keys, as_json=as_json)
    assert "a name with spaces needs quotes" in str(caught.value)
    assert pipeline.stored == before


def test_output_is_no_recording() -> None:
    pipeline, key, _ = fill(output_bucket="")
    with pytest.raises(OperatorError, match="is not a recording: an output of Scribe"):
        pipeline.forget(f"transcripts/{key}.json")
    with pytest.raises(OperatorError, match="is not a recording: its extension"):
        pipeline.forget("calls/notes.pdf")


@pytest.mark.parametrize(("argument", "message"), [("", "a KEY is empty"), ("\udcff", "not UTF-8")])
def test_argument_that_is_no_key_is_refused(argument: str, message: str) -> None:
    with pytest.raises(OperatorError, match=message):
        ForgottenPipeline().forget(argument)


def test_second_run_says_that_there_is_nothing() -> None:
    pipeline, key, _ = fill()
    assert pipeline.forget(key)
    assert pipeline.forget(key)
    assert f"{INPUT_BUCKET}/{key}: Scribe has nothing of it" in pipeline.printed
    pipeline.upload("new/a.mp3", b"not transcribed yet")
    assert pipeline.forget("new/")
    assert "nothing of the recordings there" in pipeline.printed


def test_hostile_names_do_nothing_to_the_terminal() -> None:
    pipeline = ForgottenPipeline()
    pipeline.transcribe("calls/[red]a\x1b[31m\u202e.mp3", WORDS)
    assert pipeline.forget("calls/")
    assert pipeline.printed.replace("\n", "").isprintable()
