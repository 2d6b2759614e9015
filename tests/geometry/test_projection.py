import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pose3d.geometry.lenses import distort, distort_jacobian, distort_slopes, undistort_normalized
from pose3d.geometry.projection import pixels_from_normalized, project, project_camera_frame, undistort
from pose3d.geometry.rotations import exp_so3
from pose3d.geometry.transforms import rigid

MATRIX = np.array([[900.0, 0, 640], [0, 905.0, 360], [0, 0, 1]])
SIZE = (1280, 720)
LENSES = {
    "none": [],
    "none4": [0.0, 0, 0, 0],
    "four": [-0.12, 0.05, 1e-3, -2e-3],
    "five": [-0.28, 0.11, -7e-4, 5e-4, -0.02],
    "eight": [0.9, -0.35, 5e-4, -3e-4, 0.02, 1.2, -0.2, 0.01],
    "barrel": [-0.38, 0.17, 1e-4, -1e-4, -0.04],
    "pincushion": [0.35, 0.2, 2e-3, 1e-3, 0.1],
}
FISHEYES = {"ideal": [0.0, 0, 0, 0], "gopro": [0.03, -0.012, 0.004, -0.001], "wide": [-0.05, 0.02, -0.012, 0.002]}
seeds = st.integers(0, 2**32 - 1)


def image_grid(step=20):
    x, y = np.meshgrid(np.arange(0, SIZE[0], step), np.arange(0, SIZE[1], step))
    return np.stack([x, y], axis=-1).astype(float)


def visible_points(rng, n, spread=0.7):
    depth = rng.uniform(300, 4000, n)
    return np.stack([*(depth * rng.uniform(-spread, spread, (2, n))), depth], axis=-1)


@given(seeds, st.sampled_from(list(LENSES)))
def test_project_agrees_with_opencv(seed, lens):
    rng = np.random.default_rng(seed)
    d, rvec, tvec = np.array(LENSES[lens]), rng.normal(size=3), 500 * rng.normal(size=3)
    in_camera = visible_points(rng, 20)
    world = (in_camera - tvec) @ exp_so3(rvec)
    ours = project(world, MATRIX, d, rigid(rvec, tvec))
    theirs, _ = cv2.projectPoints(world, rvec, tvec, MATRIX, d if len(d) else None)
    assert ours == pytest.approx(theirs[:, 0], rel=1e-9, abs=1e-9)


@given(seeds, st.sampled_from(list(FISHEYES)))
def test_fisheye_agrees_with_opencv(seed, lens):
    rng = np.random.default_rng(seed)
    d, rvec, tvec = np.array(FISHEYES[lens]), rng.normal(size=3), 500 * rng.normal(size=3)
    in_camera = visible_points(rng, 20, spread=3)
    in_camera[0, :2] = 0, 0
    world = (in_camera - tvec) @ exp_so3(rvec)
    ours = project(world, MATRIX, d, rigid(rvec, tvec), fisheye=True)
    theirs, _ = cv2.fisheye.projectPoints(world[:, None], rvec, tvec, MATRIX, d)
    assert ours == pytest.approx(theirs[:, 0], rel=1e-9, abs=1e-9)


@given(seeds, st.sampled_from([*LENSES, *FISHEYES]))
def test_analytic_jacobians_are_the_central_differences(seed, lens):
    rng = np.random.default_rng(seed)
    fisheye = lens in FISHEYES
    d = np.array((FISHEYES if fisheye else LENSES)[lens])
    points = visible_points(rng, 6)
    K = MATRIX + np.array([[0, rng.normal(), 0], [0, 0, 0], [0, 0, 0]])
    found = project_camera_frame(points, K, d, fisheye=fisheye)
    straight = project(points, K, d, np.eye(4), fisheye=fisheye)
    assert found.pixels == pytest.approx(straight, abs=1e-9)

    def pixels(points=points, K=K, d=d):
        return project(points, K, d, np.eye(4), fisheye=fisheye)

    for axis in range(3):
        h = 1e-3 * np.eye(3)[axis]
        slope = (pixels(points + h) - pixels(points - h)) / 2e-3
        assert found.by_point[..., axis] == pytest.approx(slope, rel=1e-5, abs=1e-6)
    for i, place in enumerate([(0, 0), (1, 1), (0, 2), (1, 2)]):
        h = np.zeros((3, 3))
        h[place] = 1e-3
        slope = (pixels(K=K + h) - pixels(K=K - h)) / 2e-3
        assert found.by_intrinsics[..., i] == pytest.approx(slope, rel=1e-6, abs=1e-6)
    for i in range(len(d)):
        h = 1e-6 * np.eye(len(d))[i]
        slope = (pixels(d=d + h) - pixels(d=d - h)) / 2e-6
        assert found.by_intrinsics[..., 4 + i] == pytest.approx(slope, rel=1e-5, abs=1e-4)


