"""What a plan holds, in which order, and that it tells no secret. Values only, but for one that talks to a wire."""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from cli.cloud.control import Control, ControlError
from cli.cloud.functions import (
    LONGEST_WAIT_S,
    MOST_RETRIES,
    FoundFunction,
    Functions,
    NotActive,
)
from cli.cloud.identity import Identity
from cli.cloud.triggers import FoundTrigger, found_trigger
from cli.cloud.waiting import LONGEST_PAUSE_S
from cli.config import CliContext
from cli.deploy.act import Halted, act
from cli.deploy.found import Deployed, Found, SpeechOf
from cli.deploy.function_steps import Code
from cli.deploy.plan import Aim, notes, plan
from cli.deploy.refusals import CannotDeploy, refuse
from cli.deploy.role_steps import EnsureRole
from cli.deploy.show import show_plan
from cli.deploy.speech_steps import notification
from cli.deploy.steps import Change, Mark, Step
from cli.doctor.telling import complaint
from cli.manifest.loader import load_manifest
from cli.manifest.models import TriggerSpec
from cli.policy.documents import place_of, policy_of
from cli.policy.roles import FoundRole
from cli.policy.statements import not_granted
from shared.settings import load_settings
from shared.tencent.auth import Credentials
from shared.tencent.speech_models import NotifyConfig, Queue

ROOT = Path(__file__).resolve().parents[2]
LABEL = "Scribe 0.1.0, package 0123456789abcdef"
ADDRESS = "https://1250000000-abcdefghij.ap-guangzhou.tencentscf.com"
CHOICES = {
    "SCRIBE_STAGE": "prod",
    "SCF_ROLE_NAME": "scribe-prod",
    "REGION": "ap-guangzhou",
    "INPUT_BUCKETS": "recordings-1250000000",
    "OUTPUT_BUCKET": "transcripts-1250000000",
    "CALLBACK_TOKEN": "a-made-up-token-of-24-ch",
}
OWNER = Identity(uin="100000000001", owner_uin="100000000001", appid="1250000000", is_root=True, arn="")
NOTHING = Found(
    functions={"upload": Deployed(), "callback": Deployed(), "sweep": Deployed()},
    roles={"scribe-prod-upload": None, "scribe-prod-callback": None, "scribe-prod-sweep": None},
    speech={"recordings-1250000000": SpeechOf()},
)


def aim_of(**chosen: str) -> Aim:
    wanted = load_manifest(ROOT, {**CHOICES, **chosen})
    chosen_settings = load_settings({"REGION": wanted.region, **wanted.functions["callback"].variables})
    documents = {
        one.role: policy_of(key, place_of(chosen_settings, OWNER.owner_uin))
        for key, one in wanted.functions.items()
    }
    return Aim(wanted, chosen_settings, Code(LABEL, lambda: b"zip"), documents)


def with_token(aim: Aim, token: str) -> Aim:
    functions = {
        key: replace(one, variables={**one.variables, "CALLBACK_TOKEN": token})
        for key, one in aim.wanted.functions.items()
    }
    return replace(
        aim,
        wanted=replace(aim.wanted, functions=functions),
        settings=replace(aim.settings, callback_tokens=(token,)),
    )


def as_told(trigger: TriggerSpec) -> FoundTrigger:
    """A trigger as SCF tells it: a timer in JSON, an address with its URL and a name of SCF's own."""
    told = {"Type": trigger.type, "TriggerName": trigger.name, "Qualifier": trigger.qualifier, "Enable": 1}
    description = trigger.description
    if trigger.type == "timer":
        description = json.dumps({"cron": trigger.description})
    if trigger.type == "http":
        members = json.loads(description)
        members["NetConfig"]["ExtranetUrl"] = ADDRESS
        members["CorsConfig"] = {"Enable": False}
        description, told["TriggerName"] = json.dumps(members), "abcdefghij"
    return found_trigger({**told, "TriggerDesc": description, "CustomArgument": trigger.argument or None})


