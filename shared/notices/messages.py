"""The texts of robots' messages, in Chinese and English: one notice, or a digest of several.

Lines that Scribe wrote are plain text. What others wrote goes through the robot's own `escape`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from shared.notices.models import Notice, NoticeType
from shared.notices.text import ELLIPSIS, cut, cut_middle

MAX_NAME_BYTES = 400
MAX_REASON_BYTES = 800
MAX_BUCKET_BYTES = 100
MAX_CODE_BYTES = 100
MAX_DIGEST_NAME_BYTES = 160
MAX_DIGEST_REASON_BYTES = 300

_REST_BYTES = 160  # for the last line of a digest that does not name every recording
_MS_PER_S, _S_PER_MINUTE, _MINUTES_PER_HOUR = 1000, 60, 60

Escape = Callable[[str], str]


class Message(NamedTuple):
    """A message for people. `lines` are in the robot's markup; the title is plain and has no text of others."""

    title: str
    lines: tuple[str, ...]
    is_failure: bool = False


class _Words(NamedTuple):
    """The words of one language."""

    colon: str
    joiner: str
    full_stop: str
    done: str
    failed: str
    test: str
    test_text: str
    recording: str
    bucket: str
    reason: str
    next_step: str
    code: str
    duration: str
    words: str
    speakers: str
    files: str
    digest: str
    transcribed: str
    failures: str
    rest: str
    unknown_reason: str
    unknown_next_step: str
    budget: str
    month: str
    budget_minutes: str
    finished_minutes: str
    in_flight_minutes: str
    minutes: str
    budget_next_step: str


_ZH = _Words(
    colon="：",
    joiner="、",
    full_stop="",
    done="Scribe：转写完成",
    failed="Scribe：转写失败",
    test="Scribe：测试消息",
    test_text="收到这条消息，说明通知已配置成功。",
    recording="录音",
    bucket="存储桶",
    reason="原因",
    next_step="处理办法",
    code="错误码",
    duration="时长",
    words="词数",
    speakers="说话人数",
    files="文件",
    digest="Scribe：{total:,} 条录音，{done:,} 条转写完成，{failed:,} 条失败",
    transcribed="转写完成",
    failures="失败（{count:,} 条）",
    rest="另有 {count:,} 条未在此列出，可执行 scribe list 查看",
    unknown_reason="未知，请查看错误对象",
    unknown_next_step="请查看输出存储桶中该录音的 .error.json",
    budget="Scribe：本月转写预算已使用 {percent}%",
    month="月份",
    budget_minutes="预算",
    finished_minutes="已识别",
    in_flight_minutes="正在识别（预计）",
    minutes="{count:,} 分钟",
    budget_next_step="预算用完后，新录音会等到以后的月份再转写；如需继续，请调大 MONTHLY_MINUTES 并执行 scribe deploy",
)
_EN = _Words(
    colon=": ",
    joiner=", ",
    full_stop=".",
    done="Scribe: transcript done",
    failed="Scribe: no transcript",
    test="Scribe: test message",
    test_text="You see this message, so notices reach this place.",
    recording="Recording",
    bucket="Bucket",
    reason="What happened",
    next_step="What to do",
    code="Code",
    duration="Duration",
    words="Words",
    speakers="Speakers",
    files="Files",
    digest="Scribe: {total:,} recordings, {done:,} done, {failed:,} failed",
    transcribed="Done",
    failures="Failed ({count:,})",
    rest="{count:,} more are not named here: run scribe list",
    unknown_reason="Not known; see the error object",
    unknown_next_step="See the recording's .error.json in the output bucket",
    budget="Scribe: {percent} % of this month's budget are used",
    month="Month",
    budget_minutes="Budget",
    finished_minutes="Recognised",
    in_flight_minutes="In progress (estimated)",
    minutes="{count:,} minutes",
    budget_next_step="Without room in the budget, new recordings wait for a later month; to go on, raise "
    "MONTHLY_MINUTES and run scribe deploy",
)


def _get_words(language: str) -> _Words:
    return _EN if language == "en" else _ZH


def build_message(notice: Notice, language: str, escape: Escape) -> Message:
    """Build the message of one notice. It has less than 3,000 bytes in UTF-8."""
    words = _get_words(language)
    if notice.type is NoticeType.TEST:
        return Message(words.test, (words.test_text,))
    if notice.type is NoticeType.BUDGET:
        return _build_budget_message(notice, words, escape)
    fields = [
        (words.recording, _format_key(notice, escape, MAX_NAME_BYTES)),
        (words.bucket, cut(escape(notice.bucket), MAX_BUCKET_BYTES)),
    ]
    if notice.type is NoticeType.FAILED:
        reason, next_step = _get_reason(notice, language)
        code = str(notice.error.get("code") or "")
        fields += [
            (words.reason, cut(escape(reason), MAX_REASON_BYTES)),
            (words.next_step, cut(escape(next_step), MAX_REASON_BYTES)),
            (words.code, cut(escape(code), MAX_CODE_BYTES)),
        ]
    else:
        formats = words.joiner.join(_list_extensions(notice))
        fields += [
            (words.duration, _format_duration(notice.duration_ms)),
            (words.words, _format_count(notice.words)),
            (words.speakers, _format_count(notice.speakers)),
            (words.files, cut(escape(formats), MAX_CODE_BYTES)),
        ]
    lines = tuple(f"{label}{words.colon}{value}" for label, value in fields if value)
    is_failure = notice.type is NoticeType.FAILED
    return Message(words.failed if is_failure else words.done, lines, is_failure)


