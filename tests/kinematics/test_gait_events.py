"""Events against force plates and a laboratory's labels, and on walks with known footfalls."""

from functools import cache

import numpy as np
import pytest

from pose3d.data.events import OFF, STRIKE, LimbEvents
from pose3d.filtering.butterworth import butterworth_filter, design_butterworth
from pose3d.io.c3d import read_c3d
from pose3d.kinematics.gait_events import EventSettings, belt_velocity, find_events, local_heading
from pose3d.kinematics.plate_events import find_plate_events
from pose3d.kinematics.strides import find_strides, stride_parameters

FIT = [f"plug-in-gait/{name}.c3d" for name in ("Gait", "PiG_Motion-FlatFoot-Full", "PiG_Motion3_FF")]
CHILDREN = {"HC002D": ("06", "25"), "HC030A": ("05", "22"), "HC032A": ("03", "18"), "HC039A": ("17", "31")}
STRAIGHT, TURN = (
    [f"children/{child}/{kind}_{child}{numbers[i]}.c3d" for child, numbers in CHILDREN.items()]
    for i, kind in enumerate(("Straight", "Turn"))
)
EDGE_S = 0.05  # a foot that strikes so near to an end of the data is not seen to stand, or to have come


@cache
def load(path):
    return read_c3d(path)


def low_passed(points, fps, hz=7.0):
    return butterworth_filter(points, design_butterworth(hz, fps=fps)).values


def found_in(recording, **settings):
    points, fps = recording.named(), recording.points.fps
    heels, toes = ({side: low_passed(points[side + end], fps) for side in "LR"} for end in ("HEE", "TOE"))
    pelvis = low_passed((points["LASI"] + points["RASI"]) / 2, fps)
    return find_events(heels, toes, pelvis, fps=fps, start=recording.points.start, settings=EventSettings(**settings))


def labelled(recording):
    return recording.events


def on_plates(recording):
    points = recording.named()
    heels, toes = ({side: points[side + end] for side in "LR"} for end in ("HEE", "TOE"))
    fps, start = recording.points.fps, recording.points.start
    return find_plate_events(recording.plates, heels, toes, fps=fps, start=start)


def compare(recordings, trials, reference, **settings):
    """Return differences in ms by kind, and what was missed and added."""
    away, missed, added = {STRIKE: [], OFF: []}, [], []
    for trial in trials:
        recording = load(recordings / "gait-lab" / trial)
        found, known = found_in(recording, **settings), reference(recording)
        first = recording.points.start / recording.points.fps
        last = first + (recording.points.n_frames - 1) / recording.points.fps
        for limb in "LR":
            for kind in (STRIKE, OFF):
                here, there = found.times(limb, kind), known.times(limb, kind)
                there = there[(there >= first) & (there <= last)]
                nearest = there[:, None] - here[None]
                for i, time in enumerate(there):
                    j = np.abs(nearest[i]).argmin() if len(here) else 0
                    if len(here) and abs(nearest[i, j]) < 0.15:
                        away[kind].append(-1000 * nearest[i, j])
                    elif first + EDGE_S < time < last - EDGE_S:
                        missed.append((trial, limb, kind, time))
                span = (known.time_s.min(), known.time_s.max()) if len(known) else (0, 0)
                for j, time in enumerate(here):
                    if span[0] < time < span[1] and not (np.abs(nearest[:, j]) < 0.15).any():
                        added.append((trial, limb, kind, time))
    return away, missed, added


@pytest.mark.parametrize(
    ("trials", "reference", "least"),
    [
        (STRAIGHT, labelled, 18),
        (STRAIGHT, on_plates, 8),
        (TURN[:3], labelled, 20),
        (TURN, on_plates, 6),
    ],
    ids=["straight-labels", "straight-plates", "turn-labels", "turn-plates"],
)
def test_events_of_children(recordings, trials, reference, least):
    """Bias and SD below 15 ms in each condition; in whole trials nothing is missed and nothing added.

    The constants come from other trials; the speed that tells of a strike was chosen with these in view.
    """
    away, missed, added = compare(recordings, trials, reference)
    for kind, ms in away.items():
        assert len(ms) >= least, kind
        assert abs(np.mean(ms)) <= 15, kind
        assert np.std(ms, ddof=1) <= 15, kind
    assert missed == []
    if reference is labelled:
        assert added == []


