"""Triangulation: CPU time, memory and accuracy beside aniposelib, on synthetic recordings, in one run.

Run as ``python tests/benchmarks/triangulation.py [POINTS]``. Absolute times drift with the machine: quote the ratios.
Every method runs in a process of its own, once to warm up and then timed; memory is what the first call adds to the
peak that making the recording has reached. aniposelib's exhaustive RANSAC gets a small part of the points, since it
takes about 20 ms a point. The scenes have six cameras, noise of 1 px, 5 % of outliers of 20-250 px whose scores say
nothing, and 15 % of the views missing; in the last one the cameras' noise goes from 0.4 to 2.5 px.
"""

import multiprocessing
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pose3d.data import Camera, Keypoints2D, Rig
from pose3d.demo.trials import make_trial
from pose3d.geometry.projection import project_camera_frame
from pose3d.geometry.rotations import log_so3
from pose3d.geometry.transforms import apply

try:
    import resource
except ImportError:  # not on Windows
    resource = None

N_KEYPOINTS = 20
RANSAC_SHARE = 250  # one of so many points
REPEATS = 3  # the fastest counts
UNEVEN = np.linspace(0.4, 2.5, 6)


class Scene(NamedTuple):
    rig: Rig
    seen: Keypoints2D
    truth: np.ndarray  # (n_frames, n_keypoints, 3)
    good: np.ndarray  # (n_frames, n_cameras, n_keypoints)
    noise_px: np.ndarray  # (n_cameras,)


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


def cloud(n_points: int) -> Scene:
    """Let points drift on smooth paths."""
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
    return Scene(rig, seen, truth, ~bad & ~gone, np.ones(6))


def walk(n_points: int, noise_px: float | np.ndarray = 1.0) -> Scene:
    """Let a person walk in circles."""
    trial = make_trial(n_points // N_KEYPOINTS, noise_px=noise_px)
    return Scene(trial.rig, trial.keypoints, trial.xyz, trial.clean, trial.noise_px)


def uneven_walk(n_points: int) -> Scene:
    return walk(n_points, UNEVEN)


SCENES: dict[str, Callable[[int], Scene]] = {
    "cloud": cloud,
    "walk": walk,
    "walk, noise 0.4 to 2.5 px": uneven_walk,
}


def bound(scene: Scene) -> np.ndarray:
    """Draw an error of each point at its Cramer-Rao bound, mm; NaN where fewer than two clean views see it."""
    information = np.zeros((*scene.truth.shape, 3))
    for c, camera in enumerate(scene.rig):
        pose = camera.cam_from_world
        by_point = project_camera_frame(apply(pose, scene.truth), camera.matrix, camera.distortion).by_point
        J = by_point @ pose[:3, :3] / scene.noise_px[c]
        information += np.einsum("...ki,...kj->...ij", J, J) * scene.good[:, c, :, None, None]
    possible = scene.good.sum(1) >= 2
    L = np.linalg.cholesky(np.linalg.inv(information[possible]))
    error = np.full(possible.shape, np.nan)
    error[possible] = np.linalg.norm(L @ np.random.default_rng(1).normal(size=(len(L), 3, 1)), axis=1)[:, 0]
    return error


def camera_first(scene: Scene) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(scene.seen.xy[:, :, 0], 1, 0).reshape(len(scene.rig), -1, 2))


def run_pose3d(scene: Scene, *, robust: bool, method: str = "svd") -> Callable[[], np.ndarray]:
    from pose3d.reconstruction import triangulate

    settings = {"robust": robust, "method": method, "weighted": False}
    return lambda: triangulate(scene.seen, scene.rig, **settings).xyz[:, 0].reshape(-1, 3)


def run_arrays(scene: Scene) -> Callable[[], np.ndarray]:
    from pose3d.reconstruction.points.plain import triangulate_pixels

    xy = camera_first(scene)
    return lambda: triangulate_pixels(scene.rig.cameras, xy)


