"""The entry of API 3.0: parses a request, verifies its signature, checks permissions, calls the service."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from starlette.responses import Response

from localcloud.api3.models import ApiError, ApiRequest, ApiService
from localcloud.auth.authorize import find_denied_permission, required_api_permissions
from localcloud.auth.credentials import CredentialStore
from localcloud.auth.tc3_signature import SignedApiRequest, verify_signature
from localcloud.http.request import Request

_VERSIONS = {"scf": "2018-04-16", "cam": "2019-01-16", "sts": "2018-08-13"}
# A zip of 50 MB, as base64 in JSON; API 3.0 itself documents 10 MB for TC3 and leaves more to the product.
_MAX_BODY_BYTES = 80 * 1024 * 1024
_log = logging.getLogger("localcloud")


class ApiDispatcher:
    """Handles every API 3.0 request; the HTTP status is always 200, as in the real API."""

    def __init__(
        self, services: Mapping[str, ApiService], credentials: CredentialStore, clock: Callable[[], float]
    ) -> None:
        """`services` by product: scf, cam, sts."""
        self._services = services
        self._credentials = credentials
        self._clock = clock

    async def dispatch(self, request: Request) -> Response:
        """Handle one request. Raises only starlette's ClientDisconnect."""
        request_id = str(uuid.uuid4())
        try:
            members = dict(await self._handle(request))
        except ApiError as error:
            request.code = error.code
            members = {"Error": {"Code": error.code, "Message": error.message}}
        body = json.dumps({"Response": {**members, "RequestId": request_id}}, ensure_ascii=False)
        # Exactly this type: the Python SDK takes an error for a result if a charset follows.
        return Response(body, headers={"content-type": "application/json"})

    async def _handle(self, request: Request) -> Mapping[str, Any]:
        if request.method != "POST":
            raise ApiError("UnsupportedProtocol", "This stand-in takes API 3.0 as POST with a JSON body.")
        body = await request.body(_MAX_BODY_BYTES)
        if body is None:
            raise ApiError("RequestSizeLimitExceeded", f"A request has at most {_MAX_BODY_BYTES} bytes.")
        action, version = (_require_header(request, f"X-TC-{name}") for name in ("Action", "Version"))
        product = request.target.product or _find_product(version)
        service = self._services.get(product)
        if service is None:
            raise ApiError("NoSuchProduct", f"This stand-in has no product {product or 'of that version'}.")
        signed_request = SignedApiRequest(
            request.method, request.path, request.raw_query, request.headers, body
        )
        request.signer = verify_signature(signed_request, product, self._credentials, self._clock())
        request.action = f"{product}:{action}"
        if version != _VERSIONS[product]:
            raise ApiError("NoSuchVersion", f"{product} has no API version {version}.")
        region = request.target.region or request.header("x-tc-region")
        api_request = ApiRequest(product, action, region, _parse_body(request, body), request.signer)
        self._authorize(request, api_request)
        return await self._call(service, api_request)

    def _authorize(self, request: Request, api_request: ApiRequest) -> None:
        denied = find_denied_permission(request, required_api_permissions(api_request))
        if denied is not None:
            raise ApiError(
                "UnauthorizedOperation",
                f"you are not authorized to perform operation ({denied.action})\n"
                f"resource ({denied.resource}) has no permission",
            )

    async def _call(self, service: ApiService, api_request: ApiRequest) -> Mapping[str, Any]:
        try:
            return await service.handle(api_request)
        except ApiError:
            raise
        except Exception as error:
            _log.exception("%s:%s failed: error of the stand-in", api_request.service, api_request.action)
            raise ApiError("InternalError", "The stand-in failed; its log says how.") from error


def _require_header(request: Request, name: str) -> str:
    value = request.header(name.lower())
    if not value:
        raise ApiError("MissingParameter", f"The request is missing a required parameter `{name}`.")
    return value


def _find_product(version: str) -> str:
    return next((product for product, known in _VERSIONS.items() if known == version), "")


def _parse_body(request: Request, body: bytes) -> Mapping[str, Any]:
    if request.header("content-type").partition(";")[0].strip().lower() != "application/json":
        raise ApiError(
            "InvalidRequest", "The body of a POST must be JSON, with Content-Type application/json."
        )
    try:
        params = json.loads(body or b"{}")
    except ValueError as error:
        raise ApiError("InvalidParameter", "The body is not JSON.") from error
    if not isinstance(params, dict):
        raise ApiError("InvalidParameter", "The body is not a JSON object.")
    return params
