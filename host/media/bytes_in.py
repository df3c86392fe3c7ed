"""Where bytes come from: a file that can be wound, or a pipe that cannot."""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING, BinaryIO, Protocol

from .pipes import widened

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ByteInput", "FileBytes", "PipeBytes"]

_WAIT_MS = 50
_PIECE = 1 << 16


class ByteInput(Protocol):
    """Bytes one after the other.

    Attributes:
        position: how many have been read or passed over.
        size: how many there are in all; None on a pipe.
    """

    position: int
    size: int | None

    def read(self, count: int) -> bytes:
        """Return the next ``count`` bytes; fewer only at the end."""
        ...

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer from the next bytes; return how many came, 0 only at the end."""
        ...

    def skip_to(self, position: int) -> None:
        """Go forward to this place, or to the end."""

    def close(self) -> None:
        """Give back what is held open."""


class FileBytes:
    """The bytes of a regular file, which this object then owns."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.position = 0
        self.size: int | None = os.fstat(file.fileno()).st_size
        # The system then reads twice as far ahead.
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)

    def read(self, count: int) -> bytes:
        """See `ByteInput`."""
        found = self._file.read(count)
        self.position += len(found)
        return found

    def readinto(self, buffer: memoryview) -> int:
        """See `ByteInput`."""
        count = self._file.readinto(buffer)  # type: ignore[attr-defined]
        self.position += count
        return int(count)

    def skip_to(self, position: int) -> None:
        """Go to this place, forward or back; a place beyond the end, which a header may name, is the end."""
        self.position = min(position, self.size or 0)
        self._file.seek(self.position)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class PipeBytes:
    """The bytes of a pipe, a socket or a terminal.

    Until `forget`, all that was read is kept, so that a sound of another kind can be taken from the start.

    Args:
        descriptor: to read from.
        stop: asked while nothing comes; true ends the bytes here, as if the writer had closed.
        own: close the descriptor in `close`.
    """

    def __init__(self, descriptor: int, *, stop: Callable[[], bool], own: bool = True) -> None:
        self._descriptor, self._stop, self._own = descriptor, stop, own
        self.position = 0
        self.size: int | None = None
        self._kept: bytearray | None = bytearray()
        self._ahead = b""
        self._ended = False
        #: Whether ``stop`` ended the bytes.
        self.stopped = False
        widened(descriptor)
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)

    def _wait(self) -> bool:
        """Wait for bytes or the end of them; return whether to read."""
        while not self._ended:
            if self._stop():
                self._ended = self.stopped = True
            elif self._poll.poll(_WAIT_MS):
                return True
        return False

    def readinto(self, buffer: memoryview) -> int:
        """See `ByteInput`; waits only until something came."""
        if self._ahead:
            count = min(len(buffer), len(self._ahead))
            buffer[:count] = self._ahead[:count]
            self._ahead = self._ahead[count:]
            self.position += count
            return count
        if not len(buffer) or not self._wait():
            return 0
        count = os.readv(self._descriptor, [buffer])
        if count == 0:
            self._ended = True
        self.position += count
        if self._kept is not None:
            self._kept += buffer[:count]
        return count

    def peek(self, count: int) -> bytes:
        """Return the first ``count`` bytes without moving on; before anything else was read."""
        self._ahead = self.read(count)
        self.position = 0
        return self._ahead

    def read(self, count: int) -> bytes:
        """See `ByteInput`."""
        found = bytearray()
        while len(found) < count:
            piece = bytearray(min(count - len(found), _PIECE))
            came = self.readinto(memoryview(piece))
            if not came:
                break
            found += piece[:came]
        return bytes(found)

    def skip_to(self, position: int) -> None:
        """See `ByteInput`; reads and drops."""
        while self.position < position and self.read(min(position - self.position, _PIECE)):
            pass

    def drain(self) -> tuple[bytes, int]:
        """Take what still comes, so that the program before the pipe ends in peace; waits at most 1 s.

        Returns:
            The first bytes of it, up to 64 KiB, and how many there were.
        """
        piece, start, first = memoryview(bytearray(_PIECE)), self.position, b""
        while not self._ended and not self._stop() and self._poll.poll(1000):
            came = self.readinto(piece)
            first += bytes(piece[: min(came, _PIECE - len(first))])
        return first, self.position - start

    def forget(self) -> bytes:
        """Return all that was read so far, and keep no more; what was only peeked at is still to come."""
        kept, self._kept = bytes(self._kept or b""), None
        return kept[: len(kept) - len(self._ahead)]

    def close(self) -> None:
        """Close the descriptor, if it is this object's."""
        if self._own and self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
