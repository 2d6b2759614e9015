"""Rounds of active learning with networks that are fakes: what is queued, learnt, kept, refused and put back."""

import shutil
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from pose3d.batch.learning import refine_round, self_train
from pose3d.batch.learning_actions import LearningActions
from pose3d.batch.model_choice import split_labels
from pose3d.batch.outlier_search import pending_items, queue_outliers
from pose3d.data.keypoints import Keypoints2D
from pose3d.demo.hard_recording import label_truth, make_hard_recording
from pose3d.errors import DataError, ProjectError
from pose3d.io.dlc import write_dlc
from pose3d.labeling.queue import QUEUE_NAME, read_queue
from pose3d.network.learnt_images import read_learnt_images, write_learnt_images
from pose3d.network.model_folder import NetworkFile, write_model
from pose3d.network.spec import NetworkSpec
from pose3d.project import Project
from pose3d.project.labels import load_labels

BAD = (8, 24, 40)
SHOWN = "LElbow"


@dataclass
class Lab:
    """A rendered project, and a network whose errors are what `errors` says, one training after the other."""

    truth: object
    errors: list[float]
    tasks: list = field(default_factory=list)
    analysed: list = field(default_factory=list)
    in_use: dict = field(default_factory=dict)
    bad: tuple[int, ...] = BAD

    @property
    def project(self):
        return Project.load(self.truth.folder)

    @property
    def model(self):
        return self.project.model()

    def analyze(self, _project, sessions, model, _progress):
        self.analysed.append(model)
        truth = self.truth
        xy = np.moveaxis(truth.rig.project(truth.xyz), 2, 1)[:, :, None].copy()
        joint = truth.skeleton.keypoints.index(SHOWN)
        xy[list(self.bad), 1, 0, joint] += [60.0, 40.0]
        for number, name in enumerate(truth.rig.names):
            view = Keypoints2D(
                xy[:, [number]],
                np.full((*xy.shape[:1], 1, 1, xy.shape[3]), 0.9),
                (name,),
                ("individual",),
                truth.skeleton.keypoints,
            )
            write_dlc(view, sessions[0].folder / "pose-2d" / f"{truth.trial}_{name}.h5", scorer="fake")

    def train(self, task, _progress):
        self.tasks.append(task)
        self.in_use[task.folder.name] = self.errors.pop(0)
        task.folder.mkdir(parents=True, exist_ok=True)
        (task.folder / "error.txt").write_text(str(self.in_use[task.folder.name]))
        write_model(NetworkFile(NetworkSpec(task.images.labels.keypoints)), task.folder)

    def measure(self, model, images, _progress):
        error = float((model / "error.txt").read_text())
        return np.where(np.isfinite(images.labels.xy[:, 0, :, 0]), error, np.nan)

    @property
    def actions(self):
        return LearningActions(analyze=self.analyze, train=self.train, measure=self.measure)

    def label(self, frames):
        return label_truth(self.truth, frames)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    return make_hard_recording(tmp_path_factory.mktemp("rendered"), seed=6, n_frames=48, size=(160, 120))


@pytest.fixture
def lab(rendered, tmp_path):
    shutil.copytree(rendered.folder, tmp_path / "project")
    return Lab(replace(rendered, folder=tmp_path / "project"), [5.0, 4.0, 3.0, 2.0])


def names(images):
    return set(images.labels.images)


def test_a_round_learns_then_queues_what_is_wrong(lab):
    lab.label([0, 15, 30, 46])
    done = refine_round(lab.project, n=3, actions=lab.actions)
    assert done.judgement is not None
    assert done.judgement.kept
    assert done.judgement.old_px is None
    assert lab.analysed == [lab.model]
    queue = read_queue(lab.project.labeled_data / QUEUE_NAME)
    assert {item.frame for item in queue} == set(BAD)
    assert all(item.recording == "session1/walk" and SHOWN in item.reason for item in queue)
    images = load_labels(lab.project, unlabelled=True)
    assert {int(frame) for frame in images.frames} == {0, 15, 30, 46, *BAD}
    assert done.n_waiting == 3
    assert "pose3d label" in done.lines()[-1]


def test_nothing_more_is_queued_while_enough_waits(lab):
    lab.label([0, 15, 30, 46])
    refine_round(lab.project, n=2, actions=lab.actions)
    again = refine_round(lab.project, n=2, actions=lab.actions)
    assert (again.judgement, again.found, again.n_waiting) == (None, None, 2)
    assert len(lab.tasks) == len(lab.analysed) == 1


