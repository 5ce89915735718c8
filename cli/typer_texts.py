"""The texts that typer and click print themselves: the frame of a help page, and mistakes in the command line.

Some versions look theirs up with gettext, others do not; so the finished English texts are translated here, whatever
their version: a text is matched with the templates below, and its values are put into the translation.
"""

from __future__ import annotations

from collections.abc import Mapping

from cli.language import N_, _, is_chinese, match_template, translate

USAGE = N_("Usage: ")
HELP_OPTION = N_("Show this message and exit.")

# Module constants of typer.rich_utils, which are meant to be set by programs.
PANELS: Mapping[str, str] = {
    "ARGUMENTS_PANEL_TITLE": N_("Arguments"),
    "OPTIONS_PANEL_TITLE": N_("Options"),
    "COMMANDS_PANEL_TITLE": N_("Commands"),
    "ERRORS_PANEL_TITLE": N_("Error"),
    "DEFAULT_STRING": N_("[default: {}]"),
    "REQUIRED_LONG_STRING": N_("[required]"),
    "ABORTED_TEXT": N_("Aborted."),
    "RICH_HELP": N_("Try [blue]'{command_path} {help_option}'[/] for help."),
}

# Placeholders in the line that begins with `Usage:`.
USAGE_PIECES = (N_("[OPTIONS]"), N_("COMMAND [ARGS]..."))

# The first that matches counts, so the more exact one stands first.
MISTAKES = (
    N_("Missing argument {name}."),
    N_("Missing option {name}."),
    N_("Missing command."),
    N_("No such command {name}. Did you mean {other}?"),
    N_("No such command {name}."),
    N_("No such option: {name} (Possible options: {others})"),
    N_("No such option: {name} Did you mean {others}?"),
    N_("No such option: {name}"),
    N_("Option {name} requires an argument."),
    N_("Option {name} does not take a value."),
    N_("Got unexpected extra argument(s) ({names})"),
    N_("Got unexpected extra argument ({names})"),
    N_("Got unexpected extra arguments ({names})"),
    N_("Invalid value for {name}: {reason}"),
    N_("Invalid value: {reason}"),
    N_("Input should be a valid integer, unable to parse string as an integer"),
    N_("{value} is not a valid integer."),
    N_("{value} is not a valid integer range."),
    N_("Input should be greater than or equal to {limit}"),
    N_("Input should be less than or equal to {limit}"),
    N_("{value} is not in the range {range}."),
    N_("Value error, {reason}"),
    N_("{value} is not one of {names}."),
    N_("file {path} does not exist."),
    N_("File {path} does not exist."),
    N_("file {path} is a directory."),
    N_("File {path} is a directory."),
    N_("file {path} is not readable."),
    N_("File {path} is not readable."),
)
_LISTS = ("names", "others")


def translate_mistake(text: str) -> str:
    """Translate what typer says about the command line; a text that is none of these as the catalogue has it."""
    found = match_template(text, MISTAKES) if is_chinese() else None
    if not found:
        return translate(text)
    template, values = found
    return _(template, **{name: _translate_value(name, value) for name, value in values.items()})


def _translate_value(name: str, value: str) -> str:
    return _(", ").join(value.split(", ")) if name in _LISTS else translate_mistake(value)
