"""The settings NOTIFY_*: which targets they make, and every mistake by its name."""

from __future__ import annotations

import pytest

from shared.errors import SettingsError
from shared.notices.models import NoticeType, TargetKind
from shared.notices.targets import MAX_TARGETS, has_targets, load_targets, read_targets
from tests.helpers.notices import OTHER_SECRET, ROBOT_SECRET, SECRET, URLS

WEBHOOK, WECOM = URLS[TargetKind.WEBHOOK], URLS[TargetKind.WECOM]
FEISHU, DINGTALK = URLS[TargetKind.FEISHU], URLS[TargetKind.DINGTALK]
LARK = "https://open.larksuite.com/open-apis/bot/v2/hook/44444444-5555-6666"
HOOK = {"NOTIFY_WEBHOOK": WEBHOOK, "NOTIFY_WEBHOOK_SECRET": SECRET}
LOCAL = {"CLOUD_ENDPOINT": "http://127.0.0.1:9000", "NOTIFY_WEBHOOK_SECRET": SECRET}


def test_each_kind_has_a_target_of_its_name() -> None:
    targets = load_targets(
        {
            **HOOK,
            "NOTIFY_WECOM": WECOM,
            "NOTIFY_FEISHU": FEISHU,
            "NOTIFY_FEISHU_SECRET": ROBOT_SECRET,
            "NOTIFY_DINGTALK": DINGTALK,
            "NOTIFY_DINGTALK_SECRET": ROBOT_SECRET,
        }
    )
    assert [(target.name, target.kind, target.url, target.secrets) for target in targets] == [
        ("dingtalk", TargetKind.DINGTALK, DINGTALK, (ROBOT_SECRET,)),
        ("feishu", TargetKind.FEISHU, FEISHU, (ROBOT_SECRET,)),
        ("webhook", TargetKind.WEBHOOK, WEBHOOK, (SECRET,)),
        ("wecom", TargetKind.WECOM, WECOM, ()),
    ]
    assert all(target.is_default for target in targets)
    assert {target.types for target in targets} == {frozenset({NoticeType.FAILED})}


def test_nothing_set_means_no_targets() -> None:
    assert load_targets({}) == ()
    assert load_targets({"NOTIFY_WEBHOOK": " ", "NOTIFY_ON": ""}) == ()
    assert not has_targets({"NOTIFY_WEBHOOK": "", "INPUT_BUCKETS": "a"})
    assert has_targets(HOOK)


def test_further_target_has_a_name_and_is_not_a_default() -> None:
    (target,) = load_targets({"NOTIFY_FEISHU_SALES_TEAM": FEISHU, "NOTIFY_FEISHU_SALES_TEAM_SECRET": "abcd"})
    assert (target.name, target.secrets, target.is_default) == ("feishu-sales-team", ("abcd",), False)


def test_each_target_can_have_notices_of_its_own() -> None:
    targets = load_targets(
        {**HOOK, "NOTIFY_WECOM": WECOM, "NOTIFY_ON": "failed, done", "NOTIFY_WECOM_ON": "failed"}
    )
    both = frozenset({NoticeType.DONE, NoticeType.FAILED})
    assert {target.name: target.types for target in targets} == {
        "webhook": both,
        "wecom": frozenset({NoticeType.FAILED}),
    }


def test_several_secrets_of_a_webhook_have_spaces_between() -> None:
    (target,) = load_targets({**HOOK, "NOTIFY_WEBHOOK_SECRET": f"{OTHER_SECRET}  {SECRET}"})
    assert target.secrets == (OTHER_SECRET, SECRET)


def test_language_is_chinese_but_english_for_lark() -> None:
    assert load_targets({"NOTIFY_FEISHU": FEISHU})[0].language == "zh"
    assert load_targets({"NOTIFY_FEISHU": LARK})[0].language == "en"
    assert load_targets({"NOTIFY_FEISHU": LARK, "NOTIFY_LANGUAGE": "zh"})[0].language == "zh"
    assert load_targets({"NOTIFY_WECOM": WECOM, "NOTIFY_LANGUAGE": "en"})[0].language == "en"


