"""What docs/notices.md shows is what the code writes, and its receiver verifies it, in both languages."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from shared.notices.delivery import BACKOFF_S, MAX_AGE_S, MAX_DIGEST_NOTICES, MAX_SINGLE_MESSAGES
from shared.notices.messages import Message, build_digest, build_message
from shared.notices.models import DELIVERED, Notice, NoticeType, Outcome, Target
from shared.notices.outcomes import MAX_RETRY_AFTER_S
from shared.notices.sender import build_request
from shared.notices.targets import MAX_TARGETS, load_targets
from shared.notices.text import escape_markdown
from shared.notices.webhook import MAX_BODY_BYTES, build_body
from shared.recordings.announcer import Announcer
from tests.helpers.fake_cloud import INPUT_BUCKET, NOT_AUDIO
from tests.helpers.in_memory_pipeline import InMemoryPipeline
from tests.helpers.notices import OTHER_SECRET, SECRET, build_budget_notice, build_target

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    language: (ROOT / page).read_text("utf-8")
    for page, language in (("docs/notices.md", "en"), ("docs/notices.zh.md", "zh"))
}
each_language = pytest.mark.parametrize("language", PAGES)


def list_blocks(language: str, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGES[language], re.DOTALL | re.MULTILINE)


def list_notices(language: str) -> list[Notice]:
    """Parse the examples of the webhook's body."""
    return [build_notice_of(json.loads(block)) for block in list_blocks(language, "json")]


def build_notice_of(body: dict[str, Any]) -> Notice:
    data = body["data"]
    time_s = datetime.fromisoformat(body["timestamp"].replace("Z", "+00:00")).timestamp()
    if body["type"] == NoticeType.BUDGET.value:
        return build_budget_notice(time_s=time_s, budget=data)
    return Notice(
        type=NoticeType(body["type"]),
        time_s=time_s,
        receipt_id="any",
        **data["recording"],
        job_id=data["job_id"],
        output_bucket=data["output_bucket"],
        output_keys=tuple(data["keys"]),
        duration_ms=data.get("duration_ms"),
        words=data.get("words"),
        speakers=data.get("speakers"),
        error=data.get("error", {}),
    )


def list_members(value: Any, path: str = "") -> set[str]:
    """List the names of all members, with those that they are in."""
    if not isinstance(value, dict):
        return set()
    names = {f"{path}.{name}" for name in value}
    return names.union(*(list_members(member, f"{path}.{name}") for name, member in value.items()))


def format_message(message: Message) -> str:
    return "\n".join((message.title, *message.lines)) + "\n"


