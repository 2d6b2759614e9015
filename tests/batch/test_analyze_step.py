"""Videos without 2D keypoints: the project's network finds them first, as `pose3d analyze` would."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pose3d.batch import plan, run_session
from pose3d.data import Camera, Rig
from pose3d.errors import ProjectError
from pose3d.io.calibration_toml import write_calibration
from pose3d.io.dlc import read_dlc
from pose3d.io.video import write_video
from pose3d.network.analysis import analyze_video
from pose3d.project import Session, write_config

ALL = ["calibrate", "analyze walk", "triangulate walk", "angles walk", "export walk"]


@pytest.fixture
def bare(lab):
    """Without keypoints, and with a network."""
    shutil.rmtree(lab.path("pose-2d"))
    lab.put("../models/default/model.toml", "first")
    return lab


def analyze_apart(lab, size):
    """Find keypoints as the command of its own does."""
    work = lab.session.trials()[0]
    for camera in ("left", "right"):
        lab.put(f"videos-raw/walk_{camera}.mp4", "x" * size)
    from pose3d.batch.analysis import find_work

    network, jobs = find_work(work)
    lab.actions.analyze(work, network, tuple(jobs.values()), None)


def test_keypoints_are_found_before_they_are_triangulated(bare):
    items = plan(bare.session, actions=bare.actions)
    assert [(item.label, item.action) for item in items] == [(label, "run") for label in ALL]
    done, outcomes = bare.run()
    assert done == ALL
    assert outcomes["analyze walk"].lines == ("2 videos",)
    assert sorted(path.name for path in bare.path("pose-2d").iterdir()) == ["walk_left.h5", "walk_right.h5"]
    assert bare.run()[0] == []


def test_a_new_network_or_video_is_followed(bare):
    bare.run()
    bare.put("../models/default/model.toml", "second")
    done, outcomes = bare.run()
    assert done == ["analyze walk"]  # the fake finds the same
    assert outcomes["analyze walk"].reason == "input ../models/default/model.toml changed"
    bare.put("videos-raw/walk_left.mp4", "a longer video")
    done, outcomes = bare.run()
    assert done == ALL[1:]
    assert outcomes["analyze walk"].reason == "input videos-raw/walk_left.mp4 changed"
    assert outcomes["triangulate walk"].reason.startswith("input pose-2d/walk_left.h5 changed")
    bare.set(analysis={"n_peaks": 3})
    assert bare.run()[1]["analyze walk"].reason == "setting analysis.n_peaks: 1 -> 3"
    assert not list(bare.folder.rglob("*.bak"))


def test_another_programs_keypoints_are_used_as_they_are(bare):
    bare.put("pose-2d/walk_left.h5", "of another program")
    done, outcomes = bare.run()
    assert done == [label for label in ALL if label != "analyze walk"]
    assert "analyze walk" not in outcomes
    for path in bare.path("pose-2d").iterdir():
        path.unlink()
    bare.put("pose-2d/walk_rightDLC_resnet50.csv", "of another program")
    assert "analyze walk" not in {item.label for item in plan(bare.session, actions=bare.actions)}


def test_without_the_network_what_it_made_is_used(bare):
    bare.run()
    shutil.rmtree(bare.path("../models"))
    done, outcomes = bare.run()
    assert done == []
    assert "analyze walk" not in outcomes


def test_a_video_that_fails_keeps_its_trial_back(bare):
    for camera in ("left", "right"):
        bare.put(f"videos-raw/run_{camera}.mp4", "video")
    bare.fail = {"analyze run_right"}
    done, outcomes = bare.run()
    assert outcomes["analyze run"].status == "failed"
    assert "run_right.mp4: breaks off" in str(outcomes["analyze run"].error)
    assert outcomes["triangulate run"].reason == outcomes["angles run"].reason == "needs analyze run, which failed"
    assert outcomes["export walk"].status == "done"
    bare.fail.clear()
    done, outcomes = bare.run()
    assert done == ["analyze run", "triangulate run", "angles run", "export run"]
    assert outcomes["analyze run"].reason == "was interrupted the last time"
    assert not list(bare.folder.rglob("*.bak"))


def test_a_calibration_that_fails_does_not_keep_videos_from_being_analysed(bare):
    bare.fail = {"calibrate"}
    done, outcomes = bare.run()
    assert done == ["calibrate", "analyze walk"]
    assert outcomes["triangulate walk"].reason == "needs calibrate, which failed"


def test_a_file_that_was_edited_is_refused(bare):
    bare.run()
    path = bare.path("pose-2d/walk_left.h5")
    table = pd.read_hdf(path)
    table.iloc[0, 0] += 1
    table.to_hdf(path, key="df_with_missing", format="table")
    done, outcomes = bare.run()
    assert done == []
    assert outcomes["analyze walk"].status == "refused"
    assert "pose-2d/walk_left.h5 was changed by hand" in str(outcomes["analyze walk"].error)
    assert bare.run(keep_edited=True)[0] == ["triangulate walk", "angles walk", "export walk"]
    bare.run(force=True)
    pd.testing.assert_frame_equal(pd.read_hdf(path.with_name("walk_left.h5.bak")), table)


def test_what_the_command_of_its_own_made_may_be_used(bare):
    bare.run(only=("calibrate",))
    with pytest.raises(ProjectError, match=r"walk_left\.h5: is not there yet: never run; `pose3d run"):
        bare.run(only=("triangulate",))
    analyze_apart(bare, 3)
    assert bare.run(only=("triangulate",))[0] == ["triangulate walk"]
    assert bare.run(only=("angles",))[0] == ["angles walk"]
    assert bare.run()[0] == ["analyze walk", "export walk"]  # which finds that it is up to date
    assert bare.run()[0] == []
    analyze_apart(bare, 5)
    assert bare.run(only=("triangulate",))[0] == ["triangulate walk"]
    assert bare.run()[0] == ["analyze walk", "angles walk", "export walk"]
    assert bare.run()[0] == []
    bare.put("videos-raw/walk_left.mp4", "another video")
    with pytest.raises(ProjectError, match=r"walk_left\.h5: is stale: input videos-raw/walk_left\.mp4 changed"):
        bare.run(only=("triangulate",))


def test_a_network_of_the_zoo_is_known_before_it_is_fetched(bare, monkeypatch, tmp_path):
    monkeypatch.setenv("POSE3D_CACHE", str(tmp_path / "cache"))
    shutil.rmtree(bare.path("../models"))
    bare.set(network={"model": "blazepose-full"}, analysis={"n_peaks": 2})
    assert [item.label for item in plan(bare.session, actions=bare.actions)] == ALL
    assert bare.run()[0] == ALL
    bare.set(network={"model": "blazepose-full"}, analysis={"n_peaks": 3})  # which does not concern it
    assert bare.run()[0] == []
    assert not (tmp_path / "cache").exists()
    bare.set(network={"model": "imagenet"})
    assert "analyze walk" not in bare.run()[1]


def test_videos_become_points_with_a_network_of_dots(tmp_path):
    """The real steps: four coloured dots in two views, a network that was never trained, and where the dots are."""
    matrix = [[300.0, 0, 119.5], [0, 300.0, 89.5], [0, 0, 1]]
    rig = Rig(
        (
            Camera("left", (240, 180), matrix, np.zeros(5), np.zeros(3), [60.0, 0, 0]),
            Camera("right", (240, 180), matrix, np.zeros(5), np.zeros(3), [-60.0, 0, 0]),
        )
    )
    start = np.array([[-60, -60, 1000], [60, -55, 980], [-55, 60, 1010], [65, 55, 1000]], dtype=float)
    points = start + 40 * np.sin(np.arange(12) / 4)[:, None, None] * np.array([1, 0.5, 0.2])
    colours = np.array([[30, 30, 255], [30, 255, 30], [255, 30, 30], [20, 240, 240]], dtype=float)
    folder = tmp_path / "monday"
    (folder / "videos-raw").mkdir(parents=True)
    (folder / "calibration").mkdir()
    write_calibration(rig, folder / "calibration" / "calibration.toml")
    rows, columns = np.mgrid[:180, :240]
    for camera in rig:
        images = []
        for places in camera.project(points):
            image = np.full((180, 240, 3), 90.0)
            for (x, y), colour in zip(places, colours, strict=True):
                blob = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 7.0**2))[..., None]
                image = image * (1 - blob) + colour * blob
            images.append(image.round().astype(np.uint8))
        write_video(folder / "videos-raw" / f"walk_{camera.name}.mp4", images, fps=50, crf=8)
    write_config(tmp_path, {"triangulation": {"refine": False}})
    shutil.copytree(Path(__file__).parents[1] / "network" / "dots", tmp_path / "models" / "default")

    session = Session.load(folder)
    outcomes = {outcome.label: outcome for outcome in run_session(session)}
    assert outcomes["analyze walk"].status == outcomes["triangulate walk"].status == "done", outcomes
    from pose3d.io.anipose_csv import read_pose3d

    (trial,) = session.trials()
    found = read_pose3d(trial.pose_3d)
    assert found.keypoints == ("red", "green", "blue", "yellow")
    assert np.nanmedian(np.linalg.norm(found.xyz[:, 0] - points, axis=-1)) < 25
    assert np.isfinite(found.xyz).mean() > 0.9
    assert {outcome.status for outcome in run_session(session)} == {"given", "up to date"}

    # What pose3d analyze makes is what the step made: nothing is done anew but the record.
    path = folder / "pose-2d" / "walk_left.h5"
    before = path.read_bytes()
    path.unlink()
    analyze_video(folder / "videos-raw" / "walk_left.mp4", tmp_path / "models" / "default", path)
    assert path.read_bytes() == before
    assert read_dlc(path, camera="left").n_frames == 12
    assert {outcome.status for outcome in run_session(session)} == {"given", "up to date"}
