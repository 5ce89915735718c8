from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest

from shared.options.combine import combine
from shared.options.model import OPTIONS, RecordingOptions
from tests.helpers.option_cases import PAIRS, parse_place

PLACES = ("settings", "rules.yml line 3", "rules.yml line 9", "metadata", "sidecar")  # the farthest first


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize(("farther", "nearer"), list(combinations(PLACES, 2)))
def test_nearer_place_wins(farther: str, nearer: str, name: str) -> None:
    for far, near in (PAIRS[name], PAIRS[name][::-1]):
        chosen = combine(
            *(
                parse_place(place, case_values(place, case))
                for place, case in ((farther, far), (nearer, near))
            )
        )
        assert getattr(chosen.options, OPTIONS[name].field) == near.value
        assert chosen.sources[name] == source_for(nearer, name)
        assert {source for other, source in chosen.sources.items() if other != name} == {"default"}


def case_values(place: str, case: Any) -> dict[str, Any]:
    return {case.name: case.text if place == "metadata" else case.json}


def source_for(place: str, name: str) -> str:
    return f"x-cos-meta-scribe-{name}" if place == "metadata" else place


def test_places_meet_name_by_name() -> None:
    chosen = combine(
        parse_place("settings", {"engine": "16k_zh", "formats": "json,txt"}),
        parse_place(
            "rules.yml line 3", {"engine": "8k_zh", "channels": 2, "fillers": "some", "hot-words": "a"}
        ),
        parse_place("rules.yml line 9", {"fillers": "none", "hot-words": "b"}),
        parse_place("metadata", {"title": "周会", "formats": "txt"}),
        parse_place("sidecar", {"title": "月会", "speaker-names": ["客服", "客户"]}),
    )
    assert chosen.options == RecordingOptions(
        engine="8k_zh",
        channels=2,
        fillers="none",
        hot_words="b",
        formats=("txt",),
        title="月会",
        speaker_names=("客服", "客户"),
    )
    assert {name: source for name, source in chosen.sources.items() if source != "default"} == {
        "engine": "rules.yml line 3",
        "channels": "rules.yml line 3",
        "fillers": "rules.yml line 9",
        "hot-words": "rules.yml line 9",
        "formats": "x-cos-meta-scribe-formats",
        "title": "sidecar",
        "speaker-names": "sidecar",
    }


def test_without_places_everything_is_the_default() -> None:
    chosen = combine()
    assert chosen.options == RecordingOptions()
    assert chosen.sources == dict.fromkeys(OPTIONS, "default")
    assert combine({}, {}) == chosen
