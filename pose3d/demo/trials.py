"""Synthetic recordings of any length with everything known: a walker inside a ring of cameras, and what they detect."""

from dataclasses import dataclass

import numpy as np

from pose3d.data.camera import Camera, Rig
from pose3d.data.keypoints import Keypoints2D
from pose3d.data.skeleton import Skeleton
from pose3d.demo.person import axis_rotation, make_person, place_body
from pose3d.demo.rig import look_at
from pose3d.demo.walk import fit_stride, make_pose
from pose3d.geometry.arrays import BoolArray, FloatArray

__all__ = ["TRIAL_SKELETON", "Trial", "make_ring", "make_trial", "walk_in_circles"]

_LIMBS = (
    ("Hip", "Neck"),
    ("Neck", "Head"),
    ("Neck", "Nose"),
    *(
        (f"{side}{a}" if a not in ("Hip0", "Neck") else a.removesuffix("0"), f"{side}{b}")
        for side in "LR"
        for a, b in (
            ("Hip0", "Hip"),
            ("Hip", "Knee"),
            ("Knee", "Ankle"),
            ("Ankle", "Heel"),
            ("Ankle", "BigToe"),
            ("Neck", "Shoulder"),
            ("Shoulder", "Elbow"),
            ("Elbow", "Wrist"),
        )
    ),
)

_NAMES = (
    "Hip",
    "Neck",
    "Head",
    "Nose",
    *(
        side + name
        for side in "LR"
        for name in ("Hip", "Knee", "Ankle", "Heel", "BigToe", "Shoulder", "Elbow", "Wrist")
    ),
)

TRIAL_SKELETON = Skeleton(
    "walker20", _NAMES, _LIMBS, tuple((name, "R" + name[1:]) for name in _NAMES if name[0] == "L")
)
"""Twenty keypoints on nineteen limbs, whose lengths the walker keeps exactly but for the one along the trunk."""


@dataclass(frozen=True, eq=False)
class Trial:
    """A synthetic recording and the truth behind it.

    Attributes
    ----------
    rig : Rig
    keypoints : Keypoints2D
        One individual.
    xyz : (n_frames, n_keypoints, 3) array, mm
        True places.
    clean : (n_frames, n_cameras, n_keypoints) bool array
        Views that are neither missing nor gross errors nor exchanged.
    swapped : (n_frames, n_cameras, n_keypoints) bool array
        Views that show the partner on the other side.
    noise_px : (n_cameras,) array
        Standard deviation per axis of the clean views.
    """

    rig: Rig
    keypoints: Keypoints2D
    xyz: FloatArray
    clean: BoolArray
    swapped: BoolArray
    noise_px: FloatArray


def make_ring(n_cameras: int = 6, *, radius_mm: float = 3500.0) -> Rig:
    """Stand cameras of 1280x1024 px (f about 1080 px, a lens of five terms) in a ring around the origin of the floor.

    Parameters
    ----------
    n_cameras : int
    radius_mm : float
    """
    cameras = []
    for i in range(n_cameras):
        angle = 2 * np.pi * i / n_cameras + 0.2
        center = [radius_mm * np.cos(angle), radius_mm * np.sin(angle), 1500 + 300 * np.sin(2.4 * i)]
        rotation, translation = look_at(center, [0.0, 0.0, 900.0], roll_deg=3 * np.cos(1.7 * i))
        focal = 1080 + 15 * np.sin(3.1 * i)
        K = np.array([[focal, 0, 639.5 + 6 * np.cos(i)], [0, focal, 511.5 - 5 * np.sin(i)], [0, 0, 1]])
        lens = np.array([-0.12 - 0.008 * i, 0.05, 4e-4, -3e-4, -0.01])
        cameras.append(Camera(f"cam_{i + 1}", (1280, 1024), K, lens, rotation, translation))
    return Rig(tuple(cameras))


