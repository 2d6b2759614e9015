"""The calibration report: what it says, and that a browser shows it without a network."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pose3d.calibration import Calibration, calibrate_detections
from pose3d.calibration.findings import Finding
from pose3d.errors import DataError
from pose3d.geometry.transforms import rigid
from pose3d.report.calibration_measures import (
    Pair,
    baselines,
    camera_views,
    center_sd_mm,
    coverage,
    edge_lengths,
    weakest_link,
)
from pose3d.report.calibration_page import write_calibration_report
from pose3d.report.calibration_scene import levelled, scene
from pose3d.report.calibration_tables import value_and_sd

NAMES = ["left", "<script>alert(1)</script>", 'top & "down"']
LATE = Finding("offset", "FAIL", (NAMES[1],), f"camera {NAMES[1]} is 3 frames late", "cut its clip")
FEW = Finding("views", "WARN", ("left",), "left saw the board at 9 instants only", "record it again")


@pytest.fixture(scope="module")
def made() -> dict[str, Calibration]:
    return {}


@pytest.fixture
def three(made, make_ring, corners, board) -> Calibration:
    """Three cameras, one of them with a hostile name."""
    if "three" not in made:
        seen = corners(make_ring(3, arc=np.pi, names=NAMES), board, 30)
        made["three"] = calibrate_detections(replace(seen, frames=seen.frames + 100))
    return made["three"]


@pytest.fixture
def one(made, make_ring, corners, board) -> Calibration:
    if "one" not in made:
        made["one"] = calibrate_detections(corners(make_ring(1), board, 25))
    return made["one"]


@pytest.fixture
def visit(browser, tmp_path) -> Iterator[Callable[..., Any]]:
    """Write a report, open it, and hold at the end that nothing was fetched and nothing went wrong."""
    contexts, wrong = [], []

    def open_report(calibration: Calibration, width: int = 1300, scripts: bool = True, **options: Any) -> Any:
        path = tmp_path / "calibration-report.html"
        write_calibration_report(calibration, path, **options)
        context = browser.new_context(viewport={"width": width, "height": 900}, java_script_enabled=scripts)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: wrong.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: (wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: fetched.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_load_state("load")
        return page

    fetched: list[str] = []
    yield open_report
    for context in contexts:
        context.close()
    assert wrong == []
    # the page itself, once for each visit, and what it carries within it
    assert [url for url in fetched if not url.startswith(("file:", "data:"))] == []
    assert len({url for url in fetched if url.startswith("file:")}) <= 1


def text_of(calibration: Calibration, folder: Path, **options: Any) -> str:
    write_calibration_report(calibration, folder / "report.html", **options)
    return (folder / "report.html").read_text(encoding="utf-8")


SIZES = """() => [...document.querySelectorAll("svg, canvas, img")]
    .filter((picture) => !picture.closest(".still") || !picture.closest(".live"))
    .map((picture) => { const box = picture.getBoundingClientRect(); return [box.width, box.height,
        picture.tagName === "IMG" ? picture.naturalWidth : 1,
        (picture.getAttribute("aria-label") || picture.alt || "").length]; })"""
PIXELS = """() => document.querySelector("canvas").toDataURL()"""


@pytest.mark.parametrize("width", [1300, 420])
def test_a_browser_shows_all_pictures(visit, three, width):
    page = visit(replace(three, findings=(LATE,)), width=width)
    page.evaluate("document.querySelectorAll('details').forEach((part) => (part.open = true))")
    sizes = np.array(page.evaluate(SIZES))
    # five for each camera, the graph, the canvas, the view from above, six maps and the edges
    assert len(sizes) == 5 * 3 + 1 + 1 + 1 + 6 + 1
    assert sizes[:, :2].min() > 60
    assert sizes[:, 2:].min() > 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width  # tables scroll, the page does not
    assert page.locator("h1").inner_text() == "✖ FAIL"


def test_the_view_turns(visit, three):
    page = visit(three)
    canvas = page.locator("canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    seen = [page.evaluate(PIXELS)]

    def settle() -> None:
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        seen.append(page.evaluate(PIXELS))

    page.mouse.move(box["x"] + 200, box["y"] + 150)
    page.mouse.down()
    page.mouse.move(box["x"] + 290, box["y"] + 190, steps=4)
    page.mouse.up()
    settle()
    page.mouse.move(box["x"] + 100, box["y"] + 100)  # the button is up: nothing turns
    settle()
    assert seen[2] == seen[1]
    canvas.focus()
    page.keyboard.press("ArrowLeft")
    settle()
    page.get_by_role("button", name="above").click()
    settle()
    page.get_by_role("button", name="error", exact=True).click()
    settle()
    assert len({seen[0], *seen[1:2], *seen[3:]}) == 5
    assert len(page.evaluate("() => document.querySelector('.still').innerHTML")) > 500
    assert not page.locator(".still").is_visible()


def test_without_scripts_a_picture_stands_for_the_view(visit, three):
    page = visit(three, scripts=False)
    assert page.locator(".still svg").is_visible()
    assert not page.locator("canvas").is_visible()
    assert not page.get_by_role("button").first.is_visible()


def test_the_first_sight_is_the_picture(visit, three):
    page = visit(three)
    data = scene(three, {})
    tip = page.evaluate("""() => { const path = document.querySelectorAll(".still text")[0];
        return [Number(path.getAttribute("x")), Number(path.getAttribute("y"))]; }""")
    assert 0 < tip[0] < 720
    assert 0 < tip[1] < 460
    assert len(data["cameras"]) == 3
    corners = np.array([camera["points"] for camera in data["cameras"]])
    assert np.abs(corners).max() < 1.5 * data["radius"]


def test_paper_gets_the_picture_and_the_glossary(visit, three):
    page = visit(three)
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".still svg").is_visible()
    assert not page.locator("canvas").is_visible()
    assert page.locator("dd").first.is_visible()


def test_names_and_titles_are_words_never_markup(three, tmp_path):
    text = text_of(replace(three, findings=(LATE,)), tmp_path, title="<img src=x onerror=alert(2)>")
    assert len(re.findall(r"<script\b", text)) == 2
    assert "alert(1)</script>" not in text
    assert "<img" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; is 3 frames late" in text


def test_the_same_calibration_gives_the_same_bytes(three, tmp_path):
    first, again = (text_of(three, tmp_path, title="session", fps=60.0) for _ in range(2))
    assert first == again
    assert len(first.encode()) < 1_000_000
    assert "recording frame (60 a second)" in first
    assert not re.search(r"https?://|url\(|@import", first)


def test_the_worst_finding_is_the_grade(three, tmp_path):
    good = text_of(three, tmp_path)
    assert "<title>Calibration report: PASS</title>" in good
    assert "What to do" not in good
    warned = text_of(replace(three, findings=(FEW,)), tmp_path)
    assert "<title>Calibration report: WARN</title>" in warned
    assert "left saw the board at 9 instants only." in warned  # a camera's name keeps its small letter
    assert "Record it again." in warned
    failed = text_of(replace(three, findings=(FEW, LATE)), tmp_path)
    assert "<title>Calibration report: FAIL</title>" in failed
    assert failed.index("Cut its clip.") < failed.index("Record it again.")


def test_a_camera_that_could_not_be_linked_fails(three, tmp_path):
    text = text_of(replace(three, unlinked={"roof": "it never saw the board"}), tmp_path)
    assert "<title>Calibration report: FAIL</title>" in text
    assert "not calibrated: it never saw the board" in text
    assert "3<small> of 4</small>" in text


def test_a_verdict_is_taken_as_it_is(three, tmp_path):
    def reason(says: str, value: float) -> SimpleNamespace:
        return SimpleNamespace(
            rule="held_out", value=value, limit=0.5, unit="px", grade="WARN", says=says, fix="record more views"
        )

    verdict = SimpleNamespace(
        grade="WARN",
        says="WARN, left is off by 0.91 px; record more views",
        reasons=(),
        cameras=(
            SimpleNamespace(camera="left", grade="WARN", reasons=(reason("left is off by 0.91 px", 0.91),)),
            SimpleNamespace(camera=NAMES[1], grade="PASS", reasons=()),
            SimpleNamespace(camera=NAMES[2], grade="WARN", reasons=(reason("top is off by 0.7 px", 0.7),)),
        ),
    )
    comparison = SimpleNamespace(lines=lambda: ["left moved by 5.0 mm"])
    text = text_of(three, tmp_path, verdict=verdict, comparison=comparison)
    assert "used with care: left is off by 0.91 px; record more views." in text
    assert "held out: 0.91, limit 0.5 px" in text
    assert text.count('<p class="fix">') == 1  # one rule, two cameras
    assert "Also: top &amp; &#34;down&#34;." in text
    assert "left moved by 5.0 mm" in text


def test_one_camera_has_a_report(visit, one):
    page = visit(one)
    words = page.locator("main").inner_text()
    assert "no error in space can be told" in words
    assert "nan" not in words.lower().split()
    assert page.locator("svg").count() == 5 + 2  # the still and the view from above


def test_a_rig_that_the_views_do_not_determine_fails(three, tmp_path):
    wild = replace(three, volume=replace(three.volume, calibration_mm=three.volume.calibration_mm * 1e6))
    text = text_of(wild, tmp_path)
    assert "<title>Calibration report: FAIL</title>" in text
    longest = np.ptp(wild.volume.xyz, axis=0).max()
    assert f"&gt; {longest:.0f}<small> mm" in text


def test_held_lenses_are_not_passed_off_as_exact(three, tmp_path):
    uncertainty = three.uncertainty
    assert "taken for exact" not in text_of(three, tmp_path)
    pose = uncertainty.number >= 12
    without = replace(
        uncertainty,
        covariance=uncertainty.covariance[np.ix_(pose, pose)],
        camera=uncertainty.camera[pose],
        number=uncertainty.number[pose],
    )
    text = text_of(replace(three, uncertainty=without), tmp_path)
    assert "the lenses were held and taken for exact" in text
    assert "(held)" in text


def test_a_report_is_an_html_file(three, tmp_path):
    with pytest.raises(DataError, match=r"\.html"):
        write_calibration_report(three, tmp_path / "report.pdf")


def test_numbers_agree_with_the_calibration(three):
    every = camera_views(three)
    for views, quality in zip(every, three.quality.cameras, strict=True):
        length = np.linalg.norm(views.residual, axis=-1)
        assert np.median(length) == pytest.approx(quality.median_px, rel=1e-9)
        assert len(views.frames) == quality.views
        assert coverage(views).sum() == len(views.xy)
        assert views.frames.min() >= 100
        assert (views.tilt_deg >= 0).all()
        assert (views.tilt_deg < 80).all()  # the synthetic board is never seen edge on
    lengths = edge_lengths(three)
    assert len(lengths) == three.quality.n_edges
    assert abs(lengths.mean()) < 0.2


def test_distances_hold_in_any_world(three):
    length, sd = baselines(three)
    centers = three.rig.centers
    assert np.allclose(length, np.linalg.norm(centers[:, None] - centers, axis=-1))
    assert (sd[~np.eye(3, dtype=bool)] > 0.05).all()
    assert (sd <= 0.01 * length).all()
    moved = three.transformed(rigid([0.3, -0.4, 0.5], [100.0, -2000.0, 700.0]))
    again, sd_again = baselines(moved)
    assert np.allclose(again, length)
    assert np.allclose(sd_again, sd, rtol=1e-6)
    assert np.allclose(center_sd_mm(moved), center_sd_mm(three), rtol=1e-6)


def test_pictures_stand_upright(three):
    basis, names = levelled(three)
    assert names == ("right", "away", "up")
    assert np.allclose(basis @ basis.T, np.eye(3))
    assert np.linalg.det(basis) == pytest.approx(1)
    down = three.rig.cam_from_world[:, 1, :3]  # of each image, in the world
    assert (down @ basis[2] < -0.8).all()
    world = three.transformed(rigid([0.1, 0, 0], [0.0, 0.0, 1.0]))
    assert levelled(world)[1] == ("x", "y", "z")


def test_the_weakest_link_joins_the_strongest_tree():
    def pair(a: int, b: int, n: int) -> Pair:
        return Pair(a, b, n, 50 * n, n, n)

    links = [pair(0, 1, 40), pair(2, 3, 35), pair(1, 2, 12), pair(0, 2, 7), pair(1, 3, 3)]
    weakest, groups = weakest_link(links, 4)
    assert (weakest.a, weakest.b, weakest.strength) == (1, 2, "marginal")
    assert groups == [[0, 1, 2, 3]]
    nothing = [*links[:2], Pair(1, 2, 0, 0, 12, 1)]
    assert weakest_link(nothing, 4)[1] == [[0, 1], [2, 3]]


@pytest.mark.parametrize(
    ("value", "sd", "expected"),
    [
        (1234.567, 0.0234, "1234.567 ± 0.023"),
        (1234.567, 0.0996, "1234.567 ± 0.100"),
        (-3.0, 12.4, "-3 ± 12"),
        (2e-7, 3e-9, "2.0e-07 ± 3.0e-09"),
        (5.0, float("nan"), "5 (not determined)"),
    ],
)
def test_digits_are_as_many_as_the_deviation_justifies(value, sd, expected):
    assert value_and_sd(value, sd) == expected
