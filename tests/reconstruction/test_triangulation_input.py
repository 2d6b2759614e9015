"""What triangulation refuses, and what its summary says."""

import json
from dataclasses import replace

import numpy as np
import pytest

from pose3d.data import Rig
from pose3d.errors import ConfigError, DataError, Pose3DError
from pose3d.io.calibration_toml import read_calibration, write_calibration
from pose3d.reconstruction import triangulate, triangulate_views


def test_a_camera_that_the_rig_lacks_is_named(make_scene):
    scene = make_scene(3)
    with pytest.raises(DataError, match=r"'cam_5'.*no calibration, which has cam_0, cam_1;"):
        triangulate(scene.seen.select(["cam_0", "cam_5"]), scene.rig.select(["cam_0", "cam_1"]))


def test_one_camera_is_too_few(make_scene):
    scene = make_scene(3)
    with pytest.raises(DataError, match=r"1 camera \(cam_2\); .* two or more"):
        triangulate(scene.seen.select(["cam_2"]), scene.rig)


def test_a_camera_without_any_detection_is_named(make_scene):
    scene = make_scene(3)
    xy = scene.seen.xy.copy()
    xy[:, 3] = np.nan
    with pytest.raises(DataError, match="'cam_3': no detection in any frame"):
        triangulate(replace(scene.seen, xy=xy), scene.rig)


def test_detections_of_a_larger_video_are_noticed(make_scene):
    scene = make_scene(3, outliers=0.0)
    xy = scene.seen.xy.copy()
    xy[:, 1] *= 4
    with pytest.raises(DataError, match=r"'cam_1': detections reach .* px, its calibration is for 1280x1024; was"):
        triangulate(replace(scene.seen, xy=xy), scene.rig)


def test_some_detections_outside_the_image_are_no_error(make_scene):
    scene = make_scene(20, outliers=0.0, missing=0.0)
    xy = scene.seen.xy.copy()
    xy[::4, 1] += 5000
    result = triangulate_views(replace(scene.seen, xy=xy), scene.rig)
    assert result.points.status.all()
    assert not result.used[::4, 1].any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"score_threshold": 1.5}, "score_threshold: 1.5"),
        ({"score_threshold": float("nan")}, "score_threshold: nan"),
        ({"min_cameras": 1}, "min_cameras: 1 is too few"),
        ({"min_cameras": 7}, "min_cameras: 7, but .* 6 cameras"),
        ({"max_error_px": 0.0}, "max_error_px: 0 "),
    ],
)
def test_settings_out_of_range(make_scene, settings, message):
    scene = make_scene(3)
    with pytest.raises(ConfigError, match=message):
        triangulate(scene.seen, scene.rig, **settings)


def test_progress_reaches_its_end(make_scene, monkeypatch):
    monkeypatch.setattr("pose3d.reconstruction.points.triangulation._CHUNK", 100)
    scene = make_scene(12)
    calls = []
    triangulate(scene.seen, scene.rig, progress=lambda *call: calls.append(call))
    assert calls == [("triangulate", done, 12) for done in (5, 10, 12)]


def test_summary_counts_every_point_once(make_scene):
    scene = make_scene(60, outliers=0.2, missing=0.6)
    summary = triangulate_views(scene.seen, scene.rig).summary
    assert summary.n_points == 1200
    assert summary.n_reconstructed + summary.n_unseen + summary.n_disagreeing == 1200
    assert summary.n_unseen == (np.isfinite(scene.seen.xy[..., 0]).sum(1) < 2).sum()
    assert summary.n_disagreeing > 0
    assert summary.missing == pytest.approx(1 - summary.n_reconstructed / 1200)


def test_summary_is_json_and_text(make_scene):
    scene = make_scene(60)
    summary = triangulate_views(scene.seen, scene.rig).summary
    table = json.loads(json.dumps(summary.to_dict(), allow_nan=False))
    assert [camera["name"] for camera in table["cameras"]] == list(scene.rig.names)
    assert 0.03 < table["cameras"][0]["left_out"] < 0.07
    assert 0.8 < table["cameras"][0]["median_px"] < 1.2 < table["cameras"][0]["p95_px"]
    assert 0.8 < table["median_error_px"] < 1.2
    lines = summary.lines()
    assert lines[0].startswith(f"{summary.n_reconstructed} of 1200 points")
    assert len(lines) == 2 + 6
    plain = triangulate_views(scene.seen, scene.rig, robust=False).summary.to_dict()
    json.dumps(plain, allow_nan=False)
    assert plain["cameras"][0]["threshold_px"] is None


