"""What follows from a recording: which way is up, where the data is weak, which frame of a video is meant."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pose3d.data import Keypoints3D, Rig, Status
from pose3d.data.timing import FrameTimes, Timing
from pose3d.geometry.transforms import rigid
from pose3d.reconstruction.quality.errors import view_errors
from pose3d.viewer.anatomy import guess_pairs
from pose3d.viewer.loading import make_playback
from pose3d.viewer.trust import heat_of


def moved(points: Keypoints3D, pose: np.ndarray) -> Keypoints3D:
    return replace(points, xyz=points.xyz @ pose[:3, :3].T + pose[:3, 3])


def test_pairs_are_guessed_from_all_kinds_of_names() -> None:
    names = [
        "LKnee",
        "RKnee",
        "left_ear",
        "right_ear",
        "kneeL",
        "kneeR",
        "paw_lf",
        "paw_rf",
        "hand.l",
        "hand.r",
        "tail",
    ]
    assert guess_pairs(names) == tuple(zip(names[:-1:2], names[1::2], strict=True))
    assert guess_pairs(["tail", "ball", "trail", "bar"]) == ()


@pytest.mark.parametrize("seed", range(4))
def test_up_forward_and_the_floor_are_found_in_any_world(walker, walker_rig, seed) -> None:
    level = make_playback(walker, rig=walker_rig).ground
    assert not level.tilted
    np.testing.assert_allclose(level.up, [0, 0, 1])
    pose = rigid(Rotation.random(random_state=seed).as_rotvec(), np.array([500.0, -2000, 800]))
    up = pose[:3, 2]
    if up[2] > 0.6:  # what stands upright anyhow is taken to be level
        pose = rigid(Rotation.from_rotvec([np.pi / 2, 0, 0]).as_rotvec(), np.array([500.0, -2000, 800]))
    ground = make_playback(moved(walker, pose), rig=walker_rig.transformed(pose)).ground
    assert ground.tilted
    off = np.degrees(np.arccos(np.clip(ground.up @ pose[:3, 2], -1, 1)))
    assert off < 4
    facing = np.degrees(np.arccos(np.clip(ground.axes[0] @ (pose[:3, :3] @ level.axes[0]), -1, 1)))
    assert facing < 6
    heights = ground.height(moved(walker, pose).xyz)
    assert abs(np.nanmin(heights)) < 80
    assert 1300 < np.nanmax(heights) < 2100


def test_cameras_tell_an_animal_what_is_up(walker_rig) -> None:
    rng = np.random.default_rng(2)
    flat = rng.normal(0, 40, (50, 1, 5, 3)) * [1, 1, 0.2]
    names = ("snout", "ear_l", "ear_r", "tail1", "tail2")
    pose = rigid(np.array([np.pi / 2 + 0.4, 0, 0]), np.zeros(3))
    mouse = moved(Keypoints3D.from_points(flat, names, ("m",), fps=30), pose)
    ground = make_playback(mouse, rig=walker_rig.transformed(pose)).ground
    assert ground.up @ pose[:3, 2] > 0.98


def test_residuals_are_those_of_the_library(playback, walker, walker_rig, walker_views) -> None:
    expected = np.nanmean(view_errors(walker_views, walker_rig, walker), axis=(2, 3))
    np.testing.assert_allclose(playback.residual_px, expected, rtol=1e-4)


def test_weak_frames_are_found_with_their_reason(walker) -> None:
    rng = np.random.default_rng(3)
    error = np.abs(rng.normal(1.0, 0.1, walker.error.shape))
    error[20:26] = 9.0
    status, xyz = walker.status.copy(), walker.xyz.copy()
    xyz[50:60, :, :10] = np.nan
    status[70:75] = Status.FILLED
    playback = make_playback(replace(walker, error=error, status=status, xyz=xyz))
    found = playback.bad_frames
    assert [(s.first, s.last) for s in found] == [(20, 26), (50, 60), (70, 75)]
    assert [s.reason for s in found] == ["large error", "points missing", "points filled"]
    assert playback.next_bad(0) == 20
    assert playback.next_bad(20) == 50
    assert playback.next_bad(60, -1) == 50
    assert playback.next_bad(79) is None
    assert playback.quality[22] == 1.0
    assert np.median(playback.quality) < 0.3
    np.testing.assert_allclose(playback.missing_share[55], 10 / 26)
    assert playback.filled_share[72] == 1.0


def test_an_even_recording_is_not_hot() -> None:
    heat = heat_of(np.random.default_rng(0).normal(2.0, 0.05, 1000))
    assert np.quantile(heat, 0.9) < 0.15
    assert np.isnan(heat_of(np.full(4, np.nan))).all()


def test_frames_of_videos_follow_offsets_drift_and_times(playback) -> None:
    from dataclasses import replace as with_

    late = with_(playback, points=replace(playback.points, start=7), offsets={"a": -2.4, "b": 3.0})
    assert late.video_frames("a")[:3].tolist() == [5, 6, 7]
    assert late.video_frames("b")[0] == 10
    assert late.video_frames("c")[0] == 7
    nan = np.full(2, np.nan)
    drifting = Timing(("a", "b"), np.zeros(2), np.array([0.0, 0.1]), nan, nan, ("reference", "given"), "a")
    assert with_(playback, timing=drifting).video_frames("b")[[0, 10, 50]].tolist() == [0, 11, 55]
    times = FrameTimes(("a",), (np.arange(0, 4, 0.04),), 50.0, 0.2, 80)
    own = with_(playback, timing=times).video_frames("a")
    assert own[[0, 2, 4]].tolist() == [5, 6, 7]


def test_empty_and_lonely_recordings_have_no_numbers_but_no_errors() -> None:
    none = Keypoints3D.from_points(np.full((5, 1, 3, 3), np.nan), ("a", "b", "c"), ("x",))
    playback = make_playback(none)
    assert any("no point in any frame" in remark for remark in playback.remarks)
    assert np.isnan(playback.quality).all()
    assert len(playback.bad_frames) == 1
    assert np.isfinite(playback.path_of_subject).all()
    nothing = make_playback(Keypoints3D.from_points(np.zeros((0, 1, 2, 3)), ("a", "b"), ("x",)))
    assert nothing.bad_frames == ()
    assert nothing.ground.height(np.zeros(3)) == 0


def test_a_playback_goes_to_another_process(playback) -> None:
    copy = pickle.loads(pickle.dumps(playback))
    np.testing.assert_array_equal(copy.points.xyz, playback.points.xyz)
    assert dict(copy.videos) == dict(playback.videos)
    assert isinstance(copy.rig, Rig)
