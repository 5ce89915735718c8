"""The control plane's front door: which call a request is, whose key signed it, whether that key may do it."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from starlette.responses import Response

from localcloud.access.control_needs import needs_of_call
from localcloud.access.guard import first_denied
from localcloud.asked import Asked
from localcloud.control.calls import Call, ControlService, Refusal
from localcloud.control.tc3 import SignedCall, verify
from localcloud.keys import Keys

_VERSIONS = {"scf": "2018-04-16", "cam": "2019-01-16", "sts": "2018-08-13"}
# A zip of 50 MB, as base64 in JSON; API 3.0 itself names 10 MB for TC3 and leaves more to the product.
_MOST_BODY = 80 * 1024 * 1024
_log = logging.getLogger("localcloud")


class Control:
    """Answers every request to the control plane, always with status 200, as API 3.0 does."""

    def __init__(
        self, services: Mapping[str, ControlService], keys: Keys, clock: Callable[[], float]
    ) -> None:
        """`services` by product: scf, cam, sts."""
        self._services = services
        self._keys = keys
        self._clock = clock

    async def answer(self, asked: Asked) -> Response:
        """Carry out one request. Raises only starlette's ClientDisconnect."""
        request_id = str(uuid.uuid4())
        try:
            members = dict(await self._carry_out(asked))
        except Refusal as refusal:
            asked.code = refusal.code
            members = {"Error": {"Code": refusal.code, "Message": refusal.message}}
        body = json.dumps({"Response": {**members, "RequestId": request_id}}, ensure_ascii=False)
        # Exactly this type: the Python SDK takes an error for a result when a charset follows.
        return Response(body, headers={"content-type": "application/json"})

    async def _carry_out(self, asked: Asked) -> Mapping[str, Any]:
        if asked.method != "POST":
            raise Refusal("UnsupportedProtocol", "This stand-in takes API 3.0 as POST with a JSON body.")
        body = await asked.body(_MOST_BODY)
        if body is None:
            raise Refusal("RequestSizeLimitExceeded", f"A request has at most {_MOST_BODY} bytes.")
        action, version = (_needed(asked, f"X-TC-{name}") for name in ("Action", "Version"))
        product = asked.place.product or _product_of(version)
        service = self._services.get(product)
        if service is None:
            raise Refusal("NoSuchProduct", f"This stand-in has no product {product or 'of that version'}.")
        signed = SignedCall(asked.method, asked.path, asked.raw_query, asked.headers, body)
        asked.signer = verify(signed, product, self._keys, self._clock())
        asked.action = f"{product}:{action}"
        if version != _VERSIONS[product]:
            raise Refusal("NoSuchVersion", f"{product} has no API version {version}.")
        region = asked.place.region or asked.header("x-tc-region")
        call = Call(product, action, region, _json(asked, body), asked.signer)
        self._permit(asked, call)
        return await self._ask(service, call)

    def _permit(self, asked: Asked, call: Call) -> None:
        denied = first_denied(asked, needs_of_call(call))
        if denied is not None:
            raise Refusal(
                "UnauthorizedOperation",
                f"you are not authorized to perform operation ({denied.action})\n"
                f"resource ({denied.resource}) has no permission",
            )

    async def _ask(self, service: ControlService, call: Call) -> Mapping[str, Any]:
        try:
            return await service.answer(call)
        except Refusal:
            raise
        except Exception as error:
            _log.exception("%s:%s failed by a fault of the stand-in", call.service, call.action)
            raise Refusal("InternalError", "The stand-in failed; its log says how.") from error


def _needed(asked: Asked, name: str) -> str:
    value = asked.header(name.lower())
    if not value:
        raise Refusal("MissingParameter", f"The request is missing a required parameter `{name}`.")
    return value


def _product_of(version: str) -> str:
    return next((product for product, known in _VERSIONS.items() if known == version), "")


def _json(asked: Asked, body: bytes) -> Mapping[str, Any]:
    if asked.header("content-type").partition(";")[0].strip().lower() != "application/json":
        raise Refusal("InvalidRequest", "The body of a POST is JSON, with Content-Type application/json.")
    try:
        given = json.loads(body or b"{}")
    except ValueError as error:
        raise Refusal("InvalidParameter", "The body is no JSON.") from error
    if not isinstance(given, dict):
        raise Refusal("InvalidParameter", "The body is a JSON object.")
    return given
