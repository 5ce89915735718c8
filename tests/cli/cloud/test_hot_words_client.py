"""Hot-word tables and templates: on the stand-in beside the official client, and with prepared responses."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from cli.cloud.hot_words import HotWordsClient, HotWordTable, SpeechTemplate
from cli.local.emulator import Emulator, OperatorClients, start_emulator
from shared.errors import OutcomeUnknown, RequestRejected
from shared.tencent.auth import Credentials
from shared.tencent.client import TencentClient

BUCKET, REGION = "recordings-1250000000", "ap-guangzhou"
SPEECH = {"EngineModelType": "16k_zh", "ChannelNum": "1", "ResTextFormat": "2", "ConvertNumMode": "1"}
WORDS_AS_TEXT = "<VocabularyWeightStr>a|5</VocabularyWeightStr>"
TABLE = HotWordTable("", "scribe-a-b", "Scribe: 词.txt", {"腾讯云": 8, "Scribe": 10})


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    arguments = ["--speech", "scripted"]
    with start_emulator(tmp_path_factory.mktemp("cloud"), {}, arguments) as emulator:
        clients = OperatorClients.for_emulator(emulator)
        clients.ensure_bucket(BUCKET)
        clients.speech.enable_bucket(BUCKET)
        yield emulator


@pytest.fixture
def client(emulator: Emulator) -> Iterator[HotWordsClient]:
    credentials = Credentials(emulator.secret_id, emulator.secret_key)
    client = HotWordsClient(TencentClient(credentials, emulator.endpoint), REGION)
    yield client
    for template in client.list_templates(BUCKET, ""):
        client.delete_template(BUCKET, template.template_id)
    for table in client.list_tables(BUCKET, ""):
        client.delete_table(BUCKET, table.table_id)


@pytest.fixture
def sdk(emulator: Emulator) -> Any:
    """The official client for hot words, which can do everything that the one of COS can."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is older than the interpreter
        import qcloud_cos
        from qcloud_cos.intelligent_speech import IntelligentSpeechClient

    config = qcloud_cos.CosConfig(
        Region=REGION,
        SecretId=emulator.secret_id,
        SecretKey=emulator.secret_key,
        Scheme="http",
        Proxies={"http": emulator.endpoint},
    )
    return IntelligentSpeechClient(config, retry=0)


@pytest.mark.process
def test_official_client_reads_what_this_one_wrote(client: HotWordsClient, sdk: Any) -> None:
    table_id = client.create_table(BUCKET, TABLE)
    _, fetched = sdk.ci_get_asr_hot_vocabulary_table(BUCKET, table_id)
    assert fetched["TableName"] == TABLE.name
    assert fetched["VocabularyWeights"] == [
        {"Vocabulary": "腾讯云", "Weight": "8"},
        {"Vocabulary": "Scribe", "Weight": "10"},
    ]
    template = SpeechTemplate("", "scribe-a-c", {**SPEECH, "HotVocabularyTableId": table_id})
    template_id = client.create_template(BUCKET, template)
    (listed,) = sdk.ci_get_asr_template(BUCKET)["TemplateList"]
    assert (listed["TemplateId"], listed["Name"]) == (template_id, "scribe-a-c")
    assert listed["SpeechRecognition"]["HotVocabularyTableId"] == table_id


@pytest.mark.process
def test_this_client_reads_what_the_official_one_wrote(client: HotWordsClient, sdk: Any) -> None:
    body = {"TableName": "scribe-a-d", "VocabularyWeights": {"Vocabulary": "Scribe", "Weight": "10"}}
    _, created = sdk.ci_create_asr_hot_vocabulary_table(BUCKET, body)
    (table,) = client.list_tables(BUCKET, "scribe-a-")
    assert (table.table_id, table.words) == (created["TableId"], {"Scribe": 10})
    as_text = {"TableName": "scribe-a-e", "VocabularyWeightStr": "腾讯云|8,Scribe|100"}
    sdk.ci_create_asr_hot_vocabulary_table(BUCKET, as_text)
    (_, table) = client.list_tables(BUCKET, "scribe-a-")
    assert table.words == {"腾讯云": 8, "Scribe": 100}
    sdk.ci_create_asr_template(BUCKET, "scribe-a-f", "8k_zh", 1, 2, HotVocabularyTableId=table.table_id)
    (template,) = client.list_templates(BUCKET, "scribe-a-")
    assert template.speech["EngineModelType"] == "8k_zh"
    assert template.speech["HotVocabularyTableId"] == table.table_id


