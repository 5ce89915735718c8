"""The template with the hot words of a recording. Imported only for a recording that has hot words."""

from __future__ import annotations

from shared.errors import CloudError, NotFound
from shared.messages import message
from shared.options.hot_words import (
    MAX_OBJECT_BYTES,
    find_templates_bucket,
    parse_templates_object,
    template_key,
    templates_object_key,
)
from shared.options.model import RecordingOptions
from shared.recordings.context import Context, KnownTemplates
from shared.recordings.receipt import Receipt

TEMPLATES_TTL_S = 300.0
# A deployment may have written the missing template a moment ago.
MISSING_TTL_S = 30.0


def find_template(ctx: Context, receipt: Receipt) -> str:
    """Return the id of the template for the job of this receipt; "", with a line in the log, if there is none.

    Then the job is submitted without hot words. Costs one request in five minutes, and at most one in half a minute
    while templates are missing. Raises DeadlineExceeded.
    """
    options = receipt.recording_options
    template_id, problem = look_up_template(ctx, receipt.bucket, options)
    if problem:
        ctx.log.warning("hot_words_not_used", key=receipt.key, hot_words=options.hot_words, reason=problem)
    return template_id


def look_up_template(ctx: Context, bucket: str, options: RecordingOptions) -> tuple[str, str]:
    """Return the id of the template for a recording in this bucket; if there is none, "" and why. See find_template."""
    key = templates_object_key(ctx.settings.state_prefix, ctx.deployment)
    if not key:
        return "", message("the platform does not say the name of the function")
    wanted = template_key(options)
    place = (find_templates_bucket(ctx.settings.output_bucket, ctx.settings.input_buckets), key)
    known = ctx.known_templates.get(place)
    template_id = known.ids.get((bucket, wanted), "") if known else ""
    ttl_s = TEMPLATES_TTL_S if template_id else MISSING_TTL_S
    if known is None or not 0 <= ctx.now() - known.read_s < ttl_s:
        known = _read_templates(ctx, *place)
        ctx.known_templates[place] = known
        template_id = known.ids.get((bucket, wanted), "")
    if not template_id:
        return "", known.problem or message("no template has these options with these hot words")
    return template_id, ""


def _read_templates(ctx: Context, bucket: str, key: str) -> KnownTemplates:
    read_s = ctx.now()
    try:
        content = ctx.output_cos.get(bucket, key, max_bytes=MAX_OBJECT_BYTES)
        templates = parse_templates_object(content.body)
    except NotFound:
        return KnownTemplates(read_s, {}, message("no template was deployed"))
    except CloudError as error:
        return KnownTemplates(read_s, {}, message("the templates cannot be read: {error}", error=error))
    except (ValueError, RecursionError):
        problem = message("{bucket}/{key} is not what scribe deploy writes", bucket=bucket, key=key)
        return KnownTemplates(read_s, {}, problem)
    ids = {
        (name, each): template_id
        for name, by_key in templates.items()
        for each, template_id in by_key.items()
    }
    return KnownTemplates(read_s, ids)
