"""Whole recordings: cut into runs in any way, of any length, and with all that can be wrong with detections."""

import tracemalloc
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from pose3d.data import Keypoints2D, Status
from pose3d.demo.trials import TRIAL_SKELETON, make_ring, make_trial
from pose3d.errors import ConfigError, DataError, Pose3DError
from pose3d.reconstruction import (
    AniposeWeights,
    Reconstructor,
    RefinementSettings,
    ViewSettings,
    reconstruct,
    triangulate,
)
from pose3d.reconstruction.source import InMemory

LIMBS = RefinementSettings(limbs=TRIAL_SKELETON.edges)
FIELDS = ("xyz", "error", "n_cameras", "score", "status", "covariance")


class Watched(InMemory):
    """A source that remembers the longest run of frames that was asked for."""

    longest = 0

    def read(self, first, last):
        self.longest = max(self.longest, last - first)
        assert 0 <= first <= last <= self.n_frames
        return super().read(first, last)


@pytest.fixture(scope="module")
def long_trial():
    return make_trial(700, seed=10, swaps=0.02)


@pytest.fixture(scope="module")
def worker(long_trial):
    made = Reconstructor(
        InMemory(long_trial.keypoints), long_trial.rig, LIMBS, views=ViewSettings(pairs=TRIAL_SKELETON.pairs)
    )
    return made, made.learn()


def values(runs, name):
    return np.concatenate([getattr(run.points, name) for run in runs])


@pytest.mark.parametrize("cuts", [[0, 350, 700], [0, 64, 128, 200, 460, 700], [0, 1, 2, 690, 700]])
def test_where_a_recording_is_cut_does_not_matter(worker, cuts):
    made, learnt = worker
    whole = [made.run(0, 700, learnt)]
    runs = [made.run(first, last, learnt) for first, last in pairwise(cuts)]
    assert [run.points.start for run in runs] == cuts[:-1]
    assert np.array_equal(values(runs, "status"), values(whole, "status"))
    assert np.array_equal(values(runs, "n_cameras"), values(whole, "n_cameras"))
    assert np.nanmax(np.abs(values(runs, "xyz") - values(whole, "xyz"))) < 0.1
    sd, expected = (np.sqrt(np.trace(values(r, "covariance"), axis1=-2, axis2=-1)) for r in (runs, whole))
    np.testing.assert_allclose(sd, expected, rtol=0.02)
    assert np.array_equal(np.concatenate([run.swapped for run in runs]), whole[0].swapped)


def test_same_input_gives_the_same_bytes(long_trial):
    seen = long_trial.keypoints.frames(0, 260)
    settings = replace(LIMBS, samples=2)
    a, b = (reconstruct(seen, long_trial.rig, settings) for _ in range(2))
    for name in FIELDS:
        assert getattr(a.points, name).tobytes() == getattr(b.points, name).tobytes()
    assert a.samples.xyz.tobytes() == b.samples.xyz.tobytes()
    assert a.residual_px.tobytes() == b.residual_px.tobytes()


def test_input_is_left_as_it_is(long_trial):
    seen = long_trial.keypoints.frames(0, 80)
    xy, score = seen.xy.copy(), seen.score.copy()
    reconstruct(seen, long_trial.rig, LIMBS, views=ViewSettings(pairs=TRIAL_SKELETON.pairs))
    assert np.array_equal(xy, seen.xy, equal_nan=True)
    assert np.array_equal(score, seen.score, equal_nan=True)


def test_order_of_cameras_does_not_matter(long_trial):
    seen = long_trial.keypoints.frames(0, 90)
    order = ["cam_4", "cam_1", "cam_6", "cam_3", "cam_2", "cam_5"]
    first = reconstruct(seen, long_trial.rig, LIMBS)
    for keypoints, rig in ((seen.select(order), long_trial.rig), (seen, long_trial.rig.select(order))):
        again = reconstruct(keypoints, rig, LIMBS)
        assert np.nanmax(np.abs(again.points.xyz - first.points.xyz)) < 0.01
        index = [again.cameras.index(name) for name in first.cameras]
        assert (again.used[:, index] == first.used).mean() > 0.9999


def test_individuals_do_not_know_of_one_another(long_trial):
    one, two = long_trial.keypoints.frames(0, 120), make_trial(120, seed=11).keypoints
    both = Keypoints2D(
        np.concatenate([one.xy, two.xy], axis=2),
        np.concatenate([one.score, two.score], axis=2),
        one.cameras,
        ("left", "right"),
        one.keypoints,
        fps=100.0,
    )
    made = reconstruct(both, long_trial.rig, LIMBS)
    assert made.points.individuals == ("left", "right")
    for i, single in enumerate((one, two)):
        alone = reconstruct(single, long_trial.rig, LIMBS).points.xyz[:, 0]
        assert np.nanmedian(np.linalg.norm(made.points.xyz[:, i] - alone, axis=-1)) < 0.1


