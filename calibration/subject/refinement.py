"""What refining a rig from keypoints and finding it from nothing but keypoints have in common."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pose3d.data.camera import Rig
from pose3d.data.keypoints import Keypoints2D
from pose3d.errors import CalibrationError
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.geometry.epipolar import epipolar_distance, essential
from pose3d.geometry.rotations import skew

from ..findings import Finding
from .limbs import LimbLengths, limb_pairs, measure_limbs, tie_limbs
from .points_bundle import PointsSolution, refine_points
from .points_views import PointsBundle
from .result import CameraChange, place_by
from .sightings import Sightings, place_points, points_bundle

__all__ = [
    "MIN_PLACES",
    "MIN_SHARED",
    "MIN_SIGHTINGS",
    "Task",
    "center_on_subject",
    "check_individuals",
    "chunks",
    "disagreement_findings",
    "groups_finding",
    "held_out",
    "linked_groups",
    "lost_finding",
    "match_cameras",
    "measure_by",
    "solve",
]

MIN_SIGHTINGS = 30  # keypoints that two cameras see, below which there is nothing to solve
MIN_SHARED = 20  # keypoints that link two cameras
MIN_PLACES = 60  # places in which keypoints were seen
_EXCHANGED = 0.35
_DOUBTFUL, _DISAGREES = 0.25, 0.4  # part of a camera's labels that are far off
_CHUNKS, _EVERY, _FIRST = 50, 5, 2  # held out: every fifth part of the recording, every fifth keypoint
_TURN, _SHIFT = np.deg2rad(5.0), 0.05  # how far a camera is from where it stood, the shift as part of its distance


class Task(NamedTuple):
    """What is refined; the origin of the rig's world is the subject."""

    rig: Rig
    original: Rig
    middle: FloatArray
    keypoints: tuple[str, ...]
    lengths: LimbLengths
    limbs: Sightings | None  # labels of the limbs' ends
    free: BoolArray
    refine_lens: bool
    prior: FloatArray | None


def match_cameras(keypoints: Keypoints2D, rig: Rig) -> Keypoints2D:
    """Return the keypoints with the rig's cameras in its order; a camera without labels has none.

    Raises
    ------
    CalibrationError
        If keypoints are of a camera that the rig lacks, or of one camera only.
    """
    strangers = [name for name in keypoints.cameras if name not in rig]
    if strangers:
        raise CalibrationError(
            f"camera {strangers[0]} has keypoints but no calibration; the calibration has {', '.join(rig.names)}"
        )
    if len(keypoints.cameras) < 2:
        raise CalibrationError("keypoints of one camera say nothing about poses: give those of two or more")
    n_frames, _, n_individuals, n_keypoints = keypoints.score.shape
    xy = np.full((n_frames, len(rig), n_individuals, n_keypoints, 2), np.nan)
    score = np.full(xy.shape[:-1], np.nan)
    for i, name in enumerate(rig.names):
        if name in keypoints.cameras:
            at = keypoints.cameras.index(name)
            xy[:, i], score[:, i] = keypoints.xy[:, at], keypoints.score[:, at]
    return replace(keypoints, xy=xy, score=score, cameras=rig.names)


def linked_groups(sightings: Sightings, names: tuple[str, ...]) -> tuple[list[list[int]], dict[str, str]]:
    """Group the cameras that shared keypoints link; the largest group first.

    Returns
    -------
    groups : list of list of int
        Of two cameras or more.
    lost : dict of str to str
        The other cameras, and why.
    """
    seen = sightings.seen
    shared = seen.T.astype(np.int64) @ seen.astype(np.int64)
    left, groups, lost = set(range(len(names))), [], {}
    while left:
        group, todo = [], [min(left)]
        while todo:
            one = todo.pop()
            left.discard(one)
            group.append(one)
            more = [i for i in sorted(left) if shared[one, i] >= MIN_SHARED and i not in todo]
            todo += more
        if len(group) > 1:
            groups.append(sorted(group))
        else:
            row = shared[group[0]].copy()
            row[group[0]] = 0
            other = f", the most with {names[int(row.argmax())]}" if row.any() else ""
            lost[names[group[0]]] = f"it shares {int(row.max())} keypoints with another camera{other}"
    return sorted(groups, key=lambda g: (-len(g), g[0])), lost


