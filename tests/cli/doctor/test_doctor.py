"""`scribe doctor` on a deployment in the stand-in cloud: healthy, then with one defect after another."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from cli.cloud.cam import SCF_ROLE, CamClient
from cli.cloud.client import ApiClient
from cli.cloud.scf import ScfClient, cos_rules
from cli.config import CliContext, Commands
from cli.deploy.clients import Clients
from cli.deploy.command import DeployOptions, deploy
from cli.deploy.state import CurrentState
from cli.doctor.command import doctor
from cli.doctor.models import Finding, Status
from cli.doctor.runner import CHECKS, run_checks
from cli.local.emulator import Emulator, OperatorClients, start_emulator
from cli.manifest.loader import load_manifest
from cli.manifest.models import Manifest, create_function_payload
from cli.policy.documents import deployer_policy
from cli.policy.permissions import CI_ROLE, load_function_settings, scope_from_settings
from shared.tencent.auth import Credentials
from shared.tencent.client import Request
from shared.tencent.speech_models import Queue
from tests.helpers.pipeline import enable_speech

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[3]
REGION, APPID, OWNER = "ap-guangzhou", "1250000000", "100000000001"
INPUT, OUTPUT = f"recordings-{APPID}", f"transcripts-{APPID}"
TOKEN, OTHER_TOKEN = "doctor-callback-token-1", "doctor-callback-token-2"
CONFIG = {
    "REGION": REGION,
    "INPUT_BUCKETS": INPUT,
    "INPUT_PREFIX": "calls/",
    "OUTPUT_BUCKET": OUTPUT,
    "CALLBACK_TOKEN": TOKEN,
}


@dataclass(frozen=True)
class Deployment:
    """A deployment, with ways to read it and to break it."""

    standin: Emulator
    label: str
    folder: Path

    @property
    def credentials(self) -> Credentials:
        return Credentials(self.standin.secret_id, self.standin.secret_key)

    @property
    def operator(self) -> OperatorClients:
        return OperatorClients.for_emulator(self.standin)

    @property
    def api(self) -> ApiClient:
        return ApiClient(self.credentials, REGION, self.standin.endpoint)

    @property
    def scf(self) -> ScfClient:
        return ScfClient(self.api)

    def manifest(self, **changed: str) -> Manifest:
        config = {"SCRIBE_STAGE": "prod", "SCF_ROLE_NAME": "scribe-prod", **CONFIG, **changed}
        return load_manifest(ROOT, {name: value for name, value in config.items() if value})

    def name(self, key: str) -> str:
        return self.manifest().functions[key].name

    def clients(self, credentials: Credentials | None = None) -> Clients:
        return Clients.create(credentials or self.credentials, REGION, self.standin.endpoint)

    def findings(
        self, *, clients: Clients | None = None, label: str | None = None, **changed: str
    ) -> list[Finding]:
        """What the doctor finds with these settings instead of the deployed ones."""
        manifest = self.manifest(**changed)
        settings = load_function_settings(REGION, manifest.functions["callback"].variables)
        state = CurrentState(clients or self.clients(), manifest, settings)
        return list(run_checks(state, self.label if label is None else label, Commands()))

    def context(self, **changed: str) -> CliContext:
        process = {
            "CLOUD_ENDPOINT": self.standin.endpoint,
            "TENCENTCLOUD_SECRET_ID": self.standin.secret_id,
            "TENCENTCLOUD_SECRET_KEY": self.standin.secret_key,
            **CONFIG,
            **changed,
        }
        return CliContext(ROOT, self.folder / "none.env", process, self.folder)

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        answer = httpx.request(method, f"{self.standin.endpoint}/-/{path}", json=body, trust_env=False)
        assert answer.is_success, answer.text
        return answer.json()

    @property
    def queue(self) -> Queue:
        return self.operator.speech.list_queues(INPUT).queues[0]

    @contextmanager
    def broken_queue(self, change: Callable[[Queue], Queue]) -> Iterator[None]:
        good = self.queue
        self.operator.speech.update_queue(INPUT, change(good))
        yield
        self.operator.speech.update_queue(INPUT, good)

    @contextmanager
    def foreign_function(self, bucket: str, prefix: str, suffix: str = "") -> Iterator[str]:
        """A function of somebody else that these objects invoke."""
        name, host = "music-player", f"{bucket}.cos.{REGION}.myqcloud.com"
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as file:
            file.writestr("index.py", "def main_handler(event, context):\n    return None\n")
        like = replace(self.manifest().functions["upload"], name=name, handler="index.main_handler", role="")
        payload = {name: value for name, value in create_function_payload(like).items() if value}
        self.scf.create_function(payload, code.getvalue())
        self.scf.wait_until_active(name, "default")
        rule = {"event": "cos:ObjectCreated:*", "filter": {"Prefix": prefix, "Suffix": suffix}}
        params = {"FunctionName": name, "TriggerName": host, "Type": "cos", "TriggerDesc": json.dumps(rule)}
        self.scf.create_trigger({**params, "Enable": "OPEN", "Qualifier": "$DEFAULT"})
        yield name
        self.scf.delete_function(name, "default")


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("doctor")
    arguments = ["--speech", "scripted", "--region", REGION, "--appid", APPID, "--deploy-delay-ms", "0"]
    with start_emulator(folder / "cloud", {}, arguments) as standin:
        bare = Deployment(standin, "", folder)
        output = io.StringIO()
        assert deploy(Console(file=output), bare.context(), DeployOptions(make_buckets=True)), (
            output.getvalue()
        )
        function = bare.scf.get_function(bare.name("upload"), "default")
        assert function
        yield replace(bare, label=function.description)


def wrong(findings: list[Finding]) -> set[str]:
    return {finding.name for finding in findings if finding.status is Status.WRONG}


def describe(findings: list[Finding], name: str, status: Status = Status.WRONG) -> str:
    """The findings of this check with this status."""
    return " / ".join(
        f"{finding.subject}: {finding.message} -> {finding.fix}"
        for finding in findings
        if finding.name == name and finding.status is status
    )


def test_healthy_deployment_has_nothing_wrong_or_skipped(deployment: Deployment) -> None:
    findings = deployment.findings()
    assert [finding for finding in findings if finding.status in {Status.WRONG, Status.SKIPPED}] == []
    assert [finding.name for finding in findings if finding.status is Status.NOTE] == [
        "account"
    ]  # a key of the account itself
    assert {finding.name for finding in findings} == {check.name for check in CHECKS}


def test_checks_change_nothing(deployment: Deployment) -> None:
    before = max(row["number"] for row in deployment.admin("GET", "requests"))
    deployment.findings()
    rows = [row for row in deployment.admin("GET", f"requests?since={before}") if not row.get("function")]
    reading = ("Get", "Head", "List", "Describe")
    writing = [row for row in rows if not row["action"].partition(":")[2].startswith(reading)]
    assert len(rows) > 20
    assert [row for row in writing if row["action"]] == []


def test_notification_that_is_off_is_found(deployment: Deployment) -> None:
    off = deployment.queue.notification._replace(state="Off")
    with deployment.broken_queue(lambda queue: queue._replace(notification=off)):
        findings = deployment.findings()
    assert wrong(findings) == {"notification"}
    assert "notification of the queue is off" in describe(findings, "notification")
    assert "scribe deploy" in describe(findings, "notification")


def test_wrong_token_is_found_and_no_token_is_shown(deployment: Deployment) -> None:
    url = deployment.queue.notification.url.replace(TOKEN, OTHER_TOKEN)
    other = deployment.queue.notification._replace(url=url)
    with deployment.broken_queue(lambda queue: queue._replace(notification=other)):
        findings = deployment.findings()
    assert wrong(findings) == {"notification"}
    assert "token" in describe(findings, "notification")
    assert TOKEN not in str(findings)
    assert OTHER_TOKEN not in str(findings)


def test_token_that_is_not_deployed_is_found_by_three_checks(
    deployment: Deployment,
) -> None:
    findings = deployment.findings(CALLBACK_TOKEN=OTHER_TOKEN)
    assert wrong(findings) == {"variables", "notification", "address"}
    assert "CALLBACK_TOKEN" in describe(findings, "variables")
    assert TOKEN not in str(findings)
    assert OTHER_TOKEN not in str(findings)


def test_notification_to_another_address_is_found(deployment: Deployment) -> None:
    away = deployment.queue.notification._replace(url=f"https://old.example.com/{TOKEN}")
    with deployment.broken_queue(lambda queue: queue._replace(notification=away)):
        findings = deployment.findings()
    assert wrong(findings) == {"notification"}
    assert "https://old.example.com/..." in describe(findings, "notification")


def test_paused_queue_is_found(deployment: Deployment) -> None:
    with deployment.broken_queue(lambda queue: queue._replace(state="Paused")):
        findings = deployment.findings()
    assert wrong(findings) == {"queue"}
    assert "Paused" in describe(findings, "queue")


def test_closed_trigger_is_found(deployment: Deployment) -> None:
    name = deployment.name("upload")
    trigger = next(
        trigger for trigger in deployment.scf.list_triggers(name, "default") if trigger.type == "cos"
    )
    naming = {"FunctionName": name, "TriggerName": trigger.name, "Type": "cos", "Qualifier": "$DEFAULT"}
    closing = {**naming, "TriggerDesc": trigger.raw_description, "Enable": "CLOSE"}
    deployment.api.call("scf", "UpdateTriggerStatus", closing)
    findings = deployment.findings()
    deployment.scf.enable_trigger(name, "default", trigger)
    assert wrong(findings) == {"trigger"}
    assert "upload cos" in describe(findings, "trigger")
    assert "closed" in describe(findings, "trigger")


def test_versioning_of_the_receipts_bucket_is_found_even_suspended(deployment: Deployment) -> None:
    bucket = f"versioned-{APPID}"
    deployment.operator.ensure_bucket(bucket)
    host = f"{bucket}.cos.{REGION}.myqcloud.com"
    body = b"<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>"
    parameters = (("versioning", ""),)
    deployment.operator.cos.client.send(Request("PUT", host, "/", bucket, parameters=parameters, body=body))
    findings = deployment.findings(OUTPUT_BUCKET=bucket)
    assert "versioning" in wrong(findings)
    assert "Suspended" in describe(findings, "versioning")
    assert bucket in describe(findings, "versioning")


def test_missing_permission_is_reported_with_action_and_resource(deployment: Deployment) -> None:
    role = deployment.manifest().functions["callback"].role
    cam = CamClient(deployment.api)
    before = cam.get_role(role)
    assert before
    [document] = before.documents
    reduced = json.loads(json.dumps(document))
    for statement in reduced["statement"]:
        statement["action"] = [
            action for action in statement["action"] if not action.endswith("cos:PutObject")
        ]
    reduced["statement"] = [statement for statement in reduced["statement"] if statement["action"]]
    cam.ensure_role(role, reduced)
    findings = deployment.findings()
    cam.ensure_role(role, document)
    assert wrong(findings) == {"role"}
    assert "cos:PutObject" in describe(findings, "role")
    assert f"{OUTPUT}/transcripts/" in describe(findings, "role")
    assert "scribe policy --create-role" in describe(findings, "role")


def test_expired_temporary_key_is_found_and_the_rest_is_skipped(deployment: Deployment) -> None:
    issued = deployment.admin("POST", "keys?lifetime=-10")
    expired = Credentials(issued["secret_id"], issued["secret_key"], issued["token"])
    findings = deployment.findings(clients=deployment.clients(expired))
    assert wrong(findings) == {"key"}
    assert "expired" in describe(findings, "key")
    assert {finding.status for finding in findings if finding.name not in {"clock", "key"}} == {
        Status.SKIPPED
    }
    assert "depends on `key`" in describe(findings, "notification", Status.SKIPPED)


@pytest.mark.parametrize(
    ("secret_id", "secret_key", "message"),
    [("AKIDnobody", "", "no key has this SecretId"), ("", "not-its-secret", "does not belong")],
)
def test_unknown_key_and_wrong_secret_have_different_messages(
    deployment: Deployment, secret_id: str, secret_key: str, message: str
) -> None:
    credentials = Credentials(secret_id or deployment.standin.secret_id, secret_key or "something")
    findings = deployment.findings(clients=deployment.clients(credentials))
    assert wrong(findings) == {"key"}
    assert message in describe(findings, "key")
    assert "not-its-secret" not in str(findings)


def test_loop_by_another_function_on_the_receipts_is_found(deployment: Deployment) -> None:
    with deployment.foreign_function(OUTPUT, "") as name:
        findings = deployment.findings()
    assert wrong(findings) == {"loop"}
    assert name in describe(findings, "loop")


def test_another_function_on_the_transcripts_is_only_a_note(deployment: Deployment) -> None:
    with deployment.foreign_function(OUTPUT, "transcripts/", ".json") as name:
        findings = deployment.findings()
    assert wrong(findings) == set()
    assert name in describe(findings, "loop", Status.NOTE)


def test_loop_by_different_settings_of_the_functions_is_found(
    deployment: Deployment,
) -> None:
    """Upload is invoked below calls/ and has transcripts/ as output prefix; callback writes below calls/."""
    manifest = deployment.manifest()
    callback = manifest.functions["callback"]
    wrong_variables = {
        **callback.variables,
        "OUTPUT_BUCKET": INPUT,
        "INPUT_PREFIX": "",
        "OUTPUT_PREFIX": "calls/",
    }
    _set_variables(deployment, callback.name, wrong_variables)
    findings = deployment.findings()
    _set_variables(deployment, callback.name, dict(callback.variables))
    assert wrong(findings) == {"variables", "loop"}
    assert "calls/" in describe(findings, "loop")


def _set_variables(deployment: Deployment, name: str, variables: dict[str, str]) -> None:
    pairs = [{"Key": key, "Value": value} for key, value in variables.items()]
    _set(deployment, name, Environment={"Variables": pairs})


def _set(deployment: Deployment, name: str, **changed: Any) -> None:
    deployment.scf.update_configuration({"FunctionName": name, "Namespace": "default", **changed})
    deployment.scf.wait_until_active(name, "default")


def test_transcripts_that_invoke_upload_are_a_note(deployment: Deployment) -> None:
    manifest = deployment.manifest()
    variables = {key: dict(spec.variables) for key, spec in manifest.functions.items()}
    for key, spec in manifest.functions.items():
        _set_variables(
            deployment, spec.name, {**variables[key], "OUTPUT_BUCKET": INPUT, "OUTPUT_PREFIX": "calls/t/"}
        )
    findings = deployment.findings(OUTPUT_BUCKET=INPUT, OUTPUT_PREFIX="calls/t/")
    for key, spec in manifest.functions.items():
        _set_variables(deployment, spec.name, variables[key])
    assert "loop" not in wrong(findings)
    assert "ignores them" in describe(findings, "loop", Status.NOTE)


def test_overlapping_rule_of_another_function_is_found(deployment: Deployment) -> None:
    with deployment.foreign_function(INPUT, "music/", ".mp3") as name:
        findings = deployment.findings(INPUT_PREFIX="music/live/")
    assert "overlap" in wrong(findings)
    assert name in describe(findings, "overlap")
    assert "music/*.mp3" in describe(findings, "overlap")


def test_speech_recognition_that_is_off_is_found(deployment: Deployment) -> None:
    url = deployment.queue.notification.url
    wire = deployment.operator.cos.client
    wire.send(Request("DELETE", f"{INPUT}.ci.{REGION}.myqcloud.com", "/asrbucket", INPUT))
    findings = deployment.findings()
    enable_speech(deployment.operator, INPUT, url)
    assert wrong(findings) == {"speech-service"}
    assert INPUT in describe(findings, "speech-service")


def test_outdated_package_is_found(deployment: Deployment) -> None:
    findings = deployment.findings(label="Scribe 0.1.0, package 0123456789abcdef")
    assert wrong(findings) == {"package"}
    assert deployment.label in describe(findings, "package")
    assert "0123456789abcdef" in describe(findings, "package")


def test_package_check_is_skipped_without_a_package(deployment: Deployment) -> None:
    findings = deployment.findings(label="")
    assert wrong(findings) == set()
    assert "make package" in describe(findings, "package", Status.SKIPPED)


def test_changed_configuration_is_found(deployment: Deployment) -> None:
    _set(deployment, deployment.name("sweep"), MemorySize=512)
    findings = deployment.findings()
    _set(deployment, deployment.name("sweep"), MemorySize=256)
    assert wrong(findings) == {"configuration"}
    assert "the memory is 512 MB, not 256 MB" in describe(findings, "configuration")


def test_fewer_retries_are_found(deployment: Deployment) -> None:
    name = deployment.name("upload")
    good = deployment.scf.get_retry_config(name, "default")
    deployment.scf.set_retry_config(name, "default", replace(good, attempts=0))
    findings = deployment.findings()
    deployment.scf.set_retry_config(name, "default", good)
    assert wrong(findings) == {"retries"}


def test_missing_bucket_and_bucket_in_another_region_are_found(deployment: Deployment) -> None:
    away = f"away-{APPID}"
    deployment.operator.cos.for_region("ap-beijing").create_bucket(away)
    findings = deployment.findings(INPUT_BUCKETS=away, OUTPUT_BUCKET=f"nowhere-{APPID}")
    assert "it is in ap-beijing" in describe(findings, "bucket")
    assert "it does not exist" in describe(findings, "bucket")


def test_buckets_of_another_account_are_found(deployment: Deployment) -> None:
    findings = deployment.findings(OUTPUT_BUCKET="transcripts-1259999999")
    assert "transcripts-1259999999" in describe(findings, "account")
    assert f"appid {APPID}" in describe(findings, "account")
    for name in ("bucket", "versioning", "role", "speech-service", "notification"):
        assert "depends on `account`" in describe(findings, name, Status.SKIPPED)
    assert wrong(findings) == {"account"}
    assert "is active" in describe(findings, "function", Status.OK)


def test_region_without_scf_is_one_finding_that_names_the_setting(deployment: Deployment) -> None:
    output = io.StringIO()
    assert not doctor(Console(file=output), deployment.context(REGION="ap-beijing"), as_json=True)
    findings = json.loads(output.getvalue())["findings"]
    [region] = [finding for finding in findings if finding["status"] == "wrong"]
    assert region["name"] == "region"
    assert f"correct REGION in {deployment.folder / 'none.env'}" in region["fix"]
    assert {finding["message"] for finding in findings if finding["status"] == "skipped"} == {
        "depends on `region`"
    }
    assert {"bucket", "role", "function", "queue"} <= {
        finding["name"] for finding in findings if finding["status"] == "skipped"
    }


def test_recordings_without_a_receipt_are_counted(deployment: Deployment) -> None:
    cos = deployment.operator.cos
    keys = [f"calls/old-{number}.mp3" for number in range(3)]
    bucket = f"archive-{APPID}"
    deployment.operator.ensure_bucket(bucket)
    for key in [*keys, "elsewhere/new.mp3", "calls/folder/"]:
        cos.put(bucket, key, b"sound" if key.endswith("3") else b"")
    findings = deployment.findings(INPUT_BUCKETS=bucket, SWEEP_AFTER="0")
    assert "3 recordings have no receipt" in describe(findings, "unheard-recordings", Status.NOTE)
    assert "costs money" in describe(findings, "unheard-recordings", Status.NOTE)
    assert "set INPUT_PREFIX" in describe(findings, "unheard-recordings", Status.NOTE)
    young = deployment.findings(INPUT_BUCKETS=bucket)
    assert describe(young, "unheard-recordings", Status.NOTE) == ""


@pytest.mark.parametrize(
    ("ahead_s", "state"), [(-100, Status.NOTE), (100, Status.NOTE), (400, Status.WRONG), (-400, Status.WRONG)]
)
def test_wrong_clock_is_found(deployment: Deployment, ahead_s: float, state: Status) -> None:
    clients = deployment.clients()
    findings = deployment.findings(clients=replace(clients, now=lambda: clients.now() + ahead_s))
    assert "clock" in describe(findings, "clock", state)
    assert ("ahead of" if ahead_s > 0 else "behind") in describe(findings, "clock", state)
    assert ("depends on `clock`" in describe(findings, "key", Status.SKIPPED)) == (state is Status.WRONG)


def test_key_without_permissions_is_pointed_to_the_policy(deployment: Deployment) -> None:
    allowed = {"effect": "allow", "action": ["sts:GetCallerIdentity", "scf:*"], "resource": "*"}
    issued = deployment.admin("POST", "keys", {"policies": [{"version": "2.0", "statement": [allowed]}]})
    limited = Credentials(issued["secret_id"], issued["secret_key"], issued["token"])
    findings = deployment.findings(clients=deployment.clients(limited))
    assert "scribe policy deployer" in describe(findings, "role", Status.SKIPPED)
    assert "scribe policy deployer" in describe(findings, "speech-service", Status.SKIPPED)
    assert "is active" in describe(findings, "function", Status.OK)


def test_deployer_policy_suffices_for_every_check(deployment: Deployment) -> None:
    manifest = deployment.manifest()
    scope = scope_from_settings(load_function_settings(REGION, manifest.functions["upload"].variables), OWNER)
    issued = deployment.admin(
        "POST", "keys", {"policies": [deployer_policy(scope, manifest.functions.values())]}
    )
    deployer = Credentials(issued["secret_id"], issued["secret_key"], issued["token"])
    findings = deployment.findings(clients=deployment.clients(deployer))
    assert [finding for finding in findings if finding.status is not Status.OK] == []


def test_stage_that_was_never_deployed_is_reported(deployment: Deployment) -> None:
    findings = deployment.findings(SCRIBE_STAGE="test", SCF_ROLE_NAME="scribe-test")
    assert wrong(findings) == {"role", "function", "overlap", "notification"}
    assert "scribe-test-scribe-upload" in describe(findings, "function")
    assert deployment.name("upload") in describe(findings, "overlap")
    assert "depends on `function`" in describe(findings, "trigger", Status.SKIPPED)


def test_forgotten_function_url_is_found(deployment: Deployment) -> None:
    name = deployment.name("sweep")
    network = {"EnableExtranet": True, "EnableIntranet": False}
    params = {"FunctionName": name, "TriggerName": "url-trigger", "Type": "http", "Qualifier": "$DEFAULT"}
    desc = json.dumps({"AuthType": "NONE", "NetConfig": network})
    deployment.scf.create_trigger({**params, "TriggerDesc": desc, "Enable": "OPEN"})
    findings = deployment.findings()
    [extra] = [trigger for trigger in deployment.scf.list_triggers(name, "default") if trigger.type == "http"]
    deployment.scf.delete_trigger(name, "default", extra)
    assert wrong(findings) == {"extra-trigger"}
    assert "sweep http" in describe(findings, "extra-trigger")


def test_prefix_that_is_not_deployed_is_found(deployment: Deployment) -> None:
    findings = deployment.findings(INPUT_PREFIX="other/")
    assert wrong(findings) == {"variables", "trigger", "role"}
    assert "calls/" in describe(findings, "trigger")
    assert "other/" in describe(findings, "trigger")


def test_callback_that_fails_at_its_address_is_found(deployment: Deployment) -> None:
    variables = dict(deployment.manifest().functions["callback"].variables)
    _set_variables(deployment, deployment.name("callback"), {**variables, "INPUT_BUCKETS": "nonsense"})
    findings = deployment.findings()
    _set_variables(deployment, deployment.name("callback"), variables)
    assert wrong(findings) == {"variables", "address"}
    assert "INPUT_BUCKETS" in describe(findings, "variables")
    assert "the function fails" in describe(findings, "address")


class NoFunctionUrls(httpx.HTTPTransport):
    """A network in which the names of function URLs are not known yet."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.headers["host"].endswith(".tencentscf.com"):
            raise httpx.ConnectError(f"no such name: {request.url}")
        return super().handle_request(request)


