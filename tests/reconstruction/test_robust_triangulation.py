"""Triangulation against known truth, against a plain reference implementation, and against itself."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy.optimize import least_squares

from pose3d.data import Keypoints2D, Status
from pose3d.geometry.projection import project_camera_frame
from pose3d.geometry.transforms import apply
from pose3d.geometry.triangulation import triangulate_svd
from pose3d.reconstruction import triangulate, triangulate_views


def changed(seen, xy=None, score=None):
    return replace(seen, xy=seen.xy if xy is None else xy, score=seen.score if score is None else score)


def bound_covariance(scene, noise_px=1.0):
    """Cramer-Rao bound of each point from its good views."""
    information = np.zeros((*scene.truth.shape, 3))
    for c, camera in enumerate(scene.rig):
        pose = camera.cam_from_world
        J = project_camera_frame(apply(pose, scene.truth), camera.matrix, camera.distortion).by_point @ pose[:3, :3]
        sigma = np.broadcast_to(noise_px, len(scene.rig))[c]
        information += np.einsum("...ki,...kj->...ij", J, J) * scene.good[:, c, :, None, None] / sigma**2
    return np.linalg.inv(information[scene.good.sum(1) >= 2])


def bound_median(scene, noise_px=1.0):
    L = np.linalg.cholesky(bound_covariance(scene, noise_px))
    draws = np.random.default_rng(1).normal(size=(*L.shape[:-1], 1))
    return np.median(np.linalg.norm(L @ draws, axis=1))


@pytest.mark.parametrize("robust", [True, False])
def test_noise_free_points_are_exact(make_scene, robust):
    scene = make_scene(noise_px=0.0, outliers=0.0)
    points = triangulate(scene.seen, scene.rig, robust=robust)
    there = np.isfinite(scene.seen.xy[..., 0]).sum(1) >= 2
    assert np.array_equal(np.isfinite(points.xyz[..., 0]), there)
    assert np.nanmax(np.abs(points.xyz[:, 0] - scene.truth)) < 1e-6
    assert np.nanmax(points.error) < 1e-6
    assert np.array_equal(points.n_cameras[there], np.isfinite(scene.seen.xy[..., 0]).sum(1)[there])


def test_names_rates_and_first_frame_are_carried(make_scene):
    scene = make_scene(5)
    points = triangulate(scene.seen, scene.rig)
    assert (points.fps, points.start) == (100.0, 7)
    assert (points.individuals, points.keypoints) == (scene.seen.individuals, scene.seen.keypoints)


def test_cameras_are_matched_by_name(make_scene):
    scene = make_scene(20)
    order = ["cam_4", "cam_0", "cam_5", "cam_2", "cam_1", "cam_3"]
    first = triangulate(scene.seen, scene.rig).xyz
    for seen, rig in ((scene.seen.select(order), scene.rig), (scene.seen, scene.rig.select(order))):
        assert np.nanmax(np.abs(triangulate(seen, rig).xyz - first)) < 1e-6


def test_cameras_without_detections_are_not_used(make_scene):
    scene = make_scene(10)
    names = ["cam_1", "cam_2", "cam_5"]
    part = scene.seen.select(names)
    assert np.array_equal(
        triangulate(part, scene.rig).xyz, triangulate(part, scene.rig.select(names)).xyz, equal_nan=True
    )


def test_same_input_gives_the_same_bytes(make_scene):
    scene = make_scene(30)
    a, b = (triangulate(scene.seen, scene.rig) for _ in range(2))
    assert a.xyz.tobytes() == b.xyz.tobytes()
    assert a.covariance.tobytes() == b.covariance.tobytes()


def test_chunks_do_not_show(make_scene, monkeypatch):
    scene = make_scene(30)
    whole = triangulate(scene.seen, scene.rig)
    monkeypatch.setattr("pose3d.reconstruction.points.triangulation._CHUNK", 70)
    parts = triangulate(scene.seen, scene.rig)
    assert np.array_equal(whole.n_cameras, parts.n_cameras)
    assert np.nanmax(np.abs(whole.xyz - parts.xyz)) < 1e-8


def test_several_individuals_are_points_like_any_other(make_scene):
    scene = make_scene(20)
    two = Keypoints2D(
        np.concatenate([scene.seen.xy, scene.seen.xy[::-1]], axis=2),
        np.concatenate([scene.seen.score, scene.seen.score[::-1]], axis=2),
        scene.seen.cameras,
        ("one", "two"),
        scene.seen.keypoints,
    )
    xyz = triangulate(two, scene.rig).xyz
    assert np.nanmax(np.abs(xyz[:, 1] - xyz[::-1, 0])) < 1e-8


def test_zero_frames(make_scene):
    scene = make_scene(3)
    none = replace(scene.seen, xy=scene.seen.xy[:0], score=scene.seen.score[:0])
    for robust in (True, False):
        result = triangulate_views(none, scene.rig, robust=robust)
        assert result.points.xyz.shape == (0, 1, 20, 3)
        assert result.summary.missing == 0
        assert result.summary.lines()


def test_a_point_that_nobody_sees_is_missing(make_scene):
    scene = make_scene(10, outliers=0.0, missing=0.0)
    xy = scene.seen.xy.copy()
    xy[4, :, 0, 3] = np.nan
    points = triangulate(changed(scene.seen, xy), scene.rig)
    assert points.status[4, 0, 3] == Status.MISSING
    assert points.n_cameras[4, 0, 3] == 0
    assert np.isnan(points.error[4, 0, 3])
    assert np.isnan(points.covariance[4, 0, 3]).all()
    assert (points.status == Status.OBSERVED).sum() == points.status.size - 1


def test_an_outlier_is_left_out_and_counted(make_scene):
    scene = make_scene(40, outliers=0.0, missing=0.0)
    xy = scene.seen.xy.copy()
    xy[:, 2, 0, 5] += [40.0, -30.0]
    result = triangulate_views(changed(scene.seen, xy), scene.rig)
    assert not result.used[:, 2, 0, 5].any()
    assert (result.points.n_cameras[:, 0, 5] == 5).all()
    assert np.linalg.norm(result.points.xyz[:, 0, 5] - scene.truth[:, 5], axis=-1).max() < 10
    assert (result.residual_px[:, 2, 0, 5] > 40).all()
    use = result.summary.cameras[2]
    assert (use.name, use.n_views, use.n_used) == ("cam_2", 800, 760)
    plain = triangulate(changed(scene.seen, xy), scene.rig, robust=False)
    assert np.linalg.norm(plain.xyz[:, 0, 5] - scene.truth[:, 5], axis=-1).min() > 10


def test_two_views_that_disagree_make_no_point(make_scene):
    scene = make_scene(40, outliers=0.0, missing=0.0)
    xy = scene.seen.xy.copy()
    xy[:, 2:, 0, 5] = np.nan
    agreeing = triangulate(changed(scene.seen, xy), scene.rig)
    assert (agreeing.status[:, 0, 5] == Status.OBSERVED).all()
    assert (agreeing.n_cameras[:, 0, 5] == 2).all()
    xy[:, 0, 0, 5] += [0.0, 60.0]  # across the epipolar lines of this pair
    result = triangulate_views(changed(scene.seen, xy), scene.rig)
    assert (result.points.status[:, 0, 5] == Status.MISSING).all()
    assert not result.used[:, :, 0, 5].any()
    assert result.summary.n_disagreeing == 40


def test_rays_that_meet_behind_the_cameras_make_no_point(make_scene):
    scene = make_scene(30, n_cameras=6, outliers=0.0, missing=0.0)
    pair = scene.seen.select(["cam_0", "cam_1"])
    mirrored = scene.rig.select(["cam_0", "cam_1"])
    swapped = changed(pair, np.array([1280.0, 1024.0]) - 1 - pair.xy)
    for robust in (True, False):
        assert triangulate(pair, mirrored, robust=robust).status.all()
    points = triangulate(swapped, mirrored, max_error_px=1e4)
    ahead = np.isfinite(points.xyz[..., 0])
    assert (mirrored.project(points.xyz[ahead]) >= -1e9).all()


def test_scores_below_the_threshold_do_not_count(make_scene):
    scene = make_scene(20, outliers=0.0, missing=0.0)
    score = scene.seen.score.copy()
    score[:, 1] = 0.29
    score[:, 3] = 0.3
    result = triangulate_views(changed(scene.seen, score=score), scene.rig, score_threshold=0.3)
    assert not result.used[:, 1].any()
    assert np.isnan(result.residual_px[:, 1]).all()
    assert result.used[:, 3].mean() > 0.99
    assert result.points.score.max() == 0.3
    assert triangulate_views(changed(scene.seen, score=score), scene.rig, score_threshold=0.2).used[:, 1].mean() > 0.99


def test_views_without_a_score_pass(make_scene):
    scene = make_scene(5, outliers=0.0, missing=0.0)
    unknown = changed(scene.seen, score=np.full(scene.seen.score.shape, np.nan))
    assert np.array_equal(triangulate(unknown, scene.rig).xyz, triangulate(scene.seen, scene.rig).xyz)


def test_min_cameras(make_scene):
    scene = make_scene(40, missing=0.5)
    two, four = (triangulate(scene.seen, scene.rig, min_cameras=n) for n in (2, 4))
    assert np.array_equal(four.status == Status.OBSERVED, two.n_cameras >= 4)
    assert (four.n_cameras[four.status == Status.MISSING] == 0).all()
    assert 0 < four.status.sum() < two.status.sum()


def test_max_error_px_sets_the_threshold(make_scene):
    scene = make_scene(20, outliers=0.0)
    tight = triangulate_views(scene.seen, scene.rig, max_error_px=1.0)
    assert {camera.threshold_px for camera in tight.summary.cameras} == {1.0}
    assert np.nanmedian(tight.residual_px[tight.used]) < 0.8
    assert tight.used.sum() < 0.9 * triangulate_views(scene.seen, scene.rig).used.sum()


def test_error_and_count_are_those_of_the_used_views(make_scene):
    scene = make_scene(20)
    result = triangulate_views(scene.seen, scene.rig)
    projected = np.moveaxis(scene.rig.project(result.points.xyz), -2, 1)
    distance = np.linalg.norm(projected - scene.seen.xy, axis=-1)
    np.testing.assert_allclose(result.residual_px, distance, atol=1e-9)
    made = result.used.any(1)
    mean = np.where(result.used, distance, 0.0).sum(1)[made] / result.used.sum(1)[made]
    np.testing.assert_allclose(result.points.error[made], mean, atol=1e-9)
    assert np.array_equal(result.points.n_cameras, result.used.sum(1))
    assert result.points.n_cameras[made].min() >= 2


def reference_point(rig, xy, noise_px, threshold_px):
    """One point, plainly: all pairs and all views together as hypotheses, truncated cost, maximum likelihood."""
    there = np.flatnonzero(np.isfinite(xy[:, 0]))
    rays, poses = rig.undistort(xy), rig.cam_from_world
    best, least = None, np.inf
    for group in [*combinations(there, 2), tuple(there)]:
        X = triangulate_svd(rays[list(group)], poses[list(group)])
        error = np.linalg.norm(rig.project(X)[there] - xy[there], axis=-1)
        cost = np.minimum(np.nan_to_num(error, nan=1e9) / threshold_px[there], 1) ** 2
        if cost.sum() < least:
            best, least = X, cost.sum()
    for _ in range(2):
        inside = [c for c in there if np.linalg.norm(rig.project(best)[c] - xy[c]) <= threshold_px[c]]
        if len(inside) < 2:
            return np.full(3, np.nan), inside
        best = least_squares(
            lambda X, views=inside: ((rig.project(X)[views] - xy[views]) / noise_px[views, None]).ravel(),
            best,
            xtol=1e-12,
        ).x
    return best, inside


def test_equals_a_plain_implementation(make_scene):
    scene = make_scene(2, n_cameras=5, outliers=0.1)
    result = triangulate_views(scene.seen, scene.rig)
    noise, threshold = (
        np.array([getattr(camera, name) for camera in result.summary.cameras]) for name in ("noise_px", "threshold_px")
    )
    same = []
    for frame, keypoint in np.ndindex(2, 20):
        xyz, inside = reference_point(scene.rig, scene.seen.xy[frame, :, 0, keypoint], noise, threshold)
        ours = result.points.xyz[frame, 0, keypoint]
        same.append(set(inside) == set(np.flatnonzero(result.used[frame, :, 0, keypoint])))
        if same[-1] and np.isfinite(xyz).all():
            np.testing.assert_allclose(ours, xyz, atol=0.02)
    assert np.mean(same) >= 0.97


@pytest.mark.parametrize("noise_px", [1.0, np.array([0.5, 0.7, 1.0, 1.5, 2.0, 2.5])], ids=["even", "uneven"])
def test_close_to_the_cramer_rao_bound(make_scene, noise_px):
    scene = make_scene(400, noise_px=noise_px)
    xyz = triangulate(scene.seen, scene.rig).xyz[:, 0]
    error = np.linalg.norm(xyz - scene.truth, axis=-1)
    assert np.isfinite(error[scene.good.sum(1) >= 3]).mean() > 0.998
    error = error[scene.good.sum(1) >= 2]
    assert np.isfinite(error).mean() > 0.99  # two views beside an outlier cannot always be told from chance
    assert np.nanmedian(error) < 1.05 * bound_median(scene, noise_px)
    if np.isscalar(noise_px):
        assert np.nanpercentile(error, 95) < 6.5


@pytest.mark.parametrize("outliers", [0.15, 0.25])
def test_many_outliers_do_not_widen_the_threshold_without_end(make_scene, outliers):
    scene = make_scene(150, n_cameras=8, outliers=outliers)
    result = triangulate_views(scene.seen, scene.rig)
    assert max(camera.threshold_px for camera in result.summary.cameras) < 27
    error = np.linalg.norm(result.points.xyz[:, 0] - scene.truth, axis=-1)
    assert np.nanmedian(error) < 1.07 * bound_median(scene)


@pytest.mark.parametrize("outliers", [0.0, 0.05])
def test_covariance_is_calibrated(make_scene, outliers):
    scene = make_scene(200, outliers=outliers)
    result = triangulate_views(scene.seen, scene.rig)
    wrong_view = (result.used[:, :, 0] & ~scene.good).any(1)
    keep = np.isfinite(result.points.xyz[:, 0, :, 0]) & ~wrong_view
    assert wrong_view.mean() < 2e-3
    error = (result.points.xyz[:, 0] - scene.truth)[keep]
    distance = np.einsum("ni,nij,nj->n", error, np.linalg.inv(result.points.covariance[:, 0][keep]), error)
    assert distance.mean() == pytest.approx(3.0, rel=0.1)  # chi-squared with three degrees of freedom
    assert np.median(distance) == pytest.approx(2.366, rel=0.1)


@pytest.mark.parametrize("noise_px", [0.5, 4.0])
def test_noise_is_found_from_the_detections(make_scene, noise_px):
    scene = make_scene(100, noise_px=noise_px)
    cameras = triangulate_views(scene.seen, scene.rig).summary.cameras
    assert np.allclose([camera.noise_px for camera in cameras], noise_px, rtol=0.15)


def test_noise_of_two_cameras_is_found_from_their_disagreement(make_scene):
    scene = make_scene(100, noise_px=3.0, outliers=0.0, missing=0.0)
    pair = scene.seen.select(["cam_0", "cam_1"])
    cameras = triangulate_views(pair, scene.rig).summary.cameras
    assert np.allclose([camera.noise_px for camera in cameras], 3.0, rtol=0.1)


def test_scores_are_weights(make_scene):
    scene = make_scene(200, outliers=0.0, missing=0.0)
    rng = np.random.default_rng(3)
    score = rng.choice([0.3, 1.0], scene.seen.score.shape)
    clean = np.moveaxis(scene.rig.project(scene.truth), 2, 1)[:, :, None]
    xy = clean + (scene.seen.xy - clean) / np.sqrt(score)[..., None]
    seen = changed(scene.seen, xy, score)
    error = [
        np.median(np.linalg.norm(triangulate(seen, scene.rig, weighted=weighted).xyz[:, 0] - scene.truth, axis=-1))
        for weighted in (True, False)
    ]
    assert error[0] < 0.95 * error[1]


@pytest.mark.parametrize(("metadata", "unit_mm"), [({}, 1.0), ({"converted": "m to mm"}, 1000.0)])
def test_plain_is_the_weighted_svd_of_all_views_in_the_unit_of_the_file(make_scene, metadata, unit_mm):
    scene = make_scene(10)
    rig = replace(scene.rig, metadata=metadata)
    result = triangulate_views(scene.seen, rig, robust=False)
    rays = scene.rig.undistort(np.moveaxis(scene.seen.xy, 1, 3))
    np.testing.assert_allclose(
        result.points.xyz, triangulate_svd(rays, scene.rig.cam_from_world, length=unit_mm), atol=1e-6
    )
    assert np.array_equal(result.used, np.isfinite(scene.seen.xy[..., 0]) & result.used.any(1)[:, None])
