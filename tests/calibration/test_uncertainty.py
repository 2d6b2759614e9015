"""Does a calibration err as much as it says? Simulated ones against their truth."""

from types import SimpleNamespace

import numpy as np
import pytest

from pose3d.calibration import calibrate_detections
from pose3d.calibration.solver.solve import estimate_lenses, solve_rig
from pose3d.calibration.trust.uncertainty import parameter_uncertainty, volume_error
from pose3d.data import Camera, Rig
from pose3d.geometry.rotations import log_so3
from pose3d.geometry.transforms import apply, inverse, rigid, rotvec_translation, umeyama
from pose3d.geometry.triangulation import triangulate_svd

LENSES = [("held", 40, 40), ("full", 40, 40), ("chosen", 10, 80)]  # calibrations to simulate, and their instants


@pytest.fixture(scope="module")
def runs():
    """Calibrations by how the lenses were treated, made once."""
    return {}


def solve(scene, *, intrinsics=None, lens_model=None):
    """What a calibration has of these, without its searches for mistakes: they take most of the time."""
    lenses, _ = estimate_lenses(scene, intrinsics=intrinsics)
    solved = solve_rig(scene, lenses, lens_model=lens_model)
    bundle, sizes = solved.solution.bundle, solved.detections.sizes
    rotation, translation = rotvec_translation(bundle.cam_from_world)
    cameras = (
        Camera(name, sizes[i], bundle.matrix(i), bundle.distortion(i), rotation[i], translation[i])
        for i, name in enumerate(solved.detections.cameras)
    )
    uncertainty = parameter_uncertainty(solved.solution, solved.lens_covariance)
    volume = volume_error(solved.solution, uncertainty, sizes)
    return SimpleNamespace(rig=Rig(tuple(cameras)), uncertainty=uncertainty, volume=volume)


@pytest.fixture
def simulate(runs, make_ring, corners, board):
    truth = make_ring(3, arc=np.pi / 2)
    truth = truth.transformed(truth.cameras[0].cam_from_world)  # the first camera is the world

    def run(lenses, count, n_frames):
        if lenses not in runs:
            settings = {"held": {"intrinsics": truth}, "full": {"lens_model": "full"}, "chosen": {}}[lenses]
            scenes = (corners(make_ring(3, arc=np.pi / 2), board, n_frames, seed=100 + i) for i in range(count))
            runs[lenses] = [solve(scene, **settings) for scene in scenes]
        return truth, runs[lenses]

    return run


def errors_of(calibration, truth):
    """Errors in the order of the covariance."""
    out = np.zeros((len(truth), 18))
    for i, (found, true) in enumerate(zip(calibration.rig, truth, strict=True)):
        out[i, :4] = (found.matrix - true.matrix)[[0, 1, 0, 1], [0, 1, 2, 2]]
        for sign, camera in ((1, found), (-1, true)):
            out[i, 4 : 4 + len(camera.distortion)] += sign * camera.distortion
        out[i, 12:15] = log_so3(found.cam_from_world[:3, :3] @ true.cam_from_world[:3, :3].T)
        out[i, 15:] = found.translation - true.translation
    return out[calibration.uncertainty.camera, calibration.uncertainty.number]


def not_tied(covariance):
    """Leave out what another parameter before it determines, as one focal length in two numbers."""
    sd = np.sqrt(np.diag(covariance))
    return np.flatnonzero((np.triu(covariance / sd[:, None] / sd, 1) < 0.999).all(0))


def scaled_errors(calibration, truth):
    """Errors in standard deviations, and the squared Mahalanobis distance of the truth."""
    covariance = calibration.uncertainty.covariance
    apart = not_tied(covariance)
    sd = np.sqrt(np.diag(covariance))[apart]
    error = errors_of(calibration, truth)[apart] / sd
    return error, error @ np.linalg.solve(covariance[np.ix_(apart, apart)] / sd[:, None] / sd, error)


