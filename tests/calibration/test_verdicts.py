"""PASS, WARN and FAIL: faultless rigs pass, and each disaster is found out by the rule that names it."""

import json
import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from pose3d.calibration import calibrate_detections
from pose3d.calibration.findings import Finding
from pose3d.calibration.solver.extrinsics import Link
from pose3d.calibration.trust.coverage import PairCoverage, WeakLink
from pose3d.calibration.trust.quality import measure
from pose3d.calibration.trust.rules import LIMITS
from pose3d.calibration.trust.verdict import judge
from pose3d.data import BoardDetections
from pose3d.geometry.transforms import apply, inverse, rigid


def calibrate(detections, **options):
    """Calibrate and measure everything."""
    found = calibrate_detections(detections, **options)
    names, frames = found.rig.names, found.detections.frames
    dropped = np.stack([np.isin(frames, found.quality.dropped_frames.get(name, ())) for name in names], axis=-1)
    quality = measure(
        found.solution, found.board, names=names, frames=frames, dropped=dropped, sizes=found.detections.sizes
    )
    return replace(found, quality=quality)


@cache
def scene(make_ring, corners, board, n=3, n_frames=60):
    rig = make_ring(n, arc=np.pi / 2)
    return rig, corners(rig, board, n_frames)


@cache
def estimated(make_ring, corners, board):
    return calibrate(scene(make_ring, corners, board)[1])


@pytest.fixture
def faultless(make_ring, corners, board):
    """Return a calibration with lenses of its own."""
    return estimated(make_ring, corners, board)


@pytest.fixture
def shown(make_ring, corners, board):
    """Return a rig and what it sees."""
    return scene(make_ring, corners, board)


def rules(verdict, camera=None):
    reasons = verdict.reasons if camera is None else next(c for c in verdict.cameras if c.camera == camera).reasons
    return {reason.rule: reason.grade for reason in reasons}


def grades(verdict):
    return {camera.camera: camera.grade for camera in verdict.cameras}


def test_a_faultless_rig_passes(faultless):
    verdict = judge(faultless)
    assert verdict.grade == "PASS"
    assert set(grades(verdict).values()) == {"PASS"}
    assert verdict.reasons == ()
    assert "3 cameras agree to 0.3" in verdict.says
    head, *cameras, last = verdict.lines()
    assert len(cameras) == 3
    assert all(len(line) <= len(head) for line in cameras)
    assert last.startswith("verdict: PASS, the 3 cameras")


def test_held_lenses_are_not_judged(shown):
    rig, detections = shown
    few = np.r_[:60:5]
    known = calibrate(replace(detections, frames=detections.frames[few], xy=detections.xy[few]), intrinsics=rig)
    assert all(camera.focal_sd_percent == 0 for camera in known.quality.cameras)
    for camera in judge(known).cameras:
        assert not {"focal_length", "principal_point", "coverage", "tilt", "views"} & {r.rule for r in camera.reasons}


def test_one_camera_alone_passes(make_ring, corners, board):
    rig = make_ring(1)
    verdict = judge(calibrate(corners(rig, board, 40)))
    assert verdict.grade == "PASS"
    assert "the camera sees corners 0.3" in verdict.says
    assert verdict.lines()[1].split()[:5] == ["cam_0", "PASS", *verdict.lines()[1].split()[2:4], "-"]
    assert verdict.to_dict()["cameras"][0]["left_out_px"] is None


def test_a_camera_that_is_not_linked_fails_the_rig(shown):
    rig, detections = shown
    xy = detections.xy.copy()
    xy[:, 1] = np.nan
    verdict = judge(calibrate(replace(detections, xy=xy), intrinsics=rig))
    assert grades(verdict) == {"cam_0": "PASS", "cam_2": "PASS", "cam_1": "FAIL"}
    assert verdict.grade == "FAIL"
    assert verdict.says.startswith("camera cam_1 is not in the calibration: it never saw the board; ")


