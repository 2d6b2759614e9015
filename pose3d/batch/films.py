"""Pictures of who was measured, for reports: painted by the player's painter, which reports do not know."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pose3d.batch.corrections import correct_points
from pose3d.batch.gait_study import walk_files
from pose3d.errors import Pose3DError
from pose3d.kinematics.exercises import ExerciseStudy
from pose3d.kinematics.gait_findings import GaitStudy
from pose3d.project import Session
from pose3d.report.film import Film
from pose3d.viewer.film_strip import film_strip
from pose3d.viewer.loading import load_playback
from pose3d.viewer.view_camera import StandardView

__all__ = ["film_of_exercise", "film_of_walk"]

_SIZE = 240, 372  # px of a moment
_PERCENTS = (0, 20, 40, 60, 80, 100)
_COLOURS = "Left is orange, right is blue."
_MOMENTS = ("begins", "half out", "turns", "half back", "ends")


def film_of_walk(session: Session, study: GaitStudy) -> Film | None:
    """Paint the first stride that counts; None where there is none."""
    for trial in study.trials:
        for side, words in (("R", "right"), ("L", "left")):
            strides = trial.gait.sides[side].strides
            for i in np.flatnonzero(strides.kept)[:1].tolist():
                times = np.interp(_PERCENTS, (0, 100), (strides.start_s[i], strides.end_s[i]))
                span = f"{times[0]:.2f} to {times[-1]:.2f} s"
                caption = f"{trial.name}: the first {words} stride that counts, {span}. {_COLOURS}"
                return _film(session, trial.name, times.tolist(), [f"{percent} %" for percent in _PERCENTS], caption)
    return None


def film_of_exercise(session: Session, name: str, study: ExerciseStudy) -> Film | None:
    """Paint the first whole repetition of a recording; None where there is none."""
    for part in study.leading:
        found = part.repetitions
        for i in np.flatnonzero(~found.aborted & np.isfinite(found.start_s) & np.isfinite(found.end_s))[:1].tolist():
            start, turn, end = (float(times[i]) for times in (found.start_s, found.peak_s, found.end_s))
            times = [start, (start + turn) / 2, turn, (turn + end) / 2, end]
            side = {"l": "left, ", "r": "right, "}.get(part.name, "")
            caption = f"The first whole repetition, {side}from {start:.2f} to {end:.2f} s. {_COLOURS}"
            return _film(session, name, times, _MOMENTS, caption, view="orbit")
    return None


def _film(
    session: Session,
    name: str,
    times_s: Sequence[float],
    labels: Sequence[str],
    caption: str,
    view: StandardView = "side",
) -> Film | None:
    """Paint a recording at some times; None if its points cannot be read as the player reads them."""
    try:
        (files,) = walk_files(session, [name])
        playback = load_playback(files.points, with_views=False)
        playback = replace(playback, points=correct_points(playback.points, files.corrections).points)
    except Pose3DError:
        return None
    rows = np.round(np.asarray(times_s) * playback.fps - playback.points.start).astype(np.int64)
    if not playback.n_frames or not playback.seen.any():
        return None
    rows = np.clip(rows, 0, playback.n_frames - 1)
    image = film_strip(playback, rows.tolist(), _SIZE, view=view)
    return Film(image, tuple(labels), caption)
