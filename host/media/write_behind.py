"""A thread between engine and disk that encodes behind."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

from .read_ahead import blocks
from .sink import Around

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..contract.processor import Array
    from .sink import Writer

__all__ = ["WriteBehind"]


class WriteBehind(Around):
    """A writer fed by a thread of its own, in blocks of a size that files like.

    What the thread raises is raised by the next `write` or by `finish`.
    """

    def __init__(self, writer: Writer, channels: int) -> None:
        super().__init__(writer)
        self._channels = channels
        self._free: SimpleQueue[Array] = SimpleQueue()
        self._full: SimpleQueue[tuple[Array, int] | None] = SimpleQueue()
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._block: Array | None = None
        self._held = 0
        self._stop = False

    def _start(self) -> threading.Thread:
        for block in blocks(self._channels):
            self._free.put(block)
        thread = threading.Thread(target=self._run, name=f"unbraid writes {self.writer.name}", daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        while (item := self._full.get()) is not None:
            block, count = item
            if self._error is None and not self._stop:
                try:
                    self.writer.write(block[:, :count])
                except BaseException as error:  # noqa: BLE001 - it is raised by the next call
                    self._error = error
            self._free.put(block)

    def write(self, block: Array) -> None:
        """Append ``[channels, n]`` samples; they are copied."""
        if self._thread is None:
            self._thread = self._start()
        n, done = block.shape[1], 0
        while done < n:
            if self._error is not None:
                raise self._error
            if self._block is None:
                self._block, self._held = self._free.get(), 0
            count = min(n - done, self._block.shape[1] - self._held)
            self._block[:, self._held : self._held + count] = block[:, done : done + count]
            self._held += count
            done += count
            if self._held == self._block.shape[1]:
                self._hand_over()

    def _hand_over(self) -> None:
        if self._block is not None and self._held:
            self._full.put((self._block, self._held))
        self._block = None

    def _join(self) -> None:
        if self._thread is not None:
            self._full.put(None)
            self._thread.join()
            self._thread = None

    def finish(self, notes: Sequence[str] = ()) -> None:
        """Write what is held, then finish the writer."""
        self._hand_over()
        self._join()
        if self._error is not None:
            raise self._error
        self.writer.finish(notes)

    def abort(self) -> None:
        """Stop the thread and abort the writer."""
        self._stop = True
        self._join()
        self.writer.abort()
