"""A pool of threads is left when its jobs have ended, whatever happens meanwhile."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pose3d.threads import ThreadPool

no_such_signal = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one thread")


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """A background job of a shell starts with interrupts ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt() -> None:
    """Press Ctrl-C while the main thread waits."""
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


def run(*jobs: Callable[[], Any], threads: int = 1) -> list[Any]:
    with ThreadPool(threads) as pool:
        futures = [pool.submit(job) for job in jobs]
        return [future.result() for future in futures]


@no_such_signal
def test_impatient_interrupts_wait_for_the_jobs_that_have_begun() -> None:
    ended = []

    def begun() -> None:
        for _ in range(5):
            interrupt()
            time.sleep(0.02)
        time.sleep(0.2)
        ended.append("begun")

    with pytest.raises(KeyboardInterrupt):
        run(begun, lambda: ended.append("not begun"))
    assert ended == ["begun"]


def test_an_error_waits_for_the_jobs_that_have_begun() -> None:
    begun, ended = threading.Event(), []

    def slow() -> None:
        begun.set()
        time.sleep(0.2)
        ended.append("slow")

    def failing() -> None:
        begun.wait()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(failing, slow, threads=2)
    assert ended == ["slow"]


def test_without_an_error_every_job_is_done() -> None:
    with ThreadPool(2) as pool:
        jobs = [pool.submit(pow, base, exp=2) for base in range(20)]
    assert [job.result() for job in jobs] == [base**2 for base in range(20)]


@no_such_signal
def test_an_interrupt_after_the_last_result_is_not_lost() -> None:
    def late() -> None:
        time.sleep(0.05)
        interrupt()
        time.sleep(0.05)

    pool = ThreadPool(1)
    pool.submit(late)
    with pytest.raises(KeyboardInterrupt):
        pool.__exit__(None, None, None)
