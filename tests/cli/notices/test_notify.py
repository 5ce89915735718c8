"""`scribe notify --test` on real sockets: what each target answered, what to do, and no secret in any line."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from cli.config import CliContext
from cli.notices.command import NotifyOptions, WrongUse, load_context_targets, notify
from cli.notices.probe import Send, advise
from cli.output import SafeConsole
from shared.errors import SettingsError
from shared.notices.connection import create_notice_client
from shared.notices.models import Outcome, OutcomeKind, TargetKind
from shared.notices.sender import send_notices
from tests.helpers.notices import OK, SECRET, FixedResolver, build_target, run_receiver

ROOT = Path(__file__).resolve().parents[3]
CONFIG = {"REGION": "ap-guangzhou", "INPUT_BUCKETS": "media-1250000000"}
LOCAL = {**CONFIG, "CLOUD_ENDPOINT": "http://127.0.0.1:9"}
PATH = "/hook/path-that-is-secret"


class Run:
    """What the command printed, and whether it succeeded."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder, self.variables = folder, variables
        self.send: Send | None = None
        self.output = ""

    def __call__(self, **options: Any) -> bool:
        stream = io.StringIO()
        context = CliContext(ROOT, self.folder / "none.env", self.variables, self.folder)
        console = SafeConsole(file=stream, width=80, highlight=False)
        passed = notify(console, context, NotifyOptions(**options), send=self.send)
        self.output = stream.getvalue()
        return passed


def answer(status: str, body: str) -> Callable[[socket.socket], object]:
    encoded = body.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(encoded)}\r\n\r\n".encode()
    return lambda connection: connection.sendall(head + encoded)


def test_webhook_gets_one_signed_test_notice(tmp_path: Path) -> None:
    with run_receiver(lambda connection: connection.sendall(OK)) as receiver:
        url = f"http://127.0.0.1:{receiver.port}{PATH}"
        run = Run(tmp_path, **LOCAL, NOTIFY_WEBHOOK=url, NOTIFY_WEBHOOK_SECRET=SECRET)
        assert run(test=True)
        assert f"webhook (127.0.0.1:{receiver.port}): taken in " in run.output
        assert run(test=True, as_json=True)
    first, second = receiver.requests
    body = Webhook(SECRET).verify(first.body.decode(), first.headers)
    assert body["type"] == "notice.test"
    assert first.headers["webhook-id"] != second.headers["webhook-id"]  # a receiver drops ids that it knows
    document = json.loads(run.output)
    [result] = document["results"]
    assert document["ok"] is True
    assert (result["target"], result["outcome"], result["next_step"]) == ("webhook", "delivered", "")
    assert result["id"] == second.headers["webhook-id"]
    assert "path-that-is-secret" not in run.output
    assert SECRET not in run.output


@pytest.mark.parametrize(
    ("variable", "body", "reason", "fix"),
    [
        (
            "NOTIFY_WECOM",
            '{"errcode":93000,"errmsg":"invalid webhook url"}',
            "code 93000",
            "add one to the group",
        ),
        ("NOTIFY_FEISHU", '{"code":19021,"msg":"sign match fail"}', "code 19021", "compare the secret"),
        ("NOTIFY_DINGTALK", '{"errcode":310000,"errmsg":"sign not match"}', "code 310000", "security page"),
        ("NOTIFY_DINGTALK", '{"errcode":130101,"errmsg":"too fast"}', "code 130101", "wait "),
        (
            "NOTIFY_WECOM",
            '{"errcode":12345,"errmsg":"who knows"}',
            "code 12345: who knows",
            "documentation of",
        ),
        ("NOTIFY_WECOM", "<html>welcome</html>", "not that of a WeCom robot", "copy the robot's address"),
    ],
)
def test_robot_that_refuses_with_status_200_has_failed(
    tmp_path: Path, variable: str, body: str, reason: str, fix: str
) -> None:
    with run_receiver(answer("200 OK", body)) as receiver:
        run = Run(tmp_path, **LOCAL, **{variable: f"http://127.0.0.1:{receiver.port}{PATH}"})
        assert not run(test=True)
    first, second, *_ = run.output.splitlines()
    assert reason in first
    assert second.startswith("    fix: ")
    assert fix in second
    assert "1 of 1 test notices were not taken." in run.output
    assert "path-that-is-secret" not in run.output


@pytest.mark.parametrize(
    ("status", "fix"),
    [
        ("307 Temporary Redirect", "set NOTIFY_WEBHOOK to the address that it redirects to"),
        ("401 Unauthorized", "check the address and the secret"),
        ("404 Not Found", "copy the address again"),
        ("410 Gone", "set NOTIFY_WEBHOOK to another address"),
        ("422 Unprocessable Content", "look into the log of the receiver"),
        ("503 Service Unavailable", "the receiver has a problem"),
    ],
)
def test_status_of_a_webhook_says_what_to_do(tmp_path: Path, status: str, fix: str) -> None:
    with run_receiver(answer(status, "")) as receiver:
        url = f"http://127.0.0.1:{receiver.port}{PATH}"
        run = Run(tmp_path, **LOCAL, NOTIFY_WEBHOOK=url, NOTIFY_WEBHOOK_SECRET=SECRET)
        assert not run(test=True)
    assert f": status {status[:3]}" in run.output
    assert f"fix: {fix}" in run.output


