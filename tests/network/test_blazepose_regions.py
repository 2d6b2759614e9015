"""Regions of interest: the way into them and back, and what is cut out of an image."""

import numpy as np
import pytest

from pose3d.network.blazepose.region import crop_region, letterbox, regions_around, to_image, to_region


def smooth_image(height, width):
    """An image that tells where each of its pixels is: red grows with x, green with y."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 240 / width, y * 240 / height, np.full_like(x, 7)], axis=-1).round().astype(np.uint8)


@pytest.mark.parametrize("side", [120.0, 256.0, 700.0, 1500.0])
@pytest.mark.parametrize("angle", [0.0, 0.4, -2.0, np.pi])
def test_a_crop_shows_what_its_coordinates_say(side, angle):
    image = smooth_image(900, 1600)
    region = np.array([801.3, 447.8, side, angle])
    size = 64
    crop = crop_region(image, region, size=size)
    i, j = np.meshgrid(np.arange(size), np.arange(size), indexing="xy")
    places = to_image((np.stack([i, j], axis=-1).reshape(-1, 2) + 0.5) / size, region)
    edge = 12 + side / size  # where the last block of pixels is not whole, the one before goes on
    inside = ((places > edge) & (places < np.array([1599, 899]) - edge)).all(-1)
    assert inside.sum() > 900
    expected = places[inside] * [240 / 1600, 240 / 900]
    seen = crop.reshape(-1, 3)[inside]
    np.testing.assert_allclose(seen[:, :2], expected, atol=1.1)
    assert np.median(np.abs(seen[:, :2] - expected)) < 0.5
    assert (seen[:, 2] == 7).all()


def test_beyond_the_image_its_edge_goes_on():
    image = smooth_image(200, 300)
    crop = crop_region(image, np.array([0.0, 100.0, 200.0, 0.0]), size=50)
    assert crop[:, :24, 0].max() <= 1
    far = crop_region(image, np.array([5000.0, 5000.0, 300.0, 1.0]), size=50)
    np.testing.assert_allclose(far.astype(int), np.broadcast_to(image[-1, -1], far.shape), atol=7)
    assert (far == far[0, 0]).all()


@pytest.mark.parametrize("size", [(480, 640), (1920, 1080), (33, 500)])
def test_a_letterbox_is_black_beside_the_image_and_its_region_leads_back(size):
    image = np.full((*size, 3), 200, np.uint8)
    square, region = letterbox(image, size=224)
    corners = to_region(np.array([[-0.5, -0.5], [size[1] - 0.5, size[0] - 0.5]]), region) * 224
    (left, top), (right, bottom) = corners.round().astype(int)
    assert max(right - left, bottom - top) == 224
    shown = np.zeros((224, 224), bool)
    shown[top:bottom, left:right] = True
    # where the shorter side is no whole number of pixels, one row may be shown more or less
    assert ((square == 200).all(-1) != shown).sum() <= 2 * 224
    assert (square[~shown].max(-1) == 0).mean() > 0.98


def test_regions_lie_upright_and_turn_with_the_body():
    up, right, down = regions_around(np.zeros((3, 2)), np.array([[0.0, -10], [10, 0], [0, 10]]))
    assert up.tolist() == pytest.approx([0, 0, 24, 0])
    assert right[3] == pytest.approx(np.pi / 2)
    assert abs(down[3]) == pytest.approx(np.pi)
    # the head of somebody who lies to the right is up in the crop
    assert to_region(np.array([[8.0, 0.0]]), right)[0].tolist() == pytest.approx([0.5, 0.5 - 8 / 24])


def test_many_regions_at_once():
    rng = np.random.default_rng(0)
    region = np.concatenate([rng.uniform(0, 500, (4, 2)), rng.uniform(50, 400, (4, 1)), rng.uniform(-3, 3, (4, 1))], 1)
    points = rng.uniform(0, 1, (4, 7, 2))
    together = to_image(points, region)
    np.testing.assert_allclose(together, [to_image(p, r) for p, r in zip(points, region, strict=True)])
    np.testing.assert_allclose(to_region(together, region), points)
