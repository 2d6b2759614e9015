"""The covariance that a calibrated rig carries: does it hold where the points really lie?"""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from pose3d.calibration import WorldFrame, apply_world, calibrate_detections
from pose3d.calibration.solver.solve import estimate_lenses, solve_rig
from pose3d.calibration.trust.rig_covariance import rig_covariance
from pose3d.calibration.trust.uncertainty import parameter_uncertainty, volume_sensitivity
from pose3d.data import Camera, Rig, RigCovariance
from pose3d.geometry.symmetric import inverse_matrix
from pose3d.geometry.transforms import apply, rigid, rotvec_translation, umeyama
from pose3d.geometry.triangulation import triangulate_svd
from pose3d.io.rigs import load_rig, save_rig
from pose3d.reconstruction.refinement.rig_uncertainty import (
    calibration_covariance,
    derivatives,
    point_sensitivity,
)

N_SEEDS = 20
INSIDE = 7.8147  # squared Mahalanobis distance that holds 95 % in three dimensions


@pytest.fixture
def truth(make_ring):
    rig = make_ring(4, arc=0.8 * np.pi)
    return rig.transformed(rig.cameras[0].cam_from_world)


def solve(scene, *, intrinsics=None, lens_model=None):
    """What a calibration has of these, without its searches for mistakes: they take most of the time."""
    lenses, _ = estimate_lenses(scene, intrinsics=intrinsics)
    solved = solve_rig(scene, lenses, lens_model=lens_model)
    bundle, sizes = solved.solution.bundle, solved.detections.sizes
    rotation, translation = rotvec_translation(bundle.cam_from_world)
    cameras = tuple(
        Camera(name, sizes[i], bundle.matrix(i), bundle.distortion(i), rotation[i], translation[i])
        for i, name in enumerate(solved.detections.cameras)
    )
    uncertainty = parameter_uncertainty(solved.solution, solved.lens_covariance)
    known = rig_covariance(solved.solution, uncertainty, solved.detections.cameras, sizes)
    volume = volume_sensitivity(solved.solution, uncertainty, sizes, n_per_side=7)
    first = RigCovariance(uncertainty.covariance, uncertainty.camera, uncertainty.number, solved.detections.cameras)
    return SimpleNamespace(rig=Rig(cameras, {}, known), by_first=Rig(cameras, {}, first), volume=volume.xyz)


def place(rig, pixels, used):
    """Triangulate (n_points, n_cameras, 2) by least squares of the reprojection: points, and covariance for 1 px."""
    xyz = triangulate_svd(rig.undistort(pixels), rig.cam_from_world, weights=np.where(used, rig.focals, 0.0))
    for _ in range(4):
        matrix, gradient = np.zeros((6, len(xyz))), np.zeros((len(xyz), 3))
        for i, camera in enumerate(rig):
            seen = derivatives(camera, xyz, np.zeros(0, dtype=int))
            matrix += used[:, i] * seen.information
            off = np.where(used[:, i, None], pixels[:, i] - camera.project(xyz), 0.0)
            gradient += np.einsum("ain,na->ni", seen.by_world, off)
        covariance = inverse_matrix(matrix)
        xyz = xyz + np.einsum("nij,nj->ni", covariance, gradient)
    return xyz, covariance


def seen_by(rig, points):
    pixels = rig.project(points)
    return pixels, ((pixels > -0.5) & (pixels < np.array([1279.5, 1023.5]))).all(-1)


def distances(made, truth, rng, *, noise_px):
    """Squared Mahalanobis distances of true points, the worlds of both rigs laid onto each other by the volume."""
    found, _ = place(made.rig, *seen_by(truth, made.volume))
    world = umeyama(made.volume, found)
    points = rng.choice(made.volume, 150) + rng.uniform(-100, 100, (150, 3))
    pixels, used = seen_by(truth, points)
    used &= rng.random(used.shape) > 0.1
    kept = used.sum(1) >= 2
    points, pixels, used = points[kept], pixels[kept], used[kept]
    xyz, unit = place(made.rig, pixels + rng.normal(scale=noise_px, size=pixels.shape), used)
    noise = noise_px**2 * unit
    error = xyz - world(points)
    covariance = noise + calibration_covariance(made.rig, xyz, used.T.astype(float))
    return [np.einsum("ni,nij,nj->n", error, np.linalg.inv(C), error) for C in (covariance, noise)]


@pytest.mark.slow
@pytest.mark.parametrize("lenses", ["held", "full"])
def test_the_truth_lies_in_the_ellipsoids(make_ring, corners, board, truth, lenses):
    settings = {"held": {"intrinsics": truth}, "full": {"lens_model": "full"}}[lenses]
    clean, noisy = [], []
    for seed in range(N_SEEDS):
        made = solve(corners(make_ring(4, arc=0.8 * np.pi), board, 40, seed=700 + seed), **settings)
        rng = np.random.default_rng(seed)
        clean.append(distances(made, truth, rng, noise_px=0.05))  # some, as two exact rays leave no ellipsoid
        noisy.append(distances(made, truth, rng, noise_px=0.5))
    for runs in (clean, noisy):
        held = np.concatenate([with_calibration for with_calibration, _ in runs]) < INSIDE
        assert 0.92 < held.mean() < 0.98
    without = np.concatenate([alone for _, alone in clean]) < INSIDE
    assert without.mean() < 0.9  # the noise of the points does not explain where they lie


