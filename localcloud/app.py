"""The ASGI application of one cloud: connects the services, checks signatures and permissions, dispatches requests."""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from localcloud.access_log import AccessLog, AccessLogEntry
from localcloud.api3.dispatcher import ApiDispatcher
from localcloud.api3.models import ApiService
from localcloud.api3.sts import StsService
from localcloud.auth.authorize import (
    find_denied_permission,
    required_ci_permissions,
    required_cos_permissions,
)
from localcloud.auth.cos_signature import (
    CI_TOKEN_HEADERS,
    COS_TOKEN_HEADERS,
    SignatureError,
    verify_form_signature,
    verify_signature,
)
from localcloud.auth.credentials import Credential, CredentialStore
from localcloud.auth.local_access import (
    SECRET_HEADER,
    has_page_signature,
    has_secret,
    is_from_web_page,
    sign_page,
)
from localcloud.auth.policy import load_policy_file
from localcloud.cam.service import CamService
from localcloud.ci import exceptions as ci_errors
from localcloud.ci.backend import CiBackend, CiOptions
from localcloud.ci.notifier import Notifier
from localcloud.ci.urls import dispatch as dispatch_ci
from localcloud.cos import exceptions as cos_errors
from localcloud.cos.backend import CosBackend, CosOptions
from localcloud.cos.responses import is_form_upload, read_form
from localcloud.cos.urls import dispatch as dispatch_cos
from localcloud.faults.plan import FaultPlan
from localcloud.faults.request_faults import ConnectionAborted
from localcloud.faults.service_faults import Faults
from localcloud.function_bridge import FunctionRuntime
from localcloud.http.errors import InvalidEncoding, ServiceError
from localcloud.http.hosts import ServiceName
from localcloud.http.request import Request
from localcloud.http.response import XML_TYPE, add_service_headers
from localcloud.http.server import abort_connection
from localcloud.scf.service import ScfService
from localcloud.speech import make_recogniser
from localcloud.store import Store

_log = logging.getLogger("localcloud")
# A body is read before its request is rejected, so that the client receives the response.
_MAX_DISCARDED_BYTES = 1024 * 1024
_CODE_URL_LIFETIME_S = 600

# Variables that serverless.yml needs from the person who deploys; they have no meaning here.
_MANIFEST_VARIABLES = {"SCRIBE_STAGE": "local", "SCF_ROLE_NAME": "local"}


@dataclass(frozen=True, slots=True)
class CloudOptions:
    """The options of the command line; empty keys are generated.

    `propagation_delay_s`: how long new roles, policies, queues and URLs are not yet known everywhere. `is_bare`: in a
    new data folder no bucket is bound to CI, and the service roles do not exist. `ci_permissions`: which actions the
    queries of speech jobs need. `ci_signature_error`: the code for a wrong signature, access-denied or
    invalid-authorization. `speech_model`: the folder of the Whisper model. `clock_offsets_s`: how far the clocks of
    new instances of functions are ahead, in turn.
    """

    data: Path
    region: str = "ap-guangzhou"
    appid: str = "1250000000"
    secret_id: str = ""
    secret_key: str = ""
    speech: str = "pocketsphinx"
    speech_model: Path | None = None
    functions: Path | None = None
    policies: Path | None = None
    timers: bool = False
    versioned: tuple[str, ...] = ()
    suspended: tuple[str, ...] = ()
    retry_delay_s: float = 1.0
    max_instances: int = 4
    clock_offsets_s: tuple[float, ...] = (0.0,)
    deploy_delay_s: float = 0.3
    propagation_delay_s: float = 0.0
    faults: FaultPlan = field(default_factory=FaultPlan)
    is_bare: bool = False
    ci_permissions: str = "documented"
    ci_signature_error: str = "access-denied"
    cos: CosOptions = field(default_factory=CosOptions)
    ci: CiOptions = field(default_factory=CiOptions)


