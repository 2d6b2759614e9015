"""Pictures as wholes: angles below the grid where they belong, and words that do not run into each other."""

from dataclasses import replace

import numpy as np
import pytest

from pose3d.data import JointAngles
from pose3d.viewer import palette
from pose3d.viewer.angle_panel import AnglePanel
from pose3d.viewer.captions import caption_words
from pose3d.viewer.film_strip import film_strip
from pose3d.viewer.painter import Painter
from pose3d.viewer.pictures import PictureMaker, PictureSettings
from pose3d.viewer.scene import Scene
from pose3d.viewer.shapes import Labels
from pose3d.viewer.view_camera import frame_camera

SIZE = (800, 150)


def places_of(image: np.ndarray, colour: palette.Colour, columns: slice) -> np.ndarray:
    """Rows and columns of the pixels that have a colour."""
    away = np.abs(image[:, columns, ::-1] / 255 - np.array(colour)).max(-1)
    return np.argwhere(away < 0.06)


def test_curves_bands_and_cursor_lie_at_their_values(playback) -> None:
    n = playback.n_frames
    deg = np.full((n, 1, 2), 0.0)
    deg[..., 0] = np.where(np.arange(n) < n // 2, 40.0, 10.0)[:, None]
    angles = JointAngles(deg, ("knee_flexion_l", "knee_flexion_r"), ("anna",), np.full(deg.shape, 2.0), fps=50.0)
    panel = AnglePanel(replace(playback, angles=angles), SIZE)
    image = np.zeros((SIZE[1], SIZE[0], 3), dtype=np.uint8)
    panel.draw(image, n // 4)
    (plot,) = panel._plots
    left, right = slice(plot.left, plot.left + 200), slice(plot.left + plot.width - 200, plot.left + plot.width)
    for part, value in ((left, 40.0), (right, 10.0)):
        rows = places_of(image, palette.LEFT, part)[:, 0]
        assert abs(np.median(rows) - plot.y_of(value)) <= 1.5
    band = image[plot.y_of(43.0), plot.left + 100].astype(int) - image[plot.y_of(47.0), plot.left + 100]
    assert band[0] > 20, "the interval is 4 degrees wide on each side"
    cursor = places_of(image[plot.top : plot.top + plot.height], palette.TEXT, slice(plot.left, None))[:, 1]
    assert abs(np.median(cursor) - (n // 4) / n * plot.width) <= 1.5


def test_a_long_recording_is_shown_a_page_at_a_time(playback, walker) -> None:
    many = np.arange(1300) % walker.n_frames
    names = ("xyz", "error", "n_cameras", "score", "status")
    points = replace(walker, **{name: getattr(walker, name)[many] for name in names})
    angles = JointAngles(np.full((1300, 1, 1), np.nan), ("tilt",), ("anna",), fps=50.0)
    long = replace(playback, points=points, views=None, angles=angles)
    panel, image = AnglePanel(long, SIZE), np.zeros((SIZE[1], SIZE[0], 3), dtype=np.uint8)
    for row, part in ((250, 0.5), (500, 0.0), (1299, 1.0)):  # pages of 500 frames, the last one ends at the end
        panel.draw(image, row)
        (plot,) = panel._plots
        cursor = places_of(image[plot.top : plot.top + plot.height], palette.TEXT, slice(plot.left, None))[:, 1]
        assert abs(np.median(cursor) / plot.width - part) < 0.01, row


@pytest.mark.parametrize("size", [(640, 360), (360, 640)])
def test_a_grid_has_the_angles_below_unless_it_is_plain(playback, size) -> None:
    def blues(**changes) -> int:
        picture = PictureMaker(playback, PictureSettings("grid", size, **changes)).make(40)
        # The legs of the videos end above, what is below is the panel.
        return len(places_of(picture[-round(0.22 * min(size)) :], palette.LEFT, slice(None)))

    assert blues() > 100
    assert blues(captions=False) < 50


def test_no_label_stands_on_the_captions_and_long_names_end_before_the_time(playback) -> None:
    size, view = (320, 360), frame_camera(playback, "orbit", aspect=320 / 360)
    words = caption_words((360, 320), replace(playback, name="a name that is much too long " * 3), 40, right=320)
    name = next(each for each in words if each.text.startswith("a name"))
    time = next(each for each in words if each.text.endswith(" s"))
    assert name.text.endswith("…")
    assert name.box[2] < time.box[0]
    boxes = [each.box for each in words]
    xyz = playback.points.xyz[40, 0, :1]
    pixel = view.project(xyz, size)[0][0]
    over = [(float(pixel[0]) - 60, float(pixel[1]) - 12, float(pixel[0]) + 60, float(pixel[1]) + 12)]
    scene = Scene((), (), None, (Labels(xyz, ("here",), np.ones((1, 4), np.float32)),), 40)
    x0, y0, x1, y1 = (round(edge) for edge in over[0])
    images = [np.zeros((360, 320, 3), dtype=np.uint8) for _ in range(2)]
    Painter(size).draw_labels(images[0], scene, view)
    Painter(size).draw_labels(images[1], scene, view, [*boxes, *over])
    assert images[0][y0:y1, x0:x1].any()
    assert not images[1][y0:y1, x0:x1].any()
    assert images[1].any()


def test_a_film_shows_a_walk_from_its_side_with_the_colours_of_reports(playback) -> None:
    rows = (10, 25, 40, 60)
    strip = film_strip(playback, rows, (160, 240))
    assert strip.shape == (240, 640, 3)
    lowest = []
    for moment in np.split(strip, len(rows), axis=1):
        blues, oranges = (moment[..., a].astype(int) - moment[..., b] > 60 for a, b in ((0, 2), (2, 0)))
        body = np.argwhere(blues | oranges)
        assert blues.sum() > oranges.sum() > 50, "the right side is the nearer one, and blue"
        assert body[:, 1].min() > 5
        assert body[:, 1].max() < 155
        lowest.append(int(body[:, 0].max()))
    assert np.ptp(lowest) < 12, "feet stay on the floor"
    assert min(lowest) > 190
