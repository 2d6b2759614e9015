"""Long signals on few pixels lose no peak."""

import numpy as np
import pytest

from pose3d.viewer.decimation import column_extremes, trace_points


@pytest.mark.parametrize(("first", "last", "columns"), [(0, 100_000, 1301), (-50, 777.5, 400), (10.25, 40.75, 900)])
def test_extremes_are_those_of_the_rows_that_a_column_touches(first: float, last: float, columns: int) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=100_000)
    values[rng.random(100_000) < 0.2] = np.nan
    low, high = column_extremes(values, first, last, columns)
    edges = np.linspace(first, last, columns + 1)
    for column in rng.integers(0, columns, 200):
        a, b = int(np.floor(edges[column])), int(np.ceil(edges[column + 1]))
        part = values[max(a, 0) : max(b, 0)]
        part = part[np.isfinite(part)]
        expected = (part.min(), part.max()) if len(part) else (np.nan, np.nan)
        np.testing.assert_array_equal((low[column], high[column]), expected)


def test_a_single_peak_in_a_long_recording_is_drawn() -> None:
    values = np.zeros(100_000)
    values[54_321] = 7.0
    x, y = trace_points(values, 0, 100_000, 1000)
    assert np.nanmax(y) == 7.0
    assert abs(x[np.nanargmax(y)] - 543.21) < 1.0
    assert len(x) <= 2000


def test_a_part_is_drawn_row_by_row_and_gaps_break_it() -> None:
    values = np.arange(1000.0)
    values[105] = np.nan
    x, y = trace_points(values, 100, 110, 500)
    np.testing.assert_allclose(x[:3], [0, 50, 100])
    assert np.isnan(y[5])
    assert trace_points(values, 2000, 3000, 500)[0].size == 0
