"""One call of Tencent's API 3.0, through its official SDK. The only file that imports it.

The SDK's typed requests check our field names: one that the API does not have is a programming error here, not a
setting that the cloud ignores in silence.
"""

from __future__ import annotations

import importlib
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tencentcloud.common.credential import Credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

from cli.errors import OperatorError
from shared.tencent.auth import Credentials

LONGEST_WAIT_S = 60  # for one answer; a zip of a few MiB over a slow line needs most of it

# Service -> its API version, the one folder of the SDK's package, and its client's class.
_SERVICES = {
    "scf": ("v20180416", "scf_client", "ScfClient"),
    "cam": ("v20190116", "cam_client", "CamClient"),
    "sts": ("v20180813", "sts_client", "StsClient"),
}
# SCF's, CAM's and the API's own code for a permission that lacks.
_DENIED = ("UnauthorizedOperation", "AuthFailure.UnauthorizedOperation", "FailedOperation.AuthFailure")
# SCF calls these the same, and no permission of the key mends them: SCF's own role, the region, a call that only the
# console may make, the function's state.
_NOT_THE_KEYS = frozenset(
    f"UnauthorizedOperation.{why}" for why in ("Role", "Region", "NotMC", "FunctionStatus")
)

# What the SDK calls an answer that it cannot read (the exception's name), or whose status is not 200, as the API's
# always is.
_NO_ANSWER_OF_THE_API = frozenset(
    {"AttributeError", "JSONDecodeError", "KeyError", "ServerNetworkError", "TypeError", "UnicodeDecodeError"}
)
_NOT_THE_API = (
    "what came is no answer of Tencent's API, but perhaps one of a proxy or of this network's login page: open a page "
    "in a browser; if that works, wait a minute and run the command again"
)


class ControlError(OperatorError):
    """Tencent's API said no, or nothing. `code` as the API gives it, e.g. `ResourceNotFound.Function`.

    `service` is scf, cam or sts.
    """

    def __init__(
        self, action: str, code: str, message: str, request_id: str = "", *, service: str = ""
    ) -> None:
        self.action, self.code, self.message, self.request_id = action, code, message, request_id
        self.service = service
        trail = f" (request {request_id})" if request_id else ""
        super().__init__(f"{action}: {code}: {message}{trail}")

    @property
    def is_denied(self) -> bool:
        """Whether the key is known but may not do this."""
        return self.code.startswith(_DENIED) and self.code not in _NOT_THE_KEYS


@dataclass(slots=True)
class Control:
    """The control plane of one region, asked with one key.

    `endpoint` is a loopback address such as http://127.0.0.1:9000 that takes every request in the cloud's stead, as
    CLOUD_ENDPOINT does for the functions; the requests keep their real Host.
    """

    credentials: Credentials = field(repr=False)
    region: str
    endpoint: str = ""
    _clients: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def call(self, service: str, action: str, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One action, e.g. `call("scf", "GetFunction", {"FunctionName": "a"})`; gives the members of `Response`.

        Raises ControlError.
        """
        version, *_ = _SERVICES[service]
        models = importlib.import_module(f"tencentcloud.{service}.{version}.models")
        request = getattr(models, f"{action}Request")()
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # the SDK only warns of a field that its model does not have
            request._deserialize(dict(given or {}))  # noqa: SLF001 - from_json_string would print what it does not know
        try:
            with warnings.catch_warnings():
                # Of its own code, and of members of an answer that are newer than it.
                warnings.simplefilter("ignore")
                answer = getattr(self._client(service), action)(request)
        except TencentCloudSDKException as error:
            code, message = error.get_code() or "", error.get_message() or ""
            if code in _NO_ANSWER_OF_THE_API:
                code, message = "ServerNetworkError", _NOT_THE_API
            raise ControlError(
                action, code, str(message), error.get_request_id() or "", service=service
            ) from None
        found: dict[str, Any] = json.loads(answer.to_json_string())
        return found

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            version, module, name = _SERVICES[service]
            client = getattr(importlib.import_module(f"tencentcloud.{service}.{version}.{module}"), name)
            http = HttpProfile(protocol="https", reqTimeout=LONGEST_WAIT_S, keepAlive=True)
            if self.endpoint:
                http = HttpProfile(
                    protocol="http", reqTimeout=LONGEST_WAIT_S, keepAlive=True, proxy=self.endpoint
                )
            key = Credential(
                self.credentials.secret_id, self.credentials.secret_key, self.credentials.token or None
            )
            self._clients[service] = client(
                key, self.region, ClientProfile(httpProfile=http, language="en-US")
            )
        return self._clients[service]
