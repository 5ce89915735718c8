"""`scribe deploy` and `scribe remove` against a stand-in's control plane: what a user sees, and what was written."""

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

from cli.cloud.control import ControlError
from cli.cloud.waiting import LONGEST_PAUSE_S, Waiting
from cli.config import CliContext
from cli.deploy.act import Halted
from cli.deploy.command import Options, deploy
from cli.deploy.found import look
from cli.deploy.hands import Hands
from cli.deploy.outcome import outcome
from cli.deploy.refusals import CannotDeploy
from cli.deploy.removal import remove
from cli.deploy.speech_steps import LONGEST_WAIT_S, TellCallback, address_among, notification, queue_of
from cli.doctor.examine import CHECKS, examine
from cli.doctor.finding import State
from cli.doctor.hands import Hands as DoctorHands
from cli.errors import OperatorError
from cli.local.emulator import Emulator, start_emulator
from cli.manifest.loader import load_manifest
from cli.manifest.models import Manifest, TriggerSpec, create_function_payload, create_trigger_payload
from cli.policy.documents import deployer_policy, place_of
from shared.settings import Settings, load_settings
from shared.tencent.auth import Credentials

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[2]
REGION = "ap-guangzhou"
BUCKETS = {"INPUT_BUCKETS": "recordings-1250000000", "OUTPUT_BUCKET": "transcripts-1250000000"}
OTHER_BUCKETS = {"INPUT_BUCKETS": "calls-1250000000", "OUTPUT_BUCKET": "texts-1250000000"}
READING = ("Get", "List", "Describe", "Head")