def test_one_target_that_fails_keeps_no_other_from_its_test(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with run_receiver(answer("200 OK", '{"errcode":0,"errmsg":"ok"}')) as receiver:
        run = Run(
            tmp_path,
            **LOCAL,
            NOTIFY_DINGTALK=f"http://127.0.0.1:{port}{PATH}",
            NOTIFY_WECOM=f"http://127.0.0.1:{receiver.port}{PATH}",
        )
        assert not run(test=True)
        assert "dingtalk (127.0.0.1:" in run.output
        assert "fix: check that the receiver runs" in run.output
        assert f"wecom (127.0.0.1:{receiver.port}): taken" in run.output
        assert run(test=True, target="wecom")
    assert "dingtalk" not in run.output


def test_name_with_a_private_address_is_not_connected_to(tmp_path: Path) -> None:
    client = create_notice_client(resolver=FixedResolver(["93.184.216.34", "10.0.0.8"]))

    def send(target: Any, notices: Any, now_s: float, timeout_s: float) -> Outcome:
        return send_notices(client, target, notices, now_s, timeout_s=timeout_s)

    url = f"https://hooks.example.com{PATH}"
    run = Run(tmp_path, **CONFIG, NOTIFY_WEBHOOK=url, NOTIFY_WEBHOOK_SECRET=SECRET)
    run.send = send
    assert not run(test=True)
    assert "10.0.0.8, which is not a public one; nothing was sent" in run.output
    assert "fix: use a name whose addresses are all public" in run.output


def test_no_network_is_a_failure_with_advice(tmp_path: Path) -> None:
    url = f"https://no-one.invalid{PATH}"
    run = Run(tmp_path, **CONFIG, NOTIFY_WEBHOOK=url, NOTIFY_WEBHOOK_SECRET=SECRET)
    assert not run(test=True)
    assert "webhook (no-one.invalid): " in run.output
    assert "fix: check the name in NOTIFY_WEBHOOK, and the connection of this machine" in run.output


def test_address_that_is_private_is_a_mistake_in_the_settings(tmp_path: Path) -> None:
    url = f"https://10.0.0.8{PATH}"
    run = Run(tmp_path, **CONFIG, NOTIFY_WEBHOOK=url, NOTIFY_WEBHOOK_SECRET=SECRET)
    with pytest.raises(SettingsError, match="NOTIFY_WEBHOOK is not a public address") as caught:
        run(test=True)
    assert "path-that-is-secret" not in str(caught.value)


def test_test_without_a_target_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="No target of notices is set: set NOTIFY_WECOM"):
        Run(tmp_path, **CONFIG)(test=True)
    with pytest.raises(WrongUse, match=r"'wecom' is not a target\. No target of notices is set"):
        Run(tmp_path, **CONFIG)(target="wecom")


def test_unknown_target_is_wrong_use_that_names_the_known_ones(tmp_path: Path) -> None:
    url = "https://hooks.example.com/"
    run = Run(tmp_path, **CONFIG, NOTIFY_WEBHOOK_CRM=url, NOTIFY_WEBHOOK_CRM_SECRET=SECRET)
    with pytest.raises(WrongUse, match=r"'crm' is not a target\. Set are: webhook-crm"):
        run(test=True, target="crm")


def test_without_a_key_the_targets_are_listed_without_state(tmp_path: Path) -> None:
    url = f"https://hooks.example.com{PATH}"
    run = Run(tmp_path, **CONFIG, NOTIFY_WEBHOOK_CRM=url, NOTIFY_WEBHOOK_CRM_SECRET=SECRET, NOTIFY_ON="done")
    assert run()
    assert "webhook-crm  hooks.example.com  done, for recordings whose option notify names it" in run.output
    assert "Without a key of the account" in run.output
    assert run(as_json=True)
    document = json.loads(run.output)
    [target] = document["targets"]
    assert document["state_read"] is False
    assert (target["name"], target["host"], target["state"]) == (
        "webhook-crm",
        "hooks.example.com",
        "unknown",
    )
    assert (target["types"], target["is_default"], target["is_signed"]) == (["transcript.done"], False, True)
    assert "path-that-is-secret" not in run.output
    assert SECRET not in run.output


def test_without_targets_the_list_says_what_to_set(tmp_path: Path) -> None:
    run = Run(tmp_path, **CONFIG)
    assert run()
    assert run.output.startswith("No target of notices is set: set NOTIFY_WECOM")
    assert run(as_json=True)
    assert json.loads(run.output)["targets"] == []


def test_variable_of_a_service_manager_is_no_target() -> None:
    assert load_context_targets({"NOTIFY_SOCKET": "/run/systemd/notify"}) == ()


def test_unknown_variable_of_the_env_file_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "none.env").write_text("REGION=ap-guangzhou\nNOTIFY_SLACK=https://example.com\n")
    with pytest.raises(SettingsError, match="NOTIFY_SLACK is not a setting"):
        Run(tmp_path)(test=True)


def test_every_failure_has_advice() -> None:
    target = build_target(TargetKind.FEISHU, name="feishu-sales")
    assert advise(target, Outcome(OutcomeKind.FAILED, "something new")) == (
        "check the address in NOTIFY_FEISHU_SALES and the log of the receiver"
    )
