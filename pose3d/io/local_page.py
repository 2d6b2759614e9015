"""What every page of pose3d in the browser stands on: a server on 127.0.0.1 that answers to who has its address."""

import hmac
import json
import secrets
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path
from typing import Any

import uvicorn
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from pose3d.errors import Pose3DError

__all__ = [
    "LOCAL_HOSTS",
    "Guard",
    "PageServer",
    "RequestError",
    "answer_http_error",
    "answering",
    "error_answer",
    "new_token",
    "open_listener",
    "page_headers",
    "read_json_body",
    "read_page_files",
]

_MOST_BYTES = 100_000  # of a request

LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]")
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


class RequestError(ValueError):
    """A request that makes no sense."""


def new_token() -> str:
    """Return a secret for a page's address."""
    return secrets.token_urlsafe(18)


def page_headers(policy: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return headers with which a page can load nothing but what its own server gives.

    Parameters
    ----------
    policy : mapping of str to str, optional
        Directives of the content security policy that differ.
    """
    directives = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' blob:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        **(policy or {}),
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in directives.items()),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }


def read_page_files(package: str) -> dict[str, tuple[bytes, str]]:
    """Read a page's own files from the folder ``static`` of a package: name to content and media type."""
    folder = resources.files(package) / "static"
    files = [item for item in folder.iterdir() if Path(item.name).suffix in _TYPES]
    return {item.name: (item.read_bytes(), _TYPES[Path(item.name).suffix]) for item in files}


class Guard:
    """Let a request through only if it names this machine and the token: no other website can read or send.

    Parameters
    ----------
    app : ASGIApp
    token : str
        First part of every address.
    hosts : sequence of str
        Names by which browsers may call the server.
    headers : mapping of str to str
        Of every answer that does not have them.
    command : str
        That prints the address.
    """

    def __init__(
        self, app: ASGIApp, token: str, hosts: Sequence[str], headers: Mapping[str, str], command: str
    ) -> None:
        self._app, self._token, self._command = app, token, command
        self._hosts = frozenset(host.lower() for host in hosts)
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # no websockets here
            return
        refusal = self._refuse(Request(scope))

        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *((n, v) for n, v in self._headers if n not in there)]
            await send(message)

        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refuse(self, request: Request) -> Response | None:
        host = request.headers.get("host", "")
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
        if name.lower() not in self._hosts:
            return error_answer(400, f"this page answers to {LOCAL_HOSTS[0]} only, not to the host {name[:80]!r}")
        token = request.url.path.split("/")[1]
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            return error_answer(403, f"wrong or missing token: open the address that {self._command} printed")
        return None


def error_answer(status: int, message: str) -> JSONResponse:
    """Answer that something is wrong, in words."""
    return JSONResponse({"error": message}, status_code=status)


def answering(status: int) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Return a handler that answers an error with what it says."""

    async def handler(_request: Request, error: Exception) -> Response:
        return error_answer(status, str(error))

    return handler


async def answer_http_error(_request: Request, error: Exception) -> Response:
    """Answer an error of HTTP itself, such as an address where there is nothing."""
    assert isinstance(error, HTTPException)
    return error_answer(error.status_code, f"{error.detail}: there is nothing at this address")


async def read_json_body(request: Request) -> Mapping[str, Any]:
    """Read what was sent, a JSON object; another website could not send it as such.

    Raises
    ------
    RequestError
        If it is none.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise RequestError("an action is sent as application/json")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise RequestError("the action is too long")
    try:
        content = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise RequestError("the action is no JSON") from error
    if not isinstance(content, dict):
        raise RequestError("the action is no JSON object")
    return content


@contextmanager
def open_listener(port: int = 0) -> Iterator[socket.socket]:
    """Take a port of 127.0.0.1; 0 takes a free one.

    Raises
    ------
    Pose3DError
        If the port is taken.
    """
    # asyncio switches Nagle's delay (40 ms an answer) off only where the socket says that it is TCP
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        try:
            if port:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((LOCAL_HOSTS[0], port))
        except OSError as error:
            raise Pose3DError(f"port {port}: cannot be used ({error.strerror}); choose another --port") from error
        yield listener


class PageServer(uvicorn.Server):
    """Uvicorn without its banner, which says when it is ready."""

    def __init__(self, app: ASGIApp, ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                ws="none",
                lifespan="on",
                timeout_graceful_shutdown=3,
            )
        )
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets=sockets)
        if not self.should_exit:
            self._ready()

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer until Ctrl-C or SIGTERM, or until `should_exit`."""
        with _terminated_as_interrupted(), suppress(KeyboardInterrupt):  # Ctrl-C is how one ends it
            super().run(sockets=sockets)


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM end a block as Ctrl-C does: uvicorn sends itself again the signal that it ended by."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
