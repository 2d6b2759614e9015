"""The page about an evaluation: whole in itself, the same bytes each time, and right about what it shows."""

import base64
import dataclasses
import html
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from pose3d.data.labels import ImageName, LabelledImages, Labels, Mark
from pose3d.errors import DataError
from pose3d.network.evaluation import evaluate_predictions
from pose3d.report.evaluation_page import write_evaluation_page

KEYPOINTS = ("nose <b>", "ear", "tail")


@pytest.fixture
def made(tmp_path):
    """Labels in ten images, and predictions of which one is far off."""
    rng = np.random.default_rng(0)
    paths = []
    for i in range(10):
        paths.append(tmp_path / f"img{i}.png")
        cv2.imwrite(str(paths[-1]), rng.integers(0, 256, (120, 160, 3), dtype=np.uint8))
    xy = rng.uniform(20, 100, (10, 1, 3, 2))
    names = tuple(ImageName("walk & run", path.name) for path in paths)
    labels = Labels(names, ("x",), KEYPOINTS, xy, np.full((10, 1, 3), Mark.VISIBLE, np.uint8))
    images = LabelledImages(labels, tuple(paths), ("walk",) * 10, ("a",) * 10)
    found = xy[:, 0] + np.array([3.0, 4.0])
    found[8, 2] += 60
    return images, found


def evaluation_of(images, found, parts=None, **options):
    parts = {"train": range(6), "test": range(6, 10)} if parts is None else parts
    score = np.full(found.shape[:-1], 0.9)
    return evaluate_predictions(found, score, images=images, parts=parts, tolerance_px=10, **options)


def page_of(evaluation, tmp_path, **options):
    path = tmp_path / "evaluation.html"
    write_evaluation_page(evaluation, path, title="default", **options)
    return path.read_text(encoding="utf-8")


class Tags(HTMLParser):
    """Collects links and checks that tags are closed."""

    def __init__(self):
        super().__init__()
        self.open, self.links = [], []

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.open = self.open[:-1] if self.open[-1] == tag else self.open

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_in_itself(made, tmp_path):
    page = page_of(evaluation_of(*made), tmp_path)
    tags = Tags()
    tags.feed(page)
    assert not tags.open
    assert len(tags.links) == 5  # the icon and four images
    assert all(link.startswith("data:") for link in tags.links)
    assert "<script" not in page
    assert "default-src 'none'" in html.unescape(page)
    assert "nose &lt;b&gt;" in page
    assert "nose <b>" not in page
    assert "walk &amp; run/img8.png" in page
    for picture in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ElementTree.fromstring(picture)


def test_the_same_evaluation_gives_the_same_page(made, tmp_path):
    assert page_of(evaluation_of(*made), tmp_path) == page_of(evaluation_of(*made), tmp_path)


def test_figures_are_those_of_the_held_out_part(made, tmp_path):
    images, found = made
    second = dataclasses.replace(images.labels, xy=images.labels.xy + np.array([0.0, 2.0]), scorer="anna")
    page = page_of(evaluation_of(images, found, second=second), tmp_path)
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert "median error on 4 images held out (12 labels)" in text
    assert "Labelled images: 6 learnt from, 4 held out." in text
    assert "5 px median error" in text
    assert "The network is 2.5 times as far from the labels as the second person" in text
    assert "tail is far worse than the others" in text
    assert "Only 12 labels" in text


def test_the_worst_image_comes_first_and_shows_what_is_off(made, tmp_path):
    images, found = made
    page = page_of(evaluation_of(images, found), tmp_path, n_worst=2)
    first = page[page.index('class="worst"') :]
    assert first.index("img8.png") < first.index("tail")
    assert len(re.findall(r"<image ", page)) == 2
    data = re.search(r"data:image/jpeg;base64,([^\"]+)", first)[1]
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    assert max(picture.shape) == 460
    circles = re.search(r"<svg.*?</svg>", first[first.index("<figure>") :], re.DOTALL)[0].count("<circle")
    assert circles == 6, "three labels, each with its rim"


def test_a_mark_is_drawn_where_the_label_is(made, tmp_path):
    images, found = made
    image = np.zeros((120, 160, 3), np.uint8)
    x, y = images.labels.xy[8, 0, 1].round().astype(int)
    image[y, x] = 255
    cv2.imwrite(str(images.paths[8]), image)
    labels = images.labels
    xy = labels.xy.copy()
    xy[8, 0, 1] = x, y
    images = dataclasses.replace(images, labels=dataclasses.replace(labels, xy=xy))
    page = page_of(evaluation_of(images, found), tmp_path, n_worst=1)
    part = page[page.index('class="worst"') :]
    data = re.search(r"data:image/jpeg;base64,([^\"]+)", part)[1]
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_GRAYSCALE).astype(float)
    picture[picture < 30] = 0
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    # The middle of a pixel is half a unit off its corner in a picture.
    seen = np.array([(picture * columns).sum(), (picture * rows).sum()]) / picture.sum() + 0.5
    circles = np.array(re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', part), float)
    assert np.linalg.norm(circles - seen, axis=1).min() < 0.5


def test_an_evaluation_without_held_out_images_says_so(made, tmp_path):
    images, found = made
    page = page_of(evaluation_of(images, found, parts={"train": range(10)}), tmp_path)
    assert "Nothing was held out" in page


def test_absent_keypoints_and_images_that_are_gone_leave_a_page(made, tmp_path):
    images, found = made
    mark = np.full((10, 1, 3), Mark.ABSENT, np.uint8)
    nothing = dataclasses.replace(images, labels=dataclasses.replace(images.labels, mark=mark))
    assert "There is none with a label to compare" in page_of(evaluation_of(nothing, found), tmp_path)
    images.paths[8].unlink()
    page = page_of(evaluation_of(images, found), tmp_path)
    assert len(re.findall(r"<image ", page)) == 3


def test_only_a_page_is_written(made, tmp_path):
    with pytest.raises(DataError, match=r"a \.html file is written here"):
        write_evaluation_page(evaluation_of(*made), tmp_path / "evaluation.txt", title="x")
