"""The language of the command's texts: English, or Chinese by LANG or `--lang zh`.

Texts are written in English where they are used, as `_("bucket {name} does not exist", name=name)`, and looked up in a
gettext catalogue, cli/locale. `python -m cli.catalogue` keeps the catalogue up to date, and compiles it.

JSON keeps its names in every language; texts for people in it are in the language of the command.
"""

from __future__ import annotations

import gettext
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from string import Formatter

from shared.errors import CloudError
from shared.messages import Bilingual, Message

ENGLISH, CHINESE = "en", "zh"
LANGUAGES = (ENGLISH, CHINESE)
LOCALE_FOLDER = Path(__file__).parent / "locale"
DOMAIN = "scribe"
# Of the catalogue's folder; also read for zh_TW, zh_HK and zh_SG: simplified characters rather than English.
_CHINESE_LOCALE = "zh_CN"
# Where the system says the language, the first of them that is set wins (gettext(1)).
_VARIABLES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")


class _Current:
    """The language that texts are in now. One for the whole process: a command speaks one language."""

    code = ENGLISH
    translations: gettext.NullTranslations = gettext.NullTranslations()


def find_language(arguments: Sequence[str], environ: Mapping[str, str]) -> str:
    """Return the code of the language that `--lang`, else the environment asks for; English for any other.

    Raises ValueError for a value of `--lang` that is no language of this command.
    """
    requested = ""
    for number, argument in enumerate(arguments):
        if argument == "--":
            break
        if argument == "--lang":
            requested = next(iter(arguments[number + 1 : number + 2]), "")
        elif argument.startswith("--lang="):
            requested = argument.partition("=")[2]
    if requested:
        code = parse_language(requested)
        if not code:
            raise ValueError(requested)
        return code
    value = next((environ[name] for name in _VARIABLES if environ.get(name)), "")
    return parse_language(value.partition(":")[0]) or ENGLISH


def parse_language(name: str) -> str:
    """Return the code of a language by its name, such as `zh_CN.UTF-8`; "" if there are no texts in it."""
    code = name.replace("-", "_").partition("_")[0].partition(".")[0].lower()
    return code if code in LANGUAGES else ""


def use_language(code: str) -> None:
    """Switch the language of all texts from now on, to one of LANGUAGES."""
    _Current.code = code
    _Current.translations = (
        gettext.translation(DOMAIN, str(LOCALE_FOLDER), [_CHINESE_LOCALE])
        if code == CHINESE
        else gettext.NullTranslations()
    )


def get_language() -> str:
    """Return the code of the language in use."""
    return _Current.code


def is_chinese() -> bool:
    """Whether texts are in Chinese."""
    return _Current.code == CHINESE


def _(message: str, /, **values: object) -> str:
    """Translate a message, and put values in place of its `{names}`. Without values, braces stay as they are.

    A value that is a Message of shared/, or an error, is translated too.
    """
    text = _Current.translations.gettext(message)
    return text.format_map(_translate_values(values)) if values else text


def ngettext(one: str, many: str, count: int, /, **values: object) -> str:
    """Translate a message with a number in it: `ngettext("{count} job", "{count} jobs", 2)`.

    `{count}` has commas between thousands.
    """
    text = _Current.translations.ngettext(one, many, count)
    return text.format_map({"count": f"{count:,}", **_translate_values(values)})


def choose_text(english: str, chinese: str) -> str:
    """Choose between the two texts of something that has both, such as an error object."""
    return chinese if is_chinese() and chinese else english


def join_words(words: Sequence[str]) -> str:
    """Join names for a sentence: `a, b and c`; in Chinese `a、b 和 c`."""
    if len(words) < 2:  # noqa: PLR2004
        return "".join(words)
    return _("{words} and {last}", words=_(", ").join(words[:-1]), last=words[-1])


def N_(message: str) -> str:  # noqa: N802 - the name that tools look for
    """Mark a text for the catalogue that is translated later, where it is printed."""
    return message


def translate(text: str) -> str:
    """Translate a text that was made elsewhere: a Message of shared/ by its template, any other text as a whole.

    A text that the catalogue does not have is returned as it is.
    """
    if isinstance(text, Message):
        return _(text.template, **text.values)
    if isinstance(text, Bilingual):
        return choose_text(str(text), text.chinese)
    return _(text) if text else text


def translate_like(text: str, templates: Sequence[str]) -> str:
    """Translate a finished English text of another program by the first of the templates that it matches."""
    found = match_template(text, templates) if is_chinese() else None
    return _(found[0], **found[1]) if found else translate(text)


def match_template(text: str, templates: Sequence[str]) -> tuple[str, dict[str, str]] | None:
    """Return the first of the templates that a text was made from, with its values."""
    for template in templates:
        if match := _compile_template(template).fullmatch(text):
            return template, match.groupdict()
    return None


@cache
def _compile_template(template: str) -> re.Pattern[str]:
    parts = [
        re.escape(text) + (f"(?P<{name}>.+?)" if name else "")
        for text, name, *_rest in Formatter().parse(template)
    ]
    return re.compile("".join(parts), re.DOTALL)


def format_exception(error: Exception) -> str:
    """Return the text of an error, translated if it was made as a Message or has both languages."""
    if isinstance(error, CloudError) and is_chinese():
        return _format_cloud_error(error)
    text = error.args[0] if len(error.args) == 1 else None
    return translate(text) if isinstance(text, Message | Bilingual) else str(error)


def _format_cloud_error(error: CloudError) -> str:
    """What `str` gives, with Scribe's words in this language. The message of the cloud stays as it came."""
    response = f"{error.status} {error.code}".strip() if error.status else error.code or _("no response")
    text = _("{resource}: {response}", resource=error.resource, response=response)
    if error.message:
        text = _("{text}: {message}", text=text, message=error.message)
    if error.request_id:
        text = _("{message} (request {request_id})", message=text, request_id=error.request_id)
    return text


def _translate_values(values: Mapping[str, object]) -> dict[str, object]:
    return {name: _translate_value(value) for name, value in values.items()}


def _translate_value(value: object) -> object:
    if isinstance(value, Exception):
        return format_exception(value)
    return translate(value) if isinstance(value, Message | Bilingual) else value
