"""Translate docs/benchmarks.md: `python -m tests.bench.page_zh` writes docs/benchmarks.zh.md.

The English page is the only source of every figure, so the pages cannot disagree. `make bench WRITE=1` writes both.
"""

from __future__ import annotations

import re
from string import Formatter

from rich.cells import cell_len

from tests.bench import (
    cold_start,
    implementations,
    large_audit,
    long_result,
    pipeline,
    sweep_and_audit,
    warm_event,
)
from tests.bench.picture import PAGE

CHINESE_PAGE = PAGE.with_name("benchmarks.zh.md")
_LINE_WIDTH = 140  # columns, two for each Chinese character

_PARAGRAPHS = {
    "# Benchmarks": "# 基准测试",
    "[中文版](benchmarks.zh.md)": "[English](benchmarks.md)",
    "Written by `make bench WRITE=1`; do not edit. `make bench` alone prints the tables and changes no file.": (
        "由 `make bench WRITE=1` 写出，请勿手工修改。单独执行 `make bench` 只打印表格，不改动任何文件。"
    ),
    "Times are medians, with minimum and maximum in brackets; they vary between runs. Missed goals are marked.": (
        "时间为中位数，括号内是最小值和最大值；每次运行都会有差异。没有达到的目标会标明。"
    ),
    "![The most important figures of this page as bars](images/benchmarks.svg)": (
        "![本页最重要的数据，以条形图表示](images/benchmarks.zh.svg)"
    ),
    cold_start.METHOD: (
        "从新进程启动到处理完第一个事件的时间，在回环地址上测量；共 {rounds} 轮，每轮中各个实现依次运行一次。"
        "“实际部署形态”指："
        "Scribe 带有 `make package` 加入的字节码，SDK 版函数则与 pip 安装的一样，因为云函数从不写字节码。"
        "Scribe 发送九个请求，其中一个查询输出存储桶是否开启过版本控制，只查一次。"
        "“下限”用 http.client 加签名发送其余八个请求，不做别的事；"
        "“仅 httpx”发送同样的八个请求，用来说明一个 HTTP 库的开销；SDK 版函数发送五个请求。比值是各轮比值的中位数，"
        "因为机器的速度在各轮之间有波动。回环地址上没有 TLS；在云上，每个实现还要创建一个 TLS 上下文，"
        "这一项单独测量。"
    ),
    cold_start.IF_MISSED: (
        "Scribe 的冷启动时间大部分用于导入 httpx：“仅 httpx”发送其中八个请求，不做别的事，"
        "用时也差不多（见上表的 Scribe / 仅 httpx）。"
    ),
    warm_event.METHOD: (
        "每个实现一个进程，各处理 {events} 个事件，在回环地址上测量；每批 {batch_size} 个，各实现轮流进行，"
        "一个事件的时间取所在批次的平均值。"
        "其中包含本地模拟云自身的时间；实现所在进程的 CPU 时间另外列出。“仅 httpx”发送与 Scribe 相同的请求，"
        "带签名，不做别的事。"
    ),
    long_result.METHOD: (
        "数据万象的一份应答，{words} 个词，{megabytes} MB。每次都用新进程，各实现轮流进行，每个 {rounds} 次；"
        "时间为 CPU 时间，单位是毫秒。"
        "SDK 运行 `xml_to_dict(body)`，即它的 `ci_get_asr_job` 的最后一步；Scribe 运行 `get_jobs`，"
        "边接收应答边解析，并生成转写结果。"
        "内存为进程的峰值减去收到应答之前的用量。"
    ),
    long_result.IF_MISSED: "写出文件的时间主要用于字幕排版，两种字幕只排一次。",
    implementations.METHOD.format(bytecode="with"): (
        "`make package` 构建的部署包，含字节码；对照的是 SDK 及其函数，不含字节码。"
    ),
    implementations.METHOD.format(bytecode="without"): (
        "`make package` 构建的部署包，不含字节码；对照的是 SDK 及其函数，不含字节码。"
    ),
    pipeline.REQUESTS_METHOD: (
        "两次上传走完整个流程，{formats} 种格式；由本地模拟云统计。"
        "进程如果五分钟内没有查询过输出存储桶是否开启过版本控制，会查询一次。"
    ),
    pipeline.BURST_METHOD: (
        "`python -m tests.load --uploads {uploads}`：以最快的速度在 {seconds} 秒内上传 {recordings} 条录音，"
        "队列同时运行 {jobs} 个任务。"
        "`make bench BURST=10000` 则上传 10,000 条。"
    ),
    sweep_and_audit.SWEEP_METHOD: (
        "{unfinished} 个任务已完成，而回调通知全部丢失：巡检在新进程中写出每份转写结果，并关闭任务记录。"
        "其余的秒数是本地模拟云的用时，同样经过回环地址。"
    ),
    sweep_and_audit.AUDIT_METHOD: "每条录音都有任务记录；列表的一页有 {names} 个名称。使用新进程。",
    large_audit.METHOD: (
        "{recordings} 条录音及其任务记录，在新进程中。列表的每一页在请求时由一个函数生成。时钟是模拟的："
        "一次运行最多 {limit} 秒，"
        "一个请求耗时 {request_ms} 毫秒，Scribe 自身的 CPU 时间按实际计入。部署之后，"
        "一次运行最多 {deployed_limit} 秒。"
    ),
}
_TITLES = {
    "## Cold start": "## 冷启动",
    "## Warm event": "## 热调用",
    "## Five hours of speech": "## 五小时录音",
    "## Package": "## 部署包",
    "## Requests for one recording": "## 一条录音的请求数",
    "## Sweep": "## 巡检",
    "## Audit": "## 核对",
    "## Audit of a large bucket": "## 大型存储桶的核对",
    "## Burst": "## 突发上传",
}
_ENVIRONMENT = {
    "- command: {command}, {date}": "- 命令：{command}，{date}",
    "- machine: {processor}, {cores} cores; {system}": "- 机器：{processor}，{cores} 核；{system}",
    "- machine: {processor}; {system}": "- 机器：{processor}；{system}",
    "- implementations: CPython {python} (as in SCF); local cloud: {cloud}": (
        "- 各个实现：CPython {python}（与云函数相同）；本地模拟云：{cloud}"
    ),
    "- implementations: CPython {python} (CPython 3.10, as in SCF, was not found); local cloud: {cloud}": (
        "- 各个实现：CPython {python}（没有找到云函数所用的 CPython 3.10）；本地模拟云：{cloud}"
    ),
    "- Scribe {version}, package {digest}; {libraries}": "- Scribe {version}，部署包 {digest}；{libraries}",
}
# Cells: a pattern's values are translated in their turn, if they are cells of their own.
_CELLS = {
    "measured": "测量值",
    "goal": "目标",
    "met": "达到",
    "**missed**": "**未达到**",
    "Scribe": "Scribe",
    "SDK handler": "SDK 版函数",
    "bare httpx": "仅 httpx",
    "floor": "下限",
    "Scribe, as shipped": "Scribe，实际部署形态",
    "SDK handler, as shipped": "SDK 版函数，实际部署形态",
    "SDK handler, with bytecode": "SDK 版函数，含字节码",
    "bare httpx, with bytecode": "仅 httpx，含字节码",
    "{name}: processor time of its process": "{name}：进程的 CPU 时间",
    "{name}, processor time of its process": "{name}，进程的 CPU 时间",
    "Scribe / SDK handler, each as shipped": "Scribe / SDK 版函数，均为实际部署形态",
    "Scribe / SDK handler, both with bytecode": "Scribe / SDK 版函数，均含字节码",
    "Scribe / SDK handler, a request": "Scribe / SDK 版函数，每个请求",
    "Scribe / bare httpx": "Scribe / 仅 httpx",
    "Scribe / bare httpx, processor time": "Scribe / 仅 httpx，CPU 时间",
    "Scribe / floor": "Scribe / 下限",
    "a TLS context, in a new process": "在新进程中创建 TLS 上下文",
    "Scribe, parse": "Scribe，解析",
    "SDK, parse": "SDK，解析",
    "Scribe, write json, txt, srt, vtt and html": "Scribe，写出 json、txt、srt、vtt 和 html",
    "Scribe's parse / SDK's parse": "Scribe 解析 / SDK 解析",
    "Scribe's parse and default formats / SDK's parse": "Scribe 解析并写出默认格式 / SDK 解析",
    "Scribe, peak memory on top": "Scribe，新增的内存峰值",
    "SDK, peak memory on top": "SDK，新增的内存峰值",
    "zipped": "压缩后",
    "unpacked": "解压后",
    "SDK handler, unpacked": "SDK 版函数，解压后",
    "upload, in a new process": "upload，新进程",
    "upload": "upload",
    "callback": "callback",
    "{number} done": "已完成 {number} 条",
    "requests that {number} more done recordings cost": "已完成的录音增加 {number} 条，多出的请求",
    "{number} recordings and receipts": "{number} 条录音及任务记录",
    "pages listed, {number} recordings": "列出的页数，{number} 条录音",
    "other requests": "其他请求",
    "memory that {number} more recordings cost": "录音增加 {number} 条，多占的内存",
    "runs until every recording was looked at": "检查完每条录音所需的运行次数",
    "recordings looked at in a run": "每次运行检查的录音",
    "requests of a run": "每次运行的请求",
    "simulated time of a run": "每次运行的模拟时间",
    "pages listed in all runs": "所有运行列出的页数",
    "other requests in all runs": "所有运行的其他请求",
    "processor time of all runs": "所有运行的 CPU 时间",
    "peak memory": "内存峰值",
    "runs of {seconds} s, from the same figures": "按同样的数据推算，每次 {seconds} s 的运行次数",
    "lost": "丢失",
    "wrong": "错误",
    "receipts left open": "未关闭的任务记录",
    "jobs paid": "计费的任务",
    "jobs that ran at once": "同时运行的任务",
    "uploads a second": "每秒上传数",
    "requests for each upload": "每次上传的请求",
    "largest function instance": "最大的函数实例",
    "at most {value}": "不超过 {value}",
    "{value} at most": "最多 {value}",
    "{median} ({min} to {max})": "{median}（{min} 到 {max}）",
    "{requests} requests, {total} ({own} of it its own processor time), {memory}": (
        "{requests} 个请求，{total}（其中自身 CPU 时间 {own}），{memory}"
    ),
    "{name}, {number} requests": "{name}，{number} 个请求",
    "{total} ({each} for each recording)": "{total}（每条录音 {each}）",
    "{number} ({total} in all)": "{number}（共 {total}）",
}
TEXTS = _PARAGRAPHS | _TITLES | _ENVIRONMENT | _CELLS
_FIGURE = re.compile(r"[\d.,]+(?: (?:ms|s|µs|MiB))?")


