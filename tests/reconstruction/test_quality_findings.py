"""What is wrong with a recording is named, and nothing is said of one in which nothing is."""

from dataclasses import replace

import numpy as np
import pytest

from pose3d.data import Rig
from pose3d.demo.trials import TRIAL_SKELETON, make_ring, make_trial, walk_in_circles
from pose3d.geometry.transforms import rigid, rotvec_translation
from pose3d.reconstruction import triangulate_views
from pose3d.reconstruction.quality import measure_quality

FRAMES, PAD, BUMPED = 600, 10, 300


def motion(seed):
    """Walks of different kinds, one that stops, one that trembles."""
    rng = np.random.default_rng([seed, 5])
    n = FRAMES + 2 * PAD
    kind = seed % 4
    xyz = walk_in_circles(
        n, rng=rng, fps=60.0 if kind == 1 else 100.0, radius_mm=(800.0, 1200.0, 500.0, 300.0)[kind]
    ).copy()
    if kind == 2:
        xyz[n * 2 // 5 :] = xyz[n * 2 // 5]
    if kind == 3:
        for hz in rng.uniform(2, 8, 5):
            wave = 8 / hz * np.sin(2 * np.pi * hz * np.arange(n) / 100 + rng.uniform(0, 6))
            xyz += wave[:, None, None] * rng.standard_normal(3)
    return xyz


class Scene:
    """A recording with unequal noise, outliers and gaps, and the means to make one camera's views anew."""

    def __init__(self, seed, n_cameras=None):
        self.seed, self.rng = seed, np.random.default_rng([seed, 6])
        n = 3 + seed % 6 if n_cameras is None else n_cameras
        self.rig = make_ring(n)
        self.camera = int(self.rng.integers(n))
        self.noise = self.rng.uniform(0.5, 3.0, n)
        self.world = motion(seed)
        self.keypoints = self.seen(self.world[PAD:-PAD])
        xy = self.keypoints.xy.copy()
        for _ in range(6):
            first, k = self.rng.integers(0, FRAMES - 50), self.rng.integers(0, 15)
            xy[first : first + self.rng.integers(10, 50), self.rng.integers(n), :, k : k + 5] = np.nan
        self.keypoints = replace(self.keypoints, xy=xy)

    @property
    def name(self):
        return self.rig.names[self.camera]

    def seen(self, xyz, rig=None):
        rng = self.rng
        return make_trial(
            FRAMES,
            rig=self.rig if rig is None else rig,
            xyz=xyz,
            noise_px=self.noise,
            outliers=rng.uniform(0, 0.1),
            missing=rng.uniform(0.05, 0.25),
            seed=self.seed,
        ).keypoints

    def with_views(self, other, first=0):
        """Return the recording with one camera's views of another one, from a frame on."""
        xy, score = self.keypoints.xy.copy(), self.keypoints.score.copy()
        xy[first:, self.camera] = other.xy[first:, self.camera]
        score[first:, self.camera] = other.score[first:, self.camera]
        return replace(self.keypoints, xy=xy, score=score)

    def late(self, n):
        return self.with_views(self.seen(self.world[PAD - n : PAD - n + FRAMES]))

    def bumped(self, camera):
        cameras = [camera if c.name == camera.name else c for c in self.rig]
        return self.with_views(self.seen(self.world[PAD:-PAD], Rig(tuple(cameras))), BUMPED)

    def turned(self, degrees):
        axis = self.rng.standard_normal(3)
        camera = self.rig.cameras[self.camera]
        turn = rigid(np.radians(degrees) * axis / np.linalg.norm(axis), np.zeros(3))
        rotation, translation = rotvec_translation(turn @ camera.cam_from_world)
        return self.bumped(replace(camera, rotation=rotation, translation=translation))

    def shifted(self, mm):
        axis = self.rng.standard_normal(3)
        camera = self.rig.cameras[self.camera]
        return self.bumped(replace(camera, translation=camera.translation + mm * axis / np.linalg.norm(axis)))

    def exchanged(self, a, b):
        xy = self.keypoints.xy.copy()
        xy[:, self.camera, :, [a, b]] = xy[:, self.camera, :, [b, a]]
        return replace(self.keypoints, xy=xy)


def quality(keypoints, rig):
    made = triangulate_views(keypoints, rig)
    return measure_quality(keypoints, rig, made.points, used=made.used)


def judge(seed, fault):
    """Say whether the fault of a scene is the first that is named, and rightly."""
    scene = Scene(seed)
    if fault == "clean":
        return not quality(scene.keypoints, scene.rig).findings
    if fault == "late":
        lag = int(scene.rng.choice([1, 2, 3, -1, -2, 5]))
        found = quality(scene.late(lag), scene.rig).findings
        return (
            bool(found)
            and (found[0].code, found[0].cameras) == ("late", (scene.name,))
            and (abs(found[0].size - lag) < 0.5)
        )
    if fault in ("turned", "shifted"):
        seen = scene.turned(0.5) if fault == "turned" else scene.shifted(20.0)
        found = quality(seen, scene.rig).findings
        return (
            bool(found)
            and (found[0].code, found[0].cameras) == ("moved", (scene.name,))
            and (abs(found[0].first_frame - BUMPED) <= 10)
        )
    pair = scene.rng.choice(20, 2, replace=False)
    found = quality(scene.exchanged(*pair), scene.rig).findings
    names = {TRIAL_SKELETON.keypoints[k] for k in pair}
    return (
        bool(found)
        and (found[0].code, found[0].cameras) == ("exchanged", (scene.name,))
        and (set(found[0].keypoints) == names)
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "least"), [("clean", 10), ("late", 9), ("turned", 9), ("shifted", 9), ("exchanged", 9)]
)
def test_ten_recordings(fault, least):
    assert sum(judge(seed, fault) for seed in range(10)) >= least


