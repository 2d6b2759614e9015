"""Candidate peaks: shape, absence, and the best of each."""

import numpy as np
import pytest

from pose3d.data import Candidates2D


def make(xy, score):
    return Candidates2D(xy, score, ("left", "right"), ("mouse",), ("nose", "paw"), 50.0, 3)


def test_best_is_the_highest_score_that_is_there():
    xy = np.arange(4 * 2 * 1 * 2 * 3 * 2, dtype=float).reshape(4, 2, 1, 2, 3, 2)
    score = np.tile([0.2, 0.9, 0.9], (4, 2, 1, 2, 1))
    score[1] = [np.nan, 0.1, np.nan]
    xy[2, ..., 1, 0] = np.inf  # then the third
    xy[3] = np.nan
    best = make(xy, score).best()
    assert np.array_equal(best.xy[0], xy[0, ..., 1, :])
    assert np.array_equal(best.score[1], score[1, ..., 1])
    assert np.array_equal(best.xy[2], xy[2, ..., 2, :])
    assert np.isnan(best.xy[3]).all()
    assert np.isnan(best.score[3]).all()
    assert (best.fps, best.start, best.cameras) == (50.0, 3, ("left", "right"))


def test_peaks_are_read_only_and_absent_as_a_whole():
    xy = np.ones((4, 2, 1, 2, 3, 2))
    xy[0, 0, 0, 0, 0, 1] = np.nan
    peaks = make(xy, np.ones(xy.shape[:-1]))
    assert np.isnan(peaks.xy[0, 0, 0, 0, 0]).all()
    assert np.isnan(peaks.score[0, 0, 0, 0, 0])
    assert not peaks.xy.flags.writeable
    assert (peaks.n_frames, peaks.n_peaks) == (4, 3)
    assert "up to 3 peaks" in repr(peaks)


@pytest.mark.parametrize(
    ("xy", "score"),
    [
        ((4, 2, 1, 2, 3, 3), (4, 2, 1, 2, 3)),
        ((4, 2, 1, 2, 3, 2), (4, 2, 1, 2, 2)),
        ((4, 2, 2, 2, 3, 2), (4, 2, 2, 2, 3)),
    ],
)
def test_shapes_that_do_not_fit_are_refused(xy, score):
    with pytest.raises(ValueError, match=r"fit|shape"):
        make(np.ones(xy), np.ones(score))
