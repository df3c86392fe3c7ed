"""Averages, minima and noise floors of powers, over frames and over frequency.

State is float64 where it feeds back, and belongs to absolute frames, so results do not depend on how the
frames were cut into calls. A power that is NaN or infinite is missing: what it would change stays.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .memory import f32, f64, i64, inline

__all__ = ["average", "minimum", "minimum_statistics", "post_filter", "smooth", "total"]

_TINY = 1e-30  # in place of a power of nothing below a fraction line, and where state is flushed
_INF = np.float32(np.inf)


@inline
def total(row: Any, n: Any, scratch: Any) -> Any:
    """Sum of ``n`` float64: 64 running sums in ``scratch``, which vectorise, folded in a fixed order."""
    sums = f64(scratch, 64)
    for k in range(64):
        sums[k] = 0.0
    whole = n - n % 64
    for start in range(0, whole, 64):
        x = f64(row + 8 * start, 64)
        for k in range(64):
            sums[k] += x[k]
    x = f64(row + 8 * whole, n - whole)
    for k in range(n - whole):
        sums[k] += x[k]
    half = 32
    while half:
        for k in range(half):
            sums[k] += sums[k + half]
        half //= 2
    return sums[0]


# Over frequency


@inline
def _smooth_row(x: Any, out: Any, n: Any, half: Any, slope: Any) -> Any:
    """Weighted mean of each bin's neighbours; weights ``1 + slope (half - |offset|)``, those that exist."""
    y, reach = f32(out, n), min(half, n - 1)
    for i in range(n):
        y[i] = np.float32(0)
    for offset in range(-reach, reach + 1):
        weight = np.float32(1 + slope * (half - abs(offset)))
        m, first = n - abs(offset), max(0, -offset)
        sink, source = f32(out + 4 * first, m), f32(x + 4 * (first + offset), m)
        for i in range(m):
            sink[i] += weight * source[i]
    whole = np.float32(2 * half + 1 + slope * half * half)
    for i in range(n):
        # Offsets beyond either end: t of them, of weights 1 .. 1 + slope (t - 1).
        left, right = max(half - i, 0), max(half - (n - 1 - i), 0)
        lost = left + right + slope * ((left * (left - 1) + right * (right - 1)) >> 1)
        y[i] = y[i] / (whole - np.float32(lost))
    return 0


def smooth(x: Any, out: Any, rows: Any, bins: Any, half: Any, slope: Any) -> Any:
    """Smooth ``rows`` rows; ``slope`` 0 for a rectangle, 1 for a triangle."""
    for row in range(rows):
        at = 4 * row * bins
        _smooth_row(x + at, out + at, bins, half, slope)
    return 0


def post_filter(
    gains: Any, power: Any, out: Any, rows: Any, bins: Any, parameters: Any, widest: Any, scratch: Any
) -> Any:
    """Smooth each row of gains as much as it takes away; ``parameters``: threshold."""
    threshold = f64(parameters, 1)[0]
    powers, squares = f64(scratch + 512, bins), f64(scratch + 512 + 8 * bins, bins)
    for row in range(rows):
        at = 4 * row * bins
        g, y = f32(gains + at, bins), f32(power + at, bins)
        for i in range(bins):
            powers[i] = np.float64(y[i])
            squares[i] = np.float64(g[i]) * np.float64(g[i]) * powers[i]
        before = total(scratch + 512, bins, scratch)
        left = total(scratch + 512 + 8 * bins, bins, scratch)
        half = 0
        if left < threshold * before:
            half = int(np.floor(widest * (1.0 - left / before / threshold) + 0.5))
        _smooth_row(gains + at, out + at, bins, half, 0)
    return 0


# Over frames


