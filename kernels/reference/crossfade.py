"""Oracle of `kernels.crossfade`: the weighted mean of segments, sample by sample over the whole signal."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["overlapped"]

Array = np.ndarray[Any, np.dtype[Any]]


def overlapped(segments: Array, hop: int, window: Array) -> Array:
    """Mean of segments ``[count, channels, length]`` weighted by ``window [length]``, whole signal."""
    count, channels, length = segments.shape
    samples = (count - 1) * hop + length
    total, weights = np.zeros((channels, samples)), np.zeros(samples)
    for k in range(count):
        total[:, k * hop : k * hop + length] += window * segments[k].astype(np.float64)
        weights[k * hop : k * hop + length] += window
    return total / weights
