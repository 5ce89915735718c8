"""The parts of the page that are the same for every transcript: search, player, help and the Chinese labels.

They are hidden until the script runs. Then a browser that prefers Chinese gets the labels below in place of what has
`data-label`, `aria-label`, `title` or `placeholder`. `data-do` names an action of the script, `data-keys` its keys.
"""

import json
from collections.abc import Mapping
from html import escape
from types import MappingProxyType

CHINESE: Mapping[str, str] = MappingProxyType(
    {
        "Back 10 seconds (J)": "后退 10 秒（J）",
        "Back to the words being spoken": "回到正在播放处",
        "Choose the recording": "选择录音",
        "Click a word to play from there. Click a name to change it; copies have the new name.": (
            "点击文字即从该处播放。点击姓名可以改名，复制的文字也用新名。"
        ),
        "Close": "关闭",
        "Close, or leave the search": "关闭，或离开搜索",
        "Copied": "已复制",
        "Copy text": "复制文字",
        "Copy with times": "复制文字和时间",
        "Drop {} here to hear it, or choose it.": "把 {} 拖到这里即可收听，也可以点击选择。",
        "Follow the words being spoken": "跟随正在播放的文字",
        "Forward 10 seconds (L)": "前进 10 秒（L）",
        "Help (?)": "帮助 (?)",
        "Keys": "快捷键",
        "Move by sentence, by word (in the text)": "逐句、逐词移动（在正文中）",
        "Name": "姓名",
        "Next hit (N)": "下一处 (N)",
        "Next, previous hit": "下一处、上一处",
        "No speech was recognised.": "没有识别到语音。",
        "One sentence back, forward": "上一句、下一句",
        "Pause (space)": "暂停（空格）",
        "Play (space)": "播放（空格）",
        "Play from there": "从该处播放",
        "Play or pause": "播放或暂停",
        "Player": "播放器",
        "Position": "播放位置",
        "Previous hit (Shift+N)": "上一处 (Shift+N)",
        "Rename": "改名",
        "Search": "搜索",
        "Search (/)": "搜索 (/)",
        "Slower, faster": "减速、加速",
        "Space": "空格",
        "Speakers": "说话人",
        "Speed": "速度",
        "Ten seconds back, forward": "后退、前进 10 秒",
        "The browser does not allow it.": "浏览器不允许。",
        "The transcript is of {}.": "这份文字来自 {}。",
        "This browser cannot play {}.": "浏览器无法播放 {}。",
        "This help": "显示帮助",
        " This recording is {} long, not {}.": "这段录音长 {}，不是 {}。",
        "the recording": "录音",
    }
)
LABELS = (
    '<div data-testid="labels" hidden>'
    f"{escape(json.dumps(dict(CHINESE), ensure_ascii=False, separators=(',', ':')), quote=False)}</div>\n"
)


def _icon(path: str) -> str:
    return f'<svg viewBox="0 0 24 24" aria-hidden="true"><path d="{path}"></path></svg>'


def _button(action: str, label: str, content: str, attributes: str = "") -> str:
    return f'<button type="button" class="icon" data-do="{action}" title="{label}"{attributes}>{content}</button>\n'


TOOLS = (
    '<div class="tools" role="search" hidden>\n'
    '<input type="search" data-testid="search" aria-label="Search" title="Search (/)" placeholder="Search" '
    'autocomplete="off" spellcheck="false">\n<output data-testid="hits"></output>\n'
    + _button("previousHit", "Previous hit (Shift+N)", _icon("M6 15l6-6 6 6"))
    + _button("nextHit", "Next hit (N)", _icon("M6 9l6 6 6-6"))
    + '<span class="gap"></span>\n'
    + _button(
        "copyText",
        "Copy text",
        _icon("M9 9h11v11H9zM5 15H4V4h11v1") + "<span data-label>Copy text</span>",
        ' data-testid="copy-text"',
    )
    + _button(
        "copyTimes",
        "Copy with times",
        _icon("M12 4a8 8 0 1 1 0 16 8 8 0 1 1 0-16M12 8v4l3 2") + "<span data-label>Copy with times</span>",
        ' data-testid="copy"',
    )
    + _button(
        "help",
        "Help (?)",
        _icon("M9 9a3 3 0 1 1 4.5 2.6c-1 .6-1.5 1.2-1.5 2.4M12 18v.1"),
        ' data-testid="help-button"',
    )
    + "</div>\n"
)

