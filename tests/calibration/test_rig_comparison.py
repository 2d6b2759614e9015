"""A camera that was moved is found, by how much, and no other is accused."""

import functools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pose3d.calibration.rig import calibrate_detections
from pose3d.calibration.solver.bundle import LENS_SIZE, refine
from pose3d.calibration.solver.intrinsics import Lens, lens_bundle
from pose3d.calibration.trust.uncertainty import Uncertainty, parameter_uncertainty
from pose3d.calibration.world.changes import Comparison
from pose3d.calibration.world.comparison import changes_since, compare_rigs, moved_since
from pose3d.data import Board, Camera, Rig
from pose3d.errors import CalibrationError
from pose3d.geometry.rotations import exp_so3, log_so3
from pose3d.geometry.transforms import apply, inverse, rigid

PANEL = Board("charuco", (6, 7), 80, 60, "4X4_100")


def bumped(rig: Rig, name: str, shift: np.ndarray | list[float], turn_deg: float = 0.0) -> Rig:
    """Shift one camera in the world, and turn it about its own y axis."""
    camera = rig[name]
    R = exp_so3(np.radians([0.0, turn_deg, 0.0])) @ exp_so3(camera.rotation)
    new = replace(camera, rotation=log_so3(R), translation=-R @ (camera.center + np.asarray(shift)))
    return Rig(tuple(new if c.name == name else c for c in rig), rig.metadata)


class Noise:
    """Calibrations of a rig as 80 instants of a board with 0.2 px noise would give them, lenses and all."""

    def __init__(self, rig: Rig, corners: Callable):
        first = rig.cameras[0].cam_from_world
        self.rig = rig.transformed(first)
        seen = corners(rig, PANEL, 80, seed=5, sigma=0.2)
        lenses, free = [], np.arange(LENS_SIZE) < 6
        for c in rig:
            numbers = np.zeros(LENS_SIZE)
            numbers[:9] = c.matrix[0, 0], c.matrix[1, 1], c.matrix[0, 2], c.matrix[1, 2], *c.distortion
            lenses.append(Lens(numbers=numbers, n_lens=5, fisheye=False, free=free, sigma=0.3))
        boards = np.stack([_pose(self.rig, xy) for xy in seen.xy])
        good = np.isfinite(boards[:, 0, 0])
        sizes = [c.size for c in rig]
        start = lens_bundle(lenses, sizes, PANEL.points, seen.xy[good], self.rig.cam_from_world, boards[good])
        solution = refine(start, rounds=1)
        self.uncertainty: Uncertainty = parameter_uncertainty(solution)
        self.scene = apply(solution.bundle.world_from_board[:, None], PANEL.points).reshape(-1, 3)[::9]
        values, vectors = np.linalg.eigh(self.uncertainty.covariance)
        self.root = vectors * np.sqrt(np.maximum(values, 0))

    def calibrate(self, rig: Rig, seed: int) -> Rig:
        """Draw a calibration; its world is its first camera."""
        rig = rig.transformed(rig.cameras[0].cam_from_world)
        step = np.zeros((len(rig), LENS_SIZE + 6))
        drawn = self.root @ np.random.default_rng(seed).normal(size=len(self.root))
        step[self.uncertainty.camera, self.uncertainty.number] = drawn
        cameras = []
        for c, s in zip(rig, step, strict=True):
            K = c.matrix + np.array([[s[0], 0, s[2]], [0, s[1], s[3]], [0, 0, 0]])
            R = exp_so3(s[12:15]) @ exp_so3(c.rotation)
            cameras.append(Camera(c.name, c.size, K, c.distortion + s[4:9], log_so3(R), c.translation + s[15:]))
        return Rig(tuple(cameras))


def _pose(rig: Rig, xy: np.ndarray) -> np.ndarray:
    """World from board by the camera that saw it best."""
    from pose3d.calibration.solver.poses import board_poses

    n = np.isfinite(xy[..., 0]).sum(-1)
    camera = rig.cameras[int(n.argmax())]
    poses, _ = board_poses(xy[n.argmax()][None], PANEL.points, camera.matrix, camera.distortion)
    return inverse(camera.cam_from_world) @ poses[0, 0]


@functools.cache
def noise_of(n: int, make_ring: Callable, corners: Callable) -> Noise:
    return Noise(make_ring(n), corners)


@pytest.fixture
def four(make_ring, corners) -> Noise:
    return noise_of(4, make_ring, corners)


@pytest.fixture
def six(make_ring, corners) -> Noise:
    return noise_of(6, make_ring, corners)


def shift_of(found: Comparison, name: str) -> float:
    return next(c.shift_mm for c in found.cameras if c.name == name)


def other_world(rig: Rig) -> Rig:
    return rig.transformed(rigid([0.4, -1.2, 0.7], [900.0, -3000.0, 55.0]))


def toward(seed: int, length: float) -> np.ndarray:
    v = np.random.default_rng(seed + 77).normal(size=3)
    return length * v / np.linalg.norm(v)


