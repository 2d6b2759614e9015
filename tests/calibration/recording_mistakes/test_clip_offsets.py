"""Clips that do not start together."""

from dataclasses import replace

import numpy as np
import pytest

from pose3d.calibration.mistakes.agreement import sightings
from pose3d.calibration.mistakes.timing import Offsets, find_offsets, offset_findings, shift_detections


def test_a_late_camera_is_found_and_said(scene):
    offsets = find_offsets(scene(0, lag={2: 3}).sightings)
    assert offsets.frames == {"cam_2": 3}
    assert offsets.lag["cam_2"] == pytest.approx(3, abs=0.15)
    (finding,) = offset_findings(offsets)
    assert (finding.kind, finding.grade, finding.cameras) == ("offset", "FAIL", ("cam_2",))
    assert finding.says.startswith(
        "camera cam_2 is 3 frames late: its frame i+3 shows what frame i of cam_0, cam_1 and cam_3 shows"
    )
    assert "--offset cam_2=3" in finding.fix


def test_an_early_camera_counts_backwards(scene):
    offsets = find_offsets(scene(1, lag={0: -5}).sightings)
    (finding,) = offset_findings(offsets, given={"cam_0": 2})
    assert "cam_0 is 5 frames early" in finding.says
    assert "--offset cam_0=-3" in finding.fix


def test_far_offsets_are_searched_where_near_ones_explain_nothing(scene):
    assert find_offsets(scene(2, n_frames=160, lag={1: 37}).sightings).frames == {"cam_1": 37}


def test_two_late_cameras(scene):
    assert find_offsets(scene(3, n_cameras=5, lag={1: 2, 4: -4}).sightings).frames == {"cam_1": 2, "cam_4": -4}


def test_a_part_of_a_frame_is_no_wrong_cut(scene):
    offsets = find_offsets(scene(4, lag={1: 0.75}).sightings)
    (finding,) = offset_findings(offsets)
    assert finding.grade == "WARN"
    assert "cam_1 is 0." in finding.says


def test_every_second_frame_is_enough(scene):
    made = scene(5, n_frames=200, lag={3: 4}, frames_a_stop=20)
    xy = made.detections.xy[::2]
    detections = type(made.detections)(
        made.detections.board, made.detections.cameras, made.detections.sizes, made.detections.frames[::2], xy
    )
    assert find_offsets(sightings(detections, made.lenses)).frames == {"cam_3": 4}


def test_a_still_board_tells_nothing(scene):
    assert find_offsets(scene(6, lag={1: 3}, frames_a_stop=20000).sightings).frames == {}


@pytest.mark.slow
def test_offsets_in_nineteen_of_twenty_sessions(session):
    found = 0
    for seed in range(20):
        made = session(seed, lag={1: 3})
        offsets = find_offsets(made.sightings).frames
        alike = [{"cam_1": 3}] + ([{"cam_0": -3}] if len(made.rig) == 2 else [])
        found += offsets in alike
    assert found >= 19


def test_shifted_detections_are_in_step(scene):
    made = scene(7, lag={1: 3})
    straight = scene(7)
    shifted = shift_detections(made.detections, {"cam_1": 3})
    _, mine, theirs = np.intersect1d(shifted.frames, straight.detections.frames, return_indices=True)
    assert len(mine) >= 75
    difference = shifted.xy[mine] - straight.detections.xy[theirs]
    assert np.nanmax(np.abs(difference)) < 10 * made.sigma
    assert find_offsets(sightings(shifted, made.lenses)).frames == {}


def test_shifting_keeps_the_files_own_frames(scene):
    made = scene(8, n_frames=30)
    own = {name: np.arange(30) + 100 * i for i, name in enumerate(made.rig.names)}
    shifted = shift_detections(replace(made.detections, own_frames=own), {"cam_1": 2})
    assert shifted.own_frames["cam_1"][:3].tolist() == [102, 103, 104]
    assert shifted.own_frames["cam_0"][:3].tolist() == [0, 1, 2]


def test_nothing_found_is_nothing_said():
    assert offset_findings(Offsets({}, {}, {}, {})) == ()