@pytest.mark.parametrize(
    ("environ", "mistake"),
    [
        ({"NOTIFY_WEBHOOK": WEBHOOK}, "NOTIFY_WEBHOOK_SECRET is missing"),
        (
            {**HOOK, "NOTIFY_WEBHOOK_SECRET": "secret"},
            "NOTIFY_WEBHOOK_SECRET holds a secret that is not whsec_",
        ),
        ({**HOOK, "NOTIFY_WEBHOOK_SECRET": f"{SECRET},{OTHER_SECRET}"}, "have spaces between"),
        (
            {"NOTIFY_WEBHOOK_SECRET": SECRET},
            "NOTIFY_WEBHOOK_SECRET is set, but not the address NOTIFY_WEBHOOK",
        ),
        ({"NOTIFY_FEISHU_A_ON": "done"}, "NOTIFY_FEISHU_A_ON is set, but not the address NOTIFY_FEISHU_A"),
        ({"NOTIFY_WECOM": WECOM, "NOTIFY_WECOM_SECRET": "x" * 9}, "a WeCom robot has no secret"),
        ({"NOTIFY_DINGTALK": DINGTALK, "NOTIFY_DINGTALK_SECRET": "a b c d"}, "NOTIFY_DINGTALK_SECRET is not"),
        ({"NOTIFY_DINGTALK": DINGTALK, "NOTIFY_DINGTALK_SECRET": "undefined"}, "was not set when"),
        ({"NOTIFY_WECOM": "undefined"}, "NOTIFY_WECOM was not set when the function was deployed"),
        ({"NOTIFY_WECOM": FEISHU}, "NOTIFY_WECOM is the address of another robot: set NOTIFY_FEISHU"),
        ({"NOTIFY_FEISHU": DINGTALK}, "NOTIFY_FEISHU is the address of another robot: set NOTIFY_DINGTALK"),
        ({"NOTIFY_LARK": LARK}, "NOTIFY_FEISHU takes the addresses of Lark"),
        ({"NOTIFY_SLACK": "https://hooks.slack.com/x"}, "NOTIFY_SLACK is not a setting"),
        ({"NOTIFY_WEBHOOKS": WEBHOOK}, "NOTIFY_WEBHOOKS is not a setting"),
        ({"NOTIFY_WECOM_": WECOM}, "NOTIFY_WECOM_ has a name that cannot be used"),
        ({"NOTIFY_WECOM_sales": WECOM}, "NOTIFY_WECOM_sales has a name that cannot be used"),
        ({f"NOTIFY_WECOM_{'A' * 40}": WECOM}, "at most 40 characters"),
        ({"NOTIFY_WECOM": WECOM, "NOTIFY_ON": "always"}, "NOTIFY_ON has another value than done, failed"),
        ({"NOTIFY_WECOM": WECOM, "NOTIFY_ON": "done,"}, "NOTIFY_ON has another value than done, failed"),
        (
            {"NOTIFY_WECOM": WECOM, "NOTIFY_WECOM_ON": "both"},
            "NOTIFY_WECOM_ON has another value than done, failed",
        ),
        ({"NOTIFY_WECOM": WECOM, "NOTIFY_LANGUAGE": "fr"}, "NOTIFY_LANGUAGE has another value than zh or en"),
        ({f"NOTIFY_WECOM_T{number}": WECOM for number in range(MAX_TARGETS + 1)}, "11 targets"),
    ],
)
def test_mistake_is_named(environ: dict[str, str], mistake: str) -> None:
    (message,) = read_targets(environ).mistakes
    assert mistake in message


@pytest.mark.parametrize("variable", ["NOTIFY_ON", "NOTIFY_WECOM_ON", "NOTIFY_LANGUAGE"])
def test_value_in_the_wrong_place_is_not_quoted(variable: str) -> None:
    (message,) = read_targets({"NOTIFY_WECOM": WECOM, variable: SECRET}).mistakes
    assert SECRET[:8] not in message


