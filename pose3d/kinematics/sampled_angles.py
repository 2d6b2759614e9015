"""Angles with intervals: the same angles computed on every posterior sample."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from pose3d.data import JointAngles, Keypoints3D, PosteriorSamples
from pose3d.data.angle_syntax import parse_angle
from pose3d.errors import DataError
from pose3d.geometry.arrays import FloatArray
from pose3d.kinematics.estimates import Estimate, estimate
from pose3d.kinematics.human import HUMAN_ANGLES
from pose3d.log import logger

__all__ = ["unsigned_angles", "with_intervals"]

_AT_ONCE = 2_000_000  # points whose angles are computed together


def unsigned_angles(
    definitions: Mapping[str, Sequence[str]] | None = None, keypoints: Collection[str] = ()
) -> frozenset[str]:
    """Return the names of the angles that have no sign: bent to either side, they are the same.

    Parameters
    ----------
    definitions : mapping of str to sequence of str, optional
        As in :func:`pose3d.kinematics.joint_angles`; None for the angles of the human body.
    keypoints : collection of str
        Those that the definitions speak of.
    """
    if definitions is None:
        plain = [angle.name for angle in HUMAN_ANGLES if list(angle.range_deg) == [0, 180]]
        return frozenset(f"{name}_{side}" for name in plain for side in "lr")
    kinds = {name: parse_angle(own, known=keypoints).kind for name, own in definitions.items()}
    return frozenset(name for name, kind in kinds.items() if kind == "flex")


def with_intervals(
    angles: JointAngles,
    points: Keypoints3D,
    samples: PosteriorSamples,
    compute: Callable[[Keypoints3D], JointAngles],
    *,
    unsigned: Collection[str] = (),
) -> JointAngles:
    """Return angles with their standard deviations and 95 % intervals.

    Parameters
    ----------
    angles : JointAngles
        Of `points`.
    points : Keypoints3D
    samples : PosteriorSamples
        Of the same individuals, frame by frame.
    compute : callable
        What made the angles out of the points.
    unsigned : collection of str
        Names of angles from 0 to 180 degrees that have no sign; see :func:`unsigned_angles`.

    Returns
    -------
    JointAngles
        Intervals are NaN with fewer than 39 samples.

    Raises
    ------
    DataError
        If samples and points do not belong together.
    """
    people = [name for name in points.individuals if name in samples.individuals]
    same = set(points.keypoints) <= set(samples.keypoints)
    if samples.n_frames != points.n_frames or len(people) < len(points.individuals) or not same:
        raise DataError("the samples are not those of these points; triangulate again")
    shape = (samples.n_samples, *angles.deg.shape)
    drawn = np.full(shape, np.nan, dtype=np.float32)
    columns = [samples.keypoints.index(name) for name in points.keypoints]
    step = max(1, _AT_ONCE // max(1, points.n_frames * len(points.keypoints)))
    with _quiet():
        for person, name in enumerate(points.individuals):
            place = samples.individuals.index(name)
            for first in range(0, samples.n_samples, step):
                xyz = np.asarray(samples.xyz[:, first : first + step, place], dtype=np.float64)[:, :, columns]
                names = [str(i) for i in range(xyz.shape[1])]
                many = Keypoints3D.from_points(xyz, points.keypoints, names, fps=points.fps, start=points.start)
                made = compute(many)
                # By name: of somebody who lies there are fewer angles than of others, who stand.
                for i, angle in enumerate(made.names):
                    if angle in angles.names:
                        drawn[first : first + step, :, person, angles.names.index(angle)] = made.deg[..., i].T
    low, high, sd = (np.full(angles.deg.shape, np.nan) for _ in range(3))
    for i, name in enumerate(angles.names):
        found = _interval(angles.deg[..., i], drawn[..., i].astype(np.float64), unsigned=name in unsigned)
        low[..., i], high[..., i], sd[..., i] = found.low, found.high, found.sd
    return replace(angles, sd_deg=sd, low_deg=low, high_deg=high)


def _interval(deg: FloatArray, drawn: FloatArray, *, unsigned: bool) -> Estimate:
    drawn = deg + (drawn - deg + 180) % 360 - 180  # a turn of more than half a circle is one the other way
    if not unsigned:
        return estimate(deg, drawn)
    # A limb that is straight, or folded up, shows noise as a bend to one side only.
    over = deg > 90
    made = estimate(np.where(over, 180 - deg, deg), np.where(over, 180 - drawn, drawn), unsigned=True)
    low, high = (np.where(over, 180 - one, other) for one, other in ((made.high, made.low), (made.low, made.high)))
    return Estimate(deg, low, high, made.sd, made.level)


@contextmanager
def _quiet() -> Iterator[None]:
    """Say of samples nothing that was said of the points already."""
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
