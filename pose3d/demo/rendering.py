"""Clips of several cameras rendered side by side, with one count of all their frames."""

from collections.abc import Callable, Iterator
from threading import Event, Lock

import numpy as np

from pose3d.log import Progress
from pose3d.threads import ThreadPool

__all__ = ["FrameCounter", "run_all"]


class FrameCounter:
    """Adds up the frames of clips that are rendered in several threads.

    Parameters
    ----------
    progress : callable
        Told after every frame.
    label : str
    total : int
        Frames of all clips together.
    """

    def __init__(self, progress: Progress, label: str, total: int) -> None:
        self._progress, self._label, self._total = progress, label, total
        self._done, self._lock, self._stopped = 0, Lock(), Event()

    def stop(self) -> None:
        """End all clips at their next frame."""
        self._stopped.set()

    def follow(self, frames: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """Pass frames on, and count them."""
        for frame in frames:
            if self._stopped.is_set():
                raise InterruptedError("rendering was stopped")
            yield frame
            with self._lock:
                self._done += 1
                self._progress(self._label, self._done, self._total)


def run_all(job: Callable[[int], None], n: int, *, workers: int, counter: FrameCounter) -> None:
    """Run ``job(0)`` to ``job(n - 1)`` in threads: numpy, OpenCV and the encoder all work outside Python's lock.

    When one fails or the user interrupts, the others stop at their next frame.
    """
    with ThreadPool(workers) as pool:
        futures = [pool.submit(job, number) for number in range(n)]
        try:
            for future in futures:
                future.result()
        except BaseException:
            counter.stop()
            raise
