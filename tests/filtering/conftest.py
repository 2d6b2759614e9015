"""Recordings that the tests of the filters share."""

from collections.abc import Callable

import numpy as np
import pytest

from pose3d.data import Keypoints2D, Keypoints3D, Status


@pytest.fixture
def make_points() -> Callable[..., Keypoints3D]:
    def make(xyz: np.ndarray, *, fps: float | None = 100.0, covariance: bool = True, **values: object) -> Keypoints3D:
        """Points in space (frame, keypoint, 3) of one individual."""
        xyz = np.asarray(xyz, dtype=float)[:, None]
        here = np.isfinite(xyz[..., 0])
        shape = xyz.shape[:-1]
        fields = {
            "error": np.where(here, 1.0, np.nan),
            "n_cameras": np.where(here, 4, 0),
            "score": np.where(here, 0.9, np.nan),
            "status": np.where(here, Status.OBSERVED, Status.MISSING),
        } | values
        names = tuple(f"k{i}" for i in range(shape[2]))
        spread = np.where(here[..., None, None], np.diag([1.0, 4.0, 9.0]), np.nan) if covariance else None
        return Keypoints3D(
            xyz,
            individuals=("one",),
            keypoints=names,
            covariance=spread,
            fps=fps,
            **fields,  # type: ignore[arg-type]
        )

    return make


@pytest.fixture
def make_views() -> Callable[..., Keypoints2D]:
    def make(xy: np.ndarray, score: np.ndarray | None = None, *, fps: float | None = 100.0) -> Keypoints2D:
        """Views (frame, keypoint, 2) of one camera and individual."""
        xy = np.asarray(xy, dtype=float)[:, None, None]
        score = np.full(xy.shape[:-1], 0.9) if score is None else np.asarray(score, dtype=float)[:, None, None]
        return Keypoints2D(xy, score, ("A",), ("one",), tuple(f"k{i}" for i in range(xy.shape[3])), fps=fps, start=100)

    return make
