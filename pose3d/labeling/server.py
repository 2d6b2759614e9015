"""The labelling page's server: a few routes on 127.0.0.1, all behind a token; what is not listed does not exist."""

import asyncio
import functools
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pose3d.data.labels import ImageName, Labels
from pose3d.errors import FormatError, Pose3DError
from pose3d.io.files import write_text
from pose3d.io.local_page import (
    LOCAL_HOSTS,
    Guard,
    PageServer,
    RequestError,
    answer_http_error,
    answering,
    new_token,
    open_listener,
    page_headers,
    read_json_body,
    read_page_files,
)
from pose3d.labeling.editor import LabelEditor
from pose3d.labeling.journal import Journal
from pose3d.labeling.locking import ProjectLock
from pose3d.labeling.page_state import apply_action, describe_curves, describe_instant, describe_project
from pose3d.labeling.pictures import read_picture
from pose3d.labeling.task import LabelingTask
from pose3d.log import logger

__all__ = ["JOURNAL_NAME", "LOCK_NAME", "LabelingServer", "serve_labeling"]

JOURNAL_NAME = "pose3d-label.journal"
LOCK_NAME = "pose3d-label.lock"

_SAVE_AFTER_S = 20.0
_SAVE_AFTER_ACTIONS = 100


@functools.cache
def _static_files() -> dict[str, tuple[bytes, str]]:
    """Read the page's own files: name to content and media type."""
    return read_page_files("pose3d.labeling")


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
        self.token = token or new_token()
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
            middleware=[Middleware(Guard, self.token, (*LOCAL_HOSTS, *hosts), page_headers(), "pose3d label")],
            exception_handlers={
                HTTPException: answer_http_error,
                RequestError: answering(400),
                FormatError: answering(422),
                Pose3DError: answering(507),
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
        answer = apply_action(
            self.editor, await read_json_body(request)
        )  # in the journal, on the disk, when this returns
        self._unsaved += bool(answer["changed"])
        return JSONResponse({**answer, "file": self._file_state()})

    async def _save_now(self, request: Request) -> Response:
        await read_json_body(request)
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
    with open_listener(port) as listener, ProjectLock(folder / LOCK_NAME):
        journal = Journal(folder / JOURNAL_NAME)
        try:
            server = LabelingServer(task, journal, save, hosts=hosts)
            url = f"http://{LOCAL_HOSTS[0]}:{listener.getsockname()[1]}/{server.token}/"
            PageServer(server.app, lambda: ready(url)).run(sockets=[listener])
        finally:
            journal.close()
        if server._save_error:
            raise Pose3DError(f"{server._save_error}; the labels wait in {journal.path} for the next pose3d label")
    return server
