"""What a network in bands hears, and what becomes of its gains; see `kernels.band_levels`.

A state is a header of int64: channels, bins, bands, and the addresses of the bands' edges (int64), of the
settings (float64) and of the mean levels (float64, a row for each channel).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .memory import f32, f64, i64, inline
from .noise_functions import exponential, logarithm

__all__ = ["levels", "spread"]

_DECIBELS = 4.342944819032518  # 10 / ln 10


@inline
def _band(x: Any, first: Any, last: Any, most: Any) -> Any:
    """The power of bins ``first`` to ``last - 1``; as much as can be where it is more, or NaN."""
    values, total = f32(x, 2 * last), 0.0
    for i in range(2 * first, 2 * last):
        value = np.float64(values[i])
        total += value * value
    return total if total < most else most  # noqa: FURB136 - min would let NaN through


def levels(state: Any, x: Any, x_channel: Any, x_frame: Any, out: Any, frames: Any) -> Any:
    """Write each band's level and how far it is above its mean, side by side, for so many frames."""
    head = i64(state, 6)
    channels, bands = head[0], head[2]
    edges, setting = i64(head[3], bands + 1), f64(head[4], 6)
    scale, floor, keep, shift, unit, most = (
        setting[0],
        setting[1],
        setting[2],
        setting[3],
        setting[4],
        setting[5],
    )
    for c in range(channels):
        mean = f64(head[5] + 8 * c * bands, bands)
        for t in range(frames):
            row = x + c * x_channel + t * x_frame
            made = f32(out + 8 * bands * (c * frames + t), 2 * bands)
            for b in range(bands):
                power = _band(row, edges[b], edges[b + 1], most) * scale
                level = _DECIBELS * logarithm(power + floor)
                mean[b] = keep * mean[b] + (1.0 - keep) * level
                made[2 * b] = np.float32((level - mean[b]) * unit)
                made[2 * b + 1] = np.float32((level + shift) * unit)
    return 0


def spread(state: Any, gains: Any, heads: Any, out: Any, frames: Any, controls: Any) -> Any:
    """Write the gain of every bin: bent, no less than the floor, and as strong as asked."""
    head = i64(state, 6)
    channels, bins, bands = head[0], head[1], head[2]
    edges, control = i64(head[3], bands + 1), f64(controls, 3)
    exponent, floor, strength = control[0], control[1], control[2]
    for row in range(channels * frames):
        given = f32(gains + 4 * row * bands * heads, bands * heads)
        made = f32(out + 4 * row * bins, bins)
        for b in range(bands):
            gain = np.float64(given[b * heads])
            if heads > 1:
                gain = 0.5 * (gain + 1.0 - np.float64(given[b * heads + 1]))
            if exponent != 1.0:
                gain = exponential(exponent * logarithm(max(gain, 1e-100)))
            value = np.float32(1.0 - strength * (1.0 - max(gain, floor)))
            for k in range(edges[b], edges[b + 1]):
                made[k] = value
    return 0
