"""A ring of six cameras around moving keypoints, whose truth is known."""

from typing import NamedTuple

import numpy as np
import pytest

from pose3d.data import Camera, Keypoints2D, Rig
from pose3d.geometry.rotations import log_so3


class Scene(NamedTuple):
    rig: Rig
    seen: Keypoints2D
    truth: np.ndarray  # (n_frames, n_keypoints, 3)
    good: np.ndarray  # (n_frames, n_cameras, n_keypoints): views that are neither missing nor an outlier


def _ring(n_cameras):
    cameras = []
    for i in range(n_cameras):
        angle = 2 * np.pi * i / n_cameras
        center = np.array([3500 * np.cos(angle), 3500 * np.sin(angle), 1500 + 200 * np.sin(3 * angle + i)])
        z = np.array([0, 0, 1000.0]) - center
        z /= np.linalg.norm(z)
        x = np.cross(z, [0, 0, 1.0])
        x /= np.linalg.norm(x)
        R = np.stack([x, np.cross(z, x), z])
        lens = [-0.2 + 0.01 * i, 0.06, 0.001, -0.0005, -0.01]
        K = [[1080, 0, 640], [0, 1080, 512], [0, 0, 1]]
        cameras.append(Camera(f"cam_{i}", (1280, 1024), K, lens, log_so3(R), -R @ center))
    return Rig(tuple(cameras))


def _scene(n_frames=50, *, n_cameras=6, noise_px=1.0, outliers=0.05, missing=0.15, seed=0):
    rng = np.random.default_rng(seed)
    rig = _ring(n_cameras)
    t = np.arange(n_frames) / 100
    rest = rng.uniform([-300, -300, 0], [300, 300, 1800], (20, 3))
    path = np.stack([400 * np.sin(0.7 * t), 400 * np.cos(0.5 * t), 20 * np.sin(9 * t)], axis=-1)
    truth = rest + path[:, None] + 60 * np.sin(5 * t[:, None, None] + rng.uniform(0, 6, (20, 3)))
    xy = np.moveaxis(rig.project(truth), 2, 1)
    sigma = np.broadcast_to(noise_px, n_cameras)[:, None, None]
    xy = xy + sigma * rng.normal(size=xy.shape)
    bad = rng.random(xy.shape[:-1]) < outliers
    angle, radius = rng.uniform(0, 2 * np.pi, bad.shape), rng.uniform(20, 250, bad.shape)
    xy[bad] += (radius[..., None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1))[bad]
    gone = rng.random(bad.shape) < missing
    xy[gone] = np.nan
    names = tuple(f"point_{k}" for k in range(20))
    seen = Keypoints2D(xy[:, :, None], np.ones(bad.shape)[:, :, None], rig.names, ("one",), names, fps=100.0, start=7)
    return Scene(rig, seen, truth, ~bad & ~gone)


@pytest.fixture(scope="session")
def make_scene():
    return _scene
