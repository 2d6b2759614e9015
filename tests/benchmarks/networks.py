"""Networks trained and measured: rendered recordings, a mouse before four cameras, a mouse before a mirror.

Run as ``python tests/benchmarks/networks.py rendered|recording|mouse|mirror [--seed N ...] [--steps N]``. With
``--start FOLDER`` training goes on from a model, at another ``--scale`` too, with a lower ``--learning-rate``. Each
prints CPU time and memory of the training, and errors on images that nothing was learnt or chosen from, beside what a
guess gets that needs no image: the median of the labels learnt from, and the label nearest in time.

``rendered``: 80 instants of 80 seeds (person, clothes, motion) in one laboratory, tested there on 8 seeds never seen,
in px and as points in space against the truth; ``--laboratories`` gives each seed a room, furniture, cameras and lamps
of its own. ``recording``: what a user does: 80 instants of one recording's first 70 %, tested on
the rest. ``mouse``: mouse-4cam, frames 0 to 95 learnt, 96 to 119 tested, the whole path with a calibration of our own.
``mirror``: mirror-mouse-labels, 72 frames learnt, the last 18 tested, also with the rule that a paw has one x in both
views. The last two need POSE3D_TEST_DATA.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import h5py
import numpy as np

from pose3d.data import Board, Keypoints2D
from pose3d.data.labels import ImageName, LabelledImages, Labels, Mark
from pose3d.demo.hard_recording import HARD_SKELETON, label_truth, make_hard_recording, write_instants
from pose3d.demo.hard_scene import HardScene
from pose3d.errors import DataError
from pose3d.geometry.transforms import umeyama
from pose3d.io.collected_data import read_collected_data
from pose3d.io.images import read_image
from pose3d.io.keypoints import load_keypoints
from pose3d.io.video import open_frames
from pose3d.network.learning import train_network
from pose3d.network.prediction import Predictor
from pose3d.network.spec import BACKBONES, NetworkSpec, choose_scale
from pose3d.network.training import TrainingSettings
from pose3d.reconstruction import triangulate

TEST_SEEDS, TEST_FRAMES = range(900, 908), range(0, 400, 40)
LABORATORY = 7
GAP = 25  # frames between what is learnt and what is tested
MOUSE_LEARNT = 96


@dataclass
class Found:
    """Predictions of a network in some images."""

    xy: np.ndarray  # (n, K, P, 2)
    score: np.ndarray  # (n, K, P)
    images: LabelledImages

    def error(self) -> np.ndarray:
        """(n, K) px, NaN where nothing is labelled."""
        return np.linalg.norm(self.xy[:, :, 0] - self.images.labels.xy[:, 0], axis=-1)


def train(
    images: LabelledImages, folder: Path, options: argparse.Namespace, seed: int, *, pairs=(), split="block"
) -> Predictor:
    size = read_image(images.paths[0]).shape
    scale = options.scale or choose_scale([(size[1], size[0])])
    spec = NetworkSpec(images.labels.keypoints, tuple(pairs), options.backbone, scale)
    rate = {} if options.learning_rate is None else {"learning_rate": options.learning_rate}
    settings = TrainingSettings(steps=options.steps, seed=seed, threads=options.threads, **rate)

    def tell(look):
        print(f"    {look}", flush=True)

    before, wall = time.process_time() + children(), time.time()
    report = tell if options.verbose else None
    made = train_network(images, spec, folder, settings, split=split, start=options.start, report=report)
    cpu, wall = time.process_time() + children() - before, time.time() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  seed {seed}: {len(images)} images, {made.result.steps} steps, best at {made.result.best.step}: ", end="")
    print(f"{cpu:.0f} CPU s, {wall:.0f} s, peak {peak:.0f} MiB, {made.precision}, temperature {made.temperature:.2f}")
    return Predictor.open(folder)


def children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def find(predictor: Predictor, images: LabelledImages, n_peaks: int = 1) -> Found:
    before = time.process_time()
    found = [predictor.predict_image(read_image(path), n_peaks=n_peaks) for path in images.paths]
    print(f"  {1000 * (time.process_time() - before) / len(images):.1f} CPU ms an image with reading the file")
    xy, score = (np.stack(each) for each in zip(*found, strict=True))
    return Found(xy, score, images)


def show(what: str, error: np.ndarray) -> None:
    known = error[~np.isnan(error)]
    if not len(known):
        print(f"  {what:34} nothing")
        return
    p90 = np.percentile(known, 90)
    print(f"  {what:34} median {np.median(known):7.2f} px, mean {known.mean():7.2f}, p90 {p90:7.2f}, ", end="")
    print(f"PCK@10 {100 * (known <= 10).mean():5.1f} %, {len(known)} labels")


def show_space(what: str, distance: np.ndarray, n_true: int) -> None:
    known = distance[np.isfinite(distance)]
    if not len(known):
        print(f"  {what:34} nothing")
        return
    median, p90 = np.percentile(known, [50, 90])
    print(f"  {what:34} median {median:7.2f} mm, mean {known.mean():7.2f}, p90 {p90:7.2f}, ", end="")
    print(f"within 50 mm {100 * (known < 50).sum() / n_true:5.1f} % of all, made {100 * len(known) / n_true:5.1f} %")


def by_visibility(found: Found) -> None:
    error, mark = found.error(), found.images.labels.mark[:, 0]
    show("all", error)
    show("visible", np.where(mark == Mark.VISIBLE, error, np.nan))
    if (mark == Mark.OCCLUDED).any():
        show("occluded", np.where(mark == Mark.OCCLUDED, error, np.nan))
    sure = found.score[..., 0] >= 0.5
    show("score above 0.5", np.where(sure, error, np.nan))
    print(f"  {'':34} of what is visible {100 * sure[mark == Mark.VISIBLE].mean():.1f} % has such a score")


def guesses(learnt: LabelledImages, tested: LabelledImages) -> None:
    """What needs no image: the median of the labels, and the label nearest in time, camera by camera."""
    frozen, repeated = (np.full(tested.labels.xy[:, 0].shape, np.nan) for _ in range(2))
    for camera in dict.fromkeys(tested.cameras):
        here = np.array([name == camera for name in learnt.cameras])
        rows = np.array([name == camera for name in tested.cameras])
        known = learnt.labels.xy[here, 0]
        for k in range(known.shape[1]):
            there = np.isfinite(known[:, k, 0])
            if there.any():
                frozen[rows, k] = np.median(known[there, k], axis=0)
                away = np.abs(learnt.frames[here][there][None] - tested.frames[rows][:, None])
                repeated[rows, k] = known[there, k][away.argmin(1)]
    for what, guess in (("median of what was learnt", frozen), ("nearest label in time", repeated)):
        show(what, np.linalg.norm(guess - tested.labels.xy[:, 0], axis=-1))


def in_space(found: Found, rig, frames: Sequence[int], xyz: np.ndarray) -> np.ndarray:
    """(n, K) mm from the truth, of images of one recording."""
    at = {(found.images.cameras[i], int(f)): i for i, f in enumerate(found.images.frames)}
    index = np.array([[at[camera, int(frame)] for camera in rig.names] for frame in frames])
    xy, score = found.xy[index, :, 0], found.score[index, :, 0]
    seen = Keypoints2D(xy[:, :, None], score[:, :, None], rig.names, ("one",), found.images.labels.keypoints)
    return np.linalg.norm(points_of(seen, rig) - xyz, axis=-1)


def points_of(seen: Keypoints2D, rig) -> np.ndarray:
    """(n, K, 3) mm; NaN where scores are so low that there is nothing to triangulate."""
    try:
        return triangulate(seen, rig).xyz[:, 0]
    except DataError as error:
        print(f"  {error}")
        return np.full((*seen.xy.shape[:1], seen.xy.shape[3], 3), np.nan)


def rendered(options: argparse.Namespace, place: Path) -> None:
    laboratory = None if options.laboratories else LABORATORY
    tested = write_instants(place / "tested", dict.fromkeys(TEST_SEEDS, TEST_FRAMES), laboratory=laboratory)
    for seed in options.seed:
        rng = np.random.default_rng(seed)
        chosen = {1000 * (seed + 1) + i: [int(rng.integers(800))] for i in range(80)}
        before = time.process_time()
        learnt = write_instants(place / f"learnt{seed}", chosen, laboratory=laboratory)
        print(f"  {len(learnt)} images rendered in {time.process_time() - before:.1f} CPU s")
        predictor = train(learnt, place / f"model{seed}", options, seed, pairs=HARD_SKELETON.pairs, split="recording")
        found = find(predictor, tested)
        by_visibility(found)
        guesses(learnt, tested)
        away = []
        for test_seed in TEST_SEEDS:
            part = [i for i, name in enumerate(tested.recordings) if name.startswith(f"seed{test_seed:04d}")]
            own = Found(found.xy[part], found.score[part], tested.take(part))
            scene = HardScene(test_seed, np.array(TEST_FRAMES) / 50.0, laboratory=laboratory)
            away.append(in_space(own, scene.rig, list(TEST_FRAMES), scene.xyz))
        distance = np.concatenate(away)
        show_space("in space, against the truth", distance, distance.size)


def recording(options: argparse.Namespace, place: Path) -> None:
    for seed in options.seed:
        truth = make_hard_recording(place / f"project{seed}", seed=500 + seed, n_frames=600)
        learnt = label_truth(truth, np.linspace(0, 419 - GAP, 80).round().astype(int), noise_px=1.0)
        frames = np.arange(420, 600, 6)
        tested = label_truth(truth, frames, write=False)
        predictor = train(learnt, place / f"model{seed}", options, seed, pairs=HARD_SKELETON.pairs)
        found = find(predictor, tested)
        by_visibility(found)
        guesses(learnt, tested)
        distance = in_space(found, truth.rig, frames.tolist(), truth.xyz[frames])
        show_space("in space, against the truth", distance, distance.size)


def mouse(options: argparse.Namespace, place: Path) -> None:
    from pose3d.calibration import calibrate_rig

    root = data() / "mouse-4cam"
    names = ("back", "mid", "side", "top")
    proofread = load_keypoints({name: next(root.rglob(f"*{name}*analysis.h5")) for name in names})
    with h5py.File(root / "points3d.h5") as file:
        published = file["tracks"][:, 0]
    learnt, tested = (mouse_images(root, place, proofread, part) for part in (slice(0, MOUSE_LEARNT), slice(96, 120)))
    clips = {name: root / name / f"minimal_session-{name}-calibration.MOV" for name in names}
    rig = calibrate_rig(clips, Board("charuco", (8, 11), 24.0, 18.75, "4X4_1000")).rig
    everything = join(learnt, tested)
    for seed in options.seed:
        predictor = train(learnt, place / f"model{seed}", options, seed)
        found = find(predictor, everything)
        held = np.flatnonzero(everything.frames >= MOUSE_LEARNT)
        test = Found(found.xy[held], found.score[held], everything.take(held))
        by_visibility(test)
        guesses(learnt, tested)
        mouse_parts(test, learnt)
        at = {(everything.cameras[i], int(f)): i for i, f in enumerate(everything.frames)}
        index = np.array([[at[camera, frame] for camera in rig.names] for frame in range(120)])
        seen = Keypoints2D(
            found.xy[index, :, 0][:, :, None],
            found.score[index, :, 0][:, :, None],
            rig.names,
            ("one",),
            proofread.keypoints,
        )
        labels = replace(proofread.select(rig.names), individuals=("one",))
        for what, views in (("in space, network", seen), ("in space, proofread 2D", labels)):
            xyz = points_of(views, rig)
            if np.isnan(xyz).all():
                continue
            distance = np.linalg.norm(umeyama(xyz, published)(xyz) - published, axis=-1)[MOUSE_LEARNT:]
            show_space(what, distance, int(np.isfinite(published[MOUSE_LEARNT:, :, 0]).sum()))


def mouse_parts(test: Found, learnt: LabelledImages) -> None:
    """Without what was never labelled in a camera; and where the mouse moved, beside repeating the last label."""
    error = test.error()
    median, last = (np.full(test.images.labels.xy[:, 0].shape, np.nan) for _ in range(2))
    for camera in dict.fromkeys(test.images.cameras):
        rows = np.array([name == camera for name in test.images.cameras])
        here = np.array([name == camera for name in learnt.cameras])
        known = learnt.labels.xy[here, 0][np.argsort(learnt.frames[here])]
        for k in range(known.shape[1]):
            there = known[np.isfinite(known[:, k, 0]), k]
            if len(there):
                median[rows, k], last[rows, k] = np.median(there, axis=0), there[-1]
    labels = test.images.labels.xy[:, 0]
    show("of parts that were labelled there", np.where(np.isfinite(median[..., 0]), error, np.nan))
    moved = np.linalg.norm(labels - median, axis=-1) >= 10
    show("10 px or more from their median", np.where(moved, error, np.nan))
    show("the same, last label repeated", np.where(moved, np.linalg.norm(labels - last, axis=-1), np.nan))


def mouse_images(root: Path, place: Path, proofread: Keypoints2D, part: slice) -> LabelledImages:
    names, cameras, xy = [], [], []
    for column, camera in enumerate(proofread.cameras):
        frames = range(part.start, part.stop)
        for frame, image in open_frames(root / camera / f"minimal_{camera}.mp4").frames(frames):
            names.append(ImageName(camera, f"img{frame:03d}.png"))
            path = place.joinpath("images", *names[-1])
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
            cameras.append(camera)
            xy.append(proofread.xy[frame, column, :1])
    values = np.stack(xy)
    labels = Labels(tuple(names), ("one",), proofread.keypoints, values, np.zeros(values.shape[:-1]))
    paths = tuple(place.joinpath("images", *name) for name in names)
    return LabelledImages(labels, paths, ("mouse/walk",) * len(names), tuple(cameras))


def join(first: LabelledImages, second: LabelledImages) -> LabelledImages:
    return LabelledImages(
        first.labels.updated(second.labels),
        (*first.paths, *second.paths),
        (*first.recordings, *second.recordings),
        (*first.cameras, *second.cameras),
    )


def mirror(options: argparse.Namespace, place: Path) -> None:
    root = data() / "mirror-mouse-labels"
    labels = read_collected_data(root / "CollectedData.csv")
    paths = tuple(root / "labeled-data" / name.image for name in labels.images)
    # The numbers of the images count labels, which lie far apart in time.
    labels = replace(
        labels, images=tuple(ImageName(name.video, f"img{1000 * i:05d}.png") for i, name in enumerate(labels.images))
    )
    images = LabelledImages(labels, paths, ("mouse/run",) * len(paths), ("mirror",) * len(paths))
    learnt, tested = images.take(range(72)), images.take(range(72, len(images)))
    for seed in options.seed:
        predictor = train(learnt, place / f"model{seed}", options, seed)
        found = find(predictor, tested, n_peaks=4)
        show("all", found.error())
        show("with the mirror's rule", with_mirror_rule(found).error())
        guesses(learnt, tested)


def with_mirror_rule(found: Found, *, sd_px: float = 8.0) -> Found:
    """Choose the pair of peaks of a paw that fits best: sure in both views, and one above the other."""
    names = found.images.labels.keypoints
    xy, score = found.xy.copy(), found.score.copy()
    for top, name in enumerate(names):
        if not name.startswith("paw") or not name.endswith("_top"):
            continue
        low = names.index(name.replace("_top", "_bot"))
        a, b = found.xy[:, top, :, None, 0], found.xy[:, low, None, :, 0]
        sure = np.log(np.maximum(found.score[:, top, :, None] * found.score[:, low, None, :], 1e-6))
        with np.errstate(invalid="ignore"):
            fit = np.nan_to_num(sure - np.minimum(((a - b) / sd_px) ** 2 / 2, 8), nan=-1e3)
        best = fit.reshape(len(fit), -1).argmax(1)
        i, j = np.unravel_index(best, fit.shape[1:])
        rows = np.arange(len(fit))
        xy[:, top, 0], xy[:, low, 0] = found.xy[rows, top, i], found.xy[rows, low, j]
        score[:, top, 0], score[:, low, 0] = found.score[rows, top, i], found.score[rows, low, j]
    return Found(xy, score, found.images)


def data() -> Path:
    folder = os.environ.get("POSE3D_TEST_DATA")
    if not folder:
        raise SystemExit("POSE3D_TEST_DATA is not set: the real recordings are not on this machine")
    return Path(folder)


KINDS = {"rendered": rendered, "recording": recording, "mouse": mouse, "mirror": mirror}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="+", choices=list(KINDS))
    parser.add_argument("--seed", type=int, nargs="+", default=[0])
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--laboratories", action="store_true", help="rendered: another one each seed")
    parser.add_argument("--scale", type=float, default=None)
    parser.add_argument("--backbone", default=BACKBONES[0], choices=BACKBONES)
    parser.add_argument("--start", type=Path, default=None, help="a model's folder")
    parser.add_argument("--learning-rate", type=float, default=None)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--folder", type=Path, default=None, help="kept, so that an ended training goes on")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        for kind in options.kinds:
            print(kind, flush=True)
            KINDS[kind](options, (options.folder or Path(temporary)) / kind)


if __name__ == "__main__":
    main()
