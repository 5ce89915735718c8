"""What went wrong and what to do, in English and Chinese, by the cloud's own codes.

Sources: CI error codes 460/42867 and the numeric list of the CI error guide; COS error codes 436/7730. The codes of
finished jobs are those of the speech product behind CI (FailedOperation.*); CI does not list its own.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Kind(Enum):
    """Who has to act."""

    RECORDING = "recording"  # whoever uploaded it: the recording, its name or its metadata
    SETTINGS = "settings"  # the operator: a permission, a role, a switch, a setting
    ACCOUNT = "account"  # the operator: money or quota
    SERVICE = "service"  # nobody: the cloud's own trouble


class Explanation(NamedTuple):
    """One failure in words. `waits`: the work is kept and tried again by itself once the cause is gone."""

    kind: Kind
    what: str
    what_zh: str
    next_step: str
    next_step_zh: str
    trying_again_helps: bool = False
    waits: bool = False


_UPLOAD_AGAIN = ("Upload it again.", "请重新上传。")
_BY_ITSELF = "; the recording is then submitted by itself, within a few minutes."
_BY_ITSELF_ZH = "；修复后几分钟内会自动提交，无需重新上传。"


def _operators(
    what: str, what_zh: str, next_step: str, next_step_zh: str, kind: Kind = Kind.SETTINGS
) -> Explanation:
    return Explanation(
        kind,
        what,
        what_zh,
        next_step + _BY_ITSELF,
        next_step_zh + _BY_ITSELF_ZH,
        trying_again_helps=True,
        waits=True,
    )


_NOT_ALLOWED = _operators(
    "The function's role may not submit speech jobs.",
    "函数的角色没有提交语音识别任务的权限。",
    "Run `scribe policy --create-role`, or grant the role ci:CreateAsrJobs (for the newer form also "
    "ci:CreateMediaJobs) on the bucket and cam:PassRole on CI_QCSRole",
    "请运行 scribe policy --create-role，或为该角色授予存储桶的 ci:CreateAsrJobs 权限"
    "以及 CI_QCSRole 的 cam:PassRole 权限",
)
_SIGNATURE = _operators(
    "The cloud did not accept the function's credentials.",
    "云端拒绝了函数的凭证。",
    "Check the function's execution role, and that its clock is right",
    "请检查函数的运行角色以及系统时间",
)
SWITCHED_OFF = _operators(
    "Speech recognition is not switched on for the bucket.",
    "该存储桶尚未开通智能语音服务。",
    "Switch it on in the Cloud Infinite console, on the bucket's intelligent voice page",
    "请在数据万象控制台该存储桶的智能语音页面开通",
)
_NO_MONEY = _operators(
    "The account has no balance or no quota left for speech recognition.",
    "账号余额不足或语音识别额度已用完。",
    "Top up the account or buy a resource package",
    "请充值或购买资源包",
    Kind.ACCOUNT,
)

REFUSALS: dict[str, Explanation] = {
    "ResourceNotFound": Explanation(
        Kind.RECORDING,
        "The recording was gone when the speech service looked for it.",
        "语音服务读取时，录音文件已不存在。",
        *_UPLOAD_AGAIN,
        trying_again_helps=True,
    ),
    "ResourceDownloadFailed": Explanation(
        Kind.SERVICE,
        "The speech service could not fetch the recording from the bucket.",
        "语音服务无法从存储桶下载该录音。",
        *_UPLOAD_AGAIN,
        trying_again_helps=True,
    ),
    "InvalidArgument": Explanation(
        Kind.RECORDING,
        "The speech service does not accept this combination of engine and channels.",
        "语音服务不接受当前的引擎与声道组合。",
        "Check ENGINE and the recording's x-cos-meta-engine and x-cos-meta-channels, then upload it again.",
        "请检查 ENGINE 设置以及录音的 x-cos-meta-engine、x-cos-meta-channels，然后重新上传。",
    ),
    "ResourceAccessDenied": _operators(
        "The speech service may not read the recording.",
        "语音服务没有读取该录音的权限。",
        "Grant the service role CI_QCSRole access to the bucket",
        "请为服务角色 CI_QCSRole 授予该存储桶的访问权限",
    ),
    "CIRoleNotExist": _operators(
        "The account has no service role CI_QCSRole, so the speech service cannot read the bucket.",
        "账号缺少服务角色 CI_QCSRole，语音服务无法读取存储桶。",
        "Open the Cloud Infinite console once and agree to create the role",
        "请打开数据万象控制台并同意创建该角色",
    ),
    "WriteTargetBucketDenied": _operators(
        "The speech service may not write its result to the output bucket.",
        "语音服务没有写入输出存储桶的权限。",
        "Grant the service role CI_QCSRole write access to the output bucket",
        "请为服务角色 CI_QCSRole 授予输出存储桶的写权限",
    ),
    "QueueNotFound": _operators(
        "The queue in QUEUE_ID does not exist in this bucket.",
        "QUEUE_ID 指定的队列在该存储桶中不存在。",
        "Correct or remove the setting QUEUE_ID",
        "请更正或删除 QUEUE_ID 设置",
    ),
    "AccessDenied": _NOT_ALLOWED,
    "MissingAuthorization": _SIGNATURE,
    "InvalidAuthorization": _SIGNATURE,
    "SecretidNotExist": _SIGNATURE,
    "InvalidAccessKeyId": _SIGNATURE,
    "SignatureExpired": _SIGNATURE,
    "SignatureDoesNotMatch": _SIGNATURE,
    "ExpiredToken": _SIGNATURE,
    "RequestTimeTooSkewed": _SIGNATURE,
    "AccountProblem": _NO_MONEY,
}

OTHER_REFUSAL = Explanation(
    Kind.SERVICE,
    "The speech service refused the job.",
    "语音服务拒绝了该任务。",
    "See code and message; if they do not help, show them and the request id to Tencent's support.",
    "请查看 code 与 message；如仍无法解决，请将其与 request_id 提供给腾讯云支持。",
)

_JOB_NO_MONEY = Explanation(
    _NO_MONEY.kind,
    _NO_MONEY.what,
    _NO_MONEY.what_zh,
    "Top up the account or buy a resource package, then upload the recording again.",
    "请充值或购买资源包，然后重新上传。",
    trying_again_helps=True,
)

JOB_FAILURES: dict[str, Explanation] = {
    "FailedOperation.ErrorDownFile": REFUSALS["ResourceDownloadFailed"],
    "FailedOperation.ServiceIsolate": _JOB_NO_MONEY,
    "FailedOperation.UserHasNoAmount": _JOB_NO_MONEY,
    "FailedOperation.UserHasNoFreeAmount": _JOB_NO_MONEY,
    "FailedOperation.UserNotRegistered": _JOB_NO_MONEY,
}

OTHER_JOB_FAILURE = Explanation(
    Kind.RECORDING,
    "The speech service could not recognise this recording.",
    "语音服务无法识别该录音。",
    "Listen to it: is it audio in a common format, under 512 MB and 5 hours? If it plays, upload it again; if it fails "
    "again, show code and message to Tencent's support.",
    "请试听：是否为常见格式的音频，且不超过 512 MB、5 小时？若能播放，请重新上传；"
    "若再次失败，请将 code 与 message 提供给腾讯云支持。",
)

INTERNAL_JOB_FAILURE = Explanation(
    Kind.SERVICE,
    "The speech service failed while it worked on this recording.",
    "语音服务处理该录音时发生内部错误。",
    *_UPLOAD_AGAIN,
    trying_again_helps=True,
)

CANCELLED_JOB = Explanation(
    Kind.SETTINGS,
    "The speech job was cancelled.",
    "语音识别任务已被取消。",
    "Upload the recording again if it should be transcribed after all.",
    "如仍需转写，请重新上传。",
    trying_again_helps=True,
)

GAVE_UP = Explanation(
    Kind.SERVICE,
    "There was no result within the time that GIVE_UP_AFTER allows.",
    "在 GIVE_UP_AFTER 规定的时间内没有得到结果。",
    "Look at the queue in the Cloud Infinite console: is it paused or very long? Then upload the recording again.",
    "请在数据万象控制台查看队列是否暂停或积压，然后重新上传。",
    trying_again_helps=True,
)

UNWRITABLE_NAME = Explanation(
    Kind.RECORDING,
    "The recording's name holds a control character, which the speech service cannot be told.",
    "录音的文件名包含控制字符，无法传给语音服务。",
    "Rename the recording and upload it again.",
    "请重命名后重新上传。",
)

EMPTY = Explanation(
    Kind.RECORDING,
    "The recording is empty (0 bytes).",
    "录音文件为空（0 字节）。",
    "Check the upload and send the recording again.",
    "请检查上传过程并重新上传。",
)

TOO_LARGE = Explanation(
    Kind.RECORDING,
    "The recording is larger than the 512 MB that the speech service takes.",
    "录音超过语音服务允许的 512 MB。",
    "Cut it into parts or compress it (mono, 16 kHz), then upload those.",
    "请切分或压缩（单声道、16 kHz）后重新上传。",
)


def wrong_metadata(reason: str) -> Explanation:
    """The recording's own metadata asks for what cannot be."""
    return Explanation(
        Kind.RECORDING,
        f"The recording's metadata is wrong: {reason}.",
        f"录音的元数据有误：{reason}。",
        "Correct it and upload again.",
        "请更正后重新上传。",
    )
