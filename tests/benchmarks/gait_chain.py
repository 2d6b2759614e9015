"""Real gait through the whole chain: what cameras and noise do to angles and gait, and whether their intervals hold.

Run as ``python tests/benchmarks/gait_chain.py [--noise PX] [--outliers PART] [--seeds N] [--no-limbs]``. Joint centres
of walks of gait-lab, as on a treadmill, are projected into the four cameras of balance-4cam; noise and gross errors are
added, then points are made, refined and sampled, and everything that a gait report tells is computed as from any
recording. Needs POSE3D_TEST_DATA.

Each walk is seen with fresh noise N times. Printed are, of every angle (all frames), of the numbers of its cycles and
of every gait parameter, as root mean squares:

- predicted: the SD of the posterior samples;
- Monte Carlo: the SD of the results over the N times, which does not know what is wrong every time;
- error: what the results are off the truth (the same definitions and searches without noise), which does;
- held: how often the 95 % interval holds the truth.
"""

import argparse
import os
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pose3d import Keypoints2D, Keypoints3D, PosteriorSamples, RefinementSettings, load_rig, reconstruct
from pose3d.batch.gait import gait_events, measure_walk
from pose3d.batch.gait_samples import event_samples
from pose3d.io.c3d import read_c3d
from pose3d.kinematics.cycle_peaks import PEAKS, cycle_peaks
from pose3d.kinematics.estimates import Estimate, estimate
from pose3d.kinematics.gait import Gait, measure_gait
from pose3d.kinematics.human import human_angles

WALKS = (
    "plug-in-gait/PiG_Motion-FlatFoot-Full.c3d",
    "children/HC002D/Straight_HC002D06.c3d",
    "children/HC030A/Straight_HC030A05.c3d",
    "children/HC032A/Straight_HC032A03.c3d",
    "children/HC039A/Straight_HC039A17.c3d",
    "children/HC002D/Turn_HC002D25.c3d",
    "children/HC030A/Turn_HC030A22.c3d",
    "children/HC032A/Turn_HC032A18.c3d",
    "children/HC039A/Turn_HC039A31.c3d",
)
ENDS = {"Hip": "FEP", "Knee": "FEO", "Ankle": "TIO", "Shoulder": "HUP", "Elbow": "HUO", "Wrist": "RAO"}
ENDS |= {"Heel": "HEE", "BigToe": "TOE"}
LIMBS = (("Hip", "Knee"), ("Knee", "Ankle"), ("Ankle", "Heel"), ("Ankle", "BigToe"), ("Heel", "BigToe"))
LIMBS += (("Shoulder", "Elbow"), ("Elbow", "Wrist"))
EDGES = (*((s + a, s + b) for s in "LR" for a, b in LIMBS), ("LHip", "RHip"), ("LShoulder", "RShoulder"))
GROSS_PX = 60.0


@dataclass
class Walk:
    """True points with the hips above the origin, and the way of the hips that was taken off."""

    names: tuple[str, ...]
    xyz: np.ndarray
    way: np.ndarray
    fps: float

    @classmethod
    def read(cls, path: Path) -> "Walk":
        recording = read_c3d(path)
        points = recording.named()
        found = {side + name: points[side + end] for side in "LR" for name, end in ENDS.items()}
        xyz = np.stack(list(found.values()), axis=1)
        way = (found["LHip"] + found["RHip"]) / 2 * np.array([1.0, 1.0, 0.0])
        assert recording.points.fps is not None
        return cls(tuple(found), xyz - way[:, None], way, recording.points.fps)

    def over_ground(self, xyz: np.ndarray) -> np.ndarray:
        """Put points (n_frames, ..., n_keypoints, 3) where the walker was."""
        return xyz + self.way.reshape(len(self.way), *(1,) * (xyz.ndim - 2), 3)

    def points(self, xyz: np.ndarray) -> Keypoints3D:
        return Keypoints3D.from_points(self.over_ground(xyz)[:, None], self.names, ("one",), fps=self.fps)


@dataclass
class Tally:
    """One quantity over realisations: of each walk, what came out and what was said of it."""

    truth: dict[int, np.ndarray] = field(default_factory=dict)
    made: dict[int, list[Estimate]] = field(default_factory=lambda: defaultdict(list))

    def note(self, walk: int, truth: np.ndarray, made: Estimate) -> None:
        self.truth[walk] = truth
        self.made[walk].append(made)

    def figures(self) -> tuple[float, float, float, float, int]:
        """Return predicted, Monte-Carlo SD, error, share held, and how many values of the walks there are."""
        parts = []
        for walk, truth in self.truth.items():
            value, low, high, sd = (
                np.array([getattr(one, name) for one in self.made[walk]]) for name in ("value", "low", "high", "sd")
            )
            whole = np.isfinite(low).all(0) & np.isfinite(truth)
            if whole.any() and len(value) > 1:
                inside = (low <= truth) & (truth <= high)
                terms = (sd**2, np.broadcast_to(value.var(0, ddof=1), sd.shape), (value - truth) ** 2, inside)
                parts.append(np.stack([each[:, whole].mean(0) for each in terms]))
        if not parts:
            return np.nan, np.nan, np.nan, np.nan, 0
        joined = np.concatenate(parts, axis=1)
        squares = np.sqrt(joined[:3].mean(1))
        return *squares.tolist(), float(joined[3].mean()), joined.shape[1]