@pytest.mark.parametrize(("instants", "grade"), [(2, "FAIL"), (6, "WARN")])
def test_a_camera_that_hangs_on_few_instants(shown, instants, grade):
    rig, detections = shown
    xy = detections.xy.copy()
    shared = np.flatnonzero(np.isfinite(xy[:, 2, 0, 0]) & np.isfinite(xy[:, :2, 0, 0]).any(1))
    xy[shared[instants:], :2] = np.nan
    verdict = judge(calibrate(replace(detections, xy=xy), intrinsics=rig))
    assert rules(verdict, "cam_2")["shared"] == grade
    assert f"cam_2 hangs on {instants} instants" in verdict.says


def test_a_mirrored_camera_fails_and_the_others_do_not(shown):
    rig, detections = shown
    xy = detections.xy.copy()
    xy[:, 1, :, 0] = rig["cam_1"].size[0] - 1 - xy[:, 1, :, 0]
    verdict = judge(calibrate(replace(detections, xy=xy), intrinsics=rig))
    assert rules(verdict, "cam_1")["pairs"] == "FAIL"
    assert "mirrored" in verdict.says
    assert {grades(verdict)[name] for name in ("cam_0", "cam_2")} <= {"PASS", "WARN"}


def test_a_clip_that_starts_three_frames_late_fails(shown):
    rig, detections = shown
    xy = detections.xy.copy()
    xy[3:, 2], xy[:3, 2] = detections.xy[:-3, 2], np.nan
    verdict = judge(calibrate(replace(detections, xy=xy), intrinsics=rig))
    assert grades(verdict)["cam_2"] == "FAIL"
    assert rules(verdict, "cam_2")["offset"] == "FAIL"
    assert "3 frames late" in verdict.says


def test_a_clip_of_other_moments_fails(shown):
    rig, detections = shown
    xy = detections.xy.copy()
    xy[:, 1] = xy[np.random.default_rng(0).permutation(len(xy)), 1]
    verdict = judge(calibrate(replace(detections, xy=xy), intrinsics=rig))
    assert rules(verdict, "cam_1")["pairs"] == "FAIL"
    assert "dropped" in rules(verdict, "cam_1")
    assert verdict.says.startswith("camera cam_1 and its neighbours agree on where they stand at ")


def test_shutters_that_scatter_are_a_warning(shown):
    rig, detections = shown
    shift = np.random.default_rng(1).normal(scale=1.5, size=(60, 3, 1, 2))
    verdict = judge(calibrate(replace(detections, xy=detections.xy + shift), intrinsics=rig))
    assert verdict.grade == "WARN"
    assert rules(verdict)["misfit"] == "WARN"
    assert any("left_out" in rules(verdict, name) for name in rig.names)
    assert sum("is off by" in line for line in verdict.lines()) == 1  # one line for all cameras


def test_a_board_always_held_flat_leaves_the_focal_length_open(make_ring, board):
    rig = make_ring(1)
    rng = np.random.default_rng(0)
    n = 30
    shift = np.column_stack([rng.uniform(-300, 300, n), rng.uniform(-200, 200, n), np.full(n, 1500.0)])
    poses = rigid(rng.normal(scale=0.02, size=(n, 3)), shift) @ rigid(np.zeros(3), -board.points.mean(0))
    xy = rig.project(apply(inverse(rig.cameras[0].cam_from_world) @ poses[:, None], board.points))
    xy = np.swapaxes(xy, 1, 2) + rng.normal(scale=0.3, size=(n, 1, board.n_corners, 2))
    xy[(xy < 0).any((2, 3)) | (xy > np.array([1279, 1023])).any((2, 3))] = np.nan
    verdict = judge(calibrate(BoardDetections(board, rig.names, ((1280, 1024),), np.arange(n), xy)))
    assert {"focal_length", "tilt"} <= set(rules(verdict, "cam_0"))
    assert "tilted" in verdict.says


def test_lenses_that_do_not_belong_to_the_cameras_are_noticed(shown):
    rig, detections = shown
    wrong = replace(rig, cameras=tuple(replace(c, distortion=np.zeros(5)) for c in rig))
    verdict = judge(calibrate(detections, intrinsics=wrong))  # 0.4 px look well, but 3D is wrong by a thousandth
    assert verdict.grade == "WARN"
    assert max(camera.median_px for camera in verdict.cameras) < 0.45
    assert "left_out" in rules(verdict, "cam_0")
    assert "the lens that was given" in verdict.says


