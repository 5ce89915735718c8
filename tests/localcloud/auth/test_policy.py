"""CAM policy documents: evaluation and validation."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.auth.policy import PolicyError, RequiredPermission, is_allowed, parse_policy

BUCKET = "qcs::cos:ap-guangzhou:uid/1250000000:audio-1250000000"
GET = RequiredPermission("cos:GetObject", f"{BUCKET}/calls/a.mp3")


def statement(
    action: str | list[str] = "name/cos:GetObject", resource: str | list[str] = "*", effect: str = "allow"
) -> dict[str, Any]:
    return {"effect": effect, "action": action, "resource": resource}


def document(*statements: object, version: str = "2.0") -> dict[str, Any]:
    return {"version": version, "statement": list(statements)}


def is_permitted(permission: RequiredPermission, *statements: object) -> bool:
    return is_allowed([parse_policy(document(*statements))], permission)


@pytest.mark.parametrize(
    "action", ["name/cos:GetObject", "cos:GetObject", "cos:Get*", "name/cos:*", "*", "*:*"]
)
@pytest.mark.parametrize(
    "resource",
    [
        "*",
        f"{BUCKET}/*",
        f"{BUCKET}/calls/*",
        f"{BUCKET}/calls/a.mp3",
        f"{BUCKET}/*.mp3",
        "qcs::cos::uid/1250000000:audio-1250000000/*",
        "qcs::cos:*:uid/1250000000:audio-1250000000/calls/*",
        "qcs::cos:ap-guangzhou::audio-1250000000/calls/*",
        "qcs::cos:ap-guangzhou:uid/1250000000:*",
    ],
)
def test_matching_statement_allows(action: str, resource: str) -> None:
    assert is_permitted(GET, statement(["ci:Describe*", action], ["qcs::ci:::x", resource]))


@pytest.mark.parametrize(
    "wrong",
    [
        statement("cos:PutObject"),
        statement("cos:getobject"),
        statement("cos:GetObjec"),
        statement("ci:*"),
        statement(resource=f"{BUCKET}/other/*"),
        statement(resource=f"{BUCKET}/calls/"),
        statement(resource="qcs::cos:ap-beijing:uid/1250000000:audio-1250000000/*"),
        statement(resource="qcs::cos:ap-guangzhou:uid/1250000001:audio-1250000000/*"),
        statement(resource="qcs::ci:ap-guangzhou:uid/1250000000:audio-1250000000/*"),
        statement(resource="qcs::cos:ap-guangzhou:uid/1250000000:audio"),
    ],
    ids=lambda wrong: f"{wrong['action']} on {wrong['resource']}",
)
def test_other_statement_does_not_allow(wrong: dict[str, Any]) -> None:
    assert not is_permitted(GET, wrong)


def test_deny_wins_over_allow() -> None:
    generous = parse_policy(document(statement("*")))
    strict = parse_policy(document(statement("cos:*", f"{BUCKET}/calls/*", effect="deny")))
    assert is_allowed([generous], GET)
    assert not is_allowed([generous, strict], GET)
    assert is_allowed([generous, strict], RequiredPermission("cos:GetObject", f"{BUCKET}/other"))


@pytest.mark.parametrize("resource", [f"{BUCKET}/*", "qcs::*:*:*:*"])
def test_api_level_action_needs_resource_star(resource: str) -> None:
    permission = RequiredPermission("ci:DescribeAsrBuckets")
    assert not is_permitted(permission, statement("ci:*", resource))
    assert is_permitted(permission, statement("ci:*", [resource, "*"]))


@pytest.mark.parametrize(
    ("part", "policy"),
    [
        ("document", "{"),
        ("document", "[]"),
        ("document", {**document(statement()), "id": "x"}),
        ("version", document(statement(), version="1.0")),
        ("statement", document()),
        ("statement", document("allow")),
        ("statement", document({"effect": "allow", "action": "cos:GetObject"})),
        ("statement", document({**statement(), "principal": {"qcs": ["*"]}})),
        ("effect", document(statement(effect="Allow"))),
        ("action", document(statement("GetObject"))),
        ("action", document(statement([]))),
        ("action", document({**statement(), "action": [1]})),
        ("resource", document(statement(resource="audio-1250000000/*"))),
        ("resource", document(statement(resource="qcs::cos:audio/*"))),
        ("condition", document({**statement(), "condition": {"ip_equal": {"qcs:ip": "10.0.0.0/8"}}})),
    ],
)
def test_invalid_policy_is_rejected_with_its_part(part: str, policy: object) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy(policy)
    assert caught.value.part == part


def test_policy_may_be_text_with_single_statement() -> None:
    text = json.dumps({"version": "2.0", "statement": statement()})
    assert is_allowed([parse_policy(text)], GET)


PARTS = st.text(st.sampled_from("ab/."), max_size=4)
KEYS = st.builds(lambda key: f"{BUCKET}/{key}", PARTS)
ACTIONS = st.sampled_from(["cos:GetObject", "cos:PutObject", "cos:GetBucket", "ci:GetObject"])
STATEMENTS = st.builds(
    statement,
    st.lists(ACTIONS, min_size=1, max_size=2),
    st.lists(KEYS, min_size=1, max_size=2),
    st.sampled_from(["allow", "deny"]),
)


@given(STATEMENTS, STATEMENTS, ACTIONS, KEYS)
def test_plain_statements_allow_exactly_their_names(
    first: dict[str, Any], second: dict[str, Any], action: str, resource: str
) -> None:
    effects = [
        rule["effect"]
        for rule in (first, second)
        if action in rule["action"] and resource in rule["resource"]
    ]
    assert is_permitted(RequiredPermission(action, resource), first, second) == (
        bool(effects) and "deny" not in effects
    )


@given(PARTS, PARTS, PARTS)
def test_only_star_is_a_wildcard(begin: str, middle: str, end: str) -> None:
    permission = RequiredPermission("cos:GetObject", f"{BUCKET}/{begin}{middle}{end}")
    assert is_permitted(permission, statement(resource=f"{BUCKET}/{begin}*{end}"))
    assert not is_permitted(permission, statement(resource=f"{BUCKET}/{begin}*{end}x"))
