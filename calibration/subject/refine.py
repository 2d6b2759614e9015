"""Cameras refined from the 2D keypoints of the animal or person that they filmed."""

from typing import NamedTuple

import numpy as np
import scipy.linalg

from pose3d.data.camera import Rig
from pose3d.data.keypoints import Keypoints2D
from pose3d.errors import CalibrationError
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.log import Progress, no_progress

from ..findings import Finding
from ..solver.bundle import LENS_SIZE
from ..solver.linearize import robust_loss
from ..solver.selection import significant
from ..trust.uncertainty import Uncertainty
from .limbs import LimbLengths, known_lengths, limb_pairs, limb_scale, limb_sightings
from .points_bundle import PointsSolution
from .points_views import point_distances
from .refinement import (
    MIN_PLACES,
    MIN_SHARED,
    MIN_SIGHTINGS,
    Task,
    center_on_subject,
    check_individuals,
    chunks,
    disagreement_findings,
    groups_finding,
    held_out,
    linked_groups,
    lost_finding,
    match_cameras,
    measure_by,
    solve,
)
from .result import (
    CameraChange,
    Scale,
    SubjectCalibration,
    align_rig,
    camera_changes,
    camera_medians,
    count_places,
    move_rig,
    place_by,
    rig_of,
)
from .sightings import Sightings, choose_sightings

__all__ = ["pose_information", "refine_from_keypoints"]

_FEWEST_CHUNKS = 5
_SURE = 2.0  # standard errors
_FAR_DEG, _FAR = 20.0, 0.3  # no refinement: the shift as part of the distance to the subject


def pose_information(uncertainty: Uncertainty) -> FloatArray:
    """Return what a board's calibration knows about the poses, as the prior of :func:`refine_from_keypoints`.

    Parameters
    ----------
    uncertainty : Uncertainty

    Returns
    -------
    (6 * n_cameras, 6 * n_cameras) array
        Of turns (rad) and shifts (mm), the lenses marginalised; zero for the reference camera.
    """
    pose = np.flatnonzero(uncertainty.number >= LENS_SIZE)
    covariance = uncertainty.covariance[np.ix_(pose, pose)]
    scale = np.sqrt(np.diag(covariance))
    place = 6 * uncertainty.camera[pose] + uncertainty.number[pose] - LENS_SIZE
    out = np.zeros((6 * uncertainty.n_cameras, 6 * uncertainty.n_cameras))
    if len(pose):
        out[np.ix_(place, place)] = scipy.linalg.inv(covariance / scale[:, None] / scale) / scale[:, None] / scale
    return (out + out.T) / 2


