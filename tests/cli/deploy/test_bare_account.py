"""An account in which nothing was set up in the console: one `scribe deploy` reaches the first transcript."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.deploy.command import DeployOptions
from cli.local.emulator import start_emulator
from tests.helpers.account import BUCKETS, REGION, Account, build_deployer_policy

pytestmark = pytest.mark.process

ROLES = ("SCF_QcsRole", "CI_QCSRole")


def test_one_deployment_is_enough(tmp_path: Path) -> None:
    (tmp_path / ".env").touch()
    arguments = ["--speech", "scripted", "--deploy-delay-ms", "0", "--bare-account"]
    with start_emulator(tmp_path / "cloud", {}, arguments) as emulator:
        account = Account(emulator, tmp_path)
        policy = build_deployer_policy(account.manifest())
        key = account.create_key(policy)
        passed, output = account.deploy(DeployOptions(make_buckets=True), key)
        assert not passed
        assert "Stopped after 4 of" in output  # the token, SINCE, and two buckets
        assert "https://console.cloud.tencent.com/cam/role/grant?roleName=SCF_QcsRole" in output
        policy["statement"].append({"effect": "allow", "action": ["cam:*"], "resource": ["*"]})
        passed, output = account.deploy(config=account.create_key(policy))
        assert passed, output
        for role in ROLES:
            assert f"created service role {role}" in output
        assert f"created binding of {BUCKETS['INPUT_BUCKETS']} to Cloud Infinite" in output
        cos = account.clients.cos(REGION)
        cos.put(BUCKETS["INPUT_BUCKETS"], "call.mp3", b"some seconds of speech")
        assert account.admin("GET", "idle?timeout=30") is True
        assert cos.get(BUCKETS["OUTPUT_BUCKET"], "transcripts/call.mp3.txt").body.strip()
        assert "No changes" in account.deploy()[1]
        bucket = {"bucket": BUCKETS["INPUT_BUCKETS"], "status": "off"}
        account.admin("PUT", "ci_buckets", bucket)
        done = account.scribe("doctor")
        assert f"wrong   binding {BUCKETS['INPUT_BUCKETS']}: it is not bound to Cloud Infinite" in done.stdout
        passed, output = account.deploy()
        assert passed, output
        assert "1 to create" in output
