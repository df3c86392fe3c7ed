"""Spectra in permuted order: masks applied, two packed channels taken apart and put together.

Two real channels travel as one complex signal ``z = left + i right``, so with ``P[k] = conj(Z[N-k])``

    left[k] = (Z[k] + P[k]) / 2        right[k] = (Z[k] - P[k]) / 2i
    Z'[k] = a Z[k] + b P[k]            a = (mask_left + mask_right) / 2, b = (mask_left - mask_right) / 2

(the factors 1/2 are left to the windows). In permuted order frequency ``k = outer + blocks * inner`` stands
in block ``outer``, and inside a block of width^2 points in natural order: vector s, lane q hold
``inner = q + width s``. So N-k of that vector is the reversed vector ``width-1-s`` of block
``blocks - outer``; block 0 pairs with itself, one lane shifted. Rows of natural order (``width``
successive outer at one inner) become such vectors by a transpose, ``width`` columns at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llvmlite import ir

from .access import INT, Access
from .loops import count_to

if TYPE_CHECKING:
    from collections.abc import Callable

    from .codelets import Pair
    from .layout import Geometry

__all__ = ["Bins"]

_FLAGS = ("contract",)


class Bins:
    """Emits loops over the bins of one frame.

    Args:
        geometry: length and width, 4 or more.
        builder: llvmlite's IRBuilder.
        places: pointer to int64, where each frequency stands (`Geometry.places`).
    """

    def __init__(self, geometry: Geometry, builder: Any, places: Any) -> None:
        self.geometry, self.builder, self.access = geometry, builder, Access(builder, geometry.width)
        self.places = places
        self.width = geometry.width
        self.blocks = geometry.length // geometry.width**2
        self.half = self.width // 2

    # Arithmetic

    def add(self, a: Any, b: Any) -> Any:
        """Return a + b."""
        return self.builder.fadd(a, b, flags=_FLAGS)

    def sub(self, a: Any, b: Any) -> Any:
        """Return a - b."""
        return self.builder.fsub(a, b, flags=_FLAGS)

    def mul(self, a: Any, b: Any) -> Any:
        """Return a * b."""
        return self.builder.fmul(a, b, flags=_FLAGS)

    def neg(self, a: Any) -> Any:
        """Return -a."""
        return self.builder.fneg(a)

    # Loops

    def groups(self, body: Callable[[Any, list[int], Any], None], *, first: bool) -> None:
        """Call ``body(column, columns, s)`` for groups of ``width`` outer frequencies and each vector s.

        Args:
            body: emits the work on outer frequencies ``column + i`` for i in ``columns``, vector s.
            first: whether the group at 0 includes outer frequency 0.
        """
        width, rest = self.width, self.blocks % self.width
        self._vectors(INT(0), list(range(0 if first else 1, width)), body)
        if self.blocks // width > 1:
            with count_to(self.builder, self.blocks // width - 1) as group:
                column = self.access.at(self.access.times(group, width), width)
                self._vectors(column, list(range(width)), body)
        if rest:
            self._vectors(INT(self.blocks - width), list(range(width - rest, width)), body)

    def _vectors(self, column: Any, columns: list[int], body: Callable[[Any, list[int], Any], None]) -> None:
        with count_to(self.builder, self.half) as s:
            body(column, columns, s)

    # Places

    def row(self, column: Any, s: Any, q: int) -> Any:
        """Where natural order holds ``inner = q + width s`` of the outer frequencies from ``column`` on."""
        inner = self.access.at(self.access.times(s, self.width), q)
        return self.access.at(column, self.access.times(inner, self.blocks))

    def pair(self, column: Any, i: int, s: Any) -> tuple[Any, Any]:
        """Return the places of vector s of outer frequency ``column + i`` and of its partner (to reverse)."""
        outer = self.access.at(column, i)
        partner = self.builder.sub(INT(self.blocks), outer)
        low = self.access.at(self._block(outer), self.access.times(s, self.width))
        back = self.builder.sub(INT(self.width - 1), s)
        return low, self.access.at(self._block(partner), self.access.times(back, self.width))

    def _block(self, outer: Any) -> Any:
        return self.builder.load(self.builder.gep(self.places, [outer]))

    # Rows of natural order

    def columns(self, array: Any, column: Any, s: Any) -> list[Any]:
        """Return, for each of ``width`` outer frequencies, a row array's vector s."""
        load = self.access.load
        return self.access.transpose([load(array, self.row(column, s, q)) for q in range(self.width)])

    def complex_columns(self, array: Any, column: Any, s: Any) -> tuple[list[Any], list[Any]]:
        """Return the same of an array of complex64: real and imaginary vectors."""
        at, width = self.access.at, self.width
        reals, imaginaries = [], []
        for q in range(width):
            place = self.access.times(self.row(column, s, q), 2)
            low, high = self.access.load(array, place), self.access.load(array, at(place, width))
            real, imaginary = self.access.separate(low, high)
            reals.append(real)
            imaginaries.append(imaginary)
        return self.access.transpose(reals), self.access.transpose(imaginaries)

    # Block 0

    def partners(self, values: list[Any]) -> list[Any]:
        """Return for block 0's ``width`` vectors those of N-k, not yet conjugated."""
        width = self.width
        lanes = [width, *range(width - 1, 0, -1)]
        return [
            self.access.shuffle(values[width - 1 - s], values[(width - s) % width], lanes)
            for s in range(width)
        ]

    def mirrored(self, lower: list[Any], middle: Any) -> list[Any]:
        """Return block 0's ``width`` vectors of a symmetric array from its lower half and its middle bin.

        Args:
            lower: vectors 0 to width/2 - 1.
            middle: the scalar at bin N/2.
        """
        crest = self.access.with_lane(self.access.zero(), 0, middle)
        known = [*lower, crest, *[self.access.zero()] * (self.half - 1)]
        return [*lower, *self.partners(known)[self.half :]]

    def load_block(self, real: Any, imaginary: Any) -> list[Pair]:
        """Return block 0's vectors."""
        places = [INT(s * self.width) for s in range(self.width)]
        return [(self.access.load(real, p), self.access.load(imaginary, p)) for p in places]

    def scratch(self, vectors: int) -> Any:
        """Return a pointer to room for so many vectors on the stack."""
        size = ir.ArrayType(ir.FloatType(), vectors * self.width)
        room = self.builder.alloca(size)  # emitted before any loop
        return self.builder.bitcast(room, ir.FloatType().as_pointer())

    def kept(self, scratch: Any) -> list[Any]:
        """Return the ``width / 2`` vectors kept in a scratch by `keep`."""
        return [self.access.load(scratch, INT(s * self.width)) for s in range(self.half)]

    def keep(self, scratch: Any, s: Any, value: Any) -> None:
        """Keep vector s."""
        self.access.store(scratch, self.access.times(s, self.width), value)
