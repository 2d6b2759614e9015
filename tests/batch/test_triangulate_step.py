"""The real triangulation of a session: a synthetic trial in files, with known truth."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from pose3d.batch import run_session
from pose3d.batch.triangulation import make_request
from pose3d.data import PosteriorSamples, Status
from pose3d.data.timing import Timing
from pose3d.demo.trials import TRIAL_SKELETON, make_trial
from pose3d.errors import ConfigError, DataError, ProjectError
from pose3d.io.anipose_csv import read_pose3d
from pose3d.io.calibration_toml import write_calibration
from pose3d.io.dlc import write_dlc
from pose3d.io.samples import read_samples
from pose3d.io.sync_toml import write_sync
from pose3d.project import Project, check_settings, write_config
from pose3d.reconstruction import AniposeWeights, triangulate_views

N_FRAMES = 80
SKELETON = {
    "keypoints": list(TRIAL_SKELETON.keypoints),
    "edges": [list(edge) for edge in TRIAL_SKELETON.edges],
    "pairs": [list(pair) for pair in TRIAL_SKELETON.pairs],
}


@pytest.fixture(scope="module")
def walk():
    return make_trial(N_FRAMES)


@pytest.fixture
def folder(tmp_path, walk):
    """A session with a given calibration and the trial's 2D keypoints."""
    folder = tmp_path / "Projekt ß" / "monday"
    (folder / "calibration").mkdir(parents=True)
    write_calibration(walk.rig, folder / "calibration" / "calibration.toml")
    write_views(folder, walk.keypoints)
    settings(folder)
    return folder


def write_views(folder, keypoints, trial="walk"):
    for name in keypoints.cameras:
        write_dlc(keypoints.select([name]), folder / "pose-2d" / f"{trial}_{name}.csv")


def settings(folder, **views):
    views = {name: value for name, value in {"samples": 0, **views}.items() if value is not None}
    tables = {"project": {"fps": 100.0, "cam_regex": "_(cam_[0-9]+)$"}, "skeleton": SKELETON, "triangulation": views}
    write_config(folder.parent, tables, overwrite=True)


def run(folder, **options):
    """Triangulate; return the outcome of the step and the trial."""
    session = Project.load(folder).session(folder)
    outcomes = run_session(session, only=("triangulate",), **options)
    (outcome,) = [item for item in outcomes if item.trial == "walk"]
    if outcome.error is not None:
        assert "\n" not in str(outcome.error)
        raise outcome.error
    return outcome, session.trial("walk")


def points(folder):
    _, trial = run(folder)
    return read_pose3d(trial.pose_3d)


def rms(found, walk):
    error = np.linalg.norm(found.xyz[:, 0] - walk.xyz[found.start : found.start + found.n_frames], axis=-1)
    return float(np.sqrt(np.nanmean(error**2)))


def test_a_session_is_refined_unless_it_says_otherwise(folder, walk):
    outcome, trial = run(folder)
    assert outcome.status == "done"
    assert any(re.fullmatch(r"80 frames: .* % of the points observed.*", line) for line in outcome.lines)
    assert any(line.startswith("19 limbs") for line in outcome.lines)
    assert outcome.summary["fps"] == 100.0
    assert outcome.summary["n_frames"] == N_FRAMES
    json.dumps(outcome.to_dict())
    refined = read_pose3d(trial.pose_3d)
    assert refined.covariance is not None
    assert sorted(path.name for path in trial.pose_3d.parent.iterdir()) == ["walk.csv", "walk.uncertainty.csv"]
    assert run(folder)[0].status == "up to date"
    settings(folder, refine=False)
    alone = points(folder)
    settings(folder, robust=False)
    plain = points(folder)
    assert rms(refined, walk) < 0.7 * rms(alone, walk)
    assert rms(alone, walk) < 0.5 * rms(plain, walk)
    assert not (alone.status == Status.FILLED).any()


def test_without_robust_nothing_but_the_plain_triangulation_is_done(folder, walk):
    settings(folder, robust=False, score_threshold=0.3, weighted=False, min_cameras=3, max_error_px=30.0)
    expected = triangulate_views(
        walk.keypoints,
        walk.rig,
        robust=False,
        score_threshold=0.3,
        weighted=False,
        min_cameras=3,
        max_error_px=30.0,
    ).points
    found = points(folder)
    np.testing.assert_allclose(found.xyz, expected.xyz, rtol=0, atol=1e-3)
    np.testing.assert_array_equal(found.status, expected.status)


