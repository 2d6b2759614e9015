"""Several peaks a keypoint, and individuals whose names differ between views."""

from itertools import pairwise, product

import numpy as np
import pytest

from pose3d.data import Candidates2D, Keypoints2D
from pose3d.demo.trials import TRIAL_SKELETON, make_ring, make_trial, walk_in_circles
from pose3d.errors import DataError
from pose3d.reconstruction.association.best_path import best_path
from pose3d.reconstruction.association.candidates import choose_peaks, select_peaks
from pose3d.reconstruction.association.people_matching import match_individuals

NAMES = TRIAL_SKELETON.keypoints
PARTNER = np.arange(len(NAMES))
for one, other in TRIAL_SKELETON.pairs:
    PARTNER[NAMES.index(one)], PARTNER[NAMES.index(other)] = NAMES.index(other), NAMES.index(one)


def with_false_peaks(trial, *, wrong=0.3, seed=0):
    """The right peak, the partner's on the other side, and one anywhere; the right one is often not the highest."""
    rng = np.random.default_rng([seed, 8])
    k = trial.keypoints
    anywhere = k.xy + rng.normal(0, 80, k.xy.shape)
    partner = np.where((np.arange(len(NAMES)) != PARTNER)[:, None], k.xy[..., PARTNER, :], anywhere - 100)
    xy = np.stack([k.xy, partner, anywhere], axis=-2)
    score = rng.uniform(0.5, 1, xy.shape[:-1])
    score[..., 1:] *= rng.uniform(0.1, 0.9, score[..., 1:].shape)
    beaten = rng.random(k.score.shape) < wrong
    score[..., 0] = np.where(beaten, 0.8 * score[..., 1:].max(-1), score[..., 0])
    order = rng.permuted(np.broadcast_to(np.arange(3), score.shape), axis=-1)
    xy, score = np.take_along_axis(xy, order[..., None], axis=-2), np.take_along_axis(score, order, axis=-1)
    return Candidates2D(xy, score, k.cameras, k.individuals, k.keypoints, k.fps, 4)


def share_right(keypoints, trial):
    off = np.linalg.norm(keypoints.xy - trial.keypoints.xy, axis=-1)
    return (off[np.isfinite(off)] < 1e-9).mean()


@pytest.mark.parametrize(("n_cameras", "least", "wrong"), [(3, 0.88, 0.3), (6, 0.97, 0.3), (6, 0.995, 0.1)])
def test_peaks_that_agree_are_chosen(n_cameras, least, wrong):
    rig = make_ring(6).select(make_ring(6).names[:n_cameras])
    trial = make_trial(250, rig=rig, seed=3, outliers=0.0, missing=0.1)
    candidates = with_false_peaks(trial, wrong=wrong)
    selection = choose_peaks(candidates, rig)
    got = share_right(selection.keypoints, trial)
    assert got >= least
    assert got > share_right(candidates.best(), trial)
    assert selection.keypoints.start == 4
    assert selection.to_dict()["n_changed"] == selection.changed.sum() > 0
    assert "views" in selection.lines()[0]


def test_one_peak_is_taken_as_it_is():
    trial = make_trial(60, seed=1, outliers=0.1)
    k = trial.keypoints
    one = Candidates2D(k.xy[..., None, :], k.score[..., None], k.cameras, k.individuals, k.keypoints, k.fps, k.start)
    more = np.full((*k.xy.shape[:-1], 3, 2), np.nan)
    more[..., 1, :] = k.xy
    score = np.full(more.shape[:-1], np.nan)
    score[..., 1] = k.score
    for candidates in (one, Candidates2D(more, score, k.cameras, k.individuals, k.keypoints)):
        got = select_peaks(candidates, trial.rig)
        assert np.array_equal(got.xy, k.xy, equal_nan=True)
        assert np.array_equal(got.score, k.score, equal_nan=True)


