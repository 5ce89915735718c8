"""Whom a role trusts: the document that says which services may act as it.

Form: CreateRole 598/33561, parameter PolicyDocument.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from localcloud.control.calls import Refusal

_DOMAINS = (".qcloud.com", ".cloud.tencent.com")
_ASSUME = ("name/sts:AssumeRole", "sts:AssumeRole")


def trusted_services(document: str) -> frozenset[str]:
    """The services that a document trusts, such as scf.qcloud.com. Raises Refusal for one that CAM does not take."""
    try:
        raw = json.loads(document)
    except ValueError as error:
        raise Refusal("InvalidParameter.PolicyDocumentError", "PolicyDocument is no JSON.") from error
    if not isinstance(raw, Mapping):
        raise Refusal("InvalidParameter.PolicyDocumentError", "PolicyDocument is a JSON object.")
    if raw.get("version") != "2.0":
        raise Refusal("InvalidParameter.VersionError", "version is 2.0.")
    statements = raw.get("statement")
    if not isinstance(statements, list) or not statements:
        raise Refusal("InvalidParameter.StatementError", "statement is a list with at least one statement.")
    return frozenset(service for each in statements for service in _services(each))


def _services(statement: object) -> tuple[str, ...]:
    if not isinstance(statement, Mapping):
        raise Refusal("InvalidParameter.StatementError", "A statement is a JSON object.")
    if statement.get("effect") not in ("allow", "deny"):
        raise Refusal("InvalidParameter.EffectError", "effect is allow or deny.")
    if not set(_texts(statement.get("action"))) & set(_ASSUME):
        raise Refusal("InvalidParameter.ActionError", "The action of a trust is name/sts:AssumeRole.")
    principal = statement.get("principal")
    if not isinstance(principal, Mapping) or not set(principal) & {"service", "qcs"}:
        raise Refusal("InvalidParameter.PrincipalError", "principal names a service or qcs.")
    services = _texts(principal.get("service", []))
    if not all(each.endswith(_DOMAINS) for each in services):
        raise Refusal(
            "InvalidParameter.PrincipalServiceNotExist", f"There is no service {', '.join(services)}."
        )
    return services if statement["effect"] == "allow" else ()


def _texts(raw: object) -> tuple[str, ...]:
    texts = [raw] if isinstance(raw, str) else raw
    if not isinstance(texts, list):
        return ()
    return tuple(each for each in texts if isinstance(each, str))
