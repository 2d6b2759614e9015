"""Errors per camera, keypoint and frame; recordings in parts; reprojected points."""

from dataclasses import replace

import numpy as np
import pytest

from pose3d.data import Camera, Keypoints3D, Rig
from pose3d.demo.trials import make_ring, make_trial
from pose3d.errors import DataError
from pose3d.io.dlc import read_dlc, write_dlc
from pose3d.reconstruction import triangulate_views
from pose3d.reconstruction.quality import (
    QualityAccumulator,
    measure_quality,
    reproject_points,
    view_errors,
    view_residuals,
)


@pytest.fixture(scope="module")
def trial():
    return make_trial(300, rig=make_ring(4), noise_px=np.array([0.5, 1.0, 1.5, 2.0]), seed=2)


@pytest.fixture(scope="module")
def made(trial):
    return triangulate_views(trial.keypoints, trial.rig)


def frames(data, first, stop):
    """Cut a recording."""
    if isinstance(data, Keypoints3D):
        parts = {name: getattr(data, name)[first:stop] for name in ("xyz", "error", "n_cameras", "score", "status")}
        return replace(data, **parts, covariance=None, start=data.start + first)
    return replace(data, xy=data.xy[first:stop], score=data.score[first:stop], start=data.start + first)


def test_view_errors_are_those_of_triangulation(trial, made):
    errors = view_errors(trial.keypoints, trial.rig, made.points)
    assert errors.shape == (300, 4, 1, 20)
    known = np.isfinite(made.residual_px)
    np.testing.assert_allclose(errors[known], made.residual_px[known], rtol=1e-9, atol=1e-9)
    assert np.isnan(errors[~np.isfinite(trial.keypoints.xy[..., 0])]).all()


def test_residual_points_from_detection_to_projection(trial, made):
    seen = replace(trial.keypoints, xy=trial.keypoints.xy + np.array([3.0, 0.0]))
    moved = view_residuals(seen, trial.rig, made.points) - view_residuals(trial.keypoints, trial.rig, made.points)
    known = np.isfinite(moved[..., 0])
    np.testing.assert_allclose(moved[known], np.broadcast_to([-3.0, 0.0], moved[known].shape), atol=1e-9)


