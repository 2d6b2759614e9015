"""The walking person: proportions, the curves of normal gait, and feet that stay on the floor."""

from functools import cache

import numpy as np
import pytest

from pose3d.data.skeleton import Skeleton
from pose3d.demo.gait import CURVES, gait_curve
from pose3d.demo.person import make_person
from pose3d.demo.walk import joint_truth, walk_body

SEEDS = (0, 1, 2, 3, 4)


@cache
def walk(seed, n_frames=120):
    rng = np.random.default_rng(seed)
    person = make_person(rng)
    return person, *walk_body(person, n_frames=n_frames, fps=50.0, rng=rng)


def knee_from_points(points, letter):
    hip, knee, ankle = (points[letter + name] for name in ("Hip", "Knee", "Ankle"))
    z = (hip - knee) / np.linalg.norm(hip - knee, axis=-1, keepdims=True)
    y = points["LHip"] - points["RHip"]
    y = y - (y * z).sum(-1, keepdims=True) * z
    x = np.cross(y / np.linalg.norm(y, axis=-1, keepdims=True), z)
    shank = knee - ankle
    return np.degrees(np.arctan2((shank * x).sum(-1), (shank * z).sum(-1)))


def ankle_from_points(points, letter):
    shank, foot = (
        points[letter + "Knee"] - points[letter + "Ankle"],
        points[letter + "BigToe"] - points[letter + "Heel"],
    )
    cosine = (shank * foot).sum(-1) / np.linalg.norm(shank, axis=-1) / np.linalg.norm(foot, axis=-1)
    return 90 - np.degrees(np.arccos(cosine))


def test_curves_pass_through_their_knots_and_close():
    for name, knots in CURVES.items():
        np.testing.assert_allclose(gait_curve(name, np.arange(20) / 20), knots, atol=1e-9)
        np.testing.assert_allclose(gait_curve(name, [-1e-9, 3.7]), gait_curve(name, [1 - 1e-9, 0.7]), atol=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_segments_keep_their_lengths(seed):
    person, _, _, frames = walk(seed)
    at = frames.points
    for letter in "LR":
        for a, b, length in (
            ("Hip", "Knee", person.thigh),
            ("Knee", "Ankle", person.shank),
            ("Shoulder", "Elbow", person.upper_arm),
            ("Elbow", "Wrist", person.forearm),
        ):
            found = np.linalg.norm(at[letter + a] - at[letter + b], axis=-1)
            np.testing.assert_allclose(found, length, rtol=0, atol=1e-9)
        for a, b in (("Heel", "BigToe"), ("Ankle", "SmallToe"), ("Eye", "Ear")):
            assert np.ptp(np.linalg.norm(at[letter + a] - at[letter + b], axis=-1)) < 1e-9
    # top of the head above the floor: within 4 % of the height while walking
    assert np.ptp(at["Head"][:, 2]) < 60
    assert at["Head"][:, 2].mean() == pytest.approx(person.height, rel=0.04)


@pytest.mark.parametrize("seed", SEEDS)
def test_joint_angles_follow_the_curves_of_normal_gait(seed):
    _, stride, pose, frames = walk(seed)
    truth = joint_truth(pose, frames)
    assert 1000 < stride.speed < 1700  # mm/s
    for letter in "lr":
        hip, knee = truth[f"hip_flexion_{letter}"], truth[f"knee_flexion_{letter}"]
        ankle, thigh = truth[f"ankle_dorsiflexion_{letter}"], truth[f"hip_flexion_trunk_{letter}"]
        assert 30 < hip.max() < 40
        assert -16 < hip.min() < -6
        assert 57 < knee.max() < 66
        assert 0 < knee.min() < 8
        assert 8 < ankle.max() < 16
        assert -22 < ankle.min() < -11
        assert thigh.max() > 20
        assert -26 < thigh.min() < -8
    phase = np.arange(100) / 100
    for name, bound in (("hip_flexion", 5), ("knee_flexion", 4), ("ankle_dorsiflexion", 8), ("hip_adduction", 3)):
        harmonics = (len(stride.joints[name]) - 1) // 2
        angle = 2 * np.pi * phase[:, None] * np.arange(1, harmonics + 1)
        waves = np.stack([np.cos(angle), np.sin(angle)], axis=-1).reshape(100, -1)
        curve = stride.joints[name][0] + waves @ stride.joints[name][1:]
        assert np.abs(curve - gait_curve(name, phase)).max() < bound, name


@pytest.mark.parametrize("seed", SEEDS)
def test_angles_of_the_keypoints_are_those_of_the_model(seed):
    _, _, pose, frames = walk(seed)
    truth = joint_truth(pose, frames)
    for letter in "LR":
        # hip rotation turns the knee's axis out of the line of the hips, the toe-out the foot out of the shank's plane
        knee = knee_from_points(frames.points, letter) - truth[f"knee_flexion_{letter.lower()}"]
        ankle = ankle_from_points(frames.points, letter) - truth[f"ankle_dorsiflexion_{letter.lower()}"]
        assert np.abs(knee).max() < 0.5
        assert np.abs(ankle).max() < 0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_the_stance_foot_neither_slides_nor_sinks(seed):
    _, _, _, frames = walk(seed)
    soles = frames.soles  # frame, side, place, xyz
    height = soles[..., 2]
    assert height.min() > -3.0  # mm
    assert height.min(axis=(1, 2)).max() < 3.0  # somebody who walks always touches the floor
    # a foot that lies flat has not moved since it came to lie flat
    checked = 0
    for side in range(2):
        flat = (height[:, side, :2] < 3.0).all(-1)
        for start in np.flatnonzero(flat & ~np.roll(flat, 1)):
            stop = start
            while stop < len(flat) and flat[stop]:
                stop += 1
            if stop - start >= 5:
                place = soles[start:stop, side, 1, :2]
                assert np.ptp(place, axis=0).max() < 6.0
                checked += 1
    assert checked >= 3


def test_both_legs_do_the_same_half_a_cycle_apart():
    _, stride, pose, _ = walk(0, n_frames=200)
    shift = stride.period / 2 * 50
    n = np.arange(200, dtype=float)
    left, right = pose.knee_flexion
    later = np.interp(n + shift, n, left)
    inside = n + shift < 199
    assert np.abs(later - right)[inside].max() < 2.0  # linear interpolation between frames


def test_seeds_differ_and_repeat():
    skeleton = Skeleton.preset("halpe26")
    again = walk.__wrapped__(0)[3].keypoints(skeleton)
    first, other = (walk(seed)[3].keypoints(skeleton) for seed in (0, 1))
    np.testing.assert_array_equal(first, again)
    assert first.shape == (120, 26, 3)
    assert np.abs(first - other).max() > 20
