"""From a network's output to keypoints: the peaks of each scoremap, located between its cells."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.network.spec import NetworkSpec

__all__ = ["decode", "score_of"]


def score_of(logit: NDArray[Any], temperature: float = 1.0) -> FloatArray:
    """Return the score, 0 to 1, of logits: ``1 / (1 + exp(-logit / temperature))``."""
    # Bounded, so that nothing overflows and no score is quite 0.
    return np.asarray(1 / (1 + np.exp(-np.maximum(np.asarray(logit, dtype=np.float64) / temperature, -500.0))))


def decode(
    output: NDArray[Any],
    *,
    spec: NetworkSpec,
    n_peaks: int = 1,
    temperature: float = 1.0,
    quantization: tuple[float, int] | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Find the keypoints in a network's output.

    The nine cells around a peak each tell where the keypoint is. Their mean, weighted by their scores, is a first
    guess; where it lies outside of the nine, since of equal cells the first is the peak, those around it are asked in
    their place. The mean of those that agree with the guess to a cell's width is the keypoint's place. Further peaks
    are cells that no neighbour surpasses, farther than the radius from all places found before: the cells around a
    keypoint may all have the same logit, and mean the same place.

    Parameters
    ----------
    output : (n, h, w, 3 n_keypoints) float32, int8 or uint8 array
        Logits, then offsets x and y by turns.
    spec : NetworkSpec
    n_peaks : int, optional
        Of each keypoint.
    temperature : float, optional
        Divides the logits.
    quantization : (float, int), optional
        Scale and zero point of whole numbers: they stand for ``scale * (number - zero_point)``.

    Returns
    -------
    xy : (n, n_keypoints, n_peaks, 2) array, px of the image
        From the top-left pixel of the network's input; NaN where there are not so many peaks or no numbers.
    score : (n, n_keypoints, n_peaks) array
        The first is the highest; 0 where there is no peak.
    """
    n, rows, columns, channels = output.shape
    n_keypoints = len(spec.keypoints)
    if channels != 3 * n_keypoints:
        raise ValueError(f"an output of {channels} channels is not that of {n_keypoints} keypoints")
    if (quantization is None) != (output.dtype.kind == "f"):
        raise ValueError("whole numbers need their quantization, floating-point numbers have none")
    if n_peaks < 1 or temperature <= 0:
        raise ValueError("n_peaks and temperature are positive")
    output = np.ascontiguousarray(output)
    logits = np.ascontiguousarray(output[..., :n_keypoints].transpose(0, 3, 1, 2))  # to search along memory
    xy, score = np.full((n, n_keypoints, n_peaks, 2), np.nan), np.zeros((n, n_keypoints, n_peaks))
    cells = logits.reshape(n, n_keypoints, rows * columns)
    lowest = np.iinfo(logits.dtype).min if logits.dtype.kind != "f" else -np.inf
    image, keypoint = np.ogrid[:n, :n_keypoints]
    for k in range(n_peaks):
        peak = cells.argmax(-1)
        there = np.asarray((cells[image, keypoint, peak] > lowest) | (k == 0))
        place, logit = _locate(output, peak, spec, quantization)
        there &= np.isfinite(place).all(-1) & np.isfinite(logit)
        xy[:, :, k] = np.where(there[..., None], spec.to_image(place), np.nan)
        score[:, :, k] = np.where(there, score_of(logit, temperature), 0.0)
        if k + 1 < n_peaks:
            if k == 0:
                cells = np.where(_surpassed(logits), lowest, logits).astype(logits.dtype).reshape(cells.shape)
            around = _cells_near(place, (rows, columns), spec)
            cells[image[..., None], keypoint[..., None], around] = lowest
            cells[image, keypoint, peak] = lowest
    return xy, score


