"""Draws bars from the figures of docs/benchmarks.md: `python -m tests.bench.picture` writes the images of that page.

The page is the only source, so a picture cannot disagree with it. `make bench WRITE=1` writes both. The page in Chinese
is written from the same source, by `python -m tests.bench.page_zh` and by `make bench WRITE=1`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple
from xml.sax.saxutils import escape

from cli.config import PROJECT_FOLDER

PAGE = PROJECT_FOLDER / "docs" / "benchmarks.md"
PICTURES = {
    language: PROJECT_FOLDER / "docs" / "images" / f"benchmarks{suffix}.svg"
    for language, suffix in (("en", ""), ("zh", ".zh"))
}
_WIDTH, _LEFT, _RIGHT, _ROW = 920, 264, 790, 26
_OURS, _OTHER, _TEXT, _MUTED, _GRID = "#1d4ed8", "#94a3b8", "#1f2937", "#4b5563", "#d9dee5"
_STYLE = (
    "text{font-family:system-ui,'Segoe UI','Helvetica Neue',Arial,'PingFang SC','Microsoft YaHei','Noto Sans CJK SC',"
    f"sans-serif;font-size:14px;fill:{_TEXT}}}.title{{font-size:18px;font-weight:600}}"
    f".panel{{font-weight:600}}.muted{{fill:{_MUTED}}}.end{{text-anchor:end}}"
)


class Bar(NamedTuple):
    """A row of the page, and its name in the picture in each language."""

    row: str
    en: str
    zh: str


class Panel(NamedTuple):
    """Bars that share a unit. `section` is the heading of the page that has their rows."""

    section: str
    en: str
    zh: str
    bars: tuple[Bar, ...]


_SDK, _SDK_ZH = "Tencent's SDK", "腾讯云 SDK"
PANELS = (
    Panel(
        "Cold start",
        "Cold start: a new process until its first event is handled",
        "冷启动：从新进程启动到处理完第一个事件",
        (
            Bar("Scribe, as shipped", "Scribe", "Scribe"),
            Bar("SDK handler, as shipped", f"{_SDK}, as pip installs it", f"{_SDK_ZH}，pip 安装"),
            Bar("SDK handler, with bytecode", f"{_SDK}, with bytecode", f"{_SDK_ZH}，含字节码"),
            Bar("bare httpx, with bytecode", "httpx alone, with bytecode", "仅 httpx，含字节码"),
        ),
    ),
    Panel(
        "Five hours of speech",
        "Five hours of speech: processor time",
        "五小时录音：CPU 时间",
        (
            Bar("Scribe, parse", "Scribe, parse the result", "Scribe，解析识别结果"),
            Bar("SDK, parse", f"{_SDK}, parse the result", f"{_SDK_ZH}，解析识别结果"),
            Bar(
                "Scribe, write json, txt, srt, vtt and html",
                "Scribe, write five formats",
                "Scribe，写出五种格式",
            ),
        ),
    ),
    Panel(
        "Five hours of speech",
        "Five hours of speech: peak memory on top",
        "五小时录音：新增的内存峰值",
        (
            Bar("Scribe, peak memory on top", "Scribe", "Scribe"),
            Bar("SDK, peak memory on top", _SDK, _SDK_ZH),
        ),
    ),
    Panel(
        "Package",
        "Package, unpacked",
        "部署包解压后的大小",
        (Bar("unpacked", "Scribe", "Scribe"), Bar("SDK handler, unpacked", _SDK, _SDK_ZH)),
    ),
)


def main() -> None:
    """Write the picture of each language."""
    page = PAGE.read_text("utf-8")
    for language, path in PICTURES.items():
        path.write_text(draw(page, language), "utf-8")


def draw(page: str, language: str) -> str:
    """Return the SVG picture of a page, in English ("en") or Chinese ("zh"). Raises ValueError without a row."""
    return "\n".join(_draw(page, is_chinese=language == "zh")) + "\n"


def _read_value(page: str, section: str, row: str) -> tuple[float, str]:
    """Return a row's figure, and the words of it: (124, "124 ms") for `124 ms (118 to 141)`."""
    rows = page.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    match = re.search(rf"^\| {re.escape(row)} \| (([\d.]+) \w+)", rows, re.MULTILINE)
    if not match:
        raise ValueError(f"docs/benchmarks.md has no row {row!r} below {section!r}")
    return float(match[2]), match[1]


def _draw(page: str, *, is_chinese: bool) -> Iterator[str]:
    title = "Scribe 与腾讯云 SDK 的对比" if is_chinese else "Scribe compared with Tencent's SDK"
    note = (
        "数据来自 docs/benchmarks.zh.md，在一台机器的回环地址上测得；越短越好。"
        if is_chinese
        else "Figures of docs/benchmarks.md, measured on one machine over loopback. Shorter is better."
    )
    height = 76 + sum(48 + _ROW * len(panel.bars) for panel in PANELS)
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" aria-labelledby="title">'
    yield f'<title id="title">{escape(title)}</title>'
    yield f"<style>{_STYLE}</style>"
    yield f'<rect x="0.5" y="0.5" width="{_WIDTH - 1}" height="{height - 1}" rx="8" fill="#ffffff" stroke="{_GRID}"/>'
    yield f'<text x="24" y="36" class="title">{escape(title)}</text>'
    yield f'<text x="24" y="60" class="muted">{escape(note)}</text>'
    y = 92
    for panel in PANELS:
        yield f'<text x="24" y="{y}" class="panel">{escape(panel.zh if is_chinese else panel.en)}</text>'
        yield from _draw_bars(page, panel, y + 12, is_chinese=is_chinese)
        y += 48 + _ROW * len(panel.bars)
    yield "</svg>"


def _draw_bars(page: str, panel: Panel, top: int, *, is_chinese: bool) -> Iterator[str]:
    values = [_read_value(page, panel.section, bar.row) for bar in panel.bars]
    largest = max(value for value, _ in values)
    for index, (bar, (value, text)) in enumerate(zip(panel.bars, values, strict=True)):
        y, width = top + _ROW * index, value / largest * (_RIGHT - _LEFT)
        colour = _OURS if bar.row.startswith(("Scribe", "unpacked")) else _OTHER
        yield f'<text x="{_LEFT - 12}" y="{y + 15}" class="end">{escape(bar.zh if is_chinese else bar.en)}</text>'
        yield f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="20" rx="2" fill="{colour}"/>'
        yield f'<text x="{_LEFT + width + 8:.1f}" y="{y + 15}">{escape(text)}</text>'


if __name__ == "__main__":
    main()
