"""Who may use the console: the browser that opened the address with the token, and no other page in it.

Another page in the same browser can send requests to 127.0.0.1, a host name of a stranger can point there (DNS
rebinding), and other programs of this machine can connect. Therefore each request needs the right Host, no foreign
Origin, and the cookie, which only the token of the printed address gives, once. What changes something needs the
Origin.
"""

from __future__ import annotations

import hmac
import secrets
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cli.console.answers import build_error_response
from cli.language import _
from cli.output import print_stack_trace

SAFE_METHODS = frozenset({"GET", "HEAD"})
SOUND_PATH = (
    "/api/sound/"  # has a ticket in place of the cookie: the sandboxed page of a recording has no cookies
)
READ_ONLY_PATHS = frozenset({"/api/language", "/api/refresh"})  # what they change is in this process only
_FOREIGN_SITES = frozenset({"cross-site", "same-site"})  # Sec-Fetch-Site
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
# Without a token or a cookie the language of the reader is not known.
NO_SESSION_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>scribe console</title></head><body>
<p>This address needs the token that <code>scribe console</code> printed, and each token works once. Open the printed
address, or stop the command with Ctrl-C and start it again.</p>
<p lang="zh">访问此地址需要 <code>scribe console</code> 显示的令牌，每个令牌只能使用一次。
请打开命令显示的地址；如果令牌已经用过，请按 Ctrl-C 停止命令，再重新执行。</p>
</body></html>
"""  # not translated


class Session:
    """The token of the printed address, and the cookie that it is exchanged for. They live as long as the process."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.token = secrets.token_urlsafe(32)
        self.cookie_name = f"scribe-console-{port}"
        self._cookie = secrets.token_urlsafe(32)
        self._is_used = False

    @property
    def hosts(self) -> tuple[str, str]:
        """The values of Host under which the console is there."""
        return f"127.0.0.1:{self.port}", f"localhost:{self.port}"

    @property
    def address(self) -> str:
        """The address to open, with the token."""
        return f"http://{self.hosts[0]}/?token={self.token}"

    def use_token(self, token: str) -> bool:
        """Check a token, which works once."""
        is_right = hmac.compare_digest(token.encode("utf-8", "replace"), self.token.encode())
        if not is_right or self._is_used:
            return False
        self._is_used = True
        return True

    def has_cookie(self, header: str) -> bool:
        """Check whether a Cookie header has the cookie of this process.

        Browsers send the cookies of all ports of 127.0.0.1. Those of other programs may be of any form, after which
        http.cookies would read no further, and may have the same name.
        """
        expected = f"{self.cookie_name}={self._cookie}".encode()
        cookies = (cookie.strip().encode("utf-8", "replace") for cookie in header.split(";"))
        return any(hmac.compare_digest(cookie, expected) for cookie in cookies)

    def format_cookie(self) -> str:
        """Return the value of Set-Cookie. A cookie of HTTP on a loopback address cannot be `Secure`."""
        return f"{self.cookie_name}={self._cookie}; HttpOnly; SameSite=Strict; Path=/"


class SecurityMiddleware:
    """Refuses what this browser's own page did not send, and adds the headers to each response."""

    def __init__(self, app: ASGIApp, session: Session, *, can_write: bool, read_only_hint: str) -> None:
        self._app = app
        self._session = session
        self._can_write = can_write
        self._read_only_hint = read_only_hint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request, and pass it on."""
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        handler = self._check(scope) or self._app
        try:
            await handler(scope, receive, send_with_headers)
        except Exception as error:  # noqa: BLE001 - a bug, whose response was sent; its text may quote a secret
            print_stack_trace(error)

    def _check(self, scope: Scope) -> Response | None:
        """Return the response to a request that goes no further; None if it may."""
        headers, method, path = Headers(scope=scope), scope["method"], scope["path"]
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0] not in self._session.hosts:
            text = _(
                "The console is at {address}, and answers under no other name.",
                address=f"http://{self._session.hosts[0]}",
            )
            return build_error_response(403, "wrong_host", text)
        origins = headers.getlist("origin")
        is_sound = path.startswith(SOUND_PATH) and method in SAFE_METHODS
        is_foreign = any(origin != f"http://{hosts[0]}" for origin in origins)
        # A page of another port counts as the same site: the browser sends the cookie with its requests.
        is_foreign |= (
            path.startswith("/api/") and not is_sound and headers.get("sec-fetch-site") in _FOREIGN_SITES
        )
        if is_foreign or (method not in SAFE_METHODS and not origins):
            text = _("Only the page of the console itself may send this request.")
            return build_error_response(403, "wrong_origin", text)
        has_cookie = self._session.has_cookie("; ".join(headers.getlist("cookie")))
        if path == "/" and method == "GET" and b"token=" in scope["query_string"]:
            return self._exchange_token(scope["query_string"], has_cookie=has_cookie)
        if not has_cookie and not is_sound:
            if path.startswith("/api/"):
                text = _("The session has ended: open the address again that `scribe console` printed.")
                return build_error_response(403, "no_session", text)
            return HTMLResponse(NO_SESSION_PAGE, 403)
        if method not in SAFE_METHODS and not self._can_write and path not in READ_ONLY_PATHS:
            text = _(
                "The console was started to read only. `{command}` can also upload and retry.",
                command=self._read_only_hint,
            )
            return build_error_response(403, "read_only", text)
        return None

    def _exchange_token(self, query: bytes, *, has_cookie: bool) -> Response:
        tokens = parse_qs(query.decode("latin-1")).get("token", [])
        response = RedirectResponse("/", 303)
        if has_cookie:
            return response
        if len(tokens) != 1 or not self._session.use_token(tokens[0]):
            return HTMLResponse(NO_SESSION_PAGE, 403)
        response.headers["set-cookie"] = self._session.format_cookie()
        return response