@pytest.mark.parametrize("with_old", [False, True])
def test_five_millimetres_are_found_and_nobody_else_is_accused(four, with_old: bool) -> None:
    found, accused, false_alarms, shifts = 0, 0, 0, []
    known = {"uncertainty": four.uncertainty, "old_uncertainty": four.uncertainty if with_old else None}
    for seed in range(20):
        who = four.rig.names[seed % 4]
        old = other_world(four.calibrate(four.rig, 3 * seed))
        new = four.calibrate(bumped(four.rig, who, toward(seed, 5.0)), 3 * seed + 1)
        moved = compare_rigs(new, old, scene=four.scene, **known)
        found += moved.moved == (who,)
        accused += bool(set(moved.moved + moved.unclear) - {who})
        shifts.append(shift_of(moved, who))
        same = compare_rigs(four.calibrate(four.rig, 3 * seed + 2), old, scene=four.scene, **known)
        false_alarms += bool(same.findings)
    assert found >= 19
    assert accused == 0
    assert false_alarms == 0
    assert abs(np.median(shifts) - 5) < 1.0


def test_without_covariances_the_other_cameras_tell_the_noise(six) -> None:
    found = 0
    for seed in range(10):
        who = six.rig.names[seed % 6]
        old = other_world(six.calibrate(six.rig, 3 * seed))
        moved = compare_rigs(six.calibrate(bumped(six.rig, who, toward(seed, 5.0)), 3 * seed + 1), old)
        found += moved.moved == (who,)
        assert set(moved.moved) <= {who}
        assert not compare_rigs(six.calibrate(six.rig, 3 * seed + 2), old).findings
    assert found >= 9


def test_the_standard_deviation_of_a_shift_is_honest(four) -> None:
    off = []
    for seed in range(30):
        found = compare_rigs(
            four.calibrate(bumped(four.rig, "cam_1", [0, 0, 40.0]), 2 * seed),
            four.calibrate(four.rig, 2 * seed + 1),
            uncertainty=four.uncertainty,
            old_uncertainty=four.uncertainty,
            scene=four.scene,
        )
        camera = next(c for c in found.cameras if c.name == "cam_1")
        off.append((camera.shift_mm - 40) / camera.shift_sd_mm)
    assert 0.6 < np.sqrt(np.mean(np.square(off))) < 1.5


def test_a_turn_is_measured(four) -> None:
    found = compare_rigs(
        four.calibrate(bumped(four.rig, "cam_2", [0, 0, 0], 0.5), 1),
        four.calibrate(four.rig, 2),
        uncertainty=four.uncertainty,
        scene=four.scene,
    )
    assert found.moved == ("cam_2",)
    camera = found.cameras[2]
    assert abs(camera.turn_deg - 0.5) < 4 * camera.turn_sd_deg < 0.4
    assert camera.effect_px > 5
    line = next(line for line in found.lines() if "has moved" in line)
    assert "cam_2" in line
    (finding,) = found.findings
    assert (finding.kind, finding.grade, finding.cameras) == ("moved_since", "WARN", ("cam_2",))


def test_a_camera_that_was_mounted_anew_is_found(six) -> None:
    new = bumped(six.rig, "cam_0", [300, -200, 100], 25)  # the one that is the world of the other file
    found = compare_rigs(six.calibrate(new, 1), six.calibrate(six.rig, 2), uncertainty=six.uncertainty)
    assert found.moved == ("cam_0",)
    assert abs(found.cameras[0].shift_mm - np.linalg.norm([300, -200, 100])) < 15
    assert abs(found.cameras[0].turn_deg - 25) < 0.5


def test_two_cameras_that_moved_together_are_found(six) -> None:
    new = bumped(bumped(six.rig, "cam_1", [0, 0, 15.0]), "cam_2", [0, 0, 15.0])
    found = compare_rigs(six.calibrate(new, 1), six.calibrate(six.rig, 2), uncertainty=six.uncertainty)
    assert found.moved == ("cam_1", "cam_2")


def test_halves_that_moved_against_each_other_cannot_be_told(four) -> None:
    new = bumped(bumped(four.rig, "cam_1", [0, 0, 25.0]), "cam_2", [0, 0, 25.0])
    found = compare_rigs(
        four.calibrate(new, 1), four.calibrate(four.rig, 2), uncertainty=four.uncertainty, scene=four.scene
    )
    assert found.moved == ()
    assert set(found.unclear) == set(four.rig.names)
    assert {frozenset(names) for names in found.alternatives} >= {
        frozenset({"cam_1", "cam_2"}),
        frozenset({"cam_0", "cam_3"}),
    }
    assert "cannot be told" in found.lines()[-1]


def test_of_two_cameras_it_is_never_said_which(four) -> None:
    pair = four.rig.select(["cam_0", "cam_1"])
    found = compare_rigs(bumped(pair, "cam_1", [0, 30, 0]), other_world(pair))
    assert found.moved == ()
    assert found.unclear == ("cam_0", "cam_1")
    assert "which of them cannot be told" in found.lines()[-1]
    assert not compare_rigs(pair, other_world(pair)).findings


