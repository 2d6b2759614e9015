"""The labelling page's server: a few routes on 127.0.0.1, all behind a token; what is not listed does not exist."""

import asyncio
import functools
import hmac
import json
import secrets
import signal
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from importlib import resources
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from pose3d.data.labels import ImageName, Labels
from pose3d.errors import FormatError, Pose3DError
from pose3d.io.files import write_text
from pose3d.labeling.editor import LabelEditor
from pose3d.labeling.journal import Journal
from pose3d.labeling.locking import ProjectLock
from pose3d.labeling.page_state import RequestError, apply_action, describe_curves, describe_instant, describe_project
from pose3d.labeling.pictures import read_picture
from pose3d.labeling.task import LabelingTask
from pose3d.log import logger

__all__ = ["JOURNAL_NAME", "LOCK_NAME", "LabelingServer", "serve_labeling"]

JOURNAL_NAME = "pose3d-label.journal"
LOCK_NAME = "pose3d-label.lock"

_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]")
_SAVE_AFTER_S = 20.0
_SAVE_AFTER_ACTIONS = 100
_MAX_REQUEST_BYTES = 100_000


@functools.cache
def _static_files() -> dict[str, tuple[bytes, str]]:
    """Read the page's own files: name to content and media type."""
    folder = resources.files("pose3d.labeling") / "static"
    files = [item for item in folder.iterdir() if Path(item.name).suffix in _TYPES]
    return {item.name: (item.read_bytes(), _TYPES[Path(item.name).suffix]) for item in files}


class _Guard:
    """Let a request through only if it names this machine and the token: no other website can read or send."""

    def __init__(self, app: ASGIApp, token: str, hosts: Sequence[str]) -> None:
        self._app, self._token, self._hosts = app, token, frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # no websockets here
            return
        refusal = self._refuse(Request(scope))

        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message["headers"]}
                new = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]
                message["headers"] = [*message["headers"], *((n, v) for n, v in new if n not in there)]
            await send(message)

        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refuse(self, request: Request) -> Response | None:
        host = request.headers.get("host", "")
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
        if name.lower() not in self._hosts:
            return _error(400, f"this page answers to {_LOCAL_HOSTS[0]} only, not to the host {name[:80]!r}")
        token = request.url.path.split("/")[1]
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            return _error(403, "wrong or missing token: open the address that pose3d label printed")
        return None


