"""Calibration: CPU time, memory, accuracy and honesty beside aniposelib, on synthetic boards, in one run.

Run as ``python tests/benchmarks/calibration.py [speed] [accuracy] [coverage] [robustness] [mouse]`` (all without a
word), with ``--seeds``, ``--frames``, ``--simulations`` and ``--workers``; ``--quick`` takes two minutes. Absolute
times drift with the machine: quote the ratios. Every timed method runs in a process of its own, once to warm up on a
small part and then timed; memory is what the call adds to the process's peak.

The scene: 6 cameras of 1280x1024 px on a ring of 2.5 m, a ChArUco board of 7x10 squares of 60 mm, corners with 0.3 px
noise. "f + k1": one focal length and one coefficient a camera, as aniposelib's lens; "full": fx fy cx cy k1 k2 p1 p2.
The error "tri" is the RMS distance of exact points, triangulated with the cameras that were found, after the best rigid
alignment. Its Cramer-Rao bound comes from the true cameras and boards: derivatives of all corners, the boards' poses
marginalised, no priors, carried through the triangulation by finite differences.
"""

import argparse
import functools
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import chi2

from pose3d.calibration import calibrate_detections
from pose3d.calibration.rig import Calibration
from pose3d.calibration.solver.solve import estimate_lenses, solve_rig
from pose3d.data import Board, BoardDetections, Camera, Rig
from pose3d.geometry.projection import project_camera_frame
from pose3d.geometry.rotations import log_so3, skew
from pose3d.geometry.transforms import apply, rigid, rotvec_translation, umeyama
from pose3d.geometry.triangulation import triangulate_svd

try:
    import resource
except ImportError:  # not on Windows
    resource = None

BOARD = Board("charuco", (7, 10), 60, 45, "4X4_100")
SIGMA = 0.3
MODELS = {"f + k1": "k1", "full": "full"}  # the scene's lens: pose3d's model of it
LENSES = tuple(MODELS)
GRID = np.stack(np.meshgrid(*[np.linspace(-500, 500, 6)] * 3), -1).reshape(-1, 3)


class Scene(NamedTuple):
    """A rig, the boards that it saw, and what it saw of them."""

    rig: Rig
    world_from_board: np.ndarray
    detections: BoardDetections
    sigma: np.ndarray


