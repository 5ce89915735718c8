"""The examples in docs/commands.md: each command on one made-up bucket at one made-up time, so that they never change.

`python -m tests.helpers.command_examples` writes what the commands print into the blocks that begin with `$ scribe`, in
commands.zh.md what they print in Chinese.
"""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Callable
from pathlib import Path

from cli.config import Commands
from cli.language import CHINESE, ENGLISH, use_language
from cli.operate import backfill, cost, forget, list_command, pages, retry, why
from cli.operate.times import parse_duration_s, parse_month
from cli.operate.workspace import Workspace
from tests.helpers.operate import OperatedPipeline, Terminal

_DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = {ENGLISH: _DOCS / "commands.md", CHINESE: _DOCS / "commands.zh.md"}
_BLOCK = re.compile(r"^```(text|json)\n\$ scribe ([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_SIGNATURE = re.compile(r"\?q-sign-algorithm=[^\s\"]+")  # of a presigned address: it has the time of now
_PRICE = {"PRICE_PER_HOUR": "1.75"}


def build_example_bucket() -> Workspace:
    """Build a bucket with a recording in each state, and three from before Scribe came."""
    pipeline = OperatedPipeline.create_mixed()
    for number in (1, 2, 3):
        pipeline.upload(f"2025/lesson-{number}.mp3", b"lesson" * 400_000 * number)
    return Workspace(pipeline.ctx, Commands(), dict(_PRICE))


def run_example_in(language: str, line: str) -> str:
    """Run a command line without `scribe`, and return what it prints in a language."""
    use_language(language)
    try:
        return run_example(line)
    finally:
        use_language(ENGLISH)


def run_example(line: str) -> str:
    """Run a command line without `scribe`, and return what it prints."""
    words = shlex.split(line)
    name, arguments = words[0], [word for word in words[1:] if not word.startswith("--")]
    flags = {word for word in words[1:] if word.startswith("--")}
    workspace, terminal = build_example_bucket(), Terminal(width=100)
    console, as_json, yes = terminal.create_console(), "--json" in flags, "--yes" in flags
    with tempfile.TemporaryDirectory() as folder:
        commands: dict[str, Callable[[], object]] = {
            "list": lambda: list_command.ListCommand(
                console,
                terminal.create_console(stderr=True),
                workspace,
                list_command.ListOptions(state=arguments[0] if "--state" in flags else "", as_json=as_json),
            ).run(),
            "why": lambda: why.explain_state(
                console, workspace, why.WhyOptions(arguments[0], as_json=as_json)
            ),
            "retry": lambda: retry.run_retry(
                console,
                workspace,
                retry.RetryOptions(tuple(arguments), failed="--failed" in flags, as_json=as_json),
                None,
            ),
            "backfill": lambda: backfill.run_backfill(
                console, workspace, backfill.BackfillOptions(arguments[0], yes=yes, as_json=as_json)
            ),
            "forget": lambda: forget.Forget(
                workspace, forget.ForgetOptions(tuple(arguments), as_json=as_json), Path(folder)
            ).run(console, None),
            "cost": lambda: cost.print_costs(
                console,
                cost.read_costs(workspace, parse_month("", workspace.ctx.now())),
                as_csv="--csv" in flags,
                as_json=as_json,
            ),
            "open": lambda: pages.print_page(
                console,
                workspace,
                pages.OpenOptions(arguments[0], starts_browser=False, as_json=as_json),
                Path(folder) / "scribe-pages",
                lambda _: True,
            ),
            "link": lambda: pages.print_link(
                console,
                workspace,
                pages.LinkOptions(arguments[0], lifetime_s=parse_duration_s(arguments[1]), as_json=as_json),
            ),
        }
        commands[name]()
        text = _SIGNATURE.sub("?q-sign-algorithm=...", terminal.output.replace(f"{folder}/", ""))
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def read_examples(language: str = ENGLISH) -> list[tuple[str, str]]:
    """Return each command line of a page with the output that the page shows."""
    return [(match[2], match[3]) for match in _BLOCK.finditer(PAGES[language].read_text("utf-8"))]


def write_examples() -> None:
    """Write what the commands print now into both pages."""
    for language, page in PAGES.items():
        page.write_text(_write_blocks(page.read_text("utf-8"), language), "utf-8")


def _write_blocks(text: str, language: str) -> str:
    return _BLOCK.sub(
        lambda match: f"```{match[1]}\n$ scribe {match[2]}\n{run_example_in(language, match[2])}```", text
    )


if __name__ == "__main__":
    write_examples()
