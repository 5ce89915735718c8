"""Client of Tencent's API 3.0 over the official SDK, polling, and the identity of the caller.

The only module that imports the SDK. The SDK's typed requests check the names of parameters: a parameter that the API
does not have is a programming error here, not a setting that the cloud silently ignores.
"""

from __future__ import annotations

import difflib
import importlib
import json
import re
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_base,
    retry_if_exception,
    retry_if_not_result,
    wait_exponential,
)
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

from cli.errors import OperatorError
from cli.language import N_, _, is_chinese
from cli.output import escape_line
from shared.tencent.auth import Credentials

API_TIMEOUT_S = 60  # for one response; uploading a zip of a few MiB over a slow line needs most of it
INITIAL_PAUSE_S, MAX_PAUSE_S = 0.1, 1.0
RETRY_TIMEOUT_S = 60.0  # of a request that is rejected only for the moment; some seconds are usual

# Service -> its API version, the module of its client in the SDK, and the client's class.
_SERVICES = {
    "scf": ("v20180416", "scf_client", "ScfClient"),
    "cam": ("v20190116", "cam_client", "CamClient"),
    "sts": ("v20180813", "sts_client", "StsClient"),
}
# Codes of SCF, of CAM and of API 3.0 itself for a missing permission.
_DENIED = ("UnauthorizedOperation", "AuthFailure.UnauthorizedOperation", "FailedOperation.AuthFailure")
# SCF uses the same prefix for what no permission of the key can fix: SCF's own role, the region, an action that only
# the console may call, the state of the function.
_NOT_A_PERMISSION = frozenset(
    f"UnauthorizedOperation.{reason}" for reason in ("Role", "Region", "NotMC", "FunctionStatus")
)

# Codes (or exception names) that the SDK gives to a response that it cannot parse, or whose status is not 200; the API
# always answers 200.
_NOT_AN_API_RESPONSE = frozenset(
    {"AttributeError", "JSONDecodeError", "KeyError", "ServerNetworkError", "TypeError", "UnicodeDecodeError"}
)
_NOT_THE_API = N_(
    "the response did not come from Tencent's API, but perhaps from a proxy or from the login page of this network: "
    "open a web page in a browser; if that works, wait a minute and run the command again"
)

# Public regions (COS document 436/6224), only to suggest one for a mistyped name: the list changes, the API decides.
_REGIONS = (
    *("ap-beijing", "ap-nanjing", "ap-shanghai", "ap-guangzhou", "ap-chengdu", "ap-chongqing", "ap-hongkong"),
    *("ap-singapore", "ap-jakarta", "ap-seoul", "ap-bangkok", "ap-tokyo", "na-siliconvalley", "na-ashburn"),
    *("sa-saopaulo", "eu-frankfurt", "ap-beijing-fsi", "ap-shanghai-fsi", "ap-shenzhen-fsi"),
)
_UNKNOWN_REGION = "UnsupportedRegion"
_NO_CONNECTION = "ClientNetworkError"
_SYSTEM_ERROR = re.compile(r"\[Errno -?\d+\] [A-Za-z][A-Za-z ]+|timed out")  # not translated

# Parts of STS's Arn for the key of a role or of a federated user. CAM may return the account's own id as the Uin of
# such a key, which does not make it the root account's key.
_TEMPORARY_ARNS = (":assumed-role/", ":federated-user/")
_ROLE_TYPE = "CAMRole"

_Result = TypeVar("_Result")


class ApiError(OperatorError):
    """Tencent's API rejected a request, or did not answer. `code` is the API's, e.g. `ResourceNotFound.Function`.

    `service` is scf, cam or sts.
    """

    def __init__(
        self, action: str, code: str, message: str, request_id: str = "", *, service: str = ""
    ) -> None:
        self.action, self.code, self.message, self.request_id = action, code, message, request_id
        self.service = service
        text = f"{action}: {code}: {message}"
        if request_id:
            text = _("{message} (request {request_id})", message=text, request_id=request_id)
        # The message is the cloud's; it may quote a name with control characters.
        super().__init__(escape_line(text))

    @property
    def is_denied(self) -> bool:
        """Whether the key is known but lacks the permission for this action."""
        return self.code.startswith(_DENIED) and self.code not in _NOT_A_PERMISSION


def suggest_region(name: str) -> str:
    """The public region with the nearest name, to be put behind a message; "" if none is near."""
    similar = difflib.get_close_matches(name.lower(), _REGIONS, 1, 0.8)
    return suggest_name(similar[0]) if similar and similar[0] != name else ""


def suggest_name(name: str) -> str:
    """Ask whether this name was meant; to be put behind a message."""
    return _("{message} (did you mean {name}?)", message="", name=name)


