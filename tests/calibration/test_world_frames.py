"""Worlds from floor points, named axes, a plumb line, the board and a known length, against known truth."""

from dataclasses import replace

import numpy as np
import pytest

from pose3d.calibration.anipose import to_anipose
from pose3d.calibration.world.alignment import (
    WorldFrame,
    apply_world,
    frame_from_axes,
    frame_from_floor,
    frame_from_plumb,
    frame_from_points,
    frame_from_up,
)
from pose3d.calibration.world.floor_board import frame_from_board
from pose3d.calibration.world.named_points import scale_from_length
from pose3d.data import Board, BoardDetections, Rig
from pose3d.errors import CalibrationError
from pose3d.geometry.planes import fit_plane
from pose3d.geometry.rotations import exp_so3
from pose3d.geometry.transforms import apply, inverse, rigid
from pose3d.geometry.triangulation import triangulate_svd
from pose3d.io.calibration_toml import read_calibration, write_calibration

CAMERA_FROM_TRUE = rigid([2.0, 0.3, -0.4], [150.0, 800.0, 2600.0])  # a world as a calibration leaves it
FLOOR = np.array([[0, 0, 0], [800, 0, 0], [700, 600, 0], [-100, 650, 0], [300, 900, 0], [-400, 200, 0]], dtype=float)
EYES = np.array([[2000, 0, 1500], [-1500, 1800, 1200], [0, -2500, 300]], dtype=float)


def turned(points) -> np.ndarray:
    return apply(CAMERA_FROM_TRUE, np.asarray(points, dtype=float))


def degrees_off(frame: WorldFrame, new_from_true: np.ndarray | None = None) -> float:
    """Largest angle between the frame's axes and the true ones."""
    true = np.eye(3) if new_from_true is None else new_from_true[:3, :3]
    R = frame.new_from_old[:3, :3] @ CAMERA_FROM_TRUE[:3, :3]
    return float(np.degrees(np.linalg.norm(R - true, axis=1)).max())


def is_rotation(frame: WorldFrame) -> bool:
    R = frame.new_from_old[:3, :3]
    return bool(np.allclose(R @ R.T, np.eye(3), atol=1e-12) and np.linalg.det(R) > 0)


def seen_with_noise(rig: Rig, points: np.ndarray, sigma: float, seed: int) -> np.ndarray:
    pixels = rig.project(points) + np.random.default_rng(seed).normal(
        scale=sigma, size=(*points.shape[:-1], len(rig), 2)
    )
    weights = np.broadcast_to(rig.focals, pixels.shape[:-1])
    return triangulate_svd(rig.undistort(pixels), rig.cam_from_world, weights=weights)


# ---- floor points -----------------------------------------------------------------------------------------------


def test_floor_points_give_the_true_axes(make_ring) -> None:
    ring = make_ring(4).transformed(rigid([0, 0, 0], [0, 0, 900]))  # above the floor
    rig = ring.transformed(CAMERA_FROM_TRUE)
    for seed in range(20):
        points = seen_with_noise(rig, turned(FLOOR), 0.3, seed)
        frame = frame_from_points(points, cameras=rig.centers)
        assert is_rotation(frame)
        assert degrees_off(frame) < 0.2
        assert np.linalg.norm(frame.apply(turned([0, 0, 0]))) < 2
        assert frame.rms_mm < 1.5
        assert (apply_world(rig, frame).centers[:, 2] > 0).all()


def test_the_floors_tilt_is_known_as_well_as_said() -> None:
    rng = np.random.default_rng(0)
    ratio = []
    for _ in range(200):
        frame = frame_from_points(turned(FLOOR + rng.normal(scale=2.0, size=FLOOR.shape)), cameras=turned(EYES))
        tilt = np.degrees(np.arccos(frame.new_from_old[2, :3] @ CAMERA_FROM_TRUE[:3, 2]))
        ratio.append(tilt / frame.tilt_sd_deg)  # about both axes; what is said is the worse one
    assert 0.5 < np.median(ratio) < 1.3


