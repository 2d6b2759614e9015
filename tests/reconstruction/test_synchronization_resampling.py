"""Detections brought to common instants."""

import numpy as np
import pytest

from pose3d.data import Keypoints2D
from pose3d.data.timing import FrameTimes, Timing
from pose3d.errors import DataError
from pose3d.reconstruction.synchronization import apply_timing, learn_spikes, timing_from_timestamps

CAMERAS = ("left", "right")
NO_SPIKES = np.full(2, np.inf)


def path(frames):
    """Where the one keypoint is at each (fractional) frame of a camera, px."""
    t = np.asarray(frames, dtype=float)
    return np.stack([600 + 200 * np.sin(t / 15), 400 + 150 * np.cos(t / 11)], axis=-1)


def detections(n_frames, shift=(0.0, 0.0), *, start=0, score=None):
    xy = np.stack([path(start + np.arange(n_frames) - s) for s in shift], axis=1)[:, :, None, None]
    score = np.full(xy.shape[:-1], 0.9) if score is None else score
    return Keypoints2D(xy, score, CAMERAS, ("one",), ("nose",), fps=100.0, start=start)


def offsets(**frames):
    return Timing.of_offsets(CAMERAS, frames)


def drop(keypoints, *gone):
    xy = keypoints.xy.copy()
    for frame, camera in gone:
        xy[frame, camera] = np.nan
    return Keypoints2D(
        xy,
        keypoints.score,
        keypoints.cameras,
        keypoints.individuals,
        keypoints.keypoints,
        keypoints.fps,
        keypoints.start,
    )


def test_whole_offsets_copy_to_the_last_bit():
    seen = drop(detections(50), (20, 1), (33, 1), (34, 1))
    moved = apply_timing(seen, offsets(right=3))
    assert np.array_equal(moved.xy[:, 0], seen.xy[:, 0])
    assert np.array_equal(moved.xy[:47, 1], seen.xy[3:, 1], equal_nan=True)
    assert np.array_equal(moved.score[:47, 1], seen.score[3:, 1], equal_nan=True)
    assert np.isnan(moved.xy[47:, 1]).all()
    back = apply_timing(seen, offsets(right=-3))
    assert np.isnan(back.xy[:3, 1]).all()
    assert np.array_equal(back.xy[3:, 1], seen.xy[:-3, 1], equal_nan=True)
    assert apply_timing(seen, offsets()) is seen


def test_fractions_follow_the_motion():
    seen = detections(60, shift=(0.0, 3.4))
    moved = apply_timing(seen, offsets(right=3.4))
    wanted = path(np.arange(60))
    assert np.abs(moved.xy[1:55, 1, 0, 0] - wanted[1:55]).max() < 0.005
    assert np.isnan(moved.xy[57:, 1]).all()


def test_drift_is_applied_around_its_instant():
    timing = Timing(CAMERAS, [0, 2.0], [0, 1e-3], [0, 0], [0, 0], ("reference", "motion"), "left", at_frame=500.0)
    own = np.arange(1000)
    instants = (own - 2.0 + 0.5) / 1.001
    xy = np.stack([path(own), path(instants)], axis=1)[:, :, None, None]
    seen = Keypoints2D(xy, np.ones(xy.shape[:-1]), CAMERAS, ("one",), ("nose",))
    moved = apply_timing(seen, timing)
    assert np.nanmax(np.abs(moved.xy[5:990, 1, 0, 0] - path(np.arange(5, 990)))) < 0.005
    assert timing.own_frames([500])[0].tolist() == [500.0, 502.0]


def test_gaps_are_crossed_up_to_the_limit_only():
    seen = drop(detections(60), (20, 1), (30, 1), (31, 1), (32, 1))
    moved = apply_timing(seen, offsets(right=0.5), max_gap_frames=2)
    there = np.isfinite(moved.xy[:, 1, 0, 0, 0])
    assert there[:29].all()
    assert not there[29:33].any()  # the instants within the gap of three
    assert there[33:59].all()
    assert np.abs(moved.xy[18:22, 1, 0, 0] - path(np.arange(18, 22) + 0.5)).max() < 0.5
    strict = apply_timing(seen, offsets(right=0.5), max_gap_frames=0)
    assert not np.isfinite(strict.xy[19:21, 1, 0, 0, 0]).any()


def test_two_neighbours_make_a_straight_line():
    seen = drop(detections(4), (0, 1), (3, 1))
    moved = apply_timing(seen, offsets(right=0.25))
    assert np.isnan(moved.xy[[0, 2, 3], 1]).all()
    assert moved.xy[1, 1, 0, 0] == pytest.approx(0.75 * seen.xy[1, 1, 0, 0] + 0.25 * seen.xy[2, 1, 0, 0])


def test_the_score_is_the_lower_neighbours():
    score = np.full((40, 2, 1, 1), 0.9)
    score[20, 1] = 0.2
    moved = apply_timing(detections(40, score=score), offsets(right=0.4))
    assert np.flatnonzero(moved.score[:39, 1, 0, 0] == 0.2).tolist() == [19, 20]


