"""Which frames are of one instant, and which instants are looked at."""

import cv2
import numpy as np
import pytest

from pose3d.calibration.detection.instants import first_look, line_up, match_instants, second_look, source_findings
from pose3d.errors import CalibrationError
from pose3d.io.images import FrameSource, ImageFolder


class Clip(FrameSource):
    """A clip that nobody reads."""

    def __init__(self, n_frames, fps=30.0, variable_rate=False):
        self.n_frames, self.fps, self.variable_rate, self.size = n_frames, fps, variable_rate, (64, 48)

    def _read(self, wanted, gray):
        raise NotImplementedError


@pytest.fixture
def images(tmp_path):
    def make(camera, *names):
        folder = tmp_path / camera
        folder.mkdir(exist_ok=True)
        for name in names:
            cv2.imwrite(str(folder / name), np.zeros((4, 6), np.uint8))
        return ImageFolder(folder)

    return make


def test_frames_match_by_time():
    rng = np.random.default_rng(0)
    true = np.arange(2000) / 30
    late = {"a": 0, "b": 7, "c": 0}
    kept = {name: np.flatnonzero(rng.random(2000) > 0.02)[skip:] for name, skip in late.items()}
    times = {name: true[some] + rng.uniform(-0.006, 0.006, len(some)) for name, some in kept.items()}
    found = match_instants(times)
    shown = np.stack([np.where(found[:, i] >= 0, some[found[:, i]], -1) for i, some in enumerate(kept.values())], 1)
    known = np.where(shown >= 0, shown, np.nan)
    assert (np.nanmax(known, axis=1) == np.nanmin(known, axis=1)).all()
    assert len(found) == len(set().union(*map(set, kept.values())))
    for i, some in enumerate(kept.values()):
        np.testing.assert_array_equal(found[found[:, i] >= 0, i], np.arange(len(some)))  # once each, in order


def test_cameras_of_different_rates():
    found = match_instants({"fast": np.arange(400) / 100, "slow": np.arange(100) / 25 + 0.003})
    both = found[(found >= 0).all(1)]
    np.testing.assert_array_equal(both[:, 1], np.arange(100))
    np.testing.assert_array_equal(both[:, 0], 4 * np.arange(100))
    assert len(found) == 400


def test_tolerance_and_unknown_times():
    times = {"a": np.array([0.0, 0.1, np.nan, 0.3]), "b": np.array([0.04, 0.11, 0.2, 0.30])}
    assert match_instants(times).tolist() == [[0, 0], [1, 1], [-1, 2], [3, 3]]
    assert match_instants(times, tolerance_s=0.02).tolist() == [[0, -1], [-1, 0], [1, 1], [-1, 2], [3, 3]]
    assert match_instants({"a": np.zeros(0), "b": np.array([1.0])}).tolist() == [[-1, 0]]


def test_line_up_by_time():
    times = {"a": np.arange(10) / 10, "b": np.arange(12) / 10 + 0.31}
    found = line_up({"a": Clip(10), "b": Clip(12)}, timestamps=times)
    assert found.frames.tolist() == [[3 + i, i] for i in range(7)]  # what only one camera has is of no use
    np.testing.assert_array_equal(found.own_frames(["a", "b"])["b"][found.numbers], np.arange(7))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"timestamps": {"a": np.arange(5) / 10}}, "no timestamps for b"),
        ({"timestamps": {"a": np.arange(5) / 10, "b": np.arange(4) / 10}}, "b: 4 timestamps for a clip of 7 frames"),
        ({"timestamps": {"a": np.arange(5) / 10, "b": 9 + np.arange(7) / 10}}, "do they use one clock"),
        ({"timestamps": {"a": np.arange(5) / 10, "b": np.arange(7) / 10}, "offsets": {"a": 1}}, "both given"),
        ({"offsets": {"c": 1}}, "an offset is given for c"),
        ({"offsets": {"a": 9}}, "no instant in common"),
        ({}, "a 5, b 7"),
    ],
)
def test_sources_that_do_not_fit(options, said):
    with pytest.raises(CalibrationError, match=said):
        line_up({"a": Clip(5), "b": Clip(7)}, **options)


def test_line_up_by_number_with_offsets():
    found = line_up({"a": Clip(10), "b": Clip(12)}, offsets={"a": -2})
    np.testing.assert_array_equal(found.numbers, np.arange(2, 12))
    np.testing.assert_array_equal(found.frames, np.stack([np.arange(10), np.arange(2, 12)], 1))
    assert len(line_up({"a": Clip(10), "b": Clip(12)}, truncate=True).numbers) == 10


