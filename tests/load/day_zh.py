"""The words of the picture and the table of a simulated day in Chinese. Figures and shapes stay."""

from __future__ import annotations

import re

_TEXTS = {
    "Simulated by tests/load/day.py; the assumptions are in docs/scale.md. Nothing was measured.": (
        "由 tests/load/day.py 模拟，假设见 docs/scale.zh.md；没有任何实测。"
    ),
    "Uploads (a second)": "每秒上传数",
    "Backlog: recordings that are uploaded and not finished (logarithmic)": "积压：已上传、尚未完成的录音（对数坐标）",
    "Latency from upload to transcripts, by the time of the upload (logarithmic)": (
        "从上传到转写结果的时延，按上传时刻（对数坐标）"
    ),
    "Time of day": "时刻",
    "median": "中位数",
    "95 % are faster": "95 % 快于此值",
    "later uploads": "此后上传的录音",
    "are not finished": "到午夜时",
    "by midnight": "仍未完成",
}
_TABLE_TEXTS = {
    "uploads": "上传数",
    "jobs at once": "并发任务数",
    "finished by midnight": "到午夜完成",
    "found the queue full": "遇到队列已满",
    "largest backlog": "最大积压",
    "median": "中位数",
    "95 %": "95%",
    "after midnight": "午夜之后",
}
_PATTERNS = (
    (r"A day of ([\d,]+) uploads, with three sizes of the speech queue", r"一天 \1 次上传，三种语音识别队列"),
    (r"(\d+) jobs at once", r"并发 \1 个任务"),
    (r"Three charts over 24 hours: uploads, backlog, latency\. ", "24 小时的三张图：上传、积压、时延。"),
    (
        r"with 并发 (\d+) 个任务 ([\d,]+) are finished by midnight[;.] ?",
        r"并发 \1 个任务时，到午夜完成 \2 条；",
    ),
    (r"^([\d.]+) s$", r"\1 秒"),
    (r"^([\d.]+) min$", r"\1 分钟"),
    (r"^([\d.]+) h$", r"\1 小时"),
    (r"^[\d,:]+$", r"\g<0>"),
)


def translate(picture: str) -> str:
    """Return the picture with Chinese words. Raises ValueError for a text that it does not know."""
    chinese = re.sub(r"(<(?:text|title|desc)[^>]*>)([^<]+)", _translate_element, picture)
    return chinese.replace("'Noto Sans',", "'PingFang SC','Microsoft YaHei','Noto Sans CJK SC',")


def translate_table(table: str) -> str:
    """Return the Markdown table with Chinese words. Raises ValueError for a text that it does not know."""
    return re.sub(r"(?<=\| )[^|\n]+(?= \|)", lambda cell: _translate_cell(cell[0]), table)


def _translate_cell(text: str) -> str:
    if text in _TABLE_TEXTS:
        return _TABLE_TEXTS[text]
    return _translate_patterns(text, "table")


def _translate_element(element: re.Match[str]) -> str:
    text = element[2]
    if text in _TEXTS:
        return element[1] + _TEXTS[text]
    return element[1] + re.sub("；$", "。", _translate_patterns(text, "picture"))


def _translate_patterns(text: str, place: str) -> str:
    known = False
    chinese = text
    for pattern, replacement in _PATTERNS:
        chinese, count = re.subn(pattern, replacement, chinese)
        known = known or count > 0
    if not known:
        raise ValueError(f"the {place} has a text without a translation: {text!r}")
    return chinese
