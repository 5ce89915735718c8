"""The language of the command line: `--lang`, help pages, mistakes in the arguments, and questions.

    ScribeGroup.main ──▶ find_language (arguments, environment) ──▶ use_language
         └──▶ translate_help: the texts of every command and parameter, before typer reads the arguments

typer builds the commands again for each command line, so their texts are changed in place.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from cli.language import (
    CHINESE,
    ENGLISH,
    _,
    find_language,
    get_language,
    is_chinese,
    parse_language,
    translate,
    use_language,
)
from cli.typer_texts import HELP_OPTION, PANELS, USAGE, USAGE_PIECES, translate_mistake

# Of the click that typer uses: its own copy, or the package.
UsageError: Any = typer.BadParameter.__mro__[1]
ClickException: Any = UsageError.__mro__[1]
_Base: Any = object  # TyperCommand or TyperGroup, which follow it in the classes below
_PANEL = "rich_help_panel"
_YES, _NO = frozenset({"y", "yes", "是"}), frozenset({"", "n", "no", "否"})
_METAVAR = f"{ENGLISH}|{CHINESE}"


class _TranslatedHelp(_Base):  # type: ignore[misc]  # mypy knows no common class of both
    """Help in the language of the command line, of a command and of the command line itself."""

    def get_usage(self, ctx: Any) -> str:
        """Return the line `Usage: ...`."""
        return translate_usage(super().get_usage(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help page."""
        translate_panels()
        super().format_help(ctx, formatter)

    def get_help_option(self, ctx: Any) -> Any:
        """Return the option `--help`, which some versions of click create each time."""
        return translate_help_option(super().get_help_option(ctx))


class ScribeCommand(_TranslatedHelp, TyperCommand):
    """A command whose help is in the language of the command line."""


class ScribeGroup(_TranslatedHelp, TyperGroup):
    """The command line: finds its language before anything is printed."""

    def main(self, args: Sequence[str] | None = None, *names: Any, **extra: Any) -> Any:
        """Run a command line in its language. Raises SystemExit."""
        arguments = list(sys.argv[1:] if args is None else args)
        before = get_language()
        try:
            use_language(find_language(arguments, os.environ))
        except ValueError:  # the option itself says what is wrong with it
            use_language(find_language((), os.environ))
        else:
            if _has_only_language(arguments):
                arguments = []  # which prints the help
        try:
            add_language_option(self)
            hide_types(self)
            translate_help(self)
            return super().main(arguments, *names, **extra)
        finally:
            use_language(before)

    def make_context(self, *names: Any, **extra: Any) -> Any:
        """Read the arguments of the command itself."""
        try:
            return super().make_context(*names, **extra)
        except ClickException as error:
            raise translate_usage_error(error) from None

    def invoke(self, ctx: Any) -> Any:
        """Read the arguments of a command and run it."""
        try:
            return super().invoke(ctx)
        except ClickException as error:
            raise translate_usage_error(error) from None
        except typer.Abort:
            translate_panels()
            raise


def _has_only_language(arguments: Sequence[str]) -> bool:
    first = next(iter(arguments), "")
    return len(arguments) == 1 + (first == "--lang") and first.startswith("--lang")


def _check_language(value: str) -> str:
    if value and not parse_language(value):
        raise typer.BadParameter(_("there are no texts in {language}: use en or zh", language=repr(value)))
    return value


def add_language_option(group: Any) -> None:
    """Add `--lang` to the group and each of its commands: typer has no options that are valid everywhere."""
    for command in _iter_commands(group):
        if not any("--lang" in param.opts for param in command.params):
            command.params.append(_create_language_option())


def _create_language_option() -> Any:
    app = typer.Typer(add_completion=False)

    @app.command()
    def command(
        lang: Annotated[
            str,
            typer.Option(
                "--lang",
                metavar=_METAVAR,
                help="Language of the texts. Default: that of the system (LANG).",
                show_default=False,
                callback=_check_language,
                is_eager=True,
            ),
        ] = "",
    ) -> None:
        """Have the option."""

    option = next(param for param in get_command(app).params if "--lang" in param.opts)
    option.expose_value = False
    return option


def _iter_commands(group: Any) -> Iterator[Any]:
    yield group
    yield from group.commands.values()


def hide_types(group: Any) -> None:
    """Leave out what says nothing: `<bool>` of an option without a value, the type of an argument."""
    for command in _iter_commands(group):
        for param in command.params:
            _hide_type(param)


def _hide_type(param: Any) -> None:
    if getattr(param, "is_flag", False) or param.param_type_name == "argument":
        param.display_type_rich = _display_nothing


def _display_nothing(**_context: object) -> None:
    """Stand for a type in the table of parameters."""


def iter_help_texts(group: Any) -> Iterator[str]:
    """Yield every text of the help pages, in English, but typer's own."""
    for owner, name in _iter_places(group):
        yield getattr(owner, name)


def translate_help(group: Any) -> None:
    """Translate the texts of the commands and their parameters in place."""
    for owner, name in list(_iter_places(group)):
        setattr(owner, name, translate(getattr(owner, name)))


def _iter_places(group: Any) -> Iterator[tuple[Any, str]]:
    """Yield the commands and parameters, each with the name of an attribute that has a text for people."""
    for command in _iter_commands(group):
        for name in ("help", "short_help", "epilog", _PANEL):
            if text := getattr(command, name, None):
                setattr(command, name, _join_lines(text))
                yield command, name
        for param in command.params:
            for name in ("help", "metavar", _PANEL):
                if getattr(param, name, None):
                    yield param, name


def _join_lines(text: str) -> str:
    """Join the lines of each paragraph, as they are in the source; the terminal breaks them where it must."""
    return "\n\n".join(" ".join(part.split()) for part in inspect.cleandoc(text).split("\n\n"))


def translate_help_option(option: Any) -> Any:
    """Translate the text of `--help`, if there is that option."""
    if option is not None:
        option.help = _(HELP_OPTION)
        _hide_type(option)
    return option


def translate_usage(text: str) -> str:
    """Translate the line that begins with `Usage:`."""
    if not is_chinese() or not text.startswith(USAGE):
        return text
    words = text[len(USAGE) :]
    for piece in USAGE_PIECES:
        words = words.replace(piece, _(piece))
    return _(USAGE).rstrip() + words


def translate_usage_error(error: Any) -> Any:
    """Translate an error about the command line."""
    translate_panels()
    if not is_chinese() or type(error).__name__ == "NoArgsIsHelpError":
        return error
    translated = UsageError(translate_mistake(error.format_message()), getattr(error, "ctx", None))
    translated.exit_code = error.exit_code
    return translated


def translate_panels() -> None:
    """Translate the fixed texts in the frames of typer's help and errors. Without rich they have none."""
    try:
        from typer import rich_utils  # noqa: PLC0415 - takes long to load, and only a help page needs it
    except ImportError:
        return
    for name, text in PANELS.items():
        if hasattr(rich_utils, name):
            setattr(rich_utils, name, _(text))


def confirm(question: str) -> bool:
    """Ask a question on the terminal until the answer is yes or no; no answer is no. Raises typer.Abort for Ctrl-C."""
    while True:
        answer = typer.prompt(question, default="", prompt_suffix=" [y/N]: ", show_default=False)
        word = str(answer).strip().lower()
        if word in _YES | _NO:
            return word in _YES
        typer.echo(_("Error: invalid input"))
