"""The world's axes and origin: from floor points, named points as in anipose, or a plumb line."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pose3d.data.camera import Rig
from pose3d.errors import CalibrationError
from pose3d.geometry.arrays import FloatArray
from pose3d.geometry.planes import fit_plane
from pose3d.geometry.transforms import rigid

from .named_points import KnownLength, NamedPoints, difference, direction, median_direction, position, unit

__all__ = [
    "WorldFrame",
    "apply_world",
    "frame_from_axes",
    "frame_from_floor",
    "frame_from_plumb",
    "frame_from_points",
    "frame_from_up",
    "upright",
]

_PARALLEL_DEG = 3.0  # directions closer than this do not span a plane
_WORST_TILT_DEG = 5.0  # floor points that leave more than this open are none
_FLAT = 0.01  # a camera within this part of its distance of the floor's plane is on neither side


@dataclass(frozen=True, eq=False)
class WorldFrame:
    """A world for a rig: right-handed, Z up, mm. A point p of the old world becomes ``new_from_old (scale p)``.

    Attributes
    ----------
    new_from_old : (4, 4) array, mm
        Rigid.
    scale : float
    says : str
        What the world is and how well that is known, one sentence without its full stop.
    rms_mm : float
        Distance of the floor's points from its plane; NaN where there is none to measure.
    tilt_sd_deg : float
        Standard deviation of the vertical, or of the first axis that was given; NaN where it is unknown.
    """

    new_from_old: FloatArray
    scale: float
    says: str
    rms_mm: float = float("nan")
    tilt_sd_deg: float = float("nan")

    def apply(self, points: ArrayLike) -> FloatArray:
        """Take points (..., 3) of the old world into the new one."""
        moved = self.scale * np.asarray(points, dtype=np.float64) @ self.new_from_old[:3, :3].T
        return np.asarray(moved + self.new_from_old[:3, 3])

    def scaled(self, length: KnownLength) -> "WorldFrame":
        """Return the same world with lengths multiplied by what a known length says."""
        new_from_old = self.new_from_old.copy()
        new_from_old[:3, 3] *= length.factor
        return replace(
            self,
            new_from_old=new_from_old,
            scale=self.scale * length.factor,
            says=f"{self.says}, {length.says}",
            rms_mm=self.rms_mm * length.factor,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a json file."""
        return {
            "world": self.says,
            "new_from_old": self.new_from_old.tolist(),
            "scale": self.scale,
            "rms_mm": self.rms_mm,
            "tilt_sd_deg": self.tilt_sd_deg,
        }


def apply_world(rig: Rig, frame: WorldFrame) -> Rig:
    """Move a rig into a world; ``metadata["world"]`` says which it is.

    Parameters
    ----------
    rig : Rig
    frame : WorldFrame

    Returns
    -------
    Rig
        Every camera sees the moved points where it saw the old ones.
    """
    moved = rig.transformed(frame.new_from_old, frame.scale)
    return replace(moved, metadata={**rig.metadata, "world": frame.says})


def frame_from_axes(
    points: NamedPoints, axes: Sequence[Sequence[str]], reference_point: str, *, max_sd_deg: float = 20.0
) -> WorldFrame:
    """Make a world from named points, as anipose's ``axes`` and ``reference_point`` do.

    The first axis is exact, the second is squared up against it, the third makes the frame right-handed: unlike in
    anipose 1.1, whose axes are sheared where the two are not perpendicular, angles and lengths stay what they are.

    Parameters
    ----------
    points : mapping of str to (3,) or (n_frames, 3) array, mm
    axes : two of [axis, from, to]
        Such as ``[["x", "l_hip", "r_hip"], ["z", "knee", "hip"]]``: an axis points from the first to the second. A
        direction is the median over the frames that have both points.
    reference_point : str
        The origin, at its median position.
    max_sd_deg : float
        A direction that scatters more than this from frame to frame, about its median, is refused.

    Returns
    -------
    WorldFrame

    Raises
    ------
    CalibrationError
        If a name is missing or never seen, the axes are not two different ones of x, y and z, are parallel, or have no
        stable direction.
    """
    first, second = _checked_axes(axes)
    a, a_sd = direction(points, first[1], first[2], max_sd_deg)
    b, _ = direction(points, second[1], second[2], max_sd_deg)
    angle = float(np.degrees(np.arccos(np.clip(a @ b, -1, 1))))
    if not _PARALLEL_DEG < angle < 180 - _PARALLEL_DEG:
        raise CalibrationError(
            f"axes: {first[1]}>{first[2]} and {second[1]}>{second[2]} are {angle:.1f} degrees apart, nearly parallel; "
            "choose points that span a plane"
        )
    i, j = "xyz".index(first[0]), "xyz".index(second[0])
    k = 3 - i - j
    R = np.empty((3, 3))
    R[i] = a
    R[j] = unit(b - (b @ a) * a)
    R[k] = np.cross(R[(k + 1) % 3], R[(k + 2) % 3])
    origin = position(points, reference_point)
    says = (
        f"{first[0].upper()} from {first[1]} to {first[2]}{_plus_minus(a_sd)}, {second[0].upper()} towards "
        f"{second[1]}>{second[2]} ({angle:.1f} deg from the first), origin {reference_point}, mm"
    )
    return WorldFrame(rigid(R[None], -(R @ origin)[None])[0], 1.0, says, tilt_sd_deg=a_sd)


