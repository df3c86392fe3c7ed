"""`BlockConvolution`: many filters from inputs to outputs, over a stream, in blocks of the frequency domain.

Source: T. G. Stockham, AFIPS 28, 1966 (overlap-add).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .arguments import check_array, check_count
from .errors import KernelError

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["BlockConvolution"]


class BlockConvolution:
    """Every input through a filter to every output; the bits do not depend on how the stream is cut.

    Args:
        filters: float ``[inputs, outputs, taps]``.
        block: samples that are transformed at once, on a grid from the stream's beginning.

    Attributes:
        latency: samples by which the output is late: ``block``.

    Raises:
        KernelError: the filters have another shape.

    Example:
        >>> echo = BlockConvolution(np.array([[[1.0, 0.0, 0.5]]]), block=4)
        >>> out = np.empty((1, 12), np.float32)
        >>> echo.process(np.array([[1] + [0] * 11], np.float32), out)
        >>> out[0, 4:8].round(6).tolist()
        [1.0, 0.0, 0.5, 0.0]
    """

    def __init__(self, filters: npt.NDArray[np.floating], block: int = 512) -> None:
        if filters.ndim != 3 or not filters.size:
            raise KernelError(f"filters must be [inputs, outputs, taps], not {list(filters.shape)}")
        self.latency = self._block = check_count("block", block)
        self._inputs, self._outputs, taps = filters.shape
        self._size = 1 << (block + taps - 2).bit_length()
        self._spectra = np.fft.rfft(filters.astype(np.float32), self._size, axis=2)
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._in = np.zeros((self._inputs, self._block), np.float32)
        self._out = np.zeros((self._outputs, self._block), np.float32)
        self._tail = np.zeros((self._outputs, self._size), np.float32)
        self._held = 0

    def process(self, block: npt.NDArray[np.float32], out: npt.NDArray[np.float32]) -> None:
        """Run a block of any length.

        Args:
            block: float32 ``[inputs, n]``.
            out: float32 ``[outputs, n]``.

        Raises:
            KernelError: a block has another shape or type.
        """
        check_array("block", block, np.float32, (self._inputs, None))
        check_array("out", out, np.float32, (self._outputs, block.shape[1]), writable=True)
        done, n = 0, block.shape[1]
        while done < n:
            count = min(n - done, self._block - self._held)
            held = slice(self._held, self._held + count)
            self._in[:, held] = block[:, done : done + count]
            out[:, done : done + count] = self._out[:, held]
            self._held += count
            done += count
            if self._held == self._block:
                self._turn()

    def _turn(self) -> None:
        """Filter the block that is full, and begin to give what it makes."""
        X = np.fft.rfft(self._in, self._size, axis=1)
        Y = np.einsum("if,iof->of", X, self._spectra)
        self._tail += np.fft.irfft(Y, self._size, axis=1).astype(np.float32)
        self._out[:] = self._tail[:, : self._block]
        self._tail[:, : -self._block] = self._tail[:, self._block :]
        self._tail[:, -self._block :] = 0
        self._held = 0