@dataclass(slots=True)
class ApiClient:
    """Calls API 3.0 in one region with one key.

    `endpoint` is a loopback address such as http://127.0.0.1:9000 that receives every request instead of the cloud, as
    CLOUD_ENDPOINT does for the functions; the requests keep their real Host.
    """

    credentials: Credentials = field(repr=False)
    region: str
    endpoint: str = ""
    _sdk_clients: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def call(self, service: str, action: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Call an action, e.g. `call("scf", "GetFunction", {"FunctionName": "a"})`; returns the members of `Response`.

        Raises ApiError.
        """
        version = _SERVICES[service][0]
        models = importlib.import_module(f"tencentcloud.{service}.{version}.models")
        request = getattr(models, f"{action}Request")()
        with warnings.catch_warnings():
            warnings.simplefilter(
                "error"
            )  # the SDK only warns about a parameter that its model does not have
            request._deserialize(dict(params or {}))  # noqa: SLF001 - from_json_string would print unknown members
        try:
            with warnings.catch_warnings():
                # The SDK warns about its own code, and about members of a response that are newer than it.
                warnings.simplefilter("ignore")
                response = getattr(self._sdk_client(service), action)(request)
        except TencentCloudSDKException as error:
            code, message = error.get_code() or "", error.get_message() or ""
            if code in _NOT_AN_API_RESPONSE:
                code, message = "ServerNetworkError", _(_NOT_THE_API)
            if code == _NO_CONNECTION:
                message = self._describe_no_connection(service, str(message))
            if code == _UNKNOWN_REGION:
                message = f"{message}{suggest_region(self.region)}"
            raise ApiError(
                action, code, str(message), error.get_request_id() or "", service=service
            ) from None
        members: dict[str, Any] = json.loads(response.to_json_string())
        return members

    def _describe_no_connection(self, service: str, message: str) -> str:
        """The address and the system's reason; the library's own text has the whole chain of its exceptions."""
        reason = _SYSTEM_ERROR.findall(message)
        address = self.endpoint or f"https://{service}.tencentcloudapi.com"
        if not reason:
            return _("no connection to {address}", address=address)
        return _("no connection to {address}: {reason}", address=address, reason=reason[-1])

    def _sdk_client(self, service: str) -> Any:
        if service not in self._sdk_clients:
            version, module, name = _SERVICES[service]
            client = getattr(importlib.import_module(f"tencentcloud.{service}.{version}.{module}"), name)
            http = HttpProfile(protocol="https", reqTimeout=API_TIMEOUT_S, keepAlive=True)
            if self.endpoint:
                http = HttpProfile(
                    protocol="http", reqTimeout=API_TIMEOUT_S, keepAlive=True, proxy=self.endpoint
                )
            key = Credential(
                self.credentials.secret_id, self.credentials.secret_key, self.credentials.token or None
            )
            language = "zh-CN" if is_chinese() else "en-US"  # of the messages in the API's errors
            self._sdk_clients[service] = client(
                key, self.region, ClientProfile(httpProfile=http, language=language)
            )
        return self._sdk_clients[service]


@dataclass(frozen=True, slots=True)
class Poller:
    """Repeats a request with growing pauses. Tests pass their own clock and sleep, both in seconds."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def poll(
        self, read: Callable[[], _Result], is_done: Callable[[_Result], bool], timeout_s: float
    ) -> _Result:
        """Call `read` until its result is done, or until the time is up; returns the last result."""
        retrying = self._retrying(retry_if_not_result(is_done), timeout_s)
        return retrying(read)

    def retry_while(
        self,
        send: Callable[[], _Result],
        is_temporary: Callable[[ApiError], bool],
        timeout_s: float = RETRY_TIMEOUT_S,
    ) -> _Result:
        """Call `send` again while it fails with a temporary ApiError; returns its result.

        Raises the first error that is not temporary, or the last one when the time is up.
        """
        retry = retry_if_exception(lambda error: isinstance(error, ApiError) and is_temporary(error))
        return self._retrying(retry, timeout_s)(send)

    def _retrying(self, retry: retry_base, timeout_s: float) -> Retrying:
        deadline = self.now() + timeout_s
        return Retrying(
            sleep=self.sleep,
            stop=lambda _: self.now() >= deadline,
            wait=wait_exponential(multiplier=INITIAL_PAUSE_S, max=MAX_PAUSE_S),
            retry=retry,
            retry_error_callback=_last_result,
        )


def _last_result(state: RetryCallState) -> Any:
    """Return the result of the last attempt, or raise its error."""
    return state.outcome.result() if state.outcome else None


@dataclass(frozen=True, slots=True)
class Identity:
    """The account behind a key.

    `uin` is the id of the user, `owner_uin` that of the account; the names of the account's buckets end with `appid`.
    """

    uin: str
    owner_uin: str
    appid: str
    is_root: bool
    arn: str

    def owns_bucket(self, bucket: str) -> bool:
        """Whether a bucket belongs to this account, by its name."""
        return bucket.rpartition("-")[2] == self.appid


def get_caller_identity(api: ApiClient) -> Identity:
    """Ask STS for the caller, and CAM for the account's appid: "" if the key may not ask that. Raises ApiError."""
    caller = api.call("sts", "GetCallerIdentity")
    try:
        account = api.call("cam", "GetUserAppId")
    except ApiError as error:
        if not error.is_denied:
            raise
        account = {}
    arn = str(caller.get("Arn") or "")
    is_temporary = caller.get("Type") == _ROLE_TYPE or any(part in arn for part in _TEMPORARY_ARNS)
    uin, owner = str(account.get("Uin") or ""), str(account.get("OwnerUin") or "")
    return Identity(
        uin=uin,
        owner_uin=owner or str(caller.get("AccountId") or ""),
        appid=str(account.get("AppId") or ""),
        is_root=bool(uin) and uin == owner and not is_temporary,
        arn=arn,
    )
