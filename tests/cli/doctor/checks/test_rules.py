"""`scribe doctor` and rules.yml: rules without effect, rules for nothing, engines that no document names."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from cli.config import CliContext, Commands
from cli.deploy.state import CurrentState
from cli.doctor.checks.rules import check_rules
from cli.doctor.command import doctor
from cli.doctor.models import CheckContext, Finding, Status
from cli.doctor.runner import run_checks
from cli.policy.permissions import load_function_settings
from cli.rules.loader import load_rules_file
from cli.rules.models import RulesError, RulesFile
from shared.notices.models import NoticeType, TargetKind
from tests.helpers.doctor import APPID, REGION, ROOT, Deployment, describe
from tests.helpers.notices import build_target

pytestmark = pytest.mark.process

BUCKET = f"by-rules-{APPID}"


@pytest.fixture(scope="module")
def bucket(deployment: Deployment) -> str:
    deployment.operator.ensure_bucket(BUCKET)
    for key in ("calls/a.wav", "calls/b.mp3", "talks/c.mp3", "talks/notes.txt"):
        deployment.operator.cos.put(BUCKET, key, b"sound")
    return BUCKET


def load(folder: Path, text: str) -> RulesFile:
    (folder / "rules.yml").write_text(text, "utf-8")
    return load_rules_file(folder / "rules.yml")


def check(deployment: Deployment, rules: RulesFile | RulesError | None, **changed: str) -> Iterator[Finding]:
    manifest = deployment.manifest(**{"INPUT_BUCKETS": BUCKET, "INPUT_PREFIX": "", **changed})
    settings = load_function_settings(REGION, manifest.functions["callback"].variables)
    state = CurrentState(deployment.clients(), manifest, settings)
    return check_rules(CheckContext(state, "", Commands(), rules))


def test_failures_that_no_named_target_gets_are_noted(
    deployment: Deployment, bucket: str, tmp_path: Path
) -> None:
    only_done = frozenset({NoticeType.DONE})
    crm, wecom = build_target(name="webhook-crm", types=only_done), build_target(TargetKind.WECOM)
    file = load(
        tmp_path,
        "rules:\n- {match: calls/a.wav, notify: webhook-crm}\n- {match: calls/b.mp3, notify: [webhook-crm, wecom]}\n"
        "- {match: talks/, notify: no}\n",
    )
    manifest = deployment.manifest(INPUT_BUCKETS=bucket, INPUT_PREFIX="")
    settings = load_function_settings(REGION, manifest.functions["callback"].variables)
    state = CurrentState(deployment.clients(), manifest, replace(settings, targets=(crm, wecom)))
    assert list_notes(check_rules(CheckContext(state, "", Commands(), file))) == [
        (
            "rules.yml line 2",
            "no target gets the failures of these recordings: webhook-crm gets notices of transcripts only",
        )
    ]


def list_notes(findings: Iterator[Finding]) -> list[tuple[str, str]]:
    findings_by_status = list(findings)
    assert {finding.status for finding in findings_by_status} == {Status.NOTE}, findings_by_status
    assert all(finding.fix for finding in findings_by_status)
    return [(finding.subject, finding.message) for finding in findings_by_status]


def test_rules_that_all_have_an_effect_are_ok(deployment: Deployment, bucket: str, tmp_path: Path) -> None:
    rules = load(tmp_path, "rules:\n- {match: '*.mp3', title: x}\n- {match: calls/, title: y}\n")
    [finding] = check(deployment, rules)
    assert (finding.status, finding.message) == (Status.OK, "rules.yml: 2 rules; each of them has an effect")
    [finding] = check(deployment, None)
    assert (finding.status, finding.message) == (Status.OK, "there is no rules.yml")


def test_rule_that_later_ones_replace_is_named(deployment: Deployment, bucket: str, tmp_path: Path) -> None:
    rules = load(
        tmp_path,
        "rules:\n- {match: calls/*.wav, title: x, fillers: none}\n- {match: '*.wav', title: y}\n"
        "- {match: calls/, fillers: some}\n",
    )
    assert list_notes(check(deployment, rules)) == [
        (
            "rules.yml line 2",
            (
                "it has no effect: the rules in lines 3, 4 match the same recordings and set the same options, "
                "and the later rule wins"
            ),
        )
    ]


def test_rule_that_matches_no_recording_is_named(deployment: Deployment, bucket: str, tmp_path: Path) -> None:
    rules = load(tmp_path, "rules:\n- {match: cals/, title: x}\n- {match: notes.txt, title: x}\n")
    assert list_notes(check(deployment, rules)) == [
        ("rules.yml line 2", "cals/ matches none of the 3 recordings"),
        ("rules.yml line 3", "notes.txt matches none of the 3 recordings"),
    ]
    assert list_notes(check(deployment, rules, INPUT_PREFIX="calls/"))[0][1].endswith(
        "none of the 2 recordings"
    )
    # Of an empty bucket, and of one that does not exist, nothing can be said.
    deployment.operator.ensure_bucket(f"empty-{APPID}")
    for name in (f"empty-{APPID}", f"missing-{APPID}"):
        assert [finding.status for finding in check(deployment, rules, INPUT_BUCKETS=name)] == [Status.OK]


def test_only_the_first_thousand_objects_are_compared(
    deployment: Deployment, bucket: str, tmp_path: Path
) -> None:
    many = f"many-{APPID}"
    deployment.operator.ensure_bucket(many)
    for number in range(1001):
        deployment.operator.cos.put(many, f"{number:04}.mp3", b"")
    rules = load(tmp_path, "rules:\n- {match: 0999.mp3, title: x}\n- {match: 1000.mp3, title: x}\n")
    assert list_notes(check(deployment, rules, INPUT_BUCKETS=many)) == [
        ("rules.yml line 3", "1000.mp3 matches none of the first 1,000 recordings")
    ]


def test_rule_for_a_bucket_that_is_no_input_bucket_is_named(
    deployment: Deployment, bucket: str, tmp_path: Path
) -> None:
    rules = load(tmp_path, "rules:\n- {match: calls/, bucket: other-1250000000, title: x}\n")
    assert list_notes(check(deployment, rules)) == [
        (
            "rules.yml line 2",
            "it is for other-1250000000, not for a bucket of INPUT_BUCKETS, so it never applies",
        )
    ]


def test_engine_that_no_document_names_is_reported_once(
    deployment: Deployment, bucket: str, tmp_path: Path
) -> None:
    rules = load(tmp_path, "rules:\n- {match: '**', engine: 16k_xx}\n- {match: '*.mp3', title: x}\n")
    assert list_notes(check(deployment, rules)) == [
        (
            "rules.yml line 2",
            "engine is 16k_xx (rules.yml line 2): Tencent's documents of this API do not name this engine",
        )
    ]
    rules = load(tmp_path, "rules:\n- {match: '*.mp3', title: x}\n")
    assert [finding.status for finding in check(deployment, rules, ENGINE="16k_yy")] == [Status.OK]


def test_wrong_file_is_a_failure_that_skips_no_other_check(
    deployment: Deployment, bucket: str, tmp_path: Path
) -> None:
    with pytest.raises(RulesError) as caught:
        load(tmp_path, "rules:\n- {match: a**b, enigne: x}\n")
    manifest = deployment.manifest()
    settings = load_function_settings(REGION, manifest.functions["callback"].variables)
    state = CurrentState(deployment.clients(), manifest, settings)
    findings = list(run_checks(state, deployment.label, Commands(), caught.value))
    assert "did you mean engine?" in describe(findings, "rules")
    # Only hot words need the rules.
    assert {each.name for each in findings if each.status is Status.SKIPPED} <= {"hot-words"}


def test_doctor_reads_the_file_beside_serverless_yml(deployment: Deployment, tmp_path: Path) -> None:
    for name in ("serverless.yml", "handlers"):
        (tmp_path / name).symlink_to(ROOT / name)
    context = deployment.context()
    context = CliContext(tmp_path, context.env_file, context.environ, context.home)

    def run() -> dict[str, dict[str, str]]:
        output = io.StringIO()
        doctor(Console(file=output), context, as_json=True)
        return {finding["name"]: finding for finding in json.loads(output.getvalue())["findings"]}

    (tmp_path / "rules.yml").write_text(
        "rules:\n- {match: '**', title: x}\n- {match: '*', title: y}\n", "utf-8"
    )
    findings = run()
    assert findings["rules"]["status"] == "note"
    assert findings["package"]["status"] == "wrong"  # deployed without rules
    (tmp_path / "rules.yml").write_text("rules: [\n", "utf-8")
    findings = run()
    assert (findings["rules"]["status"], findings["package"]["status"]) == ("wrong", "skipped")
    assert findings["rules"]["message"].startswith(
        f"1 mistake in {tmp_path}/rules.yml:\n  rules.yml line 2: "
    )
    output = io.StringIO()
    doctor(Console(file=output, width=200), context, as_json=False)
    assert (
        f"rules: 1 mistake in {tmp_path}/rules.yml:\n  rules.yml line 2: it is not YAML" in output.getvalue()
    )
