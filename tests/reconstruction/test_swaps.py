"""Left and right exchanged in single views, whole bodies and long runs: repaired, and right ones left alone."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from pose3d.data import Keypoints2D, Skeleton
from pose3d.demo.trials import TRIAL_SKELETON, make_ring, make_trial
from pose3d.errors import ConfigError, DataError
from pose3d.io.calibration_toml import read_calibration
from pose3d.io.keypoints import load_keypoints
from pose3d.io.pose2sim import read_pose2sim_calibration
from pose3d.reconstruction import triangulate
from pose3d.reconstruction.association.swap_chain import orient, predict
from pose3d.reconstruction.association.swap_names import guess_pairs
from pose3d.reconstruction.association.swap_search import exchange, exchange_views, find_swaps, touched_points
from pose3d.reconstruction.association.swaps import index_pairs, repair_swaps
from pose3d.reconstruction.points.views import Lenses, views_of

PAIRS = TRIAL_SKELETON.pairs
INDEX = index_pairs(TRIAL_SKELETON.keypoints, PAIRS)
NOWHERE = 3.0  # noise standard deviations between partners below which an exchange changes nothing


def planted(trial):
    """Views (n_frames, n_cameras, n_pairs) that the trial exchanged."""
    return trial.swapped[..., INDEX[:, 0]] | trial.swapped[..., INDEX[:, 1]]


def apart(trial):
    """Distance of the partners in the images, in standard deviations of the noise."""
    xy = np.moveaxis(trial.rig.project(trial.xyz), 2, 1)
    gap = np.linalg.norm(xy[..., INDEX[:, 0], :] - xy[..., INDEX[:, 1], :], axis=-1)
    return gap / trial.noise_px[:, None]


def plant(keypoints, mask, index=INDEX):
    """Exchange pairs of all individuals where (n_frames, n_cameras, n_pairs) says so."""
    xy, score = keypoints.xy.copy(), keypoints.score.copy()
    frame, camera, pair = np.nonzero(mask)
    a, b = index[pair, 0], index[pair, 1]
    for new, old in ((xy, keypoints.xy), (score, keypoints.score)):
        new[frame, camera, :, a], new[frame, camera, :, b] = old[frame, camera, :, b], old[frame, camera, :, a]
    return replace(keypoints, xy=xy, score=score)


def rates(repair, truth):
    """Share of exchanged views that were repaired and of right ones that were made wrong, of views with a detection."""
    found, present = repair.swapped[:, :, 0], repair.present[:, :, 0]
    wrong, right = truth & present, ~truth & present
    return (found & wrong).sum() / max(1, wrong.sum()), (found & right).sum() / right.sum()


@pytest.mark.parametrize("n_cameras", [6, 4, 3])
def test_single_views(n_cameras):
    trial = make_trial(600, rig=make_ring(n_cameras), swaps=0.05, seed=1)
    repair = repair_swaps(trial.keypoints, trial.rig, PAIRS)
    repaired, made_wrong = rates(repair, planted(trial))
    assert repaired >= 0.95
    assert made_wrong <= 0.001
    truth, found = planted(trial), repair.swapped[:, :, 0]
    far = apart(trial) >= NOWHERE
    assert (found & truth & far).sum() / (truth & repair.present[:, :, 0] & far).sum() >= 0.96


@pytest.mark.parametrize("n_cameras", [6, 4, 3])
def test_nothing_exchanged_nothing_touched(n_cameras):
    trial = make_trial(600, rig=make_ring(n_cameras), seed=2)
    repair = repair_swaps(trial.keypoints, trial.rig, PAIRS)
    assert rates(repair, planted(trial))[1] <= 0.0002


@pytest.mark.parametrize("n_cameras", [6, 4])
def test_triangulation_as_without_swaps(n_cameras):
    def errors(trial, keypoints):
        distance = np.linalg.norm(triangulate(keypoints, trial.rig).xyz[:, 0] - trial.xyz, axis=-1)
        return np.nanmedian(distance), np.nanpercentile(distance, 95)

    clean, trial = (make_trial(800, rig=make_ring(n_cameras), swaps=swaps, seed=3) for swaps in (0.0, 0.05))
    wanted = errors(clean, clean.keypoints)
    got = errors(trial, repair_swaps(trial.keypoints, trial.rig, PAIRS).keypoints)
    assert got[0] <= 1.02 * wanted[0]
    assert got[1] <= 1.02 * wanted[1]
    assert errors(trial, trial.keypoints)[1] > 1.04 * wanted[1]  # or the scene would prove nothing


@pytest.mark.parametrize(("n_cameras", "least"), [(6, 0.98), (4, 0.98), (3, 0.93)])
def test_whole_body_runs(n_cameras, least):
    trial = make_trial(400, rig=make_ring(n_cameras), seed=4)
    truth = np.zeros((400, n_cameras, len(PAIRS)), dtype=bool)
    truth[60:130, 0] = True
    truth[250:, 2] = True
    repair = repair_swaps(plant(trial.keypoints, truth), trial.rig, PAIRS)
    repaired, made_wrong = rates(repair, truth)
    assert repaired >= least
    assert made_wrong <= 0.001
    assert repair.longest_run[0].max() >= 40


@pytest.mark.parametrize("n_cameras", [6, 5, 4, 3])
def test_most_views_of_a_frame(n_cameras):
    trial = make_trial(400, rig=make_ring(n_cameras), seed=5)
    rng = np.random.default_rng(0)
    truth = np.zeros((400, n_cameras, len(PAIRS)), dtype=bool)
    for frame in range(10, 390, 20):
        truth[frame, rng.permutation(n_cameras)[: n_cameras // 2 + 1]] = True
    truth[205:216, : n_cameras // 2 + 1] = True
    repaired, made_wrong = rates(repair_swaps(plant(trial.keypoints, truth), trial.rig, PAIRS), truth)
    assert repaired >= 0.97
    assert made_wrong <= 0.001


def test_a_camera_that_always_errs():
    trial = make_trial(300, rig=make_ring(4), seed=6)
    truth = np.zeros((300, 4, len(PAIRS)), dtype=bool)
    truth[:, 1] = True
    repair = repair_swaps(plant(trial.keypoints, truth), trial.rig, PAIRS)
    repaired, made_wrong = rates(repair, truth)
    assert repaired >= 0.97
    assert made_wrong <= 0.001
    assert any("mirrored" in line and line.startswith("cam_2") for line in repair.lines())


def test_one_partner_alone_is_exchanged():
    trial = make_trial(300, seed=7, missing=0.0, outliers=0.0)
    knee = PAIRS.index(("LKnee", "RKnee"))
    truth = np.zeros((300, 6, len(PAIRS)), dtype=bool)
    truth[50:60, 3, knee] = True
    keypoints = plant(trial.keypoints, truth)
    xy = keypoints.xy.copy()
    xy[50:60, 3, 0, INDEX[knee, 1]] = np.nan
    repair = repair_swaps(replace(keypoints, xy=xy), trial.rig, PAIRS)
    assert repair.swapped[50:60, 3, 0, knee].all()
    assert repair.swapped.sum() == 10
    assert np.isnan(repair.keypoints.xy[50:60, 3, 0, INDEX[knee, 0]]).all()
    error = repair.keypoints.xy[50:60, 3, 0, INDEX[knee, 1]] - trial.keypoints.xy[50:60, 3, 0, INDEX[knee, 1]]
    assert np.abs(error).max() == 0


def test_both_labels_on_one_side_is_no_exchange():
    trial = make_trial(200, seed=8, missing=0.0, outliers=0.0)
    xy = trial.keypoints.xy.copy()
    a, b = INDEX[1]
    xy[80:120, 2, 0, a] = xy[80:120, 2, 0, b] + 0.5
    assert not repair_swaps(replace(trial.keypoints, xy=xy), trial.rig, PAIRS).swapped.any()


def test_uneven_noise_and_slow_cameras():
    noise_px = np.array([0.4, 0.8, 1.0, 1.5, 2.0, 2.5])
    trial = make_trial(600, swaps=0.05, noise_px=noise_px, fps=25.0, seed=9)
    repair = repair_swaps(trial.keypoints, trial.rig, PAIRS)
    repaired, made_wrong = rates(repair, planted(trial))
    assert repaired >= 0.95
    assert made_wrong <= 0.001


def test_two_individuals():
    trial = make_trial(200, rig=make_ring(5), swaps=0.05, seed=10)
    k = trial.keypoints
    other = make_trial(200, rig=make_ring(5), swaps=0.05, seed=11)
    both = Keypoints2D(
        np.concatenate([k.xy, other.keypoints.xy], axis=2),
        np.concatenate([k.score, other.keypoints.score], axis=2),
        k.cameras,
        ("one", "two"),
        k.keypoints,
    )
    repair = repair_swaps(both, trial.rig, PAIRS)
    for i, each in enumerate((trial, other)):
        truth, present = planted(each), repair.present[:, :, i]
        assert (repair.swapped[:, :, i] & truth).sum() >= 0.95 * (truth & present).sum()
        assert (repair.swapped[:, :, i] & ~truth).sum() <= 0.001 * present.sum()


def test_chunks_do_not_matter(monkeypatch):
    trial = make_trial(500, rig=make_ring(4), swaps=0.05, seed=12)
    whole = repair_swaps(trial.keypoints, trial.rig, PAIRS)
    monkeypatch.setattr("pose3d.reconstruction.association.swaps._POINTS", 20 * 70)
    parts = repair_swaps(trial.keypoints, trial.rig, PAIRS)
    assert (whole.swapped != parts.swapped).sum() <= 0.01 * whole.swapped.sum()
    repaired, made_wrong = rates(parts, planted(trial))
    assert repaired >= 0.95
    assert made_wrong <= 0.001


@pytest.mark.parametrize("n_frames", [1, 2, 3])
def test_few_frames(n_frames):
    trial = make_trial(n_frames, swaps=0.1, missing=0.0, outliers=0.0, seed=13)
    repair = repair_swaps(trial.keypoints, trial.rig, PAIRS, noise_px=trial.noise_px)
    truth, far = planted(trial), apart(trial) >= 8
    assert (truth & far).any()
    assert np.array_equal(repair.swapped[:, :, 0] & far, truth & far)


def test_no_frames_and_no_pairs():
    trial = make_trial(3, swaps=0.3, seed=14)
    k = trial.keypoints
    none = repair_swaps(replace(k, xy=k.xy[:0], score=k.score[:0]), trial.rig, PAIRS)
    assert none.swapped.shape == (0, 6, 1, 8)
    assert none.longest_run.tolist() == [[0] * 8] * 6
    assert none.lines() == ["left and right exchanged in 0 of 0 views of a pair (0 %)"]
    assert repair_swaps(k, trial.rig, ()).swapped.shape == (3, 6, 1, 0)


def test_two_cameras_and_points_of_one_view():
    trial = make_trial(200, rig=make_ring(2), swaps=0.05, seed=15, outliers=0.02)
    assert rates(repair_swaps(trial.keypoints, trial.rig, PAIRS), planted(trial))[1] <= 0.003
    xy = trial.keypoints.xy.copy()
    xy[:, 1, :, 4:] = np.nan
    assert not repair_swaps(replace(trial.keypoints, xy=xy), trial.rig, PAIRS).swapped.any()


def test_report():
    trial = make_trial(100, seed=16, missing=0.0, outliers=0.0)
    truth = np.zeros((100, 6, len(PAIRS)), dtype=bool)
    truth[10:17, 4, 2] = truth[40, 4, 2] = truth[50, 0, 1] = True
    repair = repair_swaps(plant(trial.keypoints, truth), trial.rig, PAIRS)
    assert np.array_equal(repair.swapped[:, :, 0], truth)
    assert np.abs(repair.keypoints.xy - trial.keypoints.xy).max() == 0
    assert np.abs(repair.keypoints.score - trial.keypoints.score).max() == 0
    assert repair.lines() == [
        "left and right exchanged in 9 of 4800 views of a pair (0.19 %)",
        "cam_1: 1 of 800: LKnee/RKnee 1",
        "cam_5: 8 of 800: LAnkle/RAnkle 8 (up to 7 frames in a row)",
    ]
    found = repair.to_dict()
    assert (found["n_views"], found["n_swapped"]) == (4800, 9)
    assert found["cameras"][4]["pairs"] == [
        {"pair": ["LAnkle", "RAnkle"], "n_views": 100, "n_swapped": 8, "longest_run": 7}
    ]


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("LKnee", "RKnie")], r"pair LKnee/RKnie: there is no keypoint 'RKnie'; there are Hip, "),
        ([("LKnee", "RKnee"), ("RKnee", "Hip")], r"'RKnee' is in a pair already; give"),
        ([("Hip", "Hip")], r"'Hip' is in a pair already"),
    ],
)
def test_wrong_pairs_are_refused(pairs, message):
    trial = make_trial(2)
    with pytest.raises(ConfigError, match=message):
        repair_swaps(trial.keypoints, trial.rig, pairs)


def test_wrong_settings_are_refused():
    trial = make_trial(2)
    with pytest.raises(ConfigError, match="noise_px"):
        repair_swaps(trial.keypoints, trial.rig, PAIRS, noise_px=np.ones(2))
    with pytest.raises(ConfigError, match="score_threshold"):
        repair_swaps(trial.keypoints, trial.rig, PAIRS, score_threshold=2.0)
    with pytest.raises(DataError, match="1 camera"):
        repair_swaps(trial.keypoints.select(["cam_1"]), trial.rig, PAIRS)


def test_arrays_in_arrays_out():
    trial = make_trial(30, swaps=0.05, missing=0.0, outliers=0.0, seed=17)
    lenses = Lenses.of(trial.rig.cameras)
    pixels = np.moveaxis(trial.keypoints.xy, 1, 0).reshape(6, -1, 2)
    views = views_of(lenses, pixels, np.ones(pixels.shape[:2]))
    points = (trial.xyz.reshape(-1, 3) - lenses.origin).T
    swapped = find_swaps(lenses, views, points, trial.noise_px, INDEX, n_frames=30)
    far = np.moveaxis(apart(trial), 1, 0)[:, :, None] > 8
    truth = np.moveaxis(planted(trial), 1, 0)[:, :, None]
    assert np.array_equal(swapped & far, truth & far)
    right = exchange(pixels, truth, INDEX)
    assert np.abs(right - np.moveaxis(trial.rig.project(trial.xyz), 2, 0).reshape(6, -1, 2)).max() < 6
    assert np.abs(right - pixels).max() > 20
    again, kept = views_of(lenses, right, views.weight), exchange_views(views, truth, INDEX)
    assert np.abs(again.x - kept.x).max() < 1e-9
    touched = touched_points(truth, INDEX, 20)
    assert np.array_equal(touched, np.flatnonzero((right != pixels).any((0, 2))))


def test_chain_is_the_most_likely_one():
    # The messages by doubling against all labellings of a short chain.
    rng = np.random.default_rng(0)
    for _ in range(20):
        n = 9
        apart_ = np.array([100.0, 0, 0])[:, None, None] * rng.choice([-1, 1], (1, n, 1)) + rng.normal(0, 8, (3, n, 1))
        valid = rng.random((n, 1)) < 0.8
        votes = np.where(valid, rng.integers(-2, 4, (n, 1)) * 1.0, 0.0)
        many = np.concatenate(
            [apart_] + [np.full((3, n, 1), 100.0) + rng.normal(0, 8, (3, n, 1)) for _ in range(4)], -1
        )
        evidence = orient(many, np.pad(votes, ((0, 0), (0, 4))), np.pad(valid, ((0, 0), (0, 4)), constant_values=True))
        nodes = np.flatnonzero(valid)
        flips = (np.arange(2 ** len(nodes))[:, None] >> np.arange(len(nodes))) & 1
        turned = np.where(apart_[0, nodes, 0] > 0, 1, -1) * np.where(flips == 1, -1, 1)
        breaks = sum((turned[:, i] != turned[:, j]).astype(float) for i, j in pairwise(range(len(nodes))))
        cost = 1000 * breaks + (flips * votes[nodes, 0]).sum(-1)
        if len(nodes) < 2 or np.diff(np.sort(cost)[:2]) < 0.5:
            continue
        assert np.array_equal(evidence[nodes, 0] < 0, flips[cost.argmin()] == 1)


def test_prediction_is_as_good_as_it_says():
    rng = np.random.default_rng(1)
    t = np.arange(400) / 50
    truth = np.stack([500 * np.sin(2 * t), 300 * np.cos(3 * t), 50 * t])[:, :, None]
    seen = truth + rng.normal(0, 2, truth.shape)
    valid = rng.random((400, 1)) < 0.5
    frames = np.flatnonzero(~valid[:, 0])
    expected = predict(seen, valid, frames, np.zeros(len(frames), dtype=int))
    squared = ((expected.points - truth[:, frames, 0]) ** 2).sum(0) / expected.variance
    assert np.quantile(squared, 0.99) < 25
    assert np.sqrt(np.median(expected.variance)) < 40
    never = predict(seen, np.zeros_like(valid), frames, np.zeros(len(frames), dtype=int))
    assert np.isnan(never.points).all()
    assert np.isinf(never.variance).all()


def test_partners_by_name():
    body = Skeleton.preset("body25b")
    assert set(guess_pairs(body.keypoints)) == set(body.pairs)
    assert guess_pairs(TRIAL_SKELETON.keypoints) == PAIRS
    assert guess_pairs(["Lip", "Rip", "Level", "Revel", "tail"]) == ()


def test_mouse_is_left_alone(recordings):
    root = recordings / "mouse-4cam"
    rig = read_calibration(root / "published_calibration.toml")
    seen = load_keypoints({name: next(root.rglob(f"*{name}*analysis.h5")) for name in rig.names})
    pairs = guess_pairs(seen.keypoints)
    assert len(pairs) == 3
    assert not repair_swaps(seen, rig, pairs).swapped.any()
    index = index_pairs(seen.keypoints, pairs)
    truth = np.zeros((seen.n_frames, 4, len(pairs)), dtype=bool)
    truth[30:70, 1] = True
    repaired, made_wrong = rates(repair_swaps(plant(seen, truth, index), rig, pairs), truth)
    assert repaired >= 0.95
    assert made_wrong <= 0.001


def test_balance_is_left_alone(recordings):
    root = recordings / "balance-4cam"
    trial = root / "S00_P00_SingleParticipant" / "S00_P00_T01_BalancingTrial"
    rig = read_pose2sim_calibration(root / "S00_Calibration" / "Calib_qualisys.toml")
    folders = {f"cam_0{i}": trial / "pose-associated" / f"cam0{i}_json" for i in range(1, 5)}
    body = Skeleton.preset("body25b")
    seen = load_keypoints(folders, skeleton=body, fps=60.0)
    # Forced to be stricter than the cameras agree (14 px), nearly every exchange would raise the reprojection error.
    assert not repair_swaps(seen, rig, body.pairs).swapped.any()
    index = index_pairs(seen.keypoints, body.pairs)
    truth = np.zeros((seen.n_frames, 4, len(body.pairs)), dtype=bool)
    truth[30:70, 1] = True
    repaired, made_wrong = rates(repair_swaps(plant(seen, truth, index), rig, body.pairs), truth)
    assert repaired >= 0.9
    assert made_wrong == 0
