"""Which service, bucket and region a request is for, told by its Host header.

A proxy receives the whole URL as the target of a request (the absolute form); the host in it then counts instead of
the header (RFC 9112, 3.2.2).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache


class Service(Enum):
    """Who answers."""

    COS_BUCKET = "cos bucket"
    COS = "cos"
    CI_BUCKET = "ci bucket"
    CI = "ci"
    CONTROL = "control plane"
    OWN = "the stand-in itself"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request goes; bucket is `name-appid`, region empty for hosts without one, product scf, cam or sts."""

    service: Service
    bucket: str = ""
    region: str = ""
    product: str = ""

    @property
    def is_cos(self) -> bool:
        """Whether COS answers."""
        return self.service in (Service.COS_BUCKET, Service.COS)

    @property
    def is_ci(self) -> bool:
        """Whether CI answers."""
        return self.service in (Service.CI_BUCKET, Service.CI)

    @property
    def is_control(self) -> bool:
        """Whether the control plane (API 3.0) answers."""
        return self.service is Service.CONTROL


# The names of the buckets' hosts and of the two services: seeds (Host lines), COS request hosts. The newer domain
# is for COS only.
_COS_DOMAIN = r"(?:myqcloud\.com|tencentcos\.cn)"
_PATTERNS = (
    (Service.COS_BUCKET, re.compile(rf"(?P<bucket>[^.]+)\.cos\.(?P<region>[a-z0-9-]+)\.{_COS_DOMAIN}")),
    (Service.CI_BUCKET, re.compile(r"(?P<bucket>[^.]+)\.ci\.(?P<region>[a-z0-9-]+)\.myqcloud\.com")),
    (Service.CI, re.compile(r"ci\.(?P<region>[a-z0-9-]+)\.myqcloud\.com")),
    (Service.COS, re.compile(rf"cos\.(?P<region>[a-z0-9-]+)\.{_COS_DOMAIN}")),
    (Service.COS, re.compile(r"service\.cos\.myqcloud\.com")),
    # API 3.0, "Request structure" 598/33160: the nearest region's host, or the named one's. Any product's name is taken
    # here, so that one that the stand-in does not offer gets an answer in the form of the API.
    (
        Service.CONTROL,
        re.compile(r"(?P<product>[a-z0-9]+)(?:\.(?P<region>[a-z0-9-]+))?\.tencentcloudapi\.com"),
    ),
    (Service.OWN, re.compile(r"127\.0\.0\.1|localhost")),
)


def split_target(target: bytes) -> tuple[bytes, bytes]:
    """Host and path of a request target without its query; the host is empty unless the form is absolute."""
    scheme, separator, rest = target.partition(b"://")
    if not separator or scheme.lower() not in (b"http", b"https"):
        return b"", target
    host, slash, path = rest.partition(b"/")
    return host, slash + path or b"/"


def without_port(host: str) -> str:
    """The host name alone, lower case."""
    name, separator, port = host.rpartition(":")
    return (name if separator and port.isdigit() else host).lower()


@lru_cache(maxsize=1024)
def place_of(host: str) -> Place:
    """The place that a Host header names. Function URLs and unknown names are ELSEWHERE."""
    name = without_port(host)
    for service, pattern in _PATTERNS:
        match = pattern.fullmatch(name)
        if match:
            return Place(service, **{field: found or "" for field, found in match.groupdict().items()})
    return Place(Service.ELSEWHERE)
