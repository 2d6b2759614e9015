"""Views that are worth a calibration, and such that are blurred or show nothing new."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from pose3d.calibration import calibrate_detections
from pose3d.calibration.detection.boards import draw_board
from pose3d.calibration.detection.corners import find_corners
from pose3d.calibration.detection.sharpness import blurred_views, edge_width
from pose3d.calibration.detection.views import choose_instants, still_instants
from pose3d.data import Board, BoardDetections


def at(detections, rows):
    return replace(detections, frames=detections.frames[rows], xy=detections.xy[rows])


@pytest.fixture
def lingering(corners):
    """A board that rests for most of the time in a few of its poses."""

    def make(rig, board, n_frames, seed):
        rng = np.random.default_rng(seed)
        moved = corners(rig, board, 120, seed=seed, sigma=0.0)
        time = rng.pareto(1.0, 120) + 0.02
        pose = np.sort(rng.choice(120, size=n_frames, p=time / time.sum()))
        xy = moved.xy[pose] + rng.normal(scale=0.3, size=moved.xy[pose].shape)
        return BoardDetections(board, moved.cameras, moved.sizes, np.arange(n_frames), xy)

    return make


@pytest.mark.slow
def test_chosen_instants_of_a_board_that_lingers(make_ring, board, lingering, volume_error):
    truth = make_ring(3, arc=np.pi)
    detections = lingering(truth, board, 400, 2)
    chosen, even = choose_instants(detections, 70), np.linspace(0, 399, 70).round().astype(int)
    errors = [volume_error(calibrate_detections(at(detections, rows)).rig, truth) for rows in (chosen, even)]
    assert errors[0] <= 0.6 * errors[1]


@pytest.mark.slow
def test_chosen_instants_of_an_ordinary_scene(make_ring, board, corners):
    detections = corners(make_ring(3, arc=np.pi), board, 400, seed=5)
    chosen, even = choose_instants(detections, 70), np.linspace(0, 399, 70).round().astype(int)
    errors = [calibrate_detections(at(detections, rows)).volume.rms_mm for rows in (chosen, even)]
    assert errors[0] <= 0.9 * errors[1]  # expected, as one draw of the noise says little


def test_weakly_linked_pairs_keep_their_shared_views(make_ring, board, corners):
    detections = corners(make_ring(4), board, 600, seed=1)
    xy = detections.xy.copy()
    both = np.flatnonzero(np.isfinite(xy[:, :2, :, 0]).any(-1).all(1))
    weak, rest = both[::20], np.setdiff1d(both, both[::20])
    xy[rest, 1] = np.nan  # the pair shares few views, here and there
    detections = replace(detections, xy=xy)
    chosen = choose_instants(detections, 100)
    assert 5 <= len(weak) <= 15
    assert np.isin(weak, chosen).mean() >= 0.8
    assert len(chosen) == len(set(chosen.tolist())) == 100
    assert (np.diff(chosen) > 0).all()
    np.testing.assert_array_equal(chosen, choose_instants(detections, 100))


def test_choice_covers_images_and_slants(make_ring, board, corners):
    """A quarter of the views lies in a corner of the image, seldom shown otherwise."""
    detections = corners(make_ring(2, arc=0.5), board, 400, seed=3)
    chosen = choose_instants(detections, 40)

    def cells(rows):
        xy = detections.xy[rows, 0].reshape(-1, 2)
        xy = xy[np.isfinite(xy[:, 0])]
        return len({(int(x // 80), int(y // 64)) for x, y in xy})

    even = np.linspace(0, 399, 40).round().astype(int)
    assert cells(chosen) > cells(even)
    assert choose_instants(detections, 400).tolist() == list(range(400))
    assert len(choose_instants(at(detections, np.arange(0)), 10)) == 0


def test_a_board_that_rests_is_thinned(make_ring, board, corners):
    moved = corners(make_ring(2, arc=0.5), board, 60, seed=0, sigma=0.0).xy
    moved = moved[np.isfinite(moved[..., 0]).any(-1).all(-1)][:3]
    rng = np.random.default_rng(0)
    xy = np.repeat(moved, [20, 1, 90], axis=0)
    xy = xy + rng.uniform(-0.1, 0.1, xy.shape)
    still = still_instants(xy)
    np.testing.assert_array_equal(np.flatnonzero(~still), [0, 20, 21, 21 + 32, 21 + 64])
    creeping = np.arange(100)[:, None, None, None] * [0.1, 0.0] + moved[:1]
    np.testing.assert_array_equal(np.flatnonzero(~still_instants(creeping)), np.arange(0, 100, 5))
    # moved in one camera only, or seen by one more
    xy = np.repeat(moved[:1], 3, axis=0)
    xy[1:, 1, 0] += 1.0
    xy[0, 0, ::2] = np.nan
    assert not still_instants(xy)[1]
    hidden = np.repeat(moved[:1], 2, axis=0)
    hidden[0, 0] = np.nan
    assert not still_instants(hidden).any()
    assert still_instants(xy[:0]).shape == (0,)
    assert still_instants(xy[:1]).tolist() == [False]


@pytest.fixture
def photo():
    board = Board("charuco", (6, 5), 40, 30, "4X4_50")
    paper = draw_board(board, pixels_per_square=40)
    place = np.array([[1.3, 0.2, 90], [-0.15, 1.2, 80], [2e-4, -1e-4, 1]])
    return board, cv2.warpPerspective(paper, place, (640, 480), borderValue=255)


@pytest.mark.parametrize("inverted", [False, True])
def test_motion_and_focus_widen_the_edges(photo, inverted):
    board, image = photo
    image = np.uint8(30 + 0.7 * image)
    xy = find_corners(image, board)
    smear = np.zeros((9, 9))
    smear[4] = 1 / 9
    views = [image, cv2.GaussianBlur(image, (0, 0), 2.0), cv2.filter2D(image, -1, smear)]
    noise = np.random.default_rng(0).normal(scale=2, size=image.shape)
    views = [np.uint8(np.clip(view + noise, 0, 255)) for view in views]
    widths = [edge_width(255 - view if inverted else view, xy, board.edges) for view in views]
    assert 1.0 <= widths[0] <= 1.8
    assert 3.5 <= widths[1] <= 6.5  # a Gauss curve of 2 px is as high as one of 5 px is wide
    assert 6.0 <= widths[2] <= 11.0
    dim = edge_width(np.uint8(20 + 0.2 * views[1]), xy, board.edges)
    assert dim == pytest.approx(widths[1], rel=0.15)
    few = np.full_like(xy, np.nan)
    few[:4] = xy[:4]
    assert np.isnan(edge_width(image, few, board.edges))


def test_only_clearly_worse_views_are_blurred():
    rng = np.random.default_rng(0)
    width = 2 * np.exp(rng.normal(scale=0.08, size=(200, 3)))
    blurred = rng.choice(200, 15, replace=False)
    width[blurred, 1] *= 2.5
    width[::3, 2] = np.nan
    found = blurred_views(width)
    np.testing.assert_array_equal(np.flatnonzero(found[:, 1]), np.sort(blurred))
    assert not found[:, [0, 2]].any()
    assert not blurred_views(np.array([[1.5]] * 5 + [[9.0]] * 5)).any()  # a camera's last views
    far = np.exp(rng.uniform(0, 2, size=(300, 1)))  # near and far, all widths are usual
    assert not blurred_views(far).any()
    half = np.where(np.arange(100) < 60, 9.0, 1.5)[:, None]
    assert not blurred_views(half).any()
