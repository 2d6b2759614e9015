"""What triangulation refuses, and what its summary says."""

import json
from dataclasses import replace

import numpy as np
import pytest

from pose3d.errors import ConfigError, DataError
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
