"""Projects of DeepLabCut and anipose taken over as they are: everything runs on them, their files stay untouched."""

import hashlib

import cv2
import numpy as np
import pandas as pd
import pytest

from pose3d.data.labels import ImageName, Labels, Mark
from pose3d.errors import ConfigError, FormatError, ProjectError
from pose3d.io.deeplabcut_project import read_deeplabcut_project
from pose3d.io.video import write_video
from pose3d.labeling.extraction import extract_frames
from pose3d.project import Project, create_project
from pose3d.project.adoption import adopt_project, find_foreign_project
from pose3d.project.labels import labelled_videos, load_labels, save_labels

CONFIG = """\
# Project definitions (do not edit)
Task: reaching
scorer: anna
date: Jan31
multianimalproject: false
identity:

# Project path (change when moving around)
project_path: C:\\Users\\anna\\reaching-anna-2024-01-31

# Annotation data set configuration (and individual video cropping parameters)
video_sets:
  C:\\Users\\anna\\reaching-anna-2024-01-31\\videos\\m3v1mp4.avi:
    crop: 0, 640, 0, 480
  /data/elsewhere/m4s1.avi:
    crop: 0, 640, 0, 480
  ? /data/a very long path that yaml writers break into a question mark and a colon/behind it/gone.avi
  : crop: 0, 640, 0, 480
bodyparts:
- snout
- left ear
- no
- tailbase
start: 0
stop: 1
numframes2pick: 20

# Plotting configuration
skeleton:
- - snout
  - left ear
- - snout
  - tailbase
- - snout
  - renamed since
skeleton_color: black
pcutoff: 0.6
dotsize: 12
TrainingFraction:
- 0.95
iteration: 0
default_net_type: resnet_50
snapshotindex: -1
"""
PARTS = ["snout", "left ear", "no", "tailbase"]
MULTI = CONFIG.replace(
    "bodyparts:\n- snout\n- left ear\n- no\n- tailbase\n",
    "individuals:\n- mouse1\n- mouse2\nuniquebodyparts:\n- corner\nmultianimalbodyparts:\n- snout\n- tailbase\n"
    "bodyparts: MULTI!\n",
).replace("multianimalproject: false", "multianimalproject: true")


def put_video(path, n=60):
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(len(path.name))
    frames = np.full((n, 48, 64, 3), 80, np.uint8)
    for i, (x, y) in enumerate(rng.integers(0, 38, (n, 2))):
        frames[i, y : y + 8, x : x + 8] = 220
    write_video(path, frames, fps=25)


