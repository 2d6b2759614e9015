"""Labels that nobody made: where several views agree on a point in space, a view that missed it can learn from them."""

from dataclasses import dataclass

import numpy as np

from pose3d.data.camera import Rig
from pose3d.data.keypoints import Keypoints2D, Keypoints3D
from pose3d.data.labels import Mark
from pose3d.data.names import counted
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.labeling.outliers import spread_choice

__all__ = ["PseudoLabelSettings", "PseudoLabels", "find_pseudo_labels"]


@dataclass(frozen=True)
class PseudoLabelSettings:
    """When a point in space is believed.

    Attributes
    ----------
    min_cameras : int
        Views that agree on it.
    sure : float
        Each of them has at least this score.
    max_error_px : float
        Their mean distance to it.
    jump_share : float
        How far it may leave the line through the frames before and after, as a share of the subject's size.
    missed_px : float
        A view whose own detection lies further away, or has no score of `sure`, missed it.
    """

    min_cameras: int = 3
    sure: float = 0.6
    max_error_px: float = 4.0
    jump_share: float = 0.03
    missed_px: float = 12.0

    def __post_init__(self) -> None:
        if self.min_cameras < 2:
            raise ValueError("a point is believed of two views or more")
        if not 0 <= self.sure <= 1 or min(self.max_error_px, self.jump_share, self.missed_px) <= 0:
            raise ValueError("sure lies in 0..1; the other limits are positive")


@dataclass(frozen=True, eq=False)
class PseudoLabels:
    """Places of believed points in the images.

    Attributes
    ----------
    xy : (n_frames, n_cameras, n_individuals, n_keypoints, 2) array, px
        Reprojected points; NaN where none is believed, or it lies out of the image.
    mark : (n_frames, n_cameras, n_individuals, n_keypoints) uint8 array
        Of :class:`~pose3d.data.labels.Mark`: visible where the view found it too, occluded where it missed it,
        otherwise unlabelled: nothing is learnt from what is not known.
    believed : (n_frames, n_individuals, n_keypoints) bool array
    """

    xy: FloatArray
    mark: np.ndarray
    believed: BoolArray

    @property
    def missed(self) -> BoolArray:
        """(n_frames, n_cameras, n_individuals, n_keypoints) whether the view missed what the others agree on."""
        return np.asarray(self.mark == Mark.OCCLUDED)

    def choose(self, n: int, *, known: IntArray | tuple[int, ...] = ()) -> IntArray:
        """Choose instants in which views missed most, spread over the recording.

        Parameters
        ----------
        n : int
        known : sequence of int
            Frames that are labelled by people, counted from the first of these.

        Returns
        -------
        (m,) int array
            Ascending, counted from the first frame.
        """
        missed = self.missed.sum(axis=(1, 2, 3)).astype(np.float64)
        return np.sort(spread_choice(missed, n, known=known, least=0.5))

    def lines(self) -> tuple[str, ...]:
        """Say it to people."""
        share = 100 * float(self.believed.mean()) if self.believed.size else 0.0
        missed = counted(int(self.missed.sum()), "place")
        return (f"{share:.0f} % of the points in space are sure enough to learn from; views missed {missed} of them",)


def find_pseudo_labels(
    keypoints: Keypoints2D, points: Keypoints3D, rig: Rig, *, settings: PseudoLabelSettings | None = None
) -> PseudoLabels:
    """Project points that several views agree on into all views.

    Parameters
    ----------
    keypoints : Keypoints2D
    points : Keypoints3D
        Made from them by robust triangulation, frame by frame; neither filtered nor refined, which would fill gaps.
    rig : Rig
    settings : PseudoLabelSettings, optional

    Raises
    ------
    ValueError
        If points do not have the frames and names of the keypoints, or a camera is not in the rig.
    """
    settings = settings or PseudoLabelSettings()
    shape = keypoints.score.shape
    if points.keypoints != keypoints.keypoints or points.xyz.shape[:3] != (shape[0], *shape[2:]):
        raise ValueError("points do not have the frames, individuals and keypoints of the 2D keypoints")
    strangers = [name for name in keypoints.cameras if name not in rig]
    if strangers:
        raise ValueError(f"camera {strangers[0]} is not in the rig")
    placed = np.stack([rig[name].project(points.xyz) for name in keypoints.cameras], axis=1)
    sizes = np.array([rig[name].size for name in keypoints.cameras])[:, None, None]
    with np.errstate(invalid="ignore"):
        inside = ((placed >= 0) & (placed <= sizes - 1)).all(axis=-1)
        off = np.linalg.norm(keypoints.xy - placed, axis=-1)
        found = (off <= settings.missed_px) & (keypoints.score >= settings.sure)
        agree = (off <= 2 * settings.max_error_px) & (keypoints.score >= settings.sure)
        mean_off = np.where(agree, off, 0).sum(axis=1) / np.maximum(agree.sum(axis=1), 1)
        believed = (agree.sum(axis=1) >= settings.min_cameras) & (mean_off <= settings.max_error_px)
        believed &= _moves_smoothly(points.xyz, settings.jump_share)
    label = believed[:, None] & inside
    mark = np.where(label, np.where(found, np.uint8(Mark.VISIBLE), np.uint8(Mark.OCCLUDED)), np.uint8(Mark.UNLABELLED))
    return PseudoLabels(np.where(label[..., None], placed, np.nan), mark.astype(np.uint8), believed)


def _moves_smoothly(xyz: FloatArray, share: float) -> BoolArray:
    """Say which points lie near the line through their neighbours in time; alone, a point is neither."""
    if len(xyz) < 3:
        return np.ones(xyz.shape[:-1], dtype=bool)
    seen = np.isfinite(xyz[..., 0])
    low, high = np.where(seen[..., None], xyz, np.inf).min(axis=2), np.where(seen[..., None], xyz, -np.inf).max(axis=2)
    size = np.linalg.norm(high - low, axis=-1)
    size = np.median(size[np.isfinite(size)]) if np.isfinite(size).any() else np.inf
    out = np.ones(xyz.shape[:-1], dtype=bool)
    away = np.linalg.norm(xyz[1:-1] - (xyz[2:] + xyz[:-2]) / 2, axis=-1)
    out[1:-1] = ~(away > share * size)  # beside a gap there is no line to judge by, and the views decide
    return out