def test_summary_of_views(long_trial):
    made = reconstruct(long_trial.keypoints.frames(0, 150), long_trial.rig, LIMBS)
    assert made.used.shape == made.residual_px.shape == (150, 6, 1, 20)
    assert np.isfinite(made.residual_px[made.used]).all()
    assert np.array_equal(made.used.sum(1), made.points.n_cameras)
    shown = np.where(made.used, made.residual_px, np.nan)
    observed = made.points.status == Status.OBSERVED
    np.testing.assert_allclose(np.nanmean(shown, axis=1)[observed], made.points.error[observed])
    # Views left out are those that were planted as wrong.
    there = np.isfinite(made.residual_px[:, :, 0])
    bad = ~long_trial.clean[:150] & there
    assert (made.used[:, :, 0] & bad).sum() < 0.35 * bad.sum()  # an exchange of partners may be a small error
    assert (~made.used[:, :, 0] & ~bad & there).sum() < 0.002 * there.sum()


@pytest.mark.slow
def test_memory_is_that_of_one_run(monkeypatch):
    monkeypatch.setattr("pose3d.reconstruction.recording._RUN_POINTS", 4000)  # 200 frames
    peaks, longest = [], []
    for n_frames in (1000, 4000):
        trial = make_trial(n_frames, seed=12)
        source = Watched(trial.keypoints)
        made = Reconstructor(source, trial.rig, LIMBS)
        learnt = made.learn()
        source.longest = 0
        runs = list(made.runs(learnt))
        assert len(runs) == n_frames // 200
        tracemalloc.start()
        for first, last in runs[:3] + runs[-2:]:
            made.run(first, last, learnt)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        longest.append(source.longest)
    assert peaks[1] < 1.1 * peaks[0]
    assert peaks[1] < 64 * 2**20
    assert longest[1] <= longest[0] + 20  # margins are learnt
    assert longest[1] < 600


def test_learning_takes_a_sample(long_trial):
    source = Watched(make_trial(1500, seed=13).keypoints)
    learnt = Reconstructor(source, long_trial.rig, LIMBS).learn()
    assert source.longest <= 300
    assert learnt.motion.noise.noise_px == pytest.approx(np.ones(6), rel=0.15)
    assert len(learnt.lines()) == 2


def test_runs_need_learning_first(long_trial):
    made = Reconstructor(InMemory(long_trial.keypoints), long_trial.rig)
    with pytest.raises(ValueError, match="learn first"):
        made.run(0, 10, None)


def test_without_refinement_frames_stand_alone(long_trial):
    made = Reconstructor(InMemory(long_trial.keypoints), long_trial.rig, refine=False)
    learnt = made.learn()
    points = made.run(100, 400, learnt).points
    single = triangulate(long_trial.keypoints, long_trial.rig)
    both = np.isfinite(points.xyz[..., 0]) & np.isfinite(single.xyz[100:400, ..., 0])
    assert both.mean() > 0.97
    found, expected = (
        np.linalg.norm(xyz[:, 0] - long_trial.xyz[100:400], axis=-1)[both[:, 0]]
        for xyz in (points.xyz, single.xyz[100:400])
    )
    assert np.median(found) == pytest.approx(np.median(expected), rel=0.03)
    assert not (points.status == Status.FILLED).any()


# --- bad input


def outcome(keypoints, rig, settings):
    """Points, or what the refusal says."""
    try:
        return reconstruct(keypoints, rig, settings).points, ""
    except Pose3DError as error:
        return None, str(error)


def alter(keypoints, change):
    xy, score = keypoints.xy.copy(), keypoints.score.copy()
    change(xy, score)
    return replace(keypoints, xy=xy, score=score)


@pytest.fixture(scope="module")
def plain():
    """A recording and what becomes of it."""
    trial = make_trial(240, seed=14)
    return trial, reconstruct(trial.keypoints, trial.rig, LIMBS).points


def test_no_frames_are_an_error(plain):
    trial, _ = plain
    with pytest.raises(DataError, match="no frames"):
        reconstruct(trial.keypoints.frames(0, 0), trial.rig)