def real_error(calibration, truth):
    """Mean squared error, mm^2, of exact points of the calibration's volume, triangulated and aligned."""
    points = calibration.volume.xyz
    pixels = truth.project(points)
    pixels[~((pixels > -0.5) & (pixels < np.array([1279.5, 1023.5]))).all(-1)] = np.nan
    rig = calibration.rig
    weights = np.broadcast_to(rig.focals, pixels.shape[:-1])
    made = triangulate_svd(rig.undistort(pixels), rig.cam_from_world, weights=weights)
    return ((umeyama(made, points)(made) - points) ** 2).sum(-1).mean()


@pytest.mark.slow
@pytest.mark.parametrize(("lenses", "count", "n_frames"), LENSES)
def test_the_truth_lies_where_the_covariance_says(simulate, lenses, count, n_frames):
    truth, calibrations = simulate(lenses, count, n_frames)
    found = [scaled_errors(c, truth) for c in calibrations]
    errors, distance = np.concatenate([error for error, _ in found]), sum(square for _, square in found)
    # the mean square of so many independent numbers is 1 within this; the rest is for what is not linear
    assert abs(distance / len(errors) - 1) < 4 * np.sqrt(2 / len(errors)) + 0.05
    assert 0.88 < (np.abs(errors) <= 1.96).mean() < 0.99  # errors of one calibration go together: few witnesses


@pytest.mark.slow
@pytest.mark.parametrize(("lenses", "count", "n_frames"), LENSES)
def test_the_predicted_error_is_the_real_one(simulate, lenses, count, n_frames):
    truth, calibrations = simulate(lenses, count, n_frames)
    predicted = np.sqrt(np.mean([c.volume.rms_mm**2 for c in calibrations]))
    real = np.sqrt(np.mean([real_error(c, truth) for c in calibrations]))
    assert predicted == pytest.approx(real, rel=0.2 if count >= 40 else 0.4)


def test_what_is_held_has_no_uncertainty(make_ring, corners, board):
    truth = make_ring(3, arc=np.pi / 2)
    scene = corners(truth, board, 30)
    held = calibrate_detections(scene, intrinsics=truth).uncertainty
    assert not held.lens_sd.any()
    assert not held.sd[0].any()  # the first camera is the world
    assert (held.sd[1:, 12:] > 0).all()
    one_held = calibrate_detections(scene, intrinsics=truth.select(["cam_1"])).uncertainty
    assert not one_held.lens_sd[1].any()


def test_another_world_changes_no_uncertainty(make_ring, corners, board):
    truth = make_ring(3, arc=np.pi / 2)
    before = calibrate_detections(corners(truth, board, 30), intrinsics=truth)
    move = rigid([0.3, -1.0, 0.4], [500.0, -200.0, 1000.0])
    after = before.transformed(move)
    np.testing.assert_allclose(after.rig.centers, apply(move, before.rig.centers), atol=1e-9)
    np.testing.assert_allclose(apply(inverse(move), after.volume.xyz), before.volume.xyz, atol=1e-9)
    anew = parameter_uncertainty(after.solution)
    scale = np.outer(*[np.sqrt(np.diag(anew.covariance))] * 2)
    np.testing.assert_allclose(after.uncertainty.covariance / scale, anew.covariance / scale, atol=1e-4)
    again = volume_error(after.solution, after.uncertainty, after.detections.sizes)
    assert again.rms_mm == pytest.approx(before.volume.rms_mm, rel=0.1)  # the grid follows the world's axes
    assert not after.uncertainty.lens_sd.any()


def test_more_views_are_worth_more(make_ring, corners, board):
    truth = make_ring(3, arc=np.pi / 2)
    spread = [
        solve(corners(truth, board, n), intrinsics=truth).uncertainty.translation_sd_mm[1:].mean() for n in (20, 80)
    ]
    assert 1.4 < spread[0] / spread[1] < 3  # four times the views: half the error
