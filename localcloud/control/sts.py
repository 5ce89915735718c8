"""STS: who is asking.

Fields and forms: GetCallerIdentity 1312/76768 and its examples. What it says of the account's own key is unconfirmed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from localcloud.account import OWNER_UIN, is_sub_user, uin_of
from localcloud.control.calls import Call, Refusal
from localcloud.control.fields import check


class Sts:
    """Implements ControlService."""

    def __init__(self, role_id: Callable[[str], str]) -> None:
        """`role_id` gives the id of a role by its name."""
        self._role_id = role_id

    async def answer(self, call: Call) -> Mapping[str, Any]:
        """GetCallerIdentity. Raises Refusal."""
        if call.action != "GetCallerIdentity":
            raise Refusal("InvalidAction", f"This stand-in's sts has no action {call.action}.")
        check(call.given)
        caller = call.caller
        user_id = uin = uin_of(caller)
        kind, arn = "RootAccount", f"qcs::cam::uin/{OWNER_UIN}:root"
        if caller.role:
            role_id = self._role_id(caller.role)
            kind, user_id = "CAMRole", f"{role_id}:{caller.request_id}"
            arn = f"qcs::sts:{OWNER_UIN}:assumed-role/{role_id}"
        elif is_sub_user(caller):
            kind, arn = "CAMUser", f"qcs::cam::uin/{OWNER_UIN}:uin/{uin}"
        return {"Arn": arn, "AccountId": OWNER_UIN, "UserId": user_id, "PrincipalId": uin, "Type": kind}
