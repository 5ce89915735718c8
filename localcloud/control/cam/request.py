"""What the calls of CAM have in common: whom they name, pages, times.

Codes: the errors that the official Go SDK lists with each call, tencentcloud/cam/v20190116.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, TypeVar

from localcloud.control.calls import Refusal
from localcloud.control.cam.policies import Policy, PolicyStore
from localcloud.control.cam.roles import Role, RoleStore

_T = TypeVar("_T")
_NAME = re.compile(r"[A-Za-z0-9+=,.@_-]{1,128}")
_LARGEST_PAGE = 200
_LONGEST_DESCRIPTION = 300
_CHINA = timezone(timedelta(hours=8))


def check_name(name: str, code: str) -> None:
    """Names of roles and policies: 1 to 128 letters, digits and +=,.@-_. Raises Refusal with that code."""
    if not _NAME.fullmatch(name):
        raise Refusal(code, "A name has 1 to 128 letters, digits and +=,.@-_.")


def description_of(given: Mapping[str, Any], default: str = "") -> str:
    """The description. Raises Refusal."""
    description = str(given.get("Description", default))
    if len(description) > _LONGEST_DESCRIPTION:
        raise Refusal(
            "InvalidParameter.DescriptionLengthOverlimit",
            f"A description has at most {_LONGEST_DESCRIPTION} characters.",
        )
    return description


def role_of(given: Mapping[str, Any], roles: RoleStore, prefix: str = "") -> Role:
    """The role that RoleId or RoleName names, with `Attach` or `Detach` before it. Raises Refusal."""
    role_id, name = (given.get(f"{prefix}Role{part}") for part in ("Id", "Name"))
    if role_id is None and name is None:
        raise Refusal("InvalidParameter.ParamError", f"One of {prefix}RoleId and {prefix}RoleName is needed.")
    found = roles.with_id(role_id) if role_id is not None else roles.named(str(name))
    if found is None:
        raise Refusal("InvalidParameter.RoleNotExist", "role not exist")
    return found


def policy_of(given: Mapping[str, Any], policies: PolicyStore, missing: str) -> Policy:
    """The policy that PolicyId or PolicyName names. Raises Refusal with the code `missing` if there is none."""
    policy_id, name = given.get("PolicyId"), given.get("PolicyName")
    if policy_id is None and name is None:
        raise Refusal("InvalidParameter.ParamError", "One of PolicyId and PolicyName is needed.")
    found = policies.get(policy_id) if policy_id is not None else policies.named(str(name))
    if found is None:
        raise Refusal(missing, "policy not exist")
    return found


def page_of(given: Mapping[str, Any], items: Sequence[_T]) -> Sequence[_T]:
    """The items of page Page (from 1), Rp of them (20 by default, at most 200). Raises Refusal."""
    number, size = given.get("Page", 1), given.get("Rp", 20)
    if number < 1 or not 1 <= size <= _LARGEST_PAGE:
        raise Refusal("InvalidParameter.ParamError", f"Page is from 1, Rp from 1 to {_LARGEST_PAGE}.")
    return items[(number - 1) * size :][:size]


def time_text(unix_s: float) -> str:
    """A time as CAM writes it: China's, without a zone."""
    return datetime.fromtimestamp(unix_s, _CHINA).strftime("%Y-%m-%d %H:%M:%S")
