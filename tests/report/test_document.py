"""A document in a browser, on paper and as tables: the same pages, the same numbers, the same bytes."""

import csv
import re
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pypdfium2
import pytest

from pose3d.errors import DataError, Pose3DError
from pose3d.report.document import (
    Bullets,
    Callout,
    Cell,
    DataTable,
    Document,
    KeyValues,
    Page,
    Picture,
    Table,
    Text,
)
from pose3d.report.document_html import write_html
from pose3d.report.document_layout import SHEET_MM, Bar, Frame, Words, lay_out
from pose3d.report.document_pdf import write_pdf
from pose3d.report.document_style import picture_svg
from pose3d.report.document_tables import write_csv_tables, write_xlsx
from pose3d.report.document_text import text_width, wrap_text

LONG = "The walk was seen by four cameras between the doors of the laboratory. "
EVIL = "<img src=x onerror=alert(1)>"


def wave(figure: Any) -> None:
    for axes in figure.subplots(2, 2).flat:
        axes.plot(np.sin(np.arange(50)), label="left")
        axes.fill_between(np.arange(50), -1, 1)
        axes.set_xlim(0, 20)
        axes.set_title("a $x$ & <b>")


def keypoint_rows(n: int) -> tuple[tuple[Cell | str, ...], ...]:
    return tuple((f"point {i}", Cell("1.2", i + 0.25, small="[1.0, 1.4]"), Cell("poor", flag="bad")) for i in range(n))


def small_document(n_rows: int = 3, subtitle: str = "S01, monday") -> Document:
    return Document(
        "Gait report",
        subtitle,
        (
            Page(
                "Quality",
                (
                    Callout("warn", "Usable with care", ("Two strides only.", LONG * 2)),
                    KeyValues((("Subject", "S01"), ("Cameras", "left, right"), ("Trials", LONG)), 2),
                    Text(LONG * 3),
                    Table(("point", "error, px", "state"), keypoint_rows(n_rows), title="Keypoints", name="keypoints"),
                ),
            ),
            Page(
                "Angles",
                (
                    Text("All strides", kind="heading"),
                    Picture(wave, 120, "Angles over the cycle", "Left and right."),
                    Picture(wave, 60, "Half as wide", width=0.5),
                    Bullets((LONG, "short")),
                    Text(LONG, kind="note"),
                ),
            ),
        ),
        footer="S01",
        data=(DataTable("strides", ("trial", "time_s"), [("walk", 1.5), ("=1+1", float("nan")), ("-x", 3)]),),
    )


def pdf_text(path: Path) -> list[str]:
    with pypdfium2.PdfDocument(path) as pdf:
        return [page.get_textpage().get_text_bounded() for page in pdf]


