"""Fades between two pieces, and the weighted mean of segments that overlap; float64 inside.

In float64 a weighted mean of equal float32 values is off by some 1e-16 of them, which rounding to float32
takes away: weights that sum to one give such values back to the bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .memory import f32, f64, i64, inline

__all__ = ["add", "finish", "mix"]


def mix(tail: Any, head: Any, out: Any, channels: Any, n: Any, curves: Any) -> Any:
    """Fade from ``tail`` to ``head``, each ``[channels, n]``; curves are the falling, then the rising one."""
    falling, rising = f64(curves, n), f64(curves + 8 * n, n)
    for c in range(channels):
        x, y, z = f32(tail + 4 * c * n, n), f32(head + 4 * c * n, n), f32(out + 4 * c * n, n)
        for i in range(n):
            z[i] = np.float32(falling[i] * np.float64(x[i]) + rising[i] * np.float64(y[i]))
    return 0


@inline
def _shift(values: Any, hop: Any, length: Any) -> None:
    for i in range(length - hop):
        values[i] = values[i + hop]
    for i in range(length - hop, length):
        values[i] = 0.0


def add(state: Any, segments: Any, out: Any, count: Any) -> Any:
    """Add ``count`` segments ``[count, channels, length]``; finished samples go to ``[channels, count hop]``.

    The state is channels, length, hop, and the addresses of the window ``[length]``, of the weighted sums
    ``[channels, length]`` and of the sum of weights ``[length]``, both beginning at the next segment.
    """
    header = i64(state, 6)
    channels, length, hop = header[0], header[1], header[2]
    window, weights = f64(header[3], length), f64(header[5], length)
    for k in range(count):
        for i in range(length):
            weights[i] += window[i]
        for c in range(channels):
            x = f32(segments + 4 * (k * channels + c) * length, length)
            sums = f64(header[4] + 8 * c * length, length)
            for i in range(length):
                sums[i] += window[i] * np.float64(x[i])
            y = f32(out + 4 * (c * count + k) * hop, hop)
            for i in range(hop):
                y[i] = np.float32(sums[i] / weights[i])
            _shift(sums, hop, length)
        _shift(weights, hop, length)
    return 0


def finish(state: Any, out: Any) -> Any:
    """Give the samples ``[channels, length - hop]`` that the last segment still holds."""
    header = i64(state, 6)
    channels, length = header[0], header[1]
    rest, weights = length - header[2], f64(header[5], length)
    for c in range(channels):
        sums, y = f64(header[4] + 8 * c * length, length), f32(out + 4 * c * rest, rest)
        for i in range(rest):
            y[i] = np.float32(sums[i] / weights[i])
    return 0