def put_image(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", np.full((48, 64, 3), 80, np.uint8))[1].tobytes())


def write_labels(folder, images, *, individuals=None, unique=(), style="tuple", value=10.0):
    """Write CollectedData as DeepLabCut does."""
    if individuals is None:
        columns, names = [("anna", part, xy) for part in PARTS for xy in "xy"], ["scorer", "bodyparts", "coords"]
    else:
        owners = [(who, part) for who in individuals for part in ("snout", "tailbase")]
        owners += [("single", part) for part in unique]
        columns = [("anna", *owner, xy) for owner in owners for xy in "xy"]
        names = ["scorer", "individuals", "bodyparts", "coords"]
    rows = [("labeled-data", folder.name, image) for image in images]
    index = pd.MultiIndex.from_tuples(rows) if style == "tuple" else ["\\".join(row) for row in rows]
    values = np.full((len(images), len(columns)), value)
    values[:, 2:4] = np.nan
    frame = pd.DataFrame(values, columns=pd.MultiIndex.from_tuples(columns, names=names), index=index)
    frame.to_csv(folder / "CollectedData_anna.csv")
    frame.to_hdf(folder / "CollectedData_anna.h5", key="df_with_missing", mode="w")


@pytest.fixture
def dlc(tmp_path):
    """A single-animal project: two videos, one of them labelled, with what DeepLabCut leaves lying about."""
    root = tmp_path / "reaching-anna-2024-01-31"
    for name in ("m3v1mp4", "m4s1"):
        put_video(root / "videos" / f"{name}.avi")
    put_video(root / "videos" / "m4s1DLC_resnet50_reachingJan31shuffle1_1000_labeled.mp4", n=5)
    for name in ("img03.png", "img17.png", "img40.png"):
        put_image(root / "labeled-data" / "m3v1mp4" / name)
        put_image(root / "labeled-data" / "m3v1mp4_labeled" / name)
    write_labels(root / "labeled-data" / "m3v1mp4", ["img03.png", "img17.png", "img40.png"])
    (root / "labeled-data" / "m4s1").mkdir()
    (root / "training-datasets").mkdir()
    (root / "config.yaml").write_text(CONFIG, encoding="utf-8")
    return root


def digests(root):
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


def test_everything_runs_on_a_deeplabcut_project_and_its_files_stay_as_they_are(dlc):
    before = digests(dlc)
    adopted = adopt_project(dlc, dlc)
    assert adopted.config == dlc / "pose3d.toml"
    assert any("one camera, each video a trial" in note for note in adopted.notes)
    assert any("gone.avi" in note for note in adopted.notes)
    project = Project.load(dlc)
    skeleton = project.config.to_skeleton()
    assert skeleton.keypoints == tuple(PARTS)
    assert skeleton.edges == (("snout", "left ear"), ("snout", "tailbase"))
    (session,) = project.sessions()
    assert [trial.name for trial in session.trials()] == ["m3v1mp4", "m4s1"]
    assert [list(trial.videos) for trial in session.trials()] == [["camera"], ["camera"]]

    images = load_labels(project)
    assert len(images) == 3
    assert images.labels.keypoints == tuple(PARTS)
    assert images.labels.mark[:, 0].tolist() == [[1, 0, 1, 1]] * 3
    assert set(images.recordings) == {f"{dlc.name}/m3v1mp4"}
    assert images.paths[0] == dlc / "labeled-data" / "m3v1mp4" / "img03.png"

    made = extract_frames(project, n=10, method="uniform")
    assert made.n_instants == 10
    own = {path.relative_to(dlc).parts[0] for path in made.images}
    assert own == {"pose3d-labels"}
    assert {path.name for path in made.images if path.parent.name == "m3v1mp4"}.isdisjoint(
        {"img03.png", "img17.png", "img40.png"}
    )
    everything = load_labels(project, unlabelled=True)
    assert len(everything) == 13

    # One image anew, one of DeepLabCut's corrected, one of DeepLabCut's taken back.
    new = ImageName("m3v1mp4", next(path.name for path in made.images if path.parent.name == "m3v1mp4"))
    names = [new, ImageName("m3v1mp4", "img17.png"), ImageName("m3v1mp4", "img40.png")]
    mark = np.full((3, 1, 4), Mark.OCCLUDED)
    mark[2] = Mark.UNLABELLED
    xy = np.where(mark[..., None] == Mark.OCCLUDED, [33.0, 33.0], np.nan)
    save_labels(project, Labels(names, ("individual_0",), PARTS, xy, mark))
    labels = load_labels(project).labels
    values = {image: labels.xy[i, 0, 0, 0] for i, image in enumerate(labels.images)}
    assert values == {new: 33.0, names[1]: 33.0, ImageName("m3v1mp4", "img03.png"): 10.0}
    assert (dlc / "pose3d-labels" / "m3v1mp4" / "CollectedData_anna.h5").is_file()

    after = digests(dlc)
    assert {name: after[name] for name in before} == before
    assert all(name == "pose3d.toml" or name.startswith("pose3d-labels/") for name in set(after) - set(before))


def test_analyses_find_their_videos_in_an_adopted_project(dlc):
    adopt_project(dlc, dlc)
    (dlc / "pose-2d").mkdir()
    for name in ("m3v1mp4_camera.h5", "m4s1DLC_resnet50_reachingJan31shuffle1_1000.h5"):
        (dlc / "pose-2d" / name).write_bytes(b"x")
    (session,) = Project.load(dlc).sessions()
    found = {trial.name: (list(trial.videos), list(trial.pose_2d)) for trial in session.trials()}
    assert found == {"m3v1mp4": (["camera"], ["camera"]), "m4s1": (["camera"], ["camera"])}


def test_several_animals_keep_their_names_and_unique_keypoints(tmp_path):
    root = tmp_path / "two-anna"
    (root / "config.yaml").parent.mkdir()
    (root / "config.yaml").write_text(MULTI, encoding="utf-8")
    put_video(root / "videos" / "m3v1mp4.avi", n=10)
    put_image(root / "labeled-data" / "m3v1mp4" / "img3.png")
    write_labels(root / "labeled-data" / "m3v1mp4", ["img3.png"], individuals=["mouse1", "mouse2"], unique=["corner"])
    before = digests(root)
    source = read_deeplabcut_project(root)
    assert source.individuals == ("mouse1", "mouse2")
    assert (source.keypoints, source.unique_keypoints) == (("snout", "tailbase", "corner"), ("corner",))
    adopt_project(root, root)
    project = Project.load(root)
    labels = load_labels(project).labels
    assert labels.individuals == ("mouse1", "mouse2", "single")
    assert labels.mark[0].tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    save_labels(project, labels)
    frame = pd.read_hdf(root / "pose3d-labels" / "m3v1mp4" / "CollectedData_anna.h5")
    theirs = pd.read_hdf(root / "labeled-data" / "m3v1mp4" / "CollectedData_anna.h5")
    pd.testing.assert_frame_equal(frame, theirs)
    assert {name: digests(root)[name] for name in before} == before


def test_videos_of_several_cameras_are_told_by_their_names(tmp_path):
    root = tmp_path / "gait-anna"
    for name in ("walk_left", "walk_right", "trot_left", "trot_right"):
        put_video(root / "videos" / f"{name}.mp4", n=12)
        put_image(root / "labeled-data" / name / "img01.png")
    sets = "".join(f"  {root}/videos/{name}.mp4:\n    crop: 0, 1, 0, 1\n" for name in
                   ("walk_left", "walk_right", "trot_left", "trot_right"))  # fmt: skip
    text = f"scorer: anna\nvideo_sets:\n{sets}bodyparts: [snout]\n"
    (root / "config.yaml").write_text(text, encoding="utf-8")
    adopted = adopt_project(root, root)
    assert any("cameras by the videos' names: left, right" in note for note in adopted.notes)
    project = Project.load(root)
    (session,) = project.sessions()
    assert {trial.name: list(trial.videos) for trial in session.trials()} == {
        "trot": ["left", "right"],
        "walk": ["left", "right"],
    }
    images = load_labels(project, unlabelled=True)
    assert sorted(zip(images.recordings, images.cameras, strict=True))[0] == ("gait-anna/trot", "left")
    made = extract_frames(project, n=4, method="uniform")
    assert len(made.images) == 8


def test_another_project_uses_the_labels_of_a_deeplabcut_project(dlc, tmp_path):
    before = digests(dlc)
    root = tmp_path / "mine" / "new"
    adopted = adopt_project(root, dlc / "config.yaml")
    assert any("its labels are used and only read" in note for note in adopted.notes)
    project = Project.load(root)
    assert project.config.labeling.adopted == ("../../reaching-anna-2024-01-31",)
    assert project.sessions() == ()
    images = load_labels(project)
    assert len(images) == 3
    name = ImageName("m3v1mp4", "img17.png")
    save_labels(project, Labels([name], ("individual_0",), PARTS, np.full((1, 1, 4, 2), 5.0), np.ones((1, 1, 4))))
    again = load_labels(project)
    assert again.labels.xy[:, 0, 0, 0].tolist() == [10.0, 5.0, 10.0]
    assert again.recordings == images.recordings
    assert again.paths == images.paths
    # A video of one's own with the same name is another video: its images and labels are its own.
    put_video(root / "s" / "videos-raw" / "m3v1mp4.avi", n=50)
    project = Project.load(root)
    made = extract_frames(project, at=["17"])
    own = made.images[0].parent.name
    labels = load_labels(project, unlabelled=True)
    assert len(labels) == 4
    assert labels.labels.xy[[image.video != own for image in labels.labels.images], 0, 0, 0].tolist() == [10, 5, 10]
    assert digests(dlc) == before


def test_equal_names_of_adopted_and_own_videos_do_not_mix(dlc, tmp_path):
    root = tmp_path / "mine"
    put_video(root / "s" / "videos-raw" / "m3v1mp4.avi", n=50)
    adopt_project(root, dlc)
    project = Project.load(root)
    extract_frames(project, at=["17"])
    save_labels(
        project,
        Labels([ImageName("m3v1mp4", "img17.png")], ("individual_0",), PARTS, np.full((1, 1, 4, 2), 5.0),
               np.ones((1, 1, 4))),
    )  # fmt: skip
    images = load_labels(project)
    assert [(image.video, image.image) for image in images.labels.images] == [
        ("m3v1mp4", "img17.png"),
        ("reaching-anna-2024-01-31.m3v1mp4", "img03.png"),
        ("reaching-anna-2024-01-31.m3v1mp4", "img17.png"),
        ("reaching-anna-2024-01-31.m3v1mp4", "img40.png"),
    ]
    assert images.labels.xy[:, 0, 0, 0].tolist() == [5.0, 10.0, 10.0, 10.0]
    assert [video.adopted for video in labelled_videos(project)] == [False, True, True]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is empty"),
        ("a: b\n", "names no bodyparts"),
        ("- a\n- b\n", "names no bodyparts"),
        ("bodyparts: [a\n", "is no valid yaml"),
        ("bodyparts: [a, a]\nscorer: x\n", "bodyparts names 'a' twice"),
        ("bodyparts: {a: b}\nscorer: x\n", "bodyparts must be a list of names"),
        ("bodyparts: [[a]]\nscorer: x\n", "bodyparts must be a list of names"),
        ("bodyparts: []\nscorer: x\n", "names no bodyparts"),
        ("bodyparts: [a]\n", "scorer is missing"),
        ("bodyparts: MULTI!\nmultianimalbodyparts: [a]\nuniquebodyparts: [a]\nscorer: x\n", "stands in multianimal"),
        ("[" * 3_000, "is no valid yaml"),
        ("bodyparts: &a [*a]\nscorer: x\n", "must be a list of names|no valid yaml"),
    ],
)
def test_hostile_and_damaged_config_yaml(tmp_path, text, expected):
    (tmp_path / "labeled-data").mkdir()
    (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(FormatError, match=expected) as caught:
        adopt_project(tmp_path, tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "pose3d.toml").exists()


def test_a_yaml_that_names_code_runs_none(tmp_path):
    trap = tmp_path / "trap"
    text = f"scorer: !!python/object/apply:pathlib.Path.touch ['{trap}']\nbodyparts: [a]\n"
    (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(FormatError, match="scorer is missing"):
        read_deeplabcut_project(tmp_path)
    assert not trap.exists()


def test_a_yaml_that_grows_is_no_danger(tmp_path):
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 60)]
    text = "\n".join(["scorer: x", "bodyparts: [p]", *lines, "skeleton: *a59"])
    (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
    assert read_deeplabcut_project(tmp_path).skeleton == ()


def test_what_is_no_project(tmp_path, dlc):
    with pytest.raises(ProjectError, match="is no project of DeepLabCut"):
        adopt_project(tmp_path / "new", tmp_path)
    with pytest.raises(ProjectError, match="is no project of DeepLabCut"):
        adopt_project(tmp_path / "new", tmp_path / "none" / "config.yaml")
    assert find_foreign_project(tmp_path) is None
    (dlc / "config.toml").write_text("nesting = 1\n", encoding="utf-8")
    with pytest.raises(ProjectError, match="holds a DeepLabCut project and an anipose project"):
        find_foreign_project(dlc)
    adopt_project(dlc, dlc / "config.yaml")
    with pytest.raises(ProjectError, match="is there already"):
        adopt_project(dlc, dlc / "config.toml")


def test_an_adopted_project_that_has_gone(tmp_path):
    create_project(tmp_path, {"labeling": {"adopted": ["../gone"]}})
    with pytest.raises(FormatError, match=r"config\.yaml"):
        load_labels(Project.load(tmp_path))


ANIPOSE = """\
project = "flies"
model_folder = "../reaching-anna-2024-01-31"
nesting = 1
video_extension = "avi"

[calibration]
board_type = "charuco"
board_size = [8, 11]
board_marker_bits = 4
board_marker_dict_number = 1000
board_marker_length = 18.75
board_square_side_length = 24
fisheye = false
animal_calibration = true

[labeling]
scheme = [["snout", "left ear"], ["snout", "hip", "knee"]]

[filter]
enabled = true
type = "viterbi"

[triangulation]
triangulate = true
cam_regex = '-cam([A-Z])'
optim = true
scale_smooth = 25
constraints = [["snout", "left ear"]]
constraints_weak = []
score_threshold = 0.3
axes = [["z", "snout", "hip"]]

[angles]
bend = ["snout", "hip", "knee"]
leg = ["chain", "hip", "knee/", "foot"]

[pipeline]
videos_raw = "vids"
pose_2d = "pose2d"
"""


def test_an_anipose_project_means_the_same_here(tmp_path, dlc):
    assert (dlc / "config.yaml").is_file()  # that of the network, beside it
    root = tmp_path / "flies"
    for camera in "AB":
        put_video(root / "day1" / "vids" / f"run1-cam{camera}.avi", n=20)
    (root / "config.toml").write_text(ANIPOSE, encoding="utf-8")
    before = digests(root)
    adopted = adopt_project(root, root)
    project = Project.load(root)
    config = project.config
    assert config.to_board().describe() == "ChArUco 8x11 squares of 24 mm, markers 18.75 mm of 4X4_1000"
    assert config.project.cam_regex == "-cam([A-Z])"
    assert config.project.video_extensions == (".avi",)
    (session,) = project.sessions()
    (trial,) = session.trials()
    assert (session.name, trial.name, list(trial.videos)) == ("day1", "run1", ["A", "B"])
    skeleton = config.to_skeleton()
    assert skeleton.keypoints == (*PARTS, "hip", "knee", "foot")
    assert skeleton.edges == (("snout", "left ear"), ("snout", "hip"), ("hip", "knee"))
    views = config.triangulation
    assert (views.refine, views.score_threshold) == (True, 0.3)
    assert (views.constraints, views.constraints_weak) == ((("snout", "left ear"),), ())
    assert views.anipose_weights()["scale_smooth"] == 25
    assert config.angles["leg"] == ("chain", "hip", "knee/", "foot")
    told = "\n".join(adopted.notes)
    for word in ("pipeline.pose_2d = 'pose2d'", "recalibrate", "[filter]", "triangulation.axes", "taken for mm"):
        assert word in told
    assert len(load_labels(project)) == 3  # of the network's DeepLabCut project
    made = extract_frames(project, n=2, method="uniform")
    assert len(made.images) == 4
    after = digests(root)
    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nesting = 1\n[calibration]\nboard_type = 'dots'\nboard_size = [3, 4]\n", "board_type = 'dots'"),
        ("nesting = 1\n[triangulation]\ncam_regex = '(a'\n", "project.cam_regex"),
        ("nesting = 1\nlabeling = 3\n", "labeling: must be a section"),
        ("nesting = 1\n[labeling]\nscheme = 'nose'\n", "labeling.scheme: must be lists"),
        ("nesting = 1\n[angles]\nknee = ['a', 'b']\n", "angles.knee"),
        ("nesting = 1\n[calibration]\nboard_type = 'charuco'\nboard_size = [8, 11]\n", "board"),
    ],
)  # fmt: skip
def test_an_anipose_config_that_cannot_be_meant(tmp_path, text, expected):
    (tmp_path / "config.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        adopt_project(tmp_path, tmp_path)
    message = str(caught.value)
    assert message.startswith(str(tmp_path / "config.toml"))
    assert expected in message
    assert "\n" not in message
    assert not (tmp_path / "pose3d.toml").exists()


def test_foreign_toml_is_no_anipose_project(tmp_path):
    (tmp_path / "config.toml").write_text(
        "[calibration]\na = 1\n[triangulation]\nb = 2\n", encoding="utf-8"
    )  # Pose2Sim's
    assert find_foreign_project(tmp_path) is None
    with pytest.raises(FormatError, match=r"is no config\.toml of anipose"):
        adopt_project(tmp_path, tmp_path / "config.toml")
    (tmp_path / "config.toml").write_text("nesting = [", encoding="utf-8")
    assert find_foreign_project(tmp_path) is None
    with pytest.raises(FormatError, match="is no valid toml"):
        adopt_project(tmp_path, tmp_path / "config.toml")
