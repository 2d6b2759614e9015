"""Active learning: what the views' disagreement is worth beside chance, and what a network can teach itself.

Run as ``python tests/benchmarks/active_learning.py [--seed N ...] [--steps N] [--more N] [--frames N]``. A rendered
recording; 24 instants are labelled, chosen to look different, and a network is trained. Then, from the same weights and
with the same steps, it learns on with N more instants: those that pose3d refine queues (views that disagree, jumps,
limbs, scores), and as many chosen by chance, three times with other dice. Last, it teaches itself without new labels.
All are measured on instants of the last third of the recording, of which no label is learnt or chosen (a network that
teaches itself does look at all of it), in px and in space against the truth; the network that learns on with the same
24 labels tells what the steps alone are worth.

A ``--folder`` is kept, so that an ended run goes on.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from pose3d.batch.learning import self_train
from pose3d.batch.learning_actions import LearningActions, TrainingTask
from pose3d.data import Keypoints2D
from pose3d.data.labels import LabelledImages, Mark
from pose3d.demo.hard_recording import HardTruth, label_truth, load_hard_truth, make_hard_recording
from pose3d.errors import DataError
from pose3d.io.video import open_frames
from pose3d.labeling.extraction import extract_frames
from pose3d.labeling.outliers import find_outliers
from pose3d.labeling.trial_frames import TrialFrames
from pose3d.labeling.trial_keypoints import read_trial_keypoints
from pose3d.network.learnt_images import read_learnt_images, write_learnt_images
from pose3d.network.model_folder import MODEL_FILE
from pose3d.network.prediction import Predictor
from pose3d.network.spec import BACKBONES
from pose3d.project import Project
from pose3d.reconstruction import triangulate

FIRST = 24
GAP = 25


class Bench:
    """One recording with its labels, and the networks that are trained on it."""

    def __init__(self, folder: Path, seed: int, options: argparse.Namespace) -> None:
        self.seed, self.options, self.actions = seed, options, LearningActions()
        n = options.frames
        done = (folder / "truth" / "truth.toml").is_file()
        self.truth: HardTruth = (
            load_hard_truth(folder) if done else make_hard_recording(folder, seed=700 + seed, n_frames=n)
        )
        self.last = n * 2 // 3 - GAP  # what comes later is not learnt from
        self.test = np.arange(n * 2 // 3, n, 5)
        config = folder / "pose3d.toml"
        if "[network]" not in config.read_text():
            config.write_text(f'{config.read_text()}\n[network]\nbackbone = "{options.backbone}"\n')
        self.project = Project.load(folder)

    @property
    def trial(self):
        return self.project.sessions()[0].trial("walk")

    def first_labels(self) -> np.ndarray:
        path = self.truth.folder / "first.txt"
        if not path.is_file():
            made = extract_frames(self.project, n=FIRST * 3, seed=self.seed)
            frames = np.array([each for part in made.trials for each in part.instants])
            frames = frames[frames < self.last][:FIRST]
            if len(frames) < FIRST:  # the rest evenly
                spare = np.setdiff1d(np.linspace(0, self.last - 1, 4 * FIRST).round().astype(int), frames)
                frames = np.concatenate([frames, spare[:: max(1, len(spare) // (FIRST - len(frames)))]])[:FIRST]
            shutil.rmtree(self.project.labeled_data)  # what was not chosen would count as taken
            np.savetxt(path, np.sort(frames), fmt="%d")
        return np.loadtxt(path, dtype=int)

    def labels(self, frames: np.ndarray) -> LabelledImages:
        return label_truth(self.truth, frames, noise_px=1.0, write=False)

    def train(self, name: str, frames: np.ndarray, *, start: Path | None) -> Path:
        folder = self.project.models / name
        if (folder / MODEL_FILE).is_file() and (folder / "done.txt").is_file():
            return folder
        images = self.labels(frames)
        held = self.labels(self.first_labels()[::8])  # the same three instants tell when to stop, whoever learns
        rows = [i for i, image in enumerate(images.labels.images) if image not in set(held.labels.images)]
        settings = {"steps": self.options.steps, "seed": self.seed, "threads": self.options.threads}
        before = time.process_time()
        learnt = images.take(rows)
        self.actions.train(TrainingTask(self.project, learnt, held, folder, start, settings), _quiet)
        write_learnt_images(learnt.labels.images, held.labels.images, folder)
        (folder / "done.txt").write_text(f"{time.process_time() - before:.0f} CPU s\n")
        return folder

    def show(self, what: str, model: Path) -> None:
        """Measure on the last third, in images and in space."""
        predictor, truth = Predictor.open(model), self.truth
        shape = (len(self.test), len(truth.rig), len(truth.skeleton.keypoints))
        xy, score = np.full((*shape, 2), np.nan), np.zeros(shape)
        for column, path in enumerate(truth.videos.values()):
            for row, (_, image) in enumerate(open_frames(path).frames(self.test.tolist())):
                found, sure = predictor.predict_image(image)
                xy[row, column], score[row, column] = found[:, 0], sure[:, 0]
        seen = truth.mark[self.test] == Mark.VISIBLE
        error = np.linalg.norm(xy - truth.xy[self.test], axis=-1)
        known, hidden = error[seen], error[truth.mark[self.test] == Mark.OCCLUDED]
        views = Keypoints2D(
            xy[:, :, None], score[:, :, None], truth.rig.names, ("one",), truth.skeleton.keypoints, fps=truth.fps
        )
        try:
            points = triangulate(views, truth.rig).xyz[:, 0]
        except DataError as trouble:  # no score is high enough
            print(f"  {what}: {trouble}")
            points = np.full_like(truth.xyz[self.test], np.nan)
        away = np.linalg.norm(points - truth.xyz[self.test], axis=-1)
        made = away[np.isfinite(away)]
        space = f"{np.median(made) if len(made) else np.nan:6.1f} mm"
        print(
            f"  {what:28} visible: median {np.median(known):6.2f} px (occluded {np.median(hidden):6.2f}), "
            f"mean {np.minimum(known, 60).mean():6.2f} (at most 60 each), PCK@10 {100 * (known <= 10).mean():5.1f} %; "
            f"in space median {space}, within 50 mm {100 * (made < 50).sum() / away.size:5.1f} %",
            flush=True,
        )

    def worst_instants(self, model: Path) -> np.ndarray:
        """Choose as refine does, of what may be learnt from."""
        path = self.truth.folder / "worst.txt"
        if not path.is_file():
            self.actions.analyze(self.project, self.project.sessions(), model, _quiet)
            keypoints = read_trial_keypoints(TrialFrames(self.trial))
            found = find_outliers(
                keypoints,
                n=self.options.more,
                points=self.actions.triangulate(keypoints, self.truth.rig, _quiet),
                rig=self.truth.rig,
                edges=self.truth.skeleton.edges,
                known=self.first_labels(),
                allowed=np.arange(keypoints.n_frames) < self.last,
            )
            print("  for example " + "; ".join(found.reasons[:4]))
            np.savetxt(path, found.frames, fmt="%d")
        return np.loadtxt(path, dtype=int, ndmin=1)

    def by_chance(self, dice: int) -> np.ndarray:
        rng = np.random.default_rng([self.seed, dice])
        spare = np.setdiff1d(np.arange(self.last), self.first_labels())
        return rng.choice(spare, self.options.more, replace=False)


def _quiet(_label: str, _done: int, _total: int) -> None:
    pass


def run(bench: Bench) -> None:
    first = bench.first_labels()
    print(
        f"seed {bench.seed}: {bench.options.frames} frames, {FIRST} instants labelled, {len(bench.test)} to measure on"
    )
    guess = np.linalg.norm(np.nanmedian(bench.truth.xy[first], axis=0) - bench.truth.xy[bench.test], axis=-1)
    print(f"  {'median of the labels':28} median {np.nanmedian(guess):6.2f} px")
    start = bench.train("default", first, start=None)
    bench.show("24 instants", start)
    bench.show("and on with the same", bench.train("same", first, start=start))
    worst = bench.worst_instants(start)
    bench.show(f"+ {len(worst)} where views disagree", bench.train("worst", np.union1d(first, worst), start=start))
    for dice in range(bench.options.dice):
        chance = bench.by_chance(dice)
        made = bench.train(f"chance{dice}", np.union1d(first, chance), start=start)
        bench.show(f"+ {len(chance)} by chance ({dice})", made)
    teach(bench, first)


def teach(bench: Bench, first: np.ndarray) -> None:
    """Let the network teach itself, by the rule that it is kept only if the held-out error falls."""
    label_truth(bench.truth, first, noise_px=1.0)  # the project's own labels: those of people
    known = read_learnt_images(bench.project.model())
    assert known is not None, "what was held out must stay so"
    done = self_train(
        Project.load(bench.truth.folder),
        n=bench.options.believe,
        settings={"steps": bench.options.steps, "seed": bench.seed, "threads": bench.options.threads},
    )
    print("  " + "\n  ".join(done.lines()))
    bench.show("self-taught" if done.judgement.kept else "self-taught was refused", bench.project.model())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, nargs="+", default=[0])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--frames", type=int, default=900)
    parser.add_argument("--more", type=int, default=24)
    parser.add_argument("--dice", type=int, default=3)
    parser.add_argument("--believe", type=int, default=60, help="instants to learn from without labels")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--backbone", default="mobilenetv2", choices=BACKBONES)
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        for seed in options.seed:
            run(Bench((options.folder or Path(temporary)) / f"seed{seed}", seed, options))


if __name__ == "__main__":
    main()
