"""The check between what a request needs and what its key may do."""

from __future__ import annotations

from collections.abc import Sequence

from localcloud.access.documents import Need, allowed
from localcloud.asked import Asked


def first_denied(asked: Asked, needs: Sequence[Need]) -> Need | None:
    """The first need that the policies of the request's key do not grant; a key without policies may do everything.

    Writes down in `asked` what it does, by the first of its needs.
    """
    asked.action, asked.resource = needs[0].action, needs[0].resource
    policies = asked.signer.policies if asked.signer else ()
    if policies is None:
        return None
    return next((need for need in needs if not allowed(policies, need)), None)