def test_up_is_where_the_cameras_are_whatever_the_order_of_the_points() -> None:
    for order in (slice(None), slice(None, None, -1)):
        points = FLOOR[order]
        frame = frame_from_points(turned(points), cameras=turned(EYES))
        np.testing.assert_allclose(frame.apply(turned(EYES))[:, 2], EYES[:, 2], atol=1e-6)
        under = frame_from_points(turned(points), cameras=turned(EYES), up=turned([0, 0, -1]) - turned([0, 0, 0]))
        np.testing.assert_allclose(under.apply(turned(EYES))[:, 2], -EYES[:, 2], atol=1e-6)
        assert is_rotation(under)


def test_which_side_is_up_is_never_guessed() -> None:
    both = EYES * [1, 1, -1]
    with pytest.raises(CalibrationError, match=r"1 cameras are on one side of it, 2 on the other|2 cameras .* 1 on"):
        frame_from_points(turned(FLOOR), cameras=turned(np.stack([EYES[0], EYES[1], both[2]])))
    with pytest.raises(CalibrationError, match="cannot be decided"):
        frame_from_points(turned(FLOOR), cameras=turned(EYES * [1, 1, 0.001]))
    with pytest.raises(CalibrationError, match="cannot be decided"):
        frame_from_points(turned(FLOOR))
    with pytest.raises(CalibrationError, match="lies along the floor"):
        frame_from_points(turned(FLOOR), up=turned([1, 0, 0.01]) - turned([0, 0, 0]))


def test_one_wrong_floor_point_is_left_out() -> None:
    rng = np.random.default_rng(1)
    for wrong in range(len(FLOOR)):
        points = FLOOR + rng.normal(scale=0.5, size=FLOOR.shape)
        points[wrong, 2] += 120
        frame = frame_from_points(turned(points), cameras=turned(EYES), forward=turned([1, 0, 0]) - turned([0, 0, 0]))
        assert degrees_off(frame) < 0.3
        assert "1 left out" in frame.says


def test_many_points_with_a_third_of_them_wrong() -> None:
    rng = np.random.default_rng(2)
    points = rng.uniform(-1000, 1000, (60, 3)) * [1, 1, 0] + rng.normal(scale=1.0, size=(60, 3))
    points[:20, 2] += rng.uniform(50, 500, 20)
    plane = fit_plane(points)
    assert abs(plane.normal[2]) > np.cos(np.radians(0.1))
    assert not plane.inlier[:20].any()
    assert plane.inlier[20:].mean() > 0.9


def test_three_points_say_that_nothing_checks_them() -> None:
    frame = frame_from_points(turned(FLOOR[:3]), cameras=turned(EYES))
    assert degrees_off(frame) < 1e-6
    assert "cannot be checked" in frame.says
    assert np.isnan(frame.rms_mm)


@pytest.mark.parametrize(
    ("points", "match"),
    [
        (FLOOR[:2], "points with a position: 2, but three are needed"),
        (np.full((4, 3), np.nan), "points with a position: 0"),
        ([[0, 0, 0], [100, 0, 0], [200, 0, 0.1], [300, 0, 0]], "lie on a line"),
        ([[0, 0, 0], [0, 0, 0], [0, 0, 0]], "lie on a line"),
        ([[0, 0, 0], [300, 0, 200], [300, 300, -200], [0, 300, 200]], "off a common plane"),
    ],
)
def test_points_that_are_no_floor_are_refused(points, match: str) -> None:
    with pytest.raises(CalibrationError, match=match):
        frame_from_points(points, cameras=EYES)


def test_named_floor_points_with_forward_and_origin() -> None:
    names = dict(zip("abcdef", turned(FLOOR), strict=True))
    names["post"] = np.stack([turned([400, 300, 500])] * 5 + [np.full(3, np.nan)])
    frame = frame_from_floor(names, ["b", "c", "d", "e"], cameras=turned(EYES), forward=("a", "d"), origin="post")
    np.testing.assert_allclose(frame.apply(turned([400, 300, 0])), 0, atol=1e-6)
    np.testing.assert_allclose(frame.apply(turned([400, 300, 500])), [0, 0, 500], atol=1e-6)
    x = frame.apply(names["d"]) - frame.apply(names["a"])
    np.testing.assert_allclose(x[1:], 0, atol=1e-6)
    assert x[0] > 0
    assert "X forward from a to d, origin post" in frame.says
    with pytest.raises(CalibrationError, match='no point "g"; there are a, b'):
        frame_from_floor(names, ["a", "b", "g"], cameras=turned(EYES))
    with pytest.raises(CalibrationError, match="named twice"):
        frame_from_floor(names, ["a", "b", "b"], cameras=turned(EYES))


