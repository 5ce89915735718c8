"""`scribe deploy` and `scribe remove` against the stand-in cloud: what a user sees, and what was changed."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from cli.cloud.client import MAX_PAUSE_S, ApiError, Poller
from cli.cloud.scf import TriggerInfo
from cli.config import CliContext, Commands
from cli.deploy.clients import Clients
from cli.deploy.command import DeployOptions, deploy, remove, verify_deployment
from cli.deploy.executor import ExecutionFailed
from cli.deploy.notifications import build_notify_config
from cli.deploy.preflight import PreflightFailed
from cli.deploy.state import CurrentState, get_queue
from cli.deploy.steps import NEW_QUEUE_TIMEOUT_S, Step, configure_notification
from cli.doctor.models import Status
from cli.doctor.runner import CHECKS, run_checks
from cli.errors import OperatorError
from cli.local.emulator import Emulator, start_emulator
from cli.manifest.loader import load_manifest
from cli.manifest.models import (
    FunctionSpec,
    Manifest,
    TriggerSpec,
    create_function_payload,
    create_trigger_payload,
)
from cli.policy.documents import deployer_policy
from cli.policy.permissions import load_function_settings, scope_from_settings
from shared.settings import Settings
from shared.tencent.auth import Credentials

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[3]
REGION = "ap-guangzhou"
BUCKETS = {"INPUT_BUCKETS": "recordings-1250000000", "OUTPUT_BUCKET": "transcripts-1250000000"}
OTHER_BUCKETS = {"INPUT_BUCKETS": "calls-1250000000", "OUTPUT_BUCKET": "texts-1250000000"}
READING = ("Get", "List", "Describe", "Head")


@dataclass(frozen=True)
class Account:
    """An account, seen from a machine with the checkout and a folder of its own."""

    standin: Emulator
    folder: Path

    def environment(self, config: Mapping[str, str]) -> dict[str, str]:
        key = {
            "TENCENTCLOUD_SECRET_ID": self.standin.secret_id,
            "TENCENTCLOUD_SECRET_KEY": self.standin.secret_key,
        }
        return {"CLOUD_ENDPOINT": self.standin.endpoint, "REGION": REGION, **key, **BUCKETS, **config}

    def scribe(self, *words: str, **config: str) -> subprocess.CompletedProcess[str]:
        """The command as it is typed."""
        return subprocess.run(
            [sys.executable, "-m", "cli.main", *words, "--env-file", str(self.folder / ".env")],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **self.environment(config)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def deploy(
        self, options: DeployOptions | None = None, *, env_file: Path | None = None, **config: str
    ) -> tuple[bool, str]:
        """The same within this process: whether all is well, and what was output."""
        output = io.StringIO()
        context = self.context(env_file or self.folder / ".env", config)
        try:
            passed = deploy(Console(file=output, width=200), context, options or DeployOptions())
        except ExecutionFailed as failed:
            return False, f"{output.getvalue()}\n{failed}"
        return passed, output.getvalue()

    def context(self, env_file: Path, config: Mapping[str, str]) -> CliContext:
        return CliContext(ROOT, env_file, self.environment(config), self.folder)

    def remove(self, *, agreed: bool = True, **config: str) -> tuple[bool, str]:
        output = io.StringIO()
        context = self.context(self.folder / ".env", config)
        return remove(Console(file=output, width=200), context, lambda: agreed), output.getvalue()

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        url = f"{self.standin.endpoint}/-/{path}"
        answer = httpx.request(method, url, json=body, trust_env=False, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def mark(self) -> int:
        return max((row["number"] for row in self.admin("GET", "requests?since=0")), default=0)

    def written(self, since: int) -> list[str]:
        """The actions since a mark that could change something."""
        rows = self.admin("GET", f"requests?since={since}")
        assert rows, "no request was sent"
        actions = [row["action"] for row in rows if row["secret_id"]]
        return [action for action in actions if not action.partition(":")[2].startswith(READING)]

    def key_with(self, policy: Mapping[str, Any]) -> dict[str, str]:
        """A key that may do what the policy says, as variables of the environment."""
        issued = self.admin("POST", "keys", {"policies": [policy]})
        names = {"SECRET_ID": "secret_id", "SECRET_KEY": "secret_key", "TOKEN": "token"}
        return {f"TENCENTCLOUD_{name}": issued[member] for name, member in names.items()}

    def call(self, action: str, **params: Any) -> dict[str, Any]:
        return self.clients.api.call("scf", action, params)

    @property
    def clients(self) -> Clients:
        return Clients.create(
            Credentials(self.standin.secret_id, self.standin.secret_key), REGION, self.standin.endpoint
        )

    def manifest(self, **config: str) -> Manifest:
        stage = config.get("SCRIBE_STAGE", "prod")
        others = {
            "SCRIBE_STAGE": stage,
            "SCF_ROLE_NAME": f"scribe-{stage}",
            "CALLBACK_TOKEN": "any-token-of-16-up",
        }
        return load_manifest(ROOT, self.environment({**others, **config}))


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An account with one deployment, made by the command line."""
    folder = tmp_path_factory.mktemp("operator")
    (folder / ".env").touch()
    arguments = ["--speech", "scripted", "--deploy-delay-ms", "50", "--retry-delay", "0.05"]
    with start_emulator(tmp_path_factory.mktemp("cloud"), {}, arguments) as standin:
        account = Account(standin, folder)
        done = account.scribe("deploy", "--make-buckets")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Deployment verified: " in done.stdout
        yield account


