"""Every option from every place, every pair of places, and every refused combination, down to the XML that CI gets."""

from __future__ import annotations

import json
import tempfile
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pytest
import xmltodict

from shared.errors import SettingsError
from shared.options.check import describe_source
from shared.options.model import OPTIONS
from shared.recordings.models import Status
from shared.settings import load_settings
from shared.tencent.speech_models import JobRequest
from shared.tencent.speech_xml import build_submit_body
from tests.helpers.fake_cloud import INPUT_BUCKET
from tests.helpers.in_memory_pipeline import InMemoryPipeline
from tests.helpers.option_cases import CASES, PAIRS, OptionCase
from tests.helpers.refused_options import REFUSED, RefusedCase

A = b"words of the recording"
PLACES = ("settings", "rules", "later rule", "metadata", "sidecar")  # the farthest first
LINES = {"rules": 3, "later rule": 9}
UPLOADERS = ("metadata", "sidecar")


class Choices:
    """What each place sets, by place, with the values as that place has them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.monkeypatch = monkeypatch
        self.places: dict[str, dict[str, Any]] = {place: {} for place in PLACES}

    def set(self, place: str, name: str, text: str, value: Any) -> None:
        if place == "settings" and isinstance(value, list):
            text = ",".join(value)  # as FORMATS has it
        self.places[place][name] = value if place in {*LINES, "sidecar"} else text

    def start(self, key: str, size: int | None = None) -> InMemoryPipeline:
        """Upload a recording with these options into a deployment with them; its event is not handled yet."""
        pipeline = InMemoryPipeline(**self._load_settings())
        if self.places["sidecar"]:
            pipeline.upload(f"{key}.scribe.json", json.dumps(self.places["sidecar"]).encode())
        metadata = {f"scribe-{name}": text for name, text in self.places["metadata"].items()}
        pipeline.cloud.put_object(INPUT_BUCKET, key, A, metadata, size=size)
        return pipeline

    def _load_settings(self) -> dict[str, Any]:
        texts = dict(self.places["settings"])
        environ = {
            "INPUT_BUCKETS": INPUT_BUCKET,
            "CALLBACK_TOKEN": "an-example-to-replace",
            "REGION": "ap-x1",
        }
        for name in ("engine", "formats"):
            environ[name.upper()] = texts.pop(name, "")
        environ["OPTIONS"] = "; ".join(f"{name}={text}" for name, text in texts.items())
        loaded = load_settings(environ)
        self._write_rules()
        return {
            "engine": loaded.engine,
            "formats": loaded.formats,
            "options": loaded.options,
            "input_extensions": ("*",),
        }

    def _write_rules(self) -> None:
        rules = [
            {"line": line, "match": ["**"], "buckets": [], "options": self.places[place]}
            for place, line in LINES.items()
            if self.places[place]
        ]
        package = tempfile.mkdtemp(dir=self.folder)  # one for each deployment
        path = Path(package) / "rules.json"
        if rules:
            path.write_text(json.dumps({"version": 1, "rules": rules}), "utf-8")
        self.monkeypatch.setattr("shared.recordings.options.PACKAGE_RULES", path)


@pytest.fixture
def choices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Choices:
    return Choices(tmp_path, monkeypatch)


def name_source(place: str, name: str, key: str) -> str:
    if place == "metadata":
        return f"x-cos-meta-scribe-{name}"
    if place == "sidecar":
        return f"{key.rpartition('/')[2]}.scribe.json"
    return f"rules.yml line {LINES[place]}" if place in LINES else "settings"


def parse_operation(request: JobRequest) -> dict[str, Any]:
    operation: dict[str, Any] = xmltodict.parse(build_submit_body(request))["Request"]["Operation"]
    del operation["Output"], operation["UserData"]
    return operation


def assert_job(pipeline: InMemoryPipeline, case: OptionCase) -> None:
    (request,) = pipeline.cloud.job_requests
    operation = parse_operation(request)
    assert operation.pop("SpeechRecognition", None) == case.speech
    assert operation == case.operation


def set_case(choices: Choices, place: str, case: OptionCase) -> None:
    for name, value in case.beside.items():
        choices.set(place, name, str(value), value)
    choices.set(place, case.name, case.text, case.json)


def has_semicolon_in_settings(place: str, case: OptionCase) -> bool:
    return place == "settings" and ";" in case.text  # it separates the options there


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}={case.text}")
@pytest.mark.parametrize("place", PLACES)
def test_every_option_of_every_place_reaches_the_job(choices: Choices, place: str, case: OptionCase) -> None:
    if has_semicolon_in_settings(place, case):
        pytest.skip("`;` separates options in the setting")
    set_case(choices, place, case)
    pipeline = choices.start(case.key)
    assert pipeline.ingest(case.key).status is Status.SUBMITTED
    assert_job(pipeline, case)
    receipt = pipeline.get_open()
    if (place, case.name) != (
        "settings",
        "formats",
    ):  # those of the settings may change until they are written
        assert getattr(receipt.recording_options, OPTIONS[case.name].field) == case.value
    source = name_source(place, case.name, case.key)
    assert receipt.sources.get(case.name, "settings") == source
    pipeline.run_and_notify()
    formats = case.value if case.name == "formats" else ("json", "txt", "srt", "vtt", "html")
    assert isinstance(formats, tuple)
    written = [key.removeprefix(f"transcripts/{case.key}.") for key in pipeline.list_keys("transcripts/")]
    assert sorted(written) == sorted(formats)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize(("farther", "nearer"), list(combinations(PLACES, 2)))
def test_nearer_place_wins_in_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, farther: str, nearer: str, name: str
) -> None:
    for far, near in (PAIRS[name], PAIRS[name][::-1]):
        choices = Choices(tmp_path, monkeypatch)
        needed = {**far.beside, **near.beside}
        for needed_name, value in needed.items():
            choices.set(nearer, needed_name, str(value), value)
            choices.set(farther, needed_name, str(value), value)
        choices.set(farther, name, far.text.replace(";", ""), far.json)
        choices.set(nearer, name, near.text.replace(";", ""), near.json)
        pipeline = choices.start(near.key)
        assert pipeline.ingest(near.key).status is Status.SUBMITTED
        receipt = pipeline.get_open()
        assert getattr(receipt.recording_options, OPTIONS[name].field) == near.value
        assert receipt.sources[name] == name_source(nearer, name, near.key)
        if not far.beside and not near.beside:
            assert_job(pipeline, near)


# `hot-words` is the operator's; a rule or the settings may set it, and nothing of the job changes by its name alone.
@pytest.mark.parametrize("place", PLACES)
def test_hot_words_are_the_operators(choices: Choices, place: str) -> None:
    choices.set(place, "hot-words", "calls.txt", "calls.txt")
    pipeline = choices.start("a.mp3")
    is_refused = pipeline.ingest("a.mp3").status is Status.FAILED
    assert is_refused is (place in UPLOADERS)
    if is_refused:
        message = (pipeline.get_error("a.mp3") or {})["message"]
        assert f"hot-words cannot be set by {name_source(place, 'hot-words', 'a.mp3')}" in message
        assert pipeline.count_jobs() == 0
    else:
        assert pipeline.get_open().recording_options.hot_words == "calls.txt"


def as_text(value: Any) -> str:
    return "yes" if value is True else str(value)


@pytest.mark.parametrize(("first", "second"), list(product(PLACES, PLACES)))
def test_refused_combinations_submit_nothing_and_name_both_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str, second: str
) -> None:
    """One option in the first place, those that it does not go with in the second."""
    outcomes = []
    for number, case in enumerate(REFUSED):
        name, other = case.names
        if name == other and first != second:
            continue
        folder = tmp_path / str(number)
        folder.mkdir()
        choices = Choices(folder, monkeypatch)
        for each, value in case.values.items():
            choices.set(first if each == name else second, each, as_text(value), value)
        outcomes.append(check_refused(choices, case, first, second))
    assert set(outcomes) <= {"refused", "settings wrong", "submitted"}
    # Many are refused for the recording; what is wrong in the settings alone already stops the function.
    expected = "settings wrong" if first == second == "settings" else "refused"
    assert outcomes.count(expected) > len(outcomes) / 3, outcomes


def check_refused(choices: Choices, case: RefusedCase, first: str, second: str) -> str:
    name, other = case.names
    try:
        pipeline = choices.start(case.key, case.size)
    except SettingsError as mistakes:
        is_expected = "settings" in {first, second} and "OPTIONS cannot be used: " in str(mistakes)
        return "settings wrong" if is_expected else str(mistakes)
    status = pipeline.ingest(case.key).status
    if "template" in case.values and first == "settings":
        # A template replaces what the settings have for all other recordings.
        assert status is Status.SUBMITTED
        return "submitted"
    assert status is Status.FAILED, case
    assert pipeline.count_jobs() == 0
    places = {name_source(first, name, case.key)}
    if other != name and not (name == "hot-words" and first in UPLOADERS):  # refused by itself
        places.add(name_source(second, other, case.key) if other in case.values else "default")
    error = pipeline.get_error(case.key) or {}
    assert [place for place in places if place not in error["message"]] == [], error
    chinese = [describe_source(place).chinese for place in places]
    assert [place for place in chinese if place not in error["message_zh"]] == [], error
    assert pipeline.list_keys("transcripts/") == [f"transcripts/{case.key}.error.json"]
    return "refused"
