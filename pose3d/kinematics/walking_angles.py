"""Angles of the human body that need more than its keypoints: the vertical, the way that it walks, or a bent knee.

They are counted in the walker's frame: x along the way, z up. What Plug-in Gait measures against an axis of the
laboratory is measured here against the walker's own way, so that it means the same in every direction, in turns too.
"""

from collections.abc import Mapping

import numpy as np

from pose3d.data import JointAngles, Keypoints3D
from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.kinematics.definitions import across, dot, unit
from pose3d.kinematics.gait_events import belt_velocity
from pose3d.kinematics.human import HumanAngle
from pose3d.log import logger

__all__ = ["WALKING_ANGLES", "frame_of_walker", "walking_angles", "walking_angles_of", "walking_frame"]

_Points = Mapping[str, FloatArray]

_WINDOW_S = 1.0  # about a stride, over which the sway of the pelvis cancels
_LEAST_SPEED = 200.0  # mm/s: who is slower stands
_STRAIGHT_DEG = 25.0  # a way that turns less, sways only
_BENT_DEG = 30.0  # of the knee: less does not show how the thigh is turned
_UPRIGHT = 0.7  # of the distance from ankles to hips: how much of it is height


def _line(points: _Points, joint: str) -> FloatArray:
    return unit(points[f"L{joint}"] - points[f"R{joint}"])


def _own(values: FloatArray, side: str) -> FloatArray:
    """Give a turn to the left, or a rise of the left, the sign that it has on a side."""
    return np.asarray(values if side == "L" else -values)


def _raised(points: _Points, joint: str, side: str) -> FloatArray:
    left = _line(points, joint)
    return _own(np.degrees(np.arctan2(left[..., 2], np.hypot(left[..., 0], left[..., 1]))), side)


def _ahead(points: _Points, joint: str, side: str) -> FloatArray:
    left = _line(points, joint)
    return _own(np.degrees(np.arctan2(left[..., 0], left[..., 1])), side)


def _trunk(points: _Points) -> FloatArray:
    middle = {joint: (points[f"L{joint}"] + points[f"R{joint}"]) / 2 for joint in ("Shoulder", "Hip")}
    return unit(middle["Shoulder"] - middle["Hip"])


def _trunk_lean(points: _Points) -> FloatArray:
    trunk = _trunk(points)
    return np.asarray(np.degrees(np.arctan2(trunk[..., 0], trunk[..., 2])))


def _trunk_sway(points: _Points, side: str) -> FloatArray:
    trunk = _trunk(points)
    return _own(np.degrees(np.arctan2(trunk[..., 1], trunk[..., 2])), side)


def _toe_to_heel(points: _Points, side: str) -> FloatArray:
    return unit(points[f"{side}Heel"] - points[f"{side}BigToe"])


def _foot_progression(points: _Points, side: str) -> FloatArray:
    foot = _toe_to_heel(points, side)
    return _own(np.degrees(np.arctan2(foot[..., 1], np.hypot(foot[..., 0], foot[..., 2]))), side)


def _foot_pitch(points: _Points, side: str) -> FloatArray:
    foot = _toe_to_heel(points, side)
    return np.asarray(np.degrees(np.arctan2(foot[..., 0], foot[..., 2])))


def _hip_rotation(points: _Points, side: str) -> FloatArray:
    thigh = unit(points[f"{side}Hip"] - points[f"{side}Knee"])
    shank = unit(points[f"{side}Knee"] - points[f"{side}Ankle"])
    forwards = across(shank, thigh, least_sine=float(np.sin(np.deg2rad(_BENT_DEG))))
    left, own_left = _line(points, "Hip"), np.cross(thigh, forwards)
    turn = np.degrees(np.arctan2(dot(left, forwards), dot(left, own_left)))
    # A knee that bends the wrong way, or the hips' line along the thigh, shows nothing.
    return _own(np.where(np.abs(turn) < 90, -turn, np.nan), side)


