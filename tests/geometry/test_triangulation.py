import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose3d.geometry.projection import project
from pose3d.geometry.rotations import exp_so3
from pose3d.geometry.transforms import apply, rigid
from pose3d.geometry.triangulation import triangulate_svd

seeds = st.integers(0, 2**32 - 1)


def ring_of_cameras(rng, n, radius=3000.0):
    """Cameras around the origin that look at it, roughly."""
    look = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # world Z up, camera y down
    turns = exp_so3(np.outer(np.arange(n) * 2 * np.pi / n + rng.uniform(0, 0.3, n), [0, 0, 1]))
    wobble = exp_so3(0.1 * rng.normal(size=(n, 3)))
    return rigid(wobble @ look @ turns, np.array([0, 0, radius]) + 100 * rng.normal(size=(n, 3)))


def views(points, poses):
    return project(points[..., None, :], np.eye(3), [], poses)


@given(seeds, st.integers(2, 8))
def test_exact_views_give_the_exact_point(seed, n):
    rng = np.random.default_rng(seed)
    poses, points = ring_of_cameras(rng, n), 500 * rng.normal(size=(4, 3))
    weights = rng.uniform(0.1, 2000, (4, n))
    assert triangulate_svd(views(points, poses), poses) == pytest.approx(points, abs=1e-7)
    assert triangulate_svd(views(points, poses), poses, weights=weights) == pytest.approx(points, abs=1e-6)


@given(seeds)
def test_the_point_moves_with_the_world_and_its_unit(seed):
    rng = np.random.default_rng(seed)
    poses, points = ring_of_cameras(rng, 4), 500 * rng.normal(size=(6, 3))
    xy = views(points, poses) + 0.005 * rng.normal(size=(6, 4, 2))  # several px at f = 1000 px
    found = triangulate_svd(xy, poses)
    assert np.linalg.norm(found - points, axis=-1).max() > 1e-3
    metres = poses.copy()
    metres[:, :3, 3] /= 1000
    assert triangulate_svd(xy, metres, length=0.001) * 1000 == pytest.approx(found, abs=1e-8)
    turned = poses @ rigid(rng.normal(size=3), np.zeros(3))
    assert apply(np.linalg.inv(poses[0]) @ turned[0], triangulate_svd(xy, turned)) == pytest.approx(found, abs=1e-8)
    order = rng.permutation(4)
    assert triangulate_svd(xy[:, order], poses[order]) == pytest.approx(found, abs=1e-8)
    assert triangulate_svd(xy, poses[:, :3]) == pytest.approx(found, abs=1e-9)


def test_length_repeats_the_answer_of_a_world_in_another_unit():
    rng = np.random.default_rng(3)
    poses, points = ring_of_cameras(rng, 3), 500 * rng.normal(size=(50, 3))
    xy = views(points, poses) + 0.01 * rng.normal(size=(50, 3, 2))
    metres = poses.copy()
    metres[:, :3, 3] /= 1000
    rows = xy[..., None] * metres[:, None, 2, :] - metres[:, :2, :]
    solution = np.linalg.svd(rows.reshape(50, 6, 4))[2][:, 3]
    by_hand = 1000 * solution[:, :3] / solution[:, 3:]
    found = triangulate_svd(xy, poses, length=1000.0)
    assert found == pytest.approx(by_hand, abs=1e-8)
    assert np.abs(triangulate_svd(xy, poses) - found).max() > 0.1  # the length does matter for views that disagree
    # by default the unit is that of the poses: the same numbers as from a plain system in it
    assert 1000 * triangulate_svd(xy, metres) == pytest.approx(by_hand, abs=1e-8)
    for bad in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match="length must be positive"):
            triangulate_svd(xy, poses, length=bad)


