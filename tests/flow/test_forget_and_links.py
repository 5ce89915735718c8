"""Links that work without an account, and what is left after `scribe forget`: the commands as they are typed."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import html5lib
import httpx
import pytest

from cli.local.emulator import CALLBACK_TOKEN, INPUT_BUCKET, OUTPUT_BUCKET
from shared.options.model import FORMATS
from shared.tencent.client import Request
from tests.helpers.account import Account
from tests.helpers.flow import Flow, StartFlow
from tests.helpers.forgotten import find_traces
from tests.helpers.loopback import open_client

pytestmark = pytest.mark.process

KEY = "通话/geheimnis 王 a&b+c%20'd.mp3"
NEIGHBOURS = ("通话/geheimnis 王 a&b+c%20'd.m4a", "通话/geheim.mp3", "other/b.mp3")
WORDS, LATER_WORDS = b"zebra words " * 200, b"later zebra words " * 200


class OperatedFlow:
    """A pipeline, its operator, and someone without an account."""

    def __init__(self, flow: Flow, folder: Path, stranger: httpx.Client) -> None:
        (folder / ".env").write_text(f"CALLBACK_TOKEN={CALLBACK_TOKEN}\n", "utf-8")
        self.flow = flow
        self.account = Account(flow.pipeline.emulator, folder)
        self.stranger = stranger

    def ask(self, *words: str, status: int = 0, **environment: str) -> Any:
        finished = self.account.scribe(*words, "--json", environment=environment)
        assert finished.returncode == status, finished.stdout + finished.stderr
        return json.loads(finished.stdout)

    def read_objects(self) -> dict[str, bytes]:
        return {key: self.flow.output(key) for key in self.flow.outputs()}

    def upload(self, key: str, body: bytes) -> None:
        self.flow.upload(key, body)
        self.flow.settle()


@pytest.fixture
def operated(start_flow: StartFlow, tmp_path: Path) -> Any:
    folder = tmp_path / "operator"
    folder.mkdir()
    flow = start_flow(FORMATS=",".join(FORMATS), OUTPUT_NAMES="short", SWEEP_AFTER="0")
    with open_client(proxy=flow.pipeline.emulator.endpoint) as stranger:
        yield OperatedFlow(flow, folder, stranger)


def find_sound(page: bytes) -> str:
    root = html5lib.HTMLParser(namespaceHTMLElements=False).parse(page.decode())
    (audio,) = root.iter("audio")
    return str(audio.get("src"))


def test_link_works_without_an_account_until_it_expires_or_is_forgotten(operated: OperatedFlow) -> None:
    operated.upload(KEY, WORDS)
    link = operated.ask("link", KEY, "--for", "1h")
    answer = operated.stranger.get(link["url"])
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''geheimnis%20")
    sound = find_sound(answer.content)
    heard = operated.stranger.get(sound, headers={"Range": "bytes=6-10"})
    assert (heard.status_code, heard.content) == (206, WORDS[6:11])
    # Nothing else can be done with an address.
    assert operated.stranger.delete(sound).status_code == 403
    assert operated.stranger.get(sound.replace("geheimnis", "geheim")).status_code == 403
    assert operated.stranger.get(link["url"].partition("?")[0]).status_code == 403
    short = operated.ask("link", KEY, "--for", "1s")["url"]
    deadline_s = time.monotonic() + 30
    while operated.stranger.get(short).status_code != 403:
        assert time.monotonic() < deadline_s, "the link does not expire"
        time.sleep(0.2)
    assert b"expired" in operated.stranger.get(short).content.lower()
    operated.ask("forget", KEY, "--yes")
    assert operated.stranger.get(link["url"]).status_code == 404
    assert operated.stranger.get(sound).status_code == 200  # the recording stays: so says docs/security.md
    operated.ask("forget", KEY, "--yes", "--recording")
    assert operated.stranger.get(sound).status_code == 404


def test_link_of_a_temporary_key_carries_its_token(operated: OperatedFlow) -> None:
    operated.upload(KEY, WORDS)
    key = operated.flow.admin("POST", "keys")
    link = operated.ask(
        "link",
        KEY,
        TENCENTCLOUD_SECRET_ID=key["secret_id"],
        TENCENTCLOUD_SECRET_KEY=key["secret_key"],
        TENCENTCLOUD_TOKEN=key["token"],
    )
    assert link["temporary_key"] is True
    answer = operated.stranger.get(link["url"])
    assert answer.status_code == 200
    assert operated.stranger.get(find_sound(answer.content)).content == WORDS


def test_forget_leaves_nothing_of_a_whole_flow(operated: OperatedFlow) -> None:
    flow = operated.flow
    operated.upload(KEY, WORDS)
    operated.upload(KEY, LATER_WORDS)
    operated.ask("link", KEY)
    pages = Path(operated.ask("open", KEY, "--no-open")["file"])
    assert (operated.account.folder / pages).is_file()
    own = operated.read_objects()
    for neighbour in NEIGHBOURS:
        operated.upload(neighbour, f"other words of {neighbour} ".encode() * 50)
    flow.pipeline.clients.cos.put(OUTPUT_BUCKET, "transcripts/通话/mine.txt", b"the user's own")
    before = {key: body for key, body in operated.read_objects().items() if key not in own}
    plan = operated.account.scribe("forget", KEY)
    assert plan.returncode == 1
    assert "nothing was changed: no terminal" in plan.stderr
    assert [key for key in own if "geheimnis" in key and f"{OUTPUT_BUCKET}/{key}" not in plan.stdout] == []
    operated.ask("forget", KEY, "--yes")
    after = operated.read_objects()
    assert {key: body for key, body in before.items() if after.get(key) != body} == {}
    assert (
        find_traces({key: body for key, body in after.items() if key not in before}, "geheimnis", "zebra")
        == []
    )
    assert not (operated.account.folder / pages).exists()
    jobs = len(flow.jobs())
    flow.sweep("audit")
    flow.settle()
    assert len(flow.jobs()) == jobs
    operated.upload(KEY, LATER_WORDS)
    assert len(flow.jobs()) == jobs + 1
    assert flow.has(f"transcripts/{KEY.removesuffix('.mp3')}.json")


def test_old_versions_are_named(operated: OperatedFlow) -> None:
    client = operated.flow.pipeline.clients.cos.client
    body = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    client.send(
        Request(
            "PUT",
            f"{OUTPUT_BUCKET}.cos.ap-guangzhou.myqcloud.com",
            "/",
            resource=OUTPUT_BUCKET,
            parameters=(("versioning", ""),),
            body=body,
        )
    )
    operated.upload(KEY, WORDS)
    assert operated.ask("forget", KEY, "--yes")["old_versions_stay_in"] == [OUTPUT_BUCKET]
    assert operated.flow.outputs("transcripts/") == []


@pytest.mark.parametrize(
    "words", [("open", "no/such.mp3"), ("link", "no/such.mp3"), ("forget", "no/such.mp3", "--yes")]
)
def test_unknown_key_is_one_line(operated: OperatedFlow, words: tuple[str, ...]) -> None:
    finished = operated.account.scribe(*words)
    assert finished.returncode == 1
    assert finished.stdout == ""
    (line,) = finished.stderr.splitlines()
    assert f"{INPUT_BUCKET}/no/such.mp3" in line
