"""Wind out of speech without weights: the compiled method of `kernels.noise_wind`, as gains."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ...kernels.noise_wind import WindGains, WindTables

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["ClassicalWind"]

_AT_48K = 2048


class ClassicalWind:
    """Gains that take wind off speech, frame by frame without look-ahead.

    One channel's gains come from that channel; with more, from all of them, where all show wind. Frames are
    of about 43 ms, a power of two, so at 48 kHz the output of overlap-add is 2047 samples late.

    Args:
        channels: rows of every call.
        rate: samples per second.

    Attributes:
        n_fft: samples in a frame.
        hop: samples between frames.

    Example:
        >>> import numpy as np
        >>> core = ClassicalWind(channels=1, rate=48000)
        >>> core.gains(np.zeros((1, 5, core.n_fft // 2 + 1), np.complex64)).shape
        (1, 5, 1025)
    """

    def __init__(self, channels: int, rate: int) -> None:
        self.n_fft = 1 << round(math.log2(rate * _AT_48K / 48000))
        self.hop = self.n_fft // 4
        self._rule = WindGains(channels, WindTables(rate, self.n_fft), self.hop / rate)

    def reset(self) -> None:
        """Forget the signal and the shape of the wind."""
        self._rule.reset()

    def gains(self, X: npt.NDArray[np.complex64], strength: float = 1.0) -> npt.NDArray[np.float32]:
        """Return the gains of the next frames, 0 to 1, unlimited by any control.

        Args:
            X: C-contiguous ``[channels, frames, bins]``.
            strength: how much of the estimated wind is taken off, 0 to 4; 1 is all.
        """
        return self._rule.process(X, strength=strength)
