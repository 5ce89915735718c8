"""May the functions do what they must, and Cloud Infinite too?"""

from __future__ import annotations

from collections.abc import Iterator

from cli.doctor.case import Case
from cli.doctor.finding import Finding, fine, note, wrong
from cli.policy.documents import place_of, policy_of
from cli.policy.place import CI_ROLE
from cli.policy.roles import Roles
from cli.policy.roles import ci_role as find_ci_role

MOST_LISTED = 4
MAKE_ROLES = "scribe deploy, or for whoever manages CAM: scribe policy --create-role"
AUTHORISE_CI = (
    "open https://console.cloud.tencent.com/ci as the account's owner and authorise the service there"
)


def role(case: Case) -> Iterator[Finding]:
    """Compares the policies of each function's role with what the function needs."""
    for key, wanted in case.wanted.functions.items():
        complaint = _complaint(case, key)
        if complaint:
            yield wrong(f"role {wanted.role} {complaint}", mend=MAKE_ROLES, about=key)
        else:
            yield fine(f"role {wanted.role} grants what the function needs", about=key)


def _complaint(case: Case, key: str) -> str:
    wanted = case.wanted.functions[key]
    roles = Roles(case.hands.control)
    found = roles.find(wanted.role)
    if found is None:
        return "does not exist"
    if not found.trusts_scf:
        return "does not trust scf.qcloud.com, so SCF cannot lend it to the function"
    place = place_of(case.settings_of(wanted.variables), case.owner_uin)
    missing = roles.missing(found, policy_of(key, place))
    if not missing:
        return ""
    more = f" and {len(missing) - MOST_LISTED} more" if len(missing) > MOST_LISTED else ""
    return f"does not grant {'; '.join(missing[:MOST_LISTED])}{more}"


def ci_role(case: Case) -> Iterator[Finding]:
    """The role by which Cloud Infinite reads recordings; without it jobs are refused with CIRoleNotExist."""
    found = find_ci_role(case.hands.control)
    if not (found.exists and found.trusts_ci):
        yield wrong(
            f"role {CI_ROLE} {'does not trust ci.qcloud.com' if found.exists else 'does not exist'}: Cloud Infinite "
            "may not read the recordings",
            mend=AUTHORISE_CI,
        )
        return
    role = Roles(case.hands.control).find(CI_ROLE)
    if role and not role.policies:
        yield note(
            f"role {CI_ROLE} has no policy attached: jobs are likely to end with ResourceAccessDenied",
            mend=AUTHORISE_CI,
        )
    else:
        yield fine(f"role {CI_ROLE} is there")
