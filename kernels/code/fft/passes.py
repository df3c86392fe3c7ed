"""The passes of one transform, emitted over split real and imaginary arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .access import INT, Access
from .codelets import Codelets
from .loops import count_to

if TYPE_CHECKING:
    from collections.abc import Callable

    from .codelets import Pair
    from .layout import Geometry

__all__ = ["Passes", "Work"]


class Work(NamedTuple):
    """Pointers: the real and imaginary parts that passes work on, and the twiddle factors."""

    real: Any
    imaginary: Any
    twiddles: Any


class Passes:
    """Emits one transform: the passes of `Geometry` in order, or backwards for the inverse.

    Args:
        geometry: radices, tables, width.
        builder: llvmlite's IRBuilder.
        work: where the transform happens.
        inverse: from permuted to natural order.
        load: ``load(place)`` gives the complex vector that enters the forward transform, instead of what is
            in the work arrays.
        store: ``store(place, value)`` takes the one that leaves the inverse transform, instead of them.
        coming: int64 addresses of ``2 * length`` bytes each that will be read next. They are asked for a few
            lines at a time, as the innermost blocks are done: all at once would stall.
    """

    def __init__(
        self,
        geometry: Geometry,
        builder: Any,
        work: Work,
        *,
        inverse: bool,
        load: Callable[[Any], Pair] | None = None,
        store: Callable[[Any, Pair], None] | None = None,
        coming: tuple[Any, ...] = (),
    ) -> None:
        self.geometry, self.builder, self.work, self.inverse = geometry, builder, work, inverse
        self._enter, self._leave, self.coming = load or self._load, store or self._store, coming
        self.codelets = Codelets(builder, geometry.width, inverse=inverse)
        self.access = Access(builder, geometry.width)

    def emit(self, level: int = 0, base: Any = None, size: int | None = None) -> None:
        """Emit the transform of the block at ``base``: its pass and its sub-blocks, depth first."""
        base = INT(0) if base is None else base
        size = self.geometry.length if size is None else size
        if level == len(self.geometry.radices):
            self._innermost(base)
            return
        if not self.inverse:
            self._pass(level, base, size)
        radix = self.geometry.radices[level]
        with count_to(self.builder, radix) as block:
            inner = self.access.at(base, self.access.times(block, size // radix))
            self.emit(level + 1, inner, size // radix)
        if self.inverse:
            self._pass(level, base, size)

    def _pass(self, level: int, base: Any, size: int) -> None:
        radix, width, at = self.geometry.radices[level], self.geometry.width, self.access.at
        load = self._enter if level == 0 and not self.inverse else self._load
        store = self._leave if level == 0 and self.inverse else self._store
        with count_to(self.builder, size // radix // width) as vector:
            column = at(base, self.access.times(vector, width))
            places = [at(column, q * (size // radix)) for q in range(radix)]
            entry = self.access.times(vector, 2 * (radix - 1) * width)
            factors = self._factors(at(entry, self.geometry.offsets[level]), radix)
            values = [load(place) for place in places]
            if self.inverse:
                values = self.codelets.dft(self._twiddled(values, factors))
            else:
                values = self._twiddled(self.codelets.dft(values), factors)
            for place, value in zip(places, values, strict=True):
                store(place, value)

    def _innermost(self, base: Any) -> None:
        """Transform width^2 points in registers: columns, twiddles, transpose, columns."""
        width, codelets = self.geometry.width, self.codelets
        if width == 1:
            return
        for address in self.coming:
            for byte in range(0, 2 * width**2, 64):
                self.access.prefetch(self.access.at(address, self.access.times(base, 2), byte))
        places = [self.access.at(base, i * width) for i in range(width)]
        factors = self._factors(INT(self.geometry.offsets[-1]), width)
        values = codelets.dft([self._load(place) for place in places])
        if self.inverse:
            values = codelets.dft(self._twiddled(self._transposed(values), factors))
        else:
            values = codelets.dft(self._transposed(self._twiddled(values, factors)))
        for place, value in zip(places, values, strict=True):
            self._store(place, value)

    def _transposed(self, rows: list[Pair]) -> list[Pair]:
        reals = self.access.transpose([row[0] for row in rows])
        imaginaries = self.access.transpose([row[1] for row in rows])
        return list(zip(reals, imaginaries, strict=True))

    def _twiddled(self, values: list[Pair], factors: list[Pair]) -> list[Pair]:
        rest = zip(values[1:], factors, strict=True)
        return [values[0], *(self.codelets.twiddle(value, factor) for value, factor in rest)]

    def _factors(self, entry: Any, radix: int) -> list[Pair]:
        width, read = self.geometry.width, self._factor
        return [(read(entry, 2 * q * width), read(entry, (2 * q + 1) * width)) for q in range(radix - 1)]

    def _factor(self, entry: Any, offset: int) -> Any:
        return self.access.load(self.work.twiddles, self.access.at(entry, offset))

    def _load(self, place: Any) -> Pair:
        return self.access.load(self.work.real, place), self.access.load(self.work.imaginary, place)

    def _store(self, place: Any, value: Pair) -> None:
        self.access.store(self.work.real, place, value[0])
        self.access.store(self.work.imaginary, place, value[1])
