from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Any

import pytest

from shared.options.check import MAX_FLASH_BYTES, check_options, warn_about_targets
from shared.options.combine import combine
from shared.options.engines import ENGINES
from shared.options.model import OPTIONS, Value
from shared.options.parse import Choice, parse_metadata, parse_values
from tests.helpers.option_cases import check, choose, parse_place
from tests.helpers.refused_options import REFUSED, RULE, RefusedCase

UNKNOWN = "Tencent's documents of this API do not name this engine"
UNSETTLED = "the documents do not say whether CI takes it"
FOR_MANDARIN = "the documents say that it is for Mandarin, not"


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: f"{case.values} {case.key} {case.size}")
def test_refused_combination_names_both_places_and_the_nearest_choice(case: RefusedCase) -> None:
    result = check(case.values, RULE, case.key, case.size)
    (refusal,) = [each for each in result.refusals if each.reason.startswith(case.reason)]
    assert refusal.places == (RULE, RULE)
    assert refusal.nearest == case.nearest
    assert "; the nearest choice: " in refusal.reason
    start = refusal.reason.partition(",")[0].replace(" is ", " 为 ", 1).replace(" (", "（").replace(")", "）")
    assert refusal.reason_zh.startswith(f"{start}，".replace("line 3", "第 3 行"))
    assert "；最接近的可用选择：" in refusal.reason_zh
    assert len(refusal.reason) <= 400
    # The nearest choice is no longer refused for this.
    chosen = choose(case.values, RULE)
    changes: dict[str, Any] = {OPTIONS[name].field: value for name, value in refusal.nearest.items()}
    changed = chosen._replace(options=chosen.options._replace(**changes))
    remaining = check_options(changed, case.key, case.size).refusals
    assert case.reason.partition(", ")[2] not in [each.reason.partition(", ")[2] for each in remaining]
    assert refusal not in remaining


def test_documented_combinations_are_all_in_the_table() -> None:
    """Each engine of the table: two channels, speakers and flash are refused exactly where the cases say so."""
    refused = {(case.values.get("engine"), case.names[0]) for case in REFUSED if case.names[1] == "engine"}
    for engine, (name, raw) in product(ENGINES, [("channels", 2), ("speakers", "auto"), ("flash", True)]):
        reasons = check({"engine": engine, name: raw}).refusals
        assert bool(reasons) == ((engine, name) in refused), (engine, name)


def test_two_places_are_named() -> None:
    chosen = combine(
        parse_place("settings", {"engine": "16k_en"}),
        parse_metadata({"channels": "2"}),
    )
    (refusal,) = check_options(chosen).refusals
    assert refusal.places == ("x-cos-meta-channels", "settings")
    assert refusal.reason == (
        "x-cos-meta-channels is 2, which needs the engine 8k_zh, not 16k_en (engine: settings); "
        "the nearest choice: channels 1"
    )
    assert refusal.reason_zh == (
        "x-cos-meta-channels 为 2，需要引擎 8k_zh，而不是 16k_en（engine：配置项）；最接近的可用选择：channels 1"
    )
    chosen = combine(parse_values("sidecar", {"template": "t1"}), parse_metadata({"scribe-flash": "yes"}))
    (refusal,) = check_options(chosen).refusals
    assert refusal.places == ("x-cos-meta-scribe-flash", "sidecar")


