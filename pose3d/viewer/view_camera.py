"""Where the scene is looked at from: an orbit about a point, or one of the recording's own cameras with its lens."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from pose3d.data import Camera
from pose3d.geometry.arrays import FloatArray, frozen_array
from pose3d.viewer.optics import through_lens
from pose3d.viewer.playback import Playback

__all__ = ["STANDARD_VIEWS", "StandardView", "ViewCamera", "frame_camera"]

StandardView: TypeAlias = Literal["orbit", "front", "back", "left", "right", "side", "top"]
STANDARD_VIEWS: tuple[StandardView, ...] = get_args(StandardView)

_TURNS: dict[str, tuple[float, float]] = {  # azimuth, elevation, degrees
    "orbit": (-50.0, 14.0),
    "front": (0.0, 4.0),
    "back": (180.0, 4.0),
    "left": (90.0, 4.0),
    "right": (-90.0, 4.0),
    "side": (-90.0, 4.0),  # from the subject's right, so that who walks forward goes from left to right
    "top": (-90.0, 89.9),
}
_MARGIN = 1.24
_MOST_FRAMED = 6000  # points
_FIELD_DEG = 32.0
_LONG = 2.2  # body sizes: in a motion longer than this a view follows the subject


@dataclass(frozen=True, eq=False)
class ViewCamera:
    """A view of the world.

    Attributes
    ----------
    target : (3,) array, mm
        What is looked at, and orbited.
    axes : (3, 3) array
        Rows: forward, leftward, up, as of :class:`pose3d.viewer.ground.Ground`.
    azimuth_deg : float
        0 looks at the subject's front, 90 at its left side.
    elevation_deg : float
        90 looks straight down.
    distance_mm : float
    field_deg : float
        Field of view along the shorter side of the picture.
    camera : Camera or None
        Instead of all that: a camera's own pose and lens.
    """

    target: FloatArray
    axes: FloatArray
    azimuth_deg: float = _TURNS["orbit"][0]
    elevation_deg: float = _TURNS["orbit"][1]
    distance_mm: float = 5000.0
    field_deg: float = _FIELD_DEG
    camera: Camera | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "target", frozen_array(self.target, shape=(3,), what="target"))
        object.__setattr__(self, "axes", frozen_array(self.axes, shape=(3, 3), what="axes"))

    @classmethod
    def from_camera(cls, camera: Camera, axes: ArrayLike | None = None) -> "ViewCamera":
        """Look through a camera of the rig: the picture lies over its video."""
        pose = camera.cam_from_world
        ahead = camera.center + 3000.0 * pose[2, :3]
        return cls(ahead, np.eye(3) if axes is None else np.asarray(axes), camera=camera)

    @cached_property
    def cam_from_world(self) -> FloatArray:
        """(4, 4) array, mm: x to the right, y down, z away from the eye, as of calibrated cameras."""
        if self.camera is not None:
            return self.camera.cam_from_world
        azimuth, elevation = np.radians([self.azimuth_deg, self.elevation_deg])
        towards = np.array(
            [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)]
        )
        right = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
        down = np.cross(-towards, right)
        rotation = np.stack([right, down, -towards]) @ self.axes
        pose = np.eye(4)
        pose[:3, :3] = rotation
        pose[:3, 3] = -rotation @ self.target + [0.0, 0.0, self.distance_mm]
        return pose

    @property
    def position(self) -> FloatArray:
        """(3,) array, mm."""
        pose = self.cam_from_world
        return np.asarray(-pose[:3, :3].T @ pose[:3, 3])

    def matrix(self, size: tuple[int, int]) -> FloatArray:
        """Return the pinhole of a picture of `size` (width, height) px, (3, 3); of a camera, scaled to fit into it."""
        width, height = size
        if self.camera is None:
            focal = min(width, height) / 2 / np.tan(np.radians(self.field_deg) / 2)
            return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1.0]])
        scale, left, above = fit(self.camera.size, size)
        matrix = self.camera.matrix.copy()
        matrix[:2] *= scale
        matrix[:2, 2] += (scale - 1) / 2 + np.array([left, above])
        return np.asarray(matrix)

    def project(self, xyz: ArrayLike, size: tuple[int, int]) -> tuple[FloatArray, FloatArray]:
        """Project points of the world into a picture, through the lens where it is a camera's.

        Parameters
        ----------
        xyz : (..., 3) array, mm
        size : (int, int), px

        Returns
        -------
        pixels : (..., 2) array
            NaN behind the eye.
        depth : (...) array, mm
        """
        pose = self.cam_from_world
        at = np.asarray(xyz, dtype=np.float64) @ pose[:3, :3].T + pose[:3, 3]
        depth = at[..., 2]
        with np.errstate(all="ignore"):
            ray = at[..., :2] / np.where(depth > 1.0, depth, np.nan)[..., None]
            if self.camera is not None:
                ray = through_lens(self.camera, ray)
        matrix = self.matrix(size)
        return ray @ matrix[:2, :2].T + matrix[:2, 2], depth

    def bent(self, xyz: ArrayLike) -> FloatArray:
        """Move points so that a pinhole sees them where the lens does, for renderers that have no lenses."""
        xyz = np.asarray(xyz, dtype=np.float64)
        if self.camera is None or not self.camera.distortion.any():
            return xyz
        pose = self.cam_from_world
        at = xyz @ pose[:3, :3].T + pose[:3, 3]
        with np.errstate(all="ignore"):
            ray = through_lens(self.camera, at[..., :2] / np.where(at[..., 2:] > 1.0, at[..., 2:], np.nan))
        moved = np.concatenate([ray * at[..., 2:], at[..., 2:]], axis=-1)
        return np.asarray((moved - pose[:3, 3]) @ pose[:3, :3])

    def turned(self, azimuth_deg: float, elevation_deg: float) -> "ViewCamera":
        """Orbit by angles."""
        free = self.released()
        elevation = float(np.clip(free.elevation_deg + elevation_deg, -89.9, 89.9))
        azimuth = (free.azimuth_deg + azimuth_deg + 180) % 360 - 180
        return replace(free, azimuth_deg=azimuth, elevation_deg=elevation)

    def panned(self, right_px: float, down_px: float, size: tuple[int, int]) -> "ViewCamera":
        """Move what is seen by pixels of the picture, at the target's distance."""
        free = self.released()
        per_px = free.distance_mm / free.matrix(size)[0, 0]
        rotation = free.cam_from_world[:3, :3]
        return replace(free, target=free.target - per_px * (right_px * rotation[0] + down_px * rotation[1]))

    def zoomed(self, factor: float) -> "ViewCamera":
        """Come nearer, by a factor above 1, or go away."""
        free = self.released()
        return replace(free, distance_mm=float(np.clip(free.distance_mm / max(factor, 1e-6), 50.0, 1e6)))

    def looking_at(self, target: ArrayLike) -> "ViewCamera":
        """Look at another point from the same direction and distance; a camera's own view stays."""
        return self if self.camera is not None else replace(self, target=np.asarray(target, dtype=np.float64))

    def seen_from(self, view: StandardView) -> "ViewCamera":
        """Look from the subject's front, side, ... or from above."""
        azimuth, elevation = _TURNS[view]
        return replace(self.released(), azimuth_deg=azimuth, elevation_deg=elevation)

    def released(self) -> "ViewCamera":
        """Return an orbit that begins about where a camera looks from."""
        if self.camera is None:
            return self
        towards = self.axes @ (self.position - self.target)
        distance = float(np.linalg.norm(towards))
        short = min(self.camera.size)
        return ViewCamera(
            self.target,
            self.axes,
            float(np.degrees(np.arctan2(towards[1], towards[0]))),
            float(np.degrees(np.arcsin(np.clip(towards[2] / distance, -1, 1)))),
            distance,
            float(np.degrees(2 * np.arctan(short / 2 / self.camera.focal))),
        )


