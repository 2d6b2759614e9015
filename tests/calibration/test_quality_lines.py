"""What a calibration says to people, and its board's edges."""

from dataclasses import replace

import numpy as np
import pytest

from pose3d.calibration import CameraQuality, Quality
from pose3d.calibration.solver.bundle import Bundle, Solution
from pose3d.calibration.trust.quality import EdgeErrors, edge_errors
from pose3d.geometry.transforms import apply, rigid


def test_each_camera_the_edges_and_what_was_dropped_stand_in_the_lines():
    cameras = (
        CameraQuality("back", 21, 0, 1470, 0.42, 0.33, 0.81, 0.003),
        CameraQuality("a long name", 2, 1, 70, 1.0, 0.5, 12.81, 0.0),
    )
    edges = EdgeErrors(rms_mm=0.31, bias_mm=-0.02, scale_percent=-0.08, scale_se_percent=0.04, n=1000)
    head, back, other, said, dropped = Quality(cameras, edges, {"a long name": (7,)}).lines()
    assert back.split() == ["back", "21", "0", "1470", "0.33", "0.42", "0.81", "0.3", "%"]
    assert len(head) == len(back) == len(other)
    assert "0.31 mm" in said
    assert "-0.02 mm (-0.08 ± 0.04 %)" in said
    assert dropped == "a long name: views dropped at frames 7"
    assert len(Quality(cameras[:1], EdgeErrors(), {}).lines()) == 2


@pytest.fixture
def shown(make_ring, board):
    """Return boards before two cameras that stand close together, as a solution, and the rays to their corners."""
    rig = make_ring(2, arc=0.3)
    rng = np.random.default_rng(0)
    n = 60
    turns = rng.normal(scale=0.4, size=(n, 3))
    poses = rigid(turns, rng.uniform(-300, 300, size=(n, 3))) @ rigid(np.zeros(3), -board.points.mean(0))
    solution = Solution(
        bundle=Bundle(
            lens=np.tile([1000.0, 1000.0, 640.0, 512.0] + [0.0] * 8, (2, 1)),
            cam_from_world=rig.cam_from_world,
            world_from_board=poses,
            points=board.points,
            camera=np.zeros(0, dtype=int),
            frame=np.zeros(0, dtype=int),
            xy=np.zeros((0, board.n_corners, 2)),
            n_lens=np.full(2, 5),
            fisheye=np.zeros(2, dtype=bool),
            free=np.zeros((2, 18), dtype=bool),
            prior=np.zeros((2, 12, 12)),
            prior_mean=np.zeros((2, 12)),
        ),
        sigma=np.ones(2),
        weight=np.zeros((0, board.n_corners)),
        iterations=0,
        converged=True,
    )

    def rays(stretch=(1.0, 1.0, 1.0), noise=0.0):
        X = apply(rig.cam_from_world, apply(poses[:, None], board.points * stretch)[:, :, None])
        xy = (X[..., :2] / X[..., 2:]).swapaxes(1, 2)
        return xy + rng.normal(scale=noise, size=xy.shape)

    return solution, rays


def test_noise_lengthens_edges_but_is_no_bias(shown, board):
    solution, rays = shown
    edges = edge_errors(rays(noise=1e-3), solution, board)
    assert edges.rms_mm > 6  # a narrow base: a pixel is 8 mm of depth
    assert abs(edges.bias_mm) < 4 * edges.bias_se_mm
    assert edges.bias_se_mm < 0.2


@pytest.mark.parametrize("percent", [-1.0, 2.0])
def test_bias_has_the_sign_of_a_wrong_scale(shown, board, percent):
    solution, rays = shown
    edges = edge_errors(rays(stretch=np.full(3, 1 + percent / 100), noise=3e-4), solution, board)
    assert edges.scale_percent == pytest.approx(percent, abs=4 * edges.scale_se_percent)
    assert edges.bias_mm == pytest.approx(percent * board.square_mm / 100, abs=4 * edges.bias_se_mm)
    assert abs(percent) > 8 * edges.scale_se_percent


def test_a_board_longer_in_one_direction_is_seen(shown, board):
    solution, rays = shown
    edges = edge_errors(rays(stretch=(1.01, 1.0, 1.0), noise=3e-4), solution, board)
    assert edges.stretch_percent == pytest.approx(1.0, abs=4 * edges.stretch_se_percent)
    assert edges.stretch_se_percent < 0.15


def test_standard_error_of_the_bias_holds_for_errors_that_go_together(shown, board):
    solution, _ = shown
    rng = np.random.default_rng(3)
    off = []
    for _ in range(80):
        each = 1 + 0.01 * rng.normal(size=60)  # all edges of an instant err alike
        poses = solution.bundle.world_from_board @ np.apply_along_axis(np.diag, 1, np.c_[each, each, each, np.ones(60)])
        scaled = replace(solution, bundle=replace(solution.bundle, world_from_board=poses))
        X = apply(
            solution.bundle.cam_from_world, apply(scaled.bundle.world_from_board[:, None], board.points)[:, :, None]
        )
        edges = edge_errors((X[..., :2] / X[..., 2:]).swapaxes(1, 2), solution, board)
        off.append(edges.scale_percent / edges.scale_se_percent)
    assert 0.75 < np.std(off) < 1.3


def test_one_camera_measures_no_edge(shown, board):
    solution, rays = shown
    xy = rays()
    xy[:, 1] = np.nan
    edges = edge_errors(xy, solution, board)
    assert edges.n == 0
    assert np.isnan(edges.bias_mm)
