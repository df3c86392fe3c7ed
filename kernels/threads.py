"""One setting for threads, and the loop that runs jobs on them.

Results have the same bits for any number of threads: a job's output does not depend on how the work was cut.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from .arguments import check_count
from .errors import KernelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["run_jobs", "thread_count", "use_threads"]

_CHOSEN: ContextVar[int | None] = ContextVar("threads", default=None)
_WORKER = threading.local()


def _available() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def thread_count() -> int:
    """Return how many threads a kernel called here may use.

    One inside a worker, so that parallel callers never multiply; else what `use_threads` says; else the
    environment's ``UNBRAID_THREADS``; else the CPUs this process may run on.

    Raises:
        KernelError: ``UNBRAID_THREADS`` is not a positive integer.
    """
    if getattr(_WORKER, "busy", False):
        return 1
    chosen = _CHOSEN.get()
    if chosen is not None:
        return chosen
    text = os.environ.get("UNBRAID_THREADS")
    if text is None:
        return _available()
    if not text.isdecimal() or int(text) < 1:
        raise KernelError(f"UNBRAID_THREADS={text!r} must be a positive integer")
    return int(text)


@contextmanager
def use_threads(count: int) -> Iterator[None]:
    """Let kernels called inside use so many threads; workers of a batch say 1.

    Raises:
        KernelError: ``count`` is not a positive integer.

    Example:
        >>> with use_threads(1):
        ...     thread_count()
        1
    """
    token = _CHOSEN.set(check_count("threads", count))
    try:
        yield
    finally:
        _CHOSEN.reset(token)


def run_jobs(count: int, start: Callable[[], Callable[[int], None]]) -> None:
    """Run jobs 0 to ``count - 1``, each once, on up to `thread_count` threads, this one among them.

    Args:
        count: number of jobs.
        start: called once by every thread; returns the function that runs a job on that thread's memory.

    Raises:
        Exception: the first that a job raised, after all threads have stopped.
    """
    workers = min(count, thread_count())
    if workers <= 1:
        run = start()
        for job in range(count):
            run(job)
        return
    lock, failures = threading.Lock(), list[BaseException]()
    waiting = iter(range(count))

    def work() -> None:
        _WORKER.busy = True
        try:
            run = start()
            while not failures:
                with lock:
                    job = next(waiting, None)
                if job is None:
                    return
                run(job)
        except BaseException as error:  # noqa: BLE001 - raised again where the caller waits
            failures.append(error)
        finally:
            _WORKER.busy = False

    others = _begun(workers - 1, work)
    work()
    for thread in others:
        _outlast(thread, failures)
    if failures:
        raise failures[0]


def _begun(count: int, work: Callable[[], None]) -> list[threading.Thread]:
    """Start threads, fewer if the system has no more: those that run do all the work."""
    threads: list[threading.Thread] = []
    for _ in range(count):
        thread = threading.Thread(target=work, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            break
        threads.append(thread)
    return threads


def _outlast(thread: threading.Thread, failures: list[BaseException]) -> None:
    """Wait for a thread, through interrupts too: it works on memory that the caller would let go."""
    while thread.is_alive():
        try:
            thread.join()
        except BaseException as error:  # noqa: BLE001 - raised again when all have stopped
            failures.append(error)
