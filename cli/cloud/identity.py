"""Whose key this is."""

from __future__ import annotations

from dataclasses import dataclass

from cli.cloud.control import Control


@dataclass(frozen=True, slots=True)
class Identity:
    """The account behind a key. `uin` is the user's own, `owner_uin` the account's; `appid` ends its buckets' names."""

    uin: str
    owner_uin: str
    appid: str
    is_root: bool
    arn: str


def identity(control: Control) -> Identity:
    """Asks STS who signs, and CAM for the account's appid. Raises ControlError."""
    caller = control.call("sts", "GetCallerIdentity")
    account = control.call("cam", "GetUserAppId")
    uin, owner = str(account.get("Uin") or ""), str(account.get("OwnerUin") or "")
    return Identity(
        uin=uin,
        owner_uin=owner or str(caller.get("AccountId") or ""),
        appid=str(account.get("AppId") or ""),
        is_root=uin == owner,
        arn=str(caller.get("Arn") or ""),
    )
