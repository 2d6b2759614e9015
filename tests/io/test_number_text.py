import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pose3d.io.number_text import csv_rows, exact_text, integer_text, scientific_text, word_text

RNG = np.random.default_rng(0)
N = 50_000


def lines(cells):
    return csv_rows([cells[:, None]]).decode().split("\n")[:-1]


def written(value):
    return "" if np.isnan(value) else repr(value)


@pytest.mark.parametrize(
    "values",
    [
        RNG.normal(size=N) * 1e3,
        RNG.random(N),
        10 ** RNG.uniform(-6, 18, N) * RNG.choice([-1, 1], N),
        np.round(RNG.normal(size=N) * 1e3, 4),
        RNG.integers(-(10**15), 10**15, N) / 10.0 ** RNG.integers(0, 10, N),
        RNG.normal(size=N).astype(np.float32).astype(float),
        RNG.integers(0, 2**63, N).view(float),
        2.0 ** np.arange(-30, 70),
        np.concatenate([b + np.spacing(b) * np.arange(-200, 200) for b in 10.0 ** np.arange(-5, 18)]),
        [0.0, -0.0, np.nan, np.inf, -np.inf, 5e-324, 1.7976931348623157e308, -2.2250738585072014e-308],
        [],
    ],
    ids=["mm", "score", "wide", "rounded", "decimal", "single", "bits", "powers", "borders", "special", "none"],
)
def test_the_text_of_a_float_is_that_of_repr(values):
    values = np.asarray(values, dtype=float)
    assert lines(exact_text(values)) == [written(value) for value in values.tolist()]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(), min_size=1, max_size=20))
def test_any_float_is_that_of_repr(values):
    assert lines(exact_text(values)) == [written(value) for value in values]


def test_nine_digits():
    values = np.concatenate([10 ** RNG.uniform(-20, 40, N) * RNG.choice([-1, 1], N), [0, 9.9999999999, 1e-300, np.inf]])
    texts = lines(scientific_text(values))
    expected = [f"{value:.8e}" for value in values.tolist()]
    wrong = [(text, form) for text, form in zip(texts, expected, strict=True) if text != form]
    assert len(wrong) < N / 1000  # on a tie the last digit may be either
    back = np.array(texts, dtype=float)
    np.testing.assert_allclose(back, values, rtol=5.0001e-9, atol=0)
    assert lines(scientific_text([np.nan, -0.0])) == ["", "-0.00000000e+00"]


def test_integers_and_words():
    values = np.array([0, 7, -1, 10, 99, 100, 9999, 10000, -123456789, 2**62])
    assert lines(integer_text(values)) == [str(value) for value in values.tolist()]
    assert lines(integer_text([3, 4], missing=np.array([True, False]))) == ["", "4"]
    assert lines(word_text(["a", "", "größer"], [2, 0, 1])) == ["größer", "a", ""]


def test_rows_of_several_parts():
    rows = csv_rows([exact_text([[1.5, np.nan], [2, 3]]), integer_text([[1], [20]])])
    assert rows == b"1.5,,1\n2.0,3.0,20\n"
