"""Tracks among wrong peaks."""

import time

import numpy as np
import pytest

from pose3d.data.candidates import Candidates2D
from pose3d.errors import ConfigError
from pose3d.filtering import choose_peaks, viterbi_filter

SIZE = np.array([1280.0, 1024.0])


def plant(n_frames=2000, n_tracks=10, n_peaks=4, *, wrong=0.3, absent=0.0, hidden=(), fast=1.0, size=SIZE, seed=0):
    """Peaks of which one is the keypoint's; in the share `wrong` of the frames another has the highest score.

    Returns xy (frame, track, peak, 2), score, and the right choice, which is -1 where the keypoint's peak is absent.
    """
    rng = np.random.default_rng(seed)
    t = np.arange(n_frames)[:, None] / 100
    phase = rng.uniform(0, 2 * np.pi, (2, n_tracks))
    rate = rng.uniform(0.5, 1.2, n_tracks) * fast
    turn = 2 * np.pi * rate * t
    truth = np.stack([np.sin(turn + phase[0]), np.cos(0.7 * turn + phase[1])], -1)
    truth = size / 2 + 0.3 * size.min() * truth
    xy = rng.uniform(0, 1, (n_frames, n_tracks, n_peaks, 2)) * size
    score = rng.uniform(0.2, 0.8, (n_frames, n_tracks, n_peaks))
    right = rng.integers(0, n_peaks, (n_frames, n_tracks))
    frame, track = np.indices(right.shape)
    xy[frame, track, right] = truth + rng.normal(size=truth.shape)
    beaten = rng.random(right.shape) < wrong
    score[frame, track, right] = np.where(beaten, 0.15, 0.9)
    gone = rng.random(right.shape) < absent
    for first, last in hidden:
        gone[first : last + 1] = True
    where = frame[gone], track[gone], right[gone]
    xy[where] = rng.uniform(0, 1, (gone.sum(), 2)) * size
    score[where] = rng.uniform(0.2, 0.8, gone.sum())
    return xy, score, np.where(gone, -1, right)


@pytest.mark.parametrize("seed", range(3))
def test_a_planted_track_is_recovered_through_wrong_peaks(seed):
    xy, score, right = plant(seed=seed)
    assert (score.argmax(-1) == right).mean() < 0.75
    assert (choose_peaks(xy, score) == right).mean() >= 0.99


def test_scores_may_say_nothing():
    xy, score, right = plant(n_peaks=5)
    assert (choose_peaks(xy, np.full_like(score, 0.5)) == right).mean() >= 0.99
    assert (choose_peaks(xy, np.full_like(score, np.nan)) == right).mean() >= 0.99


@pytest.mark.parametrize("hidden", [[(300, 359), (900, 959), (1500, 1579)], [(700, 1099)], [(0, 99), (1900, 1999)]])
def test_long_stretches_without_the_right_peak_stay_empty(hidden):
    xy, score, right = plant(hidden=hidden, fast=0.5)
    chosen = choose_peaks(xy, score)
    assert (chosen == right).mean() >= 0.99
    assert (chosen == right)[right < 0].mean() >= 0.97


def test_a_third_of_the_right_peaks_absent():
    xy, score, right = plant(absent=0.3, n_peaks=3, fast=0.5)
    chosen = choose_peaks(xy, score)
    assert (chosen == right)[right >= 0].mean() >= 0.99
    assert (chosen == right).mean() >= 0.985


def test_a_partner_in_sight_for_a_while_is_not_followed_home():
    """Another keypoint of the same kind passes at a distance: its peaks are a track too, with better scores."""
    xy, score, right = plant(n_tracks=4, n_peaks=2, wrong=0.0, fast=0.3)
    other = 1 - right
    frame, track = np.indices(right.shape)
    own = np.take_along_axis(xy, right[..., None, None], axis=2)[:, :, 0]
    xy[frame, track, other] = np.nan
    passing = slice(800, 1000)
    xy[frame[passing], track[passing], other[passing]] = own[passing] + [150.0, 90.0]
    score[frame[passing], track[passing], other[passing]] = 0.99
    assert (choose_peaks(xy, score) == right).mean() >= 0.99


def test_a_detector_without_candidates_keeps_its_track_and_loses_its_jumps():
    xy, score, right = plant(n_peaks=1, absent=0.2)
    chosen = choose_peaks(xy, score)
    assert (chosen == right).mean() >= 0.98


