"""From files to files: what a kill leaves and what comes of it, bytes, and what is said."""

from dataclasses import replace

import numpy as np
import pytest

from pose3d.data import Skeleton, Status
from pose3d.data.timing import Timing
from pose3d.demo.trials import TRIAL_SKELETON, make_trial
from pose3d.errors import ConfigError, DataError, Pose3DError
from pose3d.io.anipose_csv import read_pose3d
from pose3d.io.keypoints import save_keypoints
from pose3d.io.rigs import save_rig
from pose3d.io.samples import read_samples
from pose3d.io.sync_toml import write_sync
from pose3d.reconstruction import (
    Reconstructor,
    RefinementSettings,
    TriangulationRequest,
    ViewSettings,
    reconstruct,
    triangulate_files,
)

N = 240
REQUEST = TriangulationRequest(skeleton=TRIAL_SKELETON, fps=100.0, refinement=RefinementSettings(samples=3))


@pytest.fixture(autouse=True)
def short_runs(monkeypatch):
    """Recordings of some hundred frames in several runs."""
    monkeypatch.setattr("pose3d.reconstruction.recording._RUN_POINTS", 1200)
    monkeypatch.setattr("pose3d.reconstruction.recording._LEAST_RUN", 40)


@pytest.fixture(scope="module")
def trial():
    return make_trial(N, seed=40, swaps=0.02)


@pytest.fixture(scope="module")
def inputs(trial, tmp_path_factory):
    """Files of each camera, and the calibration."""
    folder = tmp_path_factory.mktemp("inputs")
    save_keypoints(trial.keypoints, folder / "pose-2d")
    save_rig(trial.rig, folder / "calibration.toml")
    return {name: folder / "pose-2d" / f"{name}.h5" for name in trial.rig.names}, folder / "calibration.toml"


def run(inputs, output, request=REQUEST, **kwargs):
    return triangulate_files(*inputs, output, request, **kwargs)


