"""How far predictions are from labels: px of images, mm in space, beside what two people differ by."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pose3d.data.camera import Rig
from pose3d.data.labels import LabelledImages, Labels, Mark
from pose3d.errors import DataError
from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.io.files import write_text
from pose3d.network.reliability import Reliability, fit_temperature, measure_reliability
from pose3d.network.space_errors import LabelledSpace

__all__ = [
    "ALL",
    "OCCLUDED",
    "SECOND",
    "ErrorRow",
    "Evaluation",
    "evaluate_predictions",
    "fit_temperature",
    "label_errors",
    "second_errors",
    "write_evaluation",
]

ALL = "all"
"""What stands in the place of a keypoint's name in rows of all of them."""

OCCLUDED = ", occluded"
"""Follows a part's name in rows of keypoints that are occluded; the others are of visible ones."""

SECOND = "second labels"
"""The part in whose rows a second person's labels stand in the place of predictions."""


@dataclass(frozen=True)
class ErrorRow:
    """Errors of one keypoint in one part of the images.

    Attributes
    ----------
    part : str
        ``train``, ``test``, ...
    keypoint : str
        A name, or ``all``.
    unit : str
        ``px`` of the image, or ``mm`` in space.
    cutoff : float
        Only predictions with at least this score count; 0 for all.
    n : int
        Labels to which there is a prediction.
    n_missed : int
        Labels to which there is none, or one below the cutoff.
    mean, median, p90 : float
    pck5, pck10 : float
        Share of the `n` that are not farther away than 5 and 10 (percentage of correct keypoints).
    """

    part: str
    keypoint: str
    unit: str
    cutoff: float
    n: int
    n_missed: int
    mean: float
    median: float
    p90: float
    pck5: float
    pck10: float


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """Predictions compared with labels.

    Attributes
    ----------
    images : LabelledImages
        With the keypoints that were predicted.
    xy : (n_images, n_keypoints, 2) array, px
    score : (n_images, n_keypoints) array
    error_px : (n_images, n_keypoints) array
        Of what is visible; see :func:`label_errors`.
    parts : mapping of str to (n,) array
        Name to index of images.
    rows : tuple of ErrorRow
    reliability : Reliability
        Of the held-out part, or of all where nothing is held out.
    cutoff : float
    second_px : (n_images, n_individuals, n_keypoints) array or None
        What the second person's labels differ by.
    notes : mapping
        What programs are told besides.
    """

    images: LabelledImages
    xy: FloatArray
    score: FloatArray
    error_px: FloatArray
    parts: Mapping[str, IntArray]
    rows: tuple[ErrorRow, ...]
    reliability: Reliability
    cutoff: float
    second_px: FloatArray | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Evaluation({', '.join(f'{name}: {len(index)} images' for name, index in self.parts.items())})"

    @property
    def main_part(self) -> str:
        """The part that tells most: held-out images where there are any."""
        return next((name for name in ("test", "unseen") if name in self.parts), next(iter(self.parts)))

    def row(self, part: str, *, keypoint: str = ALL, unit: str = "px", cutoff: float = 0.0) -> ErrorRow | None:
        """Return one row, or None where there is none."""
        wanted = (part, keypoint, unit, cutoff)
        return next((r for r in self.rows if (r.part, r.keypoint, r.unit, r.cutoff) == wanted), None)

    def worst_images(self, n: int, part: str | None = None) -> IntArray:
        """Return the index of the images with the largest errors, the worst first."""
        index = np.asarray(self.parts[part or self.main_part])
        error = np.where(np.isfinite(self.error_px[index]), self.error_px[index], -1.0).max(1)
        order = index[np.argsort(-error, kind="stable")]
        return np.asarray(order[: min(n, int((error > 0).sum()))])

    def lines(self) -> tuple[str, ...]:
        """Say it to people."""
        lines = [f"{'':16} {'labels':>7} {'median':>9} {'mean':>9} {'90 %':>9} {'within 5':>9} {'within 10':>9}"]
        for row in self.rows:
            if row.keypoint != ALL:
                continue
            above = f" >= {row.cutoff:g}" if row.cutoff else ""
            if not row.n:
                lines.append(f"{row.part + above:16} {row.n:7d} {'-':>9}")
                continue
            lines.append(
                f"{row.part + above:16} {row.n:7d} {row.median:6.2f} {row.unit} {row.mean:6.2f} {row.unit} "
                f"{row.p90:6.2f} {row.unit} {row.pck5:9.1%} {row.pck10:9.1%}"
            )
        off = self.reliability.expected_error
        lines.append(
            f"scores: on average {off:.1%} off the share of keypoints that lie within "
            f"{self.reliability.tolerance_px:g} px of their labels"
        )
        return tuple(lines)

    def to_dict(self) -> dict[str, Any]:
        """Say it to programs."""
        names = [item.name for item in fields(ErrorRow)]
        bins = self.reliability
        return {
            "images": {name: len(index) for name, index in self.parts.items()},
            "rows": [dict(zip(names, astuple(row), strict=True)) for row in self.rows],
            "reliability": {
                "tolerance_px": bins.tolerance_px,
                "expected_error": bins.expected_error,
                "score": bins.score,
                "right": bins.right,
                "n": bins.n,
            },
            **self.notes,
        }


