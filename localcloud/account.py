"""Whose cloud this is: the numbers of the one account and of those who act in it."""

from __future__ import annotations

from localcloud.keys import Key

OWNER_UIN = "100000000001"
_SUB_USER_UIN = "100000000002"


def is_sub_user(key: Key) -> bool:
    """Whether a key is a sub-user's: it has policies of its own, and no role."""
    return key.policies is not None and not key.role


def uin_of(key: Key) -> str:
    """The uin behind a key; a role acts for the account."""
    return _SUB_USER_UIN if is_sub_user(key) else OWNER_UIN
