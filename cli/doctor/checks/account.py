"""Checks of the machine and the account: clock, key, account, region, roles."""

from __future__ import annotations

from collections.abc import Iterator

from cli.cloud.cam import CI_SERVICE_ROLE, SCF_SERVICE, SCF_SERVICE_ROLE, ServiceRole
from cli.cloud.client import ApiError
from cli.doctor.models import CheckContext, Finding, advise_permissions, fail, ok, skip, warn
from cli.language import N_, _, ngettext, translate
from cli.policy.diff import missing_permissions
from cli.policy.documents import function_policy
from cli.policy.permissions import scope_for_function

MAX_OFFSET_S, REJECTED_OFFSET_S = (
    60.0,
    300.0,
)  # API 3.0 rejects a signature that is more than five minutes off
MAX_LISTED_PERMISSIONS = 4

_SET_CLOCK = N_(
    "set the clock of this machine by network time (timedatectl set-ntp true; on macOS: date settings)"
)
_NEW_KEY = N_(
    "create a key for a sub-account at https://console.cloud.tencent.com/cam/capi and set TENCENT_SECRET_ID and "
    "TENCENT_SECRET_KEY to it"
)
# Common error codes of API 3.0: message and fix.
_KEY_ERRORS = {
    "AuthFailure.SecretIdNotFound": (
        N_("no key has this SecretId: it is mistyped, was deleted, or is disabled"),
        _NEW_KEY,
    ),
    "AuthFailure.InvalidSecretId": (N_("this SecretId is not that of an API key"), _NEW_KEY),
    "AuthFailure.SignatureFailure": (
        N_("the SecretKey does not belong to the SecretId"),
        N_("copy both parts of the key again, without spaces or quotes around them"),
    ),
    "AuthFailure.SignatureExpire": (
        N_("the signature has expired, probably because of a wrong clock"),
        _SET_CLOCK,
    ),
    "AuthFailure.TokenFailure": (
        N_("the temporary key has expired, or its token belongs to another key"),
        N_("get a new temporary key (all three parts), or use a permanent key of a sub-account"),
    ),
}


def check_clock(context: CheckContext) -> Iterator[Finding]:
    """Compare the clock with the Date header of COS, because signatures contain the time.

    Needs no key and no region, so it also tells whether the cloud can be reached.
    """
    cloud_s = context.clients.read_cloud_time()
    local_s = context.clients.now()
    if cloud_s is None:
        yield warn(_("the clock of this machine was not checked: the response of COS has no date"))
        return
    offset_s = local_s - cloud_s
    seconds = f"{abs(offset_s):.0f}"
    clock = (
        _("the clock of this machine is {seconds} s ahead of the cloud's", seconds=seconds)
        if offset_s > 0
        else _("the clock of this machine is {seconds} s behind the cloud's", seconds=seconds)
    )
    if abs(offset_s) > REJECTED_OFFSET_S:
        yield fail(_("{clock}: every signed request is rejected", clock=clock), fix=_(_SET_CLOCK))
    elif abs(offset_s) > MAX_OFFSET_S:
        limit = f"{REJECTED_OFFSET_S:.0f}"
        message = _("{clock}; from {limit} s on every request is rejected", clock=clock, limit=limit)
        yield warn(message, fix=_(_SET_CLOCK))
    else:
        yield ok(_("the clock of this machine agrees with the cloud's"))


def check_key(context: CheckContext) -> Iterator[Finding]:
    """Ask STS for the caller: every working key may ask that."""
    try:
        owner = context.state.owner_uin
    except ApiError as error:
        if error.code in _KEY_ERRORS:
            message, fix = _KEY_ERRORS[error.code]
            yield fail(_(message), fix=_(fix))
        elif error.code.startswith("AuthFailure"):
            yield fail(_("the cloud rejects this key: {code}", code=error.code), fix=_(_NEW_KEY))
        else:
            raise
        return
    yield ok(_("the key works; it belongs to account {account}", account=owner))


