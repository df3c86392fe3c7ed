"""Covariances of many bins at once, bins in the lanes of every loop; `multichannel` is what they are for.

Memory is rows of `LANES` float64. A complex value is two rows side by side, real and imaginary: a pair. A
Hermitian matrix is the pairs of its lower triangle by rows: (0,0) (1,0) (1,1) (2,0)... Loops do all lanes,
so that their length is a constant; lanes past the last bin hold what nobody reads.

A stem's model is its covariance R, the sum that becomes the next R, its spectrum y by channel, all pairs,
and its power v, a row. Everything is float64: where one panned source fills a bin, the inverse of the
mixture's covariance loses five digits and more.
"""

from __future__ import annotations

from typing import Any

from .covariances_stereo import filter_stereo, gather_stereo, mix_stereo, solve_stereo
from .memory import f64, inline
from .wiener_task import LANES

__all__ = [
    "PAIR",
    "ROW",
    "estimate",
    "filter_model",
    "gather",
    "mix_model",
    "model_bytes",
    "normalise",
    "solve",
    "triangle",
    "zero",
]

ROW = 8 * LANES  # bytes
PAIR = 2 * ROW


@inline
def triangle(channels: Any) -> Any:
    """Pairs of a Hermitian matrix."""
    return channels * (channels + 1) // 2


@inline
def model_bytes(channels: Any) -> Any:
    """Size of a stem's model."""
    return (2 * triangle(channels) + channels) * PAIR + ROW


@inline
def estimate(model: Any, channels: Any) -> Any:
    """Address of a model's spectrum y."""
    return model + 2 * triangle(channels) * PAIR


@inline
def zero(address: Any, rows: Any) -> None:
    """Fill rows with 0."""
    row = f64(address, rows * LANES)
    for i in range(rows * LANES):
        row[i] = 0.0


@inline
def normalise(model: Any, channels: Any, weight: Any) -> None:
    """R becomes the sum over the stem's total power, which is its trace over channels; the sum becomes 0."""
    pairs = triangle(channels)
    sums, power = model + pairs * PAIR, model + (2 * pairs + channels) * PAIR
    zero(power, 1)
    scale = f64(power, LANES)
    for c in range(channels):
        diagonal = f64(sums + (triangle(c) + c) * PAIR, LANES)
        for i in range(LANES):
            scale[i] += diagonal[i]
    for i in range(LANES):
        scale[i] = 1.0 / (weight + scale[i] / channels)
    for k in range(pairs):
        r, s = f64(model + k * PAIR, 2 * LANES), f64(sums + k * PAIR, 2 * LANES)
        for i in range(LANES):
            r[i] = s[i] * scale[i]
            r[LANES + i] = s[LANES + i] * scale[i]
    zero(sums, 2 * pairs)


@inline
def gather(model: Any, channels: Any) -> None:
    """Add y y^H to the model's sum."""
    if channels == 2:
        gather_stereo(model)
    else:
        y, sums = estimate(model, channels), model + triangle(channels) * PAIR
        for c in range(channels):
            for d in range(c + 1):
                _add_outer(y + c * PAIR, y + d * PAIR, sums + (triangle(c) + d) * PAIR)


@inline
def mix_model(model: Any, channels: Any, mix: Any) -> None:
    """Set the model's power, the mean of |y|^2 over channels, and add v R to the mixture's covariance."""
    if channels == 2:
        mix_stereo(model, mix)
    else:
        pairs = triangle(channels)
        y, power = estimate(model, channels), model + (2 * pairs + channels) * PAIR
        zero(power, 1)
        for c in range(channels):
            _add_power(y + c * PAIR, power, 1.0 / channels)
        for k in range(pairs):
            _add_scaled(model + k * PAIR, power, mix + k * PAIR)


@inline
def solve(x: Any, mix: Any, solution: Any, channels: Any, floor: Any) -> None:
    """Solve (mix + floor I) u = x; ``mix`` is overwritten, a pair behind it too."""
    if channels == 2:
        solve_stereo(x, mix, solution, floor)
    else:
        _factor(mix, channels, floor)
        _substitute(x, mix, solution, channels)


@inline
def filter_model(model: Any, channels: Any, solution: Any) -> None:
    """Set y = v R u."""
    if channels == 2:
        filter_stereo(model, solution)
    else:
        y = estimate(model, channels)
        for c in range(channels):
            zero(y + c * PAIR, 2)
            for d in range(c + 1):
                _add_product(model + (triangle(c) + d) * PAIR, solution + d * PAIR, y + c * PAIR)
            for d in range(c + 1, channels):
                _add_conjugate(model + (triangle(d) + c) * PAIR, solution + d * PAIR, y + c * PAIR)
            _weigh(y + c * PAIR, y + channels * PAIR)


