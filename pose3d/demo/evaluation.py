"""Results of the chain against the demo's truth."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from pose3d.data.angles import JointAngles
from pose3d.data.camera import Rig
from pose3d.data.keypoints import Keypoints3D
from pose3d.demo.session import DemoTruth
from pose3d.geometry.arrays import FloatArray
from pose3d.geometry.rotations import angle_between, exp_so3
from pose3d.geometry.transforms import Similarity, umeyama
from pose3d.geometry.triangulation import triangulate_svd

__all__ = [
    "AngleError",
    "Evaluation",
    "PointError",
    "RigError",
    "compare_angles",
    "compare_points",
    "compare_rigs",
    "evaluate",
]


@dataclass(frozen=True)
class RigError:
    """Estimated cameras against the true ones, after a rigid alignment (no scale).

    Attributes
    ----------
    volume_rms_mm : float
        RMS distance of points of the walking volume that are projected by the true rig and triangulated by the
        estimated one; the alignment is fitted to these points.
    center_mm : dict of str to float
        Distance between the places of each camera, under the same alignment.
    angle_deg : dict of str to float
        Angle between the attitudes of each camera, under the same alignment.
    baseline_percent : float
        Largest relative error of a distance between two cameras; needs no alignment.
    """

    volume_rms_mm: float
    center_mm: dict[str, float]
    angle_deg: dict[str, float]
    baseline_percent: float


@dataclass(frozen=True)
class PointError:
    """3D points against the true ones.

    Attributes
    ----------
    alignment : str
        What the rigid alignment was fitted to: ``rig`` (the cameras, which the points had no part in) or ``points``.
    median_mm, p95_mm, rms_mm : float
    n_points, n_missing : int
    """

    alignment: str
    median_mm: float
    p95_mm: float
    rms_mm: float
    n_points: int
    n_missing: int


@dataclass(frozen=True)
class AngleError:
    """One joint angle against the truth.

    Attributes
    ----------
    rms_deg : float
        Against the angle of the true keypoints, by the same definition: the error of the measurement.
    model_rms_deg, model_bias_deg : float
        Against the angle of the model that made the motion: with what the definition itself costs.
    """

    rms_deg: float
    model_rms_deg: float
    model_bias_deg: float


@dataclass(frozen=True)
class Evaluation:
    """What was compared; None or empty for what was not given."""

    rig: RigError | None
    points: PointError | None
    angles: dict[str, AngleError]

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers for a summary in JSON."""
        return {
            "rig": None if self.rig is None else dict(vars(self.rig)),
            "points": None if self.points is None else dict(vars(self.points)),
            "angles": {name: dict(vars(error)) for name, error in self.angles.items()},
        }

    def lines(self) -> list[str]:
        """Return lines for people."""
        out = []
        if self.rig is not None:
            farthest, worst = max((distance, name) for name, distance in self.rig.center_mm.items())
            out.append(
                f"cameras: {self.rig.volume_rms_mm:.2f} mm RMS in the walking volume; places within "
                f"{farthest:.1f} mm ({worst}), attitudes within "
                f"{max(self.rig.angle_deg.values()):.2f} deg, baselines within {self.rig.baseline_percent:.2f} %"
            )
        if self.points is not None:
            p = self.points
            by = "the cameras" if p.alignment == "rig" else "the points"
            out.append(
                f"3D points: median {p.median_mm:.1f} mm, 95 % below {p.p95_mm:.1f} mm "
                f"({p.n_points} points, {p.n_missing} missing; rigidly aligned by {by})"
            )
        for name, error in self.angles.items():
            out.append(
                f"{name}: {error.rms_deg:.1f} deg RMS (against the model itself {error.model_rms_deg:.1f}, "
                f"bias {error.model_bias_deg:+.1f})"
            )
        return out


