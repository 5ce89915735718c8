"""The credentials that this cloud knows, and the numbers (uin) of the account that owns it."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from localcloud.auth.policy import PolicyDocument

OWNER_UIN = "100000000001"
_SUB_USER_UIN = "100000000002"
_MAX_TEMPORARY_CREDENTIALS = 50_000


@dataclass(frozen=True, slots=True)
class Credential:
    """A secret id and key. A temporary one also has a token, an expiry (Unix seconds) and the invocation it is for.

    `policies` together say what it may do; None means everything. `role` is the role that these policies belong to.
    """

    secret_id: str
    secret_key: str
    token: str = ""
    expires_s: float | None = None
    function: str = ""
    request_id: str = ""
    role: str = ""
    policies: tuple[PolicyDocument, ...] | None = field(default=None, repr=False)

    @property
    def is_sub_user(self) -> bool:
        """Whether it belongs to a sub-user, who has policies and no role."""
        return self.policies is not None and not self.role

    @property
    def uin(self) -> str:
        """The uin of its user; a role acts for the account."""
        return _SUB_USER_UIN if self.is_sub_user else OWNER_UIN


class CredentialStore:
    """The operator's permanent credential, and temporary ones in memory: a restart invalidates those."""

    def __init__(
        self,
        permanent: Credential,
        clock: Callable[[], float] = time.time,
        function_policies: Mapping[str, tuple[PolicyDocument, ...]] | None = None,
    ) -> None:
        """`function_policies`: policies by function, for credentials that are issued to it without others."""
        self.permanent = permanent
        self._function_policies = function_policies or {}
        self._clock = clock
        self._temporary: OrderedDict[str, Credential] = OrderedDict()

    def issue(
        self,
        function: str = "",
        request_id: str = "",
        lifetime_s: float = 7200.0,
        *,
        role: str = "",
        policies: tuple[PolicyDocument, ...] | None = None,
    ) -> Credential:
        """Create a temporary credential; above 50,000 the oldest one is dropped.

        It has these policies, else those of its function; without any it may do everything.
        """
        credential = Credential(
            secret_id="AKID" + secrets.token_hex(24),
            secret_key=secrets.token_hex(16),
            # Real tokens are long base64 text; `+`, `/` and `=` in it reveal clients that do not encode them.
            token=secrets.token_urlsafe(60) + "+/=",
            expires_s=self._clock() + lifetime_s,
            function=function,
            request_id=request_id,
            role=role,
            policies=self._function_policies.get(function) if policies is None else policies,
        )
        self._temporary[credential.secret_id] = credential
        if len(self._temporary) > _MAX_TEMPORARY_CREDENTIALS:
            self._temporary.popitem(last=False)
        return credential

    def get(self, secret_id: str) -> Credential | None:
        """Return the credential of that id, also an expired one."""
        return self.permanent if secret_id == self.permanent.secret_id else self._temporary.get(secret_id)
