"""Labels of a project: folders of videos, own labels over adopted ones, image by image."""

import cv2
import numpy as np
import pytest

from pose3d.data.labels import ImageName, Labels, Mark
from pose3d.errors import DataError, FormatError
from pose3d.io.collected_data import write_collected_data
from pose3d.project import Project, create_project
from pose3d.project.label_folders import write_source
from pose3d.project.labels import label_folder_of, labelled_videos, load_labels, save_labels

PARTS = ("nose", "tail")


def put_images(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1].tobytes())


def put_videos(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"no video yet")


def of(video, images, value=1.0, mark=Mark.VISIBLE, parts=PARTS, individuals=("individual_0",)):
    shape = (len(images), len(individuals), len(parts))
    names = [ImageName(video, image) for image in images]
    return Labels(names, individuals, parts, np.full((*shape, 2), value), np.full(shape, mark))


@pytest.fixture
def project(tmp_path):
    root = tmp_path / "Versuch ü"
    create_project(root)
    put_videos(root, "mon/videos-raw/walk_left.mp4", "mon/videos-raw/walk_right.mp4")
    put_videos(root, "tue/am/videos-raw/walk_left.mp4", "tue/am/videos-raw/trot_left.mp4")
    return Project.load(root)


def set_config(project, text):
    project.config_path.write_text(text, encoding="utf-8")
    return Project.load(project.folder)


def test_folder_of_a_video_is_its_name_unless_another_has_it(project):
    names = {
        (session, trial, camera): label_folder_of(project, session, trial, camera).name
        for session, trial, camera in [
            ("mon", "walk", "left"), ("mon", "walk", "right"), ("tue/am", "walk", "left"), ("tue/am", "trot", "left"),
        ]
    }  # fmt: skip
    assert names == {
        ("mon", "walk", "left"): "mon.walk_left",
        ("mon", "walk", "right"): "walk_right",
        ("tue/am", "walk", "left"): "tue.am.walk_left",
        ("tue/am", "trot", "left"): "trot_left",
    }
    session = project.session(project.folder / "mon")
    assert label_folder_of(project, session, session.trial("walk"), "right").name == "walk_right"


def test_a_folder_stays_with_its_video_when_another_of_its_name_comes(project):
    folder = label_folder_of(project, "tue/am", "trot", "left")
    put_images(folder, "img1.png")
    write_source(folder, session="tue/am", trial="trot", camera="left")
    save_labels(project, of("trot_left", ["img1.png"]))
    put_videos(project.folder, "mon/videos-raw/trot_left.mp4")
    assert label_folder_of(project, "tue/am", "trot", "left") == folder
    assert label_folder_of(project, "mon", "trot", "left").name == "mon.trot_left"
    images = load_labels(project)
    assert (images.recordings, images.cameras) == (("tue/am/trot",), ("left",))


def test_labels_come_back_with_recording_camera_and_path(project):
    folders = {camera: label_folder_of(project, "mon", "walk", camera) for camera in ("left", "right")}
    for folder in folders.values():
        put_images(folder, "img007.png", "img010.png", "img100.png")
    for camera, folder in folders.items():
        write_source(folder, session="mon", trial="walk", camera=camera)
    written = save_labels(project, of(folders["left"].name, ["img100.png", "img007.png"], 3.0))
    assert written == (folders["left"] / "CollectedData_pose3d.csv",)
    images = load_labels(project)
    assert [path.name for path in images.paths] == ["img007.png", "img100.png"]
    assert images.paths[0] == folders["left"] / "img007.png"
    assert set(images.recordings) == {"mon/walk"}
    assert set(images.cameras) == {"left"}
    assert images.frames.tolist() == [7, 100]
    assert images.labels.keypoints == PARTS
    everything = load_labels(project, unlabelled=True)
    assert len(everything) == 6
    assert (everything.labels.mark != Mark.UNLABELLED).sum() == 4
    videos = {video.name: video for video in labelled_videos(project)}
    assert videos["walk_right"].video == project.folder / "mon" / "videos-raw" / "walk_right.mp4"


def test_saving_changes_the_given_images_alone(project):
    folder = project.labeled_data / "walk_right"
    put_images(folder, "img1.png", "img2.png", "img3.png")
    save_labels(project, of("walk_right", ["img1.png", "img2.png"], 1.0))
    save_labels(project, of("walk_right", ["img2.png"], 2.0, Mark.OCCLUDED, parts=("nose", "ear")))
    images = load_labels(project)
    assert images.labels.keypoints == ("nose", "tail", "ear")
    assert images.labels.mark[:, 0].tolist() == [[1, 1, 0], [2, 0, 2]]
    assert images.labels.xy[1, 0, 2].tolist() == [2.0, 2.0]
    save_labels(project, Labels.empty(images.labels.images[:1], images.labels.individuals, PARTS))
    assert [image.image for image in load_labels(project).labels.images] == ["img2.png"]


def test_many_videos_at_once_each_get_their_table(project):
    for name in ("a_left", "b_left"):
        put_images(project.labeled_data / name, "img1.png")
    both = of("a_left", ["img1.png"], 1.0).updated(of("b_left", ["img1.png"], 2.0))
    assert len(save_labels(project, both)) == 2
    images = load_labels(project)
    assert images.labels.xy[:, 0, 0, 0].tolist() == [1.0, 2.0]
    assert (images.recordings, images.cameras) == (("a", "b"), ("left", "left"))  # as far as the folders' names tell


def test_labels_without_their_image_are_told_and_left_out(project, caplog):
    put_images(project.labeled_data / "walk_right", "img1.png")
    save_labels(project, of("walk_right", ["img1.png", "img2.png"]))
    assert len(load_labels(project)) == 1
    assert "1 labelled images are not there" in caplog.text


