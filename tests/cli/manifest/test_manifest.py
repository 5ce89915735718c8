"""Every mistake in serverless.yml, or in the variables that fill it, is reported in words before a deployment."""

from __future__ import annotations

import copy
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.manifest.errors import ManifestError
from cli.manifest.loader import load_manifest
from cli.manifest.models import Manifest
from tests.helpers.chinese import list_english, list_translations, speak_chinese

ROOT = Path(__file__).resolve().parents[3]
RAW = (ROOT / "serverless.yml").read_text("utf-8")
DOCUMENT: Any = yaml.safe_load(RAW)
TOKEN = "made-up-token-0001"
CONFIG = {
    "SCRIBE_STAGE": "prod",
    "SCF_ROLE_NAME": "scribe-prod",
    "REGION": "ap-chengdu",
    "INPUT_BUCKETS": "media-1250000000",
    "CALLBACK_TOKEN": TOKEN,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout whose serverless.yml a test can change."""
    checkout = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "handlers", checkout / "handlers", ignore=shutil.ignore_patterns("__pycache__"))
    return checkout


def load(folder: Path, text: str = RAW, **config: str) -> Manifest:
    (folder / "serverless.yml").write_text(text, "utf-8")
    return load_manifest(folder, {**CONFIG, **config})


def load_mistakes(folder: Path, text: str = RAW, **config: str) -> tuple[str, ...]:
    with pytest.raises(ManifestError) as caught:
        load(folder, text, **config)
    mistakes = caught.value.mistakes
    assert all(mistake in str(caught.value) for mistake in mistakes)
    assert TOKEN not in str(caught.value)
    return mistakes


def assert_reported(mistakes: Sequence[str], *messages: str) -> None:
    """Each message is in one of the mistakes."""
    missing = [message for message in messages if not any(message in mistake for mistake in mistakes)]
    assert missing == [], mistakes


def change(old: str, new: str) -> str:
    assert old in RAW
    return RAW.replace(old, new, 1)


# A text in serverless.yml, its replacement, and a part of the message.
INVALID = {
    "component": ("component: multi-scf", "component: scf", "component is 'scf'; write multi-scf"),
    "runtime": ("Python3.10", "Python3.9", "inputs.runtime is 'Python3.9'; write Python3.10"),
    "memory": (
        "memorySize: 128",
        "memorySize: 200",
        "inputs.memorySize is 200; write 64, or a multiple",
    ),
    "timeout": ("timeout: 600", "timeout: 3600", "functions.sweep.timeout is 3600; write 1 to 900"),
    "quoted number": (
        "timeout: 600",
        "timeout: '600'",
        "functions.sweep.timeout is '600'; write 1 to 900",
    ),
    "init timeout": ("initTimeout: 15", "initTimeout: 2", "inputs.initTimeout is 2; write 3 to 300"),
    "misspelt setting": (
        "memorySize: 128",
        "memorysize: 128",
        "inputs.memorysize is not a known setting; did you mean memorySize?",
    ),
    "unknown setting": (
        "    upload:\n",
        "    upload:\n      colour: red\n",
        "upload.colour is not a known setting; the settings here are handler, role,",
    ),
    "environment as a map": (
        "  environments:  ",
        "  environment:  ",
        "inputs.environment is not a known setting; did you mean environments?",
    ),
    "reserved variable": (
        "key: ENGINE",
        "key: SCF_ENGINE",
        "environments[6].key is 'SCF_ENGINE'; write 2 to 64",
    ),
    "local variable": (
        "key: ENGINE",
        "key: CLOUD_ENDPOINT",
        "CLOUD_ENDPOINT, which is for the local cloud only",
    ),
    "duplicate variable": ("key: ENGINE", "key: FORMATS", "FORMATS a second time"),
    "number as a value": (
        "value: '${env:ENGINE}'",
        "value: 16",
        "value is not text but int; write text in quotes",
    ),
    "keys in the package": ("'.env*', ", "", "write a list of what stays out, with '.env*' in it"),
    "missing module": ("handler: upload.", "handler: uplaod.", "there is no "),
    "missing function": ("upload.main_handler", "upload.handle", "upload.py defines no handle"),
    "handler without a dot": (
        "upload.main_handler",
        "main_handler",
        "is 'main_handler'; write module.function",
    ),
    "missing role": (
        "      role: ${env:SCF_ROLE_NAME}-sweep\n",
        "",
        "sweep.role is missing; write ${env:SCF_ROLE_NAME}-sweep",
    ),
    "timeout of upload": (
        "-upload\n",
        "-upload\n      timeout: 120\n",
        "upload.timeout is 120; write less than 120",
    ),
    "function name": (
        "    upload:\n",
        "    Up load:\n",
        "functions has the name 'Up load'; write small letters",
    ),
    "unknown function": (
        "function: callback",
        "function: notify",
        "triggers[2].function is 'notify'; write one of upload",
    ),
    "trigger type": (
        "type: http",
        "type: apigw",
        "triggers[2].type is 'apigw'; write cos, http or timer",
    ),
    "missing trigger type": (
        "    - type: http ",
        "    - #",
        "triggers[2].type is missing; write cos, http or timer",
    ),
    "missing enable": (
        "audit\n        enable: true",
        "audit",
        "triggers[4].parameters.enable is missing; write true",
    ),
    "disabled trigger": (
        "audit\n        enable: true",
        "audit\n        enable: false",
        "enable is false; write true",
    ),
    "qualifier": ("$DEFAULT", "$LATEST", "qualifier is '$LATEST'; write $DEFAULT"),
    "private URL": (
        "enableExtranet: true",
        "enableExtranet: false",
        "enableExtranet is false; write true",
    ),
    "URL with authentication": ("authType: NONE", "authType: CAM", "authType is 'CAM'; write NONE"),
    "short bucket name": (
        "${env:INPUT_BUCKETS}.cos.${env:REGION}.myqcloud.com",
        "media",
        "write the bucket's host",
    ),
    "other region": (
        "cos.${env:REGION}",
        "cos.ap-beijing",
        "is in ap-beijing, but the functions run in ap-chengdu",
    ),
    "deletion events": (
        "cos:ObjectCreated:*",
        "cos:ObjectRemove:*",
        "events is 'cos:ObjectRemove:*'; write 'cos:ObjectCreated:*'",
    ),
    "suffix without a dot": (
        "'${env:INPUT_PREFIX}' }\n        ",
        "'', suffix: mp3 }\n        ",
        "suffix is 'mp3'; write an ending",
    ),
    "wildcard": (
        "prefix: '${env:INPUT_PREFIX}'",
        "prefix: 'calls/*'",
        "prefix is 'calls/*'; write the text",
    ),
    "other prefix": (
        "prefix: '${env:INPUT_PREFIX}'",
        "prefix: calls/",
        "begin with 'calls/', but INPUT_PREFIX is ''",
    ),
    "cron with five fields": ("'0 */5 * * * * *'", "'*/5 * * * *'", "has 5 fields; write seven"),
    "minute 60": (
        "'0 */5 * * * * *'",
        "'0 60 * * * * *'",
        "has '60' as its minute; write * or numbers from 0 to 59",
    ),
    "step 0": ("'0 */5 * * * * *'", "'0 */0 * * * * *'", "has '*/0' as its minute"),
    "timer argument": (
        "argument: audit",
        "argument: clean",
        "argument is 'clean'; write reconcile or audit",
    ),
    "duplicate timer": ("name: audit", "name: reconcile", "has two timers called reconcile"),
    "unknown variable form": ("'${env:ENGINE}'", "'${env.ENGINE}'", "holds ${env.ENGINE}; write ${env:NAME}"),
    "duplicate key": ("  type: event\n", "  type: event\n  type: event\n", "line 12: type is there twice"),
    "text for a list": (
        "  tags:\n    - { key: app, value: scribe }",
        "  tags: scribe",
        "inputs.tags is 'scribe'; write a list",
    ),
    "text for a list item": (
        "  tags:\n    - { key: app, value: scribe }",
        "  tags: [scribe]",
        "inputs.tags[0] is 'scribe'; write { key: NAME, value: 'text' }",
    ),
    "reserved tag": (
        "{ key: app, value: scribe }",
        "{ key: project, value: scribe }",
        "inputs.tags[0].key is 'project'; write 1 to 127 characters in quotes that do not begin with qcs:,",
    ),
    "reserved Chinese tag": (
        "{ key: app, value: scribe }",
        "{ key: 项目一, value: scribe }",
        "key is '项目一'; write",
    ),
}


@pytest.mark.parametrize(("old", "new", "message"), INVALID.values(), ids=INVALID)
def test_mistake_is_reported_with_its_setting_and_a_fix(
    old: str, new: str, message: str, folder: Path
) -> None:
    mistakes = load_mistakes(folder, change(old, new))
    assert_reported(mistakes, message)
    assert len(mistakes) <= 2, mistakes  # at most one other that follows from it


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"REGION": ""}, "REGION is not set: add it to .env"),
        (
            {"INPUT_BUCKETS": ""},
            "INPUT_BUCKETS is not set: add it to .env, see .env.example (inputs.triggers[0].parameters.bucket",
        ),
        ({"CALLBACK_TOKEN": ""}, "CALLBACK_TOKEN is missing: add it to .env"),
        ({"CALLBACK_TOKEN": "made-up"}, "CALLBACK_TOKEN holds a token of 7 characters"),
        ({"ENGINE": "undefined"}, "ENGINE was not set when"),
        ({"ENGINE": "16k zh", "FORMATS": "pdf"}, "FORMATS names 'pdf'"),
        ({"SCRIBE_STAGE": "a stage"}, "stage is 'a stage' (from SCRIBE_STAGE); write letters"),
        ({"SCRIBE_STAGE": "a" * 40}, "SCF accepts 60: choose a shorter SCRIBE_STAGE"),
        ({"INPUT_PREFIX": "transcripts/in/"}, "is inside OUTPUT_PREFIX"),
        ({"INPUT_BUCKETS": "media-1250000000,media-1250000001"}, "more than one account"),
        ({"INPUT_BUCKETS": ",".join(f"media-{n:03}-1250000000" for n in range(230))}, "SCF accepts 4096"),
    ],
)
def test_variable_that_cannot_work_is_reported(config: dict[str, str], message: str, folder: Path) -> None:
    mistakes = load_mistakes(folder, **config)
    assert_reported(mistakes, message)


def test_mistakes_in_chinese_have_no_english_sentence(folder: Path) -> None:
    form = RAW
    for old, new, _ in INVALID.values():
        form = form.replace(old, new, 1)
    parts = change("timeout: 600", "timeout: 120")
    for name in (
        "missing function",
        "missing role",
        "timeout of upload",
        "unknown function",
        "other region",
        "step 0",
    ):
        old, new, _ = INVALID[name]
        parts = parts.replace(old, new, 1)
    config = {"SCRIBE_STAGE": "a" * 40, "ENGINE": "16k zh", "FORMATS": "pdf"}
    with speak_chinese():
        mistakes = [*load_mistakes(folder, form), *load_mistakes(folder, parts, **config)]
        mistakes += load_mistakes(folder, REGION="", INPUT_BUCKETS="media-1250000000,media-1250000001")
        mistakes += load_mistakes(folder, "[]")
    assert len(mistakes) >= 32
    assert_reported(
        mistakes,
        "inputs.runtime 的值是 'Python3.9'；应填写：Python3.10，部署包只适用于它",
        "inputs.triggers[2].function 的值是 'notify'；应为以下之一：upload、callback、sweep",
        "未设置 REGION：请在 .env 中补上，写法见 .env.example",
    )
    assert list_english(mistakes, "json, txt, srt, vtt, html, md, docx, csv, podcast") == []
    assert list_english(list_translations("manifest")) == []


def test_mistyped_region_is_reported_once_by_its_variable(folder: Path) -> None:
    (mistake,) = load_mistakes(folder, REGION="Guangzhou")
    assert "is 'Guangzhou' (from REGION); write a region such as ap-guangzhou" in mistake


@pytest.mark.parametrize("region", ["ap-beijing-1", "ap-guangzhou-7", "ap-guangzou", "me-riyadh"])
def test_region_that_no_list_knows_is_accepted(region: str, folder: Path) -> None:
    assert load(folder, REGION=region).region == region


def test_all_mistakes_are_reported_missing_variables_first(folder: Path) -> None:
    text = change("timeout: 600", "timeout: 3600").replace("argument: audit", "argument: clean")
    mistakes = load_mistakes(
        folder, text.replace("upload.main_handler", "upload.handle"), REGION="", ENGINE="16k zh"
    )
    assert mistakes[0].startswith("REGION is not set")
    assert_reported(mistakes, "3600", "'clean'", "'16k zh'")
    matches = [re.match(r"line (\d+):", mistake) for mistake in mistakes]
    lines = [int(match[1]) for match in matches if match]
    assert lines == sorted(lines)


def test_mistake_in_one_part_does_not_hide_one_in_another(folder: Path) -> None:
    text = change("upload.main_handler", "upload.handle").replace("argument: audit", "argument: clean")
    mistakes = load_mistakes(folder, text)
    assert len(mistakes) == 2
    assert_reported(mistakes, "defines no handle", "'clean'")


def test_mistake_names_its_line(folder: Path) -> None:
    (mistake,) = load_mistakes(folder, change("timeout: 600", "timeout: 3600"))
    line = int(re.match(r"line (\d+):", mistake)[1])  # type: ignore[index]
    assert RAW.splitlines()[line - 1].strip() == "timeout: 600"


def test_token_in_the_wrong_setting_is_not_quoted(folder: Path) -> None:
    (mistake,) = load_mistakes(folder, change("argument: audit", "argument: '${env:CALLBACK_TOKEN}'"))
    assert "argument is '***' (from CALLBACK_TOKEN)" in mistake


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty"),
        ("- a\n", "it is not a map"),
        ("app: [\n", "it is not YAML"),
        ("app: scribe\n", "inputs is missing"),
        ("inputs: []\n", "inputs is an empty list; write the settings"),
    ],
)
def test_file_with_other_content_is_refused(text: str, message: str, folder: Path) -> None:
    assert_reported(load_mistakes(folder, text), message)


def test_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="there is no such file"):
        load_manifest(tmp_path, CONFIG)


def test_each_input_bucket_gets_a_trigger(folder: Path) -> None:
    manifest = load(
        folder, INPUT_BUCKETS="media-1250000000, calls-1250000000,media-1250000000", INPUT_PREFIX="in/"
    )
    triggers = manifest.triggers_for("upload")
    hosts = [f"{name}-1250000000.cos.ap-chengdu.myqcloud.com" for name in ("media", "calls")]
    events = ["cos:ObjectCreated:*", "cos:ObjectRestore:Completed"]
    rules = [{"event": event, "filter": {"Prefix": "in/", "Suffix": ""}} for event in events]
    assert [(trigger.name, json.loads(trigger.description)) for trigger in triggers] == [
        (host, rule) for rule in rules for host in hosts
    ]


def test_bucket_without_trigger_and_trigger_without_bucket_are_reported(folder: Path) -> None:
    calls = RAW.replace("bucket: ${env:INPUT_BUCKETS}", "bucket: calls-1250000000")
    mistakes = load_mistakes(folder, calls)
    assert any(mistake.startswith("INPUT_BUCKETS has media-1250000000, but no cos") for mistake in mistakes)
    assert_reported(mistakes, "is for calls-1250000000, which INPUT_BUCKETS does not")


def test_two_rules_for_the_same_uploads_are_reported(folder: Path) -> None:
    document = copy.deepcopy(DOCUMENT)
    triggers = document["inputs"]["triggers"]
    triggers.append(copy.deepcopy(triggers[0]))
    mistakes = load_mistakes(folder, yaml.dump(document))
    assert_reported(mistakes, "two rules for the same uploads to media-1250000000")
    for trigger, suffix in ((triggers[0], ".mp3"), (triggers[-1], ".wav")):
        trigger["parameters"]["filter"]["suffix"] = suffix
    events = [trigger.event for trigger in load(folder, yaml.dump(document)).triggers_for("upload")]
    assert events == ["cos:ObjectCreated:*", "cos:ObjectRestore:Completed", "cos:ObjectCreated:*"]


def test_bucket_with_a_rule_for_restores_only_is_reported(folder: Path) -> None:
    document = copy.deepcopy(DOCUMENT)
    del document["inputs"]["triggers"][0]
    mistakes = load_mistakes(folder, yaml.dump(document))
    assert any(mistake.startswith("INPUT_BUCKETS has media-1250000000, but no cos") for mistake in mistakes)


def test_value_of_a_variable_is_not_searched_for_variables(folder: Path) -> None:
    manifest = load(folder, INPUT_PREFIX="a${env:REGION}${name}/")
    assert manifest.functions["upload"].variables["INPUT_PREFIX"] == "a${env:REGION}${name}/"


@pytest.mark.parametrize(
    "expression",
    [
        "* * * * * * *",
        "0 0,30 8-18/2 ? JAN-MAR,12 MON-FRI 2026",
        "0 15 10 L * * *",
        "59 59 23 31 12 SAT 2099",
    ],
)
def test_every_published_cron_form_is_accepted(expression: str, folder: Path) -> None:
    manifest = load(folder, change("'0 */5 * * * * *'", f"'{expression}'"))
    assert manifest.triggers_for("sweep")[0].description == expression


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


def list_paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(below for key, item in items for below in list_paths(item, (*path, key)))]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_value_anywhere_gives_a_manifest_or_mistakes(folder: Path, data: st.DataObject) -> None:
    document = copy.deepcopy(DOCUMENT)
    *path, last = data.draw(st.sampled_from(list_paths(document)[1:]))
    part = document
    for step in path:
        part = part[step]
    part[last] = data.draw(VALUES)
    try:
        manifest = load(folder, yaml.safe_dump(document))
    except ManifestError as error:
        result = error.mistakes
    else:
        result = tuple(manifest.functions)
    assert result
