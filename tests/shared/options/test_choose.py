"""All places together, as the functions and the command line choose."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.options.choose import choose_options, is_uploaders_source, select_sources, settings_choices
from shared.options.model import InvalidOption, RecordingOptions
from shared.options.parse import Choice
from shared.options.rules import Rule, parse_rules
from shared.settings import Settings, load_settings

BUCKET, KEY = "calls-1250000000", "calls/a.mp3"


def load(**environ: str) -> Settings:
    minimum = {"INPUT_BUCKETS": BUCKET, "CALLBACK_TOKEN": "an-example-to-replace", "REGION": "ap-chengdu"}
    return load_settings({**minimum, **environ})


def build_rules(*rules: tuple[str, dict[str, Any]]) -> tuple[Rule, ...]:
    return parse_rules(
        {
            "version": 1,
            "rules": [
                {"line": 3 + 5 * index, "match": [pattern], "buckets": [], "options": options}
                for index, (pattern, options) in enumerate(rules)
            ],
        }
    )


def test_five_places_in_their_order() -> None:
    settings = load(ENGINE="16k_en", FORMATS="txt,json", OPTIONS="words=none; fillers=some; priority=1")
    rules = build_rules(
        ("calls/", {"engine": "8k_zh", "fillers": "none", "numbers": "math"}),
        ("other/", {"engine": "16k_ca"}),
        ("*.mp3", {"numbers": "chinese", "title": "a"}),
    )
    sidecar = json.dumps({"title": "c", "speaker-names": ["客服"]}).encode()
    chosen = choose_options(settings, rules, BUCKET, KEY, {"scribe-title": "b", "channels": "2"}, sidecar)
    assert chosen.options == RecordingOptions(
        engine="8k_zh",
        channels=2,
        words="none",
        fillers="none",
        numbers="chinese",
        priority=1,
        formats=("txt", "json"),
        title="c",
        speaker_names=("客服",),
    )
    assert {name: place for name, place in chosen.sources.items() if place != "default"} == {
        "engine": "rules.yml line 3",
        "formats": "settings",
        "words": "settings",
        "priority": "settings",
        "fillers": "rules.yml line 3",
        "numbers": "rules.yml line 13",
        "channels": "x-cos-meta-channels",
        "title": "a.mp3.scribe.json",
        "speaker-names": "a.mp3.scribe.json",
    }
    assert set(select_sources(chosen)) == {
        "engine", "fillers", "numbers", "channels", "title", "speaker-names",
    }  # fmt: skip


def test_settings_alone() -> None:
    settings = load(ENGINE="16k_ca")
    chosen = choose_options(settings, (), BUCKET, KEY, {})
    assert chosen.options == RecordingOptions("16k_ca")
    assert select_sources(chosen) == {}
    assert settings_choices(settings) == {
        "engine": Choice("16k_ca", "settings"),
        "formats": Choice(("json", "txt", "srt", "vtt", "html"), "settings"),
    }


def test_wrong_places_name_themselves() -> None:
    for metadata, sidecar, place in (
        ({"scribe-words": "all"}, None, "x-cos-meta-scribe-words"),
        ({}, b"{", "a.mp3.scribe.json"),
    ):
        with pytest.raises(InvalidOption, match=place):
            choose_options(load(), (), BUCKET, KEY, metadata, sidecar)


def test_only_metadata_and_sidecars_are_the_uploaders() -> None:
    places = (
        "default",
        "settings",
        "rules.yml line 3",
        "x-cos-meta-engine",
        "x-cos-meta-scribe-engine",
        "a.scribe.json",
    )
    assert [place for place in places if is_uploaders_source(place)] == list(places[3:])
