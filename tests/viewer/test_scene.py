"""What is drawn in space, and from where it is looked at."""

from dataclasses import replace

import numpy as np
import pytest

from pose3d.data import Camera, Keypoints3D, Status
from pose3d.data.events import LimbEvents
from pose3d.viewer import palette
from pose3d.viewer.loading import make_playback
from pose3d.viewer.scene import SceneSettings, build_scene
from pose3d.viewer.shapes import icosphere
from pose3d.viewer.view_camera import STANDARD_VIEWS, ViewCamera, follows, frame_camera

ALL = SceneSettings(
    ellipsoids=True, centre_of_mass=True, raw=True, names=True, angles=("knee_flexion", "elbow_flexion_r")
)


def test_bones_have_the_colours_of_their_sides(playback) -> None:
    bones = build_scene(playback, 10).line("bones")
    names = playback.points.keypoints
    wanted = {
        ("LKnee", "LAnkle"): palette.LEFT,
        ("RShoulder", "RElbow"): palette.RIGHT,
        ("Neck", "Head"): palette.MIDLINE,
    }
    wanted |= {("LHip", "RHip"): palette.MIDLINE}
    for (a, b), colour in wanted.items():
        ends = playback.points.xyz[10, 0, [names.index(a), names.index(b)]]
        which = np.flatnonzero(np.isclose(bones.xyz, ends).all((1, 2)))
        assert len(which) == 1
        np.testing.assert_allclose(bones.rgba[which[0], :3], colour, atol=1e-6)


def test_missing_points_are_not_drawn_and_filled_ones_are_paler(walker) -> None:
    names = walker.keypoints
    xyz, status = walker.xyz.copy(), walker.status.copy()
    xyz[5, 0, names.index("LKnee")] = np.nan
    status[5, 0, names.index("RKnee")] = Status.FILLED
    playback = make_playback(replace(walker, xyz=xyz, status=status))
    scene, whole = build_scene(playback, 5), build_scene(playback, 6)
    joints, bones = scene.marker("joints"), scene.line("bones")
    assert len(joints) == len(names) - 1
    assert len(bones) == len(whole.line("bones")) - 2
    assert np.isfinite(bones.xyz).all()
    assert (joints.rgba[:, 3] < 0.9).sum() == 1
    assert (bones.rgba[:, 3] < 0.9).sum() == 2
    assert len(scene.line("shadow")) == len(bones)


def test_what_stands_still_is_the_same_object_in_every_frame(playback) -> None:
    first, later = build_scene(playback, 3, ALL), build_scene(playback, 40)
    for name in ("floor", "axes", "frusta"):
        assert first.line(name) is later.line(name)


def test_the_shadow_lies_on_the_floor_below_the_bones(playback) -> None:
    scene = build_scene(playback, 10)
    shadow, bones = scene.line("shadow"), scene.line("bones")
    assert np.abs(playback.ground.height(shadow.xyz)).max() < 5
    np.testing.assert_allclose(shadow.xyz[..., :2], bones.xyz[..., :2], atol=1e-6)


def test_trails_end_at_the_points_and_fade_behind(playback) -> None:
    trails = build_scene(playback, 60).line("trails")
    wrist = playback.points.xyz[60, 0, playback.points.keypoints.index("LWrist")]
    at = np.flatnonzero(np.isclose(trails.xyz[:, 1], wrist).all(1))
    assert len(at) == 1
    assert trails.rgba[at[0], 3] == trails.rgba[:, 3].max()
    assert trails.rgba[:4, 3].max() < 0.1
    assert build_scene(playback, 0).line("trails").xyz.shape == (0, 2, 3)


def test_ellipsoids_have_the_covariances_axes(walker) -> None:
    covariance = np.broadcast_to(np.diag([4.0, 25.0, 100.0]), (*walker.status.shape, 3, 3))
    playback = make_playback(replace(walker, covariance=covariance))
    found = build_scene(playback, 3, SceneSettings(ellipsoids=True)).ellipsoids
    reach = 2.7955  # of 3 dimensions and 95 %: the root of chi-square's 7.8147
    lengths = np.sort(np.linalg.norm(found.axes[0], axis=0))
    np.testing.assert_allclose(lengths, reach * np.array([2.0, 5.0, 10.0]), rtol=1e-3)
    vertices, faces, rgba = found.triangles(2)
    assert len(vertices) == len(rgba) == len(found) * len(icosphere(2)[0])
    assert faces.max() == len(vertices) - 1
    larger = build_scene(playback, 3, SceneSettings(ellipsoids=True, magnify=3)).ellipsoids
    np.testing.assert_allclose(larger.axes, 3 * found.axes)
    assert build_scene(make_playback(walker), 3, SceneSettings(ellipsoids=True)).ellipsoids is None


