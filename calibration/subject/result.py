"""What a calibration from a subject's keypoints is worth: pixels before and after, places, scale."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from pose3d.data.camera import Rig
from pose3d.geometry.arrays import FloatArray
from pose3d.geometry.rotations import angle_between
from pose3d.geometry.transforms import Similarity, apply, rotvec_translation, umeyama

from ..findings import Finding
from .points_bundle import PointsSolution, settle_points
from .points_views import point_distances
from .sightings import Sightings, place_points, points_bundle

__all__ = [
    "CameraChange",
    "Scale",
    "SubjectCalibration",
    "align_rig",
    "camera_changes",
    "camera_medians",
    "count_places",
    "move_rig",
    "place_by",
    "rig_of",
]

Scale = Literal["lengths", "cameras", "old rig", "arbitrary"]

_PLACE = 0.02  # of the image's width: keypoints closer than this are in one place, and share the label's bias
_OUTLIER = 4.0


@dataclass(frozen=True)
class CameraChange:
    """One camera before and after.

    Attributes
    ----------
    name : str
    labels : int
        That took part.
    before_px, after_px : float
        Median distance of its labels from the reprojected points, which are placed anew by each rig.
    held_before_px, held_after_px : float
        The same for the labels that were held out, of the rig that was refined without them.
    outliers : float
        Part of the labels beyond four times the noise, after.
    turned_deg, moved_mm : float
    """

    name: str
    labels: int
    before_px: float
    after_px: float
    held_before_px: float
    held_after_px: float
    outliers: float
    turned_deg: float
    moved_mm: float


@dataclass(frozen=True, eq=False)
class SubjectCalibration:
    """A rig refined or found from the keypoints of a subject.

    Attributes
    ----------
    rig : Rig
        The old one where the refinement predicts held-out labels no better; see `improved`.
    cameras : tuple of CameraChange
        What the refinement did or would have done.
    improved : bool
        Whether the new rig is to be used.
    scale : {"lengths", "cameras", "old rig", "arbitrary"}
        Where the scale comes from.
    lengths_mm : dict of str to float
        Limbs that were named, as the returned rig measures them; NaN where a limb was not seen.
    n_points, n_labels, n_frames, n_places : int
        What took part; places are positions of keypoints that differ by more than a label's error.
    unlinked : dict of str to str
        Cameras that the keypoints could not place, and why.
    findings : tuple of Finding
    """

    rig: Rig
    cameras: tuple[CameraChange, ...]
    improved: bool
    scale: Scale
    lengths_mm: dict[str, float]
    n_points: int
    n_labels: int
    n_frames: int
    n_places: int
    unlinked: dict[str, str]
    findings: tuple[Finding, ...] = ()

    def lines(self) -> list[str]:
        """Return lines for people: a table of the cameras, what took part, the scale, and the findings."""
        width = max(len("camera"), *(len(camera.name) for camera in self.cameras))
        refined = any(np.isfinite(camera.before_px) for camera in self.cameras)
        heads = ["labels", "before px", "after px", "held-out before", "after", "outliers", "turned deg", "moved mm"]
        out = ["  ".join([f"{'camera':<{width}}", *(heads if refined else [heads[i] for i in (0, 2, 4, 5)])])]
        for c in self.cameras:
            pixels = [_number(v, 2) for v in (c.before_px, c.after_px, c.held_before_px, c.held_after_px)]
            cells = [str(c.labels), *pixels, f"{100 * c.outliers:.1f} %" if c.labels else "-", _number(c.turned_deg, 2)]
            cells.append(_number(c.moved_mm, 1))
            shown = range(8) if refined else (0, 2, 4, 5)
            out.append("  ".join([f"{c.name:<{width}}", *(f"{cells[i]:>{len(heads[i])}}" for i in shown)]))
        out.append(
            f"from {self.n_labels} labels of {self.n_points} keypoints in {self.n_frames} frames and {self.n_places} "
            "places"
        )
        out.append(f"scale: {_SCALES[self.scale]}")
        if self.lengths_mm:
            out.append("lengths: " + ", ".join(f"{k} {_number(v, 1)} mm" for k, v in self.lengths_mm.items()))
        return out

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers for a json summary."""
        return {
            "cameras": [asdict(camera) for camera in self.cameras],
            "improved": self.improved,
            "scale": self.scale,
            "lengths_mm": self.lengths_mm,
            "n_points": self.n_points,
            "n_labels": self.n_labels,
            "n_frames": self.n_frames,
            "n_places": self.n_places,
            "unlinked": self.unlinked,
            "findings": [finding.to_dict() for finding in self.findings],
        }