def found_as(aim: Aim) -> Found:
    """An account in which everything is as described."""
    functions = {
        key: Deployed(
            FoundFunction(
                name=one.name,
                namespace=one.namespace,
                status="Active",
                status_reason="",
                description=LABEL,
                handler=one.handler,
                runtime=one.runtime,
                role=one.role,
                memory_mib=one.memory_mib,
                timeout_s=one.timeout_s,
                init_timeout_s=one.init_timeout_s,
                public_network=one.public_network,
                variables=dict(one.variables),
                tags=dict(one.tags),
            ),
            tuple(as_told(trigger) for trigger in aim.wanted.triggers_of(key)),
            MOST_RETRIES,
        )
        for key, one in aim.wanted.functions.items()
    }
    told = notification(f"{ADDRESS}/{aim.settings.callback_tokens[0]}")
    return Found(
        functions=functions,
        roles={name: FoundRole(name, (document,), True, (name,)) for name, document in aim.documents.items()},
        speech={
            bucket: SpeechOf(True, Queue("q", "q", "Active", told)) for bucket in aim.settings.input_buckets
        },
    )


def with_function(found: Found, key: str, **changes: Any) -> Found:
    deployed = found.functions[key]
    assert deployed.function
    function = replace(deployed.function, **changes)
    return replace(found, functions={**found.functions, key: replace(deployed, function=function)})


def with_triggers(found: Found, key: str, *triggers: FoundTrigger) -> Found:
    return replace(
        found, functions={**found.functions, key: replace(found.functions[key], triggers=triggers)}
    )


def printed(steps: tuple[Step, ...]) -> str:
    said = io.StringIO()
    show_plan(Console(file=said, width=80), steps)
    return said.getvalue()


def titles(steps: tuple[Step, ...]) -> list[str]:
    return [f"{step.mark} {step.title}" for step in steps]


def test_what_is_as_described_needs_no_step() -> None:
    aim = aim_of()
    assert plan(aim, found_as(aim)) == ()
    assert notes(aim, found_as(aim)) == []


def test_from_nothing_what_wakes_the_functions_comes_last() -> None:
    made = titles(plan(aim_of(), NOTHING))
    queue = made.index("~ speech queue of recordings-1250000000")
    assert [one.split()[1] for one in made[queue + 1 :]] == ["cos", "timer", "timer"]
    assert made.index("+ address of scribe-prod-scribe-callback") < queue
    assert made.index("+ function scribe-prod-scribe-callback") < made.index(
        "+ address of scribe-prod-scribe-callback"
    )


AS_CHOSEN = aim_of()


@settings(max_examples=30)
@given(
    old=st.text("abcdefghijklm", min_size=20, max_size=36),
    new=st.text("0123456789-", min_size=20, max_size=36),
)
def test_no_plan_tells_a_token(old: str, new: str) -> None:
    aim = with_token(AS_CHOSEN, new)
    before = replace(found_as(with_token(AS_CHOSEN, old)), roles={})  # no token has a part in them
    steps = plan(aim, before)
    shown = printed(steps)
    assert shown.count("CALLBACK_TOKEN: set -> another value") == 4
    for told in (shown, repr(steps), repr(aim), repr(before), printed(plan(aim, replace(NOTHING, roles={})))):
        assert old not in told
        assert new not in told


def test_another_package_is_uploaded_before_its_label_is_written() -> None:
    aim = aim_of()
    found = with_function(found_as(aim), "sweep", description="Scribe 0.0.9, package fedcba9876543210")
    assert titles(plan(aim, found)) == [
        "~ code of scribe-prod-scribe-sweep",
        "~ function scribe-prod-scribe-sweep",
    ]


def test_a_variable_that_somebody_set_in_the_console_is_shown_as_going_without_its_value() -> None:
    aim = aim_of()
    variables = {**aim.wanted.functions["upload"].variables, "DB_PASSWORD": "somebody's own"}
    steps = plan(aim, with_function(found_as(aim), "upload", variables=variables))
    assert [step.changes for step in steps] == [(Change("DB_PASSWORD", "set", ""),)]


def test_a_function_whose_creation_failed_is_made_again_with_its_triggers() -> None:
    aim = aim_of()
    failed = {"status": "CreateFailed", "status_reason": "no room"}
    tagged = {key: replace(one, tags={"app": "scribe"}) for key, one in aim.wanted.functions.items()}
    found = with_function(found_as(aim), "sweep", **failed)
    first, *others = plan(aim, found)
    assert f"{first.mark} {first.title}" == "+ function scribe-prod-scribe-sweep"
    assert "status: CreateFailed (no room) -> Active" in printed((first,))
    assert [one.partition(" of ")[0] for one in titles(tuple(others))[1:]] == [
        "+ timer trigger reconcile",
        "+ timer trigger audit",
    ]
    tagged_aim = replace(aim, wanted=replace(aim.wanted, functions=tagged))
    assert notes(tagged_aim, with_function(found_as(tagged_aim), "sweep", **failed, tags={})) == []