class Network:
    """Delivers every notice."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def send(self, _: Target, notices: Sequence[Notice], *__: float) -> Outcome:
        self.notices += notices
        return DELIVERED


@each_language
def test_bodies_are_what_a_webhook_gets(language: str) -> None:
    blocks = list_blocks(language, "json")
    notices = list_notices(language)
    assert [notice.type for notice in notices] == [NoticeType.DONE, NoticeType.FAILED, NoticeType.BUDGET]
    for block, notice in zip(blocks, notices, strict=True):
        assert json.loads(block) == json.loads(build_body(notice))
        assert list(json.loads(block)["data"]) == list(json.loads(build_body(notice))["data"])


@each_language
def test_bodies_have_every_member_of_a_real_notice(language: str) -> None:
    contents = (b"words", NOT_AUDIO, b"of a minute")
    for block, content in zip(list_blocks(language, "json"), contents, strict=True):
        network = Network()
        pipeline = InMemoryPipeline(monthly_minutes=1 if content == contents[-1] else 0)
        pipeline.ctx.announcer = Announcer([build_target()], network.send)
        pipeline.upload("calls/talk.mp3", content)
        pipeline.cloud.change_object(INPUT_BUCKET, "calls/talk.mp3", size=60 * 16_000)
        pipeline.ingest("calls/talk.mp3")
        pipeline.run_and_notify()
        real = json.loads(build_body(network.notices[0]))
        members = list_members(json.loads(block))
        assert members == list_members(real)
        table = set(re.findall(r"`([a-z_]+)`", PAGES[language]))
        assert {name.removeprefix(".data.") for name in members if name.count(".") == 2} <= table


@each_language
def test_messages_are_what_a_robot_shows(language: str) -> None:
    done, failed, budget = list_notices(language)
    failures = [failed._replace(key=key) for key in ("calls/a.mp3", "calls/b.mp3")]
    messages = [build_message(each, language, escape_markdown) for each in (done, failed, budget)]
    messages.append(build_digest([done, *failures], language, escape_markdown, 4000))
    assert list_blocks(language, "text") == list(map(format_message, messages))


@each_language
def test_receiver_in_python_accepts_each_notice_once(
    language: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCRIBE_WEBHOOK_SECRET", SECRET)
    program: dict[str, Any] = {}
    (block,) = list_blocks(language, "python")
    exec(block, program)  # noqa: S102 - the example of the page
    receive = program["receive"]
    notice = list_notices(language)[0]
    rotated = build_request(build_target(secrets=(OTHER_SECRET, SECRET)), [notice], time.time())
    for _ in range(2):
        assert receive(rotated.body, dict(rotated.headers)) == 204
    assert capsys.readouterr().out == "transcript.done calls/talk.mp3\n"
    assert receive(rotated.body + b" ", dict(rotated.headers)) == 400
    forged = build_request(build_target(secrets=(OTHER_SECRET,)), [notice], time.time())
    assert receive(forged.body, dict(forged.headers)) == 400
    old = build_request(build_target(), [notice], time.time() - 400)
    assert receive(old.body, dict(old.headers)) == 400
    assert capsys.readouterr().out == ""


def test_programs_and_settings_are_the_same_in_both_languages() -> None:
    for kind in ("python", "js", "go", "json", "yaml"):
        assert list_blocks("en", kind) == list_blocks("zh", kind) != []
    english, chinese = (
        [re.sub(r"#.*", "", block) for block in list_blocks(language, "sh")] for language in PAGES
    )
    assert len(english) > 3
    assert [re.sub(r" +\n", "\n", block) for block in english] == [
        re.sub(r" +\n", "\n", block) for block in chinese
    ]
    assert len(re.findall("^#", PAGES["en"], re.MULTILINE)) == len(
        re.findall("^#", PAGES["zh"], re.MULTILINE)
    )
    assert PAGES["en"].count("\n| ") == PAGES["zh"].count("\n| ")


@each_language
def test_settings_of_the_page_are_accepted(language: str) -> None:
    page = PAGES[language]
    values = dict(re.findall(r"^(NOTIFY_[A-Z_]+)=(\S+)$", page, re.MULTILINE))
    values = {
        name: value.replace("whsec_...", SECRET).replace("...", "abcdef01") for name, value in values.items()
    }
    assert [target.name for target in load_targets(values)] == ["feishu-sales", "webhook", "wecom"]
    named = set(re.findall(r"NOTIFY_[A-Z_]+", page))
    assert named == {
        *(
            "NOTIFY_ON",
            "NOTIFY_LANGUAGE",
            "NOTIFY_WECOM",
            "NOTIFY_WECOM_ON",
            "NOTIFY_FEISHU",
            "NOTIFY_FEISHU_SECRET",
        ),
        *("NOTIFY_DINGTALK", "NOTIFY_DINGTALK_SECRET", "NOTIFY_WEBHOOK", "NOTIFY_WEBHOOK_SECRET"),
        *("NOTIFY_WEBHOOK_ON", "NOTIFY_FEISHU_SALES", "NOTIFY_FEISHU_SALES_SECRET", "NOTIFY_FEISHU_SALES_ON"),
    }


def test_figures_are_those_of_the_code() -> None:
    figures = (
        MAX_SINGLE_MESSAGES,
        MAX_DIGEST_NOTICES,
        MAX_TARGETS,
        MAX_AGE_S,
        MAX_RETRY_AFTER_S,
        MAX_BODY_BYTES,
    )
    assert figures == (5, 200, 10, 3 * 86_400, 86_400, 20_000)
    assert [seconds / 60 for seconds in BACKOFF_S] == [1, 5, 15, 30, 60]


@each_language
def test_reasons_that_the_page_explains_are_those_of_the_code(language: str) -> None:
    code = "".join(path.read_text("utf-8") for path in (ROOT / "shared/notices").glob("*.py"))
    section = PAGES[language].rpartition("\n## ")[2]
    numbers = re.findall(r"`code (\d+)`", section)
    assert len(numbers) > 5
    texts = ["a redirect is not followed", "which is not a public one"]
    assert [each for each in (*numbers, *texts) if each not in code or each not in section] == []


@each_language
def test_events_of_the_log_are_those_of_the_code(language: str) -> None:
    code = "".join(path.read_text("utf-8") for path in (ROOT / "shared/recordings").glob("outbox*.py"))
    events = set(re.findall(r"`(notice_[a-z_]+)`", PAGES[language])) - {"notice_id"}
    assert len(events) > 4
    assert [event for event in events if f'"{event}"' not in code] == []
