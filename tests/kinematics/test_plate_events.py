"""Force plates with a known push, under feet with known places."""

import numpy as np
import pytest

from pose3d.data.events import OFF, STRIKE, LimbEvents
from pose3d.data.mocap import ForcePlate
from pose3d.kinematics.plate_events import PlateSettings, find_plate_events, prefer_events

FPS, RATE, SECONDS = 100.0, 1000.0, 2.0
TURNS = {0: np.eye(2), 30: np.array([[0.866025, -0.5], [0.5, 0.866025]])}


def plate(push, centre=(0.0, 0.0), *, turn=0, flipped=False, at=(0.0, 0.0)):
    """Make a plate of 400 x 600 mm that pushes `push` (n,) N, with its middle at `at`."""
    corners = np.array([[200, 300], [-200, 300], [-200, -300], [200, -300.0]]) @ TURNS[turn].T + np.array(at)
    corners = corners[::-1] if flipped else corners
    force = np.zeros((len(push), 3))
    force[:, 2] = push
    place = np.column_stack([np.broadcast_to(centre, (len(push), 2)), np.zeros(len(push))])
    return ForcePlate(np.column_stack([corners, np.zeros(4)]), force, np.where(push[:, None] > 5, place, np.nan), RATE)


def push(first=0.5, last=1.2, newton=700.0):
    """Rise from 0 within 10 ms, and fall within 10 ms."""
    time = np.arange(int(SECONDS * RATE)) / RATE
    return newton * np.clip((time - first) / 0.01, 0, 1) * np.clip((last - time) / 0.01, 0, 1)


def feet(**places):
    n = int(SECONDS * FPS)
    heels = {limb: np.tile([x, y, z], (n, 1)) for limb, (x, y, z) in places.items()}
    return heels, {limb: heel + np.array([150.0, 0, 0]) for limb, heel in heels.items()}


def found_with(plates, *, start=0, **places):
    return find_plate_events(plates, *feet(**places), fps=FPS, start=start)


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("start", [0, 130])
def test_a_step_is_found_between_samples(turn, flipped, start):
    made = plate(push(), turn=turn, flipped=flipped)
    found = found_with([made], start=start, R=(-75, 0, 40), L=(-900, 200, 120))
    assert found.limbs == ("R", "R")
    # 20 of 700 N are reached 0.29 ms after the rise begins
    np.testing.assert_allclose(found.time_s, [0.5 + 0.01 / 35 + start / FPS, 1.2 - 0.01 / 35 + start / FPS], atol=1e-4)
    assert found.kinds == (STRIKE, OFF)


def test_the_foot_over_the_plate_has_it_and_the_other_swings():
    low = found_with([plate(push())], L=(-75, 60, 40), R=(-75, -60, 150))
    assert set(low.limbs) == {"L"}
    two = [plate(push(0.3, 1.0)), plate(push(0.9, 1.6), centre=(700, 0), at=(700, 0))]
    both = found_with(two, L=(-75, 0, 40), R=(625, 0, 45))
    assert [*zip(both.limbs, both.kinds, strict=True)] == [("L", STRIKE), ("R", STRIKE), ("L", OFF), ("R", OFF)]


def test_two_feet_on_a_plate_cannot_be_told_apart():
    assert len(found_with([plate(push())], L=(-75, 60, 40), R=(-75, -60, 42))) == 0


@pytest.mark.parametrize(
    ("centre", "left"),
    [((0.0, 0.0), 2), ((180.0, 0.0), 0), ((0.0, 290.0), 0), ((160.0, 0.0), 2)],
)
def test_over_the_edge_nothing_is_told(centre, left):
    found = found_with([plate(push(), centre)], R=(centre[0] - 75, centre[1], 40))
    assert len(found) == left


def test_what_is_no_step_gives_nothing():
    for pushed in (push(0.5, 0.7), push(newton=15.0), np.full(2000, 700.0)):
        assert len(found_with([plate(pushed)], R=(-75, 0, 40))) == 0
    assert len(found_with([plate(push())], R=(500, 0, 40))) == 0
    assert len(found_with([plate(push())], R=(np.nan, 0, 40))) == 0
    assert len(found_with([], R=(0, 0, 40))) == 0
    began_before = found_with([plate(push(first=-1))], R=(-75, 0, 40))
    assert began_before.kinds == (OFF,)
    few = PlateSettings(newton=300.0)
    late = find_plate_events([plate(push())], *feet(R=(-75, 0, 40)), fps=FPS, settings=few)
    assert late.time_s[0] == pytest.approx(0.5 + 0.01 * 300 / 700, abs=1e-4)


def test_better_events_take_the_place_of_others():
    better = LimbEvents.from_times([("L", STRIKE, [1.0]), ("R", OFF, [1.4])])
    others = LimbEvents.from_times([("L", STRIKE, [0.0, 1.1, 2.0]), ("L", OFF, [1.0]), ("R", OFF, [1.6])])
    whole = prefer_events(better, others)
    np.testing.assert_allclose(whole.times("L", STRIKE), [0, 1, 2])
    np.testing.assert_allclose(whole.times("L", OFF), [1])
    np.testing.assert_allclose(whole.times("R", OFF), [1.4, 1.6])
    assert len(prefer_events(LimbEvents.from_times([]), others)) == len(others)
