import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pose3d.geometry.rotations import angle_between, exp_so3, left_jacobian, log_so3, mean_rotation, skew

directions = arrays(np.float64, 3, elements=st.floats(-1, 1)).filter(lambda v: np.linalg.norm(v) > 1e-3)
angles = st.one_of(
    st.floats(0, np.pi),
    st.floats(0, 1e-3),
    st.sampled_from([0.0, 1e-300, 1e-12, 1e-9, 1e-5, 1e-4, 1.0001e-4]),
    st.floats(0, 1e-3).map(lambda gap: np.pi - gap),
    st.sampled_from([np.pi - 1e-3, np.pi - 1e-6, np.pi - 1e-9, np.pi - 1e-12, np.pi]),
)


@st.composite
def rotation_vectors(draw):
    axis = draw(directions)
    return draw(angles) * axis / np.linalg.norm(axis)


@given(rotation_vectors(), rotation_vectors(), rotation_vectors())
def test_rotations_form_a_group(a, b, c):
    A, B, C = exp_so3(a), exp_so3(b), exp_so3(c)
    assert pytest.approx(np.eye(3), abs=1e-14) == A @ A.T
    assert np.linalg.det(A) == pytest.approx(1, abs=1e-14)
    assert exp_so3(-a) == pytest.approx(A.T, abs=1e-15)
    assert pytest.approx(A @ (B @ C), abs=1e-14) == (A @ B) @ C
    assert exp_so3(log_so3(A @ B)) == pytest.approx(A @ B, abs=1e-13)
    assert exp_so3(np.zeros(3)) == pytest.approx(np.eye(3), abs=0)


@given(rotation_vectors())
def test_log_of_exp_is_the_same_vector_up_to_the_sign_at_pi(w):
    back = log_so3(exp_so3(w))
    angle = np.linalg.norm(w)
    assert np.linalg.norm(back) <= np.pi + 1e-15
    if angle < np.pi - 1e-9:
        assert back == pytest.approx(w, abs=1e-13)
    else:  # w and -w are less than 2e-9 apart as rotations
        assert min(np.abs(back - w).max(), np.abs(back + w).max()) < 3e-9
    assert exp_so3(back) == pytest.approx(exp_so3(w), abs=1e-14)


@pytest.mark.parametrize("gap", [1e-6, 1e-9, 1e-12, 0.0])
def test_log_near_pi_keeps_its_axis_to_the_last_digits(gap):
    axes = np.vstack([np.eye(3), [[1, 2, 3], [-3, 1, 1e-9], [1e-9, -1, 1e-9]]])
    for axis in axes / np.linalg.norm(axes, axis=-1, keepdims=True):
        back = log_so3(exp_so3((np.pi - gap) * axis))
        assert np.linalg.norm(back) == pytest.approx(np.pi - gap, abs=2e-15)
        assert abs(back @ axis) == pytest.approx(np.pi - gap, abs=1e-14)


@given(rotation_vectors())
def test_exp_and_log_agree_with_opencv(w):
    matrix, _ = cv2.Rodrigues(w)
    assert exp_so3(w) == pytest.approx(matrix, abs=1e-12)
    assume(1e-4 < np.linalg.norm(w) < np.pi - 1e-3)  # beyond, OpenCV itself loses digits
    assert log_so3(exp_so3(w)) == pytest.approx(cv2.Rodrigues(exp_so3(w))[0][:, 0], abs=1e-9)


@given(rotation_vectors(), directions, directions)
def test_skew_is_the_cross_product(w, u, v):
    assert skew(u) @ v == pytest.approx(np.cross(u, v), abs=1e-15)
    R = exp_so3(w)
    assert R @ skew(u) @ R.T == pytest.approx(skew(R @ u), abs=1e-14)


@given(rotation_vectors(), directions)
def test_left_jacobian_is_the_derivative_of_exp(w, d):
    h = 1e-6
    plus, minus = log_so3(exp_so3(w + h * d) @ exp_so3(w).T), log_so3(exp_so3(w - h * d) @ exp_so3(w).T)
    assert left_jacobian(w) @ d == pytest.approx((plus - minus) / (2 * h), abs=1e-8)


def test_kernels_take_any_leading_axes():
    rng = np.random.default_rng(0)
    w = rng.normal(size=(2, 0, 4, 3))
    assert exp_so3(w).shape == left_jacobian(w).shape == skew(w).shape == (2, 0, 4, 3, 3)
    assert log_so3(exp_so3(w)).shape == (2, 0, 4, 3)
    w = rng.normal(size=(2, 5, 3))
    one_by_one = np.array([[exp_so3(v) for v in row] for row in w])
    assert np.array_equal(exp_so3(w), one_by_one)
    assert angle_between(exp_so3(w), exp_so3(w[:1])).shape == (2, 5)
    assert np.isnan(log_so3(exp_so3(np.full(3, np.nan)))).all()


