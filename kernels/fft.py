"""Complex FFTs of any length 2^a 3^b 5^c 7^d, in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .arguments import check_array
from .code.fft.layout import Geometry
from .errors import KernelError
from .machine import Kernel, address_of, aligned

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Fft"]


class Fft:
    """A complex FFT of one length, in place on real and imaginary parts held apart.

    The forward transform leaves its result in a permuted order, which the inverse takes back: position p
    holds frequency ``order[p]``. Work between the two can be done in that order, so nothing is ever
    sorted. Neither scales: forward then inverse multiplies by ``length``.

    Args:
        length: complex points, 2^a 3^b 5^c 7^d, at most 2^20.
        width: float32 lanes of a vector, 16, 8, 4 or 1; by default the widest whose square divides the
            length, at most 8. Each is correct on any CPU.

    Raises:
        ValueError: length or width cannot be.

    Example:
        >>> fft = Fft(64)
        >>> real, imaginary = np.zeros(64, np.float32), np.zeros(64, np.float32)
        >>> real[1] = 1
        >>> fft.forward(real, imaginary)
        >>> k = int(np.flatnonzero(fft.order == 16)[0])
        >>> round(float(real[k]), 6), round(float(imaginary[k]), 6)
        (0.0, -1.0)
    """

    def __init__(self, length: int, width: int | None = None) -> None:
        self.geometry = Geometry.widest(length, 8) if width is None else Geometry(length, width)
        self.length = length
        self._twiddles = aligned(self.geometry.twiddles.size)
        self._twiddles[:] = self.geometry.twiddles
        key = {"length": length, "width": self.geometry.width}
        self._forward = Kernel("fft.transform.transform", 3, **key, inverse=0)
        self._inverse = Kernel("fft.transform.transform", 3, **key, inverse=1)

    @property
    def order(self) -> npt.NDArray[np.intp]:
        """The frequency that stands at each position after `forward`, ``[length]``."""
        return self.geometry.order

    def forward(self, real: npt.NDArray[np.float32], imaginary: npt.NDArray[np.float32]) -> None:
        """Transform in place: float32 ``[..., length]``, C-contiguous, natural order to `order`.

        Raises:
            KernelError: the arrays have another type, shape or layout.
        """
        self._each(self._forward, real, imaginary)

    def inverse(self, real: npt.NDArray[np.float32], imaginary: npt.NDArray[np.float32]) -> None:
        """Transform back in place, `order` to natural order, times ``length``.

        Raises:
            KernelError: the arrays have another type, shape or layout.
        """
        self._each(self._inverse, real, imaginary)

    def _each(self, kernel: Kernel, real: Any, imaginary: Any) -> None:
        shape = (*np.shape(real)[:-1], self.length)
        check_array("real", real, np.float32, shape or (self.length,), writable=True)
        check_array("imaginary", imaginary, np.float32, shape or (self.length,), writable=True)
        if np.may_share_memory(real, imaginary):
            raise KernelError("real and imaginary must not share memory")
        re, im, table = address_of(real), address_of(imaginary), address_of(self._twiddles)
        for at in range(0, 4 * real.size, 4 * self.length):
            kernel(re + at, im + at, table)
