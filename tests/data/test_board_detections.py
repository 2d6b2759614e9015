"""Corners of a board, and the numbers that their frames have."""

from dataclasses import replace

import numpy as np
import pytest

from pose3d.data import Board, BoardDetections

BOARD = Board.checkerboard((3, 2), square_mm=10)


@pytest.fixture
def detections():
    return BoardDetections(BOARD, ("a", "b"), ((64, 48), (64, 48)), np.array([2, 5, 6]), np.zeros((3, 2, 6, 2)))


def test_frames_are_the_same_for_all_unless_told(detections):
    np.testing.assert_array_equal(detections.camera_frames, [[2, 2], [5, 5], [6, 6]])
    assert detections.blurred == {}
    assert len(detections.still) == 0


def test_own_frames_survive_a_selection(detections):
    own = {"a": np.arange(10) + 3, "b": np.where(np.arange(10) == 5, -1, np.arange(10))}
    detections = replace(detections, own_frames=own, blurred={"b": [3]}, still=[4])
    np.testing.assert_array_equal(detections.camera_frames, [[5, 2], [8, -1], [9, 6]])
    some = replace(
        detections, cameras=("b",), sizes=detections.sizes[1:], frames=detections.frames[1:], xy=detections.xy[1:, 1:]
    )
    np.testing.assert_array_equal(some.camera_frames, [[-1], [6]])
    none = replace(detections, cameras=(), sizes=(), xy=detections.xy[:, :0])
    assert none.camera_frames.shape == (3, 0)
    with pytest.raises(ValueError, match="up to instant 6"):
        replace(detections, own_frames={"a": np.arange(6), "b": np.arange(7)})
    with pytest.raises(ValueError, match="read-only"):
        detections.blurred["b"][0] = 1
