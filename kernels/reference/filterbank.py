"""Oracle of `kernels.filterbank`: the difference equation, and Linkwitz and Riley's analogue responses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["allpass_response", "filtered", "high_response", "low_response", "response"]

Array = np.ndarray[Any, np.dtype[Any]]


def filtered(x: Array, coefficients: Array) -> Array:
    """One signal ``[n]`` through sections ``[sections, 5]``, each y = b x - a y over past samples."""
    values = [float(value) for value in x]
    for b0, b1, b2, a1, a2 in coefficients.tolist():
        result: list[float] = []
        for i, value in enumerate(values):
            total = b0 * value
            if i >= 1:
                total += b1 * values[i - 1] - a1 * result[i - 1]
            if i >= 2:
                total += b2 * values[i - 2] - a2 * result[i - 2]
            result.append(total)
        values = result
    return np.array(values)


def response(coefficients: Array, frequencies: Array, rate: float) -> Array:
    """Complex response ``[frequencies]`` of sections ``[sections, 5]``."""
    late = np.exp(-2j * np.pi * frequencies / rate)
    total = np.ones(len(frequencies), complex)
    for b0, b1, b2, a1, a2 in coefficients:
        total *= (b0 + b1 * late + b2 * late**2) / (1 + a1 * late + a2 * late**2)
    return total


def _butterworth(s: Array, order: int) -> Array:
    """The Butterworth polynomial B(s): poles evenly on the left half of the unit circle."""
    total = np.ones(len(s), complex)
    for k in range(order):
        total *= s - np.exp(1j * math.pi * (2 * k + 1 + order) / (2 * order))
    return total


def _analogue(frequencies: Array, crossover: float, rate: float) -> Array:
    """The s, in units of the crossover, that the bilinear transform puts at these frequencies."""
    return 1j * np.tan(np.pi * frequencies / rate) / math.tan(math.pi * crossover / rate)


def low_response(frequencies: Array, crossover: float, rate: float, order: int) -> Array:
    """1 / B(s)^2 with B of half the order."""
    return 1 / _butterworth(_analogue(frequencies, crossover, rate), order // 2) ** 2


def high_response(frequencies: Array, crossover: float, rate: float, order: int) -> Array:
    """+-s^order / B(s)^2: inverted where half the order is odd."""
    s = _analogue(frequencies, crossover, rate)
    high: Array = (-1) ** (order // 2) * s**order / _butterworth(s, order // 2) ** 2
    return high


def allpass_response(frequencies: Array, crossover: float, rate: float, order: int) -> Array:
    """B(-s) / B(s): what low and high sum to."""
    s = _analogue(frequencies, crossover, rate)
    return _butterworth(-s, order // 2) / _butterworth(s, order // 2)