@dataclass(frozen=True)
class Account:
    """An account, seen from a machine with the checkout and a folder of its own."""

    standin: Emulator
    folder: Path

    def choices(self, chosen: Mapping[str, str]) -> dict[str, str]:
        key = {
            "TENCENTCLOUD_SECRET_ID": self.standin.secret_id,
            "TENCENTCLOUD_SECRET_KEY": self.standin.secret_key,
        }
        return {"CLOUD_ENDPOINT": self.standin.endpoint, "REGION": REGION, **key, **BUCKETS, **chosen}

    def scribe(self, *words: str, **chosen: str) -> subprocess.CompletedProcess[str]:
        """The command as it is typed."""
        return subprocess.run(
            [sys.executable, "-m", "cli.main", *words, "--env-file", str(self.folder / ".env")],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **self.choices(chosen)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def deploy(
        self, options: Options | None = None, *, env_file: Path | None = None, **chosen: str
    ) -> tuple[bool, str]:
        """The same within this process: whether all is well, and what was said."""
        said = io.StringIO()
        around = self.around(env_file or self.folder / ".env", chosen)
        try:
            is_well = deploy(Console(file=said, width=200), around, options or Options())
        except Halted as halted:
            return False, f"{said.getvalue()}\n{halted}"
        return is_well, said.getvalue()

    def around(self, env_file: Path, chosen: Mapping[str, str]) -> CliContext:
        return CliContext(ROOT, env_file, self.choices(chosen), self.folder)

    def remove(self, *, agreed: bool = True, **chosen: str) -> tuple[bool, str]:
        said = io.StringIO()
        around = self.around(self.folder / ".env", chosen)
        return remove(Console(file=said, width=200), around, lambda: agreed), said.getvalue()

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
        assert rows, "nothing was asked at all"
        actions = [row["action"] for row in rows if row["secret_id"]]
        return [action for action in actions if not action.partition(":")[2].startswith(READING)]

    def key_with(self, policy: Mapping[str, Any]) -> dict[str, str]:
        """A key that may do what the policy says, as the operator's choices name it."""
        made = self.admin("POST", "keys", {"policies": [policy]})
        names = {"SECRET_ID": "secret_id", "SECRET_KEY": "secret_key", "TOKEN": "token"}
        return {f"TENCENTCLOUD_{name}": made[told] for name, told in names.items()}

    def call(self, action: str, **given: Any) -> dict[str, Any]:
        return self.hands.control.call("scf", action, given)

    @property
    def hands(self) -> Hands:
        return Hands.of(
            Credentials(self.standin.secret_id, self.standin.secret_key), REGION, self.standin.endpoint
        )

    def wanted(self, **chosen: str) -> Manifest:
        stage = chosen.get("SCRIBE_STAGE", "prod")
        others = {
            "SCRIBE_STAGE": stage,
            "SCF_ROLE_NAME": f"scribe-{stage}",
            "CALLBACK_TOKEN": "any-token-of-16-up",
        }
        return load_manifest(ROOT, self.choices({**others, **chosen}))


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An account in which one deployment stands, made by the command as it is typed."""
    folder = tmp_path_factory.mktemp("operator")
    (folder / ".env").touch()
    arguments = ["--speech", "scripted", "--deploy-delay-ms", "50", "--retry-delay", "0.05"]
    with start_emulator(tmp_path_factory.mktemp("cloud"), {}, arguments) as standin:
        account = Account(standin, folder)
        done = account.scribe("deploy", "--make-buckets")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "It can take recordings" in done.stdout
        yield account


@pytest.fixture
def settled(account: Account) -> Account:
    """The same, as it was in the beginning."""
    is_well, said = account.deploy()
    assert is_well, said
    return account


def test_one_command_leads_from_an_empty_account_to_a_transcript(account: Account) -> None:
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


def test_a_second_run_from_another_machine_writes_nothing_and_keeps_the_token(
    settled: Account, tmp_path: Path
) -> None:
    since = settled.mark()
    is_well, said = settled.deploy(env_file=tmp_path / ".env")
    assert is_well, said
    assert "Nothing to change: what runs is what is described." in said
    assert settled.written(since) == []
    assert not (tmp_path / ".env").exists()


def test_a_changed_setting_or_token_changes_that_and_nothing_else(settled: Account) -> None:
    since = settled.mark()
    is_well, said = settled.deploy(SWEEP_AFTER="600")
    assert is_well, said
    assert "SWEEP_AFTER: 600" in said
    assert settled.written(since) == ["scf:UpdateFunctionConfiguration"] * 3

    old = (settled.folder / ".env").read_text("utf-8").strip().partition("=")[2]
    new = "another-made-up-token-00"
    since = settled.mark()
    is_well, said = settled.deploy(SWEEP_AFTER="600", CALLBACK_TOKEN=f"{new},{old}")
    assert is_well, said
    assert settled.written(since) == ["scf:UpdateFunctionConfiguration"] * 3 + ["ci:UpdateAsrQueue"]
    assert said.count("CALLBACK_TOKEN: set -> another value") == 4
    assert old not in said
    assert new not in said


def test_a_change_that_takes_its_time_is_waited_for(tmp_path: Path) -> None:
    """In the cloud a function that took a new setting is Active for a moment, then Updating for some seconds."""
    (tmp_path / ".env").touch()
    arguments = ["--speech", "scripted", "--deploy-delay-ms", "1200", "--retry-delay", "0.05"]
    with start_emulator(tmp_path / "cloud", {}, arguments) as standin:
        account = Account(standin, tmp_path)
        is_well, said = account.deploy(Options(make_buckets=True))
        assert is_well, said
        key = Credentials(standin.secret_id, standin.secret_key)
        doctor = DoctorHands.of(key, REGION, standin.endpoint)
        names = [one.name for one in account.wanted().functions.values()]
        for name in names:
            account.call("UpdateFunctionConfiguration", FunctionName=name, Description="changed")
        ends = time.monotonic() + 10
        while any(account.call("GetFunction", FunctionName=name)["Status"] != "Updating" for name in names):
            assert time.monotonic() < ends
            time.sleep(0.01)
        found = [one for one in examine(doctor, account.wanted()) if one.name == "function"]
        assert [one.state for one in found] == [State.OK] * 3


def test_what_somebody_changed_in_the_console_is_put_right(settled: Account) -> None:
    wanted = settled.wanted()
    names = {key: one.name for key, one in wanted.functions.items()}
    cos = wanted.triggers_of("upload")[0]
    url = settled.call("ListTriggers", FunctionName=names["callback"])["Triggers"]
    settled.call(
        "UpdateTriggerStatus",
        FunctionName=names["upload"],
        TriggerName=cos.name,
        Type="cos",
        Qualifier=cos.qualifier,
        TriggerDesc=cos.description,
        Enable="CLOSE",
    )
    settled.call(
        "CreateTrigger",
        FunctionName=names["sweep"],
        TriggerName="hourly",
        Type="timer",
        TriggerDesc="0 0 * * * * *",
        Qualifier="$DEFAULT",
        Enable="OPEN",
    )
    settled.call(
        "UpdateFunctionEventInvokeConfig",
        FunctionName=names["upload"],
        AsyncTriggerConfig={"RetryConfig": [{"RetryNum": 0}], "MsgTTL": 60},
    )
    since = settled.mark()
    is_well, said = settled.deploy()
    assert is_well, said
    assert sorted(settled.written(since)) == [
        "scf:DeleteTrigger",
        "scf:UpdateFunctionEventInvokeConfig",
        "scf:UpdateTriggerStatus",
    ]
    assert "state: closed -> open" in said
    assert "- timer trigger hourly of scribe-prod-scribe-sweep" in said
    assert "further attempts: 0 -> 2" in said
    assert settled.call("ListTriggers", FunctionName=names["callback"])["Triggers"] == url


def test_a_dry_run_from_nothing_shows_all_and_writes_nothing(account: Account, tmp_path: Path) -> None:
    since = account.mark()
    is_well, said = account.deploy(
        Options(dry_run=True, make_buckets=True),
        env_file=tmp_path / ".env",
        SCRIBE_STAGE="dry",
        **OTHER_BUCKETS,
    )
    assert is_well
    for line in (
        "+ bucket calls-1250000000",
        "+ function scribe-dry-scribe-sweep",
        "+ role scribe-dry-upload",
    ):
        assert line in said
    assert "This was a dry run: nothing was changed." in said
    assert account.written(since) == []
    assert not list(tmp_path.iterdir())


def test_every_mistake_that_only_the_cloud_knows_is_told_at_once_before_anything_is_written(
    account: Account,
) -> None:
    since = account.mark()
    with pytest.raises(CannotDeploy) as told:
        account.deploy(
            SCRIBE_STAGE="mist", INPUT_BUCKETS="typo-1250000000", OUTPUT_BUCKET="transcripts-1250000001"
        )
    assert "bucket typo-1250000000 does not exist in ap-guangzhou" in str(told.value)
    assert "transcripts-1250000001 belongs to account 1250000001, but this key to account 1250000000" in str(
        told.value
    )
    assert account.written(since) == []


def test_a_second_stage_takes_neither_the_uploads_nor_the_notification_of_the_first(account: Account) -> None:
    since = account.mark()
    with pytest.raises(CannotDeploy) as told:
        account.deploy(SCRIBE_STAGE="second", INPUT_PREFIX="calls/")
    assert "function scribe-prod-scribe-upload already takes uploads to recordings-1250000000" in str(
        told.value
    )
    # The token of both stands in one file, so that it does not tell whose the address is.
    assert "recordings-1250000000 notifies function scribe-prod-scribe-callback at https://" in str(
        told.value
    )
    assert "another INPUT_PREFIX" not in str(told.value)
    assert account.written(since) == []


def test_a_queue_that_tells_somebody_else_is_taken_knowingly_only(account: Account) -> None:
    bucket, dry = "hooked-1250000000", Options(dry_run=True)
    hands = account.hands
    hands.cos(REGION).create_bucket(bucket)
    hands.speech.enable_bucket(bucket)
    queue = next(found for _ in hands.waiting.looks(10) if (found := queue_of(hands, bucket, "")))

    def tell(url: str) -> None:
        hands.speech.update_queue(bucket, queue._replace(notification=notification(url)))

    tell("https://hooks.example.com/somebody/their-own-secret")
    with pytest.raises(CannotDeploy, match=r"hooked-1250000000 notifies https://hooks.example.com/") as told:
        account.deploy(dry, INPUT_BUCKETS=bucket)
    assert f"`scribe deploy --env-file {account.folder / '.env'} --take-over`" in str(told.value)
    assert "their-own-secret" not in str(told.value)
    taking = replace(dry, take_over=True)
    assert "~ speech queue of hooked-1250000000" in account.deploy(taking, INPUT_BUCKETS=bucket)[1]
    token = (account.folder / ".env").read_text("utf-8").strip().partition("=")[2]
    tell(f"https://address-of-a-function-that-is-gone.example.com/{token}")
    assert "~ speech queue of hooked-1250000000" in account.deploy(dry, INPUT_BUCKETS=bucket)[1]


def test_the_queue_of_a_bucket_that_is_taken_out_falls_silent(settled: Account) -> None:
    bucket = "former-1250000000"
    settled.hands.cos(REGION).create_bucket(bucket)
    is_well, said = settled.deploy(INPUT_BUCKETS=f"{BUCKETS['INPUT_BUCKETS']},{bucket}")
    assert is_well, said
    assert settled.hands.speech.list_queues(bucket).queues[0].notification.state == "On"
    narrow = settled.key_with(deployers_policy(settled.wanted()))  # it may look at the buckets of today only
    _, said = settled.deploy(Options(dry_run=True), **narrow)
    assert f"! {bucket} was an input bucket, and this key may not look at its speech queue" in said
    is_well, said = settled.deploy()
    assert is_well, said
    assert settled.hands.speech.list_queues(bucket).queues[0].notification.state == "Off"
    assert "Nothing to change" in settled.deploy()[1]


@pytest.mark.parametrize(
    ("chosen", "new"),
    [
        ({"OUTPUT_BUCKET": ""}, "recordings-1250000000/.scribe/done/"),
        ({"STATE_PREFIX": "state/"}, "transcripts-1250000000/state/done/"),
    ],
)
def test_receipts_that_move_are_told_because_the_audit_would_bill_again(
    settled: Account, chosen: Mapping[str, str], new: str
) -> None:
    _, said = settled.deploy(Options(dry_run=True), **chosen)
    assert f"! receipts are to lie in another place, {new}" in said
    assert "no longer transcripts-1250000000/.scribe/done/" in said
    assert said.index("bills again") < said.index("~ function")


def test_roles_that_others_are_to_make_and_did_not_are_told_before_anything_is_written(
    account: Account,
) -> None:
    since = account.mark()
    with pytest.raises(CannotDeploy, match="role scribe-roleless-upload does not exist"):
        account.deploy(Options(make_buckets=True, with_roles=False), SCRIBE_STAGE="roleless", **OTHER_BUCKETS)
    assert account.written(since) == []


def test_a_deployment_that_stops_halfway_says_so_and_the_same_command_finishes_it(account: Account) -> None:
    chosen = {"SCRIBE_STAGE": "half", **OTHER_BUCKETS}
    with_roles = Options(make_buckets=True)
    policy = deployers_policy(account.wanted(**chosen))
    policy["statement"].append({"action": ["cam:*"], "effect": "allow", "resource": ["*"]})
    makes_no_triggers = json.loads(json.dumps(policy).replace('"scf:CreateTrigger", ', ""))
    assert makes_no_triggers != policy
    key = account.key_with(makes_no_triggers)
    is_well, said = account.deploy(with_roles, **chosen, **key)
    assert not is_well
    assert "address of scribe-half-scribe-callback: CreateTrigger: " in said
    assert "this key lacks the permission scf:CreateTrigger" in said
    assert "created function scribe-half-scribe-sweep" in said
    assert "Not done:\n  + address of scribe-half-scribe-callback" in said
    env_file = account.folder / ".env"
    assert f"To go on: scribe deploy --env-file {env_file} --make-buckets" in said
    assert f"`scribe policy --env-file {env_file} deployer`" in said
    assert key["TENCENTCLOUD_SECRET_KEY"] not in said

    since = account.mark()
    is_well, said = account.deploy(with_roles, **chosen, **account.key_with(policy))
    assert is_well, said
    assert "scf:CreateFunction" not in account.written(since)

    is_gone, said = account.remove(agreed=False, **{**chosen, "INPUT_BUCKETS": BUCKETS["INPUT_BUCKETS"]})
    assert not is_gone
    assert "~ speech queue of calls-1250000000" in said
    assert "~ speech queue of recordings-1250000000" not in said
    assert "Nothing was removed." in said
    assert account.call("GetFunction", FunctionName="scribe-half-scribe-upload")["Status"] == "Active"

    is_gone, said = account.remove(**chosen)
    assert is_gone
    assert "deleted function scribe-half-scribe-callback" in said
    assert "deleted role scribe-half-sweep and its policy" in said
    assert "What stays: the buckets (calls-1250000000 and texts-1250000000)" in said
    with pytest.raises(ControlError, match=r"ResourceNotFound\.Function"):
        account.call("GetFunction", FunctionName="scribe-half-scribe-upload")
    assert account.remove(**chosen) == (True, "Nothing to remove: nothing of this deployment is there.\n")


def deployers_policy(wanted: Manifest) -> dict[str, Any]:
    return deployer_policy(place_of(settings_in(wanted), "100000000001"), wanted.functions.values())


def settings_in(wanted: Manifest) -> Settings:
    return load_settings({"REGION": wanted.region, **wanted.functions["upload"].variables})


def in_namespace(wanted: Manifest, namespace: str) -> Manifest:
    functions = {key: replace(one, namespace=namespace) for key, one in wanted.functions.items()}
    return replace(wanted, functions=functions)


def test_without_the_role_of_scf_nothing_is_begun(account: Account) -> None:
    control = account.hands.control
    trust = control.call("cam", "GetRole", {"RoleName": "SCF_QcsRole"})["RoleInfo"]["PolicyDocument"]
    naming = {"RoleName": "SCF_QcsRole"}
    others = trust.replace("scf.qcloud.com", "cvm.qcloud.com")
    control.call("cam", "UpdateAssumeRolePolicy", {**naming, "PolicyDocument": others})
    since = account.mark()
    try:
        with pytest.raises(CannotDeploy, match=r"SCF_QcsRole.*console\.cloud\.tencent\.com/scf"):
            account.deploy(Options(make_buckets=True), SCRIBE_STAGE="roleless", **OTHER_BUCKETS)
        assert account.written(since) == []
    finally:
        control.call("cam", "UpdateAssumeRolePolicy", {**naming, "PolicyDocument": trust})


def test_a_namespace_that_is_not_there_is_found_by_a_key_that_may_look_at_its_functions_only(
    account: Account,
) -> None:
    wanted = in_namespace(account.wanted(), "nowhere")
    policy = deployers_policy(wanted)
    for statement in policy["statement"]:
        statement["action"] = [one for one in statement["action"] if one != "scf:GetFunction"]
    own = "qcs::scf:ap-guangzhou:uin/100000000001:namespace/nowhere/function/*"
    policy["statement"].append({"effect": "allow", "action": ["scf:GetFunction"], "resource": [own]})
    issued = account.key_with(policy)
    key = Credentials(*(issued[f"TENCENTCLOUD_{name}"] for name in ("SECRET_ID", "SECRET_KEY", "TOKEN")))
    found = look(Hands.of(key, REGION, account.standin.endpoint), wanted, settings_in(wanted))
    for deployed in found.functions.values():
        assert deployed.lacks_namespace
        assert deployed.namespace_instead == "default"


def test_of_a_function_whose_creation_failed_nothing_else_is_asked(account: Account) -> None:
    wanted = account.wanted(SCRIBE_STAGE="fail")
    broken = replace(wanted.functions["sweep"], handler="missing.main_handler")
    payload = {name: value for name, value in create_function_payload(broken).items() if name != "Role"}
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as file:
        file.writestr("index.py", "")
    account.hands.functions.create(payload, code.getvalue())
    try:
        since = account.mark()
        only = replace(wanted, functions={"sweep": broken})
        deployed = look(account.hands, only, settings_in(wanted), with_roles=False).functions["sweep"]
        assert deployed.function
        assert deployed.function.status == "CreateFailed"
        asked = {row["action"] for row in account.admin("GET", f"requests?since={since}")}
        assert "scf:GetFunction" in asked
        assert not asked & {"scf:ListTriggers", "scf:GetFunctionEventInvokeConfig"}
    finally:
        account.hands.functions.delete(broken.name, broken.namespace)


def test_an_address_and_a_queue_that_are_not_to_be_seen_yet_are_waited_for(account: Account) -> None:
    sweep, bucket = account.wanted().functions["sweep"], "slow-1250000000"
    hands = account.hands
    hands.cos(REGION).create_bucket(bucket)
    network = {"EnableExtranet": True, "EnableIntranet": False}
    description = json.dumps({"AuthType": "NONE", "NetConfig": network}, sort_keys=True)
    url = TriggerSpec("sweep", "http", "url", description, "$DEFAULT", is_open=True)

    def sleep(_seconds: float) -> None:
        there = [one for one in hands.functions.triggers(sweep.name, "default") if one.type == "http"]
        if not there:
            hands.functions.create_trigger(create_trigger_payload(sweep.name, "default", url))
        elif there[0].url:
            hands.speech.enable_bucket(bucket)
        time.sleep(0.05)

    waiting = Waiting(now=lambda: 0.0, sleep=sleep)
    step = TellCallback(bucket, "", sweep, "$DEFAULT", "a-token-of-its-own", "", None)
    step.carry_out(replace(hands, waiting=waiting))
    [queue] = hands.speech.list_queues(bucket).queues
    triggers = hands.functions.triggers(sweep.name, "default")
    hands.functions.delete_trigger(sweep.name, "default", next(one for one in triggers if one.type == "http"))
    assert queue.notification.url == f"{address_among(triggers, '$DEFAULT')}/a-token-of-its-own"


def test_what_never_appears_is_not_waited_for_without_end(account: Account) -> None:
    paused: list[float] = []
    waiting = Waiting(now=lambda: sum(paused), sleep=lambda seconds: paused.append(10 * seconds))
    step = TellCallback(
        "any-1250000000", "", account.wanted().functions["sweep"], "$DEFAULT", "token", "", None
    )
    with pytest.raises(OperatorError, match="no public address; run the command again"):
        step.carry_out(replace(account.hands, waiting=waiting))
    assert LONGEST_WAIT_S <= sum(paused) < LONGEST_WAIT_S + 10 * LONGEST_PAUSE_S


class NewNames(httpx.HTTPTransport):
    """A network in which the names of function URLs come to be known when `are_known` is set."""

    are_known = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if not self.are_known and request.headers["host"].endswith(".tencentscf.com"):
            raise httpx.ConnectError("no such name")
        return super().handle_request(request)


@pytest.mark.parametrize("come", [True, False])
def test_after_a_deployment_a_new_address_has_a_minute_to_be_known(account: Account, *, come: bool) -> None:
    token = (account.folder / ".env").read_text("utf-8").strip().partition("=")[2]
    network, paused = NewNames(), list[float]()

    def sleep(seconds: float) -> None:
        paused.append(10 * seconds)
        network.are_known = come and len(paused) > 1

    with httpx.Client(transport=network) as client:
        credentials = Credentials(account.standin.secret_id, account.standin.secret_key)
        hands = replace(DoctorHands.of(credentials, REGION, account.standin.endpoint), client=lambda: client)
        wanted = account.wanted(CALLBACK_TOKEN=token)
        found = list(outcome(hands, wanted, "", Waiting(lambda: sum(paused), sleep)))
    [address] = [one for one in found if one.name == "address"]
    assert (address.state is State.OK) is come
    assert (sum(paused) >= 60) is not come
    assert {one.name for one in found} == {check.name for check in CHECKS}


def test_nobody_who_cannot_be_asked_loses_a_deployment(account: Account) -> None:
    done = account.scribe("remove")
    assert done.returncode == 1
    assert "--yes" in done.stderr
    assert account.call("GetFunction", FunctionName="scribe-prod-scribe-upload")["Status"] == "Active"
