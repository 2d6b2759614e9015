"""Rigs as aniposelib's camera groups, with the same numbers."""

import numpy as np
import pytest

from pose3d.calibration import from_anipose, to_anipose
from pose3d.data import Camera, Rig


@pytest.fixture
def rig():
    matrix = np.array([[900.0, 0, 640.5], [0, 905.0, 355.0], [0, 0, 1]])
    return Rig(
        (
            Camera("left", (1280, 720), matrix, [-0.1, 0.02, 1e-3, -1e-3, 0.0], [0.1, 0.7, 0.0], [10.0, -20.0, 2000.0]),
            Camera("right", (1280, 720), matrix, [-0.2, 0.1, 0.0, 0.0], [0.1, -0.7, 0.0], [0.0, 5.0, 2100.0]),
            Camera("wide", (640, 480), matrix / 2 + np.diag([0, 0, 0.5]), [0.05, 0, 0, 0], [0, 0, 0], [0, 0, 0], True),
        ),
        {"adjusted": True},
    )


def test_a_group_of_aniposelib_projects_as_the_rig(rig):
    points = np.random.default_rng(0).uniform([-300, -300, 800], [300, 300, 1200], (50, 3))
    seen = to_anipose(rig).project(points)  # camera, point, 2
    np.testing.assert_allclose(np.moveaxis(seen, 0, 1), rig.project(points), rtol=0, atol=1e-4)


def test_there_and_back(rig):
    back = from_anipose(to_anipose(rig))
    assert back.names == rig.names
    assert back.metadata == rig.metadata
    for camera, same in zip(rig, back, strict=True):
        assert (same.size, same.fisheye) == (camera.size, camera.fisheye)
        for what in ("matrix", "rotation", "translation"):
            np.testing.assert_array_equal(getattr(same, what), getattr(camera, what))
        n = len(camera.distortion)
        np.testing.assert_array_equal(same.distortion[:n], camera.distortion)
        assert not same.distortion[n:].any()