def test_the_reference_changes_neither_distances_nor_angles(corners, board, make_ring):
    made = solve(corners(make_ring(4, arc=0.8 * np.pi), board, 40), lens_model="full")
    points = made.volume[:: max(1, len(made.volume) // 8)][:8]
    precision = np.ones((4, len(points)))
    spread = []
    for rig in (made.rig, made.by_first):
        moved = point_sensitivity(rig, points, precision) @ rig.covariance.root  # (n_points, 3, k)
        i, j = np.triu_indices(len(points), 1)
        along = (points[i] - points[j]) / np.linalg.norm(points[i] - points[j], axis=1, keepdims=True)
        spread.append(np.linalg.norm(np.einsum("pi,pik->pk", along, moved[i] - moved[j]), axis=-1))
    np.testing.assert_allclose(spread[0], spread[1], rtol=1e-6)


def test_the_volume_as_a_whole_neither_turns_nor_shifts(corners, board, make_ring):
    made = solve(corners(make_ring(4, arc=0.8 * np.pi), board, 40), lens_model="full")
    known = made.rig.covariance
    assert known.reference == ""
    assert (known.sd[:, 12:] > 0).all()  # no camera is exact
    precision = seen_by(made.rig, made.volume)[1].T.astype(float)
    moved = point_sensitivity(made.rig, made.volume, precision) @ known.root
    size = np.sqrt(np.square(moved).sum((1, 2)).mean())
    assert np.abs(np.linalg.norm(moved.mean(0), axis=1)).max() < 0.02 * size
    center = made.volume - made.volume.mean(0)
    torque = np.cross(center[:, :, None], moved, axis=1).mean(0)
    assert np.linalg.norm(torque, axis=0).max() < 0.02 * size * np.linalg.norm(center, axis=1).max()
    by_first = calibration_covariance(made.by_first, made.volume, precision)
    assert np.sqrt(np.einsum("nii->n", by_first)).mean() > 5 * size  # what the first camera's centre would add


@pytest.fixture(scope="module")
def calibrated():
    """One calibration for all tests that only look at it."""
    return {}


@pytest.fixture
def calibration(calibrated, make_ring, corners, board):
    if not calibrated:
        calibrated["it"] = calibrate_detections(corners(make_ring(3, arc=np.pi / 2), board, 30))
    return calibrated["it"]


def test_a_calibrated_rig_carries_its_covariance_into_its_file(calibration, tmp_path):
    known = calibration.rig.covariance
    assert known.cameras == calibration.rig.names
    assert np.array_equal(known.sd[:, :12] > 0, calibration.uncertainty.sd[:, :12] > 0)
    np.testing.assert_allclose(known.sd[:, :12], calibration.uncertainty.sd[:, :12], rtol=1e-5)
    save_rig(calibration.rig, tmp_path / "calibration.toml")
    back = load_rig(tmp_path / "calibration.toml").covariance
    assert np.array_equal(back.covariance, known.covariance)


def test_other_worlds_keep_it(calibration):
    move = rigid([0.3, -1.0, 0.4], [500.0, -200.0, 1000.0])
    points = calibration.volume.xyz[::20]
    precision = np.ones((3, len(points)))
    before = calibration_covariance(calibration.rig, points, precision)
    for rig, factor in (
        (calibration.transformed(move).rig, 1.0),
        (apply_world(calibration.rig, WorldFrame(move, 1.02, "elsewhere")), 1.02),
    ):
        after = calibration_covariance(rig, apply(move, factor * points), precision)
        expected = factor**2 * move[:3, :3] @ before @ move[:3, :3].T
        np.testing.assert_allclose(after, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


def test_what_was_not_estimated_is_exact(calibration, make_ring, corners, board):
    truth = make_ring(3, arc=np.pi / 2)
    scene = corners(truth, board, 30)
    held = calibrate_detections(scene, intrinsics=truth).rig.covariance
    assert set(held.parameter.tolist()) == set(range(12, 18))
    one = calibrate_detections(scene.select(["cam_1"])).rig.covariance
    assert one.reference == "cam_1"
    assert set(one.parameter.tolist()) <= set(range(12))
    uncertainty = replace(calibration.uncertainty, covariance=np.full_like(calibration.uncertainty.covariance, np.inf))
    sizes = calibration.detections.sizes
    assert rig_covariance(calibration.solution, uncertainty, calibration.rig.names, sizes) is None


def test_rigs_that_others_changed_have_none(calibration):
    from pose3d.calibration import from_anipose, to_anipose

    assert from_anipose(to_anipose(calibration.rig)).covariance is None
