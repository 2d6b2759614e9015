"""Pictures are compared by structure: what colour stands where a joint is known to be, not byte by byte."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from pose3d.data import Keypoints3D
from pose3d.viewer import palette
from pose3d.viewer.captions import quality_strip
from pose3d.viewer.lettering import text_size, write_text_on
from pose3d.viewer.loading import make_playback
from pose3d.viewer.overlay import draw_overlay
from pose3d.viewer.painter import Painter
from pose3d.viewer.pictures import GRID_VIEW, PictureMaker, PictureSettings
from pose3d.viewer.scene import SceneSettings, build_scene
from pose3d.viewer.view_camera import frame_camera

SIZE = (640, 480)
BARE = SceneSettings(floor=False, shadow=False, trails=False, frusta=False, events=False)


def nearest_side(bgr: np.ndarray) -> int:
    """Which of middle, left and right a colour is: by its hue, as light changes the rest."""
    rgb = bgr[..., ::-1].astype(float)
    if np.ptp(rgb) < 0.2 * rgb.max():
        return 0
    return 1 if rgb[2] > rgb[0] else 2


def painted(image: np.ndarray) -> np.ndarray:
    background = np.round(255 * np.array(palette.BACKGROUND[::-1]))
    return np.abs(image.astype(float) - background).max(-1) > 12


def test_known_joints_have_their_sides_colour(playback) -> None:
    camera, row = frame_camera(playback, "front", row=40, aspect=4 / 3), 40
    image = Painter(SIZE).paint(build_scene(playback, row, BARE), camera)
    names = playback.points.keypoints
    for name, side in (("LWrist", 1), ("RWrist", 2), ("LShoulder", 1), ("RShoulder", 2), ("Neck", 0), ("Head", 0)):
        x, y = np.round(camera.project(playback.points.xyz[row, 0, names.index(name)], SIZE)[0]).astype(int)
        assert painted(image)[y, x], name
        assert nearest_side(image[y, x]) == side, name
    mask = painted(image)
    assert 0.01 < mask.mean() < 0.2
    assert not mask[:20].any()


def test_what_is_nearer_covers_what_is_behind() -> None:
    xyz = np.array([[[[-500, 0, 1000], [500, 0, 1000]]]], dtype=float)
    names = ("paw_l", "paw_r")
    one = make_playback(Keypoints3D.from_points(xyz, names, ("x",), fps=30))
    for side, name in ((1, "paw_l"), (2, "paw_r")):
        points = np.array([[[[0, 0, 1000], [0, 0, 1000]]]], dtype=float)
        points[0, 0, names.index(name)] += 400 * (one.ground.axes[0])  # nearer to who looks from the front
        near = make_playback(Keypoints3D.from_points(points, names, ("x",), fps=30))
        camera = replace(
            frame_camera(one, "front"), target=np.array([0, 0, 1000.0]), elevation_deg=0.0, distance_mm=4000
        )
        image = Painter(SIZE).paint(build_scene(near, 0, BARE), replace(camera, axes=one.ground.axes))
        assert nearest_side(image[SIZE[1] // 2, SIZE[0] // 2]) == side


def test_the_same_scene_gives_the_same_picture_whatever_was_painted_before(playback) -> None:
    camera = frame_camera(playback)
    painter, fresh = Painter(SIZE), Painter(SIZE)
    settings = SceneSettings(angles=("knee_flexion",), centre_of_mass=True)
    for row in (5, 30, 31):
        painter.paint(build_scene(playback, row, settings), camera.turned(row, 0))
    out = np.full((SIZE[1], SIZE[0], 3), 99, dtype=np.uint8)
    again = painter.paint(build_scene(playback, 12, settings), camera, out=out)
    assert again is out
    np.testing.assert_array_equal(again, fresh.paint(build_scene(playback, 12, settings), camera))


def test_the_shadow_is_darker_than_the_floor_and_the_body_hides_it(playback) -> None:
    camera = frame_camera(playback, "orbit", row=40)
    with_shadow = Painter(SIZE).paint(build_scene(playback, 40, SceneSettings(trails=False)), camera).astype(int)
    without = (
        Painter(SIZE).paint(build_scene(playback, 40, SceneSettings(trails=False, shadow=False)), camera).astype(int)
    )
    changed = (with_shadow - without).sum(-1)
    assert changed.max() <= 0
    assert (changed < 0).sum() > 150
    head = playback.points.xyz[40, 0, playback.points.keypoints.index("Head")]
    x, y = np.round(camera.project(head, SIZE)[0]).astype(int)
    assert changed[y, x] == 0


def test_ellipsoids_and_filled_points_let_the_background_shine_through(walker) -> None:
    covariance = np.broadcast_to(1500.0 * np.eye(3), (*walker.status.shape, 3, 3))
    playback = make_playback(replace(walker, covariance=covariance))
    camera = frame_camera(playback, row=40)
    plain = painted(Painter(SIZE).paint(build_scene(playback, 40, BARE), camera))
    balls = painted(Painter(SIZE).paint(build_scene(playback, 40, replace(BARE, ellipsoids=True)), camera))
    assert balls.sum() > 1.5 * plain.sum()
    pale = make_playback(replace(walker, status=np.full(walker.status.shape, 2)))
    image = Painter(SIZE).paint(build_scene(pale, 40, BARE), camera)
    solid = Painter(SIZE).paint(build_scene(playback, 40, BARE), camera)
    empty = 480 * 640 * 255 * sum(palette.BACKGROUND)
    assert image.sum(dtype=float) - empty < 0.7 * (solid.sum(dtype=float) - empty)


def test_overlays_draw_the_points_where_the_image_shows_them(playback) -> None:
    image = np.full((480, 640, 3), 90, dtype=np.uint8)
    draw_overlay(image, playback, "b", 30, detections=False, chip=False)
    names = playback.points.keypoints
    for name, side in (("LKnee", 1), ("RKnee", 2)):
        x, y = np.round(playback.rig["b"].project(playback.points.xyz[30, 0, names.index(name)])).astype(int)
        assert nearest_side(image[y, x]) == side
    half = np.full((240, 320, 3), 90, dtype=np.uint8)
    draw_overlay(half, playback, "b", 30, detections=False, chip=False)
    x, y = np.round((playback.rig["b"].project(playback.points.xyz[30, 0, names.index("LWrist")]) + 0.5) / 2 - 0.5)
    assert nearest_side(half[int(y), int(x)]) == 1
    assert (half != 90).any(-1).mean() < 0.1


def test_a_whisker_tells_a_detection_that_is_far_off(playback) -> None:
    knee = playback.points.keypoints.index("LKnee")
    xy = playback.views.xy.copy()
    at = playback.rig["a"].project(playback.points.xyz[30, 0, knee])
    xy[30, 0, 0, knee] = at + np.array([0, -90])
    far = replace(playback, views=replace(playback.views, xy=xy))
    images = [np.full((480, 640, 3), 90, dtype=np.uint8) for _ in range(2)]
    for image, own in zip(images, (playback, far), strict=True):
        draw_overlay(image, own, "a", 30, chip=False)
    x, y = np.round(at + np.array([0, -45])).astype(int)
    expected = np.round(255 * np.array(palette.WEAKER[::-1]))
    column = images[1][y, x - 2 : x + 3].astype(float)
    assert np.abs(column - expected).max(-1).min() < 40
    assert far.residual_px[30, 0] > playback.residual_px[30, 0] + 3


def test_the_strip_shows_a_single_bad_frame_among_very_many() -> None:
    n = 100_000
    xyz = np.zeros((n, 1, 1, 3))
    error = np.full((n, 1, 1), 1.0)
    error[70_003] = 50.0
    points = Keypoints3D.from_points(xyz, ("a",), ("x",), fps=60)
    strip = quality_strip(make_playback(replace(points, error=error)), 500, 10)
    top = strip[0].astype(int).sum(-1)
    assert top.argmax() == 350
    assert (top == top.max()).sum() == 1


def test_words_are_written_with_all_their_signs() -> None:
    image = np.zeros((40, 200, 3), dtype=np.uint8)
    width = write_text_on(image, "47° ±2 px", (4, 4), 18, (1.0, 1.0, 1.0))
    assert abs(width - text_size("47° ±2 px", 18)[0]) <= 1
    assert image[:, 4 : 4 + width].max() > 240
    assert not image[:, 8 + width :].any()
    signs = [np.zeros((40, 40, 3), dtype=np.uint8) for _ in range(3)]
    for sign, picture in zip("°±\u0378", signs, strict=True):  # the last is none: a box
        write_text_on(picture, sign, (2, 2), 18, (1.0, 1.0, 1.0))
    assert not np.array_equal(signs[0], signs[1])
    assert not np.array_equal(signs[0], signs[2])
    write_text_on(image, "beyond", (190, 35), 18, (1.0, 1.0, 1.0))  # cut off, not refused
    write_text_on(image, "out", (400, -90), 18, (1.0, 1.0, 1.0), halo=True)


def test_a_grid_gives_every_camera_its_own_place(playback) -> None:
    maker = PictureMaker(playback, PictureSettings(view=GRID_VIEW, size=(960, 540)))
    assert set(maker.panes) == set("abcd")
    images = {camera: np.full((480, 640, 3), 60 + 40 * i, dtype=np.uint8) for i, camera in enumerate("abcd")}
    picture = maker.make(10, images)
    for i, (width, height) in enumerate(maker.panes.values()):
        area = (np.abs(picture.astype(int) - (60 + 40 * i)).max(-1) < 3).sum()
        assert 0.75 * width * height < area <= width * height
        assert abs(width / height - 4 / 3) < 0.03
    assert painted(maker.make(10, {}))[:, : maker._scene_size[0]].any()


@pytest.fixture(scope="module")
def gl_pictures(playback, tmp_path_factory):
    """The same scenes by OpenGL, drawn in a process of its own."""
    import pickle

    folder = tmp_path_factory.mktemp("gl")
    (folder / "playback.pickle").write_bytes(pickle.dumps(playback))
    code = f"""