def test_a_changed_address_keeps_its_url_and_a_changed_rule_is_replaced() -> None:
    aim = aim_of(INPUT_PREFIX="calls/")
    found = found_as(aim_of())
    address = found.functions["callback"].triggers[0]
    private = replace(address, description=address.description.replace('"NONE"', '"CAM"'))
    found = with_triggers(found, "callback", private)
    steps = [step for step in plan(aim, found) if "function" not in step.title.split()]
    assert [step.mark for step in steps if "address" in step.title or "cos" in step.title] == ["~", "~"]


def test_a_trigger_that_nobody_describes_goes_and_one_of_another_kind_stays() -> None:
    aim = aim_of()
    found = found_as(aim)
    extra = FoundTrigger("timer", "hourly", "0 0 * * * * *", "$DEFAULT", is_open=True)
    log = FoundTrigger("cls", "logs", "{}", "$DEFAULT", is_open=True)
    found = with_triggers(found, "sweep", *found.functions["sweep"].triggers, extra, log)
    assert titles(plan(aim, found)) == ["- timer trigger hourly of scribe-prod-scribe-sweep"]
    assert notes(aim, found) == ["scribe-prod-scribe-sweep also has a cls trigger logs, which is left alone"]


def test_a_queue_that_tells_somebody_else_is_shown_without_their_secret() -> None:
    aim = aim_of()
    told = notification("https://hooks.example.com/somebody/their-own-secret")
    speech = {"recordings-1250000000": SpeechOf(True, Queue("q", "q", "Paused", told._replace(state="Off")))}
    shown = printed(plan(aim, replace(found_as(aim), speech=speech)))
    assert "state: Paused -> Active" in shown
    assert "notification: Off -> On" in shown
    assert "their-own-secret" not in shown


def with_role(found: Found, name: str, document: Mapping[str, Any]) -> Found:
    return replace(found, roles={**found.roles, name: FoundRole(name, (document,), True, (name,))})


def allowing(*actions: str) -> dict[str, Any]:
    return {"version": "2.0", "statement": [{"effect": "allow", "action": list(actions), "resource": "*"}]}


def test_a_role_gains_before_the_functions_change_and_loses_when_all_else_is_done() -> None:
    old, aim = aim_of(), aim_of(OUTPUT_BUCKET="texts-1250000000", SWEEP_AFTER="600")
    name = "scribe-prod-callback"
    first, *others, last = [
        step
        for step in plan(aim, with_role(found_as(old), name, old.documents[name]))
        if name in step.title or not step.title.startswith("role ")
    ]
    assert [step.title for step in others] == [
        f"function {one.name}" for one in aim.wanted.functions.values()
    ]
    assert isinstance(first, EnsureRole)
    assert isinstance(last, EnsureRole)
    for document in (old.documents[name], aim.documents[name]):
        assert not_granted(document, [first.document]) == []
    assert len(first.changes) > 1
    assert not any(change.before for change in first.changes)
    assert last.document == aim.documents[name]
    assert len(last.changes) > 1
    assert not any(change.after for change in last.changes)


def test_a_role_that_only_may_too_much_loses_it_last() -> None:
    aim = aim_of(SWEEP_AFTER="600")
    name = "scribe-prod-upload"
    more = {
        **aim.documents[name],
        "statement": [*aim.documents[name]["statement"], *allowing("cos:*")["statement"]],
    }
    *functions, role = plan(aim, with_role(found_as(aim_of()), name, more))
    assert len(functions) == 3
    assert role.title == f"role {name}"
    assert role.changes == (Change("may", "cos:* on *", ""),)


def test_permissions_that_are_too_long_together_change_at_once_and_that_is_said() -> None:
    aim = aim_of()
    name = "scribe-prod-upload"
    found = with_role(found_as(aim), name, allowing(*(f"cos:Some{number}" for number in range(500))))
    (step,) = plan(aim, found)
    assert isinstance(step, EnsureRole)
    assert step.document == aim.documents[name]
    assert any(change.before for change in step.changes)
    assert any(change.after for change in step.changes)
    (told,) = notes(aim, found)
    assert f"role {name}" in told
    assert "longer than CAM takes" in told


