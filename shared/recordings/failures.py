"""Why a recording has no transcript: the reasons in English and Chinese, and the error object beside the transcripts.

Sources of the codes: CI error codes 460/42867 and the numeric list of the CI error guide; COS error codes 436/7730. The
codes of finished jobs are those of the speech product behind CI (FailedOperation.*); CI does not list its own.
"""

from __future__ import annotations

import json
from enum import Enum
from typing import Any, NamedTuple

from shared.errors import CloudError
from shared.messages import Bilingual, with_chinese
from shared.recordings.receipt import Receipt
from shared.tencent.speech_models import CANCELLED, Job

ERROR_SCHEMA, ERROR_VERSION = "urn:scribe:error", 1
_LOCAL_CLOUD_PREFIX = "LocalCloud."  # codes of localcloud/speech/errors.py; Tencent Cloud has none of them
ERROR_CONTENT_TYPE = "application/json; charset=utf-8"


class FailureKind(Enum):
    """Who has to act."""

    RECORDING = "recording"  # the uploader: the recording, its name or its metadata
    SETTINGS = "settings"  # the operator: a permission, a role, a switch, a setting
    ACCOUNT = "account"  # the operator: money or quota
    SERVICE = "service"  # no one: the cloud service failed


class FailureReason(NamedTuple):
    """One kind of failure in words.

    `retryable`: a new upload can succeed. `retried_automatically`: Scribe keeps the work and submits it again once the
    cause is removed.
    """

    kind: FailureKind
    message: str
    message_zh: str
    next_step: str
    next_step_zh: str
    retryable: bool = False
    retried_automatically: bool = False

    @property
    def text(self) -> Bilingual:
        """The message in both languages."""
        return with_chinese(self.message, self.message_zh)


class Failure(NamedTuple):
    """A reason, and the cloud's own code, message and request id if it sent them."""

    reason: FailureReason
    code: str = ""
    cloud_message: str = ""
    request_id: str = ""


_UPLOAD_AGAIN = ("Upload it again.", "请重新上传。")
_AUTOMATIC_RETRY = (
    "; the recording is then submitted automatically, within an hour: no one has to upload it again."
)
_AUTOMATIC_RETRY_ZH = "；修复后一小时内会自动提交，无需重新上传。"


def _operator_reason(
    message: str, message_zh: str, next_step: str, next_step_zh: str, kind: FailureKind = FailureKind.SETTINGS
) -> FailureReason:
    return FailureReason(
        kind,
        message,
        message_zh,
        next_step + _AUTOMATIC_RETRY,
        next_step_zh + _AUTOMATIC_RETRY_ZH,
        retryable=True,
        retried_automatically=True,
    )


# CI gives the same code when the signature does not match, seen in a log of 2026-07 (internal code 11009).
_MISSING_PERMISSION = _operator_reason(
    "Cloud Infinite refused the function: its role may not submit speech jobs, or the signature "
    "does not match.",
    "数据万象拒绝了函数的请求：函数的角色没有提交语音识别任务的权限，或请求签名不匹配。",
    "Run `scribe doctor`: it compares the role with what it needs (ci:CreateAsrJobs on the bucket and cam:PassRole on "
    "CI_QCSRole), and the clock; `scribe policy --create-role` grants it",
    "请运行 scribe doctor 检查角色权限（存储桶的 ci:CreateAsrJobs 以及 CI_QCSRole 的 cam:PassRole）和系统时间；"
    "scribe policy --create-role 可补齐权限",
)
_INVALID_CREDENTIALS = _operator_reason(
    "The cloud did not accept the function's credentials.",
    "云端拒绝了函数的凭证。",
    "Check the function's execution role, and that its clock is right",
    "请检查函数的运行角色以及系统时间",
)
SPEECH_NOT_ENABLED = _operator_reason(
    "Speech recognition is not switched on for the bucket.",
    "该存储桶尚未开通智能语音服务。",
    "Switch it on in the Cloud Infinite console, on the bucket's intelligent voice page",
    "请在数据万象控制台该存储桶的智能语音页面开通",
)
_INSUFFICIENT_BALANCE = _operator_reason(
    "The account has no balance or no quota left for speech recognition.",
    "账号余额不足或语音识别额度已用完。",
    "Top up the account or buy a resource package",
    "请充值或购买资源包",
    FailureKind.ACCOUNT,
)

OTHER_REJECTION = FailureReason(
    FailureKind.SERVICE,
    "The speech service refused the job.",
    "语音服务拒绝了该任务。",
    "See code and cloud_message; if they do not help, show them and request_id to Tencent's support.",
    "请查看 code 与 cloud_message；如仍无法解决，请将它们与 request_id 提供给腾讯云支持。",
)

