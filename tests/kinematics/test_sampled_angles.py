"""Angles with intervals from the samples of their points."""

import logging

import numpy as np
import pytest

from pose3d.data import JointAngles, Keypoints3D, PosteriorSamples, Skeleton
from pose3d.demo.person import make_person
from pose3d.demo.walk import walk_body
from pose3d.errors import DataError
from pose3d.kinematics import body_angles, joint_angles
from pose3d.kinematics.noise_samples import samples_from_noise
from pose3d.kinematics.sampled_angles import unsigned_angles, with_intervals

SKELETON = Skeleton.preset("halpe26")
FLEX = {"elbow": ["LShoulder", "LElbow", "LWrist"], "turn": ["axis", "LHip", "LKnee", "LAnkle"]}


@pytest.fixture(scope="module")
def noisy_walk():
    """True points, points with errors of 3 mm, and samples."""
    person = make_person(np.random.default_rng(1))
    _, _, frames = walk_body(person, n_frames=200, fps=100.0, rng=np.random.default_rng(2))
    true = Keypoints3D.from_points(frames.keypoints(SKELETON)[:, None], SKELETON.keypoints, ("one",), fps=100.0)
    seen = samples_from_noise(true, 3.0, n=1, seed=5, correlation_s=0.02)
    points = Keypoints3D.from_points(seen.sample(0), SKELETON.keypoints, ("one",), fps=100.0)
    return true, points, samples_from_noise(points, 3.0, n=60, seed=6, correlation_s=0.02)


def test_angles_of_the_body_lie_within_their_intervals(noisy_walk):
    true, points, samples = noisy_walk
    found = body_angles(points)
    made = with_intervals(found, points, samples, body_angles, unsigned=unsigned_angles())
    assert np.array_equal(made.deg, found.deg, equal_nan=True)
    known = body_angles(true).deg
    there = np.isfinite(known) & np.isfinite(made.low_deg)
    inside = (made.low_deg <= known) & (known <= made.high_deg)
    assert 0.92 <= inside[there].mean() <= 0.98
    for i, name in enumerate(found.names):
        own = there[..., i]
        if own.mean() > 0.9:
            assert 0.85 <= inside[..., i][own].mean() <= 1.0, name
            sd, error = made.sd_deg[..., i][own], (found.deg - known)[..., i][own]
            assert np.sqrt(np.mean(sd**2)) == pytest.approx(np.sqrt(np.mean(error**2)), rel=0.35), name
    assert there[..., found.names.index("knee_flexion_l")].all()


def test_angles_of_ones_own_definition(noisy_walk, caplog):
    _, points, samples = noisy_walk
    found = joint_angles(points, FLEX)
    assert unsigned_angles(FLEX, points.keypoints) == {"elbow"}
    with caplog.at_level(logging.INFO, logger="pose3d"):
        made = with_intervals(
            found, points, samples, lambda each: joint_angles(each, FLEX), unsigned=unsigned_angles(FLEX)
        )
    assert not caplog.records  # what is said of the points is not said of every sample
    assert made.names == ("elbow", "turn")
    assert (made.low_deg <= made.high_deg)[np.isfinite(made.low_deg)].all()
    assert np.nanmax(made.high_deg[..., 0]) <= 180


def test_an_angle_near_half_a_turn_has_a_narrow_interval():
    n = 80
    rng = np.random.default_rng(3)

    def compute(points):
        deg = np.degrees(np.arctan2(points.xyz[..., 0, 1], points.xyz[..., 0, 0]))
        return JointAngles(deg[..., None], ("turn",), points.individuals, fps=points.fps)

    xyz = np.tile([-100.0, 0.0, 0.0], (n, 1, 1, 1))
    points = Keypoints3D.from_points(xyz, ("a",), ("one",), fps=50.0)
    drawn = xyz[:, None] + rng.normal(0, 1, (n, 60, 1, 1, 3))
    samples = PosteriorSamples(drawn, ("one",), ("a",), 50.0)
    made = with_intervals(compute(points), points, samples, compute)
    assert np.nanmax(made.high_deg - made.low_deg) < 5
    assert (made.low_deg < 180).all()
    assert (made.high_deg > 180).all()


def test_a_straight_limb_may_be_straight():
    """Unsigned and seen bent by noise alone: the interval reaches 180 degrees."""
    rng = np.random.default_rng(4)
    straight = np.zeros((100, 1, 3, 3)) + np.array([[0, 0, 300.0], [0, 0, 0], [0, 0, -300.0]])
    seen = straight + rng.normal(0, 2, straight.shape)
    drawn = seen[:, None] + rng.normal(0, 2, (100, 60, 1, 3, 3))
    points = Keypoints3D.from_points(seen, ("a", "b", "c"), ("one",), fps=50.0)
    samples = PosteriorSamples(drawn, ("one",), points.keypoints, 50.0)
    definition = {"knee": ["a", "b", "c"]}
    found = joint_angles(points, definition)
    plain, made = (
        with_intervals(found, points, samples, lambda each: joint_angles(each, definition), unsigned=unsigned)
        for unsigned in ((), ("knee",))
    )
    assert (plain.high_deg < 179.9).mean() > 0.9
    assert (made.high_deg >= 180 - 1e-6).mean() >= 0.94
    assert (made.low_deg < found.deg).mean() > 0.9


def test_somebody_who_lies_has_fewer_angles_than_who_stands(noisy_walk):
    _, points, samples = noisy_walk
    few = slice(0, 20)
    lying = [each[few][..., [2, 1, 0]] for each in (points.xyz, samples.xyz)]
    both = [np.concatenate(pair, axis=-3) for pair in zip((points.xyz[few], samples.xyz[few]), lying, strict=True)]
    two = Keypoints3D.from_points(both[0], SKELETON.keypoints, ("one", "two"), fps=100.0)
    drawn = PosteriorSamples(both[1], ("one", "two"), SKELETON.keypoints, 100.0)
    made = with_intervals(body_angles(two), two, drawn, body_angles)
    known = np.isfinite(made.low_deg).any(0)
    assert (known == np.isfinite(made.deg).any(0)).all()
    assert known[0].sum() > known[1].sum() > 0


def test_few_samples_and_samples_of_others(noisy_walk):
    _, points, samples = noisy_walk
    few = PosteriorSamples(samples.xyz[:, :20], samples.individuals, samples.keypoints, 100.0)
    made = with_intervals(body_angles(points), points, few, body_angles)
    assert np.isnan(made.low_deg).all()
    assert np.isfinite(made.sd_deg[..., 0]).all()
    for wrong in (
        PosteriorSamples(samples.xyz[:-1], samples.individuals, samples.keypoints, 100.0),
        PosteriorSamples(samples.xyz, ("two",), samples.keypoints, 100.0),
        PosteriorSamples(samples.xyz[..., :-1, :], samples.individuals, samples.keypoints[:-1], 100.0),
    ):
        with pytest.raises(DataError, match="not those of these points"):
            with_intervals(body_angles(points), points, wrong, body_angles)
