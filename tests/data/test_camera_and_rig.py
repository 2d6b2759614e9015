import pickle
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from pose3d.data import Camera, Rig
from pose3d.geometry.rotations import exp_so3
from pose3d.geometry.transforms import apply, rigid

MATRIX = np.array([[900.0, 0, 640], [0, 910, 360], [0, 0, 1]])


def camera(name="back", **changes):
    values = {
        "name": name,
        "size": (1280, 720),
        "matrix": MATRIX,
        "distortion": [-0.2, 0.05, 0.001, 0, 0],
        "rotation": [0.1, -0.2, 0.3],
        "translation": [10, 20, 2000],
    }
    return Camera(**(values | changes))


@pytest.fixture
def rig():
    poses = {
        "back": ([0.1, 0, 0], [0, 0, 2000]),
        "cam_10": ([0, 1.2, 0], [0, 50, 2100]),
        "cam_2": ([0, -1, 0], [9, 0, 1900]),
    }
    return Rig([camera(name, rotation=r, translation=t) for name, (r, t) in poses.items()], {"error": 0.3})


def test_camera_is_read_only_and_keeps_no_hold_on_its_arguments():
    matrix, extra = MATRIX.copy(), {"exposure": 5}
    made = camera(matrix=matrix, extra=extra)
    matrix[0, 0], extra["exposure"] = 1, 6
    assert made.matrix[0, 0] == 900
    assert made.extra == {"exposure": 5}
    for array in (made.matrix, made.distortion, made.rotation, made.translation):
        assert array.dtype == np.float64
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    with pytest.raises(FrozenInstanceError):
        made.name = "other"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"matrix": np.eye(2)}, r"camera back: matrix: shape \(3, 3\) expected, not \(2, 2\)"),
        ({"matrix": MATRIX.T}, r"matrix must be \[\[fx, skew, cx\]"),
        ({"matrix": -MATRIX}, "focal lengths must be positive"),
        ({"distortion": [0.1]}, "1 distortion coefficients"),
        ({"distortion": np.zeros(5), "fisheye": True}, "5 distortion coefficients"),
        ({"distortion": np.zeros((1, 5))}, "distortion: shape"),
        ({"rotation": np.eye(3)}, "rotation: shape"),
        ({"translation": [0, np.nan, 0]}, "not a finite number"),
        ({"size": (1280, 0)}, "must be positive"),
    ],
)
def test_camera_refuses_nonsense(changes, message):
    with pytest.raises(ValueError, match=message):
        camera(**changes)


def test_reprs_are_one_line(rig):
    assert repr(camera()) == "Camera(back, 1280x720, pinhole, f 905.0 px)"
    assert "fisheye" in repr(camera(distortion=np.zeros(4), fisheye=True))
    assert repr(rig) == "Rig(3 cameras: back, cam_10, cam_2)"


def test_center_and_pose():
    made = camera()
    assert apply(made.cam_from_world, made.center) == pytest.approx(np.zeros(3), abs=1e-10)
    assert made.cam_from_world[:3, :3] == pytest.approx(exp_so3([0.1, -0.2, 0.3]), abs=0)
    assert made.focal == pytest.approx(np.sqrt(900 * 910))


@pytest.mark.parametrize("fisheye", [False, True])
def test_project_and_undistort_are_inverse(fisheye):
    made = camera(fisheye=fisheye, distortion=[-0.05, 0.01, 0.001, 0])
    points = 400 * np.random.default_rng(0).normal(size=(4, 5, 3))
    pixels = made.project(points)
    in_camera = apply(made.cam_from_world, points)
    assert made.undistort(pixels) == pytest.approx(in_camera[..., :2] / in_camera[..., 2:], abs=1e-12)


def test_points_behind_missing_points_and_pixels_without_an_answer_are_nan():
    made = camera(rotation=np.zeros(3), translation=np.zeros(3), distortion=[-0.4, 0, 0, 0])
    points = np.array([[0, 0, 1000.0], [0, 0, -1000], [0, 0, 0], [np.nan, 0, 1000]])
    assert np.isnan(made.project(points)).all(-1).tolist() == [False, True, True, True]
    pixels = np.array([[640, 360], [640 + 900, 360], [np.nan, 1]])  # the fold is at 0.61
    assert np.isnan(made.undistort(pixels)).all(-1).tolist() == [False, True, True]


def test_rig_finds_cameras_by_name_and_keeps_their_order(rig):
    assert rig.names == ("back", "cam_10", "cam_2")
    assert [c.name for c in rig] == list(rig.names)
    assert len(rig) == 3
    assert "cam_2" in rig
    assert "side" not in rig
    assert rig["cam_2"].translation[0] == 9
    assert rig.select(["cam_2", "back"]).names == ("cam_2", "back")
    assert rig.select(["back"]).metadata == {"error": 0.3}
    with pytest.raises(KeyError, match="no camera 'side'; the rig has back, cam_10, cam_2"):
        rig["side"]
    with pytest.raises(KeyError, match="side"):
        rig.select(["back", "side"])


def test_rig_refuses_no_camera_and_two_of_one_name():
    with pytest.raises(ValueError, match="at least one camera"):
        Rig(())
    with pytest.raises(ValueError, match="cameras named twice: a"):
        Rig((camera("a"), camera("b"), camera("a")))


def test_rig_works_on_the_axis_of_cameras(rig):
    points = 300 * np.random.default_rng(1).normal(size=(2, 4, 3))
    pixels = rig.project(points)
    assert pixels.shape == (2, 4, 3, 2)
    assert np.array_equal(pixels[:, :, 1], rig["cam_10"].project(points))
    rays = rig.undistort(pixels)
    assert np.array_equal(rays[:, :, 2], rig["cam_2"].undistort(pixels[:, :, 2]))
    assert rig.cam_from_world.shape == (3, 4, 4)
    assert apply(rig.cam_from_world, rig.centers) == pytest.approx(np.zeros((3, 3)), abs=1e-9)
    assert rig.focals == pytest.approx([c.focal for c in rig])
    assert rig.project(np.empty((0, 3))).shape == (0, 3, 2)


@pytest.mark.parametrize("scale", [1.0, 0.001, 25.4])
def test_transformed_rig_sees_the_moved_points_where_the_old_one_saw_the_old(rig, scale):
    rng = np.random.default_rng(2)
    new_from_old = rigid([0.5, 2.0, -1.0], [100, -2000, 30])
    points = 300 * rng.normal(size=(6, 3))
    moved = apply(new_from_old, scale * points)
    new = rig.transformed(new_from_old, scale)
    assert new.project(moved) == pytest.approx(rig.project(points), abs=1e-7)
    assert new.centers == pytest.approx(apply(new_from_old, scale * rig.centers), abs=1e-8)
    assert new.names == rig.names
    assert new.metadata == rig.metadata
    back = new.transformed(rigid(np.zeros(3), [0, 0, 0]), 1 / scale)
    assert np.linalg.norm(back.centers[0] - back.centers[1]) == pytest.approx(
        np.linalg.norm(rig.centers[0] - rig.centers[1]), abs=1e-8
    )


def test_cameras_travel_to_other_processes(rig):
    back = pickle.loads(pickle.dumps(rig))
    assert repr(back) == repr(rig)
    assert np.array_equal(back.cam_from_world, rig.cam_from_world)
    assert back.metadata == rig.metadata


def test_replace_checks_again():
    with pytest.raises(ValueError, match="finite"):
        replace(camera(), rotation=[np.inf, 0, 0])
