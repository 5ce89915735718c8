"""Binding a bucket to Cloud Infinite: GET and PUT / on the bucket's CI host (cos-go-sdk-v5 ci.go)."""

from __future__ import annotations

from dataclasses import dataclass

from cli.cloud.client import Poller
from shared.tencent import xml
from shared.tencent.client import HttpResponse, Request, TencentClient
from shared.tencent.hosts import build_ci_host

BOUND = "on"
BINDING_TIMEOUT_S = 30.0  # until a bucket that was bound is known to be


@dataclass(frozen=True, slots=True)
class CiBucketClient:
    """Buckets of one region. Every method raises CloudError and XmlError."""

    client: TencentClient
    region: str

    def get_status(self, bucket: str) -> str:
        """Whether a bucket is bound: on, off or unbinding."""
        response = self._send("GET", bucket, "DescribeCIBuckets")
        # The whole document is one element, <CIStatus>on</CIStatus>; others may wrap it.
        document = xml.parse(response.body)
        for name, value in document.items():
            return xml.as_text(value if name == "CIStatus" else xml.as_mapping(value).get("CIStatus"))
        return ""

    def bind(self, bucket: str, poller: Poller) -> str:
        """Bind a bucket, and return its status once it is bound, or when the time is up."""
        self._send("PUT", bucket, "CreateCIBucket")
        return poller.poll(lambda: self.get_status(bucket), lambda status: status == BOUND, BINDING_TIMEOUT_S)

    def _send(self, method: str, bucket: str, action: str) -> HttpResponse:
        host = build_ci_host(bucket, self.region)
        return self.client.send(Request(method, host, "/", resource=bucket, action=f"ci:{action}"))
