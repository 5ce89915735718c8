"""Submits the job of a receipt and records it: the only place that spends money.

What the service does not take now is left to the sweep; what it does not take at all ends with an error object.
"""

from __future__ import annotations

from shared.errors import OutcomeUnknown, QueueFull, RequestRejected, Throttled
from shared.messages import message
from shared.options.ci import build_job_members
from shared.recordings.context import Context
from shared.recordings.failures import (
    LONG_WAIT,
    UNSUPPORTED_KEY,
    Failure,
    failure_from_rejection,
    may_be_about_request,
)
from shared.recordings.keys import raw_result_key
from shared.recordings.models import Result, Status
from shared.recordings.outputs import fail_recording, report_wait
from shared.recordings.proof import format_user_data
from shared.recordings.receipt import Receipt
from shared.tencent.speech_models import Job, JobRequest
from shared.tencent.xml import XmlError

# The share of the lease that a submit may need: with less time left, another attempt could start before it ends.
MIN_LEASE_FRACTION = 0.2

# Pauses between two tries to submit a job that the service refuses because of the account or the role: each is twice
# the one before.
MAX_RETRY_PAUSE_S = 3600.0
LONG_WAIT_S = 86_400.0


def submit_job(ctx: Context, receipt: Receipt, secret: str, *, with_hot_words: bool = True) -> Result:
    """Submit the job of an open receipt that this attempt owns, and record the job's id in it.

    The receipt holds the digest of `secret`, which is shown here for the first time. A job that is refused with its hot
    words is submitted once more without them.

    The receipt stays open until the work ends; the sweep continues from there. Raises CloudError or DeadlineExceeded if
    not even that could be recorded.
    """
    if not has_lease(ctx, receipt):
        # Another attempt may start while this one submits. Nothing is paid; the sweep continues.
        return Result.of(receipt, Status.IN_PROGRESS, reason=message("its lease expires soon"))
    if ctx.settings.monthly_minutes and (held := _reserve(ctx, receipt)):
        return held
    try:
        template_id = _find_hot_words(ctx, receipt) if with_hot_words else ""
        job = ctx.speech.create_job(receipt.bucket, _build_job_request(ctx, receipt, secret, template_id))
    except XmlError:
        return fail_recording(ctx, receipt, Failure(UNSUPPORTED_KEY))
    except Throttled as error:
        ctx.log.warning("submit_deferred", key=receipt.key, error=str(error))
        reason = "the queue is full" if isinstance(error, QueueFull) else "throttled"
        return defer_to_sweep(ctx, receipt, reason=reason)
    except OutcomeUnknown as error:
        ctx.log.warning("submit_outcome_unknown", key=receipt.key, error=str(error))
        return Result.of(receipt, Status.IN_PROGRESS, reason=message("the response to the submit was lost"))
    except RequestRejected as error:
        if template_id and may_be_about_request(error):
            # A refused submit left no job. Another deployment may have replaced the template.
            ctx.log.warning("hot_words_refused", key=receipt.key, error=str(error))
            ctx.known_templates.clear()
            return submit_job(ctx, receipt, secret, with_hot_words=False)
        failure = failure_from_rejection(error)
        if not failure.reason.retried_automatically:
            return fail_recording(ctx, receipt, failure)
        ctx.log.error("operator_action_required", key=receipt.key, error=str(error))
        return retry_later(ctx, receipt, failure)
    return record_job(ctx, receipt, job)


def _reserve(ctx: Context, receipt: Receipt) -> Result | None:
    """Reserve the recording's length in the budget; the result if it is not submitted now."""
    # A cold start should not load what few deployments need.
    from shared.recordings.budget import hold, reserve  # noqa: PLC0415

    usage = reserve(ctx, receipt)
    if not has_lease(ctx, receipt):
        return Result.of(receipt, Status.IN_PROGRESS, reason=message("its lease expires soon"))
    if usage:
        return hold(ctx, receipt, usage)
    ctx.receipts(receipt.bucket).delete_waiting(receipt.id)
    return None


def has_lease(ctx: Context, receipt: Receipt) -> bool:
    """Check that this attempt's lease lasts long enough for a submit: no other attempt starts before."""
    return ctx.now() <= receipt.lease_expires_s - MIN_LEASE_FRACTION * ctx.settings.lease_s


