"""Keypoints are where their pixels are, whatever was done to the image."""

import dataclasses

import numpy as np
import pytest

from pose3d.data.labels import Mark
from pose3d.network.augmentation import Augmentation, augment
from pose3d.network.spec import NetworkSpec

SPEC = NetworkSpec(("left", "nose", "right"), pairs=(("left", "right"),))
STILL = Augmentation.none()


def blobs(xy, size=(200, 160), sigma=2.0):
    """An image with a blob of its own colour at each of three places."""
    x, y = np.arange(size[0]), np.arange(size[1])[:, None]
    image = [np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * sigma**2)) for px, py in xy]
    return np.rint(255 * np.stack(image, axis=-1)).astype(np.uint8)


def centroid(channel, near):
    """Where a blob lies, given roughly where."""
    left, top = np.maximum(np.rint(near).astype(int) - 9, 0)
    part = channel[top : top + 19, left : left + 19].astype(float)
    y, x = np.mgrid[: part.shape[0], : part.shape[1]]
    if not part.any():
        return np.array([np.inf, np.inf])
    return np.array([(part * x).sum(), (part * y).sum()]) / part.sum() + (left, top)


@pytest.mark.parametrize("seed", range(25))
def test_a_keypoint_stays_on_its_dot(seed, monkeypatch):
    monkeypatch.setattr("pose3d.network.augmentation.MEAN_COLOUR", (0, 0, 0))
    rng = np.random.default_rng(seed)
    xy = rng.uniform((60, 50), (140, 110), (1, 3, 2))
    settings = dataclasses.replace(STILL, rotation_deg=60, scale=(0.7, 1.4), mirror=None)
    image, moved, mark = augment(
        blobs(xy[0]), xy, mark=np.array([[1, 2, 1]], np.uint8), rng=rng, spec=SPEC, settings=settings, size=(192, 160)
    )
    assert image.shape == (160, 192, 3)
    seen = 0
    # A mirrored image has the blob of the left where the right is now.
    mirrored = np.linalg.norm(moved[0, 0] - centroid(image[..., 0], moved[0, 0])) > 5
    for keypoint in range(3):
        place = moved[0, keypoint]
        if (place < 12).any() or (place > np.array([179, 147])).any():
            continue
        colour = SPEC.mirrored[keypoint] if mirrored else keypoint
        np.testing.assert_allclose(centroid(image[..., colour], place), place, atol=0.1)
        seen += 1
    assert seen
    assert mark.tolist() == [[1, 2, 1]]


def test_mirroring_exchanges_names_and_marks():
    xy = np.array([[[50.0, 80.0], [100.0, 60.0], [150.0, 80.0]]])
    mark = np.array([[Mark.OCCLUDED, Mark.VISIBLE, Mark.ABSENT]], np.uint8)
    settings = dataclasses.replace(STILL, mirror=None)
    found = set()
    for seed in range(20):
        _, moved, marks = augment(
            blobs(xy[0]), xy, mark=mark, rng=np.random.default_rng(seed), spec=SPEC, settings=settings, size=(192, 160)
        )
        assert moved[0, 0, 0] < moved[0, 2, 0], "the left keypoint is left of the right one in both"
        found.add(tuple(marks[0].tolist()))
    assert found == {(2, 1, 3), (3, 1, 2)}


def test_without_pairs_nothing_is_mirrored_unless_it_is_asked_for():
    spec = NetworkSpec(("a", "b", "c"))
    xy = np.array([[[50.0, 80.0], [100.0, 60.0], [150.0, 80.0]]])

    def orders(mirror):
        settings = dataclasses.replace(STILL, mirror=mirror)
        drawn = (
            augment(blobs(xy[0]), xy, mark=np.ones((1, 3), np.uint8), rng=np.random.default_rng(seed), spec=spec,
                    settings=settings, size=(192, 160))
            for seed in range(20)
        )  # fmt: skip
        return {bool(moved[0, 0, 0] < moved[0, 2, 0]) for _, moved, _ in drawn}

    assert orders(None) == {True}
    assert orders(False) == {True}
    assert orders(True) == {True, False}