@pytest.mark.parametrize("robust", [True, False])
def test_sync_toml_is_applied(folder, walk, robust):
    """Cameras that began to record up to six frames before the first: their earliest frames are nobody else's."""
    offsets = dict(zip(walk.rig.names, (0, 3.5, 1, 2, 5, 6), strict=True))
    seen = walk.rig.project(walk.xyz).swapaxes(1, 2)
    xy = np.full((N_FRAMES, 6, 1, 20, 2), np.nan)
    frames = np.arange(N_FRAMES)
    for c, offset in enumerate(offsets.values()):  # frame i shows instant i - offset
        low, high = (np.maximum(frames - round_(offset), 0) for round_ in (np.ceil, np.floor))
        xy[:, c, 0] = (seen[low.astype(int), c] + seen[high.astype(int), c]) / 2
        xy[: int(np.ceil(offset)), c] = np.nan
    whole = replace(walk.keypoints, xy=xy, score=np.ones(xy.shape[:-1]))
    write_views(folder, whole)
    settings(folder, robust=robust)
    wrong = rms(points(folder), walk)
    write_sync(Timing.of_offsets(whole.cameras, offsets), folder / "sync.toml")
    outcome, trial = run(folder)
    assert outcome.reason == "input sync.toml is new"
    found = read_pose3d(trial.pose_3d)
    assert found.start == 0
    assert found.n_frames == N_FRAMES - 6
    assert found.fps == 100.0
    assert rms(found, walk) < 1.0
    assert rms(found, walk) < 0.1 * wrong


def test_a_camera_without_timing_is_named(folder, walk):
    write_sync(Timing.of_offsets(walk.keypoints.cameras[1:], {}), folder / "sync.toml")
    with pytest.raises(DataError, match=rf"'{walk.keypoints.cameras[0]}'.* no timing"):
        run(folder)


def test_samples_lie_beside_the_points(folder):
    settings(folder, samples=4, seed=5)
    _, trial = run(folder)
    samples = trial.pose_3d.with_name("walk.samples.npz")
    drawn = read_samples(samples, csvs=[trial.pose_3d])
    assert isinstance(drawn, PosteriorSamples)
    assert drawn.xyz.shape == (N_FRAMES, 4, 1, 20, 3)
    found = read_pose3d(trial.pose_3d)
    away = np.linalg.norm(drawn.xyz.mean(1) - found.xyz, axis=-1)
    assert np.nanmedian(away) < 3
    first = drawn.xyz.copy()
    settings(folder, samples=4, seed=6)
    run(folder)
    assert np.nanmax(np.abs(read_samples(samples).xyz - first)) > 0.1
    session = Project.load(folder).session(folder)
    outcomes = {item.step: item for item in run_session(session)}
    assert outcomes["angles"].status == outcomes["export"].status == "done", outcomes
    assert [path.name for path in (folder / "exports").iterdir()] == ["walk.trc"]
    settings(folder)
    run(folder)
    assert not samples.exists()


def test_a_project_has_samples_unless_it_says_otherwise_or_they_are_large(folder, monkeypatch):
    settings(folder, samples=None)
    outcome, trial = run(folder)
    samples = trial.pose_3d.with_name("walk.samples.npz")
    assert read_samples(samples, csvs=[trial.pose_3d]).n_samples == 60
    assert not any("no samples" in line for line in outcome.lines)
    monkeypatch.setattr("pose3d.batch.triangulation._MOST_BYTES", 1e6)
    outcome, _ = run(folder, force=True)
    assert any(line.startswith("no samples: 60 would take 0 GB") for line in outcome.lines)
    assert not samples.exists()
    settings(folder, samples=None, refine=False)
    assert run(folder)[0].status == "done"


