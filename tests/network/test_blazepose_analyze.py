"""A video to a file of all people, with stand-ins for the networks; ended half-way, and started again."""

import numpy as np
import pytest

from pose3d.data import Skeleton
from pose3d.errors import DataError, ModelError
from pose3d.io.dlc import read_dlc
from pose3d.io.video import write_video
from pose3d.network.blazepose import analyze
from pose3d.network.blazepose.analyze import PeopleSettings, analyze_people
from pose3d.network.blazepose.detector import Detections
from pose3d.network.blazepose.landmarks import Pose
from pose3d.network.blazepose.tracking import TrackingSettings

N_FRAMES, SIZE = 40, (320, 240)
SMALL = PeopleSettings(chunk_frames=9, tracking=TrackingSettings(detect_every=6))


def places(frame):
    """Two bright squares, the second there in frames 12 to 29 only."""
    both = [[60 + 4.0 * frame, 60], [250 - 3.0 * frame, 180]]
    return both if 12 <= frame < 30 else both[:1]


def draw(frame):
    image = np.full((SIZE[1], SIZE[0], 3), 40, np.uint8)
    for x, y in np.array(places(frame)).astype(int):
        image[y - 10 : y + 11, x - 10 : x + 11] = [30, 60, 250]  # blue, green, red
    return image


def squares(image):
    """Middles of the red squares of an image in red, green, blue; the upper one first."""
    red = (image[..., 0] > 150) & (image[..., 2] < 100)
    parts = [(red[:120], 0), (red[120:], 120)]
    return [np.array([np.nonzero(p)[1].mean(), np.nonzero(p)[0].mean() + y]) for p, y in parts if p.sum() > 50]


class Detector:
    def __init__(self, path):
        assert path.name == "pose_detection.tflite"

    def find(self, image):
        found = squares(image)
        return Detections(np.array([[*p, 120.0, 0.0] for p in found]).reshape(-1, 4), np.full(len(found), 0.9))


class Landmarks:
    def __init__(self, path):
        assert path.name == "pose_landmark.tflite"

    def find(self, image, region):
        near = [p for p in squares(image) if np.linalg.norm(p - region[:2]) < 40]
        middle = near[0] if near else region[:2]
        xy = middle + np.stack([np.arange(33.0), np.zeros(33)], axis=-1)
        return Pose(xy, np.linspace(0, 1, 33), np.array([*middle, 120.0, 0.0]), 1.0 if near else 0.0)


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.setattr(analyze, "Detector", Detector)
    monkeypatch.setattr(analyze, "LandmarkNetwork", Landmarks)
    folder = tmp_path / "people-finder"
    folder.mkdir()
    for name in ("pose_detection.tflite", "pose_landmark.tflite"):
        (folder / name).write_bytes(b"stand-in")
    return folder


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("people") / "walk.mp4"
    write_video(path, map(draw, range(N_FRAMES)), fps=50, crf=6)
    return path


def test_all_people_are_kept(model, video, tmp_path):
    summary = analyze_people(video, tmp_path / "walk.h5", model=model, settings=SMALL)
    found = read_dlc(tmp_path / "walk.h5", camera="A")
    assert found.individuals == ("person_1", "person_2")
    assert found.keypoints == Skeleton.preset("blazepose33").keypoints
    assert found.n_frames == N_FRAMES
    first, second = found.xy[:, 0, :, 0].swapaxes(0, 1)
    np.testing.assert_allclose(first, [places(i)[0] for i in range(N_FRAMES)], atol=1)
    seen = np.isfinite(second).all(-1)
    assert seen[18:30].all()
    assert not seen[:12].any()
    assert not seen[30:].any()
    np.testing.assert_allclose(second[seen], [places(i)[1] for i in np.flatnonzero(seen)], atol=1)
    np.testing.assert_allclose(found.score[0, 0, 0], np.linspace(0, 1, 33), atol=1e-6)
    assert (summary.n_people, summary.n_frames, summary.n_keypoints) == (2, N_FRAMES, 33)
    assert summary.sure == pytest.approx(0.5, abs=0.02)
    assert "2 people in view at most" in summary.lines()[0]
    assert not (tmp_path / "walk.partial").exists()


