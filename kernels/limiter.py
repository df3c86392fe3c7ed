"""A true-peak limiter: signals delayed and turned down in time, so that their sum keeps to a ceiling.

The design is that of look-ahead limiters (P. Hämäläinen, "Smoothing of the control signal without clipped
output in digital peak limiters", DAFx 2002; D. Giannoulis, M. Massberg and J. D. Reiss, "Digital dynamic
range compressor design", JAES 60 (6), 2012): the gain that a peak needs is held over a window, let go
exponentially, and smoothed by averages that are no longer than the window, so it is there in time. Peaks
are those of `kernels.true_peak`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .arguments import check_count, check_number
from .errors import KernelError
from .machine import Kernel
from .nodes import NodeState
from .true_peak import decibels, halves, oversampling, reach

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = ["LEAST_LOOKAHEAD", "MARGIN", "LimiterState", "averages"]

_PIECE, _ROW, _DELAY = 256, 320, 12  # as in code.limiter; the interpolator's delay

#: A peak's gain holds for so many samples before and after it: those of which the interpolator makes it.
MARGIN = 12
#: Samples of look-ahead that there are at least.
LEAST_LOOKAHEAD = 24


def averages(lookahead: int) -> tuple[int, int]:
    """Return the lengths of the two moving averages, in samples; together they reach as far as they may."""
    whole = lookahead - MARGIN + 2
    return whole - whole // 2, whole // 2


class LimiterState(NodeState):
    """A compiled limiter of one or several signals.

    All channels of all signals get one gain. It is taken from the *key*, the sum of the signals, and its
    largest true peak over all channels, the LFE channel among them. Where no peak in reach needs less, it is
    exactly 1 and the outputs are the delayed inputs to the bit. No sample exceeds the ceiling (of several
    outputs' sum none but by its rounding), and no true peak does by 0.1 dB, as `TruePeakMeter` reads them.
    Any cut into blocks gives the same bits; calls allocate nothing.

    A sample that is not finite counts as silence in the key, and passes.

    Args:
        channels: of each signal, 1 to 1024.
        rate: 8000 to 384000 Hz.
        ceiling: dBTP, -120 to 20.
        lookahead: samples by which a peak is known before it comes, `LEAST_LOOKAHEAD` to 131072.
        release: seconds in which 63 % of a reduction of the gain has gone, from 1e-4 to 100.
        signals: how many, 1 to 64.
        outputs: which signals come out, each once, in order; by default all.

    Attributes:
        latency: samples by which the outputs are late: the look-ahead and 12 of the interpolator.

    Raises:
        KernelError: an argument is out of range.

    Example:
        >>> from unbraid.kernels.program import Program
        >>> state = LimiterState(1, 48000, ceiling=-6.0, lookahead=240, release=0.08)
        >>> class Call: address, state = state.function, state.address
        >>> x = np.ones((1, 1000), np.float32); y = np.empty_like(x)
        >>> Program([(Call, [x], [y])]).run(1000)
        >>> state.latency, round(decibels(float(y[0, -1])), 2)
        (252, -6.0)
    """

    kernel = Kernel("limiter.node", 4)

    def __init__(
        self,
        channels: int,
        rate: int,
        *,
        ceiling: float,
        lookahead: int,
        release: float,
        signals: int = 1,
        outputs: Sequence[int] | None = None,
    ) -> None:
        channels, signals = check_count("channels", channels, 1, 1024), check_count("signals", signals, 1, 64)
        self.rate = check_count("rate", rate, 8000, 384000)
        ahead = check_count("lookahead", lookahead, LEAST_LOOKAHEAD, 1 << 17)  # sums fit 64 bits
        order = [
            check_count("outputs", k, 0, signals - 1)
            for k in (range(signals) if outputs is None else outputs)
        ]
        if len(set(order)) < len(order):
            raise KernelError(f"outputs must name each signal once, not {order}")
        self.latency, window = ahead + _DELAY, ahead + MARGIN + 1
        factor, (first, second) = oversampling(self.rate), averages(ahead)
        self._reach, self._settings = reach(factor), np.zeros(4)
        scratch = np.zeros(_PIECE, np.int32), np.zeros(_PIECE, np.float32)
        self._memory: list[npt.NDArray[Any]] = [
            np.zeros((channels, _ROW), np.float32),
            np.zeros(window + 1, np.int64),
            np.zeros(window + 1),
            np.zeros(first, np.int64),
            np.zeros(second, np.int64),
            np.zeros(4, np.int64),
            np.zeros((signals, channels, self.latency), np.float32),
        ]
        sizes = signals, channels, factor, len(order), self.latency, window, first, second
        rows, *rest = self._memory
        fixed = halves(factor), rows, *scratch, np.array(order, np.int64), self._settings
        super().__init__(*sizes, 0, 0, 0, 0, 0, 0, *fixed, *rest)
        self.change(ceiling=ceiling, release=release)
        self.reset()

    def change(self, *, ceiling: float, release: float) -> None:
        """Take a new ceiling and release, from the next sample of the key on.

        Raises:
            KernelError: one is out of range.
        """
        magnitude = 10 ** (check_number("ceiling", ceiling, -120, 20) / 20)
        seconds = check_number("release", release, 1e-4, 100)
        self._settings[:2] = magnitude, math.exp(-1 / (seconds * self.rate))
        self.header[8] = np.array([magnitude / self._reach], np.float32).view(np.int32)[0]

    def reset(self) -> None:
        """Forget the signal."""
        for array in self._memory:
            array[:] = 0
        self._settings[2:] = 0
        self.header[9:14] = 0
        self.header[13] = self.header[6] + self.header[7]

    @property
    def largest_reduction(self) -> float:
        """By how many dB the gain was below 1 at the most so far, from 0; infinite where it was 0."""
        return 0.0 - decibels(1 - float(self._settings[3]))
