"""What the sequence of Plug-in Gait is in other people's words: Grood and Suntay's axes, and the frames of the ISB."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from pose3d.kinematics.segments import CARDAN_JOINTS, cardan_angles

ISB = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]).T  # X forwards, Y up, Z to the right, in our axes; columns


def some_frames(seed, n=20):
    rng = np.random.default_rng(seed)
    proximal = Rotation.random(n, rng=rng).as_matrix()
    turns = rng.uniform([-170, -80, -170], [170, 80, 170], (n, 3))
    return proximal, proximal @ Rotation.from_euler("YXZ", turns, degrees=True).as_matrix()


@given(st.integers(0, 10_000))
def test_yxz_is_the_joint_coordinate_system_of_grood_and_suntay(seed):
    """Flexion about the proximal line from side to side, rotation about the distal long axis, the rest floats between.

    By their definition, without any Euler angle: J. Biomech. Eng. 105:136 (1983).
    """
    proximal, distal = some_frames(seed)
    fixed, long = proximal[..., :, 1], distal[..., :, 2]
    floating = np.cross(fixed, long)
    floating = floating / np.linalg.norm(floating, axis=-1, keepdims=True)

    def dot(a, b):
        return (a * b).sum(-1)

    flexion = np.degrees(np.arctan2(-dot(floating, proximal[..., :, 2]), dot(floating, proximal[..., :, 0])))
    between = np.degrees(np.arcsin(-dot(fixed, long)))
    rotation = np.degrees(np.arctan2(-dot(floating, distal[..., :, 1]), dot(floating, distal[..., :, 0])))
    found = cardan_angles(proximal, distal, "YXZ")
    np.testing.assert_allclose(found, np.stack([flexion, between, rotation], -1), atol=1e-6)


@given(st.integers(0, 10_000))
def test_frames_of_the_isb_are_the_same_relabelled(seed):
    """X forwards, Y up, Z to the right: its ZXY sequence has our angles, the first with the other sign."""
    proximal, distal = some_frames(seed)
    theirs = cardan_angles(proximal @ ISB, distal @ ISB, "ZXY")
    np.testing.assert_allclose(theirs * [-1, 1, 1], cardan_angles(proximal, distal, "YXZ"), atol=1e-9)
    assert np.linalg.det(ISB) == 1


def test_all_leg_joints_are_measured_in_that_sequence():
    assert {joint.sequence for joint in CARDAN_JOINTS if joint.name in ("hip", "knee", "ankle")} == {"YXZ"}
