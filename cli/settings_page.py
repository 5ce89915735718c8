"""docs/settings.md: `python -m cli.settings_page` writes it anew from what `shared/settings.py` says."""

from __future__ import annotations

from pathlib import Path

from cli.documented_settings import Documented, documented, least
from cli.errors import OperatorError
from shared.errors import SettingsError
from shared.settings import load_settings

PAGE = Path(__file__).resolve().parents[1] / "docs" / "settings.md"

_TITLES = {
    "Everyone": "## What every operator sets",
    "Some": "## What some set\n\nLeave them empty otherwise.",
    "Tests": "## For tests",
}

_HEAD = """# Settings

`python -m cli.settings_page` writes this page from `shared/settings.py`; change it there.

Put the settings into `.env` (`.env.example` lists them), then run `scribe deploy`: it hands them to the three functions
as environment variables. An empty one counts as not set. A wrong one stops `scribe deploy` before it changes anything,
and a function that got it in some other way, with one message that names every mistake. What that message says of a
value stands below after "refused".
"""

_TAIL = """
## For deploying only

These never reach the functions.

| name | default | meaning |
|---|---|---|
| `SCRIBE_STAGE` | `prod` | part of the functions' names, so that several deployments can live in one account |
| `SCF_ROLE_NAME` | `scribe-<stage>` | the functions' roles; `-upload`, `-callback` or `-sweep` follows |

The key that deploys: [deploy.md](deploy.md#2-a-key-for-deploying). One recording can ask for its own engine
and channels by its metadata: [the README](../README.md#what-happens-when-a-file-is-uploaded).
"""


def page() -> str:
    """The whole of docs/settings.md. Raises OperatorError where the texts in `shared/settings.py` do not hold."""
    settings = documented()
    parts = [_HEAD]
    for group, title in _TITLES.items():
        members = [one for one in settings if one.group == group]
        parts.append(f"\n{title}\n\n| name | default | meaning |\n|---|---|---|\n")
        parts += [
            f"| [`{one.name}`](#{one.name.lower()}) | {_default(one)} | {one.meaning} |\n" for one in members
        ]
        parts += [_section(one, least(settings)) for one in members]
    return "".join([*parts, _TAIL])


def _default(one: Documented) -> str:
    return "required" if one.required else one.when_empty or f"`{one.default}`"


def _section(one: Documented, working: dict[str, str]) -> str:
    if one.required:
        start = "- required"
    else:
        start = f"- when empty: {one.when_empty}" if one.when_empty else f"- default: `{one.default}`"
    lines = [f"\n### {one.name}\n", f"{one.meaning} {one.details}".rstrip(), "", start]
    lines += [f"- for example: {_assignments(example)}" for example in one.examples]
    lines += [f"- refused: {_assignments(wrong)}: {_refusal(working | wrong)}" for wrong in one.wrong]
    return "\n".join(lines) + "\n"


def _assignments(environ: dict[str, str]) -> str:
    return " with ".join(f"`{name}={value}`" for name, value in environ.items())


def _refusal(environ: dict[str, str]) -> str:
    try:
        load_settings(environ)
    except SettingsError as error:
        return "; ".join(error.mistakes)
    raise OperatorError(f"shared/settings.py calls {environ} wrong, but it works; correct the line Wrong:.")


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    print(f"{PAGE} is written.")