def _locate(
    output: NDArray[Any],
    peak: IntArray,
    spec: NetworkSpec,
    quantization: tuple[float, int] | None,
) -> tuple[FloatArray, FloatArray]:
    """Return where the cells around (n, n_keypoints) peaks see the keypoint, px of the input, and the peaks' logits."""
    cell = np.stack(np.divmod(peak, output.shape[2]), axis=-1)
    votes, weight, logit = _nine(output, cell, spec, quantization)
    guess = _mean(votes, weight)
    last = np.array(output.shape[1:3]) - 1
    home = np.rint((np.nan_to_num(guess) - (spec.stride - 1) / 2) / spec.stride)[..., ::-1].clip(0, last)
    away = (np.abs(home - cell) > 1).any(-1)
    if away.any():
        there = np.where(away[..., None], home.astype(np.int64), cell)
        votes, weight, _ = _nine(output, there, spec, quantization)
    agrees = weight * (((votes - guess[..., None, :]) ** 2).sum(-1) <= spec.stride**2)
    # Where no cell agrees with the guess, that stands.
    with np.errstate(invalid="ignore"):
        place = _mean(votes, agrees)
    return np.where(agrees.any(-1)[..., None], place, guess), logit[..., 4]


def _nine(
    output: NDArray[Any], cell: IntArray, spec: NetworkSpec, quantization: tuple[float, int] | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Ask (n, n_keypoints, 2) cells, row and column, and their neighbours where the keypoint is.

    Returns
    -------
    votes : (n, n_keypoints, 9, 2) array, px of the input
    weight, logit : (n, n_keypoints, 9) array
        The weight is the score, 0 out of the grid.
    """
    n, rows, columns, channels = output.shape
    n_keypoints = channels // 3
    y, x = (axis.ravel() for axis in np.mgrid[-1:2, -1:2])
    row, column = cell[..., :1] + y, cell[..., 1:] + x
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    image, keypoint, _ = np.ogrid[:n, :n_keypoints, :1]
    at = ((image * rows + row.clip(0, rows - 1)) * columns + column.clip(0, columns - 1)) * channels
    numbers = output.reshape(-1)
    logit = _numbers(numbers.take(at + keypoint), quantization)
    place = at + (n_keypoints + 2 * keypoint)
    offset = _numbers(numbers.take(np.stack([place, place + 1], axis=-1)), quantization)
    votes = spec.stride * np.stack([column, row], axis=-1) + (spec.stride - 1) / 2 + spec.locref_px * offset
    return votes, score_of(logit) * inside, logit


def _mean(votes: FloatArray, weight: FloatArray) -> FloatArray:
    return np.asarray((weight[..., None] * votes).sum(-2) / weight.sum(-1)[..., None])


def _numbers(values: NDArray[Any], quantization: tuple[float, int] | None) -> FloatArray:
    if quantization is None:
        return values.astype(np.float64)
    scale, zero_point = quantization
    return (values.astype(np.float64) - zero_point) * scale


def _cells_near(place: FloatArray, grid: tuple[int, int], spec: NetworkSpec) -> IntArray:
    """Return the (..., m) cells within the radius of places; the same ones several times at the border."""
    # A cell of the disc around the place has its centre no farther than this from that of the place's own cell.
    radius = spec.radius_px / spec.stride + np.sqrt(0.5)
    reach = int(radius)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = np.hypot(x, y) <= radius
    home = np.nan_to_num((place - (spec.stride - 1) / 2) / spec.stride, nan=0.0)
    rows, columns = grid
    # Moved to the border, a cell of the disc that lies outside is still one of the disc.
    column = (np.rint(home[..., :1].clip(0, columns - 1)).astype(np.int64) + x[disc]).clip(0, columns - 1)
    row = (np.rint(home[..., 1:].clip(0, rows - 1)).astype(np.int64) + y[disc]).clip(0, rows - 1)
    return np.asarray(row * columns + column)


def _surpassed(logits: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell which cells have a neighbour with a higher logit."""
    tall = logits.copy()
    np.maximum(tall[..., 1:, :], logits[..., :-1, :], out=tall[..., 1:, :])
    np.maximum(tall[..., :-1, :], logits[..., 1:, :], out=tall[..., :-1, :])
    highest = tall.copy()
    np.maximum(highest[..., 1:], tall[..., :-1], out=highest[..., 1:])
    np.maximum(highest[..., :-1], tall[..., 1:], out=highest[..., :-1])
    return np.asarray(logits < highest)
