"""Are the buckets there, in the right region, and fit to hold receipts?"""

from __future__ import annotations

from collections.abc import Iterator

from cli.doctor.case import Case
from cli.doctor.finding import Finding, fine, wrong
from cli.doctor.places import DENIED, Place, region_of
from shared.errors import NotFound, RequestRejected
from shared.tencent import xml


def bucket(case: Case) -> Iterator[Finding]:
    """HEAD Bucket of each: a function's COS trigger reaches its own region only (SCF document 583/9707)."""
    for place in case.places:
        try:
            region = place.ask(case.hands.wire, "HEAD").headers.get("x-cos-bucket-region", "") or place.region
        except NotFound:
            region = region_of(case.hands.wire, place.bucket)
        except RequestRejected as error:
            if error.status in DENIED:
                yield wrong(
                    "it cannot be opened: it belongs to another account, or this key may not look at it",
                    mend="compare its name with https://console.cloud.tencent.com/cos/bucket; "
                    "`scribe policy deployer` prints what this key needs",
                    about=place.bucket,
                )
                continue
            region = region_of(case.hands.wire, place.bucket) or "another region"
        yield _told(place, region)


def _told(place: Place, region: str) -> Finding:
    if region == place.region:
        return fine(f"it is there, in {region}", about=place.bucket)
    if region:
        return wrong(
            f"it lies in {region}, and is looked for in {place.region}",
            mend="set REGION to the region of the input buckets, and OUTPUT_REGION to that of the output bucket",
            about=place.bucket,
        )
    return wrong(
        f"there is no such bucket in {place.region}",
        mend="correct INPUT_BUCKETS or OUTPUT_BUCKET, or make it: scribe deploy --make-buckets",
        about=place.bucket,
    )


def versioning(case: Case) -> Iterator[Finding]:
    """GET Bucket versioning: COS's create-only header is void on a bucket that ever had it, Suspended included."""
    for place in case.state_places:
        if place not in case.places_there:
            continue
        answer = place.ask(case.hands.wire, "GET", "versioning")
        state = xml.as_text(xml.parse_response(answer.body, "VersioningConfiguration").get("Status"))
        if state:
            yield wrong(
                f"versioning is {state}: receipts cannot be created only once here, so a recording may be paid twice",
                mend="make a new bucket without versioning, set OUTPUT_BUCKET to it, and copy .scribe/ and the "
                "transcripts there before `scribe deploy`: versioning can be suspended, never undone",
                about=place.bucket,
            )
        else:
            yield fine("it never had versioning", about=place.bucket)
