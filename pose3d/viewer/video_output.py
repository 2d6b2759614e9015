"""Videos and pictures of a recording in files, made side by side in several processes."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pose3d.errors import ConfigError, DataError, FormatError
from pose3d.geometry.arrays import IntArray
from pose3d.log import Progress, logger, no_progress
from pose3d.viewer.pictures import GRID_VIEW, PictureMaker, PictureSettings, check_view
from pose3d.viewer.playback import Playback
from pose3d.viewer.view_camera import STANDARD_VIEWS

__all__ = ["RenderSettings", "RendererName", "choose_rows", "render"]

Image: TypeAlias = NDArray[np.uint8]
RendererName: TypeAlias = Literal["auto", "painter", "opengl"]

_SEGMENT = 240  # pictures: the file is the same however many processes made it
_VIDEO, _PICTURE = (".mp4", ".mov", ".mkv", ".avi"), (".png",)
_CRF = 20

# Drawings are encoded without a look at each picture ahead, which a constant quantizer needs not even for its own
# picture. Fewer key frames make up for most of the bytes that the quicker coder takes.
_DRAWING = {
    "crf": "-1",
    "qp": "22",
    "g": "60",
    "tune": "zerolatency",
    "coder": "vlc",
    "partitions": "none",
    "weightp": "none",
    "sc_threshold": "0",
}


@dataclass(frozen=True)
class RenderSettings:
    """What is rendered.

    Attributes
    ----------
    picture : PictureSettings
    frames : (int or None, int or None)
        First frame, and the frame after the last, as the recording counts; a picture shows the first.
    fps : float, optional
        Pictures a second of the video; by default those of the recording, at most 60.
    speed : float
        1 is as fast as it was.
    processes : int
        How many work side by side. More than one starts new Python processes: a script that does so needs
        ``if __name__ == "__main__":``.
    renderer : str
        ``painter``, ``opengl``, or ``auto``: OpenGL where a graphics card does it, as the painter is faster than
        OpenGL in software.
    """

    picture: PictureSettings = field(default_factory=PictureSettings)
    frames: tuple[int | None, int | None] = (None, None)
    fps: float | None = None
    speed: float = 1.0
    processes: int = 1
    renderer: RendererName = "auto"


def render(
    playback: Playback,
    output: str | Path,
    settings: RenderSettings | None = None,
    *,
    second: Playback | None = None,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Render a recording to a video (.mp4) or a picture (.png).

    Parameters
    ----------
    playback : Playback
    output : path
    settings : RenderSettings, optional
    second : Playback, optional
        Another recording in the same space.
    progress : Progress, optional

    Returns
    -------
    dict
        Facts for a summary: ``output``, ``n_pictures``, ``fps``, ``size``, ``renderer``.

    Raises
    ------
    ConfigError
        If the output's ending, the view, the frames or the size are none that there can be.
    DataError
        If the recording has no frames.
    DependencyError
        If OpenGL is asked for and is not there.
    Pose3DError
        If a file cannot be written.

    Examples
    --------
    >>> from pose3d.viewer.loading import load_playback
    >>> from pose3d.viewer.video_output import render
    >>> playback = load_playback("session1/pose-3d/walk.csv")  # doctest: +SKIP
    >>> render(playback, "walk.mp4")  # doctest: +SKIP
    """
    settings, output = settings or RenderSettings(), Path(output)
    ending = output.suffix.lower()
    if ending not in (*_VIDEO, *_PICTURE):
        raise ConfigError(f"{output}: a video ends in .mp4, a picture in .png")
    check_view(playback, settings.picture.view)
    rows, fps = choose_rows(playback, settings, single=ending in _PICTURE)
    # Half a pixel cannot be written, and a row added later would not be part of the layout.
    picture = settings.picture
    if ending in _VIDEO:
        picture = replace(picture, size=(picture.size[0] & ~1, picture.size[1] & ~1))
    opengl = _wants_opengl(settings.renderer, picture, playback)
    job = _Job(portable(playback, picture), None if second is None else portable(second, picture), picture, fps, opengl)
    _warn_of_videos(playback, picture, rows)
    facts = {
        "output": output,
        "n_pictures": len(rows),
        "fps": fps if ending in _VIDEO else None,
        "size": picture.size,
        "renderer": "opengl" if opengl else "painter",
    }
    if ending in _PICTURE:
        _write_picture(job, int(rows[0]), output)
    else:
        _write_video(job, rows, output, settings.processes, progress)
    return facts


