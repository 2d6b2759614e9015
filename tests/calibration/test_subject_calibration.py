"""Cameras from the keypoints of a walking subject with known truth: refined, found from scratch, and refused."""

from dataclasses import replace

import numpy as np
import pytest

from pose3d.calibration.rig import calibrate_detections
from pose3d.calibration.subject.epipolar_poses import calibrate_from_keypoints
from pose3d.calibration.subject.refine import pose_information, refine_from_keypoints
from pose3d.calibration.trust.uncertainty import Uncertainty
from pose3d.data import Keypoints2D, Rig
from pose3d.errors import CalibrationError
from pose3d.geometry.rotations import angle_between, exp_so3, log_so3
from pose3d.geometry.transforms import umeyama
from pose3d.geometry.triangulation import triangulate_svd

NAMES = tuple(f"part_{i}" for i in range(20))
PARENT = (-1, 0, 1, 2, 2, 4, 5, 2, 7, 8, 0, 10, 11, 12, 0, 14, 15, 16, 3, 3)
LENGTH = (0, 250, 250, 180, 200, 280, 260, 200, 280, 260, 120, 420, 410, 180, 120, 420, 410, 180, 70, 70)
THIGH = {("part_10", "part_11"): 420.0}
LEGS = {(f"part_{PARENT[i]}", f"part_{i}"): float(LENGTH[i]) for i in (11, 12, 15, 16)}
LEFT, RIGHT = [4, 5, 6, 14, 15, 16, 17], [7, 8, 9, 10, 11, 12, 13]


def walk(n, seed, reach=700.0):
    """Rigid limbs that swing while the body goes about and turns, (n, 20, 3) mm."""
    rng = np.random.default_rng(seed)
    t = np.arange(n) / 30
    rest = rng.normal(size=(20, 3))
    rest[[1, 2, 3]], rest[[11, 12, 15, 16]], rest[[5, 6, 8, 9]] = [0, 0, 1], [0, 0.2, -1], [0.3, 0.3, -1]
    rest /= np.linalg.norm(rest, axis=1, keepdims=True)
    x = np.zeros((n, 20, 3))
    x[:, 0] = np.stack([reach * np.sin(t / 2.7), reach * np.sin(t / 1.8 + 1), 40 * np.sin(7 * t)], axis=-1)
    heading = exp_so3(np.stack([0 * t, 0 * t, t / 1.4], axis=-1))
    for i in range(1, 20):
        swing = rng.normal(size=3) / 2 * np.sin(2 * np.pi * rng.uniform(0.5, 1.5) * t + rng.uniform(0, 6))[:, None]
        x[:, i] = x[:, PARENT[i]] + LENGTH[i] * (heading @ exp_so3(swing) @ rest[i])
    return x


