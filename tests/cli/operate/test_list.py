"""`scribe list`: the table on a terminal and in a file, JSON, what is left out, and problems."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from rich.cells import cell_len

from cli.config import CliContext
from cli.errors import OperatorError
from cli.operate.list_command import ListCommand, ListOptions, list_recordings
from cli.operate.times import parse_bound_s
from shared.errors import OutcomeUnknown
from tests.helpers.explain import ExplainFolder, find_controls
from tests.helpers.fake_cloud import INPUT_BUCKET, NOT_AUDIO, FakeCloud, raise_error
from tests.helpers.operate import OperatedPipeline, Terminal

OTHER_BUCKET = "calls-1250000000"


def run(
    pipeline: OperatedPipeline, terminal: Terminal | None = None, **options: Any
) -> tuple[bool, Terminal]:
    """Run the command. Return whether it succeeded, and what it printed."""
    terminal = terminal or Terminal()
    consoles = terminal.create_console(), terminal.create_console(stderr=True)
    command = ListCommand(*consoles, pipeline.open_workspace(), ListOptions(**options))
    return command.run(), terminal


TABLE = """\
STATE    SINCE (UTC)          MIN  KEY
open     2026-11-10 08:43          calls/open.mp3    job s3 was submitted
waiting  2026-11-10 08:42          archive/old.mp3   The recording is in an archive and cannot be read \
before it is restored
failed   2026-11-10 08:41          calls/broken.mp3  The speech service could not recognise this recording \
(FailedOperation.Unlisted)
done     2026-11-10 08:40     1.5  calls/完成.mp3
1 open, 1 waiting, 1 failed, 1 done. `scribe why KEY` says more about one.
"""

TABLE_ON_TERMINAL = """\
STATE    SINCE (UTC)          MIN  KEY
open     2026-11-10 08:43          calls/open.mp3
         job s3 was submitted
waiting  2026-11-10 08:42          archive/old.mp3
         The recording is in an archive and cannot be read before it is restored
failed   2026-11-10 08:41          calls/broken.mp3
         The speech service could not recognise this recording
         (FailedOperation.Unlisted)
