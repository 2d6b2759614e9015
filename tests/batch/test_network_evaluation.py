"""A project's network measured on its labels; the network itself is stood in for."""

import csv
import dataclasses
import shutil

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from pose3d.batch.network_evaluation import common_times, evaluate_project, read_second_labels, session_rigs
from pose3d.cli_console import register
from pose3d.cli_evaluate import evaluate
from pose3d.data.camera import Camera, Rig
from pose3d.data.labels import ImageName, Labels, Mark
from pose3d.errors import DataError, FormatError, ModelError
from pose3d.io.calibration_toml import write_calibration
from pose3d.io.collected_data import write_collected_data
from pose3d.network import model_evaluation
from pose3d.network.learnt_images import write_learnt_images
from pose3d.network.model_folder import NetworkFile, write_model
from pose3d.network.spec import NetworkSpec
from pose3d.project import Project
from pose3d.project.labels import load_labels

KEYPOINTS = ("nose", "tail")
OFF = np.array([3.0, 4.0])
OFFSET = 7  # frames by which camera b began earlier


class Stub:
    """Finds the two brightest blobs' known places, off by a little."""

    def __init__(self, places):
        self.spec, self.precision, self.places = NetworkSpec(KEYPOINTS), "int8", places

    def predict_image(self, image):
        key = int(image[0, 0, 0])
        return self.places[key][:, None] + OFF, np.full((2, 1), 0.8)


def rig():
    matrix = np.array([[300.0, 0, 80], [0, 300, 60], [0, 0, 1]])
    return Rig(
        tuple(
            Camera(name, (160, 120), matrix, np.zeros(5), np.array([0.0, turn, 0]), np.array([0.0, 0, 600]))
            for name, turn in (("a", -0.4), ("b", 0.4))
        )
    )


@pytest.fixture
def project(tmp_path, monkeypatch):
    """One session with two cameras, six labelled instants, and a network that is 5 px off everywhere."""
    root = tmp_path / "project"
    (root / "monday" / "calibration").mkdir(parents=True)
    (root / "monday" / "videos-raw").mkdir()
    (root / "pose3d.toml").write_text(f"[offsets]\nb = {OFFSET}\n", encoding="utf-8")
    write_calibration(rig(), root / "monday" / "calibration" / "calibration.toml")
    xyz = np.random.default_rng(0).uniform(-60, 60, (6, 2, 3))
    xy = rig().project(xyz)
    places = {}
    for c, camera in enumerate("ab"):
        (root / "monday" / "videos-raw" / f"walk_{camera}.mp4").touch()
        folder = root / "labeled-data" / f"walk_{camera}"
        folder.mkdir(parents=True)
        names = []
        for i in range(6):
            frame = 10 * i + OFFSET * c
            names.append(ImageName(folder.name, f"img{frame:03d}.png"))
            image = np.full((120, 160, 3), 10 * c + i, np.uint8)
            places[10 * c + i] = xy[i, :, c]
            cv2.imwrite(str(folder / names[-1].image), image)
        labels = Labels(tuple(names), ("individual_0",), KEYPOINTS, xy[:, None, :, c], np.ones((6, 1, 2), np.uint8))
        write_collected_data(labels, folder, scorer="pose3d")
    model = root / "models" / "default"
    write_model(NetworkFile(NetworkSpec(KEYPOINTS)), model)
    images = load_labels(Project.load(root)).labels.images
    write_learnt_images(
        [name for name in images if name.frame < 38], [name for name in images if 38 <= name.frame < 48], model
    )
    monkeypatch.setattr(model_evaluation.Predictor, "open", lambda *_, **__: Stub(places))
    return Project.load(root)


def test_labels_are_measured_part_by_part_and_in_space(project):
    made = evaluate_project(project)
    evaluation = made.evaluation
    assert {name: len(index) for name, index in evaluation.parts.items()} == {"train": 8, "test": 2, "unseen": 2}
    for part, n in (("train", 16), ("test", 4), ("unseen", 4)):
        row = evaluation.row(part)
        assert (row.n, row.median) == (n, pytest.approx(5))
        space = evaluation.row(part, unit="mm")
        assert space.n == n / 2, "the cameras' instants are found by their offset"
        assert 1 < space.median < 30
    assert evaluation.reliability.tolerance_px == 12
    assert made.table == project.model() / "evaluation.csv"
    with made.table.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["part"] for row in rows} == {"train", "test", "unseen"}
    assert "img040.png" in made.page.read_text(encoding="utf-8")


def test_cameras_that_began_at_other_times_share_instants(project):
    images = load_labels(project)
    times = common_times(project, images)
    for camera in "ab":
        mine = [i for i, name in enumerate(images.cameras) if name == camera]
        assert times[mine].tolist() == [0, 10, 20, 30, 40, 50]
    project.config_path.write_text("", encoding="utf-8")
    assert (common_times(Project.load(project.folder), images) == images.frames).all()


