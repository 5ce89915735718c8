"""`scribe forget` leaves nothing of a recording, and touches nothing else, wherever it is killed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.errors import OperatorError
from cli.operate.cost import FORGOTTEN_FOLDER, read_costs
from cli.operate.pages import load_page, page_path, save_page
from cli.operate.stored import Selector
from shared.errors import OutcomeUnknown, RequestRejected, Throttled
from shared.recordings.index import forgotten_key, get_month, is_forgotten
from shared.recordings.models import Status
from shared.recordings.receipt import Recording
from tests.helpers.fake_cloud import INPUT_BUCKET, NOT_AUDIO, OUTPUT_BUCKET, Killed, raise_error
from tests.helpers.fakes import build_test_settings
from tests.helpers.forgotten import (
    KEY,
    LATER_WORDS,
    NAME,
    NEIGHBOURS,
    STEM,
    WORDS,
    ForgottenPipeline,
    find_traces,
)
from tests.helpers.in_memory_pipeline import DUE_S
from tests.helpers.operate import build_workspace

LONG_KEY = STEM + "x" * 300
NAMINGS = {
    "full": ("full", (), KEY),
    "short": ("short", (), KEY),
    "distinct": ("short", (KEY,), STEM),  # a recording without an extension, whose name is that of another
    "full, without an extension": ("full", (), STEM),
    "full, beside a short one": ("short", (KEY,), f"{STEM}.m4a"),
    "long": ("full", (f"{LONG_KEY}.m4a",), f"{LONG_KEY}.mp3"),
}


def fill(naming: str = "full", **options: Any) -> tuple[ForgottenPipeline, str, dict[str, bytes]]:
    """Return a pipeline with a recording that left everything, its key, and what there is of its neighbours."""
    output_names, first, key = NAMINGS[naming]
    pipeline = ForgottenPipeline(output_names=output_names, **options)
    for neighbour in first:
        pipeline.transcribe(neighbour, f"other words of {neighbour}".encode())
    before = pipeline.stored
    pipeline.transcribe_everything(key)
    own = set(pipeline.stored) - set(before)
    for neighbour in (each for each in NEIGHBOURS if each != key):
        pipeline.transcribe(neighbour, f"other words of {neighbour}".encode())
    neighbours = {name: body for name, body in pipeline.stored.items() if name not in own}
    pipeline.take_requests()
    return pipeline, key, neighbours


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
    assert is_forgotten(pipeline.ctx, Recording(INPUT_BUCKET, key, stored.etag, stored.size))
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
    "argument", ["calls", "calls/geheim", STEM[:-1], f"{STEM}.mp", "calls/g/", "alls/", "*"]
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
def test_long_keys_are_told_apart_by_their_receipts(key: str) -> None:
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


def test_recording_with_a_job_in_flight_is_refused_and_others_go() -> None:
    pipeline = ForgottenPipeline()
    pipeline.transcribe("calls/b.mp3", b"zebra b")
    pipeline.begin()
    pipeline.upload_and_ingest(KEY, WORDS)
    assert not pipeline.forget("calls/")
    assert f"{INPUT_BUCKET}/{KEY}: its job s2 is in flight" in pipeline.printed
    assert "1 forgotten" in pipeline.printed
    assert pipeline.get_output("calls/b.mp3", "txt") is None
    pipeline.run_and_notify()
    assert pipeline.get_text(KEY) == WORDS.decode()
    assert pipeline.forget("calls/")
    assert find_traces(pipeline.stored, "calls/", "zebra") == []


def test_attempt_that_has_begun_is_refused() -> None:
    pipeline = ForgottenPipeline()
    pipeline.upload(KEY, WORDS)
    pipeline.put_open(pipeline.build_receipt(KEY, WORDS))
    assert not pipeline.forget(KEY)
    assert "an attempt to submit it has begun" in pipeline.printed


def test_job_that_runs_after_its_recording_was_given_up_is_refused() -> None:
    pipeline = ForgottenPipeline()
    pipeline.upload_and_ingest(KEY, WORDS)
    pipeline.cloud.clock.advance(90_000)
    pipeline.begin()
    pipeline.sweep()
    assert pipeline.get_done().outcome == "failed"
    assert not pipeline.forget(KEY)
    assert "its job s1 still runs" in pipeline.printed
    pipeline.cloud.end_job("s1")
    assert pipeline.forget(KEY)


def test_deferred_recording_is_forgotten_and_never_submitted() -> None:
    pipeline = ForgottenPipeline()
    pipeline.upload(KEY, WORDS)
    pipeline.put_open(pipeline.build_receipt(KEY, WORDS).defer(pipeline.cloud.clock.now()))
    assert pipeline.forget(KEY), pipeline.printed
    assert pipeline.list_left({}) == []
    pipeline.sweep_when_due()
    assert pipeline.count_jobs() == 0


@pytest.mark.parametrize("is_versioned", [False, True])
@pytest.mark.parametrize("number", range(60))
def test_sweep_at_any_moment_submits_before_or_not_at_all(number: int, *, is_versioned: bool) -> None:
    pipeline = ForgottenPipeline(formats=("txt",))
    if is_versioned:
        pipeline.cloud.versioned.add(OUTPUT_BUCKET)
    pipeline.upload(KEY, WORDS)
    pipeline.put_open(pipeline.build_receipt(KEY, WORDS).defer(pipeline.cloud.clock.now()))
    pipeline.cloud.clock.advance(DUE_S)
    other = ForgottenPipeline.__new__(ForgottenPipeline)
    other.__dict__.update(pipeline.__dict__)
    pipeline.cloud.before("", "", other.sweep, skip=number)
    is_forgotten_now = pipeline.forget(KEY)
    pipeline.cloud.clear_hooks()
    pipeline.cloud.clock.advance(DUE_S)
    pipeline.begin()
    pipeline.settle()
    assert is_forgotten_now is (pipeline.count_jobs() == 0)
    assert (pipeline.list_left({}) == []) is is_forgotten_now


def test_claim_of_a_receipt_that_a_sweep_changed_before_does_not_count() -> None:
    pipeline = ForgottenPipeline(formats=("txt",))
    pipeline.upload(KEY, WORDS)
    pipeline.put_open(pipeline.build_receipt(KEY, WORDS).defer(pipeline.cloud.clock.now()))
    pipeline.cloud.clock.advance(DUE_S)
    other = ForgottenPipeline.__new__(ForgottenPipeline)
    other.__dict__.update(pipeline.__dict__)
    # The first sweep is told to wait, and leaves the next attempt to the second one.
    pipeline.cloud.before("POST", "", raise_error(Throttled(resource="queue", status=429)))
    pipeline.cloud.before("PUT", "claim/", other.sweep)
    pipeline.cloud.before("DELETE", "open/", other.sweep_when_due)
    assert not pipeline.forget(KEY)
    pipeline.begin()
    pipeline.settle()
    assert pipeline.get_text(KEY) == WORDS.decode()


def count_requests(naming: str, *, with_recording: bool) -> int:
    pipeline, key, _ = fill(naming, formats=("txt", "html"))
    assert pipeline.forget(key, with_recording=with_recording)
    return len(pipeline.take_requests())


@pytest.mark.parametrize(("naming", "with_recording"), [("short", False), ("full", True), ("long", False)])
def test_killed_at_any_request_the_same_command_ends_clean(naming: str, *, with_recording: bool) -> None:
    total = count_requests(naming, with_recording=with_recording)
    assert total > 40
    for number in range(total):
        pipeline, key, neighbours = fill(naming, formats=("txt", "html"))
        month = get_month(pipeline.ctx.now())
        costs = read_costs(build_workspace(pipeline), month).total
        # Every request from this one on: those of the other threads die with the process.
        pipeline.cloud.before("", "", raise_error(Killed()), skip=number, times=10_000)
        with pytest.raises(Killed):
            pipeline.forget(key, with_recording=with_recording)
        pipeline.cloud.clear_hooks()
        is_gone = key not in pipeline.cloud.buckets[INPUT_BUCKET] and pipeline.list_left(neighbours) == []
        if not is_gone:
            assert pipeline.forget(key, with_recording=with_recording), pipeline.printed
        assert pipeline.list_left(neighbours) == []
        assert neighbours.items() <= pipeline.stored.items()
        assert read_costs(build_workspace(pipeline), month).total == costs
        assert (key in pipeline.cloud.buckets[INPUT_BUCKET]) is not with_recording
        assert pipeline.list_keys(".scribe/index/forgotten/") == [] or not with_recording


@pytest.mark.parametrize("number", range(0, 60, 3))
def test_error_of_the_cloud_says_what_to_do_and_the_same_command_goes_on(number: int) -> None:
    pipeline, key, neighbours = fill(formats=("txt", "html"))
    error = OutcomeUnknown(resource="transcripts", status=500, code="InternalError")
    pipeline.cloud.before("DELETE", "", raise_error(error), skip=number)
    is_done = pipeline.forget(key)
    if not is_done:
        assert "InternalError" in pipeline.printed
    pipeline.cloud.clear_hooks()
    assert pipeline.forget(key)
    assert pipeline.list_left(neighbours) == []


def test_denied_key_is_told_which_permissions_it_needs() -> None:
    pipeline, key, _ = fill()
    error = RequestRejected(resource="transcripts", status=403, code="AccessDenied")
    pipeline.cloud.before("DELETE", "", raise_error(error), times=1000)
    assert not pipeline.forget(key)
    assert "scribe policy operator" in pipeline.printed


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
    pipeline, key, neighbours = fill(formats=("txt", "html"))
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
        "unknown": [],
        "old_versions_stay_in": [],
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


def test_unknown_key_names_what_is_close_to_it() -> None:
    pipeline, _, _ = fill()
    with pytest.raises(OperatorError) as caught:
        pipeline.forget("calls/geheimm.mp3")
    message = str(caught.value)
    assert message.startswith(f"{INPUT_BUCKET}/calls/geheimm.mp3 is unknown")
    assert "Close to it: calls/geheim.mp3" in message
    assert not pipeline.forget("calls/geheimm.mp3", "calls/geheim.mp3")
    assert "calls/geheimm.mp3 is unknown" in pipeline.printed
    assert "1 forgotten" in pipeline.printed


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
