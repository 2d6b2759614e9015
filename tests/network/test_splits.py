"""Held-out images are no neighbours of those that are learnt from."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from pose3d.data.labels import ImageName, LabelledImages, Labels
from pose3d.errors import DataError
from pose3d.network.splits import learnt_images, split_images


def labelled(recordings, cameras=("a", "b")):
    """Images of recordings, given as name to frames, of all cameras, in a mixed order."""
    rows = [(name, frame, camera) for name, frames in recordings.items() for frame in frames for camera in cameras]
    rows = [rows[i] for i in np.random.default_rng(0).permutation(len(rows))]
    images = [ImageName(f"{name}_{camera}", f"img{frame:04d}.png") for name, frame, camera in rows]
    labels = Labels.empty(images, ("x",), ("nose",))
    names, _, cams = zip(*rows, strict=True)
    return LabelledImages(labels, tuple(Path(image.image) for image in images), names, cams)


def moments(images, index):
    frames = images.frames
    return {(images.recordings[i], int(frames[i])) for i in index}


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("by", ["block", "recording"])
def test_all_cameras_of_an_instant_are_on_one_side(by, seed):
    images = labelled({"one": range(0, 400, 10), "two": range(0, 300, 10), "three": range(5)})
    train, test = split_images(images, test_fraction=0.2, by=by, seed=seed)
    assert len(train)
    assert len(test)
    assert not moments(images, train) & moments(images, test)
    assert len(moments(images, train)) * 2 == len(train)
    assert len(moments(images, test)) * 2 == len(test)
    assert (np.diff(train) > 0).all()
    assert (np.diff(test) > 0).all()
    again = split_images(images, test_fraction=0.2, by=by, seed=seed)
    np.testing.assert_array_equal(again[1], test)


@pytest.mark.parametrize("seed", range(5))
def test_blocks_are_runs_of_time_with_a_gap(seed):
    images = labelled({"one": range(100), "two": range(200)})
    train, test = split_images(images, test_fraction=0.1, gap=7, seed=seed)
    for name, n in (("one", 10), ("two", 20)):
        held = sorted(frame for recording, frame in moments(images, test) if recording == name)
        learnt = [frame for recording, frame in moments(images, train) if recording == name]
        assert held == list(range(held[0], held[0] + n))
        apart = min(abs(a - b) for a, b in itertools.product(held, learnt))
        assert apart == 7
    assert len(moments(images, train)) >= 300 - 30 - 4 * 6


def test_a_gap_never_takes_all():
    images = labelled({"one": range(10)})
    train, test = split_images(images, gap=1000)
    assert len(moments(images, test)) == 1
    assert len(moments(images, train)) == 9


def test_the_share_is_kept_over_many_short_recordings():
    images = labelled({f"r{i}": range(0, 30, 10) for i in range(20)})
    _, test = split_images(images, test_fraction=0.1)
    assert len(moments(images, test)) == 6
    assert len({name for name, _ in moments(images, test)}) == 6


def test_whole_recordings_come_near_the_share():
    images = labelled({f"r{i}": range(10 + i) for i in range(10)})
    train, test = split_images(images, test_fraction=0.3, by="recording", seed=4)
    held = {images.recordings[i] for i in test}
    assert not held & {images.recordings[i] for i in train}
    assert 0.2 < len(test) / len(images) < 0.4


def test_one_recording_is_split_by_block():
    images = labelled({"one": range(50)})
    by_recording, by_block = split_images(images, by="recording"), split_images(images, by="block")
    np.testing.assert_array_equal(by_recording[1], by_block[1])


def test_seeds_choose_other_images():
    images = labelled({"one": range(0, 1000, 10)})
    assert len({tuple(split_images(images, seed=seed)[1]) for seed in range(10)}) > 5


def test_images_without_a_number_are_instants_by_name():
    names = [ImageName(f"v_{camera}", f"{letter}.png") for letter in "klmn" for camera in "ab"]
    images = LabelledImages(
        Labels.empty(names, ("x",), ("nose",)), tuple(Path(n.image) for n in names), ("v",) * 8, ("a", "b") * 4
    )
    for times in (None, images.frames):  # which say of none when it was
        train, test = split_images(images, times=times)
        assert len(test) == 2
        assert names[test[0]].image == names[test[1]].image
        assert len(train) == 6


def test_one_instant_cannot_be_split():
    with pytest.raises(DataError, match="too few to hold one out"):
        split_images(labelled({"one": [3]}, cameras=("a", "b", "c")))
    train, test = split_images(labelled({"one": [3, 4]}))
    assert len(train) == len(test) == 2


def test_cameras_that_began_at_other_times_stay_together():
    images = labelled({"one": range(0, 400, 10)})
    later = np.array([camera == "b" for camera in images.cameras])
    names = [
        image._replace(image=f"img{frame + 95 * late:04d}.png")
        for image, frame, late in zip(images.labels.images, images.frames, later, strict=True)
    ]
    labels = Labels.empty(names, ("x",), ("nose",))
    shifted = LabelledImages(labels, images.paths, images.recordings, images.cameras)
    for seed in range(5):
        parts = split_images(shifted, seed=seed, times=images.frames)
        for ours, plain in zip(parts, split_images(images, seed=seed), strict=True):
            np.testing.assert_array_equal(ours, plain)


def test_neighbours_of_what_was_held_out_earlier_are_not_learnt_from():
    images = labelled({"one": range(100), "two": range(50)})
    held = np.array([i for i, (name, frame) in enumerate(zip(images.recordings, images.frames, strict=True))
                     if name == "one" and 40 <= frame < 50])  # fmt: skip
    learnt = moments(images, learnt_images(images, held))
    assert learnt == {("one", t) for t in range(100) if not 35 < t < 54} | {("two", t) for t in range(50)}
    none = np.arange(0)
    assert len(learnt_images(images, none)) == len(images)


def test_neighbours_are_learnt_from_where_nothing_else_is():
    images = labelled({"one": range(4)})
    held = np.flatnonzero(images.frames == 2)
    assert moments(images, learnt_images(images, held)) == {("one", 0), ("one", 1), ("one", 3)}