def frame_from_floor(
    points: NamedPoints,
    floor: Sequence[str],
    *,
    cameras: ArrayLike | None = None,
    up: tuple[str, str] | None = None,
    forward: tuple[str, str] | None = None,
    origin: str | None = None,
) -> WorldFrame:
    """Make a world from named points of which some lie on the floor.

    Parameters
    ----------
    points : mapping of str to (3,) or (n_frames, 3) array, mm
    floor : sequence of str
        Three names at least; each point counts at its median position.
    cameras, origin
        As in :func:`frame_from_points`; `origin` by name.
    up, forward : (from, to), optional
        Names between which a direction is taken.

    Returns
    -------
    WorldFrame

    Raises
    ------
    CalibrationError
        If a name is missing, or as :func:`frame_from_points` says.
    """
    if len(set(floor)) < len(floor):
        raise CalibrationError(f"floor: a point is named twice ({', '.join(floor)}); name different points")
    return frame_from_points(
        np.stack([position(points, name) for name in floor]) if floor else np.zeros((0, 3)),
        cameras=cameras,
        up=None if up is None else direction(points, *up)[0],
        forward=None if forward is None else direction(points, *forward)[0],
        origin=None if origin is None else position(points, origin),
        names=(" to ".join(forward or floor[:2]), origin or (floor[0] if floor else "")),
    )


def frame_from_points(
    floor_points: ArrayLike,
    *,
    cameras: ArrayLike | None = None,
    up: ArrayLike | None = None,
    forward: ArrayLike | None = None,
    origin: ArrayLike | None = None,
    names: tuple[str, str] = ("the first to the second", "the first"),
) -> WorldFrame:
    """Make a world whose floor is the plane through points, up the side of it on which the cameras are.

    The plane is fitted by least squares of the distances; from five points on, points that lie off the plane of most
    are left out.

    Parameters
    ----------
    floor_points : (n, 3) array, mm
        Three at least; those with a NaN are left out.
    cameras : (n_cameras, 3) array, mm, optional
        Where the cameras are (``rig.centers``).
    up : (3,) array, optional
        About upwards, instead of the cameras.
    forward : (3,) array, optional
        Along X; by default from the first to the second point.
    origin : (3,) array, mm, optional
        Above or below the origin, by default the first point.
    names : (str, str)
        What to call forward and origin in the sentence.

    Returns
    -------
    WorldFrame

    Raises
    ------
    CalibrationError
        If the points do not determine a plane, or it cannot be decided which side is up.
    """
    points = np.asarray(floor_points, dtype=np.float64).reshape(-1, 3)
    points = points[np.isfinite(points).all(-1)]
    if len(points) < 3:
        raise CalibrationError(f"floor: points with a position: {len(points)}, but three are needed; add floor points")
    normal, center, inlier, rms, spread = fit_plane(points)
    n = int(inlier.sum())
    reach = float(np.linalg.norm(points[inlier] - center))
    if not spread > 0.02 * reach:
        raise CalibrationError("floor: the points lie on a line; add a floor point to the side of it")
    noise = rms * np.sqrt(n / (n - 3)) if n > 3 else float("nan")
    tilt = float(np.degrees(np.arctan(noise / spread)))
    if tilt > _WORST_TILT_DEG:
        raise CalibrationError(
            f"floor: the points lie {rms:.0f} mm (rms) off a common plane, which leaves its tilt open by {tilt:.0f} "
            "degrees; correct them, or choose points farther apart"
        )
    normal = normal * _side(normal, center, cameras, up)
    x = points[1] - points[0] if forward is None else np.asarray(forward, dtype=np.float64)
    start = points[0] if origin is None else np.asarray(origin, dtype=np.float64)
    frame = upright(normal, x, start - ((start - center) @ normal) * normal)
    off = len(points) - n
    fit = f"{rms:.1f} mm rms" if n > 3 else "three points: their fit cannot be checked"
    says = (
        f"Z up from the floor through {n} points ({fit}{', ' + str(off) + ' left out' if off else ''})"
        f"{_plus_minus(tilt)}, X forward from {names[0]}, origin {names[1]}, mm"
    )
    return replace(frame, says=says, rms_mm=rms if n > 3 else float("nan"), tilt_sd_deg=tilt)