class Cloud:
    """The ASGI application and the services behind it."""

    def __init__(
        self, options: CloudOptions, endpoint: str, create_admin_app: Callable[[Cloud], ASGIApp]
    ) -> None:
        """`create_admin_app` builds the application that serves /-/.

        Raises DeploymentError with all errors in serverless.yml, and PolicyFileError.
        """
        self.options = options
        self.admin_secret = secrets.token_hex(32)
        self._own_origins = (endpoint, endpoint.replace("127.0.0.1", "localhost"))
        self.store = Store(options.data)
        self.access_log = AccessLog()
        self.faults = Faults(options.faults, self.store, self._kill)
        self.credentials = CredentialStore(
            Credential(
                options.secret_id
                or self.store.get_or_create_setting("secret_id", lambda: "AKID" + secrets.token_hex(16)),
                options.secret_key
                or self.store.get_or_create_setting("secret_key", lambda: secrets.token_hex(16)),
            ),
            self.faults.clock,
            load_policy_file(options.policies) if options.policies else None,
        )
        self.cam = CamService(self.store, options.appid, options.propagation_delay_s, is_bare=options.is_bare)
        self.functions = FunctionRuntime(
            options.functions,
            environ={"REGION": options.region, **_MANIFEST_VARIABLES, **os.environ},
            endpoint=endpoint,
            region=options.region,
            appid=options.appid,
            state_folder=self.store.folder / "functions",
            credentials=self.credentials,
            access_log=self.access_log,
            retry_delay_s=options.retry_delay_s,
            timers=options.timers,
            max_instances=options.max_instances,
            clock_offsets_s=options.clock_offsets_s,
            faults=self.faults,
            policies_for_role=self.cam.policies_for_role,
        )
        self.cos = CosBackend(
            self.store, options.appid, self.functions.on_object_event, self.faults, options.cos
        )
        notifier = Notifier(
            self.store,
            owns_host=self.functions.owns_host,
            call_function=self.functions.post_to_url,
            retry_delay_s=options.retry_delay_s,
            build_posts=self.faults.notifications.build_posts,
        )
        self.ci = CiBackend(
            self.store,
            self.cos,
            make_recogniser(options.speech, model=options.speech_model),
            notifier,
            options.ci,
            self.faults,
            self.cam.ci_role,
        )
        self.scf = ScfService(
            self.store,
            self.functions.registry,
            region=options.region,
            appid=options.appid,
            build_code_url=self._build_code_url,
            deploy_delay_s=options.deploy_delay_s,
            find_taken_rule=lambda bucket: self.faults.switches.taken_rules.get(bucket, ""),
            has_bucket=lambda name: self.cos.buckets.get(name) is not None,
            propagation_delay_s=options.propagation_delay_s,
            is_assumable=self.cam.is_assumable,
            has_service_role=self.cam.has_scf_role,
            can_write_buckets=self.cam.can_scf_write_buckets,
        )
        services: dict[str, ApiService] = {
            "sts": StsService(self.cam.get_role_id),
            "cam": self.cam,
            "scf": self.scf,
        }
        self.api3 = ApiDispatcher(services, self.credentials, self.faults.clock)
        self._admin = create_admin_app(self)
        self._create_buckets(options.versioned, "Enabled")
        self._create_buckets(options.suspended, "Suspended")

    def _kill(self, credential: Credential) -> bool:
        return self.functions.kill(credential)

    def _create_buckets(self, names: tuple[str, ...], versioning: str) -> None:
        suffix = f"-{self.options.appid}"
        for option in names:
            name = option if option.endswith(suffix) else option + suffix
            bucket = self.cos.buckets.get(name) or self.cos.buckets.create(name, self.options.region)
            self.cos.buckets.set_versioning(bucket, versioning)

    async def start(self) -> None:
        """Start the functions and the speech queues; unfinished jobs of the data folder continue."""
        await self.functions.start()
        await self.cos.start()
        await self.ci.start()

    async def close(self) -> None:
        """Stop everything; unfinished work stays in the data folder."""
        self.faults.close()
        await self.ci.close()
        await self.cos.close()
        await self.scf.close()
        await self.functions.close()
        self.store.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            return
        try:
            request = Request.from_scope(scope, receive)
        except InvalidEncoding as error:
            invalid_uri = ServiceError(400, "InvalidURI", f"The URL is not UTF-8: {error}")
            body = cos_errors.error_body(invalid_uri, "/", "none")
            headers = {"date": formatdate(self.faults.clock(), usegmt=True)}
            await Response(body, 400, headers, XML_TYPE)(scope, receive, send)
            return
        refusal = self._find_refusal(request)
        if refusal:
            await _refuse(request, refusal, scope, receive, send)
            return
        if request.target.service is ServiceName.ADMIN:
            await self._admin({**scope, "path": request.path}, receive, send)
            return
        number, started_s = self.access_log.next_number(), time.time()
        try:
            response = await self._respond(request)
        except ClientDisconnect:
            return
        except ConnectionAborted:
            self.access_log.add(_build_log_entry(request, number, started_s, 0))
            await abort_connection(scope)
            return
        add_service_headers(request, response, self.faults.clock())
        self.access_log.add(_build_log_entry(request, number, started_s, response.status_code))
        await response(scope, receive, send)

    def _find_refusal(self, request: Request) -> str:
        """Return why an unsigned request is refused, or an empty text: COS, CI and API 3.0 need signatures."""
        service = request.target.service
        if service not in (ServiceName.ADMIN, ServiceName.OTHER):
            return ""
        if is_from_web_page(request.headers, self._own_origins):
            return "pages of web sites cannot use this cloud"
        if service is ServiceName.OTHER:
            is_unknown_host = not self.functions.owns_host(request.host)
            if is_unknown_host and request.path.startswith("/-/"):
                return "the pages below /-/ are on 127.0.0.1 and localhost only"
        elif not self._may_use_admin_pages(request):
            return f"send the admin_secret of the ready line as {SECRET_HEADER}"
        return ""

    def _may_use_admin_pages(self, request: Request) -> bool:
        secret, now_s = self.admin_secret, time.time()
        return has_secret(request.headers, secret) or (
            request.method == "GET" and has_page_signature(request.path, request.parameters, secret, now_s)
        )

    def _build_code_url(self, function: str) -> str:
        expires_s = int(time.time() + _CODE_URL_LIFETIME_S)
        return f"{self._own_origins[0]}{sign_page(f'/-/code/{function}.zip', self.admin_secret, expires_s)}"

    async def _respond(self, request: Request) -> Response:
        """Turn every error into a response. Raises only ClientDisconnect and ConnectionAborted."""
        try:
            if request.target.is_api3:
                return await self.api3.dispatch(request)
            if is_form_upload(request):
                request.form = await read_form(request)
                request.signer = verify_form_signature(
                    request.form, request.target.bucket, self.credentials, self.faults.clock()
                )
                await self._authorize(request)
            elif request.target.is_cos or request.target.is_ci:
                token_headers = COS_TOKEN_HEADERS if request.target.is_cos else CI_TOKEN_HEADERS
                request.signer = verify_signature(
                    request.to_signed_request(), self.credentials, self.faults.clock(), token_headers
                )
                await self._authorize(request)
            return await self.faults.requests.wrap(request, self._dispatch)
        except (ClientDisconnect, ConnectionAborted):
            raise
        except Exception as error:  # noqa: BLE001 - an error of the stand-in gets a response like one of the service
            service_error = self._to_service_error(request, error)
            request.code = service_error.code
            return _error_response(request, service_error)

    async def _authorize(self, request: Request) -> None:
        """Raise a ServiceError if the credential's policies do not allow the request."""
        appid = self.options.appid
        required = (
            required_cos_permissions(request, appid)
            if request.target.is_cos
            else required_ci_permissions(request, appid, self.options.ci_permissions)
        )
        denied = find_denied_permission(request, required)
        if denied is not None:
            await request.body(_MAX_DISCARDED_BYTES)
            raise (cos_errors if request.target.is_cos else ci_errors).access_denied(denied)

    def _to_service_error(self, request: Request, error: Exception) -> ServiceError:
        """Convert an exception into an error of the service; an unexpected one becomes InternalError."""
        if isinstance(error, SignatureError):
            if request.target.is_cos:
                return cos_errors.signature_error(error.reason, str(error))
            is_access_denied = self.options.ci_signature_error == "access-denied"
            return ci_errors.signature_error(error.reason, str(error), is_access_denied=is_access_denied)
        if isinstance(error, ServiceError):
            return error
        _log.error("%s %s failed: error of the stand-in", request.method, request.raw_path, exc_info=error)
        return ServiceError(500, "InternalError", "The stand-in failed; its log says how.")

    async def _dispatch(self, request: Request) -> Response:
        if request.target.is_cos:
            return await dispatch_cos(self.cos, request)
        if request.target.is_ci:
            return await dispatch_ci(self.ci, request)
        return await self.functions.handle_request(request)


