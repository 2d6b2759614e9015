"""What a person corrected: as a list, and applied to views, points and events."""

import numpy as np
import pytest

from pose3d.data import Keypoints2D, Keypoints3D, Status
from pose3d.data.edited import bad_points, bad_views, edit_events, edit_points, edit_views, unknown_names
from pose3d.data.edits import AddedEvent, BadStretch, DeletedEvent, Edits, MovedEvent, Remark, SwappedSides, inverse
from pose3d.data.events import LimbEvents

NAMES, PEOPLE, CAMERAS = ("nose", "knee_l", "knee_r"), ("anna", "ben"), ("left", "right")
PAIRS = (("knee_l", "knee_r"),)
START, N = 100, 20


@pytest.fixture
def views():
    xy = np.random.default_rng(0).uniform(0, 500, (N, 2, 2, 3, 2))
    return Keypoints2D(xy, xy[..., 0] / 500, CAMERAS, PEOPLE, NAMES, fps=50.0, start=START)


@pytest.fixture
def points():
    xyz = np.random.default_rng(1).uniform(0, 500, (N, 2, 3, 3))
    seen = np.arange(N * 6).reshape(N, 2, 3)
    return Keypoints3D(
        xyz, seen + 0.5, seen + 2, seen / 999, np.full(seen.shape, Status.OBSERVED), PEOPLE, NAMES,
        np.broadcast_to(np.eye(3), (*seen.shape, 3, 3)) * seen[..., None, None], 50.0, START,
    )  # fmt: skip


def test_edits_are_added_undone_and_redone():
    first, second, third = BadStretch(1, 2), SwappedSides(3, 4), Remark("look again")
    edits = Edits().add(first).add(second)
    assert edits.undo().entries == (first,)
    assert edits.undo().undo().redo().redo() == edits
    assert edits.undo().add(third) == Edits((first, third))
    assert edits.remove(first).entries == (second,)
    assert edits.remove(first).redo().entries == (second, first)
    assert (Edits().undo(), Edits().redo()) == (Edits(), Edits())
    assert not Edits().can_undo
    assert edits.undo().can_redo
    with pytest.raises(ValueError, match="no such edit"):
        edits.remove(third)


def test_an_inverse_takes_back_what_it_follows(points):
    events = LimbEvents.from_times([("L", "strike", [1.0, 2.0])])
    for edit in (MovedEvent("L", "strike", 1.0, 1.3), DeletedEvent("L", "strike", 2.0), AddedEvent("L", "strike", 1.6)):
        back = edit_events(events, Edits().add(edit).add(inverse(edit)))
        np.testing.assert_array_equal(back.events.time_s, events.time_s)
        assert len(edit_events(events, Edits().add(edit)).events) != 2 or isinstance(edit, MovedEvent)
    swap = SwappedSides(105, 110, note="crossed")
    twice = edit_points(points, Edits().add(swap).add(inverse(swap)), PAIRS)
    np.testing.assert_array_equal(twice.xyz, points.xyz)
    assert inverse(BadStretch(1, 2)) is None


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: BadStretch(5, 4), "no stretch"),
        (lambda: BadStretch(0, 10**12), "no stretch"),
        (lambda: BadStretch(True, 4), "whole numbers"),
        (lambda: SwappedSides(1.0, 4), "whole numbers"),
        (lambda: SwappedSides(1, 4, (("a", "b"), ("b", "c"))), "named twice"),
        (lambda: MovedEvent("L", "strike", 1.0, float("nan")), "number of seconds"),
        (lambda: AddedEvent(" ", "strike", 1.0), "limb and a kind"),
        (lambda: Remark("  "), "needs a text"),
        (lambda: Remark("here", 3), "from first to last"),
    ],
)
def test_what_is_no_edit_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_words_say_all_that_counts():
    edits = (
        Edits()
        .add(BadStretch(120, 140, ("knee_l",), camera="left", individual="anna", note="behind the bench"))
        .add(BadStretch(130, 150))
        .add(SwappedSides(7, 7, PAIRS))
        .add(MovedEvent("L", "strike", 1.52, 1.48))
    )
    assert edits.lines() == [
        "frames 120 to 140: knee_l of anna not used from camera left (behind the bench)",
        "frames 130 to 150: all keypoints bad",
        "frame 7: left and right exchanged (knee_l/knee_r)",
        "L strike moved from 1.520 s to 1.480 s",
    ]
    assert edits.summary() == "2 bad stretches (31 frames), 1 stretch with left and right exchanged, 1 event moved"
    assert Edits().add(BadStretch(0, 10**9)).summary() == "1 bad stretch (1000000001 frames)"


