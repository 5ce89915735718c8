"""The title of a recording in every form in which a client sends it, from the bytes of the response's headers."""

from __future__ import annotations

import httpx
import pytest

from shared.options.model import InvalidOption
from shared.options.parse import parse_metadata
from shared.tencent.client import TencentClient
from shared.tencent.cos import CosClient
from tests.helpers.fake_server import FakeServer


def head_title(client: TencentClient, server: FakeServer, raw: bytes, *others: tuple[bytes, bytes]) -> object:
    server.replies = [
        httpx.Response(200, headers=[(b"Content-Length", b"9"), (b"X-Cos-Meta-Scribe-Title", raw), *others])
    ]
    metadata = CosClient(client, "ap-chengdu").head("media-1250000000", "a.mp3").metadata
    return parse_metadata(metadata)["title"].value


@pytest.mark.parametrize(
    "raw",
    [
        b"%E5%91%A8%E4%BC%9A 100%25",
        b"%25E5%2591%25A8%25E4%25BC%259A 100%25",
        "周会 100%25".encode(),
        b"=?utf-8?B?5ZGo5Lya?= 100%25",
        b"=?GBK?Q?=D6=DC=BB=E1_100%?=",
    ],
)
def test_title_is_read_from_the_bytes_of_a_header(
    client: TencentClient, server: FakeServer, raw: bytes
) -> None:
    assert head_title(client, server, raw) == "周会 100%"
    # With this header the client reads all headers as Latin-1.
    assert head_title(client, server, raw, (b"x-cos-meta-author", b"\xff")) == "周会 100%"


@pytest.mark.parametrize("raw", [b"%D6%DC%BB%E1", "周会".encode("gbk").replace(b"\xbb", b"\x80")])
def test_title_in_another_encoding_is_refused(client: TencentClient, server: FakeServer, raw: bytes) -> None:
    with pytest.raises(InvalidOption, match="x-cos-meta-scribe-title is"):
        head_title(client, server, raw)
