"""One running cloud: the services wired together behind one HTTP application."""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from localcloud import signature
from localcloud.access.assigned import assigned_in
from localcloud.access.ci_needs import needs_of_ci
from localcloud.access.cos_needs import needs_of_cos
from localcloud.access.guard import first_denied
from localcloud.answers import XML_TYPE
from localcloud.asked import Asked, Undecodable
from localcloud.ci import exceptions as ci_errors
from localcloud.ci.backend import CiBackend, CiOptions
from localcloud.ci.notifier import Notifier
from localcloud.ci.urls import dispatch as ci_answer
from localcloud.connection import hang_up
from localcloud.control.calls import ControlService
from localcloud.control.cam import Cam
from localcloud.control.dispatch import Control
from localcloud.control.scf.service import ScfService
from localcloud.control.sts import Sts
from localcloud.cos import exceptions as cos_errors
from localcloud.cos.backend import CosBackend
from localcloud.cos.urls import dispatch as cos_answer
from localcloud.faults import Cut, Faults, Plan
from localcloud.functions import RunningFunctions
from localcloud.hosts import Service
from localcloud.keys import Key, Keys
from localcloud.leaving import error_answer, finish, problem_of
from localcloud.speech import make_recogniser
from localcloud.store import Store
from localcloud.traffic import Row, Traffic

_log = logging.getLogger("localcloud")
_MOST_READ = 1024 * 1024  # bytes; a body is read before it is refused, so that the refusal arrives

