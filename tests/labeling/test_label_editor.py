from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pose3d.data.labels import ImageName, LabelledImages, Labels, Mark
from pose3d.errors import FormatError, Pose3DError
from pose3d.io.local_page import RequestError
from pose3d.labeling.editor import LabelEditor
from pose3d.labeling.page_state import apply_action, describe_instant, describe_project
from pose3d.labeling.queue import QueueItem, group_instants, order_instants, read_queue, write_queue
from pose3d.labeling.task import Guess


def do(editor, action, **more):
    return apply_action(editor, {"do": action, "instant": 0, "individual": 0, "keypoint": 0, **more})


def place_truth(editor, truth, rig, *, keypoint, cameras, instant=0):
    order = list(editor.task.instants[instant].rows)
    for camera in cameras:
        x, y = truth[instant, keypoint, rig.names.index(camera)]
        do(editor, "place", instant=instant, keypoint=keypoint, view=order.index(camera), x=float(x), y=float(y))


def test_two_clicks_and_enter_label_an_instant(task, rig, truth):
    editor = LabelEditor(task)
    for keypoint in range(3):
        place_truth(editor, truth, rig, keypoint=keypoint, cameras=rig.names[:2])
        answer = do(editor, "accept", keypoint=keypoint)
        assert answer["changed"]
    xy, mark = editor.view_labels(0, 0)
    order = [rig.names.index(camera) for camera in task.instants[0].rows]
    assert (mark == Mark.VISIBLE).all()
    assert np.linalg.norm(xy - truth[0].swapaxes(0, 1)[order], axis=-1).max() < 0.05
    assert editor.progress(0) == (12, 12)
    assert editor.progress(1) == (0, 12)
    assert not do(editor, "accept", keypoint=None)["changed"]


def test_what_lies_out_of_an_image_is_accepted_as_absent(task, rig):
    small = replace(rig["frontright"], size=(640, 200))
    cameras = tuple(small if camera.name == "frontright" else camera for camera in rig)
    task = replace(task, rigs={"session1/walk": replace(rig, cameras=cameras)})
    editor = LabelEditor(task)
    xy = rig.project([[0.0, 0.0, 100.0]])[0]
    assert xy[rig.names.index("frontright"), 1] > 220
    place_truth(editor, xy[None, None], rig, keypoint=0, cameras=("frontleft", "backleft"))
    do(editor, "accept")
    row = task.instants[0].rows["frontright"]
    assert editor.label(row, 0, 0)[2] == Mark.ABSENT


def test_undo_and_redo_go_through_everything(task, rig, truth):
    editor = LabelEditor(task)
    states = [editor.edited()]
    place_truth(editor, truth, rig, keypoint=1, cameras=rig.names[:1])
    states.append(editor.edited())
    place_truth(editor, truth, rig, keypoint=1, cameras=rig.names[1:2])
    do(editor, "accept", keypoint=1)
    do(editor, "mark", keypoint=1, view=0, mark="occluded")
    do(editor, "mark", keypoint=1, view=1, mark="absent")
    do(editor, "remove", keypoint=1, view=2)
    last = editor.edited()
    for _ in range(6):
        assert do(editor, "undo")["changed"]
    assert not do(editor, "undo")["changed"]
    assert (editor.edited().mark == Mark.UNLABELLED).all()
    for _ in range(6):
        assert do(editor, "redo")["changed"]
    assert not do(editor, "redo")["changed"]
    assert np.array_equal(editor.edited().xy, last.xy, equal_nan=True)
    assert np.array_equal(editor.edited().mark, last.mark)
    do(editor, "undo")
    do(editor, "place", view=0, x=1.0, y=1.0)
    assert not editor.can_redo  # a new action ends what could be done again


def test_undo_tells_in_which_instant_it_was(task):
    editor = LabelEditor(task)
    do(editor, "place", instant=1, view=0, x=5.0, y=6.0)
    assert do(editor, "undo", instant=0)["at"] == 1