@given(seeds, st.sampled_from(["four", "five", "eight", "barrel"]))
def test_jacobians_agree_with_opencv(seed, lens):
    rng = np.random.default_rng(seed)
    d, rvec, tvec = np.array(LENSES[lens]), rng.normal(size=3), 500 * rng.normal(size=3)
    in_camera = visible_points(rng, 8)
    world = (in_camera - tvec) @ exp_so3(rvec)
    ours = project_camera_frame(in_camera, MATRIX, d)
    theirs = cv2.projectPoints(world, rvec, tvec, MATRIX, d)[1].reshape(8, 2, -1)  # rvec tvec fx fy cx cy d
    assert ours.by_point == pytest.approx(theirs[..., 3:6], rel=1e-8, abs=1e-8)
    assert ours.by_intrinsics == pytest.approx(theirs[..., 6 : 10 + len(d)], rel=1e-8, abs=1e-8)


@given(seeds)
def test_derivative_by_a_rotation_on_the_left(seed):
    rng = np.random.default_rng(seed)
    pose, point = rigid(rng.normal(size=3), np.array([0, 0, 3000.0])), 500 * rng.normal(size=3)
    rotated = pose[:3, :3] @ point
    by_point = project_camera_frame(rotated + pose[:3, 3], MATRIX, LENSES["five"]).by_point
    for axis in range(3):
        h = 1e-6 * np.eye(3)[axis]
        moved = [
            project(point, MATRIX, LENSES["five"], rigid(exp_so3(s * h) @ pose[:3, :3], pose[:3, 3])) for s in (1, -1)
        ]
        expected = by_point @ np.cross(np.eye(3)[axis], rotated)  # -by_point [R X]x e
        assert (moved[0] - moved[1]) / 2e-6 == pytest.approx(expected, rel=1e-4, abs=1e-3)


@pytest.mark.parametrize("lens", [*LENSES, *FISHEYES])
def test_slopes_are_the_jacobian_by_the_coordinates(lens):
    d = np.array((FISHEYES | LENSES)[lens])
    xy = np.random.default_rng(0).uniform(-0.5, 0.5, (50, 2))
    xx, across, yy = distort_slopes(xy, d, fisheye=lens in FISHEYES)
    by_xy = distort_jacobian(xy, d, fisheye=lens in FISHEYES)[1]
    assert np.stack([xx, across, across, yy], axis=-1).reshape(50, 2, 2) == pytest.approx(by_xy, abs=1e-13)


@pytest.mark.parametrize("lens", LENSES)
def test_undistort_round_trip_over_the_whole_image(lens):
    d = np.array(LENSES[lens])
    pixels = image_grid()
    xy, converged = undistort(pixels, MATRIX, d)
    assert xy.shape == pixels.shape
    assert converged.shape == pixels.shape[:-1]
    assert converged.all()
    assert pixels_from_normalized(distort(xy, d), MATRIX) == pytest.approx(pixels, abs=1e-9)
    flat = pixels.reshape(-1, 1, 2)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 200, 1e-14)
    theirs = cv2.undistortPoints(flat, MATRIX, d if len(d) else None, None, None, None, criteria)
    assert xy.reshape(-1, 2) == pytest.approx(theirs[:, 0], abs=1e-6)


