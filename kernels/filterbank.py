"""Banks of filters over one input, and crossovers that take a signal apart into bands that sum to it.

Filters are cascades of biquads in float64, transposed direct form II, sixteen of them at once.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from .arguments import check_array, check_count, check_number
from .errors import KernelError
from .machine import Kernel, address_of, aligned
from .nodes import NodeState

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Section = list[float]

__all__ = ["FilterBank", "FilterBankState", "linkwitz_riley"]

_LANES, _CHUNK = 16, 64  # as in code.filterbank


class FilterBankState(NodeState):
    """A bank as a compiled node: ``channels`` rows in, ``bands * channels`` rows out, band by band.

    What the filters remember is looked at every 64 samples: what has fallen below 1e-30 becomes 0, and so
    does NaN or infinity, which until then goes on in the bands of its channel.

    Args:
        channels: of the input, at least 1.
        coefficients: float64 ``[bands, sections, 5]``: b0 b1 b2 a1 a2 of each section, with a0 = 1.

    Raises:
        KernelError: an argument is out of range, or a section is not stable.
    """

    kernel = Kernel("filterbank.bank", 4)

    def __init__(self, channels: int, coefficients: npt.NDArray[np.float64]) -> None:
        self.channels = check_count("channels", channels)
        check_array("coefficients", coefficients, np.float64, ("bands", "sections", 5))
        _check_stable(coefficients)
        bands, sections, _ = coefficients.shape
        self.bands, self.lanes = bands, bands * self.channels
        groups = -(-self.lanes // _LANES)
        table = aligned((groups, sections, 5, _LANES), np.float64)
        for place in range(groups * _LANES):  # places without a filter repeat the last one
            band = min(place, self.lanes - 1) // self.channels
            table[place // _LANES, :, :, place % _LANES] = coefficients[band]
        self._memory = aligned((groups, sections, 2, _LANES), np.float64)
        chunk, rows = aligned((_CHUNK, _LANES), np.float64), np.zeros(2 * _LANES, np.int64)
        super().__init__(self.channels, self.lanes, sections, 0, table, self._memory, chunk, rows)
        self.reset()

    def reset(self) -> None:
        """Forget the signal."""
        self._memory[:] = 0
        self.header[3] = 0


class FilterBank:
    """A bank of filters over a stream: each band is the input through one cascade of biquads.

    Args:
        channels: of the input, at least 1.
        coefficients: float64 ``[bands, sections, 5]``: b0 b1 b2 a1 a2 of each section, with a0 = 1; a SciPy
            filter ``sos`` is ``sos[:, [0, 1, 2, 4, 5]]``.

    Attributes:
        state: the same bank as a compiled node; it shares this object's memory of the signal.

    Raises:
        KernelError: an argument is out of range, or a section is not stable.

    Example:
        >>> bank = FilterBank(1, linkwitz_riley([1000.0], rate=48000))
        >>> bands = bank.process(np.ones((1, 4800), np.float32))
        >>> bands.shape, np.abs(bands[:, 0, -1].round(6)).tolist()
        ((2, 1, 4800), [1.0, 0.0])
    """

    def __init__(self, channels: int, coefficients: npt.NDArray[np.float64]) -> None:
        self.state = FilterBankState(channels, coefficients)
        self._ins, self._outs = np.empty(channels, np.int64), np.empty(self.state.lanes, np.int64)
        self._index = np.arange(self.state.lanes, dtype=np.int64)

    def process(
        self, x: npt.NDArray[np.float32], out: npt.NDArray[np.float32] | None = None
    ) -> npt.NDArray[np.float32]:
        """Filter the next block, float32 ``[channels, n]``; return ``[bands, channels, n]``.

        However the signal is cut into blocks, the bits are the same. See `FilterBankState` for samples that
        are not finite.

        Args:
            x: the block.
            out: where to put the result.

        Raises:
            KernelError: an array has another type, shape or layout.
        """
        state = self.state
        check_array("x", x, np.float32, (state.channels, None))
        n = x.shape[1]
        if out is None:
            out = np.empty((state.bands, state.channels, n), np.float32)
        check_array("out", out, np.float32, (state.bands, state.channels, n), writable=True)
        if np.may_share_memory(out, x):
            raise KernelError("out must not share memory with x")
        for rows, block in ((self._ins, x), (self._outs, out)):
            np.multiply(self._index[: len(rows)], 4 * n, out=rows)
            np.add(rows, address_of(block), out=rows)
        state.kernel(state.address, address_of(self._ins), address_of(self._outs), n)
        return out

    def reset(self) -> None:
        """Forget the signal."""
        self.state.reset()


def linkwitz_riley(crossovers: Sequence[float], rate: float, order: int = 4) -> npt.NDArray[np.float64]:
    """Return a crossover of 2 to 8 bands whose sum is an allpass, ``[bands, sections, 5]``.

    Two neighbours cross 6 dB down and in phase. The bands come from a balanced tree of splits, and each
    passes the allpass of every split that it has not been through; so all together have the sum
    ``A_1(z) A_2(z) ...`` of one allpass a crossover, flat to rounding. The allpass of a split is of half
    the order. Orders 2 and 6 have their high side inverted, which in-phase summing asks for.

    Args:
        crossovers: frequencies in Hz, rising, 1 to 7 of them, between 0 and half the rate.
        rate: Hz.
        order: 2, 4, 6 or 8: 12 to 48 dB an octave.

    Raises:
        KernelError: an argument is out of range.

    Source: Linkwitz, JAES 24, 1976; D'Appolito, JAES 35, 1987 (more than two ways, compensated by
    allpasses); bilinear transform with frequencies prewarped.

    Example:
        >>> linkwitz_riley([200.0, 2000.0], rate=48000).shape
        (3, 4, 5)
    """
    if order not in (2, 4, 6, 8):
        raise KernelError(f"order must be 2, 4, 6 or 8, not {order!r}")
    if check_number("rate", rate) <= 0:
        raise KernelError(f"rate must be a positive number of Hz, not {rate}")
    edges = [0.0, *(check_number("crossovers", frequency) for frequency in crossovers), rate / 2]
    rising = all(low < high for low, high in pairwise(edges))
    if not 1 <= len(crossovers) <= 7 or not rising:
        raise KernelError(
            f"crossovers must be 1 to 7 rising frequencies between 0 and rate / 2 = {rate / 2} Hz, "
            f"not {list(crossovers)}"
        )
    splits = [_Split(math.tan(math.pi * frequency / rate), order // 2) for frequency in edges[1:-1]]
    cascades = _tree(splits)
    coefficients = np.zeros((len(cascades), max(map(len, cascades)), 5))
    coefficients[:, :, 0] = 1  # a section that changes nothing
    for band, cascade in enumerate(cascades):
        coefficients[band, : len(cascade)] = cascade
    return coefficients


class _Split:
    """The sections of one crossover: ``warped`` is tan(pi f / rate), ``half`` the Butterworth order."""

    def __init__(self, warped: float, half: int) -> None:
        self.low: list[Section] = []
        self.high: list[Section] = []
        self.allpass: list[Section] = []
        for k in range(half // 2):
            damping = 2 * math.sin(math.pi * (2 * k + 1) / (2 * half))
            a0 = 1 + damping * warped + warped**2
            a1, a2 = 2 * (warped**2 - 1) / a0, (1 - damping * warped + warped**2) / a0
            self.low += [_zeros(warped**2 / a0, 1, a1, a2)] * 2
            self.high += [_zeros(1 / a0, -1, a1, a2)] * 2
            self.allpass.append([a2, a1, 1.0, a1, a2])
        if half % 2:  # the real pole, twice, is one section
            pole = (warped - 1) / (warped + 1)
            self.low.append(_zeros((warped / (warped + 1)) ** 2, 1, 2 * pole, pole**2))
            self.high.append(_zeros(-1 / (warped + 1) ** 2, -1, 2 * pole, pole**2))
            self.allpass.append([pole, 1.0, 0.0, pole, 0.0])


def _zeros(gain: float, sign: int, a1: float, a2: float) -> Section:
    """A section with both zeros at half the rate (sign 1) or at 0 Hz (sign -1)."""
    return [gain, 2 * sign * gain, gain, a1, a2]


def _tree(splits: list[_Split]) -> list[list[Section]]:
    """The sections of each band: split in the middle, and each side makes up for the other side's splits."""
    if not splits:
        return [[]]
    middle = len(splits) // 2
    lower, upper = splits[:middle], splits[middle + 1 :]
    return [
        *(splits[middle].low + band + _allpasses(upper) for band in _tree(lower)),
        *(splits[middle].high + band + _allpasses(lower) for band in _tree(upper)),
    ]


def _allpasses(splits: list[_Split]) -> list[Section]:
    return [section for split in splits for section in split.allpass]


def _check_stable(coefficients: npt.NDArray[np.float64]) -> None:
    a1, a2 = coefficients[:, :, 3], coefficients[:, :, 4]
    stable = np.isfinite(coefficients).all(axis=2) & (np.abs(a2) < 1) & (np.abs(a1) < 1 + a2)
    if not stable.all():
        band, section = np.argwhere(~stable)[0].tolist()
        raise KernelError(
            f"coefficients of band {band}, section {section} must be finite with |a2| < 1 and |a1| < 1 + a2 "
            f"(stable), not {coefficients[band, section].tolist()}"
        )
