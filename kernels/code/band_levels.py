"""What a network in bands hears, and what becomes of its gains; see `kernels.band_levels`.

A state is a header of int64: channels, bins, bands, and the addresses of the bands' edges (int64), of the
settings (float64) and of the mean levels (float64, a row for each channel).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .elementary import logarithm
from .memory import call_step, f32, f64, i64, inline

__all__ = ["gains", "levels", "spread"]

_DECIBELS = 4.342944819032518  # 10 / ln 10


@inline
def _band(x: Any, first: Any, last: Any, most: Any) -> Any:
    """The power of bins ``first`` to ``last - 1``; as much as can be where it is more, or NaN."""
    values, total = f32(x, 2 * last), 0.0
    for i in range(2 * first, 2 * last):
        value = np.float64(values[i])
        total += value * value
    return total if total < most else most  # noqa: FURB136 - min would let NaN through


@inline
def _levels(state: Any, x: Any, x_channel: Any, x_frame: Any, out: Any, frames: Any) -> Any:
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


@inline
def _spread(state: Any, gains: Any, heads: Any, out: Any, frames: Any) -> Any:
    """Write the gain of every bin: its band's, or the mean of what two heads say; 1 below the bands."""
    head = i64(state, 6)
    channels, bins, bands = head[0], head[1], head[2]
    edges = i64(head[3], bands + 1)
    for row in range(channels * frames):
        given = f32(gains + 4 * row * bands * heads, bands * heads)
        made = f32(out + 4 * row * bins, bins)
        for k in range(edges[0]):
            made[k] = np.float32(1)
        for b in range(bands):
            value = given[b * heads]
            if heads > 1:
                value = np.float32(0.5) * (value + (np.float32(1) - given[b * heads + 1]))
            for k in range(edges[b], edges[b + 1]):
                made[k] = value
    return 0


def levels(state: Any, x: Any, x_channel: Any, x_frame: Any, out: Any, frames: Any) -> Any:
    """Write levels; see `kernels.band_levels`."""
    return _levels(state, x, x_channel, x_frame, out, frames)


def spread(state: Any, gains: Any, heads: Any, out: Any, frames: Any) -> Any:
    """Write masks; see `kernels.band_levels`."""
    return _spread(state, gains, heads, out, frames)


def gains(state: Any, x: Any, out: Any, frames: Any) -> Any:
    """Gains of complex64 spectra ``x [channels, frames, bins]`` into float32 ``out``, alike; 0.

    ``state``: int64: address of the state above, how many networks, values they give for a band, address of
    room for what they hear and for what they give, float32; then for each network its function, its state
    and its channels.
    """
    head = i64(state, 5)
    bins, bands = i64(head[0], 6)[1], i64(head[0], 6)[2]
    width = 4 * bands * head[2]
    heard, given = head[3], head[4]
    _levels(head[0], x, 8 * bins * frames, 8 * bins, heard, frames)
    for k in range(head[1]):
        network = i64(state + 8 * (5 + 3 * k), 3)
        rows = network[2] * frames
        call_step(
            network[0], network[1], heard, 8 * bands * frames, 8 * bands, given, width * frames, width, frames
        )
        heard += 8 * bands * rows
        given += width * rows
    return _spread(head[0], head[4], head[2], out, frames)
