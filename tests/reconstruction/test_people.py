"""The subject among bystanders: right in every frame, whatever order the detections come in."""

from dataclasses import replace

import numpy as np
import pytest

from pose3d.data import Keypoints2D, Rig, Skeleton
from pose3d.demo.trials import TRIAL_SKELETON, make_ring, make_trial, walk_in_circles
from pose3d.errors import ConfigError, DataError
from pose3d.io.keypoints import load_keypoints
from pose3d.io.pose2sim import read_pose2sim_calibration
from pose3d.io.trc import read_trc
from pose3d.reconstruction import triangulate
from pose3d.reconstruction.association.people import select_in_chunks, select_subject
from pose3d.reconstruction.association.people_selection import SubjectHint

PAIRS = TRIAL_SKELETON.pairs


def shuffled(trials, *, seed=0):
    """Put the people of several trials into one scene, each view and frame in an order of its own.

    Returns the detections and the trial behind each: (n_frames, n_cameras, n_trials), -1 for nobody.
    """
    rng = np.random.default_rng([seed, 5])
    first = trials[0].keypoints
    xy = np.concatenate([trial.keypoints.xy for trial in trials], axis=2)
    score = np.concatenate([trial.keypoints.score for trial in trials], axis=2)
    order = rng.permuted(np.broadcast_to(np.arange(len(trials)), xy.shape[:3]), axis=-1)
    xy = np.take_along_axis(xy, order[..., None, None], axis=2)
    score = np.take_along_axis(score, order[..., None], axis=2)
    who = np.where(np.isfinite(xy[..., 0]).any(-1), order, -1)
    names = tuple(f"person_{i}" for i in range(len(trials)))
    return Keypoints2D(xy, score, first.cameras, names, first.keypoints, first.fps), who


def absent(trial, frames, cameras=slice(None)):
    xy, score = np.array(trial.keypoints.xy), np.array(trial.keypoints.score)
    xy[frames, cameras] = np.nan
    score[frames, cameras] = np.nan
    return replace(trial, keypoints=replace(trial.keypoints, xy=xy, score=score))


def shares(selection, who, subject=0):
    """Share of the subject's detections that were chosen, and number of others that were."""
    there = (who == subject).any(-1)
    index = np.maximum(selection.chosen, 0)[..., None]
    chosen = np.where(selection.chosen >= 0, np.take_along_axis(who, index, axis=-1)[..., 0], -2)
    return (chosen[there] == subject).mean(), int(((chosen != subject) & (chosen > -2)).sum())


def moved_walk(n_frames, seed, offset):
    return walk_in_circles(n_frames, rng=np.random.default_rng([seed, 9])) + np.array(offset)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n_cameras", [3, 6])
def test_two_walkers_whose_paths_cross(n_cameras, seed):
    rig = make_ring(n_cameras)
    a = make_trial(300, rig=rig, seed=seed)
    # the other one walks along the same circle the other way round: they pass through each other's place
    mirrored = walk_in_circles(300, rng=np.random.default_rng([seed, 4]))[:, :, [1, 0, 2]] + np.array([250.0, 0, 0])
    b = absent(make_trial(300, rig=rig, xyz=mirrored, seed=seed + 50), slice(0, 300), slice(0, 1))
    seen, who = shuffled([a, b], seed=seed)
    selection = select_subject(seen, rig, pairs=PAIRS)
    right, wrong = shares(selection, who)
    assert right >= 0.985
    assert wrong <= 0.002 * 300 * n_cameras
    assert selection.keypoints.individuals == ("subject",)
    assert len(selection.others) == 1
    assert selection.others[0].n_frames > 250


def test_who_walks_out_is_not_replaced_by_who_stays():
    rig = make_ring(4)
    a = absent(make_trial(400, rig=rig, seed=1), slice(150, 290))
    b = make_trial(400, rig=rig, xyz=moved_walk(400, 2, [900.0, 300, 0]), seed=2)
    seen, who = shuffled([a, b])
    hint = SubjectHint(20, place_mm=tuple(a.xyz[20].mean(0)))
    selection = select_subject(seen, rig, pairs=PAIRS, hint=hint)
    assert (selection.chosen[150:290] == -1).all()
    right, wrong = shares(selection, who)
    assert right >= 0.985
    assert wrong == 0
    assert selection.unresolved.tolist() == list(range(150, 290))


def test_another_build_that_comes_in_later_is_somebody_else():
    rig = make_ring(4)
    a = absent(make_trial(300, rig=rig, seed=1), slice(160, 300))
    tall = make_trial(300, rig=rig, seed=1).xyz * 1.15
    b = absent(make_trial(300, rig=rig, xyz=tall, seed=2), slice(0, 200))
    seen, who = shuffled([a, b])
    selection = select_subject(seen, rig, pairs=PAIRS)
    assert (selection.chosen[200:] == -1).all()
    right, wrong = shares(selection, who)
    assert right >= 0.985
    assert wrong == 0


