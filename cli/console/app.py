"""The addresses of the console: its page, and the JSON that the page asks for.

    GET  /                     the page, and its files
    GET  /api/session          what this console may do
    GET  /api/recordings       the list; /api/events: its changes
    GET  /api/story            why a recording is in its state
    GET  /api/transcript       its sentences; /api/sound/TICKET, /page/TICKET
    GET  /api/search, /api/cost, /api/doctor, /api/upload-check
    PUT  /api/upload           passed on to COS as it arrives
    POST /api/retry, /api/refresh; PUT /api/language

Functions without `async` run in worker threads: what they call waits for the cloud.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from cli.config import CliContext
from cli.console.answers import ApiError, build_error_response, build_json_response, build_text_response
from cli.console.events import EventHub, EventStream
from cli.console.media import pass_sound_on, receive_upload
from cli.console.pages import load_file
from cli.console.recordings import Recordings
from cli.console.search import SearchIndex
from cli.console.security import SecurityMiddleware, Session
from cli.console.streams import ObjectStreams
from cli.console.transcripts import PAGE_POLICY, Tickets, load_page, load_transcript
from cli.console.uploads import plan_upload
from cli.doctor.command import run_doctor
from cli.doctor.models import Status
from cli.errors import OperatorError
from cli.language import LANGUAGES, _, get_language, translate, use_language
from cli.operate.cost import read_costs
from cli.operate.retry import retry_one
from cli.operate.story import tell_story
from cli.operate.story_reader import check_key, read_facts
from cli.operate.times import parse_month
from cli.operate.workspace import Workspace
from shared.errors import CloudError, NotFound, ScribeError
from shared.recordings.options import MAX_RECORDING_BYTES

MAX_LIMIT = 1000
MAX_QUERY_LENGTH = 200
MAX_BODY_BYTES = 65_536  # of a request with JSON


@dataclass(frozen=True, slots=True)
class Services:
    """What the addresses use. `read_only_hint` is the command line of a console that can write."""

    context: CliContext
    workspace: Workspace
    recordings: Recordings
    events: EventHub
    search: SearchIndex
    tickets: Tickets
    streams: ObjectStreams
    can_write: bool

    @classmethod
    def create(
        cls,
        context: CliContext,
        workspace: Workspace,
        *,
        can_write: bool,
        streams: ObjectStreams | None = None,
        recordings: Recordings | None = None,
    ) -> Services:
        """Create the services of one console."""
        recordings = recordings or Recordings(workspace)
        return cls(
            context,
            workspace,
            recordings,
            EventHub(recordings, partial(reload_key, context, workspace)),
            SearchIndex(workspace, recordings),
            Tickets(workspace.ctx.now),
            streams or ObjectStreams(workspace.ctx.input_cos.client),
            can_write,
        )

    @property
    def read_only_hint(self) -> str:
        """The command line of a console that can upload and retry."""
        return self.workspace.commands.line("console", "--write")


def build_app(services: Services, session: Session) -> ASGIApp:
    """Build the application."""
    handlers = _Handlers(services)
    app = Starlette(
        routes=[
            Route("/", handlers.show_page),
            Route("/{name:str}", handlers.show_file),
            Route("/page/{ticket:str}", handlers.show_transcript_page),
            Route("/api/session", handlers.get_session),
            Route("/api/language", handlers.set_language, methods=["PUT"]),
            Route("/api/refresh", handlers.refresh, methods=["POST"]),
            Route("/api/recordings", handlers.list_recordings),
            Route("/api/events", handlers.follow),
            Route("/api/story", handlers.tell_story),
            Route("/api/transcript", handlers.show_transcript),
            Route("/api/sound/{ticket:str}", handlers.play),
            Route("/api/search", handlers.search),
            Route("/api/cost", handlers.show_cost),
            Route("/api/doctor", handlers.run_doctor),
            Route("/api/retry", handlers.retry, methods=["POST"]),
            Route("/api/upload-check", handlers.check_upload),
            Route("/api/upload", handlers.upload, methods=["PUT"]),
        ],
        exception_handlers={
            ApiError: _refuse,
            OperatorError: _refuse,
            ScribeError: _refuse,
            ClientDisconnect: _ignore,
            Exception: _report_bug,
            404: _refuse_address,
            405: _refuse_address,
        },
    )
    app.state.services = services
    return SecurityMiddleware(
        app, session, can_write=services.can_write, read_only_hint=services.read_only_hint
    )


def _refuse(request: Request, error: Exception) -> Response:
    """Build the response to a request that could not be done."""
    if isinstance(error, ApiError):
        return build_error_response(error.status, error.code, error.message)
    if isinstance(error, CloudError):
        services: Services = request.app.state.services
        reload_key(services.context, services.workspace)
        return build_error_response(502, "cloud", str(services.workspace.advise(error)))
    return build_error_response(400, "not_possible", translate(str(error)))


def reload_key(context: CliContext, workspace: Workspace) -> None:
    """Use the key that is written in .env now: a temporary one is replaced there when it has expired.

    So the page goes on, with the uploads that wait in it.
    """
    with suppress(ScribeError, OperatorError):  # of a file that is being written
        workspace.ctx.input_cos.client.credentials = context.load_credentials(context.load_config())


def _ignore(_request: Request, _error: Exception) -> Response:
    """Build the response to a request whose sender is gone: it reaches no one."""
    return Response(status_code=400)


def _refuse_address(_request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    return build_error_response(status, "unknown_address", _("There is no such address."))


def _report_bug(_request: Request, _error: Exception) -> Response:
    """Build the response to a request that met a bug, which the middleware prints in the terminal."""
    message = _("This is a mistake in Scribe itself: the terminal of `scribe console` shows more.")
    return build_error_response(500, "internal", message)


class _Handlers:
    """One method for each address."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._workspace = services.workspace
        self._recordings = services.recordings

    def show_page(self, _request: Request) -> Response:
        """Send the page."""
        return load_file("index.html")

    def show_file(self, request: Request) -> Response:
        """Send a file of the page."""
        return load_file(request.path_params["name"])

    def get_session(self, _request: Request) -> Response:
        """Say what this console may do."""
        settings = self._workspace.settings
        return build_json_response(
            {
                "write": self._services.can_write,
                "language": get_language(),
                "buckets": settings.input_buckets,
                "is_local": bool(settings.cloud_endpoint),
                "extensions": settings.input_extensions,
                "max_bytes": MAX_RECORDING_BYTES,
                "version": version("scribe-cos"),
                "read_only_hint": self._services.read_only_hint,
                "monthly_minutes": settings.monthly_minutes or None,
            }
        )

    async def set_language(self, request: Request) -> Response:
        """Speak another language from now on."""
        language = (await _read_json(request)).get("language")
        if language not in LANGUAGES:
            raise ApiError(400, "wrong_language", _("The languages are en and zh."))
        if language != get_language():
            use_language(language)
            self._services.events.publish(await run_in_threadpool(self._recordings.forget_texts))
            self._services.events.wake()
        return Response(status_code=204)

    async def refresh(self, _request: Request) -> Response:
        """Read everything again."""
        change = await run_in_threadpool(self._recordings.refresh, is_full=True)
        self._services.events.publish(change)
        return Response(status_code=204)

    async def list_recordings(self, request: Request) -> Response:
        """Send one page of the list. The first time it is read from the cloud."""
        query = request.query_params
        offset = _read_number(query.get("offset", "0"))
        limit = min(_read_number(query.get("limit", "200")), MAX_LIMIT)
        words = query.get("q", "")[:MAX_QUERY_LENGTH]
        self._services.events.publish(await run_in_threadpool(self._recordings.refresh_if_old))
        page = await run_in_threadpool(
            self._recordings.format_page, query.get("state", ""), words, offset, limit
        )
        return build_json_response(page)

    async def follow(self, request: Request) -> EventStream:
        """Send the changes until the page is closed."""
        last_revision = request.headers.get("last-event-id", "")
        return EventStream(self._services.events, self._recordings, last_revision)

    def tell_story(self, request: Request) -> Response:
        """Say why a recording is in its state."""
        bucket, key = self._read_name(request)
        try:
            facts = read_facts(self._workspace, bucket, key)
        except OperatorError as error:
            raise ApiError(404, "unknown_recording", str(error)) from None
        story = tell_story(self._workspace.settings, self._workspace.commands, facts)
        return build_json_response(story.as_json())

    def show_transcript(self, request: Request) -> Response:
        """Send the sentences of a recording."""
        bucket, key = self._read_name(request)
        return build_text_response(load_transcript(self._workspace, self._services.tickets, bucket, key))

    def show_transcript_page(self, request: Request) -> Response:
        """Send the page that Scribe wrote, in a sandbox."""
        number = request.path_params["ticket"]
        ticket = self._services.tickets.find(number)
        origin = f"http://{request.headers['host']}"
        body = load_page(self._workspace, ticket, number, origin)
        policy = PAGE_POLICY.format(origin=origin)
        return Response(body, media_type="text/html", headers={"content-security-policy": policy})

    async def play(self, request: Request) -> Response:
        """Send the sound of a recording, or a range of it."""
        ticket = self._services.tickets.find(request.path_params["ticket"])
        return await pass_sound_on(self._services.streams, ticket, request)

    async def search(self, request: Request) -> Response:
        """Search in titles and texts, and load the texts that are missing."""
        words = request.query_params.get("q", "")[:MAX_QUERY_LENGTH]
        self._services.events.publish(await run_in_threadpool(self._recordings.refresh_if_old))
        self._services.search.start()
        return build_text_response(await run_in_threadpool(self._services.search.search, words))

    def show_cost(self, request: Request) -> Response:
        """Send minutes and money of a month."""
        try:
            month = parse_month(request.query_params.get("month", ""), self._workspace.ctx.now())
        except ValueError as error:
            raise ApiError(400, "wrong_month", str(error)) from None
        return build_json_response(read_costs(self._workspace, month).as_json())

    def run_doctor(self, _request: Request) -> Response:
        """Check the deployment."""
        findings = list(run_doctor(self._services.context))
        passed = all(finding.status is not Status.WRONG for finding in findings)
        return build_json_response({"ok": passed, "findings": [finding.as_json() for finding in findings]})

    async def retry(self, request: Request) -> Response:
        """Try a recording again."""
        document = await _read_json(request)
        bucket, key = self._check_name(document.get("bucket"), document.get("key"))
        goes_on, message = await run_in_threadpool(retry_one, self._workspace, bucket, key)
        self._services.events.wake()
        return build_json_response({"ok": goes_on, "message": message})

    def check_upload(self, request: Request) -> Response:
        """Say under which key a file would be uploaded, and what speaks against it."""
        if self._recordings.problem:
            reload_key(self._services.context, self._workspace)
        query = request.query_params
        bucket, size = query.get("bucket", ""), _read_number(query.get("size", "0"))
        plan = plan_upload(self._workspace.settings, bucket, query.get("key", ""), size)
        exists = not plan.refusal and self._exists(bucket, plan.key)
        warnings = []
        if exists:
            warnings.append(
                _("A recording with this name is there: it and its transcripts would be replaced.")
            )
        return build_json_response(
            {"key": plan.key, "exists": exists, "warnings": warnings, "refusal": plan.refusal}
        )

    async def upload(self, request: Request) -> Response:
        """Pass a file on to COS."""
        query = request.query_params
        length = request.headers.get("content-length", "")
        if not length.isdecimal() or "transfer-encoding" in request.headers:
            raise ApiError(411, "no_length", _("The size of the file must be known before: Content-Length."))
        bucket, size = query.get("bucket", ""), int(length)
        plan = plan_upload(self._workspace.settings, bucket, query.get("key", ""), size)
        if plan.refusal:
            raise ApiError(413 if size > MAX_RECORDING_BYTES else 422, "refused", plan.refusal)
        overwrites = query.get("overwrite") == "1"
        # A bucket with versioning ignores that COS is asked not to overwrite. And a key of the account that is refused
        # says so here: in the middle of a body, COS may close the connection before its answer is read.
        exists = await run_in_threadpool(self._exists, bucket, plan.key)
        if exists and not overwrites:
            raise ApiError(409, "exists", _("A recording with this name is there already."))
        etag = await receive_upload(
            self._services.streams, self._workspace.settings.region, bucket, plan.key, request, overwrites
        )
        self._services.events.publish(
            await run_in_threadpool(self._recordings.add_upload, bucket, plan.key, etag, size)
        )
        self._services.events.wake()
        return build_json_response({"bucket": bucket, "key": plan.key, "etag": etag}, 201)

    def _exists(self, bucket: str, key: str) -> bool:
        try:
            self._workspace.ctx.input_cos.head(bucket, key)
        except NotFound as error:
            if error.code == "NoSuchBucket":
                raise
            return False
        return True

    def _read_name(self, request: Request) -> tuple[str, str]:
        return self._check_name(request.query_params.get("bucket"), request.query_params.get("key"))

    def _check_name(self, bucket: object, key: object) -> tuple[str, str]:
        name = key if isinstance(key, str) else ""
        check_key(name)
        return self._workspace.choose_bucket(bucket if isinstance(bucket, str) else ""), name


async def _read_json(request: Request) -> dict[str, Any]:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            raise ApiError(413, "too_large", _("The request is too large."))
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ApiError(400, "no_json", _("The request is no JSON object."))
    return document


def _read_number(text: str) -> int:
    if not text.isdecimal() or len(text) > 15:  # noqa: PLR2004 - more than any size
        raise ApiError(400, "wrong_number", _("{text} is no number.", text=text[:20]))
    return int(text)
