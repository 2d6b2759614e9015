import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose3d.geometry.rotations import exp_so3
from pose3d.geometry.transforms import apply, inverse, rigid, rotvec_translation, umeyama

seeds = st.integers(0, 2**32 - 1)


@given(seeds)
def test_rigid_transforms_form_a_group(seed):
    rng = np.random.default_rng(seed)
    b_from_a, c_from_b = rigid(rng.normal(size=(2, 3)), 1000 * rng.normal(size=(2, 3)))
    points = 1000 * rng.normal(size=(5, 3))
    assert inverse(b_from_a) @ b_from_a == pytest.approx(np.eye(4), abs=1e-11)
    assert inverse(inverse(b_from_a)) == pytest.approx(b_from_a, abs=1e-11)
    assert apply(c_from_b, apply(b_from_a, points)) == pytest.approx(apply(c_from_b @ b_from_a, points), abs=1e-9)
    assert apply(inverse(b_from_a), apply(b_from_a, points)) == pytest.approx(points, abs=1e-9)
    assert inverse(c_from_b @ b_from_a) == pytest.approx(inverse(b_from_a) @ inverse(c_from_b), abs=1e-9)
    assert rigid(*rotvec_translation(b_from_a)) == pytest.approx(b_from_a, abs=1e-13)


def test_rigid_tells_vectors_from_matrices():
    rng = np.random.default_rng(0)
    vectors, shifts = rng.normal(size=(3, 3)), rng.normal(size=(3, 3))
    matrices = exp_so3(vectors)
    expected = np.tile(np.eye(4), (3, 1, 1))
    expected[:, :3, :3], expected[:, :3, 3] = matrices, shifts
    assert np.array_equal(rigid(vectors, shifts), expected)  # three vectors: not one matrix
    assert np.array_equal(rigid(matrices, shifts), expected)
    assert np.array_equal(rigid(matrices[0], shifts[0]), expected[0])
    expected[:, :3, 3] = shifts[0]
    assert np.array_equal(rigid(matrices, shifts[0]), expected)  # several matrices, one translation
    assert np.array_equal(rigid(vectors[:2], shifts[0]), expected[:2])
    expected[:, :3, :3], expected[:, :3, 3] = matrices[0], shifts
    assert np.array_equal(rigid(matrices[:1], shifts), expected)  # one matrix, several translations
    assert rigid(np.empty((0, 3)), np.empty((0, 3))).shape == (0, 4, 4)
    assert inverse(np.empty((2, 0, 4, 4))).shape == (2, 0, 4, 4)


def test_apply_broadcasts_and_takes_3x4():
    rng = np.random.default_rng(1)
    poses, points = rigid(rng.normal(size=(4, 1, 3)), rng.normal(size=(4, 1, 3))), rng.normal(size=(7, 3))
    moved = apply(poses, points)
    assert moved.shape == (4, 7, 3)
    assert moved[2, 5] == pytest.approx(poses[2, 0, :3, :3] @ points[5] + poses[2, 0, :3, 3], abs=1e-14)
    assert np.array_equal(apply(poses[..., :3, :], points), moved)
    assert np.isnan(apply(poses[0, 0], [np.nan, 0, 0])).any()


@given(seeds, st.integers(3, 12), st.booleans(), st.floats(0.01, 100))
def test_umeyama_recovers_the_transform(seed, n, with_scale, scale):
    rng = np.random.default_rng(seed)
    R, t = exp_so3(2 * rng.normal(size=3)), 500 * rng.normal(size=3)
    scale = scale if with_scale else 1.0
    source = 100 * rng.normal(size=(n, 3))
    target = scale * source @ R.T + t
    fit = umeyama(source, target, with_scale=with_scale)
    assert fit.rotation == pytest.approx(R, abs=1e-8)
    assert fit.scale == pytest.approx(scale, rel=1e-9)
    assert fit(source) == pytest.approx(target, abs=1e-6 * max(1.0, scale))
    assert fit.translation == pytest.approx(t, abs=1e-5 * max(1.0, scale))


def test_umeyama_never_mirrors():
    # six points on the axes, mirrored along the shortest: the least-squares matrix alone would be the reflection, the
    # best rotation is none at all, and the best scale is trace(D S) / variance = (9 + 4 - 1) / (9 + 4 + 1)
    source = np.concatenate([np.diag([3.0, 2.0, 1.0]), -np.diag([3.0, 2.0, 1.0])])
    fit = umeyama(source, source * [1, 1, -1], with_scale=True)
    assert fit.rotation == pytest.approx(np.eye(3), abs=1e-12)
    assert fit.scale == pytest.approx(12 / 14, abs=1e-12)
    assert fit.translation == pytest.approx(np.zeros(3), abs=1e-12)
    flat = np.array([[0.0, 0, 0], [1, 0, 0], [0, 2, 0]])  # in space a flat mirror image is a half turn away
    assert umeyama(flat, flat * [-1, 1, 1]).rotation == pytest.approx(np.diag([-1.0, 1, -1]), abs=1e-12)
    rng = np.random.default_rng(0)
    cloud = rng.normal(size=(20, 3))
    mirrored = umeyama(cloud, cloud * [-1, 1, 1])
    assert np.linalg.det(mirrored.rotation) == pytest.approx(1, abs=1e-12)


@given(seeds, st.booleans())
def test_umeyama_is_a_minimum(seed, with_scale):
    rng = np.random.default_rng(seed)
    source, target = rng.normal(size=(2, 8, 3))
    weights = rng.uniform(0.1, 1, 8)
    fit = umeyama(source, target, weights=weights, with_scale=with_scale)

    def cost(w, t, s):
        moved = s * fit.scale * source @ (exp_so3(w) @ fit.rotation).T + fit.translation + t
        return weights @ ((moved - target) ** 2).sum(-1)

    best = cost(np.zeros(3), np.zeros(3), 1.0)
    for _ in range(10):
        s = 1 + 1e-3 * rng.normal() if with_scale else 1.0
        assert cost(1e-3 * rng.normal(size=3), 1e-3 * rng.normal(size=3), s) >= best


def test_umeyama_leaves_out_incomplete_pairs():
    rng = np.random.default_rng(2)
    source = rng.normal(size=(2, 5, 3))  # any leading axes
    target = source @ exp_so3([0.1, 0.2, 0.3]).T + 1
    source[0, 1, 2], target[1, 3] = np.nan, np.nan
    source[0, 4] += 100  # a wrong pair without weight
    weights = np.ones((2, 5))
    weights[0, 4] = 0
    fit = umeyama(source, target, weights=weights)
    assert fit.rotation == pytest.approx(exp_so3([0.1, 0.2, 0.3]), abs=1e-12)


@pytest.mark.parametrize("shift", [0.0, 1e6])
def test_umeyama_refuses_what_does_not_fix_a_rotation(shift):
    line = np.outer(np.arange(5.0), [1, 2, 3]) + shift
    with pytest.raises(ValueError, match="one line"):
        umeyama(line, line)
    with pytest.raises(ValueError, match="one line"):
        umeyama(np.ones((4, 3)), np.ones((4, 3)))
    with pytest.raises(ValueError, match="three pairs"):
        umeyama(line[:2], line[:2])
    with pytest.raises(ValueError, match="three pairs"):
        umeyama(np.full((5, 3), np.nan), line)
