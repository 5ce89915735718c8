"""`scribe deploy` and `scribe remove` against the stand-in cloud: what a user sees, and what was changed."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from cli.cloud.client import ApiError, Poller
from cli.config import Commands
from cli.deploy.command import DeployOptions, verify_deployment
from cli.deploy.state import CurrentState
from cli.doctor.checks import CHECKS
from cli.doctor.models import Status
from cli.doctor.runner import run_checks
from cli.local.emulator import start_emulator
from tests.helpers.account import (
    BUCKETS,
    OTHER_BUCKETS,
    REGION,
    Account,
    build_deployer_policy,
    load_upload_settings,
)

pytestmark = pytest.mark.process


def test_deploy_to_an_empty_account_gives_a_transcript(account: Account) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the official client is older than the interpreter
        import qcloud_cos

        client = qcloud_cos.CosS3Client(
            qcloud_cos.CosConfig(
                Region="ap-guangzhou",
                SecretId=account.emulator.secret_id,
                SecretKey=account.emulator.secret_key,
                Scheme="http",
                Proxies={"http": account.emulator.endpoint},
            )
        )
        client.put_object(BUCKETS["INPUT_BUCKETS"], b"some seconds of speech", "call.mp3")
        assert account.admin("GET", "idle?timeout=30") is True
        text = client.get_object(BUCKETS["OUTPUT_BUCKET"], "transcripts/call.mp3.txt")
        assert text["Body"].get_raw_stream().read().strip()


def test_second_run_from_another_machine_writes_nothing(restored: Account, tmp_path: Path) -> None:
    since = restored.last_request()
    passed, output = restored.deploy(env_file=tmp_path / ".env")
    assert passed, output
    assert "No changes. The deployment matches serverless.yml." in output
    assert restored.list_writes(since) == []
    assert not (tmp_path / ".env").exists()


def test_changed_setting_or_token_changes_nothing_else(restored: Account) -> None:
    since = restored.last_request()
    passed, output = restored.deploy(config={"SWEEP_AFTER": "600"})
    assert passed, output
    assert "SWEEP_AFTER: 600" in output
    assert restored.list_writes(since) == ["scf:UpdateFunctionConfiguration"] * 3

    old = restored.token
    new = "another-made-up-token-00"
    since = restored.last_request()
    passed, output = restored.deploy(config={"SWEEP_AFTER": "600", "CALLBACK_TOKEN": f"{new},{old}"})
    assert passed, output
    assert restored.list_writes(since) == ["scf:UpdateFunctionConfiguration"] * 3 + ["ci:UpdateAsrQueue"]
    assert output.count("CALLBACK_TOKEN: set -> another value") == 4
    assert old not in output
    assert new not in output


def test_doctor_waits_for_a_function_that_is_updating(tmp_path: Path) -> None:
    """In the cloud a changed function is Active for a moment, then Updating for some seconds."""
    (tmp_path / ".env").touch()
    arguments = ["--speech", "scripted", "--deploy-delay-ms", "1200", "--retry-delay", "0.05"]
    with start_emulator(tmp_path / "cloud", {}, arguments) as emulator:
        account = Account(emulator, tmp_path)
        passed, output = account.deploy(DeployOptions(make_buckets=True))
        assert passed, output
        manifest = account.manifest()
        names = [spec.name for spec in manifest.functions.values()]
        for name in names:
            account.call("UpdateFunctionConfiguration", FunctionName=name, Description="changed")
        deadline = time.monotonic() + 10
        while any(account.call("GetFunction", FunctionName=name)["Status"] != "Updating" for name in names):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        state = CurrentState(account.clients, manifest, load_upload_settings(manifest))
        findings = run_checks(state, "", Commands())
        statuses = [finding.status for finding in findings if finding.name == "function"]
        assert statuses == [Status.OK] * 3


def test_changes_made_in_the_console_are_reverted(restored: Account) -> None:
    manifest = restored.manifest()
    names = {key: spec.name for key, spec in manifest.functions.items()}
    cos = manifest.triggers_for("upload")[0]
    url = restored.call("ListTriggers", FunctionName=names["callback"])["Triggers"]
    restored.call(
        "UpdateTriggerStatus",
        FunctionName=names["upload"],
        TriggerName=cos.name,
        Type="cos",
        Qualifier=cos.qualifier,
        TriggerDesc=cos.description,
        Enable="CLOSE",
    )
    restored.call(
        "CreateTrigger",
        FunctionName=names["sweep"],
        TriggerName="hourly",
        Type="timer",
        TriggerDesc="0 0 * * * * *",
        Qualifier="$DEFAULT",
        Enable="OPEN",
    )
    restored.call(
        "UpdateFunctionEventInvokeConfig",
        FunctionName=names["upload"],
        AsyncTriggerConfig={"RetryConfig": [{"RetryNum": 0}], "MsgTTL": 60},
    )
    since = restored.last_request()
    passed, output = restored.deploy()
    assert passed, output
    assert sorted(restored.list_writes(since)) == [
        "scf:DeleteTrigger",
        "scf:UpdateFunctionEventInvokeConfig",
        "scf:UpdateTriggerStatus",
    ]
    assert "state: closed -> open" in output
    assert "- timer trigger hourly of scribe-prod-scribe-sweep" in output
    assert "retries: 0 -> 2" in output
    assert restored.call("ListTriggers", FunctionName=names["callback"])["Triggers"] == url


def test_dry_run_in_an_empty_account_writes_nothing(account: Account, tmp_path: Path) -> None:
    since = account.last_request()
    passed, output = account.deploy(
        DeployOptions(dry_run=True, make_buckets=True),
        {"SCRIBE_STAGE": "dry", **OTHER_BUCKETS},
        env_file=tmp_path / ".env",
    )
    assert passed
    for line in (
        "+ bucket calls-1250000000",
        "+ function scribe-dry-scribe-sweep",
        "+ role scribe-dry-upload",
    ):
        assert line in output
    assert "Dry run: nothing was changed." in output
    assert account.list_writes(since) == []
    assert not list(tmp_path.iterdir())


def test_queue_of_a_removed_bucket_is_switched_off(restored: Account) -> None:
    bucket = "former-1250000000"
    restored.clients.cos(REGION).create_bucket(bucket)
    passed, output = restored.deploy(config={"INPUT_BUCKETS": f"{BUCKETS['INPUT_BUCKETS']},{bucket}"})
    assert passed, output
    assert restored.clients.speech.list_queues(bucket).queues[0].notification.state == "On"
    narrow = restored.create_key(build_deployer_policy(restored.manifest()))  # for the present buckets only
    _, output = restored.deploy(DeployOptions(dry_run=True), narrow)
    assert (
        f"! {bucket} was an input bucket, and this key has no permission to read its speech queue" in output
    )
    passed, output = restored.deploy()
    assert passed, output
    assert restored.clients.speech.list_queues(bucket).queues[0].notification.state == "Off"
    assert "No changes" in restored.deploy()[1]


@pytest.mark.parametrize(
    ("config", "new"),
    [
        ({"OUTPUT_BUCKET": ""}, "recordings-1250000000/.scribe/done/"),
        ({"STATE_PREFIX": "state/"}, "transcripts-1250000000/state/done/"),
    ],
)
def test_moved_receipts_are_a_warning_about_billing(
    restored: Account, config: Mapping[str, str], new: str
) -> None:
    restored.clients.cos(REGION).put(BUCKETS["INPUT_BUCKETS"], "done.mp3", b"speech")
    assert restored.admin("GET", "idle?timeout=30") is True
    _, output = restored.deploy(DeployOptions(dry_run=True), config)
    assert f"! the receipts will be expected in {new}" in output
    assert "no longer in transcripts-1250000000/.scribe/done/" in output
    assert output.index("bills again") < output.index("~ function")


def test_interrupted_deployment_is_resumed_by_the_same_command(account: Account) -> None:
    config = {"SCRIBE_STAGE": "half", **OTHER_BUCKETS}
    with_roles = DeployOptions(make_buckets=True)
    policy = build_deployer_policy(account.manifest(config))
    policy["statement"].append({"action": ["cam:*"], "effect": "allow", "resource": ["*"]})
    without_triggers = json.loads(json.dumps(policy).replace('"scf:CreateTrigger", ', ""))
    assert without_triggers != policy
    key = account.create_key(without_triggers)
    passed, output = account.deploy(with_roles, {**config, **key})
    assert not passed
    assert "address of scribe-half-scribe-callback: CreateTrigger: " in output
    assert "this key lacks the permission scf:CreateTrigger" in output
    assert "created function scribe-half-scribe-sweep" in output
    assert "Remaining:\n  + address of scribe-half-scribe-callback" in output
    env_file = account.folder / ".env"
    assert f"Resume with: scribe deploy --env-file {env_file} --make-buckets" in output
    assert f"`scribe policy --env-file {env_file} deployer`" in output
    assert key["TENCENTCLOUD_SECRET_KEY"] not in output

    since = account.last_request()
    passed, output = account.deploy(with_roles, {**config, **account.create_key(policy)})
    assert passed, output
    assert "scf:CreateFunction" not in account.list_writes(since)

    is_gone, output = account.remove(
        {**config, "INPUT_BUCKETS": BUCKETS["INPUT_BUCKETS"]}, is_confirmed=False
    )
    assert not is_gone
    assert "~ speech queue of calls-1250000000" in output
    assert "~ speech queue of recordings-1250000000" not in output
    assert "Nothing was removed." in output
    assert account.call("GetFunction", FunctionName="scribe-half-scribe-upload")["Status"] == "Active"

    is_gone, output = account.remove(config)
    assert is_gone
    assert "deleted function scribe-half-scribe-callback" in output
    assert "deleted role scribe-half-sweep and its policy" in output
    assert "Kept: the buckets (calls-1250000000 and texts-1250000000)" in output
    with pytest.raises(ApiError, match=r"ResourceNotFound\.Function"):
        account.call("GetFunction", FunctionName="scribe-half-scribe-upload")
    assert account.remove(config) == (True, "Nothing to remove: nothing of this deployment exists.\n")


class NewNames(httpx.HTTPTransport):
    """A network in which the host names of function URLs are known once `are_known` is set."""

    are_known = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if not self.are_known and request.headers["host"].endswith(".tencentscf.com"):
            raise httpx.ConnectError("no such name")
        return super().handle_request(request)


@pytest.mark.parametrize("appears", [True, False])
def test_verification_waits_a_minute_for_a_new_address(account: Account, *, appears: bool) -> None:
    token = account.token
    network, pauses = NewNames(), list[float]()

    def sleep(seconds: float) -> None:
        pauses.append(10 * seconds)
        network.are_known = appears and len(pauses) > 1

    manifest = account.manifest({"CALLBACK_TOKEN": token})
    with httpx.Client(transport=network) as http:
        clients = replace(account.clients, http=lambda: http, poller=Poller(lambda: sum(pauses), sleep))
        findings = list(verify_deployment(clients, manifest, load_upload_settings(manifest), "", Commands()))
    [address] = [finding for finding in findings if finding.name == "address"]
    assert (address.status is Status.OK) is appears
    assert (sum(pauses) >= 60) is not appears
    assert {finding.name for finding in findings} == {check.name for check in CHECKS}


def test_remove_without_terminal_or_yes_deletes_nothing(account: Account) -> None:
    done = account.scribe("remove")
    assert done.returncode == 1
    assert "--yes" in done.stderr
    assert account.call("GetFunction", FunctionName="scribe-prod-scribe-upload")["Status"] == "Active"