WALKING_ANGLES: tuple[HumanAngle, ...] = (
    HumanAngle(
        name="pelvis_obliquity",
        definition="line between the hips against the floor; Plug-in Gait turns about the tilted pelvis first",
        zero="both hips equally high",
        positive="this side up",
        range_deg=(-90, 90),
        error="RMSE 0.9 deg (mean of 12 legs), 2.5 deg (worst leg); exact where the sequence is rotation, obliquity, "
        "tilt (Baker 2001)",
        keypoints=(),
        both_sides=("Hip",),
        compute=lambda points, side: _raised(points, "Hip", side),
    ),
    HumanAngle(
        name="pelvis_rotation",
        definition="line between the hips, seen from above, against the line across the way",
        zero="perpendicular to the way",
        positive="this side forwards",
        range_deg=(-180, 180),
        error="RMSE 0.5 deg (mean of 12 legs), 1.0 deg (worst leg) against the same direction; exact where the "
        "sequence is rotation, obliquity, tilt (Baker 2001)",
        keypoints=(),
        both_sides=("Hip",),
        compute=lambda points, side: _ahead(points, "Hip", side),
    ),
    HumanAngle(
        name="hip_rotation",
        definition="turn of the thigh about itself, told by the plane in which the knee is bent, against the line "
        f"between the hips; only while the knee is bent by {_BENT_DEG:g} to {180 - _BENT_DEG:g} degrees, which is "
        "about the swing",
        zero="knee bends perpendicular to the line between the hips",
        positive="internal",
        range_deg=(-90, 90),
        error="offset -20..+10 deg (a wand on the thigh tells Vicon of the knee's axis), SD 2-7 deg",
        keypoints=("Hip", "Knee", "Ankle"),
        both_sides=("Hip",),
        compute=_hip_rotation,
    ),
    HumanAngle(
        name="foot_progression",
        definition="line from heel to big toe against the vertical plane of the way",
        zero="toes along the way",
        positive="toes inwards",
        range_deg=(-90, 90),
        error="offset -3..0 deg (Vicon's toe is the second one; a big toe points farther inwards), SD 0.7-2.1 deg",
        keypoints=("Heel", "BigToe"),
        both_sides=("Hip",),
        compute=_foot_progression,
    ),
    HumanAngle(
        name="foot_pitch",
        definition="line from heel to big toe against the vertical, seen from the side; -90 where it lies level",
        zero="toes straight down",
        positive="toes down",
        range_deg=(-180, 180),
        error="offset -7..+3 deg, SD 0.7-1.3 deg",
        keypoints=("Heel", "BigToe"),
        both_sides=("Hip",),
        compute=_foot_pitch,
    ),
    HumanAngle(
        name="trunk_lean",
        definition="long axis of the trunk against the vertical, seen from the side",
        zero="middle of the shoulders above that of the hips",
        positive="forwards",
        range_deg=(-180, 180),
        error="offset -13..+6 deg from the tilt of Vicon's thorax, SD 0.4-1.1 deg",
        keypoints=(),
        both_sides=("Hip", "Shoulder"),
        compute=lambda points, _: _trunk_lean(points),
    ),
    HumanAngle(
        name="trunk_sway",
        definition="long axis of the trunk against the vertical, seen along the way",
        zero="middle of the shoulders above that of the hips",
        positive="to this side",
        range_deg=(-180, 180),
        error="is not the obliquity of Vicon's thorax, from whose negative it lies SD 0.7-1.5 deg away",
        keypoints=(),
        both_sides=("Hip", "Shoulder"),
        compute=_trunk_sway,
    ),
    HumanAngle(
        name="trunk_rotation",
        definition="line between the shoulders, seen from above, against the line across the way",
        zero="perpendicular to the way",
        positive="this side forwards",
        range_deg=(-180, 180),
        error="offset -4..+4 deg from the rotation of Vicon's thorax, SD 0.5-1.8 deg",
        keypoints=(),
        both_sides=("Hip", "Shoulder"),
        compute=lambda points, side: _ahead(points, "Shoulder", side),
    ),
)
"""Angles beside :data:`pose3d.kinematics.HUMAN_ANGLES`; their errors are against Plug-in Gait, in straight walking."""

_OF_THE_BODY = ("hip_rotation",)


