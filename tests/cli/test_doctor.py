"""`scribe doctor` on a deployment in the stand-in cloud: healthy, then with one thing after the other spoilt."""

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

from cli.cloud.control import Control
from cli.cloud.functions import Functions
from cli.config import CliContext
from cli.deploy.command import Options, deploy
from cli.doctor.command import doctor
from cli.doctor.examine import CHECKS, examine
from cli.doctor.finding import Finding, State
from cli.doctor.hands import Hands
from cli.doctor.rules import rules_of_others
from cli.doctor.scf_role import SCF_ROLE
from cli.local.emulator import Emulator, OperatorClients, start_emulator
from cli.manifest.loader import load_manifest
from cli.manifest.models import Manifest, create_function_payload
from cli.policy.documents import deployer_policy, place_of
from cli.policy.place import CI_ROLE
from cli.policy.roles import Roles
from shared.settings import load_settings
from shared.tencent.auth import Credentials
from shared.tencent.client import Request
from shared.tencent.speech_models import Queue
from tests.helpers.pipeline import enable_speech

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[2]
REGION, APPID, OWNER = "ap-guangzhou", "1250000000", "100000000001"
INPUT, OUTPUT = f"recordings-{APPID}", f"transcripts-{APPID}"
TOKEN, OTHER_TOKEN = "doctor-callback-token-1", "doctor-callback-token-2"
CHOICES = {
    "REGION": REGION,
    "INPUT_BUCKETS": INPUT,
    "INPUT_PREFIX": "calls/",
    "OUTPUT_BUCKET": OUTPUT,
    "CALLBACK_TOKEN": TOKEN,
}


