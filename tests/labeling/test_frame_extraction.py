"""Frames as images: the right frame of each camera, at full resolution, never twice, all or nothing."""

import cv2
import numpy as np
import pytest

from pose3d.data import Keypoints2D
from pose3d.errors import DataError, Pose3DError, ProjectError, VideoError
from pose3d.io.dlc import write_dlc
from pose3d.io.video import VideoFile, open_frames, write_video
from pose3d.labeling import extraction
from pose3d.labeling.extraction import extract_frames, extract_instants
from pose3d.labeling.trial_frames import TrialFrames
from pose3d.project import Project, create_project
from pose3d.project.labels import load_labels

SIZE = (96, 64)
BARS = 8


def picture(number, shift=0):
    """An image that tells its number: bars for its bits, and a spot that wanders."""
    image = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    for bit in range(BARS):
        image[:24, bit * 12 : bit * 12 + 12] = 220 if number >> bit & 1 else 30
    x, y = (number * 5 + shift) % 80, 30 + number % 25
    image[y : y + 8, x : x + 8] = (40, 200, 250)
    return image


def number_in(image):
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return sum(1 << bit for bit in range(BARS) if gray[4:20, bit * 12 + 3 : bit * 12 + 9].mean() > 128)


def record(path, first, n, shift=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, (picture(first + i, shift) for i in range(n)), fps=50)


