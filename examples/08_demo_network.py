# %% [markdown]
# # The network of the demo
#
# `python examples/08_demo_network.py [FOLDER] [--full]`. A network for people as the demo renders them, from images
# whose keypoints are known. With `--full` it takes about two hours; without, a few steps show how it goes. The demo's
# own seeds, below 1000, are never learnt from.

# %%
import shutil
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pose3d.data.labels import LabelledImages
from pose3d.data.skeleton import Skeleton
from pose3d.demo.body_images import Shots, exercise_shots, walk_shots, write_body_images, write_walk_images
from pose3d.network.augmentation import Augmentation
from pose3d.network.learning import train_network
from pose3d.network.model_folder import read_model, write_model
from pose3d.network.spec import NetworkSpec
from pose3d.network.training import Look, TrainingSettings

full = "--full" in sys.argv
places = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
folder = Path(places[0] if places else tempfile.mkdtemp())

# %% [markdown]
# Images: some instants of many people, each in a room of its own, from four cameras. Other people are held out.

# %%
n_people, n_held_out = (150, 10) if full else (3, 1)


def some(seed: int, n: int) -> list[int]:
    return sorted(int(frame) for frame in np.random.default_rng(seed).choice(150, n, replace=False))


instants = {1000 + i: some(i, 2) for i in range(n_people + n_held_out)}
size = (960, 720) if full else (480, 360)
images = write_walk_images(folder / "images", instants, size=size)
held_out = np.isin(images.recordings, [f"seed{1000 + n_people + i}" for i in range(n_held_out)])
print(images)

# %% [markdown]
# The fast backbone, so that the demo stays quick. Left and right of the skeleton exchange names in mirrored images.

# %%
skeleton = Skeleton.preset("halpe26")
spec = NetworkSpec(skeleton.keypoints, skeleton.pairs, "mobilenetv2" if full else "efficientnet-lite0", scale=0.5)
settings = TrainingSettings(
    steps=6000 if full else 4,
    batch_size=8 if full else 2,
    crop=192 if full else 96,
    check_every=500 if full else 2,
    augmentation=Augmentation(rotation_deg=10, scale=(0.8, 1.25)),
)


def show(look: Look) -> None:
    print(
        f"step {look.step}: loss {look.loss:.4f}, held out: median {look.median_px:.1f} px, mean {look.mean_px:.1f} px"
    )


trained = train_network(
    images.take(np.flatnonzero(~held_out)),
    spec,
    folder / "network",
    settings,
    held_out=images.take(np.flatnonzero(held_out)),
    report=show,
)
print(*trained.lines(), sep="\n")

# %% [markdown]
# **Further, on people who exercise.** Somebody who has only seen walkers does not find the knees of a person who sits,
# nor whose elbow it is that passes before a head. So training goes on from these weights, round by round, on images of
# more people. All earlier images stay, and walkers come again at the end, so that they are not forgotten. The last
# people of each list are held out.


# %%
@dataclass(frozen=True)
class Round:
    name: str
    shots: list[list[Shots]]
    n_held_out: int
    steps: int
    learning_rate: float


rounds = [
    Round("exercises", [exercise_shots(range(2000, 2128), 4, size=size)], 9, 5000, 1e-3),
    Round(
        "reaches",
        [
            exercise_shots(range(3000, 3090), 6, exercises=["reach"], size=size),
            exercise_shots(range(3100, 3160), 4, exercises=["squat", "sit_to_stand"], size=size),
        ],
        6,
        5000,
        7e-4,
    ),
    Round("more", [exercise_shots(range(3200, 3380), 4, size=size)], 6, 9000, 8e-4),
    Round("walks", [walk_shots({seed: some(seed, 3) for seed in range(4000, 4120)}, size=size)], 6, 4000, 6e-4),
]
if not full:
    rounds = [Round("exercises", [exercise_shots(range(2000, 2004), 1, size=size)], 1, 4, 1e-3)]
kept = {f"seed{1000 + n_people + i}" for i in range(n_held_out)}
for each in rounds:
    for shots in each.shots:
        further = write_body_images(folder / "images", shots)
        images = LabelledImages(
            images.labels.updated(further.labels),
            images.paths + further.paths,
            images.recordings + further.recordings,
            images.cameras + further.cameras,
        )
        kept |= {shot.recording for shot in shots[-each.n_held_out :]}
    held_out = np.isin(images.recordings, sorted(kept))
    trained = train_network(
        images.take(np.flatnonzero(~held_out)),
        spec,
        folder / f"network-{each.name}",
        replace(settings, steps=each.steps, learning_rate=each.learning_rate, patience=60),
        held_out=images.take(np.flatnonzero(held_out)),
        start=trained.result.folder.folder,
        report=show,
    )
    print(*trained.lines(), sep="\n")

# %% [markdown]
# What `pose3d demo` needs of it, for `pose3d/demo/network/`: the file that won, and what describes it.

# %%
model, place = read_model(trained.result.folder.folder)
used = place.int8 if model.precision == "int8" else place.fp32
shipped = folder / "shipped"
shipped.mkdir(exist_ok=True)
shutil.copy(used, shipped)
write_model(model, shipped)
print(f"{shipped}: {', '.join(sorted(path.name for path in shipped.iterdir()))}")
