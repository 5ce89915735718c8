"""Hot-word tables and speech templates of a bucket: /asrhotvocabtable and /template on the bucket's CI host.

Tables: cos-python-sdk-v5 intelligent_speech.py and cos-go-sdk-v5 ci_media.go. Templates: 1045/73387, 1045/73388 and
cos-python-sdk-v5. That a template takes HotVocabularyTableId is only in cos-python-sdk-v5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from cli.language import _
from shared.errors import OutcomeUnknown
from shared.tencent import xml
from shared.tencent.client import Request, RetryPolicy, TencentClient
from shared.tencent.hosts import build_ci_host
from shared.tencent.speech_models import TAG

TABLE_ELEMENT = "HotVocabularyTableId"  # of a template's SpeechRecognition
MAX_PER_PAGE = 100
MAX_PAGES = 20

# No document names the CAM actions of tables; these are the names of the calls in cos-go-sdk-v5, as those of the other
# calls are.
_ACTIONS = {
    ("POST", "asrhotvocabtable", False): "CreateAsrVocabularyTable",
    ("PUT", "asrhotvocabtable", False): "UpdateAsrVocabularyTable",
    ("GET", "asrhotvocabtable", False): "DescribeAsrVocabularyTables",
    ("GET", "asrhotvocabtable", True): "DescribeAsrVocabularyTable",
    ("DELETE", "asrhotvocabtable", True): "DeleteAsrVocabularyTable",
    ("POST", "template", False): "CreateMediaTemplate",
    ("PUT", "template", True): "UpdateMediaTemplate",
    ("GET", "template", False): "DescribeMediaTemplates",
    ("DELETE", "template", True): "DeleteMediaTemplate",
}


class HotWordTable(NamedTuple):
    """A table with its words and their weights. `table_id` is "" before it is created."""

    table_id: str
    name: str
    description: str
    words: Mapping[str, int]


class SpeechTemplate(NamedTuple):
    """A template of the tag SpeechRecognition: its members by their names, as CI has them, defaults included."""

    template_id: str
    name: str
    speech: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class HotWordsClient:
    """The tables and templates of buckets in one region. Every method raises CloudError."""

    client: TencentClient
    region: str

    def list_tables(self, bucket: str, name_prefix: str) -> list[HotWordTable]:
        """List the tables of a bucket with names that begin like this."""

        def read_page(number: int) -> Mapping[str, Any]:
            # The Python SDK sends offset 0, the Go SDK leaves it out.
            parameters = {"offset": str((number - 1) * MAX_PER_PAGE), "limit": str(MAX_PER_PAGE)}
            return self._send("GET", bucket, "asrhotvocabtable", parameters=parameters)

        elements = _iter_pages(
            _("{bucket}, hot words", bucket=bucket), read_page, "VocabularyTable", "TableId"
        )
        tables = [_parse_table(element) for element in elements if _begins(element, "TableName", name_prefix)]
        # A list may leave the words out.
        return [table if table.words else self.get_table(bucket, table.table_id) for table in tables]

    def get_table(self, bucket: str, table_id: str) -> HotWordTable:
        """Get one table."""
        return _parse_table(self._send("GET", bucket, "asrhotvocabtable", table_id))

    def create_table(self, bucket: str, table: HotWordTable) -> str:
        """Create a table, and return its id."""
        response = self._send("POST", bucket, "asrhotvocabtable", body=_build_table(table))
        resource = _("{bucket}, hot words {name}", bucket=bucket, name=table.name)
        return _get_id(response, "TableId", resource)

    def update_table(self, bucket: str, table: HotWordTable) -> None:
        """Replace the words of a table."""
        self._send("PUT", bucket, "asrhotvocabtable", body={"TableId": table.table_id, **_build_table(table)})

    def delete_table(self, bucket: str, table_id: str) -> None:
        """Delete a table."""
        self._send("DELETE", bucket, "asrhotvocabtable", table_id)

    def list_templates(self, bucket: str, name_prefix: str) -> list[SpeechTemplate]:
        """List the speech templates of a bucket with names that begin like this."""

        def read_page(number: int) -> Mapping[str, Any]:
            parameters = {
                "tag": TAG,
                "category": "Custom",
                "name": name_prefix,
                "pageNumber": str(number),
                "pageSize": str(MAX_PER_PAGE),
            }
            return self._send("GET", bucket, "template", parameters=parameters)

        elements = _iter_pages(
            _("{bucket}, templates", bucket=bucket), read_page, "TemplateList", "TemplateId"
        )
        return [_parse_template(element) for element in elements if _begins(element, "Name", name_prefix)]

    def create_template(self, bucket: str, template: SpeechTemplate) -> str:
        """Create a template, and return its id."""
        response = self._send("POST", bucket, "template", body=_build_template(template))
        created = xml.as_mapping(response.get("Template"))
        resource = _("{bucket}, template {name}", bucket=bucket, name=template.name)
        return _get_id(created, "TemplateId", resource)

    def update_template(self, bucket: str, template: SpeechTemplate) -> None:
        """Replace the members of a template."""
        self._send("PUT", bucket, "template", template.template_id, body=_build_template(template))

    def delete_template(self, bucket: str, template_id: str) -> None:
        """Delete a template."""
        self._send("DELETE", bucket, "template", template_id)

    def _send(
        self,
        method: str,
        bucket: str,
        first: str,
        item_id: str = "",
        *,
        parameters: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Mapping[str, Any]:
        """Send a request and return the content of its Response element; {} without a body."""

        def parse(pieces: Iterator[bytes]) -> Mapping[str, Any]:
            content = b"".join(pieces)
            return xml.parse_response(content, "Response") if content.strip() else {}

        return self.client.stream(
            Request(
                method=method,
                host=build_ci_host(bucket, self.region),
                path=f"/{first}/{item_id}" if item_id else f"/{first}",
                resource=f"{bucket}, {first} {item_id}".rstrip(),
                parameters=tuple((parameters or {}).items()),
                headers={"Content-Type": "application/xml"} if body else {},
                body=xml.serialize({"Request": body}) if body else b"",
                # A second request would create another table of the same name.
                retry=RetryPolicy.NON_IDEMPOTENT if method == "POST" else RetryPolicy.IDEMPOTENT,
                action=f"ci:{_ACTIONS[method, first, bool(item_id)]}",
            ),
            parse,
        )


def _iter_pages(
    resource: str, read_page: Callable[[int], Mapping[str, Any]], element: str, id_element: str
) -> Iterator[Mapping[str, Any]]:
    """Yield the items of all pages. Raises OutcomeUnknown if the pages do not end: an item could be missed."""
    known: set[str] = set()
    for number in range(1, MAX_PAGES + 1):
        page = read_page(number)
        items = [xml.as_mapping(item) for item in xml.as_list(page.get(element))]
        new_items = [item for item in items if xml.as_text(item.get(id_element)) not in known]
        known.update(xml.as_text(item.get(id_element)) for item in new_items)
        yield from new_items
        total = xml.as_int(page.get("TotalCount"))
        if not new_items or (len(known) >= total if total else len(items) < MAX_PER_PAGE):
            return
    message = _("it has more than {limit} pages", limit=MAX_PAGES)
    raise OutcomeUnknown(resource=resource, code="TooManyPages", message=message)


def _begins(element: Mapping[str, Any], name: str, prefix: str) -> bool:
    return xml.as_text(element.get(name)).startswith(prefix)


def _get_id(response: Mapping[str, Any], name: str, resource: str) -> str:
    item_id = xml.as_text(response.get(name))
    if not item_id:
        raise OutcomeUnknown(resource=resource, code="NoIdInAnswer")
    return item_id


def _build_table(table: HotWordTable) -> dict[str, Any]:
    return {
        "TableName": table.name,
        "TableDescription": table.description,
        "VocabularyWeights": [
            {"Vocabulary": word, "Weight": str(weight)} for word, weight in table.words.items()
        ],
    }


def _parse_table(element: Mapping[str, Any]) -> HotWordTable:
    listed = [xml.as_mapping(item) for item in xml.as_list(element.get("VocabularyWeights"))]
    pairs: Iterable[Sequence[str]] = (
        [(xml.as_text(item.get("Vocabulary")), xml.as_text(item.get("Weight"))) for item in listed]
        # The same words as one text, `a|10,b|5`.
        or [item.rpartition("|")[::2] for item in xml.as_text(element.get("VocabularyWeightStr")).split(",")]
    )
    return HotWordTable(
        xml.as_text(element.get("TableId")),
        xml.as_text(element.get("TableName")),
        xml.as_text(element.get("TableDescription")),
        {word: xml.as_int(weight) for word, weight in pairs if word},
    )


def _build_template(template: SpeechTemplate) -> dict[str, Any]:
    return {"Tag": TAG, "Name": template.name, "SpeechRecognition": dict(template.speech)}


def _parse_template(element: Mapping[str, Any]) -> SpeechTemplate:
    speech = xml.as_mapping(element.get("SpeechRecognition"))
    members = {name: xml.as_text(value) for name, value in speech.items()}
    return SpeechTemplate(xml.as_text(element.get("TemplateId")), xml.as_text(element.get("Name")), members)
