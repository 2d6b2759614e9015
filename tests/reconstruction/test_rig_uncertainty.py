"""What uncertain cameras do to pixels and points, against rigs that are really moved."""

from dataclasses import replace

import numpy as np
import pytest

from pose3d.data import Camera, Rig, RigCovariance
from pose3d.demo.trials import make_ring, walk_in_circles
from pose3d.geometry.symmetric import inverse_matrix
from pose3d.geometry.triangulation import triangulate_svd
from pose3d.reconstruction.refinement.covariance_cells import CovarianceCells, choose_cell_mm
from pose3d.reconstruction.refinement.rig_uncertainty import (
    calibration_covariance,
    derivatives,
    gradient_shift,
    moved_rig,
    pixel_shift,
    point_sensitivity,
    rig_samples,
)

SD = [1.0, 1.0, 1.0, 1.0, 1e-3, 1e-3, 1e-4, 1e-4, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3, 1.0, 1.0, 1.0]


def uncertain(rig, *, seed=0):
    """Give a rig the covariance of all that its cameras have, each parameter of a usual size and tied to others."""
    rng = np.random.default_rng(seed)
    free = np.ones((len(rig), 18), dtype=bool)
    free[0, 12:] = False
    for i, camera in enumerate(rig):
        free[i, 4 + len(camera.distortion) : 12] = False
    camera, parameter = np.nonzero(free)
    tied = rng.normal(size=(len(camera), 2 * len(camera)))
    tied /= np.linalg.norm(tied, axis=1, keepdims=True)
    sd = np.array(SD)[parameter]
    return replace(rig, covariance=RigCovariance(tied @ tied.T * sd[:, None] * sd, camera, parameter, rig.names))


@pytest.fixture(scope="module")
def ring():
    """Five cameras, each with another kind of lens."""
    rig = make_ring(5)
    lenses = [[], [-0.1, 0.04, 0.0005, -0.0004], [-0.12, 0.05, 4e-4, -3e-4, -0.01], [-0.1, 0.04, 0, 0, 0, 0.01, 0, 0]]
    cameras = [replace(camera, distortion=lens) for camera, lens in zip(rig, lenses, strict=False)]
    skewed = rig.cameras[4].matrix + np.array([[0, 3.0, 0], [0, 0, 0], [0, 0, 0]])
    cameras.append(replace(rig.cameras[4], distortion=[0.02, -0.01, 0.004, 0], fisheye=True, matrix=skewed))
    return uncertain(Rig(tuple(cameras)))


@pytest.fixture(scope="module")
def points():
    return walk_in_circles(6, fps=2.0, rng=np.random.default_rng(3)).reshape(-1, 3)


def place(rig, pixels, precision):
    """Triangulate (n_points, n_cameras, 2) by weighted least squares of the reprojection."""
    weights = np.where(precision.T > 0, rig.focals, 0.0)
    xyz = triangulate_svd(rig.undistort(pixels), rig.cam_from_world, weights=weights)
    for _ in range(5):
        matrix, gradient = np.zeros((6, len(xyz))), np.zeros((len(xyz), 3))
        for i, camera in enumerate(rig):
            seen = derivatives(camera, xyz, np.zeros(0, dtype=int))
            matrix += precision[i] * seen.information
            off = (pixels[:, i] - camera.project(xyz)) * precision[i][:, None]
            gradient += np.einsum("ain,na->ni", seen.by_world, off)
        xyz = xyz + np.einsum("nij,nj->ni", inverse_matrix(matrix), gradient)
    return xyz


def test_pixels_move_as_those_of_a_moved_rig(ring, points):
    shifts = 1e-4 * rig_samples(ring, 6, np.random.default_rng(0))
    found = pixel_shift(ring, points, shifts)
    assert found.shape == (6, 5, len(points), 2)
    expected = [moved_rig(ring, s).project(points) - moved_rig(ring, -s).project(points) for s in shifts]
    expected = np.moveaxis(np.array(expected), 2, 1) / 2
    assert np.abs(expected).max() > 1e-4
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-8)


def test_every_parameter_by_itself(ring, points):
    known = ring.covariance
    steps = np.diag(1e-4 * np.array(SD)[known.parameter])
    found = pixel_shift(ring, points, steps)
    expected = [moved_rig(ring, s).project(points) - moved_rig(ring, -s).project(points) for s in steps]
    np.testing.assert_allclose(found, np.moveaxis(np.array(expected), 2, 1) / 2, rtol=1e-5, atol=1e-9)
    for i in range(len(ring)):
        assert not found[known.camera == i][:, np.arange(5) != i].any()


def test_points_move_as_those_triangulated_by_a_moved_rig(ring, points):
    rng = np.random.default_rng(1)
    precision = rng.uniform(0.2, 2.0, (5, len(points)))
    precision[3, ::2] = 0.0
    pixels = ring.project(points)
    G = point_sensitivity(ring, points, precision)
    for shift in 1e-3 * rig_samples(ring, 4, rng):
        moved = place(moved_rig(ring, shift), pixels, precision) - place(moved_rig(ring, -shift), pixels, precision)
        np.testing.assert_allclose(G @ shift, moved / 2, rtol=1e-3, atol=2e-5)


def test_the_gradient_moves_points_through_the_normal_matrix(ring, points):
    rng = np.random.default_rng(2)
    precision = rng.uniform(0.2, 2.0, (5, len(points)))
    shifts = rig_samples(ring, 3, rng)
    matrix = sum(
        w * derivatives(camera, points, np.zeros(0, dtype=int)).information
        for camera, w in zip(ring, precision, strict=True)
    )
    moved = -np.einsum("nij,snj->sni", inverse_matrix(matrix), gradient_shift(ring, points, precision, shifts))
    np.testing.assert_allclose(moved, np.einsum("nip,sp->sni", point_sensitivity(ring, points, precision), shifts))


