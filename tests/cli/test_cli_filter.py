"""pose3d filter: 3D files, 2D files of each camera, and what is refused."""

from dataclasses import replace

import h5py
import numpy as np
import pandas as pd
import pytest

from pose3d.data import Keypoints3D, Status
from pose3d.demo.trials import make_trial
from pose3d.io.anipose_csv import is_pose3d, read_pose3d, write_pose3d
from pose3d.io.dlc import read_dlc, write_dlc
from pose3d.io.openpose import write_openpose
from pose3d.io.trc import write_trc

FPS, HZ, N_FRAMES = 100.0, 6.0, 300
MOVES = ["--outliers", 11, "--max-gap", 5, "--butterworth-hz", HZ]


@pytest.fixture(scope="module")
def space():
    """One keypoint that sways at 1 Hz and trembles at 25 Hz, another at 6 Hz; a jump, and gaps of 3 and 30 frames."""
    t = np.arange(N_FRAMES) / FPS
    xyz = np.zeros((N_FRAMES, 1, 2, 3))
    xyz[:, 0, 0, 0] = 100 * np.sin(2 * np.pi * t) + 10 * np.sin(2 * np.pi * 25 * t)
    xyz[:, 0, 1, 0] = 100 * np.sin(2 * np.pi * HZ * t)
    xyz[150, 0, 0] += 500
    xyz[60:63, 0, 0] = xyz[200:230, 0, 0] = np.nan
    shape = xyz.shape[:-1]
    here = np.isfinite(xyz[..., 0])
    error, n_cameras, score = (np.where(here, value, empty) for value, empty in ((0.5, np.nan), (3, 0), (0.9, np.nan)))
    status = np.where(here, Status.OBSERVED, Status.MISSING)
    covariance = np.where(here[..., None, None], np.eye(3), np.nan)
    return Keypoints3D(
        xyz, error, n_cameras, score, status, ("one",), ("sway", "shake"), covariance.reshape(*shape, 3, 3), FPS
    )


@pytest.fixture
def points(space, tmp_path):
    path = tmp_path / "trial.csv"
    write_pose3d(space, path)
    return path


@pytest.fixture(scope="module")
def walk():
    return make_trial(120, outliers=0.0, noise_px=2.0, missing=0.05).keypoints.select(["cam_1", "cam_2"])


@pytest.fixture
def views(walk, tmp_path):
    folder = tmp_path / "pose-2d"
    paths = [folder / f"walk_{name}.h5" for name in walk.cameras]
    for name, path in zip(walk.cameras, paths, strict=True):
        write_dlc(walk.select([name]), path)
    return paths


def test_points_in_space(pose3d, points, tmp_path) -> None:
    target = tmp_path / "out" / "filtered.csv"
    outcome = pose3d("filter", points, *MOVES, "-o", target)
    assert outcome.code == 0, outcome
    assert outcome.err == ""
    assert "3 dB down at 6.00 Hz" in outcome.out
    assert "covariance: left out" in outcome.out
    assert f"written: {target}" in outcome.out
    made = read_pose3d(target)
    t = np.arange(N_FRAMES) / FPS
    sway = made.xyz[:, 0, 0, 0] - 100 * np.sin(2 * np.pi * t)
    assert np.abs(np.r_[sway[75:135], sway[250:280]]).max() < 0.2  # no tremble of 10 mm is left
    assert np.abs(sway[50:180]).max() < 10  # nor a jump
    assert np.ptp(made.xyz[50:-50, 0, 1, 0]) == pytest.approx(200 / np.sqrt(2), rel=0.01)
    assert (made.status[60:63, 0, 0] == Status.FILLED).all()
    assert made.status[150, 0, 0] == Status.FILLED
    assert np.isnan(made.xyz[200:230, 0, 0]).all()
    assert made.covariance is None
    assert made.fps == FPS


def test_covariance_of_independent_points_is_kept(pose3d, points, tmp_path) -> None:
    outcome = pose3d("filter", points, "--butterworth-hz", HZ, "--independent", "-o", tmp_path / "f.csv")
    assert outcome.code == 0, outcome
    variance = read_pose3d(tmp_path / "f.csv").covariance[100, 0, 1, 0, 0]
    assert 0.05 < variance < 0.3  # of white noise, about 2 * 6 / 100 passes


def test_json_tells_what_was_done(pose3d, points, tmp_path) -> None:
    summary = pose3d("filter", points, *MOVES, "-o", tmp_path / "f.csv", "--json").json
    assert summary["outputs"] == [str(tmp_path / "f.csv")]
    assert (summary["n_removed"], summary["n_filled"], summary["cutoff_hz"]) == (1, 4, HZ)