# ---- axes as anipose has them -----------------------------------------------------------------------------------


def anipose_frame(points: dict, axes) -> np.ndarray:
    """Rows of M as anipose 1.0 makes them: medians of positions, the second axis orthogonalised."""
    median = {name: np.nanmedian(np.atleast_2d(xyz), axis=0) for name, xyz in points.items()}
    M = np.zeros((3, 3))
    (a, a_from, a_to), (b, b_from, b_to) = axes
    i, j = "xyz".index(a), "xyz".index(b)
    M[i] = median[a_to] - median[a_from]
    M[j] = median[b_to] - median[b_from]
    M[j] -= M[i] * (M[j] @ M[i]) / (M[i] @ M[i])
    k = 3 - i - j
    M[k] = np.cross(M[(k + 1) % 3], M[(k + 2) % 3])
    return M / np.linalg.norm(M, axis=1, keepdims=True)


@pytest.mark.parametrize("letters", [("x", "z"), ("z", "x"), ("y", "z"), ("z", "y"), ("x", "y"), ("y", "x")])
def test_axes_mean_what_they_mean_in_anipose(letters) -> None:
    rng = np.random.default_rng(3)
    points = {name: rng.normal(scale=300, size=3) + rng.normal(scale=0.01, size=(30, 3)) for name in "abcd"}
    axes = [[letters[0], "a", "b"], [letters[1], "c", "d"]]
    frame = frame_from_axes(points, axes, "c")
    np.testing.assert_allclose(frame.new_from_old[:3, :3], anipose_frame(points, axes), atol=1e-4)
    assert is_rotation(frame)
    np.testing.assert_allclose(frame.apply(np.median(points["c"], axis=0)), 0, atol=1e-9)


def test_axes_that_are_not_perpendicular_do_not_shear() -> None:
    slanted = np.array([np.cos(np.radians(75)), 0, np.sin(np.radians(75))])
    points = {"o": np.zeros(3), "a": np.array([100.0, 0, 0]), "b": 80 * slanted}
    frame = frame_from_axes({k: turned(v) for k, v in points.items()}, [["x", "o", "a"], ["z", "o", "b"]], "o")
    assert is_rotation(frame)
    assert degrees_off(frame) < 1e-6
    assert "75.0 deg from the first" in frame.says


def test_axes_of_noisy_points_are_the_true_ones(make_ring) -> None:
    rig = make_ring(4).transformed(CAMERA_FROM_TRUE)
    truth = {"heel": [0, 0, 0], "toe": [400, 0, 0], "knee": [0, 30, 100], "hip": [0, 30, 500]}
    for seed in range(20):
        frames = {n: np.tile(turned(xyz), (25, 1)) for n, xyz in truth.items()}
        points = {n: seen_with_noise(rig, f, 0.3, 10 * seed + i) for i, (n, f) in enumerate(frames.items())}
        points["toe"][::6] += 500  # a wrong view now and then
        points["hip"][1::7] = np.nan
        frame = frame_from_axes(points, [["x", "heel", "toe"], ["z", "knee", "hip"]], "heel")
        assert degrees_off(frame) < 0.2
        assert frame.tilt_sd_deg < 0.1


def test_directions_count_not_positions_where_the_subject_walks() -> None:
    way = np.linspace(0, 3000, 50)[:, None] * [1, 0, 0]
    offsets = {"l": [0, 100, 0], "r": [0, -100, 0], "low": [0, 0, 0], "high": [0, 0, 400]}
    points = {name: np.add(way, offset) for name, offset in offsets.items()}
    points["l"][:35] = np.nan  # seen at the end of the walk only
    points = {name: turned(xyz) for name, xyz in points.items()}
    frame = frame_from_axes(points, [["y", "r", "l"], ["z", "low", "high"]], "low")
    assert degrees_off(frame) < 1e-6


