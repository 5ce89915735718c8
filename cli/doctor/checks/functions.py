"""Checks of the functions: state, configuration, variables, retries, package, and the address of the callback."""

from __future__ import annotations

from collections.abc import Iterator

import httpx

from cli.cloud.scf import MAX_RETRY_CONFIG, FunctionInfo
from cli.doctor.models import CheckContext, Finding, fail, ok, skip
from cli.language import _, ngettext
from cli.manifest.models import CALLBACK, FunctionSpec
from cli.package import show_label


def check_functions(context: CheckContext) -> Iterator[Finding]:
    """Check that each function exists and is Active."""
    fix = context.commands.deploy
    for key, spec in context.state.manifest.functions.items():
        function = context.state.functions.get(key)
        if function is None:
            yield fail(_("function {name} does not exist", name=spec.name), fix=fix, subject=key)
        elif function.status != "Active":
            message = _(
                "{name} is {status}, not Active: {reason}",
                name=spec.name,
                status=function.status,
                reason=function.status_reason or _("SCF gives no reason"),
            )
            yield fail(message, fix=fix, subject=key)
        else:
            yield ok(_("{name} is active", name=spec.name), subject=key)


def check_configuration(context: CheckContext) -> Iterator[Finding]:
    """Compare the configuration of each function with serverless.yml."""
    for key, spec, function in _existing_functions(context):
        differences = [
            _(
                "{name} is {current}, not {expected}",
                name=name,
                current=current or _("not set"),
                expected=expected,
            )
            for name, expected, current in _list_fields(spec, function)
            if expected != current
        ]
        if differences:
            yield fail(_("; ").join(differences), fix=context.commands.deploy, subject=key)
        else:
            yield ok(_("configured as in serverless.yml"), subject=key)


def _existing_functions(context: CheckContext) -> Iterator[tuple[str, FunctionSpec, FunctionInfo]]:
    for key, function in context.state.functions.items():
        yield key, context.state.manifest.functions[key], function


def _list_fields(spec: FunctionSpec, function: FunctionInfo) -> list[tuple[str, str, str]]:
    return [
        (_("the runtime"), spec.runtime, function.runtime),
        (_("the handler"), spec.handler, function.handler),
        (_("the role"), spec.role, function.role),
        (_("the memory"), f"{spec.memory_mib} MB", f"{function.memory_mib} MB"),
        (_("the timeout"), f"{spec.timeout_s} s", f"{function.timeout_s} s"),
        (_("the initialization timeout"), f"{spec.init_timeout_s} s", f"{function.init_timeout_s} s"),
        (_("public network access"), _on_off(spec.public_network), _on_off(function.public_network)),
        (_("the type"), "Event", function.type),
    ]


def _on_off(switch: bool) -> str:
    return _("on") if switch else _("off")


def check_variables(context: CheckContext) -> Iterator[Finding]:
    """Compare the variables of each function with the settings. Reports names only: a value is the callback token."""
    for key, spec, function in _existing_functions(context):
        names = sorted({*spec.variables, *function.variables})
        different = [name for name in names if spec.variables.get(name) != function.variables.get(name)]
        if different:
            yield fail(
                _("deployed with other values: {names}", names=_(", ").join(different)),
                fix=context.commands.deploy,
                subject=key,
            )
        else:
            yield ok(_("deployed with the current settings"), subject=key)


def check_retries(context: CheckContext) -> Iterator[Finding]:
    """Check how SCF retries events that failed. A function that is called by URL has no such setting."""
    for key, retries in context.state.retry_configs.items():
        if retries == MAX_RETRY_CONFIG:
            message = ngettext(
                "{count} retries within {seconds} s",
                "{count} retries within {seconds} s",
                retries.attempts,
                seconds=retries.lifetime_s,
            )
            yield ok(message, subject=key)
        else:
            yield fail(
                _(
                    "a failed event is retried {attempts} times within {seconds} s, not {expected} times within "
                    "{expected_seconds} s",
                    attempts=retries.attempts,
                    seconds=retries.lifetime_s,
                    expected=MAX_RETRY_CONFIG.attempts,
                    expected_seconds=MAX_RETRY_CONFIG.lifetime_s,
                ),
                fix=context.commands.deploy,
                subject=key,
            )


def check_package(context: CheckContext) -> Iterator[Finding]:
    """Compare the deployed package with that of this checkout, by the label in the function's description."""
    for key, _spec, function in _existing_functions(context):
        if not context.label:
            yield skip(
                _("the package could not be built here to compare with"),
                fix=_("run make package for the reason"),
                subject=key,
            )
        elif context.label not in function.description:
            yield fail(
                _(
                    "{deployed} is deployed, not {label}",
                    deployed=show_label(function.description) or _("a package without a label"),
                    label=show_label(context.label),
                ),
                fix=context.commands.deploy,
                subject=key,
            )
        else:
            yield ok(_("{label} is deployed", label=show_label(context.label)), subject=key)


def check_address(context: CheckContext) -> Iterator[Finding]:
    """Call the callback function: a POST without the token must be rejected, a GET with it must ask for a POST.

    Neither changes anything.
    """
    if not context.state.callback_url:
        return
    try:
        yield _check_address(context)
    except httpx.HTTPError as error:
        # Its text may contain the address, and with it the token.
        yield fail(
            _(
                "the address of the callback function does not respond ({error})",
                error=type(error).__name__,
            ),
            fix=_(
                "a new address may need a minute until it is known; then run `{doctor}` again",
                doctor=context.commands.doctor,
            ),
            subject=CALLBACK,
        )


def _check_address(context: CheckContext) -> Finding:
    """Raises httpx.HTTPError."""
    url, token = context.state.callback_url, context.state.settings.callback_tokens[0]
    deploy = context.commands.deploy
    see_log = _("see the log of the callback function in the SCF console; then run `{deploy}`", deploy=deploy)
    status = context.clients.anonymous_request("POST", f"{url}/").status_code
    if status != httpx.codes.FORBIDDEN:
        return fail(
            _(
                "a POST without the token is answered with {status}, not 403: {reason}",
                status=status,
                reason=_explain(status),
            ),
            fix=see_log,
            subject=CALLBACK,
        )
    status = context.clients.anonymous_request("GET", f"{url}/{token}").status_code
    if status == httpx.codes.FORBIDDEN:
        return fail(_("it does not accept the first token of CALLBACK_TOKEN"), fix=deploy, subject=CALLBACK)
    if status != httpx.codes.METHOD_NOT_ALLOWED:
        return fail(
            _(
                "a GET with the token is answered with {status}, not 405: {reason}",
                status=status,
                reason=_explain(status),
            ),
            fix=see_log,
            subject=CALLBACK,
        )
    return ok(_("it responds, and accepts the token"), subject=CALLBACK)


def _explain(status: int) -> str:
    if status == httpx.codes.NOT_FOUND:
        return _("no function is behind this address")
    if status == httpx.codes.UNAUTHORIZED:
        return _("its AuthType is CAM, and Cloud Infinite does not sign requests")
    if status >= httpx.codes.BAD_REQUEST:
        return _("the function fails")
    return _("something else responds there")