def walking_frame(hips: FloatArray, leftwards: FloatArray, *, fps: float, belt: FloatArray | None = None) -> FloatArray:
    """Return the walker's frame: x along the way, y to the left, z up.

    Parameters
    ----------
    hips : (n_frames, 3) array, mm
        Their middle, Z up.
    leftwards : (n_frames, 3) array
        From the right hip to the left one.
    fps : float
    belt : (2,) array, mm/s, optional
        Velocity of a treadmill's belt over the floor.

    Returns
    -------
    (n_frames, 3, 3) array
        Axes in columns. The way is averaged over a second, about a stride, and over the whole of a walk that turns by
        less than 25 degrees. Who walks backwards still faces x. While somebody stands the way is the one walked before
        or after, or, if nobody walks at all, the direction that the hips face in the mean. NaN where nothing is known.
    """
    n = len(hips)
    speed, way = _way(hips[:, :2] - _drift(belt, n, fps), fps)
    faces = np.stack([leftwards[:, 1], -leftwards[:, 0]], axis=-1)
    known = np.isfinite(faces).all(-1)
    with np.errstate(invalid="ignore"):
        walks = np.asarray(speed > _LEAST_SPEED) & np.isfinite(way).all(-1)
    if walks.any():
        with np.errstate(invalid="ignore"):
            backwards = _mean_over((way * faces).sum(-1), round(_WINDOW_S * fps)) < 0
        way = _held(np.where(backwards[:, None], -way, way), walks)
    elif known.any():
        way = np.broadcast_to(faces[known].mean(0), (n, 2))
    else:
        way = np.full((n, 2), np.nan)
    x = np.concatenate([unit(way), np.zeros((n, 1))], axis=-1)
    z = np.broadcast_to([0.0, 0.0, 1.0], x.shape)
    frame = np.stack([x, np.cross(z, x), z], axis=-1)
    return np.where(np.isfinite(frame).all((-2, -1), keepdims=True), frame, np.nan)


def _drift(belt: FloatArray | None, n: int, fps: float) -> FloatArray:
    return np.zeros((n, 2)) if belt is None else np.asarray(belt) * (np.arange(n) / fps)[:, None]


def _mean_over(values: FloatArray, window: int) -> FloatArray:
    """Return means of (n, ...) over windows of equal length, moved inwards at the ends; gaps are left out."""
    n = len(values)
    window = min(n, max(1, window))
    known = np.isfinite(values)
    zero = np.zeros((1, *values.shape[1:]))
    sums = np.concatenate([zero, np.cumsum(np.where(known, values, 0.0), axis=0)])
    counts = np.concatenate([zero, np.cumsum(known, axis=0)])
    first = np.clip(np.arange(n) - window // 2, 0, n - window)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((sums[first + window] - sums[first]) / (counts[first + window] - counts[first]))


def _way(xy: FloatArray, fps: float) -> tuple[FloatArray, FloatArray]:
    """Return speed (n,) and mean velocity (n, 2)."""
    velocity = np.gradient(xy, axis=0) * fps if len(xy) > 1 else np.full_like(xy, np.nan)
    mean = _mean_over(velocity, round(_WINDOW_S * fps))
    return np.asarray(np.linalg.norm(mean, axis=-1)), mean


def _held(way: FloatArray, walks: BoolArray) -> FloatArray:
    """Take one direction for each walk that is straight, and the nearest known one while nobody walks."""
    way = unit(way)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], walks.astype(np.int8), [0]]))).reshape(-1, 2)
    for first, last in edges:  # as many as there are walks
        own = way[first:last]
        mean = own.mean(0)
        turn = np.degrees(np.arctan2(mean[0] * own[:, 1] - mean[1] * own[:, 0], own @ mean))
        if np.ptp(turn) < _STRAIGHT_DEG:
            way[first:last] = mean
    rows = np.flatnonzero(walks)
    at = np.clip(np.searchsorted(rows, np.arange(len(way))), 0, len(rows) - 1)
    before = np.maximum(at - 1, 0)
    here = np.arange(len(way))
    nearer = np.abs(rows[before] - here) < np.abs(rows[at] - here)
    return np.asarray(way[np.where(nearer, rows[before], rows[at])])