def label_errors(xy: ArrayLike, labels: Labels) -> FloatArray:
    """Return how far predictions are from labels.

    Parameters
    ----------
    xy : (n_images, n_keypoints, 2) array, px
        One prediction a keypoint; NaN where there is none.
    labels : Labels
        Of these images and keypoints.

    Returns
    -------
    (n_images, n_keypoints) array, px
        Distance to the nearest individual's label. Infinite where a label has no prediction, and where a prediction is
        made of a keypoint that is marked as absent; NaN where nothing is labelled.
    """
    xy = np.asarray(xy, dtype=np.float64)
    if xy.shape != (len(labels), len(labels.keypoints), 2):
        raise ValueError(f"predictions {xy.shape} do not fit {len(labels)} images, {len(labels.keypoints)} keypoints")
    placed = np.asarray(np.isfinite(labels.xy).all(-1))
    distance = np.linalg.norm(labels.xy - xy[:, None], axis=-1)
    nearest = np.where(np.isfinite(distance), distance, np.inf).min(1, initial=np.inf)
    absent = (labels.mark == Mark.ABSENT).any(1) & np.isfinite(xy).all(-1)
    return np.where(placed.any(1) | absent, nearest, np.nan)


def second_errors(labels: Labels, second: Labels) -> FloatArray:
    """Return how far another person's labels are from the first one's.

    Images and keypoints are matched by name; individuals too, unless there is only one on both sides.

    Returns
    -------
    (n_images, n_individuals, n_keypoints) array, px
        NaN where not both labelled.

    Raises
    ------
    DataError
        If no image and keypoint was labelled by both.
    """
    xy = _second_places(labels, second)
    distance = np.asarray(np.linalg.norm(xy - labels.xy, axis=-1))
    if not np.isfinite(distance).any():
        raise DataError(
            f"second labels of {second.scorer!r}: no keypoint of an image is labelled by both people; give those of "
            "the same images"
        )
    return distance