def test_an_address_of_another_version_is_made_anew_and_the_queue_is_told() -> None:
    aim = aim_of()
    found = found_as(aim)
    elsewhere = replace(found.functions["callback"].triggers[0], qualifier="$LATEST")
    steps = titles(plan(aim, with_triggers(found, "callback", elsewhere)))
    assert steps == [
        f"- address of scribe-prod-scribe-callback, its address {ADDRESS} for good",
        "+ address of scribe-prod-scribe-callback",
        "~ speech queue of recordings-1250000000",
    ]


TOLD = notification(f"{ADDRESS}/{CHOICES['CALLBACK_TOKEN']}")


@pytest.mark.parametrize(
    "told",
    [
        TOLD._replace(type="", format=""),
        TOLD._replace(type="URL", event="taskfinish", format="xml"),
        TOLD._replace(event="WorkflowFinish, TaskFinish"),
        TOLD._replace(event="TransCodingFinish", format="JSON"),
    ],
)
def test_what_the_service_writes_in_its_own_way_is_neither_changed_nor_called_wrong(
    told: NotifyConfig,
) -> None:
    aim = aim_of()
    speech = {"recordings-1250000000": SpeechOf(True, Queue("q", "q", "Active", told))}
    assert plan(aim, replace(found_as(aim), speech=speech)) == ()
    assert complaint(told, ADDRESS, aim.settings.callback_tokens) == ""


@pytest.mark.parametrize(
    "told",
    [
        TOLD._replace(state="Off"),
        TOLD._replace(type="Mq"),
        TOLD._replace(event="WorkflowFinish"),
        TOLD._replace(format="YAML"),
        TOLD._replace(url=f"{ADDRESS}/another-token"),
    ],
)
def test_what_the_doctor_calls_wrong_about_a_queue_is_changed_and_shown(told: NotifyConfig) -> None:
    aim = aim_of()
    speech = {"recordings-1250000000": SpeechOf(True, Queue("q", "q", "Active", told))}
    (step,) = plan(aim, replace(found_as(aim), speech=speech))
    assert step.changes
    assert complaint(told, ADDRESS, aim.settings.callback_tokens)


def test_tags_of_somebody_else_are_no_difference_and_a_missing_one_of_ours_is() -> None:
    aim = aim_of()
    tagged = {"app": "scribe"}
    functions = {key: replace(one, tags=tagged) for key, one in aim.wanted.functions.items()}
    aim = replace(aim, wanted=replace(aim.wanted, functions=functions))
    found = with_function(found_as(aim), "sweep", tags={**tagged, "costs": "somebody's"})
    assert notes(aim, found) == []
    assert "other tags" in str(notes(aim, with_function(found, "sweep", tags={"costs": "somebody's"})))


def test_what_cannot_be_changed_is_refused_with_the_way_out_and_all_at_once() -> None:
    aim = aim_of(QUEUE_ID="q-of-another-bucket", CALLBACK_TOKEN="x" * 60)
    found = with_function(found_as(aim), "upload", runtime="Python3.9")
    callback = replace(found.functions["callback"], lacks_namespace=True)
    found = replace(
        found,
        functions={**found.functions, "sweep": Deployed(namespace_instead="old"), "callback": callback},
        missing_buckets={"transcripts-1250000000": "ap-shanghai"},
        scf_role="role SCF_QcsRole does not exist",
        speech={"recordings-1250000000": SpeechOf(is_on=True)},
    )
    with pytest.raises(CannotDeploy) as told:
        refuse(aim, found, OWNER, make_buckets=True)
    for word in (
        "Python3.9",
        "namespace old",
        "ap-shanghai",
        "QUEUE_ID",
        "18 characters shorter",
        "namespace default does",
        "console.cloud.tencent.com/scf",
    ):
        assert sum(word in reason for reason in told.value.reasons) == 1, told.value
    assert len(told.value.reasons) == 7


