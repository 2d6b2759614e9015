"""Strides: Vicon's own 22 values, strides that do not count, and walks with known numbers."""

import numpy as np
import pytest

from pose3d.data.events import OFF, STRIKE, LimbEvents
from pose3d.io.c3d import read_c3d
from pose3d.kinematics.strides import GAIT_PARAMETERS, find_strides, stride_parameters


def walk(*, n=4, d=1.0, step=0.48, stance=0.62, length=1200.0, step_length=650.0, width=180.0, heading=0.0, fps=100.0):
    """Make events and toes of a regular walk: the left foot strikes at 0, d, 2 d, ..."""
    left = np.arange(n + 1) * d
    right = left[:-1] + step * d
    events = LimbEvents.from_times(
        [
            ("L", STRIKE, left),
            ("R", STRIKE, right),
            ("L", OFF, left[:-1] + stance * d),
            ("R", OFF, np.append(left[:-1], left[-1]) + (step + stance - 1) * d),
        ]
    )
    time = np.arange(round(left[-1] * fps) + 1) / fps

    def toe(strikes, off, x0, y):
        """Stand from strike to off, then swing to the next place."""
        moving = np.interp(time, np.sort(np.concatenate([strikes, off])), np.repeat(np.arange(len(strikes)), 2)[1:])
        x = x0 + length * moving
        return np.stack([x, np.full(len(time), y), np.zeros(len(time))], -1)

    feet = {
        "L": toe(left, left[:-1] + stance * d, 0.0, width),
        "R": toe(np.append(right, right[-1] + d), right + stance * d, length - step_length, 0.0),
    }
    c, s = np.cos(np.deg2rad(heading)), np.sin(np.deg2rad(heading))
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    return events, {side: points @ turn.T for side, points in feet.items()}


def test_vicons_own_values(recordings):
    """All 22 of the ANALYSIS group, each within 2e-4 of what is stored, in its unit."""
    recording = read_c3d(recordings / "gait-lab" / "plug-in-gait" / "PiG_Motion-FlatFoot-Full.c3d")
    points = recording.named()
    compared = 0
    for side, other in ("LR", "RL"):
        strides = find_strides(recording.events, side, other)
        assert strides.kept.any()
        found = stride_parameters(
            strides, points[f"{side}TOE"], points[f"{other}TOE"], fps=recording.points.fps, start=recording.points.start
        )
        stored = {value.name: value.value for value in recording.values if value.side == side}
        for parameter in GAIT_PARAMETERS:
            if parameter.stored:
                # Vicon stores one stride of each side.
                away = np.abs(found[parameter.name][strides.kept] - stored[parameter.stored])
                assert away.min() < 2e-4, parameter.name
                compared += 1
        same = [np.abs(found[p.name] - stored[p.stored]) < 2e-4 for p in GAIT_PARAMETERS if p.stored]
        assert np.all(same, axis=0).any(), "all of one and the same stride"
    assert compared == 22


@pytest.mark.parametrize("heading", [0.0, 37.0, 180.0, -100.0])
def test_a_walk_with_known_numbers(heading):
    events, feet = walk(heading=heading)
    strides = find_strides(events, "L", "R")
    assert strides.kept.tolist() == [True] * 4
    found = stride_parameters(strides, feet["L"], feet["R"], fps=100.0)
    assert set(found) == {parameter.name for parameter in GAIT_PARAMETERS}
    expected = {
        "cadence": 120.0,
        "speed": 1.2,
        "stride_time": 1.0,
        "step_time": 0.52,
        "opposite_foot_off": 10.0,
        "opposite_foot_contact": 48.0,
        "foot_off": 62.0,
        "swing": 38.0,
        "single_support": 0.38,
        "double_support": 0.24,
        "stride_length": 1.2,
        "step_length": 0.65,
        "step_width": 0.18,
    }
    for name, value in expected.items():
        np.testing.assert_allclose(found[name][1:], value, rtol=1e-9, err_msg=name)
    np.testing.assert_allclose(found["heading_change"][1:], 0, atol=1e-9)
    assert np.isnan(found["heading_change"][0])


