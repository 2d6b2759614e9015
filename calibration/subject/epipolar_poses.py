"""Poses from nothing but a subject's keypoints, the lenses known."""

from collections.abc import Mapping

import numpy as np

from pose3d.data.camera import Rig
from pose3d.data.keypoints import Keypoints2D
from pose3d.errors import CalibrationError
from pose3d.geometry.arrays import FloatArray
from pose3d.log import Progress, no_progress

from ..findings import Finding
from .limbs import LimbLengths, known_lengths, limb_pairs, limb_scale, limb_sightings
from .points_views import point_distances
from .refinement import (
    MIN_PLACES,
    MIN_SHARED,
    MIN_SIGHTINGS,
    Task,
    center_on_subject,
    check_individuals,
    disagreement_findings,
    groups_finding,
    held_out,
    linked_groups,
    lost_finding,
    match_cameras,
    measure_by,
    solve,
)
from .relative_poses import UNIT, of_cameras, place_cameras, with_poses
from .result import (
    Scale,
    SubjectCalibration,
    camera_changes,
    camera_medians,
    count_places,
    place_by,
    rig_of,
)
from .sightings import choose_sightings

__all__ = ["calibrate_from_keypoints"]

_FLAT = 0.02  # thickness of the cloud of keypoints over its length
_UNLIKE = 0.02  # of the image's width: median distance above which the views do not agree


def calibrate_from_keypoints(
    keypoints: Keypoints2D,
    cameras: Rig,
    *,
    lengths: LimbLengths | None = None,
    camera_distances: Mapping[tuple[str, str], float] | None = None,
    score_threshold: float | None = None,
    max_observations: int = 20_000,
    progress: Progress = no_progress,
) -> SubjectCalibration:
    """Find the poses of cameras with known lenses from the keypoints of a subject alone.

    Relative poses of pairs, the best pair first, further cameras by the keypoints placed so far, then all together.
    The world is the first camera's frame. Without a known length the unit of length is arbitrary: the first two
    cameras are set 1000 mm apart, and the rig's metadata say so.

    Parameters
    ----------
    keypoints : Keypoints2D
        Individuals must be the same ones in all views.
    cameras : Rig
        Lenses; its poses are not used.
    lengths : mapping of (str, str) to float or None, mm, optional
        Distances of keypoints that do not change. A known one sets the scale; None: constant but unknown.
    camera_distances : mapping of (str, str) to float, mm, optional
        Known distances of cameras, which set the scale instead.
    score_threshold, max_observations
        As in :func:`pose3d.calibration.subject.refine.refine_from_keypoints`.
    progress : callable, optional

    Returns
    -------
    SubjectCalibration
        ``improved`` is False where a finding makes the result useless: the subject hardly moved, or only in a plane.

    Raises
    ------
    CalibrationError
        If no pair of cameras can be placed, or the views do not agree.
    """
    lengths, camera_distances = lengths or {}, camera_distances or {}
    if camera_distances and any(value is not None for value in lengths.values()):
        raise CalibrationError("the scale is given twice, by lengths and by distances of cameras: give one of them")
    keypoints = match_cameras(keypoints, cameras)
    everything = choose_sightings(
        keypoints,
        cameras,
        score_threshold=score_threshold,
        max_observations=max_observations,
        whole_bodies=bool(lengths),
    )
    groups, lost = linked_groups(everything, cameras.names)
    if not groups or len(everything) < MIN_SIGHTINGS:
        raise CalibrationError(
            f"no two cameras share {MIN_SHARED} keypoints ({len(everything)} are seen by two): film the subject where "
            "several cameras see it, or lower the score threshold"
        )
    for group in groups[1:]:
        first = ", ".join(cameras.names[i] for i in groups[0])
        lost |= {cameras.names[i]: f"it shares no keypoints with the group {first}" for i in group}
    limb_pairs(lengths, everything, keypoints.keypoints)
    sightings = of_cameras(everything, groups[0])
    rig = cameras.select([cameras.names[i] for i in groups[0]])
    poses, reasons = place_cameras(rig, sightings, progress)
    placed = np.flatnonzero(np.isfinite(poses[:, 0, 0]))
    lost |= {rig.names[i]: reason for i, reason in reasons.items()}
    sightings, keypoints = of_cameras(sightings, list(placed)), keypoints.select([rig.names[i] for i in placed])
    rig = with_poses(rig.select([rig.names[i] for i in placed]), poses[placed])
    limbs = limb_sightings(keypoints, rig, lengths, score_threshold=score_threshold) if lengths else None
    everyone = np.ones(len(rig), dtype=bool)
    task = Task(rig, rig, np.zeros(3), keypoints.keypoints, lengths, limbs, everyone, refine_lens=False, prior=None)
    task, sightings = center_on_subject(task, sightings)
    check_individuals(sightings, task.rig, keypoints)
    held = held_out(sightings, len(keypoints.keypoints))
    trained = solve(task, sightings.select(np.flatnonzero(~held)))
    predicted, _ = place_by(rig_of(task.rig, trained), sightings.select(np.flatnonzero(held)), trained.sigma)
    solution = solve(task, sightings, start=trained)
    found = rig_of(task.rig, solution)
    scale, factor = _scale(found, solution.sigma, task, camera_distances)
    found = found.transformed(np.eye(4), factor)
    found = found.transformed(found.cam_from_world[0])
    after, kept = place_by(found, sightings, solution.sigma)
    changes = camera_changes(None, found, None, after, (None, camera_medians(predicted)))
    places = count_places(found, after, kept)
    findings = [lost_finding(name, why, "it is not in the calibration") for name, why in lost.items()]
    if len(groups) > 1:
        findings.append(groups_finding(groups, cameras.names))
    findings += disagreement_findings(changes) + _check(
        found, after.bundle.points, point_distances(after.bundle), places
    )
    error = float(np.nanmedian([change.after_px for change in changes]))
    metadata = {"adjusted": True, "error": error, "scale": scale}
    measured = measure_by(task, found, solution.sigma)
    return SubjectCalibration(
        rig=Rig(found.cameras, metadata),
        cameras=changes,
        improved=all(finding.grade != "FAIL" for finding in findings),
        scale=scale,
        lengths_mm={"-".join(ends): float(measured[i, 0]) for i, ends in enumerate(lengths)},
        n_points=len(sightings),
        n_labels=int(sightings.seen.sum()),
        n_frames=len(np.unique(sightings.frame)),
        n_places=places,
        unlinked=dict(sorted(lost.items())),
        findings=tuple(findings),
    )


