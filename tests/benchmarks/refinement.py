"""Refinement over time: CPU time, memory and accuracy beside aniposelib's `triangulate_optim`, in one run.

Run as ``python tests/benchmarks/refinement.py [peer|long|motions|cameras|diverging] ...``; without arguments all but
`diverging`, which takes an hour. Every measurement runs in a process of its own, warmed up on a short recording. The
scene is that of :func:`pose3d.demo.trials.make_trial`: 6 cameras, 20 keypoints, noise of 1 px, 5 % outliers whose score
says nothing, 15 % missing. Absolute times drift with the machine: quote the ratios.
"""

import contextlib
import io
import multiprocessing
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import scipy.signal

from pose3d.demo.trials import TRIAL_SKELETON, Trial, make_trial, walk_in_circles
from pose3d.reconstruction import RefinementSettings, reconstruct, triangulate
from pose3d.reconstruction.recording import Reconstructor
from pose3d.reconstruction.source import InMemory

try:
    import resource
except ImportError:  # not on Windows
    resource = None

SETTINGS = RefinementSettings(limbs=TRIAL_SKELETON.edges)
CHI2_3_95 = 7.814727903251179


def peak_mib() -> float:
    if resource is None:
        return float("nan")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def timed(call: Callable[[], object]) -> tuple[object, float, float]:
    """Return result, CPU seconds and MiB that the call added to the peak."""
    before, start = peak_mib(), time.process_time()
    result = call()
    return result, time.process_time() - start, peak_mib() - before


def errors(xyz: np.ndarray, trial: Trial) -> np.ndarray:
    return np.linalg.norm(xyz - trial.xyz, axis=-1)


def ours(n_frames: int) -> tuple[float, float, float, float]:
    reconstruct(make_trial(250).keypoints, make_trial(1).rig, SETTINGS)
    trial = make_trial(n_frames)
    made, seconds, mib = timed(lambda: reconstruct(trial.keypoints, trial.rig, SETTINGS))
    error = errors(made.points.xyz[:, 0], trial)
    return seconds, mib, float(np.nanmedian(error)), float(np.sqrt(np.nanmean(error**2)))


def aniposelib(n_frames: int) -> tuple[float, float, float, float]:
    from aniposelib import cameras as anipose

    def run(trial: Trial) -> np.ndarray:
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
                for camera in trial.rig
            ]
        )
        names = list(TRIAL_SKELETON.keypoints)
        limbs = [[names.index(a), names.index(b)] for a, b in TRIAL_SKELETON.edges]
        xy = np.ascontiguousarray(np.moveaxis(trial.keypoints.xy[:, :, 0], 1, 0))
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return np.asarray(group.triangulate_optim(xy, constraints=limbs))

    run(make_trial(30))
    trial = make_trial(n_frames)
    xyz, seconds, mib = timed(lambda: run(trial))
    error = errors(xyz, trial)
    return seconds, mib, float(np.nanmedian(error)), float(np.sqrt(np.nanmean(error**2)))


def oracle(n_frames: int) -> float:
    """RMS of a smoother that is told the good views, the noise, the limbs' lengths and the best smoothness."""
    from pose3d.reconstruction.points.noise import Noise
    from pose3d.reconstruction.points.views import Lenses
    from pose3d.reconstruction.refinement.limbs import Limbs
    from pose3d.reconstruction.refinement.motion import Motion
    from pose3d.reconstruction.refinement.start import resolve
    from pose3d.reconstruction.refinement.window import refine_resolved

    trial = make_trial(n_frames)
    lenses = Lenses.of(trial.rig.cameras)
    xy = np.where(trial.clean[..., None], trial.keypoints.xy[:, :, 0], np.nan)
    pixels = np.ascontiguousarray(xy.transpose(1, 2, 0, 3))
    weight = np.isfinite(pixels[..., 0]).astype(float)
    names = list(TRIAL_SKELETON.keypoints)
    ends = np.array([[names.index(a), names.index(b)] for a, b in TRIAL_SKELETON.edges])
    length = np.linalg.norm(trial.xyz[:, ends[:, 0]] - trial.xyz[:, ends[:, 1]], axis=-1)
    limbs = Limbs(ends, length.mean(0), np.maximum(length.std(0), 0.2))
    noise = Noise(trial.noise_px, np.full(len(trial.rig), 50.0))
    sample = resolve(lenses, pixels, weight, noise)
    squared = []
    for smooth_mm in np.geomspace(0.05, 1.0, 9):
        motion = Motion(noise, np.full(len(names), smooth_mm), limbs, 4)
        found = refine_resolved(lenses, sample, motion, replace(SETTINGS, tolerance_mm=0.02))
        error = found.x + lenses.origin - trial.xyz.transpose(1, 0, 2)
        squared.append(np.nanmean((error * error).sum(-1), axis=1))
    return float(np.sqrt(np.min(squared, axis=0).mean()))