def test_summary_points_at_a_camera_that_disagrees(make_scene):
    scene = make_scene(60, outliers=0.0)
    xy = scene.seen.xy.copy()
    xy[:, 4] += [60.0, 40.0]
    lines = triangulate_views(replace(scene.seen, xy=xy), scene.rig).summary.lines()
    flagged = [line for line in lines if "left out" in line]
    assert len(flagged) == 1
    assert flagged[0].startswith("cam_4")


@pytest.mark.parametrize("robust", [True, False])
def test_scores_all_below_the_threshold_are_refused(make_scene, robust):
    scene = make_scene(5)
    low = replace(scene.seen, score=np.full(scene.seen.score.shape, 0.01))
    with pytest.raises(DataError, match=r"none has a score of 0\.05 or more \(the highest is 0\.01\); lower"):
        triangulate_views(low, scene.rig, robust=robust)


@pytest.mark.parametrize("robust", [True, False])
def test_a_camera_below_the_threshold_is_named(make_scene, robust):
    scene = make_scene(5)
    score = scene.seen.score.copy()
    score[:, -1] = 0.01
    result = triangulate_views(replace(scene.seen, score=score), scene.rig, robust=robust)
    assert result.points.status.any()
    assert "no view at or above the score threshold" in result.summary.lines()[-1]
    json.dumps(result.summary.to_dict(), allow_nan=False)


@pytest.mark.parametrize("robust", [True, False])
def test_cameras_that_never_see_the_same_are_said(make_scene, robust, caplog):
    scene = make_scene(6)
    own = np.arange(6)[:, None] == np.arange(6)
    xy = np.where(own[:, :, None, None, None], scene.seen.xy, np.nan)
    with caplog.at_level("WARNING", logger="pose3d"):
        result = triangulate_views(replace(scene.seen, xy=xy), scene.rig, robust=robust)
    assert not result.points.status.any()
    assert "no point could be made: 120 seen by too few cameras" in caplog.text


@pytest.mark.parametrize("robust", [True, False])
def test_scores_on_another_scale_are_read_as_sure_and_said(make_scene, robust, caplog):
    scene = make_scene(5)
    score = scene.seen.score * 0.9
    score[:, 2] *= 100
    score[:, 3, 0, :5] = np.inf
    with caplog.at_level("WARNING", logger="pose3d"):
        result = triangulate_views(replace(scene.seen, score=score), scene.rig, robust=robust)
    assert "cameras cam_2, cam_3: scores reach inf" in caplog.text
    assert result.points.status.any()
    # A sure view weighs what a score of 1 does, not a hundred times as much.
    weights = result.weight[result.weight > 0]
    assert weights.max() / weights.min() == pytest.approx(1 / 0.9)


def test_negative_scores_count_as_none_and_missing_ones_fully(make_scene):
    scene = make_scene(5, missing=0.0)
    score = scene.seen.score.copy()
    score[:, 1] = -3.0
    score[:, 2] = np.nan
    result = triangulate_views(replace(scene.seen, score=score), scene.rig)
    assert not result.used[:, 1].any()
    assert (result.weight[:, 1] == 0).all()
    assert result.used[:, 2].mean() > 0.8
    none = triangulate_views(replace(scene.seen, score=score), scene.rig, score_threshold=0.0)
    assert not none.used[:, 1].any()


@pytest.mark.parametrize("robust", [True, False])
@pytest.mark.parametrize("value", [np.inf, 1e300, -1e300, 1e30, 1e9])
def test_absurd_pixels_are_left_out(make_scene, robust, value):
    scene = make_scene(10, outliers=0.0, missing=0.0)
    xy = scene.seen.xy.copy()
    xy[::3, 1, 0, ::2, 0] = value
    xy[1::3, 2, 0, ::3] = value
    result = triangulate_views(replace(scene.seen, xy=xy), scene.rig, robust=robust)
    json.dumps(result.summary.to_dict(), allow_nan=False)
    if robust or not np.isfinite(value):
        absurd = ~(np.abs(xy) < 1e6).all(-1)
        assert not result.used[absurd].any()
        distance = np.linalg.norm(result.points.xyz[:, 0] - scene.truth, axis=-1)
        assert distance.max() < 20


