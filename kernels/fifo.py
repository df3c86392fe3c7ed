"""A queue of planar samples that grows when it must and never reallocates in steady state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Fifo"]


class Fifo:
    """Samples in with `push`, the oldest out with `pull`.

    Example:
        >>> fifo = Fifo(channels=1)
        >>> fifo.push(np.ones((1, 3), np.float32))
        >>> out = np.empty((1, 2), np.float32)
        >>> fifo.pull(out), len(fifo), fifo.pull(out)
        (True, 1, False)
    """

    def __init__(self, channels: int, capacity: int = 4096) -> None:
        self.channels = channels
        self._data = np.empty((channels, capacity), np.float32)
        self._first = self._last = 0

    def __len__(self) -> int:
        return self._last - self._first

    def push(self, block: npt.NDArray[np.float32]) -> None:
        """Append ``[channels, n]`` samples."""
        n = block.shape[1]
        if self._last + n > self._data.shape[1]:
            self._make_room(n)
        self._data[:, self._last : self._last + n] = block
        self._last += n

    def _make_room(self, n: int) -> None:
        held, rows = len(self), self._data
        if held + n > rows.shape[1] // 2:  # moving to the front alone would come up again too soon
            self._data = np.empty((rows.shape[0], 2 * (held + n)), np.float32)
        self._data[:, :held] = rows[:, self._first : self._last].copy()
        self._first, self._last = 0, held

    def pull(self, out: npt.NDArray[np.float32]) -> bool:
        """Fill ``out [channels, n]`` and return True, or leave it and return False if fewer are held."""
        n = out.shape[1]
        if n > len(self):
            return False
        out[:] = self._data[:, self._first : self._first + n]
        self._first += n
        return True
