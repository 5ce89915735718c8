"""Names in the operator's file that nothing reads: mostly one letter away from a name that is meant."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping

from cli.account import SPELLINGS
from cli.choices import FromFile
from cli.description.mistakes import Mistakes

# Read by the command itself, whatever serverless.yml names.
_OUR_OWN = ("SCRIBE_STAGE", "SCF_ROLE_NAME", "CLOUD_ENDPOINT")


def check_names(choices: Mapping[str, str], named: Collection[str], mistakes: Mistakes) -> None:
    """Writes down each name of the file that neither serverless.yml (`named`) nor the command asks for.

    The process environment is full of such names, so that only what is FromFile counts.
    """
    known = {*named, *_OUR_OWN, *(name for spelling in SPELLINGS for name in spelling)}
    for name, value in choices.items():
        if isinstance(value, FromFile) and name not in known:
            close = difflib.get_close_matches(name.upper(), sorted(known), n=1)
            meant = (
                f"; did you mean {close[0]}? Correct"
                if close
                else ": look for the right one in .env.example, correct"
            )
            mistakes.add_choice(f"{name} is no setting{meant} it in .env, or take the line out")