def test_images_match_by_the_number_in_their_names(images, caplog):
    folders = {
        "cam1": images("cam1", "cam1_7.png", "cam1_8.png", "cam1_10.png"),
        "cam2": images("cam2", "cam2_0008.png", "cam2_0009.png", "cam2_0010.png"),
    }
    with caplog.at_level("WARNING", logger="pose3d"):
        found = line_up(folders)
    assert found.frames.tolist() == [[0, -1], [1, 0], [-1, 1], [2, 2]]
    assert "4 instants, 2 of them in all cameras" in caplog.text


def test_images_whose_names_say_nothing_match_by_order(images):
    by_order = [[0, 0], [1, 1]]
    same = {"a": images("a", "left01.png", "left02.png"), "b": images("b", "right01.png", "right02.png")}
    assert line_up(same).frames.tolist() == by_order
    apart = {"c": images("c", "img_1.png", "img_2.png"), "d": images("d", "img_3.png", "img_4.png")}
    assert line_up(apart).frames.tolist() == by_order
    words = {"e": images("e", "floor.png", "wall.png"), "f": images("f", "floor.png", "wall.png")}
    assert line_up(words).frames.tolist() == by_order


def test_images_with_dates_in_their_names(images):
    folders = {
        "a": images("a", "a_20240101_01.png", "a_20240101_02.png", "a_20240101_03.png"),
        "b": images("b", "b_20240102_01.png", "b_20240102_03.png"),
    }
    assert line_up(folders).frames.tolist() == [[0, 0], [1, -1], [2, 1]]


def test_what_speaks_against_matching_by_number(images):
    assert source_findings({"a": Clip(5), "b": Clip(5), "c": Clip(5, fps=30.01)}) == ()
    (odd,) = source_findings({"a": Clip(5), "b": Clip(5, fps=25.0), "c": Clip(5)})
    assert (odd.kind, odd.grade, odd.cameras) == ("rates_differ", "WARN", ("b",))
    assert "b 25 fps" in odd.says
    (uneven,) = source_findings({"a": Clip(5), "b": Clip(5, variable_rate=True)})
    assert (uneven.kind, uneven.cameras) == ("uneven_rate", ("b",))
    assert source_findings({"a": Clip(5), "b": Clip(5, fps=25.0)}, timed=True) == ()
    mixed = images("both", *(f"{side}0{i}.jpg" for side in ("left", "right") for i in range(1, 5)))
    (finding,) = source_findings({"rig": mixed})
    assert finding.kind == "mixed_images"
    assert "left and right" in finding.says
    assert source_findings({"rig": images("one", "left01.jpg", "left02.jpg", "left03.jpg", "near01.jpg")}) == ()


def test_short_recordings_are_looked_at_whole():
    np.testing.assert_array_equal(first_look(1500, 1500), np.arange(1500))
    assert len(first_look(1501, 1500)) <= 500


def test_the_rest_of_the_budget_goes_where_cameras_share_the_board():
    n, budget = 30_000, 1500
    at = np.arange(n)
    shown = np.zeros((n, 4), dtype=bool)
    shown[(at > 3000) & (at < 9000), :2] = True  # the first two share the board for long
    shown[(at > 20_000) & (at < 20_600), 1:3] = True  # the next two shortly
    shown[(at > 25_000) & (at < 29_000), 3] = True  # the last one is alone
    looked = first_look(n, budget)
    more = second_look(n, looked, shown[looked], budget=budget - len(looked))
    every = np.union1d(looked, more)
    assert len(every) == len(looked) + len(more) == budget
    assert shown[more].any(1).mean() > 0.95
    even = np.arange(0, n, n // budget)
    assert shown[more][:, 1:3].all(1).sum() >= 8 * shown[even][:, 1:3].all(1).sum()
    assert shown[more][:, 3].sum() >= 60
    np.testing.assert_array_equal(more, second_look(n, looked, shown[looked], budget=budget - len(looked)))


def test_where_nothing_was_seen_the_rest_is_spread():
    looked = first_look(10_000, 1500)
    more = second_look(10_000, looked, np.zeros((len(looked), 2), dtype=bool), budget=1000)
    assert len(np.setdiff1d(more, looked)) == 1000
    assert np.diff(np.union1d(looked, more)).max() <= 12
    few = second_look(40, np.arange(0, 40, 2), np.ones((20, 2), dtype=bool), budget=100)
    np.testing.assert_array_equal(few, np.arange(1, 40, 2))