def test_bad_stretches_are_missing_where_they_say_and_nowhere_else(views, points):
    edits = Edits().add(BadStretch(105, 108, ("knee_l",), individual="ben")).add(BadStretch(90, 101, camera="right"))
    masked = edit_views(views, edits, PAIRS)
    gone = np.isnan(masked.xy[..., 0])
    expected = np.zeros_like(gone)
    expected[5:9, :, 1, 1] = True
    expected[:2, 1] = True
    np.testing.assert_array_equal(gone, expected)
    np.testing.assert_array_equal(masked.xy[~gone], views.xy[~gone])
    np.testing.assert_array_equal(gone, bad_views(edits, START, N, CAMERAS, PEOPLE, NAMES))
    bad = edit_points(points, edits, PAIRS)
    missing = bad.status == Status.MISSING
    expected = np.zeros_like(missing)
    expected[5:9, 1, 1] = True  # views of one camera make no point missing
    np.testing.assert_array_equal(missing, expected)
    np.testing.assert_array_equal(missing, bad_points(edits, START, N, PEOPLE, NAMES))
    assert np.isnan(bad.xyz[missing]).all()
    assert np.isnan(bad.covariance[missing]).all()
    np.testing.assert_array_equal(bad.n_cameras[missing], 0)
    for name in ("xyz", "error", "covariance", "n_cameras"):
        np.testing.assert_array_equal(getattr(bad, name)[~missing], getattr(points, name)[~missing])


def test_sides_are_exchanged_with_all_that_belongs_to_them(views, points):
    edits = Edits().add(SwappedSides(103, 106, camera="left")).add(SwappedSides(110, 111, individual="anna"))
    done = edit_views(views, edits, PAIRS)
    expected = np.array(views.xy)
    expected[3:7, 0, :, 1:] = views.xy[3:7, 0, :, :0:-1]
    expected[10:12, :, 0, 1:] = views.xy[10:12, :, 0, :0:-1]
    np.testing.assert_array_equal(done.xy, expected)
    np.testing.assert_array_equal(done.score, expected[..., 0] / 500)
    solid = edit_points(points, edits, PAIRS)
    for name in ("xyz", "error", "n_cameras", "score", "covariance"):
        before, after = getattr(points, name), getattr(solid, name)
        np.testing.assert_array_equal(after[10:12, 0, 1], before[10:12, 0, 2])
        np.testing.assert_array_equal(after[10:12, 0, 2], before[10:12, 0, 1])
        np.testing.assert_array_equal(after[3:7], before[3:7])  # of one camera's views points know nothing
    assert edit_points(points, edits, PAIRS, swap=False) is not None
    np.testing.assert_array_equal(edit_points(points, edits, PAIRS, swap=False).xyz, points.xyz)


def test_parts_of_a_recording_are_edited_as_the_whole(views):
    edits = Edits().add(BadStretch(104, 111, ("nose",))).add(SwappedSides(107, 300, camera="right"))
    whole = edit_views(views, edits, PAIRS)
    parts = [edit_views(views.frames(first, first + 4), edits, PAIRS) for first in range(0, N, 4)]
    np.testing.assert_array_equal(np.concatenate([part.xy for part in parts]), whole.xy)
    before = views.frames(0, 4)
    assert edit_views(before, edits, PAIRS) is before