import json, pickle, numpy as np
from pathlib import Path
from pose3d.viewer.gl_renderer import GlRenderer, start_opengl
from pose3d.viewer.scene import SceneSettings, build_scene
from pose3d.viewer.view_camera import ViewCamera, frame_camera
folder = Path({str(folder)!r})
playback = pickle.loads((folder / "playback.pickle").read_bytes())
bare = SceneSettings(floor=False, shadow=False, trails=False, frusta=False, events=False)
renderer = GlRenderer({SIZE!r})
views = [frame_camera(playback, name, row=40, aspect=4 / 3) for name in ("front", "side", "orbit")]
views.append(ViewCamera.from_camera(playback.rig["b"]))
np.save(folder / "images.npy", [renderer.paint(build_scene(playback, 40, bare), view) for view in views])
print(json.dumps(start_opengl()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode or not done.stdout.strip():
        pytest.skip(f"no OpenGL here: {(done.stderr.strip().splitlines() or ['it ends without a word'])[-1]}")
    assert json.loads(done.stdout.strip().splitlines()[-1])
    return np.load(folder / "images.npy")


def test_opengl_and_the_painter_draw_the_same_scene(playback, gl_pictures) -> None:
    from pose3d.viewer.view_camera import ViewCamera

    views = [frame_camera(playback, name, row=40, aspect=4 / 3) for name in ("front", "side", "orbit")]
    views.append(ViewCamera.from_camera(playback.rig["b"]))  # with a lens
    scene, names = build_scene(playback, 40, BARE), playback.points.keypoints
    for view, drawn in zip(views, gl_pictures, strict=True):
        own = Painter(SIZE).paint(scene, view)
        a, b = painted(own), painted(drawn)
        assert (a & b).sum() / (a | b).sum() > 0.7
        sides = [[nearest_side(image[y, x]) for y, x in np.argwhere(a & b)[::7]] for image in (own, drawn)]
        assert np.mean(np.array(sides[0]) == np.array(sides[1])) > 0.93
        for name in ("LWrist", "RWrist", "Head"):
            x, y = np.round(view.project(playback.points.xyz[40, 0, names.index(name)], SIZE)[0]).astype(int)
            assert b[y, x]
