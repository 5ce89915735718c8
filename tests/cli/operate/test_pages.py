"""`scribe open` and `scribe link`: the page of a recording with its sound, and what it gives away."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import html5lib
import pytest

from cli.errors import OperatorError
from cli.operate.pages import (
    MAX_LINK_LIFETIME_S,
    LinkOptions,
    OpenOptions,
    add_sound,
    find_transcribed,
    load_page,
    page_path,
    print_link,
    print_page,
    save_page,
    store_link,
)
from cli.operate.presign import presign_url
from cli.operate.workspace import Workspace
from shared.tencent.auth import Credentials
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET
from tests.helpers.in_memory_pipeline import InMemoryPipeline
from tests.helpers.operate import build_console, build_workspace

KEY, WORDS = "calls/会议 a&b.mp3", b"words that people said"
ORIGIN = f"https://{INPUT_BUCKET}.cos.ap-guangzhou.myqcloud.com"
HOSTILE_KEYS = [
    "../../../etc/passwd",
    "..",
    "a/.html",
    "-rf",
    "x" * 800 + ".mp3",
    "会" * 250,
    "a\nb\x1b[31m.mp3",
    "\u202egnp.exe",
]


def transcribe(key: str = KEY, body: bytes = WORDS, **settings: Any) -> tuple[InMemoryPipeline, Workspace]:
    pipeline = InMemoryPipeline(**settings)
    pipeline.upload_and_ingest(key, body)
    pipeline.run_and_notify()
    return pipeline, build_workspace(pipeline)


def load(workspace: Workspace, key: str = KEY, lifetime_s: int = 3600) -> tuple[str, str, str]:
    """Return the page, its content security policy, and the address of its sound, as a browser reads them."""
    page = load_page(workspace, INPUT_BUCKET, key, lifetime_s)
    root = html5lib.HTMLParser(namespaceHTMLElements=False).parse(page.body.decode())
    policy = next(meta.get("content") for meta in root.iter("meta") if "http-equiv" in meta.attrib)
    (audio,) = root.iter("audio")
    return page.body.decode(), policy, audio.get("src")


def test_page_has_the_words_and_an_address_of_the_recording() -> None:
    _, workspace = transcribe()
    body, policy, sound = load(workspace)
    assert WORDS.decode() in body
    assert f"media-src 'self' blob: {ORIGIN};" in policy
    assert policy.count("https://") == 1
    parts = urlsplit(sound)
    assert f"{parts.scheme}://{parts.netloc}" == ORIGIN
    assert unquote(parts.path) == f"/{KEY}"
    assert parse_qs(parts.query)["q-sign-time"][0].endswith(f";{int(workspace.ctx.now()) + 3600}")


def test_only_the_policy_and_the_address_of_the_page_change() -> None:
    pipeline, workspace = transcribe()
    before = pipeline.get_output(KEY, "html")
    assert before is not None
    body, _, sound = load(workspace)
    restored = body.replace(f" {ORIGIN};", ";", 1).replace(
        sound.replace("&", "&amp;"), "%E4%BC%9A%E8%AE%AE%20a%26b.mp3"
    )
    assert restored == before.decode()


@pytest.mark.parametrize("body", [b"", b"<html></html>", b'<audio data-testid="audio" src="a">' * 2])
def test_other_pages_get_no_address(body: bytes) -> None:
    with pytest.raises(ValueError, match="not a page"):
        add_sound(body, ORIGIN, f"{ORIGIN}/a")


def test_words_that_look_like_the_player_get_no_address() -> None:
    words = (
        b'<audio data-testid="audio" src="x"> '
        b"""<meta http-equiv="Content-Security-Policy" content="media-src 'self' blob:">"""
    )
    _, workspace = transcribe(body=words)
    _, policy, sound = load(workspace)
    assert ORIGIN in policy
    assert sound.startswith(ORIGIN)


@pytest.mark.parametrize(
    "key", ["a b.mp3", "100%25.mp3", 'it\'s "q"&<b>.mp3', "x" * 700 + ".mp3", "line\nbreak.mp3"]
)
def test_sound_of_any_key_leads_to_that_key(key: str) -> None:
    pipeline = InMemoryPipeline()
    pipeline.upload_and_ingest("plain.mp3", WORDS)
    pipeline.run_and_notify()
    body = pipeline.get_output("plain.mp3", "html") or b""
    url = presign_url(pipeline.cloud.client, INPUT_BUCKET, "ap-guangzhou", key, expires_s=1)
    root = html5lib.HTMLParser(namespaceHTMLElements=False).parse(add_sound(body, ORIGIN, url).decode())
    (audio,) = root.iter("audio")
    assert unquote(urlsplit(audio.get("src") or "").path) == f"/{key}"


def test_newest_content_is_the_one_that_is_opened() -> None:
    pipeline, workspace = transcribe()
    pipeline.cloud.clock.advance(60)
    pipeline.upload_and_ingest(KEY, b"newer words")
    pipeline.run_and_notify()
    receipt = find_transcribed(pipeline.ctx, INPUT_BUCKET, KEY)
    assert receipt is not None
    assert receipt.job_id == "s2"
    assert "newer words" in load(workspace)[0]


def test_short_names_and_neighbours_are_not_mixed_up() -> None:
    pipeline, workspace = transcribe("calls/a.mp3", output_names="short")
    for key in ("calls/a", "calls/a.mp3.mp3", "calls/ab/c.mp3"):
        pipeline.upload(key, b"other words")
        pipeline.cloud.change_object(INPUT_BUCKET, key, content_type="audio/mpeg")
        pipeline.ingest(key)
    pipeline.run_and_notify()
    assert WORDS.decode() in load(workspace, "calls/a.mp3")[0]
    assert "other words" in load(workspace, "calls/a")[0]
    with pytest.raises(OperatorError, match="has no transcript"):
        load(workspace, "calls/")


def test_recording_that_is_gone_or_replaced_or_archived_has_a_page_without_sound() -> None:
    pipeline, workspace = transcribe()
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, storage="ARCHIVE")
    assert "in an archive" in load_page(workspace, INPUT_BUCKET, KEY, 60).problem
    pipeline.upload(KEY, b"other content, whose event has not come yet")
    page = load_page(workspace, INPUT_BUCKET, KEY, 60)
    assert "was replaced" in page.problem
    pipeline.delete(KEY)
    page = load_page(workspace, INPUT_BUCKET, KEY, 60)
    assert "not in the bucket any more" in page.problem
    assert page.body == pipeline.get_output(KEY, "html")
    assert b"q-sign" not in page.body


def test_without_html_it_says_how_to_get_a_page() -> None:
    _, workspace = transcribe(formats=("json", "txt"))
    with pytest.raises(
        OperatorError,
        match=r"html is not in FORMATS \(json,txt\): add it and `scribe deploy`; then `scribe retry",
    ):
        load(workspace)


def test_own_formats_are_named_as_the_reason() -> None:
    pipeline = InMemoryPipeline()
    pipeline.upload(KEY, WORDS, **{"scribe-formats": "txt"})
    pipeline.ingest(KEY)
    pipeline.run_and_notify()
    with pytest.raises(OperatorError, match=r"html is not in its option `formats` \(txt\)"):
        load(build_workspace(pipeline))


def test_page_that_was_deleted_can_be_written_again() -> None:
    pipeline, workspace = transcribe()
    del pipeline.cloud.buckets[OUTPUT_BUCKET][f"transcripts/{KEY}.html"]
    with pytest.raises(
        OperatorError, match=r"not there any more: `scribe retry .*` writes it again; nothing is paid"
    ):
        load(workspace)


def test_page_of_someone_else_under_the_name_is_not_opened() -> None:
    pipeline, workspace = transcribe()
    pipeline.cloud.put_object(OUTPUT_BUCKET, f"transcripts/{KEY}.html", b"<script>alert(1)</script>")
    with pytest.raises(OperatorError, match="not there any more"):
        load(workspace)


def test_unknown_and_failed_recordings_say_where_to_look() -> None:
    pipeline, workspace = transcribe()
    pipeline.upload_and_ingest("bad.mp3", b"NOT AUDIO")
    pipeline.run_and_notify()
    for key in ("bad.mp3", "unknown.mp3"):
        with pytest.raises(
            OperatorError, match=f"{INPUT_BUCKET}/{key} has no transcript: `scribe why {key}` says why"
        ):
            load(workspace, key)


def test_saved_page_is_for_its_owner_only(tmp_path: Path) -> None:
    _, workspace = transcribe()
    page = load_page(workspace, INPUT_BUCKET, KEY, 60)
    path = save_page(tmp_path / "pages", page)
    assert save_page(tmp_path / "pages", page) == path
    assert path.read_bytes() == page.body
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert path.name.startswith("会议 a_b.mp3.")


@pytest.mark.parametrize("key", HOSTILE_KEYS)
def test_no_key_leads_out_of_the_folder(key: str, tmp_path: Path) -> None:
    path = page_path(tmp_path, INPUT_BUCKET, key)
    assert path.parent == tmp_path
    assert path.name.isprintable()
    assert not path.name.startswith("-")
    path.touch()


def test_two_keys_have_two_files(tmp_path: Path) -> None:
    keys = ["a/x.mp3", "b/x.mp3", "x.mp3", "x_mp3", "x/mp3"]
    assert len({page_path(tmp_path, INPUT_BUCKET, key) for key in keys}) == len(keys)


def test_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    _, workspace = transcribe()
    (tmp_path / "pages").write_text("a file")
    with pytest.raises(OperatorError, match=r"the page could not be saved as .*File exists"):
        save_page(tmp_path / "pages", load_page(workspace, INPUT_BUCKET, KEY, 60))


def test_open_prints_the_path_and_starts_the_browser(tmp_path: Path) -> None:
    _, workspace = transcribe()
    opened: list[str] = []

    def start_browser(uri: str) -> bool:
        opened.append(uri)
        return True

    console, output = build_console()
    print_page(console, workspace, OpenOptions(KEY), tmp_path, start_browser)
    path, sound = output.getvalue().splitlines()
    assert opened == [(tmp_path / path).absolute().as_uri()]
    assert sound.startswith("The sound works until 20")


def test_open_without_a_browser_prints_the_path_only(tmp_path: Path) -> None:
    _, workspace = transcribe()
    console, output = build_console()

    def refuse(_: str) -> bool:
        raise AssertionError

    print_page(console, workspace, OpenOptions(KEY, starts_browser=False), tmp_path, refuse)
    assert "No browser" not in output.getvalue()
    console, output = build_console()
    print_page(console, workspace, OpenOptions(KEY), tmp_path, lambda _: False)
    assert "No browser could be started: open the file yourself." in output.getvalue()


def test_open_answers_in_json(tmp_path: Path) -> None:
    _, workspace = transcribe()
    console, output = build_console()
    print_page(console, workspace, OpenOptions(KEY, as_json=True), tmp_path, lambda _: True)
    document = json.loads(output.getvalue())
    assert Path(document.pop("file")).is_file()
    assert document.pop("sound_until").endswith("Z")
    assert document == {"bucket": INPUT_BUCKET, "key": KEY, "opened": True, "problem": ""}


def test_link_stores_the_page_and_prints_one_address() -> None:
    pipeline, workspace = transcribe()
    console, output = build_console()
    print_link(console, workspace, LinkOptions(KEY, lifetime_s=7 * 86_400))
    url, *lines = output.getvalue().splitlines()
    (stored_key,) = pipeline.list_keys(".scribe/links/")
    parts = urlsplit(url)
    assert unquote(parts.path) == f"/{stored_key}"
    assert parts.netloc.startswith(OUTPUT_BUCKET)
    query = parse_qs(parts.query)
    assert query["response-content-disposition"] == [
        "attachment; filename*=UTF-8''%E4%BC%9A%E8%AE%AE%20a%26b.mp3.html"
    ]
    assert query["q-url-param-list"] == ["response-content-disposition"]
    stored = pipeline.cloud.buckets[OUTPUT_BUCKET][stored_key]
    assert WORDS in stored.body
    assert stored.metadata == {"scribe-output": "state"}
    assert "(7 d)" in lines[0]
    assert "temporary key" not in output.getvalue()


def test_link_with_a_temporary_key_says_that_it_ends_sooner() -> None:
    pipeline, workspace = transcribe()
    pipeline.cloud.client.credentials = Credentials("AKIDEXAMPLE", "example", "a-token-of-a-role")
    console, output = build_console()
    print_link(console, workspace, LinkOptions(KEY, as_json=True))
    document = json.loads(output.getvalue())
    assert document["temporary_key"] is True
    assert parse_qs(urlsplit(document["url"]).query)["x-cos-security-token"] == ["a-token-of-a-role"]
    console, output = build_console()
    print_link(console, workspace, LinkOptions(KEY))
    assert "ends with that key" in output.getvalue()


def test_link_in_json_has_every_member() -> None:
    pipeline, workspace = transcribe()
    console, output = build_console()
    print_link(console, workspace, LinkOptions(KEY, lifetime_s=60, as_json=True))
    document = json.loads(output.getvalue())
    assert list(document) == [
        *("bucket", "key", "url", "expires", "temporary_key", "stored_bucket", "stored_key", "problem")
    ]
    assert document["stored_key"] in pipeline.list_keys()


def test_pages_of_expired_links_are_deleted_by_the_next_link() -> None:
    pipeline, workspace = transcribe()
    for lifetime_s in (60, 86_400):
        store_link(pipeline.ctx, load_page(workspace, INPUT_BUCKET, KEY, lifetime_s))
    assert len(pipeline.list_keys(".scribe/links/")) == 2
    pipeline.cloud.clock.advance(61)
    store_link(pipeline.ctx, load_page(workspace, INPUT_BUCKET, KEY, 3600))
    assert len(pipeline.list_keys(".scribe/links/")) == 2


def test_link_for_longer_than_a_year_is_refused_before_any_request() -> None:
    pipeline, workspace = transcribe()
    pipeline.take_requests()
    console, output = build_console()
    with pytest.raises(OperatorError, match="--for takes at most 365d"):
        print_link(console, workspace, LinkOptions(KEY, lifetime_s=MAX_LINK_LIFETIME_S + 1))
    assert pipeline.take_requests() == []
    assert output.getvalue() == ""


def test_stored_page_of_a_link_is_never_taken_for_a_recording() -> None:
    pipeline, workspace = transcribe(output_bucket="")
    store_link(pipeline.ctx, load_page(workspace, INPUT_BUCKET, KEY, 60))
    jobs = pipeline.count_jobs()
    pipeline.audit_when_due()
    assert pipeline.count_jobs() == jobs