def test_new_labels_are_learnt_and_what_was_held_out_stays_so(lab):
    lab.label([0, 15, 30, 46])
    refine_round(lab.project, n=3, actions=lab.actions)
    first = read_learnt_images(lab.model)
    assert first.held_out
    assert not first.held_out & first.learnt
    lab.label(BAD)
    lab.bad = ()
    done = refine_round(lab.project, n=3, actions=lab.actions)
    assert done.judgement.kept
    assert (done.judgement.old_px[0], done.judgement.new_px[0]) == (5.0, 4.0)
    task = lab.tasks[1]
    assert task.start == lab.model
    assert first.held_out <= names(task.held_out)
    assert not first.held_out & names(task.images)
    assert first.learnt <= names(task.images)
    assert names(task.images) | names(task.held_out) == set(load_labels(lab.project).labels.images)
    assert (lab.model.with_name("default.previous") / "error.txt").read_text() == "5.0"
    assert (lab.model / "error.txt").read_text() == "4.0"
    assert pending_items(lab.project) == ()


def test_a_worse_network_is_refused_and_nothing_changes(lab):
    lab.errors = [3.0, 3.5]
    lab.label([0, 15, 30, 46])
    refine_round(lab.project, n=3, actions=lab.actions)
    before = {path.name: path.read_bytes() for path in lab.model.iterdir() if path.is_file()}
    lab.label(BAD)
    done = refine_round(lab.project, n=3, actions=lab.actions)
    assert not done.judgement.kept
    assert any("stays the old network" in line for line in done.lines())
    assert {path.name: path.read_bytes() for path in lab.model.iterdir() if path.is_file()} == before
    assert [path.name for path in lab.project.models.iterdir()] == ["default"]


def test_a_single_gross_error_does_not_decide(lab):
    """The new network is better everywhere but for one point that lies across the room."""
    lab.label([0, 15, 30, 46])
    lab.errors = [5.0, 4.0]
    refine_round(lab.project, n=3, actions=lab.actions)
    lab.label(BAD)

    def measure(model, images, progress):
        error = lab.measure(model, images, progress)
        if model.name.endswith(".candidate"):
            row, column = np.argwhere(np.isfinite(error))[0]
            error[row, column] = 5000.0
        return error

    actions = LearningActions(analyze=lab.analyze, train=lab.train, measure=measure)
    done = refine_round(lab.project, n=3, actions=actions)
    assert done.judgement.kept
    assert done.judgement.new_px[1] < 5.0


@pytest.mark.parametrize(
    ("taught", "alone", "in_use"), [(4.9, 4.95, 4.9), (4.9, 4.9, 4.9), (4.9, 4.8, 4.8), (5.0, None, 5.0)]
)
def test_self_training_is_kept_only_if_what_was_taught_lowers_the_held_out_error(lab, taught, alone, in_use):
    lab.errors = [5.0, taught, alone]
    lab.label([0, 15, 30, 46])
    refine_round(lab.project, n=1, actions=lab.actions)
    done = self_train(lab.project, n=10, actions=lab.actions)
    task = lab.tasks[1]
    assert done.judgement.kept is (in_use == taught and alone != taught and taught < 5.0)
    assert float((lab.model / "error.txt").read_text()) == in_use
    assert len(lab.tasks) == (2 if alone is None else 3)  # no need to ask what is not better anyway
    assert (done.judgement.control_px is None) == (alone is None)
    if alone is not None:
        assert names(lab.tasks[2].images) == names(lab.tasks[0].images)
        assert (lab.model.with_name("default.previous") / "error.txt").read_text() == "5.0"
    assert done.n_missed >= 2
    assert len(task.images) > len(lab.tasks[0].images)
    learnt = read_learnt_images(lab.model)
    by_people = set(load_labels(lab.project).labels.images)
    assert learnt.learnt | learnt.held_out <= by_people
    extra = [i for i, name in enumerate(task.images.labels.images) if name not in by_people]
    frames = set(task.images.frames[extra].tolist())
    assert frames <= set(BAD)
    assert frames
    joint = task.images.labels.keypoints.index(SHOWN)
    true = np.moveaxis(lab.truth.rig.project(lab.truth.xyz), 2, 1)
    for i in extra:
        camera = lab.truth.rig.names.index(task.images.cameras[i])
        here = task.images.labels.xy[i, 0, joint]
        assert np.isnan(here).all() or np.linalg.norm(here - true[task.images.frames[i], camera, joint]) < 1.0
    assert {path.name for path in lab.project.models.iterdir()} <= {"default", "default.previous"}


