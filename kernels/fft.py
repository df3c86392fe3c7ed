"""FFTs of any length 2^a 3^b 5^c 7^d: complex in place, and real."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .arguments import check_array
from .code.fft.layout import Geometry
from .errors import KernelError
from .machine import Kernel, address_of, aligned

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Fft", "irfft", "rfft"]


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


def rfft(x: npt.NDArray[np.float32], *, width: int | None = None) -> npt.NDArray[np.complex64]:
    """Return the discrete Fourier transform of real rows.

    Rows are transformed two at a time, so about -140 dB of a row, and NaN, reach one other.

    Args:
        x: float32 ``[rows, n]``, C-contiguous, n 2^a 3^b 5^c 7^d from 2 to 2^20.
        width: float32 lanes of vectors; by default the CPU's.

    Returns:
        complex64 ``[rows, n // 2 + 1]``.

    Raises:
        KernelError: an argument cannot be.

    Example:
        >>> rfft(np.ones((1, 8), np.float32)).real.round(5).tolist()
        [[8.0, 0.0, 0.0, 0.0, 0.0]]
    """
    from .spectra import stft

    check_array("x", x, np.float32, ("rows", "n"))
    rows, n = x.shape
    out = aligned((rows, n // 2 + 1), np.complex64)
    for first, last, pair in _pairs(rows):
        part, target = x[first:last].reshape(pair, -1), out[first:last].reshape(pair, -1, n // 2 + 1)
        stft(part, n, n, "boxcar", framing="inside", out=target, width=width)
    return out


def irfft(X: npt.NDArray[np.complex64], n: int, *, width: int | None = None) -> npt.NDArray[np.float32]:
    """Return the real rows whose `rfft` is ``X``.

    Args:
        X: complex64 ``[rows, n // 2 + 1]``, C-contiguous; imaginary parts at 0 and at n / 2 are ignored.
        n: length of the rows.
        width: float32 lanes of vectors; by default the CPU's.

    Returns:
        float32 ``[rows, n]``.

    Raises:
        KernelError: an argument cannot be.

    Example:
        >>> x = np.arange(12, dtype=np.float32).reshape(2, 6)
        >>> irfft(rfft(x), 6).round(4).tolist()[1]
        [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]
    """
    from .spectra import istft

    check_array("X", X, np.complex64, ("rows", n // 2 + 1))
    out = aligned((len(X), n))
    for first, last, pair in _pairs(len(X)):
        part, target = X[first:last].reshape(pair, -1, n // 2 + 1), out[first:last].reshape(pair, -1)
        istft(part, n, n, "boxcar", framing="inside", out=target, width=width)
    return out


def _pairs(rows: int) -> list[tuple[int, int, int]]:
    """Return ranges of rows with the number of channels, 1 or 2, that they are laid out as."""
    even = rows - rows % 2
    return [(first, last, n) for first, last, n in ((0, even, 2), (even, rows, 1)) if first < last]