def test_the_covariance_is_that_of_sampled_rigs(ring, points):
    rng = np.random.default_rng(3)
    precision = np.ones((5, len(points)))
    samples = np.einsum("nip,sp->sni", point_sensitivity(ring, points, precision), rig_samples(ring, 20_000, rng))
    drawn = np.einsum("sni,snj->nij", samples, samples) / len(samples)
    found = calibration_covariance(ring, points, precision)
    sd = np.sqrt(np.einsum("nii->ni", found))
    np.testing.assert_allclose(drawn / sd[:, None] / sd[..., None], found / sd[:, None] / sd[..., None], atol=0.05)
    assert np.array_equal(found, calibration_covariance(ring, points, precision))


def test_it_does_not_matter_in_which_world_it_is_computed(ring, points):
    from pose3d.geometry.transforms import apply, rigid

    move = rigid([0.5, 0.1, -0.3], [2000.0, -300.0, 50.0])
    precision = np.ones((5, len(points)))
    found = calibration_covariance(ring.transformed(move), apply(move, points), precision)
    expected = move[:3, :3] @ calibration_covariance(ring, points, precision) @ move[:3, :3].T
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


def test_what_cannot_be_seen_does_not_count(ring, points):
    camera = ring.cameras[0]
    behind = camera.center + (camera.center - points.mean(0))
    xyz = np.stack([points[0], behind, [np.nan, 0, 0]])
    shifts = rig_samples(ring, 2, np.random.default_rng(0))
    moved = pixel_shift(ring, xyz, shifts)
    assert np.isnan(moved[:, 0]).all(-1).tolist() == [[False, True, True]] * 2
    precision = np.ones((5, 3))
    without = precision.copy()
    without[0, 1] = 0.0
    found = calibration_covariance(ring, xyz, precision)
    assert np.array_equal(found, calibration_covariance(ring, xyz, without), equal_nan=True)
    assert np.isnan(found).any((1, 2)).tolist() == [False, False, True]
    alone = np.zeros((5, 3))
    alone[1] = 1.0  # one ray fixes no point
    assert np.isnan(calibration_covariance(ring, xyz, alone)).all()
    assert np.isnan(CovarianceCells(ring, 50.0).covariance(xyz, alone)).all()


def test_a_rig_that_is_exact_adds_nothing(ring, points):
    known = ring.covariance
    exact = replace(ring, covariance=replace(known, covariance=np.zeros_like(known.covariance)))
    precision = np.ones((5, len(points)))
    assert not calibration_covariance(exact, points, precision).any()
    assert not CovarianceCells(exact, 50.0).covariance(points, precision).any()
    with pytest.raises(ValueError, match="no covariance"):
        rig_samples(Rig(ring.cameras), 3, np.random.default_rng(0))


@pytest.fixture(scope="module")
def trial():
    rng = np.random.default_rng(5)
    xyz = walk_in_circles(150, fps=25.0, rng=rng).reshape(-1, 3)
    return (
        uncertain(make_ring()),
        xyz,
        np.where(rng.random((6, len(xyz))) < 0.2, 0.0, rng.uniform(0.3, 1, (6, len(xyz)))),
    )


def test_cells_tell_nearly_the_same(trial):
    rig, xyz, precision = trial
    exact = calibration_covariance(rig, xyz, precision)
    found = CovarianceCells(rig, choose_cell_mm(rig, xyz)).covariance(xyz, precision)
    known = np.isfinite(exact[:, 0, 0])
    assert np.array_equal(np.isfinite(found[:, 0, 0]), known)
    sizes = [np.sqrt(np.einsum("nii->ni", c[known])) for c in (exact, found)]
    error = np.abs(sizes[1] / sizes[0] - 1)
    assert np.median(error) < 0.01
    assert np.quantile(error, 0.99) < 0.05


def test_cells_remember_but_their_answers_do_not_depend_on_it(trial, monkeypatch):
    rig, xyz, precision = trial
    cells = CovarianceCells(rig, 80.0)
    whole = cells.covariance(xyz, precision)
    monkeypatch.setattr("pose3d.reconstruction.refinement.covariance_cells._MOST_CELLS", 300)  # forgets again and again
    cells = CovarianceCells(rig, 80.0)
    parts = [cells.covariance(xyz[i : i + 700], precision[:, i : i + 700]) for i in range(0, len(xyz), 700)]
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-9, equal_nan=True)


def test_points_far_outside_are_no_points_but_harm_nobody(trial):
    rig, xyz, _ = trial
    strange = xyz[:6].copy()
    strange[1:5, 0] = [np.nan, 1e300, -np.inf, 4e7]
    found = CovarianceCells(rig, 50.0).covariance(strange, np.ones((6, 6)))
    assert np.isnan(found).all((1, 2)).tolist() == [False, True, True, True, True, False]
    assert choose_cell_mm(rig, np.full((3, 3), np.nan)) > 0
    with pytest.raises(ValueError, match="positive"):
        CovarianceCells(rig, 0.0)


def test_a_moved_rig_is_a_rig():
    rig = uncertain(Rig((Camera("a", (10, 10), [[9, 0, 5], [0, 9, 5], [0, 0, 1]], [], [0, 0, 0], [0, 0, 5]),)))
    assert len(rig.covariance) == 4
    assert moved_rig(rig, np.array([1, 2, 3, 4.0])).cameras[0].matrix.tolist() == [[10, 0, 8], [0, 11, 9], [0, 0, 1]]
