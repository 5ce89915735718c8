"""The steps for triggers.

The address of a function exists as long as its http trigger, so that one is never recreated.
"""

from __future__ import annotations

from cli.cloud.scf import TriggerInfo
from cli.deploy.clients import Clients
from cli.deploy.steps import Action, Change, Step, diff_fields
from cli.language import _, choose_text
from cli.manifest.models import EVERY_UPLOAD, FunctionSpec, TriggerSpec, create_trigger_payload


def create_trigger(function: FunctionSpec, trigger: TriggerSpec) -> Step:
    """Create a trigger."""

    def apply(clients: Clients) -> None:
        clients.scf.create_trigger(create_trigger_payload(function.name, function.namespace, trigger))

    description = _describe_trigger(trigger, function.name)
    return Step(Action.CREATE, description, diff_fields({}, _describe_trigger_fields(trigger)), apply)


def replace_trigger(function: FunctionSpec, current: TriggerInfo, trigger: TriggerSpec) -> Step:
    """Update an http trigger; delete and create any other: the API cannot change those (UpdateTrigger's document)."""
    name, namespace = function.name, function.namespace
    payload = create_trigger_payload(name, namespace, trigger)

    def apply(clients: Clients) -> None:
        if trigger.type == "http":
            clients.scf.update_trigger(payload, current.name)
        else:
            clients.scf.delete_trigger(name, namespace, current)
            clients.scf.create_trigger(payload)

    changes = diff_fields(_describe_trigger_fields(current), _describe_trigger_fields(trigger))
    return Step(Action.CHANGE, _describe_trigger(trigger, name), changes, apply)


def enable_trigger(function: FunctionSpec, current: TriggerInfo) -> Step:
    """Open a trigger that is closed."""

    def apply(clients: Clients) -> None:
        clients.scf.enable_trigger(function.name, function.namespace, current)

    description = _describe_trigger(current, function.name)
    return Step(
        Action.CHANGE,
        description,
        (Change(_("state"), _name_state(is_open=False), _name_state(is_open=True)),),
        apply,
    )


def delete_trigger(function: FunctionSpec, current: TriggerInfo) -> Step:
    """Delete a trigger. An address is shown, because it cannot be restored."""

    def apply(clients: Clients) -> None:
        clients.scf.delete_trigger(function.name, function.namespace, current)

    description = _describe_trigger(current, function.name)
    if current.url:
        description = _("{what} ({url}, cannot be restored)", what=description, url=current.url)
    return Step(Action.DELETE, description, (Change(_("when"), current.description, ""),), apply)


def _describe_trigger(trigger: TriggerSpec | TriggerInfo, function: str) -> str:
    """The trigger for a person. SCF names http triggers itself."""
    if trigger.type == "http":
        return _("address of {function}", function=function)
    name = trigger.name
    if trigger.event not in {"", EVERY_UPLOAD}:
        name = _("{name} ({event})", name=name, event=trigger.event)
    if trigger.type == "cos":
        return _("cos trigger {name} of {function}", name=name, function=function)
    if trigger.type == "timer":
        return _("timer trigger {name} of {function}", name=name, function=function)
    return _("{type} trigger {name} of {function}", type=trigger.type, name=name, function=function)


def _describe_trigger_fields(trigger: TriggerSpec | TriggerInfo) -> dict[str, str]:
    return {
        _("when"): trigger.description,
        _("argument"): trigger.argument,
        _("qualifier"): trigger.qualifier,
        _("state"): _name_state(is_open=trigger.is_open),
    }


def _name_state(*, is_open: bool) -> str:
    """The state of a trigger; not in the catalogue, where the same English words are states of recordings."""
    return choose_text("open", "已启用") if is_open else choose_text("closed", "已停用")
