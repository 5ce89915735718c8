"""rules.yml: what is read, and every mistake with its line."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from cli.errors import OperatorError
from cli.rules.loader import MAX_PATTERNS, MAX_RULES, load_rules, load_rules_file
from cli.rules.models import RulesError, RulesFile
from shared.notices.models import TargetKind
from shared.settings import Settings, load_settings
from tests.helpers.chinese import list_english, list_translations, speak_chinese
from tests.helpers.notices import build_target

ROOT = Path(__file__).resolve().parents[3]
SETTINGS = load_settings(
    {
        "INPUT_BUCKETS": "recordings-1250000000,calls-1250000000",
        "CALLBACK_TOKEN": "a-token-of-the-tests",
        "REGION": "ap-guangzhou",
    }
)


def load(folder: Path, text: str | bytes, settings: Settings | None = SETTINGS) -> RulesFile:
    path = folder / "rules.yml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_rules_file(path, settings)


def load_mistakes(
    folder: Path, text: str | bytes, settings: Settings | None = SETTINGS
) -> list[tuple[int, str]]:
    with pytest.raises(RulesError) as caught:
        load(folder, text, settings)
    lines = str(caught.value).splitlines()
    assert len(lines) == len(caught.value.mistakes) + 1, lines
    for shown, (line, message) in zip(lines[1:], caught.value.mistakes, strict=True):
        assert shown.startswith(f"  rules.yml line {line}: " if line else "  rules.yml: ")
        assert len(message) < 500
    return [(line, message) for line, message in caught.value.mistakes]


def test_rules_have_lines_patterns_buckets_and_typed_options(tmp_path: Path) -> None:
    file = load(
        tmp_path,
        "# calls\nrules:\n  - match: calls/\n    bucket: calls-1250000000\n    engine: 8k_zh\n    channels: 2\n"
        "  - match: ['*.mp3', /talks/**]\n    formats: [txt, srt]\n    flash: yes\n    speakers: off\n",
    )
    first, second = file.rules
    assert (first.line, first.source) == (3, "rules.yml line 3")
    assert (first.patterns, first.buckets) == (("calls/",), ("calls-1250000000",))
    assert {name: tuple(choice) for name, choice in first.choices.items()} == {
        "engine": ("8k_zh", "rules.yml line 3"),
        "channels": (2, "rules.yml line 3"),
    }
    assert (second.line, second.patterns, second.buckets) == (7, ("*.mp3", "/talks/**"), ())
    values = {name: choice.value for name, choice in second.choices.items()}
    assert values == {"formats": ("txt", "srt"), "flash": True, "speakers": ""}
    assert file.summary == "rules.yml: 2 rules"


@pytest.mark.parametrize("value", ["1:30", "yes", "2026-01-01", "0123", "1e3", "~x", '""', "null and void"])
def test_text_is_taken_as_written_and_not_as_yaml_reads_it(value: str, tmp_path: Path) -> None:
    [rule] = load(tmp_path, f"rules:\n- match: x\n  title: {value}\n").rules
    assert rule.choices["title"].value == value.strip('"')


ENCODINGS = {
    "Windows line ends": "rules:\r\n- match: 会议/\r\n  title: 周会\r\n".encode(),
    "byte order mark": "rules:\n- match: 会议/\n  title: 周会\n".encode("utf-8-sig"),
    "no line end": "rules: [{match: 会议/, title: 周会}]".encode(),
    "document marks": "---\nrules:\n- match: 会议/\n  title: 周会\n...\n".encode(),
}


@pytest.mark.parametrize("content", ENCODINGS.values(), ids=ENCODINGS)
def test_files_of_windows_editors_are_read(content: bytes, tmp_path: Path) -> None:
    [rule] = load(tmp_path, content).rules
    assert (rule.patterns, rule.choices["title"].value) == (("会议/",), "周会")


def rule(text: str) -> str:
    """Return a file with one rule for `a/` and these lines."""
    return "rules:\n- match: a/\n" + "".join(f"  {line}\n" for line in text.splitlines())


MISTAKES: dict[str, tuple[str | bytes, int, str]] = {
    "empty file": (b"", 0, "it is empty; write `rules:` and a list of rules"),
    "comments only": ("# rules:\n", 0, "it is empty; write `rules:`"),
    "no rules": ("rules:\n", 1, "it has no rules; write `rules:`"),
    "empty list": ("rules: []\n", 1, "it has no rules; write `rules:`"),
    "list at the top": ("- match: a/\n  title: x\n", 1, "the file is a list; begin it with `rules:`"),
    "text at the top": ("calls\n", 1, "the file is a text; begin it with `rules:`"),
    "rules as a map": (
        "rules:\n  match: a/\n  title: x\n",
        1,
        "rules is not a list; begin each rule with `- match:`",
    ),
    "another name at the top": ("rule:\n- match: a/\n", 1, "'rule' is not known here; the file has one list"),
    "two lists": (rule("title: x") + rule("title: y"), 4, "rules is there twice; remove one of them"),
    "rule as a text": (
        "rules:\n- calls/\n",
        2,
        "the rule is not names with values; begin it with `- match:`",
    ),
    "rule without match": ("rules:\n- title: x\n", 2, "the rule has no `match`"),
    "rule without options": (rule("bucket: calls-1250000000"), 2, "the rule has no options; add one"),
    "wrong name": (rule("\nenigne: 8k_zh"), 4, "'enigne' is not a name in a rule; did you mean engine?"),
    "wrong case": (rule("Engine: 8k_zh"), 3, "'Engine' is not a name in a rule; did you mean engine?"),
    "wrong name of match": (
        "rules:\n- mach: a/\n  title: x\n",
        2,
        "'mach' is not a name in a rule; did you mean match",
    ),
    "underscore": (rule("dirty_words: drop"), 3, "did you mean dirty-words?"),
    "unknown name": (
        rule("colour: red"),
        3,
        "'colour' is not a name in a rule; the names are match, bucket, engine,",
    ),
    "name that is a list": (rule("? [a]\n: b"), 3, "a name in a rule is a text"),
    "wrong value": (rule("channels: 3"), 3, "channels is '3'; it is 1 or 2"),
    "value left out": (rule("engine:"), 3, "engine is empty; it is an engine such as"),
    "value as a map": (rule("title: {a: b}"), 3, "title is a mapping; it is"),
    "repeated name": (rule("title: x\ntitle: y"), 4, "title is there twice; remove one of them"),
    "pattern left out": (
        "rules:\n- match:\n  title: x\n",
        2,
        "match is empty; it is a text, or a list of texts",
    ),
    "no pattern": ("rules:\n- match: []\n  title: x\n", 2, "match is an empty list"),
    "pattern as a map": ("rules:\n- match: {a: b}\n  title: x\n", 2, "match is not a text"),
    "two stars in a name": (
        "rules:\n- match: a**b\n  title: x\n",
        2,
        "the pattern 'a**b' has `**` beside something",
    ),
    "pattern without an end": (
        "rules:\n- match:\n  - ok\n  - 'x['\n  title: x\n",
        4,
        "'x[' has `[` without `]`",
    ),
    "long pattern": (f"rules:\n- match: {'x' * 201}\n  title: x\n", 2, "has more than 200 characters"),
    "many wildcards": (f"rules:\n- match: {'x*' * 21}\n  title: x\n", 2, "has more than 20 wildcards"),
    "unclosed bracket": ("rules:\n- match: [a/, b/\n  title: x\n", 3, "it is not YAML: expected ',' or ']'"),
    "unclosed quote": (rule("title: 'x") + "\n", 5, "it is not YAML: found unexpected end of stream"),
    "star without quotes": (
        "rules:\n- match: *.mp3\n",
        2,
        "put quotes around a pattern that begins with one of *",
    ),
    "set without quotes": (
        "rules:\n- match: [0-9]x\n",
        2,
        "put quotes around a pattern that begins with one of *",
    ),
    "tab": ("rules:\n- match: a/\n\ttitle: x\n", 3, "indent with spaces, not with tabs"),
    "wrong indentation": ("rules:\n- match: a/\n    title: x\n", 3, "indent its other lines alike"),
    "second document": (rule("title: x") + "---\na: b\n", 4, "found another document"),
    "alias as a pattern": ("rules:\n- match: *calls\n  title: x\n", 2, 'put quotes around it: "*calls"'),
    "anchor": ("rules:\n- match: &a a/\n  title: x\n", 2, "&a is an anchor of YAML, which is refused"),
    "tag": (rule("title: !!binary eA=="), 3, "is a tag of YAML, which is refused"),
    "python tag": (
        rule("title: !!python/name:os.system x"),
        3,
        "is a tag of YAML, which is refused",
    ),
    "deep nesting": (rule(f"title: {'[' * 3000}"), 3, "it is nested deeper than 8 levels"),
    "deep lists": ("- " * 3000, 1, "it is nested deeper than 8 levels"),
    "1 MB": (rule("title: x") + "#" * 2**20, 0, "it has more than 65,536 bytes"),
    "GBK": (rule("title: x\n# 周会").encode("gbk"), 4, "it is not UTF-8; save the file as UTF-8"),
    "UTF-16": (rule("title: x").encode("utf-16"), 1, "it is not UTF-8"),
    "control character": (rule("title: a\x01b"), 3, "it has the character U+0001, which YAML does not allow"),
    "control character in quotes": (rule(r'title: "a\x01b"'), 3, "title is 'a\\x01b'; it is a text"),
    "other bucket": (
        rule("bucket: [calls-1250000000, cals-1250000000]\ntitle: x"),
        3,
        "the bucket 'cals-1250000000' is not in INPUT_BUCKETS; did you mean calls-1250000000?",
    ),
    "unknown bucket": (
        rule("bucket: music\ntitle: x"),
        3,
        "'music' is not in INPUT_BUCKETS; INPUT_BUCKETS has recordings-1250000000, calls-1250000000",
    ),
    "missing hot words": (
        rule("hot-words: words.txt"),
        3,
        "hot-words is 'words.txt', and there is no such file",
    ),
    "hot words elsewhere": (
        rule("hot-words: ../words.txt"),
        3,
        "it is the path of a file below the folder of",
    ),
    "hot words of this machine": (
        rule("hot-words: /etc/hosts"),
        3,
        "it is the path of a file below the folder of",
    ),
    "contradiction in a rule": (
        rule("engine: 16k_en\nchannels: 2"),
        2,
        (
            "channels is 2 (rules.yml line 2), which needs the engine 8k_zh, not 16k_en (engine: rules.yml line 2); "
            "the nearest choice: channels 1"
        ),
    ),
    "contradiction with ENGINE": (
        rule("channels: 2"),
        2,
        (
            "channels is 2 (rules.yml line 2), which needs the engine 8k_zh, not 16k_zh (engine: settings); "
            "the nearest choice: engine 8k_zh"
        ),
    ),
    "contradiction with a rule for the same keys": (
        "rules:\n- match: a/\n  engine: 8k_zh\n  channels: 2\n- match: a/b/*.mp3\n  speakers: auto\n",
        5,
        (
            "speakers is auto (rules.yml line 5), but two channels are already one speaker each "
            "(channels: rules.yml line 2); the nearest choice: speakers off"
        ),
    ),
}


@pytest.mark.parametrize(("text", "line", "message"), MISTAKES.values(), ids=MISTAKES)
def test_mistake_is_named_with_its_line_and_nothing_else(
    text: str | bytes, line: int, message: str, tmp_path: Path
) -> None:
    [(found_line, found)] = load_mistakes(tmp_path, text)
    assert message in found
    assert found_line == line, found
    with speak_chinese(), pytest.raises(RulesError) as caught:
        load(tmp_path, text)
    [mistake] = caught.value.mistakes
    assert mistake.line == line
    # What PyYAML says is in English.
    assert (
        mistake.text.startswith("不是有效的 YAML：")
        or list_english(mistake.text, "yml line", "speakers off") == []
    )


def test_every_mistake_is_in_one_message(tmp_path: Path) -> None:
    text = (
        "rules:\n- match: a**b\n  enigne: 8k_zh\n  channels: 3\n- match: x/\n- title: x\n  bucket: music\n"
        "- match: y/\n  engine: 16k_en\n  channels: 2\n"
    )
    mistakes = load_mistakes(tmp_path, text)
    assert [line for line, _ in mistakes] == [2, 3, 4, 5, 6, 7, 8]
    with pytest.raises(OperatorError, match=rf"^7 mistakes in {tmp_path}/rules.yml:\n  rules.yml line 2: "):
        load(tmp_path, text)


def test_aliases_that_would_grow_are_refused_at_once(tmp_path: Path) -> None:
    lines = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    lines += [f"{name}: &{name} [{','.join([f'*{chr(ord(name) - 1)}'] * 9)}]" for name in "bcdefghi"]
    mistakes = load_mistakes(tmp_path, "\n".join([*lines, "rules: *i"]))
    assert (1, "&a is an anchor of YAML, which is refused; remove it") in mistakes
    assert [
        message for line, message in mistakes if line == 10 and message.startswith("*i is an alias of YAML")
    ]


def test_too_many_rules_and_patterns_are_refused(tmp_path: Path) -> None:
    one = "- {match: x, title: y}\n"
    assert len(load(tmp_path, "rules:\n" + one * MAX_RULES).rules) == MAX_RULES
    [(line, message)] = load_mistakes(tmp_path, "rules:\n" + one * (MAX_RULES + 1))
    assert (line, message) == (102, "there are 101 rules; 100 is the maximum")
    patterns = ", ".join(f"a{number}" for number in range(MAX_PATTERNS + 1))
    [(line, message)] = load_mistakes(tmp_path, f"rules:\n- match: [{patterns}]\n  title: x\n")
    assert (line, message) == (0, "there are 501 patterns; 500 is the maximum")


def test_without_settings_only_the_rules_themselves_are_compared(tmp_path: Path) -> None:
    load(tmp_path, rule("channels: 2\nbucket: any-1250000000"), None)
    [(line, _)] = load_mistakes(tmp_path, rule("channels: 2\nengine: 16k_en"), None)
    assert line == 2


def test_names_that_are_no_targets_are_mistakes_with_their_lines(tmp_path: Path) -> None:
    targets = (build_target(), build_target(TargetKind.WECOM, name="wecom-support", is_default=False))
    settings = replace(SETTINGS, targets=targets)
    text = "rules:\n- match: a/\n  title: x\n  notify: [webhook, {}]\n- match: b/\n  notify: no\n"
    load(tmp_path, text.format("wecom-support"), settings)
    assert load_mistakes(tmp_path, text.format("wecom-supports"), settings) == [
        (4, "notify names 'wecom-supports', which is not a target; did you mean wecom-support?")
    ]
    assert load_mistakes(tmp_path, text.format("dingtalk"), settings) == [
        (4, "notify names 'dingtalk', which is not a target; the targets are webhook, wecom-support")
    ]
    first, second = load_mistakes(tmp_path, text.format("wecom"))
    assert first == (4, "notify names 'webhook', which is not a target; no target is set (NOTIFY_...)")
    assert second[0] == 4
    load(tmp_path, text.format("dingtalk"), None)  # the targets are not known
    load(tmp_path, text.format("dingtalk"), replace(settings, cloud_endpoint="http://127.0.0.1:9"))


def test_rules_of_the_real_cloud_are_valid_on_a_local_one(tmp_path: Path) -> None:
    local = load_settings(
        {
            "INPUT_BUCKETS": "recordings-1250000000",
            "CALLBACK_TOKEN": "a-token-of-the-tests",
            "REGION": "ap-guangzhou",
            "ENGINE": "16k_en",
            "CLOUD_ENDPOINT": "http://127.0.0.1:9",
        }
    )
    text = rule("channels: 2\nbucket: any-1250000000")
    assert len(load_mistakes(tmp_path, text)) == 2
    load(tmp_path, text, local)


def test_engine_of_a_rule_for_all_counts_for_the_others(tmp_path: Path) -> None:
    load(tmp_path, "rules:\n- match: '**'\n  engine: 8k_zh\n- match: a/\n  channels: 2\n")
    load(tmp_path, "rules:\n- match: a/\n  channels: 2\n- match: '**'\n  engine: 8k_zh\n")


def test_path_of_hot_words_is_written_with_slashes(tmp_path: Path) -> None:
    (tmp_path / "hot words").mkdir()
    (tmp_path / "hot words/a.txt").write_text("Scribe\n", "utf-8")
    file = load(
        tmp_path,
        "rules:\n- match: a/\n  hot-words: hot words\\a.txt\n- match: b/\n  hot-words: ./hot words//a.txt\n"
        "- match: c/\n  hot-words: off\n",
    )
    assert file.hot_words_files == ("hot words/a.txt",)
    assert [rule.choices["hot-words"].value for rule in file.rules] == ["hot words/a.txt"] * 2 + [""]


def test_folder_without_the_file_has_no_rules(tmp_path: Path) -> None:
    assert load_rules(tmp_path, SETTINGS) is None


def test_file_that_cannot_be_read_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").symlink_to(tmp_path / "gone.yml")
    with pytest.raises(RulesError, match=r"rules\.yml: it cannot be read: No such file"):
        load_rules(tmp_path, SETTINGS)
    (tmp_path / "rules.yml").unlink()
    (tmp_path / "rules.yml").mkdir()
    with pytest.raises(RulesError, match=r"rules\.yml: it is not a file"):
        load_rules(tmp_path, SETTINGS)


def test_example_is_valid_and_in_two_languages(tmp_path: Path) -> None:
    text = (ROOT / "rules.example.yml").read_text("utf-8")
    assert [rule.patterns for rule in load(tmp_path, text).rules] == [
        ("calls/",),
        ("*.m4a", "/meetings/**"),
        ("/english/**/*.mp3",),
    ]
    # The rules in comments are valid too, for those who have the target, the bucket and the file.
    (tmp_path / "hotwords").mkdir()
    (tmp_path / "hotwords/lessons.txt").write_text("光合作用\n", "utf-8")
    with_all = re.sub(r"^  # ((?:- match|  [a-z-]+):.*)", r"  \1", text, flags=re.MULTILINE)
    *_, notified, last = load(tmp_path, with_all, None).rules
    assert notified.choices["notify"].value == ("wecom-support",)
    assert last.choices["engine"].value == "16k_zh_edu"
    assert "以后面的规则为准" in text


def test_no_translation_has_an_english_sentence() -> None:
    assert list_english(list_translations("rules")) == []
