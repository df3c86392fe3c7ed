"""Complex FFTs of any length 2^a 3^b 5^c 7^d from explicit SIMD codelets."""

from __future__ import annotations

from .layout import Geometry
from .transform import Fft

__all__ = ["Fft", "Geometry"]