def test_a_trc_is_taken(pose3d, space, tmp_path) -> None:
    write_trc(space, tmp_path / "trial.trc")
    outcome = pose3d("filter", tmp_path / "trial.trc", "--max-gap-s", 0.05, "-o", tmp_path / "f.csv", "--json")
    assert outcome.code == 0, outcome
    assert outcome.json["n_filled"] == 3


def test_views_of_cameras(pose3d, views, walk, tmp_path) -> None:
    folder = tmp_path / "pose-2d-filtered"
    outcome = pose3d("filter", *views, *MOVES, "--fps", FPS, "-o", folder)
    assert outcome.code == 0, outcome
    assert "cam_2  filters: scores, outliers, gaps, butterworth" in outcome.out
    assert sorted(path.name for path in folder.iterdir()) == [path.name for path in views]
    for name in walk.cameras:
        made, before = read_dlc(folder / f"walk_{name}.h5", camera=name), walk.select([name])
        filled = np.isnan(before.xy[..., 0]) & np.isfinite(made.xy[..., 0])
        assert filled.any()
        assert (made.score[filled] == 0).all()
        jerk = [np.nanstd(np.diff(k.xy, 3, axis=0)) for k in (made, before)]
        assert jerk[0] < 0.2 * jerk[1]


def test_files_of_different_length_and_one_file_alone(pose3d, views, walk, tmp_path) -> None:
    write_dlc(walk.select(["cam_2"]).frames(0, 100), views[1])
    outcome = pose3d("filter", *views, "--median", 5, "-o", tmp_path / "f", "--json")
    assert outcome.code == 0, outcome
    assert read_dlc(tmp_path / "f" / "walk_cam_2.h5", camera="x").n_frames == 100
    assert list(outcome.json["cameras"]) == ["cam_1", "cam_2"]
    single = pose3d("filter", views[0], "--median", 5, "-o", tmp_path / "single.csv")
    assert single.code == 0, single
    assert read_dlc(tmp_path / "single.csv", camera="x").n_frames == 120


def test_files_of_one_name_are_named_by_their_cameras(pose3d, views, tmp_path) -> None:
    sources = []
    for name, path in zip(("left", "right"), views, strict=True):
        (tmp_path / name).mkdir()
        sources.append(f"{name}={path.rename(tmp_path / name / 'pose.h5')}")
    outcome = pose3d("filter", *sources, "-o", tmp_path / "f", "--json")
    assert outcome.json["outputs"] == [str(tmp_path / "f" / "left.h5"), str(tmp_path / "f" / "right.h5")]


def test_viterbi_chooses_among_peaks(pose3d, tmp_path) -> None:
    rng = np.random.default_rng(0)
    right = np.c_[200 + 2 * np.arange(200.0), np.full(200, 300.0)] + rng.normal(size=(200, 2))
    wrong = rng.uniform(0, 640, (200, 2))
    swap = rng.random(200) < 0.3
    first, second = np.where(swap[:, None], wrong, right), np.where(swap[:, None], right, wrong)
    values = np.c_[first, np.full(200, 0.9), second, np.full(200, 0.8)]
    columns = [("net", "nose", coordinate) for coordinate in ("x", "y", "likelihood", "x2", "y2", "likelihood2")]
    table = pd.DataFrame(values, columns=pd.MultiIndex.from_tuples(columns, names=("scorer", "bodyparts", "coords")))
    table.to_csv(tmp_path / "peaks_cam1.csv")
    outcome = pose3d("filter", tmp_path / "peaks_cam1.csv", "--viterbi", "-o", tmp_path / "f.h5")
    assert outcome.code == 0, outcome
    found = read_dlc(tmp_path / "f.h5", camera="cam1").xy[:, 0, 0, 0]
    assert (np.abs(found - right).max(-1) < 1e-6).mean() > 0.97