@pytest.mark.process
def test_table_and_template_are_changed_and_deleted(client: HotWordsClient) -> None:
    table_id = client.create_table(BUCKET, TABLE)
    client.update_table(BUCKET, TABLE._replace(table_id=table_id, words={"Scribe": 11}))
    assert client.get_table(BUCKET, table_id) == TABLE._replace(table_id=table_id, words={"Scribe": 11})
    template = SpeechTemplate("", "scribe-a-c", {**SPEECH, "HotVocabularyTableId": table_id})
    template_id = client.create_template(BUCKET, template)
    changed = template._replace(template_id=template_id, speech={**SPEECH, "EngineModelType": "16k_en"})
    client.update_template(BUCKET, changed)
    (listed,) = client.list_templates(BUCKET, "")
    assert listed.speech.items() >= changed.speech.items()
    assert "HotVocabularyTableId" not in listed.speech
    client.delete_template(BUCKET, template_id)
    client.delete_table(BUCKET, table_id)
    assert not client.list_templates(BUCKET, "")
    assert not client.list_tables(BUCKET, "")


@pytest.mark.process
def test_only_names_that_begin_like_that_are_listed_from_every_page(client: HotWordsClient) -> None:
    for number in range(103):
        client.create_table(BUCKET, TABLE._replace(name=f"scribe-a-{number:03}"))
        client.create_template(BUCKET, SpeechTemplate("", f"scribe-a-{number:03}", SPEECH))
    client.create_table(BUCKET, TABLE._replace(name="scribe-b-0"))
    client.create_template(BUCKET, SpeechTemplate("", "scribe-b-0", SPEECH))
    expected = [f"scribe-a-{number:03}" for number in range(103)]
    assert sorted(table.name for table in client.list_tables(BUCKET, "scribe-a-")) == expected
    assert sorted(template.name for template in client.list_templates(BUCKET, "scribe-a-")) == expected


@pytest.mark.process
def test_refusal_of_the_service_is_an_error_with_its_code(client: HotWordsClient) -> None:
    with pytest.raises(RequestRejected, match="400 InvalidArgument: A hot word has 1 to 30 characters"):
        client.create_table(BUCKET, TABLE._replace(words={"a" * 31: 10}))
    with pytest.raises(RequestRejected, match="400 TemplateNotFound"):
        client.delete_template(BUCKET, "t0")


def answer(respond: Callable[[str, int], str]) -> HotWordsClient:
    """Build a client whose requests get these documents, by their path and the offset in their query."""

    def handle(request: httpx.Request) -> httpx.Response:
        target = urlsplit(request.extensions["target"].decode())
        offset = parse_qs(target.query).get("offset", ["0"])[0]
        return httpx.Response(200, text=respond(target.path, int(offset)))

    http = httpx.Client(transport=httpx.MockTransport(handle))
    return HotWordsClient(
        TencentClient(Credentials("AKIDEXAMPLE", "example"), http_client=lambda: http), REGION
    )


def table_xml(number: int, more: str = "") -> str:
    return f"<VocabularyTable><TableId>v{number}</TableId><TableName>n</TableName>{more}</VocabularyTable>"


def test_list_that_leaves_the_words_out_is_completed() -> None:
    def respond(path: str, _: int) -> str:
        if path == "/asrhotvocabtable":
            return f"<Response><TotalCount>1</TotalCount>{table_xml(1)}</Response>"
        assert path == "/asrhotvocabtable/v1"
        return f"<Response><TableId>v1</TableId><TableName>n</TableName>{WORDS_AS_TEXT}</Response>"

    assert answer(respond).list_tables(BUCKET, "") == [HotWordTable("v1", "n", "", {"a": 5})]


def test_list_without_a_count_ends_with_its_last_page() -> None:
    def respond(_: str, offset: int) -> str:
        numbers = range(offset, min(offset + 100, 130))
        return f"<Response>{''.join(table_xml(number, WORDS_AS_TEXT) for number in numbers)}</Response>"

    assert len(answer(respond).list_tables(BUCKET, "")) == 130


def test_list_that_does_not_end_is_an_error() -> None:
    def respond(_: str, offset: int) -> str:
        return f"<Response><TotalCount>9999</TotalCount>{table_xml(offset)}</Response>"

    with pytest.raises(OutcomeUnknown, match="more than 20 pages"):
        answer(respond).list_tables(BUCKET, "")


def test_list_that_repeats_a_page_ends() -> None:
    page = f"<Response><TotalCount>2</TotalCount>{table_xml(1, WORDS_AS_TEXT)}</Response>"
    client = answer(lambda *_: page)
    assert len(client.list_tables(BUCKET, "")) == 1


@pytest.mark.parametrize("document", ["<Response/>", "<Other/>", "no XML"])
def test_answer_without_an_id_is_an_error(document: str) -> None:
    client = answer(lambda *_: document)
    with pytest.raises(OutcomeUnknown):
        client.create_table(BUCKET, TABLE)
    with pytest.raises(OutcomeUnknown):
        client.create_template(BUCKET, SpeechTemplate("", "n", SPEECH))


def test_deletion_may_have_no_answer() -> None:
    answer(lambda *_: "").delete_template(BUCKET, "t1")