async def _refuse(request: Request, reason: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a 403 to a request that has no effect."""
    try:
        await request.body(_MAX_DISCARDED_BYTES)
    except ClientDisconnect:
        return
    await JSONResponse({"error": reason}, 403)(scope, receive, send)


def _error_response(request: Request, error: ServiceError) -> Response:
    """Build the error document of the request's service; the response to a HEAD has no body."""
    if request.method == "HEAD":
        return Response(status_code=error.status, media_type=XML_TYPE)
    if request.target.is_cos:
        # Resource is never empty: the Python SDK drops the code otherwise.
        body = cos_errors.error_body(error, request.host_name + request.path, request.request_id)
    else:
        body = ci_errors.error_body(error, request.request_id)
    return Response(body, error.status, media_type=XML_TYPE)


def _build_log_entry(request: Request, number: int, started_s: float, status: int) -> AccessLogEntry:
    signer = request.signer
    return AccessLogEntry(
        number=number,
        time_s=started_s,
        method=request.method,
        host=request.host_name,
        path=request.path,
        query=request.raw_query,
        status=status,
        code=request.code,
        secret_id=signer.secret_id if signer else "",
        function=signer.function if signer else "",
        request_id=signer.request_id if signer else "",
        body_bytes=request.body_bytes,
        fault=request.fault,
        action=request.action,
        resource=request.resource,
    )
