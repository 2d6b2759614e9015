"""What is known of a recording beside its points: where they come from, and how well they were seen."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pose3d.data.keypoints import Keypoints3D, Status
from pose3d.geometry.arrays import FloatArray, frozen_array

__all__ = ["PointCoverage", "RecordingFacts", "measure_coverage"]


@dataclass(frozen=True, eq=False)
class PointCoverage:
    """How well each keypoint of one individual was seen.

    Attributes
    ----------
    keypoints : tuple of str
    observed, filled, missing : (n_keypoints,) array, 0..1
        Shares of the frames.
    n_cameras : (n_keypoints,) array
        Mean number of views of the frames in which a point was observed; NaN where the file does not say.
    error_px : (n_keypoints,) array, px
        Median distance of reprojected points from their views; NaN where the file does not say.
    sd_mm : (n_keypoints,) array, mm
        Median standard deviation of a point in space (root of the trace of its covariance); NaN where not known.
    """

    keypoints: tuple[str, ...]
    observed: FloatArray
    filled: FloatArray
    missing: FloatArray
    n_cameras: FloatArray
    error_px: FloatArray
    sd_mm: FloatArray

    def __post_init__(self) -> None:
        for name in ("observed", "filled", "missing", "n_cameras", "error_px", "sd_mm"):
            values = frozen_array(getattr(self, name), shape=(len(self.keypoints),), what=name)
            object.__setattr__(self, name, values)


@dataclass(frozen=True)
class RecordingFacts:
    """Where the numbers of a recording come from.

    Attributes
    ----------
    name : str
    file : str
        File of the points.
    sha256 : str
    n_frames : int
    fps : float
        Frames per second.
    coverage : PointCoverage
    angles : str
        How joint angles were made, for people.
    events : str
        Where the events come from, for people.
    intervals : str
        What the intervals are made from, for people; empty where there are none.
    remarks : tuple of str
        What else changed a number.
    edits : tuple of str
        What a person corrected, one by one, for people.
    """

    name: str
    file: str
    sha256: str
    n_frames: int
    fps: float
    coverage: PointCoverage
    angles: str
    events: str
    intervals: str = ""
    remarks: tuple[str, ...] = ()
    edits: tuple[str, ...] = ()

    @property
    def duration_s(self) -> float:
        """Length of the recording, s."""
        return self.n_frames / self.fps


def measure_coverage(points: Keypoints3D, individual: int = 0) -> PointCoverage:
    """Tell how well each keypoint of an individual was seen.

    Parameters
    ----------
    points : Keypoints3D
    individual : int
    """
    status = points.status[:, individual]
    observed = status == Status.OBSERVED
    n = max(len(status), 1)
    views = points.n_cameras[:, individual].astype(np.float64)
    views[~observed | (views <= 0)] = np.nan
    sd = np.full(status.shape, np.nan)
    if points.covariance is not None:
        with np.errstate(invalid="ignore"):
            sd = np.sqrt(np.trace(points.covariance[:, individual], axis1=-2, axis2=-1))
    error = np.where(observed & (views > 0), points.error[:, individual], np.nan)
    return PointCoverage(
        points.keypoints,
        observed.sum(0) / n,
        (status == Status.FILLED).sum(0) / n,
        (status == Status.MISSING).sum(0) / n,
        _known(np.nanmean, views),
        _known(np.nanmedian, error),
        _known(np.nanmedian, sd),
    )


def _known(reduce: Callable[..., FloatArray], values: FloatArray) -> FloatArray:
    """Apply a mean over the frames to columns; NaN where nothing is known."""
    found = np.full(values.shape[1], np.nan)
    seen = np.isfinite(values).any(0)
    found[seen] = reduce(values[:, seen], axis=0)
    return found
