"""The client of CAM against the stand-in cloud: roles and their policies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from cli.cloud.cam import CI_SERVICE_ROLE, CamClient, PolicyConflict
from cli.cloud.client import ApiClient, ApiError, Poller
from cli.local.emulator import start_emulator
from cli.policy.diff import missing_permissions
from cli.policy.documents import TRUST, function_policy
from cli.policy.permissions import scope_from_settings
from shared.settings import load_settings
from shared.tencent.auth import Credentials
from tests.helpers.loopback import open_client

pytestmark = pytest.mark.process

UIN = "100000000001"
SETTINGS = {
    "INPUT_BUCKETS": "recordings-1250000000",
    "CALLBACK_TOKEN": "a-token-of-24-characters",
    "REGION": "ap-guangzhou",
}
UPLOAD, CALLBACK = (
    function_policy(name, scope_from_settings(load_settings(SETTINGS), UIN))
    for name in ("upload", "callback")
)
READS = ("cam:Get", "cam:List", "cam:Describe")


@dataclass(frozen=True)
class Account:
    """An account of the stand-in cloud: our client, the raw API, and the access log."""

    api: ApiClient
    http: httpx.Client

    @property
    def client(self) -> CamClient:
        return CamClient(self.api)

    def cam(self, action: str, **params: Any) -> dict[str, Any]:
        """Call CAM, again if what was created a moment ago is not visible yet."""
        not_visible = ("InvalidParameter.PolicyIdNotExist", "ResourceNotFound.PolicyIdNotFound")
        return Poller().retry_while(
            lambda: self.api.call("cam", action, params), lambda error: error.code in not_visible
        )

    def writes_since(self, number: int) -> list[str]:
        rows = self.http.get(f"/-/requests?since={number}").json()
        return [row["action"] for row in rows if not row["action"].startswith(READS)]

    def last_request(self) -> int:
        rows = self.http.get("/-/requests").json()
        return max((row["number"] for row in rows), default=0)


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with (
        start_emulator(tmp_path_factory.mktemp("cloud"), {}) as emulator,
        open_client(base_url=emulator.endpoint, headers=emulator.admin_headers) as http,
    ):
        key = Credentials(emulator.secret_id, emulator.secret_key)
        yield Account(ApiClient(key, emulator.region, emulator.endpoint), http)


def test_missing_role_is_none(account: Account) -> None:
    assert account.client.get_role("missing") is None


def test_role_is_created_with_its_policy_and_then_unchanged(account: Account) -> None:
    assert account.client.ensure_role("made-upload", UPLOAD)
    role = account.client.get_role("made-upload")
    assert role is not None
    assert role.trusts_scf
    assert role.is_ours
    assert role.policies == ("made-upload",)
    assert missing_permissions(UPLOAD, role.documents) == []
    before = account.last_request()
    assert not account.client.ensure_role("made-upload", UPLOAD)
    assert account.writes_since(before) == []


def test_incomplete_policy_is_found_and_updated(account: Account) -> None:
    less = {**UPLOAD, "statement": UPLOAD["statement"][1:]}
    account.client.ensure_role("lacks-upload", less)
    role = account.client.get_role("lacks-upload")
    assert role is not None
    missing = [str(permission) for permission in missing_permissions(UPLOAD, role.documents)]
    resource = UPLOAD["statement"][0]["resource"][0]
    assert f"{UPLOAD['statement'][0]['action'][0]} on {resource}" in missing
    before = account.last_request()
    assert account.client.ensure_role("lacks-upload", UPLOAD)
    assert account.writes_since(before) == ["cam:UpdatePolicy"]
    updated = account.client.get_role("lacks-upload")
    assert updated is not None
    assert missing_permissions(UPLOAD, updated.documents) == []


def test_policy_that_allows_too_much_is_reduced(account: Account) -> None:
    everything = {"version": "2.0", "statement": [{"effect": "allow", "action": ["*"], "resource": ["*"]}]}
    account.client.ensure_role("exceeds-upload", everything)
    assert account.client.ensure_role("exceeds-upload", UPLOAD)
    role = account.client.get_role("exceeds-upload")
    assert role is not None
    assert "*" not in [
        action for statement in role.documents[0]["statement"] for action in statement["action"]
    ]


def test_trust_in_scf_is_added_and_other_trust_is_kept(
    account: Account,
) -> None:
    other = json.loads(json.dumps(TRUST).replace("scf.qcloud.com", "cls.cloud.tencent.com"))
    account.cam("CreateRole", RoleName="friends-upload", PolicyDocument=json.dumps(other))
    role = account.client.get_role("friends-upload")
    assert role is not None
    assert not role.trusts_scf
    assert account.client.ensure_role("friends-upload", UPLOAD)
    role = account.client.get_role("friends-upload")
    assert role is not None
    assert role.trusts_scf
    assert "cls.cloud.tencent.com" in json.dumps(account.cam("GetRole", RoleName="friends-upload"))


def test_policy_with_a_similar_name_is_not_ours(account: Account) -> None:
    account.cam("CreatePolicy", PolicyName="similar-upload-2", PolicyDocument=json.dumps(CALLBACK))
    assert account.client.ensure_role("similar-upload", UPLOAD)
    role = account.client.get_role("similar-upload")
    assert role is not None
    assert role.policies == ("similar-upload",)


def test_other_attached_policies_count_and_are_kept(account: Account) -> None:
    account.client.ensure_role("more-upload", UPLOAD)
    policy = account.cam("CreatePolicy", PolicyName="more-by-hand", PolicyDocument=json.dumps(CALLBACK))
    account.cam("AttachRolePolicy", AttachRoleName="more-upload", PolicyId=policy["PolicyId"])
    account.client.ensure_role("more-upload", UPLOAD)
    role = account.client.get_role("more-upload")
    assert role is not None
    assert set(role.policies) == {"more-upload", "more-by-hand"}
    assert missing_permissions(CALLBACK, role.documents) == []


def test_own_role_is_deleted_once(account: Account) -> None:
    account.client.ensure_role("gone-upload", UPLOAD)
    assert account.client.delete_role("gone-upload")
    assert account.client.get_role("gone-upload") is None
    assert not account.cam("ListPolicies", Scope="Local", Keyword="gone-upload")["List"]
    assert not account.client.delete_role("gone-upload")


def test_role_that_scribe_did_not_create_is_not_deleted(account: Account) -> None:
    account.cam("CreateRole", RoleName="kept-upload", PolicyDocument=json.dumps(TRUST))
    account.client.ensure_role("kept-upload", UPLOAD)
    assert not account.client.delete_role("kept-upload")
    role = account.client.get_role("kept-upload")
    assert role is not None
    assert missing_permissions(UPLOAD, role.documents) == []


def test_policy_that_scribe_did_not_create_is_not_overwritten(account: Account) -> None:
    account.cam("CreatePolicy", PolicyName="theirs-upload", PolicyDocument=json.dumps(CALLBACK))
    before = account.last_request()
    with pytest.raises(PolicyConflict, match=r"theirs-upload that was not created by scribe.*SCF_ROLE_NAME"):
        account.client.ensure_role("theirs-upload", UPLOAD)
    assert account.writes_since(before) == []
    # An equivalent policy is used, no matter who created it.
    account.client.ensure_role("theirs-upload", CALLBACK)
    role = account.client.get_role("theirs-upload")
    assert role is not None
    assert missing_permissions(CALLBACK, role.documents) == []


def test_every_page_of_policies_is_read(account: Account) -> None:
    for number in range(3):
        name = f"before-paged-upload-{number}"
        account.cam("CreatePolicy", PolicyName=name, PolicyDocument=json.dumps(CALLBACK))
    paged = CamClient(account.api, page_size=1)
    paged.ensure_role("paged-upload", UPLOAD)
    account.cam("AttachRolePolicy", AttachRoleName="paged-upload", PolicyName="before-paged-upload-0")
    before = account.last_request()
    assert not paged.ensure_role("paged-upload", UPLOAD)
    assert account.writes_since(before) == []
    role = paged.get_role("paged-upload")
    assert role is not None
    assert set(role.policies) == {"paged-upload", "before-paged-upload-0"}


def test_role_of_the_speech_service_is_found_and_missed(account: Account) -> None:
    role = account.client.get_service_role(CI_SERVICE_ROLE)
    assert role.describe_problem(CI_SERVICE_ROLE) == ""
    document = account.cam("GetRole", RoleName="CI_QCSRole")["RoleInfo"]["PolicyDocument"]
    account.cam("DeleteRole", RoleName="CI_QCSRole")
    gone = account.client.get_service_role(CI_SERVICE_ROLE)
    assert not gone.exists
    assert not gone.is_trusted
    other = document.replace("ci.qcloud.com", "cos.qcloud.com")
    account.cam("CreateRole", RoleName="CI_QCSRole", PolicyDocument=other)
    untrusted = account.client.get_service_role(CI_SERVICE_ROLE)
    assert "does not trust ci.qcloud.com" in untrusted.describe_problem(CI_SERVICE_ROLE)
    account.client.ensure_service_role(CI_SERVICE_ROLE)
    role = account.client.get_service_role(CI_SERVICE_ROLE)
    assert role.describe_problem(CI_SERVICE_ROLE) == ""
    assert "cos.qcloud.com" in account.cam("GetRole", RoleName="CI_QCSRole")["RoleInfo"]["PolicyDocument"]


def test_page_that_grants_a_service_role_is_tencents_own() -> None:
    assert CI_SERVICE_ROLE.grant_url == (
        "https://console.cloud.tencent.com/cam/role/grant?roleName=CI_QCSRole"
        "&policyName=QcloudCOSDataFullControl,QcloudAccessForCIRole,QcloudPartAccessForCIRole"
        "&principal=eyJzZXJ2aWNlIjoiY2kucWNsb3VkLmNvbSJ9&serviceType=%E6%95%B0%E6%8D%AE%E4%B8%87%E8%B1%A1"
    )


def test_rejected_request_is_not_a_missing_role(account: Account) -> None:
    api = ApiClient(Credentials("AKIDunknown", "key"), account.api.region, account.api.endpoint)
    with pytest.raises(ApiError, match="SecretIdNotFound"):
        CamClient(api).get_role("made-upload")
    with pytest.raises(ApiError, match="SecretIdNotFound"):
        CamClient(api).get_service_role(CI_SERVICE_ROLE)
