"""Symmetric positive definite matrices that are banded along time, many tracks in one factorisation.

A track is one keypoint's path of ``n_frames`` points in space. Unknowns are ordered track, frame, axis, so that a
matrix that couples frames up to `reach` apart has a half bandwidth of ``3 * reach``, and tracks that do not know of one
another stand along the diagonal of one matrix. Factorisation and solution are LAPACK's (``pbtrf``, ``pbtrs``), which
`scipy.linalg.solveh_banded` stands on: time and memory are linear in the number of frames.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, blas, lapack

from pose3d.geometry.arrays import FloatArray

__all__ = ["BandedFactor", "BandedMatrix"]

_SYMMETRIC = ((0, 0, 0), (1, 0, 1), (2, 0, 2), (3, 1, 0), (4, 1, 1), (5, 2, 0))  # entry, row, offset below the diagonal


@dataclass(frozen=True, eq=False)
class BandedMatrix:
    """Symmetric matrix of tracks.

    Attributes
    ----------
    bands : (n_tracks, n_frames, 3, 3 * reach + 1) array
        ``bands[p, f, i, k]`` is the entry ``k`` below the diagonal in the column of axis `i` of frame `f`: LAPACK's
        lower band storage, transposed.
    """

    bands: FloatArray

    @classmethod
    def of(cls, blocks: FloatArray, couplings: FloatArray) -> "BandedMatrix":
        """Put together a matrix from one symmetric 3x3 block a frame and isotropic couplings in time.

        Parameters
        ----------
        blocks : (6, n_tracks, n_frames) array
            xx, xy, xz, yy, yz, zz.
        couplings : (reach + 1, n_tracks, n_frames) array
            Between frames `f` and ``f + lag``; lag 0 is added to the diagonal.
        """
        _, n_tracks, n_frames = blocks.shape
        bands = np.zeros((n_tracks, n_frames, 3, 3 * len(couplings) - 2))
        for entry, row, offset in _SYMMETRIC:
            bands[:, :, row, offset] = blocks[entry]
        for lag, coupling in enumerate(couplings):
            bands[..., 3 * lag] += coupling[..., None]
        return cls(bands)

    @property
    def _columns(self) -> FloatArray:
        return np.asarray(self.bands.reshape(-1, self.bands.shape[-1]).T)

    def __matmul__(self, x: FloatArray) -> FloatArray:
        """Multiply with (n_tracks, n_frames, 3)."""
        columns = self._columns
        return np.asarray(blas.dsbmv(len(columns) - 1, 1.0, columns, x.reshape(-1), lower=1)).reshape(x.shape)

    def factor(self) -> "BandedFactor":
        """Factorise by Cholesky.

        Raises
        ------
        LinAlgError
            If the matrix is not positive definite.
        """
        lower, info = lapack.dpbtrf(self._columns, lower=1)
        if info:
            raise LinAlgError("the matrix is not positive definite")
        return BandedFactor(lower.T.reshape(self.bands.shape))


@dataclass(frozen=True, eq=False)
class BandedFactor:
    """Lower Cholesky factor of a :class:`BandedMatrix`, in the same storage."""

    bands: FloatArray

    @property
    def _columns(self) -> FloatArray:
        return np.asarray(self.bands.reshape(-1, self.bands.shape[-1]).T)

    def solve(self, right: FloatArray) -> FloatArray:
        """Solve for right sides (..., n_tracks, n_frames, 3), leading axes free."""
        flat = right.reshape(-1, self.bands[..., 0].size)
        solution, _ = lapack.dpbtrs(self._columns, np.asfortranarray(flat.T), lower=1)
        return np.ascontiguousarray(solution.T).reshape(right.shape)

    def log_determinants(self) -> FloatArray:
        """Return the logarithm of the determinant of each track's matrix, (n_tracks,)."""
        return np.asarray(2 * np.log(self.bands[..., 0]).sum((1, 2)))

    def inverse_blocks(self, *, margin: int = 48, run: int = 96) -> FloatArray:
        """Return the diagonal 3x3 blocks of the inverse.

        Takahashi's recursion backwards through the columns, of which each needs those after it. It is started anew
        every `run` frames, `margin` frames late, and all runs of all tracks go in step: what the recursion does not
        know of the frames after its start is forgotten within the reach of the smoothing, and the number of steps does
        not grow with the recording.

        Parameters
        ----------
        margin, run : int
            Frames.

        Returns
        -------
        (n_tracks, n_frames, 3, 3) array

        References
        ----------
        Takahashi, Fagan, Chin (1973), Formation of a sparse bus impedance matrix and its application to short circuit
        study; Erisman & Tinney (1975), Communications of the ACM 18:177.
        """
        n_tracks, n_frames, _, width = self.bands.shape
        band = width - 1
        n_runs = -(-n_frames // run)
        length = run + margin
        # Beyond the last frame stands the identity, which couples to nothing.
        padded = np.zeros((n_tracks, n_runs * run + margin, 3, width))
        padded[..., 0] = 1.0
        padded[:, :n_frames] = self.bands
        frames = np.arange(n_runs)[:, None] * run + np.arange(length)
        # column, entry, batch: the batch is the fastest axis, so that every step works on long rows
        columns = np.ascontiguousarray(padded[:, frames].transpose(2, 3, 4, 1, 0)).reshape(
            3 * length, width, n_runs * n_tracks
        )
        pivot = 1 / columns[:, 0]
        lower = columns[:, 1:] * pivot[:, None]
        pivot *= pivot
        window = np.zeros((band, band, n_runs * n_tracks))  # inverse among the `band` unknowns after the current one
        out = np.empty((run, 3, 3, n_runs * n_tracks))
        for column in range(3 * length - 1, -1, -1):
            below = -np.einsum("ijb,jb->ib", window, lower[column])
            at = pivot[column] - np.einsum("jb,jb->b", lower[column], below)
            window[1:, 1:] = window[:-1, :-1].copy()
            window[0, 0] = at
            window[0, 1:] = window[1:, 0] = below[:-1]
            frame, axis = divmod(column, 3)
            if axis == 0 and frame < run:
                out[frame] = window[:3, :3]
        blocks = out.reshape(run, 3, 3, n_runs, n_tracks).transpose(4, 3, 0, 1, 2)
        return np.ascontiguousarray(blocks.reshape(n_tracks, n_runs * run, 3, 3)[:, :n_frames])