# What serverless.yml asks of whoever deploys, and has no meaning here.
_NOBODY_CHOSE = {"SCRIBE_STAGE": "local", "SCF_ROLE_NAME": "local"}


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line chose; times in seconds, empty keys stand for generated ones."""

    data: Path
    region: str = "ap-guangzhou"
    appid: str = "1250000000"
    secret_id: str = ""
    secret_key: str = ""
    speech: str = "pocketsphinx"
    functions: Path | None = None
    policies: Path | None = None
    timers: bool = False
    versioned: tuple[str, ...] = ()
    retry_delay_s: float = 1.0
    max_instances: int = 4
    deploy_delay_s: float = 0.3
    settle_s: float = 0.0
    faults: Plan = field(default_factory=Plan)
    ci: CiOptions = field(default_factory=CiOptions)


class Cloud:
    """The ASGI application and everything behind it."""

    def __init__(self, options: Options, endpoint: str, admin: Callable[[Cloud], ASGIApp]) -> None:
        """`admin` makes what answers under /-/.

        Raises scf.DeploymentError with all mistakes of serverless.yml, and AssignedError.
        """
        self.options = options
        self.store = Store(options.data)
        self.traffic = Traffic()
        self.faults = Faults(options.faults, self.store, self._kill)
        self.keys = Keys(
            Key(
                options.secret_id
                or self.store.get_or_create_setting("secret_id", lambda: "AKID" + secrets.token_hex(16)),
                options.secret_key
                or self.store.get_or_create_setting("secret_key", lambda: secrets.token_hex(16)),
            ),
            self.faults.clock,
            assigned_in(options.policies) if options.policies else None,
        )
        self.cam = Cam(self.store, options.appid, options.settle_s)
        self.functions = RunningFunctions(
            options.functions,
            environ={"REGION": options.region, **_NOBODY_CHOSE, **os.environ},
            endpoint=endpoint,
            region=options.region,
            appid=options.appid,
            state_folder=self.store.folder / "functions",
            keys=self.keys,
            traffic=self.traffic,
            retry_delay_s=options.retry_delay_s,
            timers=options.timers,
            max_instances=options.max_instances,
            faults=self.faults,
            documents_of=self.cam.documents_of,
        )
        self.cos = CosBackend(self.store, options.appid, self.functions.object_created, self.faults)
        notifier = Notifier(
            self.store,
            owns_host=self.functions.owns_host,
            call_function=self.functions.notify,
            retry_delay_s=options.retry_delay_s,
            build_posts=self.faults.notifications.posts,
        )
        self.ci = CiBackend(
            self.store,
            self.cos,
            make_recogniser(options.speech),
            notifier,
            options.ci,
            self.faults.jobs,
            self.cam.has_service_role,
        )
        self.scf = ScfService(
            self.store,
            self.functions.registry,
            region=options.region,
            appid=options.appid,
            endpoint=endpoint,
            deploy_delay_s=options.deploy_delay_s,
            has_bucket=lambda name: self.cos.buckets.get(name) is not None,
            settle_s=options.settle_s,
            has_role=self.cam.may_be_given,
            may_write_buckets=self.cam.has_configuration_role,
        )
        services: dict[str, ControlService] = {
            "sts": Sts(self.cam.role_id),
            "cam": self.cam,
            "scf": self.scf,
        }
        self.control = Control(services, self.keys, self.faults.clock)
        self._admin = admin(self)
        self._make_versioned(options)

    def _kill(self, key: Key) -> bool:
        return self.functions.kill(key)

    def _make_versioned(self, options: Options) -> None:
        for given in options.versioned:
            name = given if given.endswith(f"-{options.appid}") else f"{given}-{options.appid}"
            bucket = self.cos.buckets.get(name) or self.cos.buckets.create(name, options.region)
            self.cos.buckets.set_versioning(bucket, "Enabled")

    async def start(self) -> None:
        """Take up the work."""
        await self.functions.start()
        await self.ci.start()

    async def close(self) -> None:
        """Stop everything; what is open stays in the data folder."""
        self.faults.close()
        await self.ci.close()
        await self.scf.close()
        await self.functions.close()
        self.store.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        try:
            asked = Asked.read(scope, receive)
        except Undecodable as error:
            refusal = cos_errors.CosError(400, "InvalidURI", f"The URL is not UTF-8: {error}")
            await Response(cos_errors.error_body(refusal, "/", "none"), 400, media_type=XML_TYPE)(
                scope, receive, send
            )
            return
        if asked.place.service is Service.OWN:
            await self._admin({**scope, "path": asked.path}, receive, send)
            return
        number, began_s = self.traffic.next_number(), time.time()
        try:
            response = await self._answer(asked)
        except ClientDisconnect:
            return
        except Cut:
            self.traffic.add(_row(asked, number, began_s, 0))
            await hang_up(scope)
            return
        finish(asked, response, self.faults.clock())
        self.traffic.add(_row(asked, number, began_s, response.status_code))
        await response(scope, receive, send)

    async def _answer(self, asked: Asked) -> Response:
        """Whatever happens becomes an answer. Raises only ClientDisconnect and Cut."""
        try:
            if asked.place.is_control:
                return await self.control.answer(asked)
            if asked.place.is_cos or asked.place.is_ci:
                tokens = signature.COS_TOKEN_HEADERS if asked.place.is_cos else signature.CI_TOKEN_HEADERS
                asked.signer = signature.verify(asked.signed(), self.keys, self.faults.clock(), tokens)
                await self._permit(asked)
            return await self.faults.requests.around(asked, self._carry_out)
        except (ClientDisconnect, Cut):
            raise
        except Exception as error:  # noqa: BLE001 - a fault of the stand-in is answered like one of the service
            problem = problem_of(asked, error)
            asked.code = problem.code
            return error_answer(asked, problem)

    async def _permit(self, asked: Asked) -> None:
        """Raises CosError or CiError when the key's policies do not grant what is asked."""
        needs = (needs_of_cos if asked.place.is_cos else needs_of_ci)(asked, self.options.appid)
        denied = first_denied(asked, needs)
        if denied is not None:
            await asked.body(_MOST_READ)
            raise (cos_errors if asked.place.is_cos else ci_errors).access_denied(denied)

    async def _carry_out(self, asked: Asked) -> Response:
        if asked.place.is_cos:
            return await cos_answer(self.cos, asked)
        if asked.place.is_ci:
            return await ci_answer(self.ci, asked)
        return await self.functions.answer(asked)


def _row(asked: Asked, number: int, began_s: float, status: int) -> Row:
    signer = asked.signer
    return Row(
        number=number,
        time_s=began_s,
        method=asked.method,
        host=asked.host_name,
        path=asked.path,
        query=asked.raw_query,
        status=status,
        code=asked.code,
        secret_id=signer.secret_id if signer else "",
        function=signer.function if signer else "",
        request_id=signer.request_id if signer else "",
        body_bytes=asked.body_bytes,
        fault=asked.fault,
        action=asked.action,
        resource=asked.resource,
    )
