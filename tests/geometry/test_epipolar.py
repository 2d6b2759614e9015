import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from pose3d.geometry.epipolar import epipolar_distance, essential
from pose3d.geometry.projection import project
from pose3d.geometry.transforms import rigid

seeds = st.integers(0, 2**32 - 1)


def two_cameras(rng):
    a = rigid(0.2 * rng.normal(size=3), [0, 0, 2000.0] + 50 * rng.normal(size=3))
    b = rigid([0, 1.2, 0] + 0.2 * rng.normal(size=3), [0, 0, 2500.0] + 50 * rng.normal(size=3))
    return a, b


def view(points, pose):
    return project(points, np.eye(3), [], pose)


@given(seeds)
def test_true_matches_have_no_distance(seed):
    rng = np.random.default_rng(seed)
    a, b = two_cameras(rng)
    points = 300 * rng.normal(size=(10, 3))
    E = essential(a, b)
    assert epipolar_distance(view(points, a), view(points, b), E) == pytest.approx(np.zeros(10), abs=1e-14)
    assert epipolar_distance(view(points, b), view(points, a), essential(b, a)) == pytest.approx(0, abs=1e-14)
    assert np.linalg.svd(E)[1] == pytest.approx([1, 1, 0], abs=1e-12)  # unit baseline
    metres = [pose * [[1], [1], [1], [1]] for pose in (a, b)]
    for pose in metres:
        pose[:3, 3] /= 1000
    assert essential(*metres) == pytest.approx(E, abs=1e-12)
    assert essential(a[:3], b[:3]) == pytest.approx(E, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_distance_is_to_first_order_the_smallest_joint_shift(seed):
    rng = np.random.default_rng(seed)
    a, b = two_cameras(rng)
    point = 300 * rng.normal(size=3)
    E = essential(a, b)
    both = np.concatenate([view(point, a), view(point, b)]) + 1e-3 * rng.normal(size=4)

    def miss(shift):
        moved = both + shift
        return np.append(moved[2:], 1) @ E @ np.append(moved[:2], 1)

    options = {"ftol": 1e-22, "maxiter": 500}
    best = minimize(lambda s: 1e6 * s @ s, np.zeros(4), constraints={"type": "eq", "fun": miss}, options=options)
    assert abs(miss(best.x)) < 1e-7  # of a shift of 1e-3
    distance = epipolar_distance(both[:2], both[2:], E)
    assert distance > 1e-5
    assert distance == pytest.approx(np.linalg.norm(best.x), rel=2e-3)


def test_distance_does_not_depend_on_the_order_of_the_cameras():
    rng = np.random.default_rng(9)
    a, b = two_cameras(rng)
    xy_a, xy_b = rng.normal(scale=0.2, size=(2, 6, 2))
    forth = epipolar_distance(xy_a, xy_b, essential(a, b))
    assert forth == pytest.approx(epipolar_distance(xy_b, xy_a, essential(b, a)), abs=1e-14)
    assert forth.min() > 0


def test_shapes_broadcast_and_missing_stays_missing():
    rng = np.random.default_rng(10)
    a = rigid(rng.normal(size=(4, 3)), rng.normal(size=(4, 3)))
    E = essential(a[:, None], a[None, :])
    assert E.shape == (4, 4, 3, 3)
    xy = rng.normal(size=(6, 1, 1, 2))
    xy[2] = np.nan
    distance = epipolar_distance(xy, xy, E[None])
    assert distance.shape == (6, 4, 4)
    assert np.isnan(distance[2]).all()
    apart = ~np.eye(4, dtype=bool)
    assert np.isfinite(distance[0][apart]).all()
    assert np.isnan(distance[0][~apart]).all()  # a camera with itself: no baseline, no epipolar line
    assert epipolar_distance(np.empty((0, 2)), np.empty((0, 2)), E[0, 1]).shape == (0,)