def _scale(
    found: Rig,
    sigma: FloatArray,
    task: Task,
    camera_distances: Mapping[tuple[str, str], float],
) -> tuple[Scale, float]:
    """Return where the scale comes from, and the factor."""
    factor, _ = limb_scale(measure_by(task, found, sigma), known_lengths(task.lengths))
    if np.isfinite(factor):
        return "lengths", factor
    ratios = []
    for (a, b), distance in camera_distances.items():
        missing = [name for name in (a, b) if name not in found]
        if missing or not (np.isfinite(distance) and distance > 0):
            raise CalibrationError(
                f"distance {a}-{b}: "
                + (f"camera {missing[0]} is not in the calibration" if missing else "a positive length in mm is needed")
            )
        ratios.append(np.log(distance / np.linalg.norm(found[a].center - found[b].center)))
    if ratios:
        return "cameras", float(np.exp(np.mean(ratios)))
    if any(value is not None for value in task.lengths.values()):
        raise CalibrationError(
            "no limb of known length was seen whole at three instants or more: give another length, or none"
        )
    return "arbitrary", float(UNIT / np.linalg.norm(found.centers[0] - found.centers[1]))


def _check(rig: Rig, points: FloatArray, distance: FloatArray, places: int) -> list[Finding]:
    """Look for what makes poses from keypoints worthless."""
    width = float(np.median([max(camera.size) for camera in rig]))
    typical = float(np.nanmedian(distance))
    if typical > _UNLIKE * width:
        raise CalibrationError(
            f"the views do not agree on where the keypoints are ({typical:.0f} px): check that the files are of one "
            "recording, start at the same instant, and belong to the cameras that they are named for"
        )
    out = []
    fits = (np.nan_to_num(distance) < 4 * typical).all(1)
    thickness = np.linalg.svd(points[fits] - points[fits].mean(0), compute_uv=False)
    if thickness[2] < _FLAT * thickness[0]:
        out.append(
            Finding(
                "planar",
                "FAIL",
                (),
                "all keypoints lie near one plane, which leaves the poses ambiguous",
                "film a subject whose keypoints fill a volume",
            )
        )
    if places < MIN_PLACES:
        out.append(
            Finding(
                "still",
                "FAIL",
                (),
                f"the keypoints were seen in {places} places only, as the subject hardly moves: the poses are not to "
                "be trusted",
                f"film the subject while it moves through the space that the cameras share; {MIN_PLACES} places are "
                "needed",
            )
        )
    return out