def test_a_wrong_detection_spoils_one_instant():
    seen = detections(200)
    xy = seen.xy + np.random.default_rng(0).normal(size=seen.xy.shape)
    clean = Keypoints2D(xy, seen.score, CAMERAS, ("one",), ("nose",))
    xy = xy.copy()
    xy[100, 1] += 80
    spoilt = apply_timing(Keypoints2D(xy, seen.score, CAMERAS, ("one",), ("nose",)), offsets(right=0.4))
    moved = apply_timing(clean, offsets(right=0.4))
    far = np.linalg.norm(spoilt.xy - moved.xy, axis=-1)[:, 1, 0, 0] > 5
    assert np.flatnonzero(far).tolist() == [100]


def test_chunks_give_what_the_whole_gives():
    rng = np.random.default_rng(1)
    seen = detections(300)
    xy = seen.xy + rng.normal(size=seen.xy.shape)
    xy[rng.random(xy.shape[:-1]) < 0.2] = np.nan
    seen = Keypoints2D(xy, seen.score, CAMERAS, ("one",), ("nose",))
    timing = Timing(CAMERAS, [0, -17.3], [0, 1e-4], [0, 0], [0, 0], ("reference", "motion"), "left", at_frame=150.0)
    spikes = learn_spikes(seen)
    whole = apply_timing(seen, timing, spike_px=spikes)
    for first, last in ((0, 100), (100, 101), (101, 300)):
        low, high = timing.frames_needed(first, last)
        part = Keypoints2D(seen.xy[low:high], seen.score[low:high], CAMERAS, ("one",), ("nose",), start=low)
        chunk = apply_timing(part, timing, instants=(first, last), spike_px=spikes)
        assert chunk.start == first
        assert np.array_equal(chunk.xy, whole.xy[first:last], equal_nan=True)
        assert np.array_equal(chunk.score, whole.score[first:last], equal_nan=True)


def test_common_instants_are_those_that_all_cameras_show():
    assert offsets(right=3).common_instants(0, 50) == (0, 47)
    assert offsets(right=-3.5).common_instants(0, 50) == (4, 50)


def test_timestamps_take_the_place_of_offsets():
    rng = np.random.default_rng(0)
    left = 10.0 + np.arange(100) / 50 + rng.uniform(-0.002, 0.002, 100)
    right = 10.113 + np.arange(90) / 50 + rng.uniform(-0.002, 0.002, 90)
    right = np.delete(right, [40, 41, 42, 43, 44, 45])
    times = timing_from_timestamps({"right": right, "left": left})
    assert isinstance(times, FrameTimes)
    assert times.start_s == right[0]
    xy = np.full((100, 2, 1, 1, 2), np.nan)
    xy[:, 0, 0, 0] = path(left * 50)
    xy[: len(right), 1, 0, 0] = path(right * 50)
    seen = Keypoints2D(xy, np.ones(xy.shape[:-1]), CAMERAS, ("one",), ("nose",))
    moved = apply_timing(seen, times, spike_px=NO_SPIKES)
    assert (moved.n_frames, moved.start, moved.fps) == (times.n_instants, 0, times.fps)
    wanted = path((times.start_s + np.arange(times.n_instants) / times.fps) * 50)
    error = np.abs(moved.xy[:, :, 0, 0] - wanted[:, None]).max(-1)
    assert np.nanmax(error) < 0.2  # straight lines at the ends
    assert np.nanmedian(error) < 0.001
    assert np.isfinite(error[:, 0]).mean() > 0.95
    lost = ~np.isfinite(error[:, 1])
    assert lost[40:45].all()  # frames that were dropped are not invented
    assert lost.sum() <= 8
    first, last = times.frames_needed(20, 30)
    part = Keypoints2D(xy[first:last], np.ones((last - first, 2, 1, 1)), CAMERAS, ("one",), ("nose",), start=first)
    chunk = apply_timing(part, times, instants=(20, 30), spike_px=NO_SPIKES)
    assert np.array_equal(chunk.xy, moved.xy[20:30], equal_nan=True)


def test_frames_with_one_time_count_once():
    times = timing_from_timestamps({"left": [0, 1, 1, 2, 3], "right": [0, 1, 2, 3, 4]})
    xy = np.zeros((5, 2, 1, 1, 2)) + np.array([0, 1, 50, 2, 3])[:, None, None, None, None]
    seen = Keypoints2D(xy, np.ones(xy.shape[:-1]), CAMERAS, ("one",), ("nose",))
    moved = apply_timing(seen, times, spike_px=NO_SPIKES)
    assert moved.xy[:, 0, 0, 0, 0].tolist() == [0, 1, 2, 3]


def test_timing_that_does_not_fit_is_refused():
    with pytest.raises(DataError, match=r"right.*no timing"):
        apply_timing(detections(5), Timing.of_offsets(("left",), {}))
    with pytest.raises(DataError, match="one clock"):
        timing_from_timestamps({"left": [0.0, 1.0], "right": [5.0, 6.0]})
    with pytest.raises(DataError, match="two or more"):
        timing_from_timestamps({"left": [0.0, np.nan], "right": [5.0, 6.0]})
    with pytest.raises(KeyError, match="middle"):
        Timing.of_offsets(CAMERAS, {"middle": 1})
    with pytest.raises(ValueError, match="finite"):
        offsets(right=np.inf)


def test_no_frame_stays_no_frame():
    assert apply_timing(detections(0), offsets(right=1.5)).n_frames == 0
