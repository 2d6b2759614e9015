"""Threads that work side by side, and have ended when their caller goes on."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

__all__ = ["ThreadPool"]

P = ParamSpec("P")
T = TypeVar("T")


class ThreadPool(ThreadPoolExecutor):
    """A pool whose ``with`` block is left when its jobs have ended, however often the user interrupts meanwhile.

    Jobs that have not begun when the block fails are cancelled; to those that have, the block itself must say that
    they shall end. Before Python 3.13, an interrupt while a thread is joined leaves it running but taken for ended
    (its bpo-45274); the interpreter then goes away beneath it, and what it runs in C++ aborts the process.
    """

    def __init__(self, max_workers: int | None = None) -> None:
        super().__init__(max_workers)
        self._jobs: list[Future[Any]] = []

    def submit(self, job: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Let a thread do a job."""
        future: Future[T] = Future()
        self._jobs.append(future)  # known before it begins: an interrupt may come while its thread is started
        super().submit(_do, future, job, *args, **kwargs)
        return future

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        interrupt: KeyboardInterrupt | None = None
        while True:
            try:
                if error is not None or interrupt is not None:
                    for job in self._jobs:
                        job.cancel()
                while running := [job for job in self._jobs if not job.done()]:
                    wait(running)
                break
            except KeyboardInterrupt as another:
                interrupt = another
        self.shutdown(wait=False)
        if interrupt is not None:
            raise interrupt


def _do(future: Future[T], job: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(job(*args, **kwargs))
    except BaseException as error:
        future.set_exception(error)
