"""The configuration role of SCF, with which it writes COS triggers into the buckets (SCF document 583/31444)."""

from __future__ import annotations

from collections.abc import Iterator

from cli.cloud.control import Control
from cli.doctor.case import Case
from cli.doctor.finding import Finding, fine, wrong
from cli.policy.roles import SCF_SERVICE, Roles

SCF_ROLE = "SCF_QcsRole"
MAKE_SCF_ROLE = (
    "open https://console.cloud.tencent.com/scf once as the main account and agree to what it asks for"
)


def scf_role(case: Case) -> Iterator[Finding]:
    """Is it there, and does it trust SCF?"""
    complaint = complaint_about_scf_role(case.hands.control)
    if complaint:
        yield wrong(complaint, mend=MAKE_SCF_ROLE)
    else:
        yield fine(f"role {SCF_ROLE} is there")


def complaint_about_scf_role(control: Control) -> str:
    """What keeps SCF from using the role; "" when it can. Raises ControlError, for a key that may not look too."""
    found = Roles(control).find(SCF_ROLE)
    if found and found.trusts_scf:
        return ""
    lacks = f"does not trust {SCF_SERVICE}" if found else "does not exist"
    return f"role {SCF_ROLE} {lacks}: SCF may not write triggers into the buckets"