def test_a_camera_that_is_late_is_named_from_a_single_keypoint():
    """A wand has one: there are no others that could agree."""
    scene = Scene(0)
    one = scene.late(4).select(scene.rig.names)
    one = replace(one, xy=one.xy[..., 8:9, :], score=one.score[..., 8:9], keypoints=one.keypoints[8:9])
    found = quality(one, scene.rig).findings
    assert (found[0].code, found[0].cameras) == ("late", (scene.name,))


@pytest.mark.parametrize(("fault", "seed"), [("clean", 1), ("late", 0), ("turned", 0), ("exchanged", 1)])
def test_one_recording(fault, seed):
    assert judge(seed, fault)


def test_says_which_of_two_cameras_is_open():
    scene = Scene(0, n_cameras=2)
    found = quality(scene.late(3), scene.rig).findings
    assert found[0].code == "late"
    assert set(found[0].cameras) == set(scene.rig.names)
    assert "apart" in found[0].sentence


def small(n_frames=200, n_cameras=4, **settings):
    return make_trial(n_frames, rig=make_ring(n_cameras), **settings)


def test_silent_camera():
    trial = small()
    xy = trial.keypoints.xy.copy()
    xy[120:, 2] = np.nan
    (found,) = quality(replace(trial.keypoints, xy=xy), trial.rig).findings
    assert (found.code, found.cameras) == ("silent", ("cam_3",))
    assert abs(found.first_frame - 120) <= 8
    assert found.last_frame == 199
    assert "from frame 120 on" in found.sentence


def test_copied_camera():
    trial = small()
    xy = trial.keypoints.xy.copy()
    xy[:, 3] = xy[:, 1]
    found = quality(replace(trial.keypoints, xy=xy), trial.rig).findings
    assert [(f.code, f.cameras) for f in found] == [("copy", ("cam_2", "cam_4"))]


