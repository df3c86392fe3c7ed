"""A ring of samples between one writing and one reading thread: neither ever waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .arguments import check_count
from .errors import KernelError
from .machine import Kernel, address_of, aligned

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Ring"]

_write = Kernel("ring.write", 3)
_read = Kernel("ring.read", 3)
_readable = Kernel("ring.readable", 1)
_LINE = 8  # int64 in a cache line
_MOST = 1 << 28  # frames


class Ring:
    """A queue of planar samples, without locks, for one writing and one reading thread.

    Head and tail are counts with release and acquire order, each on a cache line of its own. A side takes
    what it gets: a full ring takes less, an empty one gives less. Compiled code calls the same functions
    by address, ``int64 f(int64 state, int64 rows, int64 n)`` with the address of a table of ``channels``
    channel addresses, as compiled nodes are handed them.

    Args:
        channels: rows of every block, at least 1.
        capacity: frames it holds, a power of two up to 2^28.

    Attributes:
        channels: as given.
        capacity: as given.
        address: of the state, for compiled code; valid as long as this object lives.

    Raises:
        KernelError: an argument is out of range.

    Example:
        >>> ring = Ring(channels=1, capacity=4)
        >>> ring.write(np.ones((1, 3), np.float32)), ring.write(np.ones((1, 3), np.float32))
        (3, 1)
        >>> ring.read(np.empty((1, 8), np.float32)), len(ring)
        (4, 0)
    """

    def __init__(self, channels: int, capacity: int) -> None:
        self.channels, self.capacity = check_count("channels", channels), check_count("capacity", capacity)
        if capacity > _MOST or capacity & (capacity - 1):
            raise KernelError(f"capacity must be a power of two up to 2^28 frames, not {capacity}")
        self._samples = np.zeros((self.channels, self.capacity), np.float32)
        self._words = aligned(3 * _LINE, np.int64)
        self._words[:] = 0
        self._words[2 * _LINE : 2 * _LINE + 3] = capacity, channels, address_of(self._samples)
        self.address = address_of(self._words)
        self._index = np.arange(self.channels, dtype=np.int64)
        # Each side has a table of its own, for both may be called at once.
        self._sources, self._sinks = np.empty_like(self._index), np.empty_like(self._index)

    @property
    def write_function(self) -> int:
        """The address of the function that writes."""
        return _write.address

    @property
    def read_function(self) -> int:
        """The address of the function that reads."""
        return _read.address

    def __len__(self) -> int:
        """Frames that wait: to the reader at least, to the writer at most as many."""
        return _readable(self.address)

    def write(self, block: npt.NDArray[np.float32]) -> int:
        """Append as many of ``block``'s frames as there is room for; return how many.

        For the writing thread alone.

        Args:
            block: float32 ``[channels, n]``, samples side by side in each row.

        Raises:
            KernelError: the block has another type, shape or layout.
        """
        rows = self._rows("block", block, self._sources)
        return _write(self.address, rows, block.shape[1])

    def read(self, out: npt.NDArray[np.float32]) -> int:
        """Fill the beginning of ``out`` with the oldest frames; return how many there were.

        For the reading thread alone. The rest of ``out`` stays as it is.

        Args:
            out: writable float32 ``[channels, n]``, samples side by side in each row.

        Raises:
            KernelError: ``out`` has another type, shape or layout.
        """
        rows = self._rows("out", out, self._sinks)
        if not out.flags.writeable:
            raise KernelError("out must be writable")
        return _read(self.address, rows, out.shape[1])

    def reset(self) -> None:
        """Forget all that waits; only while neither side is at work."""
        self._words[0] = self._words[_LINE] = 0

    def _rows(self, name: str, block: Any, table: npt.NDArray[np.int64]) -> int:
        """Fill a table with the addresses of a block's rows; they may stand apart, as in ``x[:, a:b]``."""
        rule = f"{name} must be float32 [{self.channels}, n]"
        if not isinstance(block, np.ndarray):
            raise KernelError(f"{rule}, not {type(block).__name__}")
        if block.dtype != np.float32 or block.ndim != 2 or block.shape[0] != self.channels:
            raise KernelError(f"{rule}, not {block.dtype} {list(block.shape)}")
        if block.shape[1] > 1 and block.strides[1] != block.itemsize:
            raise KernelError(f"{rule} with samples side by side, not {block.strides[1]} bytes apart")
        if not block.flags.aligned:
            raise KernelError(f"{rule} at addresses that are multiples of 4")
        np.multiply(self._index, block.strides[0], out=table)
        table += address_of(block)
        return address_of(table)