def test_marks(task):
    editor = LabelEditor(task)
    row = next(iter(task.instants[0].rows.values()))
    assert not do(editor, "mark", view=0, mark="occluded")["changed"]  # it is nowhere yet
    do(editor, "place", view=0, x=10.004, y=20.0, mark="occluded")
    assert editor.label(row, 0, 0) == (10.0, 20.0, Mark.OCCLUDED)
    do(editor, "mark", view=0, mark="occluded")
    assert editor.label(row, 0, 0)[2] == Mark.VISIBLE
    do(editor, "mark", view=None, mark="absent")
    assert editor.progress(0) == (4, 12)
    do(editor, "mark", view=None, mark="absent")
    assert editor.progress(0) == (0, 12)


def test_absent_views_are_not_suggested_and_occluded_ones_count(task, rig, truth):
    editor = LabelEditor(task)
    order = list(task.instants[0].rows)
    do(editor, "mark", view=order.index("frontright"), mark="absent")
    place_truth(editor, truth, rig, keypoint=0, cameras=("frontleft", "backleft"))
    do(editor, "mark", view=order.index("frontleft"), mark="occluded")
    do(editor, "accept")
    assert [mark for *_, mark in (view[0] for view in describe_instant(editor, 0)["labels"][0])] == [
        {"frontright": 3, "frontleft": 2}.get(camera, 1) for camera in order
    ]


def test_the_wrong_click_is_named(task, rig, truth):
    editor = LabelEditor(task)
    place_truth(editor, truth, rig, keypoint=0, cameras=rig.names)
    order = list(task.instants[0].rows)
    x, y = truth[0, 0, rig.names.index("backright")]
    answer = do(editor, "place", view=order.index("backright"), x=x + 18, y=y + 20)
    hint = answer["instant"]["hints"][0][0]
    assert hint["suspect"] == order.index("backright")
    assert 20 < hint["suspectPx"] < 33
    assert hint["restPx"] < 0.1
    assert answer["curves"]  # all are placed, yet one must be looked for again


def test_copying_takes_the_nearest_labelled_instant(task, rig, truth):
    editor = LabelEditor(task)
    assert not do(editor, "copy", instant=1)["changed"]
    place_truth(editor, truth, rig, keypoint=0, cameras=rig.names)
    place_truth(editor, truth, rig, keypoint=1, cameras=rig.names)
    do(editor, "place", instant=1, view=0, x=3.0, y=4.0)
    do(editor, "copy", instant=1, keypoint=None)
    first, second = (editor.view_labels(i, 0)[0] for i in (0, 1))
    assert second[0, 0].tolist() == [3.0, 4.0]  # what was there stays
    assert np.array_equal(second[1:, :2], first[1:, :2])
    assert np.isnan(second[:, 2]).all()


def test_predictions_are_a_start(task):
    def guess(row):
        return Guess(np.array([[[10.0 + row, 5], [20, 6], [np.nan, np.nan]]]), np.array([[0.9, 0.1, np.nan]]))

    editor = LabelEditor(replace(task, guess=guess))
    assert describe_instant(editor, 0)["guesses"][0][0][1:] == [None, None]  # too uncertain, not there
    do(editor, "place", view=1, x=1.0, y=1.0)
    do(editor, "guesses", keypoint=None)
    rows = list(task.instants[0].rows.values())
    xy, mark = editor.view_labels(0, 0)
    assert (mark[:, 0] == Mark.VISIBLE).all()
    assert (mark[:, 1:] == Mark.UNLABELLED).all()
    assert xy[:, 0, 0].tolist() == [10.0 + rows[0], 1.0, 10.0 + rows[2], 10.0 + rows[3]]


@pytest.mark.parametrize("missing", ["rig", "one view"])
def test_without_a_calibration_there_are_labels_and_no_hints(task, missing):
    if missing == "rig":
        task = replace(task, rigs={})
    else:
        task = replace(task, rigs={name: rig.select(["frontleft"]) for name, rig in task.rigs.items()})
    editor = LabelEditor(task)
    for view in range(4):
        answer = do(editor, "place", view=view, x=50.0, y=60.0)
    assert answer["curves"] == []
    assert answer["instant"]["hints"] == [[None, None, None]]
    assert not any(view["calibrated"] for view in answer["instant"]["views"])
    assert editor.progress(0) == (4, 12)
    assert not do(editor, "accept")["changed"]


