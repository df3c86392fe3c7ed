"""First estimates of the multichannel Wiener filter: each stem's magnitudes times what the stems share.

What they share, by channel and bin, is z: the mixture over the sum of all magnitudes, or its phase alone.
Spare rows: 0 the sum of magnitudes (float32), 1 the residual's magnitude, 2 and 3 the sums whose quotient
is the gain.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .covariances import PAIR, ROW, estimate, zero
from .memory import f32, f64, i64, inline
from .wiener_places import expect, gains_of, magnitude_at, mixture_at, model_of, read, spare
from .wiener_task import CHANNELS, EPS, FIELDS, FRAMES, LANES, NUMBERS, PARAMETERS, RESIDUAL, SOFTMASK, STEMS

__all__ = ["common_factor", "first_estimates", "fit_gains"]

#: norbert's residual model guards with the epsilon of the spectrograms' type.
_GUARD = float(np.finfo(np.float32).eps)


@inline
def fit_gains(task: Any, first: Any, n: Any, work: Any) -> None:
    """By channel and bin, what fits the sum of magnitudes to the mixture's best; 1 without a residual."""
    h = i64(task, FIELDS)
    for c in range(h[CHANNELS]):
        z, rows = work + c * PAIR, spare(h[CHANNELS], work)
        g, w = f64(gains_of(h[CHANNELS], c, work), LANES), f64(rows, 4 * LANES)
        for i in range(LANES):
            g[i] = 1.0
            w[2 * LANES + i] = 0.0
            w[3 * LANES + i] = _GUARD
        if h[RESIDUAL] != 0:
            for t in range(h[FRAMES]):
                read(mixture_at(task, c, t, first), z, n)
                _sum_magnitudes(task, c, t, first, n, rows)
                _correlate(z, rows)
            for i in range(LANES):
                g[i] = w[2 * LANES + i] / w[3 * LANES + i]


@inline
def first_estimates(task: Any, t: Any, first: Any, n: Any, work: Any) -> None:
    """Set every stem's y."""
    h = i64(task, FIELDS)
    channels, given = h[CHANNELS], h[STEMS] - h[RESIDUAL]
    for c in range(channels):
        common_factor(task, c, t, first, n, work)
        z, gains = work + c * PAIR, gains_of(channels, c, work)
        for j in range(given):
            y = estimate(model_of(task, j, work), channels) + c * PAIR
            _turn(magnitude_at(task, j, c, t, first), gains, z, y, n)
        if h[RESIDUAL] != 0:
            rest = spare(channels, work) + ROW
            _turn_residual(rest, z, estimate(model_of(task, given, work), channels) + c * PAIR)


@inline
def common_factor(task: Any, c: Any, t: Any, first: Any, n: Any, work: Any) -> None:
    """Set a channel's z, in place of x."""
    h = i64(task, FIELDS)
    z, rows = work + c * PAIR, spare(h[CHANNELS], work)
    expect(mixture_at(task, c, t + 1, first), 8 * n)
    read(mixture_at(task, c, t, first), z, n)
    _sum_magnitudes(task, c, t, first, n, rows)
    if h[RESIDUAL] != 0:
        _subtract(z, gains_of(h[CHANNELS], c, work), rows)
    if h[SOFTMASK] != 0:
        _divide(z, rows, np.float32(f64(h[NUMBERS], PARAMETERS)[EPS]))
    else:
        _take_phase(z)


@inline
def _sum_magnitudes(task: Any, c: Any, t: Any, first: Any, n: Any, rows: Any) -> None:
    h = i64(task, FIELDS)
    zero(rows, 1)
    total = f32(rows, LANES)
    for j in range(h[STEMS] - h[RESIDUAL]):
        expect(magnitude_at(task, j, c, t + 1, first), 4 * n)
        v = f32(magnitude_at(task, j, c, t, first), n)
        for i in range(n):
            total[i] += v[i]


@inline
def _correlate(z: Any, rows: Any) -> None:
    x, total, w = f64(z, 2 * LANES), f32(rows, LANES), f64(rows, 4 * LANES)
    for i in range(LANES):
        size, sum_ = math.sqrt(x[i] * x[i] + x[LANES + i] * x[LANES + i]), np.float64(total[i])
        w[2 * LANES + i] += max(size, _GUARD) * sum_
        w[3 * LANES + i] += sum_ * sum_


@inline
def _subtract(z: Any, gains: Any, rows: Any) -> None:
    """What the magnitudes leave of the mixture's; the sum becomes that of all, gains included."""
    x, g, total, rest = f64(z, 2 * LANES), f64(gains, LANES), f32(rows, LANES), f64(rows + ROW, LANES)
    for i in range(LANES):
        size = math.sqrt(x[i] * x[i] + x[LANES + i] * x[LANES + i])
        left = max(size, _GUARD) - total[i]
        left = 0.0 if (left < 0.0) | (size == 0.0) else left
        rest[i] = left
        total[i] = np.float32(total[i] * g[i] + left)


@inline
def _divide(z: Any, rows: Any, eps: Any) -> None:
    """The mixture over the sum of magnitudes, so that magnitudes times it are soft-masked."""
    x, total = f64(z, 2 * LANES), f32(rows, LANES)
    for i in range(LANES):
        share = np.float64(np.float32(1) / (eps + total[i]))
        x[i] *= share
        x[LANES + i] *= share


@inline
def _take_phase(z: Any) -> None:
    """The mixture over its magnitude; 1 where it is 0."""
    x = f64(z, 2 * LANES)
    for i in range(LANES):
        size = math.sqrt(x[i] * x[i] + x[LANES + i] * x[LANES + i])
        silent = size == 0.0
        share = 1.0 / (1.0 if silent else size)
        x[i] = 1.0 if silent else x[i] * share
        x[LANES + i] *= share


@inline
def _turn(magnitude: Any, gains: Any, z: Any, target: Any, n: Any) -> None:
    v, g, x, y = f32(magnitude, n), f64(gains, LANES), f64(z, 2 * LANES), f64(target, 2 * LANES)
    for i in range(n):
        size = v[i] * g[i]
        y[i] = size * x[i]
        y[LANES + i] = size * x[LANES + i]


@inline
def _turn_residual(rest: Any, z: Any, target: Any) -> None:
    r, x, y = f64(rest, LANES), f64(z, 2 * LANES), f64(target, 2 * LANES)
    for i in range(LANES):
        y[i] = r[i] * x[i]
        y[LANES + i] = r[i] * x[LANES + i]
