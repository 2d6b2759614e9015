"""Strides whose events lie elsewhere in every sample."""

import numpy as np
import pytest

from pose3d.data.events import OFF, STRIKE, LimbEvents
from pose3d.kinematics.cycles import at_frames, at_own_frames, cut_cycles
from pose3d.kinematics.gait import measure_gait
from pose3d.kinematics.gait_events import nearest_times
from pose3d.kinematics.strides import find_strides, sample_strides, stride_parameters

FPS = 100.0
KEYS = [("L", STRIKE), ("R", STRIKE), ("L", OFF), ("R", OFF)]


def regular_walk():
    left = 0.3 + np.arange(4.0)
    times = {KEYS[0]: left, KEYS[1]: left[:-1] + 0.5, KEYS[2]: left[:-1] + 0.62, KEYS[3]: left + 0.12}
    events = LimbEvents.from_times([(*key, own) for key, own in times.items()])
    time = np.arange(420) / FPS
    feet = {
        side: np.stack([1200 * time + shift, 90 * np.sin(time) + shift, 0 * time], -1)
        for side, shift in (("L", 0.0), ("R", 150.0))
    }
    return events, times, feet


def moved_times(times, n=6, sd=0.01):
    rng = np.random.default_rng(0)
    return {key: own + rng.normal(0, sd, (n, len(own))) for key, own in times.items()}


def test_values_between_frames_of_each_sample():
    rng = np.random.default_rng(1)
    values, frames = rng.normal(size=(4, 2, 5, 30)), rng.uniform(-3, 33, (4, 6, 7))
    frames[0, 0, 0], frames[1, 1, 1] = 12.0, np.nan
    found = at_own_frames(values, frames)
    assert found.shape == (4, 2, 5, 6, 7)
    for i in range(4):
        assert np.array_equal(found[i], at_frames(values[i], frames[i]), equal_nan=True)
    assert np.isnan(found[1, ..., 1, 1]).all()


def test_cycles_of_each_sample():
    start, end = np.array([[0.1, 1.0], [0.2, 1.1]]), np.array([[1.0, 2.0], [1.1, 2.2]])
    values = np.random.default_rng(2).normal(size=(2, 300))
    found = cut_cycles(values, start, end, fps=FPS)
    assert found.shape == (2, 2, 101)
    for i in range(2):
        assert np.array_equal(found[i], cut_cycles(values[i], start[i], end[i], fps=FPS), equal_nan=True)


def test_every_sample_is_measured_as_a_walk_of_its_own():
    events, times, feet = regular_walk()
    drawn = moved_times(times)
    rng = np.random.default_rng(3)
    many = {side: points + rng.normal(0, 2, (6, 1, 3)) for side, points in feet.items()}
    for side, other in ("LR", "RL"):
        strides = find_strides(events, side, other)
        sampled = sample_strides(strides, events, drawn, other)
        assert len(sampled) == len(strides)
        assert sampled.kept.tolist() == strides.kept.tolist()
        found = stride_parameters(sampled, many[side], many[other], fps=FPS)
        for i in range(6):
            own = LimbEvents.from_times([(*key, each[i]) for key, each in drawn.items()])
            alone = stride_parameters(find_strides(own, side, other), many[side][i], many[other][i], fps=FPS)
            for name, values in alone.items():
                np.testing.assert_allclose(found[name][i], values, rtol=1e-12, err_msg=name)
    assert found["stride_time"].std(axis=0) == pytest.approx(0.01 * np.sqrt(2), rel=0.8)


def test_a_sample_without_an_event_has_no_number_but_a_cycle():
    events, times, feet = regular_walk()
    walk = measure_gait(events, feet, {"knee_flexion_l": np.arange(420.0)}, fps=FPS, most_turn_deg=None)
    drawn = moved_times(times, n=3)
    drawn[KEYS[0]][1, 2] = np.nan
    many = {side: np.tile(points, (3, 1, 1)) for side, points in feet.items()}
    made = measure_gait(
        events, many, {"knee_flexion_l": np.tile(np.arange(420.0), (3, 1))}, fps=FPS, walk=walk, event_times=drawn
    )
    left = made.sides["L"]
    assert np.isnan(left.parameters["stride_time"][1]).tolist() == [False, True, True]
    assert np.isfinite(left.parameters["stride_time"][[0, 2]]).all()
    cycles = left.cycles["knee_flexion_l"]
    assert np.isfinite(cycles).all()
    assert cycles[1, 1, -1] == pytest.approx(100 * times[KEYS[0]][2])
    assert cycles[1, 0, 0] == pytest.approx(100 * drawn[KEYS[0]][1, 0])
    plain = measure_gait(events, many, {"knee_flexion_l": np.tile(np.arange(420.0), (3, 1))}, fps=FPS, walk=walk)
    np.testing.assert_allclose(plain.sides["L"].parameters["stride_time"], 1.0)


def test_the_nearest_event_is_the_same_one():
    found = np.array([0.4, 1.52, 1.7, 9.0])
    near = nearest_times(np.array([0.0, 0.5, 1.5, 1.65, 3.0, 9.1, 20.0]), found, within_s=0.15)
    np.testing.assert_allclose(near, [np.nan, 0.4, 1.52, 1.7, np.nan, 9.0, np.nan])
    assert np.isnan(nearest_times(np.array([1.0]), np.zeros(0), within_s=1.0)).all()
