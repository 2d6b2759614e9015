"""The fast ways of triangulation against the careful ones."""

from dataclasses import replace

import numpy as np
import pytest

from pose3d.data import Camera
from pose3d.demo.trials import make_ring, make_trial
from pose3d.geometry.projection import project_camera_frame
from pose3d.geometry.transforms import apply
from pose3d.geometry.triangulation import triangulate_svd
from pose3d.reconstruction import triangulate, triangulate_views
from pose3d.reconstruction.points.chunks import learn_noise, resolve_chunk
from pose3d.reconstruction.points.consensus import find_consensus
from pose3d.reconstruction.points.optics import Optics, rays_of
from pose3d.reconstruction.points.plain import triangulate_pixels
from pose3d.reconstruction.points.views import Lenses, views_of

LENSES = {
    "none": ([], False),
    "mild": ([-0.12, 0.05, 4e-4, -3e-4, -0.01], False),
    "barrel": ([-0.35, 0.15, 2e-3, -3e-3, -0.03], False),
    "barrel that folds in the image": ([-0.6, 0.1, 0.0, 0.0], False),
    "pincushion": ([0.3, 0.1, -1e-3, 1e-3, 0.05], False),
    "with divisor": ([-0.3, 0.1, 1e-3, 1e-3, 0.02, 0.05, -0.02, 0.01], False),
    "fisheye": ([0.05, -0.01, 0.004, -0.001], True),
}


def one_camera(name, lens, fisheye, skew=0.0):
    K = [[700.0, skew, 630.0], [0, 720.0, 520.0], [0, 0, 1]]
    return Camera(name, (1280, 1024), K, lens, [0.1, 0.2, 0.3], [1.0, 2.0, 3000.0], fisheye=fisheye)


def camera_first(trial):
    xy = np.ascontiguousarray(np.moveaxis(trial.keypoints.xy[:, :, 0], 1, 0))
    pixels = xy.reshape(len(trial.rig), -1, 2)
    return pixels, np.isfinite(pixels[..., 0]).astype(float)


def bound(trial):
    """Root of the mean squared error at the Cramer-Rao bound, and where there is one."""
    information = np.zeros((*trial.xyz.shape, 3))
    for c, camera in enumerate(trial.rig):
        pose = camera.cam_from_world
        J = project_camera_frame(apply(pose, trial.xyz), camera.matrix, camera.distortion).by_point @ pose[:3, :3]
        share = trial.clean[:, c, :, None, None] / trial.noise_px[c] ** 2
        information += np.einsum("...ki,...kj->...ij", J, J) * share
    possible = trial.clean.sum(1) >= 3
    return np.trace(np.linalg.inv(information[possible]), axis1=1, axis2=2), possible


@pytest.mark.parametrize("kinds", [*([kind] for kind in LENSES), ["mild", "none", "barrel"], ["mild", "fisheye"]])
@pytest.mark.parametrize("skew", [0.0, 3.0])
def test_all_lenses_at_once_undistort_as_one_camera_does(kinds, skew):
    cameras = [one_camera(f"cam_{i}", *LENSES[kind], skew) for i, kind in enumerate(kinds)]
    rng = np.random.default_rng(0)
    pixels = rng.uniform([-1500, -1500], [2800, 2500], (len(cameras), 4000, 2))
    pixels[:, :3000] = rng.uniform([0, 0], [1280, 1024], (len(cameras), 3000, 2))
    pixels[0, :5] = [[np.nan, np.nan], [1e300, 0.0], [0.0, -1e300], [1e9, 1e9], [630.0, 520.0]]
    there = np.isfinite(pixels[..., 0]) & (rng.random(pixels.shape[:2]) < 0.9)
    there[0, 4] = True
    rays = rays_of(Optics.of(cameras), pixels, there)
    expected = np.stack([camera.undistort(each) for camera, each in zip(cameras, pixels, strict=True)])
    assert np.array_equal(rays.there, there & np.isfinite(expected[..., 0]))
    for mine, axis in ((rays.x, 0), (rays.y, 1)):
        error = np.abs(mine - expected[..., axis])[rays.there] / (1 + np.abs(expected[..., axis][rays.there]))
        assert error.max() < 1e-9
    assert rays.there[:, :3000].mean() > (0.25 if "barrel that folds in the image" in kinds else 0.75)