@pytest.mark.parametrize(
    "url",
    [
        *(
            "hooks.example.com",
            "ftp://hooks.example.com/",
            "http://hooks.example.com/",
            "https://",
            "https:///x",
        ),
        *("https://user:password@hooks.example.com/", "https://hooks.example.com/#a", "https://a.b/x y"),
        *("https://hooks.example.com:0/", "https://hooks.example.com:99999/", "https://hooks.example.com:x/"),
        *(
            "https://localhost/",
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f.1/",
        ),
        *(
            "https://10.0.0.1/",
            "https://169.254.0.23/",
            "https://[::1]/",
            "https://[2600::1]/",
            "https://hooks/",
        ),
        *("https://127.0.0.1./", "https://localhost./", "https://a..b/", "https://.example.com/"),
        *("https://钩子.example.com/", "'https://hooks.example.com/'", "https://a\\b.example.com/"),
        *(
            "https://hooks.example.com/" + "a" * 1000,
            "https：//hooks.example.com/",
            "https://a b",
            "https://[a]/",
        ),
    ],
)
def test_address_that_cannot_be_used_is_refused(url: str) -> None:
    (message,) = read_targets({**HOOK, "NOTIFY_WEBHOOK": url}).mistakes
    assert message.startswith("NOTIFY_WEBHOOK ")


@pytest.mark.parametrize("url", [WEBHOOK, "https://8.8.8.8/hook", "https://hooks.example.com:8443/a?b=c"])
def test_public_https_address_is_accepted(url: str) -> None:
    assert read_targets({**HOOK, "NOTIFY_WEBHOOK": url}).mistakes == ()


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("WECOM", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send"),
        ("WECOM", "https://qyapi.weixin.qq.com/cgi-bin/other?key=1"),
        ("WECOM", "https://qyapi.weixin.qq.com.example.com/cgi-bin/webhook/send?key=1"),
        ("WECOM", "https://qyapi.weixin.qq.com:8443/cgi-bin/webhook/send?key=1"),
        ("FEISHU", "https://open.feishu.cn/open-apis/bot/v2/hook/"),
        ("FEISHU", "https://open.feishu.cn/open-apis/bot/v2/hook/a/b"),
        ("DINGTALK", "https://oapi.dingtalk.com/robot/send?token=1"),
        ("DINGTALK", "https://hooks.example.com/robot/send?access_token=1"),
    ],
)
def test_address_of_a_robot_has_its_form(kind: str, url: str) -> None:
    (message,) = read_targets({f"NOTIFY_{kind}": url}).mistakes
    assert "is not the address of such a robot: https://" in message


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9001/hook", "https://localhost:9001/", "http://127.9.9.9:80/"]
)
def test_loopback_is_allowed_with_the_local_cloud_only(url: str) -> None:
    assert read_targets({**LOCAL, "NOTIFY_WEBHOOK": url}).mistakes == ()
    assert read_targets({**LOCAL, "NOTIFY_WEBHOOK": url, "CLOUD_ENDPOINT": ""}).mistakes != ()


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/", "http://hooks.example.com/", "https://192.168.0.1/", "ftp://127.0.0.1/"]
)
def test_local_cloud_allows_no_other_address(url: str) -> None:
    assert len(read_targets({**LOCAL, "NOTIFY_WEBHOOK": url}).mistakes) == 1


def test_all_mistakes_come_in_one_message_without_secrets() -> None:
    environ = {
        "NOTIFY_WEBHOOK": "http://very-secret.example/",
        "NOTIFY_WEBHOOK_SECRET": "very-secret-word",
        "NOTIFY_WECOM": "https://very-secret.example/",
        "NOTIFY_FEISHU_SECRET": "very-secret-word",
        "NOTIFY_ON": "sometimes",
    }
    with pytest.raises(SettingsError) as raised:
        load_targets(environ)
    assert len(raised.value.mistakes) == 5
    assert "very-secret" not in str(raised.value)