def test_bystander_of_one_camera_is_never_taken():
    rig = make_ring(4)
    a = absent(make_trial(200, rig=rig, seed=3), slice(0, 200, 3), slice(2, 3))  # where it is often not found
    b = absent(make_trial(200, rig=rig, xyz=moved_walk(200, 7, [200.0, -300, 0]), seed=4), slice(0, 200), [0, 1, 3])
    seen, who = shuffled([a, b])
    selection = select_subject(seen, rig, pairs=PAIRS)
    right, wrong = shares(selection, who)
    assert right >= 0.985
    assert wrong <= 2  # within a hand's breadth on the image plane
    assert selection.others == ()
    lone = selection.lone[:, 2] > 0
    assert lone.mean() >= 0.95
    assert any("no other view" in line for line in selection.lines())


@pytest.mark.parametrize("kind", ["mirror", "poster"])
def test_false_person_beside_the_subject(kind):
    rig = make_ring(5)
    a = make_trial(200, rig=rig, seed=5)
    if kind == "mirror":  # an upright mirror behind the room: the picture walks as the subject does
        false = a.xyz * np.array([-1.0, 1, 1]) + np.array([-3600.0, 0, 0])
    else:
        false = np.repeat(a.xyz[:1] * np.array([1.0, 0.02, 1]) + np.array([0, 1600.0, 0]), 200, axis=0)
    b = make_trial(200, rig=rig, xyz=false, seed=6, missing=0.05, outliers=0.02)  # sharper than the subject
    seen, who = shuffled([a, b])
    selection = select_subject(seen, rig, pairs=PAIRS)
    right, wrong = shares(selection, who)
    assert right >= 0.985
    assert wrong == 0


def test_hint_chooses_somebody_else():
    rig = make_ring(4)
    a = make_trial(200, rig=rig, seed=5)
    b = make_trial(200, rig=rig, xyz=moved_walk(200, 6, [1000.0, 0, 0]), seed=6)
    seen, who = shuffled([a, b])
    pixel = tuple(rig.cameras[1].project(b.xyz[50, 0]))
    for subject, hint in (
        (0, SubjectHint(30, place_mm=tuple(a.xyz[30].mean(0)))),
        (1, SubjectHint(30, place_mm=tuple(b.xyz[30].mean(0)))),
        (1, SubjectHint(50, camera=rig.names[1], pixel=pixel)),
    ):
        right, wrong = shares(select_subject(seen, rig, pairs=PAIRS, hint=hint), who, subject)
        assert right >= 0.985
        assert wrong == 0


def test_hint_that_points_at_nobody_is_an_error():
    rig = make_ring(3)
    seen, _ = shuffled([make_trial(40, rig=rig, seed=k) for k in range(2)])
    with pytest.raises(DataError, match="nobody"):
        select_subject(seen, rig, hint=SubjectHint(5, place_mm=(9000.0, 0.0, 0.0)))
    with pytest.raises(ConfigError, match="from 0 to 39"):
        select_subject(seen, rig, hint=SubjectHint(40, place_mm=(0.0, 0.0, 0.0)))
    with pytest.raises(ConfigError, match="no camera"):
        select_subject(seen, rig, hint=SubjectHint(4, camera="elsewhere", pixel=(5.0, 5.0)))
    with pytest.raises(ConfigError, match="neither"):
        SubjectHint(4, camera="cam_1")


def chunks_of(keypoints, n):
    for first in range(0, keypoints.n_frames, n):
        part = slice(first, first + n)
        yield replace(keypoints, xy=keypoints.xy[part], score=keypoints.score[part], start=keypoints.start + first)


@pytest.mark.parametrize("n", [50, 128, 1000])
def test_chunks_give_the_same_as_the_whole(n):
    rig = make_ring(4)
    a = absent(make_trial(400, rig=rig, seed=1), slice(190, 260))
    b = make_trial(400, rig=rig, xyz=moved_walk(400, 2, [900.0, 300, 0]), seed=2)
    seen, who = shuffled([a, b])
    hint = SubjectHint(20, place_mm=tuple(a.xyz[20].mean(0)))
    whole = select_subject(seen, rig, pairs=PAIRS, hint=hint)
    parts = list(select_in_chunks(chunks_of(seen, n), rig, pairs=PAIRS, hint=hint, lookahead=30))
    chosen = np.concatenate([part.chosen for part in parts])
    assert len(chosen) == 400
    assert [part.keypoints.start for part in parts] == np.cumsum([0, *(len(p.chosen) for p in parts)])[:-1].tolist()
    assert (chosen == whole.chosen).mean() >= 0.995
    there = (who == 0).any(-1)
    assert (np.take_along_axis(who, np.maximum(chosen, 0)[..., None], axis=-1)[..., 0] == 0)[there].mean() >= 0.98


def test_single_individual_is_returned_as_it_is():
    trial = make_trial(30, seed=1)
    selection = select_subject(trial.keypoints, Rig(trial.rig.cameras[:1]))  # asks nothing of the rig
    assert selection.keypoints is trial.keypoints
    assert selection.lines() == []
    assert next(select_in_chunks([trial.keypoints], trial.rig)).keypoints is trial.keypoints


