"""What the policies grant, by the table; and whether documents grant something."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.manifest.models import FunctionSpec
from cli.policy.documents import (
    FUNCTIONS,
    LONGEST_DOCUMENT,
    Place,
    PolicyTooLong,
    deployer_policy,
    document_text,
    place_of,
    policy_of,
    role_maker_policy,
)
from cli.policy.statements import Permission, covers, not_granted, permissions_of
from shared.settings import load_settings

UIN = "100000000001"
COS = "qcs::cos:ap-guangzhou:uid/1250000000"


def place(**settings: str) -> Place:
    given = {
        "INPUT_BUCKETS": "recordings-1250000000",
        "OUTPUT_BUCKET": "transcripts-1250000000",
        "CALLBACK_TOKEN": "a-token-of-24-characters",
        "REGION": "ap-guangzhou",
        **settings,
    }
    return place_of(load_settings(given), UIN)


def actions_on(document: dict[str, Any], resource: str) -> set[str]:
    return {one.action for one in permissions_of(document) if one.resource == resource}


def test_no_function_can_read_a_recording_or_the_raw_text_of_the_speech_service() -> None:
    recording = f"{COS}:recordings-1250000000/calls/a.mp3"
    raw = f"{COS}:transcripts-1250000000/.scribe/raw/x.txt"
    for function in FUNCTIONS:
        granted = permissions_of(policy_of(function, place()))
        reads = [Permission("cos:GetObject", resource) for resource in (recording, raw)]
        assert not [one for one in granted for read in reads if covers(one, read)], function


def test_no_function_can_delete_or_overwrite_a_recording() -> None:
    recording = f"{COS}:recordings-1250000000/calls/a.mp3"
    for function in FUNCTIONS:
        granted = permissions_of(policy_of(function, place()))
        for action in ("cos:PutObject", "cos:DeleteObject"):
            assert not [one for one in granted if covers(one, Permission(action, recording))], function


def test_callback_cannot_spend_money() -> None:
    assert not [one for one in permissions_of(policy_of("callback", place())) if "Create" in one.action]


def test_prefixes_regions_and_every_bucket_stand_in_the_resources() -> None:
    here = place(
        INPUT_BUCKETS="a-1250000000,b-1250000000",
        INPUT_PREFIX="录音/",
        OUTPUT_REGION="ap-beijing",
        OUTPUT_PREFIX="texts/",
        STATE_PREFIX="state/",
    )
    document = policy_of("upload", here)
    assert actions_on(document, f"{COS}:b-1250000000/录音/*") == {"cos:HeadObject"}
    beijing = "qcs::cos:ap-beijing:uid/1250000000:transcripts-1250000000"
    assert actions_on(document, f"{beijing}/texts/*") == {"cos:PutObject"}
    assert "cos:PutObject" in actions_on(document, f"{beijing}/state/open/*")
    assert "录音" in document_text(document)


def test_without_an_output_bucket_each_input_bucket_holds_its_own_receipts() -> None:
    document = policy_of("sweep", place(OUTPUT_BUCKET="", INPUT_BUCKETS="a-1250000000,b-1250000000"))
    for bucket in ("a", "b"):
        assert "cos:PutObject" in actions_on(document, f"{COS}:{bucket}-1250000000/.scribe/open/*")


def test_the_media_actions_are_granted_for_the_newer_form_of_the_speech_api_only() -> None:
    named = {path: document_text(policy_of("sweep", place(JOBS_PATH=path))) for path in ("asr_jobs", "jobs")}
    assert "MediaJob" not in named["asr_jobs"]
    assert "ci:DescribeMediaJobs" in named["jobs"]


def test_resources_with_the_same_actions_share_a_statement_and_all_is_in_order() -> None:
    document = policy_of("sweep", place(INPUT_BUCKETS="b-1250000000,a-1250000000"))
    statements = document["statement"]
    assert len({tuple(one["action"]) for one in statements}) == len(statements)
    assert all(one["action"] == sorted(one["action"]) for one in statements)
    assert all(one["resource"] == sorted(one["resource"]) for one in statements)
    assert document_text(document) == document_text(json.loads(document_text(document)))


def test_ten_buckets_fit_into_a_policy_and_too_many_are_told_with_what_to_do() -> None:
    ten = ",".join(f"recordings-{number}-1250000000" for number in range(10))
    for output in ("transcripts-1250000000", ""):
        for function in FUNCTIONS:
            document = policy_of(function, place(INPUT_BUCKETS=ten, OUTPUT_BUCKET=output))
            assert len(document_text(document)) <= LONGEST_DOCUMENT
    many = ",".join(f"recordings-{number}-1250000000" for number in range(60))
    with pytest.raises(PolicyTooLong, match=r"sweep has .* characters.*deploy twice"):
        policy_of("sweep", place(INPUT_BUCKETS=many))


def deployed(name: str) -> FunctionSpec:
    return FunctionSpec(
        key=name,
        name=f"scribe-prod-{name}",
        handler=f"{name}.main_handler",
        runtime="Python3.10",
        namespace="default",
        role=f"scribe-prod-{name}",
        memory_mib=128,
        timeout_s=60,
        init_timeout_s=15,
        public_network=True,
        variables={},
    )


def test_the_deployer_can_hand_over_the_functions_roles_and_make_none() -> None:
    granted = permissions_of(deployer_policy(place(), [deployed(name) for name in FUNCTIONS]))
    passed = {one.resource for one in granted if one.action == "cam:PassRole"}
    assert passed == {f"qcs::cam::uin/{UIN}:roleName/scribe-prod-{name}" for name in FUNCTIONS}
    makes_roles = {one.action for one in permissions_of(role_maker_policy())} - {
        "cam:GetRole",
        "cam:GetPolicy",
        "cam:ListAttachedRolePolicies",
    }
    assert not makes_roles & {one.action for one in granted}


@pytest.mark.parametrize(
    "asked",
    [
        # As SCF names what it misses: no function, the region in short, or every function.
        "qcs::scf:gz:uin/100000000001:namespace/default",
        "qcs::scf:gz:uin/100000000001:function/*",
        "qcs::scf:ap-guangzhou:uin/100000000001:namespace/default/function/scribe-prod-upload",
    ],
)
def test_the_deployer_may_change_functions_however_scf_names_them(asked: str) -> None:
    granted = permissions_of(deployer_policy(place(), [deployed("upload")]))
    for action in ("CreateFunction", "DeleteFunction", "GetFunction", "UpdateFunctionCode"):
        assert [one for one in granted if covers(one, Permission(f"scf:{action}", asked))], action


def test_the_deployer_may_tag_and_ask_where_a_bucket_is_and_cannot_take_tags_away() -> None:
    everywhere = actions_on(deployer_policy(place(), [deployed("upload")]), "*")
    assert {"tag:CreateTag", "tag:AttachResourcesTag", "cos:GetService"} <= everywhere
    tags = {one for one in everywhere if one.startswith("tag:")}
    assert not [one for one in tags if "Delete" in one or "Detach" in one or "*" in one]


def allow(action: Any, resource: Any, **more: Any) -> dict[str, Any]:
    statement = {"effect": "allow", "action": action, "resource": resource, **more}
    return {"version": "2.0", "statement": [statement]}


WANTED = allow(["cos:PutObject"], ["qcs::cos:ap-guangzhou:uid/1250000000:out-1250000000/texts/*"])


@pytest.mark.parametrize(
    "granted",
    [
        allow("*", "*"),
        allow("cos:*", "*"),
        allow(["name/cos:Put*"], ["qcs::cos:ap-guangzhou:uid/1250000000:out-1250000000/*"]),
        allow("cos:PutObject", "qcs::cos::uid/1250000000:out-1250000000/texts/*"),
        allow("cos:PutObject", "qcs::cos:::out-1250000000/texts*"),
        {"Version": "2.0", "Statement": {"Effect": "Allow", "Action": ["cos:PutObject"], "Resource": "*"}},
    ],
)
def test_what_other_policies_say_in_other_words_is_understood(granted: dict[str, Any]) -> None:
    assert not_granted(WANTED, [granted]) == []


@pytest.mark.parametrize(
    "granted",
    [
        {},
        allow("cos:GetObject", "*"),
        allow("cos:PutObject", "qcs::cos:ap-beijing:uid/1250000000:out-1250000000/*"),
        allow("cos:PutObject", "qcs::cos:ap-guangzhou:uid/1250000000:out-1250000000/texts/a*"),
        allow("cos:PutObject", "*", condition={"ip_equal": {"qcs:ip": "10.0.0.1"}}),
        {"version": "2.0", "statement": "nonsense"},
    ],
)
def test_what_is_narrower_conditional_or_nonsense_does_not_count(granted: dict[str, Any]) -> None:
    assert [str(one) for one in not_granted(WANTED, [granted])] == [
        "cos:PutObject on qcs::cos:ap-guangzhou:uid/1250000000:out-1250000000/texts/*"
    ]


@pytest.mark.parametrize(
    "denied", ["*", "qcs::cos:ap-guangzhou:uid/1250000000:out-1250000000/texts/secret/*"]
)
def test_a_denial_of_all_or_of_a_part_wins(denied: str) -> None:
    denial = {"statement": [{"effect": "deny", "action": ["cos:*"], "resource": [denied]}]}
    assert not_granted(WANTED, [allow("*", "*"), denial])


names = st.text(st.characters(categories=["L", "N", "P"], exclude_characters="*:"), min_size=1, max_size=12)


@given(names, names)
def test_a_pattern_covers_what_it_begins_and_nothing_else(name: str, other: str) -> None:
    wide = Permission("cos:GetObject", f"qcs::cos:r:uid/1:b-1/{name}*")
    assert covers(wide, Permission("cos:GetObject", f"qcs::cos:r:uid/1:b-1/{name}{other}"))
    key = Permission("cos:GetObject", f"qcs::cos:r:uid/1:b-1/{other}")
    assert covers(wide, key) == other.startswith(name)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_policy_that_grants_all_but_one_lacks_just_that_one(function: str) -> None:
    wanted = policy_of(function, place())
    assert not_granted(wanted, [wanted]) == []
    for permission in permissions_of(wanted):
        others = permissions_of(wanted) - {permission}
        rest = [{"effect": "allow", "action": one.action, "resource": one.resource} for one in others]
        lacking = not_granted(wanted, [{"version": "2.0", "statement": rest}])
        assert lacking == [permission]