@pytest.fixture
def restored(account: Account) -> Account:
    """The same, after another deployment that reverts changes of other tests."""
    passed, output = account.deploy()
    assert passed, output
    return account


def test_deploy_to_an_empty_account_gives_a_transcript(account: Account) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the official client is older than the interpreter
        import qcloud_cos

        client = qcloud_cos.CosS3Client(
            qcloud_cos.CosConfig(
                Region="ap-guangzhou",
                SecretId=account.standin.secret_id,
                SecretKey=account.standin.secret_key,
                Scheme="http",
                Proxies={"http": account.standin.endpoint},
            )
        )
        client.put_object(BUCKETS["INPUT_BUCKETS"], b"some seconds of speech", "call.mp3")
        assert account.admin("GET", "idle?timeout=30") is True
        text = client.get_object(BUCKETS["OUTPUT_BUCKET"], "transcripts/call.mp3.txt")
        assert text["Body"].get_raw_stream().read().strip()


def test_second_run_from_another_machine_writes_nothing(restored: Account, tmp_path: Path) -> None:
    since = restored.mark()
    passed, output = restored.deploy(env_file=tmp_path / ".env")
    assert passed, output
    assert "No changes. The deployment matches serverless.yml." in output
    assert restored.written(since) == []
    assert not (tmp_path / ".env").exists()


def test_changed_setting_or_token_changes_nothing_else(restored: Account) -> None:
    since = restored.mark()
    passed, output = restored.deploy(SWEEP_AFTER="600")
    assert passed, output
    assert "SWEEP_AFTER: 600" in output
    assert restored.written(since) == ["scf:UpdateFunctionConfiguration"] * 3

    old = (restored.folder / ".env").read_text("utf-8").strip().partition("=")[2]
    new = "another-made-up-token-00"
    since = restored.mark()
    passed, output = restored.deploy(SWEEP_AFTER="600", CALLBACK_TOKEN=f"{new},{old}")
    assert passed, output
    assert restored.written(since) == ["scf:UpdateFunctionConfiguration"] * 3 + ["ci:UpdateAsrQueue"]
    assert output.count("CALLBACK_TOKEN: set -> another value") == 4
    assert old not in output
    assert new not in output


def test_doctor_waits_for_a_function_that_is_updating(tmp_path: Path) -> None:
    """In the cloud a function that took a new setting is Active for a moment, then Updating for some seconds."""
    (tmp_path / ".env").touch()
    arguments = ["--speech", "scripted", "--deploy-delay-ms", "1200", "--retry-delay", "0.05"]
    with start_emulator(tmp_path / "cloud", {}, arguments) as standin:
        account = Account(standin, tmp_path)
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
    since = restored.mark()
    passed, output = restored.deploy()
    assert passed, output
    assert sorted(restored.written(since)) == [
        "scf:DeleteTrigger",
        "scf:UpdateFunctionEventInvokeConfig",
        "scf:UpdateTriggerStatus",
    ]
    assert "state: closed -> open" in output
    assert "- timer trigger hourly of scribe-prod-scribe-sweep" in output
    assert "retries: 0 -> 2" in output
    assert restored.call("ListTriggers", FunctionName=names["callback"])["Triggers"] == url