def test_an_ended_run_goes_on(folder, monkeypatch):
    monkeypatch.setattr("pose3d.reconstruction.recording._RUN_POINTS", 64 * 20)
    monkeypatch.setattr("pose3d.reconstruction.recording._FORGOTTEN", 1)
    settings(folder, max_gap=5)
    _, trial = run(folder)
    whole = trial.pose_3d.read_bytes()
    for path in trial.pose_3d.parent.iterdir():
        path.unlink()

    def stop(label, done, _):
        if label == "refine" and done >= 64:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(folder, progress=stop)
    assert [path.name for path in trial.pose_3d.parent.iterdir()] == ["walk.partial"]
    assert [item.name for item in Project.load(folder).session(folder).trials()] == ["walk"]
    seen = []
    outcome, _ = run(folder, progress=lambda *step: seen.append(step))
    assert outcome.reason == "was interrupted the last time"
    assert [done for label, done, _ in seen if label == "refine"] == [N_FRAMES]  # the first run was there already
    assert trial.pose_3d.read_bytes() == whole
    assert sorted(path.name for path in trial.pose_3d.parent.iterdir()) == ["walk.csv", "walk.uncertainty.csv"]


def test_settings_that_the_recording_does_not_fit_name_the_file(folder):
    write_config(
        folder.parent,
        {"project": {"cam_regex": "_(cam_[0-9]+)$"}, "triangulation": {"constraints": [["LHip", "LKne"]]}},
        overwrite=True,
    )
    with pytest.raises(ConfigError, match=r"pose3d\.toml: triangulation: .*no keypoint 'LKne'"):
        run(folder)
    settings(folder, min_cameras=7)
    with pytest.raises(ConfigError, match=r"pose3d\.toml: triangulation: min_cameras: 7"):
        run(folder)


def test_individuals_that_would_take_the_file_of_another_trial(folder, walk):
    k = walk.keypoints
    two = replace(
        k,
        xy=np.concatenate([k.xy, k.xy + 40], axis=2),
        score=np.concatenate([k.score, k.score], axis=2),
        individuals=("anna", "bert"),
    )
    for path in (folder / "pose-2d").iterdir():
        path.unlink()
    write_views(folder, two)
    write_views(folder, k, trial="walk_bert")
    with pytest.raises(
        ProjectError, match=r"walk_bert\.csv: an individual of trial walk would .* over trial walk_bert"
    ):
        run(folder)
    write_views(folder, replace(two, individuals=("anna", "carl")))
    _, trial = run(folder)
    names = sorted(path.name for path in trial.pose_3d.parent.iterdir())
    assert [name for name in names if "uncertainty" not in name] == ["walk_anna.csv", "walk_bert.csv", "walk_carl.csv"]


def test_every_setting_arrives():
    views = {
        "score_threshold": 0.2,
        "weighted": False,
        "min_cameras": 3,
        "max_error_px": 9.0,
        "truncate": True,
        "refine": False,
        "repair_sides": False,
        "max_gap": 7,
        "constraints": [["a", "b"]],
        "constraints_weak": [["b", "c"]],
        "limb_sd_percent": 1.5,
        "n_deriv_smooth": 2,
        "smooth_mm": 4.0,
        "loss": "cauchy",
        "loss_scale": 2.0,
        "solver": "scipy",
        "seed": 11,
    }
    request = make_request(check_settings({"triangulation": views}))
    facts = request.facts()
    given = {**facts["settings"], **facts["views"], **facts}
    given |= {"constraints": given["limbs"], "constraints_weak": given["weak_limbs"]}
    assert {name: given[name] for name in views} == views
    defaults = make_request(check_settings({})).facts()
    given = {**defaults["settings"], **defaults["views"], **defaults}
    given |= {"constraints": given["limbs"], "constraints_weak": given["weak_limbs"]}
    assert [name for name in views if given[name] == views[name]] == []  # none of these is a default
    assert make_request(check_settings({"triangulation": {"samples": 3}})).refinement.samples == 3
    weights = make_request(check_settings({"triangulation": {"reproj_error_threshold": 8}})).refinement.anipose
    assert weights == AniposeWeights(2.0, 2.0, 1.0, 8.0)


def test_no_limbs_where_constraints_are_empty():
    skeleton = {"keypoints": ["a", "b", "c"], "edges": [["a", "b"]], "pairs": [["b", "c"]]}
    with_edges = make_request(check_settings({"skeleton": skeleton}))
    assert with_edges.skeleton.edges == (("a", "b"),)
    without = make_request(check_settings({"skeleton": skeleton, "triangulation": {"constraints": []}}))
    assert without.skeleton.edges == ()
    assert without.skeleton.pairs == (("b", "c"),)