_SCALES: dict[Scale, str] = {
    "lengths": "from the known lengths",
    "cameras": "from the known distance of cameras",
    "old rig": "as in the old calibration; keypoints say nothing about it",
    "arbitrary": "unknown; the first two cameras were set 1000 mm apart",
}


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else "-"


def rig_of(rig: Rig, solution: PointsSolution) -> Rig:
    """Return the rig with a solution's poses and focal lengths."""
    rotation, translation = rotvec_translation(solution.bundle.cam_from_world)
    cameras = []
    for i, camera in enumerate(rig):
        matrix = camera.matrix.copy()
        matrix[:2, :2] *= solution.bundle.focal_scale[i]
        cameras.append(replace(camera, matrix=matrix, rotation=rotation[i], translation=translation[i]))
    return Rig(tuple(cameras), rig.metadata)


def place_by(
    rig: Rig, sightings: Sightings, sigma: FloatArray, *, focal_scale: FloatArray | None = None
) -> tuple[PointsSolution, Sightings]:
    """Place keypoints by a rig that is held; those that cannot be placed are dropped.

    Parameters
    ----------
    rig : Rig
    sightings : Sightings
    sigma : (n_cameras,) array, px
    focal_scale : (n_cameras,) array, optional
        The rig's focal lengths over those with which the rays of the sightings were made.
    """
    points = place_points(sightings, rig.focals, rig.cam_from_world)
    good = np.flatnonzero(np.isfinite(points).all(1))
    kept = sightings.select(good)
    none = np.zeros(len(rig), dtype=bool)
    prior = np.zeros((6 * len(rig), 6 * len(rig)))
    bundle = points_bundle(
        kept, rig, points[good], poses=rig.cam_from_world, prior=prior, free_pose=none, free_focal=none
    )
    if focal_scale is not None:
        bundle = replace(bundle, focal_scale=focal_scale)
    return settle_points(bundle, sigma), kept


def camera_medians(solution: PointsSolution) -> FloatArray:
    """Return each camera's median distance between label and reprojected point, px."""
    distance = point_distances(solution.bundle)
    return np.array([np.median(d[np.isfinite(d)]) if np.isfinite(d).any() else np.nan for d in distance.T])


def count_places(rig: Rig, solution: PointsSolution, sightings: Sightings) -> int:
    """Count the places in which keypoints were seen: positions closer than a label's error are one.

    Labels of one keypoint in one place repeat the same bias; a thousand frames of a subject that sits still are worth
    one. Visits are weighed as in Simpson's index, so that a few gross errors are no places.

    References
    ----------
    Simpson (1949), Measurement of diversity, Nature 163:688.
    """
    bundle = solution.bundle
    X = apply(bundle.cam_from_world, bundle.points[:, None])
    seen = sightings.seen & (X[..., 2] > 0)
    fits = np.all((solution.weight > 0.5) | ~sightings.seen, axis=1)
    if not (seen & fits[:, None]).any():
        return 0
    px_per_mm = np.median(sightings.slope[..., 0, 0][seen] / X[..., 2][seen])
    width = float(np.median([camera.size[0] for camera in rig]))
    cell = max(_PLACE * width, 3 * float(np.median(solution.sigma))) / float(px_per_mm)
    place = np.floor((bundle.points - bundle.points.min(0)) / cell).astype(np.int64)
    label = np.column_stack([sightings.individual, sightings.keypoint, place])[fits]
    cells, visits = np.unique(label, axis=0, return_counts=True)
    _, owner = np.unique(cells[:, :2], axis=0, return_inverse=True)
    simpson = np.bincount(owner, visits) ** 2 / np.bincount(owner, visits.astype(np.float64) ** 2)
    return int(np.rint(simpson.sum()))


