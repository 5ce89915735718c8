"""Host names of COS and CI, built here only, and from checked parts.

A signature and the session token are sent to the host of a request. A region or a bucket may come from an event, a
receipt or a listing, which others can write: unchecked, `evil.example/x?` in place of a region would send both there.
Everything that builds a name raises RequestRejected with the code INVALID_ADDRESS for a part of another form.
"""

from __future__ import annotations

import re
from functools import lru_cache

from shared.errors import RequestRejected
from shared.messages import message

INVALID_ADDRESS = "InvalidAddress"  # Scribe's own code for a request that is not signed because of its host
COS_SERVICE_HOST = (
    "service.cos.myqcloud.com"  # GET Service: the buckets of the account (COS document 436/8291)
)

_MAX_BUCKET_LENGTH = 63  # one label of a host name; COS itself allows 60 (436/13312)
_MAX_QUOTED = 60  # characters of an invalid part in a message
_REGION = re.compile(r"[a-z]{2,3}-[a-z0-9-]{2,24}")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]*-[0-9]+")
_HOST = re.compile(rf"(?:{_BUCKET.pattern}\.)?(?:cos|ci)\.{_REGION.pattern}\.myqcloud\.com")


@lru_cache(maxsize=256)
def is_region(name: str) -> bool:
    """Check the form of a region's name. The host of global acceleration says `accelerate`, which is not one."""
    return bool(_REGION.fullmatch(name))


@lru_cache(maxsize=256)
def is_bucket(name: str) -> bool:
    """Check the form of a bucket's full name, `name-appid`."""
    return len(name) <= _MAX_BUCKET_LENGTH and bool(_BUCKET.fullmatch(name))


@lru_cache(maxsize=256)
def is_host(name: str) -> bool:
    """Check that a host is one of COS or CI: the last check before a request is signed."""
    return name == COS_SERVICE_HOST or bool(_HOST.fullmatch(name))


def build_cos_host(bucket: str, region: str) -> str:
    """Build the host of a bucket on COS."""
    return f"{_check_bucket(bucket)}.cos.{_check_region(region, bucket)}.myqcloud.com"


def build_ci_host(bucket: str, region: str) -> str:
    """Build the host of a bucket on CI."""
    return f"{_check_bucket(bucket)}.ci.{_check_region(region, bucket)}.myqcloud.com"


def build_ci_account_host(region: str) -> str:
    """Build the host for requests about all buckets of the account on CI."""
    return f"ci.{_check_region(region, 'buckets of the account')}.myqcloud.com"


def _check_bucket(bucket: str) -> str:
    if is_bucket(bucket):
        return bucket
    raise RequestRejected(
        resource=repr(bucket[:_MAX_QUOTED]),
        code=INVALID_ADDRESS,
        message=message(
            "this is not the full name of a bucket, such as recordings-1250000000; nothing was sent"
        ),
    )


def _check_region(region: str, resource: str) -> str:
    if is_region(region):
        return region
    raise RequestRejected(
        resource=resource,
        code=INVALID_ADDRESS,
        message=message(
            "{name} is not a region such as ap-guangzhou; nothing was sent", name=repr(region[:_MAX_QUOTED])
        ),
    )