def test_an_image_of_another_size_gets_no_lines(task, rig, truth):
    odd = task.instants[0].rows["backleft"]
    editor = LabelEditor(replace(task, size=lambda row: (320, 240) if row == odd else (640, 480)))
    place_truth(editor, truth, rig, keypoint=0, cameras=("frontleft", "backright"))
    state = describe_instant(editor, 0)
    view = list(task.instants[0].rows).index("backleft")
    assert state["views"][view]["note"] == "calibrated with 640x480, this image is 320x240: no lines here"
    assert view not in state["hints"][0][0]["xy"]


@pytest.mark.parametrize(
    "request_",
    [
        {"do": "place"},
        {"do": "place", "view": 0, "x": "1", "y": 2},
        {"do": "place", "view": 0, "x": float("nan"), "y": 2},
        {"do": "place", "view": 0, "x": 640.0, "y": 2},
        {"do": "place", "view": 9, "x": 1, "y": 2},
        {"do": "place", "view": 0, "x": 1, "y": 2, "mark": "absent"},
        {"do": "place", "view": 0, "x": 1, "y": 2, "instant": 2},
        {"do": "place", "view": 0, "x": 1, "y": 2, "instant": -1},
        {"do": "place", "view": 0, "x": 1, "y": 2, "keypoint": True},
        {"do": "mark", "view": 0, "mark": 3},
        {"do": "mark", "view": 0, "mark": ["absent"]},
        {"do": "drop tables"},
        {"do": None},
        {},
    ],
)
def test_requests_that_make_no_sense_change_nothing(task, request_):
    editor = LabelEditor(replace(task, size=lambda _row: (640, 480)))
    with pytest.raises(RequestError):
        apply_action(editor, {"instant": 0, "individual": 0, "keypoint": 0, **request_})
    assert editor.revision == 0


def test_nothing_counts_that_the_journal_did_not_take(task):
    def full(_entry):
        raise Pose3DError("disk full")

    editor = LabelEditor(task, record=full)
    with pytest.raises(Pose3DError, match="disk full"):
        do(editor, "place", view=0, x=1.0, y=2.0)
    assert editor.progress(0) == (0, 12)
    assert not editor.can_undo


def test_a_replayed_journal_gives_the_same_labels_and_the_same_undo(task, rig, truth):
    entries = []
    editor = LabelEditor(task, record=entries.append)
    place_truth(editor, truth, rig, keypoint=0, cameras=rig.names[:2])
    do(editor, "accept")
    do(editor, "mark", view=2, mark="absent")
    do(editor, "undo")
    do(editor, "undo")
    do(editor, "redo")
    again = LabelEditor(task)
    assert again.replay(entries) == []
    for a, b in ((editor.edited(), again.edited()),):
        assert a.images == b.images
        assert np.array_equal(a.xy, b.xy, equal_nan=True)
        assert np.array_equal(a.mark, b.mark)
    assert (again.can_undo, again.can_redo) == (editor.can_undo, editor.can_redo)
    do(again, "redo")
    do(editor, "redo")
    assert np.array_equal(again.edited().mark, editor.edited().mark)
    # once more, over labels that hold it already: the end is the same
    images = task.images
    written = LabelledImages(images.labels.updated(editor.edited()), images.paths, images.recordings, images.cameras)
    twice, once = LabelEditor(replace(task, images=written)), LabelEditor(task)
    for each in (twice, once):
        each.replay(entries)
    assert np.array_equal(twice.view_labels(0, 0)[0], once.view_labels(0, 0)[0], equal_nan=True)
    assert np.array_equal(twice.view_labels(0, 0)[1], once.view_labels(0, 0)[1])