def parsed(path: Path) -> tuple[str, list[str], list[str]]:
    """Text of a page, its ids, and the names that it refers to."""

    class Reader(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.words: list[str] = []
            self.ids: list[str] = []
            self.used: list[str] = []

        def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
            for name, value in attrs:
                if name == "id":
                    self.ids.append(str(value))
                self.used.extend(re.findall(r"url\(#([^)]*)\)", str(value)))
                if name in ("href", "xlink:href"):
                    self.used.append(str(value).removeprefix("#"))

        def handle_data(self, data: str) -> None:
            self.words.append(data)

    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return " ".join(" ".join(reader.words).split()), reader.ids, reader.used


def test_browser_and_paper_show_the_same_pages(tmp_path: Path) -> None:
    document = small_document(n_rows=120)
    write_html(document, tmp_path / "a.html")
    write_pdf(document, tmp_path / "a.pdf")
    text, ids, used = parsed(tmp_path / "a.html")
    sheets = pdf_text(tmp_path / "a.pdf")
    titles = [re.sub(r" \(continued\)", "", sheet.title) for sheet in lay_out(document)]
    assert list(dict.fromkeys(titles)) == [page.title for page in document.pages]
    assert len(sheets) == len(titles) > 3
    for number, (sheet, title) in enumerate(zip(sheets, titles, strict=True), start=1):
        assert title in sheet
        assert f"{number} / {len(sheets)}" in sheet
        assert "Gait report, S01" in sheet
    assert "(continued)" in sheets[1]
    assert "(continued)" not in sheets[0]
    for words in ("Usable with care", "S01, monday", "point 119", "[1.0, 1.4]", "All strides", "Left and right."):
        assert words in text
        assert words in "\n".join(sheets)
    assert len(ids) == len(set(ids))
    assert {name for name in used if name not in ids} <= {"data:,"}


def test_the_same_document_gives_the_same_bytes(tmp_path: Path) -> None:
    for kind, write in (("html", write_html), ("pdf", write_pdf), ("xlsx", write_xlsx)):
        paths = tmp_path / f"a.{kind}", tmp_path / f"b.{kind}"
        for path in paths:
            write(small_document(), path)
        assert paths[0].read_bytes() == paths[1].read_bytes()
        changed = small_document(n_rows=4)
        write(changed, paths[1])
        assert paths[0].read_bytes() != paths[1].read_bytes()


def test_the_look_is_not_the_users_own(tmp_path: Path) -> None:
    import matplotlib as mpl

    write_pdf(small_document(), tmp_path / "a.pdf")
    with mpl.rc_context({"font.size": 20, "lines.marker": "s", "xtick.direction": "in", "svg.fonttype": "path"}):
        before = dict(mpl.rcParams)
        write_pdf(small_document(), tmp_path / "b.pdf")
        svg = picture_svg(Picture(wave, 50, "x"), "p")
        assert dict(mpl.rcParams) == before
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()
    assert svg == picture_svg(Picture(wave, 50, "x"), "p")
    assert "<text" in svg


def test_nothing_lies_outside_of_the_paper_or_on_anything_else() -> None:
    document = small_document(n_rows=200, subtitle="x" * 500)
    pages = (
        *document.pages,
        Page(
            "A" * 300, (Text("b" * 9000), KeyValues((("k" * 90, LONG * 200),)), Callout("bad", LONG * 9, (LONG * 99,)))
        ),
        Page("Tall", (Picture(wave, 400, "too tall"), Table(("a" * 60, "b"), ((LONG * 150, "c"),)))),
        Page("Wide", (Table(tuple("abcdefghijklmnopqrstuvwx"), (("1.23 ± 0.45",) * 24,) * 3),)),
    )
    sheets = lay_out(Document("t" * 200, "", pages, footer="f" * 300))
    for sheet in sheets:
        for mark in sheet.marks:
            if isinstance(mark, Words):
                wide = text_width(mark.text, mark.size, bold=mark.bold)
                left = mark.x - {"l": 0, "c": wide / 2, "r": wide}[mark.align]
                box = left, mark.y - 2, left + wide, mark.y
            else:
                box = mark.x, mark.y, mark.x + mark.width, mark.y + mark.height
            assert box[0] > 13
            assert box[1] > 13
            assert box[2] < SHEET_MM[0] - 13
            assert box[3] < SHEET_MM[1] - 8
            if isinstance(mark, Words | Frame) and not (isinstance(mark, Words) and mark.y > SHEET_MM[1] - 12):
                assert box[3] < SHEET_MM[1] - 14  # nothing runs into the foot
        frames = [mark for mark in sheet.marks if isinstance(mark, Frame)]
        for frame in frames:
            inside = [m for m in sheet.marks if isinstance(m, Words) and frame.y < m.y < frame.y + frame.height]
            assert inside == []


def test_lines_break_where_they_are_full_and_lose_nothing() -> None:
    text = f"{LONG}{'monday_walk_with_a_very_long_name/' * 6} end"
    lines = wrap_text(text, 40, 8)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert max(text_width(line, 8) for line in lines) <= 40
    assert min(text_width(line, 8) for line in lines[:-1]) > 12
    assert wrap_text("a\nb", 40, 8) == ("a", "b")
    assert wrap_text("", 40, 8) == ("",)
    assert text_width("日本", 8) > 2  # a mark of replacement for each


def test_a_table_heads_every_sheet_and_rows_are_whole() -> None:
    sheets = lay_out(Document("t", "", (Page("p", (Table(("name", "b", "c"), keypoint_rows(150), title="Points"),)),)))
    assert len(sheets) > 3
    seen = []
    for i, sheet in enumerate(sheets):
        words = [mark.text for mark in sheet.marks if isinstance(mark, Words)]
        assert "name" in words
        assert ("Points (continued)" in words) == (i > 0)
        points = [word for word in words if word.startswith("point ")]
        assert len(points) == words.count("[1.0, 1.4]")
        seen += points
    assert seen == [f"point {i}" for i in range(150)]


def test_a_heading_does_not_stay_behind_alone() -> None:
    blocks = [Text(LONG) for _ in range(60)]
    for n in range(30, 60):
        page = Page("p", (*blocks[:n], Text("Head", kind="heading"), Picture(wave, 60, "x")))
        for sheet in lay_out(Document("t", "", (page,))):
            heads = [m for m in sheet.marks if isinstance(m, Words) and m.text == "Head"]
            assert bool(heads) == any(isinstance(m, Frame) for m in sheet.marks)


def test_markup_in_names_stays_text(tmp_path: Path, visit: Any) -> None:
    table = Table((EVIL, "b"), ((Cell(EVIL, small=EVIL), EVIL),), title=EVIL, note=EVIL)
    picture = Picture(lambda figure: figure.text(0.1, 0.5, EVIL), 20, f'"{EVIL}', EVIL)
    blocks = (Text(EVIL), Bullets((EVIL,)), Callout("good", EVIL, (EVIL,)), KeyValues(((EVIL, EVIL),)), table, picture)
    document = Document(EVIL, EVIL, (Page(EVIL, blocks),), footer=EVIL)
    write_html(document, tmp_path / "a.html")
    write_pdf(document, tmp_path / "a.pdf")
    assert pdf_text(tmp_path / "a.pdf")[0].count("onerror=alert(1)") >= 12
    assert visit(tmp_path / "a.html").locator("img").count() == 0


@pytest.mark.parametrize("width", [1200, 390])
def test_a_page_opens_without_error_and_fits_the_screen(width: int, tmp_path: Path, visit: Any) -> None:
    write_html(small_document(), tmp_path / "a.html")
    page = visit(tmp_path / "a.html", width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("svg.plot").count() == 2
    sizes = page.locator("svg.plot").evaluate_all("all => all.map(svg => svg.getBoundingClientRect().width)")
    assert min(sizes) > 300
    assert page.locator("section").count() == 2


def test_csv_and_xlsx_hold_the_same_numbers_and_no_formula(tmp_path: Path) -> None:
    document = small_document(n_rows=5)
    paths = write_csv_tables(document, tmp_path, "gait")
    write_xlsx(document, tmp_path / "gait.xlsx")
    assert [path.name for path in paths] == ["gait-keypoints.csv", "gait-strides.csv"]
    book = openpyxl.load_workbook(tmp_path / "gait.xlsx")
    assert book.sheetnames == ["keypoints", "strides"]
    for path, sheet in zip(paths, book.worksheets, strict=True):
        with path.open(encoding="utf-8", newline="") as stream:
            rows = [[number(text) for text in row] for row in csv.reader(stream)]
        assert rows == [list(row) for row in sheet.iter_rows(values_only=True)]
        assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n"}
    strides = list(book["strides"].iter_rows(values_only=True))
    assert strides == [("trial", "time_s"), ("walk", 1.5), ("=1+1", None), ("-x", 3)]
    assert book["keypoints"]["B3"].value == 1.25  # the number in full, not as it was shown
    text = paths[1].read_text(encoding="utf-8")
    assert "'=1+1" in text
    assert not re.search(r"(^|,)[=+@-][^0-9]", text, re.MULTILINE)


def number(text: str) -> float | str | None:
    """What a cell of a csv is: a number, a text with or without the apostrophe before it, or nothing."""
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        return text.removeprefix("'")


def test_sheets_are_named_apart(tmp_path: Path) -> None:
    names = ("a" * 40, "a" * 40 + "b", "A" * 40, "x/y:z", "")
    tables = tuple(DataTable(name, ("a",), [("\x07bell",), ("\x1b[31m",)]) for name in names)
    write_xlsx(Document("t", "", (), data=tables), tmp_path / "a.xlsx")
    found = openpyxl.load_workbook(tmp_path / "a.xlsx").sheetnames
    assert len({name.lower() for name in found}) == len(names)
    assert max(map(len, found)) <= 31
    with zipfile.ZipFile(tmp_path / "a.xlsx") as archive:
        assert {entry.date_time[0] for entry in archive.infolist()} == {1980}


def test_no_table_and_no_page_are_files_still(tmp_path: Path) -> None:
    empty = Document("t", "", (Page("p", (Table(("a", "b"), ()), KeyValues(()), Bullets(()), Text(""))),))
    write_html(empty, tmp_path / "a.html")
    write_pdf(empty, tmp_path / "a.pdf")
    write_xlsx(empty, tmp_path / "a.xlsx")
    assert write_csv_tables(empty, tmp_path, "a") == ()
    assert len(pdf_text(tmp_path / "a.pdf")) == 1


def test_files_are_refused_under_another_ending_and_never_half_written(tmp_path: Path) -> None:
    for write in (write_html, write_pdf, write_xlsx):
        with pytest.raises(DataError, match="ends so"):
            write(small_document(), tmp_path / "a.txt")
    (tmp_path / "a.pdf").write_bytes(b"before")

    def broken(_figure: Any) -> None:
        raise RuntimeError("no picture")

    with pytest.raises(RuntimeError, match="no picture"):
        write_pdf(Document("t", "", (Page("p", (Picture(broken, 50, "x"),)),)), tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").read_bytes() == b"before"
    (tmp_path / "file").touch()
    with pytest.raises(Pose3DError, match="cannot be written"):
        write_html(small_document(), tmp_path / "file" / "a.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pdf", "file"]


def test_a_row_must_fit_its_header() -> None:
    with pytest.raises(ValueError, match="row of 1"):
        Table(("a", "b"), (("x",),))
    with pytest.raises(ValueError, match="alignment"):
        Table(("a", "b"), (), alignment="lx")


def test_fonts_are_within_the_pdf(tmp_path: Path) -> None:
    write_pdf(small_document(), tmp_path / "a.pdf")
    content = (tmp_path / "a.pdf").read_bytes()
    assert content.count(b"/FontFile2") >= 2
    assert b"/CreationDate" not in content
    assert b"CIDFontType2" in content or b"/TrueType" in content
    assert not [
        mark for sheet in lay_out(small_document()) for mark in sheet.marks if isinstance(mark, Bar) and mark.width < 0
    ]
