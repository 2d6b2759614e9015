"""Angles against the room where somebody leaves the laboratory's axis."""

import numpy as np
import pytest

from pose3d.io.c3d import read_c3d
from pose3d.kinematics.headings import lab_heading, walker_heading
from pose3d.kinematics.segments import segment_angles

ROOM = ("pelvis_rotation", "foot_progression", "pelvis_obliquity")


@pytest.mark.parametrize("trial", ["HC002D/Straight_HC002D06", "HC032A/Straight_HC032A03", "HC039A/Straight_HC039A17"])
def test_straight_walks_are_measured_as_vicon_does(recordings, trial):
    points = read_c3d(recordings / "gait-lab" / "children" / f"{trial}.c3d").points
    fixed, following = segment_angles(points), segment_angles(points, follow_turns=True)
    np.testing.assert_array_equal(fixed.deg, following.deg)


def test_after_a_turn_the_pelvis_is_measured_against_the_new_way(recordings):
    points = read_c3d(recordings / "gait-lab" / "children" / "HC030A" / "Turn_HC030A22.c3d").points
    fixed, following = segment_angles(points), segment_angles(points, follow_turns=True)
    rows = [fixed.names.index(f"pelvis_rotation_{side}") for side in "lr"]
    worst = [np.nanmax(np.abs(angles.deg[:, 0, rows])) for angles in (fixed, following)]
    assert worst[0] > 80
    assert worst[1] < 45  # in the turn itself
    assert np.nanmin(np.abs(fixed.deg[-125:, 0, rows])) > 80
    assert np.nanmax(np.abs(following.deg[-125:, 0, rows])) < 15
    hips = [fixed.names.index(f"hip_flexion_{side}") for side in "lr"]
    np.testing.assert_array_equal(fixed.deg[:, 0, hips], following.deg[:, 0, hips])


def test_a_way_across_the_room_is_followed():
    time = np.arange(300) / 100
    for direction, follows in ((0.0, False), (20.0, False), (50.0, True), (-40.0, True), (90.0, False)):
        way = np.array([np.cos(np.deg2rad(direction)), np.sin(np.deg2rad(direction)), 0.0])
        origin = 1200 * time[:, None] * way + np.array([0, 0, 900.0])
        axes = np.broadcast_to(np.stack([way, np.cross([0, 0, 1.0], way), [0, 0, 1.0]], axis=-1), (300, 3, 3))
        fixed = lab_heading(origin, axes[..., 0])
        found = walker_heading(origin, axes, fps=100.0)
        np.testing.assert_allclose(found, np.broadcast_to(axes if follows else fixed, found.shape), atol=1e-9)