def test_keypoints_are_those_of_the_skeleton_in_its_order(project, caplog):
    put_images(project.labeled_data / "walk_right", "img1.png")
    save_labels(project, of("walk_right", ["img1.png"], 5.0, parts=("tail", "nose", "ear")))
    named = set_config(project, '[skeleton]\nkeypoints = ["nose", "hip", "tail"]\n')
    images = load_labels(named)
    assert images.labels.keypoints == ("nose", "hip", "tail")
    assert images.labels.mark[0, 0].tolist() == [1, 0, 1]
    assert "[skeleton] has no ear, whose labels are left out" in caplog.text
    assert load_labels(named, keypoints=["ear"]).labels.mark.tolist() == [[[1]]]
    with pytest.raises(
        DataError, match=r"none of the labelled keypoints \(tail, nose, ear, \.\.\.\) is in \[skeleton\]"
    ):
        load_labels(set_config(project, '[skeleton]\nkeypoints = ["knee"]\n'))


def test_the_only_individual_has_the_projects_name(project):
    put_images(project.labeled_data / "walk_right", "img1.png")
    named = set_config(project, '[labeling]\nscorer = "anna"\nindividuals = ["mouse"]\n')
    save_labels(named, of("walk_right", ["img1.png"], individuals=("mouse",)))
    assert (named.labeled_data / "walk_right" / "CollectedData_anna.h5").is_file()
    assert load_labels(named).labels.individuals == ("mouse",)
    save_labels(named, of("walk_right", ["img1.png"], 2.0, individuals=("mouse",)))
    assert load_labels(named).labels.xy.shape == (1, 1, 2, 2)


def test_another_scorers_labels_are_the_beginning_of_ones_own(project):
    folder = project.labeled_data / "walk_right"
    put_images(folder, "img1.png", "img2.png")
    write_collected_data(of("walk_right", ["img1.png", "img2.png"], 1.0), folder, scorer="bob")
    bobs = (folder / "CollectedData_bob.h5").read_bytes()
    assert len(load_labels(project)) == 2
    save_labels(project, of("walk_right", ["img2.png"], 2.0))
    assert load_labels(project).labels.xy[:, 0, 0, 0].tolist() == [1.0, 2.0]
    assert (folder / "CollectedData_bob.h5").read_bytes() == bobs
    write_collected_data(of("walk_right", ["img1.png"], 9.0), folder, scorer="eve")
    assert load_labels(project).labels.xy[:, 0, 0, 0].tolist() == [1.0, 2.0]
    with pytest.raises(
        DataError, match=r"holds labels of bob, eve, pose3d, none of 'carl'; set scorer in \[labeling\]"
    ):
        load_labels(set_config(project, '[labeling]\nscorer = "carl"\n'))


def test_a_renamed_folder_keeps_its_labels_and_rows_of_others_are_left_out(project, caplog):
    folder = project.labeled_data / "renamed"
    put_images(folder, "img1.png")
    write_collected_data(of("before", ["img1.png"]), folder, scorer="pose3d")
    assert load_labels(project).labels.images == (ImageName("renamed", "img1.png"),)
    head = "scorer,a,a\nbodyparts,p,p\ncoords,x,y\n"
    put_images(project.labeled_data / "mixed", "img1.png")
    table = project.labeled_data / "mixed" / "CollectedData_pose3d.csv"
    table.write_text(f"{head}labeled-data/mixed/img1.png,1,2\nlabeled-data/other/img1.png,3,4\n", encoding="utf-8")
    images = load_labels(project, keypoints=["p"])
    assert images.labels.images == (ImageName("mixed", "img1.png"),)
    assert "1 rows are of other folders" in caplog.text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("session = ", "is damaged; delete it"),
        ('session = "a"\n', "needs session, trial and camera"),
        ('session = 3\ntrial = "a"\ncamera = "b"\n', "needs session, trial and camera"),
        ("x" * 200_000, "is too large"),
    ],
)
def test_damaged_source_files(project, text, expected):
    put_images(project.labeled_data / "walk_right", "img1.png")
    (project.labeled_data / "walk_right" / "source.toml").write_text(text, encoding="utf-8")
    with pytest.raises(FormatError, match=expected):
        labelled_videos(project)


def test_a_damaged_table_is_never_written_over(project):
    folder = project.labeled_data / "walk_right"
    put_images(folder, "img1.png")
    (folder / "CollectedData_pose3d.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + b"x" * 100)
    with pytest.raises(FormatError, match="damaged"):
        save_labels(project, of("walk_right", ["img1.png"]))
    assert sorted(path.name for path in folder.iterdir()) == ["CollectedData_pose3d.h5", "img1.png"]


@pytest.mark.parametrize("name", ["..", "a/b", "c:d", " "])
def test_a_video_that_leads_elsewhere_is_refused(project, name):
    with pytest.raises(DataError, match="cannot be a folder's name"):
        save_labels(project, of(name, ["img1.png"]))
    assert not project.labeled_data.exists()


def test_nothing_labelled_yet(project):
    assert labelled_videos(project) == ()
    assert len(load_labels(project)) == 0
    assert load_labels(project).labels.individuals == ("individual_0",)


def test_models_folder_and_names(project):
    from pose3d.errors import ProjectError

    assert project.model() == project.folder / "models" / "default"
    assert project.model("fast 2") == project.folder / "models" / "fast 2"
    with pytest.raises(ProjectError, match="is no name"):
        project.model("../x")


def test_labels_and_models_are_no_sessions(project):
    put_images(project.labeled_data / "x" / "pose-2d", "img1.png")
    put_images(project.models / "calibration", "img1.png")
    assert [session.name for session in project.sessions()] == ["mon", "tue/am"]