def record_job(ctx: Context, receipt: Receipt, job: Job) -> Result:
    """Record the job of an open receipt in it."""
    submitted = receipt.with_job(job.job_id)
    ctx.receipts(receipt.bucket).update(submitted)
    return Result.of(submitted, Status.SUBMITTED)


def defer_to_sweep(ctx: Context, receipt: Receipt, *, reason: str) -> Result:
    """Leave the submit to the sweep: no job is running, so the next attempt need not wait for the lease."""
    deferred = receipt.defer(ctx.now())
    if has_waited_long(ctx, deferred):
        deferred = write_wait_report(ctx, deferred)
    keep_deferred(ctx, receipt, deferred)
    return Result.of(receipt, Status.DEFERRED, job_id="", reason=reason)


def has_waited_long(ctx: Context, receipt: Receipt) -> bool:
    """Check whether a recording without a job has waited for a day, and nothing says so yet."""
    is_long = ctx.now() - receipt.waits_since_s > LONG_WAIT_S
    return is_long and not receipt.job_id and not receipt.is_wait_reported


def write_wait_report(ctx: Context, receipt: Receipt) -> Receipt:
    """Write the error object of a recording that has waited long, and return its receipt; it keeps waiting."""
    ctx.log.error("recording_waits_long", bucket=receipt.bucket, key=receipt.key, receipt_id=receipt.id)
    if not receipt.refusals:  # otherwise the error object says why the job is refused
        report_wait(ctx, receipt, Failure(LONG_WAIT))
    return receipt._replace(is_wait_reported=True)


def retry_later(ctx: Context, receipt: Receipt, failure: Failure) -> Result:
    """Keep a recording that was refused for a reason which the operator can remove: the sweep tries again.

    The error object tells the uploader why there is no transcript yet; it is written again only for another reason.
    """
    if receipt.refusals == 0 or receipt.refusal_code != failure.code:
        report_wait(ctx, receipt, failure)
    now_s = ctx.now()
    pause_s = min(MAX_RETRY_PAUSE_S, ctx.settings.sweep_after_s * 2.0 ** min(receipt.refusals, 20))
    keep_deferred(ctx, receipt, receipt.defer_until(now_s + pause_s, now_s, failure.code))
    return Result.of(receipt, Status.DEFERRED, job_id="", reason=failure.reason.text)


def keep_deferred(ctx: Context, receipt: Receipt, deferred: Receipt) -> None:
    """Store a deferred receipt, and release its claim: there would be one for each try, for as long as it waits.

    Its reservation is released before: once the receipt is deferred, the next attempt may have one.
    """
    store = ctx.receipts(receipt.bucket)
    if ctx.settings.monthly_minutes:
        from shared.recordings.budget import release  # noqa: PLC0415 - as in _reserve

        bucket = ctx.settings.output_bucket_for(receipt.bucket)
        release(ctx.output_cos, ctx.settings, bucket, receipt.id)
    store.update(deferred)
    if receipt.attempt > 1:
        store.release_claim(receipt)


def _find_hot_words(ctx: Context, receipt: Receipt) -> str:
    """Return the id of the template with the hot words of this recording; "" without any."""
    if not receipt.recording_options.hot_words:
        return ""
    # A cold start should not load what few recordings need.
    from shared.recordings.hot_words import find_template  # noqa: PLC0415

    return find_template(ctx, receipt)


def _build_job_request(ctx: Context, receipt: Receipt, secret: str, template_id: str) -> JobRequest:
    """Build the job; `template_id` is the template with its hot words, if any."""
    settings = ctx.settings
    members = build_job_members(receipt.recording_options, receipt.key)
    return JobRequest(
        input_key=receipt.key,
        output_bucket=settings.output_bucket_for(receipt.bucket),
        output_region=ctx.output_cos.region,
        output_key=raw_result_key(settings, receipt.id),
        engine=receipt.engine,
        channels=receipt.channels,
        user_data=format_user_data(receipt.id, secret),
        queue_id=settings.queue_id,
        callback_url=settings.callback_url,
        callback_format="JSON" if settings.callback_url else "",
        speech=members.speech,
        template_id=members.template_id or template_id,
        job_level=members.job_level,
    )