def frame_from_plumb(
    points: NamedPoints,
    up: tuple[str, str],
    *,
    forward: tuple[str, str] | None = None,
    origin: str | None = None,
) -> WorldFrame:
    """Make a world from two named points of a plumb line.

    Parameters
    ----------
    points : mapping of str to (3,) or (n_frames, 3) array, mm
    up, forward : (from, to)
        Names between which a direction is taken; `up` from the lower to the upper point.
    origin : str, optional
        By default the old origin.

    Returns
    -------
    WorldFrame

    Raises
    ------
    CalibrationError
        If a name is missing, or as :func:`frame_from_up` says.
    """
    frame = frame_from_up(
        difference(points, *up),
        forward=None if forward is None else direction(points, *forward)[0],
        origin=None if origin is None else position(points, origin),
        names=("the old X axis" if forward is None else " to ".join(forward), origin or "as before"),
    )
    return replace(frame, says=frame.says.replace("along a plumb line", f"from {up[0]} to {up[1]}", 1))


def frame_from_up(
    up: ArrayLike,
    *,
    forward: ArrayLike | None = None,
    origin: ArrayLike | None = None,
    names: tuple[str, str] = ("the old X axis", "as before"),
) -> WorldFrame:
    """Make a world from the direction of a plumb line.

    Parameters
    ----------
    up : (3,) or (n, 3) array
        From the lower to the upper point, once or in several frames; the length does not matter.
    forward : (3,) array, optional
        Becomes X where it is not upright; by default the old X axis, or the old Z axis if that is nearer to level.
    origin : (3,) array, mm, optional
        By default the old origin.
    names : (str, str)
        What to call forward and origin in the sentence.

    Returns
    -------
    WorldFrame

    Raises
    ------
    CalibrationError
        If there is no direction, or `forward` is upright.
    """
    z, sd = median_direction(np.asarray(up, dtype=np.float64).reshape(-1, 3), "up", 20.0)
    if forward is None:
        forward = (1.0, 0.0, 0.0) if abs(z[0]) < 0.9 else (0.0, 0.0, 1.0)
    frame = upright(z, np.asarray(forward, dtype=np.float64), np.zeros(3) if origin is None else np.asarray(origin))
    says = f"Z up along a plumb line{_plus_minus(sd)}, X forward from {names[0]}, origin {names[1]}, mm"
    return replace(frame, says=says, tilt_sd_deg=sd)


def _plus_minus(sd_deg: float) -> str:
    return f" (+- {sd_deg:.2f} deg)" if np.isfinite(sd_deg) else ""


def _checked_axes(axes: Sequence[Sequence[str]]) -> tuple[tuple[str, str, str], tuple[str, str, str]]:
    rows = [tuple(str(word) for word in row) for row in axes if not isinstance(row, str)]
    if len(axes) != 2 or len(rows) != 2 or any(len(row) != 3 for row in rows):
        raise CalibrationError('axes: two of [axis, from, to] are needed, such as [["x", "a", "b"], ["z", "c", "d"]]')
    first, second = ((row[0].lower(), row[1], row[2]) for row in rows)
    if not {first[0], second[0]} <= set("xyz") or first[0] == second[0]:
        raise CalibrationError(
            f"axes: {first[0]} and {second[0]} are given; two different ones of x, y and z are needed"
        )
    return first, second


def upright(z: FloatArray, x: FloatArray, origin: FloatArray) -> WorldFrame:
    """Return the frame with Z along a unit vector (3,) and X as near to a direction (3,) as that allows.

    Raises
    ------
    CalibrationError
        If the direction is upright.
    """
    level = x - (x @ z) * z
    if not np.linalg.norm(level) > np.sin(np.radians(_PARALLEL_DEG)) * np.linalg.norm(x):
        raise CalibrationError("forward: its direction is upright or has no length; choose one along the floor")
    level = unit(level)
    R = np.stack([level, np.cross(z, level), z])
    return WorldFrame(rigid(R[None], -(R @ origin)[None])[0], 1.0, "")


def _side(normal: FloatArray, center: FloatArray, cameras: ArrayLike | None, up: ArrayLike | None) -> float:
    """Return the sign that makes a floor's normal point upwards."""
    if up is not None:
        cosine = float(normal @ unit(np.asarray(up, dtype=np.float64)))
        if abs(cosine) < np.sin(np.radians(10)):
            raise CalibrationError("up: lies along the floor; give a direction that points away from it")
        return float(np.sign(cosine))
    if cameras is None:
        raise CalibrationError(
            "floor: which side is up cannot be decided; say where the cameras are, or which way is up"
        )
    to_camera = np.asarray(cameras, dtype=np.float64).reshape(-1, 3) - center
    height = to_camera @ normal
    clear = height[np.abs(height) > _FLAT * np.linalg.norm(to_camera, axis=-1)]
    if not len(clear) or (np.sign(clear) != np.sign(clear[0])).any():
        where = f"{int((clear > 0).sum())} cameras are on one side of it, {int((clear < 0).sum())} on the other"
        raise CalibrationError(f"floor: which side is up cannot be decided, as {where}; say which way is up")
    return float(np.sign(clear[0]))
