"""Held-out instants and left-out cameras against brute force: everything refined anew without them."""

from dataclasses import replace

import numpy as np
import pytest

from pose3d.calibration import calibrate_detections
from pose3d.calibration.solver.bundle import refine, residuals, select_views
from pose3d.calibration.solver.lens_models import lens_prior
from pose3d.calibration.trust.prediction import predict_corners


def medians(bundle, lengths):
    return np.array([np.nanmedian(lengths[bundle.camera == i]) for i in range(len(bundle.lens))])


def hold_out(solution):
    bundle = solution.bundle
    out = np.full(bundle.xy.shape[:2], np.nan)
    for fold in range(5):
        held = bundle.frame % 5 == fold
        fitted = refine(select_views(bundle, ~held), rounds=1, own_sigma=solution.sigma).bundle
        test = replace(
            select_views(bundle, held),
            lens=fitted.lens,
            cam_from_world=fitted.cam_from_world,
            free=np.zeros_like(bundle.free),
        )
        out[held] = np.linalg.norm(residuals(refine(test, rounds=1, own_sigma=solution.sigma).bundle), axis=-1)
    return out


def leave_out(solution):
    bundle = solution.bundle
    out = np.full(bundle.xy.shape[:2], np.nan)
    for camera in range(len(bundle.lens)):
        mine = bundle.camera == camera
        others = replace(select_views(bundle, ~mine), free=np.zeros_like(bundle.free))
        placed = refine(others, rounds=1, own_sigma=solution.sigma).bundle
        seen = np.isin(bundle.frame, bundle.frame[~mine])
        moved = replace(bundle, world_from_board=placed.world_from_board)
        out[mine & seen] = np.linalg.norm(residuals(moved), axis=-1)[mine & seen]
    return out


def solve(rig, detections):
    """Refine cameras and lenses together, from the true lenses on."""
    bundle = calibrate_detections(detections, intrinsics=rig).solution.bundle
    priors = [lens_prior(camera.size, camera.focal) for camera in rig]
    free = bundle.free.copy()
    free[:, :8] = True
    bundle = replace(
        bundle, free=free, prior=np.stack([p[0] for p in priors]), prior_mean=np.stack([p[1] for p in priors])
    )
    return refine(bundle, rounds=2)


@pytest.fixture
def solved(make_ring, corners, board):
    rig = make_ring(3, arc=np.pi / 2)
    return solve(rig, corners(rig, board, 24, seed=3))


@pytest.mark.parametrize(("solver", "attribute"), [(hold_out, "held_out"), (leave_out, "left_out")])
def test_one_step_predicts_what_refits_do(solved, solver, attribute):
    found = getattr(predict_corners(solved), attribute)
    brute = solver(solved)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(brute))
    np.testing.assert_allclose(medians(solved.bundle, found), medians(solved.bundle, brute), rtol=0.05)
    assert np.nanmedian(np.abs(found - brute)) < 0.02  # corner by corner, of errors of about 0.4 px


def test_errors_that_were_not_fitted_are_larger(solved):
    fitted = medians(solved.bundle, np.linalg.norm(residuals(solved.bundle), axis=-1))
    assert (medians(solved.bundle, predict_corners(solved).held_out) > fitted).all()


def test_cameras_that_agree_predict_each_other_as_well_as_can_be(make_ring, corners, board):
    rig = make_ring(4, arc=np.pi)
    solution = solve(rig, corners(rig, board, 60, sigma=0.4))
    prediction = predict_corners(solution)
    np.testing.assert_allclose(prediction.own_sigma, 0.4, rtol=0.08)
    np.testing.assert_allclose(prediction.left_out_ratio, 1.0, atol=0.15)
    left, expected = (
        medians(solution.bundle, values) for values in (prediction.left_out, prediction.left_out_expected)
    )
    np.testing.assert_allclose(left, expected, rtol=0.15)


def test_a_camera_that_moved_is_predicted_badly_but_fits_by_itself(make_ring, corners, board):
    truth = make_ring(3, arc=np.pi / 2)
    detections = corners(truth, board, 40)
    moved = replace(truth.cameras[1], translation=np.add(truth.cameras[1].translation, [0, 6.0, 0]))
    later = corners(replace(truth, cameras=(truth.cameras[0], moved, truth.cameras[2])), board, 40)
    xy = detections.xy.copy()
    xy[20:, 1] = later.xy[20:, 1]
    prediction = predict_corners(solve(truth, replace(detections, xy=xy)))
    np.testing.assert_allclose(prediction.own_sigma, 0.3, rtol=0.15)
    assert prediction.left_out_ratio[1] > 2.0


def test_lenses_that_were_held_have_an_uncertainty_only_if_they_were_estimated(make_ring, corners, board):
    truth = make_ring(2, arc=np.pi / 2)
    detections = corners(truth, board, 30)
    known = calibrate_detections(detections, intrinsics=truth).solution
    assert not predict_corners(known).lens_sd.any()
    own = solve(truth, detections)
    bundle = replace(own.bundle, free=own.bundle.free & (np.arange(18) >= 12))
    held = predict_corners(replace(own, bundle=bundle)).lens_sd
    joint = predict_corners(own).lens_sd
    assert (held[:, :4] > 0).all()
    assert (held[:, 0] > 0.7 * joint[:, 0]).all()  # a camera by itself knows less about its lens


def test_one_camera_is_predicted_at_held_out_instants(make_ring, corners, board):
    rig = make_ring(1)
    solution = solve(rig, corners(rig, board, 40))
    prediction = predict_corners(solution)
    assert np.isnan(prediction.left_out).all()
    assert np.isnan(prediction.left_out_ratio).all()
    assert 0.3 < medians(solution.bundle, prediction.held_out)[0] < 0.5
