"""`scribe notify` in Chinese: no English sentence is left, but what a target answered."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from cli.config import CliContext
from cli.notices import command
from cli.notices.probe import ProbeResult, advise
from cli.notices.states import TargetNotices
from cli.output import SafeConsole
from shared.notices.delivery import TargetState
from shared.notices.models import Outcome, OutcomeKind, Target
from shared.notices.wecom import _ANSWERS as WECOM
from tests.helpers.chinese import list_english, list_translations, speak_chinese
from tests.helpers.notices import build_target

NOW_S = 1_794_300_000.0
TARGET = build_target()
STATES = (
    TargetNotices(),
    TargetNotices(2, is_complete=False, oldest_s=NOW_S),
    TargetNotices(1, state=TargetState(failures_in_row=3, reason="status 500")),
    TargetNotices(1, state=TargetState(failures_in_row=1, paused_until_s=NOW_S + 60, reason="status 429")),
    TargetNotices(state=TargetState(given_up=3, stopped_fingerprint=TARGET.fingerprint, reason="status 410")),
)
REASONS = (
    *("code 12345: no", "status 307", "status 401", "status 404", "status 410", "status 422", "status 503"),
    *("the response is not that of a WeCom robot", "10.0.0.8 is not a public one", "gaierror", "timed out"),
    *("the address does not begin with https", "certificate", "refused", "else"),
    *(f"code {code}: no ({hint})" for code, hint in WECOM.hints.items()),
)


@pytest.mark.parametrize("notices", [None, *STATES])
def test_state_of_a_target(notices: TargetNotices | None) -> None:
    known = None if notices is None else {TARGET.name: notices}
    output = io.StringIO()
    context = CliContext(Path(), Path(".env"), {}, Path())
    with speak_chinese():
        document = command.describe_target(TARGET, known, NOW_S)
        command._print_target(SafeConsole(file=output, width=80), context, TARGET, document)
    assert "状态：" in output.getvalue()
    assert list_english(output.getvalue(), "scribe notify --reset") == []


@pytest.mark.parametrize("reason", REASONS)
def test_advice(reason: str) -> None:
    outcome = Outcome(OutcomeKind.FAILED, reason)
    output = io.StringIO()
    with speak_chinese():
        command._print_result(SafeConsole(file=output, width=80), build_result(TARGET, outcome))
        assert f"处理办法：{advise(TARGET, outcome)}" in output.getvalue()
    assert list_english(output.getvalue(), reason) == []


def test_no_translation_has_an_english_sentence() -> None:
    assert list_english(list_translations("notices")) == []


def build_result(target: Target, outcome: Outcome) -> ProbeResult:
    return ProbeResult(target, "msg_1", outcome, 0.5)