def fit(inner: tuple[int, int], outer: tuple[int, int]) -> tuple[float, float, float]:
    """Return scale, left and upper margin with which a picture fits into a frame, px."""
    scale = min(outer[0] / inner[0], outer[1] / inner[1])
    return scale, (outer[0] - inner[0] * scale) / 2, (outer[1] - inner[1] * scale) / 2


def frame_camera(
    playback: Playback,
    view: StandardView = "orbit",
    *,
    row: int | None = None,
    aspect: float = 16 / 9,
    follow: bool | None = None,
) -> ViewCamera:
    """Frame the subject by itself.

    Parameters
    ----------
    playback : Playback
    view : str
        One of :data:`STANDARD_VIEWS`.
    row : int, optional
        Frame the subject as it is there; by default the whole motion.
    aspect : float
        Width by height of the picture.
    follow : bool, optional
        Frame the motion about the subject's path, for a view whose target follows it
        (:attr:`Playback.path_of_subject`); by default where the motion is much longer than the subject.
    """
    xyz = playback.points.xyz
    ground = playback.ground
    rows = np.arange(0, playback.n_frames, max(1, playback.n_frames // 600))
    if row is not None and len(rows):
        rows = np.array([min(max(row, 0), playback.n_frames - 1)])
    cloud = xyz[rows].reshape(len(rows), int(np.prod(xyz.shape[1:3])), 3)
    follow = follows(playback) if follow is None else follow
    if (follow or row is not None) and len(rows):
        middle = playback.path_of_subject[rows]
        cloud = cloud - middle[:, None] + middle[len(middle) // 2]
    seen = cloud[np.isfinite(cloud).all(-1)]
    azimuth, elevation = _TURNS[view]
    if not len(seen):
        return ViewCamera(ground.origin + 900 * ground.up, ground.axes, azimuth, elevation)
    seen = np.concatenate([seen, ground.below(seen)])
    seen = seen[:: max(1, len(seen) // _MOST_FRAMED)]
    low, high = np.quantile(seen, (0.005, 0.995), axis=0)
    wild = (seen < low - 0.25 * playback.size_mm) | (seen > high + 0.25 * playback.size_mm)
    seen = seen[~wild.any(1)]
    camera = ViewCamera((seen.min(0) + seen.max(0)) / 2, ground.axes, azimuth, elevation, 1.0)
    pose = camera.cam_from_world[:3, :3]
    half = np.tan(np.radians(_FIELD_DEG) / 2) / _MARGIN
    across = np.array([half * max(aspect, 1.0), half * max(1 / aspect, 1.0)])
    for _ in range(3):  # move so that the margins are equal on both sides, as nearer points spread wider
        at = (seen - camera.target) @ pose.T
        distance = max(float((np.abs(at[:, :2]) / across - at[:, 2:]).max()), 50.0)
        on = at[:, :2] / (at[:, 2:] + distance)
        shift = (on.min(0) + on.max(0)) / 2 * distance
        camera = replace(camera, target=camera.target + shift @ pose[:2], distance_mm=distance)
    return camera


def follows(playback: Playback) -> bool:
    """Tell whether a view should follow the subject, whose motion is much longer than it is tall."""
    path = playback.path_of_subject
    return len(path) > 0 and bool(np.linalg.norm(np.ptp(path, axis=0)) > _LONG * playback.size_mm)