def test_address_without_response_is_found_and_shows_no_token(
    deployment: Deployment,
) -> None:
    with httpx.Client(transport=NoFunctionUrls()) as client:
        findings = deployment.findings(clients=replace(deployment.clients(), http=lambda: client))
    assert wrong(findings) == {"address"}
    assert "does not respond" in describe(findings, "address")
    assert TOKEN not in str(findings)


class AcceptsEverything(httpx.HTTPTransport):
    """A network in which something else responds at the address of the function, and accepts every POST."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        is_accepted = request.method == "POST" and request.headers["host"].endswith(".tencentscf.com")
        return httpx.Response(200) if is_accepted else super().handle_request(request)


def test_address_that_accepts_a_post_without_token_is_found(deployment: Deployment) -> None:
    with httpx.Client(transport=AcceptsEverything()) as client:
        findings = deployment.findings(clients=replace(deployment.clients(), http=lambda: client))
    assert wrong(findings) == {"address"}
    assert "without the token is answered with 200, not 403" in describe(findings, "address")


def test_old_token_in_the_queue_is_a_note_during_rotation(deployment: Deployment) -> None:
    findings = deployment.findings(CALLBACK_TOKEN=f"{OTHER_TOKEN},{TOKEN}")
    assert "later token" in describe(findings, "notification", Status.NOTE)
    assert "notification" not in wrong(findings)


def test_unknown_queue_id_is_found(deployment: Deployment) -> None:
    findings = deployment.findings(QUEUE_ID="p00000000000000000000000000000000")
    assert "QUEUE_ID" in describe(findings, "queue")


@pytest.mark.parametrize(("role", "check"), [(CI_ROLE, "ci-role"), (SCF_ROLE, "scf-role")])
def test_service_role_that_is_missing_or_has_no_policy_is_found(
    deployment: Deployment, role: str, check: str
) -> None:
    call = deployment.api.call
    before = call("cam", "GetRole", {"RoleName": role})["RoleInfo"]
    attached = call("cam", "ListAttachedRolePolicies", {"RoleName": role, "Page": 1, "Rp": 20})["List"]
    assert attached
    call("cam", "DeleteRole", {"RoleName": role})
    findings = deployment.findings()
    again = {"RoleName": role, "PolicyDocument": before["PolicyDocument"], "Description": "as before"}
    call("cam", "CreateRole", again)
    bare = deployment.findings()
    for policy in attached:
        call("cam", "AttachRolePolicy", {"AttachRoleName": role, "PolicyId": policy["PolicyId"]})
    assert wrong(findings) == {check}
    assert f"https://console.cloud.tencent.com/{check.partition('-')[0]}" in describe(findings, check)
    assert wrong(bare) == set()
    assert ("no policy attached" in describe(bare, check, Status.NOTE)) is (role == CI_ROLE)


class DeletedWhileReading(set[tuple[str, str]]):
    """The functions to leave out; another function is deleted in the moment in which it is compared."""

    def __init__(self, delete: Callable[[str, str], None]) -> None:
        super().__init__()
        self.delete = delete

    def __contains__(self, function: object) -> bool:
        match function:
            case ("music-player", str(namespace)):
                self.delete("music-player", namespace)
        return False


def test_function_deleted_while_rules_are_read_is_ignored(deployment: Deployment) -> None:
    with deployment.foreign_function(INPUT, "music/") as name:
        own = DeletedWhileReading(deployment.scf.delete_function)
        triggers = deployment.scf.list_triggers_of_others(own)
    owners = {rule.owner for owner in triggers for rule in cos_rules(owner, triggers[owner])}
    assert deployment.name("upload") in owners
    assert name not in owners


def test_command_prints_json_or_lines(deployment: Deployment) -> None:
    output = io.StringIO()
    assert doctor(Console(file=output, width=40), deployment.context(), as_json=True)
    document = json.loads(output.getvalue())
    assert document["ok"] is True
    assert {"name", "subject", "status", "message", "fix"} == set(document["findings"][0])
    assert {finding["status"] for finding in document["findings"]} == {"ok", "note"}
    output = io.StringIO()
    # Without a token in the settings, that of the deployed function is used.
    context = deployment.context(CALLBACK_TOKEN="", ENGINE="16k_en")
    assert not doctor(Console(file=output, width=40), context, as_json=False)
    assert (
        "wrong   variables upload: deployed with other values: ENGINE\n    fix: scribe deploy --env-file "
        in output.getvalue()
    )
    assert "wrong   notification" not in output.getvalue()
    assert "Some checks failed: " in output.getvalue()
    for secret in (TOKEN, deployment.standin.secret_key):
        assert secret not in output.getvalue()
