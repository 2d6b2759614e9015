"""Symmetry, variability, scaling and phases: by hand, by invariance, and on known waveforms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose3d.errors import DataError
from pose3d.kinematics.body_size import GRAVITY, leg_length, scale_to_body
from pose3d.kinematics.norm_building import build_norms, mean_cycles
from pose3d.kinematics.phases import GAIT_PHASES, fit_phases, measure_phases
from pose3d.kinematics.symmetry import (
    coefficient_of_multiple_correlation,
    symmetry_angle,
    symmetry_index,
    symmetry_ratio,
    waveform_symmetry,
)

CYCLE = np.linspace(0, 100, 101)


@given(st.floats(0.01, 100), st.floats(0.01, 100))
def test_indices_change_sign_with_the_sides_and_know_no_unit(left, right):
    for index, most in ((symmetry_index, 200), (symmetry_angle, 50)):
        value = index(left, right)
        assert value == pytest.approx(-index(right, left), abs=1e-9)
        assert value == pytest.approx(index(25.4 * left, 25.4 * right), abs=1e-9)
        assert np.sign(value) == np.sign(right - left) or abs(value) < 1e-9
        assert abs(value) <= most
    assert symmetry_ratio(left, right) * symmetry_ratio(right, left) == pytest.approx(1)


def test_indices_by_hand():
    assert symmetry_index(0.9, 1.1) == pytest.approx(20)
    assert symmetry_angle(1, np.tan(np.deg2rad(63))) == pytest.approx(20)  # 18 of 90 degrees
    assert symmetry_ratio(2, 3) == pytest.approx(1.5)
    for index in (symmetry_index, symmetry_angle, symmetry_ratio):
        np.testing.assert_array_equal(np.isnan(index([0, -1, 1, np.nan, 1], [1, 2, 0, 1, 1])), [1, 1, 1, 1, 0])


def wave(shift=0.0, offset=0.0):
    phase = 2 * np.pi * (CYCLE - shift) / 100
    return 20 + offset + 25 * np.sin(phase) + 8 * np.cos(2 * phase) - 3 * np.sin(3 * phase)


@pytest.mark.parametrize("lag", [0.0, 3.0, -7.4, 12.6, 49.0])
def test_waveforms_that_are_late_or_higher(lag):
    found = waveform_symmetry(wave(), wave(lag, offset=4))
    assert found.lag_percent == pytest.approx(lag, abs=0.05)
    assert found.correlation > 0.998  # between instants the best one is missed by a little
    assert found.difference == pytest.approx(4, abs=0.5)
    same = waveform_symmetry(wave(), wave(offset=4))
    assert (same.rmsd, same.lag_percent, same.correlation) == pytest.approx((4, 0, 1), abs=1e-9)


def test_waveforms_with_gaps_or_without_motion():
    left = np.stack([wave(), wave(), np.full(101, 3.0)])
    right = left.copy()
    right[1, 50] = np.nan
    found = waveform_symmetry(left, right)
    np.testing.assert_array_equal(np.isnan(found.rmsd), [0, 1, 0])
    np.testing.assert_array_equal(np.isnan(found.lag_percent), [0, 1, 1])
    np.testing.assert_array_equal(np.isnan(found.correlation), [0, 1, 1])


def test_multiple_correlation_is_that_of_its_definition():
    rng = np.random.default_rng(0)
    cycles = wave() + rng.normal(0, 4, (6, 101))
    by_time, whole = cycles.mean(0), cycles.mean()
    within = ((cycles - by_time) ** 2).sum() / (101 * 5)
    total = ((cycles - whole) ** 2).sum() / (6 * 101 - 1)
    assert coefficient_of_multiple_correlation(cycles) == pytest.approx(np.sqrt(1 - within / total), abs=1e-12)
    # what it estimates: the share of the variance that is the motion's
    assert coefficient_of_multiple_correlation(cycles) ** 2 == pytest.approx(
        wave().var() / (wave().var() + 16), abs=0.02
    )
    assert coefficient_of_multiple_correlation(np.repeat(wave()[None], 3, 0)) == pytest.approx(1)
    assert np.isnan(coefficient_of_multiple_correlation(wave()[None]))
    offsets = np.array([[-5.0], [5.0]]) + 0.1 * wave()
    assert np.isnan(coefficient_of_multiple_correlation(offsets))  # differ more than they move
    gappy = np.concatenate([cycles, np.full((1, 101), np.nan)])
    assert coefficient_of_multiple_correlation(gappy) == coefficient_of_multiple_correlation(cycles)


@given(st.floats(0.3, 3.0), st.floats(0.5, 2.0))
def test_scaled_parameters_are_those_of_any_size(leg, factor):
    """A body `factor` times as large that moves alike has times longer by the root of it (Froude)."""
    one = {"stride_length": np.array(1.3), "stride_time": np.array(1.1), "speed": np.array(1.3 / 1.1)}
    one |= {"cadence": np.array(120 / 1.1), "step_width": np.array(0.1), "single_support": np.array(0.4)}
    root = np.sqrt(factor)
    powers = {"stride_length": factor, "step_width": factor, "speed": root, "cadence": 1 / root}
    other = {name: value * powers.get(name, root) for name, value in one.items()}
    a, b = scale_to_body(one, leg), scale_to_body(other, leg * factor)
    for name in a:
        assert a[name] == pytest.approx(b[name], rel=1e-12)
    assert a["speed_scaled"] == pytest.approx(a["stride_length_scaled"] / a["stride_time_scaled"])
    assert a["cadence_scaled"] * a["stride_time_scaled"] == pytest.approx(2)  # steps in a stride
    assert a["speed_scaled"] ** 2 == pytest.approx(one["speed"] ** 2 / (GRAVITY * leg))  # Froude's number
    assert scale_to_body({"foot_off": np.array(60.0)}, leg) == {}


def test_leg_length_follows_the_joints():
    n = 100
    lift = np.where(np.arange(n) % 10 < 6, 0, 150)  # the foot swings
    ankle = np.tile([200.0, 300, 100], (n, 1))
    knee = ankle + np.array([0, 0, 400])
    hip = knee + np.array([300, 0, 400])  # a bent knee
    for points in (hip, knee, ankle):
        points[:, 2] += lift
    assert leg_length(hip, knee, ankle, floor_mm=20) == pytest.approx(0.5 + 0.4 + 0.08)
    assert np.isnan(leg_length(hip * np.nan, knee, ankle))


def test_phases_of_ones_own_cycle():
    assert [phase.end for phase in GAIT_PHASES] == [12, 31, 50, 62, 75, 87, 100]
    usual = fit_phases(opposite_off=12, opposite_strike=50, off=62)
    np.testing.assert_allclose([phase.end for phase in usual], [phase.end for phase in GAIT_PHASES])
    own = fit_phases(opposite_off=20, opposite_strike=52, off=70)
    np.testing.assert_allclose([p.end for p in own], [20, 36, 52, 70, 70 + 30 * 13 / 38, 70 + 30 * 25 / 38, 100])
    assert [phase.start for phase in own] == [0, *(phase.end for phase in own[:-1])]
    with pytest.raises(ValueError, match="rise"):
        fit_phases(opposite_off=20, opposite_strike=15, off=60)


def test_what_a_signal_does_in_each_phase():
    found = measure_phases(np.stack([CYCLE, -2 * CYCLE]))
    edges = np.array([0, 12, 31, 50, 62, 75, 87, 100])
    np.testing.assert_allclose(found.least[0], edges[:-1])
    np.testing.assert_allclose(found.greatest[0], edges[1:])
    np.testing.assert_allclose(found.mean, [(edges[1:] + edges[:-1]) / 2, -(edges[1:] + edges[:-1])])
    own = fit_phases(opposite_off=10.25, opposite_strike=50.5, off=60.75)
    np.testing.assert_allclose(measure_phases(CYCLE, own).greatest[[0, 2, 3]], [10.25, 50.5, 60.75])
    gap = CYCLE.copy()
    gap[40] = np.nan
    np.testing.assert_array_equal(np.isnan(measure_phases(gap).mean), [0, 0, 1, 0, 0, 0, 0])


def test_norms_count_people_not_cycles():
    rng = np.random.default_rng(1)
    own = rng.normal(0, 5, 8)
    people = []
    for offset in own:
        left = wave(offset=offset) + rng.normal(0, 0.01, (int(rng.integers(1, 9)), 101))
        people.append(mean_cycles([{"knee_flexion_l": left}, {"knee_flexion_r": wave(offset=offset)[None]}]))
    norms = build_norms(people, source="eight friends", licence="CC0")
    band = norms.bands["knee_flexion"]
    assert band.n_people == 8
    np.testing.assert_allclose(band.mean, wave() + own.mean(), atol=0.01)
    np.testing.assert_allclose(band.sd, own.std(ddof=1), atol=0.01)
    assert (norms.source, norms.licence) == ("eight friends", "CC0")


def test_what_one_person_has_alone_is_no_norm():
    whole, gap = wave(), wave()
    gap = np.where(CYCLE == 3, np.nan, gap)
    assert set(mean_cycles([{"a_l": whole[None], "b_r": gap[None], "c_l": np.zeros((0, 101))}])) == {"a"}
    assert mean_cycles([{"b_r": np.stack([gap, whole])}]).keys() == {"b"}
    with pytest.raises(DataError, match="at least 2 people"):
        build_norms([{"a": whole}, {"b": whole}, {}])
    assert set(build_norms([{"a": whole, "b": whole}, {"a": whole}]).bands) == {"a"}
    with pytest.raises(ValueError, match="same number"):
        build_norms([{"a": whole}, {"a": whole[::2]}])