@pytest.mark.parametrize("settings", [LIMBS, RefinementSettings()], ids=["limbs", "free"])
@pytest.mark.parametrize("n_frames", [1, 2, 3, 4, 5])
def test_few_frames(plain, n_frames, settings):
    trial, _ = plain
    points = reconstruct(trial.keypoints.frames(0, n_frames), trial.rig, settings).points
    assert points.xyz.shape == (n_frames, 1, 20, 3)
    assert np.isfinite(points.xyz[..., 0]).mean() >= 0.9
    error = np.linalg.norm(points.xyz[:, 0] - trial.xyz[:n_frames], axis=-1)
    assert np.nanmedian(error) < 4
    assert np.nanmax(error) < 100


def test_a_keypoint_that_nobody_sees_stays_missing(plain):
    trial, before = plain
    seen = alter(trial.keypoints, lambda xy, _: xy[:, :, 0, 5].fill(np.nan))
    points = reconstruct(seen, trial.rig, LIMBS).points
    assert (points.status[:, 0, 5] == Status.MISSING).all()
    others = np.delete(np.arange(20), 5)
    assert np.nanmax(np.abs(points.xyz - before.xyz)[:, 0, others]) < 15
    assert np.nanmedian(np.abs(points.xyz - before.xyz)[:, 0, others]) < 0.1


def test_a_keypoint_that_one_camera_sees_stays_missing(plain):
    trial, before = plain

    def change(xy, _):
        xy[:, 1:, 0, 5] = np.nan

    points = reconstruct(alter(trial.keypoints, change), trial.rig, LIMBS).points
    assert (points.status[:, 0, 5] == Status.MISSING).all()
    assert (points.n_cameras[:, 0, 5] == 0).all()
    others = np.delete(np.arange(20), 5)
    assert np.nanmedian(np.abs(points.xyz - before.xyz)[:, 0, others]) < 0.1


@pytest.mark.parametrize("first", [0, 60, 140])
def test_a_hole_in_all_cameras(plain, first):
    trial, before = plain

    def change(xy, _):
        xy[first : first + 100] = np.nan

    points = reconstruct(alter(trial.keypoints, change), trial.rig, LIMBS).points
    assert (points.status[first : first + 100] == Status.MISSING).all()
    outside = np.r_[0 : max(first - 30, 0), first + 130 : 240]
    assert np.nanmedian(np.abs(points.xyz - before.xyz)[outside]) < 0.3
    assert (points.status[np.r_[0 : max(first - 1, 0), first + 101 : 240]] != Status.MISSING).mean() > 0.98


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ["uniform", "noise around one place", "all at one pixel"])
def test_detections_that_mean_nothing(plain, kind):
    trial, _ = plain
    rng = np.random.default_rng(15)

    def change(xy, _):
        if kind == "uniform":
            xy[:] = rng.uniform(0, 1000, xy.shape)
        elif kind == "noise around one place":
            xy[:] = rng.normal(500, 50, xy.shape)
        else:
            xy[:] = 500.0

    for settings in (LIMBS, RefinementSettings()):
        points, said = outcome(alter(trial.keypoints, change), trial.rig, settings)
        assert "\n" not in said
        if points is not None:
            assert np.array_equal(np.isfinite(points.xyz[..., 0]), points.status != Status.MISSING)


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e30, 1e300, -1e12])
def test_pixels_that_are_none_count_as_missing(plain, value):
    trial, before = plain
    rng = np.random.default_rng(16)
    wrong = rng.random((240, 6, 1, 20)) < 0.02

    def change(xy, _):
        xy[wrong, rng.integers(0, 2)] = value

    points = reconstruct(alter(trial.keypoints, change), trial.rig, LIMBS).points
    assert (points.status == Status.MISSING).mean() <= (before.status == Status.MISSING).mean() + 0.002
    error = np.linalg.norm(points.xyz[:, 0] - trial.xyz, axis=-1)
    assert np.nanmedian(error) < 1.1 * np.nanmedian(np.linalg.norm(before.xyz[:, 0] - trial.xyz, axis=-1))
    assert np.nanmax(error) < 50


def test_missing_scores_count_fully(plain):
    trial, _ = plain
    none = reconstruct(alter(trial.keypoints, lambda _, score: score.fill(np.nan)), trial.rig, LIMBS).points
    full = reconstruct(alter(trial.keypoints, lambda _, score: score.fill(1.0)), trial.rig, LIMBS).points
    assert np.array_equal(none.xyz, full.xyz, equal_nan=True)


def test_scores_above_one_count_as_one(plain, caplog):
    trial, _ = plain
    five = reconstruct(alter(trial.keypoints, lambda _, score: score.fill(5.0)), trial.rig, LIMBS).points
    full = reconstruct(alter(trial.keypoints, lambda _, score: score.fill(1.0)), trial.rig, LIMBS).points
    assert np.array_equal(five.xyz, full.xyz, equal_nan=True)
    assert "score" in caplog.text