def test_camera_that_disagrees_on_some_keypoints_from_a_frame_on():
    trial = small(n_cameras=5, seed=4)
    rng = np.random.default_rng(0)
    xy = trial.keypoints.xy.copy()
    k = [trial.keypoints.keypoints.index(name) for name in ("LHeel", "LBigToe")]
    xy[100:, 1, :, k] += 25 * rng.standard_normal((2, 100, 1, 2))
    (found,) = quality(replace(trial.keypoints, xy=xy, start=40), trial.rig).findings
    assert (found.code, found.cameras, set(found.keypoints)) == ("disagrees", ("cam_2",), {"LHeel", "LBigToe"})
    assert abs(found.first_frame - 140) <= 8
    assert found.last_frame == 239


def test_keypoint_that_is_poor_in_all_cameras():
    trial = small(seed=5)
    xy = trial.keypoints.xy.copy()
    xy[..., 3, :] += 30 * np.random.default_rng(1).standard_normal(xy[..., 3, :].shape)
    (found,) = quality(replace(trial.keypoints, xy=xy), trial.rig).findings
    assert (found.code, found.cameras, found.keypoints) == ("keypoint", (), ("Nose",))


def test_camera_that_is_noisy_all_over():
    trial = small(n_cameras=5, seed=6, noise_px=np.array([1.0, 1.0, 12.0, 1.0, 1.5]))
    (found,) = quality(trial.keypoints, trial.rig).findings
    assert (found.code, found.cameras) == ("noisy", ("cam_3",))
    assert 8 < found.size < 16


def test_camera_that_never_fitted_its_calibration():
    trial = small(seed=7)
    camera = trial.rig.cameras[0]
    turn = rigid(np.radians([0.0, 0.6, 0.0]), np.zeros(3))
    rotation, translation = rotvec_translation(turn @ camera.cam_from_world)
    wrong = replace(camera, rotation=rotation, translation=translation)
    rig = Rig((wrong, *trial.rig.cameras[1:]))
    (found,) = quality(trial.keypoints, rig).findings
    assert (found.code, found.cameras) == ("calibration", ("cam_1",))
    assert (found.first_frame, found.last_frame) == (0, 199)


def test_mislabelled_keypoint():
    trial = small(n_cameras=5, seed=8)
    names = trial.keypoints.keypoints
    a, b = names.index("LWrist"), names.index("RWrist")
    xy = trial.keypoints.xy.copy()
    xy[:, 2, :, a] = xy[:, 2, :, b] + np.random.default_rng(2).standard_normal(xy[:, 2, :, b].shape)
    found = quality(replace(trial.keypoints, xy=xy), trial.rig).findings[0]
    assert (found.code, found.cameras, found.keypoints) == ("mislabelled", ("cam_3",), ("LWrist", "RWrist"))


def test_several_pairs_exchanged_in_one_camera_are_one_finding():
    trial = small(n_cameras=5, seed=9)
    names = trial.keypoints.keypoints
    xy = trial.keypoints.xy.copy()
    for joint in ("Knee", "Ankle", "Wrist"):
        pair = [names.index("L" + joint), names.index("R" + joint)]
        xy[:, 1, :, pair] = xy[:, 1, :, pair[::-1]]
    found = quality(replace(trial.keypoints, xy=xy), trial.rig).findings
    assert len(found) == 1
    assert found[0].code == "exchanged"
    assert len(found[0].keypoints) == 6


def test_refined_points_do_not_hide_a_fault():
    """The findings come from the views: points that the bad camera has pulled along change little."""
    scene = Scene(3)
    seen = scene.late(2)
    plain = triangulate_views(seen, scene.rig, robust=False)
    found = measure_quality(seen, scene.rig, plain.points).findings
    assert (found[0].code, found[0].cameras) == ("late", (scene.name,))


def test_findings_are_sentences_with_advice():
    scene = Scene(1)
    found = quality(scene.turned(0.5), scene.rig).findings[0]
    assert found.line() == f"{found.sentence}; {found.advice}"
    assert scene.name in found.sentence
    assert found.unit == "px"
    assert 5 < found.size < 15
    assert set(found.to_dict()) >= {"code", "cameras", "keypoints", "first_frame", "last_frame", "size", "unit"}