def coverage(n_frames: int, kind: str) -> dict[str, float]:
    trial = scene(kind, n_frames)
    made = reconstruct(trial.keypoints, trial.rig, SETTINGS)
    robust = triangulate(trial.keypoints, trial.rig)
    error = made.points.xyz[:, 0] - trial.xyz
    there = np.isfinite(error[..., 0])
    C = made.points.covariance[:, 0]
    inside = np.zeros(there.shape, dtype=bool)
    inside[there] = (
        np.einsum("ni,ni->n", error[there], np.linalg.solve(C[there], error[there][..., None])[..., 0]) < CHI2_3_95
    )
    status = made.points.status[:, 0]
    plain = errors(robust.xyz[:, 0], trial)
    both = there & np.isfinite(plain) & (plain < 50)
    size = np.linalg.norm(error, axis=-1)
    return {
        "median": float(np.median(size[there])),
        "rms": float(np.sqrt(np.mean(size[both] ** 2))),
        "robust rms": float(np.sqrt(np.mean(plain[both] ** 2))),
        "observed": float(inside[status == 1].mean()),
        "filled": float(inside[status == 2].mean()) if (status == 2).any() else float("nan"),
        "n filled": int((status == 2).sum()),
    }


def scene(kind: str, n_frames: int) -> Trial:
    if kind == "walk":
        return make_trial(n_frames)
    if kind == "half of the views missing":
        return make_trial(n_frames, missing=0.5)
    rng = np.random.default_rng(5)
    if kind == "gait of an animal, 10 Hz":
        t = np.arange(n_frames) / 100
        base = walk_in_circles(n_frames, rng=rng)
        return make_trial(
            n_frames, xyz=base + 30 * np.sin(2 * np.pi * 10 * t[:, None, None] + rng.uniform(0, 6, 20)[:, None])
        )
    base = walk_in_circles(n_frames, rng=rng)
    rough = scipy.signal.sosfilt(scipy.signal.butter(2, 8, fs=100, output="sos"), rng.normal(size=base.shape), axis=0)
    moved = base + 30 / rough.std() * rough
    if kind == "rough, 8 Hz, and heel strikes":
        t = np.arange(n_frames) / 100
        strikes = np.arange(0, t[-1], 0.55)
        for name in ("LHeel", "LBigToe", "LAnkle", "RHeel", "RBigToe", "RAnkle"):
            since = t[:, None] - (strikes + (0.27 if name[0] == "R" else 0.0))
            ring = np.where(since > 0, np.exp(-since / 0.05) * np.sin(2 * np.pi * 18 * since), 0.0).sum(1)
            moved[:, TRIAL_SKELETON.keypoints.index(name), 2] += 12 * ring
    return make_trial(n_frames, xyz=moved)


