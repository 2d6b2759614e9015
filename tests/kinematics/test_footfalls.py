"""Feet of trot, walk and gallop with known footfalls, as events and as points."""

import numpy as np
import pytest

from pose3d.data.events import OFF, STRIKE, LimbEvents
from pose3d.filtering.butterworth import butterworth_filter, design_butterworth
from pose3d.kinematics.footfalls import footfall_diagram, footfalls, limb_phases
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
