"""Plain transforms in place, without window or mask."""

from __future__ import annotations

from typing import Any

from ..emitted import Emitted
from .access import pointer
from .layout import Geometry
from .passes import Passes, Work

__all__ = ["transform"]


def transform(length: int, width: int, inverse: int) -> Emitted:
    """Return the kernel ``(real, imaginary, twiddles)``: one transform in place."""
    geometry = Geometry(length, width)

    def emit(builder: Any, *args: Any) -> None:
        work = Work(*(pointer(builder, address) for address in args[:3]))
        Passes(geometry, builder, work, inverse=bool(inverse)).emit()

    return Emitted(emit)
