"""The texts of the settings NOTIFY_* for docs/settings.md, in the form of those in shared/settings.py.

They are not fields of `Settings`: shared/notices/targets.py makes targets of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_WEBHOOK = "NOTIFY_WEBHOOK=https://hooks.example.com/scribe"
# An example of 32 bytes, not real.
_SECRET = "NOTIFY_WEBHOOK_SECRET=whsec_YW4gZXhhbXBsZSBvZiAzMiBieXRlcywgbm90IHJlYWw="  # noqa: S105
_WECOM = (
    "NOTIFY_WECOM=https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=11111111-2222-3333-4444-555555555555"
)
_FEISHU = "NOTIFY_FEISHU=https://open.feishu.cn/open-apis/bot/v2/hook/11111111-2222-3333-4444-555555555555"
_DINGTALK = "NOTIFY_DINGTALK=https://oapi.dingtalk.com/robot/send?access_token=0123456789abcdef"

DEFAULTS: Mapping[str, str] = MappingProxyType({"NOTIFY_ON": "failed"})

NOTICE_SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "NOTIFY_ON": f"""Notices. Which notices are sent: `failed`, `done`, or both with a comma.
        `failed` is also sent when a recording waits for something that you have to do. Each target can have its own,
        such as NOTIFY_WEBHOOK_ON.
        Example: NOTIFY_ON=done,failed {_WECOM}
        Wrong: NOTIFY_ON=always {_WECOM}
        """,
        "NOTIFY_LANGUAGE": f"""Notices. The language of the messages in chats: `zh` or `en`.
        Empty: `zh`; `en` for Lark
        Example: NOTIFY_LANGUAGE=en {_WECOM}
        Wrong: NOTIFY_LANGUAGE=english {_WECOM}
        """,
        "NOTIFY_WEBHOOK": f"""Notices. The address of a program of yours that takes [Standard Webhooks](notices.md).
        It begins with `https://` and is on the internet. Its path and query may hold a key: they are never printed. All
        variables of a function have at most 4096 bytes together.
        Empty: no webhook
        Example: {_WEBHOOK} {_SECRET}
        Wrong: NOTIFY_WEBHOOK=http://hooks.example.com/scribe {_SECRET}
        Wrong: NOTIFY_WEBHOOK=https://192.168.1.7/scribe {_SECRET}
        Wrong: NOTIFY_WEBHOOK=https://169.254.0.23/latest/meta-data/ {_SECRET}
        """,
        "NOTIFY_WEBHOOK_SECRET": f"""Notices. The secret that signs the webhook: `whsec_` and 24 to 64 bytes in Base64.
        `echo whsec_$(openssl rand -base64 32)` makes one. To change it, set the new one, a space, and the old one: each
        notice then has both signatures. Remove the old one when your program uses the new one.
        Empty: refused if there is a webhook
        Example: {_SECRET} {_WEBHOOK}
        Wrong: NOTIFY_WEBHOOK_SECRET=secret {_WEBHOOK}
        Wrong: {_SECRET}
        """,
        "NOTIFY_WEBHOOK_ON": f"""Notices. The notices that the webhook gets.
        Empty: NOTIFY_ON
        Example: NOTIFY_WEBHOOK_ON=done {_WEBHOOK} {_SECRET}
        Wrong: NOTIFY_WEBHOOK_ON=success {_WEBHOOK} {_SECRET}
        """,
        "NOTIFY_WECOM": f"""Notices. The address of a robot in a WeCom group.
        Everyone who has it can write to the group: it is as secret as a password.
        Empty: no messages in WeCom
        Example: {_WECOM}
        Wrong: NOTIFY_WECOM=https://qyapi.weixin.qq.com/cgi-bin/webhook/send
        Wrong: NOTIFY_WECOM=https://open.feishu.cn/open-apis/bot/v2/hook/11111111-2222-3333-4444-555555555555
        """,
        "NOTIFY_WECOM_ON": f"""Notices. The notices that WeCom gets.
        Empty: NOTIFY_ON
        Example: NOTIFY_WECOM_ON=done {_WECOM}
        Wrong: NOTIFY_WECOM_ON=all {_WECOM}
        """,
        "NOTIFY_FEISHU": f"""Notices. The address of a robot in a Feishu or Lark group.
        Empty: no messages in Feishu
        Example: {_FEISHU}
        Example: NOTIFY_FEISHU=https://open.larksuite.com/open-apis/bot/v2/hook/11111111-2222-3333-4444-555555555555
        Wrong: NOTIFY_FEISHU=https://open.feishu.cn/
        """,
        "NOTIFY_FEISHU_SECRET": f"""Notices. The secret of the robot in Feishu, if its signature verification is on.
        Empty: messages without a signature
        Example: NOTIFY_FEISHU_SECRET=an-example-to-replace {_FEISHU}
        Wrong: NOTIFY_FEISHU_SECRET="two words" {_FEISHU}
        """,
        "NOTIFY_FEISHU_ON": f"""Notices. The notices that Feishu gets.
        Empty: NOTIFY_ON
        Example: NOTIFY_FEISHU_ON=done {_FEISHU}
        Wrong: NOTIFY_FEISHU_ON=all {_FEISHU}
        """,
        "NOTIFY_DINGTALK": f"""Notices. The address of a robot in a DingTalk group.
        If the robot asks for a keyword instead of a signature, `Scribe` is in each message.
        Empty: no messages in DingTalk
        Example: {_DINGTALK}
        Wrong: NOTIFY_DINGTALK=https://oapi.dingtalk.com/robot/send
        """,
        "NOTIFY_DINGTALK_SECRET": f"""Notices. The secret of the robot in DingTalk, which begins with `SEC`.
        Empty: messages without a signature
        Example: NOTIFY_DINGTALK_SECRET=SEC-an-example-to-replace {_DINGTALK}
        Wrong: NOTIFY_DINGTALK_SECRET="two words" {_DINGTALK}
        """,
        "NOTIFY_DINGTALK_ON": f"""Notices. The notices that DingTalk gets.
        Empty: NOTIFY_ON
        Example: NOTIFY_DINGTALK_ON=done {_DINGTALK}
        Wrong: NOTIFY_DINGTALK_ON=all {_DINGTALK}
        """,
    }
)

NAMED_TARGETS = """
### Further targets

A target with a name of its own is another address for the notices of some recordings: `NOTIFY_FEISHU_SALES` is the
target `feishu-sales`, with its own `NOTIFY_FEISHU_SALES_SECRET` and `NOTIFY_FEISHU_SALES_ON`. It gets the notices of
recordings whose [option `notify`](options.md) names it. There are at most 10 targets. `scribe deploy` takes every such
line of `.env`; for Tencent's own CLI, add a line for each to `environments` in serverless.yml.
"""