@dataclass(frozen=True)
class Deployment:
    """A deployment, the ways to look at it, and the levers to spoil it."""

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
    def control(self) -> Control:
        return Control(self.credentials, REGION, self.standin.endpoint)

    @property
    def functions(self) -> Functions:
        return Functions(self.control)

    def wanted(self, **changed: str) -> Manifest:
        chosen = {"SCRIBE_STAGE": "prod", "SCF_ROLE_NAME": "scribe-prod", **CHOICES, **changed}
        return load_manifest(ROOT, {name: value for name, value in chosen.items() if value})

    def name(self, key: str) -> str:
        return self.wanted().functions[key].name

    def hands(self, credentials: Credentials | None = None) -> Hands:
        return Hands.of(credentials or self.credentials, REGION, self.standin.endpoint)

    def findings(
        self, *, hands: Hands | None = None, label: str | None = None, **changed: str
    ) -> list[Finding]:
        """What the doctor finds with these choices in the place of the deployed ones."""
        given = self.label if label is None else label
        return list(examine(hands or self.hands(), self.wanted(**changed), given))

    def around(self, **changed: str) -> CliContext:
        process = {
            "CLOUD_ENDPOINT": self.standin.endpoint,
            "TENCENTCLOUD_SECRET_ID": self.standin.secret_id,
            "TENCENTCLOUD_SECRET_KEY": self.standin.secret_key,
            **CHOICES,
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
    def spoilt_queue(self, change: Callable[[Queue], Queue]) -> Iterator[None]:
        good = self.queue
        self.operator.speech.update_queue(INPUT, change(good))
        yield
        self.operator.speech.update_queue(INPUT, good)

    @contextmanager
    def stranger_with_rule(self, bucket: str, prefix: str, suffix: str = "") -> Iterator[str]:
        """Somebody else's function, woken by these objects."""
        name, host = "music-player", f"{bucket}.cos.{REGION}.myqcloud.com"
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as file:
            file.writestr("index.py", "def main_handler(event, context):\n    return None\n")
        like = replace(self.wanted().functions["upload"], name=name, handler="index.main_handler", role="")
        payload = {name: value for name, value in create_function_payload(like).items() if value}
        self.functions.create(payload, code.getvalue())
        self.functions.wait_active(name, "default")
        rule = {"event": "cos:ObjectCreated:*", "filter": {"Prefix": prefix, "Suffix": suffix}}
        given = {"FunctionName": name, "TriggerName": host, "Type": "cos", "TriggerDesc": json.dumps(rule)}
        self.functions.create_trigger({**given, "Enable": "OPEN", "Qualifier": "$DEFAULT"})
        yield name
        self.functions.delete(name, "default")


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("doctor")
    arguments = ["--speech", "scripted", "--region", REGION, "--appid", APPID, "--deploy-delay-ms", "0"]
    with start_emulator(folder / "cloud", {}, arguments) as standin:
        bare = Deployment(standin, "", folder)
        said = io.StringIO()
        assert deploy(Console(file=said), bare.around(), Options(make_buckets=True)), said.getvalue()
        found = bare.functions.find(bare.name("upload"), "default")
        assert found
        yield replace(bare, label=found.description)


def wrong(findings: list[Finding]) -> set[str]:
    return {one.name for one in findings if one.state is State.WRONG}


def told(findings: list[Finding], name: str, state: State = State.WRONG) -> str:
    """What the findings of this check say, and what mends it."""
    return " / ".join(
        f"{one.about}: {one.says} -> {one.mend}"
        for one in findings
        if one.name == name and one.state is state
    )


def test_a_healthy_deployment_has_nothing_wrong_and_nothing_skipped(deployment: Deployment) -> None:
    found = deployment.findings()
    assert [one for one in found if one.state in {State.WRONG, State.SKIPPED}] == []
    assert [one.name for one in found if one.state is State.NOTE] == [
        "account"
    ]  # a key of the account itself
    assert {one.name for one in found} == {check.name for check in CHECKS}


def test_looking_changes_nothing(deployment: Deployment) -> None:
    before = max(row["number"] for row in deployment.admin("GET", "requests"))
    deployment.findings()
    rows = [row for row in deployment.admin("GET", f"requests?since={before}") if not row.get("function")]
    reading = ("Get", "Head", "List", "Describe")
    writing = [row for row in rows if not row["action"].partition(":")[2].startswith(reading)]
    assert len(rows) > 20
    assert [row for row in writing if row["action"]] == []


def test_a_queue_that_tells_nobody_is_found(deployment: Deployment) -> None:
    off = deployment.queue.notification._replace(state="Off")
    with deployment.spoilt_queue(lambda queue: queue._replace(notification=off)):
        found = deployment.findings()
    assert wrong(found) == {"notification"}
    assert "notification is off" in told(found, "notification")
    assert "scribe deploy" in told(found, "notification")


def test_a_wrong_token_is_found_and_no_token_is_shown(deployment: Deployment) -> None:
    url = deployment.queue.notification.url.replace(TOKEN, OTHER_TOKEN)
    other = deployment.queue.notification._replace(url=url)
    with deployment.spoilt_queue(lambda queue: queue._replace(notification=other)):
        found = deployment.findings()
    assert wrong(found) == {"notification"}
    assert "token" in told(found, "notification")
    assert TOKEN not in str(found)
    assert OTHER_TOKEN not in str(found)


def test_a_token_that_was_changed_here_and_not_deployed_is_found_everywhere_it_matters(
    deployment: Deployment,
) -> None:
    found = deployment.findings(CALLBACK_TOKEN=OTHER_TOKEN)
    assert wrong(found) == {"variables", "notification", "address"}
    assert "CALLBACK_TOKEN" in told(found, "variables")
    assert TOKEN not in str(found)
    assert OTHER_TOKEN not in str(found)


def test_a_queue_that_tells_another_address_is_found(deployment: Deployment) -> None:
    away = deployment.queue.notification._replace(url=f"https://old.example.com/{TOKEN}")
    with deployment.spoilt_queue(lambda queue: queue._replace(notification=away)):
        found = deployment.findings()
    assert wrong(found) == {"notification"}
    assert "https://old.example.com/..." in told(found, "notification")


def test_a_paused_queue_is_found(deployment: Deployment) -> None:
    with deployment.spoilt_queue(lambda queue: queue._replace(state="Paused")):
        found = deployment.findings()
    assert wrong(found) == {"queue"}
    assert "Paused" in told(found, "queue")


def test_a_closed_trigger_is_found(deployment: Deployment) -> None:
    name = deployment.name("upload")
    trigger = next(one for one in deployment.functions.triggers(name, "default") if one.type == "cos")
    naming = {"FunctionName": name, "TriggerName": trigger.name, "Type": "cos", "Qualifier": "$DEFAULT"}
    closing = {**naming, "TriggerDesc": trigger.sent_description, "Enable": "CLOSE"}
    deployment.control.call("scf", "UpdateTriggerStatus", closing)
    found = deployment.findings()
    deployment.functions.open_trigger(name, "default", trigger)
    assert wrong(found) == {"trigger"}
    assert "upload cos" in told(found, "trigger")
    assert "closed" in told(found, "trigger")


def test_a_versioned_bucket_for_receipts_is_found_suspended_included(deployment: Deployment) -> None:
    bucket = f"versioned-{APPID}"
    deployment.operator.ensure_bucket(bucket)
    host = f"{bucket}.cos.{REGION}.myqcloud.com"
    body = b"<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>"
    parameters = (("versioning", ""),)
    deployment.operator.cos.client.send(Request("PUT", host, "/", bucket, parameters=parameters, body=body))
    found = deployment.findings(OUTPUT_BUCKET=bucket)
    assert "versioning" in wrong(found)
    assert "Suspended" in told(found, "versioning")
    assert bucket in told(found, "versioning")


def test_a_missing_permission_is_found_by_its_action_and_resource(deployment: Deployment) -> None:
    role = deployment.wanted().functions["callback"].role
    roles = Roles(deployment.control)
    before = roles.find(role)
    assert before
    [document] = before.documents
    lesser = json.loads(json.dumps(document))
    for statement in lesser["statement"]:
        statement["action"] = [one for one in statement["action"] if not one.endswith("cos:PutObject")]
    lesser["statement"] = [one for one in lesser["statement"] if one["action"]]
    roles.ensure(role, lesser)
    found = deployment.findings()
    roles.ensure(role, document)
    assert wrong(found) == {"role"}
    assert "cos:PutObject" in told(found, "role")
    assert f"{OUTPUT}/transcripts/" in told(found, "role")
    assert "scribe policy --create-role" in told(found, "role")


def test_an_expired_temporary_key_is_found_and_the_rest_is_skipped(deployment: Deployment) -> None:
    issued = deployment.admin("POST", "keys?lifetime=-10")
    expired = Credentials(issued["secret_id"], issued["secret_key"], issued["token"])
    found = deployment.findings(hands=deployment.hands(expired))
    assert wrong(found) == {"key"}
    assert "expired" in told(found, "key")
    assert {one.state for one in found if one.name not in {"clock", "key"}} == {State.SKIPPED}
    assert "first mend key" in told(found, "notification", State.SKIPPED)


@pytest.mark.parametrize(
    ("secret_id", "secret_key", "says"),
    [("AKIDnobody", "", "no key has this SecretId"), ("", "not-its-secret", "does not belong")],
)
def test_an_unknown_key_and_a_wrong_secret_are_told_apart(
    deployment: Deployment, secret_id: str, secret_key: str, says: str
) -> None:
    given = Credentials(secret_id or deployment.standin.secret_id, secret_key or "something")
    found = deployment.findings(hands=deployment.hands(given))
    assert wrong(found) == {"key"}
    assert says in told(found, "key")
    assert "not-its-secret" not in str(found)


def test_a_loop_by_another_function_on_the_receipts_is_found(deployment: Deployment) -> None:
    with deployment.stranger_with_rule(OUTPUT, "") as name:
        found = deployment.findings()
    assert wrong(found) == {"loop"}
    assert name in told(found, "loop")


def test_another_function_on_the_transcripts_alone_is_only_noted(deployment: Deployment) -> None:
    with deployment.stranger_with_rule(OUTPUT, "transcripts/", ".json") as name:
        found = deployment.findings()
    assert wrong(found) == set()
    assert name in told(found, "loop", State.NOTE)


def test_functions_that_disagree_on_where_transcripts_go_make_a_loop_that_is_found(
    deployment: Deployment,
) -> None:
    """Upload is woken below calls/ and knows transcripts/ for outputs; callback writes below calls/."""
    wanted = deployment.wanted()
    callback = wanted.functions["callback"]
    astray = {**callback.variables, "OUTPUT_BUCKET": INPUT, "INPUT_PREFIX": "", "OUTPUT_PREFIX": "calls/"}
    _set_variables(deployment, callback.name, astray)
    found = deployment.findings()
    _set_variables(deployment, callback.name, dict(callback.variables))
    assert wrong(found) == {"variables", "loop"}
    assert "calls/" in told(found, "loop")


def _set_variables(deployment: Deployment, name: str, variables: dict[str, str]) -> None:
    pairs = [{"Key": key, "Value": value} for key, value in variables.items()]
    _set(deployment, name, Environment={"Variables": pairs})


def _set(deployment: Deployment, name: str, **changed: Any) -> None:
    deployment.functions.update_configuration({"FunctionName": name, "Namespace": "default", **changed})
    deployment.functions.wait_active(name, "default")


def test_transcripts_beside_the_recordings_are_noted_when_they_wake_upload(deployment: Deployment) -> None:
    wanted = deployment.wanted()
    variables = {key: dict(one.variables) for key, one in wanted.functions.items()}
    for key, one in wanted.functions.items():
        _set_variables(
            deployment, one.name, {**variables[key], "OUTPUT_BUCKET": INPUT, "OUTPUT_PREFIX": "calls/t/"}
        )
    found = deployment.findings(OUTPUT_BUCKET=INPUT, OUTPUT_PREFIX="calls/t/")
    for key, one in wanted.functions.items():
        _set_variables(deployment, one.name, variables[key])
    assert "loop" not in wrong(found)
    assert "leaves them alone" in told(found, "loop", State.NOTE)


def test_another_functions_overlapping_rule_is_found(deployment: Deployment) -> None:
    with deployment.stranger_with_rule(INPUT, "music/", ".mp3") as name:
        found = deployment.findings(INPUT_PREFIX="music/live/")
    assert "overlap" in wrong(found)
    assert name in told(found, "overlap")
    assert "music/*.mp3" in told(found, "overlap")


def test_a_speech_service_that_is_not_switched_on_is_found(deployment: Deployment) -> None:
    url = deployment.queue.notification.url
    wire = deployment.operator.cos.client
    wire.send(Request("DELETE", f"{INPUT}.ci.{REGION}.myqcloud.com", "/asrbucket", INPUT))
    found = deployment.findings()
    enable_speech(deployment.operator, INPUT, url)
    assert wrong(found) == {"speech-service"}
    assert INPUT in told(found, "speech-service")


def test_a_stale_package_is_found(deployment: Deployment) -> None:
    found = deployment.findings(label="Scribe 0.1.0, package 0123456789abcdef")
    assert wrong(found) == {"package"}
    assert deployment.label in told(found, "package")
    assert "0123456789abcdef" in told(found, "package")


def test_without_a_package_to_compare_with_the_check_is_skipped(deployment: Deployment) -> None:
    found = deployment.findings(label="")
    assert wrong(found) == set()
    assert "make package" in told(found, "package", State.SKIPPED)


def test_a_function_that_was_changed_by_hand_is_found(deployment: Deployment) -> None:
    _set(deployment, deployment.name("sweep"), MemorySize=512)
    found = deployment.findings()
    _set(deployment, deployment.name("sweep"), MemorySize=256)
    assert wrong(found) == {"configuration"}
    assert "the memory is 512 MB, not 256 MB" in told(found, "configuration")


def test_fewer_retries_are_found(deployment: Deployment) -> None:
    name = deployment.name("upload")
    good = deployment.functions.retries(name, "default")
    deployment.functions.set_retries(name, "default", replace(good, attempts=0))
    found = deployment.findings()
    deployment.functions.set_retries(name, "default", good)
    assert wrong(found) == {"retries"}


def test_buckets_that_are_not_there_or_lie_elsewhere_are_found(deployment: Deployment) -> None:
    away = f"away-{APPID}"
    deployment.operator.cos.for_region("ap-beijing").create_bucket(away)
    found = deployment.findings(INPUT_BUCKETS=away, OUTPUT_BUCKET=f"nowhere-{APPID}")
    assert "it lies in ap-beijing" in told(found, "bucket")
    assert "no such bucket" in told(found, "bucket")


def test_buckets_of_another_account_are_found(deployment: Deployment) -> None:
    found = deployment.findings(OUTPUT_BUCKET="transcripts-1259999999")
    assert "transcripts-1259999999" in told(found, "account")
    assert f"appid {APPID}" in told(found, "account")
    for name in ("bucket", "versioning", "role", "speech-service", "notification"):
        assert "first mend account" in told(found, name, State.SKIPPED)
    assert wrong(found) == {"account", "variables"}
    assert "is active" in told(found, "function", State.OK)


def test_a_region_without_functions_is_told_once_and_by_its_setting(deployment: Deployment) -> None:
    said = io.StringIO()
    assert not doctor(Console(file=said), deployment.around(REGION="ap-beijing"), as_json=True)
    found = json.loads(said.getvalue())["findings"]
    [region] = [one for one in found if one["state"] == "wrong"]
    assert region["name"] == "region"
    assert f"look at REGION in {deployment.folder / 'none.env'}" in region["mend"]
    assert {one["says"] for one in found if one["state"] == "skipped"} == {"not looked at: first mend region"}
    assert {"bucket", "role", "function", "queue"} <= {
        one["name"] for one in found if one["state"] == "skipped"
    }


def test_recordings_from_before_are_counted(deployment: Deployment) -> None:
    cos = deployment.operator.cos
    keys = [f"calls/old-{number}.mp3" for number in range(3)]
    bucket = f"archive-{APPID}"
    deployment.operator.ensure_bucket(bucket)
    for key in [*keys, "elsewhere/new.mp3", "calls/folder/"]:
        cos.put(bucket, key, b"sound" if key.endswith("3") else b"")
    found = deployment.findings(INPUT_BUCKETS=bucket, SWEEP_AFTER="0")
    assert "3 recordings have no receipt" in told(found, "unheard-recordings", State.NOTE)
    assert "costs money" in told(found, "unheard-recordings", State.NOTE)
    assert "set INPUT_PREFIX" in told(found, "unheard-recordings", State.NOTE)
    young = deployment.findings(INPUT_BUCKETS=bucket)
    assert told(young, "unheard-recordings", State.NOTE) == ""


@pytest.mark.parametrize(
    ("ahead_s", "state"), [(-100, State.NOTE), (100, State.NOTE), (400, State.WRONG), (-400, State.WRONG)]
)
def test_a_clock_that_is_off_is_found(deployment: Deployment, ahead_s: float, state: State) -> None:
    hands = deployment.hands()
    found = deployment.findings(hands=replace(hands, now=lambda: hands.now() + ahead_s))
    assert "clock" in told(found, "clock", state)
    assert ("ahead of" if ahead_s > 0 else "behind") in told(found, "clock", state)
    assert ("first mend clock" in told(found, "key", State.SKIPPED)) == (state is State.WRONG)


def test_a_key_that_may_not_look_is_told_what_it_needs(deployment: Deployment) -> None:
    allowed = {"effect": "allow", "action": ["sts:GetCallerIdentity", "scf:*"], "resource": "*"}
    issued = deployment.admin("POST", "keys", {"policies": [{"version": "2.0", "statement": [allowed]}]})
    limited = Credentials(issued["secret_id"], issued["secret_key"], issued["token"])
    found = deployment.findings(hands=deployment.hands(limited))
    assert "scribe policy deployer" in told(found, "role", State.SKIPPED)
    assert "scribe policy deployer" in told(found, "speech-service", State.SKIPPED)
    assert "is active" in told(found, "function", State.OK)


def test_the_policy_for_deployers_lets_the_doctor_look_at_everything(deployment: Deployment) -> None:
    wanted = deployment.wanted()
    place = place_of(load_settings({"REGION": REGION, **wanted.functions["upload"].variables}), OWNER)
    issued = deployment.admin(
        "POST", "keys", {"policies": [deployer_policy(place, wanted.functions.values())]}
    )
    deployer = Credentials(issued["secret_id"], issued["secret_key"], issued["token"])
    found = deployment.findings(hands=deployment.hands(deployer))
    assert [one for one in found if one.state is not State.OK] == []


def test_a_stage_that_was_never_deployed_is_told_what_is_not_there(deployment: Deployment) -> None:
    found = deployment.findings(SCRIBE_STAGE="test", SCF_ROLE_NAME="scribe-test")
    assert wrong(found) == {"role", "function", "overlap", "notification"}
    assert "scribe-test-scribe-upload" in told(found, "function")
    assert deployment.name("upload") in told(found, "overlap")
    assert "nothing to look at yet" in told(found, "trigger", State.SKIPPED)


def test_a_forgotten_function_url_is_found(deployment: Deployment) -> None:
    name = deployment.name("sweep")
    network = {"EnableExtranet": True, "EnableIntranet": False}
    given = {"FunctionName": name, "TriggerName": "url-trigger", "Type": "http", "Qualifier": "$DEFAULT"}
    desc = json.dumps({"AuthType": "NONE", "NetConfig": network})
    deployment.functions.create_trigger({**given, "TriggerDesc": desc, "Enable": "OPEN"})
    found = deployment.findings()
    [extra] = [one for one in deployment.functions.triggers(name, "default") if one.type == "http"]
    deployment.functions.delete_trigger(name, "default", extra)
    assert wrong(found) == {"extra-trigger"}
    assert "sweep http" in told(found, "extra-trigger")


def test_a_prefix_that_was_chosen_and_not_deployed_is_found(deployment: Deployment) -> None:
    found = deployment.findings(INPUT_PREFIX="other/")
    assert wrong(found) == {"variables", "trigger", "role"}
    assert "calls/" in told(found, "trigger")
    assert "other/" in told(found, "trigger")


def test_a_callback_that_fails_at_its_address_is_found(deployment: Deployment) -> None:
    variables = dict(deployment.wanted().functions["callback"].variables)
    _set_variables(deployment, deployment.name("callback"), {**variables, "INPUT_BUCKETS": "nonsense"})
    found = deployment.findings()
    _set_variables(deployment, deployment.name("callback"), variables)
    assert wrong(found) == {"variables", "address"}
    assert "INPUT_BUCKETS" in told(found, "variables")
    assert "the function fails" in told(found, "address")


class NoFunctionUrls(httpx.HTTPTransport):
    """A network in which the names of function URLs are not known yet."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.headers["host"].endswith(".tencentscf.com"):
            raise httpx.ConnectError(f"no such name: {request.url}")
        return super().handle_request(request)


def test_an_address_at_which_nothing_answers_is_found_and_its_token_kept_quiet(
    deployment: Deployment,
) -> None:
    with httpx.Client(transport=NoFunctionUrls()) as client:
        found = deployment.findings(hands=replace(deployment.hands(), client=lambda: client))
    assert wrong(found) == {"address"}
    assert "nothing answers" in told(found, "address")
    assert TOKEN not in str(found)


class AnOpenDoor(httpx.HTTPTransport):
    """A network in which something else, that takes anything, answers at the function's address."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        is_let_in = request.method == "POST" and request.headers["host"].endswith(".tencentscf.com")
        return httpx.Response(200) if is_let_in else super().handle_request(request)


def test_an_address_that_takes_a_message_without_the_token_is_found(deployment: Deployment) -> None:
    with httpx.Client(transport=AnOpenDoor()) as client:
        found = deployment.findings(hands=replace(deployment.hands(), client=lambda: client))
    assert wrong(found) == {"address"}
    assert "without the token is answered with 200, not 403" in told(found, "address")


def test_while_a_token_is_rotated_the_old_one_in_the_queue_is_noted(deployment: Deployment) -> None:
    found = deployment.findings(CALLBACK_TOKEN=f"{OTHER_TOKEN},{TOKEN}")
    assert "later token" in told(found, "notification", State.NOTE)
    assert "notification" not in wrong(found)


def test_a_queue_that_queue_id_does_not_find_is_told(deployment: Deployment) -> None:
    found = deployment.findings(QUEUE_ID="p00000000000000000000000000000000")
    assert "QUEUE_ID" in told(found, "queue")


@pytest.mark.parametrize(("role", "check"), [(CI_ROLE, "ci-role"), (SCF_ROLE, "scf-role")])
def test_a_role_of_a_service_that_is_missing_or_has_no_policy_is_found(
    deployment: Deployment, role: str, check: str
) -> None:
    call = deployment.control.call
    before = call("cam", "GetRole", {"RoleName": role})["RoleInfo"]
    attached = call("cam", "ListAttachedRolePolicies", {"RoleName": role, "Page": 1, "Rp": 20})["List"]
    assert attached
    call("cam", "DeleteRole", {"RoleName": role})
    found = deployment.findings()
    again = {"RoleName": role, "PolicyDocument": before["PolicyDocument"], "Description": "as before"}
    call("cam", "CreateRole", again)
    bare = deployment.findings()
    for policy in attached:
        call("cam", "AttachRolePolicy", {"AttachRoleName": role, "PolicyId": policy["PolicyId"]})
    assert wrong(found) == {check}
    assert f"https://console.cloud.tencent.com/{check.partition('-')[0]}" in told(found, check)
    assert wrong(bare) == set()
    assert ("no policy attached" in told(bare, check, State.NOTE)) is (role == CI_ROLE)


class DeletedMeanwhile(set[tuple[str, str]]):
    """The functions that are not looked at; somebody else's is deleted in the moment in which it is compared."""

    def __init__(self, delete: Callable[[str, str], None]) -> None:
        super().__init__()
        self.delete = delete

    def __contains__(self, one: object) -> bool:
        match one:
            case ("music-player", str(namespace)):
                self.delete("music-player", namespace)
        return False


def test_a_function_that_is_deleted_while_rules_are_read_is_left_out(deployment: Deployment) -> None:
    with deployment.stranger_with_rule(INPUT, "music/") as name:
        rules = rules_of_others(deployment.control, DeletedMeanwhile(deployment.functions.delete))
    owners = {rule.owner for rule in rules}
    assert deployment.name("upload") in owners
    assert name not in owners


def test_the_command_prints_json_for_machines_and_lines_for_people(deployment: Deployment) -> None:
    said = io.StringIO()
    assert doctor(Console(file=said, width=40), deployment.around(), as_json=True)
    document = json.loads(said.getvalue())
    assert document["ok"] is True
    assert {"name", "about", "state", "says", "mend"} == set(document["findings"][0])
    assert {one["state"] for one in document["findings"]} == {"ok", "note"}
    said = io.StringIO()
    # The token stays that of the deployed function where nobody chooses one.
    around = deployment.around(CALLBACK_TOKEN="", ENGINE="16k_en")
    assert not doctor(Console(file=said, width=40), around, as_json=False)
    assert (
        "wrong   variables upload: deployed with other values: ENGINE\n    mend: scribe deploy --env-file "
        in said.getvalue()
    )
    assert "wrong   notification" not in said.getvalue()
    assert "Something is wrong: " in said.getvalue()
    for secret in (TOKEN, deployment.standin.secret_key):
        assert secret not in said.getvalue()
