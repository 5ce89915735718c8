"""Hot words of rules.yml: `scribe deploy` keeps tables, templates and the list that functions read like the files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.cloud.hot_words import HotWordTable, SpeechTemplate
from cli.deploy.command import DeployOptions
from cli.doctor.command import run_doctor
from cli.doctor.models import Finding, Status
from cli.errors import OperatorError
from cli.local.emulator import start_emulator
from shared.options.hot_words import parse_templates_object
from tests.helpers.account import BUCKETS, REGION, ROOT, Account, build_deployer_policy

pytestmark = pytest.mark.process

INPUT, OUTPUT = BUCKETS["INPUT_BUCKETS"], BUCKETS["OUTPUT_BUCKET"]
OBJECT = f".scribe/hot-words/{REGION}.default.scribe-prod-scribe-.json"
RULES = """\
rules:
  - match: calls/
    engine: 8k_zh
    hot-words: hotwords/calls.txt
"""
SPEECH = {"EngineModelType": "8k_zh", "ChannelNum": "1", "ResTextFormat": "2", "ConvertNumMode": "1"}


@dataclass(frozen=True)
class Checkout:
    """An account, and the checkout from which it is deployed."""

    account: Account

    @property
    def folder(self) -> Path:
        return self.account.checkout

    def write(self, rules: str = RULES, **words: str) -> None:
        """Write rules.yml and files below hotwords/; "" removes one."""
        for path, text in {
            self.folder / "rules.yml": rules,
            **{self.folder / "hotwords" / f"{name}.txt": text for name, text in words.items()},
        }.items():
            path.parent.mkdir(exist_ok=True)
            path.unlink(missing_ok=True)
            if text:
                path.write_text(text, "utf-8")

    def clear(self, config: Mapping[str, str] | None = None) -> None:
        """Remove rules.yml and the files, and deploy."""
        self.write("", calls="", school="")
        self.deploy(config)

    def deploy(self, config: Mapping[str, str] | None = None, *, dry_run: bool = False) -> str:
        passed, output = self.account.deploy(DeployOptions(dry_run=dry_run), config or {})
        assert passed, output
        return output

    @property
    def tables(self) -> list[HotWordTable]:
        return self.account.clients.hot_words.list_tables(INPUT, "scribe-")

    @property
    def templates(self) -> list[SpeechTemplate]:
        return self.account.clients.hot_words.list_templates(INPUT, "scribe-")

    @property
    def listed(self) -> list[str] | None:
        """The ids of the templates in the object that the functions read; None without it."""
        cos = self.account.clients.cos(REGION)
        if not any(cos.iter_objects(OUTPUT, prefix=OBJECT)):
            return None
        return sorted(parse_templates_object(cos.get(OUTPUT, OBJECT).body)[INPUT].values())

    def is_in_step(self) -> bool:
        """Whether the object names all templates, and these the tables."""
        tables = {template.speech["HotVocabularyTableId"] for template in self.templates}
        return (
            self.listed == sorted(template.template_id for template in self.templates)
            and tables == {table.table_id for table in self.tables}
            and "No changes." in self.deploy()
        )

    def find(self, config: Mapping[str, str] | None = None) -> list[Finding]:
        """What doctor finds about hot words."""
        context = self.account.context(self.account.folder / ".env", config or {})
        return [finding for finding in run_doctor(context) if finding.name == "hot-words"]

    def transcribe(self, key: str) -> dict[str, Any]:
        """Upload a recording and return its job, which has ended."""
        cos = self.account.clients.cos(REGION)
        cos.put(INPUT, key, f"some seconds of {key}".encode())
        assert self.account.admin("GET", "idle?timeout=30") is True
        assert cos.get(OUTPUT, f"transcripts/{key}.txt").body.strip()
        (job,) = [job for job in self.account.admin("GET", "jobs") if job["object"] == key]
        return dict(job)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    folder, checkout = tmp_path_factory.mktemp("operator"), tmp_path_factory.mktemp("checkout")
    (folder / ".env").touch()
    shutil.copy(ROOT / "serverless.yml", checkout)
    (checkout / "handlers").symlink_to(ROOT / "handlers")
    arguments = ["--speech", "scripted", "--deploy-delay-ms", "0", "--retry-delay", "0.05"]
    with start_emulator(tmp_path_factory.mktemp("cloud"), {}, arguments) as emulator:
        account = Account(emulator, folder, checkout)
        passed, output = account.deploy(DeployOptions(make_buckets=True))
        assert passed, output
        yield account


@pytest.fixture
def checkout(cloud: Account) -> Iterator[Checkout]:
    """A checkout with the rules above, deployed."""
    checkout = Checkout(cloud)
    checkout.write(calls="Scribe\n腾讯云 8\n")
    checkout.deploy()
    yield checkout
    cloud.admin("DELETE", "refuse")
    checkout.clear()
    assert (checkout.tables, checkout.templates, checkout.listed) == ([], [], None)


def test_first_deployment_creates_table_template_and_list(checkout: Checkout) -> None:
    (table,) = checkout.tables
    assert (table.description, table.words) == ("hotwords/calls.txt", {"Scribe": 10, "腾讯云": 8})
    (template,) = checkout.templates
    assert template.speech.items() >= {**SPEECH, "HotVocabularyTableId": table.table_id}.items()
    assert checkout.is_in_step()
    assert [finding.status for finding in checkout.find()] == [Status.OK]


def test_second_deployment_writes_nothing(checkout: Checkout) -> None:
    since = checkout.account.last_request()
    assert "No changes." in checkout.deploy()
    assert checkout.account.list_writes(since) == []


def test_changed_word_changes_the_table_only(checkout: Checkout) -> None:
    (table,), (template,) = checkout.tables, checkout.templates
    checkout.write(calls="Scribe 11\n数据万象\n腾讯云 8\n")
    (finding,) = checkout.find()
    assert (finding.status, finding.fix) == (
        Status.NOTE,
        f"scribe deploy --env-file {checkout.account.folder}/.env",
    )
    assert "it differs from rules.yml and its files" in finding.message
    since = checkout.account.last_request()
    output = checkout.deploy(dry_run=True)
    assert f"~ hot words hotwords/calls.txt for {INPUT}" in output
    assert "words: Scribe|11, 数据万象|10" in output
    assert "words: no longer Scribe|10" in output
    assert "1 to change." in output
    assert checkout.account.list_writes(since) == []
    checkout.deploy()
    assert checkout.account.list_writes(since) == ["ci:UpdateAsrVocabularyTable"]
    assert checkout.tables == [table._replace(words={"Scribe": 11, "数据万象": 10, "腾讯云": 8})]
    assert checkout.templates == [template]
    assert checkout.is_in_step()
    checkout.write(calls="Scribe 9\n数据万象\n腾讯云 8\n")
    checkout.deploy()
    assert checkout.tables[0].words == {"Scribe": 9, "数据万象": 10, "腾讯云": 8}


def test_changed_option_gets_a_template_of_its_own(checkout: Checkout) -> None:
    (table,), (template,) = checkout.tables, checkout.templates
    checkout.write(RULES + "    speakers: auto\n")
    output = checkout.deploy()
    assert output.index("created speech template") < output.index("changed code of")
    assert output.index("changed code of") < output.index(f"deleted speech template {template.name}")
    (changed,) = checkout.templates
    assert changed.template_id != template.template_id
    assert changed.speech["SpeakerDiarization"] == "1"
    assert checkout.tables == [table]
    assert checkout.is_in_step()


def test_second_rule_and_list_are_added_and_removed(checkout: Checkout) -> None:
    school = "  - match: school/\n    hot-words: hotwords/school.txt\n"
    narrow = "  - match: calls/vip/\n    fillers: none\n"
    checkout.write(RULES + school + narrow, school="课程\n")
    checkout.deploy()
    assert sorted(table.description for table in checkout.tables) == [
        "hotwords/calls.txt",
        "hotwords/school.txt",
    ]
    assert len(checkout.templates) == 3
    assert checkout.is_in_step()
    checkout.write(school="")
    checkout.deploy()
    assert len(checkout.tables) == len(checkout.templates) == 1
    assert checkout.is_in_step()


def test_what_another_program_changed_or_deleted_is_put_right(checkout: Checkout) -> None:
    client = checkout.account.clients.hot_words
    (table,), (template,) = checkout.tables, checkout.templates
    client.update_template(INPUT, template._replace(speech={**SPEECH, "FilterDirty": "1"}))
    assert "~ speech template" in checkout.deploy(dry_run=True)
    checkout.deploy()
    assert checkout.is_in_step()
    client.delete_table(INPUT, table.table_id)
    assert "it is missing" in " ".join(finding.message for finding in checkout.find())
    checkout.deploy()
    assert checkout.is_in_step()
    client.delete_template(INPUT, template.template_id)
    checkout.deploy()
    assert checkout.is_in_step()
    checkout.account.clients.cos(REGION).put(OUTPUT, OBJECT, b"broken")
    checkout.deploy()
    assert checkout.is_in_step()


def test_tables_and_templates_of_others_stay(checkout: Checkout) -> None:
    client = checkout.account.clients.hot_words
    table_id = client.create_table(INPUT, HotWordTable("", "scribe-of-another-team", "", {"a": 1}))
    template_id = client.create_template(INPUT, SpeechTemplate("", "scribe-of-another-team", SPEECH))
    checkout.clear()
    assert [table.table_id for table in checkout.tables] == [table_id]
    assert [template.template_id for template in checkout.templates] == [template_id]
    client.delete_template(INPUT, template_id)
    client.delete_table(INPUT, table_id)


@pytest.mark.parametrize("operation", ["hot_words", "templates"])
def test_service_that_refuses_hot_words_harms_nothing(cloud: Account, operation: str) -> None:
    checkout = Checkout(cloud)
    checkout.write(calls="Scribe\n")
    cloud.admin("PUT", "refuse", {"operation": operation, "status": 400, "code": "NotSupported"})
    output = checkout.deploy()
    assert output.count("hot words are not used, because the speech service refuses them: ") == 1
    assert output.count("400 NotSupported") == 1
    assert output.count("NotSupported") == 1
    assert "Deployment verified" in output
    assert checkout.transcribe(f"calls/{operation}.mp3")["template_id"] == ""
    (finding,) = checkout.find()
    assert finding.status is Status.NOTE
    assert "400 NotSupported" in finding.message
    cloud.admin("DELETE", "refuse")
    checkout.deploy()
    assert checkout.is_in_step()
    checkout.clear()


def test_key_that_may_only_look_gets_one_warning(cloud: Account) -> None:
    """The service shows what it has, and refuses the first change: the other steps are left out."""
    checkout = Checkout(cloud)
    policy = build_deployer_policy(cloud.manifest())
    changing = {"ci:CreateAsrVocabularyTable", "ci:CreateMediaTemplate"}
    for statement in policy["statement"]:
        statement["action"] = [action for action in statement["action"] if action not in changing]
    key = cloud.create_key(policy)
    checkout.write(calls="Scribe\n")
    output = checkout.deploy(key)
    assert output.count("hot words are not used") == 1
    assert "This needs ci:CreateAsrVocabularyTable" in output
    assert "created list of templates" not in output
    assert (checkout.tables, checkout.templates, checkout.listed) == ([], [], None)
    assert {finding.status for finding in checkout.find(key)} == {Status.NOTE}
    assert "it is missing; the service may have refused it" in checkout.find(key)[0].message
    checkout.clear()


def test_key_with_the_deployers_permissions_keeps_hot_words(cloud: Account) -> None:
    checkout = Checkout(cloud)
    key = cloud.create_key(build_deployer_policy(cloud.manifest()))
    checkout.write(calls="Scribe\n")
    assert "hot words are not used" not in checkout.deploy(key)
    assert checkout.is_in_step()
    checkout.write(calls="Scribe\n数据万象\n")
    checkout.deploy(key)
    assert checkout.is_in_step()
    checkout.clear(key)


def test_recording_of_the_rule_is_recognised_with_its_words(checkout: Checkout) -> None:
    (template,) = checkout.templates
    job = checkout.transcribe("calls/words.mp3")
    assert (job["template_id"], job["engine"]) == (template.template_id, "8k_zh")
    assert checkout.transcribe("other/words.mp3")["template_id"] == ""


def test_template_that_was_deleted_costs_the_words_only(checkout: Checkout) -> None:
    """The function still knows the template: CI refuses the job, and takes it without hot words."""
    checkout.transcribe("calls/before.mp3")
    (template,) = checkout.templates
    checkout.account.clients.hot_words.delete_template(INPUT, template.template_id)
    job = checkout.transcribe("calls/after.mp3")
    assert (job["template_id"], job["engine"]) == ("", "8k_zh")


def test_hot_words_of_the_settings_are_for_every_recording(checkout: Checkout) -> None:
    config = {"OPTIONS": "hot-words=hotwords/school.txt"}
    checkout.write(school="课程\n")
    checkout.deploy(config)
    assert sorted(table.description for table in checkout.tables) == [
        "hotwords/calls.txt",
        "hotwords/school.txt",
    ]
    assert {template.speech["EngineModelType"] for template in checkout.templates} == {"16k_zh", "8k_zh"}
    checkout.deploy()


def test_hot_words_without_effect_are_a_warning(checkout: Checkout) -> None:
    checkout.write(RULES + "    flash: yes\n")
    output = checkout.deploy()
    assert "rules.yml line 2: the hot words have no effect: flash recognition has no hot words" in output
    assert not checkout.templates


def test_mistake_in_a_file_is_named_and_nothing_is_changed(checkout: Checkout) -> None:
    checkout.write(calls="Scribe 99\n")
    since = checkout.account.last_request()
    with pytest.raises(OperatorError, match="line 1: the weight of Scribe is '99'"):
        checkout.deploy()
    assert checkout.account.list_writes(since) == []
    (finding,) = checkout.find()
    assert finding.status is Status.SKIPPED
    checkout.write(calls="Scribe\n")


def test_removal_removes_them(cloud: Account) -> None:
    checkout = Checkout(cloud)
    checkout.write(calls="Scribe\n")
    checkout.deploy()
    checkout.write(calls="not valid!\n")
    cloud.clients.cos(REGION).put(OUTPUT, OBJECT, b"broken")
    removed, output = cloud.remove({})
    assert removed, output
    assert "- hot words hotwords/calls.txt" in output
    assert (checkout.tables, checkout.templates, checkout.listed) == ([], [], None)
    checkout.write("", calls="")
    checkout.deploy()