def center_on_subject(task: Task, sightings: Sightings) -> tuple[Task, Sightings]:
    """Move the world's origin to the subject, where turns and shifts of cameras are least alike; drop lost points."""
    rig = task.rig
    points = place_points(sightings, rig.focals, rig.cam_from_world)
    good = np.isfinite(points).all(1)
    sightings = sightings.select(np.flatnonzero(good))
    if len(sightings) < MIN_SIGHTINGS:
        raise CalibrationError(
            f"only {len(sightings)} keypoints lie in front of the cameras that see them: the old calibration is not "
            "of these cameras; find the poses from scratch"
        )
    middle = np.median(points[good], axis=0)
    shift = np.eye(4)
    shift[:3, 3] = -middle
    prior = task.prior
    if prior is not None:
        if prior.shape != (6 * len(rig), 6 * len(rig)):
            raise ValueError(f"prior_information: ({6 * len(rig)}, {6 * len(rig)}) expected, not {prior.shape}")
        # the old shift is the new one plus turn x (R middle)
        T = np.eye(6 * len(rig))
        for i, pose in enumerate(rig.cam_from_world):
            T[6 * i + 3 : 6 * i + 6, 6 * i : 6 * i + 3] = skew(pose[:3, :3] @ middle)
        prior = T.T @ prior @ T
    return task._replace(rig=rig.transformed(shift), middle=middle, prior=prior), sightings


def check_individuals(sightings: Sightings, rig: Rig, keypoints: Keypoints2D) -> None:
    """Refuse individuals that are other ones in other views.

    For each pair of cameras: how many labels of one lie nearer to another individual's epipolar line than to their own.

    Raises
    ------
    CalibrationError
    """
    n = len(keypoints.individuals)
    if n < 2:
        return
    every = np.moveaxis(keypoints.xy, 1, 3)
    rays = [rig.undistort(every[sightings.frame, (sightings.individual + k) % n, sightings.keypoint]) for k in range(n)]
    worst, where = 0.0, (0, 0)
    for a in range(len(rig)):
        for b in range(a + 1, len(rig)):
            E = essential(rig.cameras[a].cam_from_world, rig.cameras[b].cam_from_world)
            own = epipolar_distance(sightings.ray[:, a], sightings.ray[:, b], E)
            for others in rays[1:]:
                off = epipolar_distance(sightings.ray[:, a], others[:, b], E)
                both = np.isfinite(own) & np.isfinite(off)
                if both.sum() >= MIN_SHARED and np.mean(off[both] < 0.5 * own[both]) > worst:
                    worst, where = float(np.mean(off[both] < 0.5 * own[both])), (a, b)
    if worst > _EXCHANGED:
        first, second = (rig.names[i] for i in where)
        raise CalibrationError(
            f"individuals must be the same ones in all views, but {100 * worst:.0f} % of the labels of {second} fit "
            f"another individual of {first} better: match them across cameras first, or give the frames of one"
        )


def held_out(sightings: Sightings, n_keypoints: int) -> BoolArray:
    """Hold out parts of the recording and some keypoints: a keypoint's label may be off alike in all frames."""
    held = chunks(sightings) % _EVERY == _FIRST
    used = np.unique(sightings.keypoint)
    if len(used) >= _EVERY:
        chosen = np.zeros(n_keypoints, dtype=bool)
        chosen[used[_FIRST::_EVERY]] = True
        held |= chosen[sightings.keypoint]
    return np.asarray(held)


