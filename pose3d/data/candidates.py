"""Several places per keypoint and view, of which at most one is right: what a network was torn between."""

from dataclasses import dataclass

import numpy as np

from pose3d.data.keypoints import Keypoints2D
from pose3d.data.names import different_names, recording_summary
from pose3d.geometry.arrays import FloatArray, frozen_array

__all__ = ["Candidates2D"]


@dataclass(frozen=True, eq=False, repr=False)
class Candidates2D:
    """Candidate peaks of keypoints in the images of several cameras.

    Attributes
    ----------
    xy : (n_frames, n_cameras, n_individuals, n_keypoints, n_peaks, 2) array, px
        NaN in both coordinates where there is no such peak. The order of peaks means nothing.
    score : (n_frames, n_cameras, n_individuals, n_keypoints, n_peaks) array, 0..1
        NaN where there is no peak.
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
        xy = np.array(self.xy, dtype=np.float64)
        score = np.array(self.score, dtype=np.float64)
        shape = (None, len(self.cameras), len(self.individuals), len(self.keypoints), None)
        frozen_array(xy[..., 0], shape=shape, what="xy[..., 0] (frame, camera, individual, keypoint, peak)")
        if xy.shape[-1] != 2 or score.shape != xy.shape[:-1] or score.shape[-1] < 1:
            raise ValueError(f"xy {xy.shape} and score {score.shape} do not fit")
        absent = ~np.isfinite(xy).all(-1)
        xy[absent] = np.nan
        score[absent] = np.nan
        put(self, "xy", frozen_array(xy, shape=xy.shape, what="xy"))
        put(self, "score", frozen_array(score, shape=score.shape, what="score"))

    def __repr__(self) -> str:
        nouns = {"camera": self.cameras, "individual": self.individuals, "keypoint": self.keypoints}
        best = self.best()
        return f"Candidates2D(up to {self.n_peaks} peaks; {recording_summary(best.xy[..., 0], nouns, self.fps)})"

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return int(self.xy.shape[0])

    @property
    def n_peaks(self) -> int:
        """Number of peaks that there is room for per keypoint and view."""
        return int(self.xy.shape[4])

    def best(self) -> Keypoints2D:
        """Take the peak with the highest score, as a network without candidates does.

        Of equal scores the first peak counts; a peak without a score loses to one with any.
        """
        score = np.where(np.isnan(self.score), -1.0, self.score)
        score[np.isnan(self.xy[..., 0])] = -np.inf
        first = score.argmax(-1)[..., None]
        xy = np.take_along_axis(self.xy, first[..., None], axis=-2)[..., 0, :]
        score = np.take_along_axis(self.score, first, axis=-1)[..., 0]
        return Keypoints2D(xy, score, self.cameras, self.individuals, self.keypoints, self.fps, self.start)