def test_angle_between_is_symmetric_and_exact_for_tiny_and_flat_angles():
    R = exp_so3([0.3, -2.0, 0.4])
    for angle in (0.0, 1e-10, 1e-3, 2.0, np.pi - 1e-10, np.pi):
        S = R @ exp_so3(angle * np.array([0.6, 0.0, -0.8]))
        assert angle_between(R, S) == pytest.approx(angle, abs=1e-14)
        assert angle_between(S, R) == pytest.approx(angle, abs=1e-14)


@given(directions, directions)
def test_mean_of_two_rotations_about_180_degrees_lies_between_them(axis, across):
    axis = axis / np.linalg.norm(axis)
    across = np.cross(axis, across)
    assume(np.linalg.norm(across) > 1e-3)
    across = across / np.linalg.norm(across)
    # 2.3 degrees apart, on both sides of 180 degrees, where one of the vectors changes its sign
    for shift in (axis, across):
        pair = np.array([exp_so3(np.deg2rad(s * 1.15) * shift) @ exp_so3(np.pi * axis) for s in (-1, 1)])
        assert np.rad2deg(angle_between(*pair)) == pytest.approx(2.3, abs=1e-9)
        for robust in (False, True):
            away = np.rad2deg(angle_between(mean_rotation(pair, robust=robust), pair))
            assert away.max() < 1.2 if not robust else away.max() <= 2.3 + 1e-6
        assert away.sum() == pytest.approx(2.3, abs=1e-6)  # every rotation between the two is a median


@given(st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_mean_moves_with_its_rotations(n, seed):
    rng = np.random.default_rng(seed)
    R = exp_so3(rng.normal(size=3)) @ exp_so3(rng.normal(scale=0.4, size=(n, 3)))
    weights = rng.uniform(0.1, 1, n)
    mean = mean_rotation(R, weights)
    assert weights @ log_so3(R @ mean.T) == pytest.approx(np.zeros(3), abs=1e-10)  # the defining equation
    left, right = exp_so3(rng.normal(size=(2, 3)))
    assert mean_rotation(left @ R @ right, weights) == pytest.approx(left @ mean @ right, abs=1e-10)
    assert mean_rotation(R[::-1], weights[::-1]) == pytest.approx(mean, abs=1e-10)


@pytest.mark.parametrize("seed", range(10))
def test_median_withstands_a_third_of_gross_outliers(seed):
    rng = np.random.default_rng(seed)
    truth = exp_so3(rng.normal(size=3) * 2)
    noise = np.deg2rad(1.0)
    R = truth @ exp_so3(rng.normal(scale=noise, size=(100, 3)))
    R[:30] = exp_so3(np.array([2.0, 1.0, 0.0]) + rng.normal(scale=0.3, size=(30, 3))) @ truth  # all to one side
    error = np.rad2deg(angle_between(mean_rotation(R, robust=True), truth))
    assert error < 1.0
    assert np.rad2deg(angle_between(mean_rotation(R), truth)) > 20
    # 70 good rotations must do better than the best single one of them would on average (1.7 degrees)
    assert np.rad2deg(angle_between(mean_rotation(R[30:], robust=True), truth)) < 0.6


def test_median_leaves_the_rotation_it_starts_from():
    rng = np.random.default_rng(1)
    R = exp_so3(rng.normal(scale=0.2, size=(60, 3)))
    median = mean_rotation(R, robust=True)
    step = log_so3(R @ median.T)
    pull = (step / np.linalg.norm(step, axis=-1, keepdims=True)).mean(0)
    assert np.linalg.norm(pull) < 1e-4  # at the median the unit vectors balance


def test_weights_of_zero_take_no_part_and_nothing_at_all_is_an_error():
    R = exp_so3(np.array([[0.1, 0, 0], [3.0, 0, 0], [0.1, 0, 0.2]]))
    for robust in (False, True):
        assert mean_rotation(R, [1, 0, 0], robust=robust) == pytest.approx(R[0], abs=1e-12)
    for bad in ([0, 0, 0], [np.nan, 1, 1]):
        with pytest.raises(ValueError, match="positive weight"):
            mean_rotation(R, bad)
    with pytest.raises(ValueError, match="at least one"):
        mean_rotation(np.empty((0, 3, 3)))
