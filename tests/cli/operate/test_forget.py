"""`scribe forget` leaves nothing of a recording, and touches nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.errors import OperatorError
from cli.operate.cost import FORGOTTEN_FOLDER, read_costs
from cli.operate.pages import load_page, page_path, save_page
from cli.operate.stored import Selector
from shared.recordings.index import forgotten_key, get_month, is_forgotten
from shared.recordings.models import Status
from shared.recordings.receipt import Recording
from tests.helpers.fake_cloud import INPUT_BUCKET, NOT_AUDIO, OUTPUT_BUCKET
from tests.helpers.fakes import build_test_settings
from tests.helpers.forgotten import (
    KEY,
    LATER_WORDS,
    NAME,
    NAMINGS,
    NEIGHBOURS,
    STEM,
    WORDS,
    ForgottenPipeline,
    fill,
    find_traces,
)
from tests.helpers.operate import build_workspace


@pytest.mark.parametrize("naming", NAMINGS)
@pytest.mark.parametrize("output_bucket", [OUTPUT_BUCKET, ""])
def test_nothing_is_left_and_neighbours_keep_everything(naming: str, output_bucket: str) -> None:
    pipeline, key, neighbours = fill(naming, output_bucket=output_bucket)
    assert find_traces(pipeline.stored, "zebra") != []
    assert pipeline.forget(key), pipeline.printed
    assert pipeline.list_left(neighbours) == []
    assert find_traces(pipeline.stored, "zebra") == []
    assert set(neighbours.items()) - set(pipeline.stored.items()) == set()
    assert key in pipeline.cloud.buckets[INPUT_BUCKET]


def test_no_object_has_the_name_of_a_recording_without_neighbours() -> None:
    pipeline = ForgottenPipeline(output_names="short")
    pipeline.transcribe_everything(KEY)
    assert len(find_traces(pipeline.stored, NAME)) > 20
    assert pipeline.forget(KEY)
    assert find_traces(pipeline.stored, NAME, "王", "zebra") == []
    names = {"/".join(name.split("/")[1:3]) for name in pipeline.stored}
    assert names == {"index/finished", "index/forgotten", f"claim/{INPUT_BUCKET}"}


def test_recording_and_sidecar_go_too_if_asked_and_leave_no_mark() -> None:
    pipeline, key, neighbours = fill()
    pipeline.upload(f"{key}.scribe.json", b"{}")
    assert pipeline.forget(key)
    pipeline.cloud.clock.advance(60)
    assert pipeline.list_keys(".scribe/index/forgotten/") != []
    assert pipeline.forget(key, with_recording=True), pipeline.printed
    assert pipeline.list_keys(".scribe/index/forgotten/") == []
    assert set(pipeline.list_keys("calls/", INPUT_BUCKET)) == {
        name for name in NEIGHBOURS if "calls/" in name
    }
    assert pipeline.list_left(neighbours) == []


def test_sidecar_of_a_recording_that_stays_stays() -> None:
    pipeline, key, _ = fill()
    pipeline.upload(f"{key}.scribe.json", b"{}")
    assert pipeline.forget(key)
    assert f"{key}.scribe.json" in pipeline.cloud.buckets[INPUT_BUCKET]


def test_forgotten_recording_is_marked_and_transcribed_again_by_an_upload_only() -> None:
    pipeline, key, _ = fill()
    jobs = pipeline.count_jobs()
    assert pipeline.forget(key)
    stored = pipeline.cloud.buckets[INPUT_BUCKET][key]
    assert is_forgotten(
        pipeline.ctx, Recording(INPUT_BUCKET, key, stored.etag, stored.size), stored.modified_s
    )
    pipeline.begin()
    pipeline.sweep_when_due()
    pipeline.audit_when_due()
    assert pipeline.count_jobs() == jobs
    pipeline.transcribe(key, LATER_WORDS)
    assert pipeline.count_jobs() == jobs + 1
    assert pipeline.get_text(key) == LATER_WORDS.decode()


def test_costs_stay_right_without_the_name() -> None:
    pipeline, key, _ = fill()
    month = get_month(pipeline.ctx.now())
    before = read_costs(build_workspace(pipeline), month)
    assert pipeline.forget(key)
    after = read_costs(build_workspace(pipeline), month)
    assert after.total == before.total
    assert [(row.folder, row.recordings) for row in after.rows] == [
        (FORGOTTEN_FOLDER, 2),
        ("calls", 4),
        ("other", 1),
    ]


@pytest.mark.parametrize(
    "argument", ["calls", "calls/geheim", STEM[:-1], f"{STEM}.mp", "calls/g/", "x/", "*"]
)
def test_what_only_begins_alike_is_unknown(argument: str) -> None:
    pipeline, _, _ = fill()
    before = pipeline.stored
    with pytest.raises(OperatorError, match=r"is unknown|nothing of any recording|is not a recording"):
        pipeline.forget(argument)
    assert pipeline.stored == before


PARTS, ENDS = (
    st.text("ab/.~é ", min_size=1, max_size=6),
    st.sampled_from(["y.mp3", "y.m4a", "y", "y.mp3.mp3"]),
)
NAMES = st.builds("x{}{}".format, PARTS, ENDS).filter(
    lambda key: build_test_settings().has_recording_extension(key) is not False
)
KEYS = st.lists(NAMES, min_size=1, max_size=6, unique=True)


@given(KEYS, st.data())
@settings(max_examples=50, deadline=None)
def test_selection_never_touches_neighbours(keys: list[str], data: st.DataObject) -> None:
    pipeline = ForgottenPipeline(formats=("txt",), output_names=data.draw(st.sampled_from(["full", "short"])))
    for number, key in enumerate(keys):
        pipeline.transcribe(key, f"words {number}".encode())
    folders = sorted({key[: place + 1] for key in keys for place, each in enumerate(key) if each == "/"})
    argument = data.draw(st.sampled_from([*keys, *folders]))
    selector = Selector.parse(argument)
    assert pipeline.forget(argument), pipeline.printed
    for key in keys:
        traces = find_traces(pipeline.stored, f'"key": "{key}"')
        assert (traces == []) is selector.matches(key)
    texts = sorted(body.decode().strip() for name, body in pipeline.stored.items() if name.endswith(".txt"))
    assert texts == [f"words {number}" for number, key in enumerate(keys) if not selector.matches(key)]
    statuses = [pipeline.ingest(key).status for key in keys if not selector.matches(key)]
    assert set(statuses) <= {Status.ALREADY_DONE}


def test_everything_below_a_folder_goes_also_what_no_receipt_explains() -> None:
    pipeline, _, _ = fill("short")
    outside = {name: body for name, body in pipeline.stored.items() if f"other/{NAME}" in name}
    for name in pipeline.list_keys(f".scribe/done/{INPUT_BUCKET}/calls-2Fgeheim-2E"):
        del pipeline.cloud.buckets[OUTPUT_BUCKET][name]
    assert pipeline.forget("calls/"), pipeline.printed
    assert outside.keys() <= pipeline.stored.keys()
    assert find_traces(pipeline.stored, "calls/", "zebra") == []
    assert pipeline.get_output("calls/geheim.mp3", "txt") is None


def test_file_of_a_user_below_the_transcripts_stays() -> None:
    pipeline, key, _ = fill()
    names = [
        f"transcripts/{key}.txt",
        f"transcripts/{key}.notes.txt",
        "transcripts/calls/own.json",
        "transcripts/calls/",
    ]
    for name in names:
        pipeline.cloud.put_object(OUTPUT_BUCKET, name, b"the user's own")
    for argument in (key, "calls/"):
        assert pipeline.forget(argument)
        assert {name: pipeline.stored.get(name) for name in names} == dict.fromkeys(names, b"the user's own")


def test_outputs_of_other_buckets_settings_go_only_with_the_job_of_the_recording() -> None:
    pipeline, key, _ = fill()
    other = f"transcripts/{INPUT_BUCKET}/{key}"
    objects = pipeline.cloud.buckets[OUTPUT_BUCKET]
    objects[f"{other}.json"] = objects[f"transcripts/{key}.json"]
    objects[f"{other}.error.json"] = objects[f"transcripts/{key}.error.json"]
    foreign = objects[f"transcripts/{key}.txt"]._replace(metadata={"scribe-output": "transcript s999"})
    objects[f"{other}.txt"] = foreign
    assert pipeline.forget(key)
    assert [name for name in pipeline.stored if name.startswith(other)] == [f"{other}.txt"]


@pytest.mark.parametrize("key", ["calls/" + "x" * 400 + ".mp3", "会" * 270 + ".mp3"])
def test_long_keys_are_distinguished_by_their_receipts(key: str) -> None:
    pipeline = ForgottenPipeline()
    neighbour = key.replace(".mp3", "y.mp3")
    pipeline.transcribe(neighbour, b"other words")
    before = pipeline.stored
    pipeline.transcribe_everything(key)
    assert pipeline.forget(key), pipeline.printed
    assert pipeline.list_left(before) == []
    assert before.items() <= pipeline.stored.items()


def test_page_on_this_machine_goes_too(tmp_path: Path) -> None:
    pipeline = ForgottenPipeline(pages=tmp_path)
    for key in (KEY, f"{KEY}.mp3"):
        pipeline.transcribe(key, WORDS)
        save_page(tmp_path, load_page(build_workspace(pipeline), INPUT_BUCKET, key, 60))
    assert pipeline.forget(KEY)
    assert list(tmp_path.iterdir()) == [page_path(tmp_path, INPUT_BUCKET, f"{KEY}.mp3")]


def test_notice_that_a_sweep_stores_again_is_found_by_the_next_round() -> None:
    pipeline, key, neighbours = fill(formats=("txt", "html"))
    stored = pipeline.cloud.buckets[OUTPUT_BUCKET]
    name, body = next(
        (name, body) for name, body in pipeline.stored.items() if "-msg_" in name and NAME.encode() in body
    )
    moved = name.replace("0000000000-", "1999999999-")
    pipeline.cloud.after(
        "DELETE",
        "-msg_",
        lambda: (
            stored.__setitem__(moved, stored[moved]._replace())
            if moved in stored
            else pipeline.cloud.put_object(OUTPUT_BUCKET, moved, body)
        ),
    )
    assert pipeline.forget(key), pipeline.printed
    assert pipeline.list_left(neighbours) == []


def test_damaged_notice_and_receipt_go_by_their_names() -> None:
    pipeline, key, neighbours = fill(formats=("txt", "json", "html"))
    for name, body in pipeline.stored.items():
        if name not in neighbours and ("-msg_" in name or "/done/" in name):
            damaged = body.replace(b'"version"', b'"x"').replace(b'"etag"', b'"y"')
            pipeline.cloud.put_object(OUTPUT_BUCKET, name, damaged)
    assert pipeline.forget(key), pipeline.printed
    assert pipeline.list_left(neighbours) == []


def test_failed_recording_leaves_nothing() -> None:
    pipeline = ForgottenPipeline()
    pipeline.transcribe(KEY, NOT_AUDIO)
    assert pipeline.get_error(KEY) is not None
    assert pipeline.forget(KEY)
    assert find_traces(pipeline.stored, NAME) == []


def test_archived_recording_leaves_nothing() -> None:
    pipeline = ForgottenPipeline()
    pipeline.upload(KEY, WORDS)
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, storage="ARCHIVE")
    pipeline.ingest(KEY)
    assert len(find_traces(pipeline.stored, NAME)) >= 2
    assert pipeline.forget(KEY)
    assert find_traces(pipeline.stored, NAME) == []


def test_recording_that_is_gone_needs_no_mark() -> None:
    pipeline, key, _ = fill()
    pipeline.delete(key)
    assert pipeline.forget(key)
    assert pipeline.list_keys(".scribe/index/forgotten/") == []


def test_mark_has_no_name() -> None:
    recording = Recording(INPUT_BUCKET, KEY, "etag", 1)
    assert find_traces({forgotten_key(ForgottenPipeline().ctx.settings, recording): b""}, NAME) == []