def average(x: Any, out: Any, channels: Any, frames: Any, bins: Any, state: Any, parameters: Any) -> Any:
    """One-pole averages; ``parameters``: how much of the distance stays while rising, while falling."""
    setting = f64(parameters, 2)
    rise, fall = setting[0], setting[1]
    for row in range(channels * frames):
        source, sink = f32(x + 4 * row * bins, bins), f32(out + 4 * row * bins, bins)
        mean = f64(state + 8 * (row // frames) * bins, bins)
        for i in range(bins):
            value, old = np.float64(source[i]), mean[i]
            old = value if np.isnan(old) else old  # nothing was seen yet
            new = value + (rise if value > old else fall) * (old - value)
            new = 0.0 if abs(new) < _TINY else new
            new = new if abs(value) < np.inf else mean[i]
            mean[i] = new
            sink[i] = np.float32(new)
    return 0


@inline
def _turn(ring: Any, frames: Any, n: Any) -> Any:
    """Make each of the ring's frames but the first, which nobody reads, the minimum of it and all later."""
    for k in range(frames - 2, 0, -1):
        row, later = f32(ring + 4 * k * n, n), f32(ring + 4 * (k + 1) * n, n)
        for i in range(n):
            row[i] = min(row[i], later[i])
    return 0


def minimum(
    x: Any, out: Any, channels: Any, frames: Any, bins: Any, length: Any, header: Any, state: Any
) -> Any:
    """Minimum of the last ``length`` frames of ``x [channels, frames, bins]``, by van Herk's blocks.

    ``header``: one int64, the position in the present block. ``state``: by channel ``length + 1`` rows of
    float32: the minimum of the present block, then a row for each of its positions. Those up to the present
    one hold this block's frames, those beyond it the minima from there to the end of the block before.
    """
    place = i64(header, 1)
    at = place[0]
    for c in range(channels):
        at = place[0]
        running = f32(state + 4 * c * (length + 1) * bins, bins)
        ring = state + 4 * (c * (length + 1) + 1) * bins
        for t in range(frames):
            row = c * frames + t
            source, sink = f32(x + 4 * row * bins, bins), f32(out + 4 * row * bins, bins)
            here = f32(ring + 4 * at * bins, bins)
            for i in range(bins):
                value = source[i] if abs(source[i]) < _INF else _INF
                here[i] = value
                running[i] = min(running[i], value)
            at += 1
            if at < length:
                older = f32(ring + 4 * at * bins, bins)
                for i in range(bins):
                    sink[i] = min(running[i], older[i])
            else:
                for i in range(bins):
                    sink[i] = running[i]
                    running[i] = _INF
                _turn(ring, length, bins)
                at = 0
    place[0] = at
    return 0


# Minimum statistics: R. Martin, IEEE Trans. Speech and Audio Processing 9 (5), 2001; numbers of equations
# are the paper's. By channel the state is rows of float64: 0 smoothed power, 1 noise, 2 and 3 its moments,
# 4 noise of the window, 5 minimum and 6 local minimum of the present sub-window, 7 whether that may stand
# for the window, then a row for each sub-window kept. Scratch is 64 sums and rows of its own: 0 power,
# later the candidate of a sub-window; 1 smoothing, later where there is a new minimum; 2 inverse degrees of
# freedom; 3 the candidate of the window. Helpers take addresses, not views: views that cross a call which
# LLVM does not inline drag numba's reference counts in. Loops stay small: LLVM gives up on a loop that needs
# more than eight checks that its rows do not overlap.


@inline
def _row(base: Any, k: Any, n: Any) -> Any:
    return f64(base + 8 * k * n, n)


@inline
def _take(x: Any, rows: Any, scratch: Any, n: Any) -> Any:
    source, smoothed, y = f32(x, n), _row(rows, 0, n), _row(scratch, 0, n)
    for i in range(n):
        y[i] = np.float64(source[i]) if abs(source[i]) < _INF else smoothed[i]
    return 0


@inline
def _begin(rows: Any, scratch: Any, n: Any, kept: Any) -> Any:
    y = _row(scratch, 0, n)
    for k in range(5):
        row = _row(rows, k, n)
        for i in range(n):
            row[i] = y[i] * y[i] if k == 3 else y[i]
    for k in range(5, 8 + kept):
        row = _row(rows, k, n)
        for i in range(n):
            row[i] = 0.0 if k == 7 else np.inf
    return 0


@inline
def _smooth_power(rows: Any, scratch: Any, n: Any, largest: Any, least: Any) -> Any:
    """Equations 4 and 11: the optimal smoothing of each bin, at most ``largest``, then the average."""
    p, noise, y, factor = _row(rows, 0, n), _row(rows, 1, n), _row(scratch, 0, n), _row(scratch, 1, n)
    for i in range(n):
        d = p[i] / max(noise[i], _TINY) - 1.0
        a = max(largest / (1.0 + d * d), least)
        value = a * p[i] + (1.0 - a) * y[i]
        p[i] = 0.0 if value < _TINY else value
        factor[i] = a
    return 0


@inline
def _variance(rows: Any, scratch: Any, n: Any, longest: Any, least: Any) -> Any:
    """Equations 20 to 23: moments of the smoothed power, and the inverse equivalent degrees of freedom."""
    p, noise, first, second = _row(rows, 0, n), _row(rows, 1, n), _row(rows, 2, n), _row(rows, 3, n)
    factor, q = _row(scratch, 1, n), _row(scratch, 2, n)
    for i in range(n):
        b = min(factor[i] * factor[i], longest)
        mean, square = b * first[i] + (1.0 - b) * p[i], b * second[i] + (1.0 - b) * (p[i] * p[i])
        first[i] = 0.0 if mean < _TINY else mean
        second[i] = 0.0 if square < _TINY * _TINY else square
    for i in range(n):
        level = max(noise[i], _TINY)
        value = (second[i] - first[i] * first[i]) / (2.0 * level * level)
        q[i] = max(min(value, 0.5), least)
    return 0


@inline
def _candidates(rows: Any, scratch: Any, n: Any, bias: Any, parameters: Any) -> Any:
    """Equation 17: the smoothed power times the bias of its minimum, for the window and a sub-window."""
    setting = f64(parameters, 4)
    long_slope, long_pole, short_slope, short_pole = setting[0], setting[1], setting[2], setting[3]
    p, q, long, short = _row(rows, 0, n), _row(scratch, 2, n), _row(scratch, 3, n), _row(scratch, 0, n)
    for i in range(n):
        level = bias * p[i]
        long[i] = level * (1.0 + long_slope * q[i] / (1.0 - long_pole * q[i]))
        short[i] = level * (1.0 + short_slope * q[i] / (1.0 - short_pole * q[i]))
    return 0


@inline
def _lower(rows: Any, scratch: Any, n: Any) -> Any:
    """Keep new minima of this sub-window."""
    lowest, local = _row(rows, 5, n), _row(rows, 6, n)
    short, fell, long = _row(scratch, 0, n), _row(scratch, 1, n), _row(scratch, 3, n)
    for i in range(n):
        fell[i] = 1.0 if long[i] < lowest[i] else 0.0
    for i in range(n):
        lowest[i] = long[i] if fell[i] != 0 else lowest[i]
    for i in range(n):
        local[i] = short[i] if fell[i] != 0 else local[i]
    return 0


@inline
def _inside(rows: Any, scratch: Any, n: Any) -> Any:
    """Within a sub-window: the noise follows its minimum down at once."""
    noise, window, local, flag = _row(rows, 1, n), _row(rows, 4, n), _row(rows, 6, n), _row(rows, 7, n)
    fell = _row(scratch, 1, n)
    for i in range(n):
        flag[i] = 1.0 if fell[i] != 0 else flag[i]
    for i in range(n):
        value = min(window[i], local[i])
        window[i] = value
        noise[i] = value
    return 0


@inline
def _close(rows: Any, scratch: Any, n: Any, place: Any, kept: Any, steepest: Any) -> Any:
    """End of a sub-window: the minimum of those kept, unless a local minimum lies not far above it."""
    window, lowest, local, flag = _row(rows, 4, n), _row(rows, 5, n), _row(rows, 6, n), _row(rows, 7, n)
    fell, stored = _row(scratch, 1, n), _row(rows, 8 + place, n)
    for i in range(n):
        stored[i] = lowest[i]
        window[i] = lowest[i]
    for k in range(kept):
        row = _row(rows, 8 + k, n)
        for i in range(n):
            window[i] = min(window[i], row[i])
    for i in range(n):
        near = (local[i] < steepest * window[i]) & (local[i] > window[i])
        fell[i] = 1.0 if (flag[i] != 0) & (fell[i] == 0) & near else 0.0
    for i in range(n):
        window[i] = local[i] if fell[i] != 0 else window[i]
    for k in range(kept):
        row = _row(rows, 8 + k, n)
        for i in range(n):
            row[i] = local[i] if fell[i] != 0 else row[i]
    for i in range(n):
        lowest[i] = np.inf
        flag[i] = 0.0
    return 0


@inline
def _steepest(mean: Any, parameters: Any) -> Any:
    """How far noise may rise in a sub-window: the steadier it is, the farther."""
    setting = f64(parameters, 4)
    if mean < 0.03:
        return setting[0]
    if mean < 0.05:
        return setting[1]
    return setting[2] if mean < 0.06 else setting[3]


@inline
def _frame(x: Any, state: Any, n: Any, header: Any, parameters: Any, lanes: Any) -> Any:
    place, setting, correction = i64(header, 5), f64(parameters, 5), f64(state, 1)
    part, ring, seen, last, kept = place[0], place[1], place[2], place[3], place[4]
    rows, scratch = state + 64, lanes + 512
    _take(x, rows, scratch, n)
    if seen == 0:
        correction[0] = 1.0
        _begin(rows, scratch, n, kept)
    # Equations 9 and 10: less smoothing in all bins while the power of the whole frame changes.
    smoothed = total(rows, n, lanes)
    distance = smoothed / max(total(scratch, n, lanes), _TINY) - 1.0
    now = max(1.0 / (1.0 + distance * distance), setting[0])
    correction[0] = setting[0] * correction[0] + (1.0 - setting[0]) * now
    # Equation 12: where speech may begin, the average must be able to fall fast.
    snr = smoothed / max(total(rows + 8 * n, n, lanes), _TINY)
    least = min(setting[2], snr ** setting[4])
    _smooth_power(rows, scratch, n, setting[1] * correction[0], least)
    # The lower bound, which matters in the first frames alone, is that of Brookes' VOICEBOX.
    _variance(rows, scratch, n, setting[3], 1.0 / (14.0 * (seen + 1)))
    mean = total(scratch + 16 * n, n, lanes) / n
    _candidates(rows, scratch, n, 1.0 + 2.12 * np.sqrt(mean), parameters + 40)
    _lower(rows, scratch, n)
    if part >= last:
        _close(rows, scratch, n, ring, kept, _steepest(mean, parameters + 72))
    elif part > 1:
        _inside(rows, scratch, n)
    return 0


def minimum_statistics(
    x: Any, out: Any, frames: Any, header: Any, state: Any, parameters: Any, scratch: Any
) -> Any:
    """Noise floors of ``x [channels, frames, bins]`` into ``out``, alike.

    ``header``: seven int64: frame of the sub-window from 1, sub-window to store, frames seen, frames of a
    sub-window, sub-windows kept, channels, bins. ``state``: by channel eight float64, the first the
    correction of equation 10, then the rows. ``parameters``: thirteen float64: smoothing of the correction,
    largest smoothing, the most the least smoothing is, largest smoothing of moments, exponent of the SNR,
    slope and pole of the bias for the window and for a sub-window, four steepest rises in a sub-window.
    ``scratch``: 64 float64, then four rows.
    """
    place = i64(header, 7)
    channels, bins = place[5], place[6]
    size = 8 * (8 + (8 + place[4]) * bins)
    for t in range(frames):
        for c in range(channels):
            at = 4 * (c * frames + t) * bins
            _frame(x + at, state + c * size, bins, header, parameters, scratch)
            noise, sink = f64(state + c * size + 64 + 8 * bins, bins), f32(out + at, bins)
            for i in range(bins):
                sink[i] = np.float32(noise[i])
        if place[0] >= place[3]:
            place[0] = 0
            place[1] = (place[1] + 1) % place[4]
        place[0] += 1
        place[2] += 1
    return 0
