"""Cameras without a common trigger."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pose3d.calibration.detection.search import detect_board
from pose3d.calibration.mistakes.agreement import sightings
from pose3d.calibration.mistakes.shutters import measure_timing, timing_findings
from pose3d.calibration.mistakes.timing import find_offsets, offset_findings
from pose3d.calibration.solver.bundle import residuals
from pose3d.calibration.solver.solve import estimate_lenses, solve_rig
from pose3d.data import Board, Rig
from pose3d.io.caliscope import read_camera_array


def timing_of(detections, rig):
    lenses, _ = estimate_lenses(detections, intrinsics=rig)
    solved = solve_rig(detections, lenses)
    return measure_timing(solved.solution, solved.detections)


def test_lags_are_found_to_a_hundredth_of_a_frame(scene):
    lag = {0: 0.0, 1: 0.3, 2: -0.15, 3: 0.05}
    made = scene(0, lag=lag)
    timing = timing_of(made.detections, made.rig)
    for i, true in lag.items():
        assert timing.lag_frames[f"cam_{i}"] == pytest.approx(true - 0.05, abs=0.015)
        assert timing.lag_sd[f"cam_{i}"] < 0.01
    assert timing.explains > 0.9
    (finding,) = timing_findings(timing, fps=50)
    assert (finding.kind, finding.grade) == ("out_of_step", "WARN")
    assert 0.4 < timing.spread_frames < 0.6
    assert f"{timing.spread_frames:.2f} frames ({20 * timing.spread_frames:.0f} ms) apart" in finding.says


def test_jitter_is_found(scene):
    made = scene(1, jitter=0.1)
    timing = timing_of(made.detections, made.rig)
    assert timing.jitter_frames == pytest.approx(0.1, rel=0.25)
    assert timing.out_of_step
    assert max(abs(lag) for lag in timing.lag_frames.values()) < 0.06


@pytest.mark.parametrize(
    "trouble",
    [
        {},
        {"sigma": 0.8, "outliers": 0.05},
        {"bend_mm": 6.0},
        {"bend_mm": 3.0, "sigma": 0.05},
        {"frames_a_stop": 60.0},
        {"n_frames": 15, "frames_a_stop": 5.0},
    ],
)
def test_cameras_in_step_are_not_told_otherwise(scene, trouble):
    made = scene(2, **trouble)
    timing = timing_of(made.detections, made.rig)
    assert timing_findings(timing) == ()
    assert timing.jitter_frames < 0.02


@pytest.mark.parametrize("seed", range(3))
def test_wrong_lenses_are_no_matter_of_time(scene, seed):
    made = scene(seed, sigma=0.1)
    wrong = [
        replace(camera, matrix=camera.matrix * [[1.008, 1, 1.015], [1, 1.008, 0.985], [1, 1, 1]]) for camera in made.rig
    ]
    timing = timing_of(made.detections, Rig(tuple(wrong)))
    assert timing.misfit > 2  # there is something to explain
    assert timing_findings(timing) == ()


def test_a_board_that_is_never_shared_tells_nothing(scene):
    made = scene(3, n_cameras=2, n_frames=20)
    solved = solve_rig(made.detections, estimate_lenses(made.detections, intrinsics=made.rig)[0])
    xy = solved.detections.xy.copy()
    xy[::2, 0] = xy[1::2, 1] = np.nan
    assert measure_timing(solved.solution, replace(solved.detections, xy=xy)) is None


@pytest.mark.slow
def test_webcams_are_out_of_step_and_a_twin_of_them_is_not(recordings: Path):
    # The recording's own times tell when frames were read, not when they were exposed. They are at most 43 ms apart;
    # the board's motion tells that cam_1 is most of a frame late, which shifting it by one confirms.
    folder = recordings / "webcams-4cam"
    published = read_camera_array(folder / "camera_array.toml")
    clips = {name: folder / "calibration" / "extrinsic" / f"{name}.mp4" for name in published.names}
    detections = detect_board(clips, Board("charuco", (4, 5), 54, 40.5, "4X4_1000"))
    lenses, _ = estimate_lenses(detections, intrinsics=published)
    offsets = find_offsets(sightings(detections, [lenses[name] for name in detections.cameras]))
    assert list(offsets.frames) == ["cam_1"]
    assert offsets.lag["cam_1"] == pytest.approx(0.85, abs=0.2)
    assert {finding.grade for finding in offset_findings(offsets)} == {"WARN"}
    solved = solve_rig(detections, lenses)
    timing = measure_timing(solved.solution, solved.detections)
    assert timing.lag_frames["cam_1"] == max(timing.lag_frames.values())
    assert timing.out_of_step
    assert timing.explains > 0.9
    assert 0.1 < timing.jitter_frames * 6 < 1.0  # a sixth of a second a frame: 17 to 170 ms
    # the same cameras and the same motion, corners as cameras in step would see them
    bundle = solved.solution.bundle
    twin = solved.detections.xy.copy()

    twin[bundle.frame, bundle.camera] -= residuals(bundle)
    rng = np.random.default_rng(0)
    twin += rng.normal(scale=0.12, size=twin.shape)
    left_out = np.ones(twin.shape[:2], dtype=bool)
    left_out[bundle.frame, bundle.camera] = False
    twin[left_out] = np.nan
    synchronous = timing_of(replace(solved.detections, xy=twin), published)
    assert timing_findings(synchronous) == ()
    assert synchronous.misfit < 2