def test_dry_run_in_an_empty_account_writes_nothing(account: Account, tmp_path: Path) -> None:
    since = account.mark()
    passed, output = account.deploy(
        DeployOptions(dry_run=True, make_buckets=True),
        env_file=tmp_path / ".env",
        SCRIBE_STAGE="dry",
        **OTHER_BUCKETS,
    )
    assert passed
    for line in (
        "+ bucket calls-1250000000",
        "+ function scribe-dry-scribe-sweep",
        "+ role scribe-dry-upload",
    ):
        assert line in output
    assert "Dry run: nothing was changed." in output
    assert account.written(since) == []
    assert not list(tmp_path.iterdir())


def test_all_preflight_problems_are_reported_before_any_change(
    account: Account,
) -> None:
    since = account.mark()
    with pytest.raises(PreflightFailed) as caught:
        account.deploy(
            SCRIBE_STAGE="mist", INPUT_BUCKETS="typo-1250000000", OUTPUT_BUCKET="transcripts-1250000001"
        )
    assert "bucket typo-1250000000 does not exist in ap-guangzhou" in str(caught.value)
    assert "transcripts-1250000001 belongs to account 1250000001, but this key to account 1250000000" in str(
        caught.value
    )
    assert account.written(since) == []


def test_second_stage_takes_nothing_from_the_first(account: Account) -> None:
    since = account.mark()
    with pytest.raises(PreflightFailed) as caught:
        account.deploy(SCRIBE_STAGE="second", INPUT_PREFIX="calls/")
    assert "function scribe-prod-scribe-upload already receives uploads to recordings-1250000000" in str(
        caught.value
    )
    # Both have the same token, from one file, so it does not show which of them the address belongs to.
    assert "recordings-1250000000 notifies function scribe-prod-scribe-callback at https://" in str(
        caught.value
    )
    assert "another INPUT_PREFIX" not in str(caught.value)
    assert account.written(since) == []


def test_queue_of_another_owner_is_taken_only_with_take_over(account: Account) -> None:
    bucket, dry = "hooked-1250000000", DeployOptions(dry_run=True)
    clients = account.clients
    clients.cos(REGION).create_bucket(bucket)
    clients.speech.enable_bucket(bucket)
    queue = Poller().poll(lambda: get_queue(clients, bucket, ""), bool, 10)
    assert queue

    def notify(url: str) -> None:
        clients.speech.update_queue(bucket, queue._replace(notification=build_notify_config(url)))

    notify("https://hooks.example.com/somebody/their-own-secret")
    with pytest.raises(
        PreflightFailed, match=r"hooked-1250000000 notifies https://hooks.example.com/"
    ) as caught:
        account.deploy(dry, INPUT_BUCKETS=bucket)
    assert f"`scribe deploy --env-file {account.folder / '.env'} --take-over`" in str(caught.value)
    assert "their-own-secret" not in str(caught.value)
    take_over = replace(dry, take_over=True)
    assert "~ speech queue of hooked-1250000000" in account.deploy(take_over, INPUT_BUCKETS=bucket)[1]
    token = (account.folder / ".env").read_text("utf-8").strip().partition("=")[2]
    notify(f"https://address-of-a-function-that-is-gone.example.com/{token}")
    assert "~ speech queue of hooked-1250000000" in account.deploy(dry, INPUT_BUCKETS=bucket)[1]


def test_queue_of_a_removed_bucket_is_switched_off(restored: Account) -> None:
    bucket = "former-1250000000"
    restored.clients.cos(REGION).create_bucket(bucket)
    passed, output = restored.deploy(INPUT_BUCKETS=f"{BUCKETS['INPUT_BUCKETS']},{bucket}")
    assert passed, output
    assert restored.clients.speech.list_queues(bucket).queues[0].notification.state == "On"
    narrow = restored.key_with(
        build_deployer_policy(restored.manifest())
    )  # it may look at the buckets of today only
    _, output = restored.deploy(DeployOptions(dry_run=True), **narrow)
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
    _, output = restored.deploy(DeployOptions(dry_run=True), **config)
    assert f"! the receipts will be expected in {new}" in output
    assert "no longer in transcripts-1250000000/.scribe/done/" in output
    assert output.index("bills again") < output.index("~ function")


def test_missing_roles_with_no_roles_are_reported_before_any_change(
    account: Account,
) -> None:
    since = account.mark()
    with pytest.raises(PreflightFailed, match="role scribe-roleless-upload does not exist"):
        account.deploy(
            DeployOptions(make_buckets=True, with_roles=False), SCRIBE_STAGE="roleless", **OTHER_BUCKETS
        )
    assert account.written(since) == []


