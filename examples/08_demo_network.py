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
from dataclasses import replace
from pathlib import Path

import numpy as np

from pose3d.data.labels import LabelledImages
from pose3d.data.skeleton import Skeleton
from pose3d.demo.body_images import exercise_shots, write_body_images, write_walk_images
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
instants = {
    1000 + i: sorted(int(frame) for frame in np.random.default_rng(i).choice(150, 2, replace=False))
    for i in range(n_people + n_held_out)
}
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
# **Further, on people who exercise.** Somebody who has only seen walkers does not find the knees of a person who sits.
# So training goes on from these weights, on images of both; left and right of what walks is not forgotten.

# %%
n_exercises, n_kept = (119, 9) if full else (3, 1)
shots = exercise_shots(range(2000, 2000 + n_exercises + n_kept), 4 if full else 1, size=size)
exercises = write_body_images(folder / "images", shots)
both = LabelledImages(
    images.labels.updated(exercises.labels),
    images.paths + exercises.paths,
    images.recordings + exercises.recordings,
    images.cameras + exercises.cameras,
)
kept = [shot.recording for shot in shots[-n_kept:]]
held_out = np.isin(both.recordings, [*kept, *(f"seed{1000 + n_people + i}" for i in range(n_held_out))])
trained = train_network(
    both.take(np.flatnonzero(~held_out)),
    spec,
    folder / "network-of-both",
    replace(settings, steps=5000 if full else 4, learning_rate=1e-3, patience=20),
    held_out=both.take(np.flatnonzero(held_out)),
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
