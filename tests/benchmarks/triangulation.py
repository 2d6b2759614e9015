"""Triangulation: CPU time, memory and accuracy beside aniposelib, on one synthetic recording, in one run.

Run as ``python tests/benchmarks/triangulation.py [POINTS]``. Absolute times drift with the machine: quote the ratios.
Every method runs in a process of its own, once to warm up and then timed; memory is what the first call adds to the
peak that making the recording has reached. aniposelib's exhaustive RANSAC gets a small
part of the points, since it takes about 20 ms a point.
"""

import multiprocessing
import sys
import time
from collections.abc import Callable

import numpy as np

from pose3d.data import Camera, Keypoints2D, Rig
from pose3d.geometry.projection import project_camera_frame
from pose3d.geometry.rotations import log_so3
from pose3d.geometry.transforms import apply

try:
    import resource
except ImportError:  # not on Windows
    resource = None

N_KEYPOINTS = 20
RANSAC_SHARE = 250  # one of so many points


def ring() -> Rig:
    """Six cameras 3.5 m from the middle, with a lens as webcams have it."""
    cameras = []
    for i in range(6):
        angle = np.pi * i / 3
        center = np.array([3500 * np.cos(angle), 3500 * np.sin(angle), 1500 + 200 * np.sin(3 * angle + i)])
        z = np.array([0, 0, 1000.0]) - center
        z /= np.linalg.norm(z)
        x = np.cross(z, [0, 0, 1.0])
        x /= np.linalg.norm(x)
        R = np.stack([x, np.cross(z, x), z])
        K = [[1080, 0, 640], [0, 1080, 512], [0, 0, 1]]
        lens = [-0.2 + 0.01 * i, 0.06, 0.001, -0.0005, -0.01]
        cameras.append(Camera(f"cam_{i}", (1280, 1024), K, lens, log_so3(R), -R @ center))
    return Rig(tuple(cameras))