@given(seeds)
def test_missing_and_weightless_views_take_no_part(seed):
    rng = np.random.default_rng(seed)
    poses, points = ring_of_cameras(rng, 5), 500 * rng.normal(size=(3, 3))
    xy = views(points, poses) + 0.002 * rng.normal(size=(3, 5, 2))
    kept = [0, 2, 3]
    expected = triangulate_svd(xy[:, kept], poses[kept], length=1000)
    holes = xy.copy()
    holes[:, 1], holes[:, 4, 0] = np.nan, np.nan
    assert triangulate_svd(holes, poses, length=1000) == pytest.approx(expected, abs=1e-9)
    for nothing in (0.0, np.nan):
        weights = np.array([1, nothing, 1, 1, nothing])
        assert triangulate_svd(xy, poses, weights=weights, length=1000) == pytest.approx(expected, abs=1e-9)
        assert triangulate_svd(holes, poses, weights=weights, length=1000) == pytest.approx(expected, abs=1e-9)
    assert triangulate_svd(xy, poses, weights=np.full((3, 5), 0.37)) == pytest.approx(
        triangulate_svd(xy, poses), abs=1e-9
    )


def test_a_weight_counts_as_a_repeated_camera():
    rng = np.random.default_rng(5)
    poses, point = ring_of_cameras(rng, 3), 500 * rng.normal(size=3)
    xy = views(point, poses) + 0.01 * rng.normal(size=(3, 2))
    twice = triangulate_svd(xy[[0, 0, 1, 2]], poses[[0, 0, 1, 2]], length=1000)
    weighted = triangulate_svd(xy, poses, weights=[np.sqrt(2), 1, 1], length=1000)
    assert weighted == pytest.approx(twice, abs=1e-9)


def test_fewer_than_two_views_give_nan():
    rng = np.random.default_rng(6)
    poses, points = ring_of_cameras(rng, 3), 500 * rng.normal(size=(4, 3))
    xy = views(points, poses)
    xy[0] = np.nan
    xy[1, 1:] = np.nan
    xy[2, 0] = np.nan
    found = triangulate_svd(xy, poses)
    assert np.isnan(found).all(-1).tolist() == [True, True, False, False]
    assert not np.isnan(found[2:]).any()
    assert np.isnan(triangulate_svd(xy[:, :1], poses[:1])).all()


def test_parallel_and_coinciding_rays_give_nan():
    side_by_side = rigid(np.zeros((3, 3)), np.array([[0.0, 0, 0], [-200, 0, 0], [0, 300, 0]]))
    assert np.isnan(triangulate_svd([[0.1, 0.2]] * 3, side_by_side)).all()
    same_place = rigid(np.zeros((2, 3)), np.array([[10.0, 20, 500], [10, 20, 500]]))
    assert np.isnan(triangulate_svd([[0.1, 0.2]] * 2, same_place)).all()
    facing = np.stack([rigid(np.zeros(3), [0, 0, 1000.0]), rigid([0, np.pi, 0], [0, 0, 1000.0])])
    assert np.isnan(triangulate_svd([[0.0, 0.0]] * 2, facing)).all()  # a point on the base line
    far = np.array([0.0, 0.0, 1e7])  # 10 km for a base line of 20 cm is still a point
    assert triangulate_svd(views(far, side_by_side), side_by_side) == pytest.approx(far, rel=1e-6, abs=1e-6)


def test_any_leading_axes():
    rng = np.random.default_rng(7)
    poses, points = ring_of_cameras(rng, 4), 500 * rng.normal(size=(2, 3, 5, 3))
    xy = views(points, poses)
    found = triangulate_svd(xy, poses, weights=np.array([1, 2, 3, 4.0]))
    assert found.shape == (2, 3, 5, 3)
    assert found == pytest.approx(points, abs=1e-7)
    assert triangulate_svd(xy[0, 0, 0], poses).shape == (3,)
    assert triangulate_svd(np.empty((0, 7, 4, 2)), poses).shape == (0, 7, 3)
    assert triangulate_svd(np.empty((0, 7, 4, 2)), poses, weights=np.empty((0, 7, 4))).shape == (0, 7, 3)
    with pytest.raises(ValueError, match="4 views, but 3 cameras"):
        triangulate_svd(xy, poses[:3])


def test_arguments_are_left_as_they_were():
    rng = np.random.default_rng(8)
    poses = ring_of_cameras(rng, 3)
    xy = views(100 * rng.normal(size=(5, 3)), poses)
    xy[0, 0] = np.nan
    weights = np.ones((5, 3))
    before = [a.copy() for a in (poses, xy, weights)]
    triangulate_svd(xy, poses, weights=weights)
    for a, b in zip((poses, xy, weights), before, strict=True):
        assert np.array_equal(a, b, equal_nan=True)
