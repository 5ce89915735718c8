"""Checks of the targets of notices: their addresses, what is open, what was given up. No notice is sent."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from cli.doctor.models import CheckContext, Finding, fail, ok, warn
from cli.language import _, format_exception, ngettext, translate
from cli.notices.probe import get_variable
from cli.notices.states import (
    NO_NOTICES,
    Condition,
    NoticePlace,
    TargetNotices,
    find_deployment,
    format_time,
    get_host,
    read_notices,
)
from shared.notices.addresses import PublicResolver, UnsafeAddress
from shared.notices.models import Target
from shared.tencent.resolver import AddressResolver, Resolver

RESOLVE_TIMEOUT_S = 5.0
MAX_AGE_S = 3600.0  # of an open notice: the sweep tries at least once an hour
_HTTPS_PORT = 443


def check_notices(context: CheckContext) -> Iterator[Finding]:
    """Check each target: one name is resolved, and the objects about open notices are listed."""
    state, settings = context.state, context.state.settings
    resolver = PublicResolver(Resolver(), allows_loopback=bool(settings.cloud_endpoint))
    deployment = find_deployment(state.manifest)
    notices = read_notices(
        NoticePlace(context.clients.cos(bucket.region), bucket.name, settings.state_prefix, deployment)
        for bucket in state.state_buckets
        if bucket in state.existing_buckets
    )
    if not settings.targets:
        yield ok(_("no notices are sent: no target is set"))
    for target in settings.targets:
        findings = [
            *check_address(context, target, resolver),
            *_check_state(context, target, notices.get(target.name, NO_NOTICES)),
        ]
        yield from findings or [ok(_("its address is public, no notice waits"), subject=target.name)]
    end = (
        _("given up after three days")
        if settings.targets
        else _("they stay there, because no target is set at all")
    )
    names = {target.name for target in settings.targets}
    for name, found in notices.items():
        if name not in names and found.open:
            yield warn(
                _("{notices} for this target, which is not set: {end}", notices=found.open_text, end=end),
                fix=_(
                    "if it was removed by mistake, set it again in {file} and run `{deploy}`",
                    file=context.commands.env_file,
                    deploy=context.commands.deploy,
                ),
                subject=name,
            )


def check_address(context: CheckContext, target: Target, resolver: AddressResolver) -> Iterator[Finding]:
    """Resolve the name of a target, as every attempt does."""
    url = urlsplit(target.url)
    try:
        resolver.resolve(url.hostname or "", url.port or _HTTPS_PORT, RESOLVE_TIMEOUT_S)
    except UnsafeAddress as error:
        yield fail(
            _("no notice is sent to it: {reason}", reason=format_exception(error)),
            fix=_(
                "set {variable} in {file} to a name whose addresses are all public",
                variable=get_variable(target),
                file=context.commands.env_file,
            ),
            subject=target.name,
            blocks=False,
        )
    except (OSError, UnicodeError) as error:
        yield warn(
            _(
                "the name {host} has no address, as seen from this machine: {error}",
                host=get_host(target),
                error=error,
            ),
            fix=_(
                "check {variable}, then run `{test}`",
                variable=get_variable(target),
                test=_format_test(context, target),
            ),
            subject=target.name,
        )


def _check_state(context: CheckContext, target: Target, found: TargetNotices) -> Iterator[Finding]:
    state, now_s = found.state, context.clients.now()
    condition = found.describe(target, now_s)
    if condition is Condition.STOPPED:
        yield fail(
            _("it answered that it wants no more notices (status 410), so none is sent"),
            fix=_(
                "set {variable} to another address, or run `{reset}`",
                variable=get_variable(target),
                reset=_format_reset(context, target),
            ),
            subject=target.name,
            blocks=False,
        )
    elif condition is not Condition.READY:
        message = ngettext(
            "failed attempts in a row: {count}; {notices}: {reason}",
            "failed attempts in a row: {count}; {notices}: {reason}",
            state.failures_in_row,
            notices=found.open_text,
            reason=translate(state.reason),
        )
        if condition is Condition.PAUSED:
            time = format_time(state.paused_until_s)
            message = _("{message}; paused until {time}", message=message, time=time)
        yield warn(
            message,
            fix=_("`{test}` sends a test notice and says what to do", test=_format_test(context, target)),
            subject=target.name,
        )
    elif found.oldest_s and now_s - found.oldest_s > MAX_AGE_S:
        yield warn(
            _(
                "{notices}, the oldest since {time}",
                notices=found.open_text,
                time=format_time(found.oldest_s),
            ),
            fix=_("check that the timer of the sweep runs, and read the sweep's log in the SCF console"),
            subject=target.name,
        )
    if state.given_up:
        yield warn(
            ngettext(
                "{count} notice was never delivered; the reason of the last failure: {reason}",
                "{count} notices were never delivered; the reason of the last failure: {reason}",
                state.given_up,
                reason=translate(state.reason) or _("unknown"),
            ),
            fix=_(
                "the recordings are in the log as notice_given_up; when this is settled, run `{reset}`",
                reset=_format_reset(context, target),
            ),
            subject=target.name,
        )


def _format_test(context: CheckContext, target: Target) -> str:
    return context.commands.line("notify", "--test", "--target", target.name)


def _format_reset(context: CheckContext, target: Target) -> str:
    return context.commands.line("notify", "--reset", target.name)
