"""Events and strides from points, as a library call and as a command."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pose3d.batch.gait import belt_words, gait_events, level_points, measure_walk, summarize_walk, walking_belt
from pose3d.data import Keypoints3D
from pose3d.data.events import STRIKE, LimbEvents
from pose3d.errors import DataError
from pose3d.io.c3d import read_c3d


def walker(n=400, fps=100.0, d=1.0, stance=0.62, speed=1200.0, start=0):
    """Make a person whose left foot strikes at 0.31, 1.31, ... s: hips, heels and toes only."""
    time = np.arange(n) / fps
    names = ("LHip", "RHip", "LHeel", "RHeel", "LBigToe", "RBigToe")
    xyz, half = np.zeros((n, 1, len(names), 3)), np.array([60.0, 0.0, 0.0])
    for i, (side, phase) in enumerate((("L", 0.31), ("R", 0.81))):
        y = 100.0 if side == "L" else -100.0
        cycle = np.floor((time - phase) / d)
        part = (time - phase) / d - cycle
        swing = np.clip((part - stance) / (1 - stance), 0, 1)
        ease = swing - np.sin(2 * np.pi * swing) / (2 * np.pi)
        x = speed * (phase + cycle * d + stance * d / 2 + ease * d)
        foot = np.stack([x, np.full(n, y), 120 * np.sin(np.pi * swing)], -1)
        xyz[:, 0, i] = np.stack([speed * time, np.full(n, y), np.full(n, 900.0)], -1)
        xyz[:, 0, 2 + i], xyz[:, 0, 4 + i] = foot - half, foot + half
    unknown = np.full(xyz.shape[:-1], np.nan)
    ones = np.ones(unknown.shape)
    return Keypoints3D(xyz, unknown, ones, unknown, ones, ("one",), names, fps=fps, start=start)


def test_walk_of_keypoints():
    points = walker(start=50)
    events = gait_events(points)
    strikes = events.times("L", STRIKE)
    np.testing.assert_allclose(strikes, 0.5 + 0.31 + np.arange(len(strikes)), atol=0.06)
    summary = summarize_walk(measure_walk(points, events))
    assert summary.values["L"]["stride_length"][0] == pytest.approx(1.2, abs=0.02)
    assert summary.values["R"]["cadence"][0] == pytest.approx(120, abs=3)
    assert summary.values["L"]["step_width"][0] == pytest.approx(0.2, abs=0.01)
    assert summary.to_dict()["strides"]["left"]["parameters"]["stride_time"]["mean"] == pytest.approx(1, abs=0.02)
    assert any(line.startswith("stride length, m") and "1.20" in line for line in summary.lines())


def test_a_treadmill_is_the_same_walk():
    rng = np.random.default_rng(0)
    points = walker(start=50)
    points = replace(points, xyz=points.xyz + rng.normal(0, 2.0, points.xyz.shape))
    belt = np.array([-1200.0, 0.0, 0.0]) * (np.arange(points.n_frames) / 100.0)[:, None]
    carried = replace(points, xyz=points.xyz + belt[:, None, None])
    over_ground, on_belt = (summarize_walk(measure_walk(each, gait_events(each))) for each in (points, carried))
    np.testing.assert_allclose(walking_belt(carried), [-1200, 0], atol=10)
    assert not walking_belt(points).any()
    assert on_belt.kept == over_ground.kept
    for name in ("speed", "stride_length", "step_length", "step_width", "heading_change"):
        for side in "LR":
            assert on_belt.values[side][name][0] == pytest.approx(over_ground.values[side][name][0], abs=0.02), name
    swaying = points.xyz[:1] + np.cumsum(rng.normal(0, 0.3, (400, 1, 1, 3)), axis=0)
    assert not walking_belt(replace(points, xyz=np.broadcast_to(swaying, points.xyz.shape))).any()
    assert belt_words(walking_belt(carried)).startswith("On a treadmill: its belt moves at 1.20 m/s")


def test_what_is_needed_is_said():
    points = walker()
    with pytest.raises(DataError, match="both heels"):
        gait_events(replace(points, keypoints=("LHip", "RHip", "a", "b", "LBigToe", "RBigToe")))
    with pytest.raises(DataError, match="frame rate"):
        gait_events(replace(points, fps=None))
    lying = replace(points, xyz=points.xyz[..., [0, 2, 1]])
    with pytest.raises(DataError, match="hips are not above the feet"):
        gait_events(lying)


@pytest.mark.parametrize("seed", range(6))
def test_the_floor_is_found_from_the_feet(seed):
    """However the world is turned, walkers come out upright, and with the same events."""
    points = walker()
    rng = np.random.default_rng(seed)
    turn = Rotation.random(rng=rng)
    noise = rng.normal(0, 3, points.xyz.shape)
    moved = turn.apply((points.xyz + noise).reshape(-1, 3)).reshape(points.xyz.shape) + rng.normal(0, 3000, 3)
    covariance = np.broadcast_to(turn.as_matrix() @ np.diag([9.0, 9.0, 1.0]) @ turn.as_matrix().T, (*moved.shape, 3))
    found, tilt = level_points(replace(points, xyz=moved, covariance=covariance))
    if tilt is None:
        found = replace(points, xyz=moved)
        assert turn.as_matrix()[2, 2] > 0.65
        return
    up = found.xyz[:, 0, 0] - found.xyz[:, 0, 2:].mean(1)
    assert np.degrees(np.arctan2(np.linalg.norm(np.median(up, 0)[:2]), np.median(up, 0)[2])) < 8
    heels = found.xyz[:, 0, 2:, 2]
    assert abs(np.quantile(heels, 0.3)) < 10
    np.testing.assert_allclose(found.covariance[..., 2, 2], 1.0, atol=0.1)
    known, own = (gait_events(each) for each in (points, found))
    for limb, kind in {*zip(known.limbs, known.kinds, strict=True)}:
        here, there = own.times(limb, kind), known.times(limb, kind)
        inner = there[(there > 0.3) & (there < 3.7)]  # at the ends noise decides what is seen
        assert np.abs(here[None] - inner[:, None]).min(1).max() < 0.02
        assert abs(len(here) - len(there)) <= 1


def test_points_that_stand_are_left_as_they_are():
    points = walker()
    assert level_points(points) == (points, None)
    blind = np.where(np.arange(6)[None, None, :, None] < 2, points.xyz, np.nan)
    assert level_points(replace(points, xyz=blind))[1] is None
    few = points.xyz[..., [0, 2, 1]].copy()
    few[4:] = np.nan
    with pytest.raises(DataError, match="too little of the feet"):
        level_points(replace(points, xyz=few))


def test_nobody_walks():
    points = walker()
    still = replace(points, xyz=np.broadcast_to(points.xyz[:1], points.xyz.shape))
    events = gait_events(still)
    assert len(events) == 0
    summary = summarize_walk(measure_walk(still, events))
    assert summary.lines()[0].startswith("no stride")
    assert summary.to_dict()["strides"]["left"]["found"] == 0


def test_strides_that_are_left_out_are_listed():
    events = LimbEvents.from_times([("L", STRIKE, [0.5, 1.5, 2.5])])
    lines = summarize_walk(measure_walk(walker(), events)).lines()
    assert lines[0] == "strides that count: left 0 of 2, right 0 of 0"
    assert lines[1] == "  2 left out: has no foot off"


def test_the_commands_table_of_a_real_walk(recordings):
    recording = read_c3d(recordings / "gait-lab" / "plug-in-gait" / "PiG_Motion-FlatFoot-Full.c3d")
    summary = summarize_walk(measure_walk(recording.points, gait_events(recording.points)))
    stored = {(value.name, value.side): value.value for value in recording.values}
    for side in "LR":
        own = summary.values[side]
        assert own["speed"][0] == pytest.approx(stored["Walking Speed", side], abs=0.05)
        assert own["stride_length"][0] == pytest.approx(stored["Stride Length", side], abs=0.05)
        assert own["stride_time"][0] == pytest.approx(stored["Stride Time", side], abs=0.03)