_SPEEDS = ("0.5", "0.75", "1", "1.25", "1.5", "1.75", "2", "2.5", "3")

# `{map}` is the picture of who speaks when, `{source}` the URL of the recording.
PLAYER = (
    '<div class="player" role="region" aria-label="Player">\n'
    '<button type="button" data-do="follow" data-testid="follow" data-label hidden>Back to the words being spoken'
    "</button>\n"
    '<p role="status" data-testid="message"></p>\n'
    '<div class="map" hidden>{map}'
    '<input type="range" data-testid="map" aria-label="Position" min="0" max="{seconds}" value="0"></div>\n'
    '<audio data-testid="audio" src="{source}" preload="metadata" controls></audio>\n'
    '<div class="controls" hidden>\n'
    + _button("back", "Back 10 seconds (J)", _icon("M11 6l-6 6 6 6M19 6l-6 6 6 6"))
    + _button(
        "play",
        "Play (space)",
        _icon("M9 6l9 6-9 6z") + _icon("M9 6v12M15 6v12"),
        ' data-testid="play"',
    )
    + _button("forward", "Forward 10 seconds (L)", _icon("M13 6l6 6-6 6M5 6l6 6-6 6"))
    + '<span class="clock"><span data-testid="clock">0:00</span> / <span data-testid="total">{total}</span></span>\n'
    '<select data-testid="speed" aria-label="Speed" title="Speed">'
    + "".join(f'<option value="{speed}"{" selected" * (speed == "1")}>{speed}×</option>' for speed in _SPEEDS)
    + "</select>\n"
    '<label class="choose" title="Choose the recording"><input type="file" data-testid="file" '
    f'accept="audio/*,video/*">{_icon("M3 19V5h6l2 3h10v11z")}<span data-label>Choose the recording</span></label>\n'
    "</div>\n</div>\n"
)

# Keys of a row: what is shown, the action, and what the keyboard sends; a Chinese keyboard sends other punctuation.
_KEYS = (
    ((("Space", "play", "Space"), ("K", "play", "k K")), "Play or pause"),
    ((("J", "back", "j J"), ("L", "forward", "l L")), "Ten seconds back, forward"),
    (((",", "previous", ", ，"), (".", "next", ". 。")), "One sentence back, forward"),
    ((("&lt;", "slower", "&lt; 《"), ("&gt;", "faster", "&gt; 》")), "Slower, faster"),
    ((("/", "search", "/ 、"),), "Search"),
    ((("N", "nextHit", "n"), ("Shift+N", "previousHit", "N")), "Next, previous hit"),
    ((("F", "follow", "f F"),), "Follow the words being spoken"),
    ((("↑ ↓", "", ""), ("← →", "", "")), "Move by sentence, by word (in the text)"),
    ((("Enter", "", ""),), "Play from there"),
    ((("Esc", "", ""),), "Close, or leave the search"),
    ((("?", "help", "? ？"),), "This help"),
)


def _key(shown: str, action: str, keys: str) -> str:
    attributes = f' data-do="{action}" data-keys="{keys}"' if action else ""
    return f"<kbd{' data-label' * (shown in CHINESE)}{attributes}>{shown}</kbd>"


HELP = (
    '<dialog data-testid="help" aria-label="Keys">\n<h2 data-label>Keys</h2>\n<table>\n<tbody>\n'
    + "".join(
        f'<tr><th scope="row">{" ".join(_key(*key) for key in keys)}</th><td data-label>{label}</td></tr>\n'
        for keys, label in _KEYS
    )
    + "</tbody>\n</table>\n"
    "<p data-label>Click a word to play from there. Click a name to change it; copies have the new name.</p>\n"
    '<form method="dialog"><button data-label>Close</button></form>\n</dialog>\n'
)
