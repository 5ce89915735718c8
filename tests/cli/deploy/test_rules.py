"""`scribe deploy` with rules.yml: a changed rule is new code, and a wrong file changes nothing."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cli.config import CliContext
from cli.deploy.command import DeployOptions, deploy, remove
from cli.local.emulator import OperatorClients
from cli.rules.models import RulesError
from tests.helpers.account import BUCKETS, ROOT, Account

pytestmark = pytest.mark.process

RULES = "rules:\n- match: calls/\n  engine: 8k_zh\n  channels: 2\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with everything that a deployment reads of the checkout."""
    for name in ("serverless.yml", "handlers"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def build_context(account: Account, checkout: Path, **config: str) -> CliContext:
    return CliContext(checkout, account.folder / ".env", account.environment(config), account.folder)


def run_deploy(account: Account, checkout: Path, **config: str) -> str:
    output = io.StringIO()
    passed = deploy(
        Console(file=output, width=200), build_context(account, checkout, **config), DeployOptions(), None
    )
    assert passed, output.getvalue()
    return output.getvalue()


def test_new_rules_are_a_step_for_the_code_and_apply_to_uploads(restored: Account, checkout: Path) -> None:
    (checkout / "rules.yml").write_text(RULES, "utf-8")
    output = run_deploy(restored, checkout)
    assert "rules.yml: 1 rule\n" in output
    assert output.count("\n~ code of ") == 3, output
    assert "No changes." in run_deploy(restored, checkout)

    by_rule, by_settings = (transcribe(restored, key) for key in ("calls/a.mp3", "talks/a.mp3"))
    assert (by_rule["engine"], by_rule["channels"]) == ("8k_zh", 2)
    assert by_rule["sources"] == {"engine": "rules.yml line 2", "channels": "rules.yml line 2"}
    assert "sources" not in by_settings

    # A line above a rule changes its number, which messages name.
    (checkout / "rules.yml").write_text("# calls\n" + RULES, "utf-8")
    assert "code of scribe" in run_deploy(restored, checkout)
    (checkout / "rules.yml").unlink()
    output = run_deploy(restored, checkout)
    assert "code of scribe" in output
    assert "rules.yml" not in output


def test_wrong_rules_send_no_request(restored: Account, checkout: Path) -> None:
    text = RULES + "- match: x[\n  bucket: cals-1250000000\n  speakrs: auto\n- match: y/\n  channels: 2\n"
    (checkout / "rules.yml").write_text(text, "utf-8")
    since = restored.last_request()
    config = {"CLOUD_ENDPOINT": restored.emulator.endpoint}
    for options in (DeployOptions(), DeployOptions(dry_run=True), DeployOptions(make_buckets=True, yes=True)):
        with pytest.raises(RulesError) as caught:
            deploy(Console(file=io.StringIO()), build_context(restored, checkout, **config), options, None)
        assert [line for line, _ in caught.value.mistakes] == [5, 7]
    assert restored.last_request() == since


def test_broken_rules_do_not_stop_a_removal(restored: Account, checkout: Path) -> None:
    (checkout / "rules.yml").write_text("rules: [", "utf-8")
    output = io.StringIO()
    assert not remove(Console(file=output), build_context(restored, checkout), lambda: False)
    assert "Nothing was removed." in output.getvalue()


def test_command_that_does_not_use_rules_ignores_them(restored: Account, checkout: Path) -> None:
    (checkout / "rules.yml").write_text("rules: [", "utf-8")
    output = io.StringIO()
    folder = restored.folder
    context = CliContext(checkout, folder / ".env", restored.environment({}), folder, uses_rules=False)
    assert deploy(Console(file=output), context, DeployOptions(), None), output.getvalue()
    assert "rules.yml" not in output.getvalue()


def transcribe(account: Account, key: str) -> dict[str, Any]:
    """Upload a recording and return its receipt."""
    cos = OperatorClients.for_emulator(account.emulator).cos
    cos.put(BUCKETS["INPUT_BUCKETS"], key, b"some seconds of speech")
    assert account.admin("GET", "idle?timeout=30") is True
    receipts = [
        json.loads(cos.get(BUCKETS["OUTPUT_BUCKET"], item.key).body)
        for item in cos.iter_objects(BUCKETS["OUTPUT_BUCKET"], prefix=".scribe/done/")
    ]
    [receipt] = [receipt for receipt in receipts if receipt["key"] == key]
    return dict(receipt)
