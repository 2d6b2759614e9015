"""Filters in a row over recordings: status, covariance, scores, and parts that equal the whole."""

import json

import numpy as np
import pytest

from pose3d.data import Status
from pose3d.errors import ConfigError
from pose3d.filtering import Filters, butterworth_filter, design_butterworth, filter_2d, filter_3d, margin_frames


@pytest.fixture
def walk():
    rng = np.random.default_rng(0)
    t = np.arange(1500)[:, None, None] / 100
    truth = 300 * np.sin(2 * np.pi * t + rng.uniform(0, 6, (1, 4, 3)))
    xyz = truth + rng.normal(size=truth.shape)
    xyz[rng.random((1500, 4)) < 0.05] = np.nan
    xyz[400:440, 1] = np.nan
    xyz[:7, 2] = np.nan
    xyz[700, 3] += 200
    return truth, xyz


def test_status_and_covariance_of_a_whole_chain(walk, make_points):
    truth, xyz = walk
    points = make_points(xyz)
    filters = Filters(outlier_window=11, outlier_distance=5.0, max_gap=10, butterworth_hz=6.0)
    made, summary = filter_3d(points, filters, independent=True)
    here = np.isfinite(xyz[..., 0])
    status = made.status[:, 0]
    assert (status[:7, 2] == Status.MISSING).all()
    assert (status[400:440, 1] == Status.MISSING).all()
    assert status[700, 3] == Status.FILLED
    filled = status == Status.FILLED
    assert filled[~here].sum() > 200
    assert np.isnan(made.error[:, 0][filled]).all()
    assert (made.n_cameras[:, 0][filled] == 0).all()
    assert np.isnan(made.score[:, 0][filled]).all()
    observed = status == Status.OBSERVED
    assert (made.n_cameras[:, 0][observed] == 4).all()
    assert np.nanmax(np.abs(made.xyz[:, 0] - truth)[observed]) < 8
    spread = made.covariance[:, 0]
    assert np.isnan(spread[filled]).all()
    inside = observed.copy()
    inside[:60] = inside[-60:] = False
    inside[340:500] = False
    gain = np.mean(design_butterworth(6.0, fps=100.0).response(np.linspace(0, 50, 9999)) ** 2)
    np.testing.assert_allclose(
        spread[inside], np.broadcast_to(gain * np.diag([1.0, 4, 9]), (inside.sum(), 3, 3)), rtol=0.02
    )
    assert summary.n_filled == filled.sum()
    assert summary.n_removed >= 1
    assert summary.n_missing == np.isnan(made.xyz[..., 0]).sum()
    assert summary.n_before == here.sum()
    assert summary.cutoff_hz == 6.0
    json.dumps(summary.to_dict(), allow_nan=False)
    assert any("filled" in line for line in summary.lines())


@pytest.mark.parametrize(
    ("filters", "independent", "kept"),
    [
        (Filters(), False, True),
        (Filters(max_gap=5), False, True),
        (Filters(butterworth_hz=6.0), False, False),
        (Filters(butterworth_hz=6.0), True, True),
        (Filters(savgol=9), False, False),
        (Filters(savgol=9), True, True),
        (Filters(median=5), True, False),
    ],
)
def test_no_covariance_pretends(walk, make_points, filters, independent, kept):
    points = make_points(walk[1])
    made, _ = filter_3d(points, filters, independent=independent)
    assert (made.covariance is not None) == kept
    if kept:
        known = np.isfinite(made.covariance[..., 0, 0])
        np.testing.assert_array_equal(known, made.status == Status.OBSERVED)
        assert (np.linalg.eigvalsh(made.covariance[known])[:, 0] > 0).all()
        if filters == Filters():
            np.testing.assert_array_equal(made.covariance, points.covariance)
    assert filter_3d(make_points(walk[1], covariance=False), filters, independent=True)[0].covariance is None


def test_points_with_large_errors_go(walk, make_points):
    error = np.ones((1500, 1, 4))
    error[50, 0, 0] = 20.0
    error[60, 0, 0] = np.nan  # not known is not large
    made, summary = filter_3d(make_points(np.nan_to_num(walk[1]), error=error), Filters(max_error_px=15.0))
    assert made.status[50, 0, 0] == Status.MISSING
    assert np.isnan(made.covariance[50, 0, 0]).all()
    assert made.status[60, 0, 0] == Status.OBSERVED
    assert summary.n_removed == 1


def test_filled_points_of_the_input_stay_filled(make_points):
    status = np.full((50, 1, 1), Status.OBSERVED)
    status[20:25] = Status.FILLED
    made, _ = filter_3d(make_points(np.zeros((50, 1, 3)), status=status), Filters(butterworth_hz=6.0))
    np.testing.assert_array_equal(made.status, status)


def test_a_filled_detection_is_none(walk, make_views):
    score = np.full((1500, 4), 0.9)
    score[30, 0] = 0.1
    views = make_views(walk[1][..., :2], score)
    made, summary = filter_2d(views, Filters(score_threshold=0.3, max_gap=5, median=5))
    filled = np.isfinite(made.xy[..., 0]) & (np.isnan(views.xy[..., 0]) | (views.score < 0.3))
    assert filled.sum() == summary.n_filled > 100
    assert (made.score[filled] == 0).all()
    assert filled[30, 0, 0, 0]
    rest = np.isfinite(made.xy[..., 0]) & ~filled
    assert (made.score[rest] == 0.9).all()
    assert (made.start, made.fps, made.cameras) == (100, 100.0, ("A",))


