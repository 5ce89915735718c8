"""The calls on templates and hot-word tables."""

from __future__ import annotations

from starlette.responses import Response

from localcloud.ci.answers import page_head
from localcloud.ci.errors import CiProblem
from localcloud.ci.hotwords import table_node
from localcloud.ci.requests import names, number, page, request_body
from localcloud.ci.service import Ci
from localcloud.ci.templates import template_node
from localcloud.cos.buckets import Bucket
from localcloud.http.request import Request
from localcloud.http.response import xml_response
from localcloud.xml import node


def _named(asked: Request) -> str:
    return asked.path.split("/", 2)[2]


async def put_template(ci: Ci, asked: Request, bucket: Bucket) -> Response:
    """POST /template, PUT /template/<id>."""
    template_id = _named(asked) if asked.method == "PUT" else ""
    made = ci.templates.put(bucket.name, await request_body(asked), template_id)
    return xml_response(
        node("Response", node("RequestId", asked.request_id), template_node("Template", made))
    )


async def list_templates(ci: Ci, asked: Request, bucket: Bucket) -> Response:
    """GET /template. There are no official templates here."""
    ids, name = names(asked, "ids"), asked.parameters.get("name", "")
    page_number, page_size = page(asked)
    custom = [] if asked.parameters.get("category") == "Official" else ci.templates.all(bucket.name)
    found = [item for item in custom if (not ids or item.template_id in ids) and item.name.startswith(name)]
    shown = found[(page_number - 1) * page_size :][:page_size]
    return xml_response(
        node(
            "Response",
            *page_head(asked.request_id, len(found), page_number, page_size),
            *(template_node("TemplateList", item) for item in shown),
        )
    )


async def delete_template(ci: Ci, asked: Request, bucket: Bucket) -> Response:
    """DELETE /template/<id>."""
    if not ci.templates.delete(bucket.name, _named(asked)):
        raise CiProblem(400, "TemplateNotFound", "The bucket has no such template.")
    return xml_response(
        node("Response", node("RequestId", asked.request_id), node("TemplateId", _named(asked)))
    )


def _accepted(asked: Request, table_id: str) -> Response:
    return xml_response(
        node(
            "Response",
            node("Code", "Success"),
            node("Message"),
            node("RequestId", asked.request_id),
            node("TableId", table_id),
        )
    )


async def put_hot_words(ci: Ci, asked: Request, bucket: Bucket) -> Response:
    """POST /asrhotvocabtable, PUT /asrhotvocabtable."""
    table = ci.hot_words.put(bucket.name, await request_body(asked), replaces=asked.method == "PUT")
    return _accepted(asked, table.table_id)


async def list_hot_words(ci: Ci, asked: Request, bucket: Bucket) -> Response:
    """GET /asrhotvocabtable, with offset and limit."""
    tables = ci.hot_words.all(bucket.name)
    offset = number(asked, "offset", 0) if asked.parameters.get("offset") not in (None, "", "0") else 0
    shown = tables[offset:][: number(asked, "limit", 10, 100)]
    return xml_response(
        node(
            "Response",
            node("RequestId", asked.request_id),
            node("TotalCount", len(tables)),
            *(table_node(table) for table in shown),
        )
    )


async def get_hot_words(ci: Ci, asked: Request, bucket: Bucket) -> Response:
    """GET /asrhotvocabtable/<id>."""
    table = ci.hot_words.named(bucket.name, _named(asked))
    return xml_response(node("Response", node("RequestId", asked.request_id), *table_node(table).children))


async def delete_hot_words(ci: Ci, asked: Request, bucket: Bucket) -> Response:
    """DELETE /asrhotvocabtable/<id>."""
    ci.hot_words.delete(bucket.name, _named(asked))
    return _accepted(asked, _named(asked))
