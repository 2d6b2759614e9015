"""A recording for the player: with events, norms and a labelling queue, where its project has them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pose3d.batch.gait import gait_events, level_points
from pose3d.batch.outlier_search import pending_items
from pose3d.errors import Pose3DError
from pose3d.io.norms import read_norms
from pose3d.labeling.extraction import extract_instants
from pose3d.labeling.queue import QUEUE_NAME, QueueItem, write_queue
from pose3d.project import Session
from pose3d.project.project import Trial
from pose3d.viewer.loading import add_views, load_playback
from pose3d.viewer.playback import Playback

__all__ = ["load_recording", "queue_instant", "queue_of", "with_walking_events"]


def load_recording(
    source: str | Path,
    *,
    views: Mapping[str, Path] | None = None,
    norms: str | Path | None = None,
    **parts: Any,
) -> tuple[Playback, Callable[[Playback], Playback]]:
    """Load a recording for the player: at once what the first picture needs, the rest by a function.

    Parameters
    ----------
    source : path
        A file of points, or a session's folder.
    views : mapping of str to Path, optional
        Files of detections by camera, instead of the project's.
    norms : path, optional
        Instead of the project's.
    **parts
        As of :func:`pose3d.viewer.loading.load_playback`.

    Returns
    -------
    playback : Playback
        Without detections and without events that are not in a file.
    load_more : callable
        Takes the playback and returns it with these.

    Raises
    ------
    Pose3DError
        If the points cannot be read.
    """
    playback = load_playback(source, norms=norms, with_views=False, **parts)
    trial = None if playback.path is None else trial_of(playback.path)
    if norms is None and trial is not None:
        playback = _with_norms(playback, trial)
    files = dict(views) if views is not None else dict(trial.pose_2d) if trial is not None else {}

    def load_more(playback: Playback) -> Playback:
        return add_views(with_walking_events(playback), files) if files else with_walking_events(playback)

    return playback, load_more


def _with_norms(playback: Playback, trial: Trial) -> Playback:
    """Add the norms that the project's settings name for its reports."""
    gait = trial.session.config.gait
    if gait.norms is None:
        return playback
    try:
        found = read_norms(trial.session.project.folder / gait.norms, group=gait.norms_group)
    except Pose3DError as error:
        return replace(playback, remarks=(*playback.remarks, f"norms left out: {error}"))
    return replace(playback, norms=found)


def with_walking_events(playback: Playback) -> Playback:
    """Return a playback with the gait events that its heels and toes tell of, where it comes with none.

    What are no walks of people stays as it is.
    """
    if playback.events is not None or len(playback.points.individuals) != 1:
        return playback
    try:
        points = replace(playback.points, fps=playback.fps)
        if playback.ground.tilted:
            points = level_points(points)[0]
        events = gait_events(points)
    except (Pose3DError, ValueError):
        return playback
    if not len(events):
        return playback
    return replace(playback, events=events)


def trial_of(points: Path) -> Trial | None:
    """Return the trial of a session whose points these are; None of other files."""
    if points.absolute().parent.name != "pose-3d":
        return None
    try:
        trials = Session.load(points.absolute().parent.parent).trials()
    except Pose3DError:
        return None
    named = [each for each in trials if points.stem == each.name or points.stem.startswith(f"{each.name}_")]
    return max(named, key=lambda each: len(each.name), default=None)


def queue_of(playback: Playback) -> Callable[[int], str] | None:
    """Return what sends a frame of this recording to the labelling queue; None outside of projects."""
    trial = None if playback.path is None else trial_of(playback.path)
    return None if trial is None or not trial.videos else partial(queue_instant, trial)


def queue_instant(trial: Trial, frame: int) -> str:
    """Put an instant at the head of the labelling queue, with an image of each camera.

    Parameters
    ----------
    trial : Trial
    frame : int
        Of the recording.

    Returns
    -------
    str
        A line for people.

    Raises
    ------
    Pose3DError
        If the images cannot be made.
    """
    made = extract_instants(trial, [frame])
    name = f"{trial.session.name}/{trial.name}"
    project = trial.session.project
    waiting = [item for item in pending_items(project) if (item.recording, item.frame) != (name, frame)]
    first = 1.0 + max((item.score for item in waiting), default=0.0)
    write_queue([QueueItem(name, frame, first, "chosen in the player"), *waiting], project.labeled_data / QUEUE_NAME)
    images = f"{len(made.images)} images made, " if made.images else ""
    return f"frame {frame} is in the labelling queue: {images}open it with pose3d label {project.folder}"