def test_views_with_one_peak_keep_it():
    trial = make_trial(60, seed=1, outliers=0.1)
    candidates = with_false_peaks(trial)
    xy, score = np.array(candidates.xy), np.array(candidates.score)
    xy[:, :2, :, :, 1:] = np.nan
    score[:, :2, :, :, 1:] = np.nan
    candidates = Candidates2D(xy, score, candidates.cameras, candidates.individuals, candidates.keypoints)
    got = select_peaks(candidates, trial.rig)
    assert np.array_equal(got.xy[:, :2], xy[:, :2, :, :, 0], equal_nan=True)


def test_nothing_agrees_or_is_there():
    trial = make_trial(5, seed=1)
    candidates = with_false_peaks(trial)
    nothing = Candidates2D(
        np.full_like(candidates.xy, np.nan), candidates.score, trial.rig.names, ("one",), candidates.keypoints
    )
    assert np.isnan(select_peaks(nothing, trial.rig).xy).all()
    rng = np.random.default_rng(0)
    noise = Candidates2D(
        rng.uniform(0, 1000, candidates.xy.shape), candidates.score, trial.rig.names, ("one",), candidates.keypoints
    )
    assert np.isfinite(select_peaks(noise, trial.rig).xy).all()
    with pytest.raises(DataError, match="no calibration"):
        select_peaks(noise, trial.rig.select(trial.rig.names[:3]))


@pytest.mark.parametrize("n", range(8))
def test_best_path_is_the_best_of_all(n):
    rng = np.random.default_rng(n)
    gain, step = rng.normal(size=(n, 3)), rng.normal(size=(max(0, n - 1), 3, 3))

    def worth(path):
        steps = enumerate(pairwise(path))
        return sum(gain[i, s] for i, s in enumerate(path)) + sum(step[i, a, b] for i, (a, b) in steps)

    best = max(product(range(3), repeat=n), key=worth)
    assert tuple(best_path(gain, step)) == best


@pytest.mark.parametrize("seed", range(3))
def test_individuals_get_the_names_of_the_first_view(seed):
    rng = np.random.default_rng(seed)
    rig = make_ring(4)
    places = ([0, 0, 0], [900, -300, 0], [-700, 500, 0])
    trials = [
        make_trial(
            120,
            rig=rig,
            seed=seed + 10 * k,
            xyz=walk_in_circles(120, radius_mm=300, rng=rng) + np.array(place),
            swaps=0.03,
        )
        for k, place in enumerate(places)
    ]
    xy = np.concatenate([trial.keypoints.xy for trial in trials], axis=2)
    score = np.concatenate([trial.keypoints.score for trial in trials], axis=2)
    order = np.stack([np.arange(3), *(rng.permutation(3) for _ in range(3))])
    names = ("ann", "bea", "cy")
    mixed = Keypoints2D(
        np.take_along_axis(xy, order[None, :, :, None, None], axis=2),
        np.take_along_axis(score, order[None, :, :, None], axis=2),
        rig.names,
        names,
        NAMES,
    )
    match = match_individuals(mixed, rig)
    assert np.array_equal(match.keypoints.xy, xy, equal_nan=True)
    assert (match.margin > 0.1).all()
    exchanged = (match.order != np.arange(3)).any(1)
    assert [any(line.startswith(name) for line in match.lines()) for name in rig.names] == exchanged.tolist()
    assert set(match.to_dict()) == set(rig.names)


def test_two_at_one_place_are_not_told_apart():
    rig = make_ring(3)
    trial = make_trial(40, rig=rig, seed=1, outliers=0.0)
    twice = Keypoints2D(
        np.concatenate([trial.keypoints.xy] * 2, axis=2),
        np.concatenate([trial.keypoints.score] * 2, axis=2),
        rig.names,
        ("ann", "bea"),
        NAMES,
    )
    match = match_individuals(twice, rig)
    assert (match.margin < 0.1).all()
    assert all("not clear" in line for line in match.lines()[-3:])
    single = match_individuals(trial.keypoints, rig)
    assert single.keypoints is trial.keypoints