def test_an_ended_analysis_goes_on_and_equals_a_whole_one(model, video, tmp_path):
    analyze_people(video, tmp_path / "whole.h5", model=model, settings=SMALL)

    def break_off(_label, done, _total):
        if done >= 18:
            raise KeyboardInterrupt

    output = tmp_path / "ended.h5"
    with pytest.raises(KeyboardInterrupt):
        analyze_people(video, output, model=model, settings=SMALL, progress=break_off)
    assert not output.exists()
    told = []
    summary = analyze_people(video, output, model=model, settings=SMALL, progress=lambda *report: told.append(report))
    assert summary.n_resumed == 18
    assert told[0] == ("ended", 18, N_FRAMES)
    assert told[-1] == ("ended", N_FRAMES, N_FRAMES)
    assert output.read_bytes() == (tmp_path / "whole.h5").read_bytes()
    again = analyze_people(video, output, model=model, settings=SMALL)
    assert again.up_to_date
    assert "is up to date" in again.lines()[0]


def test_one_person_makes_a_file_of_a_single_animal(model, tmp_path):
    write_video(tmp_path / "one.mp4", map(draw, range(8)), fps=50, crf=6)
    analyze_people(tmp_path / "one.mp4", tmp_path / "one.h5", model=model)
    assert len(read_dlc(tmp_path / "one.h5", camera="A").individuals) == 1


def test_an_empty_scene_makes_an_empty_file(model, tmp_path):
    image = np.full((240, 320, 3), 40, np.uint8)
    write_video(tmp_path / "empty.mp4", [image] * 5, fps=50)
    summary = analyze_people(tmp_path / "empty.mp4", tmp_path / "empty.h5", model=model)
    found = read_dlc(tmp_path / "empty.h5", camera="A")
    assert np.isnan(found.xy).all()
    assert found.n_frames == 5
    assert summary.n_people == 0
    assert "nobody in view" in summary.lines()[0]
    assert summary.n_whole == 5


def test_large_images_are_made_smaller_and_places_are_those_of_the_image(model, tmp_path):
    size = (1280, 1080)

    def large(frame):
        image = np.full((size[1], size[0], 3), 40, np.uint8)
        image[181:221, 301 + 4 * frame : 341 + 4 * frame] = [30, 60, 250]
        return image

    write_video(tmp_path / "large.mp4", map(large, range(4)), fps=50, crf=6)
    analyze_people(tmp_path / "large.mp4", tmp_path / "large.h5", model=model)
    found = read_dlc(tmp_path / "large.h5", camera="A").xy[:, 0, 0, 0]
    np.testing.assert_allclose(found, [[320.5 + 4 * i, 200.5] for i in range(4)], atol=1)


def test_the_work_of_others_is_left_alone(model, video, tmp_path):
    output = tmp_path / "walk.h5"
    output.write_bytes(b"somebody's")
    with pytest.raises(DataError, match="was not made by pose3d analyze"):
        analyze_people(video, output, model=model)
    assert output.read_bytes() == b"somebody's"


def test_a_folder_that_is_no_such_network(video, tmp_path):
    with pytest.raises(ModelError, match="does not find people; blazepose-full does"):
        analyze_people(video, tmp_path / "walk.h5", model=tmp_path)
    with pytest.raises(ModelError, match="no such network in the zoo; there are blazepose-full"):
        analyze_people(video, tmp_path / "walk.h5", model="blazepose-huge")


def test_settings_are_checked():
    with pytest.raises(ValueError, match="chunk_frames and shrinking"):
        PeopleSettings(shrinking=0)
