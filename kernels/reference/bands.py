"""Oracle of `kernels.bands`: weights as triangles over Hz, and DeepFilterNet's bands counted one by one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["erb_widths", "triangles"]

Array = np.ndarray[Any, np.dtype[Any]]


def triangles(centres: Array, frequencies: Array) -> Array:
    """Weights ``[frequencies, bands]``: each triangle has its feet at its neighbours' centres."""
    weights = np.zeros((len(frequencies), len(centres)))
    for i, hz in enumerate(frequencies):
        for k, centre in enumerate(centres):
            below = centres[k - 1] if k else -math.inf
            above = centres[k + 1] if k + 1 < len(centres) else math.inf
            if hz < centre:
                rise = 1.0 if below == -math.inf else (hz - below) / (centre - below)
            else:
                rise = 1.0 if above == math.inf else (above - hz) / (above - centre)
            weights[i, k] = max(0.0, rise)
    return weights


def erb_widths(rate: int, n_fft: int, bands: int, minimum: int) -> list[int]:
    """Bins of each band as libDF counts them: a band that is widened takes from those that follow."""
    widths, before, owed = [], 0, 0
    top = 9.265 * math.log1p(rate / 2 / (24.7 * 9.265))
    for k in range(1, bands + 1):
        hz = 24.7 * 9.265 * math.expm1(k * top / bands / 9.265)
        edge = math.floor(hz * n_fft / rate + 0.5)
        width = edge - before - owed
        owed = max(0, minimum - width)
        widths.append(max(width, minimum))
        before = edge
    widths[-1] += n_fft // 2 + 1 - sum(widths)
    return widths