@pytest.mark.parametrize("kind", list(LENSES))
def test_all_lenses_at_once_project_as_one_camera_does(kind):
    cameras = [one_camera(name, *LENSES[kind], skew) for name, skew in (("a", 0.0), ("b", 2.0))]
    points = np.random.default_rng(1).uniform(-600, 600, (500, 3))
    frames = np.stack([apply(camera.cam_from_world, points) for camera in cameras])
    pixels = np.stack(Optics.of(cameras).pixels(frames[..., 0] / frames[..., 2], frames[..., 1] / frames[..., 2]), -1)
    np.testing.assert_allclose(pixels, np.stack([camera.project(points) for camera in cameras]), atol=1e-9)


@pytest.mark.parametrize("weighted", [True, False])
def test_closed_form_minimises_what_the_svd_does_in_a_large_unit(weighted):
    trial = make_trial(20)
    pixels, _ = camera_first(trial)
    weight = np.random.default_rng(2).uniform(0.2, 1.0, pixels.shape[:2]) if weighted else None
    found = triangulate_pixels(trial.rig.cameras, pixels, weight=weight)
    rays = trial.rig.undistort(pixels.swapaxes(0, 1))
    weights = None if weight is None else weight.T
    reference = triangulate_svd(rays, trial.rig.cam_from_world, weights=weights, length=1e7)
    np.testing.assert_allclose(found, reference, atol=1e-3)  # the SVD has lost digits in this unit
    assert np.isfinite(found).all(-1).sum() > 350
    in_mm = triangulate_svd(rays, trial.rig.cam_from_world, weights=weights)
    assert np.nanmedian(np.linalg.norm(found - in_mm, axis=-1)) < 0.5

    # Nearby points cost more: the sum of squares of weight, depth and distance.
    def cost(points):
        out = np.zeros(len(points))
        for c, pose in enumerate(trial.rig.cam_from_world):
            frame = apply(pose, points)
            miss = frame[:, 2, None] * rays[:, c] - frame[:, :2]
            out += np.nan_to_num((miss**2).sum(-1)) * (1.0 if weight is None else weight[c] ** 2)
        return out

    made = np.isfinite(found[:, 0])
    for step in np.concatenate([np.eye(3), -np.eye(3)]):
        assert (cost(found + step) > cost(found))[made].all()


def test_closed_form_is_exact_for_views_that_agree_and_leaves_out_what_it_should():
    trial = make_trial(20, noise_px=0.0, outliers=0.0)
    pixels, weight = camera_first(trial)
    pixels[0, 0] = 5.0
    weight[0, 0] = 0.0
    found = triangulate_pixels(trial.rig.cameras, pixels, weight=weight)
    there = (weight > 0).sum(0) >= 2
    assert np.array_equal(np.isfinite(found[:, 0]), there)
    assert np.nanmax(np.abs(found - trial.xyz.reshape(-1, 3))) < 1e-6
    assert triangulate_pixels(trial.rig.cameras, np.empty((6, 0, 2))).shape == (0, 3)
    huge = pixels.copy()
    huge[1, 3] = 1e300
    assert np.isfinite(triangulate_pixels(trial.rig.cameras, huge)[4:][there[4:]]).all()


def test_plain_triangulation_in_closed_form():
    trial = make_trial(10)
    points = triangulate(trial.keypoints, trial.rig, robust=False, method="closed form", weighted=False)
    pixels, _ = camera_first(trial)
    np.testing.assert_allclose(points.xyz.reshape(-1, 3), triangulate_pixels(trial.rig.cameras, pixels), atol=1e-8)
    svd = triangulate(trial.keypoints, trial.rig, robust=False, weighted=False)
    assert np.array_equal(svd.status, points.status)
    assert np.nanmedian(np.linalg.norm(svd.xyz - points.xyz, axis=-1)) < 0.5


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"outliers": 0.15},
        {"noise_px": np.linspace(0.4, 2.5, 6)},
        {"rig": make_ring(4)},
        {"rig": make_ring(9), "outliers": 0.1},
    ],
    ids=["usual", "many outliers", "uneven", "four cameras", "nine cameras"],
)
def test_short_ways_choose_as_all_pairs_do(settings):
    trial = make_trial(300, **settings)
    pixels, weight = camera_first(trial)
    lenses = Lenses.of(trial.rig.cameras)
    views = views_of(lenses, pixels, weight)
    fast, full = (
        find_consensus(lenses, views, trial.noise_px, 8 * trial.noise_px, exhaustive=exhaustive)
        for exhaustive in (False, True)
    )
    same = (fast.chosen == full.chosen).all(0)
    assert same.mean() >= 0.999
    clear = same & (fast.chosen.sum(0) >= 3)
    distance = np.linalg.norm(fast.points - full.points, axis=0)[clear]
    assert np.percentile(distance, 99.9) < 0.1
    assert np.median(distance) < 0.005


