"""`scribe why KEY`: the whole story of a recording."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console

from cli.config import CliContext
from cli.operate.row import DONE, FAILED, WAITING
from cli.operate.story import Story, tell_story
from cli.operate.story_events import format_bytes
from cli.operate.story_reader import check_key, read_facts
from cli.operate.text import INDENT, print_columns, print_indented, print_line
from cli.operate.times import format_time
from cli.operate.workspace import Workspace, open_workspace
from cli.output import print_json
from shared.errors import CloudError

_STYLES = {DONE: "green", FAILED: "red", WAITING: "yellow"}
_ERROR_MEMBERS = ("code", "cloud_message", "request_id", "job_id", "attempts")


@dataclass(frozen=True, slots=True)
class WhyOptions:
    """The arguments. `bucket` "" is the only one."""

    key: str
    bucket: str = ""
    as_json: bool = False


def why(console: Console, context: CliContext, options: WhyOptions) -> bool:
    """Print the story. Raises OperatorError if the recording is unknown, or the cloud cannot be asked."""
    check_key(options.key)
    return explain_state(console, open_workspace(context), options)


def explain_state(console: Console, workspace: Workspace, options: WhyOptions) -> bool:
    """Read and print the story of one recording. Raises OperatorError."""
    bucket = workspace.choose_bucket(options.bucket)
    try:
        facts = read_facts(workspace, bucket, options.key)
    except CloudError as error:
        raise workspace.advise(error) from None
    story = tell_story(workspace.settings, workspace.commands, facts)
    if options.as_json:
        print_json(console, story.as_json())
    else:
        print_story(console, story, workspace.settings.output_bucket_for(bucket))
    return True


def print_story(console: Console, story: Story, output_bucket: str) -> None:
    """Print a story for people, readable on 80 columns."""
    facts, verdict = story.facts, story.verdict
    print_line(console, facts.key, "bold")
    state = verdict.state.replace("_", " ")
    print_line(console, f"{state}, in {facts.bucket}", _STYLES.get(verdict.state, ""))
    print_indented(console, verdict.summary)
    _print_heading(console, "What happened (UTC)")
    print_columns(console, [(_format_time(at_s), event, detail) for at_s, event, detail in story.events])
    if facts.error:
        _print_heading(console, "The error object")
        for name in ("message", "message_zh", "next_step", "next_step_zh"):
            if text := facts.error.get(name):
                print_indented(console, str(text))
        pairs = [(name, str(facts.error.get(name) or "")) for name in _ERROR_MEMBERS]
        print_columns(console, [pair for pair in pairs if pair[1]])
    if facts.outputs:
        is_own = facts.error or (facts.current and facts.current.place == DONE)
        what = "What is written" if is_own else "What is there of an earlier upload"
        _print_heading(console, f"{what}, in {output_bucket}")
        for item in facts.outputs:
            print_line(console, f"{' ' * INDENT}{item.key}  {format_bytes(item.size)}")
    if facts.unread_notices:
        print_indented(console, f"{facts.unread_notices:,} more open notices were not looked at.")
    _print_heading(console, "What happens next")
    at = format_time(verdict.at_s)
    print_indented(
        console, f"{verdict.what} Latest time: {at}." if at and at not in verdict.what else verdict.what
    )
    if verdict.to_do:
        _print_heading(console, "What you can do")
        print_indented(console, verdict.to_do)


def _print_heading(console: Console, text: str) -> None:
    print_line(console, "")
    print_line(console, text, "bold")


def _format_time(time_s: float) -> str:
    return format_time(time_s)[:19].replace("T", " ")
