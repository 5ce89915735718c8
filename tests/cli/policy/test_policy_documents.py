"""What the policy documents allow, and what is missing in other documents."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.manifest.models import FunctionSpec
from cli.policy.diff import Permission, allowed_permissions, covers, missing_permissions
from cli.policy.documents import (
    MAX_DOCUMENT_LENGTH,
    PolicyTooLong,
    deployer_policy,
    function_policy,
    operator_policy,
    role_admin_policy,
    serialize_document,
)
from cli.policy.permissions import FUNCTIONS, ResourceScope, scope_from_settings
from shared.settings import load_settings

UIN = "100000000001"
COS = "qcs::cos:ap-guangzhou:uid/1250000000"


def build_scope(**settings: str) -> ResourceScope:
    variables = {
        "INPUT_BUCKETS": "recordings-1250000000",
        "OUTPUT_BUCKET": "transcripts-1250000000",
        "CALLBACK_TOKEN": "a-token-of-24-characters",
        "REGION": "ap-guangzhou",
        **settings,
    }
    return scope_from_settings(load_settings(variables), UIN)


def list_actions(document: dict[str, Any], resource: str) -> set[str]:
    return {
        permission.action for permission in allowed_permissions(document) if permission.resource == resource
    }


def test_no_function_can_read_recordings_and_only_sweep_raw_results() -> None:
    recording = f"{COS}:recordings-1250000000/calls/a.mp3"
    raw = f"{COS}:transcripts-1250000000/.scribe/raw/x.txt"
    readers: dict[str, set[str]] = {recording: set(), raw: set()}
    for function in FUNCTIONS:
        granted = allowed_permissions(function_policy(function, build_scope()))
        for resource, functions in readers.items():
            if any(covers(grant, Permission("cos:GetObject", resource)) for grant in granted):
                functions.add(function)
    # The sweep needs the raw text of a job that the speech service has forgotten.
    assert readers == {recording: set(), raw: {"sweep"}}


def test_no_function_can_delete_or_overwrite_a_recording() -> None:
    recording = f"{COS}:recordings-1250000000/calls/a.mp3"
    for function in FUNCTIONS:
        granted = allowed_permissions(function_policy(function, build_scope()))
        for action in ("cos:PutObject", "cos:DeleteObject"):
            assert not [grant for grant in granted if covers(grant, Permission(action, recording))], function


def test_callback_cannot_spend_money() -> None:
    assert not [
        permission
        for permission in allowed_permissions(function_policy("callback", build_scope()))
        if "Create" in permission.action
    ]


def test_resources_contain_prefixes_regions_and_every_bucket() -> None:
    scope = build_scope(
        INPUT_BUCKETS="a-1250000000,b-1250000000",
        INPUT_PREFIX="录音/",
        OUTPUT_REGION="ap-beijing",
        OUTPUT_PREFIX="texts/",
        STATE_PREFIX="state/",
    )
    document = function_policy("upload", scope)
    assert list_actions(document, f"{COS}:b-1250000000/录音/*") == {"cos:HeadObject"}
    beijing = "qcs::cos:ap-beijing:uid/1250000000:transcripts-1250000000"
    assert list_actions(document, f"{beijing}/texts/*") == {
        "cos:DeleteObject",
        "cos:HeadObject",
        "cos:PutObject",
    }
    assert "cos:PutObject" in list_actions(document, f"{beijing}/state/open/*")
    assert "录音" in serialize_document(document)


def test_without_output_bucket_receipts_go_to_each_input_bucket() -> None:
    document = function_policy(
        "sweep", build_scope(OUTPUT_BUCKET="", INPUT_BUCKETS="a-1250000000,b-1250000000")
    )
    for bucket in ("a", "b"):
        assert "cos:PutObject" in list_actions(document, f"{COS}:{bucket}-1250000000/.scribe/*")


def test_media_jobs_can_be_created_only_for_jobs_path_jobs() -> None:
    named = {
        path: serialize_document(function_policy("sweep", build_scope(JOBS_PATH=path)))
        for path in ("asr_jobs", "jobs")
    }
    assert "ci:CreateMediaJobs" not in named["asr_jobs"]
    assert "ci:CreateMediaJobs" in named["jobs"]


@pytest.mark.parametrize("function", ["callback", "sweep"])
def test_job_can_be_read_under_each_reading_of_the_documents(function: str) -> None:
    actions = {each.action for each in allowed_permissions(function_policy(function, build_scope()))}
    assert {"ci:DescribeAsrJob", "ci:DescribeAsrJobs", "ci:DescribeMediaJob"} <= actions


def test_operators_key_may_do_what_the_functions_do() -> None:
    for settings in ({}, {"OUTPUT_BUCKET": ""}, {"JOBS_PATH": "jobs", "INPUT_PREFIX": "in/"}):
        scope = build_scope(**settings)
        granted = allowed_permissions(operator_policy(scope))
        for function in FUNCTIONS:
            for permission in allowed_permissions(function_policy(function, scope)):
                assert any(covers(grant, permission) for grant in granted), (function, permission)


def test_operators_key_can_change_no_function_role_or_queue() -> None:
    actions = {each.action for each in allowed_permissions(operator_policy(build_scope()))}
    assert {action for action in actions if action.startswith(("scf:", "cam:"))} == {"cam:PassRole"}
    assert not [
        action for action in actions if action.startswith(("ci:Update", "ci:Delete", "cos:PutBucket"))
    ]


def test_statements_are_merged_and_sorted() -> None:
    document = function_policy("sweep", build_scope(INPUT_BUCKETS="b-1250000000,a-1250000000"))
    statements = document["statement"]
    assert len({tuple(statement["action"]) for statement in statements}) == len(statements)
    assert all(statement["action"] == sorted(statement["action"]) for statement in statements)
    assert all(statement["resource"] == sorted(statement["resource"]) for statement in statements)
    assert serialize_document(document) == serialize_document(json.loads(serialize_document(document)))


def test_ten_buckets_fit_into_a_policy_and_sixty_do_not() -> None:
    ten = ",".join(f"recordings-{number}-1250000000" for number in range(10))
    for output in ("transcripts-1250000000", ""):
        scope = build_scope(INPUT_BUCKETS=ten, OUTPUT_BUCKET=output)
        for document in (operator_policy(scope), *(function_policy(name, scope) for name in FUNCTIONS)):
            assert len(serialize_document(document)) <= MAX_DOCUMENT_LENGTH
    many = ",".join(f"recordings-{number}-1250000000" for number in range(60))
    with pytest.raises(PolicyTooLong, match=r"sweep has .* characters.*deploy twice"):
        function_policy("sweep", build_scope(INPUT_BUCKETS=many))


def build_function(name: str) -> FunctionSpec:
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


def test_deployer_can_pass_the_roles_but_not_create_them() -> None:
    granted = allowed_permissions(
        deployer_policy(build_scope(), [build_function(name) for name in FUNCTIONS])
    )
    passed = {permission.resource for permission in granted if permission.action == "cam:PassRole"}
    assert passed == {f"qcs::cam::uin/{UIN}:roleName/scribe-prod-{name}" for name in FUNCTIONS}
    makes_roles = {permission.action for permission in allowed_permissions(role_admin_policy())} - {
        "cam:GetRole",
        "cam:GetPolicy",
        "cam:ListAttachedRolePolicies",
    }
    assert not makes_roles & {permission.action for permission in granted}


@pytest.mark.parametrize(
    "resource",
    [
        # As in rejections of SCF: no function, the region in short, or every function.
        "qcs::scf:gz:uin/100000000001:namespace/default",
        "qcs::scf:gz:uin/100000000001:function/*",
        "qcs::scf:ap-guangzhou:uin/100000000001:namespace/default/function/scribe-prod-upload",
    ],
)
def test_deployer_may_change_functions_however_scf_names_them(resource: str) -> None:
    granted = allowed_permissions(deployer_policy(build_scope(), [build_function("upload")]))
    for action in ("CreateFunction", "DeleteFunction", "GetFunction", "UpdateFunctionCode"):
        assert [grant for grant in granted if covers(grant, Permission(f"scf:{action}", resource))], action


def test_deployer_may_tag_and_list_buckets_but_not_remove_tags() -> None:
    everywhere = list_actions(deployer_policy(build_scope(), [build_function("upload")]), "*")
    assert {"tag:CreateTag", "tag:AttachResourcesTag", "cos:GetService"} <= everywhere
    tags = {tag for tag in everywhere if tag.startswith("tag:")}
    assert not [tag for tag in tags if "Delete" in tag or "Detach" in tag or "*" in tag]


def allow(action: Any, resource: Any, **more: Any) -> dict[str, Any]:
    statement = {"effect": "allow", "action": action, "resource": resource, **more}
    return {"version": "2.0", "statement": [statement]}


REQUIRED = allow(["cos:PutObject"], ["qcs::cos:ap-guangzhou:uid/1250000000:out-1250000000/texts/*"])


@pytest.mark.parametrize(
    "policy",
    [
        allow("*", "*"),
        allow("cos:*", "*"),
        allow(["name/cos:Put*"], ["qcs::cos:ap-guangzhou:uid/1250000000:out-1250000000/*"]),
        allow("cos:PutObject", "qcs::cos::uid/1250000000:out-1250000000/texts/*"),
        allow("cos:PutObject", "qcs::cos:::out-1250000000/texts*"),
        {"Version": "2.0", "Statement": {"Effect": "Allow", "Action": ["cos:PutObject"], "Resource": "*"}},
    ],
)
def test_equivalent_policy_grants_the_permission(policy: dict[str, Any]) -> None:
    assert missing_permissions(REQUIRED, [policy]) == []


@pytest.mark.parametrize(
    "policy",
    [
        {},
        allow("cos:GetObject", "*"),
        allow("cos:PutObject", "qcs::cos:ap-beijing:uid/1250000000:out-1250000000/*"),
        allow("cos:PutObject", "qcs::cos:ap-guangzhou:uid/1250000000:out-1250000000/texts/a*"),
        allow("cos:PutObject", "*", condition={"ip_equal": {"qcs:ip": "10.0.0.1"}}),
        {"version": "2.0", "statement": "nonsense"},
    ],
)
def test_narrower_conditional_or_invalid_policy_grants_nothing(policy: dict[str, Any]) -> None:
    assert [str(permission) for permission in missing_permissions(REQUIRED, [policy])] == [
        "cos:PutObject on qcs::cos:ap-guangzhou:uid/1250000000:out-1250000000/texts/*"
    ]


@pytest.mark.parametrize(
    "denied", ["*", "qcs::cos:ap-guangzhou:uid/1250000000:out-1250000000/texts/secret/*"]
)
def test_denial_of_all_or_of_a_part_wins(denied: str) -> None:
    denial = {"statement": [{"effect": "deny", "action": ["cos:*"], "resource": [denied]}]}
    assert missing_permissions(REQUIRED, [allow("*", "*"), denial])


names = st.text(st.characters(categories=["L", "N", "P"], exclude_characters="*:"), min_size=1, max_size=12)


@given(names, names)
def test_pattern_covers_only_what_starts_like_it(name: str, other: str) -> None:
    wide = Permission("cos:GetObject", f"qcs::cos:r:uid/1:b-1/{name}*")
    assert covers(wide, Permission("cos:GetObject", f"qcs::cos:r:uid/1:b-1/{name}{other}"))
    key = Permission("cos:GetObject", f"qcs::cos:r:uid/1:b-1/{other}")
    assert covers(wide, key) == other.startswith(name)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_only_the_removed_permission_is_missing(function: str) -> None:
    required = function_policy(function, build_scope())
    assert missing_permissions(required, [required]) == []
    for permission in allowed_permissions(required):
        others = allowed_permissions(required) - {permission}
        rest = [
            {"effect": "allow", "action": permission.action, "resource": permission.resource}
            for permission in others
        ]
        missing = missing_permissions(required, [{"version": "2.0", "statement": rest}])
        assert missing == [permission]
