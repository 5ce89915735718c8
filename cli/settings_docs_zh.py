"""The Chinese texts of docs/settings.zh.md. The English ones are in shared/settings.py and cli/notice_settings.py.

Each setting has its meaning (one line), details, and what an empty value means, as far as the English text has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class ChineseText(NamedTuple):
    """The text of one setting."""

    meaning: str
    details: str = ""
    when_empty: str = ""


HEADER = """# 配置项

[English](settings.md)

本页由 `make docs` 根据 `shared/settings.py` 和 `cli/notice_settings.py` 写出（`python -m cli.settings_docs`），
请在这两处修改；中文写在 `cli/settings_docs_zh.py` 中。

设置写在 `.env` 里（`.env.example` 列出了全部配置项），然后执行 `scribe deploy`，
它会把设置作为环境变量交给函数。空值等于没有设置。

取值有误时，`scribe deploy` 会在做任何改动之前停止；函数如果通过其他途径得到错误的值，也会停止工作。所有错误一次列出。
下文逐项说明作用、默认值、示例，以及会被拒绝的取值和相应的报错信息。`scribe deploy` 的部分报错措辞略有不同，
并会注明 serverless.yml 的行号或 .env 文件的名称。函数日志中的报错信息是英文。
"""

GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "Everyone": "## 每套部署都要设置",
        "Some": "## 按需设置\n\n大多数部署不需要设置这些项。",
        "Notices": "## 通知\n\n录音转写失败或完成时，向程序或聊天群发送消息：见[通知](notices.zh.md)。\n"
        "这里没有设置地址时，不发送任何内容。",
        "Tests": "## 用于测试",
    }
)

NAMED_TARGETS = """
### 更多目标

具名目标是另一个地址，只接收部分录音的通知：`NOTIFY_FEISHU_SALES` 就是目标 `feishu-sales`，
有自己的 `NOTIFY_FEISHU_SALES_SECRET` 和 `NOTIFY_FEISHU_SALES_ON`。
它只接收[选项 `notify`](options.zh.md) 指定了它的录音的通知。最多 10 个目标。
`scribe deploy` 会采用 `.env` 中所有这样的设置；
使用腾讯云自己的命令行工具时，请在 serverless.yml 的 `environments` 中为每一项加一行。
"""

FOOTER = """
## 只用于部署

以下各项不会传给函数。

| 名称 | 默认值 | 含义 | 示例 |
|---|---|---|---|
| `SCRIBE_STAGE` | `prod` | 函数名称的一部分，用于在同一账号下部署多套 | `test` |
| `SCF_ROLE_NAME` | `scribe-<stage>` | 角色的名称，其后加 `-upload`、`-callback`、`-sweep` | `stt-roles` |
| `SCRIBE_CALLBACK` | 沿用已部署的值，首次为 `queue` | 由谁发出回调通知：语音识别队列 `queue`，或任务 `job` | `job` |

## 只用于日常命令

以下各项也不会传给函数。

| 名称 | 默认值 | 含义 | 示例 |
|---|---|---|---|
| `PRICE_PER_HOUR` | `1.75` | 每小时语音识别的价格，供 `scribe cost` 使用：见[费用](cost.zh.md) | `2.4` |
| `PRICE_CURRENCY` | `CNY` | 该价格的币种，三个字母 | `USD` |