@pytest.mark.parametrize("k1", [-0.45, -0.3, -0.2])
def test_undistort_reaches_almost_to_the_fold(k1):
    fold = np.sqrt(-1 / (3 * k1))  # 1 + 3 k1 r^2 = 0
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = np.stack([np.cos(turn), np.sin(turn)], axis=-1)
    for share in (0.5, 0.9, 0.99, 0.999):
        xy = share * fold * ring
        back, converged = undistort_normalized(distort(xy, [k1, 0, 0, 0]), [k1, 0, 0, 0])
        assert converged.all()
        assert back == pytest.approx(xy, abs=1e-9)
    farthest = fold * (1 + k1 * fold**2)
    _, converged = undistort_normalized(farthest * 1.001 * ring, [k1, 0, 0, 0])
    assert not converged.any()


def test_undistort_stays_on_the_branch_of_the_optical_axis():
    # r (1 - 0.9 r^2 + 0.3 r^4) rises to 0.442 at r = 0.722, falls to 0.384 at 1.131, and rises again for ever
    d = [-0.9, 0.3, 0, 0]
    r = np.linspace(0, 0.72, 60)
    xy = np.stack([0.6 * r, 0.8 * r], axis=-1)
    back, converged = undistort_normalized(distort(xy, d), d)
    assert converged.all()
    assert back == pytest.approx(xy, abs=1e-9)
    far = np.linspace(0.443, 20, 300)[:, None] * [0.6, 0.8]
    _, converged = undistort_normalized(far, d)
    assert not converged.any()  # only the outer branch answers there


@settings(max_examples=25)
@given(seeds)
def test_undistort_inverts_any_lens_inside_its_fold(seed):
    rng = np.random.default_rng(seed)
    d = rng.normal(scale=[0.3, 0.3, 0.003, 0.003, 0.2])
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, 15), np.linspace(-1, 1, 15)), axis=-1).reshape(-1, 2)
    inside = np.ones(len(grid), dtype=bool)
    for share in np.linspace(0.02, 1.02, 51):
        _, by_xy, _ = distort_jacobian(share * grid, d)
        inside &= np.linalg.eigvalsh(by_xy).min(-1) > 0.02
    xy = grid[inside]
    back, converged = undistort_normalized(distort(xy, d), d)
    assert converged.all()
    assert back == pytest.approx(xy, abs=1e-9)


@pytest.mark.parametrize("lens", FISHEYES)
def test_fisheye_round_trip_to_near_90_degrees(lens):
    d = np.array(FISHEYES[lens])
    theta = np.deg2rad([0, 1e-8, 1e-3, 1, 30, 60, 80, 89, 89.9])
    turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)[:, None]
    xy = np.tan(theta)[..., None] * np.stack([np.cos(turn), np.sin(turn)], axis=-1)
    distorted = distort(xy, d, fisheye=True)
    back, converged = undistort_normalized(distorted, d, fisheye=True)
    assert converged.all()
    # near 90 degrees x/z grows without bound: its angle is what a pixel tells
    assert np.arctan(np.linalg.norm(back, axis=-1)) == pytest.approx(np.broadcast_to(theta, (12, 9)), abs=1e-12)
    again = pixels_from_normalized(distort(back, d, fisheye=True), MATRIX)
    assert again == pytest.approx(pixels_from_normalized(distorted, MATRIX), abs=1e-9)


def test_fisheye_has_no_answer_at_90_degrees_and_beyond():
    distorted = np.array([[np.pi / 2, 0], [0, 1.8], [30.0, 40.0], [np.nan, 0]])
    _, converged = undistort_normalized(distorted, np.zeros(4), fisheye=True)
    assert not converged.any()
    # theta (1 - 0.4 theta^2) rises up to theta = 0.913 only, where it is 0.609
    _, converged = undistort_normalized([[0.6, 0], [0.62, 0]], [-0.4, 0, 0, 0], fisheye=True)
    assert converged.tolist() == [True, False]


