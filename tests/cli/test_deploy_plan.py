"""What a plan holds, in which order, and that it tells no secret. Values only, but for one that talks to a wire."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
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
    LONGEST_PAUSE_S,
    LONGEST_WAIT_S,
    MOST_RETRIES,
    FoundFunction,
    Functions,
    NotActive,
)
from cli.cloud.identity import Identity
from cli.cloud.triggers import FoundTrigger, found_trigger
from cli.deploy.act import Halted, act
from cli.deploy.found import Deployed, Found, SpeechOf
from cli.deploy.function_steps import Code
from cli.deploy.plan import Aim, notes, plan
from cli.deploy.refusals import CannotDeploy, refuse
from cli.deploy.show import show_plan
from cli.deploy.speech_steps import notification
from cli.deploy.steps import Change, Mark, Step
from cli.description.read import wanted_from
from cli.description.wanted import WantedTrigger
from cli.policy.documents import place_of, policy_of
from cli.policy.roles import FoundRole
from shared.settings import settings_from
from shared.tencent.credentials import Credentials
from shared.tencent.speech_values import Queue

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
    wanted = wanted_from(ROOT, {**CHOICES, **chosen})
    chosen_settings = settings_from({"REGION": wanted.region, **wanted.functions["callback"].variables})
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


def as_told(trigger: WantedTrigger) -> FoundTrigger:
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


def test_a_variable_that_somebody_set_in_the_console_is_shown_as_going() -> None:
    aim = aim_of()
    variables = {**aim.wanted.functions["upload"].variables, "CLOUD_ENDPOINT": "http://127.0.0.1:9"}
    steps = plan(aim, with_function(found_as(aim), "upload", variables=variables))
    assert [step.changes for step in steps] == [(Change("CLOUD_ENDPOINT", "http://127.0.0.1:9", ""),)]


def test_a_function_whose_creation_failed_is_made_again_with_its_triggers() -> None:
    aim = aim_of()
    steps = titles(
        plan(aim, with_function(found_as(aim), "sweep", status="CreateFailed", status_reason="no room"))
    )
    assert steps[0] == "+ function scribe-prod-scribe-sweep (its creation failed before: no room)"
    assert [one.partition(" of ")[0] for one in steps[2:]] == [
        "+ timer trigger reconcile",
        "+ timer trigger audit",
    ]


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
    speech = {"recordings-1250000000": SpeechOf(True, Queue("q", "q", "Paused", replace(told, state="Off")))}
    shown = printed(plan(aim, replace(found_as(aim), speech=speech)))
    assert "state: Paused -> Active" in shown
    assert "notification: Off -> On" in shown
    assert "their-own-secret" not in shown


def test_a_role_that_may_too_much_or_too_little_is_mended() -> None:
    aim = aim_of()
    name = "scribe-prod-upload"
    everything = {"version": "2.0", "statement": [{"effect": "allow", "action": "cos:*", "resource": "*"}]}
    found = found_as(aim)
    found = replace(found, roles={**found.roles, name: FoundRole(name, (everything,), True, (name,))})
    (step,) = plan(aim, found)
    assert step.title == f"role {name}"
    assert Change("may", "cos:* on *", "") in step.changes
    assert any(change.after.startswith("ci:CreateAsrJobs on ") for change in step.changes)


def test_what_cannot_be_changed_is_refused_with_the_way_out_and_all_at_once() -> None:
    aim = aim_of(QUEUE_ID="q-of-another-bucket", CALLBACK_TOKEN="x" * 60)
    found = with_function(found_as(aim), "upload", runtime="Python3.9")
    found = replace(
        found,
        functions={**found.functions, "sweep": Deployed(namespace_instead="old")},
        missing_buckets={"transcripts-1250000000": "ap-shanghai"},
        speech={"recordings-1250000000": SpeechOf(is_on=True)},
    )
    with pytest.raises(CannotDeploy) as told:
        refuse(aim, found, OWNER, make_buckets=True)
    for word in ("Python3.9", "namespace old", "ap-shanghai", "QUEUE_ID", "18 characters shorter"):
        assert sum(word in reason for reason in told.value.reasons) == 1, told.value
    assert len(told.value.reasons) == 5


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
        ("AuthFailure.SignatureExpire", "clock"),
        ("AuthFailure.TokenFailure", "get a new one"),
        ("AuthFailure.SecretIdNotFound", "TENCENTCLOUD_SECRET_ID"),
        ("FailedOperation.FunctionStatusError", "wait a minute"),
        ("ResourceNotFound.Role", "scribe policy --create-role"),
        ("ClientNetworkError", "connection"),
        ("LimitExceeded.Function", "quota"),
    ],
)
def test_a_failure_says_what_to_do_by_its_code(code: str, advice: str) -> None:
    said = io.StringIO()
    step = Breaking(ControlError("CreateFunction", code, "it says no", "r-1", service="scf"))
    hands: Any = None
    with pytest.raises(Halted, match=advice) as told:
        act(Console(file=said), (step,), hands, "scribe deploy")
    assert "it says no" in str(told.value)
    assert "To go on: scribe deploy" in said.getvalue()


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
