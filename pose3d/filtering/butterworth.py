"""Zero-lag Butterworth low-pass whose response is 3 dB down at the frequency that was asked for."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.signal import butter, freqz_sos, sosfilt, sosfilt_zi

from pose3d.errors import ConfigError
from pose3d.filtering.runs import Runs, Smoothed, as_tracks, find_runs, mask_of
from pose3d.geometry.arrays import FloatArray, IntArray

__all__ = ["Butterworth", "butterworth_filter", "design_butterworth"]

_FORGOTTEN = 1e-7
"""What is left of a sample's influence after `reach` frames."""
_BLOCK = 1 << 19
"""Samples filtered at once (4 MB)."""


@dataclass(frozen=True, eq=False)
class Butterworth:
    """A low-pass that runs forwards and backwards.

    Attributes
    ----------
    sections : (n_sections, 6) array
        Second-order sections of one pass.
    cutoff_hz : float
        Where the two passes together are 3 dB down.
    pass_hz : float
        Where one pass alone is: the corrected cutoff.
    order : int
        Of the two passes together.
    fps : float
    reach : int
        Frames after which a sample's influence has faded to 1e-7.
    min_run : int
        Shortest run of frames that is filtered.
    """

    sections: FloatArray
    cutoff_hz: float
    pass_hz: float
    order: int
    fps: float
    reach: int
    min_run: int

    def response(self, frequency_hz: ArrayLike) -> FloatArray:
        """Return the gain of both passes, 1 at 0 Hz; there is no phase.

        Parameters
        ----------
        frequency_hz : (...) array, Hz

        Returns
        -------
        (...) array
        """
        frequency = np.asarray(frequency_hz, dtype=np.float64)
        gain = freqz_sos(self.sections, worN=frequency.ravel(), fs=self.fps)[1]
        return np.asarray(np.abs(gain) ** 2).reshape(frequency.shape)

    def apply(self, signals: FloatArray, length: IntArray) -> FloatArray:
        """Filter signals of different lengths, each from its first sample.

        Before the passes the line from first to last sample is taken off and the rest, which is then 0 at both ends, is
        continued by reflection through these points (an odd, periodic continuation), so that ends are neither pulled
        to the inside nor do they ring, however short the signal is.

        Parameters
        ----------
        signals : (n_signals, n_frames) array
            What lies beyond a signal's length is not looked at.
        length : (n_signals,) int array
            At least 2.

        Returns
        -------
        (n_signals, n_frames) array
            Beyond its length each signal is undefined.
        """
        frame = np.arange(signals.shape[1])
        last = np.asarray(length - 1)[:, None]
        first_value = signals[:, :1]
        slope = (np.take_along_axis(signals, last, axis=1) - first_value) / last
        level = signals - (first_value + slope * frame)
        reach = self.reach
        beyond = np.arange(-reach, signals.shape[1] + reach)
        inside = beyond % (2 * last)  # the continuation has a period of twice the length
        back = inside > last
        wave = np.take_along_axis(level, np.where(back, 2 * last - inside, inside), axis=1)
        wave = np.where(back, -wave, wave)
        wave = np.where(beyond > last + reach, 0.0, wave)  # a signal ends for itself
        zi = sosfilt_zi(self.sections)[:, None, :]
        forward = sosfilt(self.sections, wave, axis=1, zi=zi * wave[:, :1])[0]
        turned = last + 2 * reach - np.arange(wave.shape[1])  # each signal's last sample comes first
        forward = np.take_along_axis(forward, np.maximum(turned, 0), axis=1)
        backward = sosfilt(self.sections, forward, axis=1, zi=zi * forward[:, :1])[0]
        there = np.maximum(last + reach - frame, 0)
        return np.asarray(np.take_along_axis(backward, there, axis=1) + first_value + slope * frame)