def test_the_constants_are_those_of_the_plates_of_plug_in_gait(recordings):
    """They take the bias away on the trials on which they were found, and say so in their documentation."""
    away, missed, _ = compare(recordings, FIT, on_plates)
    assert missed == []
    for kind in (STRIKE, OFF):
        assert abs(np.mean(away[kind])) < 1.0
    bare, *_ = compare(recordings, FIT, on_plates, strike_bias_s=0.0, off_bias_s=0.0)
    assert np.mean(bare[STRIKE]) == pytest.approx(1000 * EventSettings().strike_bias_s, abs=1)
    assert np.mean(bare[OFF]) == pytest.approx(1000 * EventSettings().off_bias_s, abs=1)


@pytest.mark.parametrize("trial", TURN)
def test_turns_give_strides_along_the_local_heading(recordings, trial):
    recording = load(recordings / "gait-lab" / trial)
    events, points = found_in(recording), recording.named()
    fps, start = recording.points.fps, recording.points.start
    heading, speed = local_heading(low_passed(points["PELO"], fps), fps=fps, window_s=0.6)
    turned = np.degrees(np.ptp(np.unwrap(np.arctan2(heading[:, 1], heading[:, 0]))))
    assert turned > 60
    assert np.nanmin(speed) > 200
    for side, other in ("LR", "RL"):
        strides = find_strides(events, side, other)
        found = stride_parameters(strides, points[side + "TOE"], points[other + "TOE"], fps=fps, start=start)
        assert strides.kept.sum() >= 1
        assert (found["speed"][strides.kept] > 0.3).all()
        assert (found["step_width"][strides.kept] < 0.4).all()


def walk(
    *, way, fps=100.0, seconds=8.0, d=1.1, stance=0.62, speed=1200.0, limbs=(("L", 0.0, 100.0), ("R", 0.5, -100.0))
):
    """Let feet stand and swing under a pelvis that follows a way: known strikes and offs.

    `way` gives the place (n, 2) and the direction (n,) rad at a length in mm; limbs are (name, phase, to the left).
    """
    time = np.arange(round(seconds * fps)) / fps

    def place(limb_time, left):
        xy, direction = way(speed * limb_time)
        return xy + left * np.stack([-np.sin(direction), np.cos(direction)], -1)

    heels, toes, known = {}, {}, []
    for name, phase, left in limbs:
        n = np.floor(time / d - phase)
        part = time / d - phase - n
        strike = (n + phase) * d
        reach = stance * d / 2  # the foot strikes as far ahead of the pelvis as it leaves behind it
        swing = np.clip((part - stance) / (1 - stance), 0, 1)
        ease = swing - np.sin(2 * np.pi * swing) / (2 * np.pi)
        here, there = place(strike + reach, left), place(strike + d + reach, left)
        foot = np.concatenate([here + ease[:, None] * (there - here), 120 * np.sin(np.pi * swing)[:, None]], -1)
        direction = way(speed * time)[1]
        ahead = np.stack([np.cos(direction), np.sin(direction), 0 * direction], -1)
        heels[name], toes[name] = foot - 60 * ahead, foot + 60 * ahead
        cycles = np.arange(-1, seconds / d + 1)
        known += [(name, STRIKE, (cycles + phase) * d), (name, OFF, (cycles + phase + stance) * d)]
    pelvis = np.column_stack([way(speed * time)[0], np.full(len(time), 900.0)])
    inside = [(limb, kind, times[(times > 0.1) & (times < seconds - 0.1)]) for limb, kind, times in known]
    return heels, toes, pelvis, LimbEvents.from_times(inside)


def straight(deg=0.0):
    direction = np.deg2rad(deg)
    return lambda s: (np.stack([s * np.cos(direction), s * np.sin(direction)], -1), np.full(np.shape(s), direction))


def circle(radius=1500.0):
    return lambda s: (radius * np.stack([np.sin(s / radius), 1 - np.cos(s / radius)], -1), s / radius)


def near(found, known, ms):
    for limb in set(known.limbs):
        for kind in (STRIKE, OFF):
            here, there = found.times(limb, kind), known.times(limb, kind)
            inner = there[(there > 0.4) & (there < there.max() - 0.3)]
            assert len(inner) > 3
            assert np.abs(here[None] - inner[:, None]).min(1).max() < ms / 1000, (limb, kind)
            assert abs(len(here) - len(there)) <= 2


@pytest.mark.parametrize("way", [straight(), straight(130.0), circle(), circle(900.0)])
@pytest.mark.parametrize("fps", [50.0, 120.0])
def test_known_footfalls_along_any_way(way, fps):
    heels, toes, pelvis, known = walk(way=way, fps=fps)
    near(find_events(heels, toes, pelvis, fps=fps), known, ms=60)