@dataclass
class Breaking:
    """A step of the test's own that ends as told."""

    ending: BaseException
    title: str = "something"
    mark: Mark = "+"
    changes: tuple[Change, ...] = ()

    def carry_out(self, hands: object) -> None:
        raise self.ending


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("UnauthorizedOperation.CAM", "lacks the permission scf:CreateFunction"),
        ("UnauthorizedOperation.Role", "console.cloud.tencent.com/scf"),
        ("UnauthorizedOperation.Region", "another REGION"),
        ("UnauthorizedOperation.NotMC", "console only"),
        ("UnauthorizedOperation.FunctionStatus", "wait a minute"),
        ("AuthFailure.SignatureExpire", "clock"),
        ("AuthFailure.TokenFailure", "get a new one"),
        ("AuthFailure.SecretIdNotFound", "TENCENTCLOUD_SECRET_ID"),
        ("FailedOperation.FunctionStatusError", "wait a minute"),
        ("ResourceNotFound.Role", "scribe policy --create-role"),
        ("ClientNetworkError", "connection"),
        ("LimitExceeded.Function", "quota"),
        ("ResourceInUse.Function", "then the same command again"),
        ("UnsupportedRegion", "look at REGION"),
    ],
)
def test_a_failure_says_what_to_do_by_its_code(code: str, advice: str) -> None:
    said = io.StringIO()
    step = Breaking(ControlError("CreateFunction", code, "it says no", "r-1", service="scf"))
    hands: Any = None
    with pytest.raises(Halted, match=re.escape(advice)) as told:
        act(Console(file=said), (step,), hands, "scribe deploy")
    assert "it says no" in str(told.value)
    assert "To go on: scribe deploy" in said.getvalue()


def test_a_full_disk_stops_a_deployment_like_any_other_failure() -> None:
    said = io.StringIO()
    step = Breaking(OSError(28, "No space left on device", "/home/operator/.env"))
    hands: Any = None
    with pytest.raises(Halted, match=r"something: /home/operator/.env: No space left on device"):
        act(Console(file=said), (step,), hands, "scribe deploy")
    assert "0 of 1 steps are done" in said.getvalue()
    assert "To go on: scribe deploy" in said.getvalue()


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        (".env", "scribe deploy, see .env", "scribe deploy, see .env"),
        (
            "test.env",
            "change it in .env: scribe deploy",
            "change it in test.env: scribe deploy --env-file test.env",
        ),
        ("test.env", "see .env.example or test.env", "see .env.example or test.env"),
        ("my stage.env", "`scribe remove`", "`scribe remove --env-file 'my stage.env'`"),
        ("test.env", "function scribe-prod-scribe-sweep", "function scribe-prod-scribe-sweep"),
        ("a/.env", "scribe doctor --env-file a/.env", "scribe doctor --env-file a/.env"),
    ],
)
def test_commands_that_are_told_name_the_file_that_was_given(file: str, text: str, told: str) -> None:
    assert CliContext(ROOT, Path(file), {}, ROOT).told(text) == told


def test_ctrl_c_in_the_middle_says_what_is_not_done() -> None:
    said = io.StringIO()
    steps = (Breaking(KeyboardInterrupt()), Breaking(KeyboardInterrupt(), title="the rest"))
    hands: Any = None
    with pytest.raises(KeyboardInterrupt):
        act(Console(file=said), steps, hands, "scribe deploy")
    assert "0 of 2 steps are done. Not done:\n  + something\n  + the rest\n" in said.getvalue()


@pytest.fixture
def busy_cloud() -> Iterator[str]:
    """A control plane whose functions never come to be Active."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            told = {"FunctionName": "f", "Status": "Creating", "RequestId": "r"}
            body = json.dumps({"Response": told}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def log_message(self, *_words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_function_that_never_comes_to_be_active_is_not_waited_for_without_end(busy_cloud: str) -> None:
    paused: list[float] = []  # a clock on which each pause takes 100 times as long
    control = Control(Credentials("AKIDmade-up", "made-up"), "ap-guangzhou", busy_cloud)
    functions = Functions(
        control, now=lambda: sum(paused), sleep=lambda seconds: paused.append(100 * seconds)
    )
    with pytest.raises(NotActive, match=r"SCF console.*run the command again"):
        functions.wait_active("f", "default")
    assert LONGEST_WAIT_S <= sum(paused) < LONGEST_WAIT_S + 100 * LONGEST_PAUSE_S
