"""Angles of keypoint skeletons beside those of Plug-in Gait, from its own joint centres: errors of definition."""

import numpy as np
import pytest

from pose3d.io.c3d import read_c3d
from pose3d.kinematics.definitions import included_angle
from pose3d.kinematics.human import human_angles

WALKS = [
    *("plug-in-gait/PiG_Motion-FlatFoot-Full.c3d", "plug-in-gait/PiG_Motion3_FF.c3d"),
    *(
        f"children/{child}/{kind}_{child}{number}.c3d"
        for child, numbers in {"HC002D": "06 25", "HC030A": "05 22", "HC032A": "03 18", "HC039A": "17 31"}.items()
        for kind, number in zip(("Straight", "Turn"), numbers.split(), strict=True)
    ),
]


@pytest.fixture(scope="module")
def legs(recordings):
    """Joint centres, keypoint angles and stored angles of every leg."""
    found = []
    for walk in WALKS:
        recording = read_c3d(recordings / "gait-lab" / walk)
        points = recording.named()
        centres = {
            side + joint: points[side + end]
            for side in "LR"
            for joint, end in (("Hip", "FEP"), ("Knee", "FEO"), ("Ankle", "TIO"))
        }
        angles = human_angles(centres)
        for side in "LR":
            own = {name: angles[f"{name}_{side.lower()}"] for name in ("knee_flexion", "hip_adduction")}
            stored = {name.rstrip("V"): value for name, value in recording.angles.items()}
            found.append(({name[1:]: value for name, value in centres.items() if name[0] == side}, own, stored, side))
    return found


def errors(difference):
    known = difference[np.isfinite(difference)]
    assert len(known) > 100
    return np.sqrt((known**2).mean()), np.abs(known).max()


def test_knee_flexion_of_keypoints(legs):
    rmse, worst = np.transpose(
        [errors(own["knee_flexion"] - stored[f"{s}KneeAngles"][:, 0]) for _, own, stored, s in legs]
    )
    assert len(rmse) == 20
    assert rmse.mean() <= 0.6
    assert rmse.max() <= 1.2
    assert worst.max() <= 3.0


def test_the_angle_between_three_points_is_worse(legs):
    rmse, worst = np.transpose(
        [
            errors(180 - included_angle(c["Hip"] - c["Knee"], c["Ankle"] - c["Knee"]) - stored[f"{s}KneeAngles"][:, 0])
            for c, _, stored, s in legs
        ]
    )
    assert rmse.mean() > 1.2
    assert worst.max() > 6


def test_hip_adduction_of_keypoints(legs):
    """It depends on the line of the hips and the thigh alone."""
    known = [(own, stored[f"{s}HipAngles"]) for _, own, stored, s in legs if f"{s}HipAngles" in stored]
    rmse, _ = np.transpose([errors(own["hip_adduction"] - stored[:, 1]) for own, stored in known])
    assert len(rmse) >= 18
    assert rmse.mean() <= 0.15
    assert rmse.max() <= 0.3