def test_a_board_printed_out_of_proportion_is_noticed(shown, board):
    rig, detections = shown
    true = board.points * [1.015, 1.0, 1.0]
    poses = calibrate_detections(detections, intrinsics=rig).solution.bundle
    world = apply(inverse(rig.cameras[0].cam_from_world) @ poses.world_from_board[:, None], true)
    xy = np.swapaxes(rig.project(world), 1, 2)
    xy += np.random.default_rng(0).normal(scale=0.3, size=xy.shape)
    known = np.unique(poses.frame)
    seen = np.isfinite(detections.xy[np.isfinite(detections.xy).any((1, 2, 3))])
    verdict = judge(calibrate(BoardDetections(board, rig.names, detections.sizes, known, np.where(seen, xy, np.nan)),
                              intrinsics=rig))  # fmt: skip
    assert rules(verdict)["stretch"] == "WARN"
    (reason,) = (reason for reason in verdict.reasons if reason.rule == "stretch")
    assert reason.value == pytest.approx(1.5, abs=0.3)
    assert "longer along x than along y" in reason.says


def limit_of(rule, grade):
    return LIMITS[rule].fail if grade == "FAIL" else LIMITS[rule].warn


CAMERA = {  # rule: which figure it looks at, and how much of it one unit of the rule is in an image of 1280 px
    "views": ("views", 1.0),
    "outliers": ("outliers", 0.01),
    "reprojection": ("median_px", 1.28),
    "systematic": ("systematic_px", 1.28),
    "held_out_error": ("held_out_px", 1.28),
    "focal_length": ("focal_sd_percent", 1.0),
    "principal_point": ("center_sd_px", 12.8),
}


FOUND = [(rule, grade) for rule in CAMERA for grade in ("WARN", "FAIL") if math.isfinite(limit_of(rule, grade))]


@pytest.mark.parametrize(("rule", "grade"), FOUND)
def test_each_limit_lies_where_the_table_says(faultless, rule, grade):
    limit, value = LIMITS[rule], limit_of(rule, grade)
    field, unit = CAMERA[rule]
    cameras = faultless.quality.cameras

    def judged(value):
        if field == "views":
            value = round(value)
        changed = (replace(cameras[0], **{field: value}), *cameras[1:])
        verdict = judge(replace(faultless, quality=replace(faultless.quality, cameras=changed)))
        return rules(verdict, "cam_0").get(rule, "PASS")

    step = -1.0 if limit.too_low else 0.01
    assert judged((value + step) * unit) == grade
    assert judged((value - step) * unit) != grade


def test_dropped_views_and_hardly_agreeing_pairs(faultless):
    cameras = faultless.quality.cameras
    lost = (replace(cameras[0], dropped=3 * cameras[0].views), *cameras[1:])
    verdict = judge(replace(faultless, quality=replace(faultless.quality, cameras=lost)))
    assert rules(verdict, "cam_0") == {"dropped": "FAIL"}
    links = {pair: Link(link.b_from_a, 20, 20 if "cam_0" not in pair else 10) for pair, link in faultless.links.items()}
    verdict = judge(replace(faultless, links=links))
    assert rules(verdict, "cam_0") == {"pairs": "WARN"}
    assert grades(verdict) == {"cam_0": "WARN", "cam_1": "PASS", "cam_2": "PASS"}


@pytest.mark.parametrize(("instants", "grade"), [(20, "PASS"), (5, "WARN"), (2, "FAIL")])
def test_two_groups_that_hardly_hang_together(faultless, instants, grade):
    pair = PairCoverage(("B", "C"), instants, 54)
    coverage = replace(faultless.quality.coverage, weakest=WeakLink(pair, (("A", "B"), ("C", "D")), instants))
    verdict = judge(replace(faultless, quality=replace(faultless.quality, coverage=coverage)))
    assert rules(verdict).get("weakest_link", "PASS") == verdict.grade == grade
    assert (f"A, B and C, D are linked by {instants} instants only" in verdict.says) == (grade != "PASS")


def test_groups_that_nothing_links_any_more_fail(faultless):
    coverage = replace(faultless.quality.coverage, groups=(("A", "B"), ("C", "D")), weakest=None)
    volume = replace(faultless.volume, calibration_mm=np.full_like(faultless.volume.calibration_mm, 1e6))
    quality = replace(faultless.quality, coverage=coverage)
    verdict = judge(replace(faultless, quality=quality, volume=volume))
    assert rules(verdict) == {"weakest_link": "FAIL"}  # the rest follows from it
    assert "no view that fits links A, B with C, D" in verdict.says


