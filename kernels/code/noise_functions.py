"""The exponential integral and a ramp, as straight-line code, so that loops vectorise."""

from __future__ import annotations

from typing import Any

from .elementary import logarithm
from .memory import inline

__all__ = ["integral", "ramp"]


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
