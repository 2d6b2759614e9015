"""Hard recordings: what is painted is what the truth says, the same bytes each time, and a project that can be read."""

import numpy as np
import pytest

from pose3d.data.labels import Mark
from pose3d.demo.furniture import hidden_by_boxes
from pose3d.demo.hard_recording import (
    HARD_SKELETON,
    label_truth,
    load_hard_truth,
    make_hard_recording,
    render_instants,
    write_instants,
)
from pose3d.demo.hard_scene import HardScene
from pose3d.errors import FormatError
from pose3d.io.video import open_frames
from pose3d.project import Project
from pose3d.project.labels import load_labels

SMALL = (320, 240)


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return make_hard_recording(tmp_path_factory.mktemp("hard"), seed=3, n_frames=12, size=SMALL)


def _painted(painter, frame):
    """Return the pixels that a figure covers."""
    empty = painter._background
    image = empty.copy()
    painter._figure.paint(image, 3 * frame + 1)
    return np.abs(image.astype(int) - empty).max(axis=-1) > 12


def test_what_is_visible_is_painted_and_what_furniture_hides_is_not():
    scene = HardScene(1, np.arange(0, 8, 0.8))
    xy, mark = scene.place()
    shown, covered = [], []
    for number, camera in enumerate(scene.rig):
        painter = scene.painter(number)
        behind = hidden_by_boxes(scene.boxes, camera.center, scene.xyz)
        assert (mark[:, number][behind & (mark[:, number] != Mark.ABSENT)] == Mark.OCCLUDED).all()
        for frame in range(len(xy)):
            painted = _painted(painter, frame)
            for chosen, into in ((mark[frame, number] == Mark.VISIBLE, shown), (behind[frame], covered)):
                at = xy[frame, number][chosen & np.isfinite(xy[frame, number, :, 0])].round().astype(int)
                into.extend(painted[at[:, 1], at[:, 0]].tolist())
    assert len(shown) > 250
    assert np.mean(shown) > 0.93  # the tips of feet and noses end within a pixel of their keypoints
    assert len(covered) > 20
    assert np.mean(covered) < 0.05


def test_hidden_keypoints_are_many_but_not_most():
    seen = np.concatenate([HardScene(seed, np.arange(0, 8, 0.5)).place()[1].ravel() for seed in range(6)])
    occluded, absent = np.mean(seen == Mark.OCCLUDED), np.mean(seen == Mark.ABSENT)
    assert 0.15 < occluded < 0.45
    assert absent < 0.03


def test_a_frame_is_the_same_whatever_is_rendered_with_it():
    together, alone = render_instants(7, [0, 40, 80], size=SMALL), render_instants(7, [80], size=SMALL)
    assert np.array_equal(together.images[2], alone.images[0])
    assert np.allclose(together.xyz[2], alone.xyz[0], rtol=0, atol=1e-9)
    assert not np.array_equal(together.images[0], render_instants(8, [0], size=SMALL).images[0])


def test_the_person_shows_all_sides_and_moves():
    """A guess that never changes must be far off, or the recording would test no network."""
    scene = HardScene(2, np.arange(0, 8, 0.1))
    xy = scene.place()[0]
    away = np.linalg.norm(xy - np.nanmedian(xy, axis=0), axis=-1)
    assert np.nanmedian(away) > 40
    names = HARD_SKELETON.keypoints
    across = scene.xyz[:, names.index("LHip")] - scene.xyz[:, names.index("RHip")]
    turned = np.degrees(np.arctan2(across[:, 1], across[:, 0])) % 360
    assert set((turned // 90).astype(int)) == {0, 1, 2, 3}
    limbs = [(names.index(a), names.index(b)) for a, b in (("LKnee", "LAnkle"), ("RElbow", "RWrist"))]
    for a, b in limbs:
        assert np.ptp(np.linalg.norm(scene.xyz[:, a] - scene.xyz[:, b], axis=-1)) < 1e-6


def test_the_project_holds_videos_calibration_and_truth(recording):
    session = Project.load(recording.folder).sessions()[0]
    assert sorted(session.trial("walk").videos) == list(recording.rig.names)
    assert session.calibration_toml.is_file()
    again = load_hard_truth(recording.folder)
    assert np.array_equal(again.mark, recording.mark)
    assert np.array_equal(again.xy, recording.xy, equal_nan=True)
    assert np.allclose(again.xyz, recording.points.xyz[:, 0])
    rendered = render_instants(3, [5], size=SMALL).images[0]
    for number, path in enumerate(recording.videos.values()):
        frame = open_frames(path).frame(5)
        assert np.abs(frame.astype(float) - rendered[number]).mean() < 8


def test_labels_of_the_truth_are_read_back(recording):
    made = label_truth(recording, [2, 9], noise_px=0.0)
    read = load_labels(Project.load(recording.folder))
    assert set(read.labels.images) == set(made.labels.images)
    assert len(made) == 8
    rows = [read.labels.images.index(name) for name in made.labels.images]
    back = read.take(rows).labels.with_keypoints(made.labels.keypoints)
    assert np.array_equal(back.mark, made.labels.mark)
    assert np.nanmax(np.abs(back.xy - made.labels.xy)) < 1e-6
    assert set(read.recordings) == {"session1/walk"}
    noisy = label_truth(recording, [2, 9], noise_px=2.0, write=False)
    assert 1.0 < np.nanstd(noisy.labels.xy - made.labels.xy) < 3.0


def test_instants_of_several_seeds_become_labelled_images(tmp_path):
    images = write_instants(tmp_path, {1: [0, 30], 4: [10]}, size=SMALL)
    assert len(images) == 12
    assert len(set(images.recordings)) == 2
    assert all(path.is_file() for path in images.paths)
    assert sorted(set(images.frames.tolist())) == [0, 10, 30]


def test_damaged_truth_is_one_clear_line(tmp_path):
    with pytest.raises(FormatError, match=r"truth\.toml"):
        load_hard_truth(tmp_path)
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth" / "truth.toml").write_text("seed = 1\n")
    with pytest.raises(FormatError, match="make it anew"):
        load_hard_truth(tmp_path)
