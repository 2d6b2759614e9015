"""A tree of joints with constant bones: exact where bones are constant, close where they are not."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pose3d.data import Keypoints3D, Skeleton
from pose3d.data.armature import Armature
from pose3d.demo.person import make_person
from pose3d.demo.walk import walk_body
from pose3d.errors import DataError
from pose3d.io.c3d import read_c3d
from pose3d.kinematics.armature import HUMAN_BONES, body_bones, build_armature
from pose3d.kinematics.joint_markers import JOINT_MARKERS, with_joint_centres, with_midpoints


def walker(skeleton="halpe26", n_frames=90, middle="Hip"):
    rng = np.random.default_rng(2)
    _, _, frames = walk_body(make_person(rng), n_frames=n_frames, fps=60.0, rng=rng)
    named = Skeleton.preset(skeleton)
    names = ["CHip" if name == "Hip" and middle == "CHip" else name for name in named.keypoints]
    return Keypoints3D.from_points(frames.keypoints(named)[:, None], names, ("one",), fps=60.0)


def turned(points, angle):
    xyz = points.xyz @ Rotation.from_euler("z", angle, degrees=True).as_matrix().T
    return Keypoints3D.from_points(xyz, points.keypoints, points.individuals, fps=points.fps)


def away(armature, points, individual=0):
    """How far each keypoint lies from its joint, by name."""
    where = armature.places()
    return {
        name: np.linalg.norm(where[:, armature.names.index(name)] - points.xyz[:, individual, i], axis=-1)
        for i, name in enumerate(points.keypoints)
        if name in armature.names
    }


@pytest.mark.parametrize("heading", [0, 90, 180, 271])
@pytest.mark.parametrize(("skeleton", "middle"), [("halpe26", "Hip"), ("coco17", "Hip"), ("halpe26", "CHip")])
def test_constant_bones_are_met_in_every_direction(skeleton, middle, heading):
    points = turned(walker(skeleton, middle=middle), heading)
    armature = build_armature(points)
    assert set(points.keypoints) <= set(armature.names)
    rigid = [name for name in HUMAN_BONES if name in points.keypoints and name not in ("Nose", "Head")]
    found = away(armature, with_midpoints(points, ("Neck", middle)))
    assert armature.names[0] == middle
    assert max(found[name].max() for name in rigid) < 2.0
    legs = [side + joint for side in "LR" for joint in ("Hip", "Knee", "Ankle")]
    assert max(found[name].max() for name in legs) < 1e-6
    assert not armature.filled.any()


def test_bones_keep_the_directions_that_were_seen(recordings):
    """Lengths of real limbs vary; where a bone points does not suffer from it."""
    whole = with_joint_centres(read_c3d(recordings / "gait-lab/children/HC030A/Turn_HC030A22.c3d").points)
    names = [side + joint for side in "LR" for joint in JOINT_MARKERS]
    xyz = whole.xyz[:, :, [whole.keypoints.index(name) for name in names]]
    points = with_midpoints(Keypoints3D.from_points(xyz, names, ("one",), fps=100.0), ("Neck", "Hip"))
    armature = build_armature(points)
    where = dict(zip(armature.names, np.moveaxis(armature.places(), 1, 0), strict=True))
    seen = {name: points.xyz[:, 0, i] for i, name in enumerate(points.keypoints)}
    varied = dict.fromkeys(seen, 0.0)
    for above, below in body_bones(points):
        ours, theirs = where[below] - where[above], seen[below] - seen[above]
        cosine = (ours * theirs).sum(-1) / np.linalg.norm(ours, axis=-1) / np.linalg.norm(theirs, axis=-1)
        assert cosine.min() > 1 - 1e-12
        length = np.linalg.norm(theirs, axis=-1)
        varied[below] = varied[above] + np.abs(length - np.median(length)).max()
    for name, distance in away(armature, points).items():
        assert distance.max() <= varied[name] + 1e-6  # no farther than the lengths on the way vary
    assert 5 < max(varied.values()) < 60


def test_turns_have_no_twist_and_do_not_jump():
    armature = build_armature(turned(walker(), 180))
    steps = np.swapaxes(armature.rotations[:-1], -1, -2) @ armature.rotations[1:]
    cosine = (np.trace(steps, axis1=-2, axis2=-1) - 1) / 2
    assert np.degrees(np.arccos(cosine.clip(-1, 1))).max() < 15  # in a 60th of a second
    knee = armature.rotations[:, armature.names.index("LKnee")]
    axis = np.stack([knee[:, 2, 1] - knee[:, 1, 2], knee[:, 1, 0] - knee[:, 0, 1]], axis=-1)
    assert np.abs(axis[:, 1]).max() < 1e-9  # about the thigh itself it does not turn


def test_gaps_lie_between_their_neighbours():
    points = walker()
    xyz = points.xyz.copy()
    knee, hip = (points.keypoints.index(name) for name in ("LKnee", "Hip"))
    xyz[30:34, 0, knee] = np.nan
    xyz[50:52, 0, hip] = np.nan
    xyz[:3, 0, points.keypoints.index("RWrist")] = np.nan
    armature = build_armature(Keypoints3D.from_points(xyz, points.keypoints, ("one",), fps=60.0))
    thigh, elbow = armature.names.index("LHip"), armature.names.index("RElbow")
    assert np.flatnonzero(armature.filled[:, thigh]).tolist() == [30, 31, 32, 33]
    assert np.flatnonzero(armature.filled[:, 0]).tolist() == [50, 51]
    assert np.isfinite(armature.places()).all()
    assert np.ptp(armature.rotations[:4, elbow], axis=0).max() < 1e-12  # at the ends as the nearest
    found = away(armature, points)
    assert found["LKnee"][30:34].max() < 20
    assert found["LKnee"][[29, 34]].max() < 1e-6


def test_an_animal_gets_its_tree_from_its_lengths():
    """A chain of stiff links: neighbours are found by the distances that stay, whatever their order."""
    rng = np.random.default_rng(5)
    names, links = ("tail", "nose", "back", "neck", "hip"), [60.0, 80.0, 70.0, 40.0]
    chain = ("nose", "neck", "back", "hip", "tail")
    at = {"nose": rng.normal(0, 300, (200, 3))}
    for above, below, length in zip(chain, chain[1:], links, strict=False):
        step = np.cumsum(rng.normal(0, 0.15, (200, 3)), axis=0) + np.array([0, 0, 1])
        at[below] = at[above] + length * step / np.linalg.norm(step, axis=-1, keepdims=True)
    points = Keypoints3D.from_points(np.stack([at[n] for n in names], axis=1)[:, None], names, ("m",), fps=100.0)
    found = {frozenset(link) for link in body_bones(points)}
    assert found == {frozenset(link) for link in pairwise(chain)}
    armature = build_armature(points)
    assert armature.names[0] == "back"  # the middle of the chain
    assert max(distance.max() for distance in away(armature, points).values()) < 1e-6
    other = [("back", "nose"), ("back", "tail"), ("back", "neck"), ("back", "hip")]
    assert {frozenset(link) for link in body_bones(points, other)} == {frozenset(link) for link in other}


def test_keypoints_that_are_never_seen_are_left_out(caplog):
    points = walker("coco17")
    xyz = points.xyz.copy()
    xyz[:, 0, points.keypoints.index("LWrist")] = np.nan
    armature = build_armature(Keypoints3D.from_points(xyz, points.keypoints, ("one",), fps=60.0))
    assert "LWrist" not in armature.names
    assert "LWrist" in caplog.text
    with pytest.raises(DataError, match="no two keypoints"):
        build_armature(Keypoints3D.from_points(np.full((5, 1, 3, 3), np.nan), ("a", "b", "c"), ("x",), fps=1.0))
    with pytest.raises(DataError, match="frame rate"):
        build_armature(Keypoints3D.from_points(xyz, points.keypoints, ("one",)))


def test_a_parent_stands_before_its_children():
    turns = np.broadcast_to(np.eye(3), (1, 2, 3, 3))
    for parents in ([0, -1], [-1, 1], [-1, -1]):
        with pytest.raises(ValueError, match="root is the first"):
            Armature(("a", "b"), parents, np.zeros((2, 3)), turns, np.zeros((1, 3)), np.zeros((1, 2)), 1.0)
