"""Noise out of speech without weights: speech presence, noise power and log-spectral gains, all compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...kernels.noise_gains import OmLsa, OmLsaSettings

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["ClassicalNoise", "frame_size"]

_FRAME_SECONDS = 0.03
_WIDE_HZ = 500.0


def frame_size(rate: int) -> tuple[int, int]:
    """Return ``(n_fft, hop)`` for a rate in Hz: frames of about 30 ms, four of them over every sample.

    Example:
        >>> frame_size(48000), frame_size(44100)
        ((1440, 360), (1344, 336))
    """
    wanted = rate * _FRAME_SECONDS / 4
    hops = sorted(range(max(8, int(wanted * 0.8)), int(wanted * 1.25) + 9), key=lambda hop: abs(hop - wanted))
    hop = next(hop for hop in hops if _is_smooth(hop))
    return 4 * hop, hop


def _is_smooth(n: int) -> bool:
    """Whether the transform takes it: no prime factor but 2, 3, 5 and 7."""
    for prime in (2, 3, 5, 7):
        while n % prime == 0:
            n //= prime
    return n == 1


class ClassicalNoise:
    """Gains that take noise off speech, each channel on its own, frame by frame without look-ahead.

    The method is that of `kernels.noise_gains`. Frames are those of `frame_size`, so at 48 kHz the output of
    overlap-add is 1439 samples (30 ms) late.

    Args:
        channels: rows of every call.
        rate: samples per second.

    Attributes:
        n_fft: samples in a frame.
        hop: samples between frames.

    Example:
        >>> import numpy as np
        >>> core = ClassicalNoise(channels=2, rate=48000)
        >>> core.gains(np.zeros((2, 5, core.n_fft // 2 + 1), np.complex64)).shape
        (2, 5, 721)
    """

    def __init__(self, channels: int, rate: int) -> None:
        self.n_fft, self.hop = frame_size(rate)
        wide = max(1, min(62, round(_WIDE_HZ * self.n_fft / rate)))
        settings = OmLsaSettings(rate / self.hop)
        self._rule = OmLsa(channels, self.n_fft // 2 + 1, settings, wide=wide)

    def reset(self) -> None:
        """Forget the signal."""
        self._rule.reset()

    def gains(self, X: npt.NDArray[np.complex64]) -> npt.NDArray[np.float32]:
        """Return the gains of the next frames, 0.01 to 1, unlimited by any control.

        Args:
            X: C-contiguous ``[channels, frames, bins]``.
        """
        return self._rule.process(X)
