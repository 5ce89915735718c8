"""`scribe why KEY`: the whole story of a recording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from cli.config import CliContext
from cli.language import _, is_chinese
from cli.operate.row import DONE, FAILED, WAITING, get_error_text
from cli.operate.story import Story, tell_story
from cli.operate.story_events import format_bytes
from cli.operate.story_reader import check_key, read_facts
from cli.operate.text import INDENT, join_sentences, print_columns, print_indented, print_line
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
    state = _("{state}, in {bucket}", state=verdict.state_name, bucket=facts.bucket)
    print_line(console, state, _STYLES.get(verdict.state, ""))
    print_indented(console, verdict.summary)
    _print_heading(console, _("What happened (UTC)"))
    print_columns(console, [(_format_time(each.at_s), each.name, each.text) for each in story.events])
    if facts.error:
        _print_heading(console, _("The error object"))
        for text in _list_error_texts(facts.error):
            print_indented(console, text)
        pairs = [(name, str(facts.error.get(name) or "")) for name in _ERROR_MEMBERS]
        print_columns(console, [pair for pair in pairs if pair[1]])
    if facts.outputs:
        is_own = facts.error or (facts.current and facts.current.place == DONE)
        heading = _("What is written, in {bucket}", bucket=output_bucket)
        if not is_own:
            heading = _("What is there of an earlier upload, in {bucket}", bucket=output_bucket)
        _print_heading(console, heading)
        for item in facts.outputs:
            print_line(console, f"{' ' * INDENT}{item.key}  {format_bytes(item.size)}")
    if facts.unread_notices:
        text = _("{number:,} more open notices were not looked at.", number=facts.unread_notices)
        print_indented(console, text)
    _print_heading(console, _("What happens next"))
    at = format_time(verdict.at_s)
    latest = _("Latest time: {time}.", time=at) if at and at not in verdict.what else ""
    print_indented(console, join_sentences(verdict.what, latest))
    if verdict.to_do:
        _print_heading(console, _("What you can do"))
        print_indented(console, verdict.to_do)


def _list_error_texts(error: Mapping[str, Any]) -> list[str]:
    """Return message and next step of an error object: in both languages, in Chinese only the Chinese ones."""
    languages = ("",) if is_chinese() else ("", "_zh")
    names = [f"{name}{language}" for name in ("message", "next_step") for language in languages]
    return [text for text in (get_error_text(error, name) for name in names) if text]


def _print_heading(console: Console, text: str) -> None:
    print_line(console, "")
    print_line(console, text, "bold")


def _format_time(time_s: float) -> str:
    return format_time(time_s)[:19].replace("T", " ")
