"""Checks of the buckets: existence, region, versioning."""

from __future__ import annotations

from collections.abc import Iterator

from cli.deploy.state import BucketRef, BucketState
from cli.doctor.models import CheckContext, Finding, advise_permissions, fail, ok
from cli.language import _
from shared.tencent import xml


def check_buckets(context: CheckContext) -> Iterator[Finding]:
    """Check that each bucket exists, in the right region."""
    for bucket, state in context.state.buckets.items():
        yield _check_bucket(context, bucket, state)


def _check_bucket(context: CheckContext, bucket: BucketRef, state: BucketState) -> Finding:
    if state.is_denied:
        return fail(
            _("it cannot be read: it belongs to another account, or this key has no permission"),
            fix=_(
                "compare its name with https://console.cloud.tencent.com/cos/bucket; {advice}",
                advice=advise_permissions(context.commands),
            ),
            subject=bucket.name,
            blocks=False,
        )
    if state.error:
        raise state.error
    if state.region == bucket.region:
        return ok(_("it exists in {region}", region=bucket.region), subject=bucket.name)
    if state.region:
        return fail(
            _("it is in {region}, not in {expected}", region=state.region, expected=bucket.region),
            fix=_(
                "set REGION to the region of the input buckets, and OUTPUT_REGION to that of the output bucket"
            ),
            subject=bucket.name,
        )
    create = context.commands.line("deploy", "--make-buckets")
    suggestion = context.state.suggest_bucket(bucket.name)
    return fail(
        _("it does not exist in {region}", region=bucket.region),
        fix=_(
            "correct INPUT_BUCKETS or OUTPUT_BUCKET{suggestion}, or create it with `{create}`",
            suggestion=suggestion,
            create=create,
        ),
        subject=bucket.name,
    )


def check_versioning(context: CheckContext) -> Iterator[Finding]:
    """Check the buckets of the receipts: on a bucket that ever had versioning COS ignores its create-only header."""
    for bucket in context.state.state_buckets:
        if bucket not in context.state.existing_buckets:
            continue
        response = bucket.request(context.clients.tencent, "GET", "versioning")
        status = xml.as_text(xml.parse_response(response.body, "VersioningConfiguration").get("Status"))
        if status:
            yield fail(
                _(
                    "versioning is {status}: a receipt can be created twice, so a recording may be billed twice",
                    status=status,
                ),
                fix=_(
                    "create a new bucket without versioning, set OUTPUT_BUCKET to it, and copy .scribe/ and the "
                    "transcripts there before `{deploy}`: versioning can be suspended, but not undone",
                    deploy=context.commands.deploy,
                ),
                subject=bucket.name,
            )
        else:
            yield ok(_("it never had versioning"), subject=bucket.name)
