"""Writes docs/settings.md and docs/settings.zh.md from shared/settings.py: `python -m cli.settings_docs`.

The text of a setting is the string below its field in `Settings`. It costs the functions nothing, because the compiler
drops it; so it is read from the source here. Names and defaults come from the code. The Chinese texts are in
cli/settings_docs_zh.py.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import shared.settings
from cli import settings_docs_zh
from cli.config import PROJECT_FOLDER
from cli.errors import OperatorError
from cli.language import CHINESE, ENGLISH, get_language, translate, use_language
from cli.notice_settings import DEFAULTS as NOTICE_DEFAULTS
from cli.notice_settings import NAMED_TARGETS, NOTICE_SETTINGS
from shared.errors import SettingsError
from shared.settings import Settings, load_settings

DOCS = PROJECT_FOLDER / "docs"
PAGES = {ENGLISH: DOCS / "settings.md", CHINESE: DOCS / "settings.zh.md"}

# Who sets it: the first word of each text, and the heading of its part of the page.
_GROUPS = {
    "Everyone": "## What every operator sets",
    "Some": "## What some operators set\n\nMost deployments leave these empty.",
    "Notices": "## Notices\n\nA program or a chat group gets a message about each recording that has failed, or is "
    "done: [notices.md](notices.md).\nWithout an address here, nothing is sent.",
    "Tests": "## For tests",
}

_HEADER = """# Settings

[中文版](settings.zh.md)

`make docs` writes this page from `shared/settings.py` and `cli/notice_settings.py` (`python -m cli.settings_docs`);
change it there, and its Chinese in `cli/settings_docs_zh.py`.

Put the settings into `.env` (`.env.example` lists them), then run `scribe deploy`. It passes them to the functions as
environment variables. An empty value counts as not set.

A wrong value stops `scribe deploy` before it changes anything. It also stops a function, if it got the value in another
way. One message lists every mistake. Each section below says what the setting does, its default, an example and a value
that is refused, with the error message. `scribe deploy` words some of these messages differently, and adds the line of
serverless.yml or the name of the .env file.
"""

_FOOTER = """
## For deploying only

These never reach the functions.

| name | default | meaning | for example |
|---|---|---|---|
| `SCRIBE_STAGE` | `prod` | a part of the functions' names, for several deployments in one account | `test` |
| `SCF_ROLE_NAME` | `scribe-<stage>` | the roles' names, before `-upload`, `-callback`, `-sweep` | `stt-roles` |
| `SCRIBE_CALLBACK` | as deployed, at first `queue` | what notifies: the speech `queue`, or each `job` itself | `job` |

## For the commands of every day only

These never reach the functions either.

| name | default | meaning | for example |
|---|---|---|---|
| `PRICE_PER_HOUR` | `1.75` | what an hour of speech costs, for `scribe cost`: [cost.md](cost.md) | `2.4` |
| `PRICE_CURRENCY` | `CNY` | the currency of that price, in three letters | `USD` |