def test_self_training_needs_labels_to_measure_on(lab):
    with pytest.raises(ProjectError, match="pose3d train"):
        self_train(lab.project, actions=lab.actions)
    lab.label([20])
    refine_round(lab.project, n=1, actions=lab.actions)
    with pytest.raises(DataError, match="held out"):
        self_train(lab.project, n=4, actions=lab.actions)
    assert [path.name for path in lab.project.models.iterdir()] == ["default"]


def test_self_training_without_anything_missed_says_so(lab):
    lab.label([0, 15, 30, 46])
    refine_round(lab.project, n=1, actions=lab.actions)
    lab.bad = ()
    with pytest.raises(DataError, match="no view missed"):
        self_train(lab.project, n=4, actions=lab.actions)


def test_a_project_without_labels_says_how_to_begin(lab):
    with pytest.raises(ProjectError, match="pose3d extract"):
        refine_round(lab.project, actions=lab.actions)
    with pytest.raises(ProjectError, match="pose3d analyze"):
        queue_outliers(lab.project)


def test_search_without_calibration_says_so_and_writes_nothing_on_request(lab):
    session = lab.project.sessions()[0]
    lab.analyze(lab.project, [session], lab.model, None)
    session.calibration_toml.unlink()
    found = queue_outliers(lab.project, n=3, extract=False)
    assert found.without_rig == ("session1/walk",)
    assert any("calibration" in line for line in found.lines())
    assert {item.frame for item in found.items} <= {frame + step for frame in BAD for step in (-1, 0, 1)}
    assert not lab.project.labeled_data.exists()


def test_cameras_that_began_at_other_times_are_compared_at_the_same_instant(lab):
    """cam2's files begin 3 frames late; the instants are those that all cameras show."""
    config = lab.project.config_path
    config.write_text(config.read_text() + "\n[offsets]\ncam2 = 3\n")
    session = lab.project.sessions()[0]
    truth = lab.truth
    shifted = truth.xyz[np.clip(np.arange(len(truth.xyz)) - 3, 0, None)]
    for number, name in enumerate(truth.rig.names):
        xyz = shifted if name == "cam2" else truth.xyz
        xy = truth.rig.project(xyz)[:, :, number][:, None, None].copy()
        if name == "cam2":
            xy[23, 0, 0, 5] += [50.0, 30.0]
        score = np.full(xy.shape[:-1], 0.9)
        view = Keypoints2D(xy, score, (name,), ("individual",), truth.skeleton.keypoints)
        write_dlc(view, session.folder / "pose-2d" / f"{truth.trial}_{name}.h5")
    found = queue_outliers(lab.project, n=1)
    assert [item.frame for item in found.items] == [20]
    folder = lab.project.labeled_data
    assert (folder / "walk_cam1" / "img20.png").is_file()
    assert (folder / "walk_cam2" / "img23.png").is_file()


def test_labels_without_a_list_of_what_was_learnt_are_split_anew(lab):
    images = lab.label([0, 10, 20, 30, 40])
    train, held_out = split_labels(lab.project, images, lab.model)
    assert len(held_out) == 4
    assert not names(train) & names(held_out)
    assert len(set(held_out.frames.tolist())) == 1


def test_what_was_between_both_sides_is_not_learnt_from_the_next_time(lab):
    images = lab.label([*range(0, 12), 20, 30, 40])
    train, held_out = split_labels(lab.project, images, lab.model)
    write_learnt_images(train.labels.images, held_out.labels.images, lab.model)
    train, again = split_labels(lab.project, images, lab.model)
    held = set(held_out.frames.tolist())
    assert held <= set(again.frames.tolist())
    assert min(abs(a - b) for a in train.frames.tolist() for b in again.frames.tolist()) >= 5


def test_all_cameras_of_an_instant_are_held_out_whenever_they_began(lab):
    images = lab.label([0, 10, 20, 30, 40])
    config = lab.project.config_path
    config.write_text(config.read_text() + "\n[offsets]\ncam2 = 10\n")
    _, held_out = split_labels(lab.project, images, lab.model)
    instants = {
        int(frame) - 10 * (camera == "cam2") for frame, camera in zip(held_out.frames, held_out.cameras, strict=True)
    }
    assert len(instants) == 1
    assert len(held_out) == 4 - (instants == {40})  # of which cam2 has no image
