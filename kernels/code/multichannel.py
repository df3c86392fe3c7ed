"""Bodies of the multichannel Wiener filter; `kernels.multichannel` says what they compute.

A block of `LANES` bins is taken through all frames and iterations while its covariances stay in the nearest
cache; frames are added one after the other, so nothing depends on how bins were shared out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .covariances import (
    PAIR,
    ROW,
    filter_model,
    gather,
    mix_model,
    model_bytes,
    normalise,
    solve,
    triangle,
    zero,
)
from .covariances_stereo import gather_multiples, mix_multiples, multiply
from .memory import f32, f64, i64, inline
from .wiener_estimates import common_factor, first_estimates, fit_gains
from .wiener_places import (
    common_bytes,
    expect,
    load,
    magnitude_at,
    mixture_at,
    model_of,
    read,
    spare,
    store,
)
from .wiener_task import (
    CHANNELS,
    FIELDS,
    FLOOR,
    FRAMES,
    ITERATIONS,
    LANES,
    NUMBERS,
    PARAMETERS,
    RESIDUAL,
    STEMS,
    WEIGHT,
)

__all__ = ["fade", "peak", "scratch_bytes", "separate"]

#: No square of a finite complex64 is above.
_FINITE = 1e78


def scratch_bytes(stems: Any, channels: Any) -> Any:
    """How much scratch `separate` needs; ``stems`` counts the residual."""
    return common_bytes(channels) + stems * model_bytes(channels)


def peak(task: Any, first: Any, last: Any, peaks: Any) -> Any:
    """Greatest squared magnitude among the finite values of the mixture's bins, by lane into ``peaks``."""
    h = i64(task, FIELDS)
    zero(peaks, 1)
    for c in range(h[CHANNELS]):
        for t in range(h[FRAMES]):
            for at in range(first, last, LANES):
                _raise_peaks(mixture_at(task, c, t, at), peaks, min(LANES, last - at))
    return 0


@inline
def _raise_peaks(mixture: Any, peaks: Any, n: Any) -> None:
    z, most = f32(mixture, 2 * n), f64(peaks, LANES)
    for i in range(n):
        real, imaginary = np.float64(z[2 * i]), np.float64(z[2 * i + 1])
        square = real * real + imaginary * imaginary
        most[i] = square if (square > most[i]) & (square < _FINITE) else most[i]


def separate(task: Any, first: Any, last: Any, work: Any) -> Any:
    """Fill y for bins ``first`` to ``last``."""
    h = i64(task, FIELDS)
    rows = (common_bytes(h[CHANNELS]) + h[STEMS] * model_bytes(h[CHANNELS])) // ROW
    for at in range(first, last, LANES):
        n = min(LANES, last - at)
        zero(work, rows)
        fit_gains(task, at, n, work)
        for t in range(h[FRAMES]):
            if h[ITERATIONS] > 0:
                _gather_first(task, t, at, n, work)
            else:
                first_estimates(task, t, at, n, work)
                store(task, t, at, n, work)
        for k in range(h[ITERATIONS]):
            _iterate(task, k, at, n, work)
    return 0


@inline
def _iterate(task: Any, k: Any, first: Any, n: Any, work: Any) -> None:
    """Covariances from the sums, then y_j = v_j R_j (sum_k v_k R_k + floor I)^-1 x in every frame."""
    h = i64(task, FIELDS)
    channels, numbers = h[CHANNELS], f64(h[NUMBERS], PARAMETERS)
    solution, mix = work + channels * PAIR, work + 2 * channels * PAIR
    for j in range(h[STEMS]):
        normalise(model_of(task, j, work), channels, numbers[WEIGHT])
    for t in range(h[FRAMES]):
        zero(mix, 2 * triangle(channels))
        if k == 0:
            _mix_first(task, t, first, n, work, mix)
        else:
            load(task, t, first, n, work)
            _mix(task, work, mix)
        for c in range(channels):
            expect(mixture_at(task, c, t + 1, first), 8 * n)
            read(mixture_at(task, c, t, first), work + c * PAIR, n)
        solve(work, mix, solution, channels, numbers[FLOOR])
        for j in range(h[STEMS]):
            filter_model(model_of(task, j, work), channels, solution)
        store(task, t, first, n, work)
        if k + 1 < h[ITERATIONS]:
            _gather(task, work)


@inline
def _gather(task: Any, work: Any) -> None:
    h = i64(task, FIELDS)
    for j in range(h[STEMS]):
        gather(model_of(task, j, work), h[CHANNELS])


@inline
def _mix(task: Any, work: Any, mix: Any) -> None:
    h = i64(task, FIELDS)
    for j in range(h[STEMS]):
        mix_model(model_of(task, j, work), h[CHANNELS], mix)


# The same of the first estimates, which in the commonest case need not be made for that.


@inline
def _are_multiples(task: Any) -> Any:
    h = i64(task, FIELDS)
    return (h[CHANNELS] == 2) & (h[RESIDUAL] == 0)


@inline
def _multiply(task: Any, t: Any, first: Any, n: Any, work: Any) -> Any:
    common_factor(task, 0, t, first, n, work)
    common_factor(task, 1, t, first, n, work)
    multiply(work, spare(2, work))
    return spare(2, work)


@inline
def _gather_first(task: Any, t: Any, first: Any, n: Any, work: Any) -> None:
    if _are_multiples(task):
        products = _multiply(task, t, first, n, work)
        for j in range(i64(task, FIELDS)[STEMS]):
            left, right = magnitude_at(task, j, 0, t, first), magnitude_at(task, j, 1, t, first)
            gather_multiples(left, right, products, model_of(task, j, work), n)
    else:
        first_estimates(task, t, first, n, work)
        _gather(task, work)


@inline
def _mix_first(task: Any, t: Any, first: Any, n: Any, work: Any, mix: Any) -> None:
    if _are_multiples(task):
        products = _multiply(task, t, first, n, work)
        for j in range(i64(task, FIELDS)[STEMS]):
            left, right = magnitude_at(task, j, 0, t, first), magnitude_at(task, j, 1, t, first)
            mix_multiples(left, right, products, model_of(task, j, work), mix, n)
    else:
        first_estimates(task, t, first, n, work)
        _mix(task, work, mix)


def fade(before: Any, after: Any, rows: Any, step: Any, frames: Any, bins: Any) -> Any:
    """Pass linearly from ``before [rows, frames, bins]`` to ``after`` with rows ``step`` bytes apart."""
    for row in range(rows):
        for t in range(frames):
            share = np.float32((t + 0.5) / frames)
            a = f32(before + (row * frames + t) * bins * 8, 2 * bins)
            b = f32(after + row * step + t * bins * 8, 2 * bins)
            for i in range(2 * bins):
                b[i] = a[i] + share * (b[i] - a[i])
    return 0