def ring(lens: str) -> Rig:
    cameras = []
    for i in range(6):
        angle = np.pi * i / 3
        center = np.array([2500 * np.cos(angle), 2500 * np.sin(angle), 300.0 * (-1) ** i])
        forward = -center / np.linalg.norm(center)
        right = np.cross(forward, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        R = np.stack([right, np.cross(forward, right), forward])
        f = 1000.0 + 25 * i
        K = [[f, 0, 650.0 - 5 * i], [0, f * 1.001, 505.0 + 4 * i], [0, 0, 1]]
        coefficients = [-0.12 + 0.01 * i, 0.05, 0.0005, -0.0004, 0.0]
        if lens == "f + k1":
            K = [[f, 0, 639.5], [0, f, 511.5], [0, 0, 1]]
            coefficients[1:] = [0.0] * 4
        cameras.append(Camera(f"cam_{i}", (1280, 1024), K, coefficients, log_so3(R), -R @ center))
    return Rig(tuple(cameras))


def make_scene(lens: str, n_frames: int, seed: int, *, wrong: float = 0.0, noisy: float = 1.0) -> Scene:
    """Move a board in the middle; `wrong` is the part of corners that lie 8 px off, `noisy` the last camera's noise."""
    rng = np.random.default_rng(seed)
    rig = ring(lens)
    toward = rng.normal(size=(n_frames, 3)) * [1, 1, 0.4]
    toward /= np.linalg.norm(toward, axis=1, keepdims=True)
    x = np.cross(toward, rng.normal(size=(n_frames, 3)))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    R = np.stack([x, np.cross(toward, x), toward], axis=-1)
    t = rng.uniform(-500, 500, size=(n_frames, 3)) * [1, 1, 0.8]
    poses = rigid(R, t) @ rigid(np.zeros(3), -BOARD.points.mean(0))
    world = apply(poses[:, None], BOARD.points)
    xy = rig.project(world).transpose(0, 2, 1, 3)
    inside = ((xy > 2) & (xy < np.array([1280, 1024]) - 3)).all((-1, -2))
    ray = world.mean(1)[:, None] - rig.centers
    ray /= np.linalg.norm(ray, axis=-1, keepdims=True)
    seen = inside & (np.einsum("fck,fk->fc", ray, poses[:, :3, 2]) > 0.3)
    sigma = np.where(np.arange(len(rig)) == len(rig) - 1, SIGMA * noisy, SIGMA)
    xy = xy + sigma[:, None, None] * rng.normal(size=xy.shape)
    off = rng.random(xy.shape[:-1]) < wrong
    angle = rng.uniform(0, 2 * np.pi, off.sum())
    xy[off] += 8 * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    xy[~seen] = np.nan
    detections = BoardDetections(BOARD, rig.names, tuple(c.size for c in rig), np.arange(n_frames), xy)
    return Scene(rig, poses, detections, sigma)


def triangulated(rig: Rig, pixels: np.ndarray) -> np.ndarray:
    weights = np.broadcast_to(rig.focals, pixels.shape[:-1])
    return triangulate_svd(rig.undistort(pixels), rig.cam_from_world, weights=weights)


def volume_rms(found: Rig, truth: Rig, points: np.ndarray = GRID, seen: np.ndarray | None = None) -> float:
    """RMS mm of exact points triangulated with the found cameras, after rigid alignment."""
    pixels = truth.select(found.names).project(points)
    if seen is not None:
        pixels[~seen] = np.nan
    made = triangulated(found, pixels)
    return float(np.sqrt(((umeyama(made, points)(made) - points) ** 2).sum(-1).mean()))


# --- the Cramer-Rao bound ---


def lens_columns(by_intrinsics: np.ndarray, lens: str) -> np.ndarray:
    """Turn derivatives by fx fy cx cy k1 k2 p1 p2 k3 into those by the lens's own parameters."""
    if lens == "full":
        return by_intrinsics[..., :8]
    return np.stack([by_intrinsics[..., 0] + by_intrinsics[..., 1], by_intrinsics[..., 4]], axis=-1)


def moved(rig: Rig, lens: str, step: np.ndarray) -> Rig:
    """Add steps (n_cameras, n_lens + 6) to a rig's parameters."""
    cameras = []
    for camera, d in zip(rig, step, strict=True):
        K, coefficients = camera.matrix.copy(), camera.distortion.copy()
        if lens == "full":
            K[[0, 1, 0, 1], [0, 1, 2, 2]] += d[:4]
            coefficients[:4] += d[4:8]
        else:
            K[[0, 1], [0, 1]] += d[0]
            coefficients[0] += d[1]
        rotation, translation = rotvec_translation(rigid(d[-6:-3], d[-3:]) @ camera.cam_from_world)
        cameras.append(replace(camera, matrix=K, distortion=coefficients, rotation=rotation, translation=translation))
    return Rig(tuple(cameras))


def bound(scene: Scene, lens: str) -> float:
    """RMS mm of the triangulated points at the Cramer-Rao bound of the cameras; the first one's pose is the gauge."""
    n_cameras, n_frames = len(scene.rig), len(scene.world_from_board)
    n = (8 if lens == "full" else 2) + 6
    information = np.zeros((n_cameras * n, n_cameras * n))
    boards, between = np.zeros((n_frames, 6, 6)), np.zeros((n_frames, n_cameras * n, 6))
    world = apply(scene.world_from_board[:, None], BOARD.points)
    for c, camera in enumerate(scene.rig):
        pose = camera.cam_from_world
        X = apply(pose, world)
        seen = project_camera_frame(X, camera.matrix, camera.distortion)
        by_camera = np.concatenate(
            [lens_columns(seen.by_intrinsics, lens), -seen.by_point @ skew(X), seen.by_point], axis=-1
        )
        by_world = seen.by_point @ pose[:3, :3]
        by_board = np.concatenate([-by_world @ skew(world), by_world], axis=-1)
        there = np.isfinite(scene.detections.xy[:, c, :, 0])[..., None, None] / scene.sigma[c]
        P, Q = ((J * there).reshape(n_frames, -1, J.shape[-1]) for J in (by_camera, by_board))
        here = slice(c * n, (c + 1) * n)
        information[here, here] = np.einsum("fki,fkj->ij", P, P)
        boards += np.einsum("fki,fkj->fij", Q, Q)
        between[:, here] = np.einsum("fki,fkj->fij", P, Q)
    known = np.isfinite(scene.detections.xy[..., 0]).any((1, 2))
    inner = np.linalg.inv(boards[known])
    information -= np.einsum("fik,fkl,fjl->ij", between[known], inner, between[known], optimize=True)
    free = np.ones((n_cameras, n), dtype=bool)
    free[0, -6:] = False
    free = np.flatnonzero(free.ravel())
    information = information[np.ix_(free, free)]
    scale = 1 / np.sqrt(np.diag(information))
    covariance = np.linalg.inv(information * scale[:, None] * scale) * scale[:, None] * scale
    pixels = scene.rig.project(GRID)
    by_param = np.zeros((GRID.size, len(free)))
    for k, at in enumerate(free):
        step = np.zeros(n_cameras * n)
        step[at] = 0.01 * scale[k]
        ends = [triangulated(moved(scene.rig, lens, s * step.reshape(n_cameras, n)), pixels) for s in (1, -1)]
        by_param[:, k] = ((ends[0] - ends[1]) / (2 * step[at])).ravel()
    basis = np.concatenate([np.broadcast_to(np.eye(3), (len(GRID), 3, 3)), -skew(GRID)], axis=-1).reshape(-1, 6)
    by_param -= basis @ np.linalg.lstsq(basis, by_param, rcond=None)[0]
    return float(np.sqrt(np.einsum("ij,jk,ik->", by_param, covariance, by_param) / len(GRID)))


# --- speed ---


def solve_alone(detections: BoardDetections, lens: str) -> Rig:
    """Initialise and refine with a given lens model: no selection, no covariance, no quality."""
    solved = solve_rig(detections, estimate_lenses(detections)[0], lens_model=MODELS[lens])
    bundle = solved.solution.bundle
    rotation, translation = rotvec_translation(bundle.cam_from_world)
    cameras = zip(solved.detections.cameras, solved.detections.sizes, strict=True)
    return Rig(
        tuple(
            Camera(name, size, bundle.matrix(i), bundle.distortion(i), rotation[i], translation[i])
            for i, (name, size) in enumerate(cameras)
        )
    )


def everything(detections: BoardDetections, _: str) -> Rig:
    return calibrate_detections(detections).rig


def aniposelib(detections: BoardDetections, _: str) -> Rig:
    from pose3d.calibration.anipose import solve_with_anipose

    return solve_with_anipose(detections)


METHODS: dict[str, Callable[[BoardDetections, str], Rig]] = {
    "solve alone": solve_alone,
    "everything": everything,
    "aniposelib": aniposelib,
}


def peak_mib() -> float:
    if resource is None:
        return float("nan")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def measure_speed(method: str, lens: str, n_frames: int, seed: int) -> tuple[float, float, float]:
    """Return CPU seconds, MiB that the call added to the peak, and the error in mm."""
    METHODS[method](make_scene(lens, 40, 1000).detections, lens)  # imports, compilers
    scene = make_scene(lens, n_frames, seed)
    before = peak_mib()
    start = time.process_time()
    rig = METHODS[method](scene.detections, lens)
    seconds = time.process_time() - start
    return seconds, peak_mib() - before, volume_rms(rig, scene.rig)


def show_speed(options: argparse.Namespace) -> None:
    print("\nCPU seconds, memory added, error (medians over seeds); ratio of aniposelib's CPU time to ours")
    print(f"{'lens':8}{'frames':>7} {'method':14}{'CPU s':>9}{'ratio':>8}{'+MiB':>7}{'tri mm':>9}{'bound':>8}")
    context = multiprocessing.get_context("spawn")
    for lens in LENSES:
        for n_frames in options.frames:
            floor = statistics.median(bound(make_scene(lens, n_frames, s), lens) for s in range(options.speed_seeds))
            rows = {}
            for method in METHODS:
                with context.Pool(1, maxtasksperchild=1) as pool:  # each seed in a process of its own
                    runs = [pool.apply(measure_speed, (method, lens, n_frames, s)) for s in range(options.speed_seeds)]
                rows[method] = [statistics.median(column) for column in zip(*runs, strict=True)]
            for method, (seconds, memory, error) in rows.items():
                ratio = rows["aniposelib"][0] / seconds
                times = f"{lens:8}{n_frames:7d} {method:14}{seconds:9.3f}{ratio:8.1f}"
                print(f"{times}{memory:7.0f}{error:9.4f}{floor:8.4f}", flush=True)


# --- accuracy ---


def measure_error(lens: str, n_frames: int, wrong: float, noisy: float, seed: int) -> tuple[float, float]:
    """Return the squared error and the squared bound, mm^2."""
    scene = make_scene(lens, n_frames, seed, wrong=wrong, noisy=noisy)
    return volume_rms(calibrate_detections(scene.detections).rig, scene.rig) ** 2, bound(scene, lens) ** 2


def rms_over_seeds(
    pool: Pool, options: argparse.Namespace, lens: str, n_frames: int, wrong: float = 0.0, noisy: float = 1.0
) -> tuple[float, float]:
    work = functools.partial(measure_error, lens, n_frames, wrong, noisy)
    error, floor = np.sqrt(np.mean(pool.map(work, range(options.seeds), chunksize=1), axis=0))
    return float(error), float(floor)


def show_accuracy(options: argparse.Namespace, pool: Pool) -> None:
    print(f"\ntri over {options.seeds} seeds against the Cramer-Rao bound (aim: 1.15 at most)")
    print(f"{'lens':8}{'frames':>7}{'tri mm':>9}{'bound':>9}{'ratio':>8}")
    for lens in LENSES:
        for n_frames in options.frames:
            error, floor = rms_over_seeds(pool, options, lens, n_frames)
            print(f"{lens:8}{n_frames:7d}{error:9.4f}{floor:9.4f}{error / floor:8.3f}", flush=True)


def show_robustness(options: argparse.Namespace, pool: Pool) -> None:
    print(
        f"\ngrowth of tri over {options.seeds} seeds (aim: 10 % at most), and of the bound (without the wrong corners)"
    )
    print(f"{'lens':8}{'frames':>7} {'case':28}{'tri mm':>9}{'growth':>9}{'bound grows':>13}")
    n_frames = options.frames[0]
    for lens in LENSES:
        clean, clean_floor = rms_over_seeds(pool, options, lens, n_frames)
        for case, settings in (
            ("2 % of corners 8 px off", {"wrong": 0.02}),
            ("one camera with 3 x noise", {"noisy": 3.0}),
        ):
            error, floor = rms_over_seeds(pool, options, lens, n_frames, **settings)
            growth = f"{100 * (error / clean - 1):7.1f} %{100 * (floor / clean_floor - 1):11.1f} %"
            print(f"{lens:8}{n_frames:7d} {case:28}{error:9.4f}{growth}", flush=True)


# --- coverage of the covariance ---


def parameter_errors(calibration: Calibration, truth: Rig) -> np.ndarray:
    """Errors of the parameters in the order of the calibration's covariance, in the first camera's frame."""
    truth = truth.select(calibration.rig.names)
    truth = truth.transformed(truth.cameras[0].cam_from_world)
    out = np.zeros((len(truth), 18))
    for i, (found, true) in enumerate(zip(calibration.rig, truth, strict=True)):
        out[i, :4] = (found.matrix - true.matrix)[[0, 1, 0, 1], [0, 1, 2, 2]]
        for sign, camera in ((1, found), (-1, true)):
            out[i, 4 : 4 + len(camera.distortion)] += sign * camera.distortion
        turn = found.cam_from_world[:3, :3] @ true.cam_from_world[:3, :3].T
        out[i, 12:15] = log_so3(turn)
        out[i, 15:] = found.translation - true.translation
    return out[calibration.uncertainty.camera, calibration.uncertainty.number]


def not_tied(covariance: np.ndarray) -> np.ndarray:
    """Return the parameters without those that another one before them determines (one focal length in two numbers)."""
    sd = np.sqrt(np.diag(covariance))
    return np.flatnonzero((np.triu(covariance / sd[:, None] / sd, 1) < 0.999).all(0))


def measure_coverage(lens: str, n_frames: int, seed: int) -> dict[str, Any]:
    scene = make_scene(lens, n_frames, seed)
    calibration = calibrate_detections(scene.detections)
    error = parameter_errors(calibration, scene.rig)
    covariance = calibration.uncertainty.covariance
    apart = not_tied(covariance)
    error, covariance = error[apart], covariance[np.ix_(apart, apart)]
    sd = np.sqrt(np.diag(covariance))
    scaled = error / sd
    distance = float(scaled @ np.linalg.solve(covariance / sd[:, None] / sd, scaled))
    truth = scene.rig.transformed(scene.rig.cameras[0].cam_from_world)
    points = calibration.volume.xyz
    pixels = truth.project(points)
    inside = ((pixels > -0.5) & (pixels < np.array([1280, 1024]) - 0.5)).all(-1)
    return {
        "inside": np.abs(error) <= 1.96 * sd,
        "number": calibration.uncertainty.number[apart],
        "joint": distance <= chi2.ppf(0.95, len(error)),
        "distance": distance / len(error),
        "predicted": calibration.volume.rms_mm**2,
        "real": volume_rms(calibration.rig, truth, points, inside) ** 2,
    }


def show_coverage(options: argparse.Namespace, pool: Pool) -> None:
    print(f"\ncovariance: truth within 95 % regions, {options.simulations} calibrations (aim: 92-98 %); predicted/real")
    print(f"{'lens':8}{'frames':>7}{'intervals':>11}{'lens':>8}{'turns':>8}{'shifts':>8}", end="")
    print(f"{'regions':>9}{'chi2/n':>8}{'predicted':>11}{'real mm':>9}{'ratio':>7}")
    for lens in LENSES:
        n_frames = options.frames[0]
        work = functools.partial(measure_coverage, lens, n_frames)
        runs = pool.map(work, range(10_000, 10_000 + options.simulations), chunksize=1)
        inside, number = (np.concatenate([run[what] for run in runs]) for what in ("inside", "number"))
        parts = (number >= 0, number < 12, (number >= 12) & (number < 15), number >= 15)
        shares = [f"{100 * inside[part].mean():6.1f} %" for part in parts]
        joint, distance = (float(np.mean([run[what] for run in runs])) for what in ("joint", "distance"))
        predicted, real = (float(np.sqrt(np.mean([run[what] for run in runs]))) for what in ("predicted", "real"))
        print(f"{lens:8}{n_frames:7d}   {''.join(shares)}{100 * joint:7.1f} %{distance:8.2f}", end="")
        print(f"{predicted:11.4f}{real:9.4f}{predicted / real:7.2f}", flush=True)


# --- a real recording ---


def show_mouse(runs: int) -> None:
    folder = os.environ.get("POSE3D_TEST_DATA")
    if not folder:
        print("\nmouse-4cam: POSE3D_TEST_DATA is not set")
        return
    import h5py

    from pose3d.calibration import detect_board
    from pose3d.io.calibration_toml import write_calibration
    from pose3d.io.sleap import read_sleap

    mouse = Path(folder) / "mouse-4cam"
    names = ("back", "mid", "side", "top")
    clips = {name: mouse / name / f"minimal_session-{name}-calibration.MOV" for name in names}
    detections = detect_board(clips, Board("charuco", (8, 11), 24, 18.75, "4X4_1000"))
    written = set()
    seconds = []
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "calibration.toml"
        for _ in range(runs):
            start = time.process_time()
            rig = calibrate_detections(detections).rig
            seconds.append(time.process_time() - start)
            write_calibration(rig, path)
            written.add(path.read_bytes())
    views = [read_sleap(mouse / c / f"minimal_{c}_proofread.analysis.h5", camera=c) for c in names]
    xy = np.concatenate([view.xy for view in views], axis=1)[:, :, 0].transpose(0, 2, 1, 3)
    with h5py.File(mouse / "points3d.h5") as file:
        published = file["tracks"][:, 0]
    points = triangulated(rig, xy)
    distance = np.linalg.norm(umeyama(points, published)(points) - published, axis=-1)
    median, p90 = np.nanpercentile(distance, [50, 90])
    print(f"\nmouse-4cam: median {median:.2f} mm (aim 2.0), p90 {p90:.2f} mm (aim 4.5), ", end="")
    print(f"{len(written)} different file(s) in {runs} runs, {statistics.median(seconds):.2f} CPU s")


def main() -> None:
    parts = ("speed", "accuracy", "coverage", "robustness", "mouse")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(parts))
    parser.add_argument("--frames", type=int, nargs="+", default=[200, 600])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--speed-seeds", type=int, default=3)
    parser.add_argument("--simulations", type=int, default=200)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="few seeds and frames: two minutes")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(parts):
        parser.error(f"unknown: {', '.join(unknown)}; known are {', '.join(parts)}")
    if options.quick:
        options.frames, options.seeds, options.speed_seeds, options.simulations = [100], 2, 1, 4
    chosen = options.parts or parts
    if "speed" in chosen:
        show_speed(options)
    with multiprocessing.get_context("spawn").Pool(options.workers) as pool:
        if "accuracy" in chosen:
            show_accuracy(options, pool)
        if "coverage" in chosen:
            show_coverage(options, pool)
        if "robustness" in chosen:
            show_robustness(options, pool)
    if "mouse" in chosen:
        show_mouse(2 if options.quick else 10)


if __name__ == "__main__":
    main()
