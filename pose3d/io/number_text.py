"""Numbers as the text of a csv, many at once.

Texts are made for whole arrays: each cell is a row of bytes on a canvas, in which 0 stands for no byte, and
:func:`csv_rows` leaves those out. A cell at a time, as Python and pandas do it, takes five times as long.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray

__all__ = ["Cells", "csv_rows", "exact_text", "integer_text", "scientific_text", "word_text"]

Cells: TypeAlias = NDArray[np.uint8]
"""Text of an array: (..., width) bytes, of which those that are 0 are no text."""

_ZERO, _POINT, _MINUS, _PLUS, _COMMA, _LINE_END = b"0.-+,\n"
_FOUR_DIGITS = np.array([b"%04d" % i for i in range(10_000)]).view(np.uint32)  # four bytes as one number
_POWERS = 10.0 ** np.arange(23)  # all of them exact
_SPLITTER = 2.0**27 + 1
_POWERS_HIGH = _SPLITTER * _POWERS - (_SPLITTER * _POWERS - _POWERS)
_POWERS_LOW = _POWERS - _POWERS_HIGH
_REPR_WIDTH = 24
_ROW = np.dtype((np.void, _REPR_WIDTH))  # moved as one piece
_SCIENTIFIC_DIGITS = 9


def csv_rows(columns: Sequence[Cells]) -> bytes:
    """Lay cells out as lines of a csv.

    Parameters
    ----------
    columns : sequence of (n_rows, n_columns, width) arrays
        Neighbours in a row, from left to right. A text must not need quotes.

    Returns
    -------
    bytes
        A line for each row, ended by a line feed.
    """
    n_rows = len(columns[0])
    ends = np.cumsum([part.shape[1] * (part.shape[2] + 1) for part in columns])
    canvas = np.empty((n_rows, ends[-1]), np.uint8)
    for part, end in zip(columns, ends, strict=True):
        _, n_columns, width = part.shape
        place = canvas[:, end - n_columns * (width + 1) : end].reshape(n_rows, n_columns, width + 1)
        place[..., :width] = part
        place[..., width] = _COMMA
    canvas[:, -1] = _LINE_END
    return bytes(canvas[canvas != 0])


def exact_text(values: ArrayLike) -> Cells:
    r"""Write floats such that they read back to the last bit, in as few digits as that takes.

    Parameters
    ----------
    values : (...) array

    Returns
    -------
    (..., 24) array
        The text of ``repr``; NaN is empty.

    Notes
    -----
    The product of a float and a power of ten up to 1e22 is known exactly as the sum of two floats (Dekker 1971, A
    floating-point technique for extending the available precision, Numerische Mathematik 18, 224-242), and with it the
    17 digits that always suffice. 15 or 16 do where they lie within half a unit in the float's last place. What is
    outside 1e-4..1e16, or lies on such a border, goes through ``repr``.

    Examples
    --------
    >>> csv_rows([exact_text([[0.1, -1200, float("nan"), 1e-9]])])
    b'0.1,-1200.0,,1e-09\n'
    """
    array = np.asarray(values, dtype=np.float64)
    flat = array.ravel()
    cells = np.zeros((flat.size, _REPR_WIDTH), np.uint8)
    size = np.abs(flat)
    usual = np.flatnonzero((size >= 1e-4) & (size < 1e16))
    digits, exponent, clear = _shortest_digits(size[usual])
    _write_plain(cells, usual[clear], digits[clear], exponent[clear])
    cells[size == 0, 1:4] = _ZERO, _POINT, _ZERO
    rest = np.flatnonzero(((size < 1e-4) & (size > 0)) | (size >= 1e16))
    _write_slow(cells[:, 1:], size, np.concatenate([usual[~clear], rest]), "%r")
    cells[np.signbit(flat) & ~np.isnan(flat), 0] = _MINUS
    return cells.reshape(*array.shape, _REPR_WIDTH)


def scientific_text(values: ArrayLike) -> Cells:
    r"""Write floats with 9 digits, as ``1.23456789e-02``.

    Parameters
    ----------
    values : (...) array

    Returns
    -------
    (..., 16) array
        NaN is empty.

    Examples
    --------
    >>> csv_rows([scientific_text([[0.1, -1200, float("nan")]])])
    b'1.00000000e-01,-1.20000000e+03,\n'
    """
    array = np.asarray(values, dtype=np.float64)
    flat = array.ravel()
    size = np.abs(flat)
    cells = np.zeros((flat.size, 16), np.uint8)
    usual = np.flatnonzero(((size >= 1e-14) & (size < 1e21)) | (size == 0))
    exponent = _decimal_exponent(size[usual])
    shift = _SCIENTIFIC_DIGITS - 1 - exponent
    scaled = np.where(shift >= 0, size[usual] * _POWERS[shift.clip(0)], size[usual] / _POWERS[(-shift).clip(0)])
    number = np.rint(scaled).astype(np.int64)
    over = number == 10**_SCIENTIFIC_DIGITS  # 9.999999999 rounds to one more digit
    number[over] //= 10
    exponent[over] += 1
    text = np.empty((usual.size, 14), np.uint8)
    digits = _digits(number, 12)[:, 12 - _SCIENTIFIC_DIGITS :]
    text[:, 0], text[:, 1], text[:, 2:10], text[:, 10] = digits[:, 0], _POINT, digits[:, 1:], ord("e")
    text[:, 11] = np.where(exponent < 0, _MINUS, _PLUS)
    text[:, 12:] = _digits(np.abs(exponent), 4)[:, 2:]
    cells[usual, 1:15] = text
    rest = np.ones(flat.size, bool)
    rest[usual] = False
    _write_slow(cells[:, 1:], size, np.flatnonzero(rest & ~np.isnan(flat)), f"%.{_SCIENTIFIC_DIGITS - 1}e")
    cells[np.signbit(flat) & ~np.isnan(flat), 0] = _MINUS
    return cells.reshape(*array.shape, 16)


def integer_text(values: ArrayLike, *, missing: BoolArray | None = None) -> Cells:
    r"""Write whole numbers.

    Parameters
    ----------
    values : (...) int array
    missing : (...) bool array, optional
        Where the text is to be empty.

    Returns
    -------
    (..., width) array

    Examples
    --------
    >>> csv_rows([integer_text([[0, -17, 20000]])])
    b'0,-17,20000\n'
    """
    array = np.asarray(values, dtype=np.int64)
    size = np.abs(array)
    width = 4 * -(-len(str(int(size.max(initial=0)))) // 4)
    cells = np.zeros((*array.shape, width + 1), np.uint8)
    cells[..., 1:] = _digits(size.ravel(), width).reshape(*array.shape, width)
    for place in range(width - 1):
        cells[size < 10 ** (width - 1 - place), 1 + place] = 0
    cells[array < 0, 0] = _MINUS
    if missing is not None:
        cells[missing] = 0
    return cells


def word_text(words: Sequence[str], index: ArrayLike) -> Cells:
    """Write one of a few words in each cell.

    Parameters
    ----------
    words : sequence of str
    index : (...) int array
        Place of each cell's word among them.

    Returns
    -------
    (..., width) array
    """
    width = max(len(word.encode()) for word in words)
    letters = np.array([list(word.encode().ljust(width, b"\0")) for word in words], np.uint8)
    return np.asarray(letters[np.asarray(index)])


def _write_slow(cells: Cells, values: FloatArray, index: IntArray, form: str) -> None:
    """Write the cells at `index` with Python's own formatting."""
    if index.size:
        width = cells.shape[1]
        texts = np.array([form % value for value in values[index].tolist()], dtype=f"S{width}")
        cells[index] = texts.view(np.uint8).reshape(-1, width)


