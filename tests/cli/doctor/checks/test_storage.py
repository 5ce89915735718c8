"""The doctor's checks of the buckets."""

from __future__ import annotations

import pytest

from shared.tencent.client import Request
from tests.helpers.doctor import (
    APPID,
    REGION,
    Deployment,
    describe,
    list_wrong,
)

pytestmark = pytest.mark.process


def test_missing_bucket_and_bucket_in_another_region_are_found(deployment: Deployment) -> None:
    away = f"away-{APPID}"
    deployment.operator.cos.for_region("ap-beijing").create_bucket(away)
    findings = deployment.findings(INPUT_BUCKETS=away, OUTPUT_BUCKET=f"nowhere-{APPID}")
    assert "it is in ap-beijing" in describe(findings, "bucket")
    assert "it does not exist" in describe(findings, "bucket")


def test_versioning_of_the_receipts_bucket_is_found_even_suspended(deployment: Deployment) -> None:
    bucket = f"versioned-{APPID}"
    deployment.operator.ensure_bucket(bucket)
    host = f"{bucket}.cos.{REGION}.myqcloud.com"
    body = b"<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>"
    parameters = (("versioning", ""),)
    deployment.operator.cos.client.send(Request("PUT", host, "/", bucket, parameters=parameters, body=body))
    findings = deployment.findings(OUTPUT_BUCKET=bucket)
    assert "versioning" in list_wrong(findings)
    assert "Suspended" in describe(findings, "versioning")
    assert bucket in describe(findings, "versioning")
