"""Cross statistics of a stereo pair over frames, and what they tell; all float64 inside.

Loops run over bins, each with its own recurrence, so frames may come in any cut.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .memory import f32, f64, i64, inline

__all__ = [
    "ambience_gain",
    "balance",
    "coherence",
    "direct_ambient",
    "level_difference",
    "panning",
    "phase_difference",
    "update",
]

#: Less is silence; what is not less than the other, NaN among it, is not remembered.
_LEAST, _MOST = 1e-30, 1e300


def _arctangent(terms: int) -> tuple[float, ...]:
    """Coefficients of atan(r) / r in powers of r^2, for r from 0 to 1, the last first.

    The Chebyshev series of the arctangent, 2 sum_k (-1)^k q^(2k + 1) / (2k + 1) T_(2k + 1) with
    q = sqrt(2) - 1 (Clenshaw, NPL Mathematical Tables 5, 1962); what follows the last term stays
    below 1e-10 for 12 terms.
    """
    q = math.sqrt(2) - 1
    series = np.zeros(2 * terms)
    for k in range(terms):
        series[2 * k + 1] = 2 * (-1) ** k * q ** (2 * k + 1) / (2 * k + 1)
    powers = np.polynomial.chebyshev.cheb2poly(series)
    return tuple(float(value) for value in powers[1::2][::-1])


_ATAN = _arctangent(12)


@inline
def _flushed(value: Any) -> Any:
    return 0.0 if abs(value) < _LEAST else value


@inline
def _kept(value: Any) -> Any:
    return value if abs(value) < _MOST else 0.0


@inline
def _power(x: Any, memory: Any, out: Any, bins: Any, keep: Any) -> Any:
    values, held, result, take = f32(x, 2 * bins), f64(memory, bins), f64(out, bins), 1 - keep
    for i in range(bins):
        real, imaginary = np.float64(values[2 * i]), np.float64(values[2 * i + 1])
        value = _flushed(keep * held[i] + take * (real * real + imaginary * imaginary))
        result[i] = value
        held[i] = _kept(value)


@inline
def _cross(x: Any, y: Any, memory: Any, out: Any, bins: Any, keep: Any) -> Any:
    """``x`` times the conjugate of ``y``; memory and result are complex128."""
    left, right, take = f32(x, 2 * bins), f32(y, 2 * bins), 1 - keep
    held, result = f64(memory, 2 * bins), f64(out, 2 * bins)
    for i in range(bins):
        a, b = np.float64(left[2 * i]), np.float64(left[2 * i + 1])
        c, d = np.float64(right[2 * i]), np.float64(right[2 * i + 1])
        real = _flushed(keep * held[2 * i] + take * (a * c + b * d))
        imaginary = _flushed(keep * held[2 * i + 1] + take * (b * c - a * d))
        result[2 * i], result[2 * i + 1] = real, imaginary
        held[2 * i], held[2 * i + 1] = _kept(real), _kept(imaginary)


def update(state: Any, spectra: Any, p11: Any, p22: Any, p12: Any, frames: Any) -> Any:
    """One-pole means over ``frames`` frames of spectra ``[2, frames, bins]``.

    The state is bins, the address of the forgetting factor and that of the memory: P11 and P22 ``[bins]``,
    then P12 ``[bins]`` complex.
    """
    header = i64(state, 3)
    bins, memory = header[0], header[2]
    keep = f64(header[1], 1)[0]
    for t in range(frames):
        left = spectra + t * bins * 8
        right = left + frames * bins * 8
        _power(left, memory, p11 + t * bins * 8, bins, keep)
        _power(right, memory + bins * 8, p22 + t * bins * 8, bins, keep)
        _cross(left, right, memory + bins * 16, p12 + t * bins * 16, bins, keep)
    return 0


@inline
def _squared(values: Any, i: Any) -> Any:
    return values[2 * i] * values[2 * i] + values[2 * i + 1] * values[2 * i + 1]


@inline
def _coherence(first: Any, second: Any, squared: Any) -> Any:
    product = first * second
    share = 0.0 if product == 0 else squared / product
    return 1.0 if share > 1 else share


def coherence(p11: Any, p22: Any, p12: Any, out: Any, n: Any) -> Any:
    """Magnitude-squared coherence."""
    first, second, cross, result = f64(p11, n), f64(p22, n), f64(p12, 2 * n), f32(out, n)
    for i in range(n):
        result[i] = np.float32(_coherence(first[i], second[i], _squared(cross, i)))
    return 0


def panning(p11: Any, p22: Any, p12: Any, out: Any, n: Any) -> Any:
    """One minus the similarity, with the sign of the louder side."""
    first, second, cross, result = f64(p11, n), f64(p22, n), f64(p12, 2 * n), f32(out, n)
    for i in range(n):
        total = first[i] + second[i]
        similarity = 1.0 if total == 0 else 2 * math.sqrt(_squared(cross, i)) / total
        distance = 0.0 if similarity > 1 else 1 - similarity
        result[i] = np.float32(distance if second[i] > first[i] else -distance)
        if first[i] == second[i]:
            result[i] = np.float32(0)
    return 0


def balance(p11: Any, p22: Any, p12: Any, out: Any, n: Any) -> Any:
    """Difference of the powers over their sum."""
    first, second, result = f64(p11, n), f64(p22, n), f32(out, n)
    for i in range(n):
        total = first[i] + second[i]
        result[i] = np.float32(0.0 if total == 0 else (second[i] - first[i]) / total)
    return 0


def level_difference(p11: Any, p22: Any, p12: Any, out: Any, n: Any) -> Any:
    """Decibels of P11 over P22, 120 at most either way; 0 in silence."""
    first, second, result = f64(p11, n), f64(p22, n), f32(out, n)
    for i in range(n):
        a, b = first[i] + 1e-300, second[i] + 1e-300
        decibels = 10 * math.log10(a / b)
        result[i] = np.float32(120.0 if decibels > 120 else (-120.0 if decibels < -120 else decibels))
    return 0


def phase_difference(p11: Any, p22: Any, p12: Any, out: Any, n: Any) -> Any:
    """Angle of P12 in radians, 0 where P12 is 0; without a branch, so that lanes run side by side."""
    cross, result = f64(p12, 2 * n), f32(out, n)
    for i in range(n):
        x, y = cross[2 * i], cross[2 * i + 1]
        wide, tall = abs(x), abs(y)
        steep = tall > wide
        most = tall if steep else wide
        least = wide if steep else tall
        ratio = 0.0 if most == 0 else least / most
        square, angle = ratio * ratio, 0.0
        for factor in _ATAN:
            angle = angle * square + factor
        angle *= ratio
        angle = math.pi / 2 - angle if steep else angle
        angle = math.pi - angle if x < 0 else angle
        angle = 0.0 if most == 0 else angle
        result[i] = np.float32(-angle if y < 0 else angle)
    return 0


def direct_ambient(p11: Any, p22: Any, p12: Any, direct: Any, ambient: Any, n: Any) -> Any:
    """Powers of what the channels share and of what each has alone, equal in both."""
    first, second, cross = f64(p11, n), f64(p22, n), f64(p12, 2 * n)
    left, right, rest = f32(direct, n), f32(direct + 4 * n, n), f32(ambient, n)
    for i in range(n):
        a, b, squared = first[i], second[i], _squared(cross, i)
        root = math.sqrt((a - b) * (a - b) + 4 * squared)
        # The smaller eigenvalue of the covariance; as a quotient, for the difference would cancel.
        total = a + b + root
        determinant = a * b - squared
        determinant = 0.0 if determinant < 0 else determinant
        alone = 0.0 if total == 0 else 2 * determinant / total
        rest[i] = np.float32(alone)
        left[i] = np.float32(0.0 if a < alone else a - alone)
        right[i] = np.float32(0.0 if b < alone else b - alone)
    return 0


def ambience_gain(p11: Any, p22: Any, p12: Any, out: Any, n: Any, curve: Any) -> Any:
    """A step down over the coherence, by a hyperbolic tangent: threshold, slope, lowest, highest."""
    first, second, cross, result = f64(p11, n), f64(p22, n), f64(p12, 2 * n), f32(out, n)
    shape = f64(curve, 4)
    threshold, slope, lowest, highest = shape[0], shape[1], shape[2], shape[3]
    for i in range(n):
        magnitude = math.sqrt(_coherence(first[i], second[i], _squared(cross, i)))
        step = math.tanh(slope * math.pi * (threshold - magnitude))
        result[i] = np.float32((highest - lowest) / 2 * step + (highest + lowest) / 2)
    return 0
