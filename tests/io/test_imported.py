"""The record of an import: written, read back, and refused where it is damaged."""

import pytest

from pose3d.errors import FormatError
from pose3d.io.imported import ImportRecord, import_path, read_import, write_import

RECORD = ImportRecord('Gäng "3".c3d', "ab" * 32, "stored angles", 8, 119.88, {"pose-3d/Gäng.csv": "cd" * 32})


def test_an_import_record_comes_back(tmp_path):
    path = import_path(tmp_path / "walk.v2.csv")
    assert path == tmp_path / "walk.v2.import.toml"
    write_import(RECORD, path)
    assert read_import(path) == RECORD


def test_a_record_by_hand_needs_no_list_of_files(tmp_path):
    path = tmp_path / "a.import.toml"
    path.write_text('source = "a.trc"\nsha256 = ""\nangles = "keypoints"\nevents = 0\nfps = 50\n')
    assert read_import(path) == ImportRecord("a.trc", "", "keypoints", 0, 50.0)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("fps = 119.88", "fps = -1.0", "fps must be positive"),
        ("fps = 119.88", "fps = true", "not of the kind"),
        ("fps = 119.88", "fps = nan", "fps must be positive"),
        ("events = 8", 'events = "8"', "not of the kind"),
        ("events = 8", "", "events is missing"),
        ('"stored angles"', '"guesses"', "'guesses'"),
        ("[files]", "[files", "no valid toml"),
        ("[files]", "[other]", ""),
    ],
)
def test_damaged_import_records(tmp_path, before, after, told):
    path = tmp_path / "a.import.toml"
    write_import(RECORD, path)
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")
    if not told:
        assert not read_import(path).files
        return
    with pytest.raises(FormatError, match=told) as trouble:
        read_import(path)
    assert str(trouble.value).startswith(f"{path}: ")
    assert "\n" not in str(trouble.value)