REJECTIONS: dict[str, FailureReason] = {
    "ResourceNotFound": FailureReason(
        FailureKind.RECORDING,
        "The speech service did not find the recording: it does not exist any more.",
        "语音服务读取时，录音文件已不存在。",
        *_UPLOAD_AGAIN,
        retryable=True,
    ),
    "ResourceDownloadFailed": FailureReason(
        FailureKind.SERVICE,
        "The speech service could not fetch the recording from the bucket.",
        "语音服务无法从存储桶下载该录音。",
        *_UPLOAD_AGAIN,
        retryable=True,
    ),
    **dict.fromkeys(
        ("InvalidContent", "InvalidContentType", "InvalidUrl", "MissingContent"), OTHER_REJECTION
    ),
    "InvalidArgument": FailureReason(
        FailureKind.RECORDING,
        "The speech service does not accept this combination of engine, channels and other options.",
        "语音服务不接受当前的引擎、声道与其他选项的组合。",
        "Check ENGINE and the recording's metadata, such as x-cos-meta-scribe-engine, then upload it again.",
        "请检查 ENGINE 设置以及录音的元数据（如 x-cos-meta-scribe-engine），然后重新上传。",
    ),
    "ResourceAccessDenied": _operator_reason(
        "The speech service may not read the recording.",
        "语音服务没有读取该录音的权限。",
        "Grant the service role CI_QCSRole access to the bucket",
        "请为服务角色 CI_QCSRole 授予该存储桶的访问权限",
    ),
    "CIRoleNotExist": _operator_reason(
        "The account has no service role CI_QCSRole, so the speech service cannot read the bucket.",
        "账号缺少服务角色 CI_QCSRole，语音服务无法读取存储桶。",
        "Open the Cloud Infinite console once and agree to create the role",
        "请打开数据万象控制台并同意创建该角色",
    ),
    "WriteTargetBucketDenied": _operator_reason(
        "The speech service may not write its result to the output bucket.",
        "语音服务没有写入输出存储桶的权限。",
        "Grant the service role CI_QCSRole write access to the output bucket",
        "请为服务角色 CI_QCSRole 授予输出存储桶的写权限",
    ),
    "QueueNotFound": _operator_reason(
        "The queue in QUEUE_ID does not exist in this bucket.",
        "QUEUE_ID 指定的队列在该存储桶中不存在。",
        "Correct or remove the setting QUEUE_ID",
        "请更正或删除 QUEUE_ID 设置",
    ),
    "AccessDenied": _MISSING_PERMISSION,
    "MissingAuthorization": _INVALID_CREDENTIALS,
    "InvalidAuthorization": _INVALID_CREDENTIALS,
    "SecretidNotExist": _INVALID_CREDENTIALS,
    "InvalidAccessKeyId": _INVALID_CREDENTIALS,
    "SignatureExpired": _INVALID_CREDENTIALS,
    "SignatureDoesNotMatch": _INVALID_CREDENTIALS,
    "ExpiredToken": _INVALID_CREDENTIALS,
    "RequestTimeTooSkewed": _INVALID_CREDENTIALS,
    "AccountProblem": _INSUFFICIENT_BALANCE,
}

# A code that no list knows: the status says what it is about (401 and 403 the role or the key, 402 and 451 the
# account). Nothing about the recording is wrong, so it is kept.
_ACCESS_REFUSED = _operator_reason(
    "The cloud refused the function or the account; code and cloud_message say why.",
    "云端拒绝了该函数或账号的请求，原因见 code 与 cloud_message。",
    "Run `scribe doctor`, and check the account's balance and the role's permissions",
    "请运行 scribe doctor，并检查账号余额与角色权限",
)
_REASONS_BY_STATUS = {
    401: _ACCESS_REFUSED,
    402: _INSUFFICIENT_BALANCE,
    403: _ACCESS_REFUSED,
    451: _INSUFFICIENT_BALANCE,
}
_UNEXPECTED_RESPONSE = _operator_reason(
    "The speech service refused the job for a reason that Scribe does not know; see code and cloud_message.",
    "语音服务以未知的原因拒绝了该任务，详见 code 与 cloud_message。",
    "If it lasts, show code, cloud_message and request_id to Tencent's support",
    "如持续出现，请将 code、cloud_message 与 request_id 提供给腾讯云支持",
    FailureKind.SERVICE,
)

