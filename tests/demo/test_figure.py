"""The painted figure is where the keypoints say."""

import numpy as np
import pytest

from pose3d.demo.clothes import make_outfit
from pose3d.demo.figure import FigurePainter, body_limbs
from pose3d.demo.person import make_person
from pose3d.demo.rig import make_rig
from pose3d.demo.room import Room
from pose3d.demo.walk import walk_body

INSIDE = ("LHip", "RHip", "LKnee", "RKnee", "LAnkle", "RAnkle", "LElbow", "RElbow", "LWrist", "RWrist", "Neck", "Nose")


@pytest.fixture(scope="module")
def scene():
    rng = np.random.default_rng(4)
    person = make_person(rng)
    _, _, frames = walk_body(person, n_frames=30, fps=50, rng=rng)
    outfit = make_outfit(rng)
    rig = make_rig(seed=4, size=(480, 360))
    return rig, frames, body_limbs(person, frames, hair_long=outfit.hair_long), outfit, Room.around(rig, floor_mm=0)


def test_joints_lie_on_the_painted_body_and_nothing_else_changes(scene):
    rig, frames, limbs, outfit, room = scene
    for camera in rig:
        background = room.paint(camera)
        painter = FigurePainter(camera, limbs, outfit)
        for frame in (0, 17):
            image = background.copy()
            painter.paint(image, frame)
            changed = np.abs(image.astype(int) - background).max(-1) > 0
            xy = np.stack([camera.project(frames.points[name][frame]) for name in INSIDE])
            x, y = np.round(xy).astype(int).T
            assert changed[y, x].all()
            # the body's box, with room for limbs' widths and the shadow around the feet
            rows, columns = np.nonzero(changed)
            low, high = xy.min(0), xy.max(0)
            tall = high[1] - low[1]
            assert rows.min() > low[1] - 0.25 * tall
            assert columns.min() > low[0] - 0.45 * tall
            assert columns.max() < high[0] + 0.45 * tall
            assert 0.02 < changed.mean() < 0.35


def test_each_limb_covers_its_projected_middle_line(scene):
    rig, _, limbs, outfit, _ = scene
    camera = rig["frontleft"]
    for limb in limbs:
        if limb.radii[0] < 20:
            continue
        image = np.zeros((360, 480, 3), np.uint8)
        FigurePainter(camera, [limb], outfit).paint(image, 5)
        share = np.linspace(0, 1, 9)[:, None]
        line = camera.project(limb.low[5] * (1 - share) + limb.high[5] * share)
        x, y = np.round(line).astype(int).T
        assert (image[y, x].max(-1) > 0).all()


def test_width_of_a_limb_is_its_diameter(scene):
    rig, _, limbs, outfit, _ = scene
    camera = rig["frontleft"]
    limb = next(limb for limb in limbs if limb.texture == "upper_arm")
    image = np.zeros((360, 480, 3), np.uint8)
    FigurePainter(camera, [limb], outfit).paint(image, 0)
    # area of the silhouette against a capsule's: length * 2 r + pi r^2, foreshortened
    ends = camera.project(np.stack([limb.low[0], limb.high[0]]))
    length = np.linalg.norm(ends[1] - ends[0])
    depth = np.linalg.norm(camera.center - limb.low[0])
    radius = camera.focal * np.mean(limb.radii) / depth
    assert (image.max(-1) > 0).sum() == pytest.approx(2 * radius * length + np.pi * radius**2, rel=0.2)


def test_a_body_behind_the_camera_is_not_painted(scene):
    rig, _, limbs, outfit, _ = scene
    # the cameras go 13 m to the front left: those at the back look away from the body, those at the front still see it
    moved = rig.transformed(np.array([[1.0, 0, 0, 9000], [0, 1, 0, 9000], [0, 0, 1, 0], [0, 0, 0, 1]]))
    brightest = {}
    for name in ("frontleft", "backright"):
        image = np.zeros((360, 480, 3), np.uint8)
        FigurePainter(moved[name], limbs, outfit).paint(image, 0)
        brightest[name] = image.max()
    assert brightest["frontleft"] > 50
    assert brightest["backright"] == 0


def test_rooms_differ_by_seed_only():
    rig = make_rig(seed=0, size=(160, 120))
    camera = rig.cameras[0]
    images = [Room.around(rig, seed=seed, floor_mm=0).paint(camera) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(images[0], images[1])
    assert np.abs(images[0].astype(int) - images[2]).mean() > 3
    assert images[0].std() > 10