def evaluate_predictions(
    xy: ArrayLike,
    score: ArrayLike,
    *,
    images: LabelledImages,
    parts: Mapping[str, Sequence[int] | IntArray],
    tolerance_px: float,
    cutoff: float = 0.5,
    second: Labels | None = None,
    rig: Rig | Mapping[str, Rig] | None = None,
    times: IntArray | None = None,
) -> Evaluation:
    """Compare predictions with labels.

    Parameters
    ----------
    xy : (n_images, n_keypoints, 2) array, px
        One prediction a keypoint, in the order of the labels' keypoints; NaN where there is none.
    score : (n_images, n_keypoints) array, 0..1
    images : LabelledImages
    parts : mapping of str to index
        Images of which errors are reported together: ``train``, ``test``. Empty ones are left out.
    tolerance_px : float
        A prediction that is not farther from its label counts as right when scores are judged.
    cutoff : float, optional
        Errors are given of all predictions and of those with at least this score.
    second : Labels, optional
        Another person's labels of the same images.
    rig : Rig or mapping of str to Rig, optional
        The cameras, of each recording if they differ. With them labels and predictions of each instant are
        triangulated, and their distance in space is given.
    times : (n_images,) int array, optional
        Frame of each image on the time line of its recording; by default the number in its name.

    Raises
    ------
    DataError
        If there is no labelled image, the second labels or the rig's cameras are of something else.
    """
    xy, score = np.asarray(xy, dtype=np.float64), np.asarray(score, dtype=np.float64)
    labels = images.labels
    all_errors, error = label_errors(xy, labels), label_errors(xy, labels.visible())
    index = {name: np.asarray(rows, dtype=np.int64) for name, rows in parts.items() if len(rows)}
    if not index:
        raise DataError("there are no labelled images to evaluate on; label some with `pose3d label`")
    seen = np.asarray(np.isfinite(labels.visible().xy[..., 0]).any(1))
    hidden = np.isfinite(labels.xy[..., 0]).any(1) & ~seen
    table = _Table(labels.keypoints)
    space = None if rig is None or rig == {} else LabelledSpace.of(images, rig, times)
    for name, rows in index.items():
        for least in dict.fromkeys((0.0, float(cutoff))):
            kept = np.where(score[rows] >= least, error[rows], np.inf)
            table.add(name, "px", least, np.where(seen[rows], kept, np.nan))
            if space is not None:
                table.add(name, "mm", least, space.errors(xy, np.where(score >= least, score, 0.0), rows))
        if hidden[rows].any():
            table.add(name + OCCLUDED, "px", 0.0, np.where(hidden[rows], all_errors[rows], np.nan))
    second_px = None if second is None else second_errors(labels, second)
    if second is not None and second_px is not None:
        table.add(SECOND, "px", 0.0, second_px.reshape(-1, len(labels.keypoints)))
        if space is not None:
            other = _second_places(labels, second)[:, space.individual]
            apart = space.errors(other, np.ones(other.shape[:-1]), np.arange(len(images)))
            table.add(SECOND, "mm", 0.0, np.where(np.isfinite(apart), apart, np.nan))
    judged = next((index[name] for name in ("test", "unseen") if name in index), np.concatenate(list(index.values())))
    reliability = measure_reliability(score[judged], all_errors[judged], tolerance_px=tolerance_px)
    return Evaluation(images, xy, score, error, index, tuple(table.rows), reliability, float(cutoff), second_px)


def write_evaluation(evaluation: Evaluation, path: str | Path) -> None:
    """Write all rows as a CSV file.

    Raises
    ------
    Pose3DError
        If it cannot be written.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow([item.name for item in fields(ErrorRow)])
    for row in evaluation.rows:
        rows.writerow([_plain(value) for value in astuple(row)])
    write_text(path, text.getvalue())


def _plain(value: object) -> object:
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.6g}"
    return value


class _Table:
    """Rows that are added part by part."""

    def __init__(self, keypoints: Sequence[str]) -> None:
        self.keypoints = keypoints
        self.rows: list[ErrorRow] = []

    def add(self, part: str, unit: str, cutoff: float, error: FloatArray) -> None:
        """Add (n, n_keypoints) errors; inf where there is a label but no prediction, NaN where there is no label."""
        columns = [(ALL, error.ravel()), *zip(self.keypoints, error.T, strict=True)]
        for keypoint, values in columns:
            found = values[np.isfinite(values)]
            middle = [float("nan")] * 5
            if len(found):
                middle = [
                    found.mean(),
                    np.median(found),
                    np.quantile(found, 0.9),
                    (found <= 5).mean(),
                    (found <= 10).mean(),
                ]
            n_missed = int(np.isposinf(values).sum())
            self.rows.append(ErrorRow(part, keypoint, unit, cutoff, len(found), n_missed, *map(float, middle)))


def _second_places(labels: Labels, second: Labels) -> FloatArray:
    """Return the second labels' places in the order of the first; NaN where there are none."""
    second = second.with_keypoints(labels.keypoints)
    row = {image: i for i, image in enumerate(second.images)}
    both = [(i, row[image]) for i, image in enumerate(labels.images) if image in row]
    xy = np.full(labels.xy.shape, np.nan)
    if not both:
        return xy
    first, other = np.array(both).T
    if len(labels.individuals) == len(second.individuals) == 1:
        xy[first, 0] = second.xy[other, 0]
        return xy
    for i, name in enumerate(labels.individuals):
        if name in second.individuals:
            xy[first, i] = second.xy[other, second.individuals.index(name)]
    return xy
