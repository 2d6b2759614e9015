"""Keypoints in images and in space. Axes: frame, camera, individual, keypoint, space; always present."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pose3d.data.names import different_names, recording_summary
from pose3d.geometry.arrays import FloatArray, IntArray, frozen_array

__all__ = ["Keypoints2D", "Keypoints3D", "Status", "frames_to_observed"]


class Status(IntEnum):
    """Where a 3D point comes from."""

    MISSING = 0
    OBSERVED = 1
    FILLED = 2


@dataclass(frozen=True, eq=False, repr=False)
class Keypoints2D:
    """Keypoints of one recording in the images of its cameras.

    Attributes
    ----------
    xy : (n_frames, n_cameras, n_individuals, n_keypoints, 2) array, px
        NaN in both coordinates where a keypoint is absent. A low score is no absence.
    score : (n_frames, n_cameras, n_individuals, n_keypoints) array, 0..1
        NaN where absent.
    cameras, individuals, keypoints : tuple of str
    fps : float, optional
    start : int
        Index of the first frame in its video.
    """

    xy: FloatArray
    score: FloatArray
    cameras: tuple[str, ...]
    individuals: tuple[str, ...]
    keypoints: tuple[str, ...]
    fps: float | None = None
    start: int = 0

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "cameras", different_names("cameras", self.cameras))
        put(self, "individuals", different_names("individuals", self.individuals))
        put(self, "keypoints", different_names("keypoints", self.keypoints))
        shape = (None, len(self.cameras), len(self.individuals), len(self.keypoints))
        xy = np.array(self.xy, dtype=np.float64)
        score = np.array(self.score, dtype=np.float64)
        frozen_array(xy[..., :1], shape=(*shape, 1), what="xy (frame, camera, individual, keypoint, 2)")
        if xy.shape[-1] != 2 or score.shape != xy.shape[:-1]:
            raise ValueError(f"xy {xy.shape} and score {score.shape} do not fit")
        absent = ~np.isfinite(xy).all(-1)
        xy[absent] = np.nan
        score[absent] = np.nan
        put(self, "xy", frozen_array(xy, shape=(*shape, 2), what="xy"))
        put(self, "score", frozen_array(score, shape=shape, what="score"))

    def __repr__(self) -> str:
        nouns = {"camera": self.cameras, "individual": self.individuals, "keypoint": self.keypoints}
        return f"Keypoints2D({recording_summary(self.xy[..., 0], nouns, self.fps)})"

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return int(self.xy.shape[0])

    def frames(self, first: int, last: int) -> "Keypoints2D":
        """Return a run of frames, from `first` to before `last`, counted from 0, without a copy of the whole."""
        return replace(self, xy=self.xy[first:last], score=self.score[first:last], start=self.start + first)

    def select(self, cameras: Sequence[str]) -> "Keypoints2D":
        """Return the named cameras, in that order.

        Raises
        ------
        KeyError
            If there is no such camera.
        """
        strangers = [name for name in cameras if name not in self.cameras]
        if strangers:
            raise KeyError(f"no camera {strangers[0]!r}; there are {', '.join(self.cameras)}")
        index = [self.cameras.index(name) for name in cameras]
        return replace(self, xy=self.xy[:, index], score=self.score[:, index], cameras=tuple(cameras))


@dataclass(frozen=True, eq=False, repr=False)
class Keypoints3D:
    """Keypoints of one recording in space.

    Attributes
    ----------
    xyz : (n_frames, n_individuals, n_keypoints, 3) array, mm
        NaN where missing.
    error : (n_frames, n_individuals, n_keypoints) array, px
        Mean distance between the reprojected point and the views that made it.
    n_cameras : (n_frames, n_individuals, n_keypoints) int array
        Views that made the point.
    score : (n_frames, n_individuals, n_keypoints) array, 0..1
        Least score among those views.
    status : (n_frames, n_individuals, n_keypoints) uint8 array
        Of :class:`Status`.
    individuals, keypoints : tuple of str
    covariance : (n_frames, n_individuals, n_keypoints, 3, 3) array, mm^2, optional
    fps : float, optional
    start : int
    """

    xyz: FloatArray
    error: FloatArray
    n_cameras: IntArray
    score: FloatArray
    status: NDArray[np.uint8]
    individuals: tuple[str, ...]
    keypoints: tuple[str, ...]
    covariance: FloatArray | None = None
    fps: float | None = None
    start: int = 0

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "individuals", different_names("individuals", self.individuals))
        put(self, "keypoints", different_names("keypoints", self.keypoints))
        points = (None, len(self.individuals), len(self.keypoints))
        xyz = np.array(self.xyz, dtype=np.float64)
        if xyz.ndim == 4:
            xyz[~np.isfinite(xyz).all(-1)] = np.nan
        put(self, "xyz", frozen_array(xyz, shape=(*points, 3), what="xyz (frame, individual, keypoint, 3)"))
        points = self.xyz.shape[:-1]
        put(self, "error", frozen_array(self.error, shape=points, what="error"))
        put(self, "n_cameras", frozen_array(self.n_cameras, shape=points, what="n_cameras", dtype=np.int64))
        put(self, "score", frozen_array(self.score, shape=points, what="score"))
        status = np.array(self.status, dtype=np.uint8)
        if status.shape == points:
            status[np.isnan(self.xyz[..., 0])] = Status.MISSING
        put(self, "status", frozen_array(status, shape=points, what="status", dtype=np.uint8))
        if self.covariance is not None:
            put(self, "covariance", frozen_array(self.covariance, shape=(*points, 3, 3), what="covariance"))

    @classmethod
    def from_points(
        cls,
        xyz: ArrayLike,
        keypoints: Sequence[str],
        individuals: Sequence[str],
        *,
        fps: float | None = None,
        start: int = 0,
    ) -> "Keypoints3D":
        """Make points of which nothing is known but where they are, such as markers.

        Parameters
        ----------
        xyz : (n_frames, n_individuals, n_keypoints, 3) array, mm
        keypoints, individuals : sequence of str
        fps : float, optional
        start : int
        """
        xyz = np.asarray(xyz, dtype=np.float64)
        unknown = np.full(xyz.shape[:-1], np.nan)
        none = np.zeros(unknown.shape, dtype=np.int64)
        seen = np.full(unknown.shape, Status.OBSERVED, dtype=np.uint8)
        return cls(xyz, unknown, none, unknown, seen, tuple(individuals), tuple(keypoints), fps=fps, start=start)

    def __repr__(self) -> str:
        nouns = {"individual": self.individuals, "keypoint": self.keypoints}
        return f"Keypoints3D({recording_summary(self.xyz[..., 0], nouns, self.fps)})"

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return int(self.xyz.shape[0])

    @property
    def frames_from_data(self) -> FloatArray:
        """How far each point is from data: frames to the nearest one in which its keypoint was observed.

        An (n_frames, n_individuals, n_keypoints) array: 0 where observed, NaN where missing, infinite where the
        keypoint is observed in no frame.
        """
        return frames_to_observed(self.status)


def frames_to_observed(
    status: NDArray[np.uint8], *, before: FloatArray | None = None, after: FloatArray | None = None
) -> FloatArray:
    """Count the frames from each point to the nearest one in which its keypoint was observed.

    Parameters
    ----------
    status : (n_frames, ...) uint8 array
        Of :class:`Status`.
    before, after : (...) array, optional
        Where this is a part of a recording: how many frames before its first frame, and after its last, each keypoint
        was observed. Infinite where it never was, which is also what is taken where none is given.

    Returns
    -------
    (n_frames, ...) array
        0 where observed, NaN where missing, infinite where there is no data at all.

    Examples
    --------
    >>> frames_to_observed(np.array([2, 1, 2, 2, 0], dtype=np.uint8)).tolist()
    [1.0, 0.0, 1.0, 2.0, nan]
    """
    status = np.asarray(status)
    observed = status == Status.OBSERVED
    index = np.arange(len(status), dtype=np.float64).reshape(-1, *[1] * (status.ndim - 1))
    earlier, later = np.where(observed, index, -np.inf), np.where(observed, index, np.inf)
    if len(status):
        if before is not None:
            earlier[0] = np.maximum(earlier[0], -before)
        if after is not None:
            later[-1] = np.minimum(later[-1], len(status) - 1 + after)
    earlier, later = np.maximum.accumulate(earlier), np.minimum.accumulate(later[::-1])[::-1]
    frames: FloatArray = np.minimum(index - earlier, later - index)
    frames[status == Status.MISSING] = np.nan
    return frames