def test_names_that_are_not_there_are_told():
    edits = Edits().add(BadStretch(1, 2, ("toe",), camera="top")).add(SwappedSides(3, 4)).add(BadStretch(1, 2))
    (line,) = unknown_names(edits, NAMES, individuals=PEOPLE, cameras=CAMERAS)
    assert line.endswith("there is no keypoint 'toe' and no camera 'top'")


STRIKES = [1.0, 2.1, 3.2]


@pytest.fixture
def walk():
    return LimbEvents.from_times([("L", "strike", STRIKES), ("R", "strike", [1.5, 2.6]), ("L", "off", [1.02])])


def test_events_are_moved_deleted_and_added(walk):
    edits = (
        Edits()
        .add(MovedEvent("L", "strike", 2.1, 2.15))
        .add(DeletedEvent("R", "strike", 1.5))
        .add(AddedEvent("R", "off", 2.0))
    )
    done = edit_events(walk, edits)
    assert done.notes == ()
    np.testing.assert_allclose(done.events.times("L", "strike"), [1.0, 2.15, 3.2])
    np.testing.assert_allclose(done.events.times("R", "strike"), [2.6])
    np.testing.assert_allclose(done.events.times("R", "off"), [2.0])
    np.testing.assert_allclose(done.events.times("L", "off"), [1.02])
    np.testing.assert_array_equal(edit_events(done.events, edits).events.time_s, done.events.time_s)


def test_events_found_anew_are_known_again(walk):
    edits = (
        Edits()
        .add(MovedEvent("L", "strike", 2.12, 2.25))
        .add(DeletedEvent("L", "strike", 0.96))
        .add(AddedEvent("R", "strike", 2.63))
    )
    done = edit_events(walk, edits).events
    np.testing.assert_allclose(done.times("L", "strike"), [2.25, 3.2])
    np.testing.assert_allclose(done.times("R", "strike"), [1.5, 2.63])  # not two strikes within 30 ms
    far = edit_events(walk, Edits().add(DeletedEvent("L", "strike", 2.5)))
    np.testing.assert_allclose(far.events.times("L", "strike"), STRIKES)
    edits = Edits().add(MovedEvent("L", "strike", 2.5, 2.7))
    far = edit_events(walk, edits)
    assert far.notes == ("L strike: there is none any more at 2.500 s, from where a person moved it to 2.700 s",)
    np.testing.assert_allclose(far.events.times("L", "strike"), [1.0, 2.1, 2.7, 3.2])  # her word holds
    assert edit_events(far.events, edits).notes == ()


def test_a_second_thought_counts(walk):
    edits = (
        Edits()
        .add(AddedEvent("L", "strike", 2.16))
        .add(DeletedEvent("L", "strike", 2.1))
        .add(MovedEvent("L", "strike", 3.2, 3.25))
        .add(MovedEvent("L", "strike", 3.25, 3.3))
    )
    once = edit_events(walk, edits).events
    np.testing.assert_allclose(once.times("L", "strike"), [1.0, 2.16, 3.3])
    np.testing.assert_array_equal(edit_events(once, edits).events.time_s, once.time_s)
    gone = edit_events(walk, edits.add(DeletedEvent("L", "strike", 3.3))).events
    np.testing.assert_allclose(gone.times("L", "strike"), [1.0, 2.16])


def test_steps_of_small_animals_are_told_apart():
    quick = LimbEvents.from_times([("LF", "strike", [0.1, 0.2, 0.3, 0.4])])
    done = edit_events(quick, Edits().add(DeletedEvent("LF", "strike", 0.25)))
    assert len(done.events) == 4
    assert len(edit_events(quick, Edits().add(DeletedEvent("LF", "strike", 0.22))).events) == 3
