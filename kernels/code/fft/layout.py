"""The arithmetic of a transform: its radices, its twiddle tables, the order of its output.

Decimation in frequency (Cooley and Tukey, Math. Comp. 19, 1965; Gentleman and Sande, AFIPS 1966): a pass
of radix r over a block of n turns it into r blocks of n / r, each a transform of its own; blocks are
finished one by one, depth first, so that they stay in the cache. The innermost blocks hold width^2 points
and are done in registers, as width x width with one transpose.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["MAX_LENGTH", "WIDTHS", "Geometry"]

WIDTHS = (16, 8, 4, 1)
MAX_LENGTH = 1 << 20


@dataclass(frozen=True)
class Geometry:
    """Length and vector width of a transform.

    Attributes:
        length: complex points, 2^a 3^b 5^c 7^d, 1 to 2^20.
        width: float32 lanes of a vector: 16, 8, 4 or 1; ``width ** 2`` must divide the length.

    Raises:
        ValueError: the length has another prime factor, or does not suit the width.

    Example:
        >>> Geometry(960, 8).radices
        (5, 3)
        >>> Geometry.widest(480).width
        4
    """

    length: int
    width: int

    def __post_init__(self) -> None:
        rest = self.length
        for prime in (2, 3, 5, 7):
            while rest and rest % prime == 0:
                rest //= prime
        if rest != 1 or not 1 <= self.length <= MAX_LENGTH:
            raise ValueError(
                f"length {self.length} is not 2^a 3^b 5^c 7^d from 1 to {MAX_LENGTH}; "
                "choose the next one that is, and pad",
            )
        if self.width not in WIDTHS or self.length % self.width**2:
            raise ValueError(f"width {self.width} does not suit length {self.length}: it must be one of "
                             f"{WIDTHS} and its square must divide the length")  # fmt: skip

    @classmethod
    def widest(cls, length: int, limit: int = 16) -> Geometry:
        """Return the geometry with the widest vectors, at most ``limit`` lanes, that suit the length.

        Frames need ``width`` innermost blocks at least, so that spectra can be sorted vector by vector.
        """
        fits = (w for w in WIDTHS if w <= limit and length % w**2 == 0 and length >= w**3)
        return cls(length, next(fits, 1))

    @cached_property
    def radices(self) -> tuple[int, ...]:
        """The radix of each pass, outermost first; the innermost blocks are not among them."""
        rest, found = self.length // self.width**2, []
        for prime in (7, 5, 3):
            while rest % prime == 0:
                found.append(prime)
                rest //= prime
        return (*found, *_powers_of_two(rest.bit_length() - 1))

    @cached_property
    def order(self) -> npt.NDArray[np.intp]:
        """The frequency that stands at each position after the forward transform, ``[length]``."""
        order = np.arange(self.width**2)
        for radix in reversed(self.radices):
            order = np.concatenate([q + radix * order for q in range(radix)])
        return order

    @cached_property
    def places(self) -> npt.NDArray[np.int64]:
        """Where each frequency stands after the forward transform, ``[length]``."""
        places = np.empty(self.length, np.int64)
        places[self.order] = np.arange(self.length)
        return places

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """Where the table of each pass, and last that of the innermost blocks, begins in `twiddles`."""
        offsets, n = [0], self.length
        for radix in self.radices:
            offsets.append(offsets[-1] + 2 * (radix - 1) * (n // radix))
            n //= radix
        return tuple(offsets)

    @cached_property
    def twiddles(self) -> npt.NDArray[np.float32]:
        """Factors exp(-2 pi i j q / n) in the order in which the passes read them.

        For each vector of j, for each q from 1: real parts, then imaginary parts.
        """
        tables, n, width = [], self.length, self.width
        for radix in self.radices:
            j = np.arange(n // radix).reshape(-1, 1, width)
            tables.append(_interleaved(j * np.arange(1, radix).reshape(1, -1, 1), n))
            n //= radix
        tables.append(_interleaved(np.arange(width) * np.arange(1, width).reshape(1, -1, 1), width**2))
        return np.concatenate(tables)


def _powers_of_two(exponent: int) -> tuple[int, ...]:
    """Return radices for 2^exponent: eights, and fours so that no pass of radix 2 is left over.

    Fours come first: rows of a pass lie a power of two apart, and in long frames eight of them crowd one set
    of the cache.
    """
    if exponent < 2:
        return (2,) * exponent
    fours = -exponent % 3  # 3a + 2b = exponent with the fewest fours b
    return (4,) * fours + (8,) * ((exponent - 2 * fours) // 3)


def _interleaved(turns: npt.NDArray[np.intp], n: int) -> npt.NDArray[np.float32]:
    """Return exp(-2 pi i turns / n) as alternating vectors of real and imaginary parts."""
    angles = (-2 * np.pi / n) * (turns % n)
    return np.stack([np.cos(angles), np.sin(angles)], axis=-2).astype(np.float32).ravel()