def _decimal_exponent(size: FloatArray) -> IntArray:
    """Return the power of ten of the first digit; 0 for 0."""
    binary = (size.view(np.int64) >> 52) - 1023
    exponent = (binary * 1233) >> 12  # log10(2) is 1233 / 4096 within 1e-5: right, or one too small
    above = np.abs(exponent + 1).clip(0, 22)
    next_power = np.where(exponent + 1 >= 0, _POWERS[above], 1 / _POWERS[above])
    exponent += size >= next_power
    exponent[size == 0] = 0
    return exponent


def _shortest_digits(size: FloatArray) -> tuple[IntArray, IntArray, BoolArray]:
    """Return 17 digits as one number, the power of ten of the first, and where they are certain to be the shortest.

    Parameters
    ----------
    size : (n,) array
        Within 1e-4..1e16.
    """
    exponent = _decimal_exponent(size)
    power = 16 - exponent
    factor = _POWERS[power]
    product = size * factor
    high = _SPLITTER * size
    high -= high - size
    low = size - high
    factor_high, factor_low = _POWERS_HIGH[power], _POWERS_LOW[power]
    rest = ((high * factor_high - product) + high * factor_low + low * factor_high) + low * factor_low
    step = np.rint(rest)
    fraction = rest - step
    number = product.astype(np.int64) + step.astype(np.int64)  # from 2^53 on, floats are whole
    mantissa, binary = np.frexp(size)
    half_unit = np.ldexp(factor, binary - 54)  # how far off a decimal may be and still read back as this float

    last = number % 100
    by_15 = (last > 50) * 100 - last
    off_15 = np.abs(by_15 - fraction)
    last %= 10
    by_16 = ((last > 5) | ((last == 5) & (fraction > 0))) * 10 - last
    off_16 = np.abs(by_16 - fraction)
    fits_15, fits_16 = off_15 < half_unit, off_16 < half_unit
    number += np.where(fits_15, by_15, np.where(fits_16, by_16, 0))
    # On a border it depends on whether the float is even; below a power of two floats lie half as far apart.
    clear = (
        ((mantissa != 0.5) | (off_15 < half_unit / 2))
        & (off_15 != half_unit)
        & (off_16 != half_unit)
        & (np.abs(fraction) != 0.5)
    )
    clear &= ~((last == 5) & (fraction == 0)) & (number >= 10**16) & (number < 10**17)
    return number, exponent, clear


