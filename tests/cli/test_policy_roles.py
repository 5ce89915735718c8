"""Roles and their policies in a stand-in account, over its CAM."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from cli.cloud.control import Control, ControlError
from cli.cloud.waiting import Waiting
from cli.local.emulator import start_emulator
from cli.policy.documents import TRUST, place_of, policy_of
from cli.policy.roles import ForeignPolicy, Roles, ci_role
from shared.settings import load_settings
from shared.tencent.auth import Credentials

pytestmark = pytest.mark.process

UIN = "100000000001"
SETTINGS = {
    "INPUT_BUCKETS": "recordings-1250000000",
    "CALLBACK_TOKEN": "a-token-of-24-characters",
    "REGION": "ap-guangzhou",
}
UPLOAD, CALLBACK = (
    policy_of(name, place_of(load_settings(SETTINGS), UIN)) for name in ("upload", "callback")
)
READS = ("cam:Get", "cam:List", "cam:Describe")


@dataclass(frozen=True)
class Account:
    """A stand-in account: our roles, the raw API beside them, and what was asked."""

    control: Control
    client: httpx.Client

    @property
    def roles(self) -> Roles:
        return Roles(self.control)

    def cam(self, action: str, **given: Any) -> dict[str, Any]:
        """Once more where what was made a moment ago is not seen yet."""
        unseen = ("InvalidParameter.PolicyIdNotExist", "ResourceNotFound.PolicyIdNotFound")
        return Waiting().until_taken(
            lambda: self.control.call("cam", action, given), lambda refusal: refusal.code in unseen
        )

    def writes_since(self, number: int) -> list[str]:
        rows = self.client.get(f"/-/requests?since={number}").json()
        return [row["action"] for row in rows if not row["action"].startswith(READS)]

    def last(self) -> int:
        rows = self.client.get("/-/requests").json()
        return max((row["number"] for row in rows), default=0)


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with (
        start_emulator(tmp_path_factory.mktemp("cloud"), {}) as standin,
        httpx.Client(base_url=standin.endpoint, trust_env=False) as client,
    ):
        key = Credentials(standin.secret_id, standin.secret_key)
        yield Account(Control(key, standin.region, standin.endpoint), client)


def test_a_role_that_is_not_there_is_none(account: Account) -> None:
    assert account.roles.find("nobody") is None


def test_a_role_is_made_with_its_policy_and_then_left_alone(account: Account) -> None:
    assert account.roles.ensure("made-upload", UPLOAD)
    role = account.roles.find("made-upload")
    assert role is not None
    assert role.trusts_scf
    assert role.is_ours
    assert role.policies == ("made-upload",)
    assert account.roles.missing(role, UPLOAD) == []
    before = account.last()
    assert not account.roles.ensure("made-upload", UPLOAD)
    assert account.writes_since(before) == []


def test_a_policy_that_lacks_something_is_told_and_mended(account: Account) -> None:
    less = {**UPLOAD, "statement": UPLOAD["statement"][1:]}
    account.roles.ensure("lacks-upload", less)
    role = account.roles.find("lacks-upload")
    assert role is not None
    told = account.roles.missing(role, UPLOAD)
    resource = UPLOAD["statement"][0]["resource"][0]
    assert f"{UPLOAD['statement'][0]['action'][0]} on {resource}" in told
    before = account.last()
    assert account.roles.ensure("lacks-upload", UPLOAD)
    assert account.writes_since(before) == ["cam:UpdatePolicy"]
    mended = account.roles.find("lacks-upload")
    assert mended is not None
    assert account.roles.missing(mended, UPLOAD) == []


def test_a_policy_that_exceeds_is_cut_back(account: Account) -> None:
    everything = {"version": "2.0", "statement": [{"effect": "allow", "action": ["*"], "resource": ["*"]}]}
    account.roles.ensure("exceeds-upload", everything)
    assert account.roles.ensure("exceeds-upload", UPLOAD)
    role = account.roles.find("exceeds-upload")
    assert role is not None
    assert "*" not in [one for statement in role.documents[0]["statement"] for one in statement["action"]]


def test_a_role_that_does_not_trust_the_functions_does_so_afterwards_and_keeps_its_other_friends(
    account: Account,
) -> None:
    other = json.loads(json.dumps(TRUST).replace("scf.qcloud.com", "cls.cloud.tencent.com"))
    account.cam("CreateRole", RoleName="friends-upload", PolicyDocument=json.dumps(other))
    found = account.roles.find("friends-upload")
    assert found is not None
    assert not found.trusts_scf
    assert account.roles.ensure("friends-upload", UPLOAD)
    found = account.roles.find("friends-upload")
    assert found is not None
    assert found.trusts_scf
    assert "cls.cloud.tencent.com" in json.dumps(account.cam("GetRole", RoleName="friends-upload"))


def test_a_policy_of_a_similar_name_is_not_mistaken_for_ours(account: Account) -> None:
    account.cam("CreatePolicy", PolicyName="similar-upload-2", PolicyDocument=json.dumps(CALLBACK))
    assert account.roles.ensure("similar-upload", UPLOAD)
    role = account.roles.find("similar-upload")
    assert role is not None
    assert role.policies == ("similar-upload",)


def test_what_else_is_attached_counts_and_stays(account: Account) -> None:
    account.roles.ensure("more-upload", UPLOAD)
    made = account.cam("CreatePolicy", PolicyName="more-by-hand", PolicyDocument=json.dumps(CALLBACK))
    account.cam("AttachRolePolicy", AttachRoleName="more-upload", PolicyId=made["PolicyId"])
    account.roles.ensure("more-upload", UPLOAD)
    role = account.roles.find("more-upload")
    assert role is not None
    assert set(role.policies) == {"more-upload", "more-by-hand"}
    assert account.roles.missing(role, CALLBACK) == []


def test_what_scribe_made_is_removed_and_a_second_time_finds_nothing(account: Account) -> None:
    account.roles.ensure("gone-upload", UPLOAD)
    assert account.roles.remove("gone-upload")
    assert account.roles.find("gone-upload") is None
    assert not account.cam("ListPolicies", Scope="Local", Keyword="gone-upload")["List"]
    assert not account.roles.remove("gone-upload")


def test_a_role_that_somebody_else_made_is_not_removed(account: Account) -> None:
    account.cam("CreateRole", RoleName="kept-upload", PolicyDocument=json.dumps(TRUST))
    account.roles.ensure("kept-upload", UPLOAD)
    assert not account.roles.remove("kept-upload")
    role = account.roles.find("kept-upload")
    assert role is not None
    assert account.roles.missing(role, UPLOAD) == []


def test_a_policy_of_the_same_name_that_somebody_else_made_is_not_overwritten(account: Account) -> None:
    account.cam("CreatePolicy", PolicyName="theirs-upload", PolicyDocument=json.dumps(CALLBACK))
    before = account.last()
    with pytest.raises(ForeignPolicy, match=r"theirs-upload that was not made by scribe.*SCF_ROLE_NAME"):
        account.roles.ensure("theirs-upload", UPLOAD)
    assert account.writes_since(before) == []
    # What says the same already is as good, whoever wrote it.
    account.roles.ensure("theirs-upload", CALLBACK)
    role = account.roles.find("theirs-upload")
    assert role is not None
    assert account.roles.missing(role, CALLBACK) == []


def test_more_policies_than_fit_on_a_page_are_all_read(account: Account) -> None:
    for number in range(3):
        name = f"before-paged-upload-{number}"
        account.cam("CreatePolicy", PolicyName=name, PolicyDocument=json.dumps(CALLBACK))
    paged = Roles(account.control, page_size=1)
    paged.ensure("paged-upload", UPLOAD)
    account.cam("AttachRolePolicy", AttachRoleName="paged-upload", PolicyName="before-paged-upload-0")
    before = account.last()
    assert not paged.ensure("paged-upload", UPLOAD)
    assert account.writes_since(before) == []
    role = paged.find("paged-upload")
    assert role is not None
    assert set(role.policies) == {"paged-upload", "before-paged-upload-0"}


def test_the_speech_services_role_is_seen_and_missed(account: Account) -> None:
    found = ci_role(account.control)
    assert found.exists
    assert found.trusts_ci
    document = account.cam("GetRole", RoleName="CI_QCSRole")["RoleInfo"]["PolicyDocument"]
    account.cam("DeleteRole", RoleName="CI_QCSRole")
    gone = ci_role(account.control)
    account.cam("CreateRole", RoleName="CI_QCSRole", PolicyDocument=document)
    assert not gone.exists
    assert not gone.trusts_ci


def test_a_cloud_that_says_no_is_not_taken_for_a_role_that_is_not_there(account: Account) -> None:
    stranger = Control(Credentials("AKIDnobody", "key"), account.control.region, account.control.endpoint)
    with pytest.raises(ControlError, match="SecretIdNotFound"):
        Roles(stranger).find("made-upload")
    with pytest.raises(ControlError, match="SecretIdNotFound"):
        ci_role(stranger)