@pytest.mark.parametrize("robust", [True, False])
def test_two_frames(make_scene, robust):
    scene = make_scene(2, outliers=0.0, missing=0.0)
    points = triangulate(scene.seen, scene.rig, robust=robust)
    assert np.linalg.norm(points.xyz[:, 0] - scene.truth, axis=-1).max() < 20


def test_a_keypoint_that_one_camera_sees_all_the_time_is_named(make_scene):
    scene = make_scene(30)
    xy = scene.seen.xy.copy()
    xy[:, 1:, 0, 7] = np.nan
    xy[:, :, 0, 9] = np.nan
    result = triangulate_views(replace(scene.seen, xy=xy), scene.rig)
    assert result.summary.never_made == ("point_7",)
    assert any(line.startswith("never made") and line.endswith(": point_7") for line in result.summary.lines())
    assert not result.points.status[..., 7].any()
    assert result.summary.to_dict()["never_made"] == ("point_7",)
    assert triangulate_views(scene.seen, scene.rig).summary.never_made == ()


def moved(rig, centers):
    cameras = []
    for camera, center in zip(rig, centers, strict=True):
        rotation = camera.cam_from_world[:3, :3]
        cameras.append(replace(camera, translation=-rotation @ np.asarray(center, dtype=float)))
    return Rig(tuple(cameras))


def test_cameras_in_one_place_are_refused(make_scene):
    scene = make_scene(3)
    for place in ([0, 0, 0], [3000.0, 20.0, 1e5]):
        rig = moved(scene.rig, [place] * 6)
        with pytest.raises(DataError, match=r"cameras cam_0, .*, cam_5: they stand in one place"):
            triangulate(scene.seen, rig)


def test_two_of_the_cameras_in_one_place_are_said(make_scene, caplog):
    scene = make_scene(3)
    centers = scene.rig.centers
    centers[4] = centers[1]
    with caplog.at_level("WARNING", logger="pose3d"):
        triangulate_views(scene.seen, moved(scene.rig, centers))
    assert "cameras cam_1, cam_4: they stand in one place" in caplog.text
    assert "in one line" not in caplog.text


def test_cameras_in_one_line_are_said(make_scene, caplog):
    scene = make_scene(3)
    centers = np.outer(np.arange(6.0), [500, 20, 3]) + np.array([0, 0, 1000])
    with caplog.at_level("WARNING", logger="pose3d"):
        triangulate_views(scene.seen, moved(scene.rig, centers))
    assert "cameras cam_0, cam_1, cam_2, cam_3, cam_4, cam_5: they stand in one line" in caplog.text


def test_points_on_the_line_through_both_cameras_have_no_depth(make_scene):
    scene = make_scene(30, outliers=0.0, missing=0.0)
    pair = scene.rig.select(["cam_0", "cam_3"])  # opposite each other
    a, b = pair.centers
    on_line = a + 0.5 * (b - a) + np.zeros((30, 20, 3))
    xy = np.moveaxis(pair.project(on_line), 2, 1)[:, :, None]
    seen = replace(scene.seen.select(["cam_0", "cam_3"]), xy=xy)
    for robust in (True, False):
        result = triangulate_views(seen, pair, robust=robust)
        made = result.points.status > 0
        depth_sd = np.sqrt(np.linalg.eigvalsh(result.points.covariance[made])[:, -1])
        assert not len(depth_sd) or depth_sd.min() > 1000  # no point, or one that says how little is known


def test_a_calibration_that_is_not_a_number_is_refused_in_one_line(make_scene, tmp_path):
    scene = make_scene(3)
    path = tmp_path / "calibration.toml"
    write_calibration(scene.rig, path)
    text = path.read_text(encoding="utf-8")
    first = text.index("translation")
    path.write_text(text[:first] + text[first:].replace("[", "[ nan, ", 1), encoding="utf-8")
    with pytest.raises(Pose3DError) as caught:
        read_calibration(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=r"cam_0: a parameter is not a finite number"):
        replace(scene.rig["cam_0"], translation=[np.nan, 0, 0])