def check_account(context: CheckContext) -> Iterator[Finding]:
    """Compare the account with the names of the buckets, which end with its appid."""
    identity = context.state.identity
    if not identity.appid:
        yield skip(
            _("this key has no permission to read the appid of the account"),
            fix=advise_permissions(context.commands),
        )
        return
    names = [bucket.name for bucket in context.state.all_buckets]
    foreign = [name for name in names if not identity.owns_bucket(name)]
    if foreign:
        yield fail(
            _(
                "the key belongs to the account with appid {appid}, but these buckets do not: {buckets}",
                appid=identity.appid,
                buckets=_(", ").join(foreign),
            ),
            fix=_("use a key of the buckets' account, or correct INPUT_BUCKETS and OUTPUT_BUCKET"),
        )
    elif identity.is_root:
        yield warn(
            _("the root account's key is in use; it may do everything, and so may anyone who gets it"),
            fix=_(
                "create a sub-account for deploying, with the permissions that `{command}` prints",
                command=context.commands.show_deployer_policy,
            ),
        )
    else:
        yield ok(_("appid {appid}, as in the names of the buckets", appid=identity.appid))


def check_region(context: CheckContext) -> Iterator[Finding]:
    """Ask SCF for the namespaces. A missing permission shows that SCF exists in the region too."""
    try:
        context.clients.scf.list_namespaces()
    except ApiError as error:
        if not error.is_denied:
            raise
    yield ok(_("SCF is available in {region}", region=context.state.manifest.region))


def check_roles(context: CheckContext) -> Iterator[Finding]:
    """Compare the policies of each function's role with what the function needs."""
    fix = _(
        "{deploy}; if the key may not change roles, ask an administrator of CAM to run `{create_roles}`",
        deploy=context.commands.deploy,
        create_roles=context.commands.create_roles,
    )
    for key, spec in context.state.manifest.functions.items():
        problem = _find_role_problem(context, key)
        if problem:
            yield fail(problem, fix=fix, subject=key)
        else:
            yield ok(_("role {role} allows what the function needs", role=spec.role), subject=key)


def _find_role_problem(context: CheckContext, key: str) -> str:
    state = context.state
    name = state.manifest.functions[key].role
    role = state.get_role(name)
    if role is None:
        return _("role {role} does not exist", role=name)
    if not role.trusts_scf:
        return _(
            "role {role} does not trust {service}, so SCF cannot use it for the function",
            role=name,
            service=SCF_SERVICE,
        )
    policy = function_policy(key, scope_for_function(state.manifest, key, state.owner_uin))
    missing = [str(permission) for permission in missing_permissions(policy, role.documents)]
    if not missing:
        return ""
    listed = missing[:MAX_LISTED_PERMISSIONS]
    if rest := len(missing) - len(listed):
        listed.append(ngettext("{count} more", "{count} more", rest))
    return _("role {role} does not allow {permissions}", role=name, permissions=_("; ").join(listed))


def check_scf_role(context: CheckContext) -> Iterator[Finding]:
    """Check the role of SCF itself, with which it creates triggers on buckets."""
    yield _check_service_role(context, SCF_SERVICE_ROLE)


def check_ci_role(context: CheckContext) -> Iterator[Finding]:
    """Check the role with which Cloud Infinite reads recordings; without it jobs fail with CIRoleNotExist."""
    yield _check_service_role(context, CI_SERVICE_ROLE)


def _check_service_role(context: CheckContext, role: ServiceRole) -> Finding:
    """A role of Cloud Infinite without a policy is a note: no document says that it needs one."""
    status = context.clients.cam.get_service_role(role)
    problem = status.describe_problem(role)
    fix = _(
        "`{deploy}` creates or completes it if the key may change roles; else {advice}",
        deploy=context.commands.deploy,
        advice=translate(role.advice),
    )
    if not problem:
        return ok(_("role {role} exists and has its policies", role=role.name))
    if role.accepts_other_policies and status.is_usable:
        return warn(problem, fix=fix)
    return fail(problem, fix=fix)