def test_nobody_and_nothing():
    rig = make_ring(3)
    seen, _ = shuffled([make_trial(20, rig=rig, seed=k) for k in range(2)])
    empty = replace(seen, xy=np.full_like(seen.xy, np.nan), score=np.full_like(seen.score, np.nan))
    for some in (empty, replace(seen, xy=seen.xy[:0], score=seen.score[:0])):
        selection = select_subject(some, rig)
        assert (selection.chosen == -1).all()
        assert np.isnan(selection.keypoints.xy).all()
        selection.lines()
        selection.to_dict()
    one = replace(seen, xy=seen.xy[:1], score=seen.score[:1])
    assert (select_subject(one, rig).chosen >= 0).any()


def test_stranger_to_the_calibration_is_named():
    rig = make_ring(3)
    seen, _ = shuffled([make_trial(20, rig=rig, seed=k) for k in range(2)])
    with pytest.raises(DataError, match="no calibration"):
        select_subject(seen, rig.select(rig.names[:2]))


@pytest.fixture(scope="module")
def balance(recordings):
    root = recordings / "balance-4cam"
    trial = root / "S00_P00_SingleParticipant" / "S00_P00_T01_BalancingTrial"
    rig = read_pose2sim_calibration(root / "S00_Calibration" / "Calib_qualisys.toml")
    raw, associated = (
        load_keypoints(
            {f"cam_0{i}": trial / folder / f"cam0{i}_json" for i in range(1, 5)},
            skeleton=Skeleton.preset("body25b"),
            fps=60.0,
        )
        for folder in ("pose", "pose-associated")
    )
    trc = read_trc(trial / "pose-3d" / "S00_P00_T01_BalancingTrial_0-100.trc", up="z")
    return rig, raw, associated, trc


def test_balance_takes_the_right_person_in_every_frame(balance):
    rig, raw, associated, trc = balance
    selection = select_subject(raw, rig, pairs=Skeleton.preset("body25b").pairs)
    assert (np.isfinite(raw.xy[..., 0]).any(-1).sum(2) > 1).sum() >= 200  # somebody else in two views all the time
    assert (selection.chosen >= 0).all()
    expected = associated.xy[:, :, 0]
    got = selection.keypoints.xy[:, :, 0]
    both = np.isfinite(expected[..., 0]) & np.isfinite(got[..., 0])
    # one keypoint is in both of two pieces of the subject
    assert (expected != got).any(-1)[both].sum() <= 1
    # what Pose2Sim has is there, and the pieces that it left out
    assert np.isfinite(got[..., 0])[np.isfinite(expected[..., 0])].all()
    assert selection.joined.any(0).tolist() == [True, False, False, False]
    xyz = triangulate(selection.keypoints, rig).xyz[:, 0]
    reference = trc.xyz[:, 0]
    columns = [raw.keypoints.index(name) for name in trc.keypoints]
    assert np.isfinite(xyz[:, columns, 0]).sum() >= 0.98 * np.isfinite(reference[..., 0]).sum()

    def spread(points, names, a, b):
        return np.nanstd(np.linalg.norm(points[:, names.index(a)] - points[:, names.index(b)], axis=-1))

    for side in "LR":
        ours = spread(xyz, raw.keypoints, f"{side}Knee", f"{side}Ankle")
        assert ours < spread(reference, trc.keypoints, f"{side}Knee", f"{side}Ankle")
    assert [other.n_frames >= 90 for other in selection.others] == [True]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("n_cameras", [3, 4, 6])
def test_crowd_that_comes_and_goes(n_cameras, seed):
    rng = np.random.default_rng([seed, n_cameras])
    rig, n = make_ring(n_cameras), 400
    trials = [make_trial(n, rig=rig, seed=seed, swaps=0.05)]
    for k in range(int(rng.integers(1, 4))):
        walk = walk_in_circles(n, rng=rng, radius_mm=rng.uniform(300, 1200))
        walk = walk + np.array([*rng.uniform(-1200, 1200, 2), 0])
        other = make_trial(n, rig=rig, xyz=walk, seed=seed * 10 + k + 1)
        first, last = np.sort(rng.integers(0, n, 2))
        if rng.random() < 0.5:
            other = absent(other, slice(first, last))
        if rng.random() < 0.7:
            other = absent(other, slice(0, n), rng.permutation(n_cameras)[: int(rng.integers(1, n_cameras - 1))])
        trials.append(other)
    if rng.random() < 0.5:
        first = int(rng.integers(50, 300))
        trials[0] = absent(trials[0], slice(first, first + int(rng.integers(5, 100))))
    seen, who = shuffled(trials, seed=seed)
    selection = select_subject(seen, rig, pairs=PAIRS, hint=SubjectHint(10, place_mm=tuple(trials[0].xyz[10].mean(0))))
    right, wrong = shares(selection, who)
    assert right >= 0.98
    assert wrong <= 4
