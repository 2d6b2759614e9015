"""anipose's filters and its configuration."""

import tomllib

import numpy as np
import pytest

from pose3d.data import Status
from pose3d.data.candidates import Candidates2D
from pose3d.errors import ConfigError
from pose3d.filtering import AniposeFilter, AniposeFilter3D, filter_settings

CONFIG = """
[filter]
enabled = true
type = ["viterbi", "medfilt"]
medfilt = 7
offset_threshold = 20
score_threshold = 0.1
spline = false
n_back = 3
multiprocessing = true

[filter3d]
enabled = true
medfilt = 9
offset_threshold = 12
"""


def test_a_configuration_is_read():
    two, three = filter_settings(tomllib.loads(CONFIG))
    assert two == AniposeFilter(("viterbi", "medfilt"), 7, 20.0, 0.1, False, 3, 7)
    assert three == AniposeFilter3D(9, 12.0, 9)


def test_defaults_are_anipose_s():
    two, three = filter_settings({"filter": {"enabled": True}, "filter3d": {"enabled": True}})
    assert (two.type, two.medfilt, two.offset_threshold, two.score_threshold) == (("medfilt",), 13, 25.0, 0.05)
    assert (two.spline, two.n_back) == (True, 5)
    assert (three.medfilt, three.offset_threshold) == (17, 15.0)
    assert filter_settings({"filter": {"medfilt": 5}}) == (None, None)
    assert filter_settings({}) == (None, None)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"type": "autoencoder"}, "autoencoder"),
        ({"type": []}, "medfilt"),
        ({"type": 3}, "filter.type"),
        ({"medfilt": 12}, "odd"),
        ({"medfilt": "13"}, "whole number"),
        ({"offset_threshold": 0}, "above 0"),
        ({"offset_threshold": True}, "number"),
        ({"score_threshold": 1.2}, "from 0 to 1"),
        ({"n_back": 0}, "at least 1"),
        ({"spline": 1}, "true or false"),
        ({"max_gap": -1}, "at least 0"),
        ({"medfit": 13}, "no such setting"),
        ({"enabled": "yes"}, "enabled"),
    ],
)
def test_mistakes_are_named_in_one_line(section, said):
    with pytest.raises(ConfigError, match=said) as caught:
        filter_settings({"filter": {"enabled": True} | section})
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="filter3d"):
        filter_settings({"filter3d": {"enabled": True, "spline": True}})
    with pytest.raises(ConfigError, match="section"):
        filter_settings({"filter": True})


@pytest.mark.parametrize("spline", [True, False])
def test_medfilt_takes_jumps_and_low_scores_away_and_fills_short_gaps(make_views, spline):
    truth = np.stack([np.linspace(0, 500, 300), 200 + 100 * np.sin(np.arange(300) / 20)], -1)[:, None]
    xy, score = truth.copy(), np.full((300, 1), 0.9)
    xy[[50, 51]] += [40.0, -40.0]
    xy[120] += [18.0, -18.0]  # 36 px when x and y are added up
    xy[130] += [5.0, 5.0]
    score[200] = 0.01
    xy[230:260] = np.nan
    made, summary = AniposeFilter(spline=spline).apply(make_views(xy, score))
    error = np.abs(made.xy[:, 0, 0] - truth).max(-1)[:, 0]
    assert np.nanmax(np.delete(error, 130)) < 0.6
    assert error[130] == pytest.approx(5.0)
    assert np.isnan(made.xy[230:260]).all()
    assert (made.score[[50, 51, 120, 200], 0, 0, 0] == 0).all()
    assert (summary.n_removed, summary.n_filled, summary.n_missing) == (4, 4, 30)
    longer, _ = AniposeFilter(spline=spline, max_gap=30).apply(make_views(xy, score))
    assert np.isfinite(longer.xy).all()


def test_viterbi_takes_candidates_and_plain_keypoints(make_views):
    rng = np.random.default_rng(0)
    truth = np.stack([np.linspace(100, 500, 400), np.linspace(300, 100, 400)], -1)
    peaks = rng.uniform(0, 600, (400, 1, 1, 1, 3, 2))
    peaks[:, 0, 0, 0, 1] = truth
    score = rng.uniform(0.3, 0.9, peaks.shape[:-1])
    several = Candidates2D(peaks, score, ("A",), ("one",), ("k0",), fps=100.0)
    made, summary = AniposeFilter(("viterbi",)).apply(several)
    assert np.nanmax(np.abs(made.xy[:, 0, 0, 0] - truth)) < 5
    assert summary.filters == ("viterbi", "gaps")
    assert summary.n_before == 400
    best, _ = AniposeFilter().apply(several)  # medfilt alone starts from the best scores
    assert np.nanmax(np.abs(best.xy[:, 0, 0, 0] - truth)) > 100
    xy = truth[:, None].copy()
    xy[100] += 300
    made, summary = AniposeFilter(("viterbi", "medfilt")).apply(make_views(xy))
    assert np.abs(made.xy[:, 0, 0, 0] - truth).max() < 1e-6
    assert (summary.n_removed, summary.n_filled) == (1, 1)


def test_filter3d_takes_bad_points_away_and_fills_them(make_points):
    truth = np.linspace(0, 900, 300)[:, None, None] * np.array([1.0, 0.5, -1.0])
    xyz, error = truth.copy(), np.ones((300, 1, 1))
    xyz[[40, 41]] += 300.0
    error[[40, 41]] = 30.0
    error[80] = np.nan
    xyz[100:150] = np.nan
    xyz[200] += 50.0  # a small error: the median sees to it
    made, summary = AniposeFilter3D().apply(make_points(xyz, error=error))
    assert np.nanmax(np.abs(made.xyz[:, 0] - truth)) < 4
    assert (made.status[[40, 41, 80], 0, 0] == Status.FILLED).all()
    assert (made.status[100:150] == Status.MISSING).all()
    assert made.covariance is None
    assert (summary.n_removed, summary.n_filled) == (3, 3)
    assert made.error[50, 0, 0] == 1.0


@pytest.mark.parametrize("spline", [True, False])
def test_a_part_with_its_margin_equals_the_whole_recording(make_views, make_points, spline):
    rng = np.random.default_rng(0)
    truth = np.stack([np.linspace(0, 500, 900), 200 + 100 * np.sin(np.arange(900) / 20)], -1)[:, None]
    xy = truth + rng.normal(size=truth.shape)
    xy[rng.random(900) < 0.1] += 60
    xy[rng.random(900) < 0.1] = np.nan
    two, three = AniposeFilter(spline=spline), AniposeFilter3D()
    xyz = np.concatenate([xy, xy[..., :1]], -1)
    whole_2d, whole_3d = two.apply(make_views(xy))[0], three.apply(make_points(xyz))[0]
    for first, last in ((0, 100), (100, 450), (450, 900)):
        low, high = max(first - two.margin_frames, 0), last + two.margin_frames
        part = two.apply(make_views(xy[low:high]))[0]
        np.testing.assert_allclose(part.xy[first - low : last - low], whole_2d.xy[first:last], atol=1e-9)
        low, high = max(first - three.margin_frames, 0), last + three.margin_frames
        part = three.apply(make_points(xyz[low:high]))[0]
        np.testing.assert_allclose(part.xyz[first - low : last - low], whole_3d.xyz[first:last], atol=1e-9)


def test_candidates_have_the_wider_margin():
    assert AniposeFilter(("viterbi",)).margin_frames >= AniposeFilter(max_gap=13).margin_frames + 190
