"""Fixtures that the tests of formats share."""

import numpy as np
import pytest

from pose3d.data import Keypoints2D, Keypoints3D, Skeleton
from pose3d.demo.person import make_person
from pose3d.demo.walk import walk_body


@pytest.fixture
def make_points():
    """Build random keypoints of one or more cameras; about a tenth is missing."""

    def make(
        *, n_frames=20, cameras=("A",), individuals=("individual_0",), keypoints=("nose", "tail"), start=0, seed=0
    ):
        rng = np.random.default_rng(seed)
        shape = (n_frames, len(cameras), len(individuals), len(keypoints))
        xy = rng.uniform(1, 1000, (*shape, 2))
        xy[rng.random(shape) < 0.1] = np.nan
        return Keypoints2D(xy, rng.random(shape), cameras, individuals, keypoints, start=start)

    return make


@pytest.fixture(scope="session")
def make_walk():
    """Build the true keypoints of somebody who walks: bones of constant length, one individual."""

    def make(*, n_frames=120, fps=60.0, skeleton="halpe26", seed=0, start=0):
        rng = np.random.default_rng(seed)
        _, _, frames = walk_body(make_person(rng), n_frames=n_frames, fps=fps, rng=rng)
        named = Skeleton.preset(skeleton)
        xyz = frames.keypoints(named)[:, None]
        return Keypoints3D.from_points(xyz, named.keypoints, ("walker",), fps=fps, start=start)

    return make
