"""Loops over bins that turn magnitudes, powers and signal-to-noise ratios into masks and gains.

Every loop reads and writes two or three rows, so that LLVM can prove or check that they do not overlap
and vectorises it; what needs more rows goes over them in tiles that stay in the first-level cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .elementary import binary_parts, power_of_two
from .memory import f32, f64, i64, inline
from .smoothing import total

__all__ = [
    "decision_directed",
    "over_subtraction",
    "posterior_gain",
    "ratio_few",
    "ratio_many",
    "subtraction_gain",
    "wiener_gain",
]

_HALF = np.float32(0.5)
_ONE = np.float32(1)
_ZERO = np.float32(0)
_NORMAL = np.float32(2.0**-126)
_TILE = 512  # bins at a time: some rows of them stay in the first-level cache
_TINY = 1e-30  # in place of a power of nothing below a fraction line
_MOST = 1e100


@inline
def _power(r: Any, p: Any) -> Any:
    """``r ** p`` for r from 0 to 2 and p > 0, to 2e-8; straight-line code, so that loops vectorise."""
    e, s = binary_parts(r)
    z = s * s
    odd = 1 + z * (1 / 3 + z * (1 / 5 + z * (1 / 7 + z * (1 / 9 + z * (1 / 11)))))
    value = power_of_two(max(p * (e + 2.8853900817779268 * s * odd), -200.0))  # 2 / ln 2
    # The last term hands NaN on.
    return (0.0 if r == 0 else value) + (r - r)


# Ratio masks. Whatever the number of stems, the steps and so the bits are the same: parts of a bin times the
# inverse of the largest part (then no power under- or overflows), powers, their sum and the largest of them,
# masks rounded to the grid of 2^-24, and what is missing to one to the largest. Adding one half and taking it
# away rounds to that grid (from one half on, to every other point of it).


def _rules(power: int, parts: int) -> Any:
    """How large a bin is, what to multiply it by, and its power; see `ratio_few` for the arguments."""

    @inline
    def largest(x: Any, at: Any) -> Any:
        return abs(x[at]) if parts == 1 else max(abs(x[2 * at]), abs(x[2 * at + 1]))

    @inline
    def narrow(peak: Any) -> Any:
        return _ONE / max(peak, _NORMAL)

    @inline
    def wide(peak: Any) -> Any:
        return 1.0 / max(np.float64(peak), 1e-50)

    @inline
    def low(x: Any, at: Any, scale: Any, p: Any) -> Any:
        if parts == 1:
            r = abs(x[at]) * scale
            return r * r if power == 2 else r
        re, im = x[2 * at] * scale, x[2 * at + 1] * scale
        r = re * re + im * im
        return r if power == 2 else np.sqrt(r)

    @inline
    def any_power(x: Any, at: Any, scale: Any, p: Any) -> Any:
        if parts == 1:
            return np.float32(_power(np.float64(abs(x[at])) * scale, p))
        re, im = np.float64(x[2 * at]) * scale, np.float64(x[2 * at + 1]) * scale
        return np.float32(_power(re * re + im * im, 0.5 * p))

    return (largest, wide, any_power) if power == 0 else (largest, narrow, low)


def _shares(stems: int, power: int, parts: int) -> Any:
    """All steps for ``m`` bins of few stems, in registers."""
    largest, inverse, raised = _rules(power, parts)

    @inline
    def shares(source: Any, n: Any, m: Any, scratch: Any) -> Any:
        rows, stride = f32(scratch, stems * _TILE), 4 * parts * n
        for i in range(m):
            peak, total, top, rest = _ZERO, _ZERO, _ZERO, _ONE
            for k in range(stems):
                peak = max(peak, largest(f32(source + k * stride, parts * m), i))
            scale = inverse(peak)
            for k in range(stems):
                r = raised(f32(source + k * stride, parts * m), i, scale, 0.0)
                rows[k * _TILE + i] = r
                total += r
                top = max(top, r)
            shift = _ONE if total == 0 else _ZERO
            share = _ONE / (np.float32(stems) if total == 0 else total)
            top = ((top + shift) * share + _HALF) - _HALF
            for k in range(stems):
                mask = ((rows[k * _TILE + i] + shift) * share + _HALF) - _HALF
                rows[k * _TILE + i] = mask
                rest -= mask
            for k in range(stems):
                more = rest if rows[k * _TILE + i] == top else _ZERO
                rows[k * _TILE + i] += more
                rest -= more
        return 0

    return shares


def ratio_few(stems: int, power: int, parts: int) -> Any:
    """Masks of up to eight stems, for exponents that take few steps.

    Args:
        stems: how many, built in, so that LLVM unrolls the loops over them.
        power: the exponent, 1 or 2 (0 in `ratio_many` stands for that which the kernel is given).
        parts: 1 for magnitudes, 2 for complex64.
    """
    shares = _shares(stems, power, parts)

    def kernel(x: Any, out: Any, n: Any, scratch: Any) -> Any:
        """``x [stems, n]`` to ``out``, alike; ``scratch`` holds a tile of float32 for each stem."""
        rows = f32(scratch, stems * _TILE)
        for start in range(0, n, _TILE):
            m = min(_TILE, n - start)
            shares(x + 4 * parts * start, n, m, scratch)
            # Stores to the stems' own rows in there would need more checks for overlap than LLVM makes.
            for k in range(stems):
                sink = f32(out + 4 * (k * n + start), m)
                for i in range(m):
                    sink[i] = rows[k * _TILE + i]
        return 0

    return kernel


@inline
def _clear(m: Any, scratch: Any) -> Any:
    peak, total, top = f32(scratch, m), f32(scratch + 4 * _TILE, m), f32(scratch + 8 * _TILE, m)
    for i in range(m):
        peak[i] = _ZERO
        total[i] = _ZERO
        top[i] = _ZERO
    return 0


@inline
def _settle(out: Any, stems: Any, n: Any, m: Any, scratch: Any) -> Any:
    """From powers to masks; see `ratio_many` for the scratch."""
    rest, share, top = f32(scratch, m), f32(scratch + 4 * _TILE, m), f32(scratch + 8 * _TILE, m)
    shift = f32(scratch + 12 * _TILE, m)
    for i in range(m):
        shift[i] = _ONE if share[i] == 0 else _ZERO
        share[i] = _ONE / (np.float32(stems) if share[i] == 0 else share[i])
    for i in range(m):
        top[i] = ((top[i] + shift[i]) * share[i] + _HALF) - _HALF
        rest[i] = _ONE
    for k in range(stems):
        row = f32(scratch + (24 + 4 * k) * _TILE, m)
        for i in range(m):
            mask = ((row[i] + shift[i]) * share[i] + _HALF) - _HALF
            row[i] = mask
            rest[i] -= mask
    for k in range(stems):
        row, sink = f32(scratch + (24 + 4 * k) * _TILE, m), f32(out + 4 * k * n, m)
        for i in range(m):
            missing = rest[i]
            more = missing if row[i] == top[i] else _ZERO
            sink[i] = row[i] + more
            rest[i] = missing - more
    return 0


def ratio_many(power: int, parts: int) -> Any:
    """Masks of any number of stems, a row of each at a time; arguments as of `ratio_few`."""
    largest, inverse, raised = _rules(power, parts)
    floats = f64 if power == 0 else f32

    def kernel(x: Any, out: Any, stems: Any, n: Any, exponent: Any, scratch: Any) -> Any:
        """``x [stems, n]`` to ``out``, alike.

        ``scratch`` in tiles of float32: 0 largest part, later what is missing; 1 sum, later its inverse; 2
        largest power, later its mask; 3 one where all is silent; 4 and 5 the factor, float32 or float64; then
        a row for each stem.
        """
        p, scale = f64(exponent, 1)[0], floats(scratch + 16 * _TILE, _TILE)
        peak, total, top = (
            f32(scratch, _TILE),
            f32(scratch + 4 * _TILE, _TILE),
            f32(scratch + 8 * _TILE, _TILE),
        )
        for start in range(0, n, _TILE):
            m = min(_TILE, n - start)
            _clear(m, scratch)
            for k in range(stems):
                source = f32(x + 4 * parts * (k * n + start), parts * m)
                for i in range(m):
                    peak[i] = max(peak[i], largest(source, i))
            for i in range(m):
                scale[i] = inverse(peak[i])
            for k in range(stems):
                source = f32(x + 4 * parts * (k * n + start), parts * m)
                row = f32(scratch + (24 + 4 * k) * _TILE, m)
                for i in range(m):
                    row[i] = raised(source, i, scale[i], p)
                for i in range(m):
                    total[i] += row[i]
                    top[i] = max(top[i], row[i])
            _settle(out + 4 * start, stems, n, m, scratch)
        return 0

    return kernel


@inline
def _wiener(xi: Any) -> Any:
    """``xi / (1 + xi)``; 1 for infinity, 0 below 0, NaN for NaN."""
    xi = 0.0 if xi < 0 else xi
    return 1.0 if xi > 1e30 else xi / (1.0 + xi)


def wiener_gain(prior: Any, out: Any, n: Any, parameters: Any) -> Any:
    """Wiener gain of a priori SNRs; ``parameters``: floor."""
    xi, gain = f32(prior, n), f32(out, n)
    floor = f64(parameters, 1)[0]
    for i in range(n):
        g = _wiener(np.float64(xi[i]))
        gain[i] = np.float32(max(g, floor))
    return 0


def posterior_gain(
    power: Any, noise: Any, step: Any, out: Any, channels: Any, frames: Any, bins: Any, parameters: Any
) -> Any:
    """Wiener gain of ``xi = max(power / noise - 1, 0)``; ``step``: bins between frames of noise."""
    floor = f64(parameters, 1)[0]
    for row in range(channels * frames):
        c, t = row // frames, row % frames
        y, gain = f32(power + 4 * row * bins, bins), f32(out + 4 * row * bins, bins)
        n = f32(noise + 4 * (c * (frames if step else 1) * bins + t * step), bins)
        for i in range(bins):
            level = np.float64(n[i])
            g = _wiener(np.float64(y[i]) / max(level, _TINY) - 1.0)
            gain[i] = np.float32(max(g, floor))
    return 0


def decision_directed(
    power: Any, noise: Any, out: Any, prior: Any, shape: Any, past: Any, parameters: Any, scratch: Any
) -> Any:
    """Decision-directed a priori SNR and its Wiener gain of ``power [channels, frames, bins]``.

    ``noise`` is alike or ``[channels, 1, bins]``; ``prior`` may be 0: not wanted. ``shape``: int64 channels,
    frames, bins, bins between frames of noise (0 for one that stays). ``past``: float64 ``[channels, bins]``,
    ``gain^2 power / noise`` of the frame before. ``parameters``: weight of the past, floor of the prior,
    floor of the gain. ``scratch``: two rows of float64.
    """
    size = i64(shape, 4)
    channels, frames, bins, step = size[0], size[1], size[2], size[3]
    setting = f64(parameters, 3)
    weight, least, floor = setting[0], setting[1], setting[2]
    gamma, xi = f64(scratch, bins), f64(scratch + 8 * bins, bins)
    for row in range(channels * frames):
        c, t = row // frames, row % frames
        y, gain = f32(power + 4 * row * bins, bins), f32(out + 4 * row * bins, bins)
        n = f32(noise + 4 * (c * (frames if step else 1) * bins + t * step), bins)
        before = f64(past + 8 * c * bins, bins)
        for i in range(bins):
            level = np.float64(n[i])
            gamma[i] = np.float64(y[i]) / max(level, _TINY)
        for i in range(bins):
            excess = gamma[i] - 1.0
            value = weight * before[i] + (1.0 - weight) * (0.0 if excess < 0 else excess)
            xi[i] = max(value, least)
        for i in range(bins):
            g = _wiener(xi[i])
            g = max(g, floor)
            gain[i] = np.float32(g)
            value = g * g * gamma[i]
            before[i] = value if value < np.inf else before[i]
        if prior:
            told = f32(prior + 4 * row * bins, bins)
            for i in range(bins):
                told[i] = np.float32(xi[i])
    return 0


def over_subtraction(
    power: Any, noise: Any, step: Any, out: Any, shape: Any, at_0_db: Any, scratch: Any
) -> Any:
    """Over-subtraction by the SNR of each frame.

    ``shape``: int64 channels, frames, bins; ``scratch``: 64 float64, then a row.
    """
    size, most = i64(shape, 3), f64(at_0_db, 1)[0]
    channels, frames, bins = size[0], size[1], size[2]
    factors, values = f32(out, channels * frames), f64(scratch + 512, bins)
    for row in range(channels * frames):
        c, t = row // frames, row % frames
        y = f32(power + 4 * row * bins, bins)
        n = f32(noise + 4 * (c * (frames if step else 1) * bins + t * step), bins)
        for i in range(bins):
            values[i] = np.float64(n[i])
        hiss = total(scratch + 512, bins, scratch)
        for i in range(bins):
            values[i] = np.float64(y[i])
        snr = 10.0 * np.log10(total(scratch + 512, bins, scratch) / hiss) if hiss != 0 else 20.0
        snr = max(min(snr, 20.0), -5.0)
        factors[row] = np.float32(most - (most - 1.0) / 20.0 * snr)
    return 0


def subtraction_gain(power: Any, noise: Any, factors: Any, out: Any, shape: Any, floor: Any) -> Any:
    """Gain of power spectral subtraction for ``power [channels, frames, bins]``.

    ``noise`` is alike or ``[channels, 1, bins]``; ``factors``: over-subtraction, one a frame of a channel or
    one for all. ``shape``: int64 channels, frames, bins, bins between frames of noise, factors between
    frames. ``floor``: one float64, the share of the noise that stays.
    """
    size = i64(shape, 5)
    channels, frames, bins, step, factor_step = size[0], size[1], size[2], size[3], size[4]
    share = f64(floor, 1)[0]
    for row in range(channels * frames):
        c, t = row // frames, row % frames
        y, gain = f32(power + 4 * row * bins, bins), f32(out + 4 * row * bins, bins)
        n = f32(noise + 4 * (c * (frames if step else 1) * bins + t * step), bins)
        factor = np.float64(f32(factors + 4 * row * factor_step, 1)[0])
        for i in range(bins):
            level = np.float64(y[i])
            # Bounded, since zero times infinity would be NaN.
            ratio = min(np.float64(n[i]) / max(level, _TINY), _MOST)
            left = max(1.0 - factor * ratio, share * ratio)
            gain[i] = np.float32(np.sqrt(min(left, 1.0)))
    return 0