def main() -> None:
    """Write the Chinese page."""
    CHINESE_PAGE.write_text(translate_page(PAGE.read_text("utf-8")), "utf-8")


def translate_page(page: str) -> str:
    """Return the page in Chinese. Raises ValueError for a text without a translation."""
    return "\n\n".join(_translate_block(block.splitlines()) for block in page.strip().split("\n\n")) + "\n"


def _translate_block(lines: list[str]) -> str:
    if lines[0].startswith("| "):
        return "\n".join(map(_translate_row, lines))
    if lines[0].startswith("- "):
        return "\n".join(_translate(line, _ENVIRONMENT) for line in lines)
    return _wrap(_translate(" ".join(lines), _PARAGRAPHS | _TITLES))


def _translate_row(line: str) -> str:
    return re.sub(r"(?<=\| )[^|\s][^|]*(?= \|)", lambda cell: _translate(cell[0], _CELLS), line)


def _translate(text: str, texts: dict[str, str]) -> str:
    if text in texts:
        return texts[text]
    if _FIGURE.fullmatch(text):
        return text
    for english, chinese in texts.items():
        if "{" in english and (match := re.fullmatch(_build_pattern(english), text)):
            values = match.groupdict()
            if texts is _CELLS:
                values = {name: _translate(value, texts) for name, value in values.items()}
            return chinese.format(**values)
    raise ValueError(f"{PAGE.name} has a text without a translation in tests/bench/page_zh.py: {text!r}")


def _build_pattern(template: str) -> str:
    """Build a pattern that matches what `template.format(...)` returns, with a group for each field."""
    return "".join(
        re.escape(literal) + (f"(?P<{field}>.+?)" if field else "")
        for literal, field, _, _ in Formatter().parse(template)
    )


def _wrap(text: str) -> str:
    """Break long lines after the punctuation of Chinese, where a blank that a browser puts there does not show."""
    lines = [""]
    for part in re.split(r"(?<=[，。；：])", text):
        if lines[-1] and cell_len(lines[-1] + part) > _LINE_WIDTH:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


if __name__ == "__main__":
    main()