def scene(n_points: int) -> tuple[Rig, Keypoints2D, np.ndarray, np.ndarray]:
    """Return rig, detections (1 px noise, 5 % outliers of 20-250 px, 15 % missing), truth and good views."""
    rng = np.random.default_rng(0)
    rig = ring()
    t = np.arange(n_points // N_KEYPOINTS) / 100
    rest = rng.uniform([-300, -300, 0], [300, 300, 1800], (N_KEYPOINTS, 3))
    path = np.stack([400 * np.sin(0.7 * t), 400 * np.cos(0.5 * t), 20 * np.sin(9 * t)], axis=-1)
    truth = rest + path[:, None] + 60 * np.sin(5 * t[:, None, None] + rng.uniform(0, 6, (N_KEYPOINTS, 3)))
    xy = np.moveaxis(rig.project(truth), 2, 1)
    xy = xy + rng.normal(size=xy.shape)
    bad = rng.random(xy.shape[:-1]) < 0.05
    angle, radius = rng.uniform(0, 2 * np.pi, bad.shape), rng.uniform(20, 250, bad.shape)
    xy[bad] += (radius[..., None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1))[bad]
    gone = rng.random(bad.shape) < 0.15
    xy[gone] = np.nan
    names = tuple(f"point_{k}" for k in range(N_KEYPOINTS))
    seen = Keypoints2D(xy[:, :, None], np.ones(bad.shape)[:, :, None], rig.names, ("one",), names)
    return rig, seen, truth, ~bad & ~gone


def bound(rig: Rig, truth: np.ndarray, good: np.ndarray) -> tuple[float, float]:
    """Median and 95th percentile of the errors at the Cramer-Rao bound."""
    information = np.zeros((*truth.shape, 3))
    for c, camera in enumerate(rig):
        pose = camera.cam_from_world
        J = project_camera_frame(apply(pose, truth), camera.matrix, camera.distortion).by_point @ pose[:3, :3]
        information += np.einsum("...ki,...kj->...ij", J, J) * good[:, c, :, None, None]
    L = np.linalg.cholesky(np.linalg.inv(information[good.sum(1) >= 2]))
    error = np.linalg.norm(L @ np.random.default_rng(1).normal(size=(len(L), 3, 1)), axis=1)
    return float(np.median(error)), float(np.percentile(error, 95))


def run_pose3d(rig: Rig, seen: Keypoints2D, *, robust: bool) -> Callable[[], np.ndarray]:
    from pose3d.reconstruction import triangulate

    return lambda: triangulate(seen, rig, robust=robust).xyz[:, 0].reshape(-1, 3)


def run_aniposelib(rig: Rig, seen: Keypoints2D, *, ransac: bool) -> Callable[[], np.ndarray]:
    from aniposelib import cameras as anipose

    group = anipose.CameraGroup(
        [
            anipose.Camera(
                name=camera.name,
                size=camera.size,
                matrix=np.array(camera.matrix),
                dist=np.array(camera.distortion),
                rvec=np.array(camera.rotation),
                tvec=np.array(camera.translation),
            )
            for camera in rig
        ]
    )
    xy = np.ascontiguousarray(np.moveaxis(seen.xy[:, :, 0], 1, 0).reshape(len(rig), -1, 2))
    if not ransac:
        return lambda: np.asarray(group.triangulate(xy, undistort=True))
    part = np.ascontiguousarray(xy[:, ::RANSAC_SHARE])
    return lambda: np.asarray(group.triangulate_ransac(part, undistort=True, min_cams=2)[0])


METHODS: dict[str, tuple[Callable[..., Callable[[], np.ndarray]], dict[str, bool], int]] = {
    "pose3d robust": (run_pose3d, {"robust": True}, 1),
    "pose3d plain SVD": (run_pose3d, {"robust": False}, 1),
    "aniposelib triangulate": (run_aniposelib, {"ransac": False}, 1),
    "aniposelib triangulate_ransac": (run_aniposelib, {"ransac": True}, RANSAC_SHARE),
}


def peak_mib() -> float:
    if resource is None:
        return float("nan")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def measure(name: str, n_points: int) -> tuple[float, float, float, float, float]:
    """Return points per CPU second, MiB that the call needed, median and p95 error in mm, share of points made."""
    rig, seen, truth, good = scene(n_points)
    make, settings, step = METHODS[name]
    call = make(rig, seen, **settings)
    before = peak_mib()
    xyz = call()
    after = peak_mib()
    start = time.process_time()
    call()
    seconds = time.process_time() - start
    possible = (good.sum(1) >= 2).reshape(-1)[::step]
    error = np.linalg.norm(xyz - truth.reshape(-1, 3)[::step], axis=-1)[possible]
    made = np.isfinite(error)
    median, p95 = np.percentile(error[made], [50, 95])
    return len(xyz) / seconds, after - before, float(median), float(p95), float(made.mean())


def main() -> None:
    n_points = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    rig, _, truth, good = scene(20_000)
    floor, floor_p95 = bound(rig, truth, good)
    print(f"{n_points} points, 6 cameras; Cramer-Rao bound: median {floor:.2f} mm, p95 {floor_p95:.2f} mm")
    print(f"{'method':32}{'points/CPU s':>14}{'ratio':>9}{'+MiB':>8}{'median':>9}{'/bound':>8}{'p95':>9}{'made':>8}")
    ours = None
    context = multiprocessing.get_context("spawn")
    for name in METHODS:
        with context.Pool(1) as pool:
            rate, memory, median, p95, made = pool.apply(measure, (name, n_points))
        ours = ours or rate
        speed = f"{name:32}{rate:14.0f}{ours / rate:9.2f}{memory:8.0f}"
        print(f"{speed}{median:9.2f}{median / floor:8.3f}{p95:9.2f}{made:8.4f}")


if __name__ == "__main__":
    main()