@pytest.mark.parametrize("rounds", [0, 1, 2])
def test_a_ball_of_triangles_is_closed_and_looks_outwards(rounds) -> None:
    vertices, faces = icosphere(rounds)
    assert len(faces) == 20 * 4**rounds
    assert len(vertices) - len(faces) * 3 // 2 + len(faces) == 2  # Euler
    np.testing.assert_allclose(np.linalg.norm(vertices, axis=1), 1)
    corners = vertices[faces]
    outward = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert ((outward * corners.mean(1)).sum(1) > 0).all()


def test_angles_are_drawn_with_their_numbers_and_intervals(playback) -> None:
    angles = playback.angles
    half = np.full(angles.deg.shape, 3.0)
    known = replace(angles, sd_deg=half / 2, low_deg=angles.deg - half, high_deg=angles.deg + half)
    scene = build_scene(replace(playback, angles=known), 20, SceneSettings(frusta=False, angles=("knee_flexion",)))
    (labels,) = scene.labels
    own = [angles.deg[20, 0, angles.names.index(f"knee_flexion_{side}")] for side in "lr"]
    assert set(labels.text) == {f"{value:.0f}° ±3" for value in own}
    knee = playback.points.xyz[20, 0, playback.points.keypoints.index("LKnee")]
    assert np.isclose(labels.xyz, knee).all(1).any()
    # the arc opens by the angle itself
    arcs = scene.line("arcs").xyz
    spokes = arcs[-2:]
    for spoke, value in zip(spokes, own, strict=True):
        joint, radius = spoke[0], np.linalg.norm(spoke[1] - spoke[0])
        on_arc = arcs[:-2][np.isclose(np.linalg.norm(arcs[:-2, 0] - joint, axis=1), radius)]
        u, v = (spoke[1] - joint) / radius, (on_arc[-1, 1] - joint) / radius
        assert abs(np.degrees(np.arccos(np.clip(u @ v, -1, 1))) - abs(value)) < 3


def test_events_are_drawn_on_the_floor_once_they_were(playback) -> None:
    own = replace(playback, events=LimbEvents.from_times([("L", "strike", [0.4]), ("R", "off", [0.6])]))
    assert len(build_scene(own, 10).marker("strikes")) == 0
    scene = build_scene(own, 40)
    strikes, offs = scene.marker("strikes"), scene.marker("offs")
    assert (len(strikes), len(offs), offs.kind) == (1, 1, "ring")
    heel = playback.points.xyz[20, 0, playback.points.keypoints.index("LHeel")]
    np.testing.assert_allclose(strikes.xyz[0, :2], heel[:2], atol=1e-6)
    assert abs(playback.ground.height(strikes.xyz)[0]) < 1e-6
    np.testing.assert_allclose(strikes.rgba[0, :3], palette.LEFT, atol=1e-6)


def test_raw_points_and_a_second_recording_are_drawn_apart(playback, walker) -> None:
    raw = replace(walker, xyz=walker.xyz + 7.0)
    second = make_playback(replace(walker, xyz=walker.xyz[::2], **_every_second(walker), fps=25.0))
    settings = SceneSettings(raw=True, second_shift_mm=500.0)
    scene = build_scene(replace(playback, raw=raw), 20, settings, second=second)
    np.testing.assert_allclose(scene.line("raw").xyz, scene.line("bones").xyz + 7.0)
    shift = 500 * playback.ground.axes[1]
    np.testing.assert_allclose(scene.line("second").xyz, scene.line("bones").xyz + shift, atol=1e-6)


def _every_second(walker: Keypoints3D) -> dict:
    return {name: getattr(walker, name)[::2] for name in ("error", "n_cameras", "score", "status")}


@pytest.mark.parametrize("n_keypoints", [1, 3])
@pytest.mark.parametrize("n_frames", [0, 1, 4])
def test_hardly_any_data_draws_hardly_anything(n_keypoints, n_frames) -> None:
    names = tuple(f"k{i}" for i in range(n_keypoints))
    for value in (np.nan, 5.0):
        points = Keypoints3D.from_points(np.full((n_frames, 1, n_keypoints, 3), value), names, ("x",))
        playback = make_playback(points)
        for row in (0, 99, -5):
            scene = build_scene(playback, row, ALL)
            assert all(np.isfinite(lines.xyz).all() for lines in scene.lines)
        for view in STANDARD_VIEWS:
            assert np.isfinite(frame_camera(playback, view).cam_from_world).all()


