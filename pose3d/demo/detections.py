"""2D keypoints as a network would give them, from the known motion: noise, gross errors, gaps and scores."""

import numpy as np

from pose3d.data.camera import Rig
from pose3d.data.keypoints import Keypoints2D
from pose3d.data.skeleton import Skeleton
from pose3d.demo.board import inside_image
from pose3d.geometry.arrays import FloatArray

__all__ = ["simulate_detections"]

_SIGMA_PX = 1.0
_MEMORY = 0.7  # correlation of the slow part of the noise from frame to frame
_OUTLIERS = 0.035
_SWAPS = 0.006
_GAPS = 0.03


def _runs(shape: tuple[int, ...], share: float, mean_length: float, rng: np.random.Generator) -> np.ndarray:
    """Return a bool array whose true runs along the first axis last `mean_length` on average and cover `share`."""
    leave = 1 / mean_length
    enter = leave * share / (1 - share)
    draws = rng.random(shape)
    out = np.zeros(shape, dtype=bool)
    state = rng.random(shape[1:]) < share
    for i in range(shape[0]):
        state = np.where(state, draws[i] > leave, draws[i] < enter)
        out[i] = state
    return out


def simulate_detections(
    points: FloatArray, rig: Rig, skeleton: Skeleton, *, fps: float, rng: np.random.Generator
) -> Keypoints2D:
    """Simulate what a 2D network would see of one person.

    Noise of about 1 px, half of it lasting several frames; 3.5 % gross errors of 20-150 px, and short exchanges of left
    and right; 3 % gaps. Scores are lower where a point is wrong, but a third of the wrong ones look good.

    Parameters
    ----------
    points : (n_frames, n_keypoints, 3) array, mm
    rig : Rig
    skeleton : Skeleton
        Of the points.
    fps : float
    rng : numpy Generator

    Returns
    -------
    Keypoints2D
        NaN outside the images and in gaps.
    """
    n, _, _ = points.shape
    xy = rig.project(points).swapaxes(1, 2)  # frame, camera, keypoint, 2
    seen = np.stack([inside_image(camera, points) for camera in rig], axis=1)
    shape = seen.shape
    own = rng.uniform(0.7, 1.3, shape[1:])[..., None] * _SIGMA_PX  # some points are harder, per camera
    slow = rng.normal(size=(*shape, 2))
    for i in range(1, n):
        slow[i] = _MEMORY * slow[i - 1] + np.sqrt(1 - _MEMORY**2) * slow[i]
    noisy = xy + own * (0.7 * slow + 0.7 * rng.normal(size=slow.shape))

    swapped = np.zeros(shape, dtype=bool)
    names = list(skeleton.keypoints)
    for left, right in skeleton.pairs:
        a, b = names.index(left), names.index(right)
        swap = _runs(shape[:2], _SWAPS, 2.5, rng)
        noisy[..., a, :], noisy[..., b, :] = (
            np.where(swap[..., None], noisy[..., b, :], noisy[..., a, :]),
            np.where(swap[..., None], noisy[..., a, :], noisy[..., b, :]),
        )
        swapped[..., a] |= swap
        swapped[..., b] |= swap

    gross = _runs(shape, _OUTLIERS, 2.0, rng)
    angle, size = rng.uniform(0, 2 * np.pi, shape), rng.uniform(20, 150, shape)
    noisy += np.where(gross, size, 0)[..., None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)

    score = rng.beta(14, 1.6, shape)
    wrong = gross | swapped
    doubtful = wrong & (rng.random(shape) < 0.65)
    score = np.where(doubtful, rng.beta(2.2, 4.5, shape), score)
    score = np.where(~wrong & (rng.random(shape) < 0.03), rng.uniform(0.2, 0.7, shape), score)

    absent = ~seen | _runs(shape, _GAPS, 4.0, rng)
    noisy[absent] = np.nan
    score[absent] = np.nan
    return Keypoints2D(noisy[:, :, None], score[:, :, None], rig.names, ("person",), skeleton.keypoints, fps=fps)
