"""Clicked points from a csv, and what is no such csv."""

import numpy as np
import pytest

from pose3d.errors import FormatError
from pose3d.io.clicks import read_clicks


def test_clicks_are_read_by_name(tmp_path) -> None:
    path = tmp_path / "clicks.csv"
    path.write_text("point,camera,x,y,note\np1,right,10.5,20,a\np1,left,1,2,b\np2,left,3,4,\n", encoding="utf-8")
    clicks = read_clicks(path)
    assert clicks.cameras == ("right", "left")
    assert clicks.keypoints == ("p1", "p2")
    np.testing.assert_array_equal(clicks.xy[0, :, 0], [[[10.5, 20], [np.nan, np.nan]], [[1, 2], [3, 4]]])
    assert clicks.n_frames == 1


def test_numbers_are_names_too(tmp_path) -> None:
    path = tmp_path / "clicks.csv"
    path.write_text("camera,point,x,y\n1,7,5,6\n2,7,5,7\n", encoding="utf-8")
    assert read_clicks(path).cameras == ("1", "2")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "is empty"),
        ("camera,point,x,y\n", "holds no frame"),
        ("camera,point,x\nA,p,1\n", "column y is missing"),
        ("camera,point,x,y,X\nA,p,1,2,3\n", "a column stands there twice"),
        ("camera,point,x,y\nA,p,one,2\n", "holds 'one' where a number is needed"),
        ("camera,point,x,y\nA,p,1,2\nA,p,3,4\n", "camera A has point p twice"),
        ("camera,point,x,y\nA,,1,2\n", "no camera or no point"),
        ("camera,point,x,y\nA,p,1,2,3,4\n", "rows are longer"),
        ("\x00\x01\x02", "clicks.csv"),
    ],
)
def test_what_is_no_table_of_clicks_is_refused(tmp_path, text: str, match: str) -> None:
    path = tmp_path / "clicks.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FormatError, match=match) as caught:
        read_clicks(path)
    assert "\n" not in str(caught.value)


def test_a_point_that_was_not_clicked_is_missing(tmp_path) -> None:
    path = tmp_path / "clicks.csv"
    path.write_text("camera,point,x,y\nA,p,,\nB,p,1,2\n", encoding="utf-8")
    assert np.isnan(read_clicks(path).xy[0, 0, 0, 0]).all()
