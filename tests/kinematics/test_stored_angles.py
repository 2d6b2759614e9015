"""Plug-in Gait's stored angles under our names, and ours under its names."""

import numpy as np
import pytest

from pose3d.data import JointAngles
from pose3d.io.c3d import read_c3d
from pose3d.kinematics import joint_angles
from pose3d.kinematics.joint_markers import with_joint_centres
from pose3d.kinematics.segments import CARDAN_JOINTS, segment_angles
from pose3d.kinematics.stored_angles import angles_as_stored, angles_from_stored, largest_difference

WALKS = ["plug-in-gait/PiG_Motion-FlatFoot-Full.c3d", "plug-in-gait/PiG_Motion3_FF.c3d"]
WALKS += ["children/HC030A/Turn_HC030A22.c3d"]


@pytest.mark.parametrize("walk", WALKS)
def test_stored_angles_have_our_signs_and_names(recordings, walk):
    """What the laboratory stored equals what the axes give, angle by angle, sign and side included."""
    recording = read_c3d(recordings / "gait-lab" / walk)
    computed = segment_angles(recording.points)
    own = {name: computed.deg[:, 0, i] for i, name in enumerate(computed.names)}
    stored = angles_from_stored(recording.angles)
    assert {name for name in own if np.isfinite(own[name]).any()} == set(stored)
    away = largest_difference(own, stored)
    assert away.keys() == stored.keys()
    assert max(away.values()) < 1e-3
    turned = largest_difference({name: -values for name, values in own.items()}, stored)
    assert sum(value > 1 for value in turned.values()) > 0.9 * len(turned)  # a wrong sign would be seen


@pytest.mark.parametrize("walk", WALKS)
def test_angles_of_a_model_go_under_its_names(recordings, walk):
    recording = read_c3d(recordings / "gait-lab" / walk)
    named = angles_as_stored(segment_angles(recording.points))
    stored = {name.removesuffix("V"): values for name, values in recording.angles.items()}
    assert all(name.endswith("Angles") for name in named)
    for name, values in named.items():
        known = np.isfinite(stored[name]).all(-1)
        assert np.abs((values[known] - stored[name][known] + 180) % 360 - 180).max() < 1e-3


def test_angles_of_keypoints_keep_their_own_names():
    names = ("knee_flexion_l", "elbow_flexion_r", "hip_flexion_trunk_l")
    deg = np.arange(12.0).reshape(4, 1, 3)
    deg[2] = np.nan
    named = angles_as_stored(JointAngles(deg, names, ("one",)))
    assert tuple(named) == names
    np.testing.assert_array_equal(named["knee_flexion_l"][[0, 2]], [[0, 0, 0], [np.nan] * 3])


def test_a_joint_with_a_component_missing_in_a_frame_is_missing_there():
    names = [f"{component.name}_l" for component in CARDAN_JOINTS[2].components]
    deg = np.ones((2, 1, 3))
    deg[1, 0, 1] = np.nan
    named = angles_as_stored(JointAngles(deg, names, ("one",)))
    np.testing.assert_array_equal(named["LKneeAngles"], [[1, 1, 1], [np.nan] * 3])


def test_centres_of_a_model_are_joints_and_skin_markers_are_not(recordings):
    recording = read_c3d(recordings / "gait-lab" / WALKS[0])
    points = with_joint_centres(recording.points)
    added = {"Hip", "Knee", "Ankle", "Heel", "BigToe", "Shoulder", "Elbow", "Wrist"}
    assert set(points.keypoints) - set(recording.points.keypoints) == {side + joint for side in "LR" for joint in added}
    angles = joint_angles(points)
    knee = angles.deg[:, 0, angles.names.index("knee_flexion_l")]
    assert np.sqrt(np.nanmean((knee - recording.angles["LKneeAngles"][:, 0]) ** 2)) < 1.2
    skin = read_c3d(recordings / "gait-lab" / "plug-in-gait" / "Gait.c3d").points
    assert not {"LHip", "LKnee", "LAnkle"} & set(with_joint_centres(skin).keypoints)


def test_the_middle_of_two_markers_is_a_joint(make_points):
    rng = np.random.default_rng(0)
    at = {name: rng.normal(size=(3, 3)) for name in ("LKNE", "LKNM", "r_knee_study", "r_mknee_study", "LKnee", "LHJC")}
    added = with_joint_centres(make_points(at))
    where = {name: added.xyz[:, 0, i] for i, name in enumerate(added.keypoints)}
    np.testing.assert_array_equal(where["LKnee"], at["LKnee"])  # what is there stays
    np.testing.assert_array_equal(where["LHip"], at["LHJC"])
    np.testing.assert_allclose(where["RKnee"], (at["r_knee_study"] + at["r_mknee_study"]) / 2)