@pytest.mark.parametrize(
    ("axes", "match"),
    [
        ([["x", "a", "b"]], "two of"),
        ([["x", "a", "b"], ["x", "c", "d"]], "two different ones"),
        ([["x", "a", "b"], ["w", "c", "d"]], "two different ones"),
        ([["x", "a", "b"], ["z", "a", "b"]], "nearly parallel"),
        ([["x", "a", "a"], ["z", "c", "d"]], "two different points"),
        ([["x", "a", "q"], ["z", "c", "d"]], 'no point "q"'),
        ([["x", "a", "never"], ["z", "c", "d"]], '"never" has no position'),
        ([["x", "a", "wild"], ["z", "c", "d"]], "scatters by"),
        (["xab", "zcd"], "two of"),
    ],
)
def test_axes_that_make_no_frame_are_refused(axes, match: str) -> None:
    rng = np.random.default_rng(4)
    points = {n: np.tile(xyz, (40, 1)) for n, xyz in zip("abcd", np.eye(4, 3) * 100, strict=True)}
    points |= {"never": np.full((40, 3), np.nan), "wild": rng.normal(scale=500, size=(40, 3))}
    with pytest.raises(CalibrationError, match=match):
        frame_from_axes(points, axes, "a")


# ---- plumb line, scale ------------------------------------------------------------------------------------------


def test_a_plumb_line_sets_the_vertical() -> None:
    rng = np.random.default_rng(5)
    ways = turned(rng.normal([0, 0, 1000], 3, size=(40, 3))) - turned([0, 0, 0])
    frame = frame_from_up(ways, forward=turned([5, 0, 1]) - turned([0, 0, 0]), origin=turned([10, 20, 30]))
    assert degrees_off(frame) < 0.2
    assert 0.01 < frame.tilt_sd_deg < 0.1
    np.testing.assert_allclose(frame.apply(turned([10, 20, 30])), 0, atol=1e-9)
    named = {"weight": turned([0, 0, 0]), "knot": turned([0, 0, 900]), "door": turned([500, 0, 100])}
    frame = frame_from_plumb(named, ("weight", "knot"), forward=("weight", "door"), origin="door")
    assert degrees_off(frame) < 1e-6
    assert "Z up from weight to knot" in frame.says


def test_a_plumb_line_without_direction_is_refused() -> None:
    with pytest.raises(CalibrationError, match="has no direction"):
        frame_from_up([0, 0, 0])
    with pytest.raises(CalibrationError, match="upright"):
        frame_from_up([0, 0, 1], forward=[0, 0, 2])
    with pytest.raises(CalibrationError, match="scatters"):
        frame_from_up(np.random.default_rng(0).normal(size=(50, 3)))


def test_a_known_length_sets_the_scale(make_ring) -> None:
    rig = make_ring(4).transformed(np.eye(4), 1 / 1.018)  # a board that was 1.8 % larger than it was said to be
    truth = {"a": np.array([-200.0, 0, 0]), "b": np.array([200.0, 50, 80])}
    length = float(np.linalg.norm(truth["b"] - truth["a"]))
    covered = 0
    for seed in range(20):
        points = {
            n: seen_with_noise(rig, np.tile(xyz / 1.018, (40, 1)), 0.3, 2 * seed + i)
            for i, (n, xyz) in enumerate(truth.items())
        }
        points["a"][3] += 100
        known = scale_from_length(points, ("a", "b"), length)
        assert abs(known.factor / 1.018 - 1) < 0.002
        covered += abs(known.factor / 1.018 - 1) < 2.5 * known.relative_sd
        assert "% longer than the calibration has it" in known.says
    assert covered >= 16
    frame = frame_from_up([0, 0, 1]).scaled(known)
    aligned = apply_world(rig, frame)
    moved = np.linalg.norm(frame.apply(np.median(points["b"], 0)) - frame.apply(np.median(points["a"], 0)))
    assert abs(moved - length) < 0.5
    shot = rig.project(truth["b"] / 1.018)
    np.testing.assert_allclose(aligned.project(frame.apply(truth["b"] / 1.018)), shot, atol=1e-6)