def run_aniposelib(scene: Scene, *, ransac: bool) -> Callable[[], np.ndarray]:
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
            for camera in scene.rig
        ]
    )
    xy = camera_first(scene)
    if not ransac:
        return lambda: np.asarray(group.triangulate(xy, undistort=True))
    part = np.ascontiguousarray(xy[:, ::RANSAC_SHARE])
    return lambda: np.asarray(group.triangulate_ransac(part, undistort=True, min_cams=2)[0])


METHODS: dict[str, tuple[Callable[..., Callable[[], np.ndarray]], dict[str, object], int]] = {
    "aniposelib triangulate": (run_aniposelib, {"ransac": False}, 1),
    "pose3d robust": (run_pose3d, {"robust": True}, 1),
    "pose3d closed form, arrays": (run_arrays, {}, 1),
    "pose3d closed form": (run_pose3d, {"robust": False, "method": "closed form"}, 1),
    "pose3d SVD": (run_pose3d, {"robust": False}, 1),
    "aniposelib triangulate_ransac": (run_aniposelib, {"ransac": True}, RANSAC_SHARE),
}
BRIEFLY = ("aniposelib triangulate", "pose3d robust", "pose3d closed form, arrays")


def peak_mib() -> float:
    if resource is None:
        return float("nan")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


class Measured(NamedTuple):
    points_a_second: float
    memory_mib: float
    median: float  # all over the bound
    p95: float
    root_mean_square: float
    made: tuple[float, ...]  # share of the points that 2, 3, ... clean views see


def measure(name: str, scene_name: str, n_points: int) -> Measured:
    scene = SCENES[scene_name](n_points)
    make, settings, step = METHODS[name]
    call = make(scene, **settings)
    before = peak_mib()
    xyz = call()
    after = peak_mib()
    seconds = []
    for _ in range(1 if step > 1 else REPEATS):
        start = time.process_time()
        call()
        seconds.append(time.process_time() - start)
    n_clean = scene.good.sum(1).reshape(-1)[::step]
    error = np.linalg.norm(xyz - scene.truth.reshape(-1, 3)[::step], axis=-1)
    made = np.isfinite(error)
    shares = tuple(float(made[n_clean == n].mean()) for n in range(2, len(scene.rig) + 1))
    floor = bound(scene).reshape(-1)[::step]
    error, floor = (each[made & (n_clean >= 2)] for each in (error, floor))
    well = n_clean[made & (n_clean >= 2)] >= 3
    ratios = [np.percentile(error, p) / np.percentile(floor, p) for p in (50, 95)]
    ratios.append(np.sqrt(np.mean(error[well] ** 2) / np.mean(floor[well] ** 2)))
    return Measured(len(xyz) / min(seconds), after - before, *(float(ratio) for ratio in ratios), shares)


def main() -> None:
    n_points = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    context = multiprocessing.get_context("spawn")
    print(
        "median, p95: error over that at the Cramer-Rao bound, points of two clean views or more; RMS: of three or more"
    )
    for scene_name in SCENES:
        print(f"\n{scene_name}, {n_points} points; points made by number of clean views: 2, 3, ... 6")
        print(f"{'':30}{'points/CPU s':>13}{'x anipose':>11}{'+MiB':>6}{'median':>8}{'p95':>8}{'RMS':>8}  made, %")
        theirs = None
        for name in METHODS if scene_name == "cloud" else BRIEFLY:
            with context.Pool(1) as pool:
                done = pool.apply(measure, (name, scene_name, n_points))
            theirs = theirs or done.points_a_second
            speed = f"{name:30}{done.points_a_second:13.0f}{done.points_a_second / theirs:11.3f}{done.memory_mib:6.0f}"
            made = " ".join(f"{100 * share:.2f}" for share in done.made)
            print(f"{speed}{done.median:8.3f}{done.p95:8.2f}{done.root_mean_square:8.3f}  {made}")


if __name__ == "__main__":
    main()