def test_all_moved_is_no_all_clear(six) -> None:
    new = six.rig
    for i, name in enumerate(six.rig.names):
        new = bumped(new, name, toward(i, 60.0), 2.0 * i)
    found = compare_rigs(six.calibrate(new, 1), six.calibrate(six.rig, 2), uncertainty=six.uncertainty)
    assert found.moved == ()
    assert found.unclear


def test_a_board_of_another_size_is_a_scale_and_no_movement(four) -> None:
    new = four.calibrate(four.rig, 1).transformed(np.eye(4), 1.012)
    found = compare_rigs(new, other_world(four.calibrate(four.rig, 2)))
    assert found.moved == found.unclear == ()
    assert abs(found.scale - 1.012) < 0.003
    assert [finding.kind for finding in found.findings] == ["scaled_since"]


def test_the_worlds_are_laid_into_each_other(four) -> None:
    found = compare_rigs(four.rig, other_world(four.rig))
    points = np.random.default_rng(0).normal(scale=500, size=(20, 3))
    old_world = apply(rigid([0.4, -1.2, 0.7], [900.0, -3000.0, 55.0]), points)
    np.testing.assert_allclose(apply(found.new_from_old, old_world), points, atol=1e-3)


@pytest.mark.parametrize("known", [True, False])
def test_a_zoomed_lens_is_called_so_and_its_camera_is_not_said_to_have_moved(six, known: bool) -> None:
    cameras = list(six.rig)
    K = cameras[3].matrix.copy()
    K[:2, :2] *= 1.03
    cameras[3] = replace(cameras[3], matrix=K)
    found = compare_rigs(
        six.calibrate(Rig(tuple(cameras)), 1),
        six.calibrate(six.rig, 2),
        uncertainty=six.uncertainty if known else None,
    )
    assert found.moved == found.unclear == ()
    assert [c.name for c in found.cameras if c.zoomed] == ["cam_3"]
    assert abs(found.cameras[3].focal_percent - 3) < 0.8


def test_cameras_are_matched_by_name(six) -> None:
    new = six.calibrate(bumped(six.rig, "cam_4", [0, 20, 0]), 1)
    old = six.calibrate(six.rig, 2)
    fewer = old.select(["cam_5", "cam_4", "cam_1", "cam_2", "cam_0"])
    found = compare_rigs(new, fewer, uncertainty=six.uncertainty)
    assert found.moved == ("cam_4",)
    assert found.added == ("cam_3",)
    assert any("not in the earlier calibration: cam_3" in line for line in found.lines())
    assert found.to_dict()["moved"] == ("cam_4",)


def test_rigs_that_cannot_be_compared_are_refused(four) -> None:
    strangers = Rig(tuple(replace(c, name=f"x{c.name}") for c in four.rig))
    with pytest.raises(CalibrationError, match="0 cameras of the same name"):
        compare_rigs(four.rig, strangers)
    resized = Rig((replace(four.rig.cameras[0], size=(640, 512)), *four.rig.cameras[1:]))
    with pytest.raises(CalibrationError, match="cam_0: its image is 1280x1024 and was 640x512"):
        compare_rigs(four.rig, resized)
    with pytest.raises(ValueError, match="uncertainty of 4 cameras for a rig of 3"):
        compare_rigs(four.rig.select(four.rig.names[:3]), four.rig, uncertainty=four.uncertainty)


@pytest.mark.slow
def test_new_views_of_a_board_are_held_against_an_old_calibration(make_ring, corners, board) -> None:
    rig = make_ring(4)
    for seed, who in enumerate(("cam_0", "cam_2")):
        moved = moved_since(corners(bumped(rig, who, toward(seed, 5.0)), board, 40, seed=seed), rig)
        assert moved.moved == (who,)
        assert abs(shift_of(moved, who) - 5) < 3
        assert not moved_since(corners(rig, board, 40, seed=seed + 10), other_world(rig)).findings


@pytest.mark.slow
def test_a_new_calibration_is_compared_by_its_views_and_a_zoom_by_its_lenses(make_ring, corners, board) -> None:
    rig = make_ring(4)
    new = calibrate_detections(corners(bumped(rig, "cam_1", toward(4, 5.0)), board, 50, seed=4))
    found = changes_since(new, other_world(rig))
    assert found.moved == ("cam_1",)
    assert [c.focal_percent for c in found.cameras] == [0.0] * 4  # the old lenses were held
    cameras = list(rig)
    K = cameras[2].matrix.copy()
    K[:2, :2] *= 1.04
    cameras[2] = replace(cameras[2], matrix=K)
    zoomed = changes_since(calibrate_detections(corners(Rig(tuple(cameras)), board, 50, seed=6)), rig)
    assert [c.name for c in zoomed.cameras if c.zoomed] == ["cam_2"]
    assert zoomed.moved == ()