@pytest.mark.parametrize(("factor", "grade"), [(1.0, "PASS"), (20.0, "WARN"), (1000.0, "FAIL")])
def test_the_expected_error_is_judged_by_the_volume(faultless, factor, grade):
    volume = replace(faultless.volume, calibration_mm=factor * faultless.volume.calibration_mm)
    assert rules(judge(replace(faultless, volume=volume))).get("expected_error", "PASS") == grade


@pytest.mark.parametrize(("percent", "error", "grade"), [(1.0, 0.1, "WARN"), (-3.0, 0.1, "FAIL"), (1.0, 0.5, "PASS")])
def test_a_bias_of_the_edges_counts_if_it_is_sure(faultless, percent, error, grade):
    edges = replace(faultless.quality.edges, scale_percent=percent, scale_se_percent=error)
    assert judge(replace(faultless, quality=replace(faultless.quality, edges=edges))).grade == grade


def test_findings_come_first_and_grade_their_cameras(faultless):
    late = Finding("offset", "FAIL", ("cam_1",), "camera cam_1 is 3 frames late", "give --offset cam_1=3")
    dim = Finding("board", "WARN", (), "the board is another one", "name it")
    verdict = judge(replace(faultless, findings=(dim, late), unlinked={"D": "it never saw the board"}))
    assert verdict.says == "camera cam_1 is 3 frames late; give --offset cam_1=3 (and 2 other rules)"
    assert grades(verdict) == {"cam_0": "PASS", "cam_1": "FAIL", "cam_2": "PASS", "D": "FAIL"}
    assert rules(verdict) == {"board": "WARN"}
    first, second, third, expected, last = verdict.lines()[5:]
    assert first == "FAIL camera cam_1 is 3 frames late; give --offset cam_1=3"
    assert second.startswith("FAIL camera D is not in the calibration: it never saw the board; ")
    assert third == "WARN the board is another one; name it"
    assert expected.startswith("points are expected within")
    assert last == "verdict: FAIL"


def test_a_finding_about_a_camera_outside_the_rig_goes_to_it(faultless):
    found = Finding("mirrored", "FAIL", ("D",), "camera D is mirrored", "flip it")
    verdict = judge(replace(faultless, findings=(found,), unlinked={"D": "no view fits"}))
    assert list(rules(verdict, "D")) == ["mirrored", "unlinked"]
    assert verdict.reasons == ()


def test_json_has_no_nan(faultless):
    late = Finding("offset", "WARN", ("cam_1",), "camera cam_1 is late", "wait")
    text = json.dumps(judge(replace(faultless, findings=(late,))).to_dict(), allow_nan=False)
    first = json.loads(text)["cameras"][1]["reasons"][0]
    assert first["value"] is None
    assert first["fix"] == "wait"


def test_figures_that_cannot_be_had_do_no_harm(faultless):
    nan = float("nan")
    blind = replace(faultless.quality.cameras[0], views=0, dropped=0, median_px=nan, held_out_px=nan, left_out_px=nan)
    quality = replace(faultless.quality, cameras=(blind, *faultless.quality.cameras[1:]), coverage=None)
    verdict = judge(replace(faultless, quality=quality))
    assert rules(verdict, "cam_0") == {"views": "FAIL"}
    assert verdict.lines()[1].split()[1:] == ["FAIL", "-", "-", "-", "-", "views"]
    json.dumps(verdict.to_dict(), allow_nan=False)


@pytest.mark.slow
def test_twenty_faultless_rigs_pass(make_ring, corners, board):
    for seed in range(20):
        rig = make_ring(2 + seed % 3, arc=np.pi / 2)
        noise = {"sigma": (0.1, 0.3, 0.5)[seed % 3], "outliers": 0.02 * (seed % 2)}
        detections = corners(rig, board, 80, seed=seed, **noise)
        verdict = judge(calibrate(detections, intrinsics=rig if seed % 7 else None))
        assert verdict.grade == "PASS", verdict.lines()
