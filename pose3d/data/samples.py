"""Joint posterior samples of a recording: whole motions, each as likely as the others after what the cameras saw."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pose3d.data.names import counted, different_names
from pose3d.geometry.arrays import FloatArray

__all__ = ["PosteriorSamples", "interval"]


@dataclass(frozen=True, eq=False, repr=False)
class PosteriorSamples:
    """Points in space, many times over: each sample is one possible motion of all points with one possible rig.

    Whatever is computed from points (a range of motion, a peak, the length of a step) is computed from every sample,
    and :func:`interval` of the results is its interval.

    Attributes
    ----------
    xyz : (n_frames, n_samples, n_individuals, n_keypoints, 3) float32 array, mm
        Missing points are NaN in all samples. Not copied: it may be a file mapped into memory.
    individuals, keypoints : tuple of str
    fps : float or None
    start : int
        Index of the first frame in the recording.
    """

    xyz: NDArray[np.float32]
    individuals: tuple[str, ...]
    keypoints: tuple[str, ...]
    fps: float | None = None
    start: int = 0

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "individuals", different_names("individuals", self.individuals))
        put(self, "keypoints", different_names("keypoints", self.keypoints))
        xyz = np.asarray(self.xyz, dtype=np.float32).view()
        xyz.setflags(write=False)
        put(self, "xyz", xyz)
        put(self, "fps", None if self.fps is None else float(self.fps))
        put(self, "start", int(self.start))
        if xyz.ndim != 5 or xyz.shape[2:] != (len(self.individuals), len(self.keypoints), 3):
            wanted = f"(any, any, {len(self.individuals)}, {len(self.keypoints)}, 3)"
            raise ValueError(f"samples: shape {wanted} expected, not {xyz.shape}")
        if self.fps is not None and not 0 < self.fps < np.inf:
            raise ValueError(f"samples: fps {self.fps} must be positive")

    def __repr__(self) -> str:
        rate = "" if self.fps is None else f" at {self.fps:g} fps"
        parts = (
            counted(self.n_samples, "sample"),
            f"{counted(self.n_frames, 'frame')}{rate}",
            counted(len(self.individuals), "individual"),
            counted(len(self.keypoints), "keypoint"),
        )
        return f"PosteriorSamples({', '.join(parts)})"

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return len(self.xyz)

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return int(self.xyz.shape[1])

    def sample(self, index: int) -> FloatArray:
        """Return one motion, (n_frames, n_individuals, n_keypoints, 3) mm."""
        return np.asarray(self.xyz[:, index], dtype=np.float64)


def interval(
    values: ArrayLike, level: float = 0.95, *, axis: int = 0, estimate: ArrayLike | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return the interval that holds the truth with a probability, from what was computed on every sample.

    Parameters
    ----------
    values : (n_samples, ...) array
        NaN in samples that have no such value; they are left out.
    level : float
    axis : int
        Along which the samples lie.
    estimate : (...) array, optional
        The same quantity computed on the points themselves. **Give it for extremes** (a peak, a range of motion): noise
        only ever makes these larger, in every sample, so that the interval of the samples lies above the truth; it is
        then reflected at the estimate.

    Returns
    -------
    low, high : (...) arrays
        The truth lies below and above with equal probability. NaN where too few samples have a value for this level:
        n samples serve up to ``(n - 1) / (n + 1)``, that is 39 for 0.95.

    Notes
    -----
    Ends are where the truth, as one more draw from the same distribution, would fall beyond with the wanted
    probability, so that few samples make wide intervals and not overconfident ones.

    References
    ----------
    Davison & Hinkley (1997), Bootstrap methods and their application, section 5.2.1 (the reflected interval);
    Hyndman & Fan (1996), Sample quantiles in statistical packages, American Statistician 50:361, definition 6.

    Examples
    --------
    >>> import numpy as np
    >>> low, high = interval(np.arange(1, 100), 0.9)
    >>> print(f"{low:.1f} {high:.1f}")
    5.0 95.0
    """
    if not 0 < level < 1:
        raise ValueError(f"level {level} must lie between 0 and 1")
    ranked = np.sort(np.moveaxis(np.asarray(values, dtype=np.float64), axis, 0), axis=0)  # NaN come last
    count = np.isfinite(ranked).sum(0)
    place = (1 - level) / 2 * (count + 1) - 1  # from 0
    place = np.where((place > -1e-9) & (count > 0), np.maximum(place, 0.0), np.nan)
    low, high = _between(ranked, place), _between(ranked, count - 1 - place)
    if estimate is None:
        return low, high
    twice = 2 * np.asarray(estimate, dtype=np.float64)
    return np.asarray(twice - high), np.asarray(twice - low)


def _between(ranked: FloatArray, place: FloatArray) -> FloatArray:
    """Interpolate sorted values (n, ...) at places (...) from 0; NaN where the place is."""
    if not len(ranked):
        return np.full(place.shape, np.nan)
    below = np.floor(np.nan_to_num(place)).astype(np.int64)
    part = place - below
    first = np.take_along_axis(ranked, below[None], axis=0)[0]
    second = np.take_along_axis(ranked, np.minimum(below + 1, len(ranked) - 1)[None], axis=0)[0]
    return np.asarray(first + np.where(part == 0, 0.0, part * (second - first)))