done     2026-11-10 08:40     1.5  calls/完成.mp3
1 open, 1 waiting, 1 failed, 1 done. `scribe why KEY` says more about one.
"""


def test_table_has_one_line_for_each_recording() -> None:
    passed, terminal = run(OperatedPipeline.create_mixed())
    assert (passed, terminal.output, terminal.errors) == (True, TABLE, "")


def test_table_on_a_terminal_is_coloured_and_fits_on_80_columns() -> None:
    _, terminal = run(OperatedPipeline.create_mixed(), Terminal(with_colours=True))
    colour = re.compile(r"\x1b\[[0-9;]*m")
    text = colour.sub("", terminal.output)
    assert text == TABLE_ON_TERMINAL
    assert all(cell_len(line) <= 80 for line in text.splitlines())
    assert "\x1b[31mfailed" in terminal.output
    assert "\x1b[32mdone" in terminal.output


def test_notes_are_aligned_after_chinese_names() -> None:
    pipeline = OperatedPipeline()
    for key in ("会议/周会记录.mp3", "a.mp3"):
        pipeline.upload_and_ingest(key, key.encode())
    _, terminal = run(pipeline)
    lines = [line for line in terminal.output.splitlines() if "job" in line]
    assert len({cell_len(line[: line.index("job")]) for line in lines}) == 1


def test_hostile_names_do_not_reach_the_terminal() -> None:
    pipeline = OperatedPipeline()
    key = "in/\x1b]0;owned\x07\u202e\n.mp3"
    pipeline.upload_and_ingest(key, b"text")
    pipeline.upload_and_ingest("ok.mp3", b"text")
    for as_json in (False, True):
        _, terminal = run(pipeline, as_json=as_json)
        assert find_controls(terminal.output) == []
        assert "owned" in terminal.output
    _, terminal = run(pipeline)
    assert len(terminal.output.splitlines()) == 4
    _, terminal = run(pipeline, prefix="none\x1b[31m")
    assert find_controls(terminal.output) == []


def test_json_is_an_array_with_every_member() -> None:
    pipeline = OperatedPipeline.create_mixed()
    passed, terminal = run(pipeline, as_json=True)
    assert passed
    assert [(row["state"], row["key"]) for row in terminal.document] == [
        ("open", "calls/open.mp3"),
        ("waiting", "archive/old.mp3"),
        ("failed", "calls/broken.mp3"),
        ("done", "calls/完成.mp3"),
    ]
    assert len({tuple(row) for row in terminal.document}) == 1
    assert [row["size"] for row in terminal.document] == [4, 3, 9, 4]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"prefix": "none/"}, "Scribe knows no recording with a key that begins with none/."),
        (
            {"state": "done", "prefix": "calls/o"},
            "Scribe knows no recording with the state done, with a key that begins with",
        ),
        (
            {"bucket": INPUT_BUCKET, "prefix": "x"},
            f"Scribe knows no recording with a key that begins with x, in {INPUT_BUCKET}.",
        ),
        ({"since_s": 1_794_400_000.0}, "Scribe knows no recording since 2026-11-11T12:26:40Z."),
    ],
)
def test_nothing_that_matches_is_one_line_and_no_error(options: dict[str, Any], text: str) -> None:
    pipeline = OperatedPipeline.create_mixed()
    passed, terminal = run(pipeline, Terminal(width=200), **options)
    assert passed
    assert terminal.output.startswith(text)
    assert len(terminal.output.splitlines()) == 1
    passed, terminal = run(pipeline, as_json=True, **options)
    assert (passed, terminal.document) == (True, [])


def test_empty_deployment_is_no_error() -> None:
    output = run(OperatedPipeline(), Terminal(width=200))[1].output
    assert output == (
        "Scribe knows no recording yet. `scribe backfill` looks into the bucket, and changes nothing.\n"
    )


def test_unknown_bucket_is_one_line() -> None:
    with pytest.raises(OperatorError, match=f"^others-1 is not in INPUT_BUCKETS, which has {INPUT_BUCKET}$"):
        run(OperatedPipeline(), bucket="others-1")


def test_last_line_says_what_was_left_out() -> None:
    pipeline = OperatedPipeline()
    for number in range(3):
        pipeline.transcribe(f"{number}.mp3", b"%d" % number)
        pipeline.cloud.clock.advance(60)
    _, terminal = run(pipeline, limit=2)
    assert terminal.output.splitlines()[-1] == (
        "2 done. Older ones that are done were left out: --limit 20 shows more."
    )
    pipeline.drop_index()
    pipeline.cloud.page_size = 1
    _, terminal = run(pipeline, Terminal(width=200), state="failed")
    assert terminal.output == (
        "Scribe knows no recording with the state failed. Only what failed or was done since this version is in the "
        "index: a PREFIX or --bucket finds what was before.\n"
    )


def test_minutes_that_are_not_known_are_a_dash() -> None:
    pipeline = OperatedPipeline()
    pipeline.transcribe("a.mp3", b"a")
    pipeline.drop_index()
    _, terminal = run(pipeline)
    assert "done     2026-11-10 08:40       -  a.mp3\n" in terminal.output
    assert run(pipeline, as_json=True)[1].document[0]["minutes"] is None


def test_several_buckets_have_a_column_and_one_that_cannot_be_read_is_named() -> None:
    cloud = FakeCloud()
    cloud.buckets[OTHER_BUCKET] = {}
    pipeline = OperatedPipeline(cloud, output_bucket="", input_buckets=(INPUT_BUCKET, OTHER_BUCKET))
    pipeline.upload_and_ingest("a.mp3", b"a")
    passed, terminal = run(pipeline)
    assert passed
    assert terminal.output.splitlines()[:2] == [
        "STATE    SINCE (UTC)          MIN  BUCKET                 KEY",
        "open     2026-11-10 08:40          recordings-1250000000  a.mp3  job s1 was submitted",
    ]
    cloud.regions[OTHER_BUCKET] = "ap-beijing"
    for as_json in (False, True):
        passed, terminal = run(pipeline, as_json=as_json)
        assert not passed
        assert "a.mp3" in terminal.output
        assert (
            terminal.errors
            == f"scribe: {OTHER_BUCKET} is not in this list: {OTHER_BUCKET}: 404 NoSuchBucket\n"
        )
    with pytest.raises(OperatorError, match=f"^{OTHER_BUCKET}: 404 NoSuchBucket. Nothing was listed$"):
        run(pipeline, bucket=OTHER_BUCKET)


def test_cloud_that_is_gone_in_the_middle_is_one_line() -> None:
    pipeline = OperatedPipeline.create_mixed()
    gone = OutcomeUnknown(resource="transcripts-1250000000/", message="the connection was closed")
    pipeline.cloud.before("GET", "/open/", raise_error(gone), times=9)
    with pytest.raises(OperatorError, match=r"no response: the connection was closed\. Nothing was listed$"):
        run(pipeline)


class _Sleep:
    """Runs one action for each pause; after the last, Ctrl-C."""

    def __init__(self, *actions: Any) -> None:
        self._actions = list(actions)

    def __call__(self, seconds: float) -> None:
        if not self._actions:
            raise KeyboardInterrupt
        self._actions.pop(0)()


def watch(pipeline: OperatedPipeline, *actions: Any, **options: Any) -> tuple[list[str], str]:
    """Watch while these things happen, one in each pause. Return the lines about changes, and the errors."""
    terminal = Terminal()
    consoles = terminal.create_console(), terminal.create_console(stderr=True)
    command = ListCommand(*consoles, pipeline.open_workspace(), ListOptions(watch=True, **options))
    command.run()
    start = len(terminal.output)
    with pytest.raises(KeyboardInterrupt):
        command.watch(_Sleep(*actions))
    return terminal.output[start:].splitlines(), terminal.errors


def finish(pipeline: OperatedPipeline) -> None:
    pipeline.run_and_notify()
    pipeline.write_index()


def test_watch_prints_one_line_for_each_change() -> None:
    pipeline = OperatedPipeline.create_mixed()

    def upload() -> None:
        pipeline.upload_and_ingest("new.mp3", b"new")
        pipeline.upload_and_ingest("bad.mp3", NOT_AUDIO)

    lines, errors = watch(pipeline, lambda: None, upload, lambda: None, lambda: finish(pipeline))
    assert (lines, errors) == (
        [
            "open     2026-11-10 08:43          bad.mp3  job s5 was submitted",
            "open     2026-11-10 08:43          new.mp3  job s4 was submitted",
            "done     2026-11-10 08:43     1.5  calls/open.mp3",
            "done     2026-11-10 08:43     1.5  new.mp3",
            (
                "failed   2026-11-10 08:43          bad.mp3  The speech service could not recognise this recording "
                "(FailedOperation.Unlisted)"
            ),
        ],
        "",
    )


def test_watch_of_one_state_prints_what_leaves_it() -> None:
    pipeline = OperatedPipeline.create_mixed()
    lines, _ = watch(pipeline, lambda: finish(pipeline), state="open")
    assert lines == ["done     2026-11-10 08:43     1.5  calls/open.mp3"]
    lines, _ = watch(pipeline, lambda: pipeline.upload_and_ingest("x.mp3", b"x"), state="failed")
    assert lines == []


@pytest.mark.parametrize("prefix", ["", "calls/"])
def test_watch_asks_for_what_changed_only(prefix: str) -> None:
    pipeline = OperatedPipeline.create_mixed()
    counts: list[tuple[int, int]] = []

    def count() -> None:
        requests = pipeline.take_requests()
        counts.append((len(requests), sum(request.method == "LIST" for request in requests)))

    def upload() -> None:
        count()
        pipeline.upload_and_ingest("calls/new.mp3", b"new")
        pipeline.take_requests()

    lines, _ = watch(pipeline, count, count, upload, count, prefix=prefix)
    assert lines == ["open     2026-11-10 08:43          calls/new.mp3  job s4 was submitted"]
    assert counts[2:] == [(4, 4), (5, 4)]  # the first poll reads once what failed


def test_watch_says_what_is_gone() -> None:
    pipeline = OperatedPipeline.create_mixed()
    open_key = f".scribe/open/{pipeline.get_open().id}"
    lines, _ = watch(pipeline, lambda: pipeline.cloud.buckets["transcripts-1250000000"].pop(open_key))
    assert lines == ["gone     2026-11-10 08:43          calls/open.mp3  its receipt is not there any more"]


def test_watch_goes_on_after_an_error_which_it_reports_once() -> None:
    pipeline = OperatedPipeline.create_mixed()
    gone = OutcomeUnknown(resource="transcripts-1250000000/", message="the connection was closed")

    def break_cloud() -> None:
        pipeline.cloud.before("LIST", "", raise_error(gone), times=2)

    lines, errors = watch(pipeline, break_cloud, lambda: None, lambda: finish(pipeline))
    assert lines == ["done     2026-11-10 08:43     1.5  calls/open.mp3"]
    assert errors == (
        "scribe: transcripts-1250000000/: no response: the connection was closed. It is tried again\n"
    )


def test_watch_for_programs_is_one_object_a_line() -> None:
    pipeline = OperatedPipeline.create_mixed()
    lines, _ = watch(pipeline, lambda: finish(pipeline), as_json=True)
    (row,) = map(json.loads, lines)
    assert (row["state"], row["key"], row["job_id"]) == ("done", "calls/open.mp3", "s3")


def test_since_is_a_time_or_how_long_ago() -> None:
    assert parse_bound_s("", 100.0) == 0
    assert parse_bound_s("30s", 100.0) == 70
    with pytest.raises(ValueError, match="no time"):
        parse_bound_s("soon", 100.0)


def test_wrong_settings_are_named_before_any_request(tmp_path: Any) -> None:
    folder = ExplainFolder(tmp_path, ENGINE="16k zh")
    context = CliContext(tmp_path, tmp_path / "none.env", folder.config, tmp_path)
    with pytest.raises(Exception, match="ENGINE"):
        list_recordings(Terminal().create_console(), context, ListOptions())
