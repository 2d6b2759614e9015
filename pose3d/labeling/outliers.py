"""Which instants of an analysed recording are worth labelling next: those in which the network is probably wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pose3d.data.camera import Rig
from pose3d.data.keypoints import Keypoints2D, Keypoints3D
from pose3d.data.names import counted
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.labeling.doubts import REASONS, Doubts, DoubtSettings, judge_detections
from pose3d.labeling.queue import QueueItem

__all__ = ["Outliers", "find_outliers", "spread_choice"]

_LEAST = 0.1  # of doubt, for an instant to be worth anyone's time


@dataclass(frozen=True, eq=False)
class Outliers:
    """Instants worth labelling, the worst first.

    Attributes
    ----------
    frames : (n,) int array
        In frames of the recording: :attr:`Keypoints2D.start` is counted in.
    score : (n,) array
        How much is in doubt, see :attr:`pose3d.labeling.doubts.Doubts.instant`.
    reasons : tuple of str
        Why, in words.
    doubt : (n_frames,) array
        The score of every frame.
    n_wanted : int
    """

    frames: IntArray
    score: FloatArray
    reasons: tuple[str, ...]
    doubt: FloatArray
    n_wanted: int

    def __len__(self) -> int:
        return len(self.frames)

    def items(self, recording: str) -> tuple[QueueItem, ...]:
        """Return what the labelling page shows first.

        Parameters
        ----------
        recording : str
            ``monday/walk``.
        """
        return tuple(
            QueueItem(recording, int(frame), float(score), reason)
            for frame, score, reason in zip(self.frames, self.score, self.reasons, strict=True)
        )

    def lines(self) -> tuple[str, ...]:
        """Say it to people."""
        lines = [f"frame {frame}: {reason}" for frame, reason in zip(self.frames, self.reasons, strict=True)]
        if len(self) < self.n_wanted:
            lines.append(f"{counted(len(self), 'instant')} of {self.n_wanted}: nothing speaks against the others")
        return tuple(lines)

    def to_dict(self) -> dict[str, Any]:
        """Say it to programs."""
        return {
            "instants": [
                {"frame": int(frame), "score": float(score), "reason": reason}
                for frame, score, reason in zip(self.frames, self.score, self.reasons, strict=True)
            ],
            "n_wanted": self.n_wanted,
        }


def find_outliers(
    keypoints: Keypoints2D,
    *,
    n: int = 20,
    points: Keypoints3D | None = None,
    rig: Rig | None = None,
    edges: Sequence[tuple[str, str]] = (),
    known: Sequence[int] | IntArray = (),
    allowed: BoolArray | None = None,
    settings: DoubtSettings | None = None,
) -> Outliers:
    """Choose instants in which detections are probably wrong, spread over the recording.

    Views that disagree with the point that the others make count most: there a network is wrong and does not know it,
    and one camera alone would never tell. Jumps, limbs of impossible length and low scores count less.

    Parameters
    ----------
    keypoints : Keypoints2D
    n : int
        Instants at most; fewer where nothing speaks against the others.
    points : Keypoints3D, optional
        Made from the keypoints by robust triangulation. Without them views cannot disagree.
    rig : Rig, optional
        Needed with `points`.
    edges : sequence of (str, str)
        Limbs.
    known : sequence of int
        Frames that are labelled: neither they nor their neighbours are chosen.
    allowed : (n_frames,) bool array, optional
        Frames that may be chosen.
    settings : DoubtSettings, optional

    Returns
    -------
    Outliers

    Raises
    ------
    ValueError
        If points do not fit the keypoints, or `rig` is missing.
    """
    doubts = judge_detections(keypoints, points=points, rig=rig, edges=edges, settings=settings)
    doubt = doubts.instant
    worth = doubt if allowed is None else np.where(allowed, doubt, 0)
    chosen = spread_choice(worth, n, known=np.asarray(known, dtype=np.int64) - keypoints.start, least=_LEAST)
    reasons = tuple(_reason(doubts, keypoints, int(frame)) for frame in chosen)
    return Outliers(chosen + keypoints.start, doubt[chosen], reasons, doubt, n)


def spread_choice(
    score: FloatArray, n: int, *, known: Sequence[int] | IntArray = (), least: float = 0.0, apart: int | None = None
) -> IntArray:
    """Choose frames of high score that lie apart.

    One by one the best is taken, and what lies near it is worth less from then on.

    Parameters
    ----------
    score : (n_frames,) array
    n : int
    known : sequence of int
        Frames that repel others without being chosen.
    least : float
        Frames of lower score are not chosen.
    apart : int, optional
        Frames between any two at least; by default a tenth of an equal share of the recording.

    Returns
    -------
    (m,) int array
        In the order in which they were chosen, highest score first; `m` is at most `n`.

    Examples
    --------
    >>> spread_choice(np.array([9.0, 8.0, 4.0, 1.0, 0.0, 2.0, 3.0]), 2, apart=2)
    array([0, 6])
    """
    score = np.nan_to_num(np.asarray(score, dtype=np.float64))
    n_frames = len(score)
    share = n_frames / max(n, 1)
    apart = max(1, round(share / 10)) if apart is None else apart
    reach = max(float(apart), share / 2)
    at = np.arange(n_frames)
    free, worth = score > least, score.copy()

    def repel(frame: int) -> None:
        away = np.abs(at - frame)
        free[away < apart] = False
        worth[:] *= 1 - np.exp(-((away / reach) ** 2))

    for frame in np.asarray(known, dtype=np.int64).tolist():
        repel(frame)
    chosen: list[int] = []
    while len(chosen) < n and free.any():
        best = int(np.argmax(np.where(free, worth, -1)))
        chosen.append(best)
        repel(best)
    index = np.array(chosen, dtype=np.int64)
    return index[np.argsort(-score[index], kind="stable")]


def _reason(doubts: Doubts, keypoints: Keypoints2D, frame: int) -> str:
    """Name what speaks loudest against an instant, and how much more there is."""
    here = doubts.by_reason[:, frame]
    strongest = here.max(axis=(1, 2, 3))
    # Of reasons that are nearly as strong, the one that says most.
    kind = int(np.argmax(strongest >= 0.8 * strongest.max()))
    camera, individual, keypoint = (int(i) for i in np.unravel_index(int(here[kind].argmax()), here[kind].shape))
    what = f"{keypoints.keypoints[keypoint]} in {keypoints.cameras[camera]}"
    if len(keypoints.individuals) > 1:
        what = f"{keypoints.individuals[individual]}'s {what}"
    error = doubts.error_px[frame, camera, individual, keypoint]
    if REASONS[kind] == "views disagree":
        told = "no point fits the views" if np.isnan(error) else f"{error:.0f} px from where the other views see it"
    else:
        told = {"jump": "jumps", "limb length": "at the end of a limb of odd length", "low score": "low score"}[
            REASONS[kind]
        ]
    more = int((here.max(axis=0) > 0.1).sum()) - 1
    return f"{what}: {told}" + (f" (and {more} more)" if more > 0 else "")