def test_events_lie_between_frames():
    """What 50 frames a second tell is what 200 tell, to a fraction of a frame."""
    few, many = (find_events(*walk(way=straight(), fps=fps)[:3], fps=fps) for fps in (50.0, 200.0))
    for limb in "LR":
        a, b = few.times(limb, STRIKE), many.times(limb, STRIKE)
        gap = np.abs(a[None] - b[:, None]).min(1)
        assert np.median(gap) < 0.01


def test_a_treadmill_is_the_same_walk():
    heels, toes, pelvis, known = walk(way=straight())
    belt = np.array([-1200.0, 0.0, 0.0]) * (np.arange(len(pelvis)) / 100.0)[:, None]
    on_belt = [{limb: value + belt for limb, value in part.items()} for part in (heels, toes)]
    np.testing.assert_allclose(belt_velocity(*on_belt, pelvis + belt, fps=100.0), [-1200, 0], atol=1)
    np.testing.assert_array_equal(belt_velocity(heels, toes, pelvis, fps=100.0), [0, 0])
    unseen = pelvis + belt
    unseen[200:220] = np.nan
    np.testing.assert_allclose(belt_velocity(*on_belt, unseen, fps=100.0), [-1200, 0], atol=1)
    found = find_events(*on_belt, pelvis + belt, fps=100.0)
    near(found, known, ms=60)
    over_ground = find_events(heels, toes, pelvis, fps=100.0)
    assert found.limbs == over_ground.limbs
    np.testing.assert_allclose(found.time_s, over_ground.time_s, atol=1e-3)


def test_who_stands_has_no_events():
    rng = np.random.default_rng(0)
    sway = np.cumsum(rng.normal(0, 0.3, (500, 3)), axis=0)
    feet = {limb: np.array([0.0, y, 40.0]) + rng.normal(0, 1, (500, 3)) for limb, y in (("L", 100), ("R", -100))}
    assert len(find_events(feet, feet, sway + np.array([0, 0, 900]), fps=100.0)) == 0


def test_the_floor_may_lie_at_any_height():
    heels, toes, pelvis, _ = walk(way=straight())
    rng = np.random.default_rng(0)
    pelvis = pelvis + low_passed(rng.normal(0, 30, pelvis.shape), 100.0)  # no two strides are alike
    known = find_events(heels, toes, pelvis, fps=100.0)
    assert len(known) > 20
    for height in (-2000.0, 9000.0):
        up = np.array([0, 0, height])
        raised = [{limb: value + up for limb, value in part.items()} for part in (heels, toes)]
        np.testing.assert_allclose(find_events(*raised, pelvis + up, fps=100.0).time_s, known.time_s, atol=1e-9)


def test_gaps_and_nothing_at_all():
    heels, toes, pelvis, _ = walk(way=straight())
    heels["L"] = heels["L"].copy()
    heels["L"][300:400] = np.nan
    found = find_events(heels, toes, pelvis, fps=100.0)
    strikes = found.times("L", STRIKE)
    assert not ((strikes > 3.0) & (strikes < 4.0)).any()
    whole = find_events({**heels, "L": walk(way=straight())[0]["L"]}, toes, pelvis, fps=100.0)
    np.testing.assert_allclose(found.times("R", OFF), whole.times("R", OFF))
    nothing = {limb: np.full((50, 3), np.nan) for limb in "LR"}
    assert len(find_events(nothing, nothing, np.full((50, 3), np.nan), fps=100.0)) == 0
    assert (
        len(find_events(*({limb: v[:1] for limb, v in part.items()} for part in (heels, toes)), pelvis[:1], fps=100.0))
        == 0
    )


@pytest.mark.parametrize(
    ("phases", "duty"),
    [
        ({"LF": 0.0, "RH": 0.0, "RF": 0.5, "LH": 0.5}, 0.45),  # trot
        ({"LH": 0.0, "LF": 0.25, "RH": 0.5, "RF": 0.75}, 0.65),  # walk
    ],
)
def test_animals_with_more_legs(phases, duty):
    limbs = [(name, phase, 20.0 if name[0] == "L" else -20.0) for name, phase in phases.items()]
    heels, _, pelvis, known = walk(way=circle(2000.0), limbs=limbs, d=0.3, stance=duty, speed=400.0, seconds=4.0)
    pelvis[:, 2] = 60.0
    found = find_events(heels, heels, pelvis, fps=100.0, settings=EventSettings(strike_bias_s=0.0, off_bias_s=0.0))
    for limb in phases:
        strikes = found.times(limb, STRIKE)
        assert np.abs(strikes[None] - known.times(limb, STRIKE)[2:-2, None]).min(1).max() < 0.03