def walk_in_circles(
    n_frames: int, *, fps: float = 100.0, radius_mm: float = 800.0, rng: np.random.Generator
) -> FloatArray:
    """Let a random adult walk around the origin.

    Parameters
    ----------
    n_frames : int
    fps : float
    radius_mm : float
    rng : numpy Generator

    Returns
    -------
    (n_frames, 20, 3) array, mm
        In the order of :data:`TRIAL_SKELETON`.
    """
    person = make_person(rng)
    length, period = person.height * rng.uniform(0.70, 0.80), 120 / rng.uniform(100, 115)
    stride = fit_stride(person, length=length, period=period)
    seconds = np.arange(n_frames) / fps
    start = rng.uniform(0, 1)
    pose = make_pose(stride, start + seconds / period, rng=rng)
    pose.pelvis[:, 0] -= stride.length * (seconds - seconds.mean()) / period  # a treadmill, which is then carried
    pose.pelvis[:, 0] -= pose.pelvis[:, 0].mean()
    body = place_body(person, pose).keypoints(TRIAL_SKELETON)
    heading = stride.speed * seconds / radius_mm + rng.uniform(0, 2 * np.pi)
    turn = axis_rotation(2, np.degrees(heading))
    middle = radius_mm * np.stack([np.sin(heading), -np.cos(heading), np.zeros(n_frames)], axis=-1)
    return np.asarray(np.einsum("fij,fkj->fki", turn, body) + middle[:, None])


def make_trial(
    n_frames: int,
    *,
    rig: Rig | None = None,
    xyz: FloatArray | None = None,
    noise_px: float | FloatArray = 1.0,
    outliers: float = 0.05,
    missing: float = 0.15,
    swaps: float = 0.0,
    fps: float = 100.0,
    seed: int = 0,
) -> Trial:
    """Make a recording: Gaussian noise, gross errors whose score says nothing, missing views, exchanged sides.

    Parameters
    ----------
    n_frames : int
    rig : Rig, optional
        Default six cameras of :func:`make_ring`.
    xyz : (n_frames, 20, 3) array, mm, optional
        Motion; default a walk.
    noise_px : float or (n_cameras,) array
        Standard deviation per axis.
    outliers : float
        Share of views 20 to 250 px off.
    missing : float
        Share of views without a detection.
    swaps : float
        Share of a camera's frames in which a left-right pair is exchanged, each pair for itself.
    fps : float
    seed : int

    Returns
    -------
    Trial
    """
    rng = np.random.default_rng([seed, 77])
    rig = make_ring() if rig is None else rig
    truth = walk_in_circles(n_frames, fps=fps, rng=rng) if xyz is None else np.asarray(xyz, dtype=np.float64)
    sigma = np.broadcast_to(np.asarray(noise_px, dtype=np.float64), len(rig)).copy()
    xy = np.moveaxis(rig.project(truth), 2, 1)
    xy += sigma[:, None, None] * rng.standard_normal(xy.shape)
    shape = xy.shape[:-1]
    swapped = np.zeros(shape, dtype=bool)
    names = TRIAL_SKELETON.keypoints
    for left, right in TRIAL_SKELETON.pairs:
        pair = np.array([names.index(left), names.index(right)])
        frame, camera = (index[:, None] for index in np.nonzero(rng.random(shape[:2]) < swaps))
        xy[frame, camera, pair] = xy[frame, camera, pair[::-1]]
        swapped[frame, camera, pair] = True
    gross = rng.random(shape) < outliers
    angle, size = rng.uniform(0, 2 * np.pi, shape), rng.uniform(20, 250, shape)
    xy += np.where(gross, size, 0.0)[..., None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    gone = rng.random(shape) < missing
    xy[gone] = np.nan
    score = np.where(gone, np.nan, rng.uniform(0.5, 1.0, shape))
    keypoints = Keypoints2D(xy[:, :, None], score[:, :, None], rig.names, ("walker",), names, fps=fps)
    return Trial(rig, keypoints, truth, ~gross & ~gone & ~swapped, swapped & ~gone, sigma)
