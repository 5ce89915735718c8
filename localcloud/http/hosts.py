"""The service, bucket and region that a request is for, by its Host header.

A proxy receives the whole URL as the request target (absolute form); the host in it then replaces the header
(RFC 9112, 3.2.2).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache


class ServiceName(Enum):
    """What handles a request."""

    COS_BUCKET = "cos bucket"
    COS = "cos"
    CI_BUCKET = "ci bucket"
    CI = "ci"
    API3 = "API 3.0"
    ADMIN = "the stand-in's own pages"
    OTHER = "function URL or unknown host"


@dataclass(frozen=True, slots=True)
class RequestTarget:
    """The target of a request.

    `bucket` is `name-appid`; `region` is empty for hosts without one; `product` is the name of an API 3.0 product, such
    as scf, cam or sts.
    """

    service: ServiceName
    bucket: str = ""
    region: str = ""
    product: str = ""

    @property
    def is_cos(self) -> bool:
        """Whether COS handles the request."""
        return self.service in (ServiceName.COS_BUCKET, ServiceName.COS)

    @property
    def is_ci(self) -> bool:
        """Whether CI handles the request."""
        return self.service in (ServiceName.CI_BUCKET, ServiceName.CI)

    @property
    def is_api3(self) -> bool:
        """Whether API 3.0 (SCF, CAM, STS) handles the request."""
        return self.service is ServiceName.API3


# Hosts of buckets and of the two services: seeds (Host lines), COS request hosts. The newer domain is for COS only.
_COS_DOMAIN = r"(?:myqcloud\.com|tencentcos\.cn)"
_PATTERNS = (
    (ServiceName.COS_BUCKET, re.compile(rf"(?P<bucket>[^.]+)\.cos\.(?P<region>[a-z0-9-]+)\.{_COS_DOMAIN}")),
    (ServiceName.CI_BUCKET, re.compile(r"(?P<bucket>[^.]+)\.ci\.(?P<region>[a-z0-9-]+)\.myqcloud\.com")),
    (ServiceName.CI, re.compile(r"ci\.(?P<region>[a-z0-9-]+)\.myqcloud\.com")),
    (ServiceName.COS, re.compile(rf"cos\.(?P<region>[a-z0-9-]+)\.{_COS_DOMAIN}")),
    (ServiceName.COS, re.compile(r"service\.cos\.myqcloud\.com")),
    # API 3.0, "Request structure" 598/33160: the host of the nearest or of a named region. Any product name matches, so
    # that a product that the stand-in does not have gets an error in the format of the API.
    (
        ServiceName.API3,
        re.compile(r"(?P<product>[a-z0-9]+)(?:\.(?P<region>[a-z0-9-]+))?\.tencentcloudapi\.com"),
    ),
    (ServiceName.ADMIN, re.compile(r"127\.0\.0\.1|localhost")),
)


def split_request_target(target: bytes) -> tuple[bytes, bytes]:
    """Split a request target without its query into host and path; the host is empty unless the form is absolute."""
    scheme, separator, rest = target.partition(b"://")
    if not separator or scheme.lower() not in (b"http", b"https"):
        return b"", target
    host, slash, path = rest.partition(b"/")
    return host, slash + path or b"/"


def strip_port(host: str) -> str:
    """Return the host name without its port, in lower case."""
    name, separator, port = host.rpartition(":")
    return (name if separator and port.isdigit() else host).lower()


@lru_cache(maxsize=1024)
def parse_host(host: str) -> RequestTarget:
    """Parse a Host header. Function URLs and unknown names are ServiceName.OTHER."""
    name = strip_port(host)
    for service, pattern in _PATTERNS:
        match = pattern.fullmatch(name)
        if match:
            return RequestTarget(
                service, **{field: value or "" for field, value in match.groupdict().items()}
            )
    return RequestTarget(ServiceName.OTHER)
