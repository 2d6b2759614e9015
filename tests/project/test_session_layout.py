"""Projects, sessions and trials in anipose's folders."""

import os

import pytest

from pose3d.errors import FormatError, Pose3DError, ProjectError
from pose3d.project import Project, Session, create_project, match_cameras, split_name


def put(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


@pytest.fixture
def project(tmp_path):
    """A project with sessions at two depths."""
    folder = tmp_path / "Läufer 2024"
    create_project(folder)
    put(folder, "s10/pose-2d/a_cam1.h5", "s9/videos-raw/a_cam1.mp4", "group/mäuse 1/calibration/cam1.avi")
    put(folder, "labeled-data/v/img1.png", "s9/pose-3d/a.csv", ".hidden/pose-2d/a_cam1.h5")
    return folder


def test_sessions_at_any_depth_in_natural_order(project):
    names = [session.name for session in Project.load(project).sessions()]
    assert names == ["group/mäuse 1", "s9", "s10"]


def test_project_is_found_from_below(project, monkeypatch):
    for start in (project, project / "pose3d.toml", project / "s9", project / "s9" / "videos-raw" / "a_cam1.mp4"):
        assert Project.load(start).folder == project
    assert Session.load(project / "s9" / "videos-raw").folder == project / "s9"
    monkeypatch.chdir(project / "s9")
    assert Session.load(".").name == "s9"
    assert Session.load("../s10").name == "s10"


def test_project_that_is_its_own_session(tmp_path):
    create_project(tmp_path)
    put(tmp_path, "pose-2d/a_cam1.h5", "calibration/cam1.mp4")
    (session,) = Project.load(tmp_path).sessions()
    assert session.folder == tmp_path
    assert session.name == tmp_path.name
    assert session.calibration_toml == tmp_path / "calibration" / "calibration.toml"
    assert session.calibration_uncertainty == tmp_path / "calibration" / "calibration.uncertainty.npz"
    assert session.sync_toml == tmp_path / "sync.toml"


def test_shared_calibration_is_no_session(tmp_path):
    create_project(tmp_path)
    put(tmp_path, "day/calibration/cam1.mp4", "day/s1/pose-2d/a_cam1.h5", "s2/pose-2d/a_cam1.h5")
    by_name = {session.name: session for session in Project.load(tmp_path).sessions()}
    assert list(by_name) == ["day/s1", "s2"]
    assert by_name["day/s1"].calibration_folder == tmp_path / "day" / "calibration"
    assert by_name["s2"].calibration_folder == tmp_path / "s2" / "calibration"


def test_what_is_no_session(project, tmp_path):
    with pytest.raises(ProjectError, match=r"is no session: .*sessions of this project: group/mäuse 1, s9, s10"):
        Session.load(project / "labeled-data")
    with pytest.raises(ProjectError, match="no such folder"):
        Session.load(project / "s11")
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(ProjectError, match="lies outside of the project"):
        Project.load(project).session(tmp_path / "elsewhere")
    with pytest.raises(ProjectError, match=r"no pose3d\.toml here or in a folder above"):
        Project.load(tmp_path / "elsewhere")


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links(project, tmp_path):
    put(tmp_path / "disk", "far/pose-2d/a_cam1.h5")
    (project / "linked").symlink_to(tmp_path / "disk" / "far")
    (project / "s9" / "loop").symlink_to(project)
    assert "linked" in [session.name for session in Project.load(project).sessions()]
    assert Session.load(project / "linked").project.folder == project


def test_trials_join_videos_and_keypoints(project):
    put(
        project / "s1",
        "videos-raw/walk 2_cam10.mp4",
        "videos-raw/walk 2_cam9.MOV",
        "videos-raw/walk 10_cam9.avi",
        "videos-raw/notes.txt",
        "videos-raw/._walk 2_cam9.mp4",
        "pose-2d/walk 2_cam9DLC_resnet50_gaitJan1shuffle1_100000.h5",
        "pose-2d/walk 2_cam9DLC_resnet50_gaitJan1shuffle1_100000.csv",
        "pose-2d/walk 2_cam9DLC_resnet50_gaitJan1shuffle1_100000_meta.pickle",
        "pose-2d/walk 2_cam10.analysis.h5",
        "pose-2d/été_cam9_json/été_cam9_000000.json",
        "pose-2d/empty_cam9_json/readme.txt",
        "pose-2d/half_cam9.partial/manifest.json",
        "pose-2d/half_cam9.samples.partial/manifest.json",
    )
    trials = {trial.name: trial for trial in Session.load(project / "s1").trials()}
    assert list(trials) == ["walk 2", "walk 10", "été"]
    walk = trials["walk 2"]
    assert {camera: path.name for camera, path in walk.videos.items()} == {
        "cam9": "walk 2_cam9.MOV",
        "cam10": "walk 2_cam10.mp4",
    }
    assert list(walk.videos) == list(walk.pose_2d) == ["cam9", "cam10"]
    assert walk.pose_2d["cam9"].suffix == ".h5"
    assert trials["été"].pose_2d["cam9"].name == "été_cam9_json"
    assert trials["walk 10"].pose_2d == {}
    assert walk.pose_3d == project / "s1" / "pose-3d" / "walk 2.csv"
    assert walk.angles == project / "s1" / "angles" / "walk 2.csv"
    assert walk.trc == project / "s1" / "exports" / "walk 2.trc"
    assert walk.trc_of(walk.pose_3d.with_name("walk 2_b.csv")) == project / "s1" / "exports" / "walk 2_b.trc"


def test_files_that_name_only_the_camera(project):
    put(project / "lone walk", "pose-2d/left.h5", "pose-2d/right.h5")
    (trial,) = Session.load(project / "lone walk").trials()
    assert trial.name == "lone walk"
    assert list(trial.pose_2d) == ["left", "right"]


def test_trial_by_name(project):
    session = Session.load(project / "s9")
    assert session.trial("a").videos["cam1"].name == "a_cam1.mp4"
    with pytest.raises(ProjectError, match="no trial 'b'; there is a"):
        session.trial("b")


def test_two_files_of_one_camera(project):
    put(
        project / "s1",
        "pose-2d/a_cam1DLC_resnet50_xshuffle1_100.h5",
        "pose-2d/a_cam1DLC_resnet50_xshuffle1_100_filtered.h5",
    )
    with pytest.raises(ProjectError, match=r"camera 'cam1' has .*100\.h5 already; keep one file a camera"):
        Session.load(project / "s1").trials()


def test_calibration_clips_and_photos(project):
    put(
        project / "s1" / "calibration",
        "board_cam2.mp4",
        "board_cam10/0001.PNG",
        "calibration.toml",
        "notes_cam3/readme.txt",
        "figure.png",
    )
    clips = Session.load(project / "s1").calibration_videos()
    assert {camera: path.name for camera, path in clips.items()} == {"cam2": "board_cam2.mp4", "cam10": "board_cam10"}
    put(project / "s1" / "calibration", "again_cam2.mp4")
    with pytest.raises(ProjectError, match=r"camera 'cam2' has .*again_cam2\.mp4 already"):
        Session.load(project / "s1").calibration_videos()


def test_name_that_the_regex_does_not_match(project):
    (project / "pose3d.toml").write_text("[project]\ncam_regex = '_(cam[0-9])$'\n", encoding="utf-8")
    put(project / "s1", "videos-raw/a_left.mp4")
    with pytest.raises(
        ProjectError, match=r"a_left\.mp4: no camera's name is found in 'a_left' by the regex .* set cam_regex"
    ):
        Session.load(project / "s1").trials()


@pytest.mark.parametrize(
    ("name", "trial", "camera"),
    [
        ("walk_camA.mp4", "walk", "camA"),
        ("walk-camA.mp4", "walk", "camA"),
        ("walk_cam_2.mp4", "walk", "cam_2"),
        ("2024-01-02_walk_left.mp4", "2024-01-02_walk", "left"),
        ("walk_Camera-12.mov", "walk", "Camera-12"),
        ("back.MOV", "", "back"),
        ("cam01.mp4", "", "cam01"),
        ("walk 1_cam1.analysis.h5", "walk 1", "cam1"),
        ("walk_cam1.predictions.h5", "walk", "cam1"),
        ("walk_cam1_superanimal_quadruped_hrnet_w32_.h5", "walk", "cam1"),
        ("v1.2_走_左.csv", "v1.2_走", "左"),
    ],
)
def test_default_regex(name, trial, camera):
    assert split_name(name) == (trial, camera)


def test_regex_of_anipose():
    """Its own rule: first group is the camera, what the regex matches is taken out of the name, blanks go."""
    assert split_name("2019-08-02 vid01 -camA.avi", r"-cam([A-Z])") == ("2019-08-02 vid01", "A")
    assert split_name("A_walk.avi", r"^([A-Z])_") == ("walk", "A")
    with pytest.raises(ProjectError, match="no camera's name"):
        split_name("walk_.avi", r"_([A-Z]?)$")


def test_match_cameras():
    assert list(match_cameras(["x_c10.h5", "x_c9.h5"])) == ["c9", "c10"]
    with pytest.raises(ProjectError, match="keep one file a camera"):
        match_cameras(["a/x_left.h5", "b/x_left.h5"])
    assert not issubclass(ProjectError, FormatError)
    assert issubclass(ProjectError, Pose3DError)
