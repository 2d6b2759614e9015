"""What speaks against single detections: a jump, a low score, a limb of impossible length, views that disagree."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pose3d.data.camera import Rig
from pose3d.data.keypoints import Keypoints2D, Keypoints3D
from pose3d.geometry.arrays import BoolArray, FloatArray

__all__ = ["REASONS", "DoubtSettings", "Doubts", "judge_detections"]

REASONS = ("views disagree", "jump", "limb length", "low score")
"""In the order in which they are told: what is most surely wrong first."""


@dataclass(frozen=True)
class DoubtSettings:
    """When a detection is doubted.

    Attributes
    ----------
    sure : float
        Scores below are low.
    disagree_share : float
        Distance to the reprojected 3D point, as a share of the subject's size in that camera's image, above which a
        view disagrees; where the camera's usual distance is large, five times that counts.
    jump_share : float
        The same for how far a keypoint leaves the line through the frames before and after.
    limb_percent : float
        How far a limb's length in space may be from its median, or five times as far as it usually is.
    weights : (float, float, float, float)
        How much each of :data:`REASONS` counts. A low score alone is often a keypoint that is rightly not found.
    """

    sure: float = 0.5
    disagree_share: float = 0.03
    jump_share: float = 0.05
    limb_percent: float = 15.0
    weights: tuple[float, float, float, float] = (1.0, 0.8, 0.6, 0.25)

    def __post_init__(self) -> None:
        if not 0 < self.sure <= 1 or min(self.disagree_share, self.jump_share, self.limb_percent) <= 0:
            raise ValueError("sure lies in (0, 1]; shares and percent are positive")
        if len(self.weights) != len(REASONS) or min(self.weights) < 0:
            raise ValueError(f"weights are one for each of {', '.join(REASONS)}, and not negative")


@dataclass(frozen=True, eq=False)
class Doubts:
    """What speaks against each detection.

    Attributes
    ----------
    by_reason : (4, n_frames, n_cameras, n_individuals, n_keypoints) float32 array, 0..1
        In the order of :data:`REASONS`, weighted.
    error_px : (n_frames, n_cameras, n_individuals, n_keypoints) array
        Distance to the reprojected point; NaN without one.
    size_px : (n_cameras,) array
        The subject's size in each camera's images.
    """

    by_reason: np.ndarray
    error_px: FloatArray
    size_px: FloatArray

    @property
    def detection(self) -> np.ndarray:
        """(n_frames, n_cameras, n_individuals, n_keypoints) float32: the strongest reason."""
        return np.asarray(self.by_reason.max(axis=0))

    @property
    def instant(self) -> FloatArray:
        """(n_frames,) sum of the squares: one that is surely wrong outweighs several that are only not found."""
        return np.asarray((self.detection**2).sum(axis=(1, 2, 3), dtype=np.float64))


def judge_detections(
    keypoints: Keypoints2D,
    *,
    points: Keypoints3D | None = None,
    rig: Rig | None = None,
    edges: Sequence[tuple[str, str]] = (),
    settings: DoubtSettings | None = None,
) -> Doubts:
    """Find what speaks against detections.

    Parameters
    ----------
    keypoints : Keypoints2D
    points : Keypoints3D, optional
        Made from them by robust triangulation, frame by frame. Needs `rig`.
    rig : Rig, optional
    edges : sequence of (str, str)
        Limbs; those with unknown keypoints are left out.
    settings : DoubtSettings, optional

    Raises
    ------
    ValueError
        If points do not have the frames and names of the keypoints, or `rig` is missing.
    """
    settings = settings or DoubtSettings()
    names = keypoints.keypoints
    links = [(names.index(a), names.index(b)) for a, b in edges if a in names and b in names]
    xy, score = keypoints.xy, np.where(np.isfinite(keypoints.xy[..., 0]), keypoints.score, 0.0)
    score = np.where(np.isnan(score), 1.0, score)  # placed, and the program gives no scores
    sure = score >= settings.sure
    size = _subject_size(xy, sure)
    doubts = np.zeros((len(REASONS), *score.shape), dtype=np.float32)
    error = np.full(score.shape, np.nan)
    scale = size[:, None, None]
    if points is not None:
        error = _reprojection_error(keypoints, points, rig)
        usual = _median(np.where(sure, error, np.nan), axis=(0, 2, 3))[None, :, None, None]
        limit = np.fmax(settings.disagree_share * scale, 5 * usual)
        doubts[0] = np.where(sure, _ramp(error / limit), 0)
        # Several views are sure, and no point lies where they are: at least one of them is wrong.
        lost = np.isnan(points.xyz[..., 0])[:, None] & sure & (sure.sum(axis=1, keepdims=True) >= 2)
        known = np.array([name in rig for name in keypoints.cameras]) if rig is not None else np.zeros(len(size), bool)
        doubts[0][lost & known[:, None, None]] = 1
    doubts[1] = np.where(sure, _jump(xy, scale, settings), 0)
    if links:
        doubts[2] = np.where(sure, _limb_doubt(xy, points, links, scale, settings), 0)
    ever = sure.any(axis=0, keepdims=True)  # what a camera never shows is not missed
    doubts[3] = np.where(ever, np.clip((settings.sure - score) / settings.sure, 0, 1), 0)
    doubts *= np.array(settings.weights, dtype=np.float32)[:, None, None, None, None]
    return Doubts(np.nan_to_num(doubts), error, size)


def _ramp(ratio: FloatArray) -> FloatArray:
    """Return 0 up to 1, and 1 from 3."""
    return np.clip((np.nan_to_num(ratio) - 1) / 2, 0, 1)


def _median(values: FloatArray, axis: tuple[int, ...]) -> FloatArray:
    return _quantile(values, 0.5, axis)


def _quantile(values: FloatArray, share: float, axis: tuple[int, ...]) -> FloatArray:
    """Return the value that a share of the finite ones do not exceed; NaN where there is none, without a warning."""
    kept = [i for i in range(values.ndim) if i not in axis]
    flat = np.moveaxis(values, kept, range(len(kept))).reshape(*(values.shape[i] for i in kept), -1)
    n = np.isfinite(flat).sum(axis=-1)
    if not flat.shape[-1]:
        return np.full(n.shape, np.nan)
    index = np.ceil(share * n).astype(np.int64) - 1
    ordered = np.sort(flat, axis=-1)  # NaN comes last
    return np.where(n > 0, np.take_along_axis(ordered, np.maximum(index, 0)[..., None], axis=-1)[..., 0], np.nan)


def _subject_size(xy: FloatArray, sure: BoolArray) -> FloatArray:
    """Return the median diagonal of the box around sure keypoints, (n_cameras,); NaN where there is none."""
    placed = sure[..., None]
    low, high = np.where(placed, xy, np.inf).min(axis=3), np.where(placed, xy, -np.inf).max(axis=3)
    several = sure.sum(axis=3) >= 2
    with np.errstate(invalid="ignore"):
        diagonal = np.where(several, np.hypot(*np.moveaxis(high - low, -1, 0)), np.nan)
    return np.asarray(_median(diagonal, axis=(0, 2)))


def _reprojection_error(keypoints: Keypoints2D, points: Keypoints3D, rig: Rig | None) -> FloatArray:
    if rig is None:
        raise ValueError("points need the rig that they are seen with")
    if points.keypoints != keypoints.keypoints or points.xyz.shape[:2] != (
        keypoints.n_frames,
        len(keypoints.individuals),
    ):
        raise ValueError("points do not have the frames, individuals and keypoints of the 2D keypoints")
    error = np.full(keypoints.score.shape, np.nan)
    for column, name in enumerate(keypoints.cameras):
        if name in rig:
            error[:, column] = np.linalg.norm(keypoints.xy[:, column] - rig[name].project(points.xyz), axis=-1)
    return error


def _jump(xy: FloatArray, scale: FloatArray, settings: DoubtSettings) -> FloatArray:
    """Judge how far keypoints leave the line through their neighbours in time."""
    off = np.full(xy.shape[:-1], np.nan)
    if len(xy) > 2:
        off[1:-1] = np.linalg.norm(xy[1:-1] - (xy[2:] + xy[:-2]) / 2, axis=-1)
    usual = _median(off, axis=(0,))
    return _ramp(off / np.fmax(settings.jump_share * scale, 8 * usual))


def _limb_doubt(
    xy: FloatArray,
    points: Keypoints3D | None,
    links: Sequence[tuple[int, int]],
    scale: FloatArray,
    settings: DoubtSettings,
) -> FloatArray:
    """Judge lengths: in space against the median; in images, where limbs are foreshortened, only what is too long."""
    first, second = (np.array(ends) for ends in zip(*links, strict=True))
    out = np.zeros(xy.shape[:-1])
    if points is not None:
        length = np.linalg.norm(points.xyz[:, :, first] - points.xyz[:, :, second], axis=-1)
        usual = _median(length, axis=(0,))
        with np.errstate(divide="ignore", invalid="ignore"):
            off = np.abs(length / usual - 1)
            wrong = _ramp(off / np.fmax(settings.limb_percent / 100, 5 * _median(off, axis=(0,))))[:, None]
    else:
        length = np.linalg.norm(xy[..., first, :] - xy[..., second, :], axis=-1)
        longest = _quantile(length, 0.95, axis=(0,))
        wrong = _ramp((length - longest) / np.fmax(0.25 * longest, 0.05 * scale))
    wrong = np.broadcast_to(wrong, (*out.shape[:-1], len(first)))
    for column, ends in enumerate(zip(first, second, strict=True)):
        for end in ends:
            np.maximum(out[..., end], wrong[..., column], out=out[..., end])
    return out
