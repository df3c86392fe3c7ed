"""Sample loops between files and planar float32; ``stride`` is in bytes, between channels."""

from __future__ import annotations

from typing import Any

import numpy as np

from .memory import f32, i32

__all__ = ["first_non_finite", "interleave", "quantise"]


def first_non_finite(x: Any, channels: Any, n: Any, stride: Any) -> Any:
    """Index of the first sample of any channel that is NaN or infinite, or -1."""
    # The exponent is all ones in NaN and infinity alone; x - x is NaN there and 0 elsewhere, so a sum
    # tells without a branch per sample, and only a block that has one is searched.
    earliest = n
    for c in range(channels):
        row = f32(x + c * stride, n)
        total = np.float32(0)
        for i in range(n):
            total += row[i] - row[i]
        if total != 0:
            for i in range(n):
                if row[i] - row[i] != 0:
                    earliest = min(earliest, i)
                    break
    return earliest if earliest < n else -1


def interleave(x: Any, out: Any, channels: Any, n: Any, stride: Any) -> Any:
    """Planar to ``[n, channels]``."""
    target = f32(out, n * channels)
    for c in range(channels):
        row = f32(x + c * stride, n)
        for i in range(n):
            target[i * channels + c] = row[i]
    return 0


def quantise(x: Any, out: Any, channels: Any, n: Any, stride: Any, bits: Any) -> Any:
    """Planar to int32 ``[n, channels]`` with the value in the upper bits; the number clipped."""
    target = i32(out, n * channels)
    scale = np.float64(1 << (bits - 1))
    top, shift = scale - 1.0, 32 - bits
    clipped = 0
    for c in range(channels):
        row = f32(x + c * stride, n)
        for i in range(n):
            value = np.rint(np.float64(row[i]) * scale)
            clipped += (value > top) | (value < -scale)
            target[i * channels + c] = np.int32(np.int64(min(max(value, -scale), top)) << shift)
    return clipped