def _write_plain(cells: Cells, index: IntArray, number: IntArray, exponent: IntArray) -> None:
    """Write 17 digits with a decimal point, without the zeros at their end."""
    for power in np.unique(exponent).tolist():
        rows = np.flatnonzero(exponent == power)
        digits = _digits(number[rows], 20)[:, 3:]
        zeros = np.ones(len(rows), bool)
        for place in range(16, max(power, 0) + 1 if power >= 0 else 0, -1):
            zeros &= digits[:, place] == _ZERO
            if not zeros.any():
                break
            digits[zeros, place] = 0
        whole = max(power + 1, 0)
        lead = b"" if power >= 0 else b"0." + b"0" * (-power - 1)
        text = np.zeros((len(rows), _REPR_WIDTH), np.uint8)
        text[:, 1 : 1 + len(lead)] = list(lead)
        at = 1 + len(lead)
        text[:, at : at + whole] = digits[:, :whole]
        at += whole
        if power >= 0:
            text[:, at] = _POINT
            at += 1
        text[:, at : at + 17 - whole] = digits[:, whole:]
        cells.view(_ROW)[index[rows]] = text.view(_ROW)


def _digits(number: IntArray, width: int) -> Cells:
    """Return the decimal digits of numbers of at most `width` digits, a multiple of 4."""
    digits = np.empty((len(number), width // 4), np.uint32)
    for place in range(width // 4 - 1, 0, -1):
        rest = number // 10_000
        digits[:, place] = _FOUR_DIGITS[number - rest * 10_000]
        number = rest
    digits[:, 0] = _FOUR_DIGITS[number]
    return digits.view(np.uint8)
