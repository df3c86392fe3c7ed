"""Exponential and logarithm as straight-line code, so that loops vectorise.

Integers become floats and back by adding powers of two: AVX2 has no conversion of 64-bit ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .memory import inline

__all__ = ["binary_parts", "exponential", "logarithm", "power_of_two"]

_SQRT2 = 2.0**0.5
_MANTISSA, _EXPONENT = (1 << 52) - 1, 1023 << 52
_TWO52, _TWO52_BITS = 2.0**52, 1075 << 52
_ROUNDER = 1.5 * 2.0**52  # adding it rounds a small number to an integer, kept in the lowest bits
_LN2 = 0.6931471805599453


@inline
def binary_parts(x: Any) -> Any:
    """``(e, s)`` with normal ``x = m 2^e``, m around 1, and ``s = (m - 1) / (m + 1)``, ``|s| < 0.172``.

    ``ln m`` is twice the inverse hyperbolic tangent of s.
    """
    bits = np.float64(x).view(np.int64)
    m = np.int64((bits & _MANTISSA) | _EXPONENT).view(np.float64)
    e = np.int64((bits >> 52) | _TWO52_BITS).view(np.float64) - (_TWO52 + 1023.0)
    high = m > _SQRT2
    m = 0.5 * m if high else m
    e = e + 1.0 if high else e
    return e, (m - 1.0) / (m + 1.0)


@inline
def power_of_two(y: Any) -> Any:
    """``2^y`` for y within -1000 to 1000, to a relative 1e-8: the rest after rounding by the power series."""
    whole = y + _ROUNDER
    r = (y - (whole - _ROUNDER)) * _LN2
    tail = 1 + r * (1 / 5) * (1 + r * (1 / 6) * (1 + r * (1 / 7)))
    value = 1 + r * (1 + r * (1 / 2) * (1 + r * (1 / 3) * (1 + r * (1 / 4) * tail)))
    return value * np.int64((np.float64(whole).view(np.int64) << 52) + _EXPONENT).view(np.float64)


@inline
def exponential(x: Any) -> Any:
    """``e^x`` for x held within -600 to 600, to a relative 1e-8."""
    return power_of_two(min(max(x, -600.0), 600.0) * (1 / _LN2))


@inline
def logarithm(x: Any) -> Any:
    """``ln x`` for normal x above 0, to 2e-8."""
    e, s = binary_parts(x)
    z = s * s
    return e * _LN2 + 2 * s * (1 + z * (1 / 3 + z * (1 / 5 + z * (1 / 7 + z * (1 / 9)))))