def design_butterworth(cutoff_hz: float, *, fps: float, order: int = 4) -> Butterworth:
    r"""Design the low-pass.

    A Butterworth filter of order n that runs p times is 3 dB down not at its cutoff but at
    :math:`C = (2^{1/p} - 1)^{1/2n}` of it: 0.802 for two passes of order 2, so that the "fourth-order 6 Hz filter" of
    most programs is one of 4.8 Hz. Each pass here is designed for the frequency, on the warped axis of the bilinear
    transform, that puts the 3 dB of the two passes at `cutoff_hz` exactly.

    Parameters
    ----------
    cutoff_hz : float, Hz
    fps : float
        Frames per second.
    order : int
        Of the two passes together: even, 2 to 16. 4 is what biomechanics calls a fourth-order zero-lag filter.

    Returns
    -------
    Butterworth

    Raises
    ------
    ConfigError
        If the frame rate is unknown, the cutoff is not between 0 and half the frame rate, or the order is not even.

    References
    ----------
    D. A. Winter: Biomechanics and motor control of human movement, 4th ed. (2009), section 3.5.3.2, eq. 3.16 (p. 69).
    D. G. E. Robertson, J. J. Dowling: Design and responses of Butterworth and critically damped digital filters.
    J. Electromyogr. Kinesiol. 13 (2003), 569-573.

    Examples
    --------
    >>> low = design_butterworth(6.0, fps=100.0)
    >>> round(low.pass_hz, 3), round(float(low.response(6.0)) ** 2, 6)
    (7.431, 0.5)
    """
    if not (math.isfinite(fps) and fps > 0):
        raise ConfigError(f"butterworth: {fps} frames per second is no frame rate; give fps")
    if not (math.isfinite(cutoff_hz) and 0 < cutoff_hz < fps / 2):
        raise ConfigError(
            f"butterworth: a cutoff of {cutoff_hz:g} Hz cannot be had at {fps:g} frames per second; "
            f"give one above 0 and below {fps / 2:g} Hz (half the frame rate)"
        )
    if order != int(order) or order % 2 or not 2 <= order <= 16:
        raise ConfigError(f"butterworth: order {order} cannot be had; give an even one from 2 to 16, such as 4")
    single = int(order) // 2
    correction = (math.sqrt(2) - 1) ** (1 / (2 * single))
    pass_hz = math.atan(math.tan(math.pi * cutoff_hz / fps) / correction) * fps / math.pi
    sections = np.asarray(butter(single, pass_hz, fs=fps, output="sos"))
    poles = np.concatenate([np.roots(section[3:]) for section in sections])
    slowest = float(np.abs(poles).max())
    reach = max(math.ceil(math.log(_FORGOTTEN) / math.log(slowest)), 3) if slowest > 0 else 3
    return Butterworth(sections, float(cutoff_hz), pass_hz, int(order), float(fps), reach, 3 * (single + 1))


def butterworth_filter(values: ArrayLike, low: Butterworth) -> Smoothed:
    """Filter each uninterrupted run of observations for itself.

    Parameters
    ----------
    values : (n_frames, ..., n_axes) array
        NaN where missing, which it stays. Constants and steady motion come out unchanged.
    low : Butterworth

    Returns
    -------
    Smoothed
        Runs shorter than `low.min_run` frames are left as they are.
    """
    tracks, present = as_tracks(values)
    runs = find_runs(present)
    short = runs.length < low.min_run
    for group in _alike(runs.where(~short), low.reach, tracks.shape[2]):
        width = int(group.length.max())
        frame = np.minimum(np.arange(width), group.length[:, None] - 1)
        index = (group.first[:, None] + frame, group.column[:, None])
        part = np.moveaxis(tracks[index], 2, 1).reshape(-1, width)
        made = low.apply(part, np.repeat(group.length, tracks.shape[2]))
        made = np.moveaxis(made.reshape(len(group), tracks.shape[2], width), 1, 2)
        inside = np.arange(width) < group.length[:, None]
        run, at = np.nonzero(inside)
        tracks[group.first[run] + at, group.column[run]] = made[run, at]
    shape = np.shape(values)
    left = mask_of(runs.where(short), present.shape)
    return Smoothed(tracks.reshape(shape), left.reshape(shape[:-1]))


def _alike(runs: Runs, reach: int, n_axes: int) -> list[Runs]:
    """Put runs of similar length together, so that one call filters them without much padding or memory."""
    if not len(runs):
        return []
    order = np.argsort(runs.length, kind="stable")
    width = runs.length[order] + 2 * reach
    octave = np.floor(4 * np.log2(width)).astype(np.int64)  # steps of 19 %
    budget = np.maximum(_BLOCK // (n_axes * (2.0 ** ((octave + 1) / 4))), 1).astype(np.int64)
    place = np.arange(len(order)) - np.searchsorted(octave, octave)
    key = place // budget
    cut = np.flatnonzero((np.diff(octave) != 0) | (np.diff(key) != 0)) + 1
    return [runs.where(index) for index in np.split(order, cut)]
