"""A thread between disk and engine that decodes ahead."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..contract.processor import Array
    from .source import Source

__all__ = ["ReadAhead", "blocks"]

_SAMPLES, _DEPTH = 16384, 3
_BYTES = 1 << 22  # of one block; many channels get fewer samples
_TRIAL, _WORTH = 16, 0.2


def blocks(channels: int) -> list[Array]:
    """Return a few blocks to hand to and fro between threads."""
    samples = max(64, min(_SAMPLES, _BYTES // (4 * channels)))
    return [np.empty((channels, samples), np.float32) for _ in range(_DEPTH)]


class ReadAhead:
    """A source read by a thread of its own, a few blocks ahead, where that pays.

    Handing blocks between threads costs about a tenth of decoding them. So the first reads decode in place
    and are timed; the thread starts only if the reader spends a fifth of that time on other things.

    Args:
        source: read by the thread alone from now on; closed with this.
        after: called once all is closed.
    """

    def __init__(self, source: Source, *, after: Callable[[], None] | None = None) -> None:
        self._source, self._after = source, after
        self.name, self.rate, self.layout, self.length = (
            source.name,
            source.rate,
            source.layout,
            source.length,
        )
        self.subtype, self.form, self.metadata = source.subtype, source.form, source.metadata
        self.warnings, self.live = source.warnings, False
        self._free: SimpleQueue[Array | None] = SimpleQueue()
        self._full: SimpleQueue[tuple[Array, int] | BaseException] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._block: Array | None = None
        self._at = self._held = 0
        self._ended = self._stop = False
        self._trial, self._decoding, self._away, self._left_at = _TRIAL, 0.0, 0.0, 0.0

    @property
    def salvaged(self) -> tuple[int | None, int] | None:
        """See `PcmReader`; final once everything was read."""
        return self._source.salvaged

    def _start(self) -> threading.Thread:
        for block in blocks(self.layout.channels):
            self._free.put(block)
        thread = threading.Thread(target=self._run, name=f"unbraid reads {self.name}", daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        try:
            while (block := self._free.get()) is not None and not self._stop:
                count = self._source.read(block)
                self._full.put((block, count))
                if count < block.shape[1]:
                    return
        except BaseException as error:  # noqa: BLE001 - it is raised where the samples are asked for
            self._full.put(error)

    def read(self, out: Array) -> int:
        """Fill ``out [channels, n]`` with the next samples; return how many, fewer than n only at the end.

        Raises:
            MediaError: what the source raised, once its samples before that have been given.
        """
        if self._thread is None:
            return self._in_place(out)
        n, done = out.shape[1], 0
        while done < n and (self._at < self._held or self._take()):
            assert self._block is not None  # noqa: S101 - `_take` said so
            count = min(n - done, self._held - self._at)
            out[:, done : done + count] = self._block[:, self._at : self._at + count]
            self._at += count
            done += count
        return done

    def _in_place(self, out: Array) -> int:
        """Read without the thread; start it for the next time if it would have had something to do."""
        started = perf_counter()
        came = self._source.read(out)
        if self._trial:
            now = perf_counter()
            self._away += started - self._left_at if self._left_at else 0.0
            self._decoding += now - started
            self._left_at = now
            self._trial -= 1
            if not self._trial and came == out.shape[1] and self._away > _WORTH * self._decoding:
                self._thread = self._start()
        return came

    def _take(self) -> bool:
        if self._ended:
            return False
        if self._block is not None:
            self._free.put(self._block)
            self._block = None
        found = self._full.get()
        if isinstance(found, BaseException):
            self._ended = True
            raise found
        self._block, self._held = found
        self._at = 0
        self._ended = self._held < self._block.shape[1]
        return self._held > 0

    def close(self) -> None:
        """Stop the thread and close the source."""
        self._stop = True
        if self._thread is not None:
            self._free.put(None)
            self._thread.join()
        self._source.close()
        if self._after is not None:
            self._after()
