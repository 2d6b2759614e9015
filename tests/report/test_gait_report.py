"""The gait report: the same numbers on every page and in every file, and a word for whatever is not there."""

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pypdfium2
import pytest

from pose3d.data.norms import NormBand, Norms
from pose3d.kinematics.gait_study import study_gait
from pose3d.report.document import Callout, KeyValues, Page, Table, Text
from pose3d.report.document_layout import lay_out
from pose3d.report.document_style import picture_svg
from pose3d.report.gait_facts import judge_gait, seems_exchanged
from pose3d.report.gait_figures import MOST_SHOWN, angle_pictures, consistency_pictures, grid_of, main_angles
from pose3d.report.gait_page import gait_document, write_gait_report
from pose3d.report.gait_words import interval_text, is_apart, number_text, readable

TITLES = [
    "Quality",
    "Times, lengths and phases",
    "Joint angles over the gait cycle",
    "Peaks and ranges of motion",
    "Consistency",
    "Distance from the norm",
    "Symmetry and variability",
    "Definitions, settings and sources",
]


def words_of(page: Page) -> str:
    """All that stands on a page but its pictures, which say what they show."""
    said: list[str] = []
    for block in page.blocks:
        match block:
            case Text():
                said.append(block.text)
            case Callout():
                said += [block.headline, *block.lines]
            case KeyValues():
                said += [part for row in block.rows for part in row]
            case Table():
                said += [block.title, block.note, *block.header]
                said += [text for row in block.cells() for cell in row for text in (cell.text, cell.small)]
            case _:
                said += getattr(block, "items", ()) or (block.alt, block.caption)
    return "\n".join(said)


def page_named(document: Any, title: str) -> str:
    return words_of(next(page for page in document.pages if page.title == title))


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def written(make_gait, tmp_path_factory) -> Any:
    made = make_gait(odd=True)
    made.folder = tmp_path_factory.mktemp("report")
    made.paths = write_gait_report(made.study, made.facts, made.folder)
    return made


def test_the_pages_are_in_their_order_in_the_browser_and_on_paper(written, visit):
    page = visit(written.folder / "gait.html")
    assert [text.split(" ", 1)[1] for text in page.locator("h2").all_inner_texts()] == TITLES
    assert page.locator("nav a").all_inner_texts() == TITLES
    with pypdfium2.PdfDocument(written.folder / "gait.pdf") as pdf:
        sheets = [sheet.get_textpage().get_text_bounded() for sheet in pdf]
        metadata = pdf.get_metadata_dict()
    document = gait_document(written.study, written.facts)
    laid = lay_out(document)
    assert list(dict.fromkeys(sheet.title for sheet in laid)) == TITLES
    assert len(sheets) == len(laid)
    for sheet, text in zip(laid, sheets, strict=True):
        assert sheet.title in text
        assert "Gait report, P07" in text
    assert metadata["Title"] == "Gait report: P07, session monday, 2026-11-23, 2 recordings"
    assert metadata["CreationDate"] == ""
    browser_text = " ".join(page.locator("main").inner_text().split())
    paper = " ".join(" ".join(sheets).split())
    for cell in ("1.30 ± 0.00", "0.21 px left over on average", "not a diagnosis", "made for tests", "1.2.3", "0" * 63):
        assert cell in browser_text, cell
        assert cell in paper, cell