@inline
def _factor(mix: Any, channels: Any, floor: Any) -> None:
    """L D L^H without square roots: below the diagonal comes L D, on it 1 / D."""
    for k in range(channels):
        pivot = mix + (triangle(k) + k) * PAIR
        _invert(pivot, floor)
        for i in range(k + 1, channels):
            for j in range(k + 1, i + 1):
                row, column = mix + (triangle(i) + k) * PAIR, mix + (triangle(j) + k) * PAIR
                _eliminate(row, column, pivot, mix + (triangle(i) + j) * PAIR)


@inline
def _substitute(x: Any, mix: Any, solution: Any, channels: Any) -> None:
    rest = mix + triangle(channels) * PAIR
    for k in range(channels):
        zero(rest, 2)
        for m in range(k):
            _add_product(mix + (triangle(k) + m) * PAIR, solution + m * PAIR, rest)
        _subtract_scaled(x + k * PAIR, rest, mix + (triangle(k) + k) * PAIR, solution + k * PAIR)
    for back in range(1, channels):
        k = channels - 1 - back
        zero(rest, 2)
        for m in range(k + 1, channels):
            _add_conjugate(mix + (triangle(m) + k) * PAIR, solution + m * PAIR, rest)
        _correct(rest, mix + (triangle(k) + k) * PAIR, solution + k * PAIR)


@inline
def _invert(pivot: Any, floor: Any) -> None:
    """Take 1 / (pivot + floor); the rest of a sum of covariances is not negative but for rounding."""
    p = f64(pivot, LANES)
    for i in range(LANES):
        p[i] = 1.0 / (floor if p[i] < 0.0 else p[i] + floor)


@inline
def _eliminate(row: Any, column: Any, pivot: Any, target: Any) -> None:
    a, b, p, z = f64(row, 2 * LANES), f64(column, 2 * LANES), f64(pivot, LANES), f64(target, 2 * LANES)
    for i in range(LANES):
        real, imaginary = a[i] * p[i], a[LANES + i] * p[i]
        z[i] -= real * b[i] + imaginary * b[LANES + i]
        z[LANES + i] -= imaginary * b[i] - real * b[LANES + i]


@inline
def _subtract_scaled(x: Any, rest: Any, pivot: Any, target: Any) -> None:
    a, b, p, z = f64(x, 2 * LANES), f64(rest, 2 * LANES), f64(pivot, LANES), f64(target, 2 * LANES)
    for i in range(LANES):
        z[i] = (a[i] - b[i]) * p[i]
        z[LANES + i] = (a[LANES + i] - b[LANES + i]) * p[i]


@inline
def _correct(rest: Any, pivot: Any, target: Any) -> None:
    b, p, z = f64(rest, 2 * LANES), f64(pivot, LANES), f64(target, 2 * LANES)
    for i in range(LANES):
        z[i] -= b[i] * p[i]
        z[LANES + i] -= b[LANES + i] * p[i]


@inline
def _add_outer(a: Any, b: Any, target: Any) -> None:
    """Add a times the conjugate of b."""
    x, y, z = f64(a, 2 * LANES), f64(b, 2 * LANES), f64(target, 2 * LANES)
    for i in range(LANES):
        xr, xi, yr, yi = x[i], x[LANES + i], y[i], y[LANES + i]
        z[i] += xr * yr + xi * yi
        z[LANES + i] += xi * yr - xr * yi


@inline
def _add_product(a: Any, b: Any, target: Any) -> None:
    x, y, z = f64(a, 2 * LANES), f64(b, 2 * LANES), f64(target, 2 * LANES)
    for i in range(LANES):
        xr, xi, yr, yi = x[i], x[LANES + i], y[i], y[LANES + i]
        z[i] += xr * yr - xi * yi
        z[LANES + i] += xr * yi + xi * yr


@inline
def _add_conjugate(a: Any, b: Any, target: Any) -> None:
    """Add the conjugate of a times b."""
    x, y, z = f64(a, 2 * LANES), f64(b, 2 * LANES), f64(target, 2 * LANES)
    for i in range(LANES):
        xr, xi, yr, yi = x[i], x[LANES + i], y[i], y[LANES + i]
        z[i] += xr * yr + xi * yi
        z[LANES + i] += xr * yi - xi * yr


@inline
def _add_power(y: Any, power: Any, share: Any) -> None:
    z, p = f64(y, 2 * LANES), f64(power, LANES)
    for i in range(LANES):
        p[i] += share * (z[i] * z[i] + z[LANES + i] * z[LANES + i])


@inline
def _add_scaled(source: Any, power: Any, target: Any) -> None:
    r, p, z = f64(source, 2 * LANES), f64(power, LANES), f64(target, 2 * LANES)
    for i in range(LANES):
        z[i] += p[i] * r[i]
        z[LANES + i] += p[i] * r[LANES + i]


@inline
def _weigh(y: Any, power: Any) -> None:
    z, p = f64(y, 2 * LANES), f64(power, LANES)
    for i in range(LANES):
        z[i] *= p[i]
        z[LANES + i] *= p[i]
