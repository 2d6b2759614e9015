"""How many threads linear algebra takes."""

import functools
from contextlib import AbstractContextManager

import scipy.linalg  # noqa: F401  # its BLAS is another than numpy's, and must be there to be found
from threadpoolctl import ThreadpoolController

__all__ = ["one_thread"]


def one_thread() -> AbstractContextManager[object]:
    """Return a context in which BLAS has one thread: on matrices as small as ours, more only wait for each other."""
    limited: AbstractContextManager[object] = _threads().limit(limits=1, user_api="blas")
    return limited


@functools.cache
def _threads() -> ThreadpoolController:
    # Finding the libraries takes milliseconds, and they stay.
    return ThreadpoolController()