def refine_from_keypoints(
    rig: Rig,
    keypoints: Keypoints2D,
    *,
    refine_lens: bool = False,
    lengths: LimbLengths | None = None,
    score_threshold: float | None = None,
    max_observations: int = 20_000,
    prior_information: FloatArray | None = None,
    progress: Progress = no_progress,
) -> SubjectCalibration:
    """Refine the cameras' poses so that the keypoints of all views meet.

    A fifth of the recording and a fifth of the keypoints are held out; the old rig is returned where the refinement
    does not predict them better, or where the subject was seen in too few places. Without a known length the scale
    stays, and the world's axes stay in any case.

    Parameters
    ----------
    rig : Rig
        As calibrated before.
    keypoints : Keypoints2D
        Of cameras in the rig, matched by name. Individuals must be the same ones in all views.
    refine_lens : bool
        Refine the focal lengths, too.
    lengths : mapping of (str, str) to float or None, mm, optional
        Distances of keypoints that do not change. A known one sets the scale; None: constant but unknown.
    score_threshold : float, optional
        Labels below it do not take part. By default the better half of the labels takes part, as labels with low
        scores are often biased, and no label below 0.3.
    max_observations : int
        Labels that take part, at most; they are chosen for their spread.
    prior_information : (6 * n_cameras, 6 * n_cameras) array, optional
        What is known about the old poses, :func:`pose_information`. Then the prior also holds the scale, unless a
        length is known, and the first camera that it says nothing about is held. By default each camera is free
        within some degrees and the scale and the axes are those of the old rig.
    progress : callable, optional

    Returns
    -------
    SubjectCalibration
        The same keypoints give the same numbers.

    Raises
    ------
    CalibrationError
        If the names do not match, or hardly any keypoint was seen by two cameras.

    References
    ----------
    Triggs, McLauchlan, Hartley, Fitzgibbon (2000), Bundle adjustment: a modern synthesis.
    """
    lengths = lengths or {}
    keypoints = match_cameras(keypoints, rig)
    sightings = choose_sightings(
        keypoints,
        rig,
        score_threshold=score_threshold,
        max_observations=max_observations,
        whole_bodies=bool(lengths),
    )
    groups, lost = linked_groups(sightings, rig.names)
    linked = np.zeros(len(rig), dtype=bool)
    linked[[i for group in groups for i in group]] = True
    sightings = sightings.keep_cameras(linked)
    if len(sightings) < MIN_SIGHTINGS or not groups:
        raise CalibrationError(
            f"only {len(sightings)} keypoints are seen by two cameras that share {MIN_SHARED} or more: film the "
            "subject where several cameras see it, or lower the score threshold"
        )
    limb_pairs(lengths, sightings, keypoints.keypoints)  # wrong names are told before any work
    limbs = limb_sightings(keypoints, rig, lengths, score_threshold=score_threshold) if lengths else None
    task = Task(rig, rig, np.zeros(3), keypoints.keypoints, lengths, limbs, linked, refine_lens, prior_information)
    centered, sightings = center_on_subject(task, sightings)
    check_individuals(sightings, centered.rig, keypoints)
    held = held_out(sightings, len(keypoints.keypoints))
    progress("refining from keypoints", 0, 3)
    trained = solve(centered, sightings.select(np.flatnonzero(~held)))
    progress("refining from keypoints", 1, 3)
    before, after, better = _compare(centered, sightings.select(np.flatnonzero(held)), trained)
    progress("refining from keypoints", 2, 3)
    solution = solve(centered, sightings, start=trained)
    progress("refining from keypoints", 3, 3)
    return _conclude(centered, sightings, solution, _Verdict(groups, lost, before, after, better, held))


class _Verdict(NamedTuple):
    groups: list[list[int]]
    lost: dict[str, str]
    before: FloatArray
    after: FloatArray
    better: bool
    held: BoolArray


def _losses(solution: PointsSolution, sightings: Sightings, sigma: FloatArray) -> tuple[FloatArray, IntArray]:
    r = point_distances(solution.bundle) * np.sqrt(sightings.weight) / sigma
    loss, _ = robust_loss(np.nan_to_num(r) ** 2, 3.0)
    return np.where(sightings.seen, loss, 0.0).sum(1), sightings.seen.sum(1)


def _compare(task: Task, held: Sightings, trained: PointsSolution) -> tuple[FloatArray, FloatArray, bool]:
    """Compare both rigs on keypoints that the refinement did not see; returns medians in px and the verdict."""
    sigma = trained.sigma
    before, kept_before = place_by(task.rig, held, sigma)
    after, kept_after = place_by(rig_of(task.rig, trained), held, sigma, focal_scale=trained.bundle.focal_scale)

    def by_chunk(solution: PointsSolution, kept: Sightings) -> FloatArray:
        loss, n = _losses(solution, kept, sigma)
        body = chunks(held)
        row = np.searchsorted(_key(held), _key(kept))
        total = np.bincount(body[row], weights=loss, minlength=int(body.max()) + 1)
        count = np.bincount(body[row], weights=n, minlength=int(body.max()) + 1)
        return np.asarray(total / np.maximum(count, 1))

    gain = by_chunk(before, kept_before) - by_chunk(after, kept_after)
    return camera_medians(before), camera_medians(after), len(gain) >= _FEWEST_CHUNKS and significant(gain, _SURE)


def _key(sightings: Sightings) -> IntArray:
    """Return a number per keypoint, rising in the order in which they were chosen."""
    return np.asarray((sightings.frame * 1000 + sightings.individual) * 10_000 + sightings.keypoint)