用来部署的密钥：见[部署](deploy.zh.md#2-准备部署密钥)。单条录音可以有自己的[选项](options.zh.md)，例如引擎和声道数。
"""

SETTINGS: Mapping[str, ChineseText] = MappingProxyType(
    {
        "INPUT_BUCKETS": ChineseText(
            "存放录音的存储桶：完整名称（`name-appid`），用逗号分隔。",
            "Scribe 转写这些存储桶中的录音，拒绝其他存储桶的事件。重复的名称只算一次。"
            "如果把唯一的存储桶换成另一个，而 OUTPUT_BUCKET 不变，"
            "请同时修改 OUTPUT_PREFIX：否则同名的录音会覆盖原存储桶的转写结果。",
        ),
        "CALLBACK_TOKEN": ChineseText(
            "数据万象所通知的地址末尾的令牌：`<function URL>/<token>`。",
            "为空时由 `scribe deploy` 生成。令牌至少 16 个字符，可以使用字母、数字和 `-._~`。"
            "更换时写上多个令牌，用逗号分隔：全部有效，语音识别队列使用第一个。",
        ),
        "REGION": ChineseText(
            "输入存储桶和函数所在的地域。",
            "COS 触发器只能触发同一地域的函数。为空时，函数使用 SCF 设置的 `TENCENTCLOUD_REGION`。",
        ),
        "SINCE": ChineseText(
            "核对时不处理在此之前上传的录音（ISO 8601 格式，带时区）。",
            "`scribe deploy` 会把它设为首次部署的时间，因此存储桶里已有的录音不产生费用。设为 `all` 则也转写它们；"
            "`scribe deploy` 会说明数量并询问。此后上传的录音始终会转写。不接受将来的时间："
            "否则核对发现不了漏掉的录音。",
            "所有录音；由 `scribe deploy` 填写",
        ),
        "OUTPUT_BUCKET": ChineseText(
            "存放转写结果和任务记录的存储桶，写完整名称。最好不开启版本控制。",
            "多个输入存储桶共用它时，每个存储桶的转写结果放在以该存储桶命名的目录里，例如 "
            "`transcripts/calls-1250000000/a.mp3.txt`：无论列表的顺序如何，名称都不会冲突。"
            "其中的任务记录说明哪些录音已经计费。"
            "修改此项时（包括从空改为某个存储桶，或改回空），"
            "`scribe deploy` 会询问是否把任务记录一并复制过去（`--copy-receipts`），"
            "最好在没有录音正在转写时进行；如果不复制，所有录音都会重新转写并再次计费，所以会先询问。",
            "录音所在的存储桶",
        ),
        "ENGINE": ChineseText(
            "语音识别引擎，决定语言和采样率：即腾讯云文档中的 `EngineModelType`。",
            "`16k_zh` 为普通话，`16k_en` 为英语，`8k_zh` 为普通话电话录音；腾讯云文档列出的全部引擎见"
            "[引擎表](options.zh.md#引擎)。录音自己的选项优先，例如元数据 `x-cos-meta-scribe-engine`。"
            "这里只检查名称的格式；数据万象不支持的引擎会导致错误对象。",
        ),
        "INPUT_PREFIX": ChineseText(
            "只转写对象键以它开头的录音。",
            "不能以斜杠开头，最多 100 字节，不要加引号。不能位于同一存储桶的 OUTPUT_PREFIX 或 STATE_PREFIX 之内。",
            "输入存储桶中的所有对象",
        ),
        "INPUT_EXTENSIONS": ChineseText(
            "哪些对象是录音，按名称的扩展名判断：不写点，大小写均可。",
            "`*` 表示全部。没有扩展名的对象，Content-Type 为 `audio/...` 或 `video/...` 的才是录音。"
            "其他对象不产生费用：没有任务，没有错误对象，只有一行日志。",
            "数据万象支持的音频和视频格式",
        ),
        "OUTPUT_REGION": ChineseText(
            "输出存储桶的地域，仅在与 REGION 不同时设置。",
            "如果输出存储桶同时也是输入存储桶，不接受另外的地域。",
            "函数所在的地域",
        ),
        "OUTPUT_PREFIX": ChineseText(
            "存放转写结果的目录：`calls/a.mp3` 对应 `transcripts/calls/a.mp3.txt`。以斜杠结尾。",
            "不能位于 STATE_PREFIX 之内，STATE_PREFIX 也不能位于它之内：录音的名称不能指向任务记录。",
        ),
        "STATE_PREFIX": ChineseText(
            "存放任务记录和原始结果的目录，位于输出存储桶。以斜杠结尾。",
            "任务记录说明哪些录音已经计费。修改此项时，`scribe deploy` 会询问是否一并复制，与 OUTPUT_BUCKET 相同。",
        ),
        "FORMATS": ChineseText(
            "为每条录音写出的文件，用逗号分隔；内容见[转写文件](transcript.zh.md)。",
        ),
        "OUTPUT_NAMES": ChineseText(
            "`full`：`calls/a.mp3` 对应 `transcripts/calls/a.mp3.srt`；`short`：对应 `transcripts/calls/a.srt`。",
            "取 `short` 时，去掉扩展名后的名称归第一条使用它的录音所有，一直不变；"
            "其他录音（例如 `calls/a.m4a`）使用各自的名称，"
            "因此任何录音都不会覆盖其他录音的文件：见[命名规则](transcript.zh.md#文件名)。修改之后，"
            "只对此后上传的录音生效。",
        ),
        "OPTIONS": ChineseText(
            "所有录音的[选项](options.zh.md)，写作 `name=value`，以 `;` 分隔。",
            "规则、录音的元数据和同名配置文件优先于此项。引擎由配置项 ENGINE 指定，格式由 FORMATS 指定。"
            "互相冲突，或与 ENGINE 冲突的选项会被拒绝。",
            "各选项的默认值",
        ),
        "QUEUE_ID": ChineseText(
            "提交任务所用的语音识别队列的 ID。",
            when_empty="输入存储桶的语音识别队列",
        ),
        "SWEEP_AFTER": ChineseText(
            "秒数。巡检和核对会跳过比这更新的任务记录和录音。",
            "取值越小，丢失的事件或回调通知补上得越早。0 用于测试：所有未完成的工作都立即处理，"
            "包括正在进行的。最多一天。",
        ),
        "GIVE_UP_AFTER": ChineseText(
            "秒数。超过这个时间仍没有结果的录音得到错误对象；之后到的结果会取代它。",
            "0 表示永不放弃：任务记录一直保留到有结果为止。其他取值必须大于 SWEEP_AFTER，"
            "因为录音不应在第一次检查时就失败。",
        ),
        "MAX_IN_FLIGHT": ChineseText(
            "巡检提交推迟的录音时，队列中未完成任务的最大数量。",
            "0 等于空。",
            "队列自身的限制",
        ),
        "MONTHLY_MINUTES": ChineseText(
            "预算：每月识别的录音分钟数，一个月从 UTC+8 的 0:00 开始。",
            "达到 80% 时，[通知](notices.zh.md)的默认目标会收到提醒。超出预算的录音会等待，并有错误对象说明，"
            "在以后的月份，或调大该值之后六小时内提交。录音的时长在得到结果之前是估计值，"
            "所以超出预算的部分取决于估计值偏小多少："
            "见[费用](cost.zh.md#预算)。OUTPUT_BUCKET 和 STATE_PREFIX 都相同的存储桶共用一个预算。",
            "没有预算",
        ),
        "JOBS_PATH": ChineseText(
            "数据万象任务接口的路径：`asr_jobs`，或较新的 `jobs`。",
        ),
        "CALLBACK_URL": ChineseText(
            "数据万象就每个任务所通知的地址，包含令牌：`<function URL>/<token>`。",
            "由 `scribe deploy --callback job` 设置。每个任务自带这个地址；队列自己的通知不再使用，"
            "可以归其他程序所有。",
            "队列的回调通知",
        ),
        "CLOUD_ENDPOINT": ChineseText(
            "本机地址，代替腾讯云接收所有请求。绝不会部署到云上。",
            when_empty="腾讯云",
        ),
        "NOTIFY_ON": ChineseText(
            "发送哪些通知：`failed`、`done`，或两者都写，用逗号分隔。",
            "录音在等待您处理某个问题时，也会发送 `failed`。每个目标可以单独设置，例如 NOTIFY_WEBHOOK_ON。",
        ),
        "NOTIFY_LANGUAGE": ChineseText(
            "聊天消息的语言：`zh` 或 `en`。",
            when_empty="`zh`；Lark 为 `en`",
        ),
        "NOTIFY_WEBHOOK": ChineseText(
            "您的程序的地址，该程序接收 [Standard Webhooks](notices.zh.md)。",
            "以 `https://` 开头，并且位于公网。路径和查询参数中可以包含密钥：它们不会显示出来。"
            "一个函数的所有环境变量合计最多 4096 字节。",
            "没有 Webhook",
        ),
        "NOTIFY_WEBHOOK_SECRET": ChineseText(
            "用于给 Webhook 签名的密钥：`whsec_` 加上 Base64 编码的 24 到 64 字节。",
            "可以用 `echo whsec_$(openssl rand -base64 32)` 生成。更换时，依次写上新的、一个空格和旧的："
            "此后每条通知带两个签名。"
            "等您的程序换用新的之后，再去掉旧的。",
            "设置了 Webhook 时会被拒绝",
        ),
        "NOTIFY_WEBHOOK_ON": ChineseText("Webhook 接收哪些通知。", when_empty="NOTIFY_ON"),
        "NOTIFY_WECOM": ChineseText(
            "企业微信群机器人的地址。",
            "知道地址的人都能往群里发消息：请像密码一样保密。",
            "不向企业微信发消息",
        ),
        "NOTIFY_WECOM_ON": ChineseText("企业微信接收哪些通知。", when_empty="NOTIFY_ON"),
        "NOTIFY_FEISHU": ChineseText("飞书或 Lark 群机器人的地址。", when_empty="不向飞书发消息"),
        "NOTIFY_FEISHU_SECRET": ChineseText(
            "飞书机器人的密钥，仅在开启“签名校验”时需要。", when_empty="消息不带签名"
        ),
        "NOTIFY_FEISHU_ON": ChineseText("飞书接收哪些通知。", when_empty="NOTIFY_ON"),
        "NOTIFY_DINGTALK": ChineseText(
            "钉钉群机器人的地址。",
            "如果机器人使用自定义关键词而不是加签，可以用 `Scribe`，每条消息都包含它。",
            "不向钉钉发消息",
        ),
        "NOTIFY_DINGTALK_SECRET": ChineseText("钉钉机器人的密钥，以 `SEC` 开头。", when_empty="消息不带签名"),
        "NOTIFY_DINGTALK_ON": ChineseText("钉钉接收哪些通知。", when_empty="NOTIFY_ON"),
    }
)
