"""Events in every posterior sample, and the intervals of times, phases and lengths that come of it."""

import time
from dataclasses import replace

import numpy as np
import pytest

from pose3d.batch.gait import gait_events, level_rotation, measure_walk, turn_points
from pose3d.batch.gait_samples import event_samples
from pose3d.data import Keypoints3D, PosteriorSamples, Skeleton
from pose3d.data.events import STRIKE, LimbEvents
from pose3d.demo.person import make_person
from pose3d.demo.walk import walk_body
from pose3d.errors import DataError
from pose3d.kinematics.estimates import estimate
from pose3d.kinematics.gait import foot_points, measure_gait
from pose3d.kinematics.noise_samples import samples_from_noise

FPS, NOISE_MM = 100.0, 1.0
SKELETON = Skeleton.preset("halpe26")
PARAMETERS = ("stride_time", "foot_off", "step_time", "stride_length", "step_length", "double_support")


@pytest.fixture(scope="module")
def clean_walk():
    """Points of somebody who walks, as they are."""
    rng = np.random.default_rng(3)
    person = make_person(np.random.default_rng(7))
    _, _, frames = walk_body(person, n_frames=400, fps=FPS, rng=rng)
    return Keypoints3D.from_points(frames.keypoints(SKELETON)[:, None], SKELETON.keypoints, ("one",), fps=FPS, start=20)


def noisy(points, seed, *, n=50):
    """Make a recording with errors, and samples whose errors are alike."""
    seen = replace(points, xyz=samples_from_noise(points, NOISE_MM, n=1, seed=1000 + seed).sample(0))
    return seen, samples_from_noise(seen, NOISE_MM, n=n, seed=seed)


def sampled_gait(points, samples, events, times):
    walk = measure_walk(points, events, most_turn_deg=None)
    toes = foot_points(points.keypoints).toes
    xyz = np.moveaxis(np.asarray(samples.xyz[:, :, 0], dtype=float), 1, 0)
    feet = {side: xyz[..., samples.keypoints.index(name), :] for side, name in toes.items()}
    return walk, measure_gait(events, feet, {}, fps=FPS, start=points.start, walk=walk, event_times=times)


@pytest.mark.slow
def test_event_times_and_what_depends_on_them_lie_within_their_intervals(clean_walk):
    """The truth here is what the same search finds in the points without errors."""
    known = gait_events(clean_walk)
    true = measure_walk(clean_walk, known, most_turn_deg=None)
    held, sds, errors = {}, {}, {}

    def note(name, made, truth):
        there = np.isfinite(made.low) & np.isfinite(truth)
        held.setdefault(name, []).extend(((made.low <= truth) & (truth <= made.high))[there])
        sds.setdefault(name, []).extend(made.sd[there])
        errors.setdefault(name, []).extend((made.value - truth)[there])

    for seed in range(20):
        points, samples = noisy(clean_walk, seed)
        events = gait_events(points)
        if [*zip(events.limbs, events.kinds, strict=True)] != [*zip(known.limbs, known.kinds, strict=True)]:
            continue
        times = event_samples(points, samples, events)
        for key, drawn in times.items():
            note(f"{key[1]} s", estimate(events.times(*key), drawn), known.times(*key))
        walk, many = sampled_gait(points, samples, events, times)
        for side, own in walk.sides.items():
            for name in PARAMETERS:
                made = estimate(own.parameters[name], many.sides[side].parameters[name])
                note(name, made, true.sides[side].parameters[name])
    assert len(held["strike s"]) > 100
    for name, each in held.items():
        assert 0.90 <= np.mean(each) <= 0.99, name  # of a hundred or two that hang together
        predicted, real = np.sqrt(np.mean(np.square(sds[name]))), np.sqrt(np.mean(np.square(errors[name])))
        assert predicted == pytest.approx(real, rel=0.15), name
    assert 0.0005 < np.mean(sds["strike s"]) < 0.01


def test_a_corrected_event_keeps_its_place(clean_walk):
    points, samples = noisy(clean_walk, 40)
    events = gait_events(points)
    moved = events.times("L", STRIKE) + np.where(np.arange(len(events.times("L", STRIKE))) == 1, 0.05, 0.0)
    own = {(limb, kind): events.times(limb, kind) for limb, kind in {*zip(events.limbs, events.kinds, strict=True)}} | {
        ("L", STRIKE): moved,
        ("R", STRIKE): np.append(events.times("R", STRIKE), 40.0),
    }
    drawn = event_samples(points, samples, LimbEvents.from_times([(*key, each) for key, each in own.items()]))
    before = event_samples(points, samples, events)
    np.testing.assert_allclose(drawn["L", STRIKE][:, 1], before["L", STRIKE][:, 1] + 0.05)
    np.testing.assert_allclose(drawn["L", STRIKE][:, 0], before["L", STRIKE][:, 0])
    assert np.isnan(drawn["R", STRIKE][:, -1]).all()  # nothing in the points tells how well it is known
    assert np.isfinite(drawn["R", STRIKE][:, :-1]).all()


def test_samples_of_a_world_that_was_levelled(clean_walk):
    points, samples = noisy(clean_walk, 41, n=9)
    tipped = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
    lying = turn_points(points, tipped, np.zeros(3))
    turned = PosteriorSamples(samples.xyz @ tipped.T.astype(np.float32), ("one",), samples.keypoints, FPS, 20)
    level = level_rotation(lying)
    upright = turn_points(lying, *level)
    events = gait_events(upright)
    drawn = event_samples(upright, turned, events, level=level)
    straight = event_samples(points, samples, gait_events(points))
    for key, each in drawn.items():
        assert each.shape == (9, len(events.times(*key)))
        assert np.nanstd(each, axis=0).mean() == pytest.approx(np.nanstd(straight[key], axis=0).mean(), rel=0.3)


def test_samples_of_another_recording_are_no_samples_of_this_one(clean_walk):
    points, samples = noisy(clean_walk, 42, n=2)
    events = gait_events(points)
    short = PosteriorSamples(samples.xyz[:-1], ("one",), samples.keypoints, FPS, 20)
    other = PosteriorSamples(samples.xyz, ("two",), samples.keypoints, FPS, 20)
    for wrong in (short, other):
        with pytest.raises(DataError, match="samples are not those of the points of one"):
            event_samples(points, wrong, events)
    with pytest.raises(DataError, match="frame rate"):
        event_samples(replace(points, fps=None), samples, events)


def test_a_minute_of_fifty_samples_takes_two_seconds(clean_walk):
    points, samples = noisy(clean_walk, 43)
    forth = [1, -1]
    xyz = np.concatenate([samples.xyz[::way] for way in forth * 8])[:6000]  # to and fro
    there = np.concatenate([points.xyz[::way] for way in forth * 8])[:6000]
    points = Keypoints3D.from_points(there, points.keypoints, ("one",), fps=FPS)
    samples = PosteriorSamples(xyz, ("one",), points.keypoints, FPS)
    events = gait_events(points)
    assert len(events) > 80
    before = time.process_time()
    event_samples(points, samples, events)
    assert time.process_time() - before < 3.0