def _conclude(task: Task, sightings: Sightings, solution: PointsSolution, verdict: _Verdict) -> SubjectCalibration:
    old, new = task.rig, rig_of(task.rig, solution)
    sigma, focal_scale = solution.sigma, solution.bundle.focal_scale
    known = known_lengths(task.lengths)
    scale: Scale = "old rig"
    for group in verdict.groups:
        factor, _ = limb_scale(measure_by(task, new, sigma, group=group, focal_scale=focal_scale), known)
        if np.isfinite(factor):
            scale = "lengths"
        if task.prior is None or np.isfinite(factor):
            new = move_rig(new, align_rig(old, new, group, factor if np.isfinite(factor) else None), group)
    before, _ = place_by(old, sightings, sigma)
    after, kept = place_by(new, sightings, sigma, focal_scale=focal_scale)
    n_places = count_places(old, after, kept)
    cameras = camera_changes(old, new, before, after, (verdict.before, verdict.after))
    findings = [lost_finding(name, why, "its pose stays as it was") for name, why in verdict.lost.items()]
    if len(verdict.groups) > 1:
        findings.append(groups_finding(verdict.groups, old.names))
    findings += disagreement_findings(cameras) + _far_findings(old, cameras)
    wrong = any(finding.grade == "FAIL" for finding in findings)
    improved = verdict.better and n_places >= MIN_PLACES and not wrong
    if n_places < MIN_PLACES:
        findings.append(_still_finding(n_places))
    elif not verdict.better:
        findings.append(_NO_BETTER)
    if not improved:
        new, scale, focal_scale = old, "old rig", np.ones(len(old))
        findings += _scale_finding(measure_by(task, old, sigma), task.lengths)
    lengths = measure_by(task, new, sigma, focal_scale=focal_scale)
    back = np.eye(4)
    back[:3, 3] = task.middle
    return SubjectCalibration(
        rig=_described(new.transformed(back), cameras) if improved else task.original,
        cameras=cameras,
        improved=improved,
        scale=scale,
        lengths_mm={"-".join(ends): float(lengths[i, 0]) for i, ends in enumerate(task.lengths)},
        n_points=len(sightings),
        n_labels=int(sightings.seen.sum()),
        n_frames=len(np.unique(sightings.frame)),
        n_places=n_places,
        unlinked=verdict.lost,
        findings=tuple(findings),
    )


def _far_findings(old: Rig, cameras: tuple[CameraChange, ...]) -> list[Finding]:
    """Refuse to believe that a camera stood somewhere else altogether."""
    depth = np.linalg.norm(old.cam_from_world[:, :3, 3], axis=1)
    return [
        Finding(
            "far",
            "FAIL",
            (change.name,),
            f"camera {change.name} would have moved by {change.moved_mm:.0f} mm and {change.turned_deg:.0f} degrees, "
            "too far for a refinement",
            "find the poses from scratch, or check that the keypoints are of this camera",
        )
        for change, distance in zip(cameras, depth, strict=True)
        if change.turned_deg > _FAR_DEG or change.moved_mm > _FAR * distance
    ]


def _described(rig: Rig, cameras: tuple[CameraChange, ...]) -> Rig:
    error = float(np.nanmedian([camera.after_px for camera in cameras]))
    return Rig(rig.cameras, {**rig.metadata, "adjusted": True, "error": error})


_NO_BETTER = Finding(
    "no_improvement",
    "WARN",
    (),
    "refined cameras predict held-out keypoints no better than the old ones, so the old calibration stays",
    "nothing is to be done: the calibration is as good as these keypoints can tell",
)


def _still_finding(n_places: int) -> Finding:
    return Finding(
        "still",
        "FAIL",
        (),
        f"the keypoints were seen in {n_places} places only, as the subject hardly moves: they say nothing about the "
        "cameras, and the old calibration stays",
        f"film the subject while it moves through the space that the cameras share; {MIN_PLACES} places are needed",
    )


def _scale_finding(measured: FloatArray, lengths: LimbLengths) -> list[Finding]:
    """Say that the old rig's scale contradicts the known lengths, where it does."""
    factor, error = limb_scale(measured, known_lengths(lengths))
    if not np.isfinite(factor) or abs(np.log(factor)) < max(3 * error, 0.002):
        return []
    return [
        Finding(
            "scale",
            "WARN",
            (),
            f"by the known lengths the old calibration is {100 * abs(1 / factor - 1):.1f} % too "
            f"{'small' if factor > 1 else 'large'}",
            "check the lengths and the board's square size",
        )
    ]