@pytest.fixture(scope="module")
def finished(inputs, tmp_path_factory):
    """A folder with the result of one run without interruption."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pose3d.reconstruction.recording._RUN_POINTS", 1200)
        patch.setattr("pose3d.reconstruction.recording._LEAST_RUN", 40)
        folder = tmp_path_factory.mktemp("finished")
        return folder, run(inputs, folder / "walk.csv")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def stop_after(monkeypatch, n_runs):
    """Let the computer lose its power in a later run."""
    made = []
    whole = Reconstructor.run

    def broken(self, first, last, learnt):
        if len(made) == n_runs:
            raise KeyboardInterrupt
        made.append((first, last))
        return whole(self, first, last, learnt)

    monkeypatch.setattr(Reconstructor, "run", broken)
    return made


def count_runs(monkeypatch):
    made = []
    whole = Reconstructor.run

    def counted(self, first, last, learnt):
        made.append((first, last))
        return whole(self, first, last, learnt)

    monkeypatch.setattr(Reconstructor, "run", counted)
    return made


def test_the_files_say_what_memory_says(trial, finished):
    folder, summary = finished
    views = ViewSettings(pairs=TRIAL_SKELETON.pairs)
    settings = replace(REQUEST.refinement, limbs=TRIAL_SKELETON.edges)
    made = reconstruct(trial.keypoints, trial.rig, settings, views=views)
    points = read_pose3d(folder / "walk.csv")
    assert np.nanmax(np.abs(points.xyz - made.points.xyz)) < 1e-3
    assert np.array_equal(points.status, made.points.status)
    np.testing.assert_allclose(points.covariance, made.points.covariance, rtol=1e-3, atol=1e-6)
    assert (points.fps, points.start, points.keypoints) == (100.0, 0, trial.keypoints.keypoints)
    samples = read_samples(folder / "walk.samples.npz")
    assert np.nanmax(np.abs(samples.xyz - made.samples.xyz)) < 1e-3
    assert sorted(contents(folder)) == ["walk.csv", "walk.samples.npz", "walk.uncertainty.csv"]
    assert {path.name for path in summary.outputs} >= {"walk.csv", "walk.samples.npz"}
    assert all(path.is_file() for path in summary.outputs)
    error = np.linalg.norm(points.xyz[:, 0] - trial.xyz, axis=-1)
    assert np.nanmedian(error) < 1.2


def test_summary_counts_what_the_files_hold(trial, finished):
    folder, summary = finished
    points = read_pose3d(folder / "walk.csv")
    counts = (summary.n_missing, summary.n_observed, summary.n_filled)
    assert counts == tuple(np.bincount(points.status.ravel(), minlength=3))
    assert summary.n_observed == (points.status == Status.OBSERVED).sum()
    away = points.frames_from_data
    assert summary.longest_filled == np.nanmax(away)
    assert summary.n_frames == N
    pairs = np.array([[TRIAL_SKELETON.keypoints.index(name) for name in pair] for pair in summary.pairs])
    planted = trial.swapped[..., pairs].any(-1).sum(0)
    assert summary.n_swapped.shape == planted.shape
    assert summary.n_swapped.sum() == pytest.approx(planted.sum(), rel=0.05)
    assert (summary.n_used <= summary.n_views).all()
    assert summary.n_views.sum() == pytest.approx(np.isfinite(trial.keypoints.xy[..., 0]).sum(), rel=0.01)
    text = "\n".join(summary.lines())
    assert f"{N} frames" in text
    assert "19 limbs" in text
    assert "left and right exchanged" in text
    plain = summary.to_dict()
    assert plain["n_points"] == N * 20
    assert plain["missing"] == pytest.approx(summary.n_missing / (N * 20))


def test_longest_filled_does_not_depend_on_the_runs(trial, tmp_path, monkeypatch):
    """A gap that the edge of a run cuts is as long as it is."""
    xy = trial.keypoints.xy.copy()
    learnt_runs = count_runs(monkeypatch)
    save_rig(trial.rig, tmp_path / "calibration.toml")
    sources = {name: tmp_path / "pose-2d" / f"{name}.h5" for name in trial.rig.names}
    save_keypoints(trial.keypoints, tmp_path / "pose-2d")
    before = run((sources, tmp_path / "calibration.toml"), tmp_path / "walk.csv", replace(REQUEST))
    edge = learnt_runs[1][0]
    xy[edge - 1 : edge + 10, :, 0, 3] = np.nan
    save_keypoints(replace(trial.keypoints, xy=xy), tmp_path / "pose-2d")
    after = run((sources, tmp_path / "calibration.toml"), tmp_path / "walk.csv", replace(REQUEST))
    assert before.longest_filled < 6
    assert after.longest_filled == 11
    assert np.nanmax(read_pose3d(tmp_path / "walk.csv").frames_from_data) == 6


def test_same_input_gives_the_same_bytes(inputs, finished, tmp_path):
    run(inputs, tmp_path / "walk.csv")
    assert contents(tmp_path) == contents(finished[0])
    run(inputs, tmp_path / "walk.csv")  # over its own result
    assert contents(tmp_path) == contents(finished[0])


@pytest.mark.parametrize("n_runs", [0, 1, 3])
def test_a_killed_run_goes_on_and_ends_as_if_nothing_had_been(inputs, finished, tmp_path, monkeypatch, n_runs):
    with monkeypatch.context() as patch:
        before = stop_after(patch, n_runs)
        with pytest.raises(KeyboardInterrupt):
            run(inputs, tmp_path / "walk.csv")
        assert len(before) == n_runs
    assert not list(tmp_path.glob("*.csv"))
    assert not list(tmp_path.glob("*.npz"))
    after = count_runs(monkeypatch)
    summary = run(inputs, tmp_path / "walk.csv")
    assert not set(after) & set(before)  # what was finished is not made again
    assert len(after) + len(before) == 4
    assert contents(tmp_path) == contents(finished[0])
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []
    assert summary.to_dict() | {"outputs": 0} == finished[1].to_dict() | {"outputs": 0}


def test_what_was_begun_with_other_settings_is_not_gone_on_with(inputs, finished, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stop_after(patch, 3)
        with pytest.raises(KeyboardInterrupt):
            run(inputs, tmp_path / "walk.csv", replace(REQUEST, refinement=RefinementSettings(samples=3, seed=1)))
    run(inputs, tmp_path / "walk.csv")
    assert contents(tmp_path) == contents(finished[0])


def test_what_was_begun_with_other_detections_is_not_gone_on_with(trial, inputs, finished, tmp_path, monkeypatch):
    other = make_trial(N, seed=41).keypoints
    save_keypoints(other, tmp_path / "in" / "pose-2d")
    sources = {name: tmp_path / "in" / "pose-2d" / f"{name}.h5" for name in trial.rig.names}
    output = tmp_path / "out" / "walk.csv"
    output.parent.mkdir()
    with monkeypatch.context() as patch:
        stop_after(patch, 3)
        with pytest.raises(KeyboardInterrupt):
            run((sources, inputs[1]), output)
    save_keypoints(trial.keypoints, tmp_path / "in" / "pose-2d")
    run((sources, inputs[1]), output)
    assert contents(output.parent) == contents(finished[0])


def test_an_older_result_stays_until_the_new_one_is_whole(inputs, finished, tmp_path, monkeypatch):
    run(inputs, tmp_path / "walk.csv", replace(REQUEST, refinement=RefinementSettings(max_gap=3)))
    older = contents(tmp_path)
    with monkeypatch.context() as patch:
        stop_after(patch, 3)
        with pytest.raises(KeyboardInterrupt):
            run(inputs, tmp_path / "walk.csv")
    assert contents(tmp_path) == older
    run(inputs, tmp_path / "walk.csv")
    assert contents(tmp_path) == contents(finished[0])


def test_a_damaged_part_is_made_anew(inputs, finished, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stop_after(patch, 3)
        with pytest.raises(KeyboardInterrupt):
            run(inputs, tmp_path / "walk.csv")
    parts = sorted(path for path in tmp_path.rglob("*.npz") if path.is_file())
    assert len(parts) >= 3
    parts[1].write_bytes(parts[1].read_bytes()[:100])
    run(inputs, tmp_path / "walk.csv")
    assert contents(tmp_path) == contents(finished[0])


def test_samples_that_were_lost_are_drawn_anew(inputs, finished, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stop_after(patch, 3)
        with pytest.raises(KeyboardInterrupt):
            run(inputs, tmp_path / "walk.csv")
    parts = sorted(tmp_path.rglob("samples-*.npy"))
    assert len(parts) == 3
    parts[-1].unlink()
    run(inputs, tmp_path / "walk.csv")
    assert contents(tmp_path) == contents(finished[0])


def test_progress_counts_up_to_the_end(inputs, tmp_path):
    told = []
    run(inputs, tmp_path / "walk.csv", progress=lambda what, done, total: told.append((what, done, total)))
    refined = [(done, total) for what, done, total in told if what == "refine"]
    assert refined[-1] == (N, N)
    assert [done for done, _ in refined] == sorted(done for done, _ in refined)
    assert len(refined) == 4


def test_without_refinement(inputs, trial, tmp_path):
    with pytest.raises(ConfigError, match="samples"):
        run(inputs, tmp_path / "walk.csv", replace(REQUEST, refine=False))
    assert not contents(tmp_path)
    settings = replace(REQUEST.refinement, samples=0)
    summary = run(inputs, tmp_path / "walk.csv", replace(REQUEST, refine=False, refinement=settings))
    points = read_pose3d(tmp_path / "walk.csv")
    assert summary.n_filled == 0
    assert not (points.status == Status.FILLED).any()
    assert sorted(contents(tmp_path)) == ["walk.csv", "walk.uncertainty.csv"]
    error = np.linalg.norm(points.xyz[:, 0] - trial.xyz, axis=-1)
    assert 2 < np.nanmedian(error) < 4


def test_limbs_and_pairs_come_from_the_skeleton_unless_given(inputs, tmp_path):
    plain = TriangulationRequest(fps=100.0)
    assert len(run(inputs, tmp_path / "a.csv", plain).learnt.motion.limbs.ends) == 0
    assert run(inputs, tmp_path / "a.csv", plain).pairs  # guessed from the names
    one = replace(REQUEST, refinement=RefinementSettings(limbs=[("LHip", "LKnee")]))
    assert len(run(inputs, tmp_path / "b.csv", one).learnt.motion.limbs.ends) == 1
    assert run(inputs, tmp_path / "c.csv", replace(plain, repair_sides=False)).pairs == ()
    larger = Skeleton("more", (*TRIAL_SKELETON.keypoints, "Tail"), (("Hip", "Tail"), ("LHip", "LKnee")), ())
    assert len(run(inputs, tmp_path / "d.csv", replace(plain, skeleton=larger)).learnt.motion.limbs.ends) == 1


def test_cameras_that_began_later_are_brought_together(trial, tmp_path):
    """Camera 2 shows everything three and a half frames late: its own frame is later by as much."""
    late = 3.5
    seen = trial.keypoints
    truth = make_trial(N, seed=40, outliers=0.0, missing=0.0, noise_px=0.3)
    xy = truth.keypoints.xy.copy()
    frame = np.arange(N, dtype=float)
    for k in range(20):
        for axis in range(2):
            xy[:, 1, 0, k, axis] = np.interp(frame - late, frame, xy[:, 1, 0, k, axis])
    save_keypoints(replace(seen, xy=xy, score=np.ones(xy.shape[:-1])), tmp_path / "pose-2d")
    save_rig(trial.rig, tmp_path / "calibration.toml")
    zero = np.zeros(6)
    timing = Timing(seen.cameras, np.array([0, late, 0, 0, 0, 0]), zero, zero, zero, ("given",) * 6, "cam_1")
    write_sync(timing, tmp_path / "sync.toml")
    files = {name: tmp_path / "pose-2d" / f"{name}.h5" for name in seen.cameras}, tmp_path / "calibration.toml"
    request = TriangulationRequest(fps=100.0)
    apart = run(files, tmp_path / "apart.csv", request)
    together = run(files, tmp_path / "together.csv", replace(request, sync=tmp_path / "sync.toml"))
    # Unsynchronised, the camera is late and its views are left out.
    assert apart.n_used[1] < 0.8 * apart.n_views[1]
    assert together.n_used[1] > 0.98 * together.n_views[1]
    points = read_pose3d(tmp_path / "together.csv")
    error = np.linalg.norm(points.xyz[:, 0] - truth.xyz[points.start : points.start + points.n_frames], axis=-1)
    assert np.nanmedian(error) < 1.0


# --- bad input


def test_a_limb_of_an_unknown_keypoint_leaves_nothing_behind(inputs, tmp_path):
    with pytest.raises(ConfigError, match="Tail"):
        run(inputs, tmp_path / "walk.csv", TriangulationRequest(refinement=RefinementSettings(limbs=[("Hip", "Tail")])))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_named(inputs, tmp_path):
    sources = inputs[0] | {"cam_3": tmp_path / "gone.h5"}
    with pytest.raises(Pose3DError, match=r"gone\.h5"):
        run((sources, inputs[1]), tmp_path / "walk.csv")
    with pytest.raises(Pose3DError, match=r"none\.toml"):
        run((inputs[0], tmp_path / "none.toml"), tmp_path / "walk.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_camera_that_the_calibration_does_not_know(inputs, tmp_path):
    sources = {("front" if name == "cam_3" else name): path for name, path in inputs[0].items()}
    with pytest.raises(DataError, match="front"):
        run((sources, inputs[1]), tmp_path / "walk.csv")


def test_a_timing_without_a_camera(inputs, trial, tmp_path):
    names = tuple(trial.rig.names[:5])
    zero = np.zeros(5)
    write_sync(Timing(names, zero, zero, zero, zero, ("given",) * 5, "cam_1"), tmp_path / "sync.toml")
    with pytest.raises(DataError, match="cam_6"):
        run(inputs, tmp_path / "walk.csv", replace(REQUEST, sync=tmp_path / "sync.toml"))


def test_an_output_that_is_no_csv_or_cannot_be_written(inputs, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Pose3DError):
        run(inputs, tmp_path / "file" / "walk.csv")


@pytest.mark.parametrize("n_frames", [1, 2, 3])
def test_recordings_of_few_frames(trial, tmp_path, n_frames):
    save_keypoints(trial.keypoints.frames(0, n_frames), tmp_path / "pose-2d")
    save_rig(trial.rig, tmp_path / "calibration.toml")
    sources = {name: tmp_path / "pose-2d" / f"{name}.h5" for name in trial.rig.names}
    summary = run((sources, tmp_path / "calibration.toml"), tmp_path / "walk.csv", replace(REQUEST))
    assert summary.n_frames == n_frames
    assert read_pose3d(tmp_path / "walk.csv").n_frames == n_frames
    assert summary.n_observed >= 0.9 * n_frames * 20
