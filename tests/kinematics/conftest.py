"""Makers of keypoints in space."""

import numpy as np
import pytest
from hypothesis import settings

from pose3d.data import Keypoints3D, Skeleton, Status

settings.register_profile("pose3d", deadline=None, derandomize=True, database=None)
settings.load_profile("pose3d")


@pytest.fixture(scope="session")
def make_points():
    def make(named, **more):
        """Make one individual's keypoints from {name: (n_frames, 3) or (3,)}."""
        xyz = np.stack([np.atleast_2d(np.asarray(v, dtype=float)) for v in named.values()], axis=1)[:, None]
        return make_xyz(xyz, list(named), **more)

    def make_xyz(xyz, keypoints, individuals=("one",), **more):
        shape = xyz.shape[:-1]
        status, many = np.full(shape, Status.OBSERVED), np.full(shape, 2)
        return Keypoints3D(
            xyz, np.zeros(shape), many, np.ones(shape), status, tuple(individuals), tuple(keypoints), **more
        )

    make.xyz = make_xyz
    return make


@pytest.fixture(scope="session")
def standing():
    """An upright person, facing +x, y left, z up: keypoints by name, mm."""
    body = {"Nose": (100, 0, 1600), "Neck": (0, 0, 1450), "Head": (0, 0, 1750), "Hip": (0, 0, 950), "CHip": (0, 0, 950)}
    side = {
        **{"Shoulder": (0, 180, 1450), "Elbow": (0, 180, 1150), "Wrist": (0, 180, 900)},
        **{"Hip": (0, 100, 950), "Knee": (0, 100, 520), "Ankle": (0, 100, 100)},
        **{
            "BigToe": (180, 90, 30),
            "SmallToe": (160, 150, 30),
            "Heel": (-50, 100, 30),
            "Eye": (90, 30, 1630),
            "Ear": (0, 70, 1620),
        },
    }
    for joint, (x, y, z) in side.items():
        body["L" + joint], body["R" + joint] = (x, y, z), (x, -y, z)
    body["LBigToe"], body["RBigToe"] = (180, 100, 30), (180, -100, 30)
    return {name: np.array(at, dtype=float) for name, at in body.items()}


@pytest.fixture(params=["coco17", "halpe26", "body25", "body25b", "blazepose33"])
def skeleton(request):
    return Skeleton.preset(request.param)