def choose_rows(playback: Playback, settings: RenderSettings, *, single: bool = False) -> tuple[IntArray, float]:
    """Return the rows that are shown, one for each picture, and the pictures a second.

    Raises
    ------
    ConfigError, DataError
    """
    n, start = playback.n_frames, playback.points.start
    if n == 0:
        raise DataError(f"{playback.name}: has no frames, so there is nothing to render")
    for what, value in (("fps", settings.fps), ("speed", settings.speed)):
        if value is not None and not 0 < value < 1e4:
            raise ConfigError(f"{what} {value:g}: must be above 0")
    first, last = settings.frames
    if single and first is None:
        first = start + n // 2 if last is None else max(start, last - 1)
    low = 0 if first is None else first - start
    high = n if last is None else last - start
    if single:
        high = low + 1
    if low < 0 or high > n or low >= high:
        asked = f"{'' if first is None else first}:{'' if last is None else last}"
        raise ConfigError(f"frames {asked}: the recording has {start}:{start + n}, the last not included")
    fps = settings.fps or min(playback.fps, 60.0)
    count = max(1, round((high - low) / (playback.fps * settings.speed) * fps))
    rows = low + np.floor(np.arange(count) * (playback.fps * settings.speed / fps) + 1e-6).astype(np.int64)
    return np.minimum(rows, high - 1), float(fps)


def portable(playback: Playback, picture: PictureSettings) -> Playback:
    """Return a playback with what its pictures need, light enough for other processes.

    What is derived from the parts left out (where the data is weak, the distances in the images) goes along.
    """
    derived = ("ground", "size_mm", "path_of_subject", "expected_error", "quality", "missing_share", "filled_share")
    ellipsoids, overlays = picture.scene.ellipsoids, picture.view not in STANDARD_VIEWS
    points = playback.points
    light = replace(
        playback,
        points=points if ellipsoids else replace(points, covariance=None),
        raw=playback.raw if picture.scene.raw else None,
        views=playback.views if overlays else None,
        angles=playback.angles if picture.scene.angles or picture.view == GRID_VIEW else None,
        samples=None,
        norms=None,
        timing=playback.timing,
    )
    kept = vars(light)
    for name in (*derived, *(("residual_px",) if overlays else ())):
        kept[name] = getattr(playback, name)
    return light


def _warn_of_videos(playback: Playback, picture: PictureSettings, rows: IntArray) -> None:
    """Say which videos cannot be shown, or not in all of the frames."""
    from pose3d.io.video import open_frames

    shown = playback.cameras if picture.view == GRID_VIEW else (picture.view,)
    for camera in shown:
        if camera not in playback.videos:
            continue
        try:
            n = open_frames(playback.videos[camera]).n_frames
        except FormatError as error:
            logger.warning("video of %s left out: %s", camera, error)
            continue
        wanted = playback.video_frames(camera)[rows]
        lacking = int(((wanted < 0) | (wanted >= n)).sum())
        if lacking:
            logger.warning("video of %s has %d frames, and none for %d of %d pictures", camera, n, lacking, len(rows))


@dataclass(frozen=True, eq=False)
class _Job:
    """What every process needs to make its pictures."""

    playback: Playback
    second: Playback | None
    picture: PictureSettings
    fps: float
    opengl: bool

    def maker(self) -> PictureMaker:
        """Make the maker of pictures."""
        if not self.opengl:
            return PictureMaker(self.playback, self.picture, second=self.second)
        from pose3d.viewer.gl_renderer import GlRenderer

        return PictureMaker(self.playback, self.picture, second=self.second, renderer=GlRenderer)


def _pictures(job: _Job, maker: PictureMaker, rows: Sequence[int], *, reuse: bool = False) -> Iterator[Image]:
    """Make the pictures of rows, whose images are read as they are needed; `reuse` draws all into the same array."""
    out: Image | None = None
    readers = {camera: _images(job.playback, camera, rows, size) for camera, size in maker.panes.items()}
    for row in rows:
        images = {camera: next(reader, None) for camera, reader in readers.items()}
        picture = maker.make(int(row), images, out=out)
        yield picture
        out = picture if reuse else None