def _volume(truth: DemoTruth) -> FloatArray:
    """Return a grid of points where the person walked, (n, 3) mm."""
    xyz = truth.points.xyz.reshape(-1, 3)
    low, high = np.nanmin(xyz, axis=0), np.nanmax(xyz, axis=0)
    axes = [np.linspace(a, b, 7) for a, b in zip(low, high, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def _align_rigs(truth: DemoTruth, rig: Rig) -> tuple[Similarity, FloatArray]:
    """Fit true_from_estimated to the walking volume; return it and the points' distances in mm."""
    true_rig = truth.rig.select(rig.names)
    points = _volume(truth)
    views = true_rig.project(points)
    size = np.array([camera.size for camera in true_rig])
    views[~((views >= 0) & (views <= size - 1)).all(-1)] = np.nan
    estimated = triangulate_svd(rig.undistort(views), rig.cam_from_world)
    move = umeyama(estimated, points)
    return move, np.linalg.norm(move(estimated) - points, axis=-1)


def compare_rigs(truth: DemoTruth, rig: Rig) -> RigError:
    """Compare estimated cameras with the true ones; cameras are matched by name.

    Raises
    ------
    KeyError
        If the rig has a camera that the truth lacks.
    """
    move, distances = _align_rigs(truth, rig)
    centers, angles = {}, {}
    for camera in rig:
        true = truth.rig[camera.name]
        centers[camera.name] = float(np.linalg.norm(move(camera.center) - true.center))
        turned = exp_so3(camera.rotation) @ move.rotation.T
        angles[camera.name] = float(np.degrees(angle_between(turned, exp_so3(true.rotation))))
    a, b = rig.centers, truth.rig.select(rig.names).centers
    i, j = np.triu_indices(len(rig), 1)
    estimated, true_length = (np.linalg.norm(c[i] - c[j], axis=-1) for c in (a, b))
    baseline = float(100 * np.abs(estimated / true_length - 1).max(initial=0.0))
    return RigError(float(np.sqrt(np.nanmean(distances**2))), centers, angles, baseline)


def compare_points(truth: DemoTruth, points: Keypoints3D, *, rig: Rig | None = None) -> PointError:
    """Compare 3D points with the true ones; keypoints are matched by name, frames by their index.

    Parameters
    ----------
    truth : DemoTruth
    points : Keypoints3D
        Of one individual.
    rig : Rig, optional
        The rig that made the points: it gives the alignment. Without it the alignment is fitted to the points, twice,
        the second time without those that lie far off.
    """
    names = [name for name in points.keypoints if name in truth.points.keypoints]
    estimated = points.xyz[:, 0, [points.keypoints.index(name) for name in names]]
    true = truth.points.xyz[:, 0, [truth.points.keypoints.index(name) for name in names]]
    first, last = max(points.start, 0), min(points.start + len(estimated), len(true))
    true = true[first:last]
    estimated = estimated[first - points.start : last - points.start]
    if rig is not None:
        move = _align_rigs(truth, rig)[0]
    else:
        move = umeyama(estimated, true)
        distance = np.linalg.norm(move(estimated) - true, axis=-1)
        near = distance < 3 * np.nanmedian(distance)
        move = umeyama(estimated, true, weights=near.astype(np.float64))
    distance = np.linalg.norm(move(estimated) - true, axis=-1)
    have = np.isfinite(distance)
    if not have.any():
        return PointError("rig" if rig is not None else "points", np.nan, np.nan, np.nan, 0, int(have.size))
    distance = distance[have]
    return PointError(
        "rig" if rig is not None else "points",
        float(np.median(distance)),
        float(np.percentile(distance, 95)),
        float(np.sqrt((distance**2).mean())),
        int(have.sum()),
        int((~have).sum()),
    )


def compare_angles(truth: DemoTruth, angles: JointAngles) -> dict[str, AngleError]:
    """Compare joint angles with the truth, by the names that both have."""
    from pose3d.kinematics import joint_angles

    reference = joint_angles(truth.points)
    out = {}
    for name in angles.names:
        if name not in truth.angles.names or name not in reference.names:
            continue
        true_all = truth.angles.deg[:, 0, truth.angles.names.index(name)]
        same_all = reference.deg[:, 0, reference.names.index(name)]
        first, last = max(angles.start, 0), min(angles.start + angles.n_frames, len(true_all))
        found = angles.deg[first - angles.start : last - angles.start, 0, angles.names.index(name)]
        from_points, from_model = found - same_all[first:last], found - true_all[first:last]
        if not np.isfinite(from_points).any():
            continue
        out[name] = AngleError(
            float(np.sqrt(np.nanmean(from_points**2))),
            float(np.sqrt(np.nanmean(from_model**2))),
            float(np.nanmean(from_model)),
        )
    return out


def evaluate(
    truth: DemoTruth, *, rig: Rig | None = None, points: Keypoints3D | None = None, angles: JointAngles | None = None
) -> Evaluation:
    """Compare whatever is given with the truth.

    Parameters
    ----------
    truth : DemoTruth
    rig : Rig, optional
        Estimated cameras, in any world frame.
    points : Keypoints3D, optional
        Triangulated with `rig`, if that is given.
    angles : JointAngles, optional

    Returns
    -------
    Evaluation
    """
    return Evaluation(
        None if rig is None else compare_rigs(truth, rig),
        None if points is None else compare_points(truth, points, rig=rig),
        {} if angles is None else compare_angles(truth, angles),
    )
