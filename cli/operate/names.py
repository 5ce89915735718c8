"""What names for programs are called on the screen: states, events and outcomes. In JSON they stay as they are."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cli.language import choose_text

_CHINESE: Mapping[str, str] = MappingProxyType(
    {
        # States of recordings
        "open": "处理中",
        "waiting": "等待中",
        "failed": "失败",
        "done": "已完成",
        "gone": "已消失",
        "not_a_recording": "不是录音",
        "not_submitted": "未提交",
        "forgotten": "已清除",
        # States of receipts
        "submitting": "正在提交",
        "deferred": "暂缓提交",
        "submitted": "已提交",
        "transcribed": "转写完成",
        "superseded": "被新内容取代",
        # Events
        "uploaded": "已上传",
        "accepted": "已受理",
        "attempt": "再次提交",
        "earlier": "此前",
        "earlier jobs": "此前的任务",  # not translated: a name
        "refused": "被拒绝",
        "running": "识别中",
        "ended": "任务结束",
        "written": "已写出",
        "error": "错误",
        "closed": "处理结束",
        "notice": "通知",
        "unreadable": "无法读取",
        "deleted": "已删除",
        # Outcomes of a retry
        "reopened": "重新处理",
        "in_progress": "处理中",
        "lost": "任务丢失",
        "unknown": "未知",
    }
)


def show_name(name: str) -> str:
    """Return what a name is called on the screen."""
    return choose_text(name.replace("_", " "), _CHINESE.get(name, ""))
