"""Banded matrices of tracks against dense ones."""

import numpy as np
import pytest
import scipy.linalg

from pose3d.geometry.banded import BandedMatrix

ENTRIES = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))


def make(n_tracks, n_frames, reach, *, seed=0):
    """Blocks and couplings of tracks whose views say something, and whose differences in time are kept small."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n_tracks, n_frames, 3, 3))
    full = root @ root.swapaxes(-1, -2) + 0.1 * np.eye(3)
    full[rng.random((n_tracks, n_frames)) < 0.2] = 1e-3 * np.eye(3)  # frames of which views say next to nothing
    blocks = np.stack([full[..., i, j] for i, j in ENTRIES])
    couplings = np.zeros((reach + 1, n_tracks, n_frames))
    for p in range(n_tracks):
        rows = np.diff(np.eye(n_frames), n=reach, axis=0)
        weighted = rows.T * rng.uniform(0.5, 3, len(rows)) @ rows
        for lag in range(min(reach, n_frames - 1) + 1):
            couplings[lag, p, : n_frames - lag] = np.diagonal(weighted, -lag)
    return full, blocks, couplings


def dense(full, couplings):
    """One matrix (3 n_frames, 3 n_frames) a track."""
    n_tracks, n_frames = full.shape[:2]
    out = np.zeros((n_tracks, 3 * n_frames, 3 * n_frames))
    for p in range(n_tracks):
        out[p] = scipy.linalg.block_diag(*full[p])
        for lag, coupling in enumerate(couplings[:n_frames, p]):
            time = np.diag(coupling[: n_frames - lag], -lag)
            out[p] += np.kron(time if lag == 0 else time + time.T, np.eye(3))
    return out


@pytest.fixture(scope="module", params=[(3, 17, 3), (1, 40, 2), (4, 9, 1), (2, 12, 5), (2, 3, 3), (1, 1, 2)])
def both(request):
    full, blocks, couplings = make(*request.param)
    return BandedMatrix.of(blocks, couplings), dense(full, couplings)


def test_products(both):
    banded, full = both
    x = np.random.default_rng(1).normal(size=banded.bands.shape[:3])
    expected = np.einsum("pij,pj->pi", full, x.reshape(len(x), -1)).reshape(x.shape)
    np.testing.assert_allclose(banded @ x, expected, rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize("leading", [(), (4,), (2, 3)])
def test_solutions(both, leading):
    banded, full = both
    shape = banded.bands.shape[:3]
    right = np.random.default_rng(2).normal(size=(*leading, *shape))
    before = right.copy()
    expected = np.linalg.solve(full, right.reshape(*leading, shape[0], -1, 1)).reshape(right.shape)
    np.testing.assert_allclose(banded.factor().solve(right), expected, rtol=1e-7, atol=1e-9)
    assert np.array_equal(right, before)


def test_determinants(both):
    banded, full = both
    np.testing.assert_allclose(banded.factor().log_determinants(), np.linalg.slogdet(full)[1], rtol=1e-10)


def test_blocks_of_the_inverse(both):
    banded, full = both
    n_tracks, n_frames = banded.bands.shape[:2]
    inverse = np.linalg.inv(full).reshape(n_tracks, n_frames, 3, n_frames, 3)
    frame = np.arange(n_frames)
    expected = inverse[:, frame, :, frame].swapaxes(0, 1)
    found = banded.factor().inverse_blocks()
    assert found.shape == (n_tracks, n_frames, 3, 3)
    np.testing.assert_allclose(found, expected, rtol=1e-7)


@pytest.mark.parametrize(("margin", "run"), [(30, 40), (60, 7), (48, 96), (200, 64), (30, 500)])
def test_where_the_inverse_is_begun_anew_does_not_matter(margin, run):
    _, blocks, couplings = make(3, 230, 3, seed=5)
    factor = BandedMatrix.of(blocks, couplings).factor()
    whole = factor.inverse_blocks(margin=0, run=230)
    found = factor.inverse_blocks(margin=margin, run=run)
    np.testing.assert_allclose(found, whole, rtol=1e-6)
    # That a margin is needed at all: without it the frames before each start are off.
    assert np.abs(factor.inverse_blocks(margin=0, run=50) / whole - 1).max() > 1e-3


def test_a_matrix_that_is_not_positive_definite_is_refused():
    _, blocks, couplings = make(2, 12, 2)
    blocks[:, 1, 5] = [-40.0, 0, 0, -40.0, 0, -40.0]
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite"):
        BandedMatrix.of(blocks, couplings).factor()


def test_the_factor_leaves_the_matrix_as_it_is():
    _, blocks, couplings = make(2, 20, 3)
    banded = BandedMatrix.of(blocks, couplings)
    before = banded.bands.copy()
    banded.factor()
    assert np.array_equal(banded.bands, before)
