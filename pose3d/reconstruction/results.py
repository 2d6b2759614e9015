"""What reconstruction makes of detections: run by run, and of a whole recording."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pose3d.data import Keypoints3D, PosteriorSamples
from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.reconstruction.refinement.motion import Motion

__all__ = ["Learnt", "Reconstruction", "Run", "ViewSettings"]


@dataclass(frozen=True)
class ViewSettings:
    """Which detections count, and how much; see :func:`~pose3d.reconstruction.triangulate`.

    Attributes
    ----------
    score_threshold : float
    weighted : bool
        Weight views by their scores, as far as these turn out to tell how exact the views are.
    min_cameras : int
        Views that make a point an observed one.
    max_error_px : float, optional
    pairs : sequence of (str, str)
        Left and right keypoints: views that show them exchanged are found and repaired.
    """

    score_threshold: float = 0.05
    weighted: bool = True
    min_cameras: int = 2
    max_error_px: float | None = None
    pairs: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, eq=False)
class Learnt:
    """What was found out about a recording before its frames are worked through.

    Attributes
    ----------
    motion : Motion
    score_power : float
        The precision of a detection goes with its score to this power; 0 where scores say nothing.
    mean_weight : float
        Of the detections that count.
    cameras : tuple of str
    tracks : tuple of str
        Keypoints, of each individual in turn.
    cell_mm : float
        Over which the cameras' own uncertainty counts as the same.
    """

    motion: Motion
    score_power: float
    mean_weight: float
    cameras: tuple[str, ...]
    tracks: tuple[str, ...]
    cell_mm: float

    def lines(self) -> list[str]:
        """Return what was learnt, for people."""
        noise = ", ".join(f"{name} {px:.2f}" for name, px in zip(self.cameras, self.motion.noise.noise_px, strict=True))
        out = [f"noise of the detections, px: {noise}"]
        if self.score_power:
            out.append(f"precision of a detection goes with its score to the power of {self.score_power:.1f}")
        limbs = self.motion.limbs
        if len(limbs.ends):
            varying = 100 * float(np.median(limbs.sd_mm / limbs.length_mm))
            out.append(f"{len(limbs.ends)} limbs, whose lengths vary by {varying:.1f} % (median)")
        return out


@dataclass(frozen=True, eq=False)
class Run:
    """A refined run of frames.

    Attributes
    ----------
    points : Keypoints3D
        With covariance and status.
    used : (n_frames, n_cameras, n_individuals, n_keypoints) bool array
        Views behind the points.
    residual_px : (n_frames, n_cameras, n_individuals, n_keypoints) array, px
        Reprojection error of every view that counts; NaN where there is no view or no point.
    converged : bool
    swapped : (n_frames, n_cameras, n_individuals, n_pairs) bool array
        Views whose left and right were exchanged, and are repaired here.
    samples : (n_frames, n_samples, n_individuals, n_keypoints, 3) array, mm, optional
        Of the joint posterior.
    """

    points: Keypoints3D
    used: BoolArray
    residual_px: FloatArray
    converged: bool
    swapped: BoolArray
    samples: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """A whole recording, refined.

    Attributes
    ----------
    points : Keypoints3D
    cameras : tuple of str
    used : (n_frames, n_cameras, n_individuals, n_keypoints) bool array
    residual_px : (n_frames, n_cameras, n_individuals, n_keypoints) array, px
    swapped : (n_frames, n_cameras, n_individuals, n_pairs) bool array
    learnt : Learnt
    samples : PosteriorSamples, optional
        Where the settings ask for them.
    """

    points: Keypoints3D
    cameras: tuple[str, ...]
    used: BoolArray
    residual_px: FloatArray
    swapped: BoolArray
    learnt: Learnt
    samples: PosteriorSamples | None = None
