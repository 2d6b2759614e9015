"""Feet of trot, walk and gallop with known footfalls, as events and as points."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pose3d.data.events import OFF, STRIKE, LimbEvents
from pose3d.errors import DataError
from pose3d.filtering.butterworth import butterworth_filter, design_butterworth
from pose3d.kinematics import footfall_events
from pose3d.kinematics.footfall_events import find_footfalls
from pose3d.kinematics.footfalls import footfall_diagram, footfalls, limb_phases, stride_lengths
from pose3d.kinematics.gait_events import EventSettings, find_events

GAITS = {  # phase of LH, LF, RH, RF; duty factor; stride in s
    "walk": ((0.0, 0.25, 0.5, 0.75), 0.65, 0.45),
    "trot": ((0.0, 0.5, 0.5, 0.0), 0.45, 0.28),
    "gallop": ((0.0, 0.55, 0.12, 0.68), 0.3, 0.22),
}
LIMBS = ("LH", "LF", "RH", "RF")


def known(gait, n=12, jitter=0.0):
    phases, duty, d = GAITS[gait]
    rng = np.random.default_rng(2)
    times = []
    for limb, phase in zip(LIMBS, phases, strict=True):
        strikes = (np.arange(n) + phase) * d + rng.normal(0, jitter * d, n)
        times += [(limb, STRIKE, strikes), (limb, OFF, strikes + duty * d)]
    return LimbEvents.from_times(times)


@pytest.mark.parametrize("gait", GAITS)
def test_duty_factor_and_phase_of_known_footfalls(gait):
    phases, duty, d = GAITS[gait]
    found = footfalls(known(gait, jitter=0.01), LIMBS)
    phase, alike = limb_phases(found)
    for i, limb in enumerate(found):
        assert abs(np.mean(limb.duty_factor) - duty) < 0.02
        assert np.mean(limb.duration_s) == pytest.approx(d, rel=0.02)
        assert abs((phase[i] - phases[i] + 0.5) % 1 - 0.5) < 0.02
    assert (alike > 0.99).all()


def paws(gait, fps=250.0, seconds=3.0, noise=0.0):
    """Let paws stand and swing under a trunk that goes on evenly, mm."""
    phases, duty, d = GAITS[gait]
    speed = 300.0
    time = np.arange(round(seconds * fps)) / fps
    rng = np.random.default_rng(5)
    points = {}
    for limb, phase in zip(LIMBS, phases, strict=True):
        n = np.floor(time / d - phase)
        part = time / d - phase - n
        swing = np.clip((part - duty) / (1 - duty), 0, 1)
        # A paw is laid down and taken up while it goes with the ground, so that its speed has no jump.
        ease = swing - np.sin(2 * np.pi * swing) / (2 * np.pi)
        x = speed * ((n + phase) * d + duty * d / 2) + speed * d * ease
        y = np.full(len(time), 15.0 if limb[0] == "L" else -15.0)
        xyz = np.stack([x, y, 8 * np.sin(np.pi * swing)], -1) + rng.normal(0, noise, (len(time), 3))
        points[limb] = butterworth_filter(xyz, design_butterworth(30.0, fps=fps)).values
    trunk = np.stack([speed * time, 0 * time, np.full(len(time), 40.0)], -1)
    return points, trunk


@pytest.mark.parametrize("gait", GAITS)
def test_duty_factor_and_phase_from_points(gait):
    phases, duty, _ = GAITS[gait]
    points, trunk = paws(gait, noise=0.2)
    # The constants are those of human feet; of a paw, one point tells of strike and off, at one speed.
    settings = EventSettings(
        strike_speed=0.3, off_speed=0.3, strike_bias_s=0, off_bias_s=0, window_s=0.3, least_speed=50
    )
    found = footfalls(find_events(points, points, trunk, fps=250.0, settings=settings), LIMBS)
    phase, _ = limb_phases(found)
    for i, limb in enumerate(found):
        assert abs((phase[i] - phases[i] + 0.5) % 1 - 0.5) < 0.02
        assert abs(np.mean(limb.duty_factor) - duty) < 0.02


SWINGS = {  # the part of the way that is done at a part of the swing: how gently a paw begins
    "gently": lambda s: 10 * s**3 - 15 * s**4 + 6 * s**5,
    "evenly": lambda s: (1 - np.cos(np.pi * s)) / 2,
    "at once": lambda s: s,
}
BRISK, SOFT = (lambda s: np.sin(np.pi * s)), (lambda s: np.sin(np.pi * s) ** 2)


def stepping(gait, swing, lift, *, fps=250.0, seconds=6.0, noise=0.3, speed=300.0, turn=0.0, seed=1):
    """Let paws stand and swing, known footfalls: points as they are seen, with their noise in mm."""
    phases, duty, d = GAITS[gait]
    time, rng = np.arange(round(seconds * fps)) / fps, np.random.default_rng(seed)
    made = {}
    for limb, phase in zip(LIMBS, phases, strict=True):
        n = np.floor(time / d - phase)
        part = np.clip((time / d - phase - n - duty) / (1 - duty), 0, 1)
        x = speed * d * (n + phase + duty / 2 + swing(part)) + (30.0 if limb[1] == "F" else -30.0)
        y = np.full(len(time), 15.0 if limb[0] == "L" else -15.0)
        xyz = np.stack([x, y, 8 * lift(part)], -1) + rng.normal(0, noise, (len(time), 3))
        made[limb] = xyz @ Rotation.from_euler("z", turn, degrees=True).as_matrix().T
    return made


def judged(points, gait, *, fps=250.0, **more):
    """Return the error of the mean duty factor, and the largest one of a phase."""
    phases, duty, _ = GAITS[gait]
    found = footfalls(find_footfalls(points, fps=fps, **more), LIMBS)
    assert all(len(limb.duty_factor) > 8 for limb in found)
    phase, _ = limb_phases(found)
    away = max(abs((phase[i] - phases[i] + 0.5) % 1 - 0.5) for i in range(4))
    return abs(np.mean([limb.duty_factor.mean() for limb in found]) - duty), away


@pytest.mark.parametrize("gait", GAITS)
@pytest.mark.parametrize("swing", SWINGS)
@pytest.mark.parametrize("turn", [0.0, 140.0])
def test_footfalls_of_paws_that_are_lifted_briskly(gait, swing, turn):
    duty, phase = judged(stepping(gait, SWINGS[swing], BRISK, turn=turn), gait)
    assert duty < 0.02
    assert phase < 0.01


@pytest.mark.parametrize("gait", GAITS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_footfalls_of_the_gentlest_paws(gait, seed):
    """What begins below the noise is seen late: a limit, and said in the documentation."""
    duty, phase = judged(stepping(gait, SWINGS["gently"], SOFT, seed=seed), gait)
    assert duty < 0.04
    assert phase < 0.01


@pytest.mark.parametrize("gait", GAITS)
def test_footfalls_of_noisier_paws(gait):
    duty, phase = judged(stepping(gait, SWINGS["gently"], BRISK, noise=0.6), gait)
    assert duty < 0.035
    assert phase < 0.015


def test_the_beginning_of_a_swing_is_no_fixed_speed(monkeypatch):
    """Without the search for rest, duty factors are off."""
    monkeypatch.setattr(footfall_events, "_rest_before", lambda *_: 0.0)
    assert judged(stepping("gallop", SWINGS["gently"], BRISK), "gallop")[0] > 0.035


def test_footfalls_on_a_treadmill_and_with_gaps():
    points = stepping("trot", SWINGS["evenly"], BRISK)
    n = len(points["LH"])
    belt = np.outer(np.arange(n) / 250.0, [-300.0, 0, 0])
    on_belt = {limb: paw + belt for limb, paw in points.items()}
    assert judged(on_belt, "trot")[0] < 0.02
    whole = find_footfalls(points, fps=250.0)
    trunk = np.mean(list(points.values()), axis=0)
    hidden = {**points, "LF": np.where((np.arange(n) // 100 == 5)[:, None], np.nan, points["LF"])}
    found = find_footfalls(hidden, fps=250.0, body=trunk)
    inside = (found.times("LF", STRIKE) > 2.01) & (found.times("LF", STRIKE) < 2.39)
    assert not inside.any()
    assert len(found.times("LF", STRIKE)) >= len(whole.times("LF", STRIKE)) - 3
    assert len(found.times("RH", OFF)) == len(whole.times("RH", OFF))
    shifted = find_footfalls(points, fps=250.0, start=500)
    np.testing.assert_allclose(shifted.time_s, whole.time_s + 2.0)


def test_who_stands_or_is_not_seen_has_no_footfalls():
    rng = np.random.default_rng(0)
    places = {limb: np.array([30.0 * (limb[1] == "F"), 15.0 * (limb[0] == "L"), 0]) for limb in LIMBS}
    stands = {limb: place + rng.normal(0, 0.3, (800, 3)) for limb, place in places.items()}
    assert len(find_footfalls(stands, fps=250.0)) == 0
    nothing = {limb: np.full((50, 3), np.nan) for limb in LIMBS}
    assert len(find_footfalls(nothing, fps=250.0)) == 0
    assert len(find_footfalls({limb: paw[:2] for limb, paw in stands.items()}, fps=250.0)) == 0
    with pytest.raises(DataError, match="two limbs"):
        find_footfalls({"LF": stands["LF"]}, fps=250.0)


def test_strides_have_the_length_of_the_way():
    points = stepping("walk", SWINGS["evenly"], BRISK, turn=30.0)
    found = footfalls(find_footfalls(points, fps=250.0), LIMBS)
    for limb in found:
        lengths = stride_lengths(limb, points[limb.limb], fps=250.0)
        np.testing.assert_allclose(lengths, 300 * 0.45, rtol=0.02)
        on_belt = points[limb.limb] + np.outer(np.arange(1500) / 250.0, [-100.0, 0, 0])
        again = stride_lengths(limb, on_belt, fps=250.0, belt=np.array([-100.0, 0.0]))
        np.testing.assert_allclose(again, lengths, rtol=1e-6)


def test_diagram_shows_who_stands():
    events = LimbEvents.from_times([("A", STRIKE, [0.0, 1.0]), ("A", OFF, [0.6, 1.6]), ("B", OFF, [0.2])])
    shown = footfall_diagram(events, ["A", "B", "C"], np.array([-0.1, 0.0, 0.5, 0.6, 0.9, 1.2, 1.7]))
    assert shown.astype(int).tolist() == [[0, 1, 1, 0, 0, 1, 0], [0] * 7, [0] * 7]


def test_nothing_is_nothing():
    found = footfalls(LimbEvents.from_times([]), LIMBS)
    phase, alike = limb_phases(found)
    assert np.isnan(phase).all()
    assert np.isnan(alike).all()
    only = footfalls(known("trot"), ("XX", "LH"))
    assert np.isnan(only[1].phase).all()