def test_samples_go_through_in_one_call():
    events, feet = walk()
    strides = find_strides(events, "R", "L")
    noise = np.random.default_rng(1).normal(0, 10, (5, *feet["R"].shape))
    together = stride_parameters(strides, feet["R"] + noise, feet["L"] + noise, fps=100.0)
    for i in range(5):
        alone = stride_parameters(strides, feet["R"] + noise[i], feet["L"] + noise[i], fps=100.0)
        for name, values in alone.items():
            np.testing.assert_array_equal(together[name][i], values)


def test_events_between_frames_and_a_recording_that_begins_late():
    """Feet that glide evenly, so that places between frames are known."""
    events, _ = walk(n=3, d=1.037)
    time = np.arange(20, 350)[:, None] / 100
    foot, other = ([1.5, -0.4, 0.0] * time * 1000 + place for place in ([0.0, 100.0, 0.0], [200.0, 0.0, 0.0]))
    strides = find_strides(events, "L", "R")
    found = stride_parameters(strides, foot, other, fps=100.0, start=20)
    assert np.isnan(found["stride_length"][0])  # its first strike lies before the data
    np.testing.assert_allclose(found["stride_time"], 1.037)
    np.testing.assert_allclose(found["stride_length"][1:], 1.037 * np.hypot(1.5, 0.4), rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda e: [t for t in e if t[:2] != ("L", OFF)], "no foot off"),
        (lambda e: [*e, ("L", OFF, 0.9)], "more than one foot off"),
        (lambda e: [t for t in e if t[:2] != ("R", STRIKE)], "no off or no strike"),
        (lambda e: [*e, ("R", OFF, 0.2)], "other foot has more than one"),
        (lambda e: [t for t in e if t[:2] != ("R", OFF)] + [("R", OFF, [0.6])], "another order"),
    ],
)
def test_a_stride_that_does_not_count_says_why_and_the_others_stay(change, reason):
    events, _ = walk(n=1)
    times = [(limb, kind, events.times(limb, kind)) for limb in "LR" for kind in (STRIKE, OFF)]
    times = [(limb, kind, time[time < 1.0] if (limb, kind) == ("R", OFF) else time) for limb, kind, time in times]
    assert find_strides(LimbEvents.from_times(times), "L", "R").kept.tolist() == [True]
    strides = find_strides(LimbEvents.from_times(change(times)), "L", "R")
    assert strides.kept.tolist() == [False]
    assert reason in strides.reasons[0]


def test_a_pause_is_no_stride_and_single_events_make_none():
    events = LimbEvents.from_times([("L", STRIKE, [0, 1, 9, 10]), ("L", OFF, [0.6, 1.6, 9.6])])
    strides = find_strides(events, "L")
    assert strides.reasons == ("", "lasts longer than 3 s", "")
    for times in ([], [("L", STRIKE, 1.0)], [("R", STRIKE, [1.0, 2.0])]):
        none = find_strides(LimbEvents.from_times(times), "L", "R")
        assert (len(none), none.kept.tolist()) == (0, [])
        assert stride_parameters(none, np.zeros((4, 3)), np.zeros((4, 3)), fps=50.0)["cadence"].shape == (0,)


def test_turning_is_seen_from_stride_to_stride():
    time = np.arange(0, 301) / 100
    angle = np.deg2rad(30) * time  # 30 degrees a stride of 1 s, on a circle
    circle = 2000 * np.stack([np.sin(angle), 1 - np.cos(angle), 0 * angle], -1)
    events = LimbEvents.from_times([("L", STRIKE, [0, 1, 2, 3])])
    found = stride_parameters(find_strides(events, "L"), circle, circle, fps=100.0)
    np.testing.assert_allclose(found["heading_change"][1:], 30, atol=1e-9)
    np.testing.assert_allclose(found["stride_length"], 4 * np.sin(np.deg2rad(15)), rtol=1e-9)