def test_photometric_changes_move_nothing():
    xy = np.array([[[50.0, 80.0], [100.0, 60.0], [140.0, 100.0]]])
    settings = dataclasses.replace(STILL, chance=1, motion_blur_px=15, blur_px=2, contrast=0.3, colour=0.2, noise=1.0)
    for seed in range(10):
        image, moved, _ = augment(
            blobs(xy[0], sigma=3), xy, mark=np.ones((1, 3), np.uint8), rng=np.random.default_rng(seed), spec=SPEC,
            settings=settings, size=(192, 160),
        )  # fmt: skip
        for keypoint in range(3):
            colour = image[..., keypoint].astype(float)
            above = np.clip(colour - np.median(colour) - 12, 0, None)
            np.testing.assert_allclose(centroid(above, moved[0, keypoint]), moved[0, keypoint], atol=0.35)


def test_every_change_changes_something():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (128, 128, 3), dtype=np.uint8)
    xy, mark = np.full((1, 3, 2), 60.0), np.ones((1, 3), np.uint8)

    def made(**changes):
        settings = dataclasses.replace(STILL, chance=1, **changes)
        return augment(
            image, xy, mark=mark, rng=np.random.default_rng(1), spec=SPEC, settings=settings, size=(128, 128)
        )[0]

    before = image.copy()
    plain = made()
    changes = {"brightness": 0.3, "contrast": 0.3, "colour": 0.3, "motion_blur_px": 9, "blur_px": 2, "noise": 20,
               "occlusion": 0.4}  # fmt: skip
    for name, strength in changes.items():
        assert (made(**{name: strength}) != plain).mean() > 0.01, name
    assert (image == before).all(), "the cached image is not written to"


def test_keypoints_behind_what_is_put_in_front_are_occluded():
    image = np.full((128, 128, 3), 128, np.uint8)
    grid = np.stack(np.meshgrid(np.arange(8, 128, 16), np.arange(8, 128, 16)), -1).reshape(-1, 1, 2).astype(float)
    spec = NetworkSpec(("dot",))
    xy, mark = grid, np.full((len(grid), 1), Mark.VISIBLE, np.uint8)
    mark[5] = Mark.ABSENT
    settings = dataclasses.replace(STILL, chance=1, occlusion=0.5, mirror=False)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        crop, moved, after = augment(image, xy, mark=mark, rng=rng, spec=spec, settings=settings, size=(128, 128))
        at = np.rint(moved[:, 0]).astype(int)
        inside = ((at >= 0) & (at < 128)).all(-1) & (mark[:, 0] == Mark.VISIBLE)
        changed = (crop[at[inside, 1], at[inside, 0]] != 128).any(-1)
        assert changed.any() == (after[inside, 0] == Mark.OCCLUDED)[changed].any()
        assert (after[inside, 0][changed] == Mark.OCCLUDED).all()
        assert after[5, 0] == Mark.ABSENT
    assert (mark[np.arange(len(mark)) != 5] == Mark.VISIBLE).all(), "the labels are not written to"


def test_crops_lie_in_the_image_and_are_cut_around_keypoints():
    image = np.full((480, 640, 3), 255, np.uint8)
    xy = np.full((1, 3, 2), np.nan)
    xy[0, 1] = 600, 50
    mark = np.array([[0, 1, 0]], np.uint8)
    settings = dataclasses.replace(STILL, near_keypoint=1.0)
    for seed in range(50):
        crop, moved, _ = augment(
            image, xy, mark=mark, rng=np.random.default_rng(seed), spec=SPEC, settings=settings, size=(192, 192)
        )
        assert (moved[0, 1] >= 0).all()
        assert (moved[0, 1] < 192).all()
        assert (crop == 255).mean() > 0.75, "hardly more than the slack on two sides is out of the image"
        assert np.isnan(moved[0, 0]).all()


def test_a_subject_that_fits_is_seen_whole():
    image = np.full((480, 640, 3), 255, np.uint8)
    xy = np.array([[[300, 200], [330, 300], [380, 210]]], float)
    settings = dataclasses.replace(STILL, near_keypoint=1.0)
    places = []
    for seed in range(60):
        _, moved, _ = augment(
            image,
            xy,
            mark=np.ones((1, 3), np.uint8),
            rng=np.random.default_rng(seed),
            spec=SPEC,
            settings=settings,
            size=(160, 160),
        )
        assert (moved >= -0.5).all()
        assert (moved <= 159.5).all()
        places.append(moved[0, 0])
    assert np.ptp(places, axis=0).min() > 40, "it lies anywhere in the crop"


@pytest.mark.parametrize("wrong", [{"scale": (1.2, 0.8)}, {"chance": 1.5}, {"noise": -1}, {"contrast": 1.0}])
def test_settings_that_mean_nothing_are_refused(wrong):
    with pytest.raises(ValueError, match=r"scale|chance|strengths"):
        Augmentation(**wrong)