def test_offset_threshold_is_the_distance_that_is_believed():
    xy = np.zeros((60, 1, 1, 2))
    xy[:, 0, 0, 0] = np.where(np.arange(60) % 10 == 5, 60.0, 0.0)  # jumps of 60 px and back
    score = np.full((60, 1, 1), 0.9)
    strict = choose_peaks(xy, score, offset_threshold=10.0)[:, 0]
    assert (np.flatnonzero(strict < 0) % 10 == 5).all()
    assert (strict < 0).sum() >= 5
    assert (choose_peaks(xy, score, offset_threshold=200.0) == 0).all()


def test_score_threshold_takes_peaks_away():
    xy, score, right = plant(n_frames=300, n_peaks=2, wrong=0.5)
    chosen = choose_peaks(xy, score, score_threshold=0.2)
    gone = np.take_along_axis(score, right[..., None], axis=2)[..., 0] < 0.2
    assert (chosen[gone] != right[gone]).all()


@pytest.mark.parametrize("shape", [(0, 2, 3), (1, 2, 3), (2, 2, 3), (3, 2, 1), (5, 0, 3)])
def test_little_or_nothing(shape):
    place = np.ones((*shape, 2)) * np.arange(shape[-1])[:, None] * 500.0
    score = np.full(shape, 0.5)
    score[..., 0] = 0.9
    assert (choose_peaks(place, score) == 0).all()
    assert choose_peaks(place, score).shape == shape[:-1]
    assert (choose_peaks(np.full((*shape, 2), np.nan), score) == -1).all()


def test_odd_values_do_no_harm():
    xy, score, _ = plant(n_frames=400)
    xy[::7, :, 0] = np.inf
    xy[1::7, :, 1] = 1e12
    xy[3::7, :, 2] = -1e300
    score[2::7] = np.nan
    chosen = choose_peaks(xy, score)
    taken = np.take_along_axis(xy, np.maximum(chosen, 0)[..., None, None], axis=2)[:, :, 0]
    assert np.isfinite(taken[chosen >= 0]).all()
    assert (np.abs(taken[chosen >= 0]) < 1e6).all()


def test_the_order_of_peaks_means_nothing():
    xy, score, _ = plant(n_frames=500)
    chosen = choose_peaks(xy, score)
    turned = choose_peaks(xy[:, :, ::-1], score[:, :, ::-1])
    np.testing.assert_array_equal(np.where(turned < 0, -1, 3 - turned), chosen)


def test_a_part_with_a_margin_chooses_as_the_whole():
    xy, score, _ = plant(n_frames=3000)
    whole = choose_peaks(xy, score)
    part = choose_peaks(xy[800:2200], score[800:2200])
    assert (part[200:-200] == whole[1000:2000]).mean() > 0.999


def test_candidates_become_keypoints():
    xy, score, right = plant(n_frames=300, n_tracks=6, hidden=[(100, 149)])
    shape = (300, 3, 1, 2, 4)
    several = Candidates2D(
        xy.reshape(*shape, 2), score.reshape(shape), ("A", "B", "C"), ("one",), ("nose", "tail"), fps=50.0, start=7
    )
    keypoints = viterbi_filter(several)
    assert (keypoints.cameras, keypoints.keypoints, keypoints.fps, keypoints.start) == (
        several.cameras,
        several.keypoints,
        50.0,
        7,
    )
    right = right.reshape(shape[:-1])
    found = np.isfinite(keypoints.xy[..., 0])
    assert (found == (right >= 0)).mean() > 0.98
    expected = np.take_along_axis(several.score, np.maximum(right, 0)[..., None], axis=-1)[..., 0]
    same = found & (right >= 0)
    assert (keypoints.score[same] == expected[same]).mean() > 0.99
    assert np.isnan(keypoints.score[~found]).all()


@pytest.mark.parametrize(
    "wrong",
    [{"n_back": 0}, {"n_back": 1.5}, {"offset_threshold": 0.0}, {"offset_threshold": np.nan}, {"score_threshold": 2}],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        choose_peaks(np.zeros((3, 1, 2)), np.ones((3, 1)), **wrong)


def test_progress_reaches_the_end():
    seen = []
    xy, score, _ = plant(n_frames=500)
    choose_peaks(xy, score, progress=lambda label, done, total: seen.append((label, done, total)))
    assert seen[-1] == ("viterbi", 500, 500)


def test_time_is_linear_and_small():
    xy, score, _ = plant(n_frames=2000, n_tracks=20, n_peaks=5)
    choose_peaks(xy[:50], score[:50])
    start = time.process_time()
    choose_peaks(xy, score)
    assert (time.process_time() - start) / 2000 < 2e-3
