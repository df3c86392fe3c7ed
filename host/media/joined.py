"""Several outputs side by side in one stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...kernels.fifo import Fifo
from .sink import Around

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..contract.processor import Array
    from .sink import Writer

__all__ = ["JoinedWriter"]


class JoinedWriter:
    """Takes the blocks of several outputs, each in its own time, and writes their channels side by side.

    Attributes:
        parts: a writer for each output, in the order of channels.
    """

    def __init__(self, writer: Writer, channels: Mapping[str, int]) -> None:
        self.writer = writer
        self.parts: dict[str, Writer] = {name: _Part(self, count) for name, count in channels.items()}
        self._fifos = {part: part.fifo for part in self.parts.values() if isinstance(part, _Part)}
        self._finished = 0
        self._committed = False

    def advance(self) -> None:
        """Write what every output has."""
        ready = min(len(fifo) for fifo in self._fifos.values())
        if not ready:
            return
        blocks = []
        for fifo in self._fifos.values():
            block = np.empty((fifo.channels, ready), np.float32)
            fifo.pull(block)
            blocks.append(block)
        self.writer.write(np.concatenate(blocks))

    def finish(self, notes: Sequence[str]) -> None:
        """Finish the stream once every output has."""
        self._finished += 1
        if self._finished == len(self._fifos):
            self.writer.finish(notes)

    def commit(self) -> None:
        """Commit the stream, once."""
        if not self._committed:
            self._committed = True
            self.writer.commit()


class _Part(Around):
    """One output's way into the stream."""

    def __init__(self, joined: JoinedWriter, channels: int) -> None:
        super().__init__(joined.writer)
        self._joined = joined
        self.fifo = Fifo(channels)

    def write(self, block: Array) -> None:
        self.fifo.push(block)
        self._joined.advance()

    def finish(self, notes: Sequence[str] = ()) -> None:
        self._joined.finish(notes)

    def commit(self) -> None:
        self._joined.commit()