@pytest.mark.parametrize(
    ("names", "length", "match"),
    [
        (("a", "b"), -3.0, "no length"),
        (("a", "b"), float("nan"), "no length"),
        (("a", "a"), 100.0, "ends are one point"),
        (("a", "never"), 100.0, "no frame has both ends"),
        (("a", "q"), 100.0, 'no point "q"'),
    ],
)
def test_a_length_that_is_none_is_refused(names, length: float, match: str) -> None:
    points = {"a": np.zeros((5, 3)), "b": np.ones((5, 3)), "never": np.full((5, 3), np.nan)}
    with pytest.raises(CalibrationError, match=match):
        scale_from_length(points, names, length)


# ---- files ------------------------------------------------------------------------------------------------------


def test_the_world_is_written_and_read_by_us_and_by_anipose(tmp_path, make_ring) -> None:
    from aniposelib.cameras import CameraGroup

    rig = replace(make_ring(3), metadata={"error": 0.3, "adjusted": True})
    names = dict(zip("abcdef", turned(FLOOR), strict=True))
    frame = frame_from_floor(names, tuple("abcde"), cameras=turned(EYES))
    aligned = apply_world(rig, frame)
    path = tmp_path / "aligned.toml"
    write_calibration(aligned, path)
    back = read_calibration(path)
    assert back.metadata["world"] == frame.says
    assert back.metadata["error"] == 0.3
    np.testing.assert_array_equal(back.cam_from_world, aligned.cam_from_world)
    group = CameraGroup.load(str(path))
    for camera, theirs in zip(aligned, group.cameras, strict=True):
        np.testing.assert_array_equal(theirs.get_translation(), camera.translation)
    assert len(to_anipose(back).cameras) == 3


# ---- board on the floor -----------------------------------------------------------------------------------------


def on_the_floor(rig: Rig, board: Board, still: int, seed: int, corners) -> tuple[BoardDetections, np.ndarray]:
    """A session whose last instants show the board on the floor, print up; and where it lay."""
    session = corners(rig, board, 30, seed=seed)
    down = exp_so3([0, np.pi, 0]) @ exp_so3([0, 0, 0.3])  # the board's z goes into the paper, so into the floor
    pose = rigid(down[None], np.array([[250.0, -100.0, -600.0]]))[0]
    xy = rig.project(apply(pose, board.points)).transpose(1, 0, 2)[None].repeat(still, 0)
    xy = xy + np.random.default_rng(seed + 500).normal(scale=0.3, size=xy.shape)
    both = np.concatenate([session.xy, xy])
    frames = np.concatenate([session.frames, 1000 + np.arange(still)])
    return BoardDetections(board, rig.names, session.sizes, frames, both), pose


@pytest.fixture
def high_ring(make_ring) -> Rig:
    """Cameras that look down at about 45 degrees."""
    from pose3d.demo.rig import look_at

    cameras = []
    for camera, angle in zip(make_ring(4), np.radians([0, 60, 120, 180]), strict=True):
        center = np.array([1900 * np.cos(angle), 1900 * np.sin(angle), 1300.0])
        rotation, translation = look_at(center, [0, 0, -300])
        cameras.append(replace(camera, rotation=rotation, translation=translation))
    return Rig(tuple(cameras))


