"""Addresses that work without a key, for a time: the signature of a request is in the query (COS document 436/7778).

They give away the SecretId, which names the key but proves nothing, and with a temporary key its token. Anyone
who has one may send this one request until it expires; only without the object or the key does it end before.
"""

from __future__ import annotations

from urllib.parse import quote, urlencode

from cli.output import CleanText
from shared.tencent.auth import sign_request
from shared.tencent.client import CLOCK_SKEW_S, TencentClient, build_request_target
from shared.tencent.hosts import build_cos_host


def build_origin(client: TencentClient, bucket: str, region: str) -> str:
    """Return the origin of a bucket's objects. Plain HTTP only with a local cloud, which is the HTTP proxy for it.

    Raises RequestRejected for what is no bucket or no region.
    """
    return f"{'http' if client.endpoint else 'https'}://{build_cos_host(bucket, region)}"


def presign_url(
    client: TencentClient,
    bucket: str,
    region: str,
    key: str,
    *,
    expires_s: int,
    starts_s: int | None = None,
    parameters: tuple[tuple[str, str], ...] = (),
) -> CleanText:
    """Return an address to GET an object until `expires_s` (Unix seconds); by default it is valid at once.

    `parameters` are signed, such as `response-content-disposition`. The text is printed as it is, with the SecretId.
    """
    credentials = client.credentials
    if credentials.token:
        parameters = (*parameters, ("x-cos-security-token", credentials.token))
    path = "/" + key
    signature = sign_request(
        "GET",
        path,
        parameters,
        {"Host": build_cos_host(bucket, region)},
        secret_id=credentials.secret_id,
        secret_key=credentials.secret_key,
        starts_s=int(client.now()) - CLOCK_SKEW_S if starts_s is None else starts_s,
        ends_s=expires_s,
    )
    fields = [(name, value) for name, _, value in (part.partition("=") for part in signature.split("&"))]
    query = urlencode([*fields, *parameters], quote_via=quote, safe="")
    return CleanText(f"{build_origin(client, bucket, region)}{build_request_target(path, ())}?{query}")
