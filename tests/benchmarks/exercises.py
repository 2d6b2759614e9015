"""Exercises of the demo through the whole chain, against their known truth.

``python tests/benchmarks/exercises.py [--rendered] [--network FOLDER] SEED...``: for each seed three exercises of one
person, at 25 frames per second. 2D keypoints are simulated; with ``--rendered`` clips are rendered and the demo's
network finds them.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from pose3d import Keypoints2D, RefinementSettings, Skeleton, ViewSettings, load_keypoints, reconstruct
from pose3d.batch.exercises import exercise_from_points
from pose3d.demo import install_network
from pose3d.demo.exercise_evaluation import compare_exercise
from pose3d.demo.exercise_scene import EXERCISES as NAMES
from pose3d.demo.exercise_scene import ExerciseScene
from pose3d.demo.exercise_session import ExerciseTruth, exercise_truth, make_exercise_session, simulate_exercise
from pose3d.kinematics import joint_angles
from pose3d.kinematics.exercises import EXERCISES
from pose3d.network.analysis import analyze_video

FPS = 25.0


def find_in_clips(folder: Path, truth: ExerciseTruth, network: Path) -> Keypoints2D:
    """Find 2D keypoints in rendered clips."""
    files = {}
    for name in truth.rig.names:
        files[name] = folder / f"{truth.exercise}_{name}.h5"
        analyze_video(folder / "exercises" / "videos-raw" / f"{truth.exercise}_{name}.mp4", network, files[name])
    return load_keypoints(files, fps=FPS)


def main() -> None:
    """Print a line for each exercise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", nargs="+", type=int)
    parser.add_argument("--rendered", action="store_true")
    parser.add_argument("--network", type=Path)
    chosen = parser.parse_args()
    skeleton = Skeleton.preset("halpe26")
    views, settings = ViewSettings(pairs=skeleton.pairs), RefinementSettings(limbs=skeleton.edges, samples=50)
    for seed in chosen.seeds:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            network = chosen.network or install_network(folder / "network")
            if chosen.rendered:
                truths = make_exercise_session(folder, seed=seed, n=3, fps=FPS)
            else:
                truths = {name: exercise_truth(ExerciseScene(seed, name, 3, fps=FPS)) for name in NAMES}
            for name, truth in truths.items():
                found = find_in_clips(folder, truth, network) if chosen.rendered else simulate_exercise(truth)
                made = reconstruct(found, truth.rig, settings, views=views)
                error = compare_exercise(
                    truth, exercise_from_points(made.points, EXERCISES[name], samples=made.samples)
                )
                mm = np.linalg.norm(made.points.xyz - truth.points.xyz, axis=-1)
                own = [i for i, n in enumerate(truth.angles.names) if n.startswith(EXERCISES[name].angle)]
                off = joint_angles(made.points).deg[:, 0, own] - truth.angles.deg[:, 0, own]
                rms = np.sqrt(np.nanmean(off**2))
                print(
                    f"seed {seed} {error.line()}; points {np.nanmedian(mm):.1f} mm, angle {rms:.2f} deg RMS", flush=True
                )


if __name__ == "__main__":
    main()
