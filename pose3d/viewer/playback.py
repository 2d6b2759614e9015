"""All that is looked at of one recording, and what follows from it: where the data is weak, and how much."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from pose3d.data import JointAngles, Keypoints2D, Keypoints3D, PosteriorSamples, Rig, Skeleton
from pose3d.data.events import LimbEvents
from pose3d.data.norms import Norms
from pose3d.data.timing import FrameTimes, Timing
from pose3d.errors import DataError
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.viewer.anatomy import edges_of, sides_of
from pose3d.viewer.ground import Ground, find_ground
from pose3d.viewer.optics import to_image
from pose3d.viewer.trust import Stretch, expected_error, find_bad_frames, frame_shares, heat_of

__all__ = ["Playback"]

USUAL_FPS = 30.0
_AT_ONCE = 4096  # frames: memory stays small whatever the recording's length


@dataclass(frozen=True, eq=False, repr=False)
class Playback:
    """One recording with all that is shown of it; everything but the points may be absent.

    A *row* counts from 0 through the arrays; the *frame* of the recording is ``points.start + row``.

    Attributes
    ----------
    name : str
    points : Keypoints3D
        Refined.
    raw : Keypoints3D or None
        Of single frames, before refinement; the same rows.
    skeleton : Skeleton
        Of exactly the points' keypoints.
    rig : Rig or None
    views : Keypoints2D or None
        Detections; row for row those of the points, whatever the cameras' offsets.
    videos : mapping of camera to Path
    offsets : mapping of camera to float, frames
        Frame f of the recording is frame ``f + offset`` of the camera's video.
    angles : JointAngles or None
        Row for row those of the points; with intervals where they are known.
    angle_keypoints : mapping of str to tuple of str
        The keypoints of angles that are defined by three points, first to last.
    events : LimbEvents or None
    norms : Norms or None
    samples : PosteriorSamples or None
    remarks : tuple of str
        What is missing or does not fit, in words.
    timing : Timing, FrameTimes or None
        Where offsets alone do not tell when each camera saw what.
    path : Path or None
        The points' file.
    """

    name: str
    points: Keypoints3D
    skeleton: Skeleton
    raw: Keypoints3D | None = None
    rig: Rig | None = None
    views: Keypoints2D | None = None
    videos: Mapping[str, Path] = field(default_factory=dict)
    offsets: Mapping[str, float] = field(default_factory=dict)
    angles: JointAngles | None = None
    angle_keypoints: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    events: LimbEvents | None = None
    norms: Norms | None = None
    samples: PosteriorSamples | None = None
    remarks: tuple[str, ...] = ()
    timing: Timing | FrameTimes | None = None
    path: Path | None = None

    def __post_init__(self) -> None:
        put = object.__setattr__
        for name in ("videos", "offsets", "angle_keypoints"):
            put(self, name, MappingProxyType(dict(getattr(self, name))))
        put(self, "remarks", tuple(self.remarks))
        if self.skeleton.keypoints != self.points.keypoints:
            raise ValueError("the skeleton must have exactly the points' keypoints")
        for name in ("raw", "views", "angles"):
            other = getattr(self, name)
            if other is not None and other.n_frames != self.points.n_frames:
                raise ValueError(f"{name}: {other.n_frames} frames, the points have {self.points.n_frames}")

    def __getstate__(self) -> dict[str, object]:
        """Return what goes to another process: all but what is made anew there."""
        kept = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        return {name: dict(value) if isinstance(value, MappingProxyType) else value for name, value in kept.items()}

    def __repr__(self) -> str:
        return f"Playback({self.name}, {self.points!r}, {len(self.videos)} videos)"

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return self.points.n_frames

    @property
    def fps(self) -> float:
        """Frames per second; 30 where nobody knows, which `remarks` then says."""
        return self.points.fps or USUAL_FPS

    @property
    def duration_s(self) -> float:
        """Length, s."""
        return self.n_frames / self.fps

    @property
    def cameras(self) -> tuple[str, ...]:
        """Every camera of which there is a calibration, a video or detections, in that order."""
        views = () if self.views is None else self.views.cameras
        rig = () if self.rig is None else self.rig.names
        return tuple(dict.fromkeys([*rig, *self.videos, *views]))

    @cached_property
    def edges(self) -> IntArray:
        """(n_edges, 2) indices of keypoints."""
        return edges_of(self.skeleton)

    @cached_property
    def sides(self) -> IntArray:
        """(n_keypoints,): 0 neither, 1 left, 2 right."""
        return sides_of(self.skeleton)

    @cached_property
    def ground(self) -> Ground:
        """The floor, and which way is up and forward."""
        return find_ground(self.points, self.skeleton, self.rig)

    @cached_property
    def size_mm(self) -> float:
        """How large the subject is: the median over frames of the longest side of the box about one individual."""
        xyz = self.points.xyz[:: max(1, self.n_frames // 1000)]
        high = np.where(np.isfinite(xyz), xyz, -np.inf).max(2, initial=-np.inf)
        low = np.where(np.isfinite(xyz), xyz, np.inf).min(2, initial=np.inf)
        sizes = (high - low)[np.isfinite(high).all(-1)].max(-1, initial=0.0)
        return max(float(np.median(sizes)), 1.0) if len(sizes) else 1000.0

    @cached_property
    def path_of_subject(self) -> FloatArray:
        """(n_frames, 3) mm: the middle of all that is seen, smoothed over a second, for a view that follows."""
        if not self.n_frames:
            return np.zeros((0, 3))
        middle = np.full((self.n_frames, 3), np.nan)
        xyz = self.points.xyz.reshape(self.n_frames, -1, 3)
        known = np.isfinite(xyz[..., 0])
        rows = known.any(1)
        middle[rows] = np.nansum(xyz[rows], axis=1) / known[rows].sum(1)[:, None]
        if not rows.any():
            return np.zeros_like(middle)
        at = np.arange(self.n_frames)
        filled = np.stack([np.interp(at, at[rows], middle[rows, axis]) for axis in range(3)], axis=-1)
        half = max(1, round(self.fps / 2))
        sums = np.concatenate([np.zeros((1, 3)), np.cumsum(filled, axis=0)])
        low, high = np.maximum(at - half, 0), np.minimum(at + half + 1, self.n_frames)
        return np.asarray((sums[high] - sums[low]) / (high - low)[:, None])

    @cached_property
    def expected_error(self) -> tuple[FloatArray, str]:
        """(n_frames,) what is expected to be wrong in each frame, NaN where nothing is known; and its unit.

        Standard deviation in mm where points have a covariance, else the reprojection error in px; the median over
        the keypoints of the frame.
        """
        return expected_error(self.points)

    @cached_property
    def quality(self) -> FloatArray:
        """(n_frames,) heat from 0 (trusted) to 1 (doubtful), by percentiles of the recording; NaN without points."""
        return heat_of(self.expected_error[0])

    @cached_property
    def missing_share(self) -> FloatArray:
        """(n_frames,) share of the keypoints that are missing, of those that are seen at all in the recording."""
        return frame_shares(self.points)[0]

    @cached_property
    def filled_share(self) -> FloatArray:
        """(n_frames,) share of the keypoints that were filled between others."""
        return frame_shares(self.points)[1]

    @cached_property
    def bad_frames(self) -> tuple[Stretch, ...]:
        """Runs of rows that should be looked at, with the reason in words."""
        return find_bad_frames(self.expected_error[0], self.missing_share, self.filled_share, self.fps)

    def next_bad(self, row: int, step: int = 1) -> int | None:
        """Return the first row of the next (or with -1 the previous) stretch to look at; None where there is none."""
        firsts = np.array([stretch.first for stretch in self.bad_frames], dtype=np.int64)
        found = firsts[firsts > row] if step > 0 else firsts[firsts < row][::-1]
        return int(found[0]) if len(found) else None

    @cached_property
    def residual_px(self) -> NDArray[np.float32]:
        """(n_frames, n_cameras) px: mean distance of detections from the reprojected points, cameras of `views`.

        NaN where there is nothing to compare. Empty without detections or cameras.
        """
        if self.views is None or self.rig is None:
            return np.zeros((self.n_frames, 0), dtype=np.float32)
        out = np.full((self.n_frames, len(self.views.cameras)), np.nan, dtype=np.float32)
        for first in range(0, self.n_frames, _AT_ONCE):
            rows = slice(first, first + _AT_ONCE)
            for c, camera in enumerate(self.views.cameras):
                if camera in self.rig:
                    away = to_image(self.rig[camera], self.points.xyz[rows]) - self.views.xy[rows, c]
                    distance = np.asarray(np.hypot(away[..., 0], away[..., 1])).reshape(len(away), -1)
                    known = np.isfinite(distance)
                    with np.errstate(invalid="ignore"):
                        out[rows, c] = np.where(known, distance, 0.0).sum(1) / known.sum(1)
        return out

    @cached_property
    def centre_of_mass(self) -> FloatArray | None:
        """(n_frames, n_individuals, 3) mm; None where the keypoints do not tell."""
        from pose3d.kinematics.centre_of_mass import centre_of_mass

        named = {name: self.points.xyz[:, :, i] for i, name in enumerate(self.points.keypoints)}
        try:
            return centre_of_mass(named).xyz
        except DataError:
            return None

    def reprojected(self, camera: str, row: int) -> FloatArray:
        """Return the points of one row in a camera's image, (n_individuals, n_keypoints, 2) px; NaN where not in it."""
        if self.rig is None or camera not in self.rig:
            return np.full((*self.points.xyz.shape[1:3], 2), np.nan)
        return to_image(self.rig[camera], np.asarray(self.points.xyz[row]))

    def detected(self, camera: str, row: int) -> FloatArray:
        """Return the detections of one row, (n_individuals, n_keypoints, 2) px; NaN where there are none."""
        if self.views is None or camera not in self.views.cameras:
            return np.full((*self.points.xyz.shape[1:3], 2), np.nan)
        return np.asarray(self.views.xy[row, self.views.cameras.index(camera)])

    def video_frames(self, camera: str) -> IntArray:
        """Return which frame of a camera's video belongs to each row, (n_frames,); it may lie outside of the video."""
        instants: FloatArray = self.points.start + np.arange(self.n_frames, dtype=np.float64)
        own = instants + self.offsets.get(camera, 0.0)
        if isinstance(self.timing, Timing) and camera in self.timing.cameras:
            own = self.timing.own_frames(instants)[:, self.timing.cameras.index(camera)]
        elif isinstance(self.timing, FrameTimes) and camera in self.timing.cameras:
            times = self.timing.times_s[self.timing.cameras.index(camera)]
            known = np.flatnonzero(np.isfinite(times))
            if not len(known):
                return np.full(self.n_frames, -1, dtype=np.int64)
            at = self.timing.start_s + instants / self.timing.fps
            own = np.interp(at, times[known], known, left=-1, right=-1)
        return np.asarray(np.floor(own + 0.5), dtype=np.int64)

    def event_rows(self) -> FloatArray:
        """Return the row of each event, (n_events,); not bound to whole rows."""
        if self.events is None:
            return np.zeros(0)
        return np.asarray(self.events.time_s * self.fps - self.points.start)

    @cached_property
    def seen(self) -> BoolArray:
        """(n_frames, n_individuals) whether anything is known of an individual in a frame."""
        return np.asarray(np.isfinite(self.points.xyz[..., 0]).any(-1))
