from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from pose3d.data import JointAngles, Keypoints2D, Keypoints3D, Status


def keypoints_2d(n_frames=3, **changes):
    rng = np.random.default_rng(0)
    values = {
        "xy": rng.uniform(0, 700, (n_frames, 2, 1, 4, 2)),
        "score": rng.uniform(0, 1, (n_frames, 2, 1, 4)),
        "cameras": ["left", "right"],
        "individuals": ["one"],
        "keypoints": ["a", "b", "c", "d"],
    }
    return Keypoints2D(**(values | changes))


def keypoints_3d(n_frames=3, **changes):
    rng = np.random.default_rng(0)
    shape = (n_frames, 2, 4)
    values = {
        "xyz": rng.normal(size=(*shape, 3)),
        "error": np.ones(shape),
        "n_cameras": np.full(shape, 2),
        "score": np.full(shape, 0.9),
        "status": np.full(shape, Status.OBSERVED),
        "individuals": ["one", "two"],
        "keypoints": ["a", "b", "c", "d"],
    }
    return Keypoints3D(**(values | changes))


def test_a_missing_keypoint_is_nan_throughout():
    xy, score = np.zeros((2, 2, 1, 4, 2)), np.zeros((2, 2, 1, 4))
    xy[0, 0, 0, 0, 1] = np.nan
    xy[1, 1, 0, 3, 0] = np.inf
    made = keypoints_2d(xy=xy, score=score)
    assert np.argwhere(np.isnan(made.xy).all(-1)).tolist() == [[0, 0, 0, 0], [1, 1, 0, 3]]
    assert np.array_equal(np.isnan(made.score), np.isnan(made.xy).any(-1))
    assert xy[0, 0, 0, 0, 0] == 0  # the caller's array is left alone
    assert made.score[0, 0, 0, 1] == 0  # a low score is no absence

    xyz, status = np.zeros((1, 2, 4, 3)), np.full((1, 2, 4), Status.FILLED)
    xyz[0, 1, 2, 2] = np.nan
    made = keypoints_3d(1, xyz=xyz, status=status)
    assert np.isnan(made.xyz[0, 1, 2]).all()
    assert made.status[0, 1, 2] == Status.MISSING
    assert (made.status == Status.FILLED).sum() == 7
    assert status[0, 1, 2] == Status.FILLED


def test_arrays_are_read_only_copies():
    xy = np.zeros((3, 2, 1, 4, 2))
    two, three = keypoints_2d(xy=xy), keypoints_3d(covariance=np.zeros((3, 2, 4, 3, 3)))
    xy += 1
    assert two.xy.max() == 0
    for array in (two.xy, two.score, three.xyz, three.error, three.n_cameras, three.score, three.status):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    with pytest.raises(ValueError, match="read-only"):
        three.covariance[...] = 0
    with pytest.raises(FrozenInstanceError):
        two.fps = 3
    assert three.status.dtype == np.uint8
    assert three.n_cameras.dtype == np.int64


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"xy": np.zeros((3, 2, 4, 2))}, "xy .frame, camera, individual, keypoint, 2.: shape"),
        ({"xy": np.zeros((3, 3, 1, 4, 2))}, "shape .any, 2, 1, 4, 1. expected"),
        ({"xy": np.zeros((3, 2, 1, 4, 3))}, "do not fit"),
        ({"score": np.zeros((3, 2, 1))}, "do not fit"),
        ({"score": np.zeros((2, 2, 1, 4))}, "do not fit"),
        ({"cameras": ["left", "left"]}, "cameras named twice: left"),
        ({"keypoints": ["a", "b", "a", "b"]}, "keypoints named twice: a, b"),
    ],
)
def test_keypoints_2d_refuses_what_does_not_fit(changes, message):
    with pytest.raises(ValueError, match=message):
        keypoints_2d(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"xyz": np.zeros((3, 8, 3))}, "xyz .frame, individual, keypoint, 3.: shape"),
        ({"xyz": np.zeros((3, 2, 5, 3))}, "shape .any, 2, 4, 3. expected"),
        ({"error": np.zeros((2, 2, 4))}, "error: shape"),
        ({"n_cameras": 2}, "n_cameras: shape"),
        ({"status": np.zeros((3, 2, 1))}, "status: shape"),
        ({"covariance": np.zeros((3, 2, 4, 6))}, "covariance: shape"),
        ({"individuals": ["x", "x"]}, "individuals named twice: x"),
    ],
)
def test_keypoints_3d_refuses_what_does_not_fit(changes, message):
    with pytest.raises(ValueError, match=message):
        keypoints_3d(**changes)


def test_reprs_are_one_line():
    xy = np.zeros((1200, 2, 1, 4, 2))
    xy[:120, 0] = np.nan
    made = keypoints_2d(xy=xy, score=np.ones((1200, 2, 1, 4)), fps=100)
    assert repr(made) == "Keypoints2D(1200 frames at 100 fps, 2 cameras, 1 individual, 4 keypoints, 5.0 % missing)"
    assert repr(keypoints_2d(1)) == "Keypoints2D(1 frame, 2 cameras, 1 individual, 4 keypoints, 0.0 % missing)"
    assert (
        repr(keypoints_3d(fps=29.97)) == "Keypoints3D(3 frames at 29.97 fps, 2 individuals, 4 keypoints, 0.0 % missing)"
    )
    assert repr(keypoints_3d(0)) == "Keypoints3D(0 frames, 2 individuals, 4 keypoints, 0.0 % missing)"
    angles = JointAngles(np.array([[[1.0, np.nan]]]), ("knee", "hip"), ("one",), fps=50)
    assert repr(angles) == "JointAngles(1 frame at 50 fps, 1 individual, 2 angles, 50.0 % missing)"
    assert "0.0 % missing" in repr(replace(angles, deg=np.empty((0, 1, 2))))


def test_select_gives_cameras_by_name():
    made = keypoints_2d(fps=30, start=7)
    swapped = made.select(["right", "left"])
    assert swapped.cameras == ("right", "left")
    assert np.array_equal(swapped.xy[:, 0], made.xy[:, 1])
    assert np.array_equal(swapped.score[:, 1], made.score[:, 0])
    assert (swapped.fps, swapped.start, swapped.n_frames) == (30, 7, 3)
    with pytest.raises(KeyError, match="no camera 'top'; there are left, right"):
        made.select(["left", "top"])


def test_joint_angles_are_checked():
    deg = np.zeros((5, 1, 2))
    made = JointAngles(deg, ["knee", "hip"], ["one"], sd_deg=deg + 1)
    assert made.n_frames == 5
    assert made.names == ("knee", "hip")
    for array in (made.deg, made.sd_deg):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    for changes, message in (
        ({"deg": np.zeros((5, 2))}, "shape .any, 1, 2. expected"),
        ({"sd_deg": np.zeros((4, 1, 2))}, "sd_deg: shape"),
        ({"low_deg": deg}, "belong together"),
        ({"names": ("knee", "knee")}, "angles named twice: knee"),
    ):
        with pytest.raises(ValueError, match=message):
            replace(made, **changes)