def align_rig(old: Rig, new: Rig, group: Sequence[int], scale: float | None) -> Similarity:
    """Return the similarity that lays a group of cameras onto where they stood; a camera that moved does not count.

    Each camera counts as its centre and three points along its axes, so that turns count as shifts do.
    """
    centers, target = new.centers[list(group)], old.centers[list(group)]
    first, second = np.triu_indices(len(group), 1)
    if scale is None:
        apart = np.linalg.norm(centers[first] - centers[second], axis=1)
        before = np.linalg.norm(target[first] - target[second], axis=1)
        some = apart > 1e-9
        scale = float(np.median(before[some] / apart[some])) if some.any() else 1.0
    reach = float(np.median(np.linalg.norm(old.cam_from_world[list(group), :3, 3], axis=1)))
    axes = np.concatenate([np.zeros((1, 3)), reach * np.eye(3)])

    def corners(rig: Rig, factor: float) -> FloatArray:
        R = rig.cam_from_world[list(group), :3, :3]
        return factor * rig.centers[list(group)][:, None] + axes @ R

    a, b = corners(new, scale), corners(old, 1.0)
    weight = np.ones(len(group))
    fit = umeyama(a, b)
    for _ in range(20):
        off = np.sqrt(((fit(a) - b) ** 2).sum(-1).mean(1))
        weight = 1 / np.maximum(off, 1e-4 * reach)
        fit = umeyama(a, b, weights=np.repeat(weight, 4))
    return Similarity(scale, fit.rotation, fit.translation)


def move_rig(rig: Rig, to: Similarity, group: Sequence[int]) -> Rig:
    """Return the rig with some cameras moved by a similarity of the world."""
    transform = np.eye(4)
    transform[:3, :3], transform[:3, 3] = to.rotation, to.translation
    moved = rig.transformed(transform, to.scale)
    return Rig(tuple(moved.cameras[i] if i in group else c for i, c in enumerate(rig)), rig.metadata)


def camera_changes(
    old: Rig | None,
    new: Rig,
    before: PointsSolution | None,
    after: PointsSolution,
    held: tuple[FloatArray | None, FloatArray],
) -> tuple[CameraChange, ...]:
    """Tabulate the cameras.

    Parameters
    ----------
    old, new : Rig
        The old one is None where there was none.
    before, after : PointsSolution
        The keypoints placed by each.
    held : tuple of (n_cameras,) arrays, px
        Medians of held-out labels, before and after.
    """
    nothing = np.full(len(new), np.nan)
    first = nothing if before is None else camera_medians(before)
    second = camera_medians(after)
    held_before = nothing if held[0] is None else held[0]
    distance = point_distances(after.bundle) * np.sqrt(after.bundle.weight) / after.sigma
    out = []
    for i, camera in enumerate(new):
        r = distance[:, i][np.isfinite(distance[:, i])]
        turned = moved = float("nan")
        if old is not None:
            was = old.cameras[i]
            turned = float(np.rad2deg(angle_between(was.cam_from_world[:3, :3], camera.cam_from_world[:3, :3])))
            moved = float(np.linalg.norm(was.center - camera.center))
        out.append(
            CameraChange(
                name=camera.name,
                labels=len(r),
                before_px=float(first[i]),
                after_px=float(second[i]),
                held_before_px=float(held_before[i]),
                held_after_px=float(held[1][i]),
                outliers=float((r > _OUTLIER).mean()) if len(r) else float("nan"),
                turned_deg=turned,
                moved_mm=moved,
            )
        )
    return tuple(out)
