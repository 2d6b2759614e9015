"""Real gait through the whole chain: what cameras and noise do to joint angles, and whether their intervals hold.

Run as ``python tests/benchmarks/gait_chain.py [--noise PX] [--outliers PART] [--seed N ...] [--no-limbs]``. Joint
centres of walks of gait-lab, as on a treadmill, are projected into the four cameras of balance-4cam; noise and
gross errors are added, then points are made, refined and sampled, and angles computed as from any recording. Prints for
each angle the error against the noise-free angle (the same definition on both sides), what the samples predict, how
often the 95 % interval holds the truth, and the same for the range of motion. Needs POSE3D_TEST_DATA.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np

from pose3d import Keypoints2D, RefinementSettings, interval, load_rig, reconstruct
from pose3d.io.c3d import read_c3d
from pose3d.kinematics.human import human_angles

WALKS = (
    "plug-in-gait/PiG_Motion-FlatFoot-Full.c3d",
    "children/HC002D/Straight_HC002D06.c3d",
    "children/HC030A/Straight_HC030A05.c3d",
    "children/HC032A/Straight_HC032A03.c3d",
    "children/HC039A/Straight_HC039A17.c3d",
)
ENDS = {"Hip": "FEP", "Knee": "FEO", "Ankle": "TIO", "Shoulder": "HUP", "Elbow": "HUO", "Wrist": "RAO"}
ENDS |= {"Heel": "HEE", "BigToe": "TOE"}
LIMBS = (("Hip", "Knee"), ("Knee", "Ankle"), ("Ankle", "Heel"), ("Ankle", "BigToe"), ("Heel", "BigToe"))
LIMBS += (("Shoulder", "Elbow"), ("Elbow", "Wrist"))
EDGES = (*((s + a, s + b) for s in "LR" for a, b in LIMBS), ("LHip", "RHip"), ("LShoulder", "RShoulder"))
GROSS_PX = 60.0


def walk_in_place(path: Path) -> tuple[tuple[str, ...], np.ndarray, float]:
    """Return names, (n, K, 3) mm with the hips above the origin, and frames per second."""
    recording = read_c3d(path)
    points = recording.named()
    found = {side + name: points[side + end] for side in "LR" for name, end in ENDS.items()}
    names, xyz = tuple(found), np.stack(list(found.values()), axis=1)
    hips = (found["LHip"] + found["RHip"]) / 2
    xyz[:, :, :2] -= hips[:, None, :2]
    assert recording.points.fps is not None
    return names, xyz, recording.points.fps


def by_name(xyz: np.ndarray, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    return {name: xyz[..., i, :] for i, name in enumerate(names)}


def measure(path: Path, rig, seed: int, options: argparse.Namespace) -> dict[str, tuple[float, ...]]:
    """Return for each angle: RMSE, predicted SD, coverage, whether the interval of the range holds."""
    names, xyz, fps = walk_in_place(path)
    rng = np.random.default_rng(seed)
    clean = np.moveaxis(rig.project(xyz), 2, 1)
    xy = clean + rng.normal(0, options.noise, clean.shape)
    gross = rng.random(xy.shape[:-1]) < options.outliers
    xy[gross] += rng.normal(0, GROSS_PX, (int(gross.sum()), 2))
    sizes = np.array([camera.size for camera in rig])[None, :, None]
    xy[~((clean > 0) & (clean < sizes)).all(-1)] = np.nan
    score = np.where(np.isnan(xy[..., 0]), 0.0, 0.9)
    views = Keypoints2D(xy[:, :, None], score[:, :, None], rig.names, ("one",), names, fps=fps)
    limbs = () if options.no_limbs else EDGES
    made = reconstruct(views, rig, RefinementSettings(limbs=limbs, samples=options.samples))
    true, found = (human_angles(by_name(each, names)) for each in (xyz, made.points.xyz[:, 0]))
    assert made.samples is not None
    samples = human_angles(by_name(np.moveaxis(np.asarray(made.samples.xyz[:, :, 0], dtype=float), 1, 0), names))
    out = {}
    for name, angle in true.items():
        low, high = interval(samples[name])
        spread = np.nanmax(samples[name], axis=1) - np.nanmin(samples[name], axis=1)
        ends = interval(spread, estimate=np.nanmax(found[name]) - np.nanmin(found[name]))
        out[name] = (
            float(np.sqrt(np.nanmean((found[name] - angle) ** 2))),
            float(np.sqrt(np.nanmean(np.var(samples[name], axis=0, ddof=1)))),
            float(np.mean((angle >= low) & (angle <= high))),
            float(ends[0] <= np.ptp(angle) <= ends[1]),
        )
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--noise", type=float, default=1.0)
    parser.add_argument("--outliers", type=float, default=0.05)
    parser.add_argument("--seed", type=int, nargs="+", default=[0])
    parser.add_argument("--samples", type=int, default=60)
    parser.add_argument("--no-limbs", action="store_true")
    options = parser.parse_args()
    root = Path(os.environ["POSE3D_TEST_DATA"])
    rig = load_rig(root / "balance-4cam" / "S00_Calibration" / "Calib_qualisys.toml")
    before = time.process_time()
    rows = [measure(root / "gait-lab" / walk, rig, seed, options) for walk in WALKS for seed in options.seed]
    print(f"{len(rows)} recordings, {options.noise:g} px, {100 * options.outliers:g} % gross, ", end="")
    print(f"{time.process_time() - before:.0f} CPU s")
    print(f"{'angle':22}{'RMSE':>8}{'predicted':>11}{'coverage':>10}{'range holds':>13}")
    for name in rows[0]:
        rmse, predicted, coverage, holds = np.mean([row[name] for row in rows], axis=0)
        print(f"{name:22}{rmse:8.2f}{predicted:11.2f}{100 * coverage:9.1f}%{100 * holds:12.0f}%")


if __name__ == "__main__":
    main()