def test_following_the_nearest_choices_ends_with_a_valid_one() -> None:
    """Every combination of the options that can be refused; one change is made at a time."""
    values: Iterable[tuple[Value, ...]] = product(
        [*ENGINES, "16k_unknown"],
        [1, 2],
        ["", "auto", "3"],
        ["punctuation", "subtitles"],
        ["arabic", "math"],
        [0, 16],
        [False, True],
    )
    names = ("engine", "channels", "speakers", "words", "numbers", "line-length", "flash")
    count = 0
    for combination in values:
        chosen = combine({name: Choice(value, RULE) for name, value in zip(names, combination, strict=True)})
        for _ in range(6):
            refusals = check_options(chosen, "a.mp3", 9).refusals
            if not refusals:
                break
            changes: dict[str, Any] = {
                OPTIONS[name].field: value for name, value in refusals[0].nearest.items()
            }
            chosen = chosen._replace(options=chosen.options._replace(**changes))
        assert check_options(chosen, "a.mp3", 9).refusals == (), combination
        count += 1
    assert count == 16 * 96


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"engine": "8k_zh", "channels": 2},
        {"engine": "8k_zh", "channels": 2, "speaker-names": ["客服", "客户"]},
        {"speakers": "2", "speaker-names": ["客服", "客户"]},
        {"speakers": "auto", "speaker-names": "a,b,c"},
        {"engine": "8k_zh_s", "speaker-names": "a,b"},
        {"flash": True, "speakers": "auto", "line-length": 16},
        {"words": "subtitles", "line-length": 6},
        {"engine": "16k_zh-PY", "flash": True},
        {
            "template": "t1",
            "priority": 2,
            "title": "x",
            "formats": "txt",
            "notify": False,
            "speaker-names": "a,b",
        },
    ],
)
def test_valid_combination_has_no_refusal_and_no_warning(values: dict[str, Any]) -> None:
    assert check(values) == ((), ())


def test_name_that_is_no_target_is_a_warning_with_the_targets_that_there_are() -> None:
    chosen = choose({"notify": ["wecom", "wecom-b", "feishu-b"]}, "sidecar")
    assert warn_about_targets(chosen, ["feishu", "wecom"]) == (
        (
            "notify (sidecar): wecom-b, feishu-b are not targets, so the default targets get its notices; "
            "the targets are feishu, wecom"
        ),
    )
    (warning,) = warn_about_targets(choose({"notify": "wecom"}), [])
    assert warning.startswith("notify (rules.yml line 3): wecom is not a target, so")
    assert warning.endswith("; no target is set (NOTIFY_...)")


@pytest.mark.parametrize("value", ["yes", "no", "wecom", ["wecom", "feishu"]])
def test_names_of_targets_have_no_warning(value: Any) -> None:
    assert warn_about_targets(choose({"notify": value}), ["feishu", "wecom"]) == ()


def test_flash_without_a_key_is_not_checked_for_its_file() -> None:
    assert check_options(choose({"flash": True})).refusals == ()
    assert check({"flash": True}, size=MAX_FLASH_BYTES).refusals == ()


@pytest.mark.parametrize(
    ("values", "warning"),
    [
        ({"engine": "16k_new"}, f"engine is 16k_new ({RULE}): {UNKNOWN}"),
        ({"engine": "8k_new", "channels": 2}, f"engine is 8k_new ({RULE}): {UNKNOWN}"),
        ({"engine": "16k_new", "speakers": 2}, "do not name this engine"),
        ({"engine": "16k_new", "flash": True}, "do not name this engine"),
        ({"engine": "8k_en", "channels": 2}, f"channels is 2 ({RULE}): for 8k_en, {UNSETTLED}"),
        (
            {"engine": "16k_ms"},
            f"engine is 16k_ms ({RULE}): the documents name this engine for flash recognition only",
        ),
        ({"engine": "16k_zh-PY"}, "for flash recognition only"),
        ({"engine": "16k_en", "fillers": "some"}, f"fillers is some ({RULE}): {FOR_MANDARIN} 16k_en"),
        ({"engine": "16k_ja", "punctuation": "none"}, "for Mandarin, not 16k_ja"),
        ({"engine": "16k_ja", "dirty-words": "mask"}, "dirty-words is mask"),
        ({"engine": "16k_en", "flash": True, "line-length": 40}, "line-length is 40"),
        (
            {"speaker-names": "a,b"},
            f"speaker-names ({RULE}) has no effect: neither speakers nor channels separates",
        ),
        ({"speakers": 2, "speaker-names": "a,b,c"}, f"speaker-names ({RULE}) has 3 names for 2 voices"),
        ({"engine": "8k_zh", "channels": 2, "speaker-names": "a,b,c"}, "has 3 names for 2 voices"),
    ],
)
def test_what_the_documents_do_not_settle_passes_with_a_warning(values: dict[str, Any], warning: str) -> None:
    result = check(values, RULE)
    assert result.refusals == ()
    (text,) = result.warnings
    assert warning in text
