"""No secret is in a text that is printed, in whatever form another library quotes it."""

from __future__ import annotations

import html
import json
import shlex
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.redaction import HIDDEN, MIN_SECRET_LENGTH, PIECE_LENGTH, SecretFilter

TOKEN = 'Abc/def+ghi=0123456789\nsecond line "of" it\'s [red]\\ \x1b \u4f1a\u8bae 100% & more'
FORMS = {
    "raw": TOKEN,
    "repr": repr(TOKEN),
    "repr in a repr": repr(f"header {TOKEN!r}"),
    "bytes": repr(TOKEN.encode()),
    "ascii": ascii(TOKEN),
    "JSON": json.dumps(TOKEN),
    "JSON of UTF-8": json.dumps(TOKEN, ensure_ascii=False),
    "JSON in JSON": json.dumps({"message": json.dumps({"token": TOKEN})}),
    "percent-encoded": quote(TOKEN, safe=""),
    "percent-encoded path": quote(TOKEN),
    "form-encoded": quote_plus(TOKEN),
    "HTML": html.escape(TOKEN),
    "shell": shlex.quote(TOKEN),
    "first line": TOKEN.splitlines()[0],
    "second line": TOKEN.splitlines()[1],
    "cut": TOKEN[3:18],
}


def quote_all(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass")


ENCODERS: tuple[Callable[[str], str], ...] = (
    str,
    repr,
    ascii,
    json.dumps,
    html.escape,
    shlex.quote,
    quote_all,
)
SECRETS = st.text(st.characters(exclude_characters="*"), min_size=PIECE_LENGTH, max_size=60).filter(
    lambda text: len(text.strip()) >= PIECE_LENGTH
)


def create_filter(*secrets: str) -> SecretFilter:
    secret_filter = SecretFilter()
    for secret in secrets:
        secret_filter.add(secret)
    return secret_filter


@pytest.mark.parametrize("form", FORMS)
def test_secret_is_hidden_in_every_form(form: str) -> None:
    text = create_filter(TOKEN).hide(f"before {FORMS[form]} after")
    assert text.startswith("before ")
    assert text.endswith(" after")
    assert HIDDEN in text
    for word in ("def", "0123456789", "second", "line", "red", "u4f1a", "%E4"):
        assert word not in text


@settings(deadline=None)
@given(SECRETS, st.text(max_size=20), st.text(max_size=20), st.data())
def test_no_long_piece_of_a_secret_is_left(secret: str, before: str, after: str, data: st.DataObject) -> None:
    encode = data.draw(st.sampled_from(ENCODERS))
    text = create_filter(secret).hide(before + encode(secret) + after)
    for form in (secret, encode(secret)):
        for start in range(len(form) - PIECE_LENGTH + 1):
            assert form[start : start + PIECE_LENGTH] not in text


@settings(deadline=None)
@given(st.lists(SECRETS, max_size=3), st.text())
def test_text_without_a_secret_stays_as_it_is(secrets: list[str], text: str) -> None:
    secret_filter = create_filter(*secrets)
    hidden = secret_filter.hide(text)
    assert hidden == text or HIDDEN in hidden
    assert secret_filter.hide("No changes.") == "No changes."


def test_every_token_of_a_list_is_hidden() -> None:
    text = create_filter("first-token-0000000001, second-token-000000002").hide(
        "https://x/second-token-000000002 and first-token-0000000001"
    )
    assert text == "https://x/*** and ***"


def test_short_value_is_a_part_of_ordinary_words() -> None:
    assert create_filter("a", "deploy"[: MIN_SECRET_LENGTH - 1]).hide("deploy a plan") == "deploy a plan"
    assert create_filter("deploy").hide("deploy a plan") == "*** a plan"


def test_secret_id_shows_its_first_characters_only() -> None:
    secret_filter = SecretFilter()
    secret_filter.add_variables(
        {
            "TENCENT_SECRET_ID": "AKIDz8krbsJ5yKBZQpn74WFkmLPx3gnPhESA",
            "TENCENT_SECRET_KEY": "Gu5t9xGARNpq86cd98joQYCN3Cozk1qA",
            "CALLBACK_URL": "https://x.example/made-up-token-0001",
            "REGION": "ap-guangzhou",
        }
    )
    text = "AKIDz8krbsJ5yKBZQpn74WFkmLPx3gnPhESA Gu5t9xGARNpq86cd98joQYCN3Cozk1qA /made-up-token-0001 ap-guangzhou"
    assert secret_filter.hide(text) == "AKID*** *** /*** ap-guangzhou"


def test_removed_secret_is_shown_again() -> None:
    secret_filter = create_filter("key-of-the-local-cloud")
    secret_filter.remove("key-of-the-local-cloud")
    assert secret_filter.hide("key-of-the-local-cloud") == "key-of-the-local-cloud"


@pytest.mark.parametrize(
    ("name", "address", "shown"),
    [
        ("NOTIFY_WECOM", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=1111-2222", "key=***"),
        (
            "NOTIFY_FEISHU_SALES",
            "https://open.feishu.cn/open-apis/bot/v2/hook/4444-5555",
            "https://open.feishu.cn/open-apis/bot/v2/hook/***",
        ),
        (
            "NOTIFY_DINGTALK",
            "https://oapi.dingtalk.com/robot/send?access_token=77778888",
            "https://oapi.dingtalk.com/robot/send?access_token=***",
        ),
        ("NOTIFY_WEBHOOK", "https://hooks.example.com/T0/B0/key?a=b", "https://hooks.example.com***"),
        ("NOTIFY_WEBHOOK_CRM", "https://hooks.example.com/scribe", "https://hooks.example.com/scribe"),
        ("NOTIFY_WEBHOOK", "https://me:password@hooks.example.com/", "https://***@hooks.example.com/"),
        ("NOTIFY_WECOM", "1111-2222-3333", "***"),
        ("NOTIFY_LARK", "https://open.larksuite.com/hook/4444-5555", "https://open.larksuite.com/hook/***"),
    ],
)
def test_address_of_a_target_is_hidden_except_for_its_host(name: str, address: str, shown: str) -> None:
    secret_filter = SecretFilter()
    secret_filter.add_variables({name: address, "NOTIFY_ON": "failed,done", "NOTIFY_WECOM_ON": "failed"})
    text = secret_filter.hide(f"{address} failed")
    assert text.endswith(f"{shown} failed")
    assert text.startswith("https://") or shown == HIDDEN


def test_secrets_of_targets_are_hidden() -> None:
    secret_filter = SecretFilter()
    secret_filter.add_variables({"NOTIFY_WEBHOOK_SECRET": "whsec_aaaabbbbcccc whsec_ddddeeeeffff"})
    assert secret_filter.hide("whsec_ddddeeeeffff, whsec_aaaabbbbcccc") == "***, ***"