def sharpness(_: int) -> tuple[float, float]:
    """RMS over the Cramer-Rao bound of single frames where cameras differ in noise."""
    from pose3d.geometry.projection import project_camera_frame
    from pose3d.geometry.transforms import apply

    trial = make_trial(2000, noise_px=np.linspace(0.4, 2.5, 6))
    made = triangulate(trial.keypoints, trial.rig).xyz[:, 0]
    information = np.zeros((*trial.xyz.shape, 3))
    for c, camera in enumerate(trial.rig):
        pose = camera.cam_from_world
        seen = project_camera_frame(apply(pose, trial.xyz), camera.matrix, camera.distortion)
        J = seen.by_point @ pose[:3, :3] / trial.noise_px[c]
        information += np.einsum("...ki,...kj->...ij", J, J) * trial.clean[:, c, :, None, None]
    enough = (trial.clean.sum(1) >= 3) & np.isfinite(made[..., 0])
    bound = np.sqrt(np.trace(np.linalg.inv(information[enough]), axis1=-2, axis2=-1).mean())
    error = np.sqrt(np.mean(errors(made, trial)[enough] ** 2))
    return float(error), float(bound)


def far_points(seed: int) -> tuple[int, int, float]:
    """Return frames, points farther than 50 mm where three clean views see them, and the largest error."""
    n_frames = 50_000
    trial = make_trial(n_frames, seed=seed)
    worker = Reconstructor(InMemory(trial.keypoints), trial.rig, SETTINGS)
    learnt = worker.learn()
    far, largest = 0, 0.0
    for first, last in worker.runs(learnt):
        error = np.linalg.norm(worker.run(first, last, learnt).points.xyz[:, 0] - trial.xyz[first:last], axis=-1)
        good = trial.clean[first:last].sum(1) >= 3
        far += int((error[good] > 50).sum() + np.isnan(error[good]).sum())
        largest = max(largest, float(np.nanmax(error[good])))
    return n_frames, far, largest


def alone(function: Callable[..., object], *arguments: object) -> object:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def peer() -> None:
    print("frames   pose3d: CPU s  ms/frame   +MiB  median    aniposelib: CPU s   +MiB  median    ratios: time  error")
    for n_frames in (200, 1000, 5000):
        mine, theirs = alone(ours, n_frames), alone(aniposelib, n_frames)
        print(
            f"{n_frames:>6}{mine[0]:>16.3f}{1e3 * mine[0] / n_frames:>10.3f}{mine[1]:>7.0f}{mine[2]:>8.3f}"
            f"{theirs[0]:>21.1f}{theirs[1]:>7.0f}{theirs[2]:>8.3f}"
            f"{theirs[0] / mine[0]:>16.0f}{theirs[2] / mine[2]:>7.2f}",
            flush=True,
        )


def long() -> None:
    seconds, mib, median, rms = alone(ours, 100_000)
    best = alone(oracle, 1000)
    result = 100_000 * 20 * 17 * 8 / 2**20
    print(
        f"100,000 frames: {seconds:.1f} CPU s, {seconds / 100:.3f} ms a frame, +{mib:.0f} MiB with the result (of some "
        f"{result:.0f}), median {median:.3f}, RMS {rms:.3f} mm, {rms / best:.2f} x the oracle's {best:.3f}",
        flush=True,
    )


def motions() -> None:
    for kind in (
        "walk",
        "half of the views missing",
        "rough, 8 Hz",
        "rough, 8 Hz, and heel strikes",
        "gait of an animal, 10 Hz",
    ):
        found = alone(coverage, 3000, kind)
        print(f"{kind:32}" + "  ".join(f"{name} {value:.3f}" for name, value in found.items()), flush=True)


def cameras() -> None:
    error, bound = alone(sharpness, 0)
    print(f"noise of 0.4 to 2.5 px: RMS {error:.3f} mm, {error / bound:.3f} x the bound of {bound:.3f}", flush=True)


def diverging() -> None:
    frames = far = 0
    largest = 0.0
    for seed in range(20):
        n, bad, most = alone(far_points, seed)
        frames, far, largest = frames + n, far + bad, max(largest, most)
        print(
            f"{frames} frames: {far} points off by more than 50 mm or missing, largest error {largest:.1f} mm",
            flush=True,
        )


if __name__ == "__main__":
    for name in sys.argv[1:] or ("peer", "long", "motions", "cameras"):
        {"peer": peer, "long": long, "motions": motions, "cameras": cameras, "diverging": diverging}[name]()
