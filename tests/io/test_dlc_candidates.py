"""Tables with several peaks for each keypoint."""

import numpy as np
import pandas as pd
import pytest

from pose3d.errors import DataError
from pose3d.io.dlc import read_dlc, write_dlc
from pose3d.io.dlc_candidates import load_candidates, read_dlc_candidates

PARTS = ("nose", "paw")


def write_peaks(path, *, n_peaks=3, n_frames=6, individuals=(), parts=PARTS, seed=0, numbered=True):
    values = np.random.default_rng(seed).uniform(0, 1, (n_frames, max(1, len(individuals)), len(parts), n_peaks, 3))
    values[..., :2] *= 500
    words = [
        w + (str(p) if p > 1 and numbered else "") for p in range(1, n_peaks + 1) for w in ("x", "y", "likelihood")
    ]
    names = [
        ("net", *([who] if who else []), part, word) for who in individuals or [""] for part in parts for word in words
    ]
    levels = ["scorer", *(["individuals"] if individuals else []), "bodyparts", "coords"]
    frame = pd.DataFrame(values.reshape(n_frames, -1), columns=pd.MultiIndex.from_tuples(names, names=levels))
    if path.suffix == ".csv":
        frame.to_csv(path)
    else:
        frame.to_hdf(path, key="df_with_missing", format="table")
    return values


@pytest.mark.parametrize("individuals", [(), ("a", "b")])
@pytest.mark.parametrize("suffix", [".csv", ".h5"])
def test_all_peaks_are_read(tmp_path, suffix, individuals):
    values = write_peaks(tmp_path / f"peaks{suffix}", individuals=individuals)
    found = read_dlc_candidates(tmp_path / f"peaks{suffix}", camera="left")
    assert found.n_peaks == 3
    assert found.keypoints == PARTS
    assert np.allclose(found.xy[:, 0], values[..., :2], rtol=1e-12)
    assert np.allclose(found.score[:, 0], values[..., 2], rtol=1e-12)
    assert np.allclose(read_dlc(tmp_path / f"peaks{suffix}", camera="left").xy, found.xy[..., 0, :])


def test_repeated_columns_are_peaks(tmp_path):
    values = write_peaks(tmp_path / "peaks.csv", numbered=False)
    assert np.allclose(read_dlc_candidates(tmp_path / "peaks.csv", camera="left").xy[:, 0], values[..., :2])


def test_one_peak_is_the_prediction(tmp_path):
    write_peaks(tmp_path / "one.csv", n_peaks=1)
    one = read_dlc(tmp_path / "one.csv", camera="left")
    found = read_dlc_candidates(tmp_path / "one.csv", camera="left").best()
    assert np.array_equal(one.xy, found.xy)
    assert np.array_equal(one.score, found.score)


def test_views_are_matched_by_name(tmp_path):
    a = write_peaks(tmp_path / "a.csv", n_peaks=2, seed=1)
    b = write_peaks(tmp_path / "b.csv", n_peaks=3, parts=PARTS[::-1], seed=2)
    both = load_candidates({"a": tmp_path / "a.csv", "b": tmp_path / "b.csv"}, fps=50)
    assert both.cameras == ("a", "b")
    assert both.n_peaks == 3
    assert np.isnan(both.xy[:, 0, :, :, 2]).all()
    assert np.allclose(both.xy[:, 0, :, :, :2], a[..., :2])
    assert np.allclose(both.xy[:, 1], b[:, :, ::-1, :, :2])


def test_views_that_do_not_fit_are_refused(tmp_path):
    write_peaks(tmp_path / "a.csv")
    write_peaks(tmp_path / "b.csv", parts=("nose", "tail"))
    write_peaks(tmp_path / "c.csv", n_frames=5)
    with pytest.raises(DataError, match=r'b\.csv: keypoint "paw" is missing; view a has it'):
        load_candidates({"a": tmp_path / "a.csv", "b": tmp_path / "b.csv"})
    with pytest.raises(DataError, match="frames 0 to 4"):
        load_candidates({"a": tmp_path / "a.csv", "c": tmp_path / "c.csv"})
    with pytest.raises(DataError, match="no files"):
        load_candidates({})


def test_written_predictions_are_read_as_candidates(tmp_path):
    write_peaks(tmp_path / "one.csv", n_peaks=1)
    one = read_dlc(tmp_path / "one.csv", camera="left")
    write_dlc(one, tmp_path / "again.h5")
    assert np.array_equal(read_dlc_candidates(tmp_path / "again.h5", camera="left").best().xy, one.xy)