@pytest.fixture
def solved(high_ring, corners):
    """A calibration as the corners of the session give it, solved from the truth."""
    from types import SimpleNamespace

    from pose3d.calibration.solver.bundle import LENS_SIZE, refine
    from pose3d.calibration.solver.intrinsics import Lens, lens_bundle
    from pose3d.calibration.solver.poses import board_poses

    def solve(board: Board, still: int, seed: int):
        detections, pose = on_the_floor(high_ring, board, still, seed, corners)
        lenses = []
        for camera in high_ring:
            numbers = np.zeros(LENS_SIZE)
            numbers[[0, 1, 2, 3]] = camera.matrix[[0, 1, 0, 1], [0, 1, 2, 2]]
            numbers[4:9] = camera.distortion
            free = np.zeros(LENS_SIZE, dtype=bool)
            lenses.append(Lens(numbers=numbers, n_lens=5, fisheye=False, free=free, sigma=0.3))
        boards = np.tile(pose, (len(detections.frames), 1, 1))
        for f in range(len(boards) - still):
            best = int(detections.seen[f].sum(-1).argmax())
            camera = high_ring.cameras[best]
            found, _ = board_poses(detections.xy[f, best][None], board.points, camera.matrix, camera.distortion)
            boards[f] = inverse(camera.cam_from_world) @ found[0, 0]
        keep = np.isfinite(boards[:, 0, 0])
        first = high_ring.cameras[0].cam_from_world
        bundle = lens_bundle(
            lenses,
            list(detections.sizes),
            board.points,
            detections.xy[keep],
            high_ring.cam_from_world @ inverse(first),
            first @ boards[keep],
        )
        solution = refine(bundle, rounds=1)
        kept = replace(detections, frames=detections.frames[keep], xy=detections.xy[keep])
        return SimpleNamespace(solution=solution, detections=kept, board=board), pose, first

    return solve


def test_the_board_on_the_floor_is_the_world(solved, board, high_ring) -> None:
    for seed in range(4):
        calibration, pose, old_from_true = solved(board, 5, seed)
        frame = frame_from_board(calibration, "last")
        R = frame.new_from_old[:3, :3] @ old_from_true[:3, :3]
        z = np.degrees(np.arccos(np.clip(R[2] @ [0, 0, 1], -1, 1)))
        x = np.degrees(np.arccos(np.clip(R[0] @ pose[:3, 0], -1, 1)))
        assert is_rotation(frame)
        assert max(x, z) < 0.2
        assert z < 5 * frame.tilt_sd_deg
        assert np.linalg.norm(frame.apply(apply(old_from_true, pose[:3, 3]))) < 3
        heights = frame.apply(apply(old_from_true, high_ring.centers))[:, 2]
        np.testing.assert_allclose(heights, 1900, atol=8)
        assert frame.rms_mm < 2
        assert "frame 1000 to 1004" in frame.says


def test_the_boards_axes_thickness_and_frames_can_be_chosen(solved, board) -> None:
    calibration, pose, old_from_true = solved(board, 3, 1)
    last = frame_from_board(calibration, "last")
    one = frame_from_board(calibration, 1001)
    np.testing.assert_allclose(one.new_from_old, last.new_from_old)
    named = frame_from_board(calibration, [1000, 1002])
    assert np.abs(named.new_from_old[:3, :3] - last.new_from_old[:3, :3]).max() < 3e-3
    thick = frame_from_board(calibration, "last", thickness_mm=7)
    np.testing.assert_allclose(thick.apply([0, 0, 0]) - last.apply([0, 0, 0]), [0, 0, 7], atol=1e-9)
    for forward, axis in (("y", pose[:3, 1]), ("-x", -pose[:3, 0]), ("-y", -pose[:3, 1])):
        frame = frame_from_board(calibration, "last", forward=forward)
        assert frame.new_from_old[0, :3] @ old_from_true[:3, :3] @ axis > 0.9999
        assert is_rotation(frame)


def test_frames_without_the_board_on_the_floor_are_refused(solved, board) -> None:
    calibration, _, _ = solved(board, 3, 2)
    with pytest.raises(CalibrationError, match="the nearest is 1002"):
        frame_from_board(calibration, 5000)
    with pytest.raises(CalibrationError, match="no frame is given"):
        frame_from_board(calibration, [])
    first = int(calibration.detections.frames[0])
    with pytest.raises(CalibrationError, match="it moved by"):
        frame_from_board(calibration, [first, 1002])
    with pytest.raises(CalibrationError, match="is no instant"):
        frame_from_board(calibration, "middle")


def test_a_checkerboards_ends_are_said_to_be_alike(solved) -> None:
    calibration, _, _ = solved(Board.checkerboard((7, 9), square_mm=60), 3, 3)
    assert "X may run the other way" in frame_from_board(calibration).says
