"""Batches depend on the step alone, images are read once, and TensorFlow is given the same."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from pose3d.data.labels import ImageName, LabelledImages, Labels, Mark
from pose3d.errors import DataError, FormatError
from pose3d.network import dataset
from pose3d.network.augmentation import Augmentation
from pose3d.network.dataset import ImageCache, make_dataset, sample_batch, scale_image, unpack_targets
from pose3d.network.spec import NetworkSpec
from pose3d.network.targets import make_targets, pack_targets

SPEC = NetworkSpec(("nose", "ear"), scale=0.5)
SIZE = (64, 32)


@pytest.fixture
def images(tmp_path):
    """Five images of two sizes, one of which is not labelled; their keypoints in another order than the network's."""
    rng = np.random.default_rng(0)
    paths = []
    for i in range(5):
        paths.append(tmp_path / f"img{i}.png")
        cv2.imwrite(str(paths[-1]), rng.integers(0, 256, (100 + 20 * (i % 2), 160, 3), dtype=np.uint8))
    xy = rng.uniform(0, 99, (5, 1, 2, 2))
    mark = np.full((5, 1, 2), Mark.VISIBLE, np.uint8)
    mark[3] = Mark.UNLABELLED
    xy[3] = np.nan
    labels = Labels(tuple(ImageName("v", path.name) for path in paths), ("x",), ("ear", "nose"), xy, mark)
    return LabelledImages(labels, tuple(paths), ("v",) * 5, ("a",) * 5)


def draw(cache, step, **changes):
    settings = {"spec": SPEC, "settings": Augmentation(), "size": SIZE, "batch": 3, "seed": 0, **changes}
    return sample_batch(cache, step, **settings)


@pytest.mark.parametrize(
    ("scale", "size"), [(0.5, (160, 120)), (0.5, (161, 121)), (0.4, (157, 113)), (0.25, (200, 90))]
)
def test_scaling_keeps_the_centres_of_pixels(scale, size):
    spec = NetworkSpec(("nose",), scale=scale)
    for place in ((30.0, 40.0), (size[0] - 20.0, size[1] - 15.0)):
        x, y = np.arange(size[0]), np.arange(size[1])[:, None]
        image = 255 * np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / (2 * 4.0**2))
        small = scale_image(np.rint(image).astype(np.uint8)[..., None].repeat(3, -1), scale)[..., 0].astype(float)
        rows, columns = np.mgrid[: small.shape[0], : small.shape[1]]
        found = np.array([(small * columns).sum(), (small * rows).sum()]) / small.sum()
        np.testing.assert_allclose(found, spec.to_network(np.array(place)), atol=0.03)


def test_images_are_scaled_and_red_comes_first(images):
    cache = ImageCache(images, SPEC)
    whole = cv2.imread(str(images.paths[1]))
    assert cache.size(1) == (80, 60)
    expected = cv2.resize(whole, (80, 60), interpolation=cv2.INTER_AREA)[..., ::-1]
    np.testing.assert_array_equal(cache[1], expected)
    np.testing.assert_allclose(cache.xy[0, 0, 0], SPEC.to_network(images.labels.xy[0, 0, 1]), err_msg="nose is nose")


def test_images_are_read_once_within_the_limit(images, monkeypatch):
    read = []
    true_read = dataset.read_image
    monkeypatch.setattr(dataset, "read_image", lambda path: read.append(path) or true_read(path))
    cache = ImageCache(images, SPEC)
    draw(cache, 0)
    assert len(read) == 5
    small = ImageCache(images, SPEC, gib=2 * 50 * 80 * 3 / 2**30)
    read.clear()
    for a, b in zip(draw(small, 0, batch=8), draw(cache, 0, batch=8), strict=True):
        np.testing.assert_array_equal(a, b)
    assert read
    assert images.paths[0] not in read


