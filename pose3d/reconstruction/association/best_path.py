"""The best path through a few states a frame, all frames at once."""

import numpy as np

from pose3d.geometry.arrays import FloatArray, IntArray

__all__ = ["best_path"]


def best_path(gain: FloatArray, step: FloatArray) -> IntArray:
    """Find the states of greatest sum of gains and steps, as Viterbi's algorithm does.

    Every second frame is eliminated: for each pair of states of its neighbours the best state between is noted. What
    remains is the same task at half the length, so that there are no more passes than the logarithm of the length.

    Parameters
    ----------
    gain : (n_frames, n_states) array
    step : (n_frames - 1, n_states, n_states) array
        From a state to a state of the next frame.

    Returns
    -------
    (n_frames,) int array

    References
    ----------
    Viterbi (1967), IEEE Transactions on Information Theory 13:260; Särkkä & García-Fernández (2021), Temporal
    parallelization of Bayesian smoothers, IEEE Transactions on Automatic Control 66:299 (the associativity).

    Examples
    --------
    >>> best_path(np.array([[0.0, 1.0], [0.5, 0.0], [0.0, 1.0]]), np.array([[[0, -1], [-1, 0]]] * 2))
    array([1, 1, 1])
    """
    n_frames, n_states = gain.shape
    if n_frames == 0:
        return np.zeros(0, dtype=np.int64)
    if n_frames == 1:
        return np.asarray(gain.argmax(-1))
    if n_frames == 2:
        total = gain[0, :, None] + step[0] + gain[1]
        return np.array(np.unravel_index(total.argmax(), total.shape))
    if n_frames % 2 == 0:  # a frame of no consequence at the end
        gain = np.concatenate([gain, np.zeros((1, n_states))])
        step = np.concatenate([step, np.zeros((1, n_states, n_states))])
    through = step[0::2, :, :, None] + gain[1::2, None, :, None] + step[1::2, None]
    between = through.argmax(2)
    outer = best_path(gain[0::2], through.max(2))
    state = np.empty(len(gain), dtype=np.int64)
    state[0::2] = outer
    state[1::2] = between[np.arange(len(between)), outer[:-1], outer[1:]]
    return state[:n_frames]