def test_interrupted_deployment_is_resumed_by_the_same_command(account: Account) -> None:
    config = {"SCRIBE_STAGE": "half", **OTHER_BUCKETS}
    with_roles = DeployOptions(make_buckets=True)
    policy = build_deployer_policy(account.manifest(**config))
    policy["statement"].append({"action": ["cam:*"], "effect": "allow", "resource": ["*"]})
    makes_no_triggers = json.loads(json.dumps(policy).replace('"scf:CreateTrigger", ', ""))
    assert makes_no_triggers != policy
    key = account.key_with(makes_no_triggers)
    passed, output = account.deploy(with_roles, **config, **key)
    assert not passed
    assert "address of scribe-half-scribe-callback: CreateTrigger: " in output
    assert "this key lacks the permission scf:CreateTrigger" in output
    assert "created function scribe-half-scribe-sweep" in output
    assert "Remaining:\n  + address of scribe-half-scribe-callback" in output
    env_file = account.folder / ".env"
    assert f"Resume with: scribe deploy --env-file {env_file} --make-buckets" in output
    assert f"`scribe policy --env-file {env_file} deployer`" in output
    assert key["TENCENTCLOUD_SECRET_KEY"] not in output

    since = account.mark()
    passed, output = account.deploy(with_roles, **config, **account.key_with(policy))
    assert passed, output
    assert "scf:CreateFunction" not in account.written(since)

    is_gone, output = account.remove(agreed=False, **{**config, "INPUT_BUCKETS": BUCKETS["INPUT_BUCKETS"]})
    assert not is_gone
    assert "~ speech queue of calls-1250000000" in output
    assert "~ speech queue of recordings-1250000000" not in output
    assert "Nothing was removed." in output
    assert account.call("GetFunction", FunctionName="scribe-half-scribe-upload")["Status"] == "Active"

    is_gone, output = account.remove(**config)
    assert is_gone
    assert "deleted function scribe-half-scribe-callback" in output
    assert "deleted role scribe-half-sweep and its policy" in output
    assert "Kept: the buckets (calls-1250000000 and texts-1250000000)" in output
    with pytest.raises(ApiError, match=r"ResourceNotFound\.Function"):
        account.call("GetFunction", FunctionName="scribe-half-scribe-upload")
    assert account.remove(**config) == (True, "Nothing to remove: nothing of this deployment exists.\n")


def build_deployer_policy(manifest: Manifest) -> dict[str, Any]:
    return deployer_policy(
        scope_from_settings(load_upload_settings(manifest), "100000000001"), manifest.functions.values()
    )


def load_upload_settings(manifest: Manifest) -> Settings:
    return load_function_settings(manifest.region, manifest.functions["upload"].variables)


def in_namespace(manifest: Manifest, namespace: str) -> Manifest:
    functions = {key: replace(spec, namespace=namespace) for key, spec in manifest.functions.items()}
    return replace(manifest, functions=functions)


def test_without_the_role_of_scf_nothing_is_changed(account: Account) -> None:
    api = account.clients.api
    trust = api.call("cam", "GetRole", {"RoleName": "SCF_QcsRole"})["RoleInfo"]["PolicyDocument"]
    naming = {"RoleName": "SCF_QcsRole"}
    others = trust.replace("scf.qcloud.com", "cvm.qcloud.com")
    api.call("cam", "UpdateAssumeRolePolicy", {**naming, "PolicyDocument": others})
    since = account.mark()
    try:
        with pytest.raises(PreflightFailed, match=r"SCF_QcsRole.*console\.cloud\.tencent\.com/scf"):
            account.deploy(DeployOptions(make_buckets=True), SCRIBE_STAGE="roleless", **OTHER_BUCKETS)
        assert account.written(since) == []
    finally:
        api.call("cam", "UpdateAssumeRolePolicy", {**naming, "PolicyDocument": trust})


def test_missing_namespace_is_found_with_narrow_permissions(
    account: Account,
) -> None:
    manifest = in_namespace(account.manifest(), "nowhere")
    policy = build_deployer_policy(manifest)
    for statement in policy["statement"]:
        statement["action"] = [action for action in statement["action"] if action != "scf:GetFunction"]
    own = "qcs::scf:ap-guangzhou:uin/100000000001:namespace/nowhere/function/*"
    policy["statement"].append({"effect": "allow", "action": ["scf:GetFunction"], "resource": [own]})
    issued = account.key_with(policy)
    key = Credentials(*(issued[f"TENCENTCLOUD_{name}"] for name in ("SECRET_ID", "SECRET_KEY", "TOKEN")))
    clients = Clients.create(key, REGION, account.standin.endpoint)
    state = CurrentState(clients, manifest, load_upload_settings(manifest))
    state.load_for_deployment()
    assert state.functions == {}
    assert state.missing_namespaces == {"nowhere"}
    assert state.other_namespaces == dict.fromkeys(manifest.functions, "default")


