"""Exponential, logarithm and exponential integral as straight-line code, so that loops vectorise."""

from __future__ import annotations

from typing import Any

import numpy as np

from .memory import inline

__all__ = ["exponential", "integral", "logarithm", "ramp"]

_SQRT2 = 2.0**0.5
_MANTISSA, _EXPONENT = (1 << 52) - 1, 1023 << 52
_TWO52, _TWO52_BITS = 2.0**52, 1075 << 52
_ROUNDER = 1.5 * 2.0**52  # adding it rounds a small number to an integer, kept in the lowest bits
_LN2 = 0.6931471805599453


@inline
def exponential(x: Any) -> Any:
    """``e^x`` for x held within -600 to 600, to a relative 1e-8.

    ``x / ln 2`` is split into an integer and a rest of at most a half; the rest goes into the power series.
    """
    y = min(max(x, -600.0), 600.0) * (1 / _LN2)
    whole = y + _ROUNDER
    r = (y - (whole - _ROUNDER)) * _LN2
    tail = 1 + r * (1 / 5) * (1 + r * (1 / 6) * (1 + r * (1 / 7)))
    value = 1 + r * (1 + r * (1 / 2) * (1 + r * (1 / 3) * (1 + r * (1 / 4) * tail)))
    return value * np.int64((np.float64(whole).view(np.int64) << 52) + _EXPONENT).view(np.float64)


@inline
def logarithm(x: Any) -> Any:
    """``ln x`` for normal x above 0, to 2e-8.

    ``x = m 2^e`` with m around 1; ``ln m`` by the series of the inverse hyperbolic tangent of
    ``(m - 1) / (m + 1)``.
    """
    bits = np.float64(x).view(np.int64)
    m = np.int64((bits & _MANTISSA) | _EXPONENT).view(np.float64)
    e = np.int64((bits >> 52) | _TWO52_BITS).view(np.float64) - (_TWO52 + 1023.0)
    high = m > _SQRT2
    m = 0.5 * m if high else m
    e = e + 1.0 if high else e
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    return e * _LN2 + 2 * s * (1 + z * (1 / 3 + z * (1 / 5 + z * (1 / 7 + z * (1 / 9)))))


@inline
def integral(v: Any, decay: Any) -> Any:
    """``E1(v)``, the exponential integral from v to infinity of ``e^-t / t``, for v above 0.

    Args:
        v: where.
        decay: ``e^-v``.

    To 3e-7: M. Abramowitz and I. Stegun, Handbook of Mathematical Functions, 1964, 5.1.53 below 1 and 5.1.56
    from there on.
    """
    x = min(v, 1.0)
    series = 0.99999193 + x * (-0.24991055 + x * (0.05519968 + x * (-0.00976004 + x * 0.00107857)))
    near = x * series - 0.57721566 - logarithm(x)
    y = max(v, 1.0)
    top = 0.2677737343 + y * (8.6347608925 + y * (18.0590169730 + y * (8.5733287401 + y)))
    bottom = 3.9584969228 + y * (21.0996530827 + y * (25.6329561486 + y * (9.5733223454 + y)))
    far = decay / y * (top / bottom)
    return near if v < 1.0 else far


@inline
def ramp(value: Any, start: Any, slope: Any) -> Any:
    """0 up to ``start``, then rising by ``slope``, and 1 from there on."""
    return min(max((value - start) * slope, 0.0), 1.0)
