import numpy as np
import pytest

from pose3d.filtering.butterworth import butterworth_filter, design_butterworth
from pose3d.kinematics.repetitions import find_repetitions, judge_change, minimal_detectable_change


def ease(n):
    return (1 - np.cos(np.linspace(0, np.pi, n))) / 2


def exercise(reps, *, fps=60.0, rest_deg=5.0, pause_s=0.8):
    """Make an angle of (range, seconds out, seconds back) each, with rests between; also the true times."""
    parts, times, at = [np.full(round(pause_s * fps), rest_deg)], [], pause_s
    for reach, out_s, back_s in reps:
        n, m = round(out_s * fps), round(back_s * fps)
        parts += [rest_deg + reach * ease(n), rest_deg + reach * ease(m)[::-1], np.full(round(pause_s * fps), rest_deg)]
        times.append((at, at + out_s, at + out_s + back_s))
        at += (n + m) / fps + pause_s
    return np.concatenate(parts), np.array(times)


SQUATS = [(95.0, 1.5, 1.0), (100.0, 2.4, 0.8), (90.0, 0.9, 1.4), (30.0, 0.6, 0.6), (98.0, 1.2, 1.2)]


@pytest.mark.parametrize("noise", [0.0, 1.5])
@pytest.mark.parametrize("seed", range(3))
def test_repetitions_of_uneven_tempo_with_one_broken_off(noise, seed):
    deg, times = exercise(SQUATS)
    deg = deg + np.random.default_rng(seed).normal(0, noise, len(deg))
    deg = butterworth_filter(deg[:, None], design_butterworth(6.0, fps=60.0)).values[:, 0]
    found = find_repetitions(deg, fps=60.0)
    assert (len(found), found.count) == (5, 4)
    assert found.aborted.tolist() == [False, False, False, True, False]
    np.testing.assert_allclose(found.range_deg, [reach for reach, *_ in SQUATS], atol=2 + noise / 2)
    np.testing.assert_allclose(found.peak_deg, [5 + reach for reach, *_ in SQUATS], atol=2)
    np.testing.assert_allclose(found.peak_s, times[:, 1], atol=0.08)
    # Of a movement that begins and ends softly, 5 % of the way are the first and the last seventh of the time.
    np.testing.assert_allclose(found.out_s, 0.856 * (times[:, 1] - times[:, 0]), atol=0.16)
    np.testing.assert_allclose(found.end_s - found.start_s, 0.856 * (times[:, 2] - times[:, 0]), rtol=0.06, atol=0.06)


def test_repetitions_without_rests_between_them():
    time = np.arange(0, 10, 1 / 100)
    deg = 60 - 40 * np.cos(2 * np.pi * time)
    found = find_repetitions(deg, fps=100.0, start=250)
    assert found.count == 10
    np.testing.assert_allclose(found.peak_s, 2.5 + 0.5 + np.arange(10), atol=0.002)
    np.testing.assert_allclose(found.range_deg, 80, atol=1.0)


def test_movements_that_are_not_seen_whole_do_not_count():
    deg, _ = exercise([(90.0, 1.0, 1.0)] * 3)
    assert find_repetitions(deg[110:], fps=60.0).count == 2
    gap = deg.copy()
    gap[230:240] = np.nan
    assert find_repetitions(gap, fps=60.0).count == 2
    for nothing in (np.full(50, np.nan), np.zeros(50), np.zeros(0), 5 * np.sin(np.arange(300) / 20)):
        found = find_repetitions(nothing, fps=60.0)
        assert (len(found), found.count) == (0, 0)
        assert found.out_s.shape == (0,)


def test_a_change_within_the_error_is_none():
    assert minimal_detectable_change(2.0) == pytest.approx(5.5437, abs=1e-3)
    small = judge_change(100.0, 105.0, sem=2.0, sem_source="two sessions of this person")
    large = judge_change(100.0, 94.0, sem=2.0, sem_source="two sessions of this person")
    assert (small.real, large.real) == (False, True)
    assert str(small) == (
        "+5.0: no change that could be told from error (minimal detectable change 5.5, two sessions of this person)"
    )
    assert str(large).startswith("-6.0: a change (")
    with pytest.raises(ValueError, match="negative"):
        minimal_detectable_change(-1.0)