def test_figures(trial, made):
    quality = measure_quality(trial.keypoints, trial.rig, made.points, used=made.used)
    errors = view_errors(trial.keypoints, trial.rig, made.points)
    for c in range(4):
        assert quality.camera_median_px[c] == pytest.approx(np.nanmedian(errors[:, c]), rel=0.03)
        assert quality.camera_p95_px[c] == pytest.approx(np.nanquantile(errors[:, c], 0.95), rel=0.05)
        assert quality.median_px[c, 7] == pytest.approx(np.nanmedian(errors[:, c, 0, 7]), rel=0.06)
    seen = np.isfinite(trial.keypoints.xy[..., 0])
    assert quality.n_views.sum() == seen.sum()
    np.testing.assert_array_equal(quality.n_views.sum(0), seen.sum((0, 2)))
    left = seen & np.isfinite(made.points.xyz[..., 0])[:, None] & ~made.used
    np.testing.assert_array_equal(quality.n_left_out.sum(0), left.sum((0, 2)))
    assert quality.n_views.shape[0] == -(-300 // quality.block_frames)
    # a view's error of prediction holds the noise of the point besides its own, which a fit hides
    assert (quality.predicted_px > quality.median_px).mean() > 0.9
    assert (np.diff(quality.noise_px) > 0).all()
    np.testing.assert_allclose(quality.noise_px, trial.noise_px, atol=0.7)


def test_lines_and_json(trial, made):
    quality = measure_quality(trial.keypoints, trial.rig, made.points, used=made.used)
    lines = quality.lines()
    assert len(lines) == 4
    assert lines[0].startswith("cam_1  error median ")
    assert "left out" in lines[0]
    plain = quality.to_dict()
    assert [camera["name"] for camera in plain["cameras"]] == list(trial.rig.names)
    assert plain["cameras"][0]["keypoints"]["Nose"]["n_views"] > 0
    assert plain["findings"] == []


@pytest.mark.parametrize("step", [1, 150])
def test_parts_of_a_recording_give_the_same_figures(trial, step):
    cut = 1400 if step > 1 else 40
    reps = -(-cut // 300)
    xy, score = (np.concatenate([a] * reps)[:cut] for a in (trial.keypoints.xy, trial.keypoints.score))
    seen = replace(trial.keypoints, xy=xy, score=score, start=5)
    points = triangulate_views(seen, trial.rig).points
    whole = measure_quality(seen, trial.rig, points)
    accumulator = QualityAccumulator(trial.rig)
    for first in range(0, cut, step):
        accumulator.add(frames(seen, first, first + step), frames(points, first, first + step))
    parts = accumulator.finish()
    assert parts.to_dict() == whole.to_dict()
    assert parts.block_frames == whole.block_frames
    assert parts.start == 5
    for name in ("n_views", "block_median_px", "predicted_px", "noise_px"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))


def test_memory_does_not_grow_with_frames(trial, made):
    def held(n_chunks):
        accumulator = QualityAccumulator(trial.rig)
        for _ in range(n_chunks):
            accumulator.add(trial.keypoints, made.points)
        arrays = [*vars(accumulator).values(), *vars(accumulator._sample).values()]
        kept = accumulator._sample._kept
        return sum(a.nbytes for a in [*arrays, *kept] if isinstance(a, np.ndarray)), len(kept.frames)

    size, n = held(16)
    assert n <= 300
    assert size <= 1.5 * held(4)[0]


def test_a_fault_is_found_in_a_long_recording(trial):
    xy = np.concatenate([trial.keypoints.xy] * 6)
    xy[900:, 2] += [7.0, -5.0]
    score = np.concatenate([trial.keypoints.score] * 6)
    accumulator = QualityAccumulator(trial.rig)
    seen = replace(trial.keypoints, xy=xy, score=score)
    for first in range(0, 1800, 250):
        part = frames(seen, first, first + 250)
        accumulator.add(part, triangulate_views(part, trial.rig).points)
    (found,) = accumulator.finish().findings
    assert (found.code, found.cameras) == ("moved", ("cam_3",))
    assert abs(found.first_frame - 900) <= 16


def test_low_scores_do_not_count(trial, made):
    score = trial.keypoints.score.copy()
    score[:, 0] *= 0.01
    quality = measure_quality(replace(trial.keypoints, score=score), trial.rig, made.points)
    assert quality.n_views[:, 0].sum() == 0
    assert quality.n_views[:, 1].sum() > 0
    assert [f.code for f in quality.findings] == ["silent"]


@pytest.mark.parametrize("n_frames", [0, 1, 2])
def test_few_frames(n_frames):
    trial = make_trial(5, seed=1)
    seen = frames(trial.keypoints, 0, n_frames)
    points = frames(triangulate_views(trial.keypoints, trial.rig).points, 0, n_frames)
    quality = measure_quality(seen, trial.rig, points)
    assert quality.n_frames == n_frames
    assert quality.findings == ()
    assert len(quality.lines()) == 6


def test_huge_and_infinite_pixels(trial, made):
    xy = trial.keypoints.xy.copy()
    xy[::7, 1, :, 4] = 1e300
    xy[::5, 2, :, 3] = -1e12
    quality = measure_quality(replace(trial.keypoints, xy=xy), trial.rig, made.points)
    assert np.isfinite(quality.camera_median_px).all()


def test_strangers_are_told(trial, made):
    with pytest.raises(DataError, match="no calibration"):
        measure_quality(trial.keypoints, trial.rig.select(["cam_1", "cam_2"]), made.points)
    with pytest.raises(DataError, match="299 frames, but the detections have 300"):
        view_errors(trial.keypoints, trial.rig, frames(made.points, 0, 299))
    other = replace(made.points, keypoints=("Nasus", *made.points.keypoints[1:]))
    with pytest.raises(DataError, match="keypoints differ"):
        view_errors(trial.keypoints, trial.rig, other)


def test_reprojected_points_come_back_from_a_file(trial, made, tmp_path):
    views = reproject_points(made.points, trial.rig)
    assert views.cameras == trial.rig.names
    assert views.fps == made.points.fps
    there = np.isfinite(made.points.xyz[:, 0, :, 0])
    np.testing.assert_array_equal(np.isfinite(views.xy[:, 1, 0, :, 0]), there)
    np.testing.assert_allclose(views.score[:, 1, 0][there], made.points.score[:, 0][there])
    truth = trial.rig.project(trial.xyz)[:, :, 1]
    assert np.nanmedian(np.linalg.norm(views.xy[:, 1, 0] - truth, axis=-1)) < 1.5
    for suffix in ("csv", "h5"):
        path = tmp_path / f"trial_cam_2.{suffix}"
        write_dlc(views.select(["cam_2"]), path)
        back = read_dlc(path, camera="cam_2")
        np.testing.assert_allclose(back.xy[:, 0, 0], views.xy[:, 1, 0], atol=1e-9)


def test_reprojection_in_parts(trial, made):
    whole = reproject_points(made.points, trial.rig)
    parts = [reproject_points(frames(made.points, i, i + 70), trial.rig) for i in range(0, 300, 70)]
    np.testing.assert_array_equal(np.concatenate([part.xy for part in parts]), whole.xy)
    assert [part.start for part in parts] == [0, 70, 140, 210, 280]


def test_points_that_a_camera_cannot_image():
    """Behind it, and so far out that a barrel lens's polynomial has turned back into the image."""
    camera = Camera(
        "wide", (640, 480), [[400, 0, 320], [0, 400, 240], [0, 0, 1]], [-0.3, 0, 0, 0, 0], np.zeros(3), np.zeros(3)
    )
    xyz = np.array([[100.0, 0, 1000], [0, 0, -1000], [1500.0, 0, 1000], [np.nan] * 3])[None, None]
    shape = xyz.shape[:-1]
    points = Keypoints3D(
        xyz, np.ones(shape), np.full(shape, 2), np.full(shape, np.nan), np.ones(shape), ("a",), tuple("pqrs")
    )
    pixels = camera.project(xyz)[0, 0]
    assert 0 < pixels[2, 0] < 640  # what the bare polynomial says
    views = reproject_points(points, Rig((camera,)))
    np.testing.assert_array_equal(np.isfinite(views.xy[0, 0, 0, :, 0]), [True, False, False, False])
    assert views.score[0, 0, 0, 0] == 1.0
