"""What `shared/settings.py` says of each setting, read from its source.

A setting's meaning stands once, below its field. Text there costs the functions nothing, because the compiler drops it;
so it cannot be asked of the running code. Names and defaults are taken from the code itself.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import shlex
from dataclasses import dataclass

import shared.settings
from cli.errors import OperatorError
from shared.settings import Settings

GROUPS = ("Everyone", "Some", "Tests")  # who sets it; the first word below each field


@dataclass(frozen=True, slots=True)
class Documented:
    """One setting. `examples` and `wrong` are environments, to be put over one that works."""

    name: str
    group: str
    meaning: str  # one line
    details: str
    required: bool
    default: str  # as the environment would say it; "" where being empty means something of its own
    when_empty: str
    examples: tuple[dict[str, str], ...]
    wrong: tuple[dict[str, str], ...]


def documented() -> tuple[Documented, ...]:
    """Every setting, in the order of the fields. Raises OperatorError naming a field whose text lacks something."""
    tree = ast.parse(inspect.getsource(shared.settings))
    names, texts = _names(tree), _texts(tree)
    return tuple(
        _read(field, names[field.name], texts.get(field.name, "")) for field in dataclasses.fields(Settings)
    )


def least(settings: tuple[Documented, ...]) -> dict[str, str]:
    """The smallest environment that works: the first example of whatever is required."""
    return {one.name: one.examples[0][one.name] for one in settings if one.required}


def _names(tree: ast.Module) -> dict[str, str]:
    """Field -> variable, from `load_settings`, which reads each field by its variable's name."""
    names = {}
    for call in ast.walk(tree):
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Name)
            and call.func.id == Settings.__name__
        ):
            for keyword in call.keywords:
                if keyword.arg and isinstance(keyword.value, ast.Call):
                    names[keyword.arg] = str(ast.literal_eval(keyword.value.args[0]))
    return names


def _texts(tree: ast.Module) -> dict[str, str]:
    """Field -> the text below it."""
    classes = (node for node in tree.body if isinstance(node, ast.ClassDef))
    body = next(node.body for node in classes if node.name == Settings.__name__)
    texts = {}
    for pair in itertools.pairwise(body):
        match pair:
            case ast.AnnAssign(target=ast.Name(id=field)), ast.Expr(value=ast.Constant(value=str(text))):
                texts[field] = inspect.cleandoc(text)
    return texts


def _read(field: dataclasses.Field[object], name: str, text: str) -> Documented:
    group, _, rest = text.partition(". ")
    prose: list[str] = []
    marked: dict[str, list[str]] = {"Empty": [], "Example": [], "Wrong": []}
    for line in filter(None, rest.splitlines()):
        mark, colon, said = line.partition(": ")
        if colon and mark in marked:
            marked[mark].append(said)
        else:
            prose.append(line)
    required = field.default is dataclasses.MISSING
    default = "" if required or not field.default else _as_variable(field.default)
    needed = ["Example", "Wrong"] if required or default else ["Example", "Wrong", "Empty"]
    lacking = [f"a line {mark}:" for mark in needed if not marked[mark]]
    if group not in GROUPS or not prose:
        lacking.insert(0, f"one of {', '.join(GROUPS)} at its start, and what the setting means")
    if lacking:
        raise OperatorError(f"The text below {field.name} in shared/settings.py lacks {'; '.join(lacking)}.")
    return Documented(
        name=name,
        group=group,
        meaning=prose[0],
        details=" ".join(prose[1:]),
        required=required,
        default=default,
        when_empty=" ".join(marked["Empty"]),
        examples=tuple(_environ(one) for one in marked["Example"]),
        wrong=tuple(_environ(one) for one in marked["Wrong"]),
    )


def _as_variable(default: object) -> str:
    return ",".join(default) if isinstance(default, tuple) else str(default)


def _environ(assignments: str) -> dict[str, str]:
    """`A=1 B="2 3"`, quoted as for a shell."""
    return dict(word.split("=", 1) for word in shlex.split(assignments))
