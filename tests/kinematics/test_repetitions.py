import numpy as np
import pytest

from pose3d.filtering.butterworth import butterworth_filter, design_butterworth
from pose3d.kinematics.repetitions import find_repetitions, measure_again


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
    # Of a movement that begins and ends softly, 10 % of the way are the first and the last fifth of the time.
    np.testing.assert_allclose(found.time_s, 0.795 * (times[:, 2] - times[:, 0]), rtol=0.06, atol=0.06)
    middle = (1 - 2 * np.arccos(0.8) / np.pi) * np.diff(times, axis=1).T
    np.testing.assert_allclose(
        found.out_time_s[~found.aborted], middle[0][~found.aborted], rtol=0.03, atol=0.03 * noise
    )
    np.testing.assert_allclose(
        found.back_time_s[~found.aborted], middle[1][~found.aborted], rtol=0.03, atol=0.03 * noise
    )
    np.testing.assert_allclose(found.out_time_s + found.hold_time_s + found.back_time_s, found.time_s)


def test_tempo_of_steady_movements_and_holds_is_exact():
    fps = 50.0
    corners_s = np.array([0, 1.0, 2.5, 3.1, 4.3, 5.5, 6.5, 7.5, 9.5, 10.5])
    corners_deg = np.array([10, 10, 90, 90, 10, 10, 90, 90, 10, 10.0])
    deg = np.interp(np.arange(0, 10.5, 1 / fps), corners_s, corners_deg)
    found = find_repetitions(deg, fps=fps)
    np.testing.assert_allclose(found.range_deg, 80, atol=0.4)  # corners are not how people move
    np.testing.assert_allclose(found.out_time_s, 0.8 * np.array([1.5, 1.0]), atol=0.006)
    np.testing.assert_allclose(found.hold_time_s, [0.6 + 0.1 * 2.7, 1.0 + 0.1 * 3.0], atol=0.015)
    np.testing.assert_allclose(found.back_time_s, 0.8 * np.array([1.2, 2.0]), rtol=0.005)
    np.testing.assert_allclose(found.rest_deg, 10, atol=1e-9)


def test_a_flat_hold_is_one_turning_point():
    """Angles from files have few digits: of several highest frames alike each would hide the others."""
    deg = np.interp(np.arange(0, 9, 0.02), [0, 1, 2, 4, 5, 6, 7, 8, 9], [10, 10, 90, 90, 10, 10, 90, 10, 10.0])
    deg[105:190:7] -= 0.5
    assert find_repetitions(np.round(deg, 1), fps=50.0).count == 2


def test_the_turning_point_of_a_noisy_hold_is_not_the_noise():
    rng = np.random.default_rng(0)
    deg, _ = exercise([(90.0, 1.0, 1.0)] * 40)
    noise = butterworth_filter(rng.normal(0, 2.0, (len(deg), 1)), design_butterworth(6.0, fps=60.0)).values[:, 0]
    found = find_repetitions(deg + noise, fps=60.0)
    assert found.count == 40
    highest = [(deg + noise)[a:b].max() for a, b in found.windows[:, [0, 3]]]
    assert abs(found.peak_deg.mean() - 95) < 0.6 * (np.mean(highest) - 95)


def test_repetitions_are_measured_again_in_other_signals():
    deg, _ = exercise(SQUATS)
    found = find_repetitions(deg, fps=60.0, start=30)
    less = measure_again(np.stack([deg, 5 + 0.8 * (deg - 5)]), found.windows, fps=60.0, start=30)
    assert less.range_deg.shape == (2, 5)
    np.testing.assert_allclose(less.range_deg, [found.range_deg, 0.8 * found.range_deg], atol=0.05)
    np.testing.assert_allclose(less.peak_s, [found.peak_s, found.peak_s], atol=0.005)
    np.testing.assert_allclose(less.start_s[0], found.start_s)
    gone = measure_again(np.full(len(deg), np.nan), found.windows, fps=60.0)
    assert np.isnan(gone.range_deg).all()
    assert np.isnan(gone.time_s).all()


def test_repetitions_without_rests_between_them():
    time = np.arange(0, 10, 1 / 100)
    deg = 60 - 40 * np.cos(2 * np.pi * time)
    found = find_repetitions(deg, fps=100.0, start=250)
    assert found.count == 10
    np.testing.assert_allclose(found.peak_s, 2.5 + 0.5 + np.arange(10), atol=0.002)
    np.testing.assert_allclose(found.range_deg, 80, atol=1.0)


def test_movements_that_are_not_seen_whole_do_not_count():
    deg, _ = exercise([(90.0, 1.0, 1.0)] * 3)
    assert find_repetitions(deg, fps=60.0).cut_off == 0
    late = find_repetitions(deg[110:], fps=60.0)
    assert (late.count, late.cut_off) == (2, 1)
    gap = deg.copy()
    gap[230:240] = np.nan
    assert (find_repetitions(gap, fps=60.0).count, find_repetitions(gap, fps=60.0).cut_off) == (2, 1)
    for nothing in (np.full(50, np.nan), np.zeros(50), np.zeros(0), 5 * np.sin(np.arange(300) / 20)):
        found = find_repetitions(nothing, fps=60.0)
        assert (len(found), found.count, found.cut_off) == (0, 0, 0)
        assert found.out_time_s.shape == (0,)


@pytest.mark.parametrize("begin", [226, 245, 270, 285, 300, 315])
def test_a_movement_that_a_gap_cuts_in_two_is_one(begin):
    """Wherever on the way: out, at the turning point, on the way back, also where the turning point itself is seen."""
    deg, _ = exercise([(90.0, 1.0, 1.0)] * 3)
    deg[begin : begin + 12] = np.nan
    found = find_repetitions(deg, fps=60.0)
    assert (found.count, found.cut_off) == (2, 1)
    deg[begin + 15 : begin + 20] = np.nan
    assert find_repetitions(deg, fps=60.0).cut_off == 1