def by_name(xyz: np.ndarray, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    return {name: xyz[..., i, :] for i, name in enumerate(names)}


def seen_by_cameras(walk: Walk, rig, seed: int, options: argparse.Namespace) -> Keypoints2D:
    rng = np.random.default_rng(seed)
    clean = np.moveaxis(rig.project(walk.xyz), 2, 1)
    xy = clean + rng.normal(0, options.noise, clean.shape)
    gross = rng.random(xy.shape[:-1]) < options.outliers
    xy[gross] += rng.normal(0, GROSS_PX, (int(gross.sum()), 2))
    sizes = np.array([camera.size for camera in rig])[None, :, None]
    xy[~((clean > 0) & (clean < sizes)).all(-1)] = np.nan
    score = np.where(np.isnan(xy[..., 0]), 0.0, 0.9)
    return Keypoints2D(xy[:, :, None], score[:, :, None], rig.names, ("one",), walk.names, fps=walk.fps)


def measure(points: Keypoints3D, angles: dict[str, np.ndarray]) -> Gait:
    return measure_walk(points, gait_events(points), angles, most_turn_deg=None)


def tally_walk(number: int, walk: Walk, rig, seed: int, options: argparse.Namespace, tallies: dict[str, Tally]) -> bool:
    """Note all quantities of one realisation; False where its events are not those of the truth."""
    settings = RefinementSettings(limbs=() if options.no_limbs else EDGES, samples=options.samples)
    made = reconstruct(seen_by_cameras(walk, rig, seed, options), rig, settings)
    assert made.samples is not None
    drawn = np.asarray(made.samples.xyz[:, :, 0], dtype=float)
    many = np.moveaxis(walk.over_ground(drawn), 1, 0)
    true, found, all_angles = (
        human_angles(by_name(each, walk.names)) for each in (walk.xyz, made.points.xyz[:, 0], many)
    )
    for name, angle in true.items():
        unsigned = name.startswith("elbow")
        tallies[f"{name[:-2]}, frames"].note(
            10 * number + "lr".index(name[-1]), angle, estimate(found[name], all_angles[name], unsigned=unsigned)
        )
    clean, points = walk.points(walk.xyz), walk.points(made.points.xyz[:, 0])
    known, gait = measure(clean, true), measure(points, found)
    if [*zip(known.events.limbs, known.events.kinds, strict=True)] != [
        *zip(gait.events.limbs, gait.events.kinds, strict=True)
    ]:
        return False
    samples = PosteriorSamples(walk.over_ground(drawn)[:, :, None], ("one",), walk.names, walk.fps)
    times = event_samples(points, samples, gait.events)
    for (limb, kind), each in times.items():
        value = gait.events.times(limb, kind)
        tallies[f"{kind}, s"].note(
            10 * number + "LR".index(limb), known.events.times(limb, kind), estimate(value, each)
        )
    toes = {side: many[..., walk.names.index(f"{side}BigToe"), :] for side in "LR"}
    sampled = measure_gait(gait.events, toes, all_angles, fps=walk.fps, walk=gait, event_times=times)
    for at, side in enumerate("LR"):
        own, theirs, right = gait.sides[side], sampled.sides[side], known.sides[side]
        for name, values in own.parameters.items():
            truth = right.parameters[name]
            tallies[name].note(10 * number + at, truth, estimate(values, theirs.parameters[name]))
        for name, cycles in own.cycles.items():
            off = (one.parameters["foot_off"][..., one.strides.kept] for one in (right, own, theirs))
            each = (right.cycles[name], cycles, theirs.cycles[name])
            truth, value, all_values = (cycle_peaks(c, o) for c, o in zip(each, off, strict=True))
            for peak in PEAKS:
                tallies[f"{name[:-2]}, {peak.name}"].note(
                    10 * number + at,
                    truth[peak.name],
                    estimate(value[peak.name], all_values[peak.name], extreme=peak.extreme),
                )
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--noise", type=float, default=1.0)
    parser.add_argument("--outliers", type=float, default=0.05)
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--samples", type=int, default=60)
    parser.add_argument("--no-limbs", action="store_true")
    options = parser.parse_args()
    folder = os.environ.get("POSE3D_TEST_DATA")
    if not folder:
        raise SystemExit("POSE3D_TEST_DATA is not set: the real recordings are not on this machine")
    root = Path(folder)
    rig = load_rig(root / "balance-4cam" / "S00_Calibration" / "Calib_qualisys.toml")
    before = time.process_time()
    tallies: dict[str, Tally] = defaultdict(Tally)
    same = 0
    for number, path in enumerate(WALKS):
        walk = Walk.read(root / "gait-lab" / path)
        same += sum(tally_walk(number, walk, rig, seed, options, tallies) for seed in range(options.seeds))
    print(
        f"{len(WALKS)} walks, each {options.seeds} times; {options.noise:g} px, {100 * options.outliers:g} % gross, ",
        end="",
    )
    print(f"{time.process_time() - before:.0f} CPU s; in {same} the events of the truth were found")
    print(f"{'':36}{'values':>7}{'predicted':>11}{'M. Carlo':>10}{'ratio':>7}{'error':>9}{'held':>8}")
    for name in sorted(tallies, key=lambda name: ("," in name, name.partition(", ")[::-1])):
        predicted, monte_carlo, error, held, n = tallies[name].figures()
        print(f"{name:36}{n:7}{predicted:11.4f}{monte_carlo:10.4f}", end="")
        print(f"{predicted / monte_carlo if monte_carlo else np.nan:7.2f}{error:9.4f}{100 * held:7.1f}%")


if __name__ == "__main__":
    main()