def read(path):
    return cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Two cameras; the right one began 3 frames earlier, so that its frame i + 3 shows instant i."""
    folder = tmp_path_factory.mktemp("videos")
    record(folder / "left.mp4", 10, 120)
    record(folder / "right.mp4", 7, 120, shift=30)
    return folder


@pytest.fixture
def project(tmp_path, videos):
    root = tmp_path / "Größe 1"
    create_project(root, {"offsets": {"right": 3}})
    for session, trials in (("mon", ("walk", "trot")), ("tue", ("walk",))):
        (root / session / "videos-raw").mkdir(parents=True)
        for trial in trials:
            for camera in ("left", "right"):
                (root / session / "videos-raw" / f"{trial}_{camera}.mp4").hardlink_to(videos / f"{camera}.mp4")
    return Project.load(root)


def one_trial(project):
    for trial in project.session(project.folder / "mon").trials():
        if trial.name == "trot":
            return trial
    raise AssertionError


@pytest.mark.parametrize("method", ["kmeans", "uniform"])
def test_the_same_instants_from_all_cameras(project, method):
    made = extract_frames(project, n=12, method=method)
    assert made.n_instants == 12
    assert [len(trial.instants) for trial in made.trials] == [4, 4, 4]
    assert len(made.images) == 24
    for trial in made.trials:
        for path in trial.images:
            frame = int(path.stem[3:])
            image = read(path)
            assert image.shape == (SIZE[1], SIZE[0], 3)
            instant = frame if "left" in path.parent.name else frame - 3
            assert instant in trial.instants
            assert number_in(image) == 10 + instant
    images = load_labels(project, unlabelled=True)
    assert len(images) == 24
    assert set(images.recordings) == {"mon/trot", "mon/walk", "tue/walk"}
    assert sorted(set(images.cameras)) == ["left", "right"]
    assert sorted(path.name for path in project.labeled_data.iterdir()) == [
        "mon.walk_left", "mon.walk_right", "trot_left", "trot_right", "tue.walk_left", "tue.walk_right",
    ]  # fmt: skip


def test_a_clock_that_drifts_and_fractions_of_frames(project):
    project.config_path.write_text("", encoding="utf-8")
    project = Project.load(project.folder)
    session = project.session(project.folder / "mon")
    text = "at_frame = 0\n[cameras.left]\noffset_frames = 0\n[cameras.right]\noffset_frames = 2.6\ndrift_ppm = 4000\n"
    session.sync_toml.write_text(text, encoding="utf-8")
    views = TrialFrames(session.trial("trot"))
    instants = np.arange(len(views.instants)) + views.instants[0]
    np.testing.assert_array_equal(views.instants, instants)
    np.testing.assert_array_equal(views.frames[:, 1], np.floor(1.004 * instants + 2.6 + 0.5))
    assert views.frames[:, 1].max() == 119
    made = extract_frames(project, [session], n=6, trial="trot", method="uniform")
    for path in made.images:
        instant = int(path.stem[3:])
        assert number_in(read(path)) == instant + (10 if "left" in path.parent.name else 7)


def test_names_have_deeplabcuts_digits(project):
    made = extract_frames(project, n=1, trial="trot", at=["9"])
    assert sorted(f"{path.parent.name}/{path.name}" for path in made.images) == [
        "trot_left/img009.png",
        "trot_right/img012.png",
    ]


def test_no_instant_is_chosen_twice(project):
    session = project.session(project.folder / "mon")
    seen = set()
    for method in ("uniform", "kmeans", "kmeans", "uniform"):
        made = extract_frames(project, [session], n=20, method=method, trial="trot")
        (trial,) = made.trials
        assert not seen & set(trial.instants)
        seen |= set(trial.instants)
    before = {path: path.read_bytes() for path in project.labeled_data.rglob("*.png")}
    again = extract_frames(project, trial="trot", at=[str(instant) for instant in sorted(seen)])
    assert again.images == ()
    assert {path: path.read_bytes() for path in project.labeled_data.rglob("*.png")} == before


def test_all_instants_and_then_none(project):
    n = len(TrialFrames(one_trial(project)).instants)
    assert n == 117
    made = extract_frames(project, n=500, method="uniform", trial="trot")
    assert made.n_instants == n
    assert f"{n} of 500 instants were found; there are no more to choose from" in made.lines()
    empty = extract_frames(project, n=5, trial="trot")
    assert (empty.n_instants, empty.images) == (0, ())


def test_the_same_seed_chooses_the_same(project):
    picks = []
    for seed in (0, 0, 5):
        made = extract_frames(project, n=6, seed=seed, trial="trot")
        picks.append(made.trials[0].instants)
        for path in made.images:
            path.unlink()
    assert picks[0] == picks[1]
    assert picks[0] != picks[2]


def test_times_as_frames_and_seconds(project):
    made = extract_frames(project, at=["1.5s", " 80", "1.50S"], trial="trot")
    assert made.trials[0].instants == (75, 80)
    for word, expected in (("soon", "is no time"), ("-9", "instant -9 .* is not shown by all"), ("nans", "no time")):
        with pytest.raises(DataError, match=expected):
            extract_frames(project, at=[word], trial="trot")
    with pytest.raises(DataError, match=r"there are mon/trot, mon/walk, tue/walk; name the one by --trial"):
        extract_frames(project, at=["3"])


def test_where_a_network_is_unsure(project):
    trial = one_trial(project)
    (trial.session.folder / "pose-2d").mkdir()
    for camera, hard in (("left", (30, 90)), ("right", (63,))):
        score = np.full((120, 1, 1, 3), 0.95)
        score[list(hard), ..., :2] = 0.2
        score[..., 2] = np.nan  # never seen in this view: says nothing
        xy = np.where(np.isfinite(score)[..., None], [9.0, 9.0], np.nan)
        keypoints = Keypoints2D(xy, score, (camera,), ("individual_0",), ("a", "b", "c"))
        write_dlc(keypoints, trial.session.folder / "pose-2d" / f"trot_{camera}.h5")
    made = extract_frames(project, n=3, method="uncertain")
    assert made.trials[0].instants == (30, 60, 90)
    with pytest.raises(ProjectError, match="no 2D keypoints in pose-2d"):
        extract_frames(project, [project.session(project.folder / "tue")], n=3, method="uncertain")


def test_given_instants_for_the_queue(project):
    made = extract_instants(one_trial(project), [4, 100, 4])
    assert made.instants == (4, 100)
    assert len(made.images) == 4
    with pytest.raises(DataError, match="instant 118"):
        extract_instants(one_trial(project), [118])


def test_a_video_that_breaks_off_leaves_no_images(project, monkeypatch):
    path = project.folder / "mon" / "videos-raw" / "trot_right.mp4"
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(VideoError, match=r"cut short|index is missing"):
        extract_frames(project, n=6, trial="trot")
    path.write_bytes(data)
    frames = VideoFile._read

    def broken(self, wanted, gray):
        for index, image in frames(self, wanted, gray):
            if self.path == path and index > 60:
                raise VideoError(f"{path}: breaks off")
            yield index, image

    monkeypatch.setattr(VideoFile, "_read", broken)
    with pytest.raises(VideoError, match="breaks off"):
        extract_frames(project, n=6, method="uniform", trial="trot")
    assert not list(project.labeled_data.rglob("*.png"))


def test_a_full_disk_leaves_no_images(project, monkeypatch):
    written = []
    whole = extraction.write_png

    def until_full(path, image):
        if len(written) == 3:
            raise Pose3DError(f"{path}: cannot be written (No space left on device)")
        whole(path, image)
        written.append(path)

    monkeypatch.setattr(extraction, "write_png", until_full)
    with pytest.raises(Pose3DError, match="No space left"):
        extract_frames(project, n=4, method="uniform", trial="trot")
    assert len(written) == 3
    assert not list(project.labeled_data.rglob("*.png"))


def test_what_does_not_fit(project, caplog):
    (project.folder / "empty" / "videos-raw").mkdir(parents=True)
    with pytest.raises(ProjectError, match="there are no videos; put"):
        extract_frames(project, [project.session(project.folder / "empty")])
    with pytest.raises(ProjectError, match="no trial 'run' with videos; there is trot, walk"):
        extract_frames(project, trial="run")
    sync = project.folder / "mon" / "sync.toml"
    sync.write_text("[cameras.left]\noffset_frames = 0\n", encoding="utf-8")
    with pytest.raises(ProjectError, match="both say when cameras began"):
        extract_frames(project, trial="trot")
    project.config_path.write_text("", encoding="utf-8")
    project = Project.load(project.folder)
    with pytest.raises(DataError, match="has no timing of camera right"):
        extract_frames(project, trial="trot")
    sync.write_text("[cameras.left]\noffset_frames = 0\n[cameras.right]\noffset_frames = 500\n", encoding="utf-8")
    with pytest.raises(DataError, match="no instant that all cameras show"):
        extract_frames(project, trial="trot")
    sync.unlink()
    record(project.folder / "mon" / "videos-raw" / "trot_top.mp4", 0, 20)
    made = extract_frames(project, n=30, method="uniform", trial="trot")
    assert "views of unequal length" in caplog.text
    assert made.n_instants == 20
    assert max(made.trials[0].instants) == 19


def test_of_long_videos_a_bounded_number_of_frames_is_looked_at(tmp_path, monkeypatch):
    """At most 400 instants are decoded, at key frames where there are enough."""
    root = tmp_path / "p"
    create_project(root)
    record(root / "s" / "videos-raw" / "a_cam1.mp4", 0, 900)
    monkeypatch.setattr(extraction, "_MOST_CANDIDATES", 25)
    looked = []
    monkeypatch.setattr(
        TrialFrames,
        "sights",
        lambda self, instants, progress: (looked.append(instants), whole(self, instants, progress))[1],
    )
    made = extract_frames(Project.load(root), n=2)
    assert made.n_instants == 2
    assert len(looked[0]) == 25
    keys = open_frames(root / "s" / "videos-raw" / "a_cam1.mp4").key_frames
    assert len(keys) >= 30
    assert set(looked[0].tolist()) <= set(keys.tolist())


whole = TrialFrames.sights
