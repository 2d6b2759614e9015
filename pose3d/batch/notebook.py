"""Recordings in a notebook: loaded with all that belongs to them, and shown in the cell."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pose3d.batch.playing import load_recording, queue_of, with_walking_events
from pose3d.data import Keypoints2D, Keypoints3D, Rig
from pose3d.io.rigs import load_rig
from pose3d.viewer.loading import add_views, make_playback
from pose3d.viewer.playback import Playback
from pose3d.viewer.web.notebook import PlayerCell, sits_elsewhere
from pose3d.viewer.web.packing import SecondRecording

__all__ = ["play"]


def play(
    recording: Playback | Keypoints3D | str | Path | Any,
    *,
    rig: Rig | str | Path | None = None,
    videos: Mapping[str, str | Path] | None = None,
    views: Keypoints2D | Mapping[str, str | Path] | None = None,
    second: Playback | Keypoints3D | str | Path | None = None,
    second_shift_mm: float = 0.0,
    served: bool | None = None,
    height: int = 760,
    **options: Any,
) -> "PlayerCell":
    """Show a recording in a notebook: 3D, videos, joint angles and where to trust them.

    Parameters
    ----------
    recording : Playback, Keypoints3D, Trial or path
        Points, a file of points, a session's folder or one of its trials.
    rig, videos, views : optional
        Instead of what the recording has beside it.
    second : Playback, Keypoints3D or path, optional
        Another recording in the same space, such as one before a treatment.
    second_shift_mm : float, mm
        How far to the left of the first it is drawn.
    served : bool, optional
        Whether the cell shows a page that this process serves on 127.0.0.1, with videos, or one document without
        videos, which works wherever the notebook is opened. By default a page, unless the browser seems to sit at
        another machine.
    height : int
        Of the cell, px.
    **options
        As of :func:`pose3d.viewer.loading.load_playback`; of points, attributes of
        :class:`pose3d.viewer.playback.Playback`.

    Returns
    -------
    PlayerCell

    Examples
    --------
    >>> cell = pose3d.play("my-project/session1")  # doctest: +SKIP
    """
    if isinstance(recording, Playback):
        playback = recording
    elif isinstance(recording, Keypoints3D):
        playback = with_walking_events(_of_arrays(recording, rig, videos, views, options))
    else:
        own = None if views is None or isinstance(views, Keypoints2D) else {n: Path(p) for n, p in views.items()}
        playback, load_more = load_recording(recording, rig=rig, videos=videos, views=own, **options)
        if isinstance(views, Keypoints2D):
            playback = with_walking_events(add_views(playback, views))
        else:
            playback = load_more(playback)
    return PlayerCell(
        playback,
        second=None if second is None else SecondRecording(_loaded(second), second_shift_mm),
        queue=queue_of(playback),
        served=not sits_elsewhere() if served is None else served,
        height=height,
    )


def _loaded(recording: Playback | Keypoints3D | str | Path) -> Playback:
    if isinstance(recording, Playback):
        return recording
    return make_playback(recording) if isinstance(recording, Keypoints3D) else load_recording(recording)[0]


def _of_arrays(
    points: Keypoints3D,
    rig: Rig | str | Path | None,
    videos: Mapping[str, str | Path] | None,
    views: Keypoints2D | Mapping[str, str | Path] | None,
    options: Mapping[str, Any],
) -> Playback:
    cameras = rig if rig is None or isinstance(rig, Rig) else load_rig(rig)
    clips = {name: Path(path) for name, path in (videos or {}).items()}
    playback = make_playback(points, rig=cameras, videos=clips, **options)
    if views is None:
        return playback
    return add_views(playback, views if isinstance(views, Keypoints2D) else {n: Path(p) for n, p in views.items()})
