"""What a rig tells of its own uncertainty, and what becomes of it when the rig changes."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from pose3d.data import Camera, Rig, RigCovariance
from pose3d.data.rig_covariance import parameter_words
from pose3d.geometry.rotations import exp_so3, log_so3
from pose3d.geometry.transforms import inverse, rigid

NAMES = ("left", "right", "top")


@pytest.fixture
def rig():
    rng = np.random.default_rng(0)
    cameras = [
        Camera(name, (1280, 720), [[900, 0, 640], [0, 910, 360], [0, 0, 1]], [-0.1, 0.02, 0, 0, 0], r, t)
        for name, r, t in zip(NAMES, rng.normal(size=(3, 3)), rng.normal(scale=1000, size=(3, 3)), strict=True)
    ]
    camera = np.repeat([0, 1, 1, 1, 2, 2], [2, 3, 3, 2, 3, 3])
    parameter = [0, 3, 12, 13, 14, 15, 16, 17, 1, 8, 17, 12, 13, 14, 15, 16]
    root = rng.normal(size=(16, 40)) * np.where(np.isin(parameter, (12, 13, 14)), 1e-3, 1.0)[:, None]
    return Rig(tuple(cameras), {"error": 0.3}, RigCovariance(root @ root.T, camera, parameter, NAMES, "left"))


def pose_after(camera, turn, shift):
    return rigid(log_so3(exp_so3(turn) @ exp_so3(camera.rotation)), camera.translation + shift)


@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_another_world_moves_the_covariance_as_it_moves_the_cameras(rig, scale):
    move = rigid([0.4, -1.1, 0.7], [300.0, -2000.0, 900.0])
    found = rig.transformed(move, scale)
    known = rig.covariance
    change, step = np.zeros((len(known), len(known))), 1e-6
    for column in range(len(known)):  # the derivative of the new parameters by the old ones, by differences
        sides = []
        for sign in (1, -1):
            shift = np.zeros((3, 18))
            shift[known.camera[column], known.parameter[column]] = sign * step
            after = shift.copy()
            for c, camera in enumerate(rig):
                old = pose_after(camera, shift[c, 12:15], shift[c, 15:])
                old[:3, 3] *= scale
                new = old @ inverse(move)
                after[c, 12:15] = log_so3(new[:3, :3] @ found.cameras[c].cam_from_world[:3, :3].T)
                after[c, 15:] = new[:3, 3] - found.cameras[c].translation
            sides.append(after[known.camera, known.parameter])
        change[:, column] = (sides[0] - sides[1]) / (2 * step)
    expected = change @ known.covariance @ change.T
    sd = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(found.covariance.covariance / sd[:, None] / sd, expected / sd[:, None] / sd, atol=1e-5)


def test_there_and_back_is_the_same(rig):
    move = rigid([0.4, -1.1, 0.7], [300.0, -2000.0, 900.0])
    back = rig.transformed(move).transformed(inverse(move))
    sd = np.sqrt(np.diag(rig.covariance.covariance))
    difference = (back.covariance.covariance - rig.covariance.covariance) / sd[:, None] / sd
    assert np.abs(difference).max() < 1e-9


def test_selected_cameras_keep_what_is_known_of_them(rig):
    few = rig.select(["top", "left"])
    assert few.covariance.cameras == ("top", "left")
    assert few.covariance.reference == "left"
    rows = np.concatenate([np.flatnonzero(rig.covariance.camera == c) for c in (2, 0)])
    assert np.array_equal(few.covariance.covariance, rig.covariance.covariance[np.ix_(rows, rows)])
    assert few.covariance.camera.tolist() == [0] * 6 + [1] * 2
    assert np.array_equal(few.covariance.sd[0], rig.covariance.sd[2])
    with pytest.raises(KeyError, match="the rig has left, right, top"):
        rig.select(["side"])
    with pytest.raises(KeyError, match="there are left, right, top"):
        rig.covariance.select(["side"])


def test_the_root_gives_the_covariance_and_leaves_out_what_is_exact(rig):
    known = rig.covariance
    assert known.root @ known.root.T == pytest.approx(known.covariance, rel=1e-9, abs=1e-12)
    one = np.outer(known.root[:, 0], known.root[:, 0])
    flat = RigCovariance(one, known.camera, known.parameter, NAMES)
    assert flat.root.shape == (16, 1)
    assert flat.root @ flat.root.T == pytest.approx(one, rel=1e-9)
    none = RigCovariance(np.zeros((16, 16)), known.camera, known.parameter, NAMES)
    assert none.root.shape == (16, 0)


def test_a_changed_rig_has_no_covariance(rig):
    assert Rig(rig.cameras, rig.metadata).covariance is None
    assert Rig(tuple(replace(camera, size=(640, 360)) for camera in rig)).covariance is None
    assert replace(rig, metadata={}).covariance is rig.covariance  # the same cameras


def test_it_travels_and_is_read_only(rig):
    back = pickle.loads(pickle.dumps(rig))
    assert np.array_equal(back.covariance.covariance, rig.covariance.covariance)
    assert repr(back.covariance) == "RigCovariance(16 parameters of 3 cameras)"
    with pytest.raises(ValueError, match="read-only"):
        rig.covariance.covariance[0, 0] = 1


def test_words_stand_at_their_places():
    assert parameter_words()[6:8] == ("p1", "p2")
    assert parameter_words(fisheye=True)[6:9] == ("k3", "k4", "")
    assert parameter_words()[12:] == ("turn_x", "turn_y", "turn_z", "shift_x", "shift_y", "shift_z")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"covariance": np.eye(3)}, r"shape \(2, 2\) expected"),
        ({"covariance": np.full((2, 2), np.nan)}, "finite"),
        ({"covariance": -np.eye(2)}, "no covariance"),
        ({"covariance": [[1, 2], [2, 1]]}, "no covariance"),
        ({"covariance": [[1, 0.5], [0, 1]]}, "not symmetric"),
        ({"camera": [0, 3]}, "of no camera among 2"),
        ({"camera": [-1, 0]}, "of no camera"),
        ({"parameter": [0, 18]}, "18 parameters"),
        ({"camera": [0, 0], "parameter": [5, 5]}, "twice"),
        ({"cameras": ("a", "a")}, "named twice"),
    ],
)
def test_nonsense_is_refused(changes, message):
    values = {"covariance": np.eye(2), "camera": [0, 1], "parameter": [0, 12], "cameras": ("a", "b")}
    with pytest.raises(ValueError, match=message):
        RigCovariance(**(values | changes))


def test_a_covariance_of_other_cameras_is_refused(rig):
    with pytest.raises(ValueError, match="covariance of left, right, top for a rig of left, top"):
        Rig((rig["left"], rig["top"]), {}, rig.covariance)
    with pytest.raises(ValueError, match="not one of its camera's lens"):
        Rig(tuple(replace(camera, distortion=np.zeros(4)) for camera in rig), {}, rig.covariance)
