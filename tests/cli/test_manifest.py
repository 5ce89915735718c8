"""Every mistake in serverless.yml, or in the choices that fill it, is told in words before anything is deployed."""

from __future__ import annotations

import copy
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.manifest.errors import ManifestError
from cli.manifest.loader import load_manifest
from cli.manifest.models import Manifest

ROOT = Path(__file__).resolve().parents[2]
RAW = (ROOT / "serverless.yml").read_text("utf-8")
DOCUMENT: Any = yaml.safe_load(RAW)
TOKEN = "made-up-token-0001"
CHOICES = {
    "SCRIBE_STAGE": "prod",
    "SCF_ROLE_NAME": "scribe-prod",
    "REGION": "ap-chengdu",
    "INPUT_BUCKETS": "media-1250000000",
    "CALLBACK_TOKEN": TOKEN,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout in which serverless.yml may be broken."""
    made = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "handlers", made / "handlers", ignore=shutil.ignore_patterns("__pycache__"))
    return made


def read(folder: Path, text: str = RAW, **choices: str) -> Manifest:
    (folder / "serverless.yml").write_text(text, "utf-8")
    return load_manifest(folder, {**CHOICES, **choices})


def mistakes_of(folder: Path, text: str = RAW, **choices: str) -> tuple[str, ...]:
    with pytest.raises(ManifestError) as caught:
        read(folder, text, **choices)
    assert all(mistake in str(caught.value) for mistake in caught.value.mistakes)
    assert TOKEN not in str(caught.value)
    return caught.value.mistakes


def changed(old: str, new: str) -> str:
    assert old in RAW
    return RAW.replace(old, new, 1)


# What is written instead of what, and what the one message must hold.
BROKEN = {
    "two components": ("component: multi-scf", "component: scf", "component is 'scf'; write multi-scf"),
    "an older Python": ("Python3.10", "Python3.9", "inputs.runtime is 'Python3.9'; write Python3.10"),
    "memory off its steps": (
        "memorySize: 128",
        "memorySize: 200",
        "inputs.memorySize is 200; write 64, or a multiple",
    ),
    "a run of an hour": ("timeout: 600", "timeout: 3600", "functions.sweep.timeout is 3600; write 1 to 900"),
    "text for a number": (
        "timeout: 600",
        "timeout: '600'",
        "functions.sweep.timeout is '600'; write 1 to 900",
    ),
    "no time to start": ("initTimeout: 15", "initTimeout: 2", "inputs.initTimeout is 2; write 3 to 300"),
    "a misspelt setting": ("memorySize: 128", "memorysize: 128", "inputs.memorysize is no setting that"),
    "settings as a map": (
        "  environments:  ",
        "  environment:  ",
        "is no setting that `scribe deploy` knows",
    ),
    "a reserved name": (
        "key: ENGINE",
        "key: SCF_ENGINE",
        "environments[4].key is 'SCF_ENGINE'; write 2 to 64",
    ),
    "the stand-in deployed": (
        "key: ENGINE",
        "key: CLOUD_ENDPOINT",
        "CLOUD_ENDPOINT, which is for this machine only",
    ),
    "a variable twice": ("key: ENGINE", "key: FORMATS", "FORMATS a second time"),
    "a number as a value": (
        "value: '${env:ENGINE}'",
        "value: 16",
        "value is no text but a int; write text in quotes",
    ),
    "keys in the package": ("'.env*', ", "", "write a list of what stays out, with '.env*' in it"),
    "a missing module": ("handler: upload.", "handler: uplaod.", "there is no "),
    "a missing function": ("upload.main_handler", "upload.handle", "upload.py defines no handle"),
    "no dot": ("upload.main_handler", "main_handler", "is 'main_handler'; write module.function"),
    "no role": (
        "      role: ${env:SCF_ROLE_NAME}-sweep\n",
        "",
        "sweep.role is missing; write ${env:SCF_ROLE_NAME}-sweep",
    ),
    "a long upload": (
        "-upload\n",
        "-upload\n      timeout: 120\n",
        "upload.timeout is 120; write less than 120",
    ),
    "another function": (
        "function: callback",
        "function: notify",
        "triggers[1].function is 'notify'; write one of upload",
    ),
    "an unknown trigger": (
        "type: http",
        "type: apigw",
        "triggers[1].type is 'apigw'; write cos, http or timer",
    ),
    "a trigger without enable": (
        "audit\n        enable: true",
        "audit",
        "triggers[3].parameters.enable is missing; write true",
    ),
    "a closed trigger": (
        "audit\n        enable: true",
        "audit\n        enable: false",
        "enable is False; write true",
    ),
    "the latest version": ("$DEFAULT", "$LATEST", "qualifier is '$LATEST'; write $DEFAULT"),
    "a private address": (
        "enableExtranet: true",
        "enableExtranet: false",
        "enableExtranet is False; write true",
    ),
    "a signed address": ("authType: NONE", "authType: CAM", "authType is 'CAM'; write NONE"),
    "a bucket's short name": (
        "${env:INPUT_BUCKETS}.cos.${env:REGION}.myqcloud.com",
        "media",
        "write the bucket's host",
    ),
    "another region": (
        "cos.${env:REGION}",
        "cos.ap-beijing",
        "lies in ap-beijing, but the functions run in ap-chengdu",
    ),
    "deletions": (
        "cos:ObjectCreated:*",
        "cos:ObjectRemove:*",
        "events is 'cos:ObjectRemove:*'; write 'cos:ObjectCreated:*'",
    ),
    "a suffix without a dot": (
        "'${env:INPUT_PREFIX}' }\n        ",
        "'', suffix: mp3 }\n        ",
        "suffix is 'mp3'; write an ending",
    ),
    "a wildcard": (
        "prefix: '${env:INPUT_PREFIX}'",
        "prefix: 'calls/*'",
        "prefix is 'calls/*'; write the text",
    ),
    "a prefix of its own": (
        "prefix: '${env:INPUT_PREFIX}'",
        "prefix: calls/",
        "begin with 'calls/', but INPUT_PREFIX is ''",
    ),
    "five fields": ("'0 */5 * * * * *'", "'*/5 * * * *'", "has 5 fields; write seven"),
    "minute 60": (
        "'0 */5 * * * * *'",
        "'0 60 * * * * *'",
        "has '60' as its minute; write * or numbers from 0 to 59",
    ),
    "a step of nothing": ("'0 */5 * * * * *'", "'0 */0 * * * * *'", "has '*/0' as its minute"),
    "another argument": (
        "argument: audit",
        "argument: clean",
        "argument is 'clean'; write reconcile or audit",
    ),
    "a timer's name twice": ("name: audit", "name: reconcile", "hold two timers called reconcile"),
    "a form of its own": ("'${env:ENGINE}'", "'${env.ENGINE}'", "holds ${env.ENGINE}; write ${env:NAME}"),
    "a key twice": ("  type: event\n", "  type: event\n  type: event\n", "line 13: type is there twice"),
    "no list": (
        "  tags:\n    - { key: app, value: scribe }",
        "  tags: scribe",
        "inputs.tags is 'scribe'; write a list",
    ),
    "a tag key of the platform's": (
        "{ key: app, value: scribe }",
        "{ key: project, value: scribe }",
        "inputs.tags[0].key is 'project'; write 1 to 127 characters in quotes that do not begin with qcs:,",
    ),
    "a tag key in the platform's words": (
        "{ key: app, value: scribe }",
        "{ key: 项目一, value: scribe }",
        "key is '项目一'; write",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_mistake_is_told_with_its_place_and_what_to_write(case: str, folder: Path) -> None:
    old, new, told = BROKEN[case]
    found = mistakes_of(folder, changed(old, new))
    assert any(told in mistake for mistake in found), found
    assert len(found) <= 2, found  # what follows from it, but no flood


@pytest.mark.parametrize(
    ("choices", "told"),
    [
        ({"REGION": ""}, "REGION is not set, which "),
        ({"INPUT_BUCKETS": ""}, "INPUT_BUCKETS is not set, which inputs.triggers[0].parameters.bucket"),
        ({"CALLBACK_TOKEN": ""}, "CALLBACK_TOKEN is missing: write it into .env"),
        ({"CALLBACK_TOKEN": "made-up"}, "CALLBACK_TOKEN holds a token of 7 characters"),
        ({"ENGINE": "undefined"}, "ENGINE was not set when"),
        ({"ENGINE": "16k zh", "FORMATS": "pdf"}, "FORMATS names 'pdf'"),
        ({"SCRIBE_STAGE": "a stage"}, "stage is 'a stage'; write letters"),
        ({"SCRIBE_STAGE": "a" * 40}, "SCF takes 60: choose a shorter SCRIBE_STAGE"),
        ({"INPUT_PREFIX": "transcripts/in/"}, "lies inside OUTPUT_PREFIX"),
        ({"INPUT_BUCKETS": "media-1250000000,media-1250000001"}, "more than one account"),
        ({"INPUT_BUCKETS": ",".join(f"media-{n:03}-1250000000" for n in range(230))}, "SCF takes 4096"),
    ],
)
def test_a_choice_that_cannot_work_is_told(choices: dict[str, str], told: str, folder: Path) -> None:
    found = mistakes_of(folder, **choices)
    assert any(told in mistake for mistake in found), found


def test_all_mistakes_are_told_at_once_the_missing_choices_first(folder: Path) -> None:
    text = changed("timeout: 600", "timeout: 3600").replace("argument: audit", "argument: clean")
    found = mistakes_of(
        folder, text.replace("upload.main_handler", "upload.handle"), REGION="", ENGINE="16k zh"
    )
    assert found[0].startswith("REGION is not set")
    for told in ("3600", "'clean'", "'16k zh'"):
        assert any(told in mistake for mistake in found), found
    lines = [int(told[1]) for told in (re.match(r"line (\d+):", mistake) for mistake in found) if told]
    assert lines == sorted(lines)


def test_a_mistake_names_its_line(folder: Path) -> None:
    (mistake,) = mistakes_of(folder, changed("timeout: 600", "timeout: 3600"))
    line = int(re.match(r"line (\d+):", mistake)[1])  # type: ignore[index]
    assert RAW.splitlines()[line - 1].strip() == "timeout: 600"


def test_a_token_where_it_does_not_belong_is_not_quoted(folder: Path) -> None:
    (mistake,) = mistakes_of(folder, changed("argument: audit", "argument: '${env:CALLBACK_TOKEN}'"))
    assert "argument is '***'" in mistake


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "it is empty"),
        ("- a\n", "it holds no map"),
        ("app: [\n", "it is not YAML"),
        ("app: scribe\n", "inputs is missing"),
        ("inputs: []\n", "inputs is an empty list; write the settings"),
    ],
)
def test_a_file_that_is_something_else_is_told(text: str, told: str, folder: Path) -> None:
    assert any(told in mistake for mistake in mistakes_of(folder, text))


def test_a_folder_without_the_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="there is no such file"):
        load_manifest(tmp_path, CHOICES)


def test_each_of_several_input_buckets_gets_a_trigger(folder: Path) -> None:
    wanted = read(
        folder, INPUT_BUCKETS="media-1250000000, calls-1250000000,media-1250000000", INPUT_PREFIX="in/"
    )
    rules = wanted.triggers_of("upload")
    assert [rule.name for rule in rules] == [
        "media-1250000000.cos.ap-chengdu.myqcloud.com",
        "calls-1250000000.cos.ap-chengdu.myqcloud.com",
    ]
    rule = {"event": "cos:ObjectCreated:*", "filter": {"Prefix": "in/", "Suffix": ""}}
    assert [json.loads(each.description) for each in rules] == [rule, rule]


def test_a_bucket_without_a_trigger_and_a_trigger_without_a_bucket_are_told(folder: Path) -> None:
    found = mistakes_of(folder, changed("bucket: ${env:INPUT_BUCKETS}", "bucket: calls-1250000000"))
    assert any(mistake.startswith("INPUT_BUCKETS names media-1250000000, but no cos") for mistake in found)
    assert any(
        "waits for uploads to calls-1250000000, which INPUT_BUCKETS does not" in each for each in found
    )


def test_two_rules_for_the_same_uploads_are_told_and_two_for_different_ones_are_not(folder: Path) -> None:
    document = copy.deepcopy(DOCUMENT)
    triggers = document["inputs"]["triggers"]
    triggers.append(copy.deepcopy(triggers[0]))
    assert any(
        "two rules for the same uploads to media-1250000000" in each
        for each in mistakes_of(folder, yaml.dump(document))
    )
    for trigger, ending in ((triggers[0], ".mp3"), (triggers[-1], ".wav")):
        trigger["parameters"]["filter"]["suffix"] = ending
    assert len(read(folder, yaml.dump(document)).triggers_of("upload")) == 2


def test_what_a_choice_holds_is_never_read_as_a_variable(folder: Path) -> None:
    wanted = read(folder, INPUT_PREFIX="a${env:REGION}${name}/")
    assert wanted.functions["upload"].variables["INPUT_PREFIX"] == "a${env:REGION}${name}/"


@pytest.mark.parametrize(
    "expression",
    [
        "* * * * * * *",
        "0 0,30 8-18/2 ? JAN-MAR,12 MON-FRI 2026",
        "0 15 10 L * * *",
        "59 59 23 31 12 SAT 2099",
    ],
)
def test_every_published_form_of_a_timer_is_taken(expression: str, folder: Path) -> None:
    wanted = read(folder, changed("'0 */5 * * * * *'", f"'{expression}'"))
    assert wanted.triggers_of("sweep")[0].description == expression


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["${env:NO}", "${x}"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4) | st.integers(), inner, max_size=3)
    ),
    max_leaves=5,
)


def places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place, *(found for key, item in inner for found in places(item, (*place, key)))]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_stands_anywhere_the_answer_is_a_description_or_its_mistakes(
    folder: Path, data: st.DataObject
) -> None:
    document = copy.deepcopy(DOCUMENT)
    *way, last = data.draw(st.sampled_from(places(document)[1:]))
    part = document
    for step in way:
        part = part[step]
    part[last] = data.draw(VALUES)
    try:
        wanted = read(folder, yaml.safe_dump(document))
    except ManifestError as error:
        found = error.mistakes
    else:
        found = tuple(wanted.functions)
    assert found
