"""Videos and pictures in files: the right frames, whatever was recorded, however many processes work."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from pose3d.data import Keypoints3D
from pose3d.errors import ConfigError, DataError, Pose3DError
from pose3d.io.video import VideoFile, write_video
from pose3d.io.video_parts import join_videos
from pose3d.viewer import palette
from pose3d.viewer.loading import load_playback, make_playback
from pose3d.viewer.pictures import PictureSettings
from pose3d.viewer.scene import SceneSettings
from pose3d.viewer.video_output import RenderSettings, choose_rows, portable, render

SMALL = PictureSettings(size=(160, 120), scene=SceneSettings(trails=False))


def small(**changes) -> RenderSettings:
    return replace(RenderSettings(SMALL, renderer="painter"), **changes)


def test_a_video_has_a_picture_for_every_frame(playback, tmp_path) -> None:
    done: list[tuple[int, int]] = []
    facts = render(playback, tmp_path / "a.mp4", small(), progress=lambda _, n, total: done.append((n, total)))
    video = VideoFile(tmp_path / "a.mp4")
    assert (video.n_frames, video.fps, video.size) == (80, 50, (160, 120))
    assert (facts["n_pictures"], facts["fps"], facts["renderer"]) == (80, 50, "painter")
    assert done[0] == (0, 80)
    assert done[-1] == (80, 80)
    first, last = (image for _, image in video.frames([0, 79]))
    assert np.abs(first.astype(int) - last).max() > 40


def test_frames_fps_and_speed_choose_the_pictures(playback) -> None:
    own = replace(playback, points=replace(playback.points, start=100), views=None, angles=None)

    def rows(**changes) -> list[int]:
        return choose_rows(own, small(**changes))[0].tolist()

    assert rows(frames=(110, 113)) == [10, 11, 12]
    assert rows(frames=(None, 102)) == [0, 1]
    assert rows(frames=(178, None)) == [78, 79]
    assert rows(frames=(100, 110), fps=25) == [0, 2, 4, 6, 8]
    assert rows(frames=(100, 102), speed=0.5) == [0, 0, 1, 1]
    assert len(rows(fps=30)) == 48
    assert choose_rows(own, small(), single=True)[0].tolist() == [40]
    assert choose_rows(own, small(frames=(105, 106)), single=True)[0].tolist() == [5]
    fast = replace(own, points=replace(own.points, fps=240.0))
    assert choose_rows(fast, small())[1] == 60
    for wrong in ((90, 95), (150, 181), (120, 120), (130, 120)):
        with pytest.raises(ConfigError, match="100:180"):
            rows(frames=wrong)
    for changes in ({"fps": 0.0}, {"speed": -1.0}, {"speed": float("nan")}):
        with pytest.raises(ConfigError, match="above 0"):
            rows(**changes)


def test_overlays_show_the_video_frame_of_each_row(walk_project, tmp_path, number_of) -> None:
    playback = load_playback(walk_project)
    for camera, late in (("a", 0), ("b", 3)):
        picture = replace(SMALL, view=camera, size=(320, 240), detections=False)
        render(playback, tmp_path / "o.mp4", small(picture=picture, frames=(10, 30)))
        shown = [number_of(image) for _, image in VideoFile(tmp_path / "o.mp4").frames()]
        assert shown == list(range(10 + late, 30 + late)), camera


def test_a_video_shorter_than_the_data_leaves_its_place_empty(walk_project, tmp_path, number_of, caplog) -> None:
    playback = load_playback(walk_project)
    picture = replace(SMALL, view="d", size=(320, 240))
    render(playback, tmp_path / "o.mp4", small(picture=picture, frames=(38, 42)))
    assert "none for 2 of 4 pictures" in caplog.text
    images = [image for _, image in VideoFile(tmp_path / "o.mp4").frames()]
    assert [number_of(image) for image in images[:2]] == [38, 39]
    panel = np.array(palette.PANEL[::-1]) * 255
    assert len(images) == 4
    for image in images[2:]:
        assert np.abs(np.median(image, axis=(0, 1)) - panel).max() < 8


@pytest.mark.parametrize("damage", ["cut", "absent", "text"])
def test_a_video_that_cannot_be_read_does_not_end_the_work(walk_project, tmp_path, damage) -> None:
    playback = load_playback(walk_project)
    path = walk_project / "videos-raw" / "walk_a.mp4"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif damage == "text":
        path.write_text("no video", encoding="utf-8")
    else:
        path.unlink()
    for view in ("a", "grid"):
        render(playback, tmp_path / "o.mp4", small(picture=replace(SMALL, view=view, size=(320, 240)), frames=(0, 3)))
        assert VideoFile(tmp_path / "o.mp4").n_frames == 3


def test_a_view_follows_and_turns(playback, tmp_path) -> None:
    still = small(picture=replace(SMALL, captions=False))
    render(playback, tmp_path / "a.png", still)
    render(playback, tmp_path / "b.png", small(picture=replace(SMALL, captions=False, turn_deg_s=90)))
    images = [cv2.imread(str(tmp_path / f"{name}.png")) for name in "ab"]
    assert images[0].shape == (120, 160, 3)
    assert np.abs(images[0].astype(int) - images[1]).max() > 60


def test_odd_sizes_are_made_even_for_videos_alone(playback, tmp_path) -> None:
    odd = small(picture=replace(SMALL, size=(161, 121)), frames=(0, 2))
    assert render(playback, tmp_path / "a.mp4", odd)["size"] == (160, 120)
    render(playback, tmp_path / "a.png", odd)
    assert cv2.imread(str(tmp_path / "a.png")).shape == (121, 161, 3)


def test_nothing_is_half_written(playback, tmp_path) -> None:
    target = tmp_path / "a.mp4"
    target.write_bytes(b"before")

    def stop(_: str, done: int, __: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render(playback, target, small(), progress=stop)
    assert target.read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_wrong_requests_are_told(playback, tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"\.mp4"):
        render(playback, tmp_path / "a.gif", small())
    with pytest.raises(ConfigError, match="or a camera: a, b, c, d"):
        render(playback, tmp_path / "a.mp4", small(picture=replace(SMALL, view="nowhere")))
    with pytest.raises(ConfigError, match="64 to 8192"):
        PictureSettings(size=(10, 100))
    empty = make_playback(Keypoints3D.from_points(np.zeros((0, 1, 2, 3)), ("a", "b"), ("x",)))
    with pytest.raises(DataError, match="no frames"):
        render(empty, tmp_path / "a.mp4", small())
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(Pose3DError):
        render(playback, tmp_path / "file" / "a.mp4", small(frames=(0, 1)))


def test_a_recording_without_any_point_still_gives_a_video(tmp_path) -> None:
    none = make_playback(Keypoints3D.from_points(np.full((3, 1, 3, 3), np.nan), ("a", "b", "c"), ("x",)))
    for view in ("orbit", "grid", "top"):
        render(none, tmp_path / "a.mp4", small(picture=replace(SMALL, view=view)))
        assert VideoFile(tmp_path / "a.mp4").n_frames == 3


def test_what_goes_to_other_processes_is_light_and_gives_the_same_numbers(walker, playback) -> None:
    covariance = np.broadcast_to(9.0 * np.eye(3), (*walker.status.shape, 3, 3))
    heavy = replace(playback, points=replace(walker, covariance=covariance))
    light = portable(heavy, SMALL)
    assert light.points.covariance is None
    assert light.views is None
    assert light.expected_error[1] == "mm"
    np.testing.assert_array_equal(light.quality, heavy.quality)
    over = portable(heavy, replace(SMALL, view="a"))
    np.testing.assert_array_equal(over.residual_px, heavy.residual_px)
    assert portable(heavy, replace(SMALL, scene=SceneSettings(ellipsoids=True))).points.covariance is not None


@pytest.mark.slow
def test_several_processes_make_the_same_bytes(walker, tmp_path) -> None:
    long = make_playback(
        replace(
            walker,
            **{
                name: np.concatenate([getattr(walker, name)] * 4)
                for name in ("xyz", "error", "n_cameras", "score", "status")
            },
        )
    )
    one, two = tmp_path / "one.mp4", tmp_path / "two.mp4"
    render(long, one, small())
    render(long, two, small(processes=2))
    assert one.read_bytes() == two.read_bytes()
    assert VideoFile(one).n_frames == 320


def test_joined_parts_are_the_frames_in_their_order(tmp_path) -> None:
    images = [np.full((48, 64, 3), 20 + 4 * i, dtype=np.uint8) for i in range(50)]
    for i, part in enumerate((images[:20], images[20:21], images[21:])):
        write_video(tmp_path / f"{i}.mp4", part, fps=29.97, crf=4)
    join_videos([tmp_path / f"{i}.mp4" for i in range(3)], tmp_path / "whole.mp4", fps=29.97)
    video = VideoFile(tmp_path / "whole.mp4")
    assert video.n_frames == 50
    assert not video.variable_rate
    assert abs(video.fps - 29.97) < 0.01
    shown = [round((float(np.median(image)) - 20) / 4) for _, image in video.frames()]
    assert shown == list(range(50))
    assert [i for i, _ in video.frames([33, 7])] == [33, 7]
    with pytest.raises(Pose3DError):
        join_videos([tmp_path / "0.mp4", tmp_path / "absent.mp4"], tmp_path / "none.mp4", fps=29.97)
    assert not (tmp_path / "none.mp4").exists()