def labels(rig, x, seed, *, sigma=1.0, outliers=0.05, missing=0.15, swaps=2):
    """What a network makes of it: noise, gross errors, gaps, and spells in which left and right are exchanged."""
    rng = np.random.default_rng(seed)
    xy = np.moveaxis(rig.project(x), 2, 1) + rng.normal(scale=sigma, size=(len(x), len(rig), x.shape[1], 2))
    wrong = rng.random(xy.shape[:-1]) < outliers
    xy[wrong] += rng.normal(scale=60, size=(wrong.sum(), 2))
    for _ in range(swaps):
        camera, start = rng.integers(len(rig)), rng.integers(len(x) - len(x) // 10)
        spell = xy[start : start + len(x) // 10, camera]
        spell[:, LEFT + RIGHT] = spell[:, RIGHT + LEFT]
    xy[rng.random(xy.shape[:-1]) < missing] = np.nan
    with np.errstate(invalid="ignore"):
        xy[~((xy > 0) & (xy < [1279, 1023])).all(-1)] = np.nan
    score = np.clip(rng.normal(0.85, 0.08, xy.shape[:-1]), 0.05, 1)
    return Keypoints2D(xy[:, :, None], score[:, :, None], rig.names, ("one",), NAMES[: x.shape[1]], fps=30.0)


def push(rig, seed, *, deg=2.0, mm=30.0, only=None):
    """Turn and shift cameras in random directions."""
    rng = np.random.default_rng(seed)
    out = []
    for camera in rig:
        turn, shift = rng.normal(size=(2, 3))
        if only is not None and camera.name not in only:
            out.append(camera)
            continue
        R = exp_so3(np.deg2rad(deg) * turn / np.linalg.norm(turn)) @ camera.cam_from_world[:3, :3]
        center = camera.center + mm * shift / np.linalg.norm(shift)
        out.append(replace(camera, rotation=log_so3(R), translation=-R @ center))
    return Rig(tuple(out))


def volume(found, truth):
    """RMS error of clean points in the walked volume after rigid alignment, mm, and the scale that is left."""
    truth = truth.select(found.names)
    sides = (np.linspace(-1000, 1000, 6), np.linspace(-1000, 1000, 6), np.linspace(-900, 900, 6))
    points = np.stack(np.meshgrid(*sides), -1).reshape(-1, 3)
    weights = np.broadcast_to(found.focals, (len(points), len(found)))
    made = triangulate_svd(found.undistort(truth.project(points)), found.cam_from_world, weights=weights)
    off = umeyama(made, points)(made) - points
    return float(np.sqrt((off * off).sum(-1).mean())), 1 / umeyama(made, points, with_scale=True).scale


def kinds(found):
    return [finding.kind for finding in found.findings]


@pytest.mark.parametrize(("n", "seed"), [(4, 0), (6, 1)])
def test_a_displaced_rig_is_recovered_with_the_scale_of_a_limb(make_ring, n, seed):
    truth = make_ring(n)
    old = push(truth, seed)
    found = refine_from_keypoints(old, labels(truth, walk(300, seed), seed), lengths=THIGH)
    before, (after, scale) = volume(old, truth)[0], volume(found.rig, truth)
    print(f"{n} cameras: {before:.1f} mm before, {after:.2f} mm after, scale {100 * (scale - 1):+.3f} %")
    assert before > 10
    assert after <= 1.5
    assert abs(scale - 1) <= 0.002
    assert found.improved
    assert found.scale == "lengths"
    assert found.lengths_mm["part_10-part_11"] == pytest.approx(420, rel=0.001)
    assert all(camera.held_after_px < 0.6 * camera.held_before_px for camera in found.cameras)
    assert not found.findings


@pytest.mark.slow
def test_no_worse_than_from_a_board(make_ring, corners, board):
    truth = make_ring(5)
    ratios = []
    for seed in range(2):
        from_board = calibrate_detections(corners(truth, board, 25, seed=seed, sigma=0.3), intrinsics=truth).rig
        seen = labels(truth, walk(500, seed), seed)
        from_subject = refine_from_keypoints(push(truth, seed), seen, lengths=LEGS).rig
        (theirs, _), (ours, _) = volume(from_board, truth), volume(from_subject, truth)
        print(f"seed {seed}: board {theirs:.2f} mm, subject {ours:.2f} mm")
        ratios.append(ours / theirs)
    assert np.mean(ratios) <= 1.0


def test_the_scale_and_the_axes_stay_without_a_length(make_ring):
    truth = make_ring(5)
    old = push(truth, 3, deg=1.0, mm=25.0, only=("cam_2",))
    found = refine_from_keypoints(old, labels(truth, walk(400, 3), 3))
    assert found.improved
    assert found.scale == "old rig"
    for camera, moved in zip(found.rig, old, strict=True):
        # the four that did not move stay where they were, the fifth comes back
        turned = np.rad2deg(angle_between(camera.cam_from_world[:3, :3], truth[camera.name].cam_from_world[:3, :3]))
        assert turned <= 0.03, camera.name
        assert np.linalg.norm(camera.center - truth[camera.name].center) <= 1.5, camera.name
        assert moved.size == camera.size
    assert found.cameras[2].moved_mm > 20


def test_a_good_calibration_is_returned_as_it_was(make_ring):
    rig = make_ring(4)
    found = refine_from_keypoints(rig, labels(rig, walk(200, 5), 5))
    assert not found.improved
    assert found.rig is rig
    assert kinds(found) == ["no_improvement"]


def test_limbs_of_unknown_length_take_part(make_ring):
    truth = make_ring(3, arc=np.pi / 2)
    seen = labels(truth, walk(300, 6), 6, sigma=3.0)
    limbs = {(NAMES[PARENT[i]], NAMES[i]): None for i in (4, 5, 7, 8, 11, 12, 15, 16)}
    old = push(truth, 6, deg=1.0)
    free, tied = (refine_from_keypoints(old, seen, lengths=lengths).rig for lengths in (None, limbs))

    def shape(rig):
        factor = volume(rig, truth)[1]
        return volume(rig.transformed(np.eye(4), 1 / factor), truth)[0]

    print(f"before {shape(old):.2f} mm, free {shape(free):.2f} mm, rigid limbs {shape(tied):.2f} mm")
    assert shape(tied) <= 3
    assert shape(tied) <= 0.4 * shape(old)


def test_focal_lengths_only_where_they_are_asked_for(make_ring):
    truth = make_ring(5)
    scaled = [replace(c, matrix=c.matrix * np.array([[1.02], [1.02], [1.0]]) + 0) for c in truth]
    wrong = [
        replace(c, matrix=np.where(np.eye(3, k=2) + np.eye(3, k=1) > 0, t.matrix, c.matrix))
        for c, t in zip(scaled, truth, strict=True)
    ]
    old = Rig((*truth.cameras[:4], wrong[4]))
    seen = labels(truth, walk(200, 7), 7)
    held, freed = (refine_from_keypoints(old, seen, refine_lens=lens).rig for lens in (False, True))
    assert held["cam_4"].focal == old["cam_4"].focal
    assert freed["cam_4"].focal == pytest.approx(truth["cam_4"].focal, rel=0.004)


def test_what_the_board_knew_holds_a_camera(make_ring):
    truth = make_ring(4)
    old = push(truth, 8, deg=0.5, mm=10.0, only=("cam_3",))
    camera, number = np.repeat([1, 2, 3], 6), np.tile(np.arange(12, 18), 3)
    sd = np.where(number < 15, 1e-6, 1e-3)  # known far better than the labels can tell
    sure = pose_information(Uncertainty(np.diag(sd**2), camera, number, 4))
    assert sure.shape == (24, 24)
    assert not sure[:6].any()
    seen = labels(truth, walk(200, 8), 8)
    stiff = refine_from_keypoints(old, seen, prior_information=sure)
    assert stiff.cameras[3].moved_mm < 0.1
    loose = refine_from_keypoints(old, seen, prior_information=sure * 1e-9)
    assert loose.improved
    assert loose.cameras[3].moved_mm > 5
    assert loose.cameras[0].moved_mm < 1e-6


def test_a_camera_without_labels_and_groups_without_a_link(make_ring):
    truth = make_ring(5)
    seen = labels(truth, walk(300, 9), 9)
    xy = seen.xy.copy()
    xy[:, 4] = np.nan
    xy[::2, :2] = np.nan  # two cameras at even frames, two at odd ones
    xy[1::2, 2:4] = np.nan
    old = push(truth, 9, deg=1.0)
    found = refine_from_keypoints(old, replace(seen, xy=xy))
    assert list(found.unlinked) == ["cam_4"]
    np.testing.assert_array_equal(found.rig["cam_4"].rotation.round(9), old["cam_4"].rotation.round(9))
    assert {"unlinked", "groups"} <= set(kinds(found))
    after = [camera.after_px for camera in found.cameras[:4]]
    assert max(after) < 1.5
    scratch = calibrate_from_keypoints(replace(seen, xy=xy), truth)
    assert scratch.rig.names == ("cam_0", "cam_1")
    assert set(scratch.unlinked) == {"cam_2", "cam_3", "cam_4"}


def test_a_subject_that_sits_still_says_nothing(make_ring):
    truth = make_ring(4)
    still = np.broadcast_to(walk(1, 10), (150, 20, 3))
    bias = np.random.default_rng(10).normal(scale=6, size=(1, 4, 1, 20, 2))
    seen = labels(truth, still, 10, swaps=0)
    seen = replace(seen, xy=seen.xy + bias)
    found = refine_from_keypoints(truth, seen)
    assert not found.improved
    assert found.rig is truth
    assert "still" in kinds(found)
    scratch = calibrate_from_keypoints(seen, truth)
    assert not scratch.improved
    assert "still" in kinds(scratch)


def test_individuals_that_are_exchanged_between_views_are_refused(make_ring):
    truth = make_ring(4)
    one, two = (labels(truth, walk(120, seed) + shift, seed, swaps=0) for seed, shift in ((1, 300.0), (2, -300.0)))

    def both(exchange):
        xy = np.concatenate([one.xy, two.xy], axis=2)
        score = np.concatenate([one.score, two.score], axis=2)
        xy[:, exchange] = xy[:, exchange, ::-1]
        return Keypoints2D(xy, score, one.cameras, ("ann", "ben"), NAMES)

    assert refine_from_keypoints(push(truth, 1, deg=0.5, mm=10.0), both([])).improved
    with pytest.raises(CalibrationError, match="individuals must be the same"):
        refine_from_keypoints(truth, both([2]))


def test_what_cannot_be_refined_is_said_in_a_line(make_ring):
    rig = make_ring(3)
    seen = labels(rig, walk(60, 11), 11)
    with pytest.raises(CalibrationError, match="no keypoint 'tail'"):
        refine_from_keypoints(rig, seen, lengths={("part_1", "tail"): 100.0})
    with pytest.raises(CalibrationError, match="positive length"):
        refine_from_keypoints(rig, seen, lengths={("part_1", "part_2"): -1.0})
    with pytest.raises(CalibrationError, match="camera cam_2 has keypoints but no calibration"):
        refine_from_keypoints(rig.select(["cam_0", "cam_1"]), seen)
    for calibrate in (lambda k: refine_from_keypoints(rig, k), lambda k: calibrate_from_keypoints(k, rig)):
        with pytest.raises(CalibrationError, match="one camera"):
            calibrate(seen.select(["cam_0"]))
        with pytest.raises(CalibrationError, match="film the subject"):
            calibrate(replace(seen, xy=seen.xy[:1], score=seen.score[:1] * 0 + 0.1))


def test_from_scratch_is_as_good_as_refined(make_ring):
    truth = make_ring(5)
    seen = labels(truth, walk(250, 12), 12)
    scratch = calibrate_from_keypoints(seen, truth, lengths=THIGH)
    refined = refine_from_keypoints(push(truth, 12), seen, lengths=THIGH)
    (ours, scale), (theirs, _) = volume(scratch.rig, truth), volume(refined.rig, truth)
    print(f"from scratch {ours:.2f} mm, refined {theirs:.2f} mm, scale {100 * (scale - 1):+.3f} %")
    assert ours <= 1.2 * theirs + 0.1
    assert abs(scale - 1) <= 0.002
    assert scratch.improved
    assert not scratch.unlinked
    np.testing.assert_allclose(scratch.rig["cam_0"].cam_from_world, np.eye(4), atol=1e-9)


def test_two_cameras_and_the_scale_from_their_distance_or_none(make_ring):
    truth = make_ring(4).select(["cam_0", "cam_1"])
    seen = labels(truth, walk(300, 13), 13)
    apart = float(np.linalg.norm(truth["cam_0"].center - truth["cam_1"].center))
    found = calibrate_from_keypoints(seen, truth, camera_distances={("cam_1", "cam_0"): apart})
    assert found.scale == "cameras"
    assert volume(found.rig, truth)[0] <= 8
    free = calibrate_from_keypoints(seen, truth)
    assert free.scale == free.rig.metadata["scale"] == "arbitrary"
    assert np.linalg.norm(free.rig["cam_1"].center) == pytest.approx(1000)
    assert any("unknown" in line for line in free.lines())
    with pytest.raises(CalibrationError, match="given twice"):
        calibrate_from_keypoints(seen, truth, lengths=THIGH, camera_distances={("cam_0", "cam_1"): apart})


def test_cameras_in_one_place_and_views_that_do_not_belong_together(make_ring):
    rig = make_ring(4)
    twin = replace(rig["cam_0"], name="twin", rotation=rig["cam_0"].rotation)
    pair = Rig((rig["cam_0"], twin))
    with pytest.raises(CalibrationError, match="no pair of cameras can be placed"):
        calibrate_from_keypoints(labels(pair, walk(200, 14), 14), pair)
    seen = labels(rig, walk(250, 15), 15)
    xy, score = seen.xy.copy(), seen.score.copy()
    xy[:, 3], score[:, 3] = xy[::-1, 3], score[::-1, 3]  # one camera's clip runs backwards
    found = calibrate_from_keypoints(replace(seen, xy=xy, score=score), rig)
    assert found.rig.names == ("cam_0", "cam_1", "cam_2")
    assert "agrees with" in found.unlinked["cam_3"]


def test_a_subject_in_a_plane_is_no_silent_rig(make_ring):
    rig = make_ring(4)
    flat = walk(200, 16) * [1, 1, 0] + [0, 0, 20]
    try:
        found = calibrate_from_keypoints(labels(rig, flat, 16, swaps=0), rig)
    except CalibrationError:
        return
    assert "planar" in kinds(found)
    assert not found.improved


def test_the_same_keypoints_give_the_same_numbers(make_ring):
    truth = make_ring(4)
    seen, old = labels(truth, walk(90, 17), 17), push(truth, 17)
    for calibrate in (lambda: refine_from_keypoints(old, seen), lambda: calibrate_from_keypoints(seen, truth)):
        first, second = calibrate(), calibrate()
        assert first.rig.cam_from_world.tobytes() == second.rig.cam_from_world.tobytes()
        assert repr(first.to_dict()) == repr(second.to_dict())
        assert first.lines() == second.lines()
