"""rules.yml on this machine: `scribe demo FILE` and `scribe local` use it, the samples do not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.local.rules import describe_rules, with_rule_formats
from cli.local.samples import Upload
from cli.rules.loader import load_rules_file
from tests.helpers.checkout import ROOT, copy_checkout

RULES = """\
rules:
- match: "*.wav"
  engine: 16k_zh
  title: 周会
- match: calls/
  bucket: calls-1250000000
  engine: 8k_zh
- match: short/
  formats: txt
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of its own, because the commands read rules.yml in theirs."""
    folder = copy_checkout(tmp_path / "checkout")
    (folder / "rules.yml").write_text(RULES, "utf-8")
    return folder


def run_demo(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli.main", "demo", *words],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.process
def test_own_recordings_are_transcribed_by_the_rules(checkout: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    for key in ("a.wav", "short/b.wav"):
        (own / key).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / "samples/welcome.wav", own / key)
        (own / f"{key}.transcript.txt").write_text("words of a text\n", "utf-8")
    done = run_demo(checkout, str(own), "--results", str(tmp_path / "results"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"rules.yml: 3 rules, from {checkout}/rules.yml\n" in done.stdout
    assert (
        "rules.yml line 5 does not apply here: it is for calls-1250000000, not recordings-1250000000\n"
        in done.stdout
    )
    results = tmp_path / "results/transcripts"
    document = json.loads((results / "a.wav.json").read_text("utf-8"))
    assert (document["engine"], document["title"]) == ("16k_zh", "周会")
    assert document["options"]["title"] == {"value": "周会", "source": "rules.yml line 2"}
    assert [path.name for path in (results / "short").iterdir()] == ["b.wav.txt"]
    assert "周会" in (results / "short/b.wav.txt").read_text("utf-8")


@pytest.mark.process
def test_wrong_rules_stop_the_demo_before_it_starts(checkout: Path, tmp_path: Path) -> None:
    (checkout / "rules.yml").write_text("rules:\n- match: a**b\n  enigne: x\n", "utf-8")
    done = run_demo(checkout, str(ROOT / "samples/welcome.wav"), "--results", str(tmp_path / "results"))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"scribe: 2 mistakes in {checkout}/rules.yml:",
        "  rules.yml line 2: the pattern 'a**b' has `**` beside something else; write it between slashes",
        "  rules.yml line 3: 'enigne' is not a name in a rule; did you mean engine?",
    ]
    assert "Local cloud" not in done.stdout


@pytest.mark.process
def test_samples_are_transcribed_without_the_rules(checkout: Path, tmp_path: Path) -> None:
    (checkout / "rules.yml").write_text("rules: [", "utf-8")
    done = run_demo(checkout, "--results", str(tmp_path / "results"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rules.yml" not in done.stdout
    assert "All expected words and files are there." in done.stdout


def test_rules_choose_which_files_are_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "rules.yml"
    path.write_text(RULES + "- match: short/long/\n  formats: [json, vtt]\n", "utf-8")
    rules = load_rules_file(path)
    expected = {"a.wav": 5, "short/b.mp3": 1, "short/long/c.mp3": 2}
    for key, count in expected.items():
        assert len(with_rule_formats(Upload(path, key), rules).formats) == count
        assert len(with_rule_formats(Upload(path, key), None).formats) == 5
    assert list(describe_rules(None)) == []