def test_chunk_kernel_makes_the_points_of_the_whole():
    trial = make_trial(100)
    whole = triangulate_views(trial.keypoints, trial.rig, weighted=False)
    pixels, weight = camera_first(trial)
    lenses = Lenses.of(trial.rig.cameras)
    noise = learn_noise(lenses, trial.keypoints.xy, weight.reshape(6, 100, 1, 20).swapaxes(0, 1))
    assert np.array_equal(noise.noise_px, whole.noise_px)
    assert np.array_equal(noise.threshold_px, whole.threshold_px)
    found = resolve_chunk(lenses, pixels, weight, *noise)
    np.testing.assert_array_equal(found.xyz.reshape(100, 1, 20, 3), whole.points.xyz)
    np.testing.assert_array_equal(found.covariance.reshape(100, 1, 20, 3, 3), whole.points.covariance)
    assert np.array_equal(found.used.reshape(6, 100, 1, 20).swapaxes(0, 1), whole.used)
    assert np.array_equal(whole.weight > 0, np.isfinite(trial.keypoints.xy[..., 0]))
    missing = np.isnan(found.xyz[:, 0])
    assert missing.any()
    assert not found.used[:, missing].any()
    assert (found.normal[:, missing] == 0).all()
    made = np.linalg.inv(found.covariance[~missing])
    np.testing.assert_allclose(made[:, 0, 0], found.normal[0, ~missing], rtol=1e-6)


def test_uneven_noise_is_found_and_used():
    noise = np.linspace(0.4, 2.5, 6)
    trial = make_trial(1000, noise_px=noise)
    result = triangulate_views(trial.keypoints, trial.rig, weighted=False)
    np.testing.assert_allclose(result.noise_px, noise, rtol=0.05)
    trace, possible = bound(trial)
    error = np.linalg.norm(result.points.xyz[:, 0] - trial.xyz, axis=-1)[possible]
    assert np.isfinite(error).mean() > 0.998
    assert np.sqrt(np.nanmean(error**2)) <= 1.08 * np.sqrt(trace.mean())


@pytest.mark.parametrize("n_cameras", [3, 4, 6])
def test_what_one_frame_cannot_tell_is_flagged(n_cameras):
    trial = make_trial(1000, rig=make_ring(n_cameras), outliers=0.1)
    result = triangulate_views(trial.keypoints, trial.rig, weighted=False)
    n_clean = trial.clean.sum(1)
    made = result.points.status[:, 0] > 0
    off = np.linalg.norm(result.points.xyz[:, 0] - trial.xyz, axis=-1) > 50
    assert made[n_clean >= 3].mean() >= 0.998
    assert off[n_clean >= 3].mean() < 1e-3
    n_views = np.isfinite(trial.keypoints.xy[:, :, 0, :, 0]).sum(1)
    unsure = (n_clean == 2) & (n_views > 2)
    assert unsure.sum() > 50
    assert off[unsure].mean() < 0.02
    assert 0.4 < made[unsure].mean() < 1
    assert result.summary.n_disagreeing > 0


def test_two_pairs_that_both_agree_make_no_point():
    trial = make_trial(50, outliers=0.0, missing=0.0)
    part = trial.keypoints.select(["cam_1", "cam_2", "cam_3"])
    xy = part.xy.copy()
    # The third view moves along the line on which the second camera sees it: these two agree on another point.
    elsewhere = trial.xyz + 0.15 * (trial.rig["cam_2"].center - trial.xyz)
    xy[:, 2, 0] = trial.rig["cam_3"].project(elsewhere)
    result = triangulate_views(replace(part, xy=xy), trial.rig, max_error_px=8.0)
    assert not result.points.status.any()
    assert result.summary.n_disagreeing == 1000
