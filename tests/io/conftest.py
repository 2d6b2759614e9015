"""Fixtures that the tests of formats share."""

import numpy as np
import pytest

from pose3d.data import Keypoints2D


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