def test_nothing_else_is_read_of_a_function_whose_creation_failed(account: Account) -> None:
    manifest = account.manifest(SCRIBE_STAGE="fail")
    broken = replace(manifest.functions["sweep"], handler="missing.main_handler")
    payload = {name: value for name, value in create_function_payload(broken).items() if name != "Role"}
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as file:
        file.writestr("index.py", "")
    account.clients.scf.create_function(payload, code.getvalue())
    try:
        since = account.mark()
        only = replace(manifest, functions={"sweep": broken})
        state = CurrentState(account.clients, only, load_upload_settings(manifest), require_stable=True)
        state.load_for_deployment()
        assert state.functions["sweep"].status == "CreateFailed"
        actions = {row["action"] for row in account.admin("GET", f"requests?since={since}")}
        assert "scf:GetFunction" in actions
        assert not actions & {"scf:ListTriggers", "scf:GetFunctionEventInvokeConfig"}
    finally:
        account.clients.scf.delete_function(broken.name, broken.namespace)


def test_step_waits_for_a_new_address_and_queue(account: Account) -> None:
    sweep, bucket = account.manifest().functions["sweep"], "slow-1250000000"
    clients = account.clients
    clients.cos(REGION).create_bucket(bucket)
    network = {"EnableExtranet": True, "EnableIntranet": False}
    description = json.dumps({"AuthType": "NONE", "NetConfig": network}, sort_keys=True)
    url = TriggerSpec("sweep", "http", "url", description, "$DEFAULT", is_open=True)

    def list_http_triggers() -> list[TriggerInfo]:
        triggers = clients.scf.list_triggers(sweep.name, "default")
        return [trigger for trigger in triggers if trigger.type == "http"]

    def sleep(_seconds: float) -> None:
        if not (triggers := list_http_triggers()):
            clients.scf.create_trigger(create_trigger_payload(sweep.name, "default", url))
        elif triggers[0].url:
            clients.speech.enable_bucket(bucket)
        time.sleep(0.05)

    poller = Poller(now=lambda: 0.0, sleep=sleep)
    build_notification_step(bucket, sweep, "a-token-of-its-own").apply(replace(clients, poller=poller))
    [queue] = clients.speech.list_queues(bucket).queues
    [trigger] = list_http_triggers()
    clients.scf.delete_trigger(sweep.name, "default", trigger)
    assert queue.notification.url == f"{trigger.url.rstrip('/')}/a-token-of-its-own"


def build_notification_step(bucket: str, function: FunctionSpec, token: str) -> Step:
    return configure_notification(
        bucket, "", function, qualifier="$DEFAULT", token=token, callback_url="", current=None
    )


def test_waiting_for_a_new_address_ends(account: Account) -> None:
    pauses: list[float] = []
    poller = Poller(now=lambda: sum(pauses), sleep=lambda seconds: pauses.append(10 * seconds))
    step = build_notification_step("any-1250000000", account.manifest().functions["sweep"], "token")
    with pytest.raises(OperatorError, match="no public address; run the command again"):
        step.apply(replace(account.clients, poller=poller))
    assert NEW_QUEUE_TIMEOUT_S <= sum(pauses) < NEW_QUEUE_TIMEOUT_S + 10 * MAX_PAUSE_S


class NewNames(httpx.HTTPTransport):
    """A network in which the host names of function URLs are known once `are_known` is set."""

    are_known = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if not self.are_known and request.headers["host"].endswith(".tencentscf.com"):
            raise httpx.ConnectError("no such name")
        return super().handle_request(request)


@pytest.mark.parametrize("appears", [True, False])
def test_verification_waits_a_minute_for_a_new_address(account: Account, *, appears: bool) -> None:
    token = (account.folder / ".env").read_text("utf-8").strip().partition("=")[2]
    network, pauses = NewNames(), list[float]()

    def sleep(seconds: float) -> None:
        pauses.append(10 * seconds)
        network.are_known = appears and len(pauses) > 1

    manifest = account.manifest(CALLBACK_TOKEN=token)
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