JOB_FAILURES: dict[str, FailureReason] = {
    "FailedOperation.ErrorDownFile": REJECTIONS["ResourceDownloadFailed"],
    "FailedOperation.ServiceIsolate": _INSUFFICIENT_BALANCE,
    "FailedOperation.UserHasNoAmount": _INSUFFICIENT_BALANCE,
    "FailedOperation.UserHasNoFreeAmount": _INSUFFICIENT_BALANCE,
    "FailedOperation.UserNotRegistered": _INSUFFICIENT_BALANCE,
}

OTHER_JOB_FAILURE = FailureReason(
    FailureKind.RECORDING,
    "The speech service could not recognise this recording.",
    "语音服务无法识别该录音。",
    "Listen to it: is it audio in a common format, under 512 MB and 5 hours? If it plays, upload it again; if it fails "
    "again, show code and cloud_message to Tencent's support.",
    "请试听：是否为常见格式的音频，且不超过 512 MB、5 小时？若能播放，请重新上传；"
    "若再次失败，请将 code 与 cloud_message 提供给腾讯云支持。",
)

INTERNAL_JOB_FAILURE = FailureReason(
    FailureKind.SERVICE,
    "The speech service failed while it worked on this recording.",
    "语音服务处理该录音时发生内部错误。",
    *_UPLOAD_AGAIN,
    retryable=True,
)

LOCAL_CLOUD_FAILURE = FailureReason(
    FailureKind.SETTINGS,
    "The local cloud on this machine could not recognise this recording.",
    "本机的本地模拟云无法识别该录音。",
    "This is a limit of the local cloud on this machine, not of Tencent Cloud. Do what `cloud_message` says, then "
    "upload the recording again.",
    "这是本机的本地模拟云的限制，与腾讯云无关。cloud_message（英文）写明了要执行的命令，例如安装解码 m4a 的组件 av，"
    "或用 --speech whisper 识别中文；处理后请重新上传。",
    retryable=True,
)

CANCELLED_JOB = FailureReason(
    FailureKind.SETTINGS,
    "The speech job was cancelled.",
    "语音识别任务已被取消。",
    "Upload the recording again if you still need its transcript.",
    "如仍需转写，请重新上传。",
    retryable=True,
)

NO_RESULT_IN_TIME = FailureReason(
    FailureKind.SERVICE,
    "There was no result within the time that GIVE_UP_AFTER allows.",
    "在 GIVE_UP_AFTER 规定的时间内没有得到结果。",
    "Look at the queue in the Cloud Infinite console: is it paused or very long? Then upload the recording again.",
    "请在数据万象控制台查看队列是否暂停或积压，然后重新上传。",
    retryable=True,
)

LONG_WAIT = FailureReason(
    FailureKind.SERVICE,
    "The recording has waited for more than a day and is not submitted yet: the speech queue takes no job for it.",
    "该录音已等待超过一天仍未提交：语音队列一直没有接收它。",
    "Run `scribe doctor`: is the queue full or paused, or MAX_IN_FLIGHT too small? The recording is submitted "
    "automatically: no one has to upload it again.",
    "请运行 scribe doctor 检查队列是否已满或暂停、MAX_IN_FLIGHT 是否过小；录音会自动提交，无需重新上传。",
    retryable=True,
    retried_automatically=True,
)

RESULT_GONE = FailureReason(
    FailureKind.SERVICE,
    "The recording was transcribed before, but its transcripts were removed since, and the speech service keeps "
    "results for a limited time only.",
    "该录音此前已转写，但转写结果后来被移除，而语音服务仅在有限时间内保留结果。",
    "If you need the transcript, upload the recording under another name; it is transcribed and billed again.",
    "如需转写结果，请换一个文件名重新上传，将再次转写并计费。",
)

BUCKET_REMOVED = FailureReason(
    FailureKind.SETTINGS,
    "Its bucket was taken out of INPUT_BUCKETS before the transcript was there.",
    "转写完成之前，其存储桶已从 INPUT_BUCKETS 中移除。",
    "Put the bucket back into INPUT_BUCKETS, run `scribe deploy`, and upload the recording again.",
    "请将该存储桶重新加入 INPUT_BUCKETS，运行 scribe deploy，然后重新上传该录音。",
    retryable=True,
)

UNSUPPORTED_KEY = FailureReason(
    FailureKind.RECORDING,
    "The recording's name contains a control character, which the speech service does not support.",
    "录音的文件名包含控制字符，无法传给语音服务。",
    "Rename the recording and upload it again.",
    "请重命名后重新上传。",
)

