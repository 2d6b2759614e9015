"""TensorFlow and LiteRT started without the lines that they write to the standard error."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pose3d.log import logger

__all__ = ["quiet_stderr", "start_tensorflow"]

_started: list[bool] = []


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Send away what is written to the standard error from below Python."""
    try:
        kept = os.dup(2)
    except OSError:  # there is no standard error
        yield
        return
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def start_tensorflow(*, threads: int | None = None) -> None:
    """Import and start TensorFlow, once in a process; it tells of CUDA and of its compiler flags, to nobody's use.

    Parameters
    ----------
    threads : int, optional
        Of the computation; it keeps the number with which it was started.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    if _started:
        if threads is not None:
            logger.debug("tensorflow runs already; the number of its threads stays")
        return
    with quiet_stderr():
        import tensorflow as tf

        if threads is not None:
            try:
                tf.config.threading.set_intra_op_parallelism_threads(threads)
                tf.config.threading.set_inter_op_parallelism_threads(1)
            except RuntimeError:
                logger.debug("tensorflow runs already; the number of its threads stays")
        tf.constant(0) + 1  # the first computation tells its part as well
    _started.append(True)