def test_calibrations_are_those_of_the_sessions(project):
    images = load_labels(project)
    assert session_rigs(project, images)["monday/walk"].names == ("a", "b")
    one = images.take([i for i, name in enumerate(images.cameras) if name == "a"])
    assert session_rigs(project, one) == {}
    shutil.rmtree(project.folder / "monday" / "calibration")
    assert session_rigs(project, images) == {}
    assert evaluate_project(project).evaluation.row("test", unit="mm") is None


def second_folder(project, folder):
    images = load_labels(project)
    for camera in "ab":
        rows = [i for i, name in enumerate(images.cameras) if name == camera][:4]
        labels = images.labels.take(rows)
        moved = dataclasses.replace(labels, xy=labels.xy + np.array([0.0, 2.0]), scorer="anna")
        write_collected_data(moved, folder / f"walk_{camera}", scorer="anna")
    return folder


@pytest.mark.parametrize("where", ["beside", "own"])
def test_second_labels_stand_beside(project, tmp_path, where):
    folder = second_folder(project, project.labeled_data if where == "beside" else tmp_path / "anna")
    row = evaluate_project(project, second_labels=folder).evaluation.row("second labels")
    assert (row.n, row.median) == (16, pytest.approx(2))
    table = folder / "walk_a" / "CollectedData_anna.csv"
    assert evaluate_project(project, second_labels=table).evaluation.row("second labels").n == 8


def test_second_labels_that_do_not_fit_are_refused(project, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no CollectedData"):
        read_second_labels(tmp_path / "empty")
    with pytest.raises(FormatError, match="no such"):
        read_second_labels(tmp_path / "nowhere.csv")
    folder = second_folder(project, tmp_path / "anna")
    shutil.copy(folder / "walk_a" / "CollectedData_anna.csv", folder / "walk_a" / "CollectedData_ben.csv")
    with pytest.raises(DataError, match="holds labels of anna, ben"):
        read_second_labels(folder)


def test_a_network_of_other_keypoints_is_refused(project):
    write_model(NetworkFile(NetworkSpec(("wing", "beak"))), project.model())
    with pytest.raises(DataError, match=r"none of its keypoints \(wing, beak, ...\) is labelled"):
        evaluate_project(project)
    with pytest.raises(ModelError, match="nothing: no such network"):
        evaluate_project(project, model="nothing")
    shutil.rmtree(project.labeled_data)
    with pytest.raises(DataError, match="no image is labelled"):
        evaluate_project(project)


def test_a_network_from_elsewhere_is_not_written_to(project, tmp_path):
    other = tmp_path / "elsewhere"
    shutil.copytree(project.model(), other)
    (other / "images.csv").unlink()
    made = evaluate_project(project, model=str(other))
    assert made.page == project.models / "elsewhere" / "evaluation.html"
    assert not (other / "evaluation.csv").exists()
    assert set(made.evaluation.parts) == {"unseen"}


def test_the_command_tells_people_and_programs(project, monkeypatch):
    import json

    monkeypatch.setenv("COLUMNS", "200")
    app = typer.Typer()
    register(app, panel="x", examples=["pose3d evaluate"])(evaluate)
    second_folder(project, project.labeled_data)
    result = CliRunner().invoke(app, [str(project.folder), "--second-labels", str(project.labeled_data)])
    assert result.exit_code == 0, result.output
    assert "test                   4   5.00 px   5.00 px" in result.stdout
    assert "second labels" in result.stdout
    assert str(project.model() / "evaluation.html") in result.stdout
    result = CliRunner().invoke(app, [str(project.folder), "--json", "--cutoff", "0.9"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["images"] == {"train": 8, "test": 2, "unseen": 2}
    assert told["precision"] == "int8"
    sure = [row for row in told["rows"] if row["cutoff"] == 0.9 and row["part"] == "test" and row["keypoint"] == "all"]
    assert [row["n"] for row in sure] == [0, 0]
    assert sure[0]["median"] is None
    assert CliRunner().invoke(app, [str(project.folder), "--precision", "int4"]).exit_code == 2


def test_marks_are_counted_as_they_are(project):
    folder = project.labeled_data / "walk_a"
    images = load_labels(project)
    rows = [i for i, name in enumerate(images.cameras) if name == "a"]
    labels = images.labels.take(rows)
    mark = labels.mark.copy()
    mark[:, :, 0] = Mark.ABSENT
    write_collected_data(dataclasses.replace(labels, mark=mark), folder, scorer="pose3d")
    assert evaluate_project(project).evaluation.row("train", keypoint="nose").n == 4