@pytest.mark.parametrize("width", [1200, 390])
def test_the_page_fits_a_screen_and_every_picture_is_drawn(written, visit, width):
    page = visit(written.folder / "gait.html", width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    boxes = page.locator("svg.plot").evaluate_all("all => all.map(s => [s.getBBox().width, s.getBBox().height])")
    assert len(boxes) >= 9
    assert np.min(boxes) > 20
    assert page.locator("svg.plot[aria-label='']").count() == 0
    identical = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(identical) == len(set(identical))


def test_numbers_are_the_known_ones_with_their_intervals(written):
    parameters = {row["parameter"]: row for row in read_rows(written.folder / "gait-parameters.csv")}
    speed = parameters["speed"]
    assert float(speed["left_mean"]) == pytest.approx(1.3, abs=1e-6)
    assert float(parameters["foot_off"]["right_mean"]) == pytest.approx(60, abs=1e-6)
    assert float(parameters["step_length"]["left_mean"]) == pytest.approx(0.65, abs=1e-6)
    step = parameters["step_length"]
    assert float(step["left_low_95"]) < 0.65 < float(step["left_high_95"])
    assert int(step["left_n"]) == written.study.n_kept["L"]
    peaks = read_rows(written.folder / "gait-peaks.csv")
    (knee,) = (row for row in peaks if (row["angle"], row["parameter"]) == ("knee_flexion", "range"))
    assert float(knee["left_mean"]) == pytest.approx(60, rel=0.05)
    assert float(knee["difference"]) == pytest.approx(10, rel=0.25)
    curves = read_rows(written.folder / "gait-curves.csv")
    middle = [row for row in curves if (row["angle"], row["side"], row["percent"]) == ("knee_flexion", "R", "50")]
    assert float(middle[0]["mean"]) == pytest.approx(50, rel=0.05)
    assert float(middle[0]["norm_mean"]) == pytest.approx(56, abs=1e-9)
    assert float(middle[0]["low_95"]) < float(middle[0]["mean"]) < float(middle[0]["high_95"])
    assert len(curves) == 101 * len(written.study.curves)


def test_csv_files_and_sheets_are_the_same_numbers(written):
    book = openpyxl.load_workbook(written.folder / "gait.xlsx")
    names = [path.stem.removeprefix("gait-") for path in written.paths if path.suffix == ".csv"]
    assert book.sheetnames == names
    assert {"recordings", "keypoints", "parameters", "peaks", "curves", "strides", "events", "scores", "files"} <= {
        *names
    }
    assert {"outlying", "refused", "corrections"} <= {*names}
    for name in names:
        with (written.folder / f"gait-{name}.csv").open(encoding="utf-8", newline="") as stream:
            rows = list(csv.reader(stream))
        sheet = [[("" if cell is None else cell) for cell in row] for row in book[name].iter_rows(values_only=True)]
        # Tables without a row are there too: none of an earlier report stays beside this one.
        assert len(rows) == len(sheet) > (0 if name in ("outlying", "refused", "corrections") else 1)
        for row, cells in zip(rows, sheet, strict=True):
            for text, cell in zip(row, cells, strict=True):
                assert (float(text) == cell) if isinstance(cell, int | float) else (text == cell)


def test_a_report_is_the_same_bytes_again(written, tmp_path):
    again = write_gait_report(written.study, written.facts, tmp_path, pdf=False)
    assert [path.name for path in again] == [path.name for path in written.paths if path.suffix != ".pdf"]
    for one, other in zip((path for path in written.paths if path.suffix != ".pdf"), again, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


def test_a_page_without_pdf(make_gait, tmp_path):
    made = make_gait(("one",), strides=2, samples=None)
    paths = write_gait_report(made.study, made.facts, tmp_path, pdf=False, stem="P07")
    assert not (tmp_path / "P07.pdf").exists()
    assert {path.name for path in paths} == {path.name for path in tmp_path.iterdir()}
    assert (tmp_path / "P07-strides.csv").is_file()


def test_quality_comes_first_and_says_what_speaks_against_the_numbers(make_gait):
    made = make_gait()
    assert judge_gait(made.study, made.facts).grade == "good"
    n = made.study.n_kept
    assert f"left {n['L']} of" in judge_gait(made.study, made.facts).lines[0]
    few = make_gait(("one",), strides=2)
    verdict = judge_gait(few.study, few.facts)
    assert verdict.grade == "warn"
    assert any("of the left foot: a second walk" in line for line in verdict.lines)
    refused = make_gait(refused=(("broken", "broken.csv: is empty"),))
    document = gait_document(refused.study, refused.facts)
    assert judge_gait(refused.study, refused.facts).grade == "warn"
    assert "broken.csv: is empty" in page_named(document, "Quality")
    first = document.pages[0].blocks[0]
    assert isinstance(first, Callout)
    assert first.grade == "warn"


def test_gaps_of_the_legs_are_a_warning_and_those_of_the_nose_are_not(make_gait):
    from dataclasses import replace

    made = make_gait()
    share = np.where(np.array([name == "Nose" for name in made.facts.recordings[0].coverage.keypoints]), 0.9, 0.02)
    nose = replace(made.facts.recordings[0].coverage, filled=share)
    recordings = tuple(replace(one, coverage=nose) for one in made.facts.recordings)
    assert judge_gait(made.study, replace(made.facts, recordings=recordings)).grade == "good"
    heel = replace(nose, filled=np.where(np.array([name == "LHeel" for name in nose.keypoints]), 0.4, 0.02))
    recordings = tuple(replace(one, coverage=heel) for one in made.facts.recordings)
    verdict = judge_gait(made.study, replace(made.facts, recordings=recordings))
    assert verdict.grade == "warn"
    assert any("LHeel (43%)" in line for line in verdict.lines)


def test_exchanged_sides_are_found_by_knees_that_bend_forwards(make_gait):
    made = make_gait(sign=-1.0)
    assert seems_exchanged(made.study)
    assert not seems_exchanged(make_gait().study)
    verdict = judge_gait(made.study, made.facts)
    assert verdict.grade == "bad"
    assert "left and right are exchanged" in verdict.lines[1]


def test_without_a_stride_every_page_says_so(make_gait, tmp_path, visit):
    made = make_gait(("standing",), strides=0, samples=None)
    assert judge_gait(made.study, made.facts).grade == "bad"
    document = gait_document(made.study, made.facts)
    assert [page.title for page in document.pages] == TITLES
    for title in TITLES[2:5]:
        assert "no complete cycle" in page_named(document, title)
    assert "does somebody walk" in page_named(document, "Quality")
    write_gait_report(made.study, made.facts, tmp_path, pdf=False)
    assert visit(tmp_path / "gait.html").locator("section").count() == 8


def test_without_any_recording_there_is_a_report(make_gait, tmp_path):
    made = make_gait(())
    write_gait_report(study_gait([]), made.facts, tmp_path)
    assert (tmp_path / "gait.pdf").stat().st_size > 5000


def test_one_stride_without_norms_and_samples(make_gait, tmp_path, visit):
    made = make_gait(("one",), strides=1, samples=None, norms=False, subject="")
    document = gait_document(made.study, made.facts)
    assert "No norms were given" in page_named(document, "Distance from the norm")
    assert "no code given" in page_named(document, "Quality")
    assert "no interval of the measurement" in page_named(document, TITLES[1])
    assert "[" not in page_named(document, TITLES[3])
    write_gait_report(made.study, made.facts, tmp_path, pdf=False)
    visit(tmp_path / "gait.html")


def test_what_cannot_be_observed_is_a_panel_with_the_reason(make_gait):
    made = make_gait()
    first = picture_svg(angle_pictures(made.study, made.facts.hidden)[0], "p")
    assert first.count("not observable") == 2
    assert "the turn of the shank about itself" in first
    assert "not measured" in first  # hip rotation: no reason is known
    assert grid_of(made.study)[1][0] == "hip_flexion_trunk"
    assert "hip_flexion_trunk" in main_angles(made.study)
    document = gait_document(made.study, made.facts)
    assert "not comparable with norms of the hip" in page_named(document, TITLES[2])
    assert "two points." in page_named(document, TITLES[7])


def test_sides_differ_by_colour_and_by_stroke(make_gait):
    made = make_gait()
    svg = picture_svg(angle_pictures(made.study, {})[0], "p")
    lines = re.findall(r'style="fill: none; ([^"]*)"', svg)
    left, right = ([line for line in lines if colour in line] for colour in ("#d55e00", "#0072b2"))
    assert left
    assert right
    assert not any("dasharray" in line for line in left)
    assert all("dasharray" in line for line in right)


def test_an_unlike_cycle_is_dashed_and_listed(written):
    assert written.study.outlying
    page = page_named(gait_document(written.study, written.facts), "Consistency")
    assert "Cycles unlike the others" in page
    assert "knee flexion" in page
    svg = picture_svg(consistency_pictures(written.study, {})[0], "p")
    assert "#7a3600" in svg


def test_of_many_cycles_some_are_drawn_and_the_page_says_so(make_gait):
    made = make_gait(tuple(f"walk{i}" for i in range(9)), strides=9, samples=None)
    n = len(made.study.curves["knee_flexion_l"].cycles)
    assert n > MOST_SHOWN
    page = page_named(gait_document(made.study, made.facts), "Consistency")
    assert f"{MOST_SHOWN} of {n} cycles" in page


def test_a_score_of_some_variables_is_no_gps(make_gait):
    made = make_gait()
    page = page_named(gait_document(made.study, made.facts), "Distance from the norm")
    assert "GPS-2 is not the Gait Profile Score" in page
    assert "14 of the 15" in page or "13 of the 15" in page
    norms = Norms({"wrist_flexion": NormBand(np.array([0.0, 100]), np.zeros(2), np.ones(2))}, "others", "CC0")
    other = study_gait(made.study.trials, norms)
    assert "no score" in page_named(gait_document(other, made.facts), "Distance from the norm")
    verdict = judge_gait(other, made.facts)
    assert verdict.grade == "warn"
    assert any("of other angles than the measured ones (wrist flexion)" in line for line in verdict.lines)


def test_a_norm_of_a_parameter_stands_beside_it(make_gait):
    made = make_gait()
    flat = NormBand(np.array([0.0, 100]), np.full(2, 1.25), np.full(2, 0.1), unit="m/s")
    study = study_gait(made.study.trials, Norms({"speed": flat}, "others", "CC0"))
    assert "1.25 ± 0.10" in page_named(gait_document(study, made.facts), TITLES[1])


def test_forty_recordings_with_long_names(make_gait, tmp_path):
    names = tuple(f"2026-11-23_P07_barefoot_self-selected_speed_corridor_take_{i:02}_repeated" for i in range(40))
    made = make_gait(names, strides=2, samples=None)
    paths = write_gait_report(made.study, made.facts, tmp_path, pdf=False)
    assert max(path.stat().st_size for path in paths) < 3e6
    document = gait_document(made.study, made.facts)
    assert sum(len(timeline_names(block)) for block in document.pages[0].blocks) == 40
    assert len(lay_out(document)) < 30


def timeline_names(block: Any) -> list[str]:
    alt = getattr(block, "alt", "")
    return alt.removeprefix("Stance and swing over time: ").split(", ") if alt.startswith("Stance and swing") else []


def test_names_that_are_markup_or_formulas_stay_names(make_gait, tmp_path, visit):
    evil = '=HYPERLINK("http://x")<img src=x onerror=alert(1)>'
    made = make_gait((evil,), subject="<script>alert(2)</script>", hidden={"knee_rotation": "<b>bold</b> $x^2$"})
    write_gait_report(made.study, made.facts, tmp_path, pdf=False)
    page = visit(tmp_path / "gait.html")
    assert page.locator("img, script, section b").count() == 0
    assert evil in page.locator("main").inner_text()
    for row in read_rows(tmp_path / "gait-events.csv"):
        assert row["recording"] == f"'{evil}"
    book = openpyxl.load_workbook(tmp_path / "gait.xlsx")
    assert {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row} <= {"s", "n", "inlineStr"}


def test_numbers_are_written_as_people_write_them(make_gait):
    assert number_text(-0.04, 1) == "0.0"
    assert number_text(-1.25, 1) == "−1.2"
    assert number_text(float("nan"), 1) == "–"
    assert readable("at_off") == "At foot off"
    difference = make_gait().study.row("stride_time").difference
    assert interval_text(difference, "s", with_value=True).startswith("0.000")
    assert not is_apart(difference, "s")