def test_scores_below_the_threshold_are_an_error(plain):
    trial, _ = plain
    with pytest.raises(DataError, match="score"):
        reconstruct(alter(trial.keypoints, lambda _, score: score.fill(0.01)), trial.rig)


def test_nothing_detected_at_all(plain):
    trial, _ = plain
    with pytest.raises(DataError) as error:
        reconstruct(alter(trial.keypoints, lambda xy, _: xy.fill(np.nan)), trial.rig)
    assert "\n" not in str(error.value)


def test_noise_free_recordings():
    trial = make_trial(120, noise_px=0.0, outliers=0.0, missing=0.0)
    points = reconstruct(trial.keypoints, trial.rig, LIMBS).points
    assert np.abs(points.xyz[:, 0] - trial.xyz).max() < 0.1
    assert np.isfinite(points.covariance).all()


def test_a_frozen_recording(plain):
    trial, _ = plain

    def change(xy, _):
        xy[:] = xy[:1]

    points = reconstruct(alter(trial.keypoints, change), trial.rig, LIMBS).points
    there = points.status == Status.OBSERVED
    assert there.mean() > 0.9
    steps = np.abs(np.diff(points.xyz, axis=0))
    assert np.nanmax(steps) < 0.1


def test_cameras_in_one_place_see_no_depth():
    rig = make_ring(2)
    twin = replace(rig.cameras[0], name="cam_2")
    trial = make_trial(60, rig=replace(rig, cameras=(rig.cameras[0], twin)), outliers=0.0)
    points, said = outcome(trial.keypoints, trial.rig, None)
    assert "\n" not in said
    assert points is None or (points.status == Status.MISSING).all()


@pytest.mark.parametrize("limb", [("LKnee", "Tail"), ("Tail", "LKnee")])
@pytest.mark.parametrize("name", ["limbs", "weak_limbs"])
def test_a_limb_of_an_unknown_keypoint(plain, limb, name):
    trial, _ = plain
    with pytest.raises(ConfigError, match=r"limb .*Tail.*: there is no keypoint 'Tail'; there are Hip, Neck"):
        reconstruct(trial.keypoints, trial.rig, RefinementSettings(**{name: [limb]}))


def test_a_camera_without_calibration(plain):
    trial, _ = plain
    with pytest.raises(DataError, match="cam_6"):
        reconstruct(trial.keypoints, trial.rig.select(["cam_1", "cam_2", "cam_3", "cam_4", "cam_5"]))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_deriv_smooth", 0),
        ("n_deriv_smooth", -1),
        ("n_deriv_smooth", 6),
        ("smooth_mm", 0.0),
        ("smooth_mm", -1.0),
        ("smooth_mm", np.nan),
        ("smooth_mm", np.inf),
        ("limb_sd_percent", 0.0),
        ("limb_sd_percent", np.nan),
        ("loss", "tukey"),
        ("loss_scale", 0.0),
        ("loss_scale", np.inf),
        ("max_gap", -1),
        ("solver", "ceres"),
        ("tolerance_mm", 0.0),
        ("tolerance_mm", np.nan),
        ("samples", -1),
        ("seed", -1),
        ("limbs", (("a", "a"),)),
        ("weak_limbs", (("a", "a"),)),
    ],
)
def test_settings_out_of_range_are_refused(name, value):
    with pytest.raises(ConfigError) as error:
        RefinementSettings(**{name: value})
    assert "\n" not in str(error.value)
    if "limb" not in name or name == "limb_sd_percent":
        assert str(error.value).startswith(name)


@pytest.mark.parametrize("name", ["scale_smooth", "scale_length", "scale_length_weak", "reproj_error_threshold"])
@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
def test_anipose_weights_out_of_range_are_refused(name, value):
    with pytest.raises(ConfigError, match=name):
        RefinementSettings(anipose=AniposeWeights(**{name: value}))


@pytest.mark.parametrize(
    "views",
    [
        ViewSettings(score_threshold=-0.1),
        ViewSettings(score_threshold=np.nan),
        ViewSettings(min_cameras=1),
        ViewSettings(max_error_px=0.0),
        ViewSettings(pairs=[("LKnee", "Tail")]),
    ],
)
def test_view_settings_out_of_range_are_refused(plain, views):
    trial, _ = plain
    with pytest.raises(ConfigError):
        reconstruct(trial.keypoints, trial.rig, views=views)
