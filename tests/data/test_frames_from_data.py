import numpy as np
import pytest

from pose3d.data.keypoints import Keypoints3D, frames_to_observed


def brute(status):
    observed = np.flatnonzero(status == 1).astype(float)
    far = [np.min(np.abs(observed - i), initial=np.inf) for i in range(len(status))]
    return np.where(status == 0, np.nan, far)


@pytest.mark.parametrize("share", [0, 0.02, 0.3, 1])
def test_frames_from_data(share):
    rng = np.random.default_rng(0)
    status = np.where(rng.random((200, 2, 3)) < share, 1, rng.choice([0, 2], (200, 2, 3))).astype(np.uint8)
    xyz = np.ones((*status.shape, 3))
    xyz[status == 0] = np.nan
    ones = np.ones(status.shape)
    points = Keypoints3D(xyz, ones, ones.astype(int), ones, status, ("a", "b"), ("x", "y", "z"))
    expected = np.stack([[brute(status[:, i, k]) for k in range(3)] for i in range(2)]).transpose(2, 0, 1)
    np.testing.assert_array_equal(points.frames_from_data, expected)


def test_parts_know_of_what_lies_beyond_them():
    status = np.array([2, 2, 1, 2, 2, 2, 0, 2, 1, 2], dtype=np.uint8)
    whole = frames_to_observed(status)
    part = frames_to_observed(status[3:8], before=np.array(1.0), after=np.array(1.0))
    np.testing.assert_array_equal(part, whole[3:8])
    assert np.isinf(frames_to_observed(status[3:6])).all()
    assert frames_to_observed(status[:0]).shape == (0,)
