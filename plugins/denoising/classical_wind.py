"""Wind out of speech without weights: the compiled method of `kernels.noise_wind`, at any rate."""

from __future__ import annotations

import math

from ...kernels.noise_wind import WindGains, WindTables

__all__ = ["frame_size", "wind_rule"]

_AT_48K = 2048


def frame_size(rate: int) -> tuple[int, int]:
    """Return ``(n_fft, hop)`` for a rate in Hz: frames of about 43 ms, four of them over every sample.

    At 48 kHz the output of overlap-add is 2047 samples late.

    Example:
        >>> frame_size(48000), frame_size(16000)
        ((2048, 512), (512, 128))
    """
    n_fft = 1 << round(math.log2(rate * _AT_48K / 48000))
    return n_fft, n_fft // 4


def wind_rule(channels: int, rate: int) -> WindGains:
    """Return the rule for frames of `frame_size`.

    One channel's gains come from that channel; with more, from all of them, where all show wind.

    Example:
        >>> wind_rule(channels=1, rate=48000).bins
        1025
    """
    n_fft, hop = frame_size(rate)
    return WindGains(channels, WindTables(rate, n_fft), hop / rate)