def _error(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": message}, status_code=status)


class LabelingServer:
    """The page, its images and its actions for one task.

    Parameters
    ----------
    task : LabelingTask
    journal : Journal
        What it holds already is done first.
    save : callable
        Given the labels of the images that were edited; writes them where they belong, or raises Pose3DError.
    token : str, optional
        First part of every address; a random one by default.
    hosts : sequence of str
        Names, beside those of this machine, by which browsers may call the server (behind a proxy).

    Attributes
    ----------
    editor : LabelEditor
    token : str
    app : Starlette
    """

    def __init__(
        self,
        task: LabelingTask,
        journal: Journal,
        save: Callable[[Labels], None],
        *,
        token: str | None = None,
        hosts: Sequence[str] = (),
    ) -> None:
        self.token = token or secrets.token_urlsafe(18)
        self.editor = LabelEditor(task, record=journal.append)
        self._journal = journal
        self._save = save
        self._unsaved = 0
        self._save_error = ""
        self._saving = asyncio.Lock()
        self._rows = {image: row for row, image in enumerate(task.images.labels.images)}
        self._keep_unplaced(self.editor.replay(journal.entries))
        self._unsaved = len(journal.entries)
        prefix = f"/{self.token}"
        self.app = Starlette(
            routes=[
                Route(f"{prefix}/", self._page),
                Route(f"{prefix}/static/{{name}}", self._static),
                Route(f"{prefix}/image/{{video}}/{{image}}", self._image),
                Route(f"{prefix}/api/project", self._project),
                Route(f"{prefix}/api/instant/{{instant:int}}", self._instant),
                Route(f"{prefix}/api/curves/{{instant:int}}/{{individual:int}}/{{keypoint:int}}", self._curves),
                Route(f"{prefix}/api/action", self._action, methods=["POST"]),
                Route(f"{prefix}/api/save", self._save_now, methods=["POST"]),
            ],
            middleware=[Middleware(_Guard, self.token, (*_LOCAL_HOSTS, *(host.lower() for host in hosts)))],
            exception_handlers={
                HTTPException: _http_error,
                RequestError: _told(400),
                FormatError: _told(422),
                Pose3DError: _told(507),
            },
            lifespan=self._lifespan,
        )

    def _keep_unplaced(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Put what the project no longer has a place for beside the journal, so that no click is lost."""
        if not entries:
            return
        path = self._journal.path.with_suffix(".unplaced.jsonl")
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        lines = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)
        if lines not in before:
            write_text(path, before + lines)
            logger.warning("%s: keeps what could not be placed", path)

    # --- routes --------------------------------------------------------------------------------------------------

    async def _page(self, _request: Request) -> Response:
        return self._file("index.html")

    async def _static(self, request: Request) -> Response:
        return self._file(request.path_params["name"])

    def _file(self, name: str) -> Response:
        if name not in _static_files():
            raise HTTPException(404)
        content, media_type = _static_files()[name]
        return Response(content, media_type=media_type)

    async def _image(self, request: Request) -> Response:
        name = ImageName(request.path_params["video"], request.path_params["image"])
        if name not in self._rows:
            raise HTTPException(404)
        picture = await asyncio.to_thread(read_picture, self.editor.task.images.paths[self._rows[name]])
        return Response(picture.content, media_type=picture.media_type, headers={"Cache-Control": "private, no-cache"})

    async def _project(self, _request: Request) -> Response:
        return JSONResponse({**describe_project(self.editor), "file": self._file_state()})

    async def _instant(self, request: Request) -> Response:
        instant = request.path_params["instant"]
        if instant >= len(self.editor.task.instants):
            raise HTTPException(404)
        return JSONResponse({**describe_instant(self.editor, instant), "file": self._file_state()})

    async def _curves(self, request: Request) -> Response:
        instant, individual, keypoint = (request.path_params[name] for name in ("instant", "individual", "keypoint"))
        labels, n_instants = self.editor.labels, len(self.editor.task.instants)
        if instant >= n_instants or individual >= len(labels.individuals) or keypoint >= len(labels.keypoints):
            raise HTTPException(404)
        return JSONResponse({"curves": describe_curves(self.editor, instant, individual, keypoint)})

    async def _action(self, request: Request) -> Response:
        answer = apply_action(self.editor, await _body(request))  # in the journal, on the disk, when this returns
        self._unsaved += bool(answer["changed"])
        return JSONResponse({**answer, "file": self._file_state()})

    async def _save_now(self, request: Request) -> Response:
        await _body(request)
        await self.save()
        return JSONResponse({"file": self._file_state()})

    def _file_state(self) -> dict[str, Any]:
        return {"unsaved": self._unsaved, "error": self._save_error}

    # --- writing the labels --------------------------------------------------------------------------------------

    async def save(self) -> None:
        """Write the labels where they belong, and drop from the journal what is then safe."""
        async with self._saving:
            if not self._unsaved:
                return
            position, labels, count = self._journal.position, self.editor.edited(), self._unsaved
            try:
                await asyncio.to_thread(self._save, labels)
                self._journal.forget(position)
            except (Pose3DError, OSError) as error:  # the journal still has everything
                self._save_error = str(error)
                logger.warning("labels are not written yet, the journal keeps them: %s", error)
                return
            self._save_error = ""
            self._unsaved -= count

    async def _save_now_and_then(self) -> None:
        waited = 0.0
        while True:
            await asyncio.sleep(1.0)
            waited = waited + 1.0 if self._unsaved else 0.0
            if waited >= _SAVE_AFTER_S or self._unsaved >= _SAVE_AFTER_ACTIONS:
                await self.save()
                waited = 0.0

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(self._save_now_and_then())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await self.save()


def _told(status: int) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def handler(_request: Request, error: Exception) -> Response:
        return _error(status, str(error))

    return handler


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _error(error.status_code, f"{error.detail}: there is nothing at this address")


async def _body(request: Request) -> Mapping[str, Any]:
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise RequestError("an action is sent as application/json")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_REQUEST_BYTES:
            raise RequestError("the action is too long")
    try:
        content = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise RequestError("the action is no JSON") from error
    if not isinstance(content, dict):
        raise RequestError("the action is no JSON object")
    return content


def serve_labeling(
    task: LabelingTask,
    folder: str | Path,
    save: Callable[[Labels], None],
    *,
    port: int = 0,
    hosts: Sequence[str] = (),
    ready: Callable[[str], None] = lambda _url: None,
) -> LabelingServer:
    """Serve the labelling page until Ctrl-C or SIGTERM; then the labels are written.

    Parameters
    ----------
    task : LabelingTask
    folder : path
        Where the journal and the lock lie.
    save : callable
        As in :class:`LabelingServer`.
    port : int
        Of 127.0.0.1; 0 takes a free one.
    hosts : sequence of str
        As in :class:`LabelingServer`.
    ready : callable, optional
        Called with the page's address when it can be opened.

    Returns
    -------
    LabelingServer
        When it has ended.

    Raises
    ------
    ProjectError
        If the labels are being edited already.
    FormatError
        If the journal is none.
    Pose3DError
        If the port is taken, the journal cannot be written, or the labels could not be written at the end.
    """
    folder = Path(folder)
    # asyncio switches Nagle's delay (40 ms an answer) off only where the socket says that it is TCP
    tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    with tcp as listener, ProjectLock(folder / LOCK_NAME):
        try:
            if port:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((_LOCAL_HOSTS[0], port))
        except OSError as error:
            raise Pose3DError(f"port {port}: cannot be used ({error.strerror}); choose another --port") from error
        journal = Journal(folder / JOURNAL_NAME)
        try:
            server = LabelingServer(task, journal, save, hosts=hosts)
            url = f"http://{_LOCAL_HOSTS[0]}:{listener.getsockname()[1]}/{server.token}/"
            _Uvicorn(server.app, lambda: ready(url)).run(sockets=[listener])
        finally:
            journal.close()
        if server._save_error:
            raise Pose3DError(f"{server._save_error}; the labels wait in {journal.path} for the next pose3d label")
    return server


class _Uvicorn(uvicorn.Server):
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
        await super().startup(sockets=sockets)
        if not self.should_exit:
            self._ready()

    def run(self, sockets: list[socket.socket] | None = None) -> None:
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