def _build_budget_message(notice: Notice, words: _Words, escape: Escape) -> Message:
    budget = notice.budget
    minutes = [
        (getattr(words, name), words.minutes.format(count=int(budget.get(name, 0))))
        for name in ("budget_minutes", "finished_minutes", "in_flight_minutes")
    ]
    month = (words.month, cut(escape(str(budget.get("month", ""))), MAX_CODE_BYTES))
    lines = [f"{label}{words.colon}{value}" for label, value in (month, *minutes)]
    title = words.budget.format(percent=budget.get("percent", ""))
    return Message(
        title, (*lines, f"{words.next_step}{words.colon}{words.budget_next_step}"), is_failure=True
    )


def build_digest(notices: Sequence[Notice], language: str, escape: Escape, max_bytes: int) -> Message:
    """Build one message about several notices; its lines, with line breaks, have at most `max_bytes` in UTF-8.

    Failures come first, those with the same reason together. Every notice is counted; those whose names have no room
    are counted in the last line.
    """
    words = _get_words(language)
    failed = [notice for notice in notices if notice.type is NoticeType.FAILED]
    done = [notice for notice in notices if notice.type is not NoticeType.FAILED]
    lines = _LimitedLines(max_bytes - _REST_BYTES)
    for reason, members in _group_by_reason(failed, language):
        heading = _format_heading(reason, len(members), words, escape)
        lines.add_group(heading, (_format_name(notice, escape) for notice in members))
    lines.add_group(words.transcribed + words.colon.rstrip(), (_format_done(each, escape) for each in done))
    rest = len(notices) - lines.names
    if rest:
        lines.add_always(words.rest.format(count=rest))
    title = words.digest.format(total=len(notices), done=len(done), failed=len(failed))
    return Message(title, tuple(lines.lines), bool(failed))


class _LimitedLines:
    """Lines of at most `max_bytes` together. `names` is how many recordings they name."""

    def __init__(self, max_bytes: int) -> None:
        self.lines: list[str] = []
        self.names = 0
        self._free_bytes = max_bytes

    def add_group(self, heading: str, names: Any) -> None:
        """Add a heading and the names below it, as far as there is room for at least one of them."""
        pending = [heading]
        for name in names:
            if not self._add([*pending, name]):
                return
            self.names += 1
            pending = []

    def add_always(self, line: str) -> None:
        """Add a line that has room of its own."""
        self.lines.append(line)

    def _add(self, lines: list[str]) -> bool:
        size = sum(len(line.encode()) + 3 for line in lines)  # the longest line break has 3 bytes
        if size > self._free_bytes:
            return False
        self._free_bytes -= size
        self.lines += lines
        return True


def _group_by_reason(failed: list[Notice], language: str) -> list[tuple[tuple[str, str], list[Notice]]]:
    """Return groups of notices with the same reason and next step, the largest group first."""
    groups: dict[tuple[str, str], list[Notice]] = {}
    for notice in failed:
        groups.setdefault(_get_reason(notice, language), []).append(notice)
    return sorted(groups.items(), key=lambda group: -len(group[1]))


def _format_heading(reason: tuple[str, str], count: int, words: _Words, escape: Escape) -> str:
    message, next_step = (cut(escape(text), MAX_DIGEST_REASON_BYTES) for text in reason)
    separator = "" if message.endswith(("。", ".", "！", "？")) else words.full_stop or "。"
    start = words.failures.format(count=count) + words.colon
    space = " " if words.full_stop else ""
    return f"{start}{message}{separator}{space}{words.next_step}{words.colon}{next_step}"


def _format_name(notice: Notice, escape: Escape) -> str:
    return "- " + _format_key(notice, escape, MAX_DIGEST_NAME_BYTES)


def _format_key(notice: Notice, escape: Escape, max_bytes: int) -> str:
    """Return the name of a recording; `…` if nothing in it can be seen, because an empty line could be markup."""
    return cut_middle(escape(notice.key), max_bytes) or ELLIPSIS


def _format_done(notice: Notice, escape: Escape) -> str:
    duration = _format_duration(notice.duration_ms)
    return _format_name(notice, escape) + (f" ({duration})" if duration else "")


def _get_reason(notice: Notice, language: str) -> tuple[str, str]:
    """Return what happened and what to do next, in the language if the error object has it."""
    words, error = _get_words(language), notice.error
    ending = "" if language == "en" else "_zh"
    return (
        str(error.get("message" + ending) or error.get("message") or words.unknown_reason),
        str(error.get("next_step" + ending) or error.get("next_step") or words.unknown_next_step),
    )


def _list_extensions(notice: Notice) -> list[str]:
    """Return the extensions of what was written: `podcast.json` of `a.mp3.podcast.json` or `a.podcast.json`.

    A name that was cut does not begin with the recording's: then what is after the last dot.
    """
    name = notice.key.rpartition("/")[2]
    stem = name.rpartition(".")[0]
    extensions = []
    for key in notice.output_keys:
        output = key.rpartition("/")[2]
        start = next((each + "." for each in (name, stem) if each and output.startswith(each + ".")), "")
        extensions.append(output[len(start) :] if start else output.rpartition(".")[2])
    return extensions


def _format_duration(duration_ms: int | None) -> str:
    """Return `1:02:03` or `2:03`; "" if it is not known."""
    if duration_ms is None:
        return ""
    minutes, seconds = divmod(round(duration_ms / _MS_PER_S), _S_PER_MINUTE)
    hours, minutes = divmod(minutes, _MINUTES_PER_HOUR)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _format_count(count: int | None) -> str:
    return "" if count is None else f"{count:,}"
