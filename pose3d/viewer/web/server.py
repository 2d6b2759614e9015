"""The player's page: a few routes on 127.0.0.1, all behind a token; what is not listed does not exist."""

import asyncio
import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from pose3d.errors import Pose3DError
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
from pose3d.viewer.corrections import Corrections
from pose3d.viewer.playback import Playback
from pose3d.viewer.web.clips import Clip
from pose3d.viewer.web.correcting import correct, describe, wished_row
from pose3d.viewer.web.packing import PackedPlayback, SecondRecording

__all__ = ["BackgroundPage", "PlayerApp", "serve_playback", "static_files"]

_NOTEBOOKS = "http://127.0.0.1:* http://localhost:* https://127.0.0.1:* https://localhost:*"
_BINARY = "application/octet-stream"
_PRIVATE = {"Cache-Control": "private, max-age=3600"}  # the address holds a token that is new each time


@functools.cache
def static_files() -> dict[str, tuple[bytes, str]]:
    """Read the page's own files: name to content and media type."""
    return read_page_files("pose3d.viewer.web")


class PlayerApp:
    """The page, its numbers and its videos for one recording.

    Parameters
    ----------
    playback : Playback
    second : SecondRecording, optional
        Another recording in the same space.
    queue : callable, optional
        As of :class:`pose3d.viewer.corrections.Corrections`.
    token : str, optional
        First part of every address; a random one by default.
    hosts : sequence of str
        Names, beside those of this machine, by which browsers may call the server (behind a proxy).
    framed : bool
        Whether a notebook on this machine may show the page in a frame.

    Attributes
    ----------
    token : str
    app : Starlette
    """

    def __init__(
        self,
        playback: Playback,
        *,
        second: SecondRecording | None = None,
        queue: Callable[[int], str] | None = None,
        token: str | None = None,
        hosts: Sequence[str] = (),
        framed: bool = False,
    ) -> None:
        self.token = token or new_token()
        self._corrections = Corrections(playback, queue)
        self._second = second
        self._correcting = asyncio.Lock()
        self._revision = 0
        self._packed = self._pack()
        self._clips = {camera: Clip(path) for camera, path in playback.videos.items()}
        policy = {"media-src": "'self'", **({"frame-ancestors": _NOTEBOOKS} if framed else {})}
        prefix = f"/{self.token}"
        self.app = Starlette(
            routes=[
                Route(f"{prefix}/", self._page),
                Route(f"{prefix}/static/{{name}}", self._static),
                Route(f"{prefix}/api/recording", self._recording),
                Route(f"{prefix}/api/corrections", self._told_corrections),
                Route(f"{prefix}/api/correct", self._correct, methods=["POST"]),
                Route(f"{prefix}/api/queue", self._queue, methods=["POST"]),
                Route(f"{prefix}/data/overview", self._block("overview")),
                Route(f"{prefix}/data/strip", self._block("strip")),
                Route(f"{prefix}/data/plots", self._block("plots")),
                Route(f"{prefix}/data/chunk/{{index:int}}", self._chunk),
                Route(f"{prefix}/data/rows/{{camera:int}}", self._rows),
                Route(f"{prefix}/api/video/{{camera:int}}", self._clip),
                Route(f"{prefix}/video/{{camera:int}}", self._video),
                Route(f"{prefix}/frame/{{camera:int}}/{{index:int}}", self._frame),
            ],
            middleware=[
                Middleware(Guard, self.token, (*LOCAL_HOSTS, *hosts), page_headers(policy), "pose3d play --web")
            ],
            exception_handlers={
                HTTPException: answer_http_error,
                RequestError: answering(400),
                Pose3DError: answering(422),
            },
        )

    async def _page(self, _request: Request) -> Response:
        return self._file("index.html")

    async def _static(self, request: Request) -> Response:
        return self._file(request.path_params["name"])

    def _file(self, name: str) -> Response:
        if name not in static_files():
            raise HTTPException(404)
        content, media_type = static_files()[name]
        return Response(content, media_type=media_type)

    async def _recording(self, _request: Request) -> Response:
        return JSONResponse(await asyncio.to_thread(lambda: self._packed.description))

    async def _told_corrections(self, _request: Request) -> Response:
        return JSONResponse(self._describe_corrections(""))

    async def _correct(self, request: Request) -> Response:
        """Change the file of edits; when this answers, the change is on the disk."""
        wish = await read_json_body(request)
        async with self._correcting:
            said = await asyncio.to_thread(correct, self._corrections, wish)
            self._revision += 1
            self._packed = await asyncio.to_thread(self._pack)
        return JSONResponse(self._describe_corrections(said))

    async def _queue(self, request: Request) -> Response:
        """Send an instant to the labelling queue."""
        row = wished_row(self._corrections, (await read_json_body(request)).get("row"))
        async with self._correcting:
            said = await asyncio.to_thread(self._corrections.send_to_queue, row)
        return JSONResponse({"said": said})

    def _pack(self) -> PackedPlayback:
        return PackedPlayback(self._corrections.edited(), self._second)

    def _describe_corrections(self, said: str) -> dict[str, Any]:
        return {"said": said, "revision": self._revision, **describe(self._corrections)}

    def _block(self, name: str) -> Callable[[Request], Any]:
        async def answer(_request: Request) -> Response:
            block = await asyncio.to_thread(getattr(self._packed, name))
            return Response(block, media_type=_BINARY, headers=_PRIVATE)

        return answer

    async def _chunk(self, request: Request) -> Response:
        index = request.path_params["index"]
        if index >= self._packed.n_chunks:
            raise HTTPException(404)
        block = await asyncio.to_thread(self._packed.chunk, index)
        return Response(block, media_type=_BINARY, headers=_PRIVATE)

    def _of(self, request: Request) -> tuple[str, Clip]:
        cameras = self._packed.playback.cameras
        camera = cameras[request.path_params["camera"]] if request.path_params["camera"] < len(cameras) else ""
        if camera not in self._clips:  # nothing but the recording's own files
            raise HTTPException(404)
        return camera, self._clips[camera]

    async def _rows(self, request: Request) -> Response:
        camera, _ = self._of(request)
        frames = self._packed.playback.video_frames(camera).astype("<i4")
        return Response(frames.tobytes(), media_type=_BINARY, headers=_PRIVATE)

    async def _clip(self, request: Request) -> Response:
        return JSONResponse(await self._of(request)[1].describe())

    async def _video(self, request: Request) -> Response:
        clip = self._of(request)[1]
        if clip.media_type is None or not clip.path.is_file():
            raise HTTPException(404)
        return FileResponse(clip.path, media_type=clip.media_type, headers=_PRIVATE)  # answers ranges of bytes

    async def _frame(self, request: Request) -> Response:
        picture = await self._of(request)[1].picture(request.path_params["index"])
        return Response(picture, media_type="image/jpeg", headers=_PRIVATE)


