"""`scribe policy`: prints who may do what and why, or makes the functions' roles so."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from cli.cloud.control import Control
from cli.cloud.identity import identity
from cli.config import CliContext, load_config, load_operator_credentials
from cli.deploy.advice import telling_what_to_do, with_advice
from cli.errors import OperatorError
from cli.manifest.loader import load_manifest
from cli.manifest.models import Manifest
from cli.policy.documents import FUNCTIONS, deployer_policy, place_of, policy_of, role_maker_policy
from cli.policy.place import Place
from cli.policy.roles import Roles
from cli.policy.table import rows_of
from shared.settings import load_settings

DEPLOYER, ROLE_MAKER = "deployer", "roles"
NAMES = (*FUNCTIONS, DEPLOYER, ROLE_MAKER)
UNKNOWN_UIN = "YOUR-ACCOUNT-UIN"

# A policy does not hold the token, and nobody may have chosen one yet.
_ANY_TOKEN = {"CALLBACK_TOKEN": "not-chosen-by-anybody-yet"}


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks for. `which` is one of NAMES, or "" for all."""

    which: str = ""
    as_json: bool = False
    create_role: bool = False


@dataclass(frozen=True, slots=True)
class _Printed:
    """A document, whose it is, and why each of its rows is there."""

    name: str
    title: str
    document: Mapping[str, Any]
    reasons: tuple[str, ...] = ()


def policy(console: Console, notes: Console, asked: Request, around: CliContext) -> None:
    """Prints the documents to `console` and what the operator has to know beside them to `notes`.

    Raises OperatorError: a name that there is not, wrong settings, or with `create_role` a cloud that says no.
    """
    if asked.which and asked.which not in NAMES:
        raise OperatorError(f"there is no policy {asked.which!r}; there are {', '.join(NAMES)}")
    choices = load_config(around.env_file, around.process)
    wanted = load_manifest(around.folder, {**_ANY_TOKEN, **choices})
    if asked.create_role:
        with telling_what_to_do(around.told):
            _make_roles(console, asked.which, wanted, _control(choices, wanted, around.home))
        return
    uin = _uin(notes, choices, wanted, around.home)
    printed = [one for one in _all(wanted, uin) if asked.which in {"", one.name}]
    if asked.as_json:
        documents = {one.name: one.document for one in printed}
        console.out(json.dumps(documents.get(asked.which) or documents, ensure_ascii=False, indent=2))
        return
    for one in printed:
        _print(console, one)


def _all(wanted: Manifest, uin: str) -> Iterator[_Printed]:
    for key in FUNCTIONS:
        place = _place(wanted, key, uin)
        reasons = tuple(f"{row.action} on {row.on.value}: {row.why}" for row in rows_of(key, place))
        yield _Printed(
            key, f"{wanted.functions[key].role}, the role of {key}", policy_of(key, place), reasons
        )
    deployer = deployer_policy(_place(wanted, FUNCTIONS[0], uin), wanted.functions.values())
    yield _Printed(DEPLOYER, "whoever runs scribe deploy, doctor and remove", deployer)
    yield _Printed(
        ROLE_MAKER,
        "in addition, whoever runs scribe policy --create-role: as good as owning the account",
        role_maker_policy(),
    )


def _place(wanted: Manifest, key: str, uin: str) -> Place:
    return place_of(load_settings({**wanted.functions[key].variables, "REGION": wanted.region}), uin)


def _control(choices: Mapping[str, str], wanted: Manifest, home: Path) -> Control:
    """Raises OperatorError when there is no key, SettingsError when CLOUD_ENDPOINT is no loopback address."""
    variables = wanted.functions[FUNCTIONS[0]].variables
    endpoint = {"CLOUD_ENDPOINT": choices.get("CLOUD_ENDPOINT", "")}
    settings = load_settings({**variables, "REGION": wanted.region, **endpoint})
    return Control(
        load_operator_credentials(choices, home), wanted.region, settings.cloud_endpoint.rstrip("/")
    )


def _uin(notes: Console, choices: Mapping[str, str], wanted: Manifest, home: Path) -> str:
    """The account's own id, or a word in its place: what is printed can be read without an account."""
    try:
        return identity(_control(choices, wanted, home)).owner_uin
    except OperatorError as error:
        notes.print(
            f"Write the account's own id in the place of {UNKNOWN_UIN}; it could not be asked for: "
            + with_advice(error),
            soft_wrap=True,
            markup=False,
        )
        return UNKNOWN_UIN


def _make_roles(console: Console, which: str, wanted: Manifest, control: Control) -> None:
    if which in {DEPLOYER, ROLE_MAKER}:
        raise OperatorError(
            f"{which} is a person or a pipeline: print the policy and attach it to their user"
        )
    uin = identity(control).owner_uin
    roles = Roles(control)
    for key in [which] if which else FUNCTIONS:
        name = wanted.functions[key].role
        changed = roles.ensure(name, policy_of(key, _place(wanted, key, uin)))
        console.print(f"{escape(name)}: {'made or mended' if changed else 'as it should be'}", soft_wrap=True)
        role = roles.find(name)
        others = [policy for policy in role.policies if policy != name] if role else []
        if others:
            console.print(f"  it also has {escape(', '.join(others))}, and keeps that", soft_wrap=True)


def _print(console: Console, printed: _Printed) -> None:
    console.print(f"[bold]{printed.name}[/]: {escape(printed.title)}", soft_wrap=True)
    for reason in printed.reasons:
        console.print(f"  {escape(reason)}", soft_wrap=True)
    console.out(json.dumps(printed.document, ensure_ascii=False, indent=2))