EMPTY = FailureReason(
    FailureKind.RECORDING,
    "The recording is empty (0 bytes).",
    "录音文件为空（0 字节）。",
    "Check the upload and send the recording again.",
    "请检查上传过程并重新上传。",
)

UNREADABLE = FailureReason(
    FailureKind.RECORDING,
    "COS does not let Scribe read this recording: it is encrypted with a customer's key, or its own "
    "access rule denies it.",
    "COS 不允许读取该录音：可能使用了客户提供的密钥加密（SSE-C），或其访问权限拒绝读取。",
    "Upload it again without a key of your own and without a rule that denies it.",
    "请取消自定义密钥加密或拒绝访问的权限后重新上传。",
)

ARCHIVED = FailureReason(
    FailureKind.RECORDING,
    "The recording is in an archive and cannot be read before it is restored.",
    "该录音为归档存储，恢复之前无法读取。",
    "Restore it in the COS console; it is then submitted automatically. If it is restored already, within six hours.",
    "请在对象存储控制台恢复该文件，恢复后会自动提交；若已恢复，最迟六小时内提交。",
    retryable=True,
    retried_automatically=True,
)

TOO_LARGE = FailureReason(
    FailureKind.RECORDING,
    "The recording is larger than the 512 MB that the speech service takes.",
    "录音超过语音服务允许的 512 MB。",
    "Cut it into parts or compress it (mono, 16 kHz), then upload those.",
    "请切分或压缩（单声道、16 kHz）后重新上传。",
)


def invalid_options(reason: str, reason_zh: str) -> FailureReason:
    """Build the reason for options that Scribe cannot use, or that do not go together."""
    return FailureReason(
        FailureKind.RECORDING,
        f"The recording's options are wrong: {reason}.",
        f"录音的选项有误：{reason_zh}。",
        "Correct it and upload again.",
        "请更正后重新上传。",
    )


def failure_from_rejection(error: CloudError) -> Failure:
    """Build the failure of a job that CI did not accept: by its code, or by what the status is about.

    Only a known code says that the recording itself is refused; after any other response the recording is kept.
    """
    reason = REJECTIONS.get(error.code)
    if reason is None or not reason.retried_automatically:
        reason = _REASONS_BY_STATUS.get(error.status, reason)
    reason = reason or _UNEXPECTED_RESPONSE
    if error.code.endswith("UnBinded"):
        # MediaBucketUnBinded is documented; the code for speech is not, so the suffix decides.
        reason = SPEECH_NOT_ENABLED
    return Failure(reason, error.code, error.message, error.request_id)


def may_be_about_request(error: CloudError) -> bool:
    """Check whether CI may have refused what the job says, not the role, the account, the bucket or the queue."""
    reason = REJECTIONS.get(error.code)
    is_known_cause = error.code.endswith("UnBinded") or (reason is not None and reason.retried_automatically)
    return not is_known_cause and error.status not in _REASONS_BY_STATUS


def failure_from_job(job: Job) -> Failure:
    """Build the failure of a job that ended without a result."""
    reason = JOB_FAILURES.get(job.code, OTHER_JOB_FAILURE)
    if job.code.startswith("InternalError"):
        reason = INTERNAL_JOB_FAILURE
    if job.code.startswith(_LOCAL_CLOUD_PREFIX):
        reason = LOCAL_CLOUD_FAILURE
    if job.state == CANCELLED:
        reason = CANCELLED_JOB
    return Failure(reason, job.code, job.message)


def render_error_object(receipt: Receipt, failure: Failure) -> bytes:
    """Return the bytes of `<recording>.error.json`: the same bytes for the same failure."""
    reason = failure.reason
    document: dict[str, Any] = {
        "schema": ERROR_SCHEMA,
        "version": ERROR_VERSION,
        "recording": {
            "bucket": receipt.bucket,
            "region": receipt.region,
            "key": receipt.key,
            "etag": receipt.etag,
            "size": receipt.size,
        },
        "kind": reason.kind.value,
        "message": reason.message,
        "message_zh": reason.message_zh,
        "next_step": reason.next_step,
        "next_step_zh": reason.next_step_zh,
        "retryable": reason.retryable,
        "retried_automatically": reason.retried_automatically,
        "code": failure.code,
        "cloud_message": failure.cloud_message,
        "request_id": failure.request_id,
        "job_id": receipt.job_id,
        "attempts": receipt.attempt,
    }
    return json.dumps(document, ensure_ascii=False, indent=2).encode("utf-8", "replace") + b"\n"