def serve_playback(
    playback: Playback,
    *,
    second: SecondRecording | None = None,
    queue: Callable[[int], str] | None = None,
    port: int = 0,
    hosts: Sequence[str] = (),
    ready: Callable[[str], None] = lambda _url: None,
) -> None:
    """Serve a recording as a page until Ctrl-C or SIGTERM.

    Parameters
    ----------
    playback : Playback
    second, queue : optional
        As in :class:`PlayerApp`.
    port : int
        Of 127.0.0.1; 0 takes a free one.
    hosts : sequence of str
        As in :class:`PlayerApp`.
    ready : callable, optional
        Called with the page's address when it can be opened.

    Raises
    ------
    Pose3DError
        If the port is taken.
    """
    with open_listener(port) as listener:
        page = PlayerApp(playback, second=second, queue=queue, hosts=hosts)
        url = f"http://{LOCAL_HOSTS[0]}:{listener.getsockname()[1]}/{page.token}/"
        PageServer(page.app, lambda: ready(url)).run(sockets=[listener])


class BackgroundPage:
    """The page of a recording, served by a thread of this process until it ends or is closed.

    Parameters
    ----------
    playback : Playback
    second, queue, framed : optional
        As in :class:`PlayerApp`.

    Attributes
    ----------
    url : str
    """

    def __init__(
        self,
        playback: Playback,
        *,
        second: SecondRecording | None = None,
        queue: Callable[[int], str] | None = None,
        framed: bool = True,
    ) -> None:
        page = PlayerApp(playback, second=second, queue=queue, framed=framed)
        started = threading.Event()
        self._server = PageServer(page.app, started.set)
        self._opened = open_listener()
        listener = self._opened.__enter__()
        self.url = f"http://{LOCAL_HOSTS[0]}:{listener.getsockname()[1]}/{page.token}/"
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="pose3d-play", daemon=True
        )
        self._thread.start()
        if not started.wait(20):
            raise Pose3DError("the page's server does not start; use pose3d play --web")

    def close(self) -> None:
        """End the server."""
        self._server.should_exit = True
        self._thread.join(10)
        self._opened.__exit__(None, None, None)
