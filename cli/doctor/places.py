"""Buckets and where they lie, asked about the bucket itself and not about what is in it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from shared.errors import CloudError, RequestRejected
from shared.tencent import xml
from shared.tencent.client import HttpResponse, Request, TencentClient

DENIED = (401, 403)  # CI's and COS's statuses
_SERVICE = "service.cos.myqcloud.com"


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket, by its full name, in a region."""

    bucket: str
    region: str

    def ask(self, wire: TencentClient, method: str, parameter: str = "") -> HttpResponse:
        """A request about the bucket itself. Raises CloudError."""
        parameters = ((parameter, ""),) if parameter else ()
        host = f"{self.bucket}.cos.{self.region}.myqcloud.com"
        return wire.send(Request(method, host, "/", resource=self.bucket, parameters=parameters))


def is_there(wire: TencentClient, place: Place) -> bool:
    """Whether the bucket is there, in its region. One that this key may not look at counts as there.

    Raises CloudError when it stays unknown.
    """
    try:
        told = place.ask(wire, "HEAD").headers.get("x-cos-bucket-region", "")
    except RequestRejected as error:
        return error.status in DENIED
    return told in {"", place.region}


def region_of(wire: TencentClient, name: str) -> str:
    """The region in which the account has a bucket of that name, by GET Service; "" where it is not listed."""
    with suppress(CloudError, xml.XmlError):  # a key that may not list buckets is told less
        answer = wire.send(Request("GET", _SERVICE, "/", resource="the list of buckets"))
        told = xml.parse_response(answer.body, "ListAllMyBucketsResult")
        for one in map(xml.as_mapping, xml.as_list(xml.as_mapping(told.get("Buckets")).get("Bucket"))):
            if xml.as_text(one.get("Name")) == name:
                return xml.as_text(one.get("Location"))
    return ""
