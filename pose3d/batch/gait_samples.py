"""When the events of a walk are in each posterior sample: what makes intervals of times, phases and lengths."""

import numpy as np

from pose3d.batch.gait import EVENT_CUTOFF_HZ, gait_events
from pose3d.data import Keypoints3D, PosteriorSamples
from pose3d.data.events import LimbEvents
from pose3d.errors import DataError
from pose3d.filtering.butterworth import butterworth_filter, design_butterworth
from pose3d.geometry.arrays import FloatArray
from pose3d.kinematics.gait import foot_points
from pose3d.kinematics.gait_events import find_events, nearest_times

__all__ = ["EventTimes", "event_samples"]

EventTimes = dict[tuple[str, str], FloatArray]
"""By limb and kind: times (n_samples, n_events) in s."""

_CHUNK = 8  # samples at a time
_WITHIN_S = 0.15  # what a sample has farther from the event is another one


def event_samples(
    points: Keypoints3D,
    samples: PosteriorSamples,
    events: LimbEvents,
    *,
    individual: int = 0,
    level: tuple[FloatArray, FloatArray] | None = None,
    cutoff_hz: float | None = EVENT_CUTOFF_HZ,
) -> EventTimes:
    """Find the events of a walk in every sample.

    Parameters
    ----------
    points : Keypoints3D
        Of the walk, Z up.
    samples : PosteriorSamples
        Of the same points, frame by frame.
    events : LimbEvents
        Of the walk, wherever they come from.
    individual : int
    level : (rotation, translation), optional
        By which the points, but not yet the samples, were turned: :func:`pose3d.batch.gait.level_rotation`.
    cutoff_hz : float or None
        As in :func:`pose3d.batch.gait.gait_events`.

    Returns
    -------
    dict of (str, str) to (n_samples, n_events) array, s
        By limb and kind, in the order of ``events.times(limb, kind)``. NaN where the points themselves show no such
        event, or the sample has none.

    Raises
    ------
    DataError
        As :func:`pose3d.batch.gait.gait_events`, and if samples and points do not belong together.

    Notes
    -----
    A sample's event lies as far from the given one as from the event that the same search finds in the points: a time
    that a person has corrected, or a force plate has given, keeps its place, and the interval about it is that of the
    kinematic event.
    """
    name = points.individuals[individual]
    if samples.n_frames != points.n_frames or name not in samples.individuals:
        raise DataError(f"the samples are not those of the points of {name}; triangulate again with --samples")
    if points.fps is None:
        raise DataError("the frame rate of the points is unknown; give --fps")
    feet = foot_points(samples.keypoints)
    used = [*feet.heels.values(), *feet.toes.values(), *feet.pelvis]
    columns = [samples.keypoints.index(name) for name in used]
    person = samples.individuals.index(name)
    low = None if cutoff_hz is None else design_butterworth(cutoff_hz, fps=points.fps)
    n_feet = len(feet.heels) + len(feet.toes)
    own = gait_events(points, individual=individual, cutoff_hz=cutoff_hz)
    keys = sorted(set(zip(events.limbs, events.kinds, strict=True)))
    times = {key: np.full((samples.n_samples, len(events.times(*key))), np.nan) for key in keys}
    seen = {key: nearest_times(events.times(*key), own.times(*key), within_s=_WITHIN_S) for key in keys}
    for first in range(0, samples.n_samples, _CHUNK):
        xyz = np.asarray(samples.xyz[:, first : first + _CHUNK, person], dtype=np.float64)[:, :, columns]
        xyz = np.concatenate([xyz[:, :, :n_feet], xyz[:, :, n_feet:].mean(2, keepdims=True)], axis=2)
        if level is not None:
            xyz = xyz @ level[0].T + level[1]
        if low is not None:
            xyz = butterworth_filter(xyz, low).values
        for i in range(xyz.shape[1]):
            tracks = dict(zip(used, np.moveaxis(xyz[:, i, :n_feet], 1, 0), strict=False))
            found = find_events(
                {limb: tracks[name] for limb, name in feet.heels.items()},
                {limb: tracks[name] for limb, name in feet.toes.items()},
                xyz[:, i, n_feet],
                fps=points.fps,
                start=points.start,
            )
            for key in keys:
                away = nearest_times(seen[key], found.times(*key), within_s=_WITHIN_S) - seen[key]
                times[key][first + i] = events.times(*key) + away
    return times