def test_a_cutoff_is_suggested_and_nothing_written(pose3d, points, views, tmp_path) -> None:
    before = sorted(tmp_path.rglob("*"))
    outcome = pose3d("filter", points, "--suggest-cutoff")
    assert outcome.code == 0, outcome
    assert "Hz" in outcome.out
    summary = pose3d("filter", *views, "--suggest-cutoff", "--fps", FPS, "--json").json
    assert list(summary["cameras"]) == ["cam_1", "cam_2"]
    assert 1 < summary["cameras"]["cam_1"]["cutoff_hz"] < 25
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["-o", "f.csv"], "no filter"),
        (["--interpolation", "nearest", "-o", "f"], "'nearest'"),
        (["--median", 5], "--output"),
        (["--median", 5, "-o", "f.h5"], ".csv"),
        (["--viterbi", "--median", 5, "-o", "f.csv"], "--viterbi"),
        (["--score-threshold", 0.5, "-o", "f.csv"], "--score-threshold"),
        (["--skeleton", "body25", "-o", "f.csv"], "--skeleton"),
    ],
)
def test_wrong_usage_in_space(pose3d, points, options: list, told: str) -> None:
    outcome = pose3d("filter", points, *options)
    assert (outcome.code, outcome.out) == (2, "")
    assert told in outcome.err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--butterworth-hz", 6, "-o", "f"], "--fps"),
        (["--max-gap-s", 0.1, "-o", "f"], "--fps"),
        (["--suggest-cutoff"], "--fps"),
        (["--max-error-px", 5, "-o", "f"], "--max-error-px"),
        (["--independent", "-o", "f"], "--independent"),
        (["-o", "f.h5"], "2 cameras"),
        (["--interpolation", "nearest", "-o", "f"], "'nearest'"),
        (["--median", 5], "--output"),
    ],
)
def test_wrong_usage_in_images(pose3d, views, options: list, told: str, tmp_path) -> None:
    outcome = pose3d("filter", *views, *options)
    assert (outcome.code, outcome.out) == (2, "")
    assert told in outcome.err
    assert not (tmp_path / "f").exists()


def test_what_is_read_is_not_overwritten(pose3d, points, views) -> None:
    for source, target in ((points, points), (views[0], views[0].parent), (views[1], views[1])):
        before = source.read_bytes()
        outcome = pose3d("filter", source, "--median", 5, "-o", target)
        assert outcome.code == 2
        assert "would be overwritten" in outcome.err
        assert source.read_bytes() == before


def test_bad_settings_are_one_line(refused, points, tmp_path) -> None:
    target = ["-o", tmp_path / "f.csv"]
    assert "odd" in refused("filter", points, "--median", 4, *target)
    assert "take one" in refused("filter", points, "--savgol", 9, "--butterworth-hz", 6, *target)
    assert "80" in refused("filter", points, "--butterworth-hz", 80, *target)


@pytest.mark.parametrize("name", ["none.csv", "text.csv", "empty.h5", "picture.h5", "points.trc"])
def test_bad_files_are_one_line(refused, tmp_path, name: str) -> None:
    contents = {"text.csv": b"just some text\n", "empty.h5": b"", "picture.h5": b"\x89PNG", "points.trc": b"\0\1"}
    if name in contents:
        (tmp_path / name).write_bytes(contents[name])
    suffix = ".csv" if name.endswith("trc") else ".h5"
    assert name in refused("filter", tmp_path / name, "--median", 5, "-o", tmp_path / f"out{suffix}")


def test_a_damaged_view_leaves_nothing_behind(refused, views, tmp_path) -> None:
    with h5py.File(views[1], "w"):
        pass
    assert views[1].name in refused("filter", *views, "--median", 5, "-o", tmp_path / "f")


def test_people_without_identity_are_refused(refused, keypoints, tmp_path) -> None:
    view = keypoints.select(["cam_1"])
    xy, score = view.xy.repeat(2, axis=2), view.score.repeat(2, axis=2)
    write_openpose(replace(view, xy=xy, score=score, individuals=("person_0", "person_1")), tmp_path / "cam_1_json")
    source = f"cam_1={tmp_path / 'cam_1_json'}"
    line = refused("filter", source, "--skeleton", "body25", "--median", 5, "-o", tmp_path / "f")
    assert "several people" in line


def test_a_session_is_no_file(pose3d, tmp_path) -> None:
    (tmp_path / "pose3d.toml").write_text("", encoding="utf-8")
    (tmp_path / "session" / "pose-2d").mkdir(parents=True)
    outcome = pose3d("filter", tmp_path / "session", "--median", 5, "-o", "f")
    assert outcome.code == 2
    assert "give the files" in " ".join(outcome.err.replace("│", " ").split())


def test_points_in_space_are_known_by_their_columns(points, views, tmp_path) -> None:
    assert is_pose3d(points)
    assert not is_pose3d(views[0])
    assert not is_pose3d(tmp_path)
    assert not is_pose3d(tmp_path / "none.csv")
