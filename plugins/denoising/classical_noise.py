"""Noise out of speech without weights: speech presence, noise power and log-spectral gains, all compiled."""

from __future__ import annotations

from ...kernels.noise_gains import OmLsa, OmLsaSettings

__all__ = ["frame_size", "noise_rule"]

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


def noise_rule(channels: int, rate: int) -> OmLsa:
    """Return the rule of `kernels.noise_gains` for frames of `frame_size`, each channel on its own.

    At 48 kHz the output of overlap-add is 1439 samples (30 ms) late.

    Example:
        >>> noise_rule(channels=2, rate=48000).bins
        721
    """
    n_fft, hop = frame_size(rate)
    wide = max(1, min(62, round(_WIDE_HZ * n_fft / rate)))
    return OmLsa(channels, n_fft // 2 + 1, OmLsaSettings(rate / hop), wide=wide)
