"""Pipes to write to: several at once, none of which may hold up another's reader for ever."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import stat
import threading
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from ..contract.errors import Cancelled, MediaError, ReaderGoneError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PipeOut", "is_pipe", "widened"]

_TICK = 0.02
_HELD = 8 << 20  # bytes: a program that opens its second pipe only after seconds of the first still gets them


def is_pipe(path: str | Path) -> bool:
    """Return whether a name leads to something that can only be read or written onwards: FIFO, device."""
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode)


class PipeOut:
    """A pipe, written by a thread of its own.

    Opening waits for a reader, and writing for a slow one; programs open several pipes one after the other.
    So the thread waits, and `write` only when 8 MiB are held.

    Args:
        name: for error texts.
        target: a FIFO's path, or an open descriptor, which stays open.
        cancelled: asked while `write` or `wait` waits; true gives up.
    """

    def __init__(self, name: str, target: Path | int, *, cancelled: Callable[[], bool]) -> None:
        self.name, self._target, self._cancelled = name, target, cancelled
        self._queue: deque[bytes] = deque()
        self._held = 0
        self._change = threading.Condition()
        self._stop = self._complete = False
        self._error: OSError | None = None
        self._thread = threading.Thread(target=self._run, name=f"unbraid writes {name}", daemon=True)
        self._thread.start()

    def write(self, data: bytes) -> None:
        """Append bytes.

        Raises:
            ReaderGoneError: whoever read has closed.
            MediaError: the pipe cannot be opened or written.
        """
        with self._change:
            while self._held >= _HELD and self._error is None and not self._cancelled():
                self._change.wait(_TICK)
            self._raise()
            if self._held >= _HELD:
                raise Cancelled("cancelled; what has left through a pipe cannot be taken back")
            self._queue.append(data)
            self._held += len(data)
            self._change.notify_all()

    def end(self) -> None:
        """Say that nothing more comes; the reader hears of it once it has taken what is held."""
        with self._change:
            self._complete = True
            self._change.notify_all()

    def wait(self) -> None:
        """Wait until everything has been taken and the pipe is closed.

        Raises:
            ReaderGoneError: whoever read has closed before.
            Cancelled: it was told to give up.
        """
        while self._thread.is_alive() and not self._cancelled():
            self._thread.join(_TICK)
        undelivered = self._thread.is_alive()
        self.abort()
        self._raise()
        if undelivered:
            raise Cancelled("cancelled; what has left through a pipe cannot be taken back")

    def abort(self) -> None:
        """Close without waiting for a reader."""
        with self._change:
            self._stop = True
            self._change.notify_all()
        self._thread.join()

    def _raise(self) -> None:
        if isinstance(self._error, BrokenPipeError):
            raise ReaderGoneError(f"{self.name}: whoever read it has gone away")
        if self._error is not None:
            raise MediaError(f"{self.name}: cannot be written: {self._error.strerror}")

    # In the thread

    def _run(self) -> None:
        descriptor = -1
        try:
            descriptor = self._open()
            while descriptor >= 0 and (piece := self._next()) is not None:
                self._put(descriptor, piece)
        except OSError as error:
            with self._change:
                self._error = error
        finally:
            if descriptor >= 0 and descriptor != self._target:
                with contextlib.suppress(OSError):
                    os.close(descriptor)
            with self._change:
                self._change.notify_all()

    def _open(self) -> int:
        if isinstance(self._target, int):
            return _reopened(self._target)
        while not self._stop:
            try:
                return widened(os.open(self._target, os.O_WRONLY | os.O_NONBLOCK))
            except OSError as error:
                if error.errno != errno.ENXIO:  # ENXIO: nobody reads yet
                    raise
            with self._change:
                self._change.wait(_TICK)
        return -1

    def _next(self) -> bytes | None:
        with self._change:
            while not self._queue and not self._complete and not self._stop:
                self._change.wait()
            if self._stop or not self._queue:
                return None
            return self._queue.popleft()

    def _put(self, descriptor: int, piece: bytes) -> None:
        """Write one piece, in parts that a pipe which polls as writable takes without waiting."""
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        view = memoryview(piece)
        # A FIFO that may wait takes this much without waiting, once it polls as writable.
        most = select.PIPE_BUF if descriptor == self._target and _is_fifo(descriptor) else len(view)
        while view and not self._stop:
            if not poll.poll(1000 * _TICK):
                continue
            with contextlib.suppress(BlockingIOError):
                view = view[os.write(descriptor, view[:most]) :]
        with self._change:
            self._held -= len(piece)
            self._change.notify_all()


def _is_fifo(descriptor: int) -> bool:
    return stat.S_ISFIFO(os.fstat(descriptor).st_mode)


def widened(descriptor: int) -> int:
    """Return the descriptor of a FIFO, which holds 1 MiB from now on if the system allows that."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, 1 << 20)
    return descriptor


def _reopened(descriptor: int) -> int:
    """Return a way of our own into a FIFO that never waits; the caller's own may be shared with others."""
    if not _is_fifo(descriptor):
        return descriptor
    try:
        return widened(os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK))
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from None
        return descriptor