def test_short_runs_are_reported(make_points):
    xyz = np.random.default_rng(0).normal(size=(60, 1, 3))
    xyz[[5, 20]] = np.nan
    made, summary = filter_3d(make_points(xyz), Filters(butterworth_hz=6.0))
    np.testing.assert_array_equal(made.xyz[:5, 0], xyz[:5])
    assert summary.n_left == 5
    assert "fill gaps first" in "\n".join(summary.lines())


@pytest.mark.parametrize(
    "filters",
    [
        Filters(outlier_window=11),
        Filters(max_gap=8),
        Filters(max_gap=8, interpolation="cubic"),
        Filters(median=13),
        Filters(savgol=15),
        Filters(butterworth_hz=6.0),
        Filters(outlier_window=9, max_gap=6, interpolation="linear", median=5, butterworth_hz=4.0),
        Filters(outlier_window=9, max_gap=6, median=7, savgol=11),
    ],
)
def test_a_part_with_its_margin_equals_the_whole(walk, make_points, filters):
    xyz = walk[1]
    whole, _ = filter_3d(make_points(xyz), filters, independent=True)
    margin = margin_frames(filters, fps=100.0)
    for first, last in ((0, 300), (300, 333), (333, 700), (700, 701), (701, 1500)):
        low, high = max(first - margin, 0), min(last + margin, 1500)
        part, _ = filter_3d(make_points(xyz[low:high]), filters, independent=True)
        here = slice(first - low, last - low)
        np.testing.assert_allclose(
            part.xyz[here], whole.xyz[first:last], atol=1e-3 if filters.butterworth_hz else 1e-12
        )
        np.testing.assert_array_equal(part.status[here], whole.status[first:last])
        if whole.covariance is not None:
            np.testing.assert_allclose(part.covariance[here], whole.covariance[first:last], rtol=1e-5)


def test_the_row_of_filters_is_that_of_its_parts(walk, make_points):
    made, _ = filter_3d(make_points(walk[0]), Filters(butterworth_hz=9.0, butterworth_order=2))
    low = design_butterworth(9.0, fps=100.0, order=2)
    np.testing.assert_array_equal(made.xyz[:, 0], butterworth_filter(walk[0], low).values)


def test_gap_limits_in_seconds_are_frames(walk, make_points):
    points = make_points(walk[1])
    for seconds, frames in ((0.07, 7), (0.079, 7), (0.4, 40), (0.0, 0)):
        limit = Filters(max_gap_s=seconds)
        np.testing.assert_array_equal(
            filter_3d(points, limit)[0].xyz, filter_3d(points, Filters(max_gap=frames))[0].xyz
        )
        assert margin_frames(limit, fps=100.0) == margin_frames(Filters(max_gap=frames))
    with pytest.raises(ConfigError, match="give fps"):
        filter_3d(make_points(walk[1], fps=None), Filters(max_gap_s=0.1))


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_frames(make_points, make_views, n):
    filters = Filters(outlier_window=5, max_gap=3, median=3, butterworth_hz=6.0)
    made, summary = filter_3d(make_points(np.ones((n, 2, 3))), filters)
    np.testing.assert_array_equal(made.xyz, np.ones((n, 1, 2, 3)))
    assert summary.n_points == 2 * n
    assert summary.n_left == 2 * n
    assert list(summary.lines())
    assert filter_2d(make_views(np.ones((n, 2, 2))), filters)[0].n_frames == n


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"median": 4}, "median: 4 frames"),
        ({"outlier_window": 2}, "odd"),
        ({"max_gap": -1}, "gaps"),
        ({"interpolation": "spline"}, "spline"),
        ({"butterworth_hz": -6.0}, "butterworth_hz"),
        ({"butterworth_order": 5}, "order 5"),
        ({"savgol": 5, "savgol_degree": 5}, "degree"),
        ({"savgol": 5, "butterworth_hz": 6.0}, "one of them"),
        ({"max_gap": 5, "max_gap_s": 0.1}, "one of them"),
        ({"max_gap_s": -0.1}, "max_gap_s"),
        ({"score_threshold": 1.5}, "score"),
        ({"max_error_px": np.inf}, "max_error_px"),
    ],
)
def test_settings_out_of_range_are_refused_in_one_line(settings, said):
    with pytest.raises(ConfigError, match=said) as caught:
        Filters(**settings)
    assert "\n" not in str(caught.value)


def test_the_frame_rate_must_be_known_and_high_enough(make_points):
    with pytest.raises(ConfigError, match="give fps"):
        filter_3d(make_points(np.ones((30, 1, 3)), fps=None), Filters(butterworth_hz=6.0))
    with pytest.raises(ConfigError, match="half the frame rate"):
        filter_3d(make_points(np.ones((30, 1, 3)), fps=10.0), Filters(butterworth_hz=6.0))
    made, summary = filter_3d(make_points(np.ones((30, 1, 3)), fps=None), Filters(savgol=5))
    assert summary.cutoff_hz is None
    assert made.fps is None