@pytest.mark.parametrize("lens", LENSES)
def test_missing_pixels_do_not_converge_and_spoil_no_others(lens):
    pixels = image_grid(80)
    expected, _ = undistort(pixels, MATRIX, LENSES[lens])
    pixels[2, 3] = np.nan
    pixels[4, 5, 1] = np.nan
    xy, converged = undistort(pixels, MATRIX, LENSES[lens])
    assert np.argwhere(~converged).tolist() == [[2, 3], [4, 5]]
    assert np.array_equal(xy[converged], expected[converged])


def test_one_lens_a_camera_broadcasts():
    rng = np.random.default_rng(0)
    lenses = np.array([LENSES["five"], LENSES["barrel"], LENSES["pincushion"]])
    matrices = MATRIX * np.array([[1.0], [1.1], [0.9]])[..., None]
    matrices[:, 2, 2] = 1
    poses = rigid(0.1 * rng.normal(size=(3, 3)), np.array([0, 0, 2000.0]) + rng.normal(size=(3, 3)))
    points = 300 * rng.normal(size=(4, 5, 1, 3))
    pixels = project(points, matrices, lenses, poses)
    assert pixels.shape == (4, 5, 3, 2)
    xy, converged = undistort(pixels, matrices, lenses)
    for i in range(3):
        alone = project(points[:, :, 0], matrices[i], lenses[i], poses[i])
        assert pixels[:, :, i] == pytest.approx(alone, abs=1e-9)
        assert xy[:, :, i] == pytest.approx(undistort(alone, matrices[i], lenses[i])[0], abs=1e-12)
    assert converged.all()
    one_point, _ = undistort(np.array([700.0, 300.0]), matrices, lenses)  # more lenses than points
    assert one_point.shape == (3, 2)


@pytest.mark.parametrize("fisheye", [False, True])
def test_no_points_give_no_points(fisheye):
    none, d = np.empty((0, 3, 2)), np.array([0.1, 0.01, 0.0, 0.0])
    assert distort(none, d, fisheye=fisheye).shape == (0, 3, 2)
    xy, converged = undistort(none, MATRIX, d, fisheye=fisheye)
    assert xy.shape == (0, 3, 2)
    assert converged.shape == (0, 3)
    found = project_camera_frame(np.empty((0, 3)), MATRIX, d, fisheye=fisheye)
    assert [part.shape for part in found] == [(0, 2), (0, 2, 3), (0, 2, 8)]


@pytest.mark.parametrize("fisheye", [False, True])
def test_a_point_in_the_plane_of_the_camera_warns_of_nothing(fisheye):
    points = np.array([[100.0, 0, 0], [0, 0, 0], [0, 0, 1000]])
    pixels = project(points, MATRIX, np.array([0.1, 0.0, 0.0, 0.0]), np.eye(4), fisheye=fisheye)
    assert pixels[2].tolist() == [640, 360]
    assert np.isnan(pixels[1]).all()


def test_wrong_numbers_of_coefficients_are_refused():
    for n in (1, 2, 3, 6, 7, 12):
        with pytest.raises(ValueError, match="4, 5 or 8"):
            distort([0.1, 0.2], np.zeros(n))
    with pytest.raises(ValueError, match="fisheye distortion has 4"):
        undistort([1.0, 2.0], MATRIX, np.zeros(5), fisheye=True)


@pytest.mark.parametrize(("distortion", "fisheye"), [([-0.2, 0.05, 0, 0, 0], False), ([0.05, 0.01, 0, 0], True)])
def test_a_single_pixel_is_undistorted_like_one_of_many(distortion, fisheye):
    matrix = [[800, 0, 320], [0, 800, 240], [0, 0, 1]]
    pixels = np.array([[100.0, 80.0], [500.0, 300.0]])
    many, _ = undistort(pixels, matrix, distortion, fisheye=fisheye)
    for pixel, expected in zip(pixels, many, strict=True):
        one, converged = undistort(pixel, matrix, distortion, fisheye=fisheye)
        assert one.shape == (2,)
        assert converged
        np.testing.assert_allclose(one, expected, rtol=1e-12)
