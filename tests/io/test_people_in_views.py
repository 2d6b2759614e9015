"""Files of people found anew in each view: views may show different numbers of them."""

import numpy as np
import pytest

from pose3d.data import Keypoints2D
from pose3d.errors import DataError
from pose3d.io.dlc import write_dlc
from pose3d.io.keypoint_stream import open_keypoints


def write_view(path, names, value):
    xy = np.full((5, 1, len(names), 2, 2), float(value)) + np.arange(len(names))[:, None, None]
    write_dlc(Keypoints2D(xy, np.ones(xy.shape[:-1]), ("A",), names, ("nose", "tail")), path)
    return path


def people(n):
    return tuple(f"person_{i + 1}" for i in range(n))


def test_views_with_different_numbers_of_people(tmp_path):
    counts = {"A": 2, "B": 1, "C": 3}
    sources = {name: write_view(tmp_path / f"{name}.h5", people(n), 100 * n) for name, n in counts.items()}
    with open_keypoints(sources) as stream:
        read = stream.read(0, 5)
    assert read.individuals == people(3)
    expected = [[200, 201, np.nan], [100, np.nan, np.nan], [300, 301, 302]]
    np.testing.assert_array_equal(read.xy[0, :, :, 0, 0], expected)


def test_identities_must_still_be_the_same_in_all_views(tmp_path):
    sources = {
        "A": write_view(tmp_path / "A.h5", ("mouse1", "mouse2"), 0),
        "B": write_view(tmp_path / "B.h5", ("mouse1", "mouse3"), 0),
    }
    with pytest.raises(DataError, match='individual "mouse2" is missing'):
        open_keypoints(sources)
    sources["B"] = write_view(tmp_path / "C.h5", people(2), 0)
    with pytest.raises(DataError, match='individual "mouse1" is missing'):
        open_keypoints(sources)
