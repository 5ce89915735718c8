"""STS: GetCallerIdentity.

Fields and forms: GetCallerIdentity 1312/76768 and its examples. The response for the account's own key is unconfirmed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from localcloud.api3.models import ApiError, ApiRequest, NoParams, parse_params
from localcloud.auth.credentials import OWNER_UIN


class StsService:
    """Implements ApiService."""

    def __init__(self, get_role_id: Callable[[str], str]) -> None:
        """`get_role_id` returns the id of a role by its name."""
        self._get_role_id = get_role_id

    async def handle(self, request: ApiRequest) -> Mapping[str, Any]:
        """Handle GetCallerIdentity. Raises ApiError."""
        if request.action != "GetCallerIdentity":
            raise ApiError("InvalidAction", f"This stand-in's sts has no action {request.action}.")
        parse_params(NoParams, request.params)
        caller = request.caller
        user_id = uin = caller.uin
        kind, arn = "RootAccount", f"qcs::cam::uin/{OWNER_UIN}:root"
        if caller.role:
            role_id = self._get_role_id(caller.role)
            kind, user_id = "CAMRole", f"{role_id}:{caller.request_id}"
            arn = f"qcs::sts:{OWNER_UIN}:assumed-role/{role_id}"
        elif caller.is_sub_user:
            kind, arn = "CAMUser", f"qcs::cam::uin/{OWNER_UIN}:uin/{uin}"
        return {"Arn": arn, "AccountId": OWNER_UIN, "UserId": user_id, "PrincipalId": uin, "Type": kind}
