"""angles: from a static trial, with velocities, and what cannot be seen."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pose3d.data import Keypoints3D, Skeleton
from pose3d.demo.person import make_person
from pose3d.demo.walk import walk_body
from pose3d.io.anipose_csv import read_angles, write_pose3d
from pose3d.io.c3d import read_c3d


@pytest.fixture
def walker(tmp_path):
    """A walk of the demo's person, and the same person standing."""
    fps, skeleton = 50.0, Skeleton.preset("halpe26")
    rng = np.random.default_rng(0)
    _, _, frames = walk_body(make_person(rng), n_frames=150, fps=fps, rng=rng)
    xyz = frames.keypoints(skeleton)[:, None]
    stands = np.repeat(xyz[60:61], 80, axis=0) + rng.normal(0, 1.0, (80, *xyz.shape[1:]))
    for name, points in (("walk", xyz), ("stand", stands)):
        made = Keypoints3D.from_points(points, skeleton.keypoints, ("one",), fps=fps)
        write_pose3d(made, tmp_path / f"{name}.csv")
    return tmp_path / "walk.csv", tmp_path / "stand.csv"


def test_angles_from_a_static_trial(pose3d, refused, walker, tmp_path) -> None:
    walk, stand = walker
    plain, moved, target = tmp_path / "plain.csv", tmp_path / "moved.csv", tmp_path / "angles.csv"
    told = pose3d("angles", walk, "-o", plain, "--json").json
    assert told["static"] is None
    assert "rotation" in told["not_observable"]["knee_rotation"] or "turn" in told["not_observable"]["knee_rotation"]
    outcome = pose3d("angles", walk, "--static", stand, "-o", target)
    assert outcome.code == 0, outcome
    assert "degrees subtracted: hip_flexion_trunk_l" in outcome.out
    before, after = read_angles(plain), read_angles(target)
    assert set(before.names) - set(after.names) == {
        f"{name}_{side}" for name in ("hip_flexion_trunk", "ankle_dorsiflexion", "trunk_lean") for side in "lr"
    }
    own = before.deg[:, 0, before.names.index("ankle_dorsiflexion_l")]
    found = after.deg[:, 0, after.names.index("ankle_dorsiflexion_from_static_l")]
    np.testing.assert_allclose(own - found, own[60], atol=0.3)
    # a static trial may be given as angles too
    assert pose3d("angles", stand, "-o", tmp_path / "stand-angles.csv").code == 0
    assert pose3d("angles", walk, "--static", tmp_path / "stand-angles.csv", "-o", moved).code == 0
    np.testing.assert_allclose(read_angles(moved).deg, after.deg, atol=1e-6)
    some = pose3d("angles", walk, "--static", stand, "--static-angles", "knee_flexion_l", "-o", moved, "--json").json
    assert list(some["static"]["offsets_deg"]["one"]) == ["knee_flexion_l"]
    assert "moves" in refused("angles", walk, "--static", walk, "--static-angles", "knee_flexion", "-o", moved)
    assert "none of the angles" in refused("angles", walk, "--static", stand, "--static-angles", "tail", "-o", moved)
    assert pose3d("angles", walk, "--static-angles", "all", "-o", moved).code == 2
    assert pose3d("angles", walk, "--static", stand, "-o", stand).code == 2


def test_angular_velocities(pose3d, refused, walker, tmp_path) -> None:
    walk, _ = walker
    outcome = pose3d("angles", walk, "--velocity", "-o", tmp_path / "angles.csv")
    assert outcome.code == 0, outcome
    angles, rates = read_angles(tmp_path / "angles.csv"), read_angles(tmp_path / "angles.velocity.csv")
    assert rates.names[angles.names.index("knee_flexion_l")] == "knee_flexion_velocity_l"
    knee = angles.deg[:, 0, angles.names.index("knee_flexion_l")]
    found = rates.deg[:, 0, rates.names.index("knee_flexion_velocity_l")]
    np.testing.assert_allclose(found[2:-2], (np.gradient(knee) * 50)[2:-2], atol=12)
    assert np.abs(found).max() > 200
    bare = Keypoints3D.from_points(np.zeros((5, 1, 3, 3)) + np.eye(3), ("a", "b", "c"), ("m",))
    write_pose3d(bare, tmp_path / "bare.csv")
    (tmp_path / "angles.toml").write_text('[angles]\nx = ["a", "b", "c"]\n')
    wrong = ("angles", tmp_path / "bare.csv", "--config", tmp_path / "angles.toml", "--velocity")
    assert "frame rate is unknown" in refused(*wrong, "-o", tmp_path / "x.csv")
    assert not (tmp_path / "x.csv").exists()
    assert pose3d(*wrong, "--fps", 100, "-o", tmp_path / "x.csv").code == 0


def test_a_c3d_has_the_angles_of_its_model(pose3d, recordings, tmp_path) -> None:
    folder = recordings / "gait-lab" / "children" / "HC030A"
    walk, stand = folder / "Straight_HC030A05.c3d", folder / "Static_HC030A01.c3d"
    options = ("--static", stand, "--static-angles", "knee_flexion,ankle_dorsiflexion", "--velocity")
    told = pose3d("angles", walk, *options, "-o", tmp_path / "a.csv", "--json").json
    assert told["not_observable"] == {}
    stands = read_c3d(stand).angles["LKneeAngles"][:, 0]
    (offsets,) = told["static"]["offsets_deg"].values()
    assert offsets["knee_flexion_l"] == pytest.approx(np.nanmedian(stands), abs=0.1)


def test_points_that_lie_have_no_angles_against_the_floor(pose3d, walker, tmp_path) -> None:
    from pose3d.io.anipose_csv import read_pose3d

    points = read_pose3d(walker[0])
    turn = Rotation.from_euler("x", 90, degrees=True).as_matrix()
    lying = Keypoints3D.from_points(points.xyz @ turn.T, points.keypoints, ("one",), fps=50.0)
    write_pose3d(lying, tmp_path / "lying.csv")
    outcome = pose3d("angles", tmp_path / "lying.csv", "-o", tmp_path / "a.csv", "--json")
    assert not any(name.startswith("pelvis") for name in outcome.json["angles"])
    assert "knee_flexion_l" in outcome.json["angles"]
