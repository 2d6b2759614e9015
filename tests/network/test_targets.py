"""Targets against the definition, cell by cell."""

import math

import numpy as np
import pytest

from pose3d.data.labels import Mark
from pose3d.network.spec import NetworkSpec
from pose3d.network.targets import make_targets, pack_targets

SPEC = NetworkSpec(("nose", "ear", "tail"), stride=4, radius_px=8.5)


def plain_targets(xy, mark, grid, spec):
    """The same, cell by cell, from what the documentation says."""
    n, n_individuals, n_keypoints = mark.shape
    rows, columns = grid
    score, weight = np.zeros((n, *grid, n_keypoints)), np.zeros((n, *grid, n_keypoints))
    locref, locref_weight = np.zeros((n, *grid, n_keypoints, 2)), np.zeros((n, *grid, n_keypoints, 2))
    radius = max(spec.radius_px, spec.stride / math.sqrt(2))
    for image in range(n):
        present = [i for i in range(n_individuals) if any(mark[image, i] != Mark.UNLABELLED)]
        for k in range(n_keypoints):
            unknown = not present or any(mark[image, i, k] == Mark.UNLABELLED for i in present)
            for row in range(rows):
                for column in range(columns):
                    centre = np.array([column, row]) * spec.stride + (spec.stride - 1) / 2
                    nearest, doubt = math.inf, False
                    for i in range(n_individuals):
                        if mark[image, i, k] not in (Mark.VISIBLE, Mark.OCCLUDED):
                            continue
                        point = xy[image, i, k]
                        distance = math.dist(point, centre)
                        inside = -0.5 <= point[0] < columns * spec.stride - 0.5
                        inside = inside and -0.5 <= point[1] < rows * spec.stride - 0.5
                        if distance > radius:
                            continue
                        if not inside or mark[image, i, k] == Mark.OCCLUDED:
                            doubt = True
                        elif distance < nearest:
                            nearest = distance
                            locref[image, row, column, k] = (point - centre) / spec.locref_px
                    at = (image, row, column, k)
                    score[at] = nearest < math.inf
                    locref_weight[at] = score[at]
                    weight[at] = score[at] or not (doubt or unknown)
    return score, weight, locref.reshape(n, *grid, -1), locref_weight.reshape(n, *grid, -1)


@pytest.mark.parametrize("spec", [SPEC, NetworkSpec(SPEC.keypoints, stride=8, radius_px=3.0)])
@pytest.mark.parametrize("n_individuals", [1, 3])
def test_targets_are_those_of_a_plain_loop(spec, n_individuals):
    rng = np.random.default_rng(n_individuals)
    grid = (7, 9)
    shape = (12, n_individuals, 3)
    low, high = -12, np.array([grid[1], grid[0]]) * spec.stride + 12
    xy = rng.uniform(low, high, (*shape, 2))
    mark = rng.choice(list(Mark), shape).astype(np.uint8)
    mark[0] = Mark.UNLABELLED
    mark[1, 0] = Mark.UNLABELLED
    xy[~np.isin(mark, (Mark.VISIBLE, Mark.OCCLUDED))] = np.nan
    found, expected = make_targets(xy, mark, grid=grid, spec=spec), plain_targets(xy, mark, grid, spec)
    for name, ours, plain in zip(found._fields, found, expected, strict=True):
        assert ours.dtype == np.float32, name
        np.testing.assert_allclose(ours, plain, atol=1e-5, err_msg=name)


def test_every_keypoint_inside_has_a_cell():
    spec = NetworkSpec(("nose",), stride=8, radius_px=0.1)
    xy = np.random.default_rng(0).uniform(-0.5, 31.49, (500, 1, 1, 2))
    score = make_targets(xy, np.ones((500, 1, 1), np.uint8), grid=(4, 4), spec=spec).score
    assert score.sum((1, 2)).min() >= 1


def test_what_is_unlabelled_tells_nothing_and_what_is_absent_is_negative():
    xy = np.full((1, 1, 3, 2), np.nan)
    xy[0, 0, 0] = 10, 10
    mark = np.array([[[Mark.VISIBLE, Mark.UNLABELLED, Mark.ABSENT]]], np.uint8)
    targets = make_targets(xy, mark, grid=(6, 6), spec=SPEC)
    assert targets.score_weight[..., 0].all()
    assert targets.score[..., 0].any()
    assert not targets.score_weight[..., 1].any()
    assert targets.score_weight[..., 2].all()
    assert not targets.score[..., 2].any()


def test_an_individual_that_is_not_in_the_image_hides_nothing():
    xy = np.full((1, 2, 3, 2), np.nan)
    xy[0, 0] = 10
    mark = np.array([[[Mark.VISIBLE] * 3, [Mark.UNLABELLED] * 3]], np.uint8)
    assert make_targets(xy, mark, grid=(6, 6), spec=SPEC).score_weight.all()


def test_places_too_far_for_a_whole_number_are_outside():
    xy = np.array([1e30, -1e30, 5.0]).reshape(1, 1, 3, 1).repeat(2, -1)
    packed = pack_targets(xy, np.ones((1, 1, 3), np.uint8), grid=(4, 4), spec=SPEC)
    assert not packed[..., :2].any()
    assert packed[..., 2].any()
