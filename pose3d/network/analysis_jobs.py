"""Several videos analysed side by side, one process a video."""

import logging
import multiprocessing
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from pose3d.errors import Pose3DError
from pose3d.log import Progress, logger, no_progress

__all__ = ["AnalysisJob", "Analyze", "Outcome", "Summary", "analyze_videos", "count_processors"]

_LOOK_S = 0.1


class Summary(Protocol):
    """What became of a video."""

    def lines(self) -> Sequence[str]:
        """Return it for people."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        ...


class Analyze(Protocol):
    """Analyses one video; can be sent to another process."""

    def __call__(self, video: Path, *, output: Path, progress: Progress) -> Summary:
        """Write the output."""
        ...


Outcome: TypeAlias = Summary | Pose3DError


@dataclass(frozen=True)
class AnalysisJob:
    """A video, and the h5 to write.

    Attributes
    ----------
    video, output : Path
    """

    video: Path
    output: Path


def analyze_videos(
    jobs: Sequence[AnalysisJob],
    analyze: Analyze,
    *,
    workers: int | None = None,
    progress: Progress = no_progress,
    report: Callable[[AnalysisJob, Outcome], None] | None = None,
) -> list[Outcome]:
    """Analyse videos; one that fails does not keep the others from being done.

    Parameters
    ----------
    jobs : sequence of AnalysisJob
    analyze : callable
        Such as :func:`functools.partial` makes of :func:`pose3d.network.analysis.analyze_video`, given the model.
    workers : int, optional
        Processes; by default one a video, up to the number of CPUs.
    progress : Progress, optional
        One bar a video.
    report : callable, optional
        Is given each job when it has ended, and its summary or error.

    Returns
    -------
    list of Summary or Pose3DError
        In the order of the jobs.

    Raises
    ------
    ValueError
        If two jobs write the same file.
    """
    if len({job.output.absolute() for job in jobs}) < len(jobs):
        raise ValueError("two jobs write the same file")
    workers = min(len(jobs), count_processors() if workers is None else workers)
    tell = report or _tell_nobody
    labels = _labels(jobs)
    if workers > 1:
        return _in_processes(jobs, analyze, workers, lambda i, *done: progress(labels[i], *done), tell)
    outcomes: list[Outcome] = []
    for job, label in zip(jobs, labels, strict=True):
        outcomes.append(_outcome(job, analyze, partial(_relabel, progress, label)))
        tell(job, outcomes[-1])
    return outcomes


def count_processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _labels(jobs: Sequence[AnalysisJob]) -> list[str]:
    """Name each job as briefly as tells them apart."""
    stems = [job.output.stem for job in jobs]
    return stems if len(set(stems)) == len(stems) else [str(job.output) for job in jobs]


def _relabel(progress: Progress, label: str, _: str, done: int, total: int) -> None:
    progress(label, done, total)


def _tell_nobody(_job: AnalysisJob, _outcome: Outcome) -> None:
    pass


def _outcome(job: AnalysisJob, analyze: Analyze, progress: Progress) -> Outcome:
    try:
        return analyze(job.video, output=job.output, progress=progress)
    except Pose3DError as error:
        return error


def _in_processes(
    jobs: Sequence[AnalysisJob],
    analyze: Analyze,
    workers: int,
    progress: Callable[[int, int, int], None],
    tell: Callable[[AnalysisJob, Outcome], None],
) -> list[Outcome]:
    # Not forked: the decoder's and LiteRT's threads would not survive it.
    context = multiprocessing.get_context("spawn")
    said = context.Queue()
    done: dict[Future[Outcome], Outcome] = {}
    with ProcessPoolExecutor(workers, context, _begin, (said, logger.getEffectiveLevel())) as pool:
        with nullcontext() if _is_of_script(analyze) else _script_left_out():
            futures = {pool.submit(_work, i, job, analyze): job for i, job in enumerate(jobs)}
        try:
            while len(done) < len(futures):
                _pass_on(said, progress)
                ended, _ = wait(futures.keys() - done.keys(), _LOOK_S, return_when="FIRST_COMPLETED")
                for future in ended:
                    done[future] = _result(future, futures[future])
                    _pass_on(said, progress)
                    tell(futures[future], done[future])
        except BaseException:
            # What was finished is kept; there is no use in waiting for the rest.
            for process in list(pool._processes.values()):
                process.terminate()
            raise
    return [done[future] for future in futures]


def _is_of_script(analyze: Analyze) -> bool:
    function = analyze.func if isinstance(analyze, partial) else analyze
    return getattr(function, "__module__", "__main__") == "__main__"


@contextmanager
def _script_left_out() -> Iterator[None]:
    """Keep the processes that are started meanwhile from running the caller's script: it would start them again."""
    script = sys.modules["__main__"]
    kept = {name: getattr(script, name) for name in ("__spec__", "__file__") if hasattr(script, name)}
    try:
        for name in kept:
            setattr(script, name, None)
        yield
    finally:
        for name, value in kept.items():
            setattr(script, name, value)


def _result(future: "Future[Outcome]", job: AnalysisJob) -> Outcome:
    try:
        return future.result()
    except BrokenProcessPool:
        return Pose3DError(f"{job.video}: the process that analysed it was ended from outside; start again to go on")


def _pass_on(said: Any, progress: Callable[[int, int, int], None]) -> None:
    """Report here what the processes reported."""
    while True:
        try:
            kind, *content = said.get_nowait()
        except queue.Empty:
            return
        if kind == "progress":
            progress(*content)
        else:
            logger.log(content[0], "%s", content[1])


_sent: dict[str, Any] = {}
"""Within a process, the queue of what it reports."""


def _begin(said: Any, level: int) -> None:
    """Prepare a process."""
    _sent["queue"] = said
    logger.addHandler(_Sender())
    logger.setLevel(level)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, however it went."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


class _Sender(logging.Handler):
    """Sends the log to the process that shows it."""

    def emit(self, record: logging.LogRecord) -> None:
        _sent["queue"].put(("log", record.levelno, record.getMessage()))


def _work(number: int, job: AnalysisJob, analyze: Analyze) -> Outcome:
    return _outcome(job, analyze, lambda _, done, total: _sent["queue"].put(("progress", number, done, total)))