def chunks(sightings: Sightings) -> IntArray:
    """Return the part of the recording that each keypoint belongs to, (n,)."""
    _, index = np.unique(sightings.frame, return_inverse=True)
    n = int(index.max()) + 1
    return np.asarray(index * min(_CHUNKS, n) // n)


def _prior(task: Task, depth: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Return the poses' prior and which cameras move."""
    n = len(task.rig)
    if task.prior is None:
        sd = np.concatenate([np.full((n, 3), _TURN), np.repeat(_SHIFT * depth[:, None], 3, axis=1)], axis=1)
        return np.diag(1 / np.square(sd.ravel())), task.free
    free = task.free.copy()
    blank = [i for i in range(n) if not task.prior[6 * i : 6 * i + 6].any()]
    free[blank[:1]] = False
    return task.prior, free


def solve(task: Task, sightings: Sightings, *, start: PointsSolution | None = None) -> PointsSolution:
    """Refine a rig from keypoints, with limbs where they are given.

    Parameters
    ----------
    task : Task
    sightings : Sightings
    start : PointsSolution, optional
        Cameras and noise to start with.
    """
    rig = task.rig
    poses = rig.cam_from_world if start is None else start.bundle.cam_from_world
    depth = np.maximum(np.linalg.norm(rig.cam_from_world[:, :3, 3], axis=1), 1e-3)
    prior, free = _prior(task, depth)
    free_focal = free & task.refine_lens

    def begin(poses: FloatArray, scale: FloatArray) -> tuple[PointsBundle, Sightings]:
        points = place_points(sightings, rig.focals, poses)
        good = np.flatnonzero(np.isfinite(points).all(1))
        kept = sightings.select(good)
        made = points_bundle(kept, rig, points[good], poses=poses, prior=prior, free_pose=free, free_focal=free_focal)
        return replace(made, focal_scale=scale), kept

    if start is None:
        bundle, _ = begin(poses, np.ones(len(rig)))
        start = refine_points(bundle, rounds=3, max_iterations=5, tolerance=1e-3)
    bundle, kept = begin(start.bundle.cam_from_world, start.bundle.focal_scale)
    solution = refine_points(bundle, sigma=start.sigma)
    if task.lengths:
        pairs = limb_pairs(task.lengths, kept, task.keypoints)
        limbs = tie_limbs(solution, pairs, measure_limbs(solution, pairs), task.lengths, kept)
        if limbs is not None:
            solution = refine_points(replace(solution.bundle, limbs=limbs), sigma=solution.sigma)
    return solution


def measure_by(
    task: Task,
    rig: Rig,
    sigma: FloatArray,
    *,
    group: Sequence[int] | None = None,
    focal_scale: FloatArray | None = None,
) -> FloatArray:
    """Measure the named limbs with a rig, (n_limbs, 3): length, standard error, variation, mm.

    Parameters
    ----------
    task : Task
    rig : Rig
    sigma : (n_cameras,) array, px
    group : sequence of int, optional
        Cameras that measure; all by default.
    focal_scale : (n_cameras,) array, optional
        As in :func:`pose3d.calibration.subject.result.place_by`.
    """
    if task.limbs is None:
        return np.full((len(task.lengths), 3), np.nan)
    labels = task.limbs if group is None else task.limbs.keep_cameras(np.isin(np.arange(len(rig)), group))
    if len(labels) == 0:
        return np.full((len(task.lengths), 3), np.nan)
    placed, kept = place_by(rig, labels, sigma, focal_scale=focal_scale)
    return measure_limbs(placed, limb_pairs(task.lengths, kept, task.keypoints))


def lost_finding(name: str, why: str, so: str) -> Finding:
    """Say that keypoints cannot place a camera."""
    return Finding(
        "unlinked",
        "WARN",
        (name,),
        f"camera {name} cannot be placed by keypoints, as {why}: {so}",
        "film the subject where this camera and another see it at the same time",
    )


def groups_finding(groups: list[list[int]], names: tuple[str, ...]) -> Finding:
    """Say that cameras fall into groups that no keypoint links."""
    listed = " and ".join("{" + ", ".join(names[i] for i in group) + "}" for group in groups)
    return Finding(
        "groups",
        "WARN",
        tuple(names[i] for group in groups[1:] for i in group),
        f"no keypoint is shared by the groups of cameras {listed}: how the groups stand to each other is not refined",
        "film the subject where cameras of both groups see the same keypoints",
    )


def disagreement_findings(cameras: Sequence[CameraChange]) -> list[Finding]:
    """Name cameras many of whose labels fit no keypoint."""
    return [
        Finding(
            "disagrees",
            "FAIL" if camera.outliers > _DISAGREES else "WARN",
            (camera.name,),
            f"{100 * camera.outliers:.0f} % of the labels of camera {camera.name} do not fit the keypoints that the "
            "other cameras see",
            "look at them: left and right or individuals may be exchanged, or its clip is out of step",
        )
        for camera in cameras
        if camera.outliers > _DOUBTFUL
    ]
