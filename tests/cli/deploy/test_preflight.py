"""`scribe deploy` checks everything before it changes anything."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cli.cloud.client import Poller
from cli.deploy.command import DeployOptions
from cli.deploy.notifications import build_notify_config
from cli.deploy.preflight import PreflightFailed
from cli.deploy.state import get_queue
from tests.helpers.account import (
    OTHER_BUCKETS,
    REGION,
    Account,
)

pytestmark = pytest.mark.process


def test_all_preflight_problems_are_reported_before_any_change(
    account: Account,
) -> None:
    since = account.last_request()
    with pytest.raises(PreflightFailed) as caught:
        account.deploy(
            config={
                "SCRIBE_STAGE": "mist",
                "INPUT_BUCKETS": "typo-1250000000",
                "OUTPUT_BUCKET": "transcripts-1250000001",
            }
        )
    assert "bucket typo-1250000000 does not exist in ap-guangzhou" in str(caught.value)
    assert "transcripts-1250000001 belongs to account 1250000001, but this key to account 1250000000" in str(
        caught.value
    )
    assert account.list_writes(since) == []


def test_second_stage_takes_nothing_from_the_first(account: Account) -> None:
    since = account.last_request()
    with pytest.raises(PreflightFailed) as caught:
        account.deploy(config={"SCRIBE_STAGE": "second", "INPUT_PREFIX": "calls/"})
    assert "function scribe-prod-scribe-upload already receives uploads to recordings-1250000000" in str(
        caught.value
    )
    # Both have the same token, from one file, so it does not show which of them the address belongs to.
    assert "recordings-1250000000 notifies function scribe-prod-scribe-callback at https://" in str(
        caught.value
    )
    assert "another INPUT_PREFIX" not in str(caught.value)
    assert account.list_writes(since) == []


def test_queue_of_another_owner_is_taken_only_with_take_over(account: Account) -> None:
    bucket, dry = "hooked-1250000000", DeployOptions(dry_run=True)
    clients = account.clients
    clients.cos(REGION).create_bucket(bucket)
    clients.speech.enable_bucket(bucket)
    queue = Poller().poll(lambda: get_queue(clients, bucket, ""), bool, 10)
    assert queue

    def notify(url: str) -> None:
        clients.speech.update_queue(bucket, queue._replace(notification=build_notify_config(url)))

    notify("https://hooks.example.com/someone/their-own-secret")
    with pytest.raises(
        PreflightFailed, match=r"hooked-1250000000 notifies https://hooks.example.com/"
    ) as caught:
        account.deploy(dry, {"INPUT_BUCKETS": bucket})
    assert f"`scribe deploy --env-file {account.folder / '.env'} --take-over`" in str(caught.value)
    assert "their-own-secret" not in str(caught.value)
    take_over = replace(dry, take_over=True)
    assert "~ speech queue of hooked-1250000000" in account.deploy(take_over, {"INPUT_BUCKETS": bucket})[1]
    token = account.token
    notify(f"https://address-of-a-function-that-is-gone.example.com/{token}")
    assert "~ speech queue of hooked-1250000000" in account.deploy(dry, {"INPUT_BUCKETS": bucket})[1]


def test_missing_roles_with_no_roles_are_reported_before_any_change(
    account: Account,
) -> None:
    since = account.last_request()
    with pytest.raises(PreflightFailed, match="role scribe-roleless-upload does not exist"):
        account.deploy(
            DeployOptions(make_buckets=True, with_roles=False), {"SCRIBE_STAGE": "roleless", **OTHER_BUCKETS}
        )
    assert account.list_writes(since) == []


def test_without_the_role_of_scf_nothing_is_changed(account: Account) -> None:
    api = account.clients.api
    trust = api.call("cam", "GetRole", {"RoleName": "SCF_QcsRole"})["RoleInfo"]["PolicyDocument"]
    role = {"RoleName": "SCF_QcsRole"}
    other_trust = trust.replace("scf.qcloud.com", "cvm.qcloud.com")
    api.call("cam", "UpdateAssumeRolePolicy", {**role, "PolicyDocument": other_trust})
    since = account.last_request()
    try:
        with pytest.raises(PreflightFailed, match=r"SCF_QcsRole.*/cam/role/grant\?roleName=SCF_QcsRole"):
            account.deploy(
                DeployOptions(make_buckets=True, with_roles=False),
                {"SCRIBE_STAGE": "roleless", **OTHER_BUCKETS},
            )
        assert account.list_writes(since) == []
    finally:
        api.call("cam", "UpdateAssumeRolePolicy", {**role, "PolicyDocument": trust})