The key that deploys: [deploy.md](deploy.md#2-a-key-for-deploying). A recording can have [options](options.md) of its
own, such as its engine and channels.
"""


@dataclass(frozen=True, slots=True)
class PageTexts:
    """What a page says in one language, apart from the settings. `{}` is where a value goes."""

    header: str
    groups: Mapping[str, str]
    named_targets: str
    footer: str
    columns: str = "name | default | meaning"
    required: str = "required"
    when_empty: str = "when empty: {}"
    default: str = "default: `{}`"
    semicolon: str = "; "
    example: str = "for example: {}"
    refused: str = "refused: {}: {}"
    joint: str = " with "
    blank: str = " "  # between sentences


_TEXTS = {
    ENGLISH: PageTexts(_HEADER, _GROUPS, NAMED_TARGETS, _FOOTER),
    CHINESE: PageTexts(
        settings_docs_zh.HEADER,
        settings_docs_zh.GROUPS,
        settings_docs_zh.NAMED_TARGETS,
        settings_docs_zh.FOOTER,
        columns="名称 | 默认值 | 含义",
        required="必填",
        when_empty="为空时：{}",
        default="默认：`{}`",
        semicolon="；",
        example="示例：{}",
        refused="会被拒绝：{}：{}",
        joint="，同时设置 ",
        blank="",
    ),
}


@dataclass(frozen=True, slots=True)
class SettingDoc:
    """The documentation of one setting. `examples` and `wrong` are variables to add to a working environment."""

    name: str
    group: str
    meaning: str  # one line
    details: str
    required: bool
    default: str  # as an environment variable; "" when an empty value has a meaning of its own
    when_empty: str
    examples: tuple[dict[str, str], ...]
    wrong: tuple[dict[str, str], ...]


def load_setting_docs() -> tuple[SettingDoc, ...]:
    """Load every setting in the order of the fields. Raises OperatorError for an incomplete text."""
    tree = ast.parse(inspect.getsource(shared.settings))
    names, texts = _read_variable_names(tree), _read_field_texts(tree)
    fields = tuple(
        _parse_field(field, names[field.name], texts.get(field.name, ""))
        for field in dataclasses.fields(Settings)
        if field.name in names
    )
    notices = tuple(
        _parse_text(name, inspect.cleandoc(text), NOTICE_DEFAULTS.get(name, ""), "in cli/notice_settings.py")
        for name, text in NOTICE_SETTINGS.items()
    )
    return (*fields, *notices)


def build_minimal_environment(docs: tuple[SettingDoc, ...]) -> dict[str, str]:
    """Build the smallest environment that works: the first example of each required setting."""
    return {doc.name: doc.examples[0][doc.name] for doc in docs if doc.required}


def _read_variable_names(tree: ast.Module) -> dict[str, str]:
    """Map fields to variables, from `load_settings`, which reads each field by the name of its variable."""
    names = {}
    for call in ast.walk(tree):
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Name)
            and call.func.id == Settings.__name__
        ):
            for keyword in call.keywords:
                if (
                    keyword.arg
                    and isinstance(keyword.value, ast.Call)
                    and isinstance(keyword.value.args[0], ast.Constant)
                ):
                    names[keyword.arg] = str(ast.literal_eval(keyword.value.args[0]))
    return names


def _read_field_texts(tree: ast.Module) -> dict[str, str]:
    classes = (node for node in tree.body if isinstance(node, ast.ClassDef))
    body = next(node.body for node in classes if node.name == Settings.__name__)
    texts = {}
    for pair in itertools.pairwise(body):
        match pair:
            case ast.AnnAssign(target=ast.Name(id=field)), ast.Expr(value=ast.Constant(value=str(text))):
                texts[field] = inspect.cleandoc(text)
    return texts


def _parse_field(field: dataclasses.Field[object], name: str, text: str) -> SettingDoc:
    has_factory = field.default_factory is not dataclasses.MISSING  # of an empty mapping
    required = field.default is dataclasses.MISSING and not has_factory
    default = "" if required or has_factory or not field.default else _as_variable(field.default)
    place = f"below {field.name} in shared/settings.py"
    return _parse_text(name, text, default, place, required=required)


def _parse_text(name: str, text: str, default: str, place: str, *, required: bool = False) -> SettingDoc:
    """Parse the text of a setting; `place` is where it is. Raises OperatorError."""
    group, _, rest = text.partition(". ")
    prose: list[str] = []
    labelled: dict[str, list[str]] = {"Empty": [], "Example": [], "Wrong": []}
    for line in filter(None, rest.splitlines()):
        label, colon, content = line.partition(": ")
        if colon and label in labelled:
            labelled[label].append(content)
        else:
            prose.append(line)
    needed = ["Example", "Wrong"] if required or default else ["Example", "Wrong", "Empty"]
    missing = [f"a line {label}:" for label in needed if not labelled[label]]
    if group not in _GROUPS or not prose:
        missing.insert(0, f"one of {', '.join(_GROUPS)} at its start, and the meaning of the setting")
    if missing:
        raise OperatorError(f"The text of {name} {place} lacks {'; '.join(missing)}.")
    return SettingDoc(
        name=name,
        group=group,
        meaning=prose[0],
        details=" ".join(prose[1:]),
        required=required,
        default=default,
        when_empty=" ".join(labelled["Empty"]),
        examples=tuple(_parse_assignments(line) for line in labelled["Example"]),
        wrong=tuple(_parse_assignments(line) for line in labelled["Wrong"]),
    )


def _as_variable(default: object) -> str:
    return ",".join(default) if isinstance(default, tuple) else str(default)


def _parse_assignments(text: str) -> dict[str, str]:
    """Parse `A=1 B="2 3"`, quoted as for a shell."""
    return dict(word.split("=", 1) for word in shlex.split(text))


def load_chinese_docs() -> tuple[SettingDoc, ...]:
    """Load every setting with its Chinese texts. Raises OperatorError if these are not of the same settings."""
    docs, texts = load_setting_docs(), settings_docs_zh.SETTINGS
    names = {doc.name for doc in docs}
    missing = [doc.name for doc in docs if doc.name not in texts or not _has_same_parts(doc, texts[doc.name])]
    if missing or names != set(texts):
        wrong = ", ".join([*missing, *sorted(set(texts) - names)])
        raise OperatorError(
            f"The text of {wrong} in cli/settings_docs_zh.py is missing, has other parts than the English one, "
            "or is of no setting."
        )
    return tuple(replace(doc, **texts[doc.name]._asdict()) for doc in docs)


def _has_same_parts(doc: SettingDoc, text: settings_docs_zh.ChineseText) -> bool:
    return [bool(getattr(doc, name)) for name in text._fields] == [bool(part) for part in text]


def render_page(language: str = ENGLISH) -> str:
    """Render the page in one language. Raises OperatorError when a text of a setting is wrong."""
    docs = load_setting_docs() if language == ENGLISH else load_chinese_docs()
    minimal = build_minimal_environment(docs)
    texts = _TEXTS[language]
    parts = [texts.header]
    with _messages_in(language):
        for group, title in texts.groups.items():
            members = [doc for doc in docs if doc.group == group]
            parts.append(f"\n{title}\n\n| {texts.columns} |\n|---|---|---|\n")
            parts += [
                f"| [`{doc.name}`](#{doc.name.lower()}) | {_format_default(doc, texts)} | {doc.meaning} |\n"
                for doc in members
            ]
            parts += [_render_section(doc, minimal, texts) for doc in members]
            parts += [texts.named_targets] if group == "Notices" else []
    return "".join([*parts, texts.footer])


@contextmanager
def _messages_in(language: str) -> Iterator[None]:
    """Have the messages about mistakes in a language for a while."""
    before = get_language()
    use_language(language)
    try:
        yield
    finally:
        use_language(before)


def _format_default(doc: SettingDoc, texts: PageTexts) -> str:
    return texts.required if doc.required else doc.when_empty or f"`{doc.default}`"


def _render_section(doc: SettingDoc, minimal: dict[str, str], texts: PageTexts) -> str:
    if doc.required:
        start = texts.required
    else:
        parts = [texts.when_empty.format(doc.when_empty)] if doc.when_empty else []
        parts += [texts.default.format(doc.default)] if doc.default not in {"", doc.when_empty} else []
        start = texts.semicolon.join(parts)
    items = [start]
    items += [texts.example.format(_format_assignments(example, texts.joint)) for example in doc.examples]
    items += [
        texts.refused.format(_format_assignments(wrong, texts.joint), _get_error(minimal | wrong))
        for wrong in doc.wrong
    ]
    meaning = texts.blank.join(filter(None, [doc.meaning, doc.details]))
    return "\n".join([f"\n### {doc.name}\n", meaning, "", *(f"- {item}" for item in items)]) + "\n"


def _format_assignments(environ: dict[str, str], joint: str) -> str:
    return joint.join(f"`{name}={value}`" for name, value in environ.items())


def _get_error(environ: dict[str, str]) -> str:
    try:
        load_settings(environ)
    except SettingsError as error:
        return "; ".join(map(translate, error.mistakes))
    raise OperatorError(
        f"the text of a setting calls {environ} wrong, but it works; correct the line Wrong:."
    )


if __name__ == "__main__":
    for code, path in PAGES.items():
        Path(path).write_text(render_page(code), "utf-8")
        print(f"{path} is written.")