def walking_angles_of(points: _Points, frame: FloatArray | None) -> dict[str, FloatArray]:
    """Compute those of :data:`WALKING_ANGLES` whose keypoints are there.

    Parameters
    ----------
    points : mapping of str to (..., n_frames, 3) array, mm
        Leading axes (samples) are free.
    frame : (n_frames, 3, 3) array or None
        The walker's, of :func:`walking_frame`; without it only what the body alone shows is computed.

    Returns
    -------
    dict of str to (..., n_frames) array, degrees
        Named with ``_l`` and ``_r``.
    """
    if frame is not None:
        wanted = {name for angle in WALKING_ANGLES for side in "LR" for name in angle.needs(side)}
        points = {name: _turned(xyz, frame) for name, xyz in points.items() if name in wanted}
    return {
        f"{angle.name}_{side.lower()}": angle.compute(points, side)
        for angle in WALKING_ANGLES
        if frame is not None or angle.name in _OF_THE_BODY
        for side in "LR"
        if all(name in points for name in angle.needs(side))
    }


def _turned(xyz: FloatArray, frame: FloatArray) -> FloatArray:
    """Return points in the walker's frame: einsum costs several times as much."""
    parts = [xyz[..., i, None] * frame[:, i] for i in range(3)]
    return np.asarray(parts[0] + parts[1] + parts[2])


def walking_angles(points: Keypoints3D, *, fps: float | None = None) -> JointAngles | None:
    """Compute the angles that need the vertical, the walker's way or a bent knee.

    Parameters
    ----------
    points : Keypoints3D
        Z up.
    fps : float, optional
        Instead of ``points.fps``.

    Returns
    -------
    JointAngles or None
        Of :data:`WALKING_ANGLES` those whose keypoints are there; None where there are none. Where the hips are not
        above the ankles in most frames, so that Z does not point up or nobody stands, or the frame rate is unknown,
        what needs the floor or the way is left out, and that is logged.
    """
    rate = points.fps if fps is None else fps
    found = []
    for i, name in enumerate(points.individuals):
        named = {keypoint: points.xyz[:, i, k] for k, keypoint in enumerate(points.keypoints)}
        frame, why = frame_of_walker(named, rate)
        if why:
            logger.info("angles against the floor and the way of %s are left out: %s", name, why)
        found.append(walking_angles_of(named, frame))
    names = tuple(dict.fromkeys(name for angles in found for name in angles))
    if not names:
        return None
    nothing = np.full(points.n_frames, np.nan)
    deg = np.stack([np.stack([angles.get(name, nothing) for name in names], axis=-1) for angles in found], axis=1)
    return JointAngles(deg, names, points.individuals, fps=rate, start=points.start)


def frame_of_walker(points: _Points, fps: float | None) -> tuple[FloatArray | None, str]:
    """Return the frame of somebody whose keypoints are named as in a skeleton.

    Parameters
    ----------
    points : mapping of str to (n_frames, 3) array, mm
    fps : float or None

    Returns
    -------
    frame : (n_frames, 3, 3) array or None
        Of :func:`walking_frame`.
    why : str
        Why there is none.
    """
    feet = next((end for end in ("Heel", "Ankle") if {f"L{end}", f"R{end}"} <= set(points)), None)
    if not {"LHip", "RHip"} <= set(points) or feet is None:
        return None, "hips or ankles are not among the keypoints"
    if fps is None:
        return None, "the frame rate is unknown"
    hips = (points["LHip"] + points["RHip"]) / 2
    own = {side: points[side + feet] for side in "LR"}
    legs = hips - (own["L"] + own["R"]) / 2
    known = legs[np.isfinite(legs).all(-1)]
    if not len(known):
        return None, "hips and ankles are never seen together"
    if np.median(known[:, 2]) < _UPRIGHT * np.median(np.linalg.norm(known, axis=-1)):
        return None, "the hips are not above the ankles: Z does not point up, or nobody stands"
    belt = belt_velocity(own, own, hips, fps=fps)
    return walking_frame(hips, points["LHip"] - points["RHip"], fps=fps, belt=belt), ""
