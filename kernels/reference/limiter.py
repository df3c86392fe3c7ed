"""Oracle of `kernels.limiter`: every step over the whole signal at once, in float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["gains", "limited", "magnitudes"]

Array = np.ndarray[Any, np.dtype[Any]]

_LEAD = 32  # samples; more than the interpolator reaches


def magnitudes(key: Array, factor: int) -> Array:
    """The largest magnitude of any channel at each sample and between it and the next, ``[n]``."""
    found: Array = np.abs(key).max(axis=0)
    for phase in range(1, factor):
        t = np.arange(-12, 12) + phase / factor
        taps = np.sinc(t) * np.i0(5.65 * np.sqrt(1 - (t / 12) ** 2)) / np.i0(5.65)
        for row in key:
            found = np.maximum(found, np.abs(np.convolve(row, taps)[12:][: len(row)]))
    return found


def gains(peaks: Array, ceiling: float, lookahead: int, fall: float) -> Array:
    """The gain of each sample: needs are held, let go, and averaged twice."""
    n, margin = len(peaks), 12
    need = np.where(peaks > ceiling, 1 - ceiling / np.maximum(peaks, 1e-30), 0)
    reach = lookahead + margin
    padded = np.concatenate([np.zeros(reach), need, np.zeros(lookahead)])
    held = np.array([padded[k : k + reach + 1].max() for k in range(n + lookahead)])
    lack = np.zeros(n + lookahead)
    last = 0.0
    for k, hold in enumerate(held):
        last = lack[k] = max(hold, last * fall if last * fall > 1e-6 else 0)
    whole = lookahead - margin + 2
    first, second = whole - whole // 2, whole // 2
    smooth = np.convolve(np.convolve(lack, np.ones(first) / first), np.ones(second) / second)
    found: Array = 1 - smooth[lookahead : lookahead + n]
    return found


def limited(
    signals: Array, rate: int, factor: int, *, ceiling: float, lookahead: int, release: float
) -> Array:
    """Signals ``[signals, channels, n]`` as they leave the limiter, without its latency."""
    # Silence before it: the signal may peak between that and its first sample.
    led = np.pad(signals, ((0, 0), (0, 0), (_LEAD, 0)))
    peaks = magnitudes(led.sum(axis=0), factor)
    level = 10 ** (ceiling / 20)
    out: Array = led * gains(peaks, level, lookahead, math.exp(-1 / (release * rate)))
    return out[..., _LEAD:]
