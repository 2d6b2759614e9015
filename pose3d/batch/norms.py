"""Norms from the walks of one's own controls: recordings, or whole sessions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pose3d.data.norms import Norms
from pose3d.errors import DataError
from pose3d.geometry.arrays import FloatArray
from pose3d.kinematics.gait import Gait
from pose3d.kinematics.norm_building import build_norms, mean_cycles
from pose3d.log import Progress, no_progress

__all__ = ["Control", "build_norms_from", "measure_controls"]


@dataclass(frozen=True, eq=False)
class Control:
    """A person whose walks go into norms.

    Attributes
    ----------
    name : str
    means : mapping of str to (101,) array, degrees
        Mean cycles by variable.
    n_strides : int
        That count, of both sides.
    speed : float, m/s
        Mean over those strides; NaN where nothing tells it.
    left_out : str
        Why this person is not part of the norms; empty for those who are.
    """

    name: str
    means: Mapping[str, FloatArray]
    n_strides: int
    speed: float
    left_out: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Say it to programs."""
        speed = self.speed if np.isfinite(self.speed) else None
        return {"name": self.name, "n_strides": self.n_strides, "speed": speed, "left_out": self.left_out or None}


def build_norms_from(controls: Sequence[Control], *, source: str = "own controls", licence: str = "unknown") -> Norms:
    """Build norms from people that were measured; those with a reason to be left out are.

    Raises
    ------
    DataError
        If fewer than two people have a variable in common.
    """
    return build_norms([one.means for one in controls if not one.left_out], source=source, licence=licence)


def measure_controls(
    walks: Mapping[str, Sequence[Path]],
    *,
    events: Mapping[Path, Path] | None = None,
    fps: float | None = None,
    speed: tuple[float, float] | None = None,
    progress: Progress = no_progress,
) -> tuple[Control, ...]:
    """Measure the walks of people without complaints.

    Parameters
    ----------
    walks : mapping of str to sequence of Path
        By person: sessions (folders), C3D files, csv files of points in space, or csv files of angles.
    events : mapping of Path to Path, optional
        Events of some of the files, as csv; angles need them. A C3D has its own, or force plates; otherwise they are
        found from heels and toes.
    fps : float, optional
        Where a file does not say.
    speed : (float, float), m/s, optional
        People who walk slower or faster are left out.
    progress : callable, optional

    Returns
    -------
    tuple of Control
        Everybody, also those that are left out.

    Raises
    ------
    Pose3DError
        If a file cannot be read or used.
    """
    found, events = [], events or {}
    done, n_files = 0, sum(len(paths) for paths in walks.values())
    for person, paths in walks.items():
        cycles: list[Mapping[str, FloatArray]] = []
        speeds: list[FloatArray] = []
        n_strides = 0
        for path in paths:
            progress("walks", done, n_files)
            for gait in _gaits(path, fps) if path.is_dir() else [_gait(path, events.get(path), fps)]:
                cycles += [side.cycles for side in gait.sides.values()]
                kept = {name: side.strides.kept for name, side in gait.sides.items()}
                speeds += [
                    side.parameters["speed"][kept[name]]
                    for name, side in gait.sides.items()
                    if "speed" in side.parameters
                ]
                n_strides += sum(int(own.sum()) for own in kept.values())
            done += 1
        found.append(_control(person, cycles, np.concatenate([np.zeros(0), *speeds]), n_strides, speed))
    progress("walks", n_files, n_files)
    return tuple(found)


def _control(
    name: str,
    cycles: Sequence[Mapping[str, FloatArray]],
    speeds: FloatArray,
    n_strides: int,
    limits: tuple[float, float] | None,
) -> Control:
    known = speeds[np.isfinite(speeds)]
    mean_speed = float(known.mean()) if len(known) else np.nan
    why = ""
    if not n_strides:
        why = "has no stride that counts"
    elif limits is not None and np.isnan(mean_speed):
        why = "walks at a speed that nothing tells"
    elif limits is not None and not limits[0] <= mean_speed <= limits[1]:
        why = f"walks at {mean_speed:.2f} m/s"
    return Control(name, mean_cycles(cycles), n_strides, mean_speed, why)


def _gaits(folder: Path, fps: float | None) -> list[Gait]:
    """Measure the walks of a session."""
    from pose3d.batch.gait_study import walk_files
    from pose3d.batch.walks import WalkSettings, measure_files
    from pose3d.project import Session

    session = Session.load(folder)
    config = session.config.gait
    settings = WalkSettings(
        session.config.project.fps if fps is None else fps, config.event_cutoff_hz or None, config.most_turn_deg
    )
    gaits = []
    for files in walk_files(session):
        try:
            gaits.append(measure_files(replace(files, samples=None), settings).trial.gait)  # a norm needs no intervals
        except DataError as error:
            raise DataError(f"{files.points}: {error}") from error
    return gaits


def _gait(path: Path, events: Path | None, fps: float | None) -> Gait:
    from pose3d.io.anipose_csv import is_pose3d

    try:
        if path.suffix.lower() == ".c3d":
            return _mocap_gait(path, events)
        return _points_gait(path, events, fps) if is_pose3d(path) else _angles_gait(path, events, fps)
    except DataError as error:
        raise DataError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from error


def _mocap_gait(path: Path, events: Path | None) -> Gait:
    from pose3d.batch.events import choose_events
    from pose3d.batch.gait import measure_walk
    from pose3d.batch.importing import mocap_angles
    from pose3d.io.c3d import read_c3d
    from pose3d.io.events import read_events

    recording = read_c3d(path)
    angles, _, remarks = mocap_angles(recording)
    if angles is None:
        raise DataError("; ".join(remarks))
    chosen = choose_events(recording, given=None if events is None else read_events(events))
    own = {name: angles.deg[:, 0, i] for i, name in enumerate(angles.names)}
    return measure_walk(recording.points, chosen.events, own)


def _points_gait(path: Path, events: Path | None, fps: float | None) -> Gait:
    from pose3d.batch.gait import gait_events, level_points, measure_walk
    from pose3d.io.anipose_csv import read_pose3d
    from pose3d.io.events import read_events
    from pose3d.kinematics import body_angles

    points = read_pose3d(path)
    points = replace(points, fps=points.fps if fps is None else fps)
    points, _ = level_points(points)
    angles = body_angles(points)
    own = {name: angles.deg[:, 0, i] for i, name in enumerate(angles.names)}
    return measure_walk(points, gait_events(points) if events is None else read_events(events), own)


def _angles_gait(path: Path, events: Path | None, fps: float | None) -> Gait:
    from pose3d.io.anipose_csv import read_angles
    from pose3d.io.events import read_events
    from pose3d.kinematics.cycles import cut_cycles
    from pose3d.kinematics.gait import SideGait
    from pose3d.kinematics.strides import find_strides

    angles = read_angles(path)
    rate = angles.fps if fps is None else fps
    if events is None:
        raise DataError("holds angles, whose cycles need events; give their csv with --events")
    if rate is None:
        raise DataError("says no frame rate; give --fps")
    known = read_events(events)
    sides = {}
    for side, other in (("L", "R"), ("R", "L")):
        strides = find_strides(known, side, other)
        start, end = strides.start_s[strides.kept], strides.end_s[strides.kept]
        cycles = {
            name: cut_cycles(angles.deg[:, 0, i], start, end, fps=rate, start=angles.start)
            for i, name in enumerate(angles.names)
            if name.endswith(f"_{side.lower()}")
        }
        sides[side] = SideGait(strides, {}, cycles)
    return Gait(known, sides)