def test_entries_of_images_that_are_gone_are_handed_back(task, caplog):
    entries = []
    editor = LabelEditor(task, record=entries.append)
    do(editor, "place", view=0, x=1.0, y=2.0)
    strange = {**entries[0], "changes": [["gone", *entries[0]["changes"][0][1:]], *entries[0]["changes"]]}
    damaged = {"do": "place", "changes": [[1, 2], "x", ["a"] * 10]}
    again = LabelEditor(task)
    unplaced = again.replay([strange, damaged, {}, {"do": 1, "changes": 5}])
    assert again.progress(0) == (1, 12)
    assert unplaced == [{"do": "place", "changes": strange["changes"][:1]}, damaged]
    assert "no longer has" in caplog.text


def test_only_edited_images_are_written(task):
    editor = LabelEditor(task)
    do(editor, "place", instant=1, view=2, x=1.0, y=2.0)
    edited = editor.edited()
    assert len(edited) == 1
    assert edited.images[0] == task.images.labels.images[list(task.instants[1].rows.values())[2]]


def test_several_individuals(task):
    labels = Labels.empty(task.images.labels.images, ("a", "b"), task.images.labels.keypoints)
    images = LabelledImages(labels, task.images.paths, task.images.recordings, task.images.cameras)
    editor = LabelEditor(replace(task, images=images))
    assert editor.progress(0) == (0, 12)
    do(editor, "place", individual=1, view=0, x=1.0, y=2.0)
    assert editor.progress(0) == (1, 12)
    do(editor, "place", individual=0, view=0, x=1.0, y=2.0)
    assert editor.progress(0) == (2, 24)
    assert describe_project(editor)["individuals"] == ["a", "b"]


def test_images_are_grouped_by_instant_and_camera():
    names = [
        ImageName("walk_cam10", "img12.png"),
        ImageName("walk_cam9", "img10.png"),
        ImageName("walk_cam9", "img9.png"),
        ImageName("walk_cam10", "img10.png"),
        ImageName("walk_cam9", "still.png"),
        ImageName("run_cam9", "img10.png"),
    ]
    images = LabelledImages(
        Labels.empty(names, ("a",), ("k",)),
        tuple(Path(*name) for name in names),
        ("s/walk",) * 5 + ("s/run",),
        ("cam10", "cam9", "cam9", "cam10", "cam9", "cam9"),
    )
    plain = group_instants(images)
    assert [(each.recording, each.frame, list(each.rows.items())) for each in plain] == [
        ("s/run", 10, [("cam9", 5)]),
        ("s/walk", 9, [("cam9", 2)]),
        ("s/walk", 10, [("cam9", 1), ("cam10", 3)]),
        ("s/walk", 12, [("cam10", 0)]),
        ("s/walk", None, [("cam9", 4)]),
    ]
    shifted = group_instants(images, instant_of=lambda _, camera, frame: frame - 2 * (camera == "cam10"))
    assert [(each.frame, dict(each.rows)) for each in shifted if each.recording == "s/walk"] == [
        (8, {"cam10": 3}),
        (9, {"cam9": 2}),
        (10, {"cam9": 1, "cam10": 0}),
        (None, {"cam9": 4}),
    ]


def test_the_queue_puts_the_worst_first(task, tmp_path):
    write_queue(
        [QueueItem("session1/walk", 19, 3.5, "views disagree, by 12 px"), QueueItem("x", 1, 9, "gone")],
        tmp_path / "q.csv",
    )
    queue = read_queue(tmp_path / "q.csv")
    assert queue[0] == QueueItem("session1/walk", 19, 3.5, "views disagree, by 12 px")
    ordered = order_instants(task.instants, queue)
    assert [(each.frame, each.reason) for each in ordered] == [(19, "views disagree, by 12 px"), (7, "")]


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2\n",
        "recording,frame,score,reason\nx,1.5,2,\n",
        "recording,frame,score,reason\nx,1,inf,\n",
        "recording,frame,score,reason\nx\n",
        "\0",
    ],
)
def test_a_damaged_queue_is_refused(tmp_path, text):
    (tmp_path / "q.csv").write_text(text)
    with pytest.raises(FormatError, match="no queue of instants"):
        read_queue(tmp_path / "q.csv")