def _images(playback: Playback, camera: str, rows: Sequence[int], size: tuple[int, int]) -> Iterator[Image | None]:
    """Give a camera's image for each row; None where its video has none, or breaks off."""
    from pose3d.io.video import VideoFile, open_frames

    path = playback.videos.get(camera)
    if path is None:
        return
    try:
        source = open_frames(path)
    except FormatError:
        return
    wanted = playback.video_frames(camera)[np.asarray(rows)]
    there = (wanted >= 0) & (wanted < source.n_frames)
    frames = wanted[there].tolist()
    if isinstance(source, VideoFile) and source.rotation_deg == 0:
        reader = source.pictures(frames, _scaled(size))
    else:
        reader = source.frames(frames)
    for has in there.tolist():
        if not has:
            yield None
            continue
        try:
            found = next(reader, None)
        except FormatError:
            return
        if found is None:
            return
        yield found[1]


def _scaled(size: tuple[int, int]) -> Callable[[Any], Image]:
    """Return what turns decoded frames into colours at the size that is shown, which spares those that are not."""
    from av.video.reformatter import Interpolation

    from pose3d.io.scaled_frames import frame_scaler

    smooth, fine = (frame_scaler("bgr24", how) for how in (Interpolation.AREA, Interpolation.BILINEAR))

    def scaled(frame: Any) -> Image:
        if size[0] >= frame.width:
            return fine(frame, (frame.width, frame.height))
        return (smooth if 2 * size[0] < frame.width else fine)(frame, size)

    return scaled


def _encode(job: _Job, maker: PictureMaker, rows: Sequence[int], path: Path) -> int:
    from pose3d.io.video import write_video

    # A drawing is small in any preset, and made faster than it is encoded with care.
    preset, options = ("veryfast", {"crf": str(_CRF)}) if maker.panes else ("ultrafast", _DRAWING)
    pictures = _pictures(job, maker, rows, reuse=True)
    return write_video(path, pictures, fps=job.fps, preset=preset, options=options, threads=1)


_AT_WORK: dict[str, Any] = {}


def _begin(job: _Job) -> None:
    """Prepare a process of the pool."""
    import cv2

    cv2.setNumThreads(1)  # the processes share the cores already
    _AT_WORK["job"], _AT_WORK["maker"] = job, job.maker()


def _work(rows: Sequence[int], path: Path) -> int:
    return _encode(_AT_WORK["job"], _AT_WORK["maker"], rows, path)


def _one(row: int) -> Image:
    return next(_pictures(_AT_WORK["job"], _AT_WORK["maker"], [row]))


def _pool(job: _Job, processes: int) -> ProcessPoolExecutor:
    # New processes rather than forks: neither OpenGL nor the threads of decoders outlive a fork.
    return ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_begin, initargs=(job,))


def _write_picture(job: _Job, row: int, output: Path) -> None:
    from pose3d.io.images import write_png

    if job.opengl:
        with _pool(job, 1) as pool:
            image = pool.submit(_one, row).result()
    else:
        image = next(_pictures(job, job.maker(), [row]))
    write_png(output, image)


def _write_video(job: _Job, rows: IntArray, output: Path, processes: int, progress: Progress) -> None:
    from pose3d.io.files import atomic_path
    from pose3d.io.video_parts import join_videos

    parts = [rows[first : first + _SEGMENT].tolist() for first in range(0, len(rows), _SEGMENT)]
    # The output is opened first: a folder that cannot be written to is told before the work, not after it.
    with atomic_path(output) as temporary, tempfile.TemporaryDirectory(prefix="pose3d-render-") as folder:
        paths = [Path(folder) / f"{i:06d}{output.suffix.lower()}" for i in range(len(parts))]
        progress("pictures", 0, len(rows))
        if (processes > 1 and len(parts) > 1) or job.opengl:
            _encode_aside(job, parts, paths, min(max(processes, 1), len(parts)), progress)
        else:
            maker, done = job.maker(), 0
            for part, path in zip(parts, paths, strict=True):
                done += _encode(job, maker, part, path)
                progress("pictures", done, len(rows))
        join_videos(paths, temporary, fps=job.fps)


def _encode_aside(
    job: _Job, parts: Sequence[Sequence[int]], paths: Sequence[Path], processes: int, progress: Progress
) -> None:
    total, done = sum(map(len, parts)), 0
    with _pool(job, processes) as pool:
        waiting: list[Future[int]] = [pool.submit(_work, part, path) for part, path in zip(parts, paths, strict=True)]
        try:
            for future in as_completed(waiting):
                done += future.result()
                progress("pictures", done, total)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _wants_opengl(renderer: RendererName, picture: PictureSettings, playback: Playback) -> bool:
    if renderer == "painter" or picture.view in playback.videos:
        return False
    from pose3d.viewer.gl_probe import require_opengl, uses_graphics_card

    if renderer == "opengl":
        require_opengl()
        return True
    return uses_graphics_card()
