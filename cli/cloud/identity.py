"""Whose key this is."""

from __future__ import annotations

from dataclasses import dataclass

from cli.cloud.control import Control, ControlError

# What STS's Arn holds of a key that stands for a role or for a user from elsewhere. CAM may tell the account's own id
# as its Uin, which makes it no owner.
_STANDS_IN = (":assumed-role/", ":federated-user/")
_ROLE_TYPE = "CAMRole"


@dataclass(frozen=True, slots=True)
class Identity:
    """The account behind a key. `uin` is the user's own, `owner_uin` the account's; `appid` ends its buckets' names."""

    uin: str
    owner_uin: str
    appid: str
    is_root: bool
    arn: str

    def has(self, bucket: str) -> bool:
        """Whether a bucket's name is one of this account's."""
        return bucket.rpartition("-")[2] == self.appid


def identity(control: Control) -> Identity:
    """Asks STS who signs, and CAM for the account's appid: "" for a key that may not ask. Raises ControlError."""
    caller = control.call("sts", "GetCallerIdentity")
    try:
        account = control.call("cam", "GetUserAppId")
    except ControlError as error:
        if not error.is_denied:
            raise
        account = {}
    arn = str(caller.get("Arn") or "")
    is_stand_in = caller.get("Type") == _ROLE_TYPE or any(mark in arn for mark in _STANDS_IN)
    uin, owner = str(account.get("Uin") or ""), str(account.get("OwnerUin") or "")
    return Identity(
        uin=uin,
        owner_uin=owner or str(caller.get("AccountId") or ""),
        appid=str(account.get("AppId") or ""),
        is_root=bool(uin) and uin == owner and not is_stand_in,
        arn=arn,
    )