def test_batches_hold_whole_images_of_one_size(images):
    cache = ImageCache(images, SPEC)
    batches = list(cache.batches(2))
    assert sorted(np.concatenate([index for index, _ in batches])) == list(range(5))
    for index, pixels in batches:
        assert pixels.shape[1:] == (64, 96, 3)
        for i, image in zip(index, pixels, strict=True):
            height, width = cache[i].shape[:2]
            np.testing.assert_array_equal(image[:height, :width], cache[i])
            assert (image[height:] == (124, 116, 104)).all()


def test_a_step_sees_the_same_images_whenever_it_is_done(images):
    cache = ImageCache(images, SPEC)
    straight = [draw(cache, step) for step in range(4)]
    resumed = [draw(cache, step) for step in (3, 2)]
    np.testing.assert_array_equal(straight[3][0], resumed[0][0])
    np.testing.assert_array_equal(straight[2][1], resumed[1][1])
    assert (straight[0][0] != straight[1][0]).any()
    assert (draw(cache, 0, seed=1)[0] != straight[0][0]).any()


def test_every_labelled_image_is_seen_equally_often(images, monkeypatch):
    seen = []
    true_augment = dataset.augment
    monkeypatch.setattr(
        dataset, "augment", lambda image, xy, **o: seen.append(xy.tobytes()) or true_augment(image, xy, **o)
    )
    cache = ImageCache(images, SPEC)
    for step in range(4):
        draw(cache, step)
    counts = [seen.count(cache.xy[i].tobytes()) for i in range(5)]
    assert counts == [3, 3, 3, 0, 3]


def test_targets_are_those_of_the_moved_keypoints(images):
    cache = ImageCache(images, SPEC)
    pixels, packed = draw(cache, 0)
    assert pixels.shape == (3, 32, 64, 3)
    assert packed.shape == (3, 8, 16, 6)
    assert pixels.dtype == np.uint8
    assert packed.dtype == np.float32
    assert (packed[..., :2] == 1).any()


def test_an_image_that_is_none_is_found_at_the_start(images):
    Path(images.paths[4]).write_bytes(b"no image")
    with pytest.raises(FormatError, match=r"img4\.png: is no image"):
        ImageCache(images, SPEC)
    Path(images.paths[4]).unlink()
    with pytest.raises(FormatError, match=r"img4\.png"):
        ImageCache(images, SPEC)


def test_nothing_to_learn_from_is_an_error(images):
    with pytest.raises(DataError, match="no keypoint is labelled"):
        draw(ImageCache(images.take([3]), SPEC), 0)
    with pytest.raises(DataError, match="no labelled images"):
        ImageCache(images.take([]), SPEC)


def test_tensorflow_is_given_the_same_batches_in_order(images):
    cache = ImageCache(images, SPEC)
    batches = make_dataset(cache, SPEC, settings=Augmentation(), size=SIZE, batch=3, seed=0, first_step=2, n_steps=5)
    assert [tuple(part.shape) for part in batches.element_spec] == [(3, 32, 64, 3), (3, 8, 16, 6)]
    given = list(batches.as_numpy_iterator())
    assert len(given) == 5
    for step, (pixels, packed) in enumerate(given, start=2):
        expected = draw(cache, step)
        np.testing.assert_array_equal(pixels, expected[0])
        np.testing.assert_array_equal(packed, expected[1])


def test_packed_targets_are_unpacked_in_keras():
    xy = np.random.default_rng(0).uniform(-10, 40, (4, 2, 2, 2))
    mark = np.random.default_rng(1).integers(0, 4, (4, 2, 2)).astype(np.uint8)
    xy[~np.isin(mark, (1, 2))] = np.nan
    targets = make_targets(xy, mark, grid=(8, 8), spec=SPEC)
    for ours, theirs in zip(unpack_targets(pack_targets(xy, mark, grid=(8, 8), spec=SPEC)), targets, strict=True):
        np.testing.assert_array_equal(np.asarray(ours), theirs)