@pytest.mark.parametrize("view", STANDARD_VIEWS)
@pytest.mark.parametrize("aspect", [16 / 9, 0.7])
def test_framing_shows_the_whole_motion_and_wastes_little(playback, view, aspect) -> None:
    size = (round(600 * aspect), 600)
    camera = frame_camera(playback, view, aspect=aspect, follow=False)
    pixels, depth = camera.project(playback.points.xyz, size)
    assert (depth > 0).all()
    inside = (pixels >= 0) & (pixels <= np.array(size))
    assert inside.all()
    used = np.ptp(pixels.reshape(-1, 2), axis=0) / size
    assert used.max() > 0.6
    assert np.abs((pixels.min((0, 1, 2)) + pixels.max((0, 1, 2))) / 2 - np.array(size) / 2).max() < 0.12 * max(size)


def test_standard_views_look_from_where_they_say(playback) -> None:
    ground, names = playback.ground, playback.points.keypoints
    size, row = (800, 600), 30

    def x_of(camera: ViewCamera, name: str) -> float:
        return float(camera.project(playback.points.xyz[row, 0, names.index(name)], size)[0][0])

    front = frame_camera(playback, "front")
    assert (front.position - front.target) @ ground.axes[0] > 0
    assert x_of(front, "LShoulder") > x_of(front, "RShoulder")  # as one sees somebody who faces one
    side = frame_camera(playback, "side")
    moves = playback.path_of_subject[-1] - playback.path_of_subject[0]
    assert side.project(side.target + moves, size)[0][0] > size[0] / 2  # who walks forward goes to the right
    top = frame_camera(playback, "top")
    assert (top.position - top.target) @ ground.up > 0.99 * top.distance_mm


@pytest.mark.parametrize("distortion", [(), (-0.25, 0.08, 0.001, -0.002, 0.01), "fisheye"])
def test_a_cameras_own_view_is_its_image_with_its_lens(walker, distortion) -> None:
    fisheye = distortion == "fisheye"
    lens = (0.05, -0.01, 0.002, 0.0) if fisheye else distortion
    matrix = [[500, 0, 330], [0, 505, 250], [0, 0, 1]]
    camera = Camera("a", (640, 480), matrix, lens, [1.5, 0.1, 0.05], [0.0, 900, 4500], fisheye=fisheye)
    points = walker.xyz[::8]
    view = ViewCamera.from_camera(camera)
    pixels, _ = view.project(points, (640, 480))
    np.testing.assert_allclose(pixels, camera.project(points), atol=1e-6)
    # twice as large, with bars at the sides
    large, _ = view.project(points, (1400, 960))
    np.testing.assert_allclose(large, (camera.project(points) + 0.5) * 2 - 0.5 + [60, 0], atol=1e-6)
    # OpenGL has no lens: a pinhole sees the bent points where the lens shows the true ones
    pinhole = ViewCamera.from_camera(replace(camera, distortion=np.zeros(4 if fisheye else 0), fisheye=False))
    np.testing.assert_allclose(pinhole.project(view.bent(points), (640, 480))[0], pixels, atol=1e-6)


def test_orbiting_panning_and_zooming_do_what_they_say(playback) -> None:
    camera, size = frame_camera(playback), (800, 600)
    turned = camera.turned(40, 10)
    np.testing.assert_allclose(np.linalg.norm(turned.position - turned.target), camera.distance_mm)
    assert camera.turned(0, 500).elevation_deg < 90
    at = camera.project(camera.target, size)[0]
    np.testing.assert_allclose(
        camera.panned(30, -20, size).project(camera.target, size)[0], at + np.array([30, -20]), atol=1e-6
    )
    assert camera.zoomed(2).distance_mm == camera.distance_mm / 2
    own = ViewCamera.from_camera(playback.rig["a"], playback.ground.axes)
    free = own.turned(0, 0)
    assert free.camera is None
    np.testing.assert_allclose(free.position, own.position, atol=1e-6)


def test_points_beyond_the_lens_fold_are_not_drawn_in_the_image(playback) -> None:
    camera = replace(playback.rig["a"], distortion=np.array([-0.35, 0.02, 0, 0, 0]))
    ahead = camera.cam_from_world[:3, :3].T
    aside = camera.center + ahead @ np.array([2500.0, 0.0, 900.0])  # 70 degrees from the axis
    view = ViewCamera.from_camera(camera)
    folded = camera.project(aside)
    assert abs(folded[0]) < 1e5
    assert np.isnan(view.project(aside, camera.size)[0]).all()


def test_long_ways_are_followed(walker) -> None:
    drift = np.linspace(0, 12000, walker.n_frames)[:, None, None, None] * [1.0, 0, 0]
    assert follows(make_playback(replace(walker, xyz=walker.xyz + drift)))
    still = walker.xyz - walker.xyz.mean(2, keepdims=True)
    assert not follows(make_playback(replace(walker, xyz=still)))
