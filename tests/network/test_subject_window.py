import numpy as np
import pytest

from pose3d.network.subject_window import CropSettings, SubjectWindow

SIZE = (320, 240)


def seen(x: float, y: float, spread: float = 20) -> tuple[np.ndarray, np.ndarray]:
    xy = 1.0 * np.array([[x - spread, y - spread], [x + spread, y], [x, y + spread], [300, 5]])
    return xy, np.array([0.9, 0.8, 0.9, 0.01])  # the last is a guess far away


def test_window_holds_the_subject_and_fits_the_network() -> None:
    window = SubjectWindow(SIZE, CropSettings())
    assert window.window is None
    window.update(*seen(100, 120), whole=True)
    x, y, width, height = window.window
    assert (width % 32, height % 32) == (0, 0)
    assert x <= 100 - 20 - 24 < 100 + 20 + 24 <= x + width
    assert y <= 120 - 20 - 24 < 120 + 20 + 24 <= y + height
    assert width * height < 0.3 * 320 * 240


@pytest.mark.parametrize("place", [(25, 25), (300, 25), (25, 220), (300, 220)])
def test_window_at_a_corner_stays_within_the_padded_image(place: tuple[float, float]) -> None:
    window = SubjectWindow(SIZE, CropSettings())
    window.update(*seen(*place), whole=True)
    x, y, width, height = window.window
    assert min(x, y) >= 0
    assert x + width <= 320 + 8
    assert y + height <= 240 + 8
    assert window.trusts(*seen(*place))


def test_subject_that_reaches_the_edge_is_looked_for_in_the_whole_image() -> None:
    window = SubjectWindow(SIZE, CropSettings())
    window.update(*seen(100, 120), whole=True)
    assert window.trusts(*seen(105, 120))
    assert not window.trusts(*seen(100 + 42, 120))


def test_lost_keypoints_are_looked_for_in_the_whole_image() -> None:
    window = SubjectWindow(SIZE, CropSettings())
    window.update(*seen(100, 120), whole=True)
    xy, score = seen(100, 120)
    assert not window.trusts(xy, np.array([0.9, 0.1, 0.1, 0.1]))
    assert not window.trusts(np.full_like(xy, np.nan), score)
    window.update(xy, np.zeros(4), whole=True)
    assert window.window is None


def test_motion_moves_the_window_ahead() -> None:
    still, moving = SubjectWindow(SIZE, CropSettings()), SubjectWindow(SIZE, CropSettings())
    for i, x in enumerate((100, 116, 132)):
        moving.update(*seen(x, 120), whole=i == 0)
        still.update(*seen(132, 120), whole=i == 0)
    assert moving.window.x + moving.window.width > still.window.x + still.window.width
    assert moving.trusts(*seen(148, 120))


def test_whole_image_is_looked_at_now_and_then() -> None:
    window = SubjectWindow(SIZE, CropSettings(whole_every=5))
    looked = []
    for _ in range(20):
        whole = window.window is None
        looked.append(whole)
        window.update(*seen(100, 120), whole=whole)
    assert np.flatnonzero(looked).tolist() == [0, 5, 10, 15]


def test_large_subject_is_worth_no_window() -> None:
    window = SubjectWindow(SIZE, CropSettings())
    window.update(*seen(160, 120, spread=90), whole=True)
    assert window.window is None


def test_state_goes_on_alike() -> None:
    rng = np.random.default_rng(0)
    one, other = SubjectWindow(SIZE, CropSettings()), SubjectWindow(SIZE, CropSettings())
    places = 120 + rng.normal(0, 4, (30, 2)).cumsum(0)
    for i, place in enumerate(places):
        if i == 12:
            other.restore({name: np.array(value) for name, value in one.state().items()})
        for each in (one, other) if i >= 12 else (one,):
            each.update(*seen(*place), whole=each.window is None)
    assert one.window == other.window is not None


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="whole_every"):
        CropSettings(whole_every=0)
